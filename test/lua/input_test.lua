-- input_test.lua: the node that begins a step: order of items, shift, flip, normalisation; and dropout, the
-- other user of chance.
local t = ...
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local C, ffi = c.C, c.ffi
local DEVICE = require 'hz.net.plan'.default_device()

local ITEMS, SIDE, CHANNELS = 40, 6, 3

-- ITEMS images of random bytes; label i is item i.
local function set()
  local data = tensor.rand({ ITEMS, SIDE, SIDE, CHANNELS }, 0, 256, { seed = 3, stream = 1 }):floor():to 'u8'
  return data, tensor.range(0, ITEMS - 1, 1, 'i32')
end

-- A plan of one input node. run(step) returns x, labels, items of the rows in use, as views.
local function plan(data, labels, o)
  local attr = ffi.new 'hz_attr'
  for k, v in pairs(o) do
    if type(v) == 'table' then for i, x in ipairs(v) do attr.input[k][i - 1] = x end else attr.input[k] = v end
  end
  local g = C.hz_graph_new 'test'
  local d, l = C.hz_graph_bind(g, 'data', data, 0), C.hz_graph_bind(g, 'labels', labels, 0)
  local y = c.index(C.hz_graph_add(g, 'input', 'input', attr, ffi.new('int32_t[6]', d, l), 2))
  for i = 0, 2 do C.hz_graph_keep(g, y + i) end
  local handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, g, ffi.new('hz_plan_options', { device = DEVICE }))
  return function(step)
    local s = ffi.new('hz_step', { count = o.batch })
    for k, v in pairs(step) do s[k] = v end
    c.check(C.hz_plan_run(handle, 0, -1, s))
    local function peek(i) return tensor.own(C.hz_plan_peek, handle, y + i, s.count) end
    return peek(0), peek(1), peek(2)
  end
end

