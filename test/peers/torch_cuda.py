"""The training step of a network on a card by PyTorch, in each of its ways, and by hz, interleaved in one run: every
round measures each contestant once. Prints images/s (median, lowest, highest over the rounds) and, at each batch, hz
beside the best way of PyTorch.
    python3 test/peers/torch_cuda.py [--net all-cnns] [--batch 128,512,1024,4096] [--dtype bf16,tf32] [--rounds 3]
                                     [--modes eager,graph,compile,compile+graph,autotune] [--limit 300] [--json FILE]
PyTorch's step: a batch that lies ready on the card, channels last, forward with dropout under autocast, cross-entropy,
backward, fused SGD with Nesterov momentum; hz's draws, shifts and flips its batch from a resident set as well. Both
pad at stride 2 with one row and column: PyTorch on both sides, where a convolution of its own does it, so that neither
needs a launch for it. After --limit seconds no further contestant is built, and what was measured is kept.
Where no card is found, --device cpu tries the script itself."""
import argparse, json, os, subprocess, sys, time
from common import HZ, NETS, hz_name, layers, median, table
import torch
import torch.nn.functional as F

# name -> options of torch.compile (None: not compiled), whether the whole step is captured by hand
MODES = {
    "eager": (None, False),
    "graph": (None, True),
    "compile": ({}, False),
    "compile+graph": ({}, True),
    "autotune": ({"mode": "max-autotune"}, False),
}
WARM, STEPS = 8, 30                         # steps before the clock runs, steps of one reading


class Net(torch.nn.Module):
    """The network and its loss as one module, so that the compiler sees both."""

    def __init__(self, name, device, bf16):
        super().__init__()
        self.device, self.bf16 = device, bf16
        self.rows = layers(name)
        self.owned = torch.nn.ModuleList(self.layer(l) for l in self.rows if l.kind in ("conv", "dense"))

    @staticmethod
    def layer(l):
        if l.kind == "conv":
            return torch.nn.Conv2d(l.inputs, l.outputs, l.kernel, l.stride, max(l.before, l.after))
        return torch.nn.Linear(l.inputs, l.outputs)

    def logits(self, x):
        owned = iter(self.owned)
        for l in self.rows:
            if l.kind == "drop":
                x = F.dropout(x, l.rate, self.training)
            elif l.kind == "mean":
                x = x.mean((2, 3))
            elif l.kind == "flat":
                x = x.flatten(1)
            else:
                x = next(owned)(x)
                x = F.relu(x) if l.act else x
        return x

    def forward(self, x, y):
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            logits = self.logits(x)
        return F.cross_entropy(logits.float(), y)


