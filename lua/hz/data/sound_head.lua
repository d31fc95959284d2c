-- sound_head.lua: which kind of sound a file begins as. Who reads them (hz/sound.h) looks closer; this is what is cheap
-- to know of every file of a folder.
local names = require 'hz.base.names'

local M = {}

-- ---- MPEG audio, layer III ----

local rates = { [3] = { 44100, 48000, 32000 }, [2] = { 22050, 24000, 16000 }, [0] = { 11025, 12000, 8000 } }
local kbits = {
  [3] = { 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320 },
  [2] = { 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160 },
}

-- Bytes of the frame that begins at this place; nil where none does. Versions: 3 MPEG-1, 2 MPEG-2, 0 MPEG-2.5.
local function frame_bytes(s, at)
  local a, b, d = s:byte(at, at + 2)
  if not d or a ~= 255 or b < 224 or math.floor(b / 2) % 4 ~= 1 then return nil end
  local version, rate, index = math.floor(b / 8) % 4, math.floor(d / 4) % 4, math.floor(d / 16)
  if version == 1 or rate == 3 or index == 0 or index == 15 then return nil end
  local kbit = kbits[version == 3 and 3 or 2][index]
  return math.floor((version == 3 and 144000 or 72000) * kbit / rates[version][rate + 1]) + math.floor(d / 2) % 2
end

-- A frame, and another behind it as far as the bytes go.
local function mpeg(s)
  local bytes = frame_bytes(s, 1)
  return bytes and (bytes + 3 > #s or frame_bytes(s, bytes + 1)) and 'MP3' or nil
end

-- ---- others ----

-- The first packet of an Ogg page says whose it is.
local function ogg(s)
  if s:sub(1, 4) ~= 'OggS' then return nil end
  return s:find('OpusHead', 1, true) and 'Opus' or 'Ogg'
end

local function m4a(s) return s:match '^....ftypM4[AB] ' and 'M4A' or nil end

-- A pattern at the beginning, or a function of the first bytes; and the kind.
local kinds = {
  { '^RIFF....WAVE', 'WAV' }, { '^RF64....WAVE', 'WAV' }, { '^BW64....WAVE', 'WAV' }, { '^RIFX....WAVE', 'WAV' },
  { '^FORM....AIF[FC]', 'AIFF' }, { '^fLaC', 'FLAC' }, { ogg }, { '^%.snd', 'AU' }, { '^caff', 'CAF' },
  { '^riff\46\145\207\17', 'W64' }, { '^ID3', 'MP3' }, { mpeg }, { m4a }, { '^#!AMR', 'AMR' }, { '^MThd', 'MIDI' },
  { '^MAC ', 'APE' }, { '^wvpk', 'WavPack' }, { '^\48\38\178\117\142\102\207\17', 'WMA' },
  { '^\255[\240\241\248\249]', 'AAC' },
}

-- What the first bytes belong to; nil for no sound.
function M.kind(s)
  for _, row in ipairs(kinds) do
    local test, kind = row[1], row[2]
    if type(test) == 'function' then kind = test(s) elseif not s:find(test) then kind = nil end
    if kind then return kind end
  end
end

M.readable = names.set 'WAV AIFF FLAC Ogg Opus MP3 AU CAF W64'

return names.guard('sound_head', M)
