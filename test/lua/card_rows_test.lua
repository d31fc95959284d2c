-- card_rows_test.lua: what a card's kernels promise beside their results (card_test.lua): short batches in the program
-- of full ones, the CPU's draws, and updates that wait for a finite loss.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local ops = assert(loadfile(t.here .. 'ops.lua'))()
local G = assert(loadfile(t.here .. 'graph.lua'))()
local judge = assert(loadfile(t.here .. 'judge.lua'))(t, ops, G)
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local C, ffi = c.C, c.ffi

local function case(name, f)
  t.case(name, function()
    t.need_emu()
    f()
  end)
end

-- f(row, storage) for the rows of these ops.
local function each(names, f)
  judge.each_row(function(row)
    if names:find(('%%f[%%w]%s%%f[%%W]'):format(row.op)) then
      for _, storage in ipairs { 'f32', 'bf16', 'f64' } do f(row, storage) end
    end
  end)
end

local function bench(row, o)
  return G.bench(row, { device = o.device or 'emu', dtype = o.storage, grad = not row.no_grad, fuse = o.fuse })
end

-- ---- rows that are not in use ----

local function all_zero(x) return x:count() == 0 or (x:type() == 'bf16' and x:to 'f32' or x):abs():max() == 0 end

case('ops that mix rows count those in use', function()
  each('norm xent', function(row, storage)
    if row.batch < 3 or row.attr.frozen then return end
    for _, n in ipairs { 1, row.batch - 1 } do
      local b, wanted = bench(row, { storage = storage, fuse = false }), judge.truth(row, storage, n)
      b:run { count = n }
      judge.close(row, storage, b, n, wanted, ('emu, %d rows'):format(n))
      for name, r in pairs(b:results()) do
        if name:find '^d x' then t.ok(all_zero(r.tensor:slice(1, n + 1, row.batch)), row.title .. ': ' .. name) end
      end
    end
  end)
end)

