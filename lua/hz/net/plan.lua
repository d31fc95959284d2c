-- plan.lua: a net made ready to run: net:plan{batch=128, train=true, data=set, optimizer=hz.adam{},
-- augment={shift=3, flip=true}}. A plan owns its arena and borrows the net's parameters and the optimiser's state:
-- batch, device and dtype change by planning anew.
local c = require 'hz.c'
local answers = require 'hz.net.answers'
local devices = require 'hz.net.devices'
local feed = require 'hz.net.feed'
local isa = require 'hz.isa'
local look = require 'hz.net.look'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local score = require 'hz.net.score'
local stepping = require 'hz.net.stepping'
local tensor = require 'hz.tensor.tensor'
local nets = require 'hz.net.net'
local training = require 'hz.net.training'
local tune = require 'hz.net.tune'
local updates = require 'hz.net.updates'
local whiten = require 'hz.net.whiten'
local ffi, C = c.ffi, c.C

local M, Plan = {}, {}
local methods = look.methods
Plan.__tostring, Plan.__names = look.text, methods       -- __names: for completion at the prompt
M.methods = methods
function M.is(x) return isa(x, Plan) end

M.is_diverged = stepping.is_diverged

-- ---- making ----

-- total: steps of the whole training, which schedules go by.
local known = training.names('train data input total loss keep fuse', 'plans', 'none')
M.options = known

M.is_set = feed.is_set

local function check_options(o)
  names.options('plan', o, known)
  training.check('plan', o)
  nets.check_input('plan', o.input)
  if o.total ~= nil then need.count('plan', 'total', o.total) end
  if o.data and not M.is_set(o.data) then
    c.fail('plan: data is %s; needs a set with items and labels', type(o.data))
  end
  if o.loss and o.loss ~= 'xent' then c.fail('plan: loss %s is unknown; have xent', need.shown(o.loss)) end
  if o.loss == false and o.train then c.fail("plan: loss is false; training needs loss='xent'") end
end

-- Into the slots of the input node.
local function per_channel(slots, name, value, channels)
  for i, v in ipairs(training.slots('plan', name, value, channels)) do slots[i - 1] = v end
end

local flips = { [false] = C.HZ_FLIP_NONE, [true] = C.HZ_FLIP_RANDOM, alternating = C.HZ_FLIP_ALTERNATING }

-- channels: of the items.
local function input_attr(net, o, channels)
  local attr = ffi.new 'hz_attr'
  training.check(net.who, { mean = net.mean, deviation = net.deviation })      -- they can be set at any time
  local a, aug = attr.input, o.augment or {}
  a.batch, a.shuffle = o.batch or training.default.batch, o.train and 1 or 0
  a.flip, a.fill = flips[aug.flip or false], aug.fill == 'reflect' and C.HZ_REFLECT or C.HZ_NEAREST
  a.shift_y, a.shift_x = aug.shift_y or aug.shift or 0, aug.shift_x or aug.shift or 0
  a.dtype = c.dtype(training.stored(o.dtype))
  per_channel(a.mean, 'mean', o.mean or net.mean, channels)
  per_channel(a.deviation, 'deviation', o.deviation or net.deviation, channels)
  return attr
end

-- Adds the beginning: x, labels and item numbers, from a resident set or as entries to be written.
local function begin(self, o)
  local g, who = self.graph, self.net.who .. ': '
  if o.data then
    local data = c.index(C.hz_graph_bind(g, 'data', o.data.items, 0), who)
    local labels = c.index(C.hz_graph_bind(g, 'labels', o.data.labels, 0), who)
    local attr = input_attr(self.net, o, o.data.items:size(o.data.items.ndim))
    local x = C.hz_graph_add(g, 'input', 'input', attr, ffi.new('int32_t[6]', data, labels), 2)
    c.index(x, who)
    return x, x + 1, x + 2
  end
  local shape = o.input or self.net.input
  if not shape then
    c.fail('%s: the input shape is not known; needs data= or input={height, width, channels}', self.net.who)
  end
  local n, s = c.shape({ o.batch or 1, unpack(shape) }, 'plan')
  local x = c.index(C.hz_graph_entry(g, 'x', c.dtype(training.stored(o.dtype)), n, s), who)
  local labels = self.loss_wanted and c.index(C.hz_graph_entry(g, 'labels', C.HZ_I32, 1, s), who) or nil
  return x, labels
