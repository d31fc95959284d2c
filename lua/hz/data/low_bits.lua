-- low_bits.lua: a set of images with its lowest bits replaced: by random ones, noise of exactly so many bits per sample
-- on any picture, or by zeros, the same picture without it.
local bit = require 'bit'
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local dataset = require 'hz.data.dataset'
local need = require 'hz.base.need'
local order = require 'hz.data.order'
local tensor = require 'hz.tensor.tensor'

local fills = { random = true, zero = true }

-- Marsaglia's xorshift (2003) of 32 bits, from where the item's name says: the same bits for the same item.
local function randomise(p, count, name, step)
  local state = bit.bor(tonumber(crypto.sha256(name):sub(1, 8), 16), 1)
  for i = 0, count - 1 do
    state = bit.bxor(state, bit.lshift(state, 13))
    state = bit.bxor(state, bit.rshift(state, 17))
    state = bit.bxor(state, bit.lshift(state, 5))
    p[i] = p[i] - p[i] % step + bit.rshift(state, 8) % step
  end
end

local function clear(p, count, _, step)
  for i = 0, count - 1 do p[i] = p[i] - p[i] % step end
end

local function names_of(set)
  local list, rows = {}, set.origins or set.hashes
  for i = 1, #set do list[i] = order.bytes_at(rows, i):sub(1, 16) end
  return list
end

-- The set with its lowest `bits` bits (1..7) 'random' or 'zero'. Both are of the same scenes, in the same order; their
-- entropy (bits per sample) is that of what was put there, given the bits above.
return function(set, bits, fill)
  if not dataset.is(set) or set.sounds or set.items:type() ~= 'u8' then
    need.fail('low_bits', 'the set', set, 'a set of images of u8')
  end
  need.whole('low_bits', 'the number of bits', bits, 1, 7)
  if not fills[fill] then need.fail('low_bits', 'the filling', fill, "'random' or 'zero'") end
  local items, names, n = set.items:contiguous():clone(), names_of(set), #set
  local p, count, write = items:pointer(), items:count() / n, fill == 'random' and randomise or clear
  for i = 1, n do
    write(p + (i - 1) * count, count, names[i], 2 ^ bits)
    if i % 256 == 0 then c.poll() end
  end
  return dataset.new { name = set.name, part = set.part, classes = set.classes, source = set.source, items = items,
    labels = set.labels, origins = names, entropy = tensor.full({ n }, fill == 'random' and bits or 0, 'f32'),
    scenes = ('%s without %d low bits'):format(set.digest:sub(1, 16), bits) }
end
