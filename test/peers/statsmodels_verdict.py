"""Verdicts of hz beside statsmodels: mean squares by anova_lm of the crossed model d ~ seed + item without replication,
bounds and quantiles by SciPy.
    $HZ_TORCH_PYTHON test/peers/statsmodels_verdict.py
    $HZ_TORCH_PYTHON test/peers/statsmodels_verdict.py --encoding CELL,CELL --reference CELL,CELL [--items 200]
CELL: finished cells (runs/cells/KEY.safetensors), one a seed, in the same order; without them outcomes are made up, of
several shapes. anova_lm solves for every item, so it takes the first --items; all items are compared with NumPy's sums.
Everything must agree within 1e-9 (relative); status 1 if not. Needs statsmodels, pandas and scipy."""
import argparse, json, os, struct, subprocess, sys, tempfile
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from common import HZ, ROOT, read_safetensors

LIMIT = 1e-9


def write_outcomes(path, right):
    n = len(right)
    head = json.dumps({"test.correct": {"dtype": "U8", "shape": [n], "data_offsets": [0, n]}}).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + right.astype(np.uint8).tobytes())


def made_up(folder, rng, seeds, items, loss, varied):
    """Files of an encoding and of the reference: items of varied difficulty, runs of varied quality."""
    difficulty = rng.normal(1, 2, items)
    files = []
    for arm, level in (("a", -loss), ("b", 0)):
        own = varied * rng.normal(0, 1, items)
        for s in range(seeds):
            right = difficulty + own + level + 0.1 * rng.normal() + rng.normal(0, 1, items) > 0
            files.append(os.path.join(folder, f"{arm}{seeds}x{items}-{varied}-{s}.safetensors"))
            write_outcomes(files[-1], right)
    return files[:seeds], files[seeds:]


def outcomes(files, items):
    return np.array([read_safetensors(f)[0]["test.correct"][:items] for f in files]).astype(int)


def by_anova(d):
    seed, item = np.indices(d.shape)
    frame = pd.DataFrame({"d": d.ravel(), "seed": seed.ravel(), "item": item.ravel()})
    squares = anova_lm(ols("d ~ C(seed) + C(item)", frame).fit())["mean_sq"]
    return squares["C(seed)"], squares["C(item)"], squares["Residual"]


def by_sums(d):
    (S, n), m = d.shape, d.mean()
    of_seeds, of_items = d.mean(1) - m, d.mean(0) - m
    rest = d - m - of_seeds[:, None] - of_items
    return n * (of_seeds**2).sum() / (S - 1), S * (of_items**2).sum() / (n - 1), (rest**2).sum() / ((S - 1) * (n - 1))


def expected(a, b, squares):
    d = a - b
    S, n = d.shape
    seed, item, residual = squares
    se = np.sqrt(seed / n / S + max(0, (item - residual) / S) / n)
    m, one, two = d.mean(), stats.t.isf(0.05, S - 1) * se, stats.t.isf(0.025, S - 1) * se
    pairs = [(b[i] != b[j]).mean() for i in range(S) for j in range(i)]
    values = {"mean_squares.seed": seed, "mean_squares.item": item, "mean_squares.residual": residual, "difference": m,
              "se": se, "lower": m - one, "upper": m + one, "two_sided.lower": m - two, "two_sided.upper": m + two,
              "p_harmful": stats.t.cdf((m + 0.01) / se, S - 1), "p_different": 2 * stats.t.sf(abs(m) / se, S - 1),
              "churn": (d != 0).mean(), "null_churn": np.mean(pairs)}
    if S > 2:
        values["correlation"] = np.corrcoef(a.mean(1), b.mean(1))[0, 1]
    return values


def by_hz(files, items):
    """What hz says, its fields by dotted names, and the quantiles."""
    command = [HZ, os.path.join(ROOT, "test/peers/statsmodels_verdict.lua"), str(items), *(",".join(f) for f in files)]
    r = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    quantiles = r.pop("quantiles")
    flat = {k: v for k, v in r.items() if not isinstance(v, dict)}
    for outer in ("mean_squares", "two_sided"):
        flat.update({f"{outer}.{k}": v for k, v in r[outer].items()})
    return flat, quantiles


def compare(files, items, squares_of, name):
    a, b = (outcomes(f, items) for f in files)
    got, quantiles = by_hz(files, items)
    wanted = expected(a, b, squares_of(a - b))
    for alpha, df, t in quantiles:
        wanted[f"t {alpha} {df}"], got[f"t {alpha} {df}"] = stats.t.isf(alpha, df), t
    scale = abs(wanted["difference"]) + wanted["se"]
    wrong = 0
    for k, v in wanted.items():
        off = abs(got[k] - v) / max(abs(v), scale if "lower" in k or "upper" in k else 1e-6)
        if not off <= LIMIT:
            wrong += 1
            print(f"  {k}: hz {got[k]!r}, {name} {v!r}")
    print(f"{a.shape[0]:3d} seeds x {a.shape[1]:5d} items, by {name}: {len(wanted) - wrong} of {len(wanted)} agree; "
          f"difference {100 * got['difference']:.3f} points, se {100 * got['se']:.3f}, {got['verdict']}")
    return wrong


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--encoding", help="cells of an encoding, one a seed, by commas")
    p.add_argument("--reference", help="cells of the reference, the same seeds")
    p.add_argument("--items", type=int, default=200, help="items that anova_lm takes")
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(1)
        sets = [made_up(folder, rng, *shape) for shape in
                [(3, 50, 0.1, 0), (5, 200, 0.3, 1), (10, 120, 0, 0.3), (2, 30, 0.5, 0), (20, 40, 0, 2),
                 (5, 10000, 0.1, 0.3), (20, 3000, 0, 0)]]
        if o.encoding and o.reference:
            sets = [(o.encoding.split(","), o.reference.split(","))]
        wrong = 0
        for files in sets:
            n = len(read_safetensors(files[0][0])[0]["test.correct"])
            wrong += compare(files, min(n, o.items), by_anova, "anova_lm")
            wrong += compare(files, n, by_sums, "NumPy") if n > o.items else 0
    sys.exit(1 if wrong else 0)


main()
