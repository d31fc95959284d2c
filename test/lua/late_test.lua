-- late_test.lua: on a device that answers late ("far") a training asks for steps whose losses it reads later: the same
-- losses, weights and counters as on the CPU, in order; one that is not finite stops it where it stops there.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local stepping = require 'hz.net.stepping'
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local ffi = c.ffi
ffi.cdef 'int raise(int);'

local element = { u8 = 1, bf16 = 2, i32 = 4, f32 = 4, f64 = 8 }
local function bits(x)
  x = x:contiguous()
  return ffi.string(x:pointer 'read', x:count() * element[x:type()])
end

local function tensors(net, optimizer)
  local out = {}
  for _, p in ipairs(net:tensors()) do out[p.name] = bits(p.tensor) end
  for name, x in pairs(optimizer.state) do out['state of ' .. name] = bits(x) end
  return out
end

local function same(near, far, what)
  for name, x in pairs(near) do t.ok(x == far[name], ('%s: %s differs'):format(what, name)) end
end

local function plan_on(device, o)
  local a = { batch = 8, train = true, data = tiny.set(204, 1), augment = { shift = 1, flip = true }, seed = 4,
    device = device, optimizer = hz.adam { rate = 0.01 } }
  for k, v in pairs(o or {}) do a[k] = v end
  local net = a.net or tiny.net(3)
  a.net = nil
  return net:plan(a), net, a.optimizer
end

-- ---- steps ----

