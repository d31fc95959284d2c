#!/usr/bin/env python3
"""librosa_mel.py: hz's log-mel spectrograms against librosa's: values, and time beside librosa and torchaudio.

    python3 -m venv peers && peers/bin/pip install librosa
    peers/bin/pip install torch torchaudio            # only for its time
    peers/bin/python test/peers/librosa_mel.py [build/hz]              # values, then time; status 1 if values differ
    peers/bin/python test/peers/librosa_mel.py --golden > test/golden/mel.txt

Values: melspectrogram, then amplitude_to_db, of every row of CASES; the largest difference must stay within 1e-4 dB.
Time: one clip of 2 s at 44.1 kHz, defaults, one thread each, in turns, median and best.
"""
import json, os, subprocess, sys, tempfile, time, warnings

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
import librosa

warnings.filterwarnings("ignore")
TOLERANCE = 1e-4
EDGES = {"reflect": "reflect", "silence": "constant"}
NAMES = ("rate", "channels", "samples", "n_fft", "hop", "mels", "fmin", "fmax", "power", "top_db", "edge")
DEFAULT = dict(channels=1, n_fft=2048, hop=512, mels=96, fmin=0, fmax=0, power=2, top_db=80, edge="reflect")
GOLDEN = [dict(rate=8000, samples=1200, n_fft=512, hop=128, mels=24), dict(rate=44100, samples=2600),
          dict(rate=8000, channels=2, samples=700, n_fft=256, hop=100, mels=20),
          dict(rate=44100, channels=2, samples=1500, hop=700, mels=32, fmin=50, fmax=16000),
          dict(rate=8000, samples=900, n_fft=400, hop=160, mels=16, edge="silence"),
          dict(rate=8000, samples=900, n_fft=225, hop=90, mels=16, power=1),
          dict(rate=22050, samples=900, n_fft=882, hop=441, mels=16, power=1.5, top_db=30),
          dict(rate=8000, samples=64, n_fft=256, hop=64, mels=12, top_db=-1)]
CASES = GOLDEN + [dict(rate=r, channels=c, samples=n, **k) for r in (8000, 44100) for c in (1, 2)
                  for n in (1, 2, 777, 2 * r)
                  for k in ({}, dict(n_fft=1024, hop=256, mels=64),
                            dict(n_fft=1000, hop=333, mels=40, fmin=200, fmax=3500),
                            dict(power=1, top_db=-1), dict(top_db=20, edge="silence"))]


