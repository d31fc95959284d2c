-- thumbs.lua: small copies of the items of a set. `of` gives them normalised: products of two are correlations, and
-- `alike` finds all pairs of two sets above a bound by matrix products (OpenBLAS), a block at a time. `detail` gives
-- what is left of one item without its light and broad colours: things that merely look alike differ there.
local blas = require 'hz.ext.blas'
local c = require 'hz.c'
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'
local ffi = c.ffi

local M = {}

local SIDE = 8                     -- cells of a copy either way
local ROWS, COLUMNS = 256, 2048    -- of a block of products: it stays in the cache
local FINE = 32                    -- cells of a detail either way, at most

-- ---- cells ----

-- Which of at most `side` cells each of so many rows or columns falls into, and how many there are.
local function cells_of(extent, side)
  side = math.min(side, extent)
  local cells = ffi.new('int32_t[?]', extent)
  for i = 0, extent - 1 do cells[i] = math.floor(i * side / extent) end
  return cells, side
end

-- How items (N,H,W,C) are divided.
local function grid_of(items, side)
  local n, h, w, channels = unpack(items:size())
  local g = { n = n, h = h, w = w, channels = channels, each = h * w * channels }
  g.rows, g.high = cells_of(h, side)
  g.columns, g.wide = cells_of(w, side)
  g.area = ffi.new('double[?]', g.high * g.wide)
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      local cell = g.rows[y] * g.wide + g.columns[x]
      g.area[cell] = g.area[cell] + 1
    end
  end
  return g
end

-- Channel k of the item at p, added to the cells at q, `step` apart.
local function gather(g, p, k, mirrored, q, step)
  local columns, channels, last = g.columns, g.channels, g.wide - 1
  for y = 0, g.h - 1 do
    local from, to = y * g.w * channels + k, g.rows[y] * g.wide
    for x = 0, g.w - 1 do
      local cell = step * (to + (mirrored and last - columns[x] or columns[x]))
      q[cell] = q[cell] + p[from + x * channels]
    end
  end
end

-- ---- copies ----

-- Zero mean and unit norm; what is of one value becomes zeros, which are like nothing.
local function normalise(x, n)
  local sum, squares = 0, 0
  for i = 0, n - 1 do sum = sum + x[i] end
  for i = 0, n - 1 do
    x[i] = x[i] - sum / n
    squares = squares + x[i] * x[i]
  end
  local scale = squares > 1e-6 * n and 1 / math.sqrt(squares) or 0
  for i = 0, n - 1 do x[i] = x[i] * scale end
end

-- items (N,H,W,C) u8 or f32 -> (N, cells x C) f32: means over the cells of a grid, normalised. mirrored: of each item
-- as a mirror shows it.
function M.of(items, mirrored)
  local g, p = grid_of(items, SIDE), items:pointer 'read'
  local count = g.high * g.wide
  local each = count * g.channels
  local out = tensor.zeros({ g.n, each }, 'f32')
  for i = 0, g.n - 1 do
    if i % 512 == 0 then c.poll() end
    local to = out:pointer() + i * each
    for k = 0, g.channels - 1 do gather(g, p + i * g.each, k, mirrored, to + k, g.channels) end
    for at = 0, each - 1 do to[at] = to[at] / g.area[math.floor(at / g.channels)] end
    normalise(to, each)
  end
  return out
end

-- Calls visit(i, j, product) for each pair of rows (from 0) of a and b, (N,K) f32, whose product is `least` or more;
-- show(share) is called now and then.
function M.alike(a, b, least, visit, show)
  local gemm, k = blas.gemm('doctor', 'f32'), a:size(2)
  local block = tensor.empty({ ROWS, COLUMNS }, 'f32')
  local p, q, out = a:pointer 'read', b:pointer 'read', block:pointer()
  for i = 0, #a - 1, ROWS do
    local m = math.min(ROWS, #a - i)
    show(i / #a)
    for j = 0, #b - 1, COLUMNS do
      local n = math.min(COLUMNS, #b - j)
      c.poll()
      gemm(blas.row_major, blas.as_is, blas.transposed, m, n, k, 1, p + i * k, k, q + j * k, k, 0, out, n)
      for at = 0, m * n - 1 do
        if out[at] >= least then visit(i + math.floor(at / n), j + at % n, out[at]) end
      end
    end
  end
end

-- ---- details ----

-- A reader of details of items: reader(i, mirrored) -> float (high,wide), new: the sum over channels less its mean
-- over 3x3 cells, bent to -1 .. 1 so that a single strong edge is no more than many weak ones; 0 at the rim.
function M.details(items)
  local g, p = grid_of(items, FINE), items:pointer 'read'
  local high, wide = g.high, g.wide
  local count = high * wide
  local grey = ffi.new('double[?]', count)
  local function reader(i, mirrored)
    ffi.fill(grey, 8 * count)
    for k = 0, g.channels - 1 do gather(g, p + i * g.each, k, mirrored, grey, 1) end
    for at = 0, count - 1 do grey[at] = grey[at] / g.area[at] end
    local out, sum = ffi.new('float[?]', count), 1e-6
    for y = 1, high - 2 do
      for at = y * wide + 1, y * wide + wide - 2 do
        local up, down = at - wide, at + wide
        out[at] = grey[at] - (grey[up - 1] + grey[up] + grey[up + 1] + grey[at - 1] + grey[at] + grey[at + 1]
          + grey[down - 1] + grey[down] + grey[down + 1]) / 9
        sum = sum + math.abs(out[at])
      end
    end
    for at = 0, count - 1 do out[at] = out[at] / (math.abs(out[at]) + sum / count) end
    return out
  end
  return reader, high, wide
end

local function product(a, b, high, wide, dy, dx)
  local aa, bb, ab = 0, 0, 0
  for y = 2, high - 3 do
    local shift = dy * wide + dx
    for at = y * wide + 2, y * wide + wide - 3 do
      local u, v = a[at], b[at + shift]
      aa, bb, ab = aa + u * u, bb + v * v, ab + u * v
    end
  end
  return aa * bb > 0 and ab / math.sqrt(aa * bb) or 0
end

-- The correlation of two details, the best of those shifted by a cell.
function M.match(a, b, high, wide)
  local best = -1
  for dy = -1, 1 do
    for dx = -1, 1 do best = math.max(best, product(a, b, high, wide, dy, dx)) end
  end
  return best
end

return names.guard('thumbs', M)
