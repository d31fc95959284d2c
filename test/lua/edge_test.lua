-- edge_test.lua: numbers at the edges: a zero that was given is a zero; NaN and infinity go through, or are refused,
-- and leave nothing behind; shapes and windows without extent or beyond int are refused.
local t = ...
local hz = require 'hz'
local l = hz.layers
local NAN, INF = 0 / 0, math.huge

-- ---- zeros ----

t.case('an alpha of 0 cuts off', function()
  local x = hz.tensor { { -2, -1, 1, 2 } }
  for _, kind in ipairs { 'leaky', 'elu' } do
    t.equal(l[kind] { alpha = 0 }(x):table()[1], { 0, 0, 1, 2 }, kind)
    t.equal(l[kind] { 0 }(hz.randn({ 3, 5 }, 0, 1, { seed = 1 }) - 9):abs():max(), 0, kind)
  end
end)

local function means_after_a_step(momentum)
  local net = hz.net 'n' { input = { 4 }, l.norm { momentum = momentum }, l.dense { 2 } }
  net:init { seed = 1 }
  local plan = net:plan { batch = 4, train = true }
  local x = hz.tensor { { 1, 2, 3, 4 }, { 2, 4, 6, 8 }, { 3, 6, 9, 12 }, { 5, 5, 5, 5 } }
  plan:write(x, hz.tensor({ 0, 1, 0, 1 }, 'i32')):step()
  return net:state()['norm1.mean']:table()
end

t.case('a momentum of 0 keeps the batch alone', function()
  t.equal(means_after_a_step(0), { 2.75, 4.25, 5.75, 7.25 })
  t.equal(means_after_a_step(0.5), { 1.375, 2.125, 2.875, 3.625 })
end)

t.case('an epsilon of 0 adds nothing', function()
  local net = hz.net 'n' { input = { 1 }, l.norm { epsilon = 0 } }
  net:init()
  net:state()['norm1.variance']:fill(1 / 4096)
  t.equal(net(hz.tensor { { 1 } })[1][1], 64)
end)

t.case('a deviation of 0 is refused', function()
  local function with(deviation) return hz.net 'n' { input = { 4, 4, 2 }, deviation = deviation, l.meanpool } end
  t.raises("net 'n': deviation is 0; needs a number above 0", with, 0)
  t.raises("net 'n': deviation[2] is 0; needs a number above 0", with, { 1, 0 })
  local set = hz.data('camera', { split = 'train', train = 20 })
  t.raises('deviation is 0; needs a number above 0',
    function() with(1):plan { data = set, batch = 2, deviation = 0 } end)
end)

t.case('slopes below zero have no gradient', function()
  for _, kind in ipairs { 'leaky', 'elu' } do
    local net = hz.net 'n' { input = { 3 }, l.dense { 4 }, l[kind] { -0.5 }, l.dense { 2 } }:init()
    t.raises(("net 'n': layer '%s1': alpha of %s is -0.5; a gradient needs a number of at least 0"):format(kind, kind),
      net.plan, net, { batch = 2, train = true })
  end
  t.near(l.leaky { -0.5 }(hz.tensor { { -1, 2 } })[1][1], 0.5, 1e-7)
end)

-- ---- what is not finite ----

local function state_of(net)
  local list = {}
  for _, p in ipairs(net:tensors()) do list[p.name] = p.tensor:clone() end
  return list
end

local function same(a, b)
  for name, x in pairs(a) do if x:ne(b[name]):max() ~= 0 then return name end end
end

t.case('a step that is refused leaves weights and running statistics as they were', function()
  local labels = hz.tensor({ 0, 1, 2, 3 }, 'i32')
  for _, o in ipairs { {}, { dtype = 'bf16' }, { dtype = 'f64' }, { fuse = false }, { optimizer = hz.adam {} } } do
    local net = hz.net 'n' { input = { 8, 8, 3 }, l.conv { 8, 3 }, l.norm, l.relu, l.conv { 8, 3 }, l.relu, l.norm,
      l.norm { axis = 'rows' }, l.meanpool, l.dense { 4 } }
    net:init { seed = 1, dtype = o.dtype == 'f64' and 'f64' or 'f32' }
    o.batch, o.train = 4, true
    local plan, good = net:plan(o), hz.randn({ 4, 8, 8, 3 }, 0, 1, { seed = 1 })
    local bad = good:clone()
    bad:set(NAN, 1, 1, 1, 1)
    plan:write(good, labels):step()
    local before = state_of(net)
    t.raises('the loss is', function() plan:write(bad, labels):step() end)
    t.equal(same(before, net:state()), nil)
    plan:write(good, labels):step()
    t.ok(net:state()['norm1.mean']:ne(before['norm1.mean']):max() == 1, 'statistics move with good steps')
    for _, p in ipairs(net:tensors()) do t.equal(p.tensor:isfinite():min(), 1, p.name) end
  end
end)

