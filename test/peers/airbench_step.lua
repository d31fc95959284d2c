-- airbench_step.lua: hz's half of airbench_step.py. hz test/peers/airbench_step.lua OUT NET STEPS BATCH writes to OUT
-- (safetensors): the images that whiten, the weights, batches and losses of STEPS steps in f32, what augmentation makes
-- of some images in three epochs, and outcomes of test images in several views with the weights at the end.
local hz = require 'hz'
local choices = require 'hz.net.choices'
local out, name, steps, batch = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])
local LOOK, SEEN, SCORED = 5000, 60, 100

-- Real pictures where they are found, else the embedded set.
local data = hz.available 'cifar10' and 'cifar10' or 'camera'
local set, test = hz.data(data)
if #set.labels < steps * batch then
  hz.fail('airbench_step: %d images were asked for; the set has %d', steps * batch, #set.labels)
end
local function some(s, first, n)
  return s.items:slice(1, first, first + n - 1):clone(), s.labels:slice(1, first, first + n - 1):clone()
end

local net = hz.nets[name]():init { seed = 1 }:whiten(set)
local named = { images = some(set, 1, math.min(LOOK, #set.labels)) }
named.x, named.labels = some(set, 1, steps * batch)
for _, p in ipairs(net:tensors()) do named['before.' .. p.name] = p.tensor:clone() end

local record = { data = data, version = hz.version, mean = net.mean, deviation = net.deviation, names = {} }
for i, p in ipairs(net:tensors()) do record.names[i] = p.name end

local before = {}
for tensor_name, tensor in pairs(net:state()) do before[tensor_name] = tensor:clone() end

-- Losses from the first weights on. direct: convolutions without Winograd's transforms, whose rounding decides more
-- often which of nearly equal pixels max pooling takes.
local function train(rate, direct)
  net:assign(before)
  local o = { batch = batch, train = true, loss = 'xent', smoothing = 0.2,
    optimizer = hz.sgd { rate = rate, momentum = 0.85, nesterov = true, decay = 1e-5 } }
  if direct then
    local nodes = {}
    o.fuse = false                                       -- what is fused runs by 'wino' alone
    local plan = net:plan(o)
    for i, node in ipairs(plan:nodes()) do
      local other = node.op:find '_dw' and 'outer' or 'gather'
      if node.kernel == 'wino' then nodes[choices.node_text(plan, i - 1)] = other end
    end
    o.tune = { machine = 'airbench_step', nodes = nodes }
  end
  local plan, losses = net:plan(o), {}
  for i = 1, steps do
    losses[i] = plan:write(some(set, (i - 1) * batch + 1, batch)):step()
  end
  return losses
end
record.slow, record.direct, record.fast = train(0.02), train(0.1, true), train(0.5)
for _, p in ipairs(net:tensors()) do named['after.' .. p.name] = p.tensor:clone() end

-- ---- augmentation ----

local shown = { items = set.items:slice(1, 1, SEEN), labels = set.labels:slice(1, 1, SEEN) }
local plan = hz.net 'flat' { hz.layers.dense { 10 } }:plan { batch = SEEN, data = shown, train = true, keep = true,
  seed = 5, augment = { shift = 2, flip = 'alternating', fill = 'reflect' } }
for epoch = 0, 2 do
  plan:step()
  named['epoch' .. epoch], named['item' .. epoch] = plan:value 'x':clone(), plan:value 'item':clone()
end

-- ---- views ----

local scored = { items = test.items:slice(1, 1, SCORED), labels = test.labels:slice(1, 1, SCORED) }
named.test, named.test_labels = scored.items:clone(), scored.labels:clone()
plan = net:plan { batch = 40, data = scored }
for key, views in pairs { plain = false, mirror = 'mirror', both = { 'mirror', 'shift' } } do
  local e = plan:evaluate { views = views or nil }
  named['class.' .. key], named['confidence.' .. key], record['loss_' .. key] = e.class, e.confidence, e.loss
end
hz.safetensors.write(out, named, { record = hz.json.encode(record) })
