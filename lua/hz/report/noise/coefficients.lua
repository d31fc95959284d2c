-- coefficients.lua: how much of the noise a JPEG still holds, H(Z|S): the same scene is seen many times, each time with
-- other noise, and coded; the entropy of each quantised coefficient over these draws is estimated, and they are added
-- up. The decoded image is a function of the coefficients, and these are not independent, so the sum is at least
-- H(Z|S); it is an estimate of that bound, from few draws (corrected as Miller 1955 does) of few scenes.
-- What is quantised follows the file: its tables and its sampling; colours, the mean of 2x2 pixels and the transform
-- are computed in floating point, which differs from libjpeg's integers where a coefficient lies on an edge.
local dataset = require 'hz.data.dataset'

local M = {}

local SCENES, DRAWS = 12, 48

-- ---- what a stream says ----

local ZIGZAG = { [0] = 0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
  13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46,
  53, 60, 61, 54, 47, 55, 62, 63 }

local function u16(s, at) return s:byte(at) * 256 + s:byte(at + 1) end

-- Tables of a DQT segment, of 8 bits: by number, step by place in the block (row-major).
local function read_tables(s, at, last, tables)
  while at < last do
    local id, own = s:byte(at) % 16, {}
    for k = 0, 63 do own[ZIGZAG[k]] = s:byte(at + 1 + k) end
    tables[id], at = own, at + 65
  end
end

-- Components of a baseline SOF segment: { table, across, down }.
local function read_frame(s, at, list)
  for i = 1, s:byte(at + 5) do
    local o = at + 6 + 3 * (i - 1)
    list[i] = { table = s:byte(o + 2), across = math.floor(s:byte(o + 1) / 16), down = s:byte(o + 1) % 16 }
  end
end

-- { steps, across, down } of each component: a pixel of it is the mean of so many.
local function layout(s)
  local tables, list, at = {}, {}, 3
  while s:byte(at) == 0xff and s:byte(at + 1) ~= 0xda do
    local marker, bytes = s:byte(at + 1), u16(s, at + 2)
    if marker == 0xdb then read_tables(s, at + 4, at + 2 + bytes, tables) end
    if marker == 0xc0 then read_frame(s, at + 4, list) end
    at = at + 2 + bytes
  end
  local across, down = 1, 1
  for _, one in ipairs(list) do across, down = math.max(across, one.across), math.max(down, one.down) end
  for _, one in ipairs(list) do
    one.steps, one.across, one.down = tables[one.table], across / one.across, down / one.down
  end
  return list
end

-- ---- coefficients of an image ----

-- Y, Cb, Cr of JFIF, without their offsets.
local WEIGHTS = { { 0.299, 0.587, 0.114 }, { -0.168735892, -0.331264108, 0.5 }, { 0.5, -0.418687589, -0.081312411 } }

local BASIS = {}                   -- [frequency * 8 + place], orthonormal
for u = 0, 7 do
  for x = 0, 7 do
    BASIS[8 * u + x] = math.cos((2 * x + 1) * u * math.pi / 16) * (u == 0 and math.sqrt(1 / 8) or 0.5)
  end
end

-- One component as a plane of rows x columns, means of across x down pixels; the last pixels are repeated to whole
-- blocks.
local function plane(p, height, width, weights, one)
  local rows, columns = math.ceil(height / one.down / 8) * 8, math.ceil(width / one.across / 8) * 8
  local out, n = {}, one.across * one.down
  for i = 0, rows - 1 do
    for j = 0, columns - 1 do
      local sum = 0
      for a = 0, one.down - 1 do
        for b = 0, one.across - 1 do
          local y, x = math.min(i * one.down + a, height - 1), math.min(j * one.across + b, width - 1)
          local o = 3 * (y * width + x)
          sum = sum + weights[1] * p[o] + weights[2] * p[o + 1] + weights[3] * p[o + 2]
        end
      end
      out[i * columns + j] = sum / n
    end
  end
  return out, rows, columns
end

local half = {}                    -- a block, its columns transformed

-- Calls add(k, v) with the quantised coefficients of the block at (top, left).
local function block(values, columns, top, left, steps, add)
  for u = 0, 7 do
    for j = 0, 7 do
      local sum = 0
      for i = 0, 7 do sum = sum + BASIS[8 * u + i] * values[(top + i) * columns + left + j] end
      half[8 * u + j] = sum
    end
  end
  for u = 0, 7 do
    for v = 0, 7 do
      local sum = 0
      for j = 0, 7 do sum = sum + BASIS[8 * v + j] * half[8 * u + j] end
      add(8 * u + v, math.floor(sum / steps[8 * u + v] + 0.5))
    end
  end
end

-- Counts, of each coefficient of an image, how often it has which value.
local function count(p, height, width, components, counts)
  local at = 0
  local function add(k, v)
    local own = counts[at + k] or {}
    counts[at + k], own[v] = own, (own[v] or 0) + 1
  end
  for i, one in ipairs(components) do
    local values, rows, columns = plane(p, height, width, WEIGHTS[i], one)
    for top = 0, rows - 1, 8 do
      for left = 0, columns - 1, 8 do
        block(values, columns, top, left, one.steps, add)
        at = at + 64
      end
    end
  end
end

-- ---- entropy over draws ----

-- Of counts that add up to n; (values - 1) / 2n nats more than what they say themselves (Miller 1955).
local function entropy(counts, n)
  local sum, values = 0, 0
  for _, k in pairs(counts) do
    values = values + 1
    sum = sum - k / n * math.log(k / n)
  end
  return (sum + (values - 1) / (2 * n)) / math.log(2)
end

-- At least H(Z|S), as estimated, in bits per sample, of what `codec` (a JPEG) makes of the test images of the camera
-- set with these options. o: scenes, draws.
function M.of(codec, options, o)
  o = o or {}
  local scenes, draws, counts, components, size = o.scenes or SCENES, o.draws or DRAWS, {}, nil, nil
  for draw = 1, draws do
    local given = { split = 'test', paired = true, test = math.max(scenes, 10), draw = draw }
    for k, v in pairs(options) do given[k] = v end
    local items = dataset.data('camera', given).items
    components, size = components or layout((codec:encode(items[1]))), items:count() / #items
    for i = 1, scenes do
      counts[i] = counts[i] or {}
      count(items:pointer 'read' + (i - 1) * size, items:size(2), items:size(3), components, counts[i])
    end
  end
  local sum = 0
  for i = 1, scenes do
    for _, own in pairs(counts[i]) do sum = sum + entropy(own, draws) end
  end
  return sum / (scenes * size)
end

return M