t.case('an evaluation says whether its loss is finite', function()
  local set = { items = hz.rand({ 6, 4 }, 0, 1, { seed = 1 }), labels = hz.tensor({ 0, 1, 0, 1, 0, 1 }, 'i32') }
  local net = hz.net 'n' { l.norm, l.dense { 2 } }
  local plan = net:plan { data = set, batch = 4 }
  t.equal(plan:evaluate().finite, true)
  net:state()['norm1.mean']:fill(NAN)
  local e = plan:evaluate()
  t.equal({ e.finite, e.accuracy }, { false, 0 })
end)

-- Loss, hits and gradient of one row of logits.
local function xent(logits, label, o)
  local net = hz.net 'n' { input = { #logits }, l.flatten, l.dense { #logits, bias = false } }
  net:init { dtype = o.dtype }
  local w = net:state()['dense1.weight']
  w:fill(0)
  for i = 1, #logits do w:set(1, i, i) end
  local plan = net:plan { batch = 1, loss = 'xent', smoothing = o.smoothing, dtype = o.dtype, keep = true }
  local y = plan:write(hz.zeros { 1, #logits }, hz.tensor({ label }, 'i32')):run():value 'logits'
  for i, v in ipairs(logits) do y:set(v, 1, i) end
  plan:run('loss', 'loss')
  return plan:loss(), plan:correct()
end

t.case('the loss of logits that are not finite', function()
  local truth = math.log(1 + math.exp(-1))             -- of {1, 0}
  for _, dtype in ipairs { 'f32', 'f64', 'bf16' } do
    local function ask(logits, label, smoothing)
      return xent(logits, label, { dtype = dtype, smoothing = smoothing })
    end
    local loss, hits = ask({ 1, -INF, 0 }, 0)
    t.near(loss, truth, 1e-6, dtype)
    t.equal(hits, 1)
    t.equal({ ask({ 1, -INF, 0 }, 1) }, { INF, 0 })
    t.equal({ ask({ 1, -INF, 0 }, 0, 0.1) }, { INF, 1 })        -- a target of 0.1/3 where the probability is 0
    for _, v in ipairs { NAN, INF } do
      for label = 0, 2 do
        loss, hits = ask({ 1, v, 0 }, label)
        t.ok(loss ~= loss, dtype)
        t.equal(hits, 0)
      end
    end
  end
end)

t.case('the larger and the smaller of NaN and a number', function()
  local x, one = hz.tensor({ NAN, 1, -1, NAN }, 'f64'), hz.tensor({ 1, NAN, 2, NAN }, 'f64')
  for _, op in ipairs { 'max', 'min' } do
    local y = x[op](x, one):table()
    t.ok(y[1] ~= y[1] and y[2] ~= y[2] and y[4] ~= y[4], op)
    t.equal(y[3], op == 'max' and 2 or -1)
    t.ok(x[op](x) ~= x[op](x), op)
  end
  t.equal({ x:argmax(), hz.tensor({ 3, NAN, NAN, 4 }, 'f64'):argmin() }, { 1, 2 })      -- the first
  for _, op in ipairs { 'relu', 'sign' } do
    local y = x[op](x):table()
    t.ok(y[1] ~= y[1], op)
    t.equal({ y[2], y[3] }, op == 'relu' and { 1, 0 } or { 1, -1 })
  end
end)

-- ---- extents ----

t.case('shapes without extent and windows beyond int are refused', function()
  for _, kind in ipairs { 'norm', 'relu', 'flatten', 'meanpool', 'avgpool', 'maxpool' } do
    t.raises('input[3] is 0; needs a whole number of at least 1',
      function() hz.net 'n' { l[kind] }(hz.zeros { 2, 4, 4, 0 }) end)
  end
  t.raises('input[3] is 0', function() l.conv { 8, 3 }(hz.zeros { 1, 8, 8, 0 }) end)
  local x = hz.ones { 1, 8, 8, 2 }
  t.raises('a window of 65536x65536; needs at most 256 elements', function() l.maxpool { 65536 }(x) end)
  t.raises('needs at most 2147483647 elements', function() l.avgpool { 46341, pad = 'same' }(x) end)
  t.raises('maxpool: kernel is 4294967298; needs a whole number', function() l.maxpool { 2 ^ 32 + 2 }(x) end)
  t.raises('conv: stride is 4294967297; needs a whole number', function() l.conv { 8, 3, stride = 2 ^ 32 + 1 }(x) end)
  t.equal(l.avgpool { 40000, pad = 'same' }(x):table(), { { { { 1, 1 } } } })
end)
