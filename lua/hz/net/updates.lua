-- updates.lua: what of a training plan stands behind the loss: gradients, the optimiser's updates of all parameters but
-- the frozen, averages; and the numbers of each step that they go by.
local average = require 'hz.net.average'
local c = require 'hz.c'
local patterns = require 'hz.net.patterns'
local C = c.C

local M = {}

-- is_frozen(name), by the patterns of a plan's option (nil: none is).
function M.frozen(option)
  local list = option ~= nil and patterns.list(option) or {}
  return function(name) return patterns.match(list, name) end
end

local function check_frozen(net, option)
  local all = {}
  for _, p in ipairs(net:tensors()) do
    if p.trainable then all[#all + 1] = p.name end
  end
  if option ~= nil then patterns.check_used(net.who .. ': frozen', patterns.list(option), all) end
end

-- What averages are taken of: all that may move.
local function moving(net, is_frozen)
  local list = {}
  for _, p in ipairs(net:tensors()) do
    if not p.trainable or not is_frozen(p.name) then list[#list + 1] = p end
  end
  return list
end

-- Adds it to a plan's graph. o: the plan's options.
function M.add(plan, o)
  local net, g, who, is_frozen = plan.net, plan.graph, plan.net.who .. ': ', M.frozen(o.frozen)
  check_frozen(net, o.frozen)
  c.check(C.hz_graph_grad(g, plan.values.loss, -1, 0), who)
  c.check(C.hz_graph_statistics(g), who)
  local function gradient_of(name)
    local d = C.hz_graph_gradient_of(g, C.hz_graph_find(g, name))
    return not is_frozen(name) and d or nil
  end
  if not o.optimizer then
    for _, p in ipairs(net:tensors()) do
      local d = p.trainable and gradient_of(p.name)
      if d and d >= 0 then C.hz_graph_keep(g, d) end
    end
    return
  end
  local function bind(name, t)
    if not t then return C.hz_graph_find(g, name) end
    return c.index(C.hz_graph_bind(g, name, t, 0), who)
  end
  o.optimizer:update(net, g, bind, gradient_of)
  if o.average then
    plan.averaged = moving(net, is_frozen)
    average.add(o.average, plan.averaged, o.optimizer.state, g, bind)
  end
end

function M.check_total(o)
  if not o.train or not o.optimizer then return end
  o.optimizer:check_total(o.total)
  if o.average then average.check_total(o.average, o.total) end
end

-- Fills in the step of a plan with an optimiser.
function M.begin_step(plan)
  local s, opt, o = plan.args, plan.optimizer, plan.options
  s.step = opt.steps
  local rates, resting = opt:rates(opt.steps, o.total)
  for i, rate in ipairs(rates) do s.rates[i - 1] = rate end
  s.resting = resting
  if not o.average then return end
  if opt.steps == 0 then average.begin(plan.averaged, opt.state) end
  s.keep = average.keep(o.average, opt.steps, o.total)
end

return M
