"""The training of test/tiny.lua once more, without hz: PyTorch autograd in double, and Philox, shuffle, augmentation,
dropout masks and initial weights written anew from their definitions (core/hz/philox.h). Prints the losses that
tiny_losses.txt keeps:
    python test/golden/tiny.py > test/golden/tiny_losses.txt
Needs torch and numpy; made with PyTorch 2.15, numpy 2.4."""
import numpy as np
import torch
import torch.nn.functional as F

INIT, SHUFFLE, AUGMENT, DROPOUT = 1, 2, 3, 4
STEPS, BATCH, ITEMS, SIDE = 50, 16, 44, 6
f32 = lambda v: float(np.float32(v))


# ---- Philox4x32-10 (Salmon et al. 2011) ----

def philox(counter, key):
    c, k = [int(v) for v in counter], [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


assert philox((0, 0, 0, 0), 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]      # known answer of Random123


def unit(word):
    return (word >> 8) / 16777216.0


def halves(n, seed, item, epoch, layer, purpose):
    """n numbers in [0,1) of 16 bits, two to a word, the lower half first."""
    words = [w for b in range((n + 7) // 8) for w in philox((b, item, epoch, layer << 8 | purpose), seed)]
    return np.array([h / 65536 for w in words for h in (w & 0xFFFF, w >> 16)][:n])


def units(n, seed, item, epoch, layer, purpose):
    words = [w for b in range((n + 3) // 4) for w in philox((b, item, epoch, layer << 8 | purpose), seed)]
    return np.array([unit(w) for w in words[:n]])


def uniform(shape, a, b, seed, stream):
    n = int(np.prod(shape))
    return (a + (b - a) * units(n, seed, 0, 0, stream, INIT)).astype(np.float32).reshape(shape)


# ---- order, augmentation ----

def feistel_pass(x, bits, seed, epoch):
    left_bits = bits // 2
    right_bits = bits - left_bits
    left, right = x >> right_bits, x & ((1 << right_bits) - 1)
    for r in range(8 + 64 // bits):
        mixed = left ^ (philox((right, r, epoch, SHUFFLE), seed)[0] & ((1 << left_bits) - 1))
        left, right = right, mixed
        left_bits, right_bits = right_bits, left_bits
    return left << right_bits | right


def place(position, n, seed, epoch):
    bits = max(1, (n - 1).bit_length())
    while True:
        position = feistel_pass(position, bits, seed, epoch)
        if position < n:
            return position


def augmented(image, item, epoch, seed, most):
    w = philox((0, item, epoch, AUGMENT), seed)
    dy, dx = [(v * (2 * most + 1) >> 32) - most for v in w[:2]]
    rows = np.clip(np.arange(SIDE) + dy, 0, SIDE - 1)
    columns = np.arange(SIDE)[::-1] if w[2] >> 31 else np.arange(SIDE)
    return image[rows][:, np.clip(columns + dx, 0, SIDE - 1)]


# ---- data and net, as tiny.lua describes them ----

def data(stream):
    x = uniform((ITEMS, 108), 0, 160, 7, stream)
    labels = np.array([(i + 1) * 7 % 4 for i in range(ITEMS)])
    for i, c in enumerate(labels):
        x[i, :27] += 24 * c
        x[i, c % 3::3] += 20
    return np.floor(x).astype(np.uint8).reshape(ITEMS, SIDE, SIDE, 3), labels


def glorot(shape, stream):
    """(O,I) or (O,H,W,I) -> torch order."""
    area = int(np.prod(shape[1:-1]))
    limit = np.sqrt(6 / (area * shape[-1] + area * shape[0]))
    w = torch.tensor(uniform(shape, -limit, limit, 1, stream), dtype=torch.float64)
    return w.permute(0, 3, 1, 2).contiguous() if len(shape) == 4 else w


def make_parameters():
    """Parameter i draws from stream i; biases, gamma and beta take a number of their own."""
    zeros = lambda n: torch.zeros(n, dtype=torch.float64)
    p = {"conv1.w": glorot((8, 3, 3, 3), 1), "conv1.b": zeros(8), "gamma": torch.ones(8, dtype=torch.float64),
         "beta": zeros(8), "conv2.w": glorot((12, 3, 3, 8), 5), "conv2.b": zeros(12),
         "conv3.w": glorot((10, 1, 1, 12), 7), "conv3.b": zeros(10), "dense1.w": glorot((16, 90), 9),
         "dense1.b": zeros(16), "dense2.w": glorot((4, 16), 11), "dense2.b": zeros(4)}
    for v in p.values():
        v.requires_grad_(True)
    return p


def dropout(x, rate, layer, items, epoch, seed):
    """x (N,C,H,W) or (N,C); elements are counted in H,W,C order."""
    channels_last = x.permute(0, 2, 3, 1) if x.ndim == 4 else x
    shape = channels_last.shape[1:]
    kept = np.stack([halves(int(np.prod(shape)), seed, item, epoch, layer, DROPOUT).reshape(shape) >= f32(rate)
                     for item in items])
    y = channels_last * torch.tensor(kept) / (1 - f32(rate))
    return y.permute(0, 3, 1, 2) if x.ndim == 4 else y


def logits(p, x, items, epoch, seed):
    x = F.conv2d(x, p["conv1.w"], p["conv1.b"], padding=1)
    x = F.relu(F.batch_norm(x, None, None, p["gamma"], p["beta"], training=True, eps=f32(1e-3)))
    x = F.conv2d(F.pad(x, (0, 1, 0, 1)), p["conv2.w"], p["conv2.b"], stride=2)
    x = dropout(x, 0.3, 5, items, epoch, seed)
    x = F.elu(F.conv2d(x, p["conv3.w"], p["conv3.b"]))
    x = F.max_pool2d(x, 3, stride=1, padding=1)
    x = x.permute(0, 2, 3, 1).flatten(1)
    x = F.relu(F.linear(x, p["dense1.w"], p["dense1.b"]))
    return F.linear(dropout(x, 0.5, 12, items, epoch, seed), p["dense2.w"], p["dense2.b"])


def train(name, make, seed=5):
    images, labels = data(1)
    p = make_parameters()
    optimizer = make(list(p.values()))
    mean, deviation = np.array([f32(v) for v in (0.5, 0.4, 0.3)]), 0.25
    for step in range(STEPS):
        epoch, offset = step // 3, step % 3 * BATCH
        items = [place(offset + i, ITEMS, seed, epoch) for i in range(min(BATCH, ITEMS - offset))]
        x = np.stack([augmented(images[i], i, epoch, seed, 1) for i in items]) * f32(1 / 255)
        x = torch.tensor((x - mean) / deviation).permute(0, 3, 1, 2)
        loss = F.cross_entropy(logits(p, x, items, epoch, seed), torch.tensor(labels[items]), label_smoothing=f32(0.05))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(name, step + 1, f"{loss.item():.12f}")


train("sgd", lambda q: torch.optim.SGD(q, lr=0.005, momentum=0.9, nesterov=True))
train("adam", lambda q: torch.optim.Adam(q, lr=0.003))