class Torch:
    """One way of PyTorch to run the step."""

    def __init__(self, o, dtype, batch, mode):
        options, captured = MODES[mode]
        torch.manual_seed(0)
        self.card = o.device == "cuda"
        torch.set_float32_matmul_precision("high" if dtype == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = dtype == "tf32"
        net = Net(o.net, o.device, dtype == "bf16").to(o.device).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9, nesterov=True, fused=True)
        self.x = torch.randn(batch, 3, 32, 32, device=o.device).contiguous(memory_format=torch.channels_last)
        self.y = torch.randint(0, 10, (batch,), device=o.device)
        self.call = net if options is None else torch.compile(net, **options)
        self.step, self.batch = self.capture() if captured else self.plain, batch
        for _ in range(WARM):
            self.step()
        self.wait()

    def wait(self):
        if self.card:
            torch.cuda.synchronize()

    def plain(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.call(self.x, self.y).backward()
        self.optimizer.step()

    def capture(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM):
                self.plain()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.plain()
        return self.graph.replay

    def round(self, seconds):
        """Images per second: the best of several readings within the time, as the card's clock moves."""
        best, start = 0, time.perf_counter()
        while best == 0 or time.perf_counter() - start < seconds:
            self.wait()
            t = time.perf_counter()
            for _ in range(STEPS):
                self.step()
            self.wait()
            best = max(best, STEPS * self.batch / (time.perf_counter() - t))
        return best


class Hz:
    """hz bench, a process for each round; images per second of its median step."""

    def __init__(self, o, dtype, batch):
        self.environment = os.environ | {"HZ_DEVICE": o.hz_device}
        self.command = [HZ, "bench", "--net", hz_name(o.net), "--batch", str(batch), "--dtype", dtype, "--pass",
                        "train", "--json", "--seconds"]

    def round(self, seconds):
        r = subprocess.run([*self.command, str(seconds)], capture_output=True, text=True, env=self.environment)
        if r.returncode:
            raise RuntimeError((r.stderr.strip().splitlines() or ["said nothing"])[-1])
        return json.loads(r.stdout)[0]["images_per_second"]


def complain(name, dtype, batch, e):
    lines = str(e).strip().splitlines() or [""]
    print(f"{name} {dtype} batch {batch} is left out: {type(e).__name__}: {lines[0][:200]}", flush=True)


def contestants(o, dtype, batch):
    yield "hz", lambda: Hz(o, dtype, batch)
    for mode in o.modes:
        yield f"torch {mode}", lambda mode=mode: Torch(o, dtype, batch, mode)


def play(o, dtype, batch):
    """name -> rates of all rounds. Who fails leaves with all its rounds."""
    made, rates = {}, {}
    for name, make in contestants(o, dtype, batch):
        if time.perf_counter() > o.end:
            print(f"{name} {dtype} batch {batch} is left out: --limit {o.limit} is over", flush=True)
            continue
        try:
            made[name], rates[name] = make(), []
        except Exception as e:
            complain(name, dtype, batch, e)
    for _ in range(o.rounds):
        for name in list(made):
            try:
                rates[name].append(made[name].round(o.seconds))
            except Exception as e:
                complain(name, dtype, batch, e)
                del made[name], rates[name]
    return rates


def measure(o, dtype, batch):
    rates = play(o, dtype, batch)
    if o.device == "cuda":
        torch._dynamo.reset()
        torch.cuda.empty_cache()
    records = [{"net": o.net, "dtype": dtype, "batch": batch, "who": name, "images_per_second": median(r),
                "lowest": min(r), "highest": max(r)} for name, r in rates.items()]
    best = max((r for r in records if r["who"] != "hz"), key=lambda r: r["images_per_second"], default=None)
    for r in records:
        r["best_peer"] = r is best
    print(f"\n{o.net}, batch {batch}, {dtype}, training step, {o.rounds} rounds")
    table(("", "images/s", "lowest .. highest", ""), [
        (r["who"], f"{r['images_per_second']:.0f}", f"{r['lowest']:.0f} .. {r['highest']:.0f}",
         "best of PyTorch" if r["best_peer"] else "") for r in records])
    return records


def close(records):
    rows = []
    for dtype, batch in dict.fromkeys((r["dtype"], r["batch"]) for r in records):
        here = {r["who"]: r for r in records if (r["dtype"], r["batch"]) == (dtype, batch)}
        best = next((r for r in here.values() if r["best_peer"]), None)
        hz, eager = here.get("hz"), here.get("torch eager")
        times = [f"{hz['images_per_second'] / r['images_per_second']:.2f}" if hz and r else "-" for r in (best, eager)]
        rows.append((f"{dtype} batch {batch}", f"{hz['images_per_second']:.0f}" if hz else "-",
                     best["who"] if best else "-", *times))
    print("\nhz beside the best way of PyTorch, and beside eager")
    table(("", "hz images/s", "best", "hz is", "of eager"), rows)


def listed(kind, known=None):
    def read(text):
        values = [kind(v) for v in text.split(",")]
        for v in values:
            if known and v not in known:
                raise argparse.ArgumentTypeError(f"{v} is unknown; have {', '.join(known)}")
        return values
    return read


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--net", default="all-cnns", choices=sorted(NETS))
    p.add_argument("--batch", type=listed(int), default=[128, 512, 1024, 4096])
    p.add_argument("--dtype", type=listed(str, ("bf16", "tf32", "f32")), default=["bf16"])
    p.add_argument("--modes", type=listed(str, MODES), default=list(MODES))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1, help="of each contestant in each round")
    p.add_argument("--limit", type=float, default=300, help="seconds after which nothing more is built")
    p.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="PyTorch's")
    p.add_argument("--hz-device", default=None, help="that of hz (default: as PyTorch's)")
    p.add_argument("--json", help="file for the records")
    o = p.parse_args()
    o.hz_device, o.end = o.hz_device or o.device, time.perf_counter() + o.limit
    return o


def main():
    o = options()
    if o.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"PyTorch {torch.__version__} finds no card; needs one, or --device cpu")
    name = torch.cuda.get_device_name() if o.device == "cuda" else "cpu"
    print(f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {name}")
    torch.backends.cudnn.benchmark = True
    torch._dynamo.config.cache_size_limit = 64      # every contestant is the same code with other shapes
    records = []
    for dtype in o.dtype:
        for batch in o.batch:
            records += measure(o, dtype, batch)
            if o.json:                              # after each: what is there when time runs out counts
                with open(o.json + ".new", "w") as f:
                    json.dump({"torch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "device": name,
                               "records": records}, f, indent=1)
                os.replace(o.json + ".new", o.json)
    close(records)


if __name__ == "__main__":
    main()
