-- node.lua: a row of rows.lua as a running plan. One node of the row's op (and an activation behind it, where the row
-- says so) over made-up values, with the gradient of sum(y*seed) where asked. Contents depend on the row alone: the
-- f64 plan sees the very numbers the f32 plan sees, and a smaller batch sees the first rows of the larger one.
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local posix = require 'hz.ext.posix'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M, Bench = {}, {}
Bench.__index = Bench

M.SENTINEL = 77            -- stands in every output before a run

-- Per op: the member of hz_attr, and what its inputs are (role: 'entry' in the arena, 'wanted' bound with
-- a gradient, 'bound').
local known = {
  input    = { 'input', { 'data', 'labels' } },
  conv2d   = { 'window', { 'x', 'w', 'bias' } },       dense   = { 'act', { 'x', 'w', 'bias' } },
  act      = { 'act', { 'x' } },                       dropout = { 'dropout', { 'x', 'item' } },
  maxpool  = { 'window', { 'x' } },                    avgpool = { 'window', { 'x' } },
  meanpool = { 'act', { 'x' } },                       flatten = { 'act', { 'x' } },
  norm     = { 'norm', { 'x', 'gamma', 'bias', 'buffer', 'variance' } },
  add      = { 'act', { 'x', 'x' } },                  softmax = { 'act', { 'x' } },
  xent     = { 'xent', { 'x', 'label' } },
  sgd      = { 'optim', { 'p', 'dp', 'p' } },          adam     = { 'optim', { 'p', 'dp', 'p', 'positive' } },
  norm_update = { 'norm', { 'p', 'p', 'dp', 'dp' } },
  muon     = { 'optim', { 'p', 'dp', 'p' } },          average  = { 'average', { 'p', 'p' } },
  adamw    = { 'optim', { 'p', 'dp', 'p', 'positive' } }, adadelta = { 'optim', { 'p', 'dp', 'positive', 'positive' } },
}
local entry = { x = true, item = true, label = true, dp = true }
local wanted = { w = true, bias = true, gamma = true }
local integer = { item = true, label = true, labels = true }
local rounded = { x = true, w = true }            -- in bf16 plans: activations are, weights may be rounded by a kernel

-- The same numbers after rounding to bf16.
local function to_bf16(t) return t:to 'bf16':to 'f32' end

-- ---- contents ----

local function normal(shape, mean, deviation, stream)
  local t = tensor.empty(shape, 'f32')
  c.check(C.hz_tensor_normal(t, mean, deviation, 5, stream))
  return t
end

local function uniform(shape, a, b, stream)
  local t = tensor.empty(shape, 'f32')
  c.check(C.hz_tensor_uniform(t, a, b, 5, stream))
  return t
end

local function count(shape)
  local n = 1
  for _, e in ipairs(shape) do n = n * e end
  return n
end

