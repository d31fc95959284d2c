-- look.lua: looking into plans: values and gradients, a row per node, the table that printing a plan shows, and what
-- HZ_DEBUG says of it while it runs.
local c = require 'hz.c'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local tables = require 'hz.base.table'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M, methods = {}, {}
M.methods = methods                -- of plans

-- A named value ('x', 'logits', 'loss', 'probs', 'conv7.y', 'conv7.weight'): a view of the arena, valid
-- until the next run.
function methods.value(self, name)
  need.text('plan', 'the value', name)
  local v = self.values[name] or C.hz_graph_find(self.graph, name)
  if v == nil or v < 0 then
    c.fail("plan: no value '%s'%s; have %s", name, names.meant(name, names.sorted(self.values, self.net.names)),
      'x, logits, loss, probs and LAYER.y')
  end
  return tensor.own(C.hz_plan_peek, self.handle, v, -1)
end

-- Output of a layer in the last run, its rows in use.
function methods.peek(self, layer)
  need.text('plan', 'the layer', layer)
  for i, name in ipairs(self.net.names) do
    if name == layer then return tensor.own(C.hz_plan_peek, self.handle, self.outputs[i], self.args.count) end
  end
  return self:value(layer)
end

-- Gradient of a parameter after a training step (plans without an optimiser keep them).
function methods.gradient(self, name)
  need.text('plan', 'the parameter', name)
  local v = C.hz_graph_gradient_of(self.graph, C.hz_graph_find(self.graph, name))
  if v < 0 then c.fail("plan: no gradient of '%s'; needs a trainable parameter of a training plan", tostring(name)) end
  return tensor.own(C.hz_plan_peek, self.handle, v, -1)
end


-- Times of nodes from now on: false: none; true: where it costs nothing; 'slowing': also where it slows the run down.
function methods.timed(self, on)
  C.hz_plan_timed(self.handle, on == 'slowing' and 2 or on and 1 or 0)
  return self
end

function methods.bytes(self) return tonumber(C.hz_plan_arena_bytes(self.handle)) end
function methods.digest(self) return ('%016x'):format(C.hz_plan_digest(self.handle)) end

-- One row per node: layer, op (with what fusion put behind it), shape of its result, blocked (true: that lies as
-- kernels want it, and peek cannot show it), kernel, offset and bytes in the arena, ms of the last run (0: it did not
-- run), flops.
function methods.nodes(self)
  local rows, stat, text = {}, ffi.new 'hz_node_stat', ffi.new('char[?]', C.HZ_NODETEXT)
  for i = 0, C.hz_graph_nodes(self.graph) - 1 do
    local n = C.hz_graph_node(self.graph, i)
    C.hz_plan_stat(self.handle, i, stat)
    local row = { layer = ffi.string(n.name), op = ffi.string(C.hz_node_text(n, text, C.HZ_NODETEXT)),
      kernel = stat.kernel ~= nil and ffi.string(stat.kernel) or '', ms = stat.ms, flops = stat.flops, shape = {},
      offset = -1 }
    local result = C.hz_node_result(n)
    if result >= 0 then
      local v = C.hz_graph_value(self.graph, result)
      for d = 1, v.ndim do row.shape[d] = tonumber(v.shape[d - 1]) end
      row.offset, row.blocked = tonumber(C.hz_plan_offset(self.handle, result)), v.blocked ~= 0
    end
    rows[#rows + 1] = row
  end
  return rows
end

local columns = { { 'layer', 'left' }, { 'op', 'left' }, { 'output', 'left' }, { 'kernel', 'left' }, { 'at MB' },
  { 'ms' } }

-- A line per node: kernel, place in the arena, time in the last run.
function M.text(self)
  local lines, sum = {}, 0
  for i, r in ipairs(methods.nodes(self)) do
    sum = sum + r.ms
    lines[i] = { r.layer, r.op, ('(%s)%s'):format(table.concat(r.shape, ','), r.blocked and ' blocked' or ''), r.kernel,
      r.offset < 0 and '' or ('%.1f'):format(r.offset / 2 ^ 20), r.ms > 0 and ('%.3f'):format(r.ms) or '' }
  end
  local title = ('plan of %s: batch %d, %s, %s, arena %.1f MB; %s'):format(self.net.who, self.batch,
    self.train and 'training' or 'evaluation', self.options.dtype or 'f32', self:bytes() / 2 ^ 20,
    sum > 0 and ('%.3f ms in all nodes'):format(sum) or 'times after a run')
  return tables.wrap(title, '  ') .. '\n' .. tables.text(columns, lines, tables.width)
end

-- HZ_DEBUG=1: every new plan on stderr; 2: kernel and time of each node after every step.
local level = tonumber(os.getenv 'HZ_DEBUG' or '') or 0
M.level = level
function M.debug_new(self)
  if level >= 1 then io.stderr:write(M.text(self), '\n') end
end

function M.debug_step(self)
  if level < 2 then return end
  local sum = 0
  for _, r in ipairs(methods.nodes(self)) do
    sum = sum + r.ms
    if r.ms > 0 then io.stderr:write(('%-10s %-28s %-12s %9.3f ms\n'):format(r.layer, r.op, r.kernel, r.ms)) end
  end
  io.stderr:write(('%-52s %9.3f ms in all nodes\n'):format('', sum))
end

return M
