-- plan_test.lua: what a plan promises who feeds it, looks into it, and stops it: the input that a net knows, memory
-- that was used again, steps that end whole.
local t = ...
local hz = require 'hz'
local c = require 'hz.c'
local l = hz.layers

local function largest(a, b) return (a:to 'f64' - b:to 'f64'):abs():max() end

-- ---- what a net knows of its input ----

local function scored(net, set, dtype)
  local e = net:plan { data = set, batch = 16, dtype = dtype }:evaluate()
  local classes = {}
  for i = 1, #set do classes[i] = e.class[i] + 1 end
  return classes, e
end

t.case('plan: net(x), write and evaluate see the same input, to the bit', function()
  local set = hz.data('camera', { split = 'train', train = 40 })
  for _, dtype in ipairs { 'f32', 'bf16', 'f64' } do
    local net = hz.net 'n' { mean = { 0.4, 0.5, 0.6 }, deviation = 0.25, l.conv{8, 3, stride=2}, l.tanh, l.dense{10} }
    net:init { seed = 3, input = { 32, 32, 3 } }
    local drawn = net:plan { data = set, batch = 40, dtype = dtype, keep = true }
    drawn:evaluate()
    local written = net:plan { batch = 40, dtype = dtype, keep = true }:write(set.items):run()
    t.equal(largest(drawn:value 'x', written:value 'x'), 0, dtype)
    t.equal(largest(drawn:value 'logits', written:value 'logits'), 0, dtype)
    if dtype == 'f32' then t.equal(largest(net(set.items), drawn:value 'logits'), 0) end
  end
end)

t.case('plan: classes by net(x), by scaled items and by classify are those of evaluate', function()
  local set, test = hz.data('camera', { train = 200, test = 60 })
  local net = hz.nets.small()
  hz.train { net = net, train = set, optimizer = hz.adam { rate = 0.003 }, epochs = 1, batch = 50 }
  local classes, e = scored(net, test)
  local names, probabilities = net:classify(test.items)
  local a, b = net(test.items):argmax(2), net(test.items:to 'f32' / 255):argmax(2)
  for i = 1, #test do
    t.equal({ a[i], b[i], names[i] }, { classes[i], classes[i], test.classes[classes[i]] })
    t.near(probabilities[i], e.confidence[i], 1e-6)
  end
  local name, probability = net:classify(test.items[7])
  t.equal(name, names[7])
  t.near(probability, probabilities[7], 1e-6)                    -- one image runs by other kernels
end)

t.case('plan: what a net knows of its input is saved with it', function()
  local path = t.folder() .. '/net.safetensors'
  local set = hz.data('camera', { split = 'train', train = 30 })
  local function make(o)
    return hz.net 'n' { mean = o.mean, deviation = o.deviation, l.conv{4, 3}, l.meanpool, l.dense{10} }
  end
  local net = make {}
  hz.train { net = net, train = set, optimizer = hz.sgd { rate = 0.01 }, epochs = 1, batch = 10, mean = 0.5,
    deviation = 0.2 }
  t.equal({ net.mean, net.deviation }, { 0.5, 0.2 })
  net:save(path)
  local again = make {}
  again.input = { 32, 32, 3 }
  again:load(path)
  t.equal({ again.mean, again.deviation }, { 0.5, 0.2 })
  t.equal(largest(again(set.items), net(set.items)), 0)
  t.equal((again:classify(set.items[1])), (net:classify(set.items[1])))
  local other = make { mean = 0.4 }
  other.input = { 32, 32, 3 }
  t.raises('its net was trained with mean 0.5; net \'n\' has 0.4', other.load, other, path)
end)

-- ---- memory that was used again ----

local function chain(keep)
  local net = hz.net 'n' { input = { 16, 16, 8 }, l.conv{8, 3}, l.relu, l.conv{8, 3}, l.relu, l.conv{8, 3}, l.relu,
    l.conv{8, 3}, l.relu, l.meanpool, l.dense{3} }
  net:init { seed = 1 }
  local x = hz.randn({ 2, 16, 16, 8 }, 0, 1, { seed = 1, stream = 1 })
  return net:plan { batch = 2, keep = keep }:write(x):run(), x
end

t.case('plan: peek gives a layer\'s own numbers, or says that its memory was used again', function()
  if os.getenv 'HZ_HARD' then t.skip 'with HZ_HARD values that nobody reads again are NaN' end
  local a, b = chain(false), chain(true)
  local refused = 0
  for i = 1, 4 do
    local ok, x = pcall(a.peek, a, 'relu' .. i)
    if ok then
      t.ok((x - b:peek('relu' .. i)):abs():max() <= 1e-5, 'relu' .. i)
    else
      refused = refused + 1
      t.match(x, ("^.-plan_test%%.lua:%%d+: peek: the memory of 'relu%d.y' was used again by '.-'; "):format(i)
        .. 'needs a plan with keep=true$')
    end
  end
  t.ok(refused >= 2)
  t.ok(largest(a:value 'logits', b:value 'logits') <= 1e-6)
end)

