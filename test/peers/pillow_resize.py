#!/usr/bin/env python3
"""pillow_resize.py: pictures of other sizes, turned and converted, by hz and by Pillow. Run by hand:

    python3 -m venv peers && peers/bin/pip install pillow numpy
    peers/bin/python test/peers/pillow_resize.py [build/hz]

Pictures of many sizes, in each of EXIF's orientations, become 64x48 by each of hz's ways to fit: as ImageOps.fit,
ImageOps.pad and resize do with BILINEAR, behind exif_transpose. Pillow rounds to 8 bits between its two passes, so they
may differ by 1; any more is a failure. 16 bit PNG is compared with rounding, CMYK JPEG with convert('RGB').
"""
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, __version__

HZ = sys.argv[1] if len(sys.argv) > 1 else "build/hz"
WIDTH, HEIGHT = 64, 48
SIZES = [(640, 480), (300, 401), (33, 700), (64, 48), (48, 64), (20, 20), (1, 1), (2000, 1500), (65, 48), (7, 3)]
FITS = {
    "crop": lambda im: ImageOps.fit(im, (WIDTH, HEIGHT), Image.BILINEAR),
    "pad": lambda im: ImageOps.pad(im, (WIDTH, HEIGHT), Image.BILINEAR),
    "stretch": lambda im: im.resize((WIDTH, HEIGHT), Image.BILINEAR),
}

# hz reads a list of picture, codec, orientation, fit, and writes what each becomes to FILE.out.
SCRIPT = r"""
local c = require 'hz.c'
local ffi, C = c.ffi, c.C
require 'hz.codec.plugins'.list()
local fits = { crop = C.HZ_FIT_CROP, pad = C.HZ_FIT_PAD, stretch = C.HZ_FIT_STRETCH, none = C.HZ_FIT_NONE }
local out = io.open(arg[1] .. '/out', 'wb')
for line in io.lines(arg[1] .. '/list') do
  local path, codec, turned, fit, w, h = line:match '^(%S+) (%S+) (%d) (%S+) (%d+) (%d+)$'
  local p = ffi.new 'hz_picture[1]'
  p[0].path, p[0].codec, p[0].orientation = path, codec, tonumber(turned)
  local form = ffi.new('hz_picture_form', { width = tonumber(w), height = tonumber(h), channels = 3, fit = fits[fit],
    convert = 1 })
  local bytes = ffi.new('uint8_t[?]', w * h * 3)
  c.check(C.hz_pictures_read(p, 1, form, bytes, 1))
  assert(p[0].status == 0, path .. ': ' .. ffi.string(p[0].message))
  out:write(ffi.string(bytes, w * h * 3))
end
out:close()
"""


def photo(rng, w, h):
    layers = (1, 2, 4, 16, 64)
    small = [rng.integers(0, 256, (max(2, h // s), max(2, w // s), 3), dtype=np.uint8) for s in layers]
    im = sum(np.array(Image.fromarray(a).resize((w, h))).astype(float) * s ** 0.5 for a, s in zip(small, layers))
    im = (im - im.min()) / max(1e-9, np.ptp(im)) * 255
    im[:, w // 3:w // 2] += 120
    im[h // 4:h // 3] -= 120
    return Image.fromarray(np.clip(im, 0, 255).astype(np.uint8))


def png16(path, samples):
    """Writes (h,w,3) of 16 bits: Pillow itself cannot."""
    h, w, _ = samples.shape
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", w, h, 16, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def scaled(rng, folder):
    for i, (w, h) in enumerate(SIZES):
        for turned in range(1, 9):
            path = folder / f"{i}_{turned}.png"
            exif = Image.Exif()
            exif[0x112] = turned
            photo(rng, w, h).save(path, exif=exif)
            seen = ImageOps.exif_transpose(Image.open(path))
            for fit, by in FITS.items():
                yield f"{path} png {turned} {fit} {WIDTH} {HEIGHT}", np.array(by(seen)), fit


def converted(rng, folder):
    samples = rng.integers(0, 65536, (40, 50, 3))
    png16(folder / "wide.png", samples)
    yield f"{folder}/wide.png png 1 none 50 40", np.floor(samples * 255 / 65535 + 0.5), "16 bit"
    inks = np.dstack([np.array(photo(rng, 50, 40)), np.array(photo(rng, 50, 40))[:, :, :1]])
    Image.fromarray(inks, "CMYK").save(folder / "inks.jpg", quality=90)
    yield f"{folder}/inks.jpg jpeg 1 none 50 40", np.array(Image.open(folder / "inks.jpg").convert("RGB")), "CMYK"


def main():
    rng, worst = np.random.default_rng(3), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [*scaled(rng, folder), *converted(rng, folder)]
        (folder / "list").write_text("\n".join(line for line, _, _ in cases) + "\n")
        (folder / "run.lua").write_text(SCRIPT)
        subprocess.run([HZ, str(folder / "run.lua"), name], check=True)
        got, at = np.fromfile(folder / "out", np.uint8), 0
    for _, want, what in cases:
        off = np.abs(got[at:at + want.size].reshape(want.shape).astype(int) - want)
        at += want.size
        row = worst.setdefault(what, [0, 0, 0.0])
        worst[what] = [row[0] + 1, max(row[1], int(off.max())), row[2] + float(off.mean())]
    print(f"hz beside Pillow {__version__}, levels of 255")
    for what, (n, most, mean) in worst.items():
        print(f"  {what:8} {n:4} pictures, at most {most} off, {mean / n:.4f} in the mean")
    sys.exit(any(most > 1 for _, most, _ in worst.values()))


main()
