"""Items and classes of a report beside NumPy and SciPy: hz report --json of finished cells against the same figures
from the cells' own outcomes.

    numpy_items.py --hz build/hz --runs runs [--id ID] [--margin 0.01]

Counts (kept, lost, gained) must be equal; what seeds alone would do, by quadrature over a fitted distribution of the
items' probabilities, within 1e-6; the worst class with its bounds within 1e-9. Needs a sweep with a verdict whose cells
have one codec, model and data set. Status 1 if anything differs.
"""
import argparse
import glob
import json
import os
import subprocess
import sys

import numpy as np
from scipy import stats


def outcomes(path):
    """Record, right (bool) and class of the test items of a cell."""
    raw = open(path, 'rb').read()
    size = int.from_bytes(raw[:8], 'little')
    header = json.loads(raw[8:8 + size])

    def take(name, kind):
        start, stop = header[name]['data_offsets']
        return np.frombuffer(raw[8 + size + start:8 + size + stop], kind)
    record = json.loads(header['__metadata__']['hz.cell'])
    return record, take('test.correct', np.uint8).astype(bool), take('test.class', np.int32)


def fitted(counts, seeds, steps=20):
    """Grid of probabilities and weights, from counts of right seeds: a beta distribution by moments, refined by EM."""
    histogram = np.bincount(counts, minlength=seeds + 1) / len(counts)
    mean = np.clip(counts.mean() / seeds, 0.5 / len(counts), 1 - 0.5 / len(counts))
    rho = (counts.var() / (seeds * mean * (1 - mean)) - 1) / (seeds - 1)
    both = 1 / np.clip(rho, 0.002, 0.99) - 1
    odds = -25 + 0.05 * np.arange(1001)
    p = 1 / (1 + np.exp(-odds))
    weight = p ** (both * mean) * (1 + np.exp(odds)) ** (-both * (1 - mean))
    weight[0] *= 1 + 1 / (both * mean * 0.05)          # what is left out beyond the ends
    weight[-1] *= 1 + 1 / (both * (1 - mean) * 0.05)
    weight /= weight.sum()
    likely = stats.binom.pmf(np.arange(seeds + 1)[:, None], seeds, p)
    for _ in range(steps):
        weight = weight * ((histogram / (likely @ weight)) @ likely)
    posterior = likely * weight
    return histogram * len(counts), p, posterior / posterior.sum(1, keepdims=True)


def crossed(a, b, alpha):
    """Difference of two (seeds, items) arrays, and its one-sided bounds: seeds and items crossed."""
    d = a.astype(float) - b
    seeds, items = d.shape
    of_seeds, of_items = d.mean(1).var(ddof=1), d.mean(0).var(ddof=1)
    rest = d - d.mean(1, keepdims=True) - d.mean(0) + d.mean()
    residual = (rest ** 2).sum() / ((seeds - 1) * (items - 1))
    se = np.sqrt(of_seeds / seeds + max(0, of_items - residual / seeds) / items)
    reach = stats.t.ppf(1 - alpha, seeds - 1) * se
    return d.mean(), d.mean() - reach, d.mean() + reach


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--hz', default='build/hz')
    parser.add_argument('--runs', default='runs')
    parser.add_argument('--id', default=None)
    parser.add_argument('--margin', default='0.01')
    o = parser.parse_args()
    command = [o.hz, 'report'] + ([o.id] if o.id else []) + ['--json', 'runs=' + o.runs, 'margin=' + o.margin]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    keys = {(row['quality'], row['seed']): row for row in told}
    found, classes = {}, None
    for path in glob.glob(os.path.join(o.runs, 'cells', '*.safetensors')):
        if len(os.path.basename(path)) != len('x' * 32 + '.safetensors'):
            continue
        record, right, said = outcomes(path)
        name = (record.get('quality'), record['seed'])
        if name in keys and not record.get('control') and record['split'] == keys[name]['split']:
            found[name] = right
            classes = np.full(len(right), -1) if classes is None else classes
            classes[right] = said[right]
    qualities = sorted({q for q, _ in found if q is not None}, reverse=True)
    seeds = sorted({s for _, s in found})
    stack = {q: np.array([found[q, s] for s in seeds]) for q in qualities + [None]}
    counts = stack[None].sum(0)
    histogram, p, posterior = fitted(counts, len(seeds))
    vote = stats.binom.sf(len(seeds) // 2, len(seeds), p)
    raw = 2 * counts > len(seeds)
    alive, above, majority, worst = raw.copy(), np.ones_like(p), np.arange(len(seeds) + 1) * 2 > len(seeds), 0
    for q in qualities:
        row, right = keys[q, seeds[0]], 2 * stack[q].sum(0) > len(seeds)
        alive &= right
        above = above * vote
        wanted = {
            'items_right_raw': raw.sum(), 'items_kept': alive.sum(), 'items_lost': (raw & ~right).sum(),
            'items_gained': (~raw & right).sum(),
            'items_kept_by_seeds': (histogram * (posterior @ above))[majority].sum(),
            'items_lost_by_seeds': (histogram * (posterior @ (1 - vote)))[majority].sum(),
            'items_gained_by_seeds': (histogram * (posterior @ vote))[~majority].sum(),
        }
        if (classes >= 0).all():
            many = classes.max() + 1
            figures = [crossed(stack[q][:, classes == k], stack[None][:, classes == k], row['alpha'] / many)
                       for k in range(many)]
            lowest = min(figures)
            wanted.update(worst_class_difference=lowest[0], worst_class_lower=max(-1, lowest[1]),
                          worst_class_upper=min(1, lowest[2]))
        for name, v in wanted.items():
            apart = abs((row[name] or 0) - v) / max(1, abs(v))
            worst = max(worst, apart)
            if apart > 1e-6:
                print(f'quality {q}: {name}: hz {row[name]}, NumPy {v}')
    print(f'{len(qualities)} encodings, {len(seeds)} seeds, {len(raw)} items: largest difference {worst:.1e}')
    sys.exit(1 if worst > 1e-6 else 0)


if __name__ == '__main__':
    main()
