-- net.lua: a network owns its layers and, by name, its parameters and buffers. It says what to compute; plans compute
-- it.
--   net = hz.net 'tiny' { conv{16, 3}, relu, conv{32, 3, stride=2}, relu, meanpool, dense{10} }
local c = require 'hz.c'
local isa = require 'hz.isa'
local init = require 'hz.net.init'
local json = require 'hz.base.json'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local tables = require 'hz.base.table'
local tensor = require 'hz.tensor.tensor'
local layers = require 'hz.net.layer'
local safetensors = require 'hz.tensor.safetensors'
local training = require 'hz.net.training'
local ffi, C = c.ffi, c.C

local M, Net, Builder = {}, {}, {}
M.Net = Net
Builder.__index = Builder

-- ---- describing ----

-- Nested tables of layers are read in order, so that blocks can be written once and repeated.
local DEEPEST = 32                 -- tables within tables of layers; a table may hold itself

local function flatten_layers(list, out, where, depth)
  if depth > DEEPEST then c.fail('%s: tables more than %d deep; needs fewer', where:match '^[^,]*', DEEPEST) end
  local n, wrong = names.length(list)
  if not n then c.fail('%s: %s; needs layers or tables of layers, one after the other', where, wrong) end
  for i = 1, n do
    local x = list[i]
    local layer = layers.as_layer(x)
    if layer then
      out[#out + 1] = layer
    elseif type(x) == 'table' then
      flatten_layers(x, out, ('%s, table %d'):format(where, i), depth + 1)
    else
      c.fail('%s: entry %d is %s; needs a layer or a table of layers', where, i, type(x))
    end
  end
  return out
end

local options = { input = true, mean = true, deviation = true }

-- What stands in a net's table by name, and the layers alone.
local function take_options(who, list)
  local given, rest = {}, {}
  for k, v in pairs(list) do
    if type(k) == 'string' then given[k] = v else rest[k] = v end
  end
  return names.options(who, given, options), rest
end

-- Layers are named by kind and running number unless they say otherwise.
local function name_layers(net)
  local count, seen = {}, {}
  for i, layer in ipairs(net.layers) do
    count[layer.kind] = (count[layer.kind] or 0) + 1
    local name = layer.name or layer.kind .. count[layer.kind]
    if seen[name] then
      c.fail("%s: layers %d and %d are both named '%s'; needs different names", net.who, seen[name], i, name)
    end
    seen[name], net.names[i] = i, name
  end
end

-- The shape of one item, without the batch.
function M.check_input(who, shape)
  if shape == nil then return end
  if type(shape) ~= 'table' then c.fail('%s: input is %s; needs {height, width, channels}', who, need.shown(shape)) end
  local n, wrong = names.length(shape)
  if not n or n == 0 or n >= c.C.HZ_MAXDIM then
    c.fail('%s: of input %s; needs {height, width, channels}', who, wrong or ('%d extents were given'):format(n))
  end
  for i = 1, n do need.count(who, ('input[%d]'):format(i), shape[i], 1) end
end

local function describe(name, list)
  if type(list) ~= 'table' then c.fail('net: %s was given; needs a table of layers', type(list)) end
  local net = setmetatable({
    name = name, who = ("net '%s'"):format(name), names = {},
    generation = 0,              -- raised when tensors are replaced
    replaced = false,            -- a layer was, and no plan made since
    layers = {}, order = {}, parameters = {}, buffers = {}, trainable = {},
    input = list.input,          -- {height, width, channels} without the batch; plans and data set it otherwise
    -- of pixels in 0..1, a number or one per channel: plans with data feed (pixel-mean)/deviation
    mean = list.mean, deviation = list.deviation,
  }, Net)
  local given, rest = take_options(net.who, list)
  M.check_input(net.who, given.input)
  training.check(net.who, { mean = given.mean, deviation = given.deviation })
  net.layers = flatten_layers(rest, {}, net.who, 1)
  if #net.layers == 0 then c.fail('%s: no layers; needs at least one', net.who) end
  name_layers(net)
  return net
end

-- hz.net 'name' { ... } or hz.net { ... }
function M.new(name)
  if type(name) == 'string' then return function(list) return describe(name, list) end end
  return describe('net', name)
end
function M.is(x) return isa(x, Net) end

-- ---- building a graph ----

function Builder:fail(text, ...)
  c.fail("%s, layer %d '%s': %s", self.net.who, self.number, self.layer_name, text:format(...))
end

function Builder:shape(value)
  local v, s = C.hz_graph_value(self.graph, value), {}
  for i = 1, v.ndim do s[i] = tonumber(v.shape[i - 1]) end
  return s
end

function Builder:shape_text(value)
  local s = self:shape(value)
  table.remove(s, 1)
  return '(' .. table.concat(s, ',') .. ')'
end

function Builder:bind(name, t, wanted)
  return c.index(C.hz_graph_bind(self.graph, name, t, wanted and 1 or 0), self.net.who .. ': ')
end

local function same_shape(t, shape)
  if t.ndim ~= #shape then return false end
  for i, e in ipairs(shape) do if t:size(i) ~= e then return false end end
  return true
end

-- The net's tensor `name`, made by `fill` if it is missing or if a layer was replaced and it has another shape.
-- Without a replaced layer another shape is a wrong input, which must not cost the user's weights.
function Builder:own(kind, short, shape, fill)
  local net, name = self.net, self.layer_name .. '.' .. short
  local t = net[kind][name]
  if t and not same_shape(t, shape) and not net.replaced then
    self:fail('%s is %s, this input would need (%s); needs the input the net was made for, or net:init{input=...}',
      short, tensor.shape_text(t), table.concat(shape, ','))
  end
  if not t or not same_shape(t, shape) or t:type() ~= self.dtype then
    local fresh = tensor.empty(shape, self.dtype)
    if t and same_shape(t, shape) then fresh:copy(t) else fill(fresh) end
    if not t then net.order[#net.order + 1] = name end
    t, net[kind][name], net.generation = fresh, fresh, net.generation + 1
  end
  self.used[name] = true
  return name, t
end

-- how: value, or init (its name), fan_in, fan_out; fixed: no training moves it. Parameter i of the net draws from
-- stream i of the seed.
function Builder:parameter(short, shape, how)
  self.stream = self.stream + 1
  local name, t = self:own('parameters', short, shape, function(fresh)
    if how.value then fresh:fill(how.value) return end
    init.fill(fresh, { init = how.init, fan_in = how.fan_in, fan_out = how.fan_out, seed = self.net.seed or 0,
      stream = self.stream })
  end)
  self.net.trainable[name] = not how.fixed or nil
  return self:bind(name, t, self.train and not how.fixed and not self.is_frozen(name))
end

function Builder:buffer(short, shape, value)
  local name, t = self:own('buffers', short, shape, function(fresh) fresh:fill(value) end)
  return self:bind(name, t, false)
end

-- A tensor that is the layer's, but no part of the net's state.
function Builder:constant(short, t) return self:bind(self.layer_name .. '.' .. short, t, false) end

-- Item numbers of the batch's rows, which dropout's random counters need; without an input node rows are numbered.
function Builder:item(x)
  if not self.items then
    local batch = self:shape(x)[1]
    self.items = self:bind('item', tensor.range(0, batch - 1, 1, 'i32'), false)
  end
  return self.items
end

function Builder:add(op, attr, ...)
  local n = select('#', ...)
  while n > 0 and select(n, ...) == nil do n = n - 1 end
  local inputs = ffi.new('int32_t[6]')
  for i = 1, n do inputs[i - 1] = select(i, ...) or -1 end
  local y = C.hz_graph_add(self.graph, op, self.layer_name, attr, inputs, n)
  if y < 0 then c.fail("%s, layer %d '%s': %s", self.net.who, self.number, self.layer_name, c.message()) end
  return y
end

-- Adds all layers to `graph` from value x on. o: train, items, dtype (of the activations), is_frozen(name): whether a
-- parameter wants no gradient (nil: each does). Returns the logits' value and per layer its output value.
function M.build(net, graph, x, o)
  local b = setmetatable({ net = net, graph = graph, train = o.train, items = o.items,
    is_frozen = o.is_frozen or function() return false end,
    dtype = o.dtype == 'f64' and 'f64' or 'f32', stream = 0, used = {}, images = x }, Builder)
  local outputs = {}
  for i, layer in ipairs(net.layers) do
    b.number, b.layer_name = i, net.names[i]
    x = layers.kinds[layer.kind].build(b, layer, x)
    outputs[i] = x
  end
  M.drop_unused(net, b.used)
  net.replaced = false
  return x, outputs
end

-- Tensors of layers that are gone go too.
function M.drop_unused(net, used)
  local kept = {}
  for _, name in ipairs(net.order) do
    if used[name] then
      kept[#kept + 1] = name
    else
      net.parameters[name], net.buffers[name], net.trainable[name] = nil, nil, nil
    end
  end
  net.order = kept
end

-- ---- methods ----

local methods = {}
M.methods = methods

-- Options of a method: input, dtype and what else it takes.
local function check_options(net, method, o, known)
  o = names.options(net.who .. ': ' .. method, o, known or { input = true, dtype = true, train = true })
  M.check_input(net.who, o.input)
  training.check(net.who, { dtype = o.dtype })
  return o
end

local function input_shape(net, o)
  local shape = o.input or net.input
  if not shape then
    c.fail('%s: the input shape is not known; needs input={height, width, channels} in the net, or a plan with data',
      net.who)
  end
  if type(shape) ~= 'table' then c.fail('%s: input is %s; needs {height, width, channels}', net.who, type(shape)) end
  return shape
end

-- A throw-away graph with one row, to learn shapes and make parameters.
local function trial(net, o, read)
  local graph = c.own(C.hz_graph_new, C.hz_graph_free, net.name)
  local n, s = c.shape({ 1, unpack(input_shape(net, o)) }, net.who)
  local x = c.index(C.hz_graph_entry(graph, 'input', c.dtype(training.stored(o.dtype)), n, s))
  local y, outputs = M.build(net, graph, x, { train = o.train, dtype = training.stored(o.dtype) })
  return read and read(graph, x, outputs, y)
end

-- Makes (or makes anew) all parameters from a seed. o: seed (default 0), input, dtype.
function methods.init(net, o)
  o = check_options(net, 'init', o, { seed = true, input = true, dtype = true })
  if o.seed ~= nil then need.seed(net.who, o.seed) end
  net.seed, net.input = o.seed or 0, o.input or net.input
  net.parameters, net.buffers, net.trainable, net.order, net.replaced = {}, {}, {}, {}, false
  net.generation = net.generation + 1
  trial(net, { dtype = o.dtype })
  return net
end

-- Makes what is missing, keeps what is there.
function methods.ensure(net, o) trial(net, check_options(net, 'ensure', o)) return net end

-- Names and tensors, parameters and buffers, in the net's order.
function methods.tensors(net)
  local out = {}
  for i, name in ipairs(net.order) do
    out[i] = { name = name, tensor = net.parameters[name] or net.buffers[name], trainable = net.trainable[name] }
  end
  return out
end

-- Counts as Keras prints them: all numbers the net owns, running statistics included.
function methods.count(net)
  if #net.order == 0 then net:ensure() end
  local all, trainable = 0, 0
  for _, p in ipairs(net:tensors()) do
    all = all + p.tensor:count()
    if p.trainable then trainable = trainable + p.tensor:count() end
  end
  return all, trainable
end

-- Multiply-adds of one item through a node (graph with one row).
local function multiply_adds(graph, node)
  local op = ffi.string(C.hz_op_name(node.op))
  if op ~= 'conv2d' and op ~= 'dense' then return 0 end
  local w, y = C.hz_graph_value(graph, node['in'][1]), C.hz_graph_value(graph, node.out[0])
  local n = 1
  for i = 0, w.ndim - 1 do n = n * tonumber(w.shape[i]) end
  for i = 1, y.ndim - 2 do n = n * tonumber(y.shape[i]) end
  return n
end

-- One row per layer: name, layer, shape (of one item), parameters, madds, bytes (of the output as f32).
function methods.rows(net, o)
  net:ensure(check_options(net, 'rows', o))
  return trial(net, o or {}, function(graph, _, outputs)
    local rows, madds = {}, {}
    for i = 0, C.hz_graph_nodes(graph) - 1 do
      local node = C.hz_graph_node(graph, i)
      local name = ffi.string(node.name)
      madds[name] = (madds[name] or 0) + multiply_adds(graph, node)
    end
    for i, layer in ipairs(net.layers) do
      local v, shape, count = C.hz_graph_value(graph, outputs[i]), {}, 1
      for d = 1, v.ndim - 1 do shape[d] = tonumber(v.shape[d]); count = count * shape[d] end
      local own = 0
      for _, p in ipairs(net:tensors()) do
        if p.name:sub(1, #net.names[i] + 1) == net.names[i] .. '.' then own = own + p.tensor:count() end
      end
      rows[i] = { name = net.names[i], layer = tostring(layer), shape = shape, parameters = own,
        madds = madds[net.names[i]] or 0, bytes = 4 * count }
    end
    return rows
  end)
end

local function thousands(n)
  local s = ('%d'):format(n)
  return (s:reverse():gsub('(%d%d%d)', '%1,'):reverse():gsub('^,', ''))
end
M.thousands = thousands

-- Table of layers: output shape, parameters, multiply-adds, bytes of the output, for one item.
function methods.summary(net, o)
  check_options(net, 'summary', o)
  local title = ('%s   input %s'):format(net.who, '(' .. table.concat(input_shape(net, o or {}), ',') .. ')')
  local lines, p, m, bytes = {}, 0, 0, 0
  local function line(...) lines[#lines + 1] = { ... } end
  for _, r in ipairs(net:rows(o)) do
    line(r.name, r.layer, '(' .. table.concat(r.shape, ',') .. ')', thousands(r.parameters), thousands(r.madds),
      thousands(r.bytes))
    p, m, bytes = p + r.parameters, m + r.madds, bytes + r.bytes
  end
  line('total', '', '', thousands(p), thousands(m), thousands(bytes))
  local columns = { { 'layer', 'left' }, { 'what', 'left' }, { 'output', 'left' }, { 'parameters' },
    { 'multiply-adds' }, { 'bytes' } }
  return tables.wrap(title, '  ') .. '\n' .. tables.text(columns, lines, tables.width)
end

-- ---- checkpoints: parameters and buffers by name ----

function methods.state(net)
  local named = {}
  for _, p in ipairs(net:tensors()) do named[p.name] = p.tensor end
  return named
end

local INPUT = 'hz.input'           -- metadata: what the net knows of its input, as JSON

-- metadata (strings by name, may be nil) goes into the file as well.
function methods.save(net, path, metadata)
  need.path('save', path)
  if metadata ~= nil then need.table('save', 'the metadata', metadata) end
  local all = { net = net.name, [INPUT] = json.encode { shape = net.input, mean = net.mean, deviation = net.deviation,
    classes = rawget(net, 'classes') } }
  for k, v in pairs(metadata or {}) do all[k] = v end
  safetensors.write(path, net:state(), all)
end

-- Takes over what a file says of the input, unless the net says otherwise.
local function adopt(net, text, path)
  if not text then return end
  local input = json.decode(text, path)
  if type(input) ~= 'table' then c.fail('%s: %s is no object; needs another file', path, INPUT) end
  for _, name in ipairs { 'mean', 'deviation' } do
    local own, theirs = net[name], input[name]
    if own ~= nil and json.encode { own } ~= json.encode { theirs } then
      c.fail('%s: its net was trained with %s %s; %s has %s', path, name, json.encode { theirs }:sub(2, -2), net.who,
        json.encode { own }:sub(2, -2))
    end
    net[name] = theirs
  end
  net.input = net.input or input.shape
  rawset(net, 'classes', input.classes or rawget(net, 'classes'))
end

-- Copies tensors (name -> tensor) over the net's own; every name and shape must be there.
function methods.assign(net, tensors, who)
  need.table('assign', 'the tensors', tensors)
  who = who == nil and 'assign' or need.text('assign', 'who asks', who)
  for _, p in ipairs(net:tensors()) do
    local t = tensors[p.name]
    if not tensor.is(t) then c.fail("%s: no tensor '%s'; the file is of another net than %s", who, p.name, net.who) end
    if not same_shape(t, p.tensor:size()) then
      c.fail("%s: '%s' is %s; %s needs %s", who, p.name, tensor.shape_text(t), net.who, tensor.shape_text(p.tensor))
    end
  end
  for _, p in ipairs(net:tensors()) do p.tensor:copy(tensors[p.name]) end
  return net
end

-- What the net knows of its input (shape, mean and deviation, names of classes) comes from the file where it says so.
function methods.load(net, path)
  need.path('load', path)
  local tensors, meta = safetensors.read(path)
  adopt(net, meta[INPUT], path)
  net:ensure()
  return net:assign(tensors, path)
end

-- ---- metatable ----

-- Fields that a net may lack; those that are kept for it by others among them.
local lacking = 'input mean deviation seed classes eager eager_generation'
local settable, field = names.set(lacking), names.index('net', methods, lacking)

Net.__index = function(net, k)
  if type(k) == 'number' then return rawget(net, 'layers')[k] end
  return field(net, k)
end

names.receivers('net', methods, M.is)
Net.__names = methods                                 -- for completion at the prompt
-- net[4] = conv{128, 3} replaces a layer; parameters whose name and shape survive are kept.
Net.__newindex = function(net, k, v)
  if type(k) ~= 'number' then
    if not settable[k] then names.unknown(net.who, k, net, lacking) end
    rawset(net, k, v)
    return
  end
  local layer = layers.as_layer(v)
  if not layer or not net.layers[k] then
    c.fail('%s: layer %s cannot be set; needs a layer and a number 1..%d', net.who, tostring(k), #net.layers)
  end
  net.layers[k], net.generation, net.replaced = layer, net.generation + 1, true
  name_layers(net)
end
Net.__tostring = function(net)
  if net.input then return net:summary() end
  local list = {}
  for i, l in ipairs(net.layers) do list[i] = tostring(l) end
  return ('%s { %s }'):format(net.who, table.concat(list, ', '))
end

return M
