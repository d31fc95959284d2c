-- sounds.lua: one damaged file of sound at a time: a good file of some kind with bytes changed, lost, doubled, cut, or
-- mixed with those of another. It is read, or refused with a message; what was read is finite and of some length, and a
-- scan never tells of a sound that reading refuses for its shape.
local _, _, count, _, damage = ...
local c = require 'hz.c'
local codec = require 'hz.codec.codec'
local hz = require 'hz'
local plugins = require 'hz.codec.plugins'
local sound = require 'hz.codec.sound'

local M = {}

local RATE = 8000

-- ---- good files ----

local function number(n, bytes)
  local s = {}
  for i = 1, bytes do s[i], n = string.char(n % 256), math.floor(n / 256) end
  return table.concat(s)
end

local function chunk(id, s) return id .. number(#s, 4) .. s .. (#s % 2 == 1 and '\0' or '') end

-- A WAV file by hand: format tag, channels, rate, bits, more of the format, samples.
local function wav(tag, channels, bits, more, samples)
  local block = channels * bits / 8
  local format = number(tag, 2) .. number(channels, 2) .. number(RATE, 4) .. number(RATE * block, 4) .. number(block, 2)
    .. number(bits, 2) .. more
  local body = 'WAVE' .. chunk('fmt ', format) .. chunk('LIST', 'INFOISFT\3\0\0\0abc') .. chunk('data', samples)
  return 'RIFF' .. number(#body, 4) .. body
end

local guid = '\0\0\0\0\16\0\128\0\0\170\0\56\155\113'

local seeds                        -- name -> bytes
local function make_seeds()
  for _, row in ipairs(plugins.list()) do seeds = seeds or row.name == 'sndfile' and {} or nil end
  if not seeds then return end
  local a = sound.new(hz.rand({ 700, 2 }, -0.5, 0.5, { seed = 3, stream = 1 }), RATE)
  local mono = a:mono()
  local function add(name, bytes) seeds[#seeds + 1] = { name = name, bytes = bytes } end
  for kind, bits in pairs { wav = 16, aiff = 24, flac = 16 } do add(kind, a:bytes(kind, bits)) end
  add('wav float', a:bytes('wav', 32))
  add('wav u8', wav(1, 1, 8, '', ('\128\100\150'):rep(99)))
  add('wav extensible', wav(0xfffe, 7, 16, number(22, 2) .. number(16, 2) .. number(0x70f, 4) .. '\1\0' .. guid,
    ('\1\2'):rep(7 * 40)))
  add('wav adpcm', wav(2, 1, 4, number(32, 2) .. number(500, 2) .. number(7, 2) .. ('\0\1\0\0'):rep(7),
    ('\7\1'):rep(128)))
  for _, name in ipairs { 'mp3', 'vorbis', 'opus', 'flac' } do
    if plugins.has(name) then
      add(name .. ' codec', (codec[name]():encode(a)))
      add(name .. ' codec mono', (codec[name]():encode(mono)))
    end
  end
  table.sort(seeds, function(x, y) return x.name < y.name end)
end

-- ---- one case ----

local function check(a, fail)
  if a.frames < 1 or a.channels < 1 or a.rate < 1 then
    fail('%d frames, %d channels, %g Hz', a.frames, a.channels, a.rate)
  end
  if a.samples:isfinite():sum() ~= a.samples:count() then fail('samples that are not finite') end
  if a:peak() > 1e9 then return end                      -- its power may be none
  local m = sound.mel(a, { n_fft = 64, hop = math.max(32, math.ceil(a.frames / 100)), mels = 4 })
  if m:isfinite():sum() ~= m:count() then fail('a spectrogram that is not finite') end
end

function M.case(d, fail)
  if not seeds then make_seeds() end
  if not seeds then return count('left out: sndfile is not installed') end
  local from = d:of(seeds)
  M.title = from.name
  local file = { bytes = damage.some(d, from.bytes, seeds) }
  local ok, a = pcall(sound.load, file)
  if not ok and c.is_interrupt(a) then error(a, 0) end
  count(ok and 'read' or 'refused')
  if ok then
    check(a, fail)
  elseif not tostring(a):find('sound.load: bytes: .+') then
    fail('the message is %s', tostring(a))
  end
  local good = sound.scan { file }
  if ok and not good[1] then fail('scan refuses what load reads') end
end

return M
