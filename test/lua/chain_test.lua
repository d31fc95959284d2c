-- chain_test.lua: gradients through a graph in which values are read more than once, against central differences
-- in double; and fused, unfused and kept plans of it agree.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local tensor = require 'hz.tensor.tensor'
local C, ffi = c.C, c.ffi
local DEVICE = require 'hz.net.plan'.default_device()

local BATCH = 3

local function random(shape, stream, dtype) return hz.randn(shape, 0, 0.5, { seed = 2, stream = stream }):to(dtype) end

-- image -> conv -> h; h + tanh(h) + maxpool(h) -> meanpool -> m; m + softmax(m) -> dense by w; the same w again -> xent
local function make(dtype, o)
  local g = ffi.gc(C.hz_graph_new 'chain', C.hz_graph_free)
  local made = { bound = {} }
  local function param(name, shape, stream)
    local value = random(shape, stream, dtype)
    made.bound[#made.bound + 1] = { name = name, tensor = value, value = c.index(C.hz_graph_bind(g, name, value, 1)) }
    return made.bound[#made.bound].value
  end
  local function node(op, attr, ...)
    return c.index(C.hz_graph_add(g, op, op, attr, ffi.new('int32_t[6]', ...), select('#', ...)))
  end
  local function act(name, x)
    local a = ffi.new 'hz_attr'
    a.act.act = C.hz_act_named(name)
    return node('act', a, x)
  end
  local function window(k)
    local a = ffi.new 'hz_attr'
    a.window.kh, a.window.kw, a.window.sh, a.window.sw = k, k, 1, 1
    return a
  end
  local x = c.index(C.hz_graph_entry(g, 'x', c.dtype(dtype), 4, ffi.new('int64_t[6]', { BATCH, 5, 4, 3 })))
  local labels = c.index(C.hz_graph_entry(g, 'labels', C.HZ_I32, 1, ffi.new('int64_t[6]', { BATCH })))
  local h = act('elu', node('conv2d', window(3), x, param('k', { 6, 3, 3, 3 }, 1), param('b', { 6 }, 2)))
  local m = node('meanpool', nil, node('add', nil, node('add', nil, h, act('tanh', h)), node('maxpool', window(2), h)))
  local w = param('w', { 6, 6 }, 3)
  local d = act('gelu', node('dense', nil, node('add', nil, m, node('softmax', nil, m)), w))
  local loss = node('xent', nil, node('dense', nil, d, w), labels)
  C.hz_graph_keep(g, loss)
  c.check(C.hz_graph_grad(g, loss, -1, 1))
  made.bound[#made.bound + 1] = { name = 'x', value = x }
  for _, p in ipairs(made.bound) do
    p.gradient = c.index(C.hz_graph_gradient_of(g, p.value))
    C.hz_graph_keep(g, p.gradient)
  end
  o.device = DEVICE
  made.handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, ffi.gc(g, nil), ffi.new('hz_plan_options', o))
  local function peek(value) return tensor.own(C.hz_plan_peek, made.handle, value, -1) end
  made.loss = peek(loss)
  for _, p in ipairs(made.bound) do
    p.tensor, p.view = p.tensor or peek(p.value), peek(p.gradient)
  end
  made.bound[#made.bound].tensor:copy(random({ BATCH, 5, 4, 3 }, 9, dtype))
  peek(labels):copy(hz.tensor({ 4, 0, 2 }, 'i32'))
  local version = 0
  function made.run()
    version = version + 1                                   -- weights change between runs: kernels pack them anew
    c.check(C.hz_plan_run(made.handle, 0, -1, ffi.new('hz_step', { count = BATCH, version = version })))
    return made.loss[1]
  end
  return made
end

t.case('values read more than once get the sum of their gradients', function()
  local made = make('f64', { train = 1 })
  for _, p in ipairs(made.bound) do
    made.run()
    local kept, h = p.view:clone(), 1e-6
    local function put(i, value) p.tensor:pointer()[i] = value end
    local gradient = kept:pointer()
    for i = 0, p.tensor:count() - 1 do
      local was = p.tensor:pointer 'read'[i]
      put(i, was + h)
      local above = made.run()
      put(i, was - h)
      local below = made.run()
      put(i, was)
      local slope = (above - below) / (2 * h)
      t.near(gradient[i], slope, 2e-9 * (1 + math.abs(slope)), ('d %s, element %d'):format(p.name, i))
    end
    t.equal(kept:count(), p.tensor:count())
  end
end)

t.case('fused, unfused and kept agree', function()
  local truth = make('f64', { train = 1 })
  truth.run()
  for _, o in ipairs { {}, { no_fuse = 1 }, { keep = 1 } } do
    o.train = 1
    local made = make('f32', o)
    made.run()
    t.near(made.loss[1], truth.loss[1], 1e-6)
    for i, p in ipairs(made.bound) do
      t.ok((p.view:to 'f64' - truth.bound[i].view):abs():max() < 2e-6, p.name)
    end
  end
end)
