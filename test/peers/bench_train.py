"""The same training step and inference by hz and by other programs, interleaved in one run: every round measures
each contestant once, so that a busy or throttled machine slows all alike. Prints images/s (median, lowest, highest
over the rounds) and the ratio of hz to each (median of the rounds' ratios); at the end hz beside the best whole step
of each dtype, and beside oneDNN's convolutions alone.
    $HZ_TORCH_PYTHON test/peers/bench_train.py [--peers torch,onednn,tensorflow,openvino] [--net all-cnns] [--batch 128]
                                               [--dtype f32,bf16] [--pass train,infer] [--rounds 5]
The step: input from resident bytes with shuffle, shift and flip on hz's side (a ready batch on the others'),
forward with dropout, cross-entropy, backward, SGD with Nesterov momentum. Which programs, and how to get them:
README.md beside this file."""
import argparse, json, os, subprocess, sys, tempfile
from common import HZ, NETS, hz_name, median, table
from contestants import CONVOLUTIONS, PEERS, complain, make_contestants


def hz_round(o, dtype, which):
    """Images per second of hz, and its multiple of the FMA peak; None where this hz does not have the dtype."""
    r = subprocess.run([HZ, "bench", "--net", hz_name(o.net), "--batch", str(o.batch), "--dtype", dtype, "--pass",
                        which, "--threads", str(o.threads), "--seconds", str(o.seconds), "--json"], capture_output=True,
                       text=True)
    if r.returncode:
        print(f"hz {dtype} {which}: {r.stderr.strip()}", file=sys.stderr)
        return None
    record = json.loads(r.stdout)[0]
    return record["images_per_second"], record["multiple_of_peak"]


def play(o, dtype, which, made):
    """name -> rates of all rounds, and hz's multiples of the peak. A contestant that fails leaves with
    all its rounds."""
    rates, multiples = {"hz": []} | {name: [] for name in made}, []
    for _ in range(o.rounds):
        got = hz_round(o, dtype, which)
        if got is None:
            return {}, []
        rates["hz"].append(got[0])
        multiples.append(got[1])
        for name in [n for n in rates if n != "hz"]:
            try:
                rates[name].append(made[name].round())
            except Exception as e:
                complain(name, dtype, which, e)
                del rates[name]
    return rates, multiples


def record_of(o, dtype, which, name, rates):
    ratios = [a / b for a, b in zip(rates["hz"], rates[name])]
    r = rates[name]
    return {"net": o.net, "dtype": dtype, "pass": which, "batch": o.batch, "threads": o.threads, "who": name,
            "images_per_second": median(r), "lowest": min(r), "highest": max(r), "ratio": median(ratios),
            "lowest_ratio": min(ratios), "highest_ratio": max(ratios), "best_peer": False, "multiple_of_peak": None}


def measure(o, dtype, which):
    made = make_contestants(o, dtype, which)
    for c in made.values():
        if c.title not in o.titles:
            o.titles.append(c.title)
            print(c.title)
    try:
        rates, multiples = play(o, dtype, which, made)
    finally:
        for c in made.values():
            c.close()
    records = [record_of(o, dtype, which, name, rates) for name in rates]
    if not records:
        return []
    records[0]["multiple_of_peak"] = median(multiples)
    whole = [r for r in records[1:] if not r["who"].startswith(CONVOLUTIONS)]
    if whole:
        max(whole, key=lambda r: r["images_per_second"])["best_peer"] = True
    show(o, records)
    return records


def show(o, records):
    first = records[0]
    print(f"\n{o.net}, batch {o.batch}, {first['dtype']}, {first['pass']}, {o.threads} threads, {o.rounds} rounds")
    table(("", "images/s", "lowest .. highest", "hz is", "lowest .. highest", ""), [
        (r["who"], f"{r['images_per_second']:.0f}", f"{r['lowest']:.0f} .. {r['highest']:.0f}",
         f"{r['ratio']:.2f}", f"{r['lowest_ratio']:.2f} .. {r['highest_ratio']:.2f}",
         "best" if r["best_peer"] else f"{r['multiple_of_peak']:.2f}x peak" if r["multiple_of_peak"] else "")
        for r in records])


def close(records):
    """One line a dtype and pass: hz beside the best whole step, and beside the fastest of oneDNN's convolutions."""
    rows = []
    for dtype, which in dict.fromkeys((r["dtype"], r["pass"]) for r in records):
        here = [r for r in records if (r["dtype"], r["pass"]) == (dtype, which)]
        best = next((r for r in here if r["best_peer"]), None)
        convolutions = max((r for r in here if r["who"].startswith(CONVOLUTIONS)), key=lambda r: r["images_per_second"],
                           default=None)
        rows.append((f"{dtype} {which}", f"{here[0]['images_per_second']:.0f}", best["who"] if best else "-",
                     f"{best['ratio']:.2f}" if best else "-", f"{convolutions['ratio']:.2f}" if convolutions else "-"))
    print("\nhz beside the best whole step of each dtype, and beside oneDNN's convolutions alone")
    table(("", "hz images/s", "best peer", "hz is", "of the convolutions"), rows)


def peer_list(text):
    names = text.split(",")
    for n in names:
        if n not in PEERS:
            raise argparse.ArgumentTypeError(f"'{n}' is not a peer; have {', '.join(PEERS)}")
    return names


def options():
    p = argparse.ArgumentParser()
    p.add_argument("--peers", type=peer_list, default=list(PEERS), help=f"of {','.join(PEERS)}; all that are there")
    p.add_argument("--net", default="all-cnns", choices=sorted(NETS))
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--dtype", default="f32")
    p.add_argument("--pass", dest="which", default="train,infer")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1.5, help="of each contestant in each round")
    p.add_argument("--no-compile", dest="compile", action="store_false", help="without torch.compile and XLA")
    p.add_argument("--json", help="file for the records")
    return p.parse_args()


def main():
    o = options()
    records, o.titles = [], []
    with tempfile.TemporaryDirectory() as o.folder:
        for dtype in o.dtype.split(","):
            for which in o.which.split(","):
                records += measure(o, dtype, which)
    if not records:
        return 1
    close(records)
    if o.json:
        with open(o.json, "w") as f:
            json.dump(records, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
