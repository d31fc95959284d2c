-- ledger.lua: what saved bits are made of where the noise is known. With S the scene, Y the recorded image, Z the
-- decoded one at the knee, L mean code lengths and r what a coder wastes, it holds exactly that
--     L_lossless - L_knee  =  H(Y|S)  +  [ I(S;Y|Z) + r_ll ]  -  [ H(Z|S) + r_k ]
-- all in bits per sample. L_lossless and L_knee are measured, H(Y|S) is exact (of the embedded camera: from the
-- distribution of each pixel; of random low bits: their number), so the difference of the brackets follows. Where they
-- part, no code length says: the first is L_lossless - H(Y|S) - I(S;Z), the second L_knee - I(S;Z), and what the knee
-- knows of the scene, I(S;Z), can lie anywhere from 0 to the lesser of L_knee and L_lossless - H(Y|S). Where the sweep
-- has the same scenes without noise, the code length of these at the same encoding stands for it, and four measured
-- terms add up to what is saved.
local distribution = require 'hz.report.statistics.distribution'

local M = {}

-- ---- entropy of a rounded Gaussian ----

local MOST = 255                   -- the largest grey value
local REACH = 12                   -- standard deviations: beyond is nothing

local function below(edge, mean, sigma) return 1 - distribution.normal_tail((edge - mean) / sigma) end

-- P(k - 1/2 <= X < k + 1/2), as the difference of the two smaller tails.
local function share(k, mean, sigma)
  if k >= mean then
    return distribution.normal_tail((k - 0.5 - mean) / sigma) - distribution.normal_tail((k + 0.5 - mean) / sigma)
  end
  return below(k + 0.5, mean, sigma) - below(k - 0.5, mean, sigma)
end

local function bits(p) return p > 0 and -p * math.log(p) / math.log(2) or 0 end

-- Bits of round(X), X Gaussian; clipped: to 0..255, as a sensor does.
local function rounded(sigma, mean, clipped)
  if sigma == 0 then return 0 end
  local from, to = math.floor(mean - REACH * sigma), math.ceil(mean + REACH * sigma)
  local sum = 0
  if clipped then
    sum = bits(below(0.5, mean, sigma)) + bits(distribution.normal_tail((MOST - 0.5 - mean) / sigma))
    from, to = math.max(from, 1), math.min(to, MOST - 1)
  end
  for k = from, to do sum = sum + bits(share(k, mean, sigma)) end
  return sum
end

local PLACES = 16                  -- means between two grey values

-- Bits per sample of Gaussian noise of `sigma` grey values that is rounded: at this mean, clipped to 0..255; without a
-- mean averaged over where it lies between two grey values, far from the ends. Large sigma: 0.5 log2(2 pi e sigma^2).
function M.entropy(sigma, mean)
  if mean then return rounded(sigma, mean, true) end
  local sum = 0
  for i = 1, PLACES do sum = sum + rounded(sigma, (i - 0.5) / PLACES, false) end
  return sum / PLACES
end

-- ---- terms ----

-- o, in bits per sample: lossless, knee, noise (H(Y|S)); clean = { lossless, knee }: the same scenes without noise, by
-- the same lossless coders and at the same encoding; may be nil. Returns
--   saved, noise, net        what is saved; the noise; the difference of the brackets: saved = noise + net
--   first, second            { lower, upper } of the brackets: first - second = net
--   terms                    nil without clean; else a list of { name, bits }: four that add up to saved
function M.of(o)
  local saved = o.lossless - o.knee
  local net, room = saved - o.noise, o.lossless - o.noise
  local known = math.max(0, math.min(o.knee, room))    -- the most that I(S;Z) can be
  local out = { saved = saved, noise = o.noise, net = net, lossless = o.lossless, knee = o.knee,
    first = { lower = room - known, upper = room }, second = { lower = o.knee - known, upper = o.knee } }
  local clean = o.clean
  out.terms = clean and {
    { name = 'noise', bits = o.noise },
    { name = 'detail dropped', bits = clean.lossless - clean.knee },
    { name = 'lossless beside noise', bits = o.lossless - clean.lossless - o.noise },
    { name = 'noise kept', bits = clean.knee - o.knee },
  }
  return out
end

-- What the terms are, in the order of `terms`.
M.legend = {
  'noise: H(Y|S), exact',
  'detail dropped: what the scene without noise saves at the same encoding: detail, and lossless waste',
  'lossless beside noise: what noise adds to lossless bits, less its entropy: waste, less detail that noise hides',
  'noise kept: what noise adds to the bits at the knee, negative: noise still coded, and lossy waste',
}

-- ---- of a report ----

local function record_of(chain) return chain.reference.rows[1].record end

-- The chain of the same scenes without noise, in all else alike; nil without one.
local function twin(chain, chains)
  local own = record_of(chain)
  for _, other in ipairs(own.scenes and chains or {}) do
    local record = other.reference and record_of(other)
    local alike = record and record.noise_bits == 0 and record.scenes == own.scenes
    for _, name in ipairs { 'codec', 'further', 'model', 'dtype', 'protocol', 'trained' } do
      alike = alike and other[name] == chain[name]
    end
    if alike then return other end
  end
end

-- Bits of a chain at an encoding, of its group or, where this chain is silent, not at all.
local function bits_at(chain, text)
  for _, entry in ipairs(chain.entries) do
    if entry.group.tested.text == text then return entry.group.bits_per_sample end
  end
end

-- The ledger of a chain (verdicts.lua) at the claimed end of its knee, and the entry of that; nil where no noise is
-- known, or nothing is saved. chains: all of the report.
function M.of_chain(chain, chains)
  local noise = chain.bits and chain.bits.saved and record_of(chain).noise_bits
  if not noise then return nil end
  local entry, clean = chain.entries[chain.knee.safe], twin(chain, chains)
  local at = clean and bits_at(clean, entry.group.tested.text)
  local lossless = clean and clean.bits and clean.bits.lossless
  return M.of { lossless = chain.bits.lossless.payload, knee = chain.bits.needed.payload, noise = noise,
    clean = at and lossless and { lossless = lossless.payload, knee = at } or nil }, entry
end

local function span(b) return ('%.2f to %.2f'):format(b.lower, b.upper) end

-- In words, for a report; called: the encoding of the knee.
function M.text(l, called)
  local text = ('ledger, bits per sample at %s: saved %.2f = noise %.2f (exact)'):format(called, l.saved, l.noise)
  if not l.terms then
    return ('%s + A - B; A, detail dropped and lossless waste, %s; B, noise kept and lossy waste, %s; A - B = %.2f '
      .. '(where they part no code length says)'):format(text, span(l.first), span(l.second), l.net)
  end
  for i = 2, #l.terms do
    local term = l.terms[i]
    text = ('%s %s %s %.2f'):format(text, term.bits < 0 and '-' or '+', term.name, math.abs(term.bits))
  end
  return text
end

return M
