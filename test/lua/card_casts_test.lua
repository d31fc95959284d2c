-- card_casts_test.lua: what a card casts between f32 and bf16 for a library's products, in few launches: the bits of
-- runs at once and in parts, weights that the host, an update or another node changes, gradients that nobody reads.
local t = ...
local hz = require 'hz'
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local G = assert(loadfile(t.here .. 'graph.lua'))()
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local C, ffi, l = c.C, c.ffi, hz.layers

local function case(name, f)
  t.case(name, function()
    t.need_emu()
    t.with('HZ_CUDNN', 'whole', function() t.with('HZ_CUBLASLT', 'whole', f) end)
  end)
end

-- The last layer is too large for the network's head, whose roundings depend on how much of it a run has.
local function net()
  return hz.net 'casts' { l.conv { 8, 3 }, l.relu, l.conv { 12, 3, stride = 2 }, l.relu, l.conv { 130, 1 }, l.elu,
    l.flatten, l.dense { 140 }, l.relu, l.dense { 60 } }:init { seed = 1, input = { 6, 6, 3 } }
end

local function planned(n, dtype, optimizer)
  return n:plan { batch = 128, train = true, device = 'emu', dtype = dtype, optimizer = optimizer, total = 4,
    data = tiny.set(384, 1) }
end

-- Weights and state after steps whose nodes run in one call, forward and backward, or each by itself.
local function stepped(how, dtype)
  local n, optimizer = net(), hz.sgd { rate = 0.05, momentum = 0.9 }
  local plan = planned(n, dtype, optimizer)
  local nodes, used = C.hz_graph_nodes(plan.graph), {}
  for step = 0, 3 do
    local s = ffi.new('hz_step', { seed = 3, count = 128, offset = step % 3 * 128, step = step, version = step + 1 })
    for k = 0, 15 do s.rates[k] = 0.05 end
    if how == 'each' then
      for i = 0, nodes - 1 do c.check(C.hz_plan_run(plan.handle, i, i + 1, s)) end
    elseif how == 'halves' then
      c.check(C.hz_plan_run(plan.handle, 0, plan.forward_nodes, s))
      c.check(C.hz_plan_run(plan.handle, plan.forward_nodes, nodes, s))
    else
      c.check(C.hz_plan_run(plan.handle, 0, nodes, s))
    end
  end
  for _, k in ipairs(plan:nodes()) do used[k.kernel] = (used[k.kernel] or 0) + 1 end
  local state = {}
  for _, p in ipairs(n:tensors()) do state[p.name] = p.tensor:clone() end
  for name, s in pairs(optimizer.state) do state['state ' .. name] = s:clone() end
  return state, used
end

case('a step at once, in halves and node by node leaves the same bits', function()
  for _, dtype in ipairs { 'f32', 'bf16' } do
    local wanted, used = stepped('once', dtype)
    t.ok(used.cudnn >= 8 and used.cublaslt == 3, 'libraries take the products')
    for _, how in ipairs { 'halves', 'each' } do
      for name, s in pairs(stepped(how, dtype)) do
        t.ok(G.same_bits(s, wanted[name]), ('%s, %s: %s'):format(dtype, how, name))
      end
    end
  end
end)

