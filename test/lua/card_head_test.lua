-- card_head_test.lua: the end of a network, which a card runs as one launch: which nodes it takes, what they yield
-- beside plain loops in double and beside kernels of their own, and the bits of runs in two parts.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local tensor = require 'hz.tensor.tensor'
local ops = assert(loadfile(t.here .. 'ops.lua'))()
local G = assert(loadfile(t.here .. 'graph.lua'))()
local C, ffi = c.C, c.ffi

local function case(name, f)
  t.case(name, function()
    t.need_emu()
    f()
  end)
end

-- ---- ends of networks ----

-- x: shape of what the end is given; mean, dense = whether it has them; act: the dense layer's, before: of what is
-- given. flat: the image is flattened.
local ends = {
  { x = { 7, 8, 8, 16 }, mean = true, dense = 10, bias = true },
  { x = { 5, 3, 5, 13 }, mean = true, dense = 11, before = 'relu', smoothing = 0.2 },
  { x = { 3, 2, 2, 640 }, mean = true, dense = 3, bias = true, act = 'elu', before = 'elu' },
  { x = { 4, 1, 1, 24 }, mean = true, dense = 2, act = 'scale' },
  { x = { 33, 4, 4, 70 }, mean = true, before = 'relu' },
  { x = { 6, 17, 3, 4 }, mean = true, smoothing = 0.1 },
  { x = { 9, 100 }, dense = 80, bias = true, before = 'relu', act = 'relu' },
  { x = { 2, 2, 2, 8 }, flat = true, dense = 200, act = 'tanh', before = 'leaky', smoothing = 0.5 },
  { x = { 1, 65 }, dense = 1, bias = true },
  { x = { 40, 37 } },
  { x = { 2, 1000 }, smoothing = 0.3 },
}

local function attr_of(act)
  local attr = ffi.new 'hz_attr'
  attr.act.act, attr.act.alpha = C.hz_act_named(act), act == 'scale' and 1 / 9 or act == 'leaky' and 0.1 or 1
  return attr
end

