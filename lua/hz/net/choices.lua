-- choices.lua: what computes plans, node by node, so that a training goes on anywhere as it began:
--   { machine, device, isa, vendor, nodes = { node text = kernel } }
-- device is what computes where that is not the CPU, as it describes itself, isa the vector level, vendor whose cores
-- the prediction had in mind that chose kernels (and by them what is fused). The same choices yield the same bits on
-- any machine: kernels add in an order of their own.
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local devices = require 'hz.net.devices'
local file = require 'hz.base.file'
local say = require 'hz.base.say'
local ffi, C = c.ffi, c.C

local M = {}

-- ---- names ----

local function cpu_model()
  local ok, text = c.try(file.read_all, '/proc/cpuinfo')
  local function field(name) return ok and text:match('\n' .. name .. '%s*: ([^\n]*)') or '?' end
  return ('%s (family %s, model %s, stepping %s)'):format(field 'model name', field 'cpu family', field 'model',
    field 'stepping')
end

local function level() return ffi.string(C.hz_cpu_isa()) end
local function vendor() return ffi.string(C.hz_cpu_vendor()) end

-- "Intel Xeon (family 6, ...), avx512, 2 threads"
function M.machine() return ('%s, %s, %d threads'):format(cpu_model(), level(), C.hz_cpu_threads()) end

local function hex(pointer, bytes)
  local text = ffi.string(pointer, bytes):gsub('%z+$', '')
  return (text:gsub('.', function(ch) return ('%02x'):format(ch:byte()) end))
end

local function value_text(g, v)
  if v < 0 then return '-' end
  local value, shape = C.hz_graph_value(g, v), {}
  for d = 1, value.ndim do shape[d] = tostring(tonumber(value.shape[d - 1])) end
  return ffi.string(C.hz_dtype_name(value.dtype)) .. '(' .. table.concat(shape, ',') .. ')'
end

-- What decides which kernels run a node and how fast: op, attributes, types and shapes; and whether weights change with
-- every step.
function M.node_text(plan, i)
  local n, args = C.hz_graph_node(plan.graph, i), {}
  for k = 0, n.nin - 1 do args[#args + 1] = value_text(plan.graph, n['in'][k]) end
  args[#args + 1] = '->'
  for k = 0, n.nout - 1 do args[#args + 1] = value_text(plan.graph, n.out[k]) end
  local ops = { ffi.string(C.hz_op_name(n.op)) }
  if n.head.op ~= 0 then table.insert(ops, 1, ffi.string(C.hz_op_name(n.head.op))) end
  for k = 0, n.tails - 1 do ops[#ops + 1] = ffi.string(C.hz_op_name(n.tail[k].op)) end
  return ('%s %s %s %s'):format(table.concat(ops, '+'), plan.train and 'train' or 'infer',
    hex(n.attr, ffi.sizeof 'hz_attr'), table.concat(args, ' '))
end

function M.kernel_of(plan, i)
  local stat = ffi.new 'hz_node_stat'
  c.check(C.hz_plan_stat(plan.handle, i, stat))
  return stat.kernel ~= nil and ffi.string(stat.kernel) or ''
end

-- ---- asking ----

-- Of plans, as they are in force now.
local function of(plans)
  local out = { machine = M.machine(), isa = level(), vendor = vendor(), nodes = {} }
  for _, plan in pairs(plans) do
    if plan.device ~= 'cpu' then out.device = devices.describe(plan.device) end
    for i = 0, C.hz_graph_nodes(plan.graph) - 1 do
      local kernel = M.kernel_of(plan, i)
      if kernel ~= 'fused' and kernel ~= 'view' then out.nodes[M.node_text(plan, i)] = kernel end
    end
  end
  return out
end

-- Of the nodes and kernels alone.
function M.digest(choices)
  local list = {}
  for node, kernel in pairs(choices.nodes) do list[#list + 1] = node .. ' ' .. kernel end
  table.sort(list)
  return crypto.sha256(table.concat(list, '\n')):sub(1, 16)
end

-- What the record of a result says of it.
function M.record(choices)
  return { device = choices.device, isa = choices.isa, vendor = choices.vendor,
    kernels = choices.nodes and M.digest(choices) }
end

-- The choices in force that no plan has made yet.
function M.now() return { isa = level(), vendor = vendor() } end

-- ---- keeping ----

local function rank(name)
  local i = 0
  while C.hz_cpu_level(i) ~= nil do
    if ffi.string(C.hz_cpu_level(i)) == name then return i end
    i = i + 1
  end
end

-- f() at the level of the choices, where that is not above the one in force, and for their vendor.
local function under(choices, f)
  local isa, maker = level(), vendor()
  local asked = choices.isa and rank(choices.isa)
  if asked and asked <= rank(isa) then c.check(C.hz_cpu_set_isa(choices.isa)) end
  if choices.vendor then C.hz_cpu_set_vendor(choices.vendor) end      -- one that is unknown here leaves it as it is
  local ok, value = pcall(f)
  c.check(C.hz_cpu_set_isa(isa))
  c.check(C.hz_cpu_set_vendor(maker))
  if not ok then error(value, 0) end
  return value
end

-- Nodes that the choices name get their kernels, where those run here.
local function keep(plan, nodes)
  for i = 0, C.hz_graph_nodes(plan.graph) - 1 do
    local kernel = nodes[M.node_text(plan, i)]
    if kernel and kernel ~= M.kernel_of(plan, i) then
      local status = C.hz_plan_use(plan.handle, i, kernel)
      if status ~= C.HZ_EARG then c.check(status) end
    end
  end
end

-- "conv2d pairs -> wino (3 nodes)", in order; a node that is not there as it was, fused with others, has no kernel now.
local function moves(before, now, some)
  local count, list = {}, {}
  for node, kernel in pairs(before) do
    if now[node] ~= kernel and (now[node] or not some) then
      local move = ('%s %s -> %s'):format(node:match '^%S+', kernel, now[node] or 'none')
      count[move] = (count[move] or 0) + 1
    end
  end
  for move, n in pairs(count) do list[#list + 1] = n == 1 and move or ('%s (%d nodes)'):format(move, n) end
  table.sort(list)
  return list
end

-- What is other now than before, as texts; none where the same bits are computed.
local function changes(before, now, some)
  local list = moves(before.nodes or {}, now.nodes, some)
  if before.isa and before.isa ~= now.isa then table.insert(list, 1, ('isa %s -> %s'):format(before.isa, now.isa)) end
  if before.isa and before.device ~= now.device then
    table.insert(list, 1, ('device %s -> %s'):format(before.device or 'cpu', now.device or 'cpu'))
  end
  return list
end

-- Makes plans as `kept` has it, as far as that runs here (nil: as it comes). make() returns a table of plans. Returns
-- that table, the choices that compute them, and what is other than in `kept` (texts). some: `kept` is of more plans
-- than are made, and nodes that are in none of these have not changed.
function M.plans(kept, make, some)
  kept = kept or {}
  local made, now = {}, nil
  under(kept, function()
    made = make()
    for _, plan in pairs(made) do keep(plan, kept.nodes or {}) end
    now = of(made)
  end)
  return made, now, changes(kept, now, some)
end

-- Says on stderr what changed, if something did. who: the file that holds what began elsewhere.
function M.say(who, list)
  if #list == 0 then return end
  say(('%s: what computes it has changed: %s; the bits may be others than those of one that was not interrupted')
    :format(who, table.concat(list, ', ')))
end

return M
