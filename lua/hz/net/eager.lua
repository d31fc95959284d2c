-- eager.lua: nets and layers that run at once when they are called with a tensor: net(x), conv{8, 3}(image). Whoever
-- makes nets for a user takes `new` and `kinds` from here, so that every net can be planned and called.
local c = require 'hz.c'
local names = require 'hz.base.names'
local layers = require 'hz.net.layer'
local nets = require 'hz.net.net'
local plans = require 'hz.net.plan'
local tensor = require 'hz.tensor.tensor'
local training = require 'hz.net.training'

local M = { new = nets.new, kinds = layers.kinds }

local KEPT = 4                     -- plans of a net for as many shapes; the one that was used longest ago goes first

-- Plans of the net's tensors as they are now: list (latest use first) of { key, plan }.
local function plans_of(net)
  if rawget(net, 'eager_generation') ~= net.generation then rawset(net, 'eager', {}) end
  rawset(net, 'eager_generation', net.generation)
  return rawget(net, 'eager')
end

local function take(list, key)
  for i, e in ipairs(list) do
    if e.key == key then return table.remove(list, i) end
  end
end

-- The plan of a net for inputs of this shape (batch first).
local function plan_for(net, shape, dtype)
  local key = table.concat(shape, 'x') .. ' ' .. dtype
  local entry = take(plans_of(net), key)
  if not entry then
    local batch = table.remove(shape, 1)
    entry = { key = key, plan = plans.new(net, { batch = batch, input = shape, loss = false, dtype = dtype }) }
  end
  local list = plans_of(net)                           -- another dtype made the tensors anew, and the list with them
  table.insert(list, 1, entry)
  if #list > KEPT then plans.free(table.remove(list).plan) end
  return entry.plan
end

-- Logits of a batch, the caller's own, and whether x was a single item.
local function forward(net, x)
  if not tensor.is(x) then c.fail('%s: %s was given; needs a tensor', net.who, type(x)) end
  local shape, single = x:size(), false
  if #shape == 3 then single = true; table.insert(shape, 1, 1) end
  if #shape < 2 then c.fail('%s: the input is %s; needs (batch, ...)', net.who, tensor.shape_text(x)) end
  local plan = plan_for(net, shape, training.stored(x:type()) or 'f32')
  plan:write(single and x:reshape { 1, unpack(x:size()) } or x)
  plan:run()
  return plan:value 'logits':clone(), single
end

-- Forward pass of a tensor, as an evaluation; the result is the caller's own. Three dimensions are one image. x is
-- items as a set has them: u8, or f32 with the net's mean and deviation still to be taken.
function nets.Net.__call(net, x)
  local y, single = forward(net, x)
  return single and y[1] or y
end

-- Softmax of a row of k logits: the likeliest class (from 1) and its probability.
local function likeliest(p, k)
  local best, sum = 0, 0
  for i = 1, k - 1 do if p[i] > p[best] then best = i end end
  for i = 0, k - 1 do sum = sum + math.exp(p[i] - p[best]) end
  return best + 1, 1 / sum
end

-- The class of each item by name (by number from 1 where the net does not know names), and its probability; of a single
-- image one of each.
local function classify(net, x)
  local y, single = forward(net, x)
  y = y:to 'f64'
  local p, k, known = y:pointer 'read', y:size(2), net.classes or {}
  local classes, probabilities = {}, {}
  for i = 1, #y do
    local class, probability = likeliest(p + (i - 1) * k, k)
    classes[i], probabilities[i] = known[class] or class, probability
  end
  if single then return classes[1], probabilities[1] end
  return classes, probabilities
end
nets.methods.classify = names.receiver('net', 'classify', nets.is, classify)

-- A layer on its own: a net of one layer, kept with it so that its parameters last.
function layers.Layer.__call(layer, x)
  if not rawget(layer, 'alone') then rawset(layer, 'alone', nets.new(layer.kind) { layer }) end
  return rawget(layer, 'alone')(x)
end

return M
