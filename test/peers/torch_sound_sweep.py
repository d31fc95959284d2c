#!/usr/bin/env python3
"""torch_sound_sweep.py: the sweep of spoken digits over MP3 bitrates by hz, and by PyTorch with torchaudio and `lame`.

    python3 -m venv peers && peers/bin/pip install torch torchaudio numpy
    HZ_DATA=DIR peers/bin/python test/peers/torch_sound_sweep.py [--epochs 30] [--bitrates 8,16,32,64,96,128,raw]

For each bitrate in turn, both do the whole of it from files to accuracy, with the same number of threads: code all
3,000 recordings by `lame -b N`, decode them, compute log-mel spectrograms (64 mels, n_fft 512, hop 128, one second),
train cnn_x3_mlp_128 from new weights and score the test recordings. hz runs as a user runs it, a process per bitrate
with an empty cache; of PyTorch the time of importing it is left out, and it is given its best of --modes, found by one
epoch each before. Status 1 if hz needs more than half of PyTorch's time."""
import argparse, glob, os, re, subprocess, sys, tempfile, time, wave
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import torch, torchaudio
from torch import nn
from common import HZ, ROOT, table

RATE, MELS, FFT, HOP, BATCH, CLASSES, LIMIT = 8000, 64, 512, 128, 32, 10, 0.5
MODES = {"f32": (torch.contiguous_format, None), "f32 channels_last": (torch.channels_last, None),
         "bf16": (torch.contiguous_format, torch.bfloat16), "bf16 channels_last": (torch.channels_last, torch.bfloat16)}


class RowNorm(nn.BatchNorm2d):
    """One set of statistics per mel row, as the published networks have it."""
    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def network(frames):
    def block():
        return [nn.Conv2d(32, 32, 3), nn.ELU(), nn.MaxPool2d(2), nn.Dropout(0.5)]
    layers = [nn.Conv2d(1, 32, 3), RowNorm(MELS - 2, eps=1e-3, momentum=0.01), nn.ReLU()]
    for _ in range(3):
        layers += block()
    h, w = MELS - 2, frames - 2
    for _ in range(3):
        h, w = (h - 2) // 2, (w - 2) // 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * h * w, 128), nn.ELU(), nn.Dropout(0.6),
                         nn.Linear(128, CLASSES))


def read(path):
    with wave.open(path) as f:
        return np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32) / 32768


def coded(path, bitrate, folder):
    """The recording as it comes out of lame and its decoder, which cuts the delay off and restores the length."""
    if bitrate == "raw":
        return read(path)
    mp3, out = os.path.join(folder, os.path.basename(path) + ".mp3"), os.path.join(folder, os.path.basename(path))
    subprocess.run(["lame", "--quiet", "-b", bitrate, path, mp3], check=True)
    subprocess.run(["lame", "--quiet", "--decode", mp3, out], check=True)
    return read(out)