end

-- Kernels index by label: one out of range would read foreign memory.
local function check_labels(self, labels)
  local classes = tonumber(C.hz_graph_value(self.graph, self.values.logits).shape[1])
  local low, high = labels:min(), labels:max()
  if low < 0 or high >= classes then
    c.fail('%s: labels run from %g to %g; the net has %d outputs and needs labels 0..%d', self.net.who, low, high,
      classes, classes - 1)
  end
end

local function add_loss(self, o, logits, labels)
  local attr = ffi.new 'hz_attr'
  attr.xent.smoothing = o.smoothing or 0
  local loss = C.hz_graph_add(self.graph, 'xent', 'loss', attr, ffi.new('int32_t[6]', logits, labels), 2)
  c.index(loss, self.net.who .. ': ')
  self.values.loss, self.values.correct, self.values.probs = loss, loss + 1, loss + 2
  self.forward_nodes = C.hz_graph_nodes(self.graph)
end

-- What a net comes to know of its input: the shape of an item, and from training how items are scaled, and the names of
-- the classes.
local function own_input(net, o)
  local items = o.data and o.data.items
  if not items then return end
  local shape = items:size()
  table.remove(shape, 1)
  net.input = shape
  if o.train then
    if o.mean ~= nil then net.mean = o.mean end
    if o.deviation ~= nil then net.deviation = o.deviation end
    rawset(net, 'classes', o.data.classes)
  end
end

function M.new(net, o)
  if not nets.is(net) then c.fail('plan: %s was given; needs a net', type(net)) end
  check_options(o)
  updates.check_total(o)
  local self = setmetatable({ net = net, options = o, values = {}, epoch = 0, offset = 0, steps = 0, feeds = {},
    batch = o.batch or (o.data and training.default.batch or 1), device = devices.one(o.device, 'plan'),
    train = o.train or false, optimizer = o.optimizer,
    loss_wanted = o.loss ~= false and (o.data ~= nil or o.loss ~= nil or o.train) }, Plan)
  local dtype = training.stored(o.dtype)
  self.graph = c.own(C.hz_graph_new, C.hz_graph_free, net.name)
  local x, labels, items = begin(self, o)
  local logits, outputs = nets.build(net, self.graph, x, { train = o.train, items = items, dtype = dtype,
    is_frozen = updates.frozen(o.frozen) })
  own_input(net, o)
  if o.train and o.data then whiten.ensure(net, o.data, o) end
  self.values.x, self.values.labels, self.values.logits, self.values.item = x, labels, logits, items
  self.outputs = outputs
  C.hz_graph_keep(self.graph, logits)
  self.forward_nodes = C.hz_graph_nodes(self.graph)
  if self.loss_wanted then
    add_loss(self, o, logits, labels)
    if o.data then check_labels(self, o.data.labels) end
    C.hz_graph_keep(self.graph, self.values.loss)
    C.hz_graph_keep(self.graph, self.values.correct)
    if not o.train then C.hz_graph_keep(self.graph, self.values.probs) end
  end
  if o.train then updates.add(self, o) end
  devices.press(self.device)
  local po = ffi.new('hz_plan_options', { device = self.device, tf32 = o.dtype == 'tf32' and 1 or 0 })
  po.train, po.keep, po.no_fuse = o.train and 1 or 0, o.keep and 1 or 0, o.fuse == false and 1 or 0
  po.exact = o.exact and 1 or 0
  local graph = self.graph
  self.graph = nil
  self.handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, ffi.gc(graph, nil), po)
  self.graph = C.hz_plan_graph(self.handle)
  self.generation = net.generation
  self.args = ffi.new('hz_step', { seed = o.seed or net.seed or 0, count = self.batch })
  if o.train then stepping.open_gate(self) end
  if o.tune then tune.apply(self, o.tune) end
  C.hz_plan_timed(self.handle, 1)                       -- a reading of the clock for each node, some ten ns
  look.debug_new(self)
  return self
end

nets.methods.plan = names.receiver('net', 'plan', nets.is, function(net, o) return M.new(net, o or {}) end)

M.default_device = devices.default

-- ---- running ----

