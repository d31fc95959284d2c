-- sound_sets_test.lua: sets of sounds: folders of files of any kind, the published sets, their features, sweeps over
-- them, files classified with the weights of a run.
local t = ...
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local hz = require 'hz'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'

local function case(name, f)
  t.case('sound sets: ' .. name, function()
    local have = {}
    for _, row in ipairs(plugins.list()) do have[row.name or ''] = true end
    for _, need in ipairs { 'sndfile', 'mpg123', 'soxr', 'mp3' } do
      if not have[need] then t.skip('%s: its library is not installed', need) end
    end
    f()
  end)
end

-- ---- files ----

-- A tone with some noise, of 16 bits; seed also makes its pitch another.
local function tone(hertz, frames, rate, seed, channels)
  local x = hz.range(0, frames - 1, 1):to 'f32' * (2 * math.pi * (hertz + 7 * seed) / rate)
  local y = x:sin() * 0.5 + hz.randn({ frames }, 0, 0.01, { seed = seed, stream = 1 })
  y = (y * 32768):floor() / 32768
  local all = hz.zeros { frames, channels or 1 }
  for k = 1, channels or 1 do all:slice(2, k, k):copy(y:reshape { frames, 1 }) end
  return hz.sound.new(all, rate)
end

local kinds = { 'wav', 'flac', 'aiff', 'mp3' }

local function put(path, a, kind)
  if kind == 'mp3' then file.write(path, (hz.codec.mp3 { bitrate = 32 }:encode(a))) return path end
  return a:save(path)
end

local hertz = { low = 200, high = 1500 }