def signal(frames, channels):
    """The same numbers as in test/lua/mel_test.lua: 16-bit noise that dies away and begins anew, whole numbers only."""
    state, out = 1, np.zeros((frames, channels), np.float32)
    for i in range(frames):
        for c in range(channels):
            state = state * 16807 % 2147483647
            shift = i % 500 // 50 + c
            out[i, c] = ((state >> 15) % 65536 - 32768 >> shift) / 32768 + ((i // (7 + c)) % 2 - 0.5) / 16
    return out


def by_librosa(x, o):
    """(mels,frames,channels), float64 throughout."""
    s = librosa.feature.melspectrogram(
        y=x.T.astype(np.float64), sr=o["rate"], n_fft=o["n_fft"], hop_length=o["hop"], n_mels=o["mels"], fmin=o["fmin"],
        fmax=o["fmax"] or None, power=o["power"], pad_mode=EDGES[o["edge"]])
    return np.moveaxis(librosa.amplitude_to_db(s, top_db=None if o["top_db"] < 0 else o["top_db"]), 0, -1)


SCRIPT = r"""
local hz, ffi = require 'hz', require 'ffi'
local folder, o = arg[1], {}
for i = 2, #arg do
  local k, v = arg[i]:match '(.-)=(.*)'
  o[k] = tonumber(v) or v
end
local x = hz.zeros { o.samples, o.channels }
local text = hz.file.read_all(folder .. '/x')
ffi.copy(x:pointer(), text, #text)
local m = hz.sound.mel(hz.sound.new(x, o.rate), { n_fft = o.n_fft, hop = o.hop, mels = o.mels, fmin = o.fmin,
  fmax = o.fmax ~= 0 and o.fmax or nil, power = o.power, top_db = o.top_db >= 0 and o.top_db, edge = o.edge })
hz.file.write(folder .. '/y', ffi.string(m:pointer 'read', m:count() * 4))
"""


def by_hz(hz, folder, x, o):
    x.tofile(folder + "/x")
    with open(folder + "/s.lua", "w") as f:
        f.write(SCRIPT)
    subprocess.run([hz, folder + "/s.lua", folder] + [f"{k}={o[k]}" for k in NAMES], check=True)
    return np.fromfile(folder + "/y", np.float32).reshape(o["mels"], -1, o["channels"])


def compare(hz):
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            o = {**DEFAULT, **case}
            x = signal(o["samples"], o["channels"])
            got, want = by_hz(hz, folder, x, o), by_librosa(x, o)
            far = np.abs(got - want).max() if got.shape == want.shape else np.inf
            worst = max(worst, far)
            if not far <= TOLERANCE:
                print(f"{case}: {got.shape} and {want.shape}, {far:g} dB apart")
    print(f"values: {len(CASES)} cases, librosa {librosa.__version__}: at most {worst:.2g} dB apart "
          f"(allowed: {TOLERANCE:g})")
    return worst <= TOLERANCE


def golden():
    print("# by librosa", librosa.__version__, "(test/peers/librosa_mel.py --golden): ", end="")
    print(*NAMES, "then values (mels,frames,channels)")
    for case in GOLDEN:
        o = {**DEFAULT, **case}
        values = by_librosa(signal(o["samples"], o["channels"]), o)
        print("case", *(o[k] for k in NAMES))
        for row in values.reshape(values.shape[0], -1):
            print(" ".join(f"{v:.5f}" for v in row))


def contestants(hz, seconds, rate):
    """name -> seconds for one clip."""
    x = np.random.default_rng(0).uniform(-0.5, 0.5, int(seconds * rate)).astype(np.float32)
    o = {**DEFAULT, "rate": rate}

    def librosa_once():
        s = librosa.feature.melspectrogram(y=x, sr=rate, n_mels=96, pad_mode="reflect")
        return librosa.amplitude_to_db(s)

    def timed(f):
        def once():
            before = time.perf_counter()
            for _ in range(5):
                f()
            return (time.perf_counter() - before) / 5
        return once

    def hz_once():
        out = subprocess.run([hz, "bench", "sound", f"seconds={seconds}", f"rate={rate}", "clips=20", "rounds=3",
                              "threads=1", "--json"], check=True, capture_output=True, text=True).stdout
        return [r["ms"] for r in json.loads(out) if r["what"] == "log-mel"][0] * 1e-3

    found = {"librosa": timed(librosa_once), "hz": hz_once}
    try:
        import torch, torchaudio
        torch.set_num_threads(1)
        mel = torchaudio.transforms.MelSpectrogram(rate, n_fft=2048, hop_length=512, n_mels=96, norm="slaney",
                                                   mel_scale="slaney")
        db = torchaudio.transforms.AmplitudeToDB("magnitude", top_db=80)
        y = torch.from_numpy(x)
        found["torchaudio " + torchaudio.__version__] = timed(lambda: db(mel(y)))
    except ImportError as e:
        print("torchaudio is left out:", e)
    return found


def race(hz, seconds=2, rate=44100, rounds=15):
    found = contestants(hz, seconds, rate)
    times = {name: [] for name in found}
    for i in range(rounds + 1):
        for name, f in found.items():
            t = f()
            if i:
                times[name].append(t)
    print(f"time: log-mel of {seconds} s at {rate} Hz, one thread, ms: median and best of {rounds} rounds in turns")
    middle = {name: sorted(t)[len(t) // 2] for name, t in times.items()}
    for name, t in times.items():
        print(f"  {name:24} {middle[name] * 1e3:8.3f} {min(t) * 1e3:8.3f}   {middle[name] / middle['hz']:6.1f} x hz, "
              f"best {min(t) / min(times['hz']):6.1f} x")


if "--golden" in sys.argv:
    golden()
else:
    exe = sys.argv[1] if len(sys.argv) > 1 else "build/hz"
    same = compare(exe)
    race(exe)
    sys.exit(0 if same else 1)
