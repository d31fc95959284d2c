"""TensorFlow's contestant of bench_train.py, in a Python of its own: Keras layers with 'same' padding, the whole step
as one tf.function, compiled by XLA in mode xla. A ready batch, (N,32,32,3) f32; bf16 is the policy mixed_bfloat16.
    $HZ_TF_PYTHON test/peers/tf_step.py NET f32|bf16 train|infer graph|xla BATCH THREADS SECONDS"""
import os, sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")             # the comparison is of processors
import numpy as np
import tensorflow as tf
from common import layers, serve


def make_layer(l):
    k = tf.keras.layers
    act = "relu" if l.act else None
    if l.kind == "conv":
        return k.Conv2D(l.outputs, l.kernel, l.stride, "same" if l.before + l.after or l.kernel == 1 else "valid",
                        activation=act)
    if l.kind == "dense":
        return k.Dense(l.outputs, activation=act)
    return {"drop": lambda: k.Dropout(l.rate), "mean": k.GlobalAveragePooling2D, "flat": k.Flatten}[l.kind]()


def main():
    net, dtype, which, mode, batch, threads, seconds = sys.argv[1:]
    batch, threads = int(batch), int(threads)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.keras.utils.set_random_seed(0)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16" if dtype == "bf16" else "float32")
    model = tf.keras.Sequential([tf.keras.Input((32, 32, 3), batch)] + [make_layer(l) for l in layers(net)])
    optimizer = tf.keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
    optimizer.build(model.trainable_variables)
    random = np.random.default_rng(0)
    x = tf.constant(random.standard_normal((batch, 32, 32, 3), np.float32))
    y = tf.constant(random.integers(0, 10, batch), tf.int32)

    def train():
        with tf.GradientTape() as tape:
            logits = tf.cast(model(x, training=True), tf.float32)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def infer():
        return model(x, training=False)

    call = tf.function(train if which == "train" else infer, jit_compile=mode == "xla")
    step = lambda: call().numpy()                               # waits for the result
    for _ in range(3):
        step()
    serve(f"TensorFlow {tf.__version__}, Keras {tf.keras.__version__}", step, batch, float(seconds))


if __name__ == "__main__":
    main()
