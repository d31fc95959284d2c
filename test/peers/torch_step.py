"""Ten training steps by hz and by PyTorch from the same weights over the same batches, dropout off,
TensorFlow's padding.
Losses must agree within 1e-4, the gradients of the first step within 1e-3 (relative L2, each tensor); status 1 if not.
    $HZ_TORCH_PYTHON test/peers/torch_step.py [--net all-cnns] [--steps 10] [--batch 128]
Beside them PyTorch in double, which says whose rounding is larger. A pre-activation within rounding of zero passes
its gradient in one program and not in the other: one such among millions costs some 1e-4 of the gradient, in PyTorch
against its own double as well.
Adam divides by the root of tiny squared gradients, so at rate 0.001 rounding grows tenfold every few steps
and PyTorch strays 1e-4 to 1e-3 from its own double: those losses are printed, not judged; Adam is judged
at rate 0.0001."""
import argparse, json, os, subprocess, sys, tempfile
import numpy as np
import torch
from common import HZ, NETS, ROOT, hz_name, make_torch, read_safetensors, table

LOSS_LIMIT, GRADIENT_LIMIT = 1e-4, 1e-3


def load(net, arrays, names, dtype):
    """Copies hz's weights: (O,H,W,I) becomes (O,I,H,W)."""
    for p, name in zip(net.parameters(), names):
        w = arrays["weight." + name]
        w = w.transpose(0, 3, 1, 2) if w.ndim == 4 else w
        assert tuple(p.shape) == w.shape, (name, p.shape, w.shape)
        p.data = torch.tensor(np.ascontiguousarray(w), dtype=dtype)


def names_in_order(arrays):
    """Layers in the order of the net: convolutions, then dense ones; weight before bias."""
    found = [n[len("weight."):] for n in arrays if n.startswith("weight.")]
    def key(n):
        layer, part = n.split(".")
        kind = layer.rstrip("0123456789")
        return (kind == "dense", int(layer[len(kind):]), part == "bias")
    return sorted(found, key=key)


def steps(arrays, names, net_name, optimizer, count, batch, dtype):
    """Losses of all steps and the gradients of the first."""
    net = make_torch(net_name, dropout=False)
    load(net, arrays, names, dtype)
    opt = optimizer(net.parameters())
    x = torch.tensor(arrays["x"], dtype=dtype).permute(0, 3, 1, 2)
    y = torch.tensor(arrays["labels"], dtype=torch.long)
    losses, gradients = [], {}
    for i in range(count):
        part = slice(i * batch, (i + 1) * batch)
        loss = torch.nn.functional.cross_entropy(net(x[part]), y[part])
        opt.zero_grad()
        loss.backward()
        if i == 0:
            for p, name in zip(net.parameters(), names):
                g = p.grad.numpy()
                gradients[name] = g.transpose(0, 2, 3, 1) if g.ndim == 4 else g.copy()
        opt.step()
        losses.append(loss.item())
    return losses, gradients


def distance(a, b):
    return float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--net", default="all-cnns", choices=sorted(NETS))
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--batch", type=int, default=128)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hz.tensor.safetensors")
        script = os.path.join(ROOT, "test", "peers", "torch_step.lua")
        subprocess.run([HZ, script, path, hz_name(o.net), str(o.steps), str(o.batch)], check=True)
        arrays, meta = read_safetensors(path)
    record, names = json.loads(meta["record"]), names_in_order(arrays)
    print(f"hz {record['version']}, PyTorch {torch.__version__}, {o.net} on {record['data']}, "
          f"batch {o.batch}, dropout off")
    bad = 0
    optimizers = {
        "sgd": ("SGD, Nesterov 0.9, rate 0.01", lambda q: torch.optim.SGD(q, lr=0.01, momentum=0.9, nesterov=True)),
        "adam": ("Adam, rate 0.0001", lambda q: torch.optim.Adam(q, lr=0.0001)),
        "fast_adam": ("Adam, rate 0.001", lambda q: torch.optim.Adam(q, lr=0.001)),
    }
    for key, (title, make) in optimizers.items():
        single, gradients = steps(arrays, names, o.net, make, o.steps, o.batch, torch.float32)
        double, truth = steps(arrays, names, o.net, make, o.steps, o.batch, torch.float64)
        if key == "sgd":
            print(f"\ngradients of the first step, relative L2 (at most {GRADIENT_LIMIT:g} between hz and PyTorch)")
            rows = []
            for n in names:
                g = arrays["gradient." + n]
                d = distance(g, gradients[n])
                bad += not d <= GRADIENT_LIMIT
                rows.append((n, f"{d:.2e}", f"{distance(g, truth[n]):.2e}", f"{distance(gradients[n], truth[n]):.2e}",
                             "" if d <= GRADIENT_LIMIT else "FAIL"))
            table(("tensor", "hz - torch", "hz - double", "torch - double", ""), rows)
        judged = key != "fast_adam"
        print(f"\nlosses by {title} ({f'at most {LOSS_LIMIT:g} apart' if judged else 'not judged'})")
        rows = []
        for i, (a, b, c) in enumerate(zip(record[key], single, double)):
            ok = abs(a - b) <= LOSS_LIMIT or not judged
            bad += not ok
            rows.append((i + 1, f"{a:.6f}", f"{b:.6f}", f"{a - b:+.1e}", f"{a - c:+.1e}", f"{b - c:+.1e}",
                         "" if ok else "FAIL"))
        table(("step", "hz", "torch", "hz - torch", "hz - double", "torch - double", ""), rows)
    print("\nok" if not bad else f"\n{bad} out of tolerance")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
