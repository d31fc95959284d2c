-- feed.lua: batches that a user hands over, as the net sees them. What a net knows of its input (u8 is scaled by 1/255,
-- then mean and deviation) is done by the very node that draws batches from a set, so that net(set.items), plan:write
-- and plan:evaluate agree to the bit.
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

-- Whether x is a set: a table, or one of hz's own objects, with items and labels.
function M.is_set(x)
  if type(x) == 'table' then return tensor.is(rawget(x, 'items')) and tensor.is(rawget(x, 'labels')) end
  local meta = type(x) == 'userdata' and debug.getmetatable(x)
  return type(meta) == 'table' and meta.__names ~= nil and tensor.is(x.items) and tensor.is(x.labels)
end

-- A plan of the input node alone, over `items` that are filled before each run. attr: the node's (hz_attr).
local function make(who, attr, shape, dtype, device)
  local self = { items = tensor.zeros(shape, dtype), labels = tensor.zeros({ shape[1] }, 'i32') }
  local graph = ffi.gc(c.new(C.hz_graph_new, 'feed'), C.hz_graph_free)
  local data = c.index(C.hz_graph_bind(graph, 'data', self.items, 0), who)
  local labels = c.index(C.hz_graph_bind(graph, 'labels', self.labels, 0), who)
  self.x = c.index(C.hz_graph_add(graph, 'input', 'input', attr, ffi.new('int32_t[6]', data, labels), 2), who)
  C.hz_graph_keep(graph, self.x)
  self.options = ffi.new('hz_plan_options', { device = device })
  self.anchor = device                                  -- the options point to its text
  self.handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, ffi.gc(graph, nil), self.options)
  self.step = ffi.new('hz_step', { count = shape[1] })
  return self
end

-- In double: the input node takes u8 and f32 only.
local function in_double(x, mean, deviation)
  local function spread(v, standard)
    return type(v) == 'table' and tensor.from(v, 'f64') or v or standard
  end
  return (x - spread(mean, 0)) / spread(deviation, 1)
end

-- Whether a tensor of this type reaches the net as it is.
local function is_plain(dtype, mean, deviation) return dtype ~= 'u8' and mean == nil and deviation == nil end

-- x as the net sees it, in the shape and type of plan's entry. o: who, attr (of the input node, its batch that of
-- shape), shape (of the entry), device, mean, deviation. cache: a table of the plan's own.
function M.through(cache, x, o)
  local dtype = x:type()
  if is_plain(dtype, o.mean, o.deviation) then return x end
  if dtype == 'f64' then return in_double(x, o.mean, o.deviation) end
  local kind = dtype == 'u8' and 'u8' or 'f32'
  local feed = cache[kind] or make(o.who, o.attr, o.shape, kind, o.device)
  cache[kind] = feed
  feed.items:copy(x)
  c.check(C.hz_plan_run(feed.handle, 0, -1, feed.step), o.who)
  return tensor.own(C.hz_plan_peek, feed.handle, feed.x, -1)
end

return M
