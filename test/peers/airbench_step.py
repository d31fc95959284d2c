"""The recipe of airbench by hz and by PyTorch and NumPy, from the same weights over the same images, in f32:
whitening weights within 1e-5 (up to sign), initial weights, losses of ten steps of SGD with Nesterov momentum and label
smoothing within 1e-4, augmentation (alternating flip, shift with reflect padding) pixel by pixel, and test-time
augmentation: confidences and loss within 1e-4. Status 1 if not. At the recipe's own rates rounding grows tenfold within
a few steps, in PyTorch against its own double as well: those losses are printed, not judged.
    $HZ_TORCH_PYTHON test/peers/airbench_step.py [--net airbench] [--steps 10] [--batch 128]"""
import argparse, json, os, subprocess, sys, tempfile
import numpy as np
import torch
import torch.nn.functional as F
from common import HZ, ROOT, read_safetensors, table

WHITE_LIMIT, LOSS_LIMIT, SCORE_LIMIT = 1e-5, 1e-4, 1e-4
EPSILON = 5e-4


class Net(torch.nn.Module):
    """The network of airbench94_muon.py, written from its description."""

    def __init__(self, widths, mean, deviation, dtype=torch.float32):
        super().__init__()
        self.dtype = dtype
        self.mean = torch.tensor(mean).view(1, 3, 1, 1)
        self.deviation = torch.tensor(deviation).view(1, 3, 1, 1)
        self.whiten = torch.nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        channels, self.convs, self.norms = 24, torch.nn.ModuleList(), torch.nn.ModuleList()
        for w in widths:
            for inputs in (channels, w):
                self.convs.append(torch.nn.Conv2d(inputs, w, 3, padding="same", bias=False))
                self.norms.append(torch.nn.BatchNorm2d(w, eps=1e-12, momentum=0.4))
                self.norms[-1].weight.requires_grad = False
            channels = w
        self.head = torch.nn.Linear(channels, 10, bias=False)

    def normalised(self, x):
        return ((x.permute(0, 3, 1, 2).double() / 255 - self.mean) / self.deviation).to(self.dtype)

    def forward(self, x):
        x = F.gelu(self.whiten(x))
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = conv(x)
            if i % 2 == 0:
                x = F.max_pool2d(x, 2)
            x = F.gelu(norm(x))
        x = F.max_pool2d(x, 3).flatten(1)
        return self.head(x) / x.shape[1]

    def load(self, arrays, stage):
        def put(to, name):
            w = arrays[f"{stage}.{name}"]
            w = w.transpose(0, 3, 1, 2) if w.ndim == 4 else w
            assert tuple(to.shape) == w.shape, (name, to.shape, w.shape)
            to.data = torch.tensor(np.ascontiguousarray(w))
        put(self.whiten.weight, "whiten.weight")
        put(self.whiten.bias, "whiten.bias")
        put(self.head.weight, "head.weight")
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            put(conv.weight, f"conv{i + 2}.weight")
            put(norm.bias, f"norm{i + 1}.beta")
            put(norm.running_mean, f"norm{i + 1}.mean")
            put(norm.running_var, f"norm{i + 1}.variance")


def whitening(images, mean, deviation):
    """(24,2,2,3) by LAPACK: eigenvectors of the second moments of all 2x2 patches, then their negatives."""
    x = (images.astype(np.float64) / 255 - mean) / deviation
    h, w = x.shape[1] - 1, x.shape[2] - 1
    patches = np.concatenate([x[:, a:a + h, b:b + w] for a in (0, 1) for b in (0, 1)], axis=3).reshape(-1, 12)
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    order = np.argsort(-values)
    scaled = (vectors[:, order] / np.sqrt(values[order] + EPSILON)).T
    return np.concatenate([scaled, -scaled])


class Report:
    def __init__(self):
        self.rows, self.bad = [], 0

    def add(self, what, value, limit):
        self.bad += not value <= limit
        self.rows.append((what, f"{value:.2e}", f"{limit:g}", "" if value <= limit else "FAIL"))


def check_weights(arrays, record, report):
    w = arrays["before.whiten.weight"].reshape(24, 12)
    truth = whitening(arrays["images"], record["mean"], record["deviation"])
    sign = np.sign((w * truth).sum(1, keepdims=True))
    report.add("whitening weights", float(np.abs(w - sign * truth).max()), WHITE_LIMIT)
    report.add("head's standard deviation - 1", float(abs(arrays["before.head.weight"].std(ddof=1) - 1)), 1e-5)
    off = 0
    for name in record["names"]:
        if name.startswith("conv"):
            w = arrays["before." + name]                     # (O,H,W,I)
            wanted = torch.empty(w.shape[0], w.shape[3], 3, 3)
            torch.nn.init.dirac_(wanted[:w.shape[3]])
            first = min(w.shape[0], w.shape[3])
            off = max(off, float(np.abs(w[:first].transpose(0, 3, 1, 2) - wanted[:first].numpy()).max()))
            if len(w) > first:
                bound = 1 / np.sqrt(w[0].size)
                off = max(off, float(np.abs(w[first:]).max() - bound), float(0.99 * bound - np.abs(w[first:]).max()))
    report.add("Dirac filters, the others' bound", off, 1e-7)


