-- torch_step.lua: hz's half of torch_step.py. hz test/peers/torch_step.lua OUT NET STEPS BATCH trains NET without
-- dropout for STEPS steps by SGD and by Adam from the same weights over the same batches, and writes to OUT
-- (safetensors) the weights, the batches, the gradients of the first step, and the losses.
local hz = require 'hz'
local out, name, steps, batch = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])

local function make_net()
  local net = hz.nets.load(name)
  for i, layer in ipairs(net.layers) do
    if layer.kind == 'dropout' then net[i] = hz.layers.dropout { 0, name = net.names[i] } end
  end
  return net:init { seed = 1, input = net.input or { 32, 32, 3 } }
end

-- Real pictures where they are found, else the embedded set; f32, about -2..2, so that the net learns from
-- the first step on.
local data = hz.available 'cifar10' and 'cifar10' or 'camera'
local set = hz.data(data, { split = 'train' })
if #set.labels < steps * batch then
  hz.fail('torch_step: %d images were asked for; the set has %d', steps * batch, #set.labels)
end
local function batch_of(i)
  local first = (i - 1) * batch + 1
  return set.items:slice(1, first, first + batch - 1):to 'f32' * (1 / 64) - 2,
    set.labels:slice(1, first, first + batch - 1)
end

local named = { x = hz.empty { steps * batch, 32, 32, 3 }, labels = set.labels:slice(1, 1, steps * batch):clone() }
for i = 1, steps do named.x:slice(1, (i - 1) * batch + 1, i * batch):copy((batch_of(i))) end

local function train(optimizer)
  local net, losses = make_net(), {}
  local plan = net:plan { batch = batch, train = true, loss = 'xent', optimizer = optimizer }
  for i = 1, steps do losses[i] = plan:write(batch_of(i)):step() end
  return losses
end

local net = make_net()
local plan = net:plan { batch = batch, train = true, loss = 'xent' }
plan:write(batch_of(1)):step()
for _, p in ipairs(net:tensors()) do
  named['weight.' .. p.name] = p.tensor:clone()
  named['gradient.' .. p.name] = plan:gradient(p.name):clone()
end
local record = {
  sgd = train(hz.sgd { rate = 0.01, momentum = 0.9, nesterov = true }), adam = train(hz.adam { rate = 0.0001 }),
  fast_adam = train(hz.adam { rate = 0.001 }),
  data = data, version = hz.version,
  layers = (function() local l = {}; for i, x in ipairs(net.layers) do l[i] = x.kind end; return l end)(),
}
hz.safetensors.write(out, named, { record = hz.json.encode(record) })