def features(paths, bitrate, folder, threads):
    mel = torchaudio.transforms.MelSpectrogram(RATE, n_fft=FFT, hop_length=HOP, n_mels=MELS, norm="slaney",
                                               mel_scale="slaney")
    db = torchaudio.transforms.AmplitudeToDB("magnitude", top_db=80)
    with ThreadPoolExecutor(threads) as pool:
        sounds = list(pool.map(lambda p: coded(p, bitrate, folder), paths))
    x = np.zeros((len(sounds), RATE), np.float32)
    for row, s in zip(x, sounds):
        row[:min(len(s), RATE)] = s[:RATE]
    return torch.cat([db(mel(torch.from_numpy(part)).unsqueeze(1)) for part in np.array_split(x, len(x) // 50)])


def train(x, y, test, epochs, mode):
    """Test accuracy, and seconds of the epochs alone."""
    layout, dtype = MODES[mode]
    net = network(x.shape[-1]).to(memory_format=layout)
    opt = torch.optim.Adam(net.parameters(), lr=0.001)
    steps = -(-len(x) // BATCH) * epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, steps)
    before = time.perf_counter()
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for part in order.split(BATCH):
            with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
                out = net(x[part].contiguous(memory_format=layout))
                loss = nn.functional.cross_entropy(out, y[part], label_smoothing=0.005)
            opt.zero_grad(set_to_none=True)
            loss.backward()
            opt.step()
            schedule.step()
    seconds = time.perf_counter() - before
    net.eval()
    with torch.no_grad():
        hits = sum((net(a).argmax(1) == b).sum().item() for a, b in zip(test[0].split(100), test[1].split(100)))
    return hits / len(test[1]), seconds


def by_torch(paths, bitrate, o, mode):
    with tempfile.TemporaryDirectory() as folder:
        x = features(paths, bitrate, folder, o.threads)
    names = [re.match(r"(\d)_\w+_(\d+)\.wav", os.path.basename(p)) for p in paths]
    y = torch.tensor([int(n[1]) for n in names])
    tests = torch.tensor([int(n[2]) < 5 for n in names])
    return train(x[~tests], y[~tests], (x[tests], y[tests]), o.epochs, mode)


def by_hz(bitrate, o, folder):
    env = {**os.environ, "HZ_RUNS": folder + "/runs", "HZ_CACHE": folder + "/cache", "HZ_THREADS": str(o.threads)}
    out = subprocess.run([HZ, os.path.join(ROOT, "experiments", "audio_sweep.lua"), "data=fsdd", "seed=1",
                          f"bitrate={bitrate}", f"epochs={o.epochs}", f"dtype={o.dtype}"],
                         env=env, check=True, capture_output=True, text=True)
    row = next(line.split() for line in out.stdout.splitlines() if re.match(r"\s*(mp3 bitrate=\d+|raw) +\d", line))
    head = next(re.split(r"  +", line.strip()) for line in out.stdout.splitlines() if "accuracy %" in line)
    cells = row[1:] if row[0] == "mp3" else row
    return float(cells[head.index("accuracy %")]) / 100


def timed(f, *args):
    before = time.perf_counter()
    value = f(*args)
    return value, time.perf_counter() - before


def best_mode(paths, o):
    x = features(paths, "raw", None, o.threads)
    y = torch.zeros(len(x), dtype=torch.long)
    few = slice(0, 640)
    seconds = {}
    for mode in [m for m in MODES if o.modes == "all" or m.split()[0] == o.modes]:
        train(x[:64], y[:64], (x[:100], y[:100]), 1, mode)
        seconds[mode] = train(x[few], y[few], (x[:100], y[:100]), 1, mode)[1]
    print("PyTorch's modes, seconds for 640 clips:", ", ".join(f"{m} {s:.1f}" for m, s in seconds.items()), flush=True)
    return min(seconds, key=seconds.get)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--bitrates", default="8,16,32,64,96,128,raw")
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--dtype", default="f32", choices=["f32", "bf16"], help="of hz")
    p.add_argument("--modes", default="all", choices=["all", "f32", "bf16"], help="of PyTorch, of which the best runs")
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    paths = sorted(glob.glob(os.path.join(os.environ.get("HZ_DATA", ""), "fsdd", "recordings", "*.wav")))
    if not paths:
        sys.exit("torch_sound_sweep: no fsdd/recordings/*.wav in HZ_DATA; needs the spoken digits")
    mode, rows, total = best_mode(paths, o), [], [0, 0]
    for bitrate in o.bitrates.split(","):
        with tempfile.TemporaryDirectory() as folder:
            ours, hz = timed(by_hz, bitrate, o, folder)
        (theirs, training), peer = timed(by_torch, paths, bitrate, o, mode)
        total = [total[0] + hz, total[1] + peer]
        rows.append((bitrate, f"{hz:.1f}", f"{peer:.1f}", f"{training:.1f}", f"{hz / peer:.2f}", f"{100 * ours:.2f}",
                     f"{100 * theirs:.2f}"))
        print(f"{bitrate}: hz {hz:.1f} s, peer {peer:.1f} s", flush=True)
    rows.append(("all", f"{total[0]:.1f}", f"{total[1]:.1f}", "", f"{total[0] / total[1]:.2f}", "", ""))
    print(f"hz {o.dtype}; PyTorch {torch.__version__} {mode}, torchaudio {torchaudio.__version__}; {o.epochs} epochs, "
          f"{o.threads} threads, seconds")
    table(("bitrate", "hz", "peer", "of that training", "hz / peer", "hz %", "peer %"), rows)
    return 1 if total[0] > LIMIT * total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
