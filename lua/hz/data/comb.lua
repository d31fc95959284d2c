-- comb.lua: whether pixels were a JPEG before, whatever holds them now. The coefficients of the discrete cosine
-- transform of 8x8 blocks on the grid of the coder are multiples of its quantisers, blurred by the rounding of pixels:
-- mean cos(2 pi c / q) over those above q/2 is near 1 for the right q, and at most 0 for smooth densities (Fan and de
-- Queiroz 2003, "Identification of bitmap compression history"). Grids that lie elsewhere have the same pictures
-- without the comb: they say what chance can do.
local blas = require 'hz.ext.blas'
local c = require 'hz.c'
local head = require 'hz.data.head'
local names = require 'hz.base.names'
local ffi = c.ffi

local M = {}

local WORST, BEST = 5, 98          -- qualities that are looked for; above, quantisers are too near to the rounding
local POSITIONS = 27               -- coefficients of a block, from the coarsest, without the mean
local BLUR = 0.35                  -- standard deviation of a coefficient by rounding of pixels and colours
local STEPS = 255                  -- quantisers are 1 .. 255
M.least_side = 16                  -- pixels of a side

-- ---- tables ----

-- Horizontal and vertical frequency by place in zigzag order, from 0.
local function zigzag()
  local list = {}
  for d = 0, 14 do
    for i = 0, d do
      local u, v = d % 2 == 0 and i or d - i, d % 2 == 0 and d - i or i
      if u < 8 and v < 8 then list[#list + 1] = { u, v } end
    end
  end
  return list
end

-- (64,POSITIONS) floats: pixel y*8+x of a block -> coefficient.
local function make_basis()
  local order, out = zigzag(), ffi.new('float[?]', 64 * POSITIONS)
  local function wave(k, x) return (k == 0 and math.sqrt(1 / 8) or 0.5) * math.cos((2 * x + 1) * k * math.pi / 16) end
  for k = 0, POSITIONS - 1 do
    local u, v = order[k + 2][1], order[k + 2][2]
    for i = 0, 63 do out[i * POSITIONS + k] = wave(u, i % 8) * wave(v, math.floor(i / 8)) end
  end
  return out
end

local basis = make_basis()

local COS = 1024
local cosine = ffi.new('float[?]', COS + 1)
for i = 0, COS do cosine[i] = math.cos(2 * math.pi * i / COS) end

-- Quantisers of a quality at the positions (from 0), and how much of a comb of each the blur leaves.
local quantisers, left = {}, ffi.new('double[?]', STEPS + 1)
for quality = WORST, BEST do
  local own = ffi.new('int32_t[?]', POSITIONS)
  for k = 0, POSITIONS - 1 do own[k] = head.quantiser(k + 2, quality) end
  quantisers[quality] = own
end
for q = 1, STEPS do left[q] = math.exp(-2 * (math.pi * BLUR / q) ^ 2) end

-- Distinct quantisers by position, ascending, ended by a large one.
local ladder = {}
for k = 0, POSITIONS - 1 do
  local list, last = {}, 1
  for quality = BEST, WORST, -1 do
    local q = quantisers[quality][k]
    if q > last then list[#list + 1], last = q, q end
  end
  list[#list + 1] = 1e9
  ladder[k] = ffi.new('int32_t[?]', #list, list)
end

-- ---- coefficients ----

local weights = ffi.new('double[?]', POSITIONS)        -- of a sum that tells blocks apart
for k = 0, POSITIONS - 1 do weights[k] = 1 + 7919 * k % 1009 end

local function grey_of(p, count, channels, out)
  for i = 0, count - 1 do
    local at = p + i * channels
    out[i] = channels >= 3 and 0.299 * at[0] + 0.587 * at[1] + 0.114 * at[2] or at[0]
  end
end

-- Moves those blocks to the front that differ from all before them in more than their mean, and returns how many they
-- are: what repeats, as in drawn pictures, is no further evidence.
local function distinct(out, n)
  local seen, kept = {}, 0
  for b = 0, n - 1 do
    local from, to, key = out + b * POSITIONS, out + kept * POSITIONS, 0
    for k = 0, POSITIONS - 1 do key = key + math.floor(math.abs(from[k]) * 16 + 0.5) * weights[k] end
    if not seen[key] then
      seen[key], kept = true, kept + 1
      for k = 0, POSITIONS - 1 do to[k] = from[k] end
    end
  end
  return kept
end

-- Up to `most` blocks of a plane (h,w), evenly taken, on the grid that begins at (dy,dx): (blocks,POSITIONS) floats in
-- room.out; returns how many.
local function transform(plane, h, w, dy, dx, most, room)
  local high, wide = math.floor((h - dy) / 8), math.floor((w - dx) / 8)
  local step, n = math.max(1, math.ceil(high * wide / most)), 0
  for b = 0, high * wide - 1, step do
    local from, to = (dy + 8 * math.floor(b / wide)) * w + dx + 8 * (b % wide), room.blocks + 64 * n
    for y = 0, 7 do
      for x = 0, 7 do to[8 * y + x] = plane[from + y * w + x] end
    end
    n = n + 1
  end
  blas.gemm('doctor', 'f32')(blas.row_major, blas.as_is, blas.as_is, n, POSITIONS, 64, 1, room.blocks, 64, basis,
    POSITIONS, 0, room.out, POSITIONS)
  return distinct(room.out, n)
end

-- ---- combs ----

-- Sums of cosines and counts by position and quantiser.
local function new_sums()
  return { cos = ffi.new('double[?]', POSITIONS * (STEPS + 1)), n = ffi.new('double[?]', POSITIONS * (STEPS + 1)) }
end

local function clear(sums)
  ffi.fill(sums.cos, ffi.sizeof(sums.cos))
  ffi.fill(sums.n, ffi.sizeof(sums.n))
end

local function add(sums, out, n)
  local cos, count = sums.cos, sums.n
  for k = 0, POSITIONS - 1 do
    local steps, base = ladder[k], k * (STEPS + 1)
    for b = 0, n - 1 do
      local v, s = math.abs(out[b * POSITIONS + k]), 0
      local q = steps[0]
      while 2 * v > q do
        local turns = v / q
        cos[base + q] = cos[base + q] + cosine[(turns - math.floor(turns)) * COS]
        count[base + q] = count[base + q] + 1
        s = s + 1
        q = steps[s]
      end
    end
  end
end

-- In standard deviations, by how much the coefficients follow the quantisers of a quality.
local function score(sums, quality)
  local sum, var, own = 0, 0, quantisers[quality]
  for k = 0, POSITIONS - 1 do
    local q = own[k]
    if q > 1 then
      local at, m = k * (STEPS + 1) + q, left[q]
      sum, var = sum + m * sums.cos[at], var + m * m * sums.n[at] / 2
    end
  end
  return var > 0 and sum / math.sqrt(var) or 0, var
end

local FEW = 8                      -- of variance: fewer coefficients say nothing

-- The quality of the highest score, and the score.
local function best_of(sums)
  local best, quality = 0, nil
  for q = WORST, BEST do
    local z, var = score(sums, q)
    if var >= FEW and z > best then best, quality = z, q end
  end
  return quality, best
end

-- ---- a picture ----

local elsewhere = { { 4, 4 }, { 4, 0 }, { 0, 4 } }
local BLOCKS = 256                 -- of a picture
local SURE = 6                     -- standard deviations; and twice what any other grid has

function M.room(h, w)
  return { plane = ffi.new('double[?]', h * w), blocks = ffi.new('float[?]', 64 * BLOCKS),
    out = ffi.new('float[?]', POSITIONS * BLOCKS), sums = new_sums(),
    counts = ffi.new('int32_t[?]', 64 * POSITIONS) }
end

-- The picture at p (h,w,channels), u8: the quality it seems to have been coded at (nil: none that shows), and how many
-- blocks of it stand in room.out, as coefficients.
function M.look(p, h, w, channels, room)
  grey_of(p, h * w, channels, room.plane)
  local other = 0
  for _, grid in ipairs(elsewhere) do
    clear(room.sums)
    add(room.sums, room.out, transform(room.plane, h, w, grid[1], grid[2], BLOCKS, room))
    other = math.max(other, select(2, best_of(room.sums)))
  end
  clear(room.sums)
  local n = transform(room.plane, h, w, 0, 0, BLOCKS, room)
  add(room.sums, room.out, n)
  local quality, z = best_of(room.sums)
  return z >= SURE and z >= 2 * other and quality or nil, n
end

-- ---- twice ----

local NEAR = 1.2                   -- of a multiple: what is further off was cut to 0 .. 255
local CLOSER = 3                   -- qualities nearer than that are one
local CERTAIN = 6                  -- standard deviations

-- How much better the coefficients lie where the later quality moves what the first one left than where it was left,
-- in standard deviations.
local function moved(out, n, first, later)
  local sum, squares = 0, 0
  for k = 0, POSITIONS - 1 do
    local q1, q2 = quantisers[first][k], quantisers[later][k]
    for b = 0, q1 > q2 and q2 > 1 and n - 1 or -1 do
      local v = math.abs(out[b * POSITIONS + k])
      local was = q1 * math.floor(v / q1 + 0.5)
      local is = q2 * math.floor(was / q2 + 0.5)
      local off, near = v - was, v - is
      if was ~= is and math.min(math.abs(off), math.abs(near)) < NEAR then
        sum, squares = sum + off * off - near * near, squares + (was - is) ^ 2
      end
    end
  end
  return squares > 0 and sum / (2 * BLUR * math.sqrt(squares)) or 0
end

local MULTIPLES = 32               -- of a quantiser that are counted

-- Which multiples of q2 hold what a first coding left at multiples of q1; blurred ones go either way.
local function reached(q1, q2)
  local out = {}
  for m = 1, math.ceil(MULTIPLES * q2 / q1) do
    local at, slack = m * q1 / q2 + 0.5, 2 * BLUR / q2
    out[math.floor(at - slack)], out[math.floor(at + slack)] = true, true
  end
  return out
end

local gaps = {}                    -- by q1 and q2: multiple that no first coding leads to -> the next that one does

local function gaps_of(q1, q2)
  local key = q1 * 256 + q2
  if not gaps[key] then
    local there, next_one, list = reached(q1, q2), nil, {}
    for m = MULTIPLES, 1, -1 do
      if there[m] then next_one = m elseif next_one then list[m] = next_one end
    end
    gaps[key] = list
  end
  return gaps[key]
end

local function count_multiples(out, n, quality, counts)
  ffi.fill(counts, ffi.sizeof(counts))
  for k = 0, POSITIONS - 1 do
    local q = quantisers[quality][k]
    for b = 0, n - 1 do
      local m = math.floor(math.abs(out[b * POSITIONS + k]) / q + 0.5)
      if m > 0 and m <= MULTIPLES then counts[k * 64 + m] = counts[k * 64 + m] + 1 end
    end
  end
end

-- Coefficients are the rarer the larger they are: by how much more there are in the next multiple than in the gap
-- before it, in standard deviations.
local function gapped(counts, first, later)
  local within, behind = 0, 0
  for k = 0, POSITIONS - 1 do
    local q1, q2 = quantisers[first][k], quantisers[later][k]
    if q1 > q2 and q2 > 1 then
      for m, next_one in pairs(gaps_of(q1, q2)) do
        within, behind = within + counts[k * 64 + m], behind + counts[k * 64 + next_one]
      end
    end
  end
  return behind > within and (behind - within) / math.sqrt(behind + within) or 0
end

local function best_other(from, to, measure)
  local best, found = CERTAIN, nil
  for q = from, to do
    local z = measure(q)
    if z > best then best, found = z, q end
  end
  return found
end

-- Of a picture whose quality was found by `look`, which left n blocks in the room: the qualities of the first and the
-- last coding, one number if there was but one to be seen. A finer one before a coarser one leaves no trace here.
function M.twice(room, n, quality)
  local function after(q) return moved(room.out, n, quality, q) end
  local function before(q) return gapped(room.counts, q, quality) end
  local later = best_other(quality + CLOSER, BEST, after)
  if later then return quality, later end
  count_multiples(room.out, n, quality, room.counts)
  return best_other(WORST, quality - CLOSER, before) or quality, quality
end

M.closer = CLOSER

return names.guard('comb', M)
