-- mel_test.lua: log-mel spectrograms: librosa's values (golden/mel.txt, peers/librosa_mel.py), the same on every level
-- of vectors but for rounding, the definition itself for windows of any size, what is refused.
local t = ...
local ffi = require 'ffi'
local hz = require 'hz'
local levels = assert(loadfile(t.here .. 'levels.lua'))()
local sound = require 'hz.codec.sound'

-- The signal of peers/librosa_mel.py.
local function signal(frames, channels)
  local x, state = hz.zeros { frames, channels }, 1
  local p = x:pointer()
  for i = 0, frames - 1 do
    for k = 0, channels - 1 do
      state = state * 16807 % 2147483647
      local noise = math.floor((math.floor(state / 32768) % 65536 - 32768) / 2 ^ (math.floor(i % 500 / 50) + k))
      p[i * channels + k] = noise / 32768 + (math.floor(i / (7 + k)) % 2 - 0.5) / 16
    end
  end
  return x
end

-- Rows of golden/mel.txt: options as hz.sound.mel takes them, rate, channels, samples, values.
local function golden()
  local rows = {}
  local names = { 'rate', 'channels', 'samples', 'n_fft', 'hop', 'mels', 'fmin', 'fmax', 'power', 'top_db', 'edge' }
  for line in t.read(t.here .. 'golden/mel.txt'):gmatch '[^\n]+' do
    local row = rows[#rows]
    if line:sub(1, 4) == 'case' then
      rows[#rows + 1] = { values = {} }
      local at = 0
      for word in line:sub(6):gmatch '%S+' do
        at = at + 1
        rows[#rows][names[at]] = tonumber(word) or word
      end
    elseif line:sub(1, 1) ~= '#' then
      for v in line:gmatch '%S+' do row.values[#row.values + 1] = tonumber(v) end
    end
  end
  return rows
end

local function mel_of(row)
  return sound.mel(sound.new(signal(row.samples, row.channels), row.rate), { n_fft = row.n_fft, hop = row.hop,
    mels = row.mels, fmin = row.fmin, fmax = row.fmax > 0 and row.fmax or nil, power = row.power,
    top_db = row.top_db >= 0 and row.top_db, edge = row.edge })
end

t.case("mel: librosa's values within 1e-4 dB", function()
  local rows = golden()
  t.equal(#rows, 8)
  for k, row in ipairs(rows) do
    local m = mel_of(row)
    t.equal(m:count(), #row.values)
    local p = m:pointer 'read'
    for i, v in ipairs(row.values) do t.near(p[i - 1], v, 1e-4, ('case %d, value %d'):format(k, i)) end
  end
end)

local function bits(m) return ffi.string(m:contiguous():pointer 'read', m:count() * 4) end

t.case('mel: the same on every level but for rounding', function()
  for _, row in ipairs(golden()) do
    local first
    levels.each(function(level)
      local own = mel_of(row)
      first = first or own
      t.ok((own - first):abs():max() <= 2e-5, level)
    end)
  end
end)

-- Decibels of one frame of a mono sound by the definition, for a window that lies within it: bands by the formulas of
-- Slaney's toolbox.
local function by_definition(x, from, o, rate)
  local n, power, p = o.n_fft, {}, x:pointer 'read'
  for k = 0, math.floor(n / 2) do
    local re, im = 0, 0
    for i = 0, n - 1 do
      local w = (0.5 - 0.5 * math.cos(2 * math.pi * i / n)) * p[from + i]
      re, im = re + w * math.cos(2 * math.pi * k * i / n), im + w * math.sin(2 * math.pi * k * i / n)
    end
    power[k] = re * re + im * im
  end
  local function mel(hz) return hz < 1000 and hz * 3 / 200 or 15 + 27 * math.log(hz / 1000) / math.log(6.4) end
  local function back(m) return m < 15 and m * 200 / 3 or 1000 * 6.4 ^ ((m - 15) / 27) end
  local out, top = {}, mel(rate / 2)
  for b = 1, o.mels do
    local f = {}
    for i = 0, 2 do f[i] = back(top * (b - 1 + i) / (o.mels + 1)) end
    local sum = 0
    for k = 0, math.floor(n / 2) do
      local hz = k * rate / n
      local weight = math.min((hz - f[0]) / (f[1] - f[0]), (f[2] - hz) / (f[2] - f[1]))
      sum = sum + math.max(0, weight) * 2 / (f[2] - f[0]) * power[k]
    end
    out[b] = 20 * math.log10(math.max(1e-5, sum))
  end
  return out
end

t.case('mel: the definition, for windows of any size', function()
  local x = signal(700, 1)
  for _, n in ipairs { 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 30, 32, 49, 64, 77, 100, 101, 128, 202, 256, 331 } do
    local o = { n_fft = n, hop = 35, mels = 5, top_db = false }
    local m = sound.mel(sound.new(x, 16000), o)
    t.equal(m:size(2), 1 + math.floor((700 - n % 2) / 35))
    local frame = 1 + math.ceil(n / 2 / 35)                  -- the first that lies within
    local wanted = by_definition(x, (frame - 1) * 35 - math.floor(n / 2), o, 16000)
    for b = 1, 5 do t.near(m:get(b, frame, 1), wanted[b], 1e-4, ('n_fft %d, band %d'):format(n, b)) end
  end
end)

t.case('mel: a frame is the same wherever it stands, channels are by themselves', function()
  local x = signal(3000, 2)
  local o = { n_fft = 256, hop = 100, mels = 8, top_db = false }
  local both = sound.mel(sound.new(x, 8000), o)
  for k = 1, 2 do
    local one = sound.mel(sound.new(x:slice(2, k, k):contiguous(), 8000), o)
    t.ok(bits(both:slice(3, k, k)) == bits(one), 'channel ' .. k)
  end
  local later = sound.mel(sound.new(x:slice(1, 701, 3000):contiguous(), 8000), o)
  t.ok(bits(later:slice(2, 3, 20)) == bits(both:slice(2, 10, 27)), 'seven hops later')
end)

t.case('mel: silence, one sample, sounds shorter than half a window', function()
  local m = sound.mel(sound.new(hz.zeros { 5000 }, 8000))
  t.equal({ m:min(), m:max() }, { -100, -100 })
  t.equal(sound.mel(sound.new(hz.full({ 1 }, 0.5), 44100)):size(), { 96, 1, 1 })
  local a, b = hz.zeros { 3 }, hz.zeros { 2051 }
  for i = 0, 2 do a:pointer()[i] = i end
  for i = 0, 2050 do b:pointer()[i] = ({ 0, 1, 2, 1 })[(i - 1024) % 4 + 1] end
  local own, inner = sound.mel(sound.new(a, 8000)), sound.mel(sound.new(b, 8000), { hop = 1024 })
  t.ok((own:slice(2, 1, 1) - inner:slice(2, 2, 2)):abs():max() < 1e-3, 'mirrored again and again')
end)

t.case('mel: mistakes', function()
  local a = sound.new(signal(100, 1), 8000)
  for text, o in pairs {
    ['n_fft is 1; needs 2 to 65536'] = { n_fft = 1 }, ['n_fft is 65537'] = { n_fft = 65537 },
    ['n_fft is 8198, a multiple of the prime 4099; needs none above 4096'] = { n_fft = 8198 },
    ['hop is 0'] = { hop = 0 }, ['mels is 0'] = { mels = 0 }, ['mels is 5000; needs 1 to 4096'] = { mels = 5000 },
    ['fmax is 5000 Hz; needs 0 <= fmin < fmax <= 4000, half the rate'] = { fmax = 5000 },
    ['fmin is 300'] = { fmin = 300, fmax = 200 },
    ['fmax is 0'] = { fmax = 0 }, ['power is 0'] = { power = 0 }, ['top_db is -1'] = { top_db = -1 },
    ["edge is 'wrap'; needs 'reflect' or 'silence'"] = { edge = 'wrap' }, ["'n_mels'"] = { n_mels = 3 },
    ['fmin is nan'] = { fmin = 0 / 0 }, ["n_fft is 'x'"] = { n_fft = 'x' },
  } do t.raises(text, sound.mel, a, o) end
  t.raises('a tensor was given; needs a sound', sound.mel, a.samples)
  local wrong = { [1 / 0] = 'frame 8 of channel 1 is inf; needs finite', [3e38] = 'so large that their power' }
  for v, text in pairs(wrong) do
    local x = signal(100, 1)
    x:pointer()[7] = v
    t.raises(text, sound.mel, sound.new(x, 8000))
  end
end)
