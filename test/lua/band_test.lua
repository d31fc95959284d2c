-- Where the spectra of sounds end, and what leaves such an edge (lua/hz/data/band.lua).
local t = ...
local hz = require 'hz'
local band = require 'hz.data.band'
local clips = require 'hz.data.clips'
local features = require 'hz.data.features'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'

local RATE, SECONDS = 44100, 0.5

-- Noise that falls off towards high frequencies, as most sounds do.
local function noise(i, rate, seconds)
  local n = math.floor(rate * (seconds or SECONDS))
  local x = hz.randn({ n, 1 }, 0, 0.1, { seed = i })
  local p, last = x:pointer(), 0
  for k = 0, n - 1 do
    last = 0.9 * last + 0.1 * p[k]
    p[k] = math.max(-1, math.min(1, 3 * last))
  end
  return x
end

-- A set of clips make(i) -> samples (length,1), with labels label(i).
local function set_of(n, make, label, rate)
  local list, frames, numbers, labels = {}, {}, {}, {}
  for i = 1, n do
    list[i] = make(i)
    frames[i], numbers[i], labels[i] = list[i]:size(1), i, label and label(i) or 0
  end
  local length = math.max(unpack(frames))
  local o = {}
  for name, row in pairs(features.options()) do o[name] = row.default end
  local sounds = clips.new({ n = n, rate = rate or RATE, channels = 1, frames = frames, length = length,
    take = function(wanted)
      local out = tensor.zeros({ #wanted, length, 1 })
      for k, i in ipairs(wanted) do out[k]:slice(1, 1, frames[i]):copy(list[i]) end
      return out
    end }, o)
  return clips.set { name = 'made', part = 'test', clips = sounds, numbers = numbers, labels = labels,
    classes = { 'a', 'b' }, source = 'memory' }
end

-- What a codec leaves of noise, as long as it was.
local function through(coder)
  return function(i)
    local heard = coder:decode((coder:encode(hz.sound.new(noise(i, RATE), RATE))))
    return heard.samples:slice(1, 1, math.floor(RATE * SECONDS)):clone()
  end
end

t.case('noise, tones and silence have no edge', function()
  for name, make in pairs {
    noise = function(i) return noise(i, RATE) end,
    white = function(i) return hz.randn({ 22050, 1 }, 0, 0.1, { seed = i }) end,
    silence = function(i) return hz.full({ 22050, 1 }, i / 1000) end,
    tones = function(i)
      local x = hz.zeros { 22050, 1 }
      for k = 0, 22049 do
        for j = 1, 12 do x:pointer()[k] = x:pointer()[k] + 0.05 * math.sin(k * j * (0.1 + i / 99)) end
      end
      return x
    end,
  } do
    local ok, text = band.words(set_of(8, make))
    t.equal({ name, ok, text }, { name, true, 'no edge in the spectra of 8 clips' })
  end
end)

t.case('MP3 leaves an edge, which may tell the class', function()
  if not plugins.has 'mp3' then t.skip 'the mp3 plugin is not built' end
  local coded = through(hz.codec.mp3 { bitrate = 64 })
  local ok, text = band.words(set_of(8, coded))
  t.equal(ok, nil)
  t.match(text, '^nothing above 1[67]%.%d kHz in 8 of 8 clips, as MP3 at about 1[26][80] kbit/s %(stereo%) leaves it$')
  ok, text = band.words(set_of(20, function(i) return i % 2 == 0 and coded(i) or noise(i, RATE) end,
    function(i) return i % 2 end))
  t.equal(ok, false)
  t.match(text, "in 10 of 20 clips, .* leaves it; it predicts the class of 20 of 20 files, where ")
end)

t.case('resampled sounds end at half the rate they had', function()
  plugins.list()
  if require 'hz.c'.C.hz_sound_resampler_name() == nil then t.skip 'the soxr plugin is not built' end
  local ok, text = band.words(set_of(8, function(i)
    return hz.sound.new(noise(i, 16000), 16000):resample(RATE).samples:slice(1, 1, 20000):clone()
  end))
  t.equal(ok, nil)
  t.match(text, '^nothing above [78]%.%d kHz in 8 of 8 clips, as .* or resampling from 16 kHz leaves it$')
end)

t.case('clips that are too short are not looked at', function()
  local ok, text = band.words(set_of(3, function(i) return noise(i, RATE, 0.05) end))
  t.equal({ ok, text }, { true, 'not looked for in clips of less than 4096 samples' })
end)
