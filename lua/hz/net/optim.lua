-- optim.lua: optimisers own their state by parameter name and count their steps; schedules (schedule.lua) scale the
-- rate.
--   hz.adam{rate=0.001}    hz.sgd{rate=0.01, momentum=0.9, nesterov=true, schedule='cosine'}
-- Groups are optimisers, too: each parameter belongs to the first group that takes it, and goes by its settings.
--   hz.groups{ { match='^conv.*weight$', hz.muon{rate=0.24} }, hz.sgd{rate=0.05, momentum=0.85, nesterov=true} }
local c = require 'hz.c'
local isa = require 'hz.isa'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local patterns = require 'hz.net.patterns'
local schedule = require 'hz.net.schedule'
local tensor = require 'hz.tensor.tensor'

local M = {}
local Optimizer, methods = {}, {}
local Groups, of_groups = {}, {}
local function is_single(x) return isa(x, Optimizer) end
local function is_groups(x) return isa(x, Groups) end
function M.is(x) return is_single(x) or is_groups(x) end

local function velocity(o) return o.momentum > 0 and { 'velocity' } or {} end

-- name and op of the core, state tensors, defaults; later: defaults that stand in records only where they differ. some:
-- it takes only some parameters, so alone it trains no net. One row per optimiser.
local rows = {
  { 'sgd', state = velocity, defaults = { rate = 0.01, momentum = 0, nesterov = false, decay = 0 },
    later = { decoupled = false } },
  { 'adam', state = { 'm', 'v' }, defaults = { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0 } },
  { 'adamw', state = { 'm', 'v' },
    defaults = { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0.01 } },
  { 'adadelta', state = { 'g2', 'x2' }, defaults = { rate = 1, beta1 = 0.95, epsilon = 1e-7, decay = 0 } },
  { 'muon', state = velocity, some = true, defaults = { rate = 0.24, momentum = 0.6, nesterov = true, iterations = 3,
    renormalise = true, epsilon = 1e-7, decay = 0 } },
}

