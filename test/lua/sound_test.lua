-- sound_test.lua: sounds through codecs from Lua: one, a set, and data sets with their accounts and cache. The codec is
-- that of test/plugins/pcm.c, 16-bit samples with a delay and a tail.
local t = ...
local ffi = require 'ffi'
local c = require 'hz.c'
local clips = require 'hz.data.clips'
local codec = require 'hz.codec.codec'
local features = require 'hz.data.features'
local file = require 'hz.base.file'
local quality = require 'hz.codec.quality'
local recode = require 'hz.codec.recode'
local tensor = require 'hz.tensor.tensor'

-- The codec is known while f runs only: a name in hz.codec is what examples and completion walk over.
local function with_pcm(f)
  return function()
    local plugin = c.library:match '^(.*)/' .. '/test/plugins/pcm.so'
    if not file.exists(plugin) then t.skip('%s is not built (make ctests)', plugin) end
    local folder = t.folder()
    t.sh(('ln -s %s %s/'):format(t.quote(plugin:sub(1, 1) == '/' and plugin or '$PWD/' .. plugin), folder))
    c.check(c.C.hz_plugin_load(folder, 0))
    local ok, e = pcall(f, codec.pcm)
    rawset(codec, 'pcm', nil)
    if not ok then error(e, 0) end
  end
end

local function case(name, f) t.case(name, with_pcm(f)) end

local function noise(shape, seed) return tensor.rand(shape, -0.9, 0.9, { seed = seed, stream = 1 }) end
local function bytes_of(x) return ffi.string(x.data, 4 * x:count()) end
local function same(a, b)
  t.equal(a:size(), b:size())
  t.ok(bytes_of(a:contiguous()) == bytes_of(b:contiguous()), 'the samples are the same')
end
-- Within half a step of 16 bits.
local function close(a, b)
  t.equal(a:size(), b:size())
  t.ok((a - b):abs():max() < 0.501 / 32767, 'the samples are close')
end