-- The numbers of an end, the same for every plan of it; whole bf16 numbers, for plans that round to them.
local function contents(e, n)
  local shape, stream = e.x, n * 10
  local x = hz.randn(shape, 0, 1, { seed = 3, stream = stream }):to 'bf16':to 'f32'
  local units = e.flat and shape[2] * shape[3] * shape[4] or shape[#shape]
  local classes = e.dense or units
  local labels = tensor.empty({ shape[1] }, 'f32')
  c.check(C.hz_tensor_uniform(labels, 0, classes, 3, stream + 3))
  local r = { x = x, labels = labels:floor():to 'i32' }
  if e.dense then
    r.weight = hz.randn({ classes, units }, 0, units ^ -0.5, { seed = 3, stream = stream + 1 }):to 'bf16':to 'f32'
    r.bias = e.bias and hz.randn({ classes }, 0, 1, { seed = 3, stream = stream + 2 })
  end
  return r
end

-- A plan of an end with all its gradients; o: device, dtype, train, keep.
local function planned(e, n, o)
  local g, given, p = C.hz_graph_new 'end', contents(e, n), { results = {} }
  local batch = e.x[1]
  local parameters = o.dtype == 'f64' and 'f64' or 'f32'
  local function node(op, attr, ...)
    local list = ffi.new('int32_t[6]', ...)
    return c.index(C.hz_graph_add(g, op, op, attr or ffi.new 'hz_attr', list, select('#', ...)))
  end
  local function keep(name, v)
    c.check(C.hz_graph_keep(g, v))
    p.results[#p.results + 1] = { name = name, value = v }
  end
  local count, extents = c.shape(e.x)
  local x = c.index(C.hz_graph_entry(g, 'x', c.dtype(o.dtype), count, extents))
  local one, rows = c.shape { batch }
  local labels = c.index(C.hz_graph_entry(g, 'labels', c.dtype 'i32', one, rows))
  p.entries, p.bound = { { x, given.x }, { labels, given.labels } }, {}
  local function bind(name)
    if not given[name] then return end
    local b = given[name]:to(parameters)
    local v = c.index(C.hz_graph_bind(g, name, b, 1))
    p.bound[name] = { value = v, tensor = b }
    return v
  end
  local at = e.before and node('act', attr_of(e.before), x) or x
  if e.mean then at = node('meanpool', nil, at) end
  if e.flat then at = node('flatten', nil, at) end
  if e.dense then
    local weight, bias = bind 'weight', bind 'bias'
    at = bias and node('dense', nil, at, weight, bias) or node('dense', nil, at, weight)
    if e.act then at = node('act', attr_of(e.act), at) end
  end
  local attr = ffi.new 'hz_attr'
  attr.xent.smoothing = e.smoothing or 0
  local loss = node('xent', attr, at, labels)
  for k, name in ipairs { 'loss', 'correct', 'probs' } do keep(name, loss + k - 1) end
  p.forward = C.hz_graph_nodes(g)
  if o.train then
    c.check(C.hz_graph_grad(g, loss, -1, 1))
    keep('dx', c.index(C.hz_graph_gradient_of(g, x)))
    for name, b in pairs(p.bound) do keep('d' .. name, c.index(C.hz_graph_gradient_of(g, b.value))) end
  end
  local options = ffi.new('hz_plan_options',
    { device = o.device, train = o.train and 1 or 0, keep = o.keep and 1 or 0 })
  p.handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, g, options)
  p.graph, p.nodes = C.hz_plan_graph(p.handle), C.hz_plan_nodes(p.handle)
  for _, entry in ipairs(p.entries) do
    local view = tensor.own(C.hz_plan_peek, p.handle, entry[1], -1)
    view:copy(view:type() == 'i32' and entry[2] or entry[2]:to(view:type()))
  end
  return p
end

local function run(p, from, to, count)
  c.check(C.hz_plan_run(p.handle, from, to, ffi.new('hz_step', { count = count or p.entries[2][2]:count() })))
end

local function results(p)
  local r = {}
  for _, k in ipairs(p.results) do r[k.name] = tensor.own(C.hz_plan_peek, p.handle, k.value, -1):clone() end
  return r
end

-- Ops of the nodes that come in one launch, in order, and of all others.
local function launched(p)
  local together, others, stat = {}, {}, ffi.new 'hz_node_stat'
  for i = 0, p.nodes - 1 do
    c.check(C.hz_plan_stat(p.handle, i, stat))
    local kernel, op = ffi.string(stat.kernel), ffi.string(C.hz_op_name(C.hz_graph_node(p.graph, i).op))
    if kernel == 'head' or kernel == 'grouped' then
      t.equal(kernel, #together == 0 and 'head' or 'grouped', 'the first has the time')
      together[#together + 1] = op
    elseif kernel ~= 'view' and kernel ~= 'fused' then
      others[#others + 1] = op
    end
  end
  return table.concat(together, ' '), table.concat(others, ' ')
end

local function title(e, dtype)
  return ('%s of %s%s%s'):format(dtype, table.concat(e.x, 'x'), e.dense and ' to ' .. e.dense or '',
    e.mean and ', mean' or '')
end

local function distance(got, wanted)
  return G.distance(got, wanted:type() == 'bf16' and wanted:to 'f32' or wanted)
end

local limits = { f64 = ops.tolerance_f64[1], f32 = 1e-5, bf16 = ops.tolerance_bf16.behind[1] }

local function each(f)
  for n, e in ipairs(ends) do
    for _, dtype in ipairs { 'f64', 'f32', 'bf16' } do f(e, n, dtype) end
  end
end

-- ---- what it takes ----

case('mean, dense layer, loss and their gradients come in one launch', function()
  for n, e in ipairs(ends) do
    local wanted = {}
    local function add(has, op) if has then wanted[#wanted + 1] = op end end
    add(e.mean, 'meanpool')
    add(e.dense, 'dense')
    add(true, 'xent')
    local forward = table.concat(wanted, ' ')
    add(true, 'xent_grad')
    add(e.act, 'act_grad')
    add(e.dense, 'dense_dx')
    add(e.mean, 'meanpool_grad')
    t.equal((launched(planned(e, n, { device = 'emu', dtype = 'f32', train = true }))), table.concat(wanted, ' '))
    t.equal((launched(planned(e, n, { device = 'emu', dtype = 'f32' }))), forward == 'xent' and '' or forward)
    t.with('HZ_KERNEL', 'plain', function()
      t.equal((launched(planned(e, n, { device = 'emu', dtype = 'f32', train = true }))), '')
    end)
  end
end)

case('a dense layer with many weights stays by itself', function()
  for _, e in ipairs { { x = { 2, 2049 }, dense = 2 }, { x = { 2, 90 }, dense = 100 },
      { x = { 2, 8 }, dense = 1000 } } do
    local together, others = launched(planned(e, 50, { device = 'emu', dtype = 'f32', train = true }))
    local small = e.x[2] <= 2048 and e.x[2] * e.dense <= 8192
    t.equal(together, small and 'dense xent xent_grad dense_dx' or 'xent xent_grad')
    t.ok(small or others:find 'dense', others)
  end
  t.equal((launched(planned({ x = { 2, 1025 } }, 51, { device = 'emu', dtype = 'f32', train = true }))), '')
end)

-- ---- what it yields ----

case('it yields what plain loops yield in double', function()
  each(function(e, n, dtype)
    local truth = planned(e, n, { device = 'cpu', dtype = 'f64', train = true })
    local plan = planned(e, n, { device = 'emu', dtype = dtype, train = true })
    for _, p in ipairs { truth, plan } do run(p, 0, -1) end
    local wanted = results(truth)
    for name, got in pairs(results(plan)) do
      local d = distance(got, wanted[name])
      t.ok(d <= (name == 'correct' and 0 or limits[dtype]), ('%s: %s is off by %.3g'):format(title(e, dtype), name, d))
    end
  end)
end)

case('a run at once, in two parts, and again yields the same bits', function()
  each(function(e, n, dtype)
    for _, keep in ipairs { false, true } do
      local p, first = planned(e, n, { device = 'emu', dtype = dtype, train = true, keep = keep }), nil
      for time = 1, 4 do
        if time % 2 == 1 then
          run(p, 0, -1)
        else
          run(p, 0, p.forward)
          run(p, p.forward, -1)
        end
        local r = results(p)
        first = first or r
        for name, got in pairs(r) do
          t.ok(G.same_bits(got, first[name]), ('%s: %s, run %d'):format(title(e, dtype), name, time))
        end
      end
    end
  end)
end)

case('node by node it yields the same but for roundings', function()
  each(function(e, n, dtype)
    local p = planned(e, n, { device = 'emu', dtype = dtype, train = true })
    run(p, 0, -1)
    local wanted = results(p)
    for i = 0, p.nodes - 1 do run(p, i, i + 1) end
    for name, got in pairs(results(p)) do
      local d = distance(got, wanted[name])
      t.ok(d <= limits[dtype], ('%s: %s is off by %.3g'):format(title(e, dtype), name, d))
    end
  end)
end)

case('rows that are not in use get no gradient and count for nothing', function()
  each(function(e, n, dtype)
    local batch = e.x[1]
    if batch < 3 then return end
    local rows = batch - 2
    local p = planned(e, n, { device = 'emu', dtype = dtype, train = true })
    local few = { x = { unpack(e.x) } }
    for k, v in pairs(e) do few[k] = few[k] or v end
    few.x[1] = rows
    local truth = planned(few, n, { device = 'cpu', dtype = 'f64', train = true })
    for _, entry in ipairs(truth.entries) do               -- the first rows of the same numbers
      local whole = p.entries[entry[1] == truth.entries[1][1] and 1 or 2][2]:slice(1, 1, rows):clone()
      local view = tensor.own(C.hz_plan_peek, truth.handle, entry[1], -1)
      view:copy(view:type() == 'i32' and whole or whole:to(view:type()))
    end
    run(p, 0, -1, rows)
    run(truth, 0, -1)
    local wanted = results(truth)
    for name, got in pairs(results(p)) do
      if name == 'dx' then
        local rest = got:slice(1, rows + 1, batch):clone()
        t.equal((rest:type() == 'bf16' and rest:to 'f32' or rest):abs():max(), 0)
      end
      local used = batch == got:size(1) and name ~= 'dweight' and name ~= 'dbias' and got:slice(1, 1, rows) or got
      local d = distance(used:clone(), wanted[name])
      t.ok(d <= limits[dtype], ('%s, %d rows: %s is off by %.3g'):format(title(e, dtype), rows, name, d))
    end
  end)
end)

-- ---- memory ----

case('what one launch reads and writes never shares memory', function()
  for n, e in ipairs(ends) do
    local p = planned(e, n, { device = 'emu', dtype = 'bf16', train = true })
    local first, last, stat, seen, list = nil, nil, ffi.new 'hz_node_stat', {}, {}
    for i = 0, p.nodes - 1 do
      c.check(C.hz_plan_stat(p.handle, i, stat))
      local kernel = ffi.string(stat.kernel)
      if kernel == 'head' or kernel == 'grouped' then first, last = first or i, i end
    end
    for i = first, last do
      local node = C.hz_graph_node(p.graph, i)
      local function see(v)
        while v >= 0 and C.hz_graph_value(p.graph, v).view >= 0 do v = C.hz_graph_value(p.graph, v).view end
        if v >= 0 and not seen[v] and C.hz_plan_offset(p.handle, v) >= 0 then
          local value, bytes = C.hz_graph_value(p.graph, v), 1
          for d = 0, value.ndim - 1 do bytes = bytes * tonumber(value.shape[d]) end
          seen[v], list[#list + 1] = true, { from = tonumber(C.hz_plan_offset(p.handle, v)),
            bytes = bytes * tonumber(C.hz_dtype_bytes(value.dtype)), name = ffi.string(value.name) }
        end
      end
      for k = 0, node.nin - 1 do see(node['in'][k]) end
      for k = 0, node.nout - 1 do see(node.out[k]) end
    end
    table.sort(list, function(a, b) return a.from < b.from end)
    t.ok(#list >= 4, 'hardly a value')
    for i = 2, #list do
      t.ok(list[i - 1].from + list[i - 1].bytes <= list[i].from,
        ('%s: %s and %s'):format(title(e, 'bf16'), list[i - 1].name, list[i].name))
    end
  end
end)
