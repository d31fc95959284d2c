"""hz compare beside NumPy and SciPy: accuracy at equal bits, its mean, and bits at equal accuracy, computed anew from
the cells of two sweeps: weighted outcomes as whole matrices, their mean squares, Welch's degrees of freedom, the set of
bits by a dense search.
    $HZ_TORCH_PYTHON test/peers/compare_curves.py
    $HZ_TORCH_PYTHON test/peers/compare_curves.py --runs DIR A B
Without sweeps small ones are made of the embedded set, of the same seeds and of others. Differences within 1e-9, bits
within 1e-6 (relative); status 1 if not."""
import argparse, json, os, subprocess, sys, tempfile
import numpy as np
from scipy import optimize, stats
from common import HZ, read_safetensors

FIELDS = {"payload": ("payload", "tables_once"), "file": ("payload", "tables", "container")}


def hz(*args, **more):
    run = subprocess.run([HZ, *args], capture_output=True, text=True, env={**os.environ, **more})
    if run.returncode:
        sys.exit(f"hz {' '.join(args)}: {run.stderr}")
    return run.stdout


def bits_of(account, kind):
    return 8 * sum(account[name] for name in FIELDS[kind]) / account["samples"]


def chain(runs, sweep, seeds):
    """Points of a sweep of one codec: bits by kind and outcomes (seeds, items)."""
    with open(os.path.join(runs, "sweeps", sweep + ".json")) as f:
        cells = json.load(f)["cells"]
    points = {}
    for c in cells:
        tensors, meta = read_safetensors(os.path.join(runs, "cells", c["key"] + ".safetensors"))
        r = json.loads(meta["hz.cell"])
        if r["codec"] != "raw" and r["seed"] in seeds:
            p = points.setdefault(r["quality"], {"right": {}, "bits": {k: bits_of(r["accounts"]["all"], k)
                                                                        for k in FIELDS}})
            p["right"][r["seed"]] = tensors["test.correct"].astype(float)
    for p in points.values():
        p["right"] = np.array([p["right"][s] for s in seeds])
    return list(points.values())


def at(points, kind, bits):
    """Outcomes of a curve at some bits, by a line over log bits."""
    x = np.log([p["bits"][kind] for p in points])
    order = np.argsort(x)
    weights = [np.interp(np.log(bits), x[order], np.eye(len(x))[i][order]) for i in range(len(x))]
    return sum(w * p["right"] for w, p in zip(weights, points))


def interval(a, b, paired):
    """Mean, standard error and t of b - a."""
    arms = [b - a] if paired else [b, -a]
    value = sum(y.mean() for y in arms)
    of_seeds, noise, parts = 0, 0, []
    for y in arms:
        S, n = y.shape
        rest = y - y.mean(0) - y.mean(1, keepdims=True) + y.mean()
        noise += (rest**2).sum() / ((S - 1) * (n - 1)) / S
        v = y.mean(1).var(ddof=1) / S
        of_seeds += v
        parts.append((v, S - 1))
    items = sum(y.mean(0) for y in arms)
    se = np.sqrt(of_seeds + max(0, items.var(ddof=1) - noise) / items.size)
    df = parts[0][1]
    if not paired:
        low = min(d for _, d in parts)
        df = max(low, np.floor(10 * of_seeds**2 / sum(v**2 / d for v, d in parts)) / 10)
    return value, se, stats.t.isf(0.025, df)


def near(name, got, wanted, limit, wrong):
    if (got is None) != (wanted is None) or got is not None and abs(got - wanted) > limit * max(1, abs(wanted)):
        wrong.append(f"  {name}: hz {got!r}, NumPy {wanted!r}")


def first_root(f, places, sign):
    """Where sign times f, looked at in this order of places, first is at least 0: None at once, else the crossing."""
    values = [sign * f(x) for x in places]
    for i, v in enumerate(values):
        if v >= 0:
            return None if i == 0 else optimize.brentq(f, places[i - 1], places[i], xtol=1e-15)
    return places[-1]


