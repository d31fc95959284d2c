#!/usr/bin/env python3
"""pillow_controls.py: the codecs that only lose information, by hz and by Pillow or NumPy. Run by hand:

    python3 -m venv peers && peers/bin/pip install pillow numpy
    peers/bin/python test/peers/pillow_controls.py [build/hz]

gray as convert('L'), resize as resize with BOX and LANCZOS, widths first, down and up: equal. depth as NumPy's
rounding to the nearest of 2^bits levels: equal. blur as NumPy's sum over a Gaussian: may differ by 1 where the exact
value is half way. noise, of which only the distribution is known: mean, standard deviation and kurtosis of what is
added to grey, and no correlation between neighbours, channels or images, each within five standard errors.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, __version__

HZ = sys.argv[1] if len(sys.argv) > 1 else "build/hz"
SIZES = [(32, 32), (33, 47), (1, 1), (7, 300), (256, 5), (97, 101)]     # width, height

# hz reads a list of codec, channels, height, width, file, and appends what it decodes to out.
SCRIPT = r"""
local hz = require 'hz'
local out = io.open(arg[1] .. '/out', 'wb')
for line in io.lines(arg[1] .. '/list') do
  local codec, ch, h, w, path = line:match '^(%S+) (%d+) (%d+) (%d+) (%S+)$'
  local f = io.open(path, 'rb')
  local t = hz.empty({ tonumber(h), tonumber(w), tonumber(ch) }, 'u8')
  require 'ffi'.copy(t:pointer(), f:read '*a', h * w * ch)
  f:close()
  local one = hz.codec[codec]()
  local d = one:decode((one:encode(t)))
  out:write(require 'ffi'.string(d:pointer 'read', h * w * ch))
end
out:close()
"""


def photo(rng, w, h, channels):
    small = rng.integers(0, 256, (max(2, h // 4), max(2, w // 4), 3), dtype=np.uint8)
    im = np.array(Image.fromarray(small).resize((w, h))).astype(float) + rng.normal(0, 20, (h, w, 3))
    im[:, w // 3:w // 2] += 120
    im = np.clip(im, 0, 255).astype(np.uint8)
    return im if channels == 3 else im[:, :, :1]


def image_of(a):
    return Image.fromarray(a if a.shape[2] == 3 else a[:, :, 0])


def array_of(im, like):
    return np.array(im).reshape(like.shape[0], like.shape[1], -1)


def gray(a):
    if a.shape[2] == 1:
        return a
    return np.repeat(np.array(Image.fromarray(a).convert("L"))[:, :, None], 3, axis=2)


def in_turn(im, w, h, by):
    """Width first: which of its passes Pillow itself makes first depends on the shape."""
    return im.resize((w, im.height), by).resize((w, h), by)


def resize(size, by):
    def run(a):
        h, w = a.shape[:2]
        small = min(h, w)
        sides = [max(1, (2 * x * size + small) // (2 * small)) if size < small else x for x in (w, h)]
        return array_of(in_turn(in_turn(image_of(a), *sides, by), w, h, by), a)
    return run


def depth(bits):
    top = 2 ** bits - 1
    return lambda a: np.floor(np.floor(a / 255 * top + 0.5) * 255 / top + 0.5)


def blur(sd):
    def run(a):
        reach = int(np.ceil(4 * sd))
        weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd) ** 2)
        weight /= weight.sum()
        x = a.astype(float)
        for axis in (1, 0):
            pad = [(reach, reach) if k == axis else (0, 0) for k in range(3)]
            wide = np.pad(x, pad, mode="edge")
            n = x.shape[axis]
            x = sum(wk * np.take(wide, range(k, k + n), axis=axis) for k, wk in enumerate(weight))
        return np.round(x)
    return run


CASES = [("gray", gray, 0)]
CASES += [(f"resize:{n}:filter={name}", resize(n, by), 0)
          for name, by in (("box", Image.BOX), ("lanczos", Image.LANCZOS)) for n in (1, 5, 16, 31)]
CASES += [(f"depth:{bits}", depth(bits), 0) for bits in range(1, 9)]
CASES += [(f"blur:{sd}", blur(sd), 1) for sd in (0.3, 1, 2.5)]


def run(folder, lines):
    (folder / "list").write_text("\n".join(lines) + "\n")
    (folder / "run.lua").write_text(SCRIPT)
    subprocess.run([HZ, str(folder / "run.lua"), str(folder)], check=True)
    return np.fromfile(folder / "out", np.uint8)


def compared(folder, rng):
    lines, wanted = [], []
    for name, by, most in CASES:
        for i, (w, h) in enumerate(SIZES):
            for channels in (1, 3):
                path, a = folder / f"{len(lines)}", photo(rng, w, h, channels)
                path.write_bytes(a.tobytes())
                lines.append(f"{name} {channels} {h} {w} {path}")
                wanted.append((name, by(a), most))
    got, at, worst = run(folder, lines), 0, {}
    for name, want, most in wanted:
        off = np.abs(got[at:at + want.size].reshape(want.shape).astype(int) - want)
        at += want.size
        row = worst.setdefault(name, [0, 0, most])
        worst[name] = [row[0] + 1, max(row[1], int(off.max())), most]
    for name, (n, off, most) in worst.items():
        print(f"  {name:26} {n:3} images, at most {off} off; {most} allowed")
    return all(off <= most for _, off, most in worst.values())


def noisy(folder):
    """Two images of 128 and 129 with noise of sd 8."""
    images = [np.full((256, 256, 3), v, np.uint8) for v in (128, 129)]
    lines = []
    for i, a in enumerate(images):
        (folder / f"n{i}").write_bytes(a.tobytes())
        lines.append(f"noise:8 3 256 256 {folder}/n{i}")
    got = run(folder, lines).reshape(2, 256, 256, 3).astype(float) - np.array([128, 129])[:, None, None, None]
    n, sd = got[0].size, np.sqrt(64 + 1 / 12)            # rounding adds the variance of a uniform number
    z = got / sd
    rows = {"mean": (z.mean(), 1 / np.sqrt(2 * n)), "variance": ((z ** 2).mean() - 1, np.sqrt(1 / n)),
            "kurtosis": ((z ** 4).mean() - 3, np.sqrt(96 / (2 * n))),
            "right": ((z[:, :, 1:] * z[:, :, :-1]).mean(), 1 / np.sqrt(2 * n)),
            "below": ((z[:, 1:] * z[:, :-1]).mean(), 1 / np.sqrt(2 * n)),
            "channels": ((z[..., 0] * z[..., 1]).mean(), np.sqrt(3 / (2 * n))),
            "images": ((z[0] * z[1]).mean(), 1 / np.sqrt(n))}
    for name, (v, error) in rows.items():
        print(f"  noise:8 {name:10} {v:+.5f}, standard error {error:.5f}")
    return all(abs(v) < 5 * error for v, error in rows.values())


def main():
    print(f"hz beside Pillow {__version__} and NumPy {np.__version__}, levels of 255")
    with tempfile.TemporaryDirectory() as name:
        good = [compared(Path(name), np.random.default_rng(7)), noisy(Path(name))]
    sys.exit(not all(good))


main()
