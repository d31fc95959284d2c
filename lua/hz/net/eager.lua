-- eager.lua: nets and layers that run at once when they are called with a tensor: net(x), conv{8, 3}(image). Whoever
-- makes nets for a user takes `new` and `kinds` from here, so that every net can be planned and called.
local c = require 'hz.c'
local layers = require 'hz.net.layer'
local nets = require 'hz.net.net'
local plans = require 'hz.net.plan'
local tensor = require 'hz.tensor.tensor'
local training = require 'hz.net.training'

local M = { new = nets.new, kinds = layers.kinds }

-- The plan of a net for inputs of this shape; plans are cached until the net's tensors are made anew.
local function plan_for(net, shape, dtype)
  local key = table.concat(shape, 'x') .. ' ' .. dtype
  local cache = rawget(net, 'cache_generation') == net.generation and rawget(net, 'cache') or {}
  if not cache[key] then
    local batch = table.remove(shape, 1)
    local plan = plans.new(net, { batch = batch, input = shape, loss = false, train = false, dtype = dtype })
    if rawget(net, 'cache_generation') ~= net.generation then cache = {} end     -- another dtype made the tensors anew
    cache[key] = plan
  end
  rawset(net, 'cache', cache)
  rawset(net, 'cache_generation', net.generation)
  return cache[key]
end

-- Forward pass of a tensor, as an evaluation; the result is the caller's own. Three dimensions are one image.
function nets.Net.__call(net, x)
  if not tensor.is(x) then c.fail('%s: %s was given; needs a tensor', net.who, type(x)) end
  local shape, single = x:size(), false
  if #shape == 3 then single = true; table.insert(shape, 1, 1) end
  if #shape < 2 then c.fail('%s: the input is %s; needs (batch, ...)', net.who, tensor.shape_text(x)) end
  local plan = plan_for(net, shape, training.dtypes[x:type()] and x:type() or 'f32')
  plan:write(single and x:reshape { 1, unpack(x:size()) } or x)
  plan:run()
  local y = plan:value('logits'):clone()
  return single and y[1] or y
end

-- A layer on its own: a net of one layer, kept with it so that its parameters last.
function layers.Layer.__call(layer, x)
  if not rawget(layer, 'alone') then rawset(layer, 'alone', nets.new(layer.kind) { layer }) end
  return rawget(layer, 'alone')(x)
end

return M
