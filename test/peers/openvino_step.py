"""OpenVINO's contestant of bench_train.py, in a Python of its own: inference only, the network built from its
operations with random weights, one batch at a time over all threads. bf16 is INFERENCE_PRECISION_HINT.
    $HZ_OPENVINO_PYTHON test/peers/openvino_step.py NET f32|bf16 BATCH THREADS SECONDS"""
import sys
import numpy as np
import openvino as ov
from openvino import opset8 as op
from common import layers, serve


def constant(random, *shape):
    """He's scale, so that activations neither grow nor vanish from layer to layer."""
    scale = np.sqrt(2 / max(np.prod(shape[1:]), 1)) if len(shape) > 1 and shape[0] > 1 else 0.1
    return op.constant((random.standard_normal(shape, np.float32) * scale).astype(np.float32))


def build(net, batch):
    """x is (N,C,H,W), weights (O,C,K,K)."""
    random = np.random.default_rng(0)
    x = first = op.parameter([batch, 3, 32, 32], np.float32)
    for l in layers(net):
        if l.kind == "conv":
            w = constant(random, l.outputs, l.inputs, l.kernel, l.kernel)
            x = op.convolution(x, w, [l.stride] * 2, [l.before] * 2, [l.after] * 2, [1, 1])
            x = op.add(x, constant(random, 1, l.outputs, 1, 1))
        elif l.kind == "dense":
            x = op.add(op.matmul(x, constant(random, l.outputs, l.inputs), False, True), constant(random, 1, l.outputs))
        elif l.kind == "mean":
            x = op.reduce_mean(x, op.constant(np.array([2, 3], np.int64)), False)
        elif l.kind == "flat":
            x = op.reshape(x, op.constant(np.array([batch, -1], np.int64)), False)
        if l.act:
            x = op.relu(x)
    return ov.Model([x], [first], net)


def main():
    net, dtype, batch, threads, seconds = sys.argv[1:]
    batch = int(batch)
    model = ov.Core().compile_model(build(net, batch), "CPU", {
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bf16" else "f32", "INFERENCE_NUM_THREADS": int(threads),
        "PERFORMANCE_HINT": "LATENCY", "ENABLE_HYPER_THREADING": True, "ENABLE_CPU_PINNING": False,
    })
    request = model.create_infer_request()
    x = np.random.default_rng(1).standard_normal((batch, 3, 32, 32), np.float32)
    request.set_input_tensor(ov.Tensor(x))
    for _ in range(3):
        request.infer()
    serve(f"OpenVINO {ov.__version__.split('-')[0]}", request.infer, batch, float(seconds))


if __name__ == "__main__":
    main()
