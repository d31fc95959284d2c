-- average.lua: averages of the weights over the steps of a training, running statistics of norms included.
--   average = { kind='ema', decay=0.999, every=1 }           what is scored and kept in the end is the average
--   average = { kind='lookahead', every=5, decay=0.5 }       each time the weights go on from the average (Zhang et al.
--                                                            2019), and end in it
-- decay is the share of the average that stays; with power=P it grows from 0, as decay*(steps done/all)^P. Averages are
-- state of the optimiser, by the names of the tensors.
local c = require 'hz.c'
local names = require 'hz.base.names'
local need = require 'hz.base.need'

local M = {}

local defaults = { ema = { decay = 0.999, every = 1, power = 0 }, lookahead = { decay = 0.5, every = 5, power = 0 } }
local checks = {
  decay = { function(v) return v >= 0 and v <= 1 end, 'a share of the average, 0 <= decay <= 1' },
  every = { function(v) return v >= 1 and v % 1 == 0 and v < 2 ^ 31 end, 'a whole number of steps' },
  power = { function(v) return v >= 0 and v < math.huge end, 'a number of at least 0' },
}

-- nil, or what is wrong with an option.
function M.wrong(v)
  if type(v) ~= 'table' then return ("average is %s; needs {kind='ema' or 'lookahead', ...}"):format(need.shown(v)) end
  if not defaults[v.kind] then
    return ('average: kind is %s; have %s'):format(need.shown(v.kind), names.text(defaults))
  end
  for name, x in pairs(v) do
    local row = checks[name]
    if not row and name ~= 'kind' then names.unknown('average', name, checks, 'kind') end
    if row and (type(x) ~= 'number' or not row[1](x)) then
      return ('average: %s is %s; needs %s'):format(name, need.shown(x), row[2])
    end
  end
end

-- All settings of a checked option.
function M.describe(v)
  local out = { kind = v.kind }
  for name, default in pairs(defaults[v.kind]) do out[name] = v[name] or default end
  return out
end

local function key(name) return name .. '.average' end

-- Refuses what goes by the end of the training where that is not known.
function M.check_total(v, total)
  if not total and (v.kind == 'lookahead' or v.power and v.power > 0) then
    c.fail('average: it goes by the end of the training; needs total=STEPS in the plan, or hz.train')
  end
end

-- Adds the nodes that move the averages of the tensors p, { name, tensor } each; the state is made where it is missing,
-- as the tensors are now. bind(name, t) as in optim.lua.
function M.add(v, list, state, graph, bind)
  local attr = c.ffi.new 'hz_attr'
  attr.average.back = v.kind == 'lookahead' and 1 or 0
  for _, p in ipairs(list) do
    local name = key(p.name)
    local mean = state[name]
    if not mean or mean:count() ~= p.tensor:count() or mean:type() ~= p.tensor:type() then
      mean = p.tensor:clone()
      state[name] = mean
    end
    local value = bind(p.name)
    local inputs = c.ffi.new('int32_t[6]', value < 0 and bind(p.name, p.tensor) or value, bind(name, mean))
    c.index(c.C.hz_graph_add(graph, 'average', p.name:match '^(.*)%.', attr, inputs, 2), 'average: ')
  end
end

-- Before the first step averages begin where the weights do.
function M.begin(list, state)
  for _, p in ipairs(list) do state[key(p.name)]:copy(p.tensor) end
end

-- Share of the averages that stays in the step after `step` steps, of `total`; below 0 where none moves. Lookahead ends
-- in its average.
function M.keep(v, step, total)
  local o, done = M.describe(v), step + 1
  if done % o.every == 0 then return o.decay * (o.power > 0 and math.min(1, done / total) ^ o.power or 1) end
  return o.kind == 'lookahead' and done >= total and 1 or -1
end

-- Whether the net is to be scored with other weights than those that train.
function M.is_apart(v) return v ~= nil and v.kind == 'ema' end

-- The averages become the net's own numbers.
function M.take(net, state)
  for _, p in ipairs(net:tensors()) do
    if state[key(p.name)] then p.tensor:copy(state[key(p.name)]) end
  end
end

-- f() with the averages in place of the net's own numbers, which are put back. Returns what it returns.
function M.within(net, state, f)
  local own = {}
  for _, p in ipairs(net:tensors()) do own[p.name] = p.tensor:clone() end
  M.take(net, state)
  local ok, result = pcall(f)
  for _, p in ipairs(net:tensors()) do p.tensor:copy(own[p.name]) end
  if not ok then error(result, 0) end
  return result
end

return M
