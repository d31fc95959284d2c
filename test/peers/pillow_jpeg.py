#!/usr/bin/env python3
"""pillow_jpeg.py: hz's JPEG codec against Pillow, and its SSIM against scikit-image. Run by hand:

    python3 -m venv peers && peers/bin/pip install pillow numpy scikit-image
    peers/bin/python test/peers/pillow_jpeg.py [build/hz]

For odd sizes, grey and colour, every published quality: hz encodes, Pillow encodes with save(quality=q); the
streams' quantisers and entropy-coded data must be equal, and the pixels both decode from either stream. Pillow brings
a libjpeg-turbo of its own.
"""
import io
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, features
from skimage.metrics import structural_similarity

HZ = sys.argv[1] if len(sys.argv) > 1 else "build/hz"
QUALITIES = [1, 5, 10, 15, 20, 25, 50, 75, 100]
SIZES = [(32, 32), (1, 1), (7, 13), (33, 17), (64, 40), (96, 130)]

# hz reads raw pixels, writes its stream, the pixels it decodes from its own and from Pillow's stream, and
# the SSIM of its own.
SCRIPT = r"""
local d, tensor, ffi = arg[1], require 'hz.tensor.tensor', require 'ffi'
local function read(n) local f = assert(io.open(d .. n, 'rb')); local s = f:read '*a'; f:close(); return s end
local function write(n, s) local f = assert(io.open(d .. n, 'wb')); f:write(s); f:close() end
local function bytes(t) return ffi.string(t.data, t:count()) end
for line in read('/list'):gmatch '[^\n]+' do
  local n, h, w, c, q = line:match '(%d+) (%d+) (%d+) (%d+) (%d+)'
  local t = tensor.empty({ tonumber(h), tonumber(w), tonumber(c) }, 'u8')
  ffi.copy(t.data, read('/' .. n .. '.raw'), t:count())
  local x = hz.codec.jpeg { quality = tonumber(q) }
  local stream = x:encode(t)
  local own = x:decode(stream)
  write('/' .. n .. '.jpg', stream)
  write('/' .. n .. '.own', bytes(own))
  write('/' .. n .. '.pil', bytes(x:decode(read('/' .. n .. '.pillow'))))
  local four = { 1, tonumber(h), tonumber(w), tonumber(c) }
  write('/' .. n .. '.ssim', ('%.17g'):format((require 'hz.codec.quality'.ssim(t:reshape(four), own:reshape(four)))))
end
"""


def segments(stream):
    """Table segments and entropy-coded data of a baseline stream with one scan."""
    tables, at = [], 2
    while True:
        marker, length = stream[at + 1], int.from_bytes(stream[at + 2:at + 4], "big")
        if marker in (0xDB, 0xC4):
            tables.append(stream[at:at + 2 + length])
        at += 2 + length
        if marker == 0xDA:
            return tables, stream[at:-2]


def picture(rng, h, w, c):
    y, x = np.mgrid[0:h, 0:w]
    base = 90 + 60 * np.sin(x / 5.0) + 40 * np.cos(y / 7.0) + 50 * (x > y)
    image = base[..., None] + rng.normal(0, 8, (h, w, c)) + np.arange(c) * 15
    return np.clip(image, 0, 255).astype(np.uint8)


def main():
    rng, cases = np.random.default_rng(1), []
    with tempfile.TemporaryDirectory() as d:
        for h, w in SIZES:
            for c in (1, 3):
                for q in QUALITIES:
                    image, n = picture(rng, h, w, c), len(cases)
                    out = io.BytesIO()
                    Image.fromarray(image[..., 0] if c == 1 else image).save(out, "JPEG", quality=q)
                    open(f"{d}/{n}.raw", "wb").write(image.tobytes())
                    open(f"{d}/{n}.pillow", "wb").write(out.getvalue())
                    cases.append((image, out.getvalue(), f"{n} {h} {w} {c} {q}"))
        open(f"{d}/list", "w").write("\n".join(k[2] for k in cases) + "\n")
        open(f"{d}/run.lua", "w").write(SCRIPT)
        subprocess.run([HZ, f"{d}/run.lua", d], check=True)
        wrong, worst = 0, 0.0
        for n, (image, pillow, name) in enumerate(cases):
            read = lambda kind: open(f"{d}/{n}.{kind}", "rb").read()
            decoded = {k: np.asarray(Image.open(io.BytesIO(s))).tobytes()
                       for k, s in (("own", read("jpg")), ("pil", pillow))}
            checks = {"tables and payload": segments(read("jpg")) == segments(pillow),
                      "pixels of hz's stream": decoded["own"] == read("own"),
                      "pixels of Pillow's stream": decoded["pil"] == read("pil")}
            for what, good in checks.items():
                if not good:
                    wrong += 1
                    print(f"differs: {what} of image {name}")
            if min(image.shape[:2]) >= 11:
                back = np.frombuffer(read("own"), np.uint8).reshape(image.shape)
                peer = 0.0
                for k in range(image.shape[2]):
                    full = structural_similarity(image[..., k].astype(float), back[..., k].astype(float),
                                                 gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                                                 truncate=3.5, data_range=255, full=True)[1]
                    peer += full[5:-5, 5:-5].mean() / image.shape[2]
                worst = max(worst, abs(peer - float(read("ssim"))))
    print(f"Pillow's libjpeg-turbo {features.version('libjpeg_turbo')}: {len(cases)} images, {wrong} differences; "
          f"SSIM within {worst:.2g} of scikit-image")
    return 1 if wrong or worst > 1e-6 else 0


if __name__ == "__main__":
    sys.exit(main())