def check_kind(kind, got, a, b, paired, wrong):
    def diff(bits):
        return interval(at(a, kind, bits), at(b, kind, bits), paired)
    for row in got["equal_bits"]:
        value, se, t = diff(row["bits"])
        for name, v in (("difference", value), ("se", se), ("lower", value - t * se), ("upper", value + t * se)):
            near(f"{kind} at {row['bits']:.4f}: {name}", row[name], v, 1e-9, wrong)
    if "mean" in got:
        m = got["mean"]
        x = np.linspace(np.log(m["from"]), np.log(m["to"]), 20001)
        knots = np.log([row["bits"] for row in got["equal_bits"]])
        x = np.unique(np.concatenate([x, knots]))
        w = np.zeros(len(x))
        w[:-1] += np.diff(x) / 2
        w[1:] += np.diff(x) / 2
        whole = []
        for points in (a, b):
            u = np.log([p["bits"][kind] for p in points])
            order = np.argsort(u)
            whole.append(sum((w * np.interp(x, u[order], np.eye(len(u))[i][order])).sum() / w.sum() * p["right"]
                             for i, p in enumerate(points)))
        value, se, t = interval(*whole, paired)
        for name, v in (("difference", value), ("lower", value - t * se), ("upper", value + t * se)):
            near(f"{kind} mean: {name}", m[name], v, 1e-8, wrong)
    for row in got["equal_accuracy"]:
        target = min(a, key=lambda p: abs(p["bits"][kind] - row["bits_a"]))["right"]
        edges = sorted(p["bits"][kind] for p in b)
        places = np.unique(np.concatenate([np.geomspace(x, y, 201) for x, y in zip(edges, edges[1:])]))
        places[0], places[-1] = edges[0], edges[-1]

        def reach(sign):
            def f(bits):
                value, se, t = interval(target, at(b, kind, bits), paired)
                return value + sign * t * se
            return f
        near(f"{kind} as {row['encoding_a']}: lower", row.get("lower"), first_root(reach(1), places, 1), 1e-6, wrong)
        near(f"{kind} as {row['encoding_a']}: upper", row.get("upper"), first_root(reach(-1), places[::-1], -1), 1e-6,
             wrong)
        if "bits_b" in row:
            f = reach(0)
            root = places[0] if abs(f(places[0])) < 1e-12 else first_root(f, places, 1)
            near(f"{kind} as {row['encoding_a']}: bits", row["bits_b"], root, 1e-6, wrong)


def compare(runs, a, b):
    r = json.loads(hz("compare", a, b, "--json", "runs=" + runs))
    p, wrong = r["pairs"][0], []
    sides = [chain(runs, r[name], p["seeds_" + name]) for name in "ab"]
    for kind in FIELDS:
        check_kind(kind, p[kind], *sides, p["paired"], wrong)
    print("\n".join([f"{r['a']} and {r['b']}: {'paired' if p['paired'] else 'apart'}, {p['items']} items, "
                     f"{len(wrong)} values differ"] + wrong))
    return len(wrong)


def made(folder):
    """Three small sweeps; the first two of the same seeds."""
    ids = []
    for args in ("quality=2,10,75", "quality=5,20,90", "quality=5,20,90 seed=7..10"):
        out = hz("experiments/cifar_sweep.lua", "data=camera", "preset=quick", "epochs=3", "train=500", "test=300",
                 "parallel=1", *(args + ("" if "seed" in args else " seed=1..3")).split(), HZ_RUNS=folder)
        ids.append(out.rsplit("hz report ", 1)[1].split()[0])
    return ids


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--runs", help="folder of the sweeps")
    p.add_argument("sweeps", nargs="*", help="two of them, of one codec each, all cells finished")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs, pairs = o.runs or folder, [tuple(o.sweeps)]
        if not o.sweeps:
            a, b, c = made(folder)
            runs, pairs = folder, [(a, b), (a, c)]
        sys.exit(1 if sum(compare(runs, *pair) for pair in pairs) else 0)


main()
