-- sound_codecs_test.lua: Vorbis, Opus and FLAC from Lua: sounds where they were and as long, accounts, what a value
-- forces. MP3 has a file of its own.
local t = ...
local c = require 'hz.c'
local clip = require 'hz.codec.clip'
local codec = require 'hz.codec.codec'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'

local sounds = assert(loadfile(t.here .. 'sounds.lua'))()
local sound, offset = sounds.noise, sounds.offset

local function resampler() return plugins.list() and c.C.hz_sound_resampler_name() ~= nil end

local function case(name, title, f)
  t.case(('%s: %s'):format(name, title), function()
    if not plugins.has(name) then t.skip('the plugin %s is not built', name) end
    f(codec[name])
  end)
end

local values = {
  vorbis = { 'quality', { -1, 3, 10 } }, opus = { 'bitrate', { 12, 32, 64, 256 } }, flac = { 'level', { 0, 8 } },
}

for name, row in pairs(values) do
  case(name, 'what is decoded stands where it stood, at any rate and number of channels', function(make)
    for _, rate in ipairs { 8000, 11025, 22050, 44100, 48000 } do
      if name == 'opus' and rate % 11025 == 0 and not resampler() then break end
      for channels = 1, 2 do
        local x = sound(rate, channels, 0.4)
        for _, v in ipairs(row[2]) do
          local one = make { [row[1]] = v }
          local stream, a = one:encode(x, { rate = rate })
          local back, at = one:decode(stream)
          t.equal({ at, back:size(1), back:size(2), a.payload + a.tables + a.container }, { rate, x:size(1), channels,
            #stream })
          t.ok(a.tables > 0 and a.container > 0 and a.payload > 0)
          t.equal(offset(x, back), 0, ('%s=%g at %d Hz, %d channels'):format(row[1], v, rate, channels))
        end
      end
    end
  end)

  case(name, 'streams that are cut are refused', function(make)
    local one = make {}
    local stream = one:encode(sound(8000, 1, 0.5), { rate = 8000 })
    for _, n in ipairs { 1, 30, math.floor(#stream / 2), #stream - 1 } do
      t.raises(name .. ': ', one.decode, one, stream:sub(1, n))
    end
  end)

  case(name, 'hz plugin check finds nothing wrong', function()
    local status, out = t.run(('plugin check %s --only again,direction,ranges,lengths,delay,room,inputs'):format(name))
    t.equal(status, 0, out)
    t.match(out, '\n  delay      ok ')
  end)
end

case('vorbis', 'streams know their length; up to 8 channels', function(make)
  local one = make { quality = 6 }
  for channels = 1, 8 do
    local x = sound(16000, channels, 0.1)
    local back, rate = codec.vorbis {}:decode((one:encode(x, { rate = 16000 })))
    t.equal({ rate, back:size(1), back:size(2) }, { 16000, 1600, channels })
  end
  t.raises('vorbis: the item has 9 channels; needs 1 or 2 or 3', one.encode, one, tensor.zeros { 9, 9 },
    { rate = 8000 })
end)

case('vorbis', 'tables are the codebooks and the first header, the same for all sounds', function(make)
  local x = tensor.zeros { 3, 8000, 1 }
  for i = 1, 3 do x[i] = sound(8000 + i, 1, 1):slice(1, 1, 8000) end
  local _, a = make():recode(x, { rate = 8000 })
  t.equal({ a.tables_distinct, a.tables_once }, { 2, a.bytes_tables })
  local stream, one = make():encode(x[1], { rate = 8000 })
  local kinds = {}
  for i, s in ipairs(one.segments) do kinds[i] = s.part end
  t.equal({ kinds[1], kinds[2], one.segments[2].bytes }, { 'container', 'tables', 30 })
  t.equal(stream:sub(one.segments[2].offset + 1, one.segments[2].offset + 7), '\1vorbis')
end)

case('opus', 'the head is a table, and tells the rate', function(make)
  local stream, a = make():encode(sound(24000, 2, 0.3), { rate = 24000 })
  t.equal({ a.tables, a.segments[2].part, a.segments[2].offset }, { 19, 'tables', 28 })
  t.equal(stream:sub(29, 36), 'OpusHead')
  local back, rate = codec.opus {}:decode(stream)
  t.equal({ rate, back:size() }, { 24000, { 7200, 2 } })
end)

case('opus', 'sounds at rates that it does not take are resampled, which is said', function(make)
  if not resampler() then t.skip 'the plugin soxr is not built' end
  t.match(make { bitrate = 64 }:note { rate = 44100 }, '^44100 Hz become 48000 Hz %(libsoxr')
  t.match(make { bitrate = 6 }:note { rate = 8000 }, '^$')
  t.match(make { bitrate = 6 }:note { rate = 48000 }, '^lowpass 4000 Hz$')
  local x = sound(44100, 1, 0.3)
  local stream = make():encode(x, { rate = 44100 })
  local back, rate = codec.opus {}:decode(stream)
  t.equal({ rate, back:size(1) }, { 48000, 14400 })
  back, rate = codec.opus {}:decode(stream, { frames = 13230, rate = 44100 })
  t.equal({ rate, back:size(1) }, { 44100, 13230 })
end)

case('vorbis', 'a lowpass is said', function(make)
  t.match(make { quality = -1 }:note { rate = 44100, channels = 2 }, '^lowpass 13900 Hz$')
  t.equal(make { quality = 10 }:note { rate = 44100 }, '')
end)

case('flac', 'samples of 16, 24 and 32 bits come back as they were, others are refused', function(make)
  for bits = 1, 32 do
    local x = tensor.zeros { 200, 2 }
    local p, state = x:pointer(), bits
    for i = 0, 399 do
      state = (state * 16807) % 2147483647
      p[i] = (state % 2 ^ math.min(bits, 20) - 2 ^ math.min(bits, 20) / 2) / 2 ^ (bits - 1)
    end
    p[0], p[1] = -1, 1 - 2 ^ -math.min(bits - 1, 24)
    local back, rate = make():decode((make():encode(x, { rate = 96000 })))
    t.equal({ rate, back:ne(x):sum() }, { 96000, 0 }, bits .. ' bits')
  end
  t.raises('flac: frame 1 of the sound has the sample 0.00033333333; needs whole numbers of at most 32 bits',
    make().encode, make(), tensor.from { { 0.5 }, { 1 / 3000 } }:to 'f32', { rate = 8000 })
end)

case('flac', 'an effort costs bits or saves them', function(make)
  local x = sound(44100, 1, 1)
  t.ok(#make { level = 8 }:encode(x, { rate = 44100 }) < #make { level = 0 }:encode(x, { rate = 44100 }))
end)

for _, name in ipairs { 'flac', 'mp3', 'opus', 'vorbis' } do
  case(name, 'a sound goes in, a sound comes out', function(make)
    local a, one = clip.new(sound(8000, 2, 0.3), 8000), make()
    local stream, account = one:encode(a)
    t.equal({ account.frames, account.rate, account.bytes }, { 2400, 8000, #stream })
    for _, back in ipairs { one:decode(stream), one:decode(stream, account), (one:decode(one:encode(a))) } do
      t.ok(clip.is(back))
      t.equal({ back.rate, back.frames, back.channels, offset(a.samples, back.samples) }, { 8000, 2400, 2, 0 })
    end
    local samples, rate = make():decode(stream, account)
    t.equal({ rate, samples:size() }, { 8000, { 2400, 2 } })
  end)
end
