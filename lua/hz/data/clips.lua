-- clips.lua: the sounds behind a set whose items are features (features.lua). They are read, made or recoded in
-- portions, so that no more of them is in memory at a time; the features of all of them may be.
--   n, rate (Hz), channels
--   frames   list: of each clip as it is
--   length   frames that all are padded to with silence
--   bits     of a sample: 16, or 24 where a clip needs them. Clips that no 24 bits hold (resampled or mixed ones,
--            decoded streams, files of floats) are rounded to 16, as recorders and decoders do
--   hashes   (n,32) u8, sha256 of rate, channels and samples of each
--   bad      number -> why it cannot be read: no set may have such clips
--   form     of the features; made: form and length in words
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local dataset = require 'hz.data.dataset'
local features = require 'hz.data.features'
local names = require 'hz.base.names'
local progress = require 'hz.base.progress'
local tensor = require 'hz.tensor.tensor'
local ffi = c.ffi

local M, Clips, methods = {}, {}, {}

local PORTION = 2 ^ 26             -- bytes of samples

-- ---- samples ----

local function fits(x, count, scale)
  for i = 0, count - 1 do
    local v = x[i] * scale
    if v % 1 ~= 0 or v < -scale or v >= scale then return false end
  end
  return true
end

-- The bits of a clip; one that has too many is rounded.
local function settle(x, count)
  if fits(x, count, 2 ^ 15) then return 16 end
  if fits(x, count, 2 ^ 23) then return 24 end
  for i = 0, count - 1 do
    x[i] = math.max(-1, math.min(32767 / 32768, math.floor(32768 * x[i] + 0.5) / 32768))
  end
  return 16
end

-- Clips by their numbers (a list): (count,length,channels) f32, the frames of each, the most bits, and of those that
-- cannot be read the reasons, by place in the list; nil where all can.
local function read(clips, numbers)
  local frames, bits = {}, 16
  local samples, bad = clips.take(numbers)
  local x, each = samples:pointer(), clips.length * clips.channels
  for i, number in ipairs(numbers) do
    frames[i] = clips.frames[number]
    bits = math.max(bits, settle(x + (i - 1) * each, frames[i] * clips.channels))
  end
  return samples, frames, bits, bad
end

-- The same, of clips that could be read before.
function methods.read(clips, numbers)
  local samples, frames, bits, bad = read(clips, numbers)
  local at = bad and next(bad)
  if at then c.fail('%s', bad[at]) end
  return samples, frames, bits
end

-- Calls visit(samples, frames, at, bits, bad) for portions of the clips in a list of numbers, one after the other; at:
-- the place of its first in the list, from 0. what: is being done, for who waits.
local function portions(clips, reader, numbers, what, visit)
  local most = math.max(1, math.min(256, math.floor(PORTION / (4 * clips.length * clips.channels))))
  local shown = progress.new()
  for at = 0, #numbers - 1, most do
    c.poll()
    shown:show(('%s: %d of %d'):format(what, at, #numbers))
    local samples, frames, bits, bad = reader(clips, { unpack(numbers, at + 1, math.min(#numbers, at + most)) })
    visit(samples, frames, at, bits, bad)
    samples:free()
  end
  shown:clear()
end

function methods.portions(clips, numbers, what, visit) portions(clips, methods.read, numbers, what, visit) end

-- ---- features ----

-- The shape of an item.
function methods.shape(clips) return features.shape(clips.form, clips.length, clips.channels) end

-- Room for the features of so many clips.
function methods.places(clips, n) return tensor.empty({ n, unpack(clips:shape()) }, 'f32') end

-- Features of a portion into `out`, from place `at` on, from 0.
function methods.hear(clips, samples, out, at)
  features.fill(clips.form, samples, out:slice(1, at + 1, at + samples:size(1)))
end

-- Numbers in a column of a set.
function methods.numbers(clips, column)
  local list, p = {}, column:pointer 'read'
  for i = 0, #column - 1 do list[i + 1] = p[i] end
  return list
end

-- Features of clips by their numbers (a list), untouched.
function methods.of(clips, numbers)
  local out = clips:places(#numbers)
  clips:portions(numbers, 'listening to sounds', function(samples, _, at) clips:hear(samples, out, at) end)
  return out
end

-- The same, of numbers in a column of a set.
function methods.items(clips, column) return clips:of(clips:numbers(column)) end

-- What a net that was trained on them has to know of sounds, in plain values.
function methods.hears(clips)
  local out = features.values(clips.form)
  out.rate, out.channels, out.length = clips.rate, clips.channels, clips.length
  return out
end

-- ---- making ----

-- Hashes and bits of all clips, which are read for it, and which of them cannot be.
local function look(clips)
  local all, digest = {}, crypto.new 'sha256'
  for i = 1, clips.n do all[i] = i end
  clips.hashes, clips.bits = tensor.empty({ clips.n, 32 }, 'u8'), 16
  local out, each = clips.hashes:pointer(), clips.length * clips.channels
  portions(clips, read, all, 'reading sounds', function(samples, frames, at, bits, bad)
    for i, reason in pairs(bad or {}) do clips.bad[at + i] = reason end
    local x = samples:pointer 'read'
    clips.bits = math.max(clips.bits, bits)
    for i, n in ipairs(frames) do
      digest:add(('hz sound %d %d\n'):format(clips.rate, clips.channels))
      digest:add(x + (i - 1) * each, 4 * n * clips.channels)
      ffi.copy(out + 32 * (at + i - 1), digest:raw(), 32)
    end
  end)
end

-- Sounds from { n, rate, channels, frames (list), length, take }: take(numbers) -> (count,length,channels) f32, new,
-- silent behind the frames of each, and maybe reasons by place in the list. o: options of features; done: what was done
-- to the sounds, in words, or nil.
function M.new(raw, o, done)
  local clips = { n = raw.n, rate = raw.rate, channels = raw.channels, frames = raw.frames, take = raw.take,
    length = raw.length, form = features.form(o, raw.rate), bad = {} }
  clips.made = ('%s, %d samples at %d Hz%s'):format(features.text(clips.form), clips.length, clips.rate,
    done and ', ' .. done or '')
  setmetatable(clips, Clips)
  look(clips)
  return clips
end

-- The set of some of the clips. o: name, part, clips, numbers and labels (lists), classes, source, files, stored,
-- entropy.
function M.set(o)
  local n = #o.numbers
  local hashes, from = tensor.empty({ n, 32 }, 'u8'), o.clips.hashes:pointer 'read'
  for i, number in ipairs(o.numbers) do ffi.copy(hashes:pointer() + 32 * (i - 1), from + 32 * (number - 1), 32) end
  return dataset.new { name = o.name, part = o.part, sounds = o.clips, clips = tensor.from(o.numbers, 'i32'),
    hashes = hashes, labels = tensor.from(o.labels, 'i32'), classes = o.classes, source = o.source, made = o.clips.made,
    files = o.files, stored = o.stored, entropy = o.entropy,
    kind = ('sound %d Hz %d'):format(o.clips.rate, o.clips.channels) }
end

Clips.__index = names.index('clips', methods, 'bits hashes')

return names.guard('clips', M)
