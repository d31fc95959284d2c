"""Optimisers of hz beside PyTorch's, from the same weights over the same batches of a small net: SGD with momentum,
Nesterov and both kinds of weight decay, Muon, groups of parameters with schedules of their own, frozen parameters,
averages of weights.
    $HZ_TORCH_PYTHON test/peers/torch_optim.py [--steps 10] [--batch 64]
Losses of ten steps must agree within 1e-4 with PyTorch's, the first update of every tensor and the weights at the end
within 1e-3 (relative L2) with PyTorch's in double, beside which that in single shows what is rounding; status 1 if not.
The net is smooth: of two maxima within rounding of each other two programs may take different ones. Muon is that of
airbench94_muon (Jordan 2024) in f32; what its bf16 would change is printed."""
import argparse, json, os, subprocess, sys, tempfile
import numpy as np
import torch
import torch.nn.functional as F
from common import HZ, ROOT, read_safetensors, table

LOSS_LIMIT, WEIGHT_LIMIT = 1e-4, 1e-3


def zeropower(g, dtype, steps=3, eps=1e-7):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.to(dtype)
    x = x / (x.norm() + eps)
    if g.size(0) > g.size(1):
        x = x.T
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    if g.size(0) > g.size(1):
        x = x.T
    return x.to(g.dtype)


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr, momentum, dtype=None):
        super().__init__(params, dict(lr=lr, momentum=momentum, dtype=dtype))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buf = self.state[p].setdefault("buf", torch.zeros_like(p))
                buf.mul_(group["momentum"]).add_(p.grad)
                g = p.grad.add(buf, alpha=group["momentum"])
                p.mul_(len(p) ** 0.5 / p.norm())
                p.add_(zeropower(g.reshape(len(g), -1), group["dtype"] or p.dtype).view(g.shape), alpha=-group["lr"])


class Decoupled(torch.optim.SGD):
    """SGD whose decay takes no part in the momentum: of the weights, before the step."""
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            decay, group["weight_decay"] = group["decay"], 0
            for p in group["params"]:
                p.mul_(1 - group["lr"] * decay)
        super().step()


class Net(torch.nn.Module):
    def __init__(self, arrays, dtype):
        super().__init__()
        self.p = torch.nn.ParameterDict()
        for name in (n[len("weight."):] for n in arrays if n.startswith("weight.")):
            self.p[name.replace(".", "_")] = torch.nn.Parameter(to_torch(arrays["weight." + name], dtype))

    def forward(self, x):
        p = self.p
        x = torch.tanh(F.conv2d(x, p["conv1_weight"], p["conv1_bias"]))
        x = F.avg_pool2d(torch.tanh(F.conv2d(x, p["conv2_weight"], p["conv2_bias"], padding=1)), 2)
        x = torch.tanh(F.conv2d(x, p["conv3_weight"], p["conv3_bias"], padding=1))
        return F.linear(x.permute(0, 2, 3, 1).flatten(1), p["dense1_weight"], p["dense1_bias"])


def to_torch(w, dtype):
    w = w.transpose(0, 3, 1, 2) if w.ndim == 4 else w
    return torch.tensor(np.ascontiguousarray(w), dtype=dtype)


def to_hz(p):
    a = p.detach().double().numpy()
    return a.transpose(0, 2, 3, 1).copy() if a.ndim == 4 else a.copy()


SGD = dict(lr=0.05, momentum=0.85, nesterov=True, weight_decay=0.01)


def triangle(step, total, start, peak, end):
    return float(np.interp(step, [0, int(peak * total), total], [start, 1, end]))


def recipe(p, total, dtype):
    """(optimiser, group, factor of the rate at a step) for each group."""
    stop = 0.375 * total
    filters = [q for n, q in p.items() if n.startswith("conv") and n.endswith("weight") and q.requires_grad]
    rest = [p["conv2_bias"], p["conv3_bias"]]
    sgd = torch.optim.SGD([dict(SGD, params=[p["conv1_bias"]], lr=0.06, weight_decay=0.02),
                           dict(SGD, params=[p["dense1_weight"], p["dense1_bias"]], lr=0.2),
                           dict(SGD, params=rest)], lr=1)
    muon = Muon(filters, 0.24, 0.6, dtype)
    linear = lambda s: 1 - s / total
    return [sgd, muon], [(sgd.param_groups[0], lambda s: max(0, 1 - s / round(stop))), (sgd.param_groups[1], linear),
                         (sgd.param_groups[2], lambda s: triangle(s, total, 0.2, 0.3, 0.07)),
                         (muon.param_groups[0], linear)]


def make(run, p, total, muon_dtype):
    if run in ("groups", "frozen"):
        return recipe(p, total, muon_dtype)
    if run == "muon":
        weights = [q for n, q in p.items() if n.endswith("weight")]
        rest = [q for n, q in p.items() if not n.endswith("weight")]
        return [torch.optim.SGD(rest, **SGD), Muon(weights, 0.24, 0.6, muon_dtype)], []
    if run == "decoupled":
        optimizer = Decoupled(list(p.values()), **SGD)
        for g in optimizer.param_groups:
            g["decay"] = g["weight_decay"]
        return [optimizer], []
    return [torch.optim.SGD(list(p.values()), **dict(SGD, nesterov=run != "plain"))], []