case('sound: what is decoded has the length, the channels and the rate of the original', function(pcm)
  for _, values in ipairs { {}, { delay = 0, tail = 0 }, { delay = 1105, tail = 1 } } do
    local x = pcm(values)
    for _, frames in ipairs { 1, 2, 255, 4001 } do
      for channels = 1, 2 do
        local sound = noise({ frames, channels }, frames)
        local stream, a = x:encode(sound, { rate = 8000 })
        t.equal({ a.bytes, a.payload, a.tables, a.container }, { #stream, 2 * frames * channels, 9, 4 })
        local back, rate = x:decode(stream)
        t.equal(rate, 8000)
        close(back, sound)
      end
    end
  end
end)

case('sound: one channel may go without its dimension', function(pcm)
  local x, sound = pcm(), noise({ 33, 1 }, 1)
  t.equal(x:encode(sound, { rate = 44100 }), x:encode(sound:reshape { 33 }, { rate = 44100 }))
  t.equal(x:decode((x:encode(sound:reshape { 33 }, { rate = 44100 }))):size(), { 33, 1 })
end)

case('sound: a set is recoded as its sounds are one by one, whatever their lengths', function(pcm)
  local x, frames = pcm { delay = 7 }, { 100, 1, 57, 99, 2, 100 }
  local set = noise({ 6, 100, 2 }, 3)
  for threads = 1, 3 do
    local decoded, a = x:recode(set, { rate = 8000, frames = frames, threads = threads })
    local samples, error2, energy = 0, 0, 0
    for i, n in ipairs(frames) do
      local sound = set[i]:slice(1, 1, n)
      local one = x:decode((x:encode(sound, { rate = 8000 })))
      same(decoded[i]:slice(1, 1, n), one)
      if n < 100 then t.equal(decoded[i]:slice(1, n + 1, 100):abs():sum(), 0) end
      local s, d = sound:to 'f64', sound:to 'f64' - one:to 'f64'
      samples, error2, energy = samples + 2 * n, error2 + (d * d):sum(), energy + (s * s):sum()
    end
    t.equal({ a.sounds, a.samples, a:payload():sum(), a.tables_distinct }, { 6, samples / 6, 2 * samples, 5 })
    t.near(a:squared_error():sum(), error2, 1e-12)
    t.near(a:energy():sum(), energy, 1e-9)
    t.near(a.snr, 10 * math.log10(energy / error2), 1e-9)
    t.near(a.bits_per_sample, 8 * (2 * samples + 5 * 9) / samples, 1e-12)
    t.match(tostring(a), '^6 sounds: .*; SNR %d+%.%d%d dB$')
  end
  local decoded, a = x:recode(set, { rate = 8000 })
  close(decoded, set)
  t.near(quality.snr(set, decoded), a.snr, 1e-9)
  t.equal(quality.snr(set, set), math.huge)
end)

case('sound: an exact set has no SNR', function(pcm)
  local _, a = pcm():recode(tensor.zeros { 3, 20 }, { rate = 8000 })
  t.equal(a.snr, nil)
  t.match(tostring(a), 'exact$')
end)

case('sound: mistakes are messages', function(pcm)
  local x, sound, two, at = pcm(), noise({ 8, 2 }, 1), tensor.zeros { 2, 8 }, { rate = 8000 }
  t.raises('pcm: rate is nil; needs the frames per second', x.encode, x, sound)
  t.raises('pcm: frames is 0; needs a whole number of at least 1', x.decode, x, x:encode(sound, at),
    { rate = 8000, frames = 0 })
  t.raises('pcm: rate is nil; needs the frames per second', x.decode, x, x:encode(sound, at), { frames = 8 })
  t.raises('pcm: the tensor is u8; needs f32 (-1 to 1): t:to "f32"', x.encode, x, tensor.zeros({ 4, 4 }, 'u8'), at)
  t.raises('pcm: the tensor is (2,2,2); needs (frames) or (frames,channels)', x.encode, x, tensor.zeros { 2, 2, 2 }, at)
  t.raises('pcm: the item has 3 channels; needs 1 or 2', x.encode, x, tensor.zeros { 4, 3 }, at)
  t.raises('pcm: the set is (0,8)', x.recode, x, tensor.zeros { 0, 8 }, at)
  t.raises('pcm: frames is of 1; needs a list of 2 numbers', x.recode, x, two, { rate = 8000, frames = { 8 } })
  t.raises('pcm: frames[2] is 9; needs a whole number of 1..8', x.recode, x, two, { rate = 8000, frames = { 8, 9 } })
  t.raises('recode: sound 1 of 2: pcm: sample 3 is 1.5; needs -1..1', x.recode, x,
    tensor.from { { 0, 0, 0, 0 }, { 0, 0, 0, 1.5 } }:to 'f32', at)
  t.raises('pcm: the stream does not begin as one of this codec', x.decode, x, ('x'):rep(40))
  t.raises('snr: argument 1 is u8; needs a tensor of f32', quality.snr, tensor.zeros({ 4 }, 'u8'), tensor.zeros { 4 })
end)

-- A set of n sounds of 300 frames and fewer, and their samples as they are read.
local function set_of(n, seed, rate, options)
  local samples, frames, numbers, labels = tensor.zeros({ n, 300, 1 }, 'f32'), {}, {}, {}
  for i = 1, n do
    frames[i], numbers[i], labels[i] = 300 - 37 * (i - 1) % 300, i, i % 2
    samples[i]:slice(1, 1, frames[i]):copy((noise({ frames[i], 1 }, 10 * seed + i) * 32768):floor() / 32768)
  end
  local o = {}
  for name, row in pairs(features.options({ n_fft = 64, hop = 32, mels = 8 })) do o[name] = row.default end
  for name, v in pairs(options or {}) do o[name] = v end
  local sounds = clips.new({ n = n, rate = rate, channels = 1, frames = frames, length = 300, take = function(list)
    local out = tensor.empty({ #list, 300, 1 }, 'f32')
    for i, number in ipairs(list) do out[i] = samples[number] end
    return out
  end }, o)
  return clips.set { name = 'noise', clips = sounds, numbers = numbers, labels = labels, classes = { 'a', 'b' } },
    sounds
end

case('sound: data sets have accounts with what is measured of sounds, and a cache', function(pcm)
  local folder, dir = recode.folder, t.folder() .. '/cache'
  recode.folder = function() return dir end
  recode.forget()
  local a, sounds = set_of(7, 1, 8000)
  local b, x = set_of(4, 2, 8000), pcm()
  local ok, e = pcall(function()
    local g = recode.group({ a, b }, x)
    local all, samples = g.account, 0
    for _, set in ipairs { a, b } do
      for i = 0, #set - 1 do samples = samples + set.sounds.frames[set.clips[i + 1]] end
    end
    t.equal({ all.kind, all.items, all.samples, all.seconds }, { 'audio', 11, samples, samples / 8000 })
    t.equal({ all.payload, all.tables, all.container }, { 2 * samples, 99, 44 })
    t.near(g.parts[1].energy + g.parts[2].energy, all.energy, 1e-9)
    t.equal(g.sets[1].items:size(), { 7, 8, 10, 1 })
    t.ok((g.sets[1].items - a.items):abs():max() < 0.5, 'features of 16 bits are close')
    local m = recode.means(all)
    t.near(m.snr, 10 * math.log10(all.energy / all.squared_error), 1e-9)
    t.near(m.kbit_per_second, 8 * (2 * samples + 143) / (samples / 8000) / 1000, 1e-9)
    t.near(m.log_spectral_distance, all.log_spectral_distance / 11, 1e-12)
    recode.forget()
    t.equal(recode.group({ a, b }, x).account, all)
    t.equal(#file.list(dir), 1)
    same(recode.group({ a, b }, x).sets[2].items, g.sets[2].items)
    local untouched = recode.group { a, b }
    t.equal({ untouched.account.payload, recode.means(untouched.account).snr }, { 2 * samples })
    t.near(untouched.account.energy, all.energy, 1e-9)
    same(untouched.sets[1].items, a.items)
    t.equal(recode.add(recode.no_account(), all), recode.add(all, recode.no_account 'audio'))
    t.equal({ sounds.bits, sounds.n }, { 16, 7 })
    t.raises('at 44100 Hz; needs sounds as those of noise: mel', recode.group, { a, set_of(3, 3, 44100) }, x)
    t.raises('needs sounds as those of noise', recode.group, { a, set_of(3, 3, 8000, { hop = 16 }) }, x)
    t.raises('recode: noise holds sounds; jpeg takes images', recode.group, { a }, codec.jpeg())
  end)
  recode.folder = folder
  recode.forget()
  if not ok then error(e, 0) end
end)