t.case('plan: a run from a layer on reads what earlier layers left, or says that it is gone', function()
  local a, x = chain(false)
  t.raises("reads 'relu1.y', whose memory 'conv3' used again; needs a plan with keep=true", a.run, a, 'conv2', 'dense1')
  local b = chain(true)
  local before = b:value 'logits':clone()
  t.equal(largest(b:run('conv2', 'dense1'):value 'logits', before), 0)
  a:run('conv1', 'relu1')
  t.ok((a:peek 'relu1' - b:peek 'relu1'):abs():max() <= 1e-5)
  local fresh = a.net:plan { batch = 2 }:write(x)
  t.raises("'conv2' reads 'relu1.y', which no run has made yet; needs a run from 'conv1' on", fresh.run, fresh, 'conv2')
end)

-- ---- steps ----

t.case('plan: dropout draws a mask of its own in every step, with data or without', function()
  local net = hz.net 'n' { input = { 64 }, l.dropout{0.5}, l.dense{3} }
  net:init { seed = 1 }
  local plan = net:plan { batch = 2, train = true, optimizer = hz.sgd { rate = 0.001 }, keep = true }
  local seen = {}
  for i = 1, 3 do
    plan:write(hz.ones { 2, 64 }, hz.tensor({ 0, 1 }, 'i32')):step()
    local mask = {}
    for k = 1, 64 do mask[k] = plan:peek 'dropout1'[1][k] > 0 and '1' or '0' end
    mask = table.concat(mask)
    t.equal(seen[mask], nil, mask)
    seen[mask] = true
  end
end)

t.case('plan: a signal within a step waits for its end', function()
  local net = hz.net 'n' { input = { 8 }, l.dense{3} }
  net:init { seed = 1 }
  local optimizer = hz.adam { rate = 0.01 }
  local plan = net:plan { batch = 2, train = true, optimizer = optimizer }
  plan:write(hz.ones { 2, 8 }, hz.tensor({ 0, 1 }, 'i32'))
  local w = net:state()['dense1.weight']
  local before = w:clone()
  c.C.hz_signal_set(2)
  local ok, e = pcall(plan.step, plan)
  c.C.hz_signal_clear()
  t.ok(not ok and c.is_interrupt(e))
  t.equal(optimizer.steps, 1)
  t.ok((w - before):abs():max() > 0)
  t.ok(plan:step() > 0 and optimizer.steps == 2)
end)

t.case('plan: a schedule that goes by the end needs one', function()
  local net = hz.net 'n' { input = { 4 }, l.dense{3} }
  for _, schedule in ipairs { 'cosine', 'linear' } do
    local o = { batch = 2, train = true, optimizer = hz.adam { rate = 0.1, schedule = schedule } }
    t.raises(("schedule '%s' goes by the end of the training; needs total=STEPS"):format(schedule), net.plan, net, o)
    o.total = 10
    local plan = net:plan(o):write(hz.ones { 2, 4 }, hz.tensor({ 0, 1 }, 'i32'))
    for _ = 1, 10 do plan:step() end
    t.ok(plan.args.rate < 0.02, schedule)
  end
end)

t.case('plan: net(x) keeps plans of a few shapes only', function()
  local net = hz.net 'n' { input = { 32, 32, 3 }, l.conv{16, 3}, l.relu, l.meanpool, l.dense{3} }
  local function live() collectgarbage() collectgarbage() return tonumber(c.C.hz_live_bytes()) end
  net(hz.zeros { 40, 32, 32, 3 })
  local one = live()
  local y = net(hz.ones { 20, 32, 32, 3 })
  for n = 1, 40 do net(hz.zeros { n, 32, 32, 3 }) end
  t.ok(live() < 5 * one, 'memory of as many plans as are kept')
  t.equal(largest(net(hz.ones { 20, 32, 32, 3 }), y), 0)
end)

t.case('plan: trials of a plan with data, in any type', function()
  t.need_cpu_kernels()
  local set = hz.data('camera', { split = 'train', train = 100 })
  for _, dtype in ipairs { 'f32', 'bf16' } do
    local net = hz.net 'n' { l.conv{16, 3}, l.relu, l.meanpool, l.dense{10} }
    local o = { batch = 20, data = set, train = true, dtype = dtype, tune = true, optimizer = hz.adam {} }
    local plan = net:plan(o)
    t.ok(next(plan.tuned.nodes) ~= nil and plan:step() > 0, dtype)
  end
end)
