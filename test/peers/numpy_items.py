"""Items and classes of a report beside NumPy and SciPy: hz report --json of finished cells against the same figures
from the cells' own outcomes.

    numpy_items.py --hz build/hz --runs runs [--id ID] [--margin 0.01]

Counts (kept, lost, gained) must be equal; what seeds alone would do, by quadrature over a fitted distribution of the
items' probabilities, and the worst class with its bounds, within 1e-6. Needs a sweep with a verdict whose cells
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


def contents(path):
    """Metadata of a safetensors file, and take(name, kind) of its tensors."""
    raw = open(path, 'rb').read()
    size = int.from_bytes(raw[:8], 'little')
    header = json.loads(raw[8:8 + size])

    def take(name, kind):
        start, stop = header[name]['data_offsets']
        return np.frombuffer(raw[8 + size + start:8 + size + stop], kind)
    return header['__metadata__'], take


def read_sweep(runs, name):
    """Right (bool) by quality and seed, and the class of each item: of the data where kept, else of the outcomes."""
    path = sorted(glob.glob(os.path.join(runs, 'sweeps', (name or '') + '*.json')), key=os.path.getmtime)[-1]
    found, classes = {}, None
    for cell in json.load(open(path))['cells']:
        file = os.path.join(runs, 'cells', cell['key'] + '.safetensors')
        if cell['labels'].get('control') or not os.path.exists(file):
            continue
        _, take = contents(file)
        right = take('test.correct', np.uint8).astype(bool)
        found[cell['labels'].get('quality'), cell['labels']['seed']] = right
        classes = np.full(len(right), -1) if classes is None else classes
        classes[right] = take('test.class', np.int32)[right]
    kept = path[:-len('.json')] + '.kept.safetensors'
    return found, contents(kept)[1]('labels.1', np.int32) if os.path.exists(kept) else classes


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
    found, classes = read_sweep(o.runs, o.id)
    qualities = sorted({q for q, _ in found if q is not None}, reverse=True)
    seeds = {q: sorted(s for name, s in found if name == q) for q in qualities + [None]}
    stack = {q: np.array([found[q, s] for s in seeds[q]]) for q in seeds}
    counts, of_raw = stack[None].sum(0), len(seeds[None])
    histogram, p, posterior = fitted(counts, of_raw)
    raw = 2 * counts > of_raw
    alive, above, majority, worst = raw.copy(), np.ones_like(p), np.arange(of_raw + 1) * 2 > of_raw, 0
    for q in qualities:
        many_seeds = len(seeds[q])
        row, right = keys[q, seeds[q][0]], 2 * stack[q].sum(0) > many_seeds
        vote = stats.binom.sf(many_seeds // 2, many_seeds, p)
        alive &= right
        above = above * vote
        wanted = {
            'items_right_raw': raw.sum(), 'items_kept': alive.sum(), 'items_lost': (raw & ~right).sum(),
            'items_gained': (~raw & right).sum(),
            'items_kept_by_seeds': (histogram * (posterior @ above))[majority].sum(),
            'items_lost_by_seeds': (histogram * (posterior @ (1 - vote)))[majority].sum(),
            'items_gained_by_seeds': (histogram * (posterior @ vote))[~majority].sum(),
        }
        if row['worst_class'] is not None:
            many, both = classes.max() + 1, [s for s in seeds[q] if s in seeds[None]]
            a, b = (np.array([found[name, s] for s in both]) for name in (q, None))
            figures = [crossed(a[:, classes == k], b[:, classes == k], row['alpha'] / many) for k in range(many)]
            lowest = min(figures)
            wanted.update(worst_class_difference=lowest[0], worst_class_lower=max(-1, lowest[1]),
                          worst_class_upper=min(1, lowest[2]))
        for name, v in wanted.items():
            apart = abs((row[name] or 0) - v) / max(1, abs(v))
            worst = max(worst, apart)
            if apart > 1e-6:
                print(f'quality {q}: {name}: hz {row[name]}, NumPy {v}')
    print(f'{len(qualities)} encodings, {of_raw} seeds of raw, {len(raw)} items: largest difference {worst:.1e}')
    sys.exit(1 if worst > 1e-6 else 0)


if __name__ == '__main__':
    main()
