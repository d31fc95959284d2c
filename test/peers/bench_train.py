"""The same training step and inference by hz and by PyTorch, interleaved in one run: every round measures each contestant once, so
that a busy or throttled machine slows all alike. Prints images/s (median, lowest, highest over the rounds) and the ratio of hz to each
(median of the rounds' ratios), and the ratio to the best PyTorch mode of the same dtype.
    $HZ_TORCH_PYTHON test/peers/bench_train.py [--net all-cnns] [--batch 128] [--dtype f32,bf16] [--pass train,infer] [--rounds 5]
The step: input from resident bytes with shuffle, shift and flip on hz's side (a ready batch on PyTorch's), forward with dropout,
cross-entropy, backward, SGD with Nesterov momentum."""
import argparse, json, os, subprocess, sys, time
from common import HZ, NETS, make_torch, median, table


def hz_round(o, dtype, which):
    """Images per second of hz, and its multiple of the FMA peak; None where this hz does not have the dtype."""
    r = subprocess.run([HZ, "bench", "--net", o.net, "--batch", str(o.batch), "--dtype", dtype, "--pass", which, "--threads", str(o.threads),
                        "--seconds", str(o.seconds), "--json"], capture_output=True, text=True)
    if r.returncode:
        print(f"hz {dtype} {which}: {r.stderr.strip()}", file=sys.stderr)
        return None
    record = json.loads(r.stdout)[0]
    return record["images_per_second"], record["multiple_of_peak"]


class Torch:
    """One mode of PyTorch, built once, measured once a round."""

    def __init__(self, o, dtype, which, layout, mode):
        import torch
        self.o, self.torch, self.train, self.bf16 = o, torch, which == "train", dtype == "bf16"
        form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        torch.manual_seed(0)
        net = make_torch(o.net).to(memory_format=form)
        net.train(self.train)
        if mode == "freeze":
            with torch.inference_mode(), self.autocast():
                x = torch.randn(o.batch, 3, 32, 32).contiguous(memory_format=form)
                self.call = torch.jit.freeze(torch.jit.trace(net, x))
        else:
            self.call = torch.compile(net) if mode == "compile" else net
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True) if self.train else None
        self.x = torch.randn(o.batch, 3, 32, 32).contiguous(memory_format=form)
        self.y = torch.randint(0, 10, (o.batch,))
        for _ in range(3):
            self.step()

    def autocast(self):
        return self.torch.autocast("cpu", dtype=self.torch.bfloat16, enabled=self.bf16)

    def step(self):
        if not self.train:
            with self.torch.inference_mode(), self.autocast():
                self.call(self.x)
            return
        with self.autocast():
            loss = self.torch.nn.functional.cross_entropy(self.call(self.x).float(), self.y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def round(self):
        times, start = [], time.perf_counter()
        self.step()
        while len(times) < 3 or time.perf_counter() - start < self.o.seconds:
            t = time.perf_counter()
            self.step()
            times.append(time.perf_counter() - t)
        return self.o.batch / median(times)


def modes(o, which):
    out = [("eager", "nchw"), ("eager", "channels_last")]
    if o.compile:
        out += [("compile", "channels_last")]
    if which == "infer":
        out += [("freeze", "channels_last")]
    return out


def contestants(o, dtype, which):
    made = {}
    for mode, layout in modes(o, which):
        try:
            made[f"torch {mode} {layout}"] = Torch(o, dtype, which, layout, mode)
        except Exception as e:                      # a mode this build of PyTorch does not have is named, not hidden
            print(f"torch {mode} {layout} {dtype} {which}: {type(e).__name__}: {str(e).splitlines()[0][:120]}", file=sys.stderr)
    return made


def measure(o, dtype, which):
    made = contestants(o, dtype, which)
    rates = {"hz": []} | {name: [] for name in made}
    multiples = []
    for _ in range(o.rounds):
        got = hz_round(o, dtype, which)
        if got is None:
            return None
        rates["hz"].append(got[0])
        multiples.append(got[1])
        for name, c in made.items():
            rates[name].append(c.round())
    best = max(made, key=lambda n: median(rates[n]), default=None)
    rows, records = [], []
    for name, r in rates.items():
        ratios = [a / b for a, b in zip(rates["hz"], r)]
        rows.append((name, f"{median(r):.0f}", f"{min(r):.0f} .. {max(r):.0f}", f"{median(ratios):.2f}", f"{min(ratios):.2f} .. {max(ratios):.2f}",
                     "best" if name == best else f"{median(multiples):.2f}x peak" if name == "hz" else ""))
        records.append({"net": o.net, "dtype": dtype, "pass": which, "batch": o.batch, "threads": o.threads, "who": name, "images_per_second": median(r),
                        "lowest": min(r), "highest": max(r), "ratio": median(ratios), "best_peer": name == best,
                        "multiple_of_peak": median(multiples) if name == "hz" else None})
    print(f"\n{o.net}, batch {o.batch}, {dtype}, {which}, {o.threads} threads, {o.rounds} rounds")
    table(("", "images/s", "lowest .. highest", "hz is", "lowest .. highest", ""), rows)
    return records


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--net", default="all-cnns", choices=sorted(NETS))
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--dtype", default="f32")
    p.add_argument("--pass", dest="which", default="train,infer")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1.5, help="of each contestant in each round")
    p.add_argument("--no-compile", dest="compile", action="store_false")
    p.add_argument("--json", help="file for the records")
    o = p.parse_args()
    import torch
    torch.set_num_threads(o.threads)
    print(f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
    records = []
    for dtype in o.dtype.split(","):
        for which in o.which.split(","):
            records += measure(o, dtype, which) or []
    if o.json:
        with open(o.json, "w") as f:
            json.dump(records, f, indent=1)
    return 0 if records else 1


if __name__ == "__main__":
    sys.exit(main())
