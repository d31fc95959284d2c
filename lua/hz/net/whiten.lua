-- whiten.lua: weights of a convolution over the images themselves that make their patches white (init='whiten'): the
-- eigenvectors of the patches' second moments, each divided by the root of its eigenvalue plus EPSILON, in order of
-- falling eigenvalues, then their negatives. The images are those that train, as the net sees them: scaled, with mean
-- and deviation. Of bytes all sums are exact, and the eigenvectors follow by arithmetic and roots alone: the same bits
-- on any machine.
local c = require 'hz.c'
local feed = require 'hz.net.feed'
local init = require 'hz.net.init'
local names = require 'hz.base.names'
local nets = require 'hz.net.net'
local tensor = require 'hz.tensor.tensor'
local training = require 'hz.net.training'

local M = {}

local MOST = 5000                  -- images that are looked at: the first
local EPSILON = 5e-4
local SWEEPS = 60                  -- of Jacobi's method, which needs some ten

-- ---- patches ----

-- Numbers of a patch: for each its place behind the patch's first pixel, and its channel.
local function places(window, columns, channels)
  local list = {}
  for y = 0, window[1] - 1 do
    for x = 0, window[2] - 1 do
      for ch = 0, channels - 1 do list[#list + 1] = { at = (y * columns + x) * channels + ch, channel = ch } end
    end
  end
  return list
end

-- Of two numbers of all patches of an image: the sum of their products; four sums hide the latency of one.
local function products(p, a, b, step, rows, pitch, count)
  local total = 0
  for y = 0, rows - 1 do
    local s0, s1, s2, s3, i, j = 0, 0, 0, 0, a + y * pitch, b + y * pitch
    for _ = 1, math.floor(count / 4) do
      s0, s1 = s0 + p[i] * p[j], s1 + p[i + step] * p[j + step]
      s2, s3 = s2 + p[i + 2 * step] * p[j + 2 * step], s3 + p[i + 3 * step] * p[j + 3 * step]
      i, j = i + 4 * step, j + 4 * step
    end
    for _ = 1, count % 4 do
      s0, i, j = s0 + p[i] * p[j], i + step, j + step
    end
    total = total + ((s0 + s1) + (s2 + s3))
  end
  return total
end

local function sums(p, a, step, rows, pitch, count)
  local total = 0
  for y = 0, rows - 1 do
    for x = 0, count - 1 do total = total + p[a + y * pitch + x * step] end
  end
  return total
end

-- Over patches: how many, sums of each number, sums of products of each two (the lower triangle).
local function moments(items, window)
  local n, rows, columns, channels = unpack(items:size())
  local list, pitch = places(window, columns, channels), columns * channels
  local high, wide = rows - window[1] + 1, columns - window[2] + 1
  local out = { count = n * high * wide, list = list, sum = {}, product = {} }
  for i = 1, #list do
    out.sum[i], out.product[i] = 0, {}
    for j = 1, i do out.product[i][j] = 0 end
  end
  for image = 1, n do
    local own = items[image]:to 'f64'
    local p = own:pointer 'read'
    for i, a in ipairs(list) do
      out.sum[i] = out.sum[i] + sums(p, a.at, channels, high, pitch, wide)
      for j = 1, i do
        out.product[i][j] = out.product[i][j] + products(p, a.at, list[j].at, channels, high, pitch, wide)
      end
    end
    c.poll()
  end
  return out
end

-- Their means as the net sees them: a number x becomes slope x + shift.
local function seen(m, slope, shift)
  local out = {}
  for i, a in ipairs(m.list) do
    out[i] = {}
    for j = 1, i do
      local b = m.list[j]
      local p, q, u, v = slope[a.channel + 1], slope[b.channel + 1], shift[a.channel + 1], shift[b.channel + 1]
      out[i][j] = (p * q * m.product[i][j] + p * v * m.sum[i] + q * u * m.sum[j]) / m.count + u * v
      out[j][i] = out[i][j]
    end
  end
  return out
end

-- ---- eigenvectors ----

-- One rotation of Jacobi's method (Golub, Van Loan: Matrix Computations, 8.5): a[p][q] becomes 0. v holds eigenvectors
-- as rows.
local function rotate(a, v, p, q)
  if a[p][q] == 0 then return end
  local theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
  local t = (theta < 0 and -1 or 1) / (math.abs(theta) + math.sqrt(theta * theta + 1))
  local cos = 1 / math.sqrt(t * t + 1)
  local sin = t * cos
  for k = 1, #a do a[k][p], a[k][q] = cos * a[k][p] - sin * a[k][q], sin * a[k][p] + cos * a[k][q] end
  for k = 1, #a do a[p][k], a[q][k] = cos * a[p][k] - sin * a[q][k], sin * a[p][k] + cos * a[q][k] end
  for k = 1, #a do v[p][k], v[q][k] = cos * v[p][k] - sin * v[q][k], sin * v[p][k] + cos * v[q][k] end
end

local function size_of(a, diagonal)
  local sum = 0
  for i = 1, #a do
    for j = 1, #a do
      if diagonal == (i == j) then sum = sum + a[i][j] * a[i][j] end
    end
  end
  return sum
end

-- Of a vector and its negative the one whose first entry of some size, half the largest, is above 0.
local function positive(v)
  local most, sign = 0, 1
  for i = 1, #v do most = math.max(most, math.abs(v[i])) end
  for i = #v, 1, -1 do
    if math.abs(v[i]) >= most / 2 then sign = v[i] < 0 and -1 or 1 end
  end
  for i = 1, #v do v[i] = sign * v[i] end
end

-- Eigenvalues and eigenvectors of a symmetric matrix, which is used up: rows { value, vector }, falling.
function M.eigen(a)
  local v, rows = {}, {}
  for i = 1, #a do
    v[i] = {}
    for j = 1, #a do v[i][j] = i == j and 1 or 0 end
  end
  for _ = 1, SWEEPS do
    if size_of(a, false) <= 1e-32 * size_of(a, true) then break end
    for p = 1, #a - 1 do
      for q = p + 1, #a do rotate(a, v, p, q) end
    end
  end
  for i = 1, #a do
    positive(v[i])
    rows[i] = { value = a[i][i], vector = v[i], place = i }
  end
  table.sort(rows, function(x, y)
    if x.value ~= y.value then return x.value > y.value end
    return x.place < y.place
  end)
  return rows
end

-- ---- layers ----

-- The images whose patches are looked at, checked.
local function images(net, x, window)
  local items = tensor.is(x) and x or feed.is_set(x) and x.items
  if not tensor.is(items) or items.ndim ~= 4 or (items:type() ~= 'u8' and items:type() ~= 'f32') or #items == 0 then
    c.fail('%s: whiten: %s was given; needs a set or a tensor of images (items,height,width,channels), u8 or f32',
      net.who, tensor.is(items) and items:type() .. ' ' .. tensor.shape_text(items) or type(x))
  end
  if items:size(2) < window[1] or items:size(3) < window[2] then
    c.fail('%s: whiten: the images are %dx%d; needs at least the %dx%d of a patch', net.who, items:size(2),
      items:size(3), window[1], window[2])
  end
  return items:slice(1, 1, math.min(MOST, #items))
end

-- What the input node makes of a number x of each channel: slope x + shift.
local function lines(net, items, o)
  local channels, slope, shift = items:size(4), {}, {}
  local means = training.slots('whiten', 'mean', o.mean or net.mean, channels)
  local deviations = training.slots('whiten', 'deviation', o.deviation or net.deviation, channels)
  for i = 1, channels do
    local d = deviations[(i - 1) % 4 + 1]
    d = d == 0 and 1 or d
    slope[i], shift[i] = (items:type() == 'u8' and 1 / 255 or 1) / d, -means[(i - 1) % 4 + 1] / d
  end
  return slope, shift
end

local function fill(net, weight, x, o)
  local window = { weight:size(2), weight:size(3) }
  local items = images(net, x, window)
  local channels = items:size(4)
  if channels ~= weight:size(4) then
    c.fail('%s: whiten: the images have %d channels; the layer was made for %d', net.who, channels, weight:size(4))
  end
  local slope, shift = lines(net, items, o)
  local rows, p = M.eigen(seen(moments(items, window), slope, shift)), weight:pointer()
  local fan = #rows
  for f = 0, weight:size(1) - 1 do
    local row = rows[f % fan + 1]
    local factor = (f < fan and 1 or -1) / math.sqrt(math.max(row.value, 0) + EPSILON)
    for i = 1, fan do p[f * fan + i - 1] = factor * row.vector[i] end
  end
end

-- Whether the weights are those of init.lua still.
local function is_fresh(weight)
  local p, fan = weight:pointer 'read', weight:count() / weight:size(1)
  for f = 0, weight:size(1) - 1 do
    for i = 0, fan - 1 do
      if p[f * fan + i] ~= init.hands_on(f, i, fan) then return false end
    end
  end
  return true
end

-- Weights of init='whiten' by name.
local function weights(net)
  local out = {}
  for i, layer in ipairs(net.layers) do
    if rawget(layer, 'init') == 'whiten' then out[#out + 1] = net.parameters[net.names[i] .. '.weight'] end
  end
  return out
end

-- Those that have seen no images yet see these. o: mean and deviation in place of the net's.
function M.ensure(net, x, o)
  for _, weight in ipairs(weights(net)) do
    if is_fresh(weight) then fill(net, weight, x, o) end
  end
end

local function whiten(net, x, o)
  o = names.options(net.who .. ': whiten', o, { mean = true, deviation = true })
  training.check(net.who .. ': whiten', o)
  images(net, x, { 1, 1 })
  local items = tensor.is(x) and x or x.items
  local shape = items:size()
  table.remove(shape, 1)
  net:ensure { input = shape }
  net.input = net.input or shape
  local list = weights(net)
  if #list == 0 then c.fail("%s: whiten: no layer has init='whiten'; needs conv{24, 2, init='whiten'}", net.who) end
  for _, weight in ipairs(list) do fill(net, weight, x, o) end
  return net
end
nets.methods.whiten = names.receiver('net', 'whiten', nets.is, whiten)

return M
