-- clips_test.lua: files of sound as people have them: every kind read to its samples; odd, damaged and mislabelled ones
-- read rightly or refused by name and reason; many at once by any number of threads.
-- fixtures/tone.ogg (mono, Vorbis) and tone.opus (stereo, the right half as loud): 2,000 frames at 8 kHz of half a sine
-- of 440 Hz, written by libsndfile.
local t = ...
local codec = require 'hz.codec.codec'
local ffi = require 'ffi'
local file = require 'hz.base.file'
local hz = require 'hz'
local plugins = require 'hz.codec.plugins'
local sound = require 'hz.codec.sound'

-- Cases need the plugins that read and resample.
local function case(name, f)
  t.case('sound: ' .. name, function()
    local have = {}
    for _, row in ipairs(plugins.list()) do have[row.name or ''] = true end
    for _, need in ipairs { 'sndfile', 'mpg123', 'soxr' } do
      if not have[need] then t.skip('%s: its library is not installed', need) end
    end
    f()
  end)
end

-- ---- files by hand ----

local function number(n, bytes)
  local s = {}
  for i = 1, bytes do s[i], n = string.char(n % 256), math.floor(n / 256) end
  return table.concat(s)
end

local function float(v) return ffi.string(ffi.new('float[1]', v), 4) end
local function chunk(id, s) return id .. number(#s, 4) .. s .. (#s % 2 == 1 and '\0' or '') end
local function riff(body) return 'RIFF' .. number(#body + 4, 4) .. 'WAVE' .. body end

-- o: tag, channels, rate, bits, more (of the format).
local function format(o)
  local channels, bits, rate = o.channels or 1, o.bits or 16, o.rate or 8000
  local block = math.max(1, channels * bits / 8)
  return chunk('fmt ', number(o.tag or 1, 2) .. number(channels, 2) .. number(rate, 4)
    .. number(rate * block % 2 ^ 32, 4) .. number(block, 2) .. number(bits, 2) .. (o.more or ''))
end

local function wav(o, samples) return riff(format(o) .. chunk('data', samples)) end
local function load(bytes) return sound.load { bytes = bytes } end

local function samples_of(a)
  local list, p = {}, a.samples:pointer 'read'
  for i = 0, a.samples:count() - 1 do list[i + 1] = p[i] end
  return list
end

local guid = '\0\0\0\0\16\0\128\0\0\170\0\56\155\113'
local function extensible(kind, bits)
  return number(22, 2) .. number(bits, 2) .. number(0, 4) .. number(kind, 2) .. guid
end

-- ---- what is read ----

case('samples of every width', function()
  for _, row in ipairs {
    { { bits = 8 }, '\0\128\255', { -1, 0, 127 / 128 } },
    { { bits = 16 }, '\0\128\1\0\255\127', { -1, 1 / 32768, 32767 / 32768 } },
    { { bits = 24 }, '\0\0\128\1\0\0\255\255\127', { -1, 2 ^ -23, 1 - 2 ^ -23 } },
    { { bits = 32 }, '\0\0\0\128\0\1\0\0', { -1, 2 ^ -23 } },
    { { tag = 3, bits = 32 }, float(0.3) .. float(-1.5), { tonumber(ffi.new('float', 0.3)), -1.5 } },
    { { tag = 3, bits = 64 }, ffi.string(ffi.new('double[1]', 0.25), 8), { 0.25 } },
    { { tag = 0xfffe, bits = 16, more = extensible(1, 16) }, '\0\64', { 0.5 } },
    { { tag = 0xfffe, bits = 32, more = extensible(3, 32) }, float(0.5), { 0.5 } },
    { { channels = 2 }, '\0\64\0\192\0\32\0\0', { 0.5, -0.5, 0.25, 0 } },
  } do
    local a = load(wav(row[1], row[2]))
    t.equal(samples_of(a), row[3])
    t.equal({ a.rate, a.channels, a.kind }, { 8000, row[1].channels or 1, 'wav' })
  end
end)

case('one sample, seven channels, odd chunks, RF64, lengths that are not known', function()
  t.equal(load(wav({}, '\0\64')).frames, 1)
  local a = load(wav({ channels = 7 }, ('\0\1'):rep(14)))
  t.equal({ a.frames, a.channels }, { 2, 7 })
  local odd = format {} .. chunk('LIST', 'INFOabc') .. chunk('odd ', 'x') .. chunk('data', '\0\64')
    .. chunk('end ', 'y')
  t.equal(samples_of(load(riff(odd))), { 0.5 })
  t.equal(samples_of(load(wav({ bits = 8 }, '\192'))), { 0.5 })
  local function rf64(bytes)
    local ds64 = chunk('ds64', number(80, 8) .. number(bytes, 8) .. number(2, 8) .. number(0, 4))
    return 'RF64\255\255\255\255WAVE' .. ds64 .. format {} .. 'data\255\255\255\255\0\64\0\64'
  end
  t.equal(samples_of(load(rf64(4))), { 0.5, 0.5 })
  t.match(t.raises('cut off', load, rf64(260)), '260 bytes, of which 4')
  t.equal(load(riff(format {} .. 'data\255\255\255\255\0\64\0\64')).frames, 2)          -- from a pipe
end)

case('FLAC, AIFF and WAV give back what they were given', function()
  local x = hz.rand({ 500, 2 }, -1, 1, { seed = 1, stream = 1 })
  local function at(bits) return (x * (2 ^ (bits - 1) - 1)):round() / 2 ^ (bits - 1) end
  for _, row in ipairs { { 'wav', 16, 16 }, { 'wav', 24, 24 }, { 'wav', 32, 40 }, { 'aiff', 16, 16 },
      { 'aiff', 32, 40 }, { 'flac', 16, 16 }, { 'flac', 24, 24 } } do
    local a = sound.new(row[3] > 24 and x / 3 or at(row[3]), 22050)
    for _, bits in ipairs { row[2], 0 } do
      local b = load(a:bytes(row[1], bits > 0 and bits or nil))
      t.ok((a.samples - b.samples):abs():max() == 0, row[1] .. ' ' .. bits)
      t.equal({ b.rate, b.kind }, { 22050, row[1] })
    end
    t.ok(#a:bytes(row[1]) == #a:bytes(row[1], row[2]), 'as few bits as hold it')
  end
end)

case('what cannot be saved', function()
  local a, folder = sound.new(hz.full({ 10 }, 1.5), 8000), t.folder()
  t.match(t.raises('a sample is 1.5', a.bytes, a, 'flac'), 'needs %-1 to 1 in 24 bits')
  t.raises("bits is 20; needs 16, 24 or 32", a.bytes, a, 'wav', 20)
  t.raises('flac has no samples of 32 bits', a.bytes, a, 'flac', 32)
  t.raises('ends in .mp3; have wav, aiff, flac', a.save, a, folder .. '/x.mp3')
  t.raises('ends in nothing', a.save, a, folder .. '/x')
  t.equal(load(file.read_all(a:save(folder .. '/x.wav'))):peak(), 1.5)
end)

case('Ogg Vorbis and Opus have their length and stand where they were', function()
  local sine = sound.new(hz.tensor((function()
    local list = {}
    for i = 0, 1999 do list[i + 1] = 0.5 * math.sin(2 * math.pi * 440 * i / 8000) end
    return list
  end)()), 8000)
  for name, channels in pairs { ['tone.ogg'] = 1, ['tone.opus'] = 2 } do
    local a = sound.load(t.here .. 'fixtures/' .. name)
    t.equal({ a.frames, a.channels, a.rate, a.kind }, { 2000, channels, 8000, 'ogg' })
    local left = a.samples:slice(2, 1, 1)
    t.ok((left - sine.samples):slice(1, 200, 1800):abs():max() < 0.06, name)
  end
end)

-- ---- what is refused ----

local function refused(bytes, part) return t.raises(part, load, bytes) end

case('what is empty, cut, of another kind, of no rate, not finite', function()
  local tone, good = file.read_all(t.here .. 'fixtures/tone.ogg'), wav({}, ('\0\64'):rep(100))
  local opus = file.read_all(t.here .. 'fixtures/tone.opus')
  refused('', 'bytes: it is empty')
  refused('hello, this is no sound', 'begins like no kind of sound')
  refused(wav({}, ''), 'it holds no samples')
  refused(good:sub(1, -2), 'cut off: its samples take 200 bytes, of which 199 are there')
  refused(good:sub(1, 30), 'libsndfile says')
  refused(wav({ rate = 0 }, '\0\64'), '')
  refused(wav({ rate = 10000000 }, '\0\64'), 'its rate is 1e+07 Hz; needs a whole number of 1 to 1000000')
  refused(wav({ tag = 3, bits = 32 }, float(0) .. float(0 / 0)), 'frame 2 of channel 1 is')
  refused(wav({ tag = 3, bits = 32, channels = 2 }, float(0) .. float(1 / 0)),
    'frame 1 of channel 2 is inf; needs finite')
  refused(wav({ tag = 0x55 }, ('\0\64'):rep(100)), '')
  refused(wav({ channels = 300 }, ('\0'):rep(600)), 'it has 300 channels; needs 1 to 256')
  refused(tone .. tone, 'it holds two streams')
  refused(tone .. opus, 'it holds two streams')
  refused(tone:sub(1, -50), 'no whole Ogg page')
  refused(tone:sub(1, 58), 'its last Ogg page is missing')
  local flac = load(good):bytes 'flac'
  refused(flac:sub(1, -20), 'flac')
  refused(load(good):bytes 'aiff':sub(1, -20), 'cut off')
end)

case('a missing or misspelt path is named', function()
  t.raises('/none/there.wav: opening: No such file', sound.load, '/none/there.wav')
  t.raises('the file name is nil', sound.load)
end)

-- ---- MP3 ----

local function mp3(o, a)
  if not plugins.has 'mp3' then t.skip 'mp3: its library is not installed' end
  return (codec.mp3(o):encode(a))
end

local function tone(frames, channels)
  local x = hz.zeros { frames, channels }
  local p = x:pointer()
  for i = 0, frames * channels - 1 do p[i] = 0.4 * math.sin(i / channels * 0.2) end
  return sound.new(x, 22050)
end

case('MP3 without an info frame, behind tags, cut, damaged, with another rate in it', function()
  local stream = mp3({ bitrate = 64 }, tone(9000, 2))
  local a = load(stream)
  t.equal({ a.rate, a.channels, a.kind, a.frames % 576 }, { 22050, 2, 'mp3', 0 })
  local tag = 'ID3\3\0\0\0\0\1\0' .. ('\0'):rep(128)
  local b = load(tag .. stream .. 'TAG' .. (' '):rep(125))
  t.ok((a.samples - b.samples):abs():max() == 0, 'tags are passed over')
  refused(stream:sub(1, -5), 'cut off: its last frame takes')
  refused(stream:sub(1, 700) .. 'xyz' .. stream:sub(701), 'damaged')
  refused('ID3\3\0\0\0\127\127\127', 'begins like no kind of sound')
  refused(stream .. mp3({ bitrate = 64 }, sound.new(tone(9000, 2).samples, 44100)), 'rate or layer change')
end)

case("MP3 with lame's info frame has the length that went in, and says when frames are missing", function()
  local folder = t.folder()
  if os.execute('command -v lame > /dev/null 2>&1') ~= 0 then t.skip 'lame is not installed' end
  for _, frames in ipairs { 1, 500, 3000, 12345 } do
    tone(frames, 1):save(folder .. '/x.wav', { bits = 16 })
    t.sh(('cd %s && lame --quiet -b 64 x.wav x.mp3'):format(t.quote(folder)))
    local a = sound.load(folder .. '/x.mp3')
    t.equal(a.frames, frames)
    t.equal(sound.scan({ folder .. '/x.mp3' })[1].frames, frames)
    if frames > 2000 then
      t.ok((a.samples - tone(frames, 1).samples):slice(1, 200, frames - 200):abs():max() < 0.05, 'aligned')
      local whole = file.read_all(folder .. '/x.mp3')
      refused(whole:sub(1, math.floor(#whole / 2 / 208) * 208), '')
    end
  end
end)

-- ---- other rates ----

case('resampling keeps a tone where it was, and is never done unasked', function()
  local a = tone(22050, 1)
  local b = a:resample(8000)
  t.equal({ b.frames, b.rate }, { 8000, 8000 })
  local p, far = b.samples:pointer 'read', 0
  for i = 500, 7500 do far = math.max(far, math.abs(p[i] - 0.4 * math.sin(i * 22050 / 8000 * 0.2))) end
  t.ok(far < 1e-5, far)
  t.raises('it has 22050 Hz; needs 8000, or resampling', sound.samples, { a }, { rate = 8000, frames = 9000 })
  t.equal((sound.samples({ a }, { rate = 8000, frames = 9000, resample = true })):size(), { 1, 9000, 1 })
  t.raises('the rate is 0; needs a whole number of 1..1000000', a.resample, a, 0)
  t.equal(a:resample(22050).frames, 22050)
end)

-- ---- many ----

case('many by any number of threads: the same items, broken ones named', function()
  local list, folder = {}, t.folder()
  for i = 1, 40 do
    local a = tone(100 + 37 * i, 1)
    list[i] = i % 3 == 0 and a:save(('%s/%d.flac'):format(folder, i)) or i % 3 == 1 and { bytes = a:bytes 'wav' } or a
  end
  local o = { rate = 22050, frames = 2000, threads = 1, mel = { n_fft = 256, hop = 64, mels = 10 } }
  local one, rows = sound.features(list, o)
  t.equal(one:size(), { 40, 10, 32, 1 })
  t.equal({ rows[3].kind, rows[3].frames, rows[3].rate, rows[4].kind }, { 'flac', 211, 22050, 'wav' })
  for i = 1, 40 do
    local x = hz.zeros { 2000 }
    local own = sound.is(list[i]) and list[i] or sound.load(list[i])
    x:slice(1, 1, own.frames):copy(own.samples:reshape { own.frames })
    t.ok((one[i] - sound.mel(sound.new(x, 22050), o.mel)):abs():max() == 0, 'silence follows')
  end
  for _, threads in ipairs { 2, 3, 7 } do
    o.threads = threads
    t.ok((one - sound.features(list, o)):abs():max() == 0, threads .. ' threads')
  end
  file.write(folder .. '/no.wav', 'text')
  list[5], list[17] = folder .. '/no.wav', { bytes = wav({}, '\0\64') }
  local message = t.raises('2 of 40 cannot be used', sound.features, list, o)
  t.match(message, '/no.wav: it begins like no kind of sound')
  t.match(message, 'number 17: it has 8000 Hz; needs 22050, or resampling')
  o.broken = 'skip'
  local rest, good, bad = sound.features(list, o)
  t.equal({ rest:size(1), #good, #bad, bad[1].at, bad[2].at, good[5].at }, { 38, 38, 2, 5, 17, 6 })
  t.ok((rest[5] - one[6]):abs():max() == 0)
  t.ok((rest[38] - one[40]):abs():max() == 0)
end)

case('streams of a codec come back as long as their originals, where that is said', function()
  local a = tone(9001, 2)
  local stream = mp3({ bitrate = 64 }, a)
  local o = { rate = 22050, frames = 9001, channels = 2, codec = 'mp3' }
  t.raises('frames at 22050 Hz; needs at most 9001', sound.samples, { { bytes = stream } }, o)
  local x, rows = sound.samples({ { bytes = stream, frames = 9001, rate = 22050 } }, o)
  t.equal({ rows[1].frames, rows[1].kind }, { 9001, 'mp3' })
  t.ok((x[1] - a.samples):slice(1, 200, 8800):abs():max() < 0.05, 'aligned')
end)

case('channels: mono is repeated, more are refused or mixed', function()
  local a = tone(300, 2)
  local o = { rate = 22050, frames = 300, channels = 1 }
  t.raises('it has 2 channels; needs 1, or mixing', sound.samples, { a }, o)
  o.mix = true
  t.ok((sound.samples({ a }, o)[1] - a:mono().samples):abs():max() < 1e-7)
  local twice = sound.samples({ a:mono() }, { rate = 22050, frames = 300, channels = 2 })
  t.ok((twice:slice(3, 1, 1) - twice:slice(3, 2, 2)):abs():max() == 0)
  t.raises('it has 2 channels; needs 3', sound.samples, { a }, { rate = 22050, frames = 300, channels = 3 })
  t.raises('it has 300 frames at 22050 Hz; needs at most 299', sound.samples, { a },
    { rate = 22050, frames = 299, channels = 2 })
end)

case('scan tells what is there without decoding it', function()
  local good, bad = sound.scan { t.here .. 'fixtures/tone.ogg', t.here .. 'fixtures/cmyk.jpg', { bytes = '' } }
  t.equal({ good[1].frames, good[1].rate, good[1].channels, good[1].kind }, { 2000, 8000, 1, 'ogg' })
  t.match(bad[1].reason, 'begins like no kind')
  t.equal(bad[2].reason, 'it is empty')
end)