t.case('steps are heard of in order, late, with the numbers of the CPU', function()
  local near, net, optimizer = plan_on 'cpu'
  local wanted, heard = {}, {}
  for i = 1, 60 do
    wanted[i] = { near:step() }
    wanted[i][2], wanted[i][3] = near:correct(), tonumber(near.args.count)
  end
  local far, far_net, far_optimizer = plan_on 'far'
  local steps = stepping.new(far, function(...) heard[#heard + 1] = { ... } end)
  steps:step()
  t.equal(#heard, 0, 'it waited for the first')
  for i = 2, 60 do
    steps:step()
    t.ok(#heard < i, 'it waited for step ' .. i)
  end
  t.ok(#heard > 40, #heard .. ' of 60 were heard of')
  steps:settle()
  t.equal(heard, wanted)
  t.equal({ far.epoch, far.offset, far.steps, far_optimizer.steps }, { near.epoch, near.offset, near.steps, 60 })
  same(tensors(net, optimizer), tensors(far_net, far_optimizer), 'after 60 steps')
  t.equal(far:loss(), near:loss())
end)

t.case('looking at a plan on the way disturbs nothing', function()
  local near, far, heard, wanted = plan_on 'cpu', plan_on 'far', {}, {}
  local steps = stepping.new(far, function(loss) heard[#heard + 1] = loss end)
  for i = 1, 30 do
    wanted[i] = near:step()
    steps:step()
    if i % 7 == 0 then
      t.equal({ far:loss(), far:correct() }, { wanted[i], near:correct() })
      t.equal(far:value 'conv1.weight':sum(), near:value 'conv1.weight':sum())
    end
    if i == 15 then t.equal(far:step(), near:step()) end
  end
  steps:settle()
  t.equal(heard, wanted)
end)

t.case('on the CPU each step is heard of at once', function()
  local near, heard = plan_on 'cpu', 0
  local steps = stepping.new(near, function() heard = heard + 1 end)
  for i = 1, 3 do
    steps:step()
    t.equal(heard, i)
  end
end)

-- ---- losses that are not finite ----

-- Items of which one is infinite, in f32; the first epoch comes to it in step `at` of seed 4.
local function poisoned(at)
  local set = tiny.set(204, 1)
  set.items = set.items:to 'f32' / 255
  local probe = tiny.net(3):plan { batch = 8, train = true, data = set, seed = 4, optimizer = hz.sgd { rate = 1e-9 },
    device = 'cpu', keep = true }
  for _ = 1, at do probe:step() end
  local item = probe:value 'item':pointer 'read'[2]
  set.items[item + 1]:fill(math.huge)
  return set
end

t.case('a loss that is not finite: the message, weights and counters of the CPU, and a step that goes on', function()
  for _, at in ipairs { 1, 4, 13, 26 } do
    local data = poisoned(at)
    local function diverge(device)
      local plan, net, optimizer = plan_on(device, { data = data, augment = {} })
      local losses = {}
      local steps = stepping.new(plan, function(loss) losses[#losses + 1] = loss end)
      local message = t.raises('not finite', function()
        for _ = 1, 26 do steps:step() end
        steps:settle()
      end)
      local counters = { plan.epoch, plan.offset, plan.steps, optimizer.steps }
      local weights = tensors(net, optimizer)
      t.raises("layer 'input' is not finite", plan.step, plan)
      local healed = plan_on(device, { data = tiny.set(204, 1), augment = {}, net = net, optimizer = optimizer })
      healed.epoch, healed.offset = plan.epoch, plan.offset
      losses.after = healed:step()
      same(weights, weights, '')
      return { message:gsub('^.-net', 'net'), losses, counters }, weights, tensors(net, optimizer)
    end
    local near, weights, after = diverge 'cpu'
    local far, far_weights, far_after = diverge 'far'
    t.equal(#near[2], at - 1)
    t.equal(far, near, 'in step ' .. at)
    same(weights, far_weights, 'in step ' .. at)
    same(after, far_after, 'a step later')
  end
end)

t.case('the same plan goes on when the data are healed', function()
  local function run(device)
    local data = poisoned(5)
    local plan, net, optimizer = plan_on(device, { data = data, augment = {} })
    local losses = {}
    local steps = stepping.new(plan, function(loss) losses[#losses + 1] = loss end)
    t.raises("layer 'input'", function() for _ = 1, 20 do steps:step() end end)
    data.items:copy(tiny.set(204, 1).items:to 'f32' / 255)
    for _ = 1, 20 do steps:step() end
    steps:settle()
    return losses, tensors(net, optimizer)
  end
  local near, weights = run 'cpu'
  local far, far_weights = run 'far'
  t.equal(#near, 24)
  t.equal(far, near)
  same(weights, far_weights, 'at the end')
end)

-- ---- whole trainings ----

local function trained(device, o)
  local a = tiny.training(o)
  a.train, a.batch, a.device = o and o.train or tiny.set(204, 1), 8, device
  local result = hz.train(a)
  return tiny.digest(a, result), result, a
end

t.case('a training of many steps, by groups, with averages: the bits of the CPU', function()
  t.equal((trained 'far'), (trained 'cpu'))
  for _, average in ipairs { 'ema', 'lookahead' } do
    t.equal((trained('far', tiny.recipe(average))), (trained('cpu', tiny.recipe(average))), average)
  end
end)

t.case('a training that diverges says so as on the CPU', function()
  local function message(device)
    return t.raises('the loss is', trained, device, { train = poisoned(9), augment = {} }):gsub('^.-net', 'net')
  end
  t.equal(message 'far', message 'cpu')
end)

t.case('stopped in the middle of an epoch, resumed on the other device: the bits of the CPU', function()
  local whole = trained 'cpu'
  for i, devices in ipairs { { 'far', 'cpu' }, { 'cpu', 'far' }, { 'far', 'far' } } do
    local resume, steps = ('%s/%d'):format(t.folder(), i), 0
    c.C.hz_signal_catch()
    local function count()
      steps = steps + 1
      if steps == 40 then ffi.C.raise(2) end
    end
    local ok, e = pcall(trained, devices[1], { resume = resume, on_step = count, on_epoch = count })
    t.ok(not ok and c.is_interrupt(e), tostring(e))
    local digest, result
    t.mute(function()                                  -- what computes it has changed
      digest, result = trained(devices[2], { resume = resume, net = tiny.net(99) })
    end)
    t.near(result.resumed, 40 * 8 / 204, 0.02)
    t.equal(digest, whole, table.concat(devices, ' then '))
  end
end)

t.case('what on_step is shown: sums of steps that were heard of, one at least', function()
  local least, steps = math.huge, 0
  trained('far', { on_step = function(run)
    least, steps = math.min(least, run.seen), steps + 1
    t.ok(run.loss_sum / run.seen < 100 and run.correct <= run.seen and run.rate > 0)
  end })
  t.equal({ least, steps }, { 8, 75 })
end)