def torch_losses(net, arrays, count, batch, rate):
    net.load(arrays, "before")
    net.to(net.dtype).train()
    opt = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=rate, momentum=0.85, nesterov=True,
                          weight_decay=1e-5)
    x, y, losses = torch.tensor(arrays["x"]), torch.tensor(arrays["labels"], dtype=torch.long), []
    for i in range(count):
        part = slice(i * batch, (i + 1) * batch)
        loss = F.cross_entropy(net(net.normalised(x[part])), y[part], label_smoothing=0.2)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return losses


def check_losses(make, arrays, record, batch, report):
    """Beside them PyTorch in double, which says whose rounding is larger."""
    for key, rate in (("slow", 0.02), ("direct", 0.1), ("fast", 0.5)):
        single, double = (torch_losses(make(dtype), arrays, len(record[key]), batch, rate)
                          for dtype in (torch.float32, torch.float64))
        print(f"losses at rate {rate} (within {LOSS_LIMIT:g} of PyTorch's{', not judged' if key == 'fast' else ''})")
        rows = []
        for i, (a, b, c) in enumerate(zip(record[key], single, double)):
            ok = abs(a - b) <= LOSS_LIMIT or key == "fast"
            report.bad += not ok
            rows.append((i + 1, f"{a:.6f}", f"{a - b:+.1e}", f"{a - c:+.1e}", f"{b - c:+.1e}", "" if ok else "FAIL"))
        table(("step", "hz", "hz - torch", "hz - double", "torch - double", ""), rows)
        print()


def check_augmentation(arrays, report):
    """Each row of each epoch is its image, flipped or not, reflected at its edges and cut at some shift."""
    images = torch.tensor(arrays["images"]).permute(0, 3, 1, 2).float() / 255
    sides, wrong, shifts = {}, 0, set()
    for epoch in range(3):
        rows = torch.tensor(arrays[f"epoch{epoch}"]).permute(0, 3, 1, 2)
        for row, item in zip(rows, arrays[f"item{epoch}"]):
            found = []
            for flip in (0, 1):
                image = images[item:item + 1]
                padded = F.pad(image.flip(-1) if flip else image, (2,) * 4, "reflect")[0]
                h, w = image.shape[2:]
                found += [(flip, dy, dx) for dy in range(5) for dx in range(5)
                          if (padded[:, dy:dy + h, dx:dx + w] - row).abs().max() < 1e-6]
            if not found:
                wrong += 1
                continue
            flip, dy, dx = found[0]
            shifts.add((dy, dx))
            first = sides.setdefault(int(item), flip)
            wrong += flip != (first + epoch) % 2
    report.add(f"augmented images that are wrong ({len(shifts)} of 25 shifts seen)", wrong, 0)


def averaged(net, x, mirror, shift):
    def sides(x):
        return 0.5 * net(x) + 0.5 * net(x.flip(-1)) if mirror else net(x)
    logits = sides(x)
    if shift:
        padded, (h, w) = F.pad(x, (1,) * 4, "reflect"), x.shape[2:]
        moved = [sides(padded[:, :, a:a + h, a:a + w]) for a in (0, 2)]
        logits = 0.5 * logits + 0.25 * moved[0] + 0.25 * moved[1]
    return logits


def check_views(net, arrays, record, report):
    net.load(arrays, "after")
    net.eval()
    x, y = net.normalised(torch.tensor(arrays["test"])), torch.tensor(arrays["test_labels"], dtype=torch.long)
    with torch.no_grad():
        for key, mirror, shift in (("plain", False, False), ("mirror", True, False), ("both", True, True)):
            logits = averaged(net, x, mirror, shift).double()
            best, where = logits.softmax(1).max(1)
            loss, confidence = F.cross_entropy(logits, y).item(), torch.tensor(arrays["confidence." + key])
            report.add(f"views {key}: loss", abs(loss - record["loss_" + key]), SCORE_LIMIT)
            report.add(f"views {key}: confidence", float((best - confidence).abs().max()), SCORE_LIMIT)
            report.add(f"views {key}: other classes", int((where != torch.tensor(arrays["class." + key])).sum()), 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--net", default="airbench", choices=["airbench", "fast"])
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--batch", type=int, default=128)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hz.tensor.safetensors")
        script = os.path.join(ROOT, "test", "peers", "airbench_step.lua")
        subprocess.run([HZ, script, path, o.net, str(o.steps), str(o.batch)], check=True)
        arrays, meta = read_safetensors(path)
    record, report = json.loads(meta["record"]), Report()
    print(f"hz {record['version']}, PyTorch {torch.__version__}, {o.net} on {record['data']}, batch {o.batch}\n")
    widths = [arrays[f"before.conv{i}.weight"].shape[0] for i in (2, 4, 6)]

    def make(dtype=torch.float32):
        return Net(widths, record["mean"], record["deviation"], dtype)

    check_losses(make, arrays, record, o.batch, report)
    check_weights(arrays, record, report)
    check_augmentation(arrays, report)
    check_views(make(), arrays, record, report)
    table(("what", "hz - peer", "at most", ""), report.rows)
    print("\nok" if not report.bad else f"\n{report.bad} out of tolerance")
    return 1 if report.bad else 0


if __name__ == "__main__":
    sys.exit(main())
