-- mp3_test.lua: the MP3 codec from Lua: the streams of the program lame, sounds where they were, accounts, and what is
-- said of what a bitrate forces.
local t = ...
local ffi = require 'ffi'
local c = require 'hz.c'
local codec = require 'hz.codec.codec'
local encoding = require 'hz.codec.encoding'
local plugins = require 'hz.codec.plugins'
local rows_of = require 'hz.sweep.rows'
local tensor = require 'hz.tensor.tensor'
local bit = require 'bit'

local sounds = assert(loadfile(t.here .. 'sounds.lua'))()
local sound, offset = sounds.noise, sounds.offset

local function case(name, f)
  t.case('mp3: ' .. name, function()
    if not plugins.has 'mp3' then t.skip 'no libmp3lame, or no libmpg123' end
    f()
  end)
end

local published = { 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320 }
local rates = { 44100, 22050, 8000 }

-- The sound as the text of a WAV file.
local function wav(x, rate)
  local n, channels, p = x:count(), x:size(2), x:pointer 'read'
  local head, samples = ffi.new('uint32_t[11]', 0x46464952, 36 + 2 * n, 0x45564157, 0x20746d66, 16,
    1 + 65536 * channels, rate, 2 * channels * rate, 2 * channels + 65536 * 16, 0x61746164, 2 * n),
    ffi.new('int16_t[?]', n)
  for i = 0, n - 1 do samples[i] = p[i] * 32768 end
  return ffi.string(head, 44) .. ffi.string(samples, 2 * n)
end

