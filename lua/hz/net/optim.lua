-- optim.lua: optimisers own their state by parameter name and count their steps; schedules scale the rate.
--   hz.adam{rate=0.001}    hz.sgd{rate=0.01, momentum=0.9, nesterov=true, schedule='cosine'}
local c = require 'hz.c'
local isa = require 'hz.isa'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local tensor = require 'hz.tensor.tensor'

local M = {}
local Optimizer, methods = {}, {}
function M.is(x) return isa(x, Optimizer) end

-- Factor of the rate at a step (counts from 0) of `total`; `o` holds the optimiser's own fields.
local schedules = {
  constant = function() return 1 end,
  cosine   = function(step, total) return 0.5 * (1 + math.cos(math.pi * math.min(step / total, 1))) end,
  linear   = function(step, total) return math.max(0, 1 - step / total) end,
  time     = function(step, _, o) return 1 / (1 + o.time_decay * step) end,      -- Keras' decay
}

-- name and op of the core, state tensors, defaults. One row per optimiser.
local rows = {
  { 'sgd', state = function(o) return o.momentum > 0 and { 'velocity' } or {} end,
    defaults = { rate = 0.01, momentum = 0, nesterov = false, decay = 0 } },
  { 'adam', state = { 'm', 'v' }, defaults = { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0 } },
  { 'adamw', state = { 'm', 'v' },
    defaults = { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0.01 } },
  { 'adadelta', state = { 'g2', 'x2' }, defaults = { rate = 1, beta1 = 0.95, epsilon = 1e-7, decay = 0 } },
}
local common = { schedule = 'constant', warmup = 0, time_decay = 1e-6 }

-- Names of optimisers and schedules, for those who let a user choose.
local kinds, settings = {}, names.sorted(common)      -- settings: those of any optimiser
M.kinds, M.schedules = {}, names.sorted(schedules)
for i, row in ipairs(rows) do
  M.kinds[i], kinds[row[1]] = row[1], row
  for name in pairs(row.defaults) do settings[#settings + 1] = name end
end

-- What numbers must be; of other settings the kind of their default is enough.
local function from_zero(v) return v >= 0 and v < math.huge end
local function share(v) return v >= 0 and v < 1 end
local checks = {
  rate = { function(v) return v > 0 and v < math.huge end, 'a number above 0' },
  momentum = { share, '0 <= momentum < 1' }, beta1 = { share, '0 <= beta1 < 1' }, beta2 = { share, '0 <= beta2 < 1' },
  epsilon = { from_zero, 'a number of at least 0' }, decay = { from_zero, 'a number of at least 0' },
  time_decay = { from_zero, 'a number of at least 0' },
  warmup = { function(v) return from_zero(v) and v % 1 == 0 end, 'a whole number of steps' },
}

local function check(kind, name, v, default)
  local row = checks[name]
  if type(v) ~= type(default) or row and not row[1](v) then
    need.fail(kind, name, v, row and row[2] or 'a ' .. type(default))
  end
end

-- The settings of a kind with their defaults; nil if there is no such kind.
function M.options(kind)
  local k, known = kinds[kind], {}
  if not k then return nil end
  for _, list in ipairs { common, k.defaults } do
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
  if not schedules[self.schedule] then names.unknown(kind .. ': schedule', self.schedule, M.schedules) end
  return setmetatable(self, Optimizer)
end
for kind in pairs(kinds) do M[kind] = function(o) return M.new(kind, o) end end

local endless = { constant = true, time = true }       -- schedules that go by no end

-- Refuses a schedule that would never move, for want of the steps of the whole training.
function methods:check_total(total)
  if not total and not endless[self.schedule] then
    c.fail("%s: schedule '%s' goes by the end of the training; needs total=STEPS in the plan, or hz.train", self.kind,
      self.schedule)
  end
end

-- Rate of the step after `step` steps, of `total` in the whole run (schedules that need no total ignore it).
function methods:rate_at(step, total)
  need.count('rate_at', 'the step', step)
  if total ~= nil then need.count('rate_at', 'the total', total) end
  local warm = self.warmup > 0 and math.min(1, (step + 1) / self.warmup) or 1
  local span = total and math.max(1, total - self.warmup) or math.huge
  return self.rate * warm * schedules[self.schedule](math.max(0, step - self.warmup), span, self)
end

-- Adds one update node per trainable parameter to a builder-like {graph, bind}; state is made where it is missing.
function methods:update(net, graph, bind, gradient_of)
  if type(net) ~= 'table' or type(net.tensors) ~= 'function' or type(graph) ~= 'cdata' then
    c.fail('update: %s and %s were given; needs a net and its graph: net:plan{optimizer=...} calls it', type(net),
      type(graph))
  end
  need.callable('update', 'what binds', bind)
  need.callable('update', 'what finds gradients', gradient_of)
  local k, attr = kinds[self.kind], c.ffi.new 'hz_attr'
  local a = attr.optim
  a.momentum, a.nesterov, a.decay = self.momentum or 0, self.nesterov and 1 or 0, self.decay
  a.beta1, a.beta2, a.epsilon = self.beta1 or 0, self.beta2 or 0, self.epsilon or 0
  for _, p in ipairs(net:tensors()) do
    if p.trainable then
      local inputs, n = c.ffi.new 'int32_t[6]', 2
      inputs[0], inputs[1] = bind(p.name), gradient_of(p.name)
      for _, short in ipairs(type(k.state) == 'function' and k.state(self) or k.state) do
        local name = p.name .. '.' .. short
        local t = self.state[name]
        if not t or t:count() ~= p.tensor:count() or t:type() ~= p.tensor:type() then
          t = tensor.zeros(p.tensor:size(), p.tensor:type())
          self.state[name] = t
        end
        inputs[n] = bind(name, t)
        n = n + 1
      end
      c.index(c.C.hz_graph_add(graph, self.kind, p.name:match '^(.*)%.', attr, inputs, n), net.who .. ': ')
    end
  end
end

-- Numbers that decide what the optimiser does, for records.
function methods:describe()
  local out = { kind = self.kind }
  for name in pairs(kinds[self.kind].defaults) do out[name] = self[name] end
  for name in pairs(common) do out[name] = self[name] end
  return out
end

names.receivers('optimizer', methods, M.is)
Optimizer.__index = names.index('optimizer', methods, table.concat(settings, ' '))
Optimizer.__names = methods
-- An optimiser has the settings it was made with: others would mean nothing.
Optimizer.__newindex = function(self, k) names.unknown(self.kind, k, self) end
Optimizer.__tostring = function(self)
  return ('%s{rate=%g, schedule=%s}, %d steps done'):format(self.kind, self.rate, self.schedule, self.steps)
end

return M