-- Items in the order in which an epoch shows them, in batches of 7 (the last has 5).
local function order(run, seed, epoch)
  local seen = {}
  for offset = 0, ITEMS - 1, 7 do
    local _, labels, items = run { seed = seed, epoch = epoch, offset = offset, count = math.min(7, ITEMS - offset) }
    for i = 1, #items do
      t.equal(labels[i], items[i], 'the label belongs to the item')
      seen[#seen + 1] = items[i]
    end
  end
  return seen
end

t.case('each item once per epoch, another order in each', function()
  local data, labels = set()
  local run, orders = plan(data, labels, { batch = 7, shuffle = 1 }), {}
  for _, seed in ipairs { 1, 2, 2 ^ 40 } do
    for epoch = 0, 3 do
      local seen, key = order(run, seed, epoch), nil
      key = table.concat(seen, ' ')
      t.ok(not orders[key], 'two epochs or seeds share an order')
      orders[key] = true
      t.equal(table.concat(order(run, seed, epoch), ' '), key, 'the same seed and epoch give the same order')
      table.sort(seen)
      for i = 1, ITEMS do t.equal(seen[i], i - 1) end
    end
  end
end)

t.case('without shuffle the order is that of the set', function()
  local data, labels = set()
  local seen = order(plan(data, labels, { batch = 7 }), 5, 3)
  for i = 1, ITEMS do t.equal(seen[i], i - 1) end
end)

t.case('the batch size does not change what an epoch shows', function()
  local data, labels = set()
  local x = plan(data, labels, { batch = 40, shuffle = 1, shift_y = 2, shift_x = 2, flip = 1 }) { seed = 9,
    epoch = 1 }:clone()
  local small = plan(data, labels, { batch = 7, shuffle = 1, shift_y = 2, shift_x = 2, flip = 1 })
  for offset = 0, ITEMS - 1, 7 do
    local count = math.min(7, ITEMS - offset)
    local part = small { seed = 9, epoch = 1, offset = offset, count = count }
    t.equal((part - x:slice(1, offset + 1, offset + count)):abs():max(), 0)
  end
end)

local fills = {
  nearest = function(v) return math.max(0, math.min(SIDE - 1, v)) end,
  reflect = function(v) v = math.abs(v) return v < SIDE and v or 2 * (SIDE - 1) - v end,
}

-- The image moved by (dy, dx), mirrored first if asked; f64, (SIDE,SIDE,CHANNELS) flat.
local function moved(p, dy, dx, flip, fill)
  local out, n = {}, 0
  local inside = fills[fill or 'nearest']
  for y = 0, SIDE - 1 do
    for x = 0, SIDE - 1 do
      for ch = 0, CHANNELS - 1 do
        local from = inside((flip and SIDE - 1 - x or x) + dx)
        n = n + 1
        out[n] = p[(inside(y + dy) * SIDE + from) * CHANNELS + ch]
      end
    end
  end
  return out
end

-- Which of the shifts within (sy, sx) and flips makes `row` of the item: "dy dx flip".
local function how(item, row, sy, sx, fill)
  local p, q = item:pointer(), row:pointer()
  for dy = -sy, sy do
    for dx = -sx, sx do
      for _, flip in ipairs { false, true } do
        local m, same = moved(p, dy, dx, flip, fill), true
        for i = 1, #m do
          if math.abs(m[i] / 255 - q[i - 1]) > 1e-6 then same = false break end
        end
        if same then return dy, dx, flip end
      end
    end
  end
end

t.case('shift and flip: nearest fill, every value about equally often', function()
  local data, labels = set()
  local run = plan(data, labels, { batch = 40, shuffle = 1, shift_y = 1, shift_x = 2, flip = 1 })
  local down, right, flips, n = {}, {}, 0, 0
  for epoch = 0, 9 do
    local x, _, items = run { seed = 4, epoch = epoch }
    for i = 1, ITEMS do
      local dy, dx, flip = how(data[items[i] + 1], x[i], 1, 2)
      t.ok(dy, 'row ' .. i .. ' is no shift or mirror image of its item')
      down[dy], right[dx], n = (down[dy] or 0) + 1, (right[dx] or 0) + 1, n + 1
      if flip then flips = flips + 1 end
    end
  end
  -- n = 400: five standard deviations of a binomial law
  local function even(count, share) t.near(count, n * share, 5 * math.sqrt(n * share * (1 - share))) end
  even(flips, 1 / 2)
  for d = -1, 1 do even(down[d], 1 / 3) end
  for d = -2, 2 do even(right[d], 1 / 5) end
end)

t.case('shift with reflect fill: the edge is not repeated', function()
  local data, labels = set()
  local run = plan(data, labels, { batch = 40, shift_y = 1, shift_x = 2, flip = 1, fill = C.HZ_REFLECT })
  local apart = 0
  local nearest = plan(data, labels, { batch = 40, shift_y = 1, shift_x = 2, flip = 1 }) { seed = 4 }
  local x, _, items = run { seed = 4 }
  for i = 1, ITEMS do
    local image = data[items[i] + 1]
    local dy, dx, flip = how(image, x[i], 1, 2, 'reflect')
    t.ok(dy, 'row ' .. i .. ' is no shift or mirror image of its item')
    local a, b, f = how(image, nearest[i], 1, 2)
    t.equal({ dy, dx, flip }, { a, b, f }, 'the fill does not change what is drawn')
    apart = apart + (x[i]:ne(nearest[i]):sum() > 0 and 1 or 0)
  end
  t.ok(apart > ITEMS / 2)
  -- one row of pixels by hand, as far as a shift reaches
  local row = tensor.from({ 10, 20, 30, 40 }, 'u8'):reshape { 1, 1, 4, 1 }
  local one = plan(row, tensor.zeros({ 1 }, 'i32'), { batch = 1, scale = 1 })
  local function seen(step) return (one(step)):reshape { 4 }:table() end
  t.equal(seen { right = 3 }, { 40, 30, 20, 10 })
  t.equal(seen { right = -3 }, { 40, 30, 20, 10 })
  t.equal(seen { right = 1 }, { 20, 30, 40, 30 })
  t.equal(seen { right = -2 }, { 30, 20, 10, 20 })
  t.equal(seen { right = 1, mirror = 1 }, { 30, 40, 30, 20 })
  t.equal(seen { mirror = 1 }, { 40, 30, 20, 10 })
  t.raises('a shift by 0 rows, 4 columns was asked for; needs less than the 1x4 pixels', seen, { right = 4 })
  t.raises('a shift by -1 rows, 0 columns was asked for', seen, { down = -1 })
end)

t.case('alternating flip: by chance in epoch 0, the other side in odd epochs, the same in even ones', function()
  local data, labels = set()
  local run = plan(data, labels, { batch = 40, shift_y = 1, shift_x = 1, flip = C.HZ_FLIP_ALTERNATING })
  local by_chance = plan(data, labels, { batch = 40, shift_y = 1, shift_x = 1, flip = 1 })
  local function sides(x)
    local out = {}
    for i = 1, ITEMS do out[i] = select(3, how(data[i], x[i], 1, 1)) end
    return out
  end
  local first = sides((run { seed = 6 }))
  t.equal(sides((by_chance { seed = 6 })), first, 'epoch 0 is that of flip=true')
  local flipped = 0
  for epoch = 1, 4 do
    local now = sides((run { seed = 6, epoch = epoch }))
    for i = 1, ITEMS do t.equal(now[i] == first[i], epoch % 2 == 0) end
  end
  for i = 1, ITEMS do flipped = flipped + (first[i] and 1 or 0) end
  t.near(flipped, ITEMS / 2, 5 * math.sqrt(ITEMS / 4))
  local other = sides((run { seed = 7 }))
  local same = 0
  for i = 1, ITEMS do same = same + (other[i] == first[i] and 1 or 0) end
  t.near(same, ITEMS / 2, 5 * math.sqrt(ITEMS / 4), 'another seed')
end)

t.case('normalisation per channel', function()
  local data, labels = set()
  local x = plan(data, labels, { batch = 40, mean = { 0.5, 0.25, 0.125 }, deviation = { 0.5, 2, 4 } }) {}
  local p, q, mean, deviation = data:pointer(), x:pointer(), { 0.5, 0.25, 0.125 }, { 0.5, 2, 4 }
  for i = 0, data:count() - 1 do
    t.near(q[i], (p[i] / 255 - mean[i % 3 + 1]) / deviation[i % 3 + 1], 1e-6)
  end
  local scaled = plan(data, labels, { batch = 40, scale = 1 }) {}
  t.equal((scaled - data:to 'f32'):abs():max(), 0)
end)

-- ---- dropout ----

local function dropout(x, items, o)
  local attr = ffi.new 'hz_attr'
  attr.dropout.rate, attr.dropout.layer = o.rate, o.layer or 0
  local g = C.hz_graph_new 'test'
  local y = c.index(C.hz_graph_add(g, 'dropout', 'drop', attr,
    ffi.new('int32_t[6]', C.hz_graph_bind(g, 'x', x, 0), C.hz_graph_bind(g, 'item', items, 0)), 2))
  C.hz_graph_keep(g, y)
  local handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, g, ffi.new('hz_plan_options', { device = DEVICE }))
  c.check(C.hz_plan_run(handle, 0, -1, ffi.new('hz_step', { count = #x, seed = o.seed or 1, epoch = o.epoch or 0 })))
  return tensor.own(C.hz_plan_peek, handle, y, -1):clone()
end

t.case('dropout: the share, the scale, and what the mask depends on', function()
  local x, items = tensor.ones { 20, 1000 }, tensor.range(100, 119, 1, 'i32')
  local function mask(o) o.rate = o.rate or 0.3; return dropout(x, items, o):ne(0) end
  local kept = mask {}
  t.near(kept:sum(), 20000 * 0.7, 5 * math.sqrt(20000 * 0.3 * 0.7))
  local y = dropout(x, items, { rate = 0.3 })
  t.near(y:max(), 1 / 0.7, 1e-6)
  t.equal((y:to 'f64' * (1 - kept:to 'f64')):abs():max(), 0)
  t.equal(mask {}:ne(kept):sum(), 0, 'the same seed, epoch, item and layer give the same mask')
  for what, o in pairs { seed = { seed = 2 }, epoch = { epoch = 1 }, layer = { layer = 1 } } do
    -- two independent masks differ in 2*0.3*0.7 of the elements
    t.near(mask(o):ne(kept):sum(), 20000 * 0.42, 5 * math.sqrt(20000 * 0.42 * 0.58), 'another ' .. what)
  end
  -- the mask belongs to the item, not to its row: reversed items have reversed masks
  local backward = dropout(x, tensor.range(119, 100, -1, 'i32'), { rate = 0.3 }):ne(0)
  for i = 1, 20 do t.equal(backward[i]:ne(kept[21 - i]):sum(), 0) end
end)