def average(run, net, mean, done, total):
    """As torch.optim.swa_utils.AveragedModel with a multi_avg_fn of EMA; as airbench94's LookaheadState."""
    def lookahead(decay):
        for q, m in zip(net.p.values(), mean):
            m.lerp_(q.data, 1 - decay)
            q.data.copy_(m)
    if run == "ema":
        for q, m in zip(net.p.values(), mean):
            m.mul_(0.8).add_(q.data, alpha=0.2)
    if run == "lookahead":
        if done % 3 == 0:
            lookahead(0.95 ** 5 * (done / total) ** 3)
        if done == total:
            lookahead(1.0)


def train(arrays, run, steps, batch, dtype, muon_dtype=None):
    """Losses, the weights after the first step and those at the end, as hz has them."""
    net = Net(arrays, dtype)
    if run == "frozen":
        net.p["conv1_weight"].requires_grad_(False)
    x, y = torch.tensor(arrays["x"], dtype=dtype).permute(0, 3, 1, 2), torch.tensor(arrays["labels"]).long()
    optimizers, schedules = make(run, net.p, steps, muon_dtype)
    base = [g["lr"] for g, _ in schedules]
    mean = [q.data.clone() for q in net.p.values()]
    losses, first = [], None
    for i in range(steps):
        part = slice(i * batch, (i + 1) * batch)
        loss = F.cross_entropy(net(x[part]), y[part])
        net.zero_grad()
        loss.backward()
        for (group, factor), lr in zip(schedules, base):
            group["lr"] = lr * factor(i)
        for o in optimizers:
            o.step()
        average(run, net, mean, i + 1, steps)
        losses.append(loss.item())
        first = first or {n: to_hz(q) for n, q in net.p.items()}
    last = {n: to_hz(m if run == "ema" else q) for (n, q), m in zip(net.p.items(), mean)}
    return losses, first, last


def distance(a, b):
    norm = np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / norm) if norm else float(np.linalg.norm(a))


def judge(arrays, losses, run, o):
    """A row for each tensor, one for the losses; how many were out of tolerance."""
    single, first, last = train(arrays, run, o.steps, o.batch, torch.float32)
    double, first_double, last_double = train(arrays, run, o.steps, o.batch, torch.float64)
    rows, bad = [], 0
    for n in first:
        name = n.replace("_", ".")
        start = arrays["weight." + name].astype(np.float64)
        got = arrays[f"{run}.first.{name}"].astype(np.float64)
        d = distance(got - start, first_double[n] - start)
        end = distance(arrays[f"{run}.last.{name}"], last_double[n])
        ok = d <= WEIGHT_LIMIT and end <= WEIGHT_LIMIT
        bad += not ok
        rows.append((name, f"{d:.1e}", f"{distance(first[n] - start, first_double[n] - start):.1e}",
                     f"{end:.1e}", f"{distance(last[n], last_double[n]):.1e}", "" if ok else "FAIL"))
    d = max(abs(a - b) for a, b in zip(losses[run], single))
    bad += not d <= LOSS_LIMIT
    rows.append(("losses", f"{d:.1e}", "", "", f"{max(abs(a - b) for a, b in zip(single, double)):.1e}",
                 "" if d <= LOSS_LIMIT else "FAIL"))
    return rows, bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--batch", type=int, default=64)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hz.safetensors")
        script = os.path.join(ROOT, "test", "peers", "torch_optim.lua")
        subprocess.run([HZ, script, path, str(o.steps), str(o.batch)], check=True)
        arrays, meta = read_safetensors(path)
    record = json.loads(meta["record"])
    print(f"hz {record['version']}, PyTorch {torch.__version__}, {o.steps} steps of {o.batch}")
    print(f"relative L2; first updates and weights at the end at most {WEIGHT_LIMIT:g} from PyTorch in double, losses "
          f"at most {LOSS_LIMIT:g} from PyTorch in single")
    bad = 0
    for run in ("sgd", "plain", "decoupled", "muon", "groups", "frozen", "ema", "lookahead"):
        rows, wrong = judge(arrays, record["losses"], run, o)
        bad += wrong
        print(f"\n{run}")
        table(("tensor", "first, hz", "first, torch f32", "last, hz", "last, torch f32", ""), rows)
    single = train(arrays, "muon", o.steps, o.batch, torch.float32)[0]
    half = train(arrays, "muon", o.steps, o.batch, torch.float32, torch.bfloat16)[0]
    far = max(abs(a - b) for a, b in zip(single, half))
    print(f"\nmuon in bf16, as airbench94_muon: losses within {far:.1e} of those in f32")
    print("\nok" if not bad else f"\n{bad} out of tolerance")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