-- A folder with n sounds of each class, of all kinds in turn. o: rate, frames, kinds, channels.
local function folder_of(n, o)
  o = o or {}
  local d, rate = t.folder() .. '/set', o.rate or 8000
  for class, f in pairs(hertz) do
    file.mkdir(d .. '/' .. class)
    for i = 1, n do
      local kind = (o.kinds or kinds)[i % #(o.kinds or kinds) + 1]
      put(('%s/%s/%d.%s'):format(d, class, i, kind), tone(f, (o.frames or 1500) + 10 * i, rate, i, o.channels), kind)
    end
  end
  return d
end

local small = { n_fft = 256, hop = 128, mels = 16 }
local function with(more)
  local o = {}
  for _, list in ipairs { small, more } do
    for k, v in pairs(list) do o[k] = v end
  end
  return o
end

-- ---- folders ----

case('a folder of any mix of kinds: classes, parts, features of padded sounds', function()
  local d = folder_of(6)
  local train, test = hz.data('folder', with { path = d })
  t.equal({ #train, #test, train.rate, #train.classes }, { 10, 2, 8000, 2 })
  local length = train.sounds.length                     -- an MP3 of whole frames is longer than what was encoded
  t.ok(length >= 1560 and length < 1560 + 3 * 576)
  t.equal(train.items:size(), { 10, 16, 1 + math.floor(length / 128), 1 })
  t.equal(train.made, ('mel 16 bands of 0 to 4000 Hz, n_fft 256, hop 128, power 2, top 80 dB, %d samples at 8000 Hz')
    :format(length))
  for i = 1, 3 do
    local samples = train.sounds:read { train.clips[i] }
    local own = hz.sound.mel(hz.sound.new(samples[1], 8000), small)
    t.ok((own - train.items[i]):abs():max() == 0, 'the features are those of the sound')
  end
  t.equal(train.files.facts.kinds, { AIFF = 4, FLAC = 4, MP3 = 2, WAV = 2 })
  t.ok(train.files.facts.lossy, 'an MP3 is not raw')
end)

case('the same sounds are the same set, whatever the files are called and whichever lossless kind they have', function()
  local a = hz.data('folder', with { path = folder_of(5, { kinds = { 'wav' } }) })
  local b = hz.data('folder', with { path = folder_of(5, { kinds = { 'flac', 'aiff' } }) })
  t.equal(a.digest, b.digest)
  t.ok((a.items - b.items):abs():max() == 0, 'the features are the same')
  local c = hz.data('folder', with { path = folder_of(5, { kinds = { 'wav' } }), hop = 64 })
  t.equal(a.digest, c.digest)
  t.ok(a.made ~= c.made, 'what was heard differs')
end)

case('another rate is refused, or resampled where it is asked for; as are channels', function()
  local d = folder_of(3, { kinds = { 'wav' } })
  put(d .. '/low/x.wav', tone(200, 3000, 16000, 9))
  t.raises('needs all of one rate, or resample=8000', hz.data, 'folder', with { path = d })
  local set = hz.data('folder', with { path = d, resample = 8000, split = 'train' })
  t.equal({ set.rate, set.sounds.bits }, { 8000, 16 })
  t.match(set.made, 'resampled by ')
  local e = folder_of(3, { kinds = { 'wav' }, channels = 2 })
  put(e .. '/low/mono.wav', tone(200, 1000, 8000, 9))
  t.equal(hz.data('folder', with { path = e, split = 'train' }):shape()[3], 2)
  local mono = hz.data('folder', with { path = e, mono = true, split = 'train' })
  t.equal(mono:shape()[3], 1)
  t.match(mono.made, 'mixed to mono')
  put(e .. '/high/three.wav', tone(200, 1000, 8000, 9, 3))
  t.raises('channels, others 3; needs all alike, or mono=true', hz.data, 'folder', with { path = e })
end)

case('seconds= pads and cuts', function()
  local d = folder_of(3, { kinds = { 'wav' } })
  t.equal(hz.data('folder', with { path = d, seconds = 0.1, split = 'train' }):shape(), { 16, 7, 1 })
  t.equal(hz.data('folder', with { path = d, seconds = 1, split = 'train' }):shape(), { 16, 63, 1 })
end)

case('files that cannot be read are all named, or left out', function()
  local d = folder_of(4)
  file.write(d .. '/low/text.wav', 'no sound')
  file.write(d .. '/low/empty.flac', '')
  file.write(d .. '/high/cut.wav', t.read(d .. '/high/4.wav'):sub(1, 900))
  file.write(d .. '/high/other.m4a', 'x')
  local ok, e = pcall(hz.data, 'folder', with { path = d })
  t.ok(not ok)
  for _, part in ipairs { '4 files of ', '/low/text.wav is no sound inside', '/low/empty.flac is empty; needs WAV',
    '/high/other.m4a is M4A; needs WAV', '/high/cut.wav: ' } do
    t.ok(tostring(e):find(part, 1, true), part .. ' in ' .. tostring(e))
  end
  local train, test = hz.data('folder', with { path = d, broken = 'skip' })
  t.equal(#train + #test, 8)
end)

case('a folder is of what it holds more of; options of the other kind are refused', function()
  local d = folder_of(3)
  file.write(d .. '/low/cover.png', (hz.codec.png():encode(hz.zeros({ 4, 4, 3 }, 'u8'))))
  local set = hz.data('folder', with { path = d, split = 'train' })
  t.equal(set.files.unread, { '1 .png' })
  t.raises("size=64 was given; it is of images, and ", hz.data, 'folder', { path = d, size = 64 })
  local p = t.folder() .. '/pictures'
  for _, class in ipairs { 'a', 'b' } do
    file.mkdir(p .. '/' .. class)
    for i = 1, 3 do
      file.write(('%s/%s/%d.png'):format(p, class, i), (hz.codec.png():encode(hz.full({ 4, 4, 3 }, i, 'u8'))))
    end
  end
  t.raises('hop=64 was given; it is of sounds, and ', hz.data, 'folder', { path = p, hop = 64 })
end)

case('the doctor says what tells the class of a sound', function()
  local d = folder_of(20, { kinds = { 'wav' } })
  for i = 1, 20 do
    put(('%s/low/%d.flac'):format(d, i), tone(200, 3500 + 10 * i, 8000, i))
    file.remove(('%s/low/%d.wav'):format(d, i))
  end
  local _, text = t.run { 'data', 'doctor', 'folder', 'path=' .. d }
  t.match(text, 'files +ok +40 sounds of 2 classes, 0 broken')
  t.match(text, "format +BAD +predicts the class of 40 of 40 files")
  t.match(text, "length +BAD +predicts the class")
  t.match(text, 'rate +ok +one for all files: 8000 Hz')
end)

-- ---- published sets ----

case('idmt: the published layout, a fifth of each class for the test', function()
  local d = t.folder() .. '/idmt'
  local classes = dataset.describe 'idmt'.classes
  for k, class in ipairs(classes) do
    for p, part in ipairs { 'Gitarre monophon', 'Bass monophon' } do
      local folder = ('%s/%s/Samples/%s'):format(d, part, class)
      file.mkdir(folder)
      for i = 1, 5 do
        tone(100 * k, 400, 8000, 10 * p + i):save(('%s/G61-40100-1111-%d.wav'):format(folder, i))
      end
    end
  end
  local train, test = hz.data('idmt', with { path = d })
  t.equal({ #train, #test }, { 48, 12 })
  for k = 1, 12 do t.equal({ train:per_class()[k], test:per_class()[k] }, { 4, 1 }) end
  t.equal(#hz.data('idmt', with { path = d, parts = '', split = 'train' }), 96)
  t.equal(#hz.data('idmt', with { path = d .. '/Bass monophon', split = 'test' }), 12)
  t.raises('idmt: no path was given', hz.data, 'idmt')
  t.raises('has no folder PART/Samples/Chorus', hz.data, 'idmt', { path = t.folder() })
  for i = 1, 5 do file.remove(('%s/Gitarre monophon/Samples/EQ/G61-40100-1111-%d.wav'):format(d, i)) end
  t.raises('/Samples/EQ: has no recordings', hz.data, 'idmt', { path = d })
end)

case('fsdd: the official split', function()
  if not hz.available 'fsdd' then t.skip 'fsdd is not here; HZ_DATA names the folder that holds fsdd/' end
  local train, test = hz.data 'fsdd'
  t.equal({ #train, #test, train.rate }, { 2700, 300, 8000 })
  t.equal(train:shape(), { 64, 63, 1 })
  for k = 1, 10 do t.equal(test:per_class()[k], 30) end
  t.equal(hz.data('fsdd', { seconds = 0, n_fft = 2048, hop = 512, mels = 96, split = 'test' }):shape(), { 96, 36, 1 })
end)

-- ---- sweeps and trainings ----

local function run(args, runs)
  return t.sh(('HZ_RUNS="%s" XDG_CACHE_HOME="%s" "%s" %s 2>&1'):format(runs, runs .. '-cache', t.hz, args))
end

case('hz sweep DIR on sounds: table, fields, and the same cells again', function()
  local d, runs = folder_of(16), t.folder() .. '/runs'
  local keys = ('sweep "%s" bitrate=8,raw seed=1 epochs=2 parallel=1'):format(d)
  local status, text = run(keys, runs)
  t.equal(status, 0, text)
  for _, part in ipairs { 'features: 64 mel bands, n_fft 512, hop 128', 'net: sound%-small, 2 epochs',
    'kbit/s  SNR dB  LSD dB', 'mp3 bitrate=8 ', 'raw %(of ', 'files %(AIFF, FLAC, MP3, WAV%)' } do
    t.match(text, part)
  end
  t.ok(not text:find('PSNR', 1, true), 'no figures of pictures')
  t.match(select(2, run(keys, runs)), '2 cells, 2 of them finished')
  local _, report = t.run { 'report', '--json', 'runs=' .. runs }
  local rows = json.decode(report)
  t.equal(#rows, 2)
  for _, row in ipairs(rows) do
    t.ok(row.kbit_per_second > 0 and row.bytes_payload > 0 and row.log_spectral_distance >= 0)
    t.equal(row.psnr, json.null)
  end
  t.ok(rows[1].codec == 'raw' and rows[1].snr == json.null or rows[1].snr > 0)
  t.match(select(2, t.run { 'report', '--csv', 'runs=' .. runs }), 'kbit_per_second,kbit_per_second_train,snr')
end)

case('features have keys of their own', function()
  local d, runs = folder_of(16), t.folder() .. '/runs'
  local keys = ('sweep "%s" bitrate=raw seed=1 epochs=1 parallel=1'):format(d)
  run(keys, runs)
  t.match(select(2, run(keys .. ' mels=32', runs)), '1 cell, about')
  t.match(select(2, run(keys .. ' top_db=60', runs)), '1 cell, about')
  t.match(select(2, run(keys .. ' norm=rows', runs)), '1 cell, about')
  t.match(select(2, run(keys, runs)), '1 of them finished')
end)

case('a sweep that is stopped goes on to the same bits, as do several processes', function()
  local d, base = folder_of(16), t.folder()
  local keys = ('sweep "%s" bitrate=8,raw seed=1,2 epochs=3'):format(d)
  local id
  local function report(runs)
    local _, text = t.run { 'report', id, '--json', 'runs=' .. runs }
    local rows = json.decode(text)
    for _, row in ipairs(rows) do row.seconds, row.kernels = nil, nil end
    return rows
  end
  id = select(2, run(keys .. ' parallel=1', base .. '/one')):match 'sweep (folder_sweep%-%x+)'
  run(keys .. ' parallel=2', base .. '/two')
  local one = report(base .. '/one')
  t.equal(#one, 4)
  t.equal(report(base .. '/two'), one)
  run(('sweep "%s" bitrate=raw seed=2 epochs=3 parallel=1'):format(d), base .. '/three')
  t.match(select(2, run(keys .. ' parallel=1', base .. '/three')), '4 cells, 1 of them finished')
  t.equal(report(base .. '/three'), one)
end)

case('a codec without the parameters of the preset is taken as it is', function()
  if not plugins.has 'flac' then t.skip 'flac: its library is not installed' end
  local status, text = run(('sweep "%s" codec=flac seed=1 epochs=1 parallel=1'):format(folder_of(16)),
    t.folder() .. '/runs')
  t.equal(status, 0, text)
  t.match(text, '2 cells')
  t.match(text, '\nflac +%d')
end)

case('protocol paper: a quarter of the sounds that train is split off, as published; train= says otherwise', function()
  local script, d = hz.root .. '/experiments/audio_sweep.lua', folder_of(16)
  for _, more in ipairs { '', 'train=9' } do
    local status, text = run(('"%s" data=folder path="%s" protocol=paper bitrate=raw model=sound-small epochs=1 '
      .. 'batch=4 seed=1 parallel=1 n_fft=256 hop=64 mels=32 %s'):format(script, d, more), t.folder() .. '/runs')
    t.equal(status, 0, text)
    local n = tonumber(text:match '(%d+) training and')
    local trains = more == '' and n - math.floor(n / 4) or 9
    t.match(text, ('train=%d validation=test'):format(trains))
  end
end)

case('predict: a file or a folder by the weights of a run, made as those it was trained on', function()
  local d, runs = folder_of(16), t.folder() .. '/runs'
  local script, out = hz.root .. '/experiments/audio_train.lua', t.folder() .. '/out'
  local status, text = run(('"%s" data=folder path="%s" n_fft=256 hop=64 mels=32 model=sound-small epochs=8 batch=8 '
    .. 'out="%s" predict="%s/low"'):format(script, d, out, d), runs)
  t.equal(status, 0, text)
  local _, hits = text:gsub('/low/%d+%.%w+ +low +%d', '')
  t.ok(hits >= 14, ('%d of 16 are low in\n%s'):format(hits, text))
  local other = t.folder() .. '/other.wav'
  tone(200, 9000, 44100, 3, 2):save(other)
  status, text = run(('"%s" out="%s" predict="%s"'):format(script, out, other), runs)
  t.equal(status, 0, text)
  t.match(text, 'predict: sounds are mixed to mono')
  t.match(text, 'predict: sounds are resampled to 8000 Hz')
  t.match(text, 'other%.wav +%w+ +%d+%.%d +%w+ +%d+%.%d')
  t.match(select(2, run(('"%s" out="%s" predict="%s"'):format(script, out, script), runs)), 'holds no sound; needs WAV')
  t.match(select(2, run(('"%s" out="%s" predict=/nowhere'):format(script, out), runs)), '/nowhere is not there')
end)

case('codecs of pictures are refused for sounds, and the other way, before the first step', function()
  local text = select(2, run(('sweep "%s" codec=jpeg quality=5'):format(folder_of(4)), t.folder() .. '/runs'))
  t.match(text, 'sweep: jpeg takes images; folder /.* holds sounds\n')
  local script = hz.root .. '/experiments/audio_sweep.lua'
  text = select(2, run(('"%s" data=camera bitrate=8 model=small'):format(script), t.folder() .. '/runs'))
  t.match(text, 'sweep: mp3 takes sounds; camera holds images\n')
end)

case('a net too deep for its input ends a sweep before the first step, with layer and sizes', function()
  local status, text = run(('"%s/experiments/audio_sweep.lua" data=folder path="%s" hop=512 model=cnn_x4_mlp_128 '
    .. 'bitrate=raw'):format(hz.root, folder_of(4)), t.folder() .. '/runs')
  t.equal(status, 1)
  t.match(text, "net 'cnn_x4_mlp_128', layer %d+ '%w+': %w+: the input is %d+x%d+, the kernel")
end)
