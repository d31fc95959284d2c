"""The score test of two networks beside brute force: the likelihood of paired proportions under a given difference is
maximised numerically by SciPy, variance, score and bounds follow from that maximum alone, by other means than hz has.
    $HZ_TORCH_PYTHON test/peers/score_test.py
    $HZ_TORCH_PYTHON test/peers/score_test.py --values 300,2,9,0.01     prints those of one table
Everything must agree within 1e-6 (1e-4 of a probability of the margin is nothing anyone reports); status 1 if not."""
import argparse, json, os, subprocess, sys, tempfile
import numpy as np
from scipy import optimize, stats
from common import HZ

LIMIT = 1e-6


def lost_under(n, gained, lost, d):
    """The share lost that makes the counts most probable, given that shares gained and lost differ by d."""
    low, high = max(0.0, -d), (1 - d) / 2
    counts = [(gained, lambda q: q + d), (lost, lambda q: q), (n - gained - lost, lambda q: 1 - 2 * q - d)]

    def minus(q):
        with np.errstate(divide="ignore", invalid="ignore"):
            return -sum(k * np.log(np.maximum(p(q), 0)) for k, p in counts if k > 0)

    # the likelihood has one maximum: a grid, then golden section between the neighbours of its best, then the ends
    grid = np.linspace(low, high, 401)
    at = int(np.argmin(minus(grid)))
    a, b = grid[max(0, at - 1)], grid[min(400, at + 1)]
    best = optimize.minimize_scalar(minus, bounds=(a, b), method="bounded", options={"xatol": 1e-15}).x
    return min((minus(q), q) for q in (best, low, high))[1]


def score(n, gained, lost, d):
    q = lost_under(n, gained, lost, d)
    variance = n * (q + (q + d) - d * d)
    above = gained - lost - n * d
    return above / np.sqrt(variance) if variance > 0 else np.sign(above) * np.inf


def bound(n, gained, lost, z):
    ends = (-1 + 1e-12, 1 - 1e-12)
    f = lambda d: np.clip(score(n, gained, lost, d), -1e6, 1e6) - z
    if f(ends[0]) <= 0:
        return -1.0
    if f(ends[1]) >= 0:
        return 1.0
    return optimize.brentq(f, *ends, xtol=1e-11)


def expected(n, gained, lost, margin):
    one, two = stats.norm.isf(0.05), stats.norm.isf(0.025)
    z = score(n, gained, lost, -margin)
    return {"z": z, "p_score": stats.norm.sf(z), "lost_under": lost_under(n, gained, lost, -margin),
            "lower": bound(n, gained, lost, one), "upper": bound(n, gained, lost, -one),
            "two_lower": bound(n, gained, lost, two), "two_upper": bound(n, gained, lost, -two),
            "p_safe": max(stats.norm.sf(z), stats.binom.cdf(lost - gained, n, margin)),
            "p_harmful": max(stats.norm.cdf(z), stats.binom.sf(lost - gained - 1, n, margin))}


SCRIPT = """
local hz, score, out = require 'hz', require 'hz.report.statistics.score_test', {}
for i, row in ipairs(hz.json.decode(io.read '*a')) do
  local n, gained, lost, margin = unpack(row)
  local r = score.compare({ items = n, gained = gained, lost = lost }, { margin = margin })
  out[i] = { z = r.z, p_score = r.p_score, lower = r.lower, upper = r.upper, two_lower = r.two_sided.lower,
    two_upper = r.two_sided.upper, p_safe = r.p_safe, p_harmful = r.p_harmful,
    lost_under = score.lost_under(n, gained, lost, -margin) }
end
print(hz.json.encode(out))
"""


def by_hz(rows):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as f:
        f.write(SCRIPT)
        f.flush()
        return json.loads(subprocess.run([HZ, f.name], input=json.dumps(rows), check=True, capture_output=True,
                                         text=True).stdout)


def tables():
    rng = np.random.default_rng(1)
    rows = [[44, 0, 1, 0.1], [21, 1, 7, 0.01], [10000, 200, 260, 0.01], [300, 2, 9, 0.01], [40, 0, 0, 0.05],
            [1600, 86, 150, 0.05], [10, 10, 0, 0.1], [1000, 0, 30, 0.02]]
    for _ in range(25):
        n = int(rng.choice([20, 200, 2000, 10000]))
        gained, lost = (int(rng.integers(0, max(2, n // 8))) for _ in range(2))
        rows.append([n, gained, lost, float(rng.choice([0.003, 0.01, 0.05, 0.2]))])
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--values", help="items,gained,lost,margin")
    o = p.parse_args()
    if o.values:
        n, gained, lost, margin = o.values.split(",")
        print(expected(int(n), int(gained), int(lost), float(margin)))
        return
    rows, wrong = tables(), 0
    for row, got in zip(rows, by_hz(rows)):
        for name, v in expected(*row).items():
            if not abs(got[name] - v) <= LIMIT * max(1, abs(v)):
                wrong += 1
                print(f"  {row}: {name}: hz {got[name]!r}, brute force {v!r}")
    print(f"score test: {len(rows)} tables beside brute force, {wrong} values differ")
    sys.exit(1 if wrong else 0)


main()