case('a batch ends with zeros, and begins with what the CPU draws', function()
  local steps = { { epoch = 0 }, { epoch = 3, seed = 2 ^ 40, offset = 2 }, { mirror = 1, down = -2, right = 1 } }
  each('input', function(row, storage)
    for _, step in ipairs(steps) do
      step.count = math.max(1, row.batch - 3)
      if row.inputs[1][1] > 1 and (#row.inputs[1] == 4 or not step.mirror) then
        local b, near = bench(row, { storage = storage }), bench(row, { storage = 'f64', device = 'cpu' })
        b:run(step)
        near:run(step)
        judge.close(row, storage, b, step.count, near:results(step.count), 'emu')
        local got, wanted = b:results(), near:results(step.count)
        for name, r in pairs(got) do
          t.ok(all_zero(r.tensor:slice(1, step.count + 1, row.batch)), row.title .. ': ' .. name)
          t.ok(name == 'op.x' or G.same_bits(r.tensor:slice(1, 1, step.count):clone(), wanted[name].tensor),
            row.title .. ': ' .. name)
        end
      end
    end
  end)
end)

case('masks of dropout are those of the CPU', function()
  each('dropout', function(row, storage)
    local b, near = bench(row, { storage = storage }), bench(row, { storage = storage, device = 'cpu' })
    b:run { seed = 77, epoch = 5 }
    near:run { seed = 77, epoch = 5 }
    t.ok(G.same_bits(b:results()['op.mask'].tensor, near:results()['op.mask'].tensor), row.title)
  end)
end)

case('a label that is no class makes the loss no number', function()
  each('xent', function(row, storage)
    for _, label in ipairs { -1, row.inputs[1][2], 2 ^ 31 - 1, -2 ^ 31 } do
      local b = bench(row, { storage = storage })
      b.entries[2].contents = b.entries[2].contents:clone()
      b.entries[2].contents[1] = label
      b:run()
      local r = b:results()
      t.ok(r['op.loss'].tensor[1] ~= r['op.loss'].tensor[1], row.title)
      t.equal(r['op.correct'].tensor[1], 0)
    end
  end)
end)

-- ---- training ----

local l = require 'hz.net.layer'.kinds

-- In this one no parameter has a gradient of nothing but roundings, as a bias before a norm has.
local function net()
  return hz.net 'short' { l.conv{8, 3}, l.relu, l.norm, l.conv{12, 3, stride=2}, l.dropout{0.3}, l.elu,
    l.maxpool{2}, l.norm, l.gelu, l.flatten, l.dense{16}, l.tanh, l.dense{4} }:init { seed = 1, input = { 6, 6, 3 } }
end

local function named_state(n, optimizer)
  local list = {}
  for _, p in ipairs(n:tensors()) do list[p.name] = p.tensor:clone() end
  for name, s in pairs(optimizer.state) do list['state ' .. name] = s:clone() end
  return list
end

local function trained(device, o)
  local a = tiny.training { net = net(), device = device, batch = 16 }
  for k, v in pairs(o) do a[k] = v end
  a.optimizer = o.optimizer()
  local r = hz.train(a)
  return r, named_state(a.net, a.optimizer)
end

-- Sets of 44 and 20 items: batches of 16 end with 12 and 4.
local function close_to_cpu(o, most)
  local wanted, weights = trained('cpu', o)
  local got, own = trained('emu', o)
  for i, row in ipairs(wanted.curve) do
    t.near(got.curve[i].loss, row.loss, most, 'loss')
    t.near(got.curve[i].watch_loss, row.watch_loss, most, 'loss of the watch set')
  end
  for name, x in pairs(weights) do
    t.ok(G.distance(own[name], x) <= most, ('%s is off by %g'):format(name, G.distance(own[name], x)))
  end
end

case('training with short batches, by every optimiser', function()
  for _, make in ipairs {
    function() return hz.sgd { rate = 0.05, momentum = 0.9, nesterov = true, decay = 0.01 } end,
    function() return hz.adam { rate = 0.005 } end,
    function() return hz.adadelta { rate = 0.5 } end,
    function()
      return hz.groups { { match = 'bias$', hz.sgd { rate = 0.1, schedule = 'linear', stop = 0.6 } },
        hz.adamw { rate = 0.005, schedule = 'cosine' } }
    end,
    function()
      return hz.groups { { match = '^conv.*weight$', hz.muon { rate = 0.1 } }, hz.sgd { rate = 0.05, momentum = 0.5 } }
    end } do
    close_to_cpu({ optimizer = make, dtype = 'f64' }, 1e-9)
  end
end)

case('training in f32 and bf16', function()
  local function make() return hz.sgd { rate = 0.05, momentum = 0.9 } end
  close_to_cpu({ optimizer = make, dtype = 'f32' }, 1e-5)
  close_to_cpu({ optimizer = make, dtype = 'bf16' }, 0.2)             -- momentum keeps what was rounded elsewhere
end)

case('training with averages of the weights', function()
  for _, kind in ipairs { 'ema', 'lookahead' } do
    close_to_cpu({ optimizer = function() return hz.sgd { rate = 0.05, momentum = 0.9 } end,
      average = { kind = kind, every = 2, decay = 0.6, power = 2 }, dtype = 'f64' }, 1e-9)
  end
end)

case('no update once a loss was no number, until the gate is opened again', function()
  local n, optimizer, items = net(), hz.sgd { rate = 0.05, momentum = 0.9 }, hz.rand({ 44, 6, 6, 3 }, 0, 1)
  items:slice(1, 44, 44):fill(0 / 0)
  local plan = n:plan { batch = 16, train = true, device = 'emu', optimizer = optimizer,
    data = { items = items, labels = tiny.set(44, 1).labels }, average = { kind = 'ema', every = 1 } }
  local shut, losses = false, {}
  local function step(epoch, offset)
    local before, same = named_state(n, optimizer), true
    c.check(C.hz_plan_run(plan.handle, 0, -1, ffi.new('hz_step', { seed = 3, epoch = epoch, offset = offset,
      count = math.min(16, 44 - offset), rate = 0.05, keep = 0.5, version = epoch * 3 + offset / 16 + 1 })))
    losses[#losses + 1] = plan:value 'loss'[1]
    shut = shut or losses[#losses] ~= losses[#losses]
    for name, s in pairs(named_state(n, optimizer)) do same = same and G.same_bits(s, before[name]) end
    t.equal(same, shut, ('epoch %d, from item %d'):format(epoch, offset))
  end
  local finite_behind = 0
  for epoch = 0, 5 do
    if epoch % 2 == 0 then
      c.check(C.hz_plan_gate(plan.handle, plan.values.loss, plan.forward_nodes))
      shut = false
    end
    for offset = 0, 43, 16 do
      step(epoch, offset)
      if shut and losses[#losses] == losses[#losses] then finite_behind = finite_behind + 1 end
    end
    t.ok(shut, 'each epoch has item 44')
  end
  t.ok(finite_behind > 6, 'steps with a loss behind one without')
end)

-- ---- updates that are one launch ----

-- Steps of a net whose nodes run in one call, where updates are made together, or each of those in one of its own; what
-- is left of weights and state, and the kernels of the updates.
local function stepped(together, o)
  local n, optimizer = net(), o.optimizer()
  local plan = n:plan { batch = 16, train = true, device = 'emu', optimizer = optimizer, data = tiny.set(44, 1),
    average = o.average, dtype = o.dtype, total = 4 }
  local nodes, updates = C.hz_graph_nodes(plan.graph), 0
  while C.hz_graph_node(plan.graph, updates).nout > 0 do updates = updates + 1 end
  for step = 0, 3 do
    local s = ffi.new('hz_step', { seed = 3, count = 16, offset = step % 2 * 16, epoch = math.floor(step / 2),
      step = step, keep = step == 1 and -1 or 0.6, version = step + 1 })
    for k = 0, 15 do s.rates[k] = 0.01 * (k + 1) end
    if together then
      c.check(C.hz_plan_run(plan.handle, 0, nodes, s))
    else
      c.check(C.hz_plan_run(plan.handle, 0, updates, s))
      for i = updates, nodes - 1 do c.check(C.hz_plan_run(plan.handle, i, i + 1, s)) end
    end
  end
  local used, stat = {}, ffi.new 'hz_node_stat'
  for i = updates, nodes - 1 do
    c.check(C.hz_plan_stat(plan.handle, i, stat))
    local kernel = ffi.string(stat.kernel)
    used[kernel] = (used[kernel] or 0) + 1
  end
  return named_state(n, optimizer), used
end

case('updates of one launch yield the bits of single ones', function()
  local function groups()
    return hz.groups { { match = 'bias$', hz.sgd { rate = 0.1, momentum = 0.5, decay = 0.1 } },
      { match = '^conv1', hz.adam {} }, { match = '^conv', hz.adadelta {} },
      { match = '^norm', hz.sgd { nesterov = true, momentum = 0.9 } }, hz.adamw { decay = 0.01 } }
  end
  for _, o in ipairs { {}, { average = { kind = 'ema', every = 2 } }, { average = { kind = 'lookahead', every = 2 } },
      { dtype = 'f64', average = { kind = 'ema', every = 1 } }, { dtype = 'bf16' } } do
    o.optimizer = groups
    local wanted = stepped(false, o)
    local got, used = stepped(true, o)
    for name, s in pairs(wanted) do t.ok(G.same_bits(got[name], s), name) end
    -- 12 parameters, the running statistics of two norms; averages of all of those
    t.equal(used.grouped, 12 + 2 - 1 + (o.average and 12 + 4 or 0))
  end
  -- filters by muon, a launch of its own each; their averages wait for them in a second list
  local o = { average = { kind = 'ema', every = 1 }, optimizer = function()
    return hz.groups { { match = '^conv.*weight$', hz.muon { rate = 0.2 } }, hz.adamw {} }
  end }
  local wanted = stepped(false, o)
  local got, used = stepped(true, o)
  for name, s in pairs(wanted) do t.ok(G.same_bits(got[name], s), name) end
  t.equal(used.grouped, 10 + 2 + 14 - 1 + 2 - 1)
end)

case('updates that need each other keep their order', function()
  local function left(device)
    local g, tensors, values = C.hz_graph_new 'test', {}, {}
    for i, name in ipairs { 'p', 'q', 'dp', 'dq', 'mean', 'other' } do
      tensors[i] = hz.randn({ 2100 }, 0, 1, { seed = 4, stream = i }):to 'f64'
      values[name] = c.index(C.hz_graph_bind(g, name, tensors[i], 0))
    end
    local attr = ffi.new 'hz_attr'
    attr.norm.momentum = 0.7
    for node in ([[sgd p dp, average p mean, sgd q dq, sgd p dp, average p mean, sgd q p, average p other, average q p,
        norm_update mean other p q, average mean q, sgd dp mean, sgd p dp]]):gmatch '[^,]+' do
      local inputs, n, op = ffi.new 'int32_t[6]', 0, node:match '%S+'
      for name in node:gmatch '%s(%a+)%f[^%a]' do
        if values[name] then inputs[n], n = values[name], n + 1 end
      end
      c.index(C.hz_graph_add(g, op, 'update', op == 'norm_update' and attr or ffi.new 'hz_attr', inputs, n))
    end
    local handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, g, ffi.new('hz_plan_options', { device = device }))
    for step = 0, 2 do
      c.check(C.hz_plan_run(handle, 0, -1, ffi.new('hz_step', { count = 1, step = step, rate = 0.3, keep = 0.4 })))
    end
    return tensors
  end
  local wanted, got = left 'cpu', left 'emu'
  for i, x in ipairs(wanted) do t.ok(G.distance(got[i], x) < 1e-13, ('tensor %d'):format(i)) end
end)