-- Names of optimisers and schedules, for those who let a user choose; kinds: of those that train whole nets.
local kinds, settings = {}, names.sorted(schedule.settings, schedule.later)      -- settings: those of any optimiser
M.kinds, M.schedules = {}, schedule.names
for _, row in ipairs(rows) do
  kinds[row[1]], row.later = row, row.later or {}
  if not row.some then M.kinds[#M.kinds + 1] = row[1] end
  for _, list in ipairs { row.defaults, row.later } do
    for name in pairs(list) do settings[#settings + 1] = name end
  end
end

-- What numbers must be; of other settings the kind of their default is enough.
local function from_zero(v) return v >= 0 and v < math.huge end
local function above_zero(v) return v > 0 and v < math.huge end
local function share(v) return v >= 0 and v < 1 end
local checks = {
  rate = { above_zero, 'a number above 0' },
  momentum = { share, '0 <= momentum < 1' }, beta1 = { share, '0 <= beta1 < 1' }, beta2 = { share, '0 <= beta2 < 1' },
  epsilon = { from_zero, 'a number of at least 0' }, decay = { from_zero, 'a number of at least 0' },
  iterations = { function(v) return v % 1 == 0 and v >= 1 and v <= 100 end, 'a whole number of 1..100' },
}

local function check(kind, name, v, default)
  local row = kind == 'muon' and name == 'epsilon' and checks.rate or checks[name] or schedule.checks[name]
  if type(v) ~= type(default) or row and not row[1](v) then
    need.fail(kind, name, v, row and row[2] or 'a ' .. type(default))
  end
end

-- The settings of a kind with their defaults; nil if there is no such kind.
function M.options(kind)
  local k, known = kinds[kind], {}
  if not k then return nil end
  for _, list in ipairs { schedule.settings, schedule.later, k.defaults, k.later } do
    for name, v in pairs(list) do known[name] = v end
  end
  return known
end

function M.new(kind, o)
  local known = M.options(kind)
  if not known then names.unknown('optimizer', kind, kinds) end
  local self = { kind = kind, steps = 0, state = {} }
  for name, v in pairs(known) do self[name] = v end
  for name, v in pairs(names.options(kind, o, known)) do
    check(kind, name, v, known[name])
    self[name] = v
  end
  schedule.check(self)
  return setmetatable(self, Optimizer)
end
for kind in pairs(kinds) do M[kind] = function(o) return M.new(kind, o) end end

-- Refuses a schedule that would never move, for want of the steps of the whole training.
function methods:check_total(total)
  if not total and schedule.needs_total(self) then
    c.fail("%s: schedule '%s' goes by the end of the training; needs total=STEPS in the plan, or hz.train", self.kind,
      self.schedule)
  end
end

-- Rate of the step after `step` steps, of `total` in the whole run (schedules that need no total ignore it).
function methods:rate_at(step, total)
  need.count('rate_at', 'the step', step)
  if total ~= nil then need.count('rate_at', 'the total', total) end
  return schedule.rate_at(self, step, total)
end

-- The rates of all groups at that step: of one; and a bit for each whose rate stays 0 from then on.
function methods:rates(step, total)
  return { self:rate_at(step, total) }, schedule.is_over(self, step, total) and 1 or 0
end

-- ---- updates ----

local function attributes(o, group)
  local attr = c.ffi.new 'hz_attr'
  local a = attr.optim
  a.momentum, a.nesterov, a.decay, a.group = o.momentum or 0, o.nesterov and 1 or 0, o.decay, group
  if o.beta1 then a.beta1, a.beta2 = o.beta1, o.beta2 or 0 end
  a.epsilon = o.epsilon or 0
  a.decoupled, a.iterations, a.renormalise = o.decoupled and 1 or 0, o.iterations or 0, o.renormalise and 1 or 0
  return attr
end

-- A tensor of the optimiser's, like t, which is made where it is missing.
local function own(state, name, t)
  local s = state[name]
  if not s or s:count() ~= t:count() or s:type() ~= t:type() then
    s = tensor.zeros(t:size(), t:type())
    state[name] = s
  end
  return s
end

-- The update of parameter p by the settings o. place: { net, graph, bind, gradient_of, state }.
local function add_update(o, p, attr, place)
  local k = kinds[o.kind]
  local inputs, n = c.ffi.new 'int32_t[6]', 2
  inputs[0], inputs[1] = place.bind(p.name), place.gradient_of(p.name)
  for _, short in ipairs(type(k.state) == 'function' and k.state(o) or k.state) do
    local name = p.name .. '.' .. short
    inputs[n] = place.bind(name, own(place.state, name, p.tensor))
    n = n + 1
  end
  c.index(c.C.hz_graph_add(place.graph, o.kind, p.name:match '^(.*)%.', attr, inputs, n), place.net.who .. ': ')
end

local function place_of(self, net, graph, bind, gradient_of)
  if type(net) ~= 'table' or type(net.tensors) ~= 'function' or type(graph) ~= 'cdata' then
    c.fail('update: %s and %s were given; needs a net and its graph: net:plan{optimizer=...} calls it', type(net),
      type(graph))
  end
  need.callable('update', 'what binds', bind)
  need.callable('update', 'what finds gradients', gradient_of)
  return { net = net, graph = graph, bind = bind, gradient_of = gradient_of, state = self.state }
end

-- Trainable parameters with a gradient: gradient_of yields nil for what is frozen.
local function trained(net, gradient_of)
  local list = {}
  for _, p in ipairs(net:tensors()) do
    if p.trainable and gradient_of(p.name) then list[#list + 1] = p end
  end
  return list
end

-- Adds one update node per trained parameter to a graph; state is made where it is missing.
function methods:update(net, graph, bind, gradient_of)
  local place, attr = place_of(self, net, graph, bind, gradient_of), attributes(self, 0)
  for _, p in ipairs(trained(net, gradient_of)) do add_update(self, p, attr, place) end
end

-- Settings that decide what the optimiser does, for records.
function methods:describe()
  local out, k = { kind = self.kind }, kinds[self.kind]
  for _, list in ipairs { k.defaults, schedule.settings } do
    for name in pairs(list) do out[name] = self[name] end
  end
  for _, list in ipairs { k.later, schedule.later } do
    for name, default in pairs(list) do
      if self[name] ~= default then out[name] = self[name] end
    end
  end
  return out
end

-- ---- groups ----

-- { match = pattern or list of them, optimiser }; the last may be an optimiser alone, or one without match.
local function group_of(g, i, count)
  if is_single(g) then g = { g } end
  local who = ('groups: group %d'):format(i)
  names.fields(who, g, { match = true, [1] = true })
  if not is_single(g[1]) then
    c.fail('%s has %s; needs an optimiser made by hz.sgd, hz.muon, ...', who,
      is_groups(g[1]) and 'groups' or type(g[1]))
  end
  local wrong = g.match ~= nil and patterns.wrong(g.match, 'match')
  if wrong then c.fail('%s: %s', who, wrong) end
  if g.match == nil and i < count then
    c.fail('%s of %d has no match and takes all that is left; needs match, or to be the last', who, count)
  end
  return { match = g.match ~= nil and patterns.list(g.match) or nil, optimizer = g[1] }
end

function M.groups(list)
  local n = need.table('groups', 'what was given', list) and names.length(list)
  if not n or n == 0 or n > c.C.HZ_GROUPS then
    c.fail('groups: %s; needs a list of 1..%d groups {match=pattern, optimiser}', n and n .. ' were given'
      or 'it is no list', c.C.HZ_GROUPS)
  end
  local self = { kind = 'groups', steps = 0, state = {}, groups = {} }
  for i = 1, n do self.groups[i] = group_of(list[i], i, n) end
  return setmetatable(self, Groups)
end

local function of_each(name)
  return function(self, ...)
    for _, g in ipairs(self.groups) do g.optimizer[name](g.optimizer, ...) end
  end
end
of_groups.check_total = of_each 'check_total'

function of_groups:rates(step, total)
  local list, resting = {}, 0
  for i, g in ipairs(self.groups) do
    list[i] = g.optimizer:rate_at(step, total)
    if schedule.is_over(g.optimizer, step, total) then resting = resting + 2 ^ (i - 1) end
  end
  return list, resting
end

-- Number of the first group that takes the parameter.
local function first_group(self, name)
  for i, g in ipairs(self.groups) do
    if not g.match or patterns.match(g.match, name) then return i end
  end
end

-- The groups with their parameters, which are all that are trained. A group for which nothing is left is a mistake.
local function deal(self, net, gradient_of)
  local all, dealt, left = {}, {}, {}
  for i = 1, #self.groups do dealt[i] = {} end
  for _, p in ipairs(net:tensors()) do
    if p.trainable then all[#all + 1] = p.name end
  end
  for i, g in ipairs(self.groups) do
    if g.match then patterns.check_used(('%s: groups: group %d'):format(net.who, i), g.match, all) end
  end
  for _, p in ipairs(trained(net, gradient_of)) do
    local i = first_group(self, p.name)
    local list = i and dealt[i] or left
    list[#list + 1] = i and p or p.name
  end
  if #left > 0 then
    c.fail('%s: groups: %s: in no group; needs a last one without match, or frozen', net.who, table.concat(left, ' '))
  end
  for i, g in ipairs(self.groups) do
    if g.match and #dealt[i] == 0 then
      c.fail("%s: groups: group %d: all that '%s' matches is frozen or in a group before it", net.who, i,
        table.concat(g.match, "' '"))
    end
  end
  return dealt
end

function of_groups:update(net, graph, bind, gradient_of)
  local place = place_of(self, net, graph, bind, gradient_of)
  for i, list in ipairs(deal(self, net, gradient_of)) do
    local o = self.groups[i].optimizer
    local attr = attributes(o, i - 1)
    for _, p in ipairs(list) do add_update(o, p, attr, place) end
  end
end

function of_groups:describe()
  local list = {}
  for i, g in ipairs(self.groups) do list[i] = { match = g.match, optimizer = g.optimizer:describe() } end
  return { kind = 'groups', groups = list }
end

-- ---- metatables ----

names.receivers('optimizer', methods, is_single)
names.receivers('groups', of_groups, is_groups)
Optimizer.__index = names.index('optimizer', methods, table.concat(settings, ' '))
Groups.__index = names.index('groups', of_groups)
Optimizer.__names, Groups.__names = methods, of_groups
-- An optimiser has the settings it was made with: others would mean nothing.
local function refuse(self, k) names.unknown(self.kind, k, self) end
Optimizer.__newindex, Groups.__newindex = refuse, refuse
Optimizer.__tostring = function(self)
  return ('%s{rate=%g, schedule=%s}, %d steps done'):format(self.kind, self.rate, self.schedule, self.steps)
end
Groups.__tostring = function(self)
  local list = {}
  for i, g in ipairs(self.groups) do
    local o = g.optimizer
    list[i] = ('%s: %s{rate=%g, schedule=%s}'):format(g.match and table.concat(g.match, ' ') or 'the rest', o.kind,
      o.rate, o.schedule)
  end
  return ('groups{%s}, %d steps done'):format(table.concat(list, ', '), self.steps)
end

return M
