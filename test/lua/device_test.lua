-- device_test.lua: a device whose memory the host cannot touch ("far") computes what the CPU computes, bit for bit,
-- and both sides see what the other wrote. Whatever touches its memory past the door ends the whole test run at once.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local ffi = c.ffi
ffi.cdef 'int setenv(const char *, const char *, int); int unsetenv(const char *);'

local element = { u8 = 1, bf16 = 2, i32 = 4, f32 = 4, f64 = 8 }
local function bits(x)
  x = x:contiguous()
  return x:type() .. ' ' .. ffi.string(x:pointer 'read', x:count() * element[x:type()])
end

-- f(device) on both; what it returns, a list of tensors, numbers and strings, must be the same.
local function on_both(f)
  local function texts(device)
    local list = f(device)
    for i, v in ipairs(list) do list[i] = require 'hz.tensor.tensor'.is(v) and bits(v) or tostring(v) end
    return list
  end
  local near, far = texts 'cpu', texts 'far'
  t.ok(#near > 0)
  for i, v in ipairs(near) do t.ok(v == far[i], ('result %d of %d differs'):format(i, #near)) end
  t.equal(#far, #near)
end

-- Everything that training changes.
local function state(net, optimizer, list)
  for _, p in ipairs(net:tensors()) do list[#list + 1] = p.tensor end
  local names = {}
  for name in pairs(optimizer.state) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = optimizer.state[name] end
  return list
end

local function training(device, o)
  local a = { batch = 16, train = true, data = tiny.set(44, 1), augment = { shift = 1, flip = true }, seed = 4,
    device = device, optimizer = hz.adam { rate = 0.01 }, net = tiny.net(3) }
  for k, v in pairs(o or {}) do a[k] = v end
  local net = a.net
  a.net = nil
  return net:plan(a), net, a.data, a.optimizer
end

-- ---- the same bits ----

t.case('a forward pass', function()
  local x = hz.rand({ 5, 6, 6, 3 }, -1, 1, { seed = 1, stream = 1 })
  for _, dtype in ipairs { 'f32', 'bf16', 'f64' } do
    on_both(function(device)
      local net = tiny.net(3)
      local o = { batch = 5, input = { 6, 6, 3 }, loss = 'xent', dtype = dtype, device = device }
      local plan, labels = net:plan(o), hz.tensor { 0, 1, 2, 3, 0 }:to 'i32'
      plan:write(x:to(dtype), labels):run()
      o.keep = true
      local kept = net:plan(o):write(x:to(dtype), labels):run()
      return { kept:peek 'conv2', plan:value 'probs', plan:peek 'dense2', plan:loss(), plan:correct(), plan:digest() }
    end)
  end
end)

for _, dtype in ipairs { 'f32', 'bf16', 'f64' } do
  t.case('training by each optimiser, ' .. dtype, function()
    for _, kind in ipairs { 'sgd', 'adam', 'adamw', 'adadelta' } do
      on_both(function(device)
        local o = hz.optimizer(kind, kind == 'sgd' and { momentum = 0.9, nesterov = true } or {})
        local plan, net = training(device, { optimizer = o, dtype = dtype, smoothing = 0.05 })
        local list = {}
        for _ = 1, 5 do list[#list + 1], list[#list + 2] = plan:step(), plan:correct() end
        return state(net, o, list)
      end)
    end
  end)
end

t.case('gradients that are kept, and values of a plan that keeps all', function()
  on_both(function(device)
    local net = tiny.net(3)
    local plan = net:plan { batch = 16, train = true, data = tiny.set(44, 1), seed = 4, device = device, keep = true }
    local list = { plan:step() }
    for _, p in ipairs(net:tensors()) do if p.trainable then list[#list + 1] = plan:gradient(p.name) end end
    for _, layer in ipairs { 'norm1', 'dropout1', 'maxpool1', 'dense1' } do list[#list + 1] = plan:peek(layer) end
    return list
  end)
end)

t.case('a whole training with watch and test sets; evaluations', function()
  on_both(function(device)
    local a = tiny.training { device = device, keep_best = true }
    local result = hz.train(a)
    return { tiny.digest(a, result), result.test.correct, result.test.class, result.test.confidence,
      result.best.confidence }
  end)
end)

t.case('with unused memory full of NaN and fences between values', function()
  ffi.C.setenv('HZ_HARD', '1', 1)
  local ok, e = pcall(on_both, function(device)
    local plan, net, _, optimizer = training(device)
    return state(net, optimizer, { plan:step(), plan:step(), plan:step() })
  end)
  ffi.C.unsetenv 'HZ_HARD'
  t.ok(ok, e)
end)

t.case('kernels that were frozen', function()
  local dir = t.folder()
  ffi.C.setenv('HZ_CACHE', dir, 1)
  local ok, e = pcall(function()
    local plan = training('far', { tune = true })
    local choices = require 'hz.net.tune'.frozen { plan }
    t.ok(next(choices.nodes))
    on_both(function(device)
      local again, net, _, optimizer = training(device, { tune = choices })
      return state(net, optimizer, { again:step(), again:step(), again:digest() })
    end)
  end)
  ffi.C.unsetenv 'HZ_CACHE'
  t.ok(ok, e)
end)

-- ---- what one side writes the other sees ----

t.case('parameters, state and data that the host changes between steps', function()
  on_both(function(device)
    local plan, net, data, optimizer = training(device)
    local list = {}
    local function step() list[#list + 1] = plan:step() end
    step()
    net.parameters['conv2.weight']:fill(0.01)                                   -- a whole tensor
    step()
    net.parameters['dense1.weight'][3]:copy(hz.range(1, net.parameters['dense1.weight']:size(2)) / 1000)   -- a row
    net.parameters['conv1.bias'][2] = 0.5                                       -- an element
    net.parameters['norm1.gamma']:set(2, 1)
    net.buffers['norm1.mean']:pointer()[0] = 1                                  -- by pointer
    step()
    optimizer.state['conv1.weight.m']:fill(0)
    list[#list + 1] = optimizer.state['conv1.weight.v']:sum()
    step()
    data.items[7]:fill(255)
    data.labels[9] = 3
    plan:step()
    data.items:slice(1, 1, 20, 2):fill(0)
    step()
    return state(net, optimizer, list)
  end)
end)

t.case('a parameter that is a view of a larger tensor', function()
  on_both(function(device)
    local whole, net = hz.rand({ 3, 16 }, -1, 1, { seed = 2, stream = 3 }), tiny.net(3)
    net.parameters['dense1.bias'] = whole[2]
    local plan = training(device, { net = net })
    local list = { plan:step(), whole:clone(), plan:step() }
    whole:fill(0.25)
    list[4], list[5], list[6] = plan:step(), whole, plan:value 'dense1.bias'
    return list
  end)
end)

t.case('two plans on one set, and plans of both devices on one net', function()
  local function alternate(first, second)
    local net, data, optimizer = tiny.net(3), tiny.set(44, 1), hz.adam { rate = 0.01 }
    local near, far = training(first, { net = net, data = data, optimizer = optimizer }),
      training(second, { net = net, data = data, optimizer = optimizer })
    local score = net:plan { batch = 20, data = data, device = second }
    local list = {}
    for i = 1, 6 do
      list[#list + 1] = (i % 2 == 0 and far or near):step()
      list[#list + 1] = score:evaluate().loss
    end
    return state(net, optimizer, list)
  end
  on_both(function(device) return alternate('cpu', device) end)
  on_both(function(device) return alternate(device, device) end)
end)

t.case('a set is mirrored once', function()
  local C = c.C
  local net, data = tiny.net(3), { items = hz.zeros({ 1000, 6, 6, 3 }, 'u8'), labels = hz.zeros({ 1000 }, 'i32') }
  local plans, bytes = {}, {}
  collectgarbage()
  collectgarbage()                                      -- what other cases left behind
  for i = 1, 3 do
    local before = tonumber(C.hz_live_bytes())
    plans[i] = net:plan { batch = 8, data = data, device = 'far' }
    bytes[i] = tonumber(C.hz_live_bytes()) - before
  end
  t.ok(bytes[1] > 112000 and bytes[2] < bytes[1] - 112000 and bytes[2] == bytes[3], table.concat(bytes, ', '))
  plans[1]:evaluate()
end)

-- ---- checkpoints ----

t.case('stopped on one device and resumed on the other: the same bits', function()
  ffi.cdef 'int raise(int);'
  local a = tiny.training { device = 'cpu' }
  local whole = tiny.digest(a, hz.train(a))
  for i, devices in ipairs { { 'far', 'cpu' }, { 'cpu', 'far' }, { 'far', 'far' } } do
    for at = 1, 8, 3 do
      local resume, steps = ('%s/%d'):format(t.folder(), i), 0
      local function count()
        steps = steps + 1
        if steps == at then ffi.C.raise(2) end
      end
      c.C.hz_signal_catch()
      local ok, e = pcall(hz.train,
        tiny.training { device = devices[1], resume = resume, on_step = count, on_epoch = count })
      t.ok(not ok and c.is_interrupt(e), tostring(e))
      local b = tiny.training { device = devices[2], resume = resume, net = tiny.net(99) }
      local result
      t.mute(function() result = hz.train(b) end)      -- what computes it has changed
      t.equal(tiny.digest(b, result), whole, ('%s, then %s from step %d'):format(devices[1], devices[2], at))
    end
  end
end)

t.case('saved and loaded', function()
  local path = t.folder() .. '/net'
  local plan, net = training 'far'
  plan:step()
  net:save(path)
  local other = tiny.net(99)
  local score = other:plan { batch = 20, data = tiny.set(20, 2), device = 'far' }
  score:evaluate()
  other:load(path)
  t.equal(score:evaluate().loss, net:plan { batch = 20, data = tiny.set(20, 2), device = 'cpu' }:evaluate().loss)
end)

-- ---- losses that are not finite ----

t.case('a loss that is not finite: the same message, the weights as they were', function()
  on_both(function(device)
    local optimizer = hz.sgd { rate = 1e30 }
    local plan, net = training(device, { optimizer = optimizer })
    plan:step()
    local list = {}
    for _, p in ipairs(net:tensors()) do if p.trainable then list[#list + 1] = p.tensor:clone() end end
    list[#list + 1] = t.raises('the loss is', plan.step, plan):gsub('^.-net', 'net')
    local n = #list
    for _, p in ipairs(net:tensors()) do if p.trainable then list[#list + 1] = p.tensor end end
    for i = 1, n - 1 do t.ok(bits(list[i]) == bits(list[n + i]), 'weights moved') end
    list[#list + 1] = optimizer.steps
    return list
  end)
  on_both(function(device)
    local net = tiny.net(3)
    net.parameters['conv2.weight']:fill(0 / 0)
    local function step() training(device, { net = net }):step() end
    return { t.raises("'conv2.weight' already was not finite", step):gsub('^.-net', 'net') }
  end)
end)

-- ---- choosing ----

t.case('HZ_DEVICE and device= name it; cells say so', function()
  t.raises("device: 'near' is not known; have cpu, null, far", training, 'near')
  local dir, run = sweeps.place()
  local status, _, err = run('runs=near seed=1 epochs=2', 'HZ_DEVICE=cpu ')
  t.equal(status, 0, err)
  status, _, err = run('runs=far seed=1 epochs=2', 'HZ_DEVICE=far ')
  t.equal(status, 0, err)
  local function cells(runs)
    local list = {}
    for _, name in ipairs(require 'hz.base.file'.list(dir .. '/' .. runs .. '/cells')) do
      local key = name:match '^(%x+)%.safetensors$'
      if key then list[#list + 1] = require 'hz.sweep.cell'.read(dir .. '/' .. runs, key) end
    end
    table.sort(list, function(a, b) return tostring(a.quality) < tostring(b.quality) end)
    return list
  end
  local near, far = cells 'near', cells 'far'
  t.ok(#near > 0)
  t.equal(#far, #near)
  for i, cell in ipairs(far) do
    t.equal(cell.decides.training.device, 'far')
    t.equal(near[i].decides.training.device, 'cpu')
    t.ok(cell.key ~= near[i].key)
    t.equal({ cell.test_loss, cell.test_accuracy, cell.curve },
      { near[i].test_loss, near[i].test_accuracy, near[i].curve })
  end
end)

-- The proof of the proof.
t.case('a host that reaches into the memory of far dies', function()
  local path = t.write(t.folder() .. '/reach.lua', [[
    local c = require 'hz.c'
    local m = c.C.hz_backend_named 'far'.memory
    local p = c.ffi.cast('char *', m.alloc(100))
    local two = c.ffi.new('char[2]', 1)
    c.check(m.copy_in(p, two, 2))
    io.write 'alive\n'
    io.stdout:flush()
    if ... == 'read' then print(p[0]) elseif ... == 'write' then p[0] = 1 end
    m.free(p, 100)
    print 'still alive']])
  local dies = os.getenv 'HZ_SANITIZER' and 1 or 128 + 11        -- a sanitizer tells of the signal and ends with 1
  for _, how in ipairs { 'read', 'write', 'nothing' } do
    local status, out = t.run { path, how }
    t.equal({ status, out }, how == 'nothing' and { 0, 'alive\nstill alive\n' } or { dies, 'alive\n' })
  end
end)