-- The i-th input of a row; stream keeps rows and inputs apart.
local function contents(row, i, role, shape)
  local stream = row.stream * 8 + i
  local classes = row.inputs[1][#row.inputs[1]]
  if role == 'w' then return normal(shape, 0, math.sqrt(shape[1] / count(shape)), stream) end
  if role == 'gamma' then return normal(shape, 1, 0.3, stream) end
  if role == 'positive' or role == 'variance' then return uniform(shape, 0.5, 1.5, stream) end
  if role == 'item' then return uniform(shape, 0, 50000, stream):floor():to 'i32' end
  if role == 'label' then return uniform(shape, 0, classes, stream):floor():to 'i32' end
  if role == 'labels' then return uniform(shape, 0, 10, stream):floor():to 'i32' end
  if role == 'data' and row.bytes then return uniform(shape, 0, 256, stream):floor():to 'u8' end
  return normal(shape, 0, 1, stream)
end

-- ---- attributes ----

local enums = { pad = { same = 'HZ_SAME', valid = 'HZ_VALID' } }

-- What a row leaves out, by op and, of activations, by name.
local adam = { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }
local norm = { momentum = 0.99, epsilon = 1e-3 }
local defaults = { elu = { alpha = 1 }, leaky = { alpha = 0.01 }, norm = norm, norm_update = norm, adam = adam,
  adamw = adam, adadelta = { beta1 = 0.95, epsilon = 1e-7 } }

local function attr_of(op, given)
  local attr = ffi.new 'hz_attr'
  local a = attr[known[op][1]]
  given = given or {}
  for k, v in pairs(defaults[given.act or op] or {}) do a[k] = v end
  for k, v in pairs(given) do
    if type(v) == 'table' then
      for i, x in ipairs(v) do a[k][i - 1] = x end
    elseif k == 'act' then
      a.act = C.hz_act_named(v)
    elseif type(v) == 'string' then
      a[k] = C[enums[k][v]]
    else
      a[k] = v
    end
  end
  return attr
end

-- ---- making ----

local function cut(shape, batch)
  local s = { unpack(shape) }
  s[1] = batch or s[1]
  return s
end

function Bench:input(i, role, shape)
  local values = contents(self.row, i, role, shape)
  if self.rounded and rounded[role] then values = to_bf16(values) end
  local dtype = integer[role] and 'i32' or role == 'data' and values:type() or role ~= 'x' and self.dtype == 'bf16'
    and 'f32' or self.dtype
  local name = role .. i
  if entry[role] then
    local s = role == 'dp' and shape or cut(shape, self.batch)
    local n, extents = c.shape(s)
    local v = c.index(C.hz_graph_entry(self.graph, name, c.dtype(dtype), n, extents))
    self.entries[#self.entries + 1] = { value = v, contents = values:slice(1, 1, s[1]) }
    if role == 'x' then self.wrt[#self.wrt + 1] = { name = name, value = v, contents = values:slice(1, 1, s[1]) } end
    return v
  end
  local t = values:to(dtype)
  local trained = wanted[role] and not (role == 'w' and self.row.frozen)
  local v = c.index(C.hz_graph_bind(self.graph, name, t, trained and 1 or 0))
  self.bound[#self.bound + 1] = { name = name, value = v, tensor = t, original = t:clone() }
  if trained then self.wrt[#self.wrt + 1] = { name = name, value = v, tensor = t } end
  return v
end

function Bench:node(op, name, attr, inputs)
  local list = ffi.new 'int32_t[6]'
  for i, v in ipairs(inputs) do list[i - 1] = v end
  return c.index(C.hz_graph_add(self.graph, op, name, attr, list, #inputs))
end

local function output_count(graph, node) return C.hz_graph_node(graph, node).nout end

-- d(sum(y*seed)) for every entry and parameter; a loss is its own seed.
function Bench:gradient(y)
  local seed = -1
  if self.row.op ~= 'xent' then
    local v = C.hz_graph_value(self.graph, y)
    local shape, extents = {}, ffi.new 'int64_t[6]'
    for i = 1, v.ndim do shape[i] = tonumber(v.shape[i - 1]); extents[i - 1] = v.shape[i - 1] end
    seed = c.index(C.hz_graph_entry(self.graph, 'seed', v.dtype, v.ndim, extents))
    self.seed = normal(shape, 0, 1, self.row.stream * 8 + 7)
    if self.rounded then self.seed = to_bf16(self.seed) end
    self.entries[#self.entries + 1] = { value = seed, contents = self.seed }
  end
  c.check(C.hz_graph_grad(self.graph, y, seed, 1))
  for _, w in ipairs(self.wrt) do
    local d = c.index(C.hz_graph_gradient_of(self.graph, w.value))
    self.outputs[#self.outputs + 1] = { name = 'd ' .. w.name, value = d }
  end
end

-- o: device (default: HZ_DEVICE's), dtype, batch (default: the row's), grad, fuse (default true), keep, rounded
-- (numbers as a bf16 plan has them; bf16 implies it), exact (no kernel that rounds in between).
function M.bench(row, o)
  local self = setmetatable({ row = row, dtype = o.dtype or 'f32', rounded = o.rounded or o.dtype == 'bf16',
    batch = o.batch or row.batch, entries = {}, bound = {}, wrt = {}, outputs = {} }, Bench)
  self.graph = c.own(C.hz_graph_new, C.hz_graph_free, 'test')
  local attr, inputs = attr_of(row.op, row.attr), {}
  if row.op == 'input' then attr.input.batch, attr.input.dtype = self.batch, c.dtype(self.dtype) end
  for i, shape in ipairs(row.inputs) do inputs[i] = self:input(i, known[row.op][2][i], shape) end
  local y = self:node(row.op, 'op', attr, inputs)
  for k = 0, output_count(self.graph, 0) - 1 do
    self.outputs[k + 1] = { name = ffi.string(C.hz_graph_value(self.graph, y + k).name), value = y + k }
  end
  if row.act then
    self.pre = y
    y = self:node('act', 'then', attr_of('act', { act = row.act, alpha = row.alpha }), { y })
    self.outputs[1] = { name = 'then.y', value = y }
  end
  if o.grad then self:gradient(y) end
  for _, out in ipairs(self.outputs) do c.check(C.hz_graph_keep(self.graph, out.value)) end
  self:plan(o)
  return self
end

-- Whether a node writes the value's memory: an entry, or a view of one, has what was put there.
local function computed(graph, v)
  while v.view >= 0 do v = C.hz_graph_value(graph, v.view) end
  return v.node >= 0
end

-- What the plan shows of a value: outputs and entries are fetched once, as views.
function Bench:plan(o)
  local po = ffi.new('hz_plan_options',
    { device = o.device or devices.default(), train = o.grad and 1 or 0, keep = o.keep and 1 or 0,
      no_fuse = o.fuse == false and 1 or 0, exact = o.exact and 1 or 0 })
  local graph = ffi.gc(self.graph, nil)
  self.graph = nil
  self.handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, graph, po)
  self.graph = C.hz_plan_graph(self.handle)
  for _, e in ipairs(self.entries) do e.view = tensor.own(C.hz_plan_peek, self.handle, e.value, -1) end
  for _, out in ipairs(self.outputs) do
    local v = C.hz_graph_value(self.graph, out.value)
    out.view, out.rows = tensor.own(C.hz_plan_peek, self.handle, out.value, -1), v.kind == C.HZ_ACTIVATION
    out.computed = computed(self.graph, v)
    out.maker = v.node >= 0 and ffi.string(C.hz_op_name(C.hz_graph_node(self.graph, v.node).op)) or 'fused'
  end
end

-- ---- running ----

-- step: fields of hz_step. Bound tensors and entries start from their first contents, outputs from the sentinel.
function Bench:run(step)
  for _, b in ipairs(self.bound) do b.tensor:copy(b.original) end
  for _, out in ipairs(self.outputs) do out.view:fill(M.SENTINEL) end
  for _, e in ipairs(self.entries) do e.view:copy(e.contents) end    -- a gradient may be the seed itself: outputs first
  self:again(step)
end

function Bench:again(step)
  local s = ffi.new('hz_step', { seed = 11, epoch = 2, step = 4, rate = 0.05, keep = 0.7, version = 1,
    count = self.batch })
  for k, v in pairs(step or {}) do s[k] = v end
  c.check(C.hz_plan_run(self.handle, 0, -1, s))
end

-- Copies of everything the last run computed: name -> { tensor, maker }, rows in use only. State that an op
-- writes counts too.
function Bench:results(rows)
  local found = {}
  for _, out in ipairs(self.outputs) do
    local t = out.rows and rows and out.view:slice(1, 1, rows) or out.view
    found[out.name] = { tensor = t:clone(), maker = out.maker }
  end
  for _, b in ipairs(self.bound) do
    if b.name:find '^buffer' or b.name:find '^variance' or b.name:find '^p%d' or b.name:find '^positive' then
      found[b.name] = { tensor = b.tensor:clone(), maker = self.row.op }
    end
  end
  return found
end

-- Rows beyond `rows` that no longer hold the sentinel: the name of the first such output.
function Bench:touched(rows)
  for _, out in ipairs(self.outputs) do
    if out.rows and out.computed and rows < self.batch
        and out.view:slice(1, rows + 1, self.batch):ne(M.SENTINEL):max() ~= 0 then
      return out.name
    end
  end
end

-- Any value of the last run, as a view (of a plan that keeps all).
function M.value(bench, value) return tensor.own(C.hz_plan_peek, bench.handle, value, -1) end

-- Op and kernel of every node; wide: the kernel sees f32 copies of bf16 values.
function Bench:kernels()
  local used, stat = {}, ffi.new 'hz_node_stat'
  for i = 0, C.hz_graph_nodes(self.graph) - 1 do
    c.check(C.hz_plan_stat(self.handle, i, stat))
    local kernel = ffi.string(stat.kernel)
    used[#used + 1] = { op = ffi.string(C.hz_op_name(C.hz_graph_node(self.graph, i).op)),
      kernel = (kernel:gsub('^wide ', '')), wide = kernel:find '^wide ' ~= nil }
  end
  return used
end

-- Names of all kernels that the ops of a bench have besides those in it.
function Bench:other_kernels()
  local names, seen = {}, {}
  for _, k in ipairs(self:kernels()) do
    local op, i = C.hz_op_named(k.op), 0
    while C.hz_cpu_kernel(op, i) ~= nil do
      local name = ffi.string(C.hz_cpu_kernel(op, i))
      if name ~= k.kernel and not seen[name] then names[#names + 1], seen[name] = name, true end
      i = i + 1
    end
  end
  return names
end

-- ---- comparing ----

-- Relative L2 distance of two tensors (of small integers: how many differ).
function M.distance(a, b)
  if a:type() == 'bf16' then a = a:to 'f32' end
  local n, pa, pb = a:count(), a:pointer 'read', b:pointer 'read'
  local whole = a:type() == 'u8' or a:type() == 'i32'
  local d2, n2 = 0, 0
  for i = 0, n - 1 do
    local x, y = tonumber(pa[i]), tonumber(pb[i])
    if whole then d2 = d2 + (x ~= y and 1 or 0) else d2, n2 = d2 + (x - y) ^ 2, n2 + y * y end
  end
  return whole and d2 or math.sqrt(d2 / (n2 > 0 and n2 or 1))
end

function M.same_bits(a, b)
  return a:count() == b:count() and ffi.string(a:pointer 'read', a:count() * tonumber(C.hz_dtype_bytes(a.dtype)))
    == ffi.string(b:pointer 'read', b:count() * tonumber(C.hz_dtype_bytes(b.dtype)))
end

-- Runs f with HZ_KERNEL set to `name`; nil leaves the choice to the backend.
function M.forced(name, f)
  local before = os.getenv 'HZ_KERNEL'
  if name then posix.setenv('HZ_KERNEL', name) end
  local ok, e = pcall(f)
  posix.setenv('HZ_KERNEL', before)
  if not ok then error(e, 0) end
  return e
end

return M
