"""What the peer scripts share: safetensors without a library, the networks in PyTorch with TensorFlow's padding, medians."""
import json, os, struct, sys
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


# name -> (filters, kernel, stride, activation) of the convolutions, 'drop', 'flat', ('dense', units, activation), 'mean'
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
    "all-cnn-c": ["drop2", (96, 3, 1, 1), (96, 3, 1, 1), (96, 3, 2, 1), "drop", (192, 3, 1, 1), (192, 3, 1, 1), (192, 3, 2, 1), "drop",
                  (192, 3, "valid", 1), (192, 1, 1, 1), (10, 1, 1, 1), "mean"],
}


def make_torch(name, dropout=True):
    """The network as a torch module over NCHW input. Parameters come in hz's order: weight, bias, layer after layer."""
    import torch
    import torch.nn.functional as F

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.steps, self.owned = [], torch.nn.ModuleList()
            channels, side = 3, 32
            for row in NETS[name]:
                if isinstance(row, str):
                    self.steps.append((row, None, None))
                    continue
                if row[0] == "dense":
                    layer = torch.nn.Linear(channels if side == 0 else channels * side * side, row[1])
                    channels, side = row[1], 0
                    self.steps.append(("dense", layer, row[2]))
                else:
                    filters, kernel, stride, act = row
                    same = kernel // 2 if stride == 1 else 0
                    layer = torch.nn.Conv2d(channels, filters, kernel, 1 if stride == "valid" else stride, same)
                    channels, side = filters, side - 2 if stride == "valid" else -(-side // stride)
                    self.steps.append(("down" if stride == 2 else "conv", layer, act))
                self.owned.append(layer)

        def forward(self, x):
            for kind, layer, act in self.steps:
                if kind in ("drop", "drop2"):
                    if dropout:
                        x = F.dropout(x, 0.2 if kind == "drop2" else 0.5, self.training)
                elif kind == "mean":
                    x = x.mean((2, 3))
                elif kind == "flat":
                    x = x.permute(0, 2, 3, 1).flatten(1)          # H,W,C order
                else:
                    # an even side with stride 2: TensorFlow's extra row and column are at the bottom and right
                    x = layer(F.pad(x, (0, 1, 0, 1)) if kind == "down" else x)
                    if act:
                        x = F.relu(x)
            return x

    return Net()


def table(head, rows):
    widths = [max(len(str(r[i])) for r in [head] + rows) for i in range(len(head))]
    for r in [head] + rows:
        print("  ".join(str(v).ljust(w) if i == 0 else str(v).rjust(w) for i, (v, w) in enumerate(zip(r, widths))))
    sys.stdout.flush()