local function fresh(self)
  if self.net.generation ~= self.generation then
    c.fail('plan: the layers of %s have changed since; needs net:plan again', self.net.who)
  end
end

-- Loss of the last run.
function methods.loss(self)
  if not self.loss_wanted then c.fail('plan: it has no loss; needs loss=\'xent\'') end
  if not self.asked then answers.ask_score(self, 0) end
  return answers.answer(self, 0, answers.LOSS)[0]
end

-- Items of the last run that were classified correctly.
function methods.correct(self)
  if not self.loss_wanted then c.fail('plan: it has no loss to count hits beside; needs loss=\'xent\'') end
  if not self.asked then answers.ask_score(self, 0) end
  return answers.hits(self, 0, self.args.count)
end

-- One training step: input, forward, loss, backward, update (stepping.lua). Returns the loss. The weights stay as they
-- were if it is not finite. A signal waits for the step's end, so that weights and counters agree.
function methods.step(self)
  if not self.train then c.fail('plan: it is for evaluation; a step needs train=true') end
  fresh(self)
  return stepping.step(self)
end

-- Scores the whole set in its own order (score.lua).
function methods.evaluate(self, o)
  fresh(self)
  return score.evaluate(self, o)
end

-- One batch through an evaluation plan with weights as they were packed last; measures inference. Data are
-- walked batch by batch.
function methods.forward_again(self)
  local s, data = self.args, self.options.data
  if s.version == 0 then s.version = answers.next_version() end
  if data then
    s.offset = self.offset
    s.count = math.min(self.batch, #data.labels - self.offset)
    self.offset = (self.offset + tonumber(s.count)) % #data.labels
  end
  answers.run(self, 0, self.forward_nodes)
end

-- x as the net sees it: u8 is scaled by 1/255, then the net's mean and deviation.
local function fed(self, x)
  if not tensor.is(x) then return x end
  local net, o = self.net, self.options
  local own = { batch = self.batch, dtype = o.dtype, mean = o.mean, deviation = o.deviation }
  local entry = self:value 'x'
  local attr = input_attr(net, own, entry:size(entry.ndim))
  return feed.through(self.feeds, x, { who = net.who .. ': ', attr = attr, shape = entry:size(),
    device = self.device, mean = o.mean or net.mean, deviation = o.deviation or net.deviation })
end

-- Fills the entries of a plan without data. x is (batch, ...), items as a set has them: the net's input is applied as
-- it is to a set. Labels count from 0.
function methods.write(self, x, labels)
  if self.options.data then c.fail('plan: it reads its own data; write needs a plan without data=') end
  self:value('x'):copy(fed(self, x))
  if labels ~= nil then
    labels = tensor.is(labels) and labels or tensor.from(labels, 'i32')
    check_labels(self, labels)
    self:value('labels'):copy(labels)
  end
  return self
end

local function node_range(self, name, forward_only)
  local first, last
  for i = 0, (forward_only and self.forward_nodes or C.hz_graph_nodes(self.graph)) - 1 do
    if ffi.string(C.hz_graph_node(self.graph, i).name) == name then first, last = first or i, i + 1 end
  end
  if not first then
    c.fail("plan: no layer '%s'%s; have %s", tostring(name), names.meant(name, self.net.names),
      table.concat(self.net.names, ' '))
  end
  return first, last
end

-- Forward pass of everything, or of the layers from..to.
function methods.run(self, from, to)
  fresh(self)
  self.args.version = answers.next_version()
  local first = from and node_range(self, from, true) or 0
  local last = self.forward_nodes
  if to or from then last = select(2, node_range(self, to or from, true)) end
  answers.run(self, first, last)
  return self
end

-- Gives the memory of a plan that nobody else has back now; views of it stay good.
function M.free(self)
  C.hz_plan_free(ffi.gc(self.handle, nil))
  self.handle, self.feeds = nil, {}
end

-- What holds no plan any more must not reach the core.
local function is_alive(x)
  if M.is(x) and not rawget(x, 'handle') then c.fail('plan: its memory was given back; needs net:plan again') end
  return M.is(x)
end

names.receivers('plan', methods, is_alive)
Plan.__index = names.index('plan', methods, 'optimizer averaged asked tuned graph handle generation loss_wanted')

return M
