-- optim.lua: optimisers own their state by parameter name and count their steps; schedules scale the rate.
--   hz.adam{rate=0.001}    hz.sgd{rate=0.01, momentum=0.9, nesterov=true, schedule='cosine'}
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'

local M = {}
local Optimizer = {}
Optimizer.__index = Optimizer
function M.is(x) return getmetatable(x) == Optimizer end

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

local function sorted(t)
  local n = {}
  for k in pairs(t) do n[#n + 1] = k end
  table.sort(n)
  return n
end
local function names_of(t) return table.concat(sorted(t), ', ') end

-- Names of optimisers and schedules, for those who let a user choose.
local kinds = {}
M.kinds, M.schedules = {}, sorted(schedules)
for i, row in ipairs(rows) do M.kinds[i], kinds[row[1]] = row[1], row end

function M.new(kind, o)
  local k = kinds[kind]
  if not k then c.fail("optimizer: '%s' is unknown; have %s", tostring(kind), names_of(kinds)) end
  local self = { kind = kind, steps = 0, state = {} }
  for name, v in pairs(common) do self[name] = v end
  for name, v in pairs(k.defaults) do self[name] = v end
  for name, v in pairs(o or {}) do
    if self[name] == nil or name == 'state' or name == 'kind' or name == 'steps' then
      c.fail("%s: '%s' is unknown; have %s, %s", kind, tostring(name), names_of(k.defaults), names_of(common))
    end
    if type(v) ~= type(self[name]) then
      c.fail('%s: %s is %s; needs a %s', kind, name, tostring(v), type(self[name]))
    end
    self[name] = v
  end
  if not schedules[self.schedule] then
    c.fail("%s: schedule '%s' is unknown; have %s", kind, self.schedule, names_of(schedules))
  end
  if not (self.rate > 0 and self.rate < math.huge) then
    c.fail('%s: rate is %g; needs a number above 0', kind, self.rate)
  end
  if self.warmup < 0 or self.warmup % 1 ~= 0 then
    c.fail('%s: warmup is %g; needs a whole number of steps', kind, self.warmup)
  end
  return setmetatable(self, Optimizer)
end
for kind in pairs(kinds) do M[kind] = function(o) return M.new(kind, o) end end

local endless = { constant = true, time = true }       -- schedules that go by no end

-- Refuses a schedule that would never move, for want of the steps of the whole training.
function Optimizer:check_total(total)
  if not total and not endless[self.schedule] then
    c.fail("%s: schedule '%s' goes by the end of the training; needs total=STEPS in the plan, or hz.train", self.kind,
      self.schedule)
  end
end

-- Rate of the step after `step` steps, of `total` in the whole run (schedules that need no total ignore it).
function Optimizer:rate_at(step, total)
  local warm = self.warmup > 0 and math.min(1, (step + 1) / self.warmup) or 1
  local span = total and math.max(1, total - self.warmup) or math.huge
  return self.rate * warm * schedules[self.schedule](math.max(0, step - self.warmup), span, self)
end

-- Adds one update node per trainable parameter to a builder-like {graph, bind}; state is made where it is missing.
function Optimizer:update(net, graph, bind, gradient_of)
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
function Optimizer:describe()
  local out = { kind = self.kind }
  for name in pairs(kinds[self.kind].defaults) do out[name] = self[name] end
  for name in pairs(common) do out[name] = self[name] end
  return out
end

Optimizer.__tostring = function(self)
  return ('%s{rate=%g, schedule=%s}, %d steps done'):format(self.kind, self.rate, self.schedule, self.steps)
end

return M
