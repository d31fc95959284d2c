"""What the peer scripts share: safetensors without a library, the networks as one table with TensorFlow's padding and
as PyTorch modules, medians, and how a contestant is timed."""
import json, os, struct, sys, time
from collections import namedtuple
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HZ = os.environ.get("HZ_EXE", os.path.join(ROOT, "build", "hz"))
TYPES = {"F32": np.float32, "F64": np.float64, "U8": np.uint8, "I32": np.int32}


def read_safetensors(path):
    """name -> array, and the metadata."""
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(size))
        body = f.read()
    meta = head.pop("__metadata__", {})
    arrays = {}
    for name, t in head.items():
        a, b = t["data_offsets"]
        arrays[name] = np.frombuffer(body[a:b], TYPES[t["dtype"]]).reshape(t["shape"])
    return arrays, meta


def median(values):
    v = sorted(values)
    n = len(v)
    return v[n // 2] if n % 2 else (v[n // 2 - 1] + v[n // 2]) / 2


# name -> (filters, kernel, stride, activation) of the convolutions, 'drop', 'flat', ('dense', units, activation),
# 'mean'
STEM = [(32, 3, 1, 1), (64, 3, 1, 1), (128, 3, 2, 0), "drop"]
BLOCK = [(128, 3, 1, 1), (128, 3, 1, 1), (128, 3, 2, 0), "drop"]
ALL_CONV = [(128, 3, 1, 1), (128, 1, 1, 1), (10, 1, 1, 0), "mean"]


def dense_head(*widths):
    return ["flat"] + [x for w in widths for x in (("dense", w, 1), "drop")] + [("dense", 10, 0)]


NETS = {
    "all-cnns": STEM + BLOCK + ALL_CONV,
    "cnns-dense-64": STEM + BLOCK + dense_head(64, 256),
    "all-cnnsx2": STEM + BLOCK + BLOCK + ALL_CONV,
    "cnns-x2-dense-128": STEM + BLOCK + BLOCK + dense_head(128, 256),
    "cnns-dense-128": STEM + BLOCK + dense_head(128, 256),
    "cnns-dense-128-256": STEM + BLOCK + dense_head(128, 256, 256),
    "all-cnn-c": ["drop2", (96, 3, 1, 1), (96, 3, 1, 1), (96, 3, 2, 1), "drop", (192, 3, 1, 1), (192, 3, 1, 1),
                  (192, 3, 2, 1), "drop", (192, 3, "valid", 1), (192, 1, 1, 1), (10, 1, 1, 1), "mean"],
    "conv32": [(32, 3, 1, 1)] * 5 + [(10, 1, 1, 0), "mean"],
}


def hz_name(net):
    """What hz calls a network: its name, or the file beside this one that describes it."""
    path = os.path.join(ROOT, "test", "peers", net + ".lua")
    return path if os.path.exists(path) else net


# One layer with its shapes. kind: conv, dense, drop (rate), mean, flat; inputs, outputs: channels or units;
# side: of the square input in pixels; before, after: rows of zeros above and below, columns left and right;
# act: ReLU behind it.
Layer = namedtuple("Layer", "kind inputs outputs side kernel stride before after act rate", defaults=(0,) * 9)


def conv_layer(row, channels, side):
    filters, kernel, stride, act = row
    if stride == "valid":
        return Layer("conv", channels, filters, side, kernel, 1, 0, 0, act)
    # TensorFlow's 'same': an odd total has its extra row and column at the bottom and right
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return Layer("conv", channels, filters, side, kernel, stride, total // 2, total - total // 2, act)


def output_side(c):
    return (c.side + c.before + c.after - c.kernel) // c.stride + 1


def layers(name):
    """The layers of a network over (N,32,32,3) pictures, in order."""
    out, channels, side = [], 3, 32
    for row in NETS[name]:
        if row in ("drop", "drop2"):
            out.append(Layer("drop", rate=0.2 if row == "drop2" else 0.5))
        elif row == "mean":
            out.append(Layer("mean"))
        elif row == "flat":
            out.append(Layer("flat"))
            channels = channels * side * side
        elif row[0] == "dense":
            out.append(Layer("dense", channels, row[1], act=row[2]))
            channels = row[1]
        else:
            out.append(conv_layer(row, channels, side))
            channels, side = row[0], output_side(out[-1])
    return out


def make_torch(name, dropout=True):
    """The network as a torch module over NCHW input. Parameters come in hz's order: weight, bias, layer after layer."""
    import torch
    import torch.nn.functional as F

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.steps, self.owned = [], torch.nn.ModuleList()
            for l in layers(name):
                layer = None
                if l.kind == "conv":
                    layer = torch.nn.Conv2d(l.inputs, l.outputs, l.kernel, l.stride,
                                            l.before if l.before == l.after else 0)
                elif l.kind == "dense":
                    layer = torch.nn.Linear(l.inputs, l.outputs)
                if layer:
                    self.owned.append(layer)
                self.steps.append((l, layer))

        def forward(self, x):
            for l, layer in self.steps:
                if l.kind == "drop":
                    if dropout:
                        x = F.dropout(x, l.rate, self.training)
                elif l.kind == "mean":
                    x = x.mean((2, 3))
                elif l.kind == "flat":
                    x = x.permute(0, 2, 3, 1).flatten(1)          # H,W,C order
                else:
                    x = layer(x if l.before == l.after else F.pad(x, (l.before, l.after, l.before, l.after)))
                    if l.act:
                        x = F.relu(x)
            return x

    return Net()


def table(head, rows):
    widths = [max(len(str(r[i])) for r in [head] + rows) for i in range(len(head))]
    for r in [head] + rows:
        print("  ".join(str(v).ljust(w) if i == 0 else str(v).rjust(w) for i, (v, w) in enumerate(zip(r, widths))))
    sys.stdout.flush()


def rate(step, batch, seconds):
    """Images per second of step(), which takes one batch: by the median of its times over `seconds`, three at least."""
    times, start = [], time.perf_counter()
    step()
    while len(times) < 3 or time.perf_counter() - start < seconds:
        t = time.perf_counter()
        step()
        times.append(time.perf_counter() - t)
    return batch / median(times)


def serve(title, step, batch, seconds):
    """A contestant in a process of its own: says on standard output what it is, then answers each line "round" with
    its images per second; see Child in contestants.py. Both as JSON, one line each."""
    print(json.dumps({"title": title}), flush=True)
    for line in sys.stdin:
        if line.strip() == "round":
            print(json.dumps({"images_per_second": rate(step, batch, seconds)}), flush=True)
