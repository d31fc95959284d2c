#!/usr/bin/env python3
"""airbench_race.py: a training by the recipe of airbench (its Muon version) by hz and by PyTorch, the same net, batch
and steps, in turns: images per second, and seconds for an epoch of 50,000 images.

    HZ_DATA=DIR $HZ_TORCH_PYTHON test/peers/airbench_race.py [--dtypes bf16,f32] [--batch 2000] [--steps 3] [--rounds 5]
                                                                 [--processor-time --threads 1]

A step is all of it: images shifted and mirrored, forward and backward through the net in training, Nesterov SGD of
biases and head, Muon of the convolutions. PyTorch runs eagerly and compiled, in both layouts, bf16 by autocast; its
augmentation is of whole batches, on bytes that were normalised before. --no-compile leaves out what takes longest to
start. --processor-time counts what each process computed instead of what passed, for a machine that has other work to
do: with one thread, because threads that wait for each other compute too. Status 1 if hz is less than three times as
fast as the best of PyTorch's modes in the same dtype."""
import argparse, os, sys, time
import numpy as np
import torch
import torch.nn.functional as F
from airbench_step import Net
from common import HZ, ROOT, median, table
from contestants import Child
from torch_optim import Muon

LEAST, EPOCH = 3, 50000


def images(count):
    """Of CIFAR-10 where HZ_DATA leads to it: speed does not depend on what is in the pictures."""
    path = os.path.join(os.environ.get("HZ_DATA", ""), "cifar-10-batches-bin", "data_batch_1.bin")
    if os.path.exists(path):
        rows = np.fromfile(path, np.uint8).reshape(-1, 3073)[:count]
        return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, 0].astype(np.int64)
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, 32, 32, 3), np.uint8), random.integers(0, 10, count)


class Torch:
    def __init__(self, o, dtype, mode, layout):
        torch.manual_seed(0)
        self.o, self.bf16 = o, dtype == "bf16"
        self.form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        net = Net([64, 256, 256], [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]).to(memory_format=self.form)
        pixels, labels = images(o.batch)
        self.x, self.y = net.normalised(torch.tensor(pixels)), torch.tensor(labels)
        self.call = torch.compile(net) if mode == "compile" else net
        convs = [c.weight for c in net.convs]
        biases = [net.whiten.bias] + [n.bias for n in net.norms]
        self.optimizers = [
            torch.optim.SGD([{"params": biases, "lr": 0.053}, {"params": [net.head.weight], "lr": 0.67}],
                            momentum=0.85, nesterov=True, weight_decay=1e-5),
            Muon(convs, lr=0.24, momentum=0.6)]
        for _ in range(2):
            self.step()

    def augmented(self):
        """Shifted by up to two pixels, mirrored every other step: the batch at once."""
        x = F.pad(self.x, (2, 2, 2, 2), "reflect")
        dy, dx = np.random.randint(0, 5, 2)
        return x[:, :, dy:dy + 32, dx:dx + 32].flip(-1).contiguous(memory_format=self.form)

    def step(self):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.call(self.augmented())
        F.cross_entropy(logits.float(), self.y, label_smoothing=0.2, reduction="sum").backward()
        for opt in self.optimizers:
            opt.step()
            opt.zero_grad(set_to_none=True)

    def round(self):
        times = []
        for _ in range(self.o.steps):
            before = self.o.clock()
            self.step()
            times.append(self.o.clock() - before)
        return self.o.batch / median(times)

    def close(self):
        pass


def contestants(o, dtype):
    script = os.path.join(ROOT, "test", "peers", "airbench_race.lua")
    made = {"hz": Child([HZ, script, dtype, o.batch, o.steps, o.which], HZ_THREADS=str(o.threads))}
    for mode in ["eager"] + (["compile"] if o.compile else []):
        for layout in ("nchw", "channels_last"):
            try:
                made[f"torch {mode} {layout}"] = Torch(o, dtype, mode, layout)
            except Exception as e:
                print(f"torch {mode} {layout} {dtype} is left out: {str(e).splitlines()[0][:200]}", file=sys.stderr)
    return made


def race(o, dtype):
    """Whether hz is fast enough."""
    made = contestants(o, dtype)
    rates = {name: [] for name in made}
    for _ in range(o.rounds):
        for name, one in made.items():
            rates[name].append(one.round())
    for one in made.values():
        one.close()
    middle = {name: median(r) for name, r in rates.items()}
    best = max(v for name, v in middle.items() if name != "hz")
    print(f"\n{dtype}, {made['hz'].title}; PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; "
          f"batch {o.batch}, {o.threads} threads, {o.which} time, median of {o.rounds} rounds in turns")
    table(("", "images/s", "least", "most", "s/epoch", "hz is"),
          [(name, f"{middle[name]:.0f}", f"{min(r):.0f}", f"{max(r):.0f}", f"{EPOCH / middle[name]:.1f}",
            f"{middle['hz'] / middle[name]:.2f}x") for name, r in rates.items()])
    return middle["hz"] >= LEAST * best


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--dtypes", default="bf16,f32")
    p.add_argument("--batch", type=int, default=2000)
    p.add_argument("--steps", type=int, default=3)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--processor-time", dest="which", action="store_const", const="processor", default="wall")
    p.add_argument("--no-compile", dest="compile", action="store_false")
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    o.clock = time.process_time if o.which == "processor" else time.perf_counter
    return 0 if all([race(o, dtype) for dtype in o.dtypes.split(",")]) else 1


if __name__ == "__main__":
    sys.exit(main())