case('a run that ends among the gradients has cast those it made', function()
  local n = net()
  local plan = n:plan { batch = 16, train = true, device = 'emu', dtype = 'bf16', keep = true,
    optimizer = hz.sgd { rate = 1e-20 }, data = tiny.set(44, 1) }
  local s, found = ffi.new('hz_step', { seed = 3, count = 16, version = 1 }), {}
  c.check(C.hz_plan_run(plan.handle, 0, -1, s))
  for i = 0, C.hz_graph_nodes(plan.graph) - 1 do
    local node = C.hz_graph_node(plan.graph, i)
    if ffi.string(C.hz_op_name(node.op)) == 'conv2d_dw' then
      for k = 0, node.nout - 1 do
        local v = tensor.own(C.hz_plan_peek, plan.handle, node.out[k], -1)
        found[#found + 1] = { node = i, value = node.out[k], wanted = v:clone() }
        v:fill(77)
      end
    end
  end
  t.equal(#found, 6)
  local done = 0
  for _, f in ipairs(found) do
    c.check(C.hz_plan_run(plan.handle, done, f.node + 1, s))
    done = f.node + 1
    t.ok(G.same_bits(tensor.own(C.hz_plan_peek, plan.handle, f.value, -1):clone(), f.wanted), 'node ' .. f.node)
  end
end)

case('weights that the host writes between steps are those that multiply', function()
  local function second_loss(at)
    local n = net()
    local plan, loss = planned(n, 'bf16', hz.sgd { rate = 1e-20 }), nil
    for step = 1, 2 do
      for _, p in ipairs(step == at and n:tensors() or {}) do
        if p.name:find 'weight' then p.tensor:copy(p.tensor * 0.75) end
      end
      loss = plan:step()
    end
    return loss
  end
  t.equal(second_loss(2), second_loss(1))
  t.ok(second_loss(2) ~= second_loss(3), 'written weights change a loss')
end)

-- x, then nodes by name over bound tensors: { op, attr, inputs... }; returns what `last` yields after two runs.
local function yields(device, dtype, build)
  local g = C.hz_graph_new 'test'
  local function node(op, attr, ...)
    return c.index(C.hz_graph_add(g, op, op, attr or ffi.new 'hz_attr', ffi.new('int32_t[6]', ...), select('#', ...)))
  end
  local function bound(name, shape, stream)
    local v = hz.randn(shape, 0, 1, { seed = 8, stream = stream }):to 'bf16':to(dtype == 'f64' and 'f64' or 'f32')
    return c.index(C.hz_graph_bind(g, name, v, 1))
  end
  local n, extents = c.shape { 2, 5, 5, 8 }
  local x = c.index(C.hz_graph_entry(g, 'x', c.dtype(dtype), n, extents))
  local last = build(node, bound, x, g)
  c.check(C.hz_graph_keep(g, last))
  local handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, g, ffi.new('hz_plan_options', { device = device }))
  tensor.own(C.hz_plan_peek, handle, x, -1):copy(hz.randn({ 2, 5, 5, 8 }, 0, 1, { seed = 8, stream = 99 }):to(dtype))
  for step = 0, 1 do
    local s = ffi.new('hz_step', { count = 2, step = step, rate = 0.5, version = step + 1 })
    c.check(C.hz_plan_run(handle, 0, -1, s))
  end
  return tensor.own(C.hz_plan_peek, handle, last, -1):clone():to 'f64'
end

local function window()
  local a = ffi.new 'hz_attr'
  a.window.kh, a.window.kw, a.window.sh, a.window.sw = 3, 3, 1, 1
  return a
end

case('weights that an update moves first, and two products of the same', function()
  local function build(node, bound, x)
    local w, dw = bound('w', { 8, 3, 3, 8 }, 1), bound('dw', { 8, 3, 3, 8 }, 2)
    local first = node('conv2d', window(), x, w)
    node('sgd', nil, w, dw)
    return node('conv2d', window(), first, w)
  end
  local wanted = yields('cpu', 'f64', build)
  local d = G.distance(yields('emu', 'bf16', build), wanted)
  t.ok(d < 0.02, ('off by %.3g'):format(d))
end)

case('gradients that nobody reads leave alone what lies where they were', function()
  local function build(node, bound, x, g)
    local y = x
    for i = 1, 4 do
      y = node('conv2d', window(), y, bound('w' .. i, { 8, 3, 3, 8 }, i), bound('b' .. i, { 8 }, 10 + i))
    end
    local labels = c.index(C.hz_graph_bind(g, 'labels', hz.tensor({ 1, 5 }, 'i32'), 0))
    local loss = node('xent', nil, node('meanpool', nil, y), labels)
    c.check(C.hz_graph_grad(g, loss, -1, 1))
    return c.index(C.hz_graph_gradient_of(g, x))
  end
  local d = G.distance(yields('emu', 'bf16', build), yields('cpu', 'f64', build))
  t.ok(d < 0.05, ('off by %.3g'):format(d))
end)