local function streams_of_lame(rate, channels)
  local x, path = sound(rate, channels, 0.7), t.folder() .. '/x.wav'
  t.write(path, wav(x, rate))
  local rows = {}
  for _, b in ipairs(published) do rows[#rows + 1] = { { bitrate = b }, ('-b %d'):format(b) } end
  rows[#rows + 1] = { { quality = 0 }, '-V 0' }
  rows[#rows + 1] = { { quality = 4.5 }, '-V 4.5' }
  rows[#rows + 1] = { { quality = 9 }, '-V 9' }
  rows[#rows + 1] = { { bitrate = 96, effort = 0 }, '-b 96 -q 0' }
  rows[#rows + 1] = { { bitrate = 96, effort = 9 }, '-b 96 -q 9' }
  for _, row in ipairs(rows) do
    t.equal((t.sh(('lame --quiet %s -t %s %s.mp3'):format(row[2], path, path))), 0)
    local stream = codec.mp3(row[1]):encode(x, { rate = rate })
    t.ok(stream == t.read(path .. '.mp3'), ('lame %s -t at %d Hz, %d channels'):format(row[2], rate, channels))
  end
end

for _, rate in ipairs(rates) do
  case(('the streams are those of lame at %d Hz'):format(rate), function()
    if not t.tool 'lame' then t.skip 'lame is not installed' end
    for channels = 1, 2 do streams_of_lame(rate, channels) end
  end)
end

case('what is decoded stands where it stood, at every bitrate, rate and number of channels', function()
  if c.C.hz_sound_resampler_name() == nil then t.skip 'the plugin soxr is not built' end
  for _, rate in ipairs(rates) do
    for channels = 1, 2 do
      local x = sound(rate, channels, 0.4)
      for _, b in ipairs(published) do
        local mp3 = codec.mp3 { bitrate = b }
        local back, at = mp3:decode((mp3:encode(x, { rate = rate })))
        t.equal({ at, back:size(1), back:size(2) }, { rate, x:size(1), channels })
        t.equal(offset(x, back), 0, ('%d kbit/s at %d Hz, %d channels'):format(b, rate, channels))
      end
    end
  end
end)

case('a codec that did not encode a stream is told the length, or leaves what the stream has', function()
  if c.C.hz_sound_resampler_name() == nil then t.skip 'the plugin soxr is not built' end
  local x, mp3 = sound(44100, 1, 0.1), codec.mp3 { bitrate = 8 }
  local stream = mp3:encode(x, { rate = 44100 })
  local own, other = mp3:decode(stream), codec.mp3 {}
  local back, rate = other:decode(stream)
  t.equal(rate, 8000)
  t.ok(back:size(1) >= 800 and back:size(1) < 2400)
  back, rate = other:decode(stream, { frames = 4410, rate = 44100 })
  t.equal({ rate, back:size() }, { 44100, { 4410, 1 } })
  t.equal((back - own):abs():max(), 0)
end)

case('streams with tags and an info frame are as long as their originals', function()
  if not t.tool 'lame' then t.skip 'lame is not installed' end
  local x, path = sound(44100, 2, 0.5), t.folder() .. '/x.wav'
  t.write(path, wav(x, 44100))
  for _, options in ipairs { '', '--tt title', '--id3v1-only --tt title', '--id3v2-only --tt title', '-V 3', '-p' } do
    t.equal((t.sh(('lame --quiet -b 128 %s %s %s.mp3'):format(options, path, path))), 0)
    local back, rate = codec.mp3():decode(t.read(path .. '.mp3'))
    t.equal({ rate, back:size(), offset(x, back) }, { 44100, x:size(), 0 }, 'lame -b 128 ' .. options)
  end
end)

-- ---- the account, by another reading of the standard ----

local function field(s, at, n)
  local v = 0
  for i = at, at + n - 1 do v = 2 * v + bit.band(bit.rshift(s:byte(math.floor(i / 8) + 1), 7 - i % 8), 1) end
  return v
end

-- Frames of a stream, and the whole bytes that their main data take: each frame's own part2_3_length bits.
local function main_data(s, size)
  local at, frames, bytes = 1, 0, 0
  while at <= #s do
    local one, mono = field(s:sub(at, at + 3), 12, 1) == 1, field(s:sub(at, at + 3), 24, 2) == 3
    local side, bits = s:sub(at + 4, at + 35), 0
    local start = one and (mono and 18 or 20) or (mono and 9 or 10)
    for i = 0, (one and 2 or 1) * (mono and 1 or 2) - 1 do
      bits = bits + field(side, start + i * (one and 59 or 63), 12)
    end
    frames, bytes = frames + 1, bytes + math.ceil(bits / 8)
    at = at + size(s:sub(at, at + 3))
  end
  return frames, bytes
end

case('payload is the main data, the rest is container', function()
  for _, row in ipairs { { 44100, 1, 128, 144 }, { 44100, 2, 256, 144 }, { 22050, 1, 32, 72 }, { 22050, 2, 64, 72 },
    { 8000, 1, 64, 72 }, { 8000, 2, 24, 72 } } do
    local rate, channels, b, words = unpack(row)
    local bytes = words * 1000 * b / rate
    local stream, a = codec.mp3 { bitrate = b }:encode(sound(rate, channels, 0.5), { rate = rate })
    local frames, main = main_data(stream, function(head) return math.floor(bytes) + field(head, 22, 1) end)
    t.equal({ a.bytes, a.payload, a.tables, a.container }, { #stream, main, 0, #stream - main })
    t.ok(a.container >= frames * (4 + 9) and main > 0)
  end
end)

-- ---- what is said ----

case('what a bitrate forces is said', function()
  local function note(b, rate, channels) return codec.mp3 { bitrate = b }:note { rate = rate, channels = channels } end
  t.match(note(8, 44100), '^44100 Hz become 8000 Hz, lowpass 3%d%d%d Hz')
  t.match(note(320, 8000, 2), '^320 kbit/s become 64 kbit/s')
  t.match(note(128, 44100, 2), '^lowpass 17000 Hz')
  t.ok(not note(64, 8000):find 'Hz', 'nothing of a rate that stays')
  t.match(codec.mp3 { quality = 9 }:note { rate = 44100 }, 'Hz become')
end)

case('what is forced stands in labels of cells and in the notes of tables, each once', function()
  local set = { rate = 44100, sounds = { channels = 2 } }
  local eight, high = encoding.make('mp3', { bitrate = 8 }), encoding.make('mp3', { bitrate = 320 })
  t.equal(encoding.raw:forces(set), nil)
  t.equal(eight:forces { items = tensor.zeros { 2, 30, 2 } }, nil)
  t.match(eight:forces(set), '^44100 Hz become 8000 Hz, lowpass 2000 Hz')
  local function row(a, b) return { trained = a, tested = b, forced = a:forces(set), forced_test = b:forces(set) } end
  local raw = encoding.raw
  local list = rows_of.forced { row(raw, raw), row(eight, eight), row(high, eight), row(eight, eight) }
  t.equal(#list, 2)
  t.match(list[1], '^mp3 bitrate=8: 44100 Hz become 8000 Hz')
  t.match(list[2], '^mp3 bitrate=320: lowpass 20%d00 Hz')
end)

case('mistakes are messages', function()
  local mp3 = codec.mp3
  t.raises('mp3: bitrate is 33; needs one of 8, 16, 24, 32, 40,', mp3, { bitrate = 33 })
  t.raises('mp3: bitrate', mp3, { bitrate = 321 })
  t.raises('mp3: effort', mp3, { effort = 10 })
  t.raises('mp3: rate is nil; needs the frames per second', mp3().note, mp3(), {})
  t.raises('mp3: the item has 3 channels; needs 1 or 2', mp3().note, mp3(), { rate = 8000, channels = 3 })
  t.raises('mp3: byte 0 of 40 of the stream begins no whole frame of layer III', mp3().decode, mp3(), ('x'):rep(40))
  local stream = mp3():encode(sound(8000, 1, 0.3), { rate = 8000 })
  t.raises('begins no whole frame of layer III', mp3().decode, mp3(), stream:sub(1, -2))
end)

case('hz plugin check finds nothing wrong', function()
  for _, value in ipairs { '', 'bitrate=8', 'quality=5' } do
    local status, out = t.run('plugin check mp3 --only again,lengths,rates,delay ' .. value)
    t.equal(status, 0, out)
    t.match(out, '\n  delay      ok ')
  end
end)
