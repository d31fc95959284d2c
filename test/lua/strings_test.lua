-- strings_test.lua: the embedded set of sounds: what a set says, options, entropy beside its clips, and classes that a
-- net tells by what moves while the mean spectrum hardly helps.
local t = ...
local crypto = require 'hz.ext.crypto'
local dataset = require 'hz.data.dataset'
local hz = require 'hz'
local strings = require 'hz.data.strings'

local function quick(o)
  local full = { rate = 11025, seconds = 1, n_fft = 512, hop = 256, mels = 48 }
  for k, v in pairs(o) do full[k] = v end
  return full
end

t.case('strings: counts, classes, what the set says of itself', function()
  local train, test = dataset('strings', quick { train = 60, test = 24 })
  t.equal({ #train, #test, train:shape(), train.rate, train.sounds.channels }, { 60, 24, { 48, 44, 1 }, 11025, 1 })
  t.equal(train.classes, { 'chorus', 'distortion', 'EQ', 'feedback delay', 'flanger', 'none', 'overdrive', 'phaser',
    'reverb', 'slapback', 'tremolo', 'vibrato' })
  t.equal(train:per_class(), { 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5 })
  t.match(tostring(train), 'from the embedded strings, mel 48 bands .*, noise of 16 steps of 16 bits')
  t.equal(dataset('strings', quick { train = 12, test = 24, split = 'test' }).digest, test.digest,
    'the test set does not depend on the training set')
  t.ok(dataset('strings', quick { train = 60, split = 'train', seed = 1 }).digest ~= train.digest)
  t.equal(dataset('strings', { train = 12, split = 'train' }):shape(), { 96, 173, 1 }, 'two seconds as published')
end)

t.case('strings: each clip with its label and the entropy of its noise', function()
  local set = dataset('strings', quick { train = 24, split = 'train', noise = 3 })
  local player = strings.new { rate = 11025, seconds = 1, noise = 3 }
  local indices = {}
  for i = 1, 24 do indices[i] = i - 1 end
  local samples, labels, entropy = player.play(indices)
  local read = set.sounds:read(set.sounds:numbers(set.clips))
  local name = {}
  local function hash(x, i) return crypto.new 'sha256':add(x:pointer() + i * player.frames, 4 * player.frames):raw() end
  for i = 0, 23 do name[hash(read, i)] = i + 1 end
  for i = 0, 23 do
    local at = name[hash(samples, i)]
    t.equal({ set.labels[at], set.entropy[at] }, { labels[i + 1], entropy[i + 1] })
  end
  t.near(set.entropy:mean(), math.log(48 * math.sqrt(2 * math.pi * math.exp(1))) / math.log(2), 1e-3)
  t.equal(set.sounds.bits, 16)
  local silent = dataset('strings', quick { train = 12, split = 'train', noise = 0 })
  t.equal(silent.entropy:max(), 0)
  t.match(silent.made, 'no noise')
end)

t.case('strings: options that are none', function()
  t.raises('data strings: train is 5; needs a whole number within 12..1000000', dataset.data, 'strings', { train = 5 })
  t.raises('strings: rate is 16000; it must be 44100, 22050 or 11025', dataset.data, 'strings', { rate = 16000 })
  t.raises('strings: noise is 0.05', dataset.data, 'strings', { noise = 0.05 })
  t.raises("option 'mono' is unknown", dataset.data, 'strings', { mono = true })
end)

-- ---- what tells classes apart ----

-- The mean over time of each band, as a set of its own.
local function mean_spectra(set)
  local n, mels, frames = unpack(set.items:size())
  local out, from = hz.zeros { n, mels }, set.items:pointer 'read'
  local to = out:pointer()
  for row = 0, n * mels - 1 do
    local sum = 0
    for f = 0, frames - 1 do sum = sum + from[row * frames + f] end
    to[row] = (sum / frames + 40) / 25
  end
  return dataset.new { name = 'means', part = set.part, items = out, labels = set.labels, classes = set.classes }
end

local function score(net, train, test, epochs)
  net:init { seed = 1, input = train:shape() }
  return 100 * hz.train { net = net, train = train, test = test, epochs = epochs, batch = 32, seed = 1,
    optimizer = hz.adam { rate = 0.002, schedule = 'cosine' } }.test.accuracy
end

t.case('strings: a net that hears the mean spectrum alone is far below one that hears it all', function()
  local train, test = dataset('strings', quick { train = 1200, test = 240 })
  local l, means, test_means = hz.layers, mean_spectra(train), mean_spectra(test)
  local blind = score(hz.net 'blind' { l.dense{64}, l.relu, l.dropout{0.2}, l.dense{12} }, means, test_means, 30)
  local all = score(hz.model('sound-small', { classes = 12, input = train:shape() }), train, test, 8)
  t.ok(blind < 45, ('%.1f %% by the mean spectrum'):format(blind))
  t.ok(all > 60 and all > blind + 25, ('%.1f %% by all, %.1f %% by the mean spectrum'):format(all, blind))
end)
