-- together.lua: what the samples of all items come to as one stream of a coder of bytes: a set without the files that
-- its items would be. Sounds are the whole numbers that they were.
local archive = require 'hz.ext.archive'
local c = require 'hz.c'
local names = require 'hz.base.names'
local ffi = c.ffi

local M = {}

-- Calls add(pointer, bytes) with the samples of images.
local function each_image(sets, add)
  for _, set in ipairs(sets) do
    local items = set.items:contiguous()
    add(items:pointer 'read', items:count())
  end
end

-- Samples of one sound from f32 to whole numbers of `bytes` bytes, the lowest first.
local function whole(x, count, bytes, out)
  local scale = 2 ^ (8 * bytes - 1)
  for i = 0, count - 1 do
    local v = math.floor(x[i] * scale + 0.5) % (2 * scale)
    for k = 0, bytes - 1 do
      out[bytes * i + k] = v % 256
      v = math.floor(v / 256)
    end
  end
end

local function each_sound(sets, add)
  for _, set in ipairs(sets) do
    local clips = set.sounds
    local row, bytes = clips.length * clips.channels, clips.bits / 8
    local out = ffi.new('uint8_t[?]', math.max(1, row * bytes))
    clips:portions(clips:numbers(set.clips), 'packing sounds', function(samples, frames)
      local x = samples:pointer 'read'
      for i, n in ipairs(frames) do
        whole(x + (i - 1) * row, n * clips.channels, bytes, out)
        add(out, n * clips.channels * bytes)
      end
    end)
  end
end

-- Bytes of the stream of `coder` ('xz', 'zstd'), at its own level or the one given, over the sets in order; total: of
-- their samples.
function M.bytes(coder, sets, total, level)
  return archive.packed(coder, total, function(add)
    return (sets[1].sounds and each_sound or each_image)(sets, add)
  end, level)
end

return names.guard('together', M)
