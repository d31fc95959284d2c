-- train_test.lua: promises of a whole training: the same bits for any number of threads, after any interruption, with
-- memory reused or kept; a loss that is not finite names epoch and layer; layers can be replaced.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local file = require 'hz.base.file'
local C, ffi = c.C, c.ffi
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local layers = require 'hz.net.layer'.kinds
ffi.cdef 'int raise(int);'

local STEPS = 9                          -- of tiny's training: three epochs of 16 + 16 + 12 images

local function train(o)
  local a = tiny.training(o)
  local result = hz.train(a)
  return tiny.digest(a, result), result, a
end

-- A case for activations stored as f32, and one for bf16.
local function case_of_each_dtype(name, f)
  for _, dtype in ipairs { 'f32', 'bf16' } do t.case(name .. ', ' .. dtype, function() f(dtype) end) end
end

case_of_each_dtype('it learns', function(dtype)
  local _, result = train { epochs = 40, dtype = dtype }
  local curve = result.curve
  t.equal(#curve, 40)
  t.ok(curve[40].loss < 0.75 * curve[1].loss, ('loss %.3f after %.3f'):format(curve[40].loss, curve[1].loss))
  -- 20 images, and a bias in front of the norm whose gradient is rounding noise that Adam blows up: kernels
  -- differ by 3 images
  t.ok(result.test.accuracy > 0.3, ('accuracy %.2f of four classes'):format(result.test.accuracy))
end)

case_of_each_dtype('the same bits for 1, 2, 3 and 5 threads', function(dtype)
  local before, first = C.hz_cpu_threads(), nil
  for _, n in ipairs { 1, 2, 3, 5 } do
    c.check(C.hz_cpu_set_threads(n))
    local ok, digest = pcall(train, { dtype = dtype })
    C.hz_cpu_set_threads(before)
    t.ok(ok, digest)
    first = first or digest
    t.equal(digest, first, n .. ' threads')
  end
end)

-- Plans are made anew for every number of threads: the choice of kernels must not depend on it either.
case_of_each_dtype('architecture A: the same weights after two steps for 1, 2, 3 and 5 threads', function(dtype)
  local before, first = C.hz_cpu_threads(), nil
  local data = { items = hz.rand({ 20, 32, 32, 3 }, 0, 256, { seed = 1, stream = 1 }):floor():to 'u8',
    labels = hz.zeros({ 20 }, 'i32') }
  for i = 0, 19 do data.labels:pointer()[i] = i % 10 end
  for _, n in ipairs { 1, 2, 3, 5 } do
    c.check(C.hz_cpu_set_threads(n))
    local net = hz.nets.make('all-cnns'):init { seed = 1 }
    local plan = net:plan { batch = 10, train = true, data = data, augment = { shift = 3, flip = true },
      optimizer = hz.adam {}, seed = 1, dtype = dtype }
    local ok, e = pcall(function() plan:step() plan:step() end)
    C.hz_cpu_set_threads(before)
    t.ok(ok, e)
    local weights = {}
    for i, p in ipairs(net:tensors()) do weights[i] = ffi.string(p.tensor:pointer 'read', 4 * p.tensor:count()) end
    first = first or weights
    for i, w in ipairs(weights) do
      t.ok(w == first[i], ('%s has other bits with %d threads'):format(net:tensors()[i].name, n))
    end
  end
end)

t.case('another seed gives another training', function()
  t.ok(train {} ~= train { seed = 6 })
end)

-- ---- resuming ----

-- Trains until `signal` is raised after step `at`, in the way an epoch's end or a step lets it; the error
-- is the interrupt.
local function interrupted(resume, at, signal, dtype)
  local steps = 0
  local function count()
    steps = steps + 1
    if steps == at then ffi.C.raise(signal) end
  end
  C.hz_signal_catch()
  local ok, e = pcall(train, { resume = resume, on_step = count, on_epoch = count, dtype = dtype })
  t.ok(not ok and c.is_interrupt(e), 'a training that gets a signal must raise an interrupt: ' .. tostring(e))
  t.equal(e.signal, signal)
  t.equal(C.hz_signal_pending(), 0)
end

case_of_each_dtype('stopped by a signal after any step and resumed: the same bits', function(dtype)
  local whole = train { dtype = dtype }
  for at = 1, STEPS - 1 do
    local resume = t.folder() .. '/resume.safetensors'
    interrupted(resume, at, at % 2 == 0 and 15 or 2, dtype)
    t.ok(file.exists(resume), 'no resume point after step ' .. at)
    -- weights, order and state must come from the file: this net starts elsewhere
    local digest, result = train { resume = resume, net = tiny.net(99), dtype = dtype }
    t.near(result.resumed, math.floor(at / 3) + at % 3 * 16 / 44, 1e-9)
    t.equal(digest, whole, 'stopped after step ' .. at)
  end
end)

t.case('stopped after every step', function()
  local whole, resume = train(), t.folder() .. '/resume.safetensors'
  for _ = 1, STEPS - 1 do interrupted(resume, 1, 2) end
  t.equal(train { resume = resume }, whole)
end)

t.case('killed and resumed: the same bits', function()
  local d = t.folder()
  local script = t.here .. 'tiny.lua'
  local status, whole, err = t.run { script, d .. '/whole' }
  t.equal(status, 0, err)
  for _, kills in ipairs { { 4 }, { 3, 5 }, { 1, 4, 1 } } do
    local resume = d .. '/' .. #kills
    for _, at in ipairs(kills) do t.equal((t.run { script, resume, at }), 128 + 9) end
    local _, out = t.run { script, resume }
    t.equal(out, whole, 'killed ' .. #kills .. ' times')
  end
end)

t.case('killed at any moment and resumed: the same bits', function()
  local d = t.folder()
  local script = t.quote(t.here .. 'tiny.lua')
  local began = C.hz_seconds()
  local _, whole = t.run(script .. ' ' .. d .. '/whole')
  local lasted = C.hz_seconds() - began
  for i, share in ipairs { 0.3, 0.5, 0.6, 0.7, 0.8, 0.9 } do
    local delay = share * lasted
    t.sh(('timeout -s KILL %g %s %s %s/%d'):format(delay, t.quote(t.hz), script, d, i))
    local status, out, err = t.run(('%s %s/%d'):format(script, d, i))
    t.equal(status, 0, err)
    t.equal(out, whole, ('killed after %g s'):format(delay))
  end
end)

t.case('a resume point that does not fit is refused', function()
  local resume = t.folder() .. '/resume.safetensors'
  interrupted(resume, 4, 2)
  t.raises('it belongs to another training', hz.train, tiny.training { resume = resume, key = 'other' })
  local other = hz.net 'other' { layers.conv{4, 3}, layers.meanpool }
  t.raises('; needs f32 (4', hz.train,
    tiny.training { resume = resume, net = other })
  local whole, meta = hz.safetensors.read(resume)
  local function with(changes, state)
    local tensors = {}
    for name, x in pairs(whole) do tensors[name] = x end
    for name, x in pairs(changes) do tensors[name] = x or nil end
    local text = meta['hz.resume']
    for from, to in pairs(state or {}) do text = text:gsub(from, to) end
    hz.safetensors.write(resume, tensors, { ['hz.resume'] = text })
    return tiny.training { resume = resume }
  end
  t.raises("no tensor 'conv1.bias'", hz.train, with { ['net.conv1.bias'] = false })
  t.raises("no tensor 'optimizer.conv1.bias.v'", hz.train, with { ['optimizer.conv1.bias.v'] = false })
  t.raises("'watch.bits' is u8 (1,1); needs u8", hz.train, with { ['watch.bits'] = hz.zeros({ 1, 1 }, 'u8') })
  t.raises('offset is -8; needs a whole number', hz.train, with({}, { ['"offset":%d+'] = '"offset":-8' }))
  t.raises('and 100000 items of the next', hz.train, with({}, { ['"offset":%d+'] = '"offset":100000' }))
  t.raises('curve is a table; needs a list', hz.train, with({}, { ['"curve":%b[]'] = '"curve":{"a":1}' }))
  t.raises('kernels.nodes is a table', hz.train, with({}, { ['"nodes":{'] = '"nodes":{"x":7,' }))
  with {}
  local bytes = t.read(resume)
  t.write(resume, bytes:gsub('"hz.sha256":"%x+"', function(text) return '"x":"' .. (' '):rep(#text - 6) .. '"' end))
  t.raises('lacks the checksum', hz.train, tiny.training { resume = resume })
  t.write(resume, 'no safetensors at all')
  t.raises(resume, hz.train, tiny.training { resume = resume })
  hz.safetensors.write(resume, { x = hz.zeros { 1 } })
  t.raises('it is no resume point', hz.train, tiny.training { resume = resume })
end)

-- ---- memory of a plan ----

-- One training step of a net: everything it computes, with memory reused or kept.
local function step_with(o)
  local net = tiny.net(3)
  o.batch, o.train, o.data, o.augment, o.seed = 16, true, tiny.set(44, 1), { shift = 1, flip = true }, 4
  local plan = net:plan(o)
  plan:step()
  local out = { plan:loss() }
  for _, p in ipairs(net:tensors()) do
    if p.trainable then out[#out + 1] = plan:gradient(p.name):clone() end
  end
  return out, plan
end

case_of_each_dtype('reusing memory changes no bit', function(dtype)
  local kept, whole = step_with { keep = true, dtype = dtype }
  local reused, small = step_with { fuse = false, dtype = dtype }
  t.equal(reused[1], kept[1])
  for i = 2, #kept do t.equal((reused[i] - kept[i]):abs():max(), 0, 'gradient ' .. i - 1) end
  t.ok(small:bytes() < 0.8 * whole:bytes(), ('%d bytes reused, %d kept'):format(small:bytes(), whole:bytes()))
end)

t.case('2,000 dropped tensors of 4 MB stay below 400 MB', function()
  C.hz_peak_reset()
  local before = tonumber(C.hz_live_bytes())
  for _ = 1, 2000 do hz.empty { 1024, 1024 } end
  local peak = tonumber(C.hz_peak_bytes()) - before
  t.ok(peak < 400 * 2 ^ 20, ('%.0f MB at the peak'):format(peak / 2 ^ 20))
end)

t.case('dropped plans give their memory back', function()
  local net = tiny.net()
  local function use() net:plan { batch = 16, train = true, data = tiny.set(44, 1), optimizer = hz.sgd {} }:step() end
  use()                                    -- the net's mirrors on the device, which stay
  collectgarbage() collectgarbage()
  local before = tonumber(C.hz_live_bytes())
  for _ = 1, 20 do use() end
  collectgarbage() collectgarbage()
  t.ok(tonumber(C.hz_live_bytes()) <= before + 4096, ('%d bytes more'):format(tonumber(C.hz_live_bytes()) - before))
end)

-- ---- numbers that are not finite ----

t.case('a loss that is not finite names epoch, step and layer', function()
  local message = t.raises('not finite', hz.train, tiny.training { optimizer = hz.sgd { rate = 1e30 } })
  t.match(message, "net 'tiny': epoch 1, step %d+: the loss is [%a%-]+; layer '[%w]+'")
  t.match(message, 'needs a lower rate or other data')
end)

t.case('a poisoned weight is named', function()
  for _, name in ipairs { 'conv2.weight', 'dense1.bias', 'norm1.gamma' } do
    local net = tiny.net()
    net.parameters[name]:fill(0 / 0)
    local message = t.raises('not finite', hz.train, tiny.training { net = net })
    t.match(message, ("epoch 1, step 1: the loss is %%-?nan; layer '%s'"):format(name:match '^%w+'))
    t.match(message, ("'%s' already was not finite"):format(name:gsub('%.', '%%.')))
  end
end)

t.case('data that are not finite are named', function()
  local data = tiny.set(44, 1)
  data = { items = data.items:to 'f32', labels = data.labels }
  data.items[7]:fill(math.huge)
  local e = t.raises('not finite', hz.train, tiny.training { train = data, augment = { shift = 0 } })
  t.match(e, "layer 'input' is not finite")
end)

t.case('the weights stay as they were when a step fails', function()
  local net, data = tiny.net(), tiny.set(44, 1)
  local plan = net:plan { batch = 16, train = true, data = data, optimizer = hz.sgd { rate = 1e30 } }
  plan:step()
  local before = {}
  for _, p in ipairs(net:tensors()) do if p.trainable then before[p.name] = p.tensor:clone() end end
  t.ok(not pcall(plan.step, plan))
  for name, was in pairs(before) do t.equal((net.parameters[name] - was):abs():max(), 0, name) end
  t.equal(plan.optimizer.steps, 1)
end)

-- ---- replacing layers ----

t.case('a replaced layer keeps what survives', function()
  local net = tiny.net()
  local old = {}
  for _, p in ipairs(net:tensors()) do old[p.name] = p.tensor:clone() end
  local plan = net:plan { batch = 4, input = { 6, 6, 3 } }
  net[4] = layers.conv { 20, 3, stride = 2 }
  t.raises('the layers of net \'tiny\' have changed', plan.run, plan)
  net:plan { batch = 4, input = { 6, 6, 3 } }
  t.equal(net.parameters['conv2.weight']:size(), { 20, 3, 3, 8 })
  t.equal(net.parameters['conv2.bias']:size(), { 20 })
  t.equal(net.parameters['conv3.weight']:size(), { 10, 1, 1, 20 }, 'the next layer takes its channels')
  local kept = 0
  for name, was in pairs(old) do
    local now = net.parameters[name] or net.buffers[name]
    if name:match '^conv1' or name:match '^norm' or name:match '^dense' or name == 'conv3.bias' then
      t.equal((now - was):abs():max(), 0, name .. ' survives')
      kept = kept + 1
    end
  end
  t.equal(kept, 11)
  net[4] = layers.flatten          -- kinds alone are layers too; convolutions are counted anew
  t.raises('needs an image', net.plan, net, { batch = 4, input = { 6, 6, 3 } })
end)

t.case('batch and type change by planning anew, weights stay', function()
  local net = tiny.net()
  local x = hz.rand({ 5, 6, 6, 3 }, -1, 1, { seed = 1, stream = 1 })
  local y = net(x)
  for i = 1, 5 do t.ok((net(x[i]) - y[i]):abs():max() < 1e-5, 'one image at a time') end
  t.ok((net(x:to 'f64'):to 'f32' - y):abs():max() < 1e-5, 'in double')
  t.ok((net(x) - y):abs():max() == 0, 'and back: the same bits')
  local z = net(x:to 'bf16')
  t.equal(z:type(), 'bf16')
  t.ok((z:to 'f32' - y):abs():max() < 0.05 * y:abs():max(), 'in bf16')
  t.ok((net(x) - y):abs():max() == 0, 'and back again')
end)

t.case('a bf16 plan: activations in bf16, parameters, probabilities and checkpoints in f32', function()
  local net, data = tiny.net(), tiny.set(44, 1)
  local before = net:state()
  local plan = net:plan { batch = 16, train = true, data = data, dtype = 'bf16', keep = true,
    optimizer = hz.sgd { rate = 0.01, momentum = 0.9 } }
  plan:step()
  for _, name in ipairs { 'x', 'logits', 'conv1.y', 'norm1.y', 'dropout1.y', 'maxpool1.y', 'flatten1.y' } do
    t.equal(plan:value(name):type(), 'bf16', name)
  end
  for _, name in ipairs { 'probs', 'loss', 'conv1.dw', 'dense1.db', 'norm1.batchmean', 'norm1.dgamma' } do
    t.equal(plan:value(name):type(), 'f32', name)
  end
  t.equal(plan:value 'conv2.dx':type(), 'bf16')
  for name, tensor in pairs(net:state()) do
    t.equal(tensor:type(), 'f32', name)
    t.ok(before[name] and before[name].data == tensor.data, name .. ': the same tensor as before')
  end
  for name, tensor in pairs(plan.optimizer.state) do t.equal(tensor:type(), 'f32', name) end
  t.match(tostring(plan), 'training, bf16, arena')
  t.ok(plan:digest() ~= net:plan { batch = 16, train = true, data = data, keep = true,
    optimizer = hz.sgd { rate = 0.01, momentum = 0.9 } }:digest())
  local eval = net:plan { batch = 16, data = data, dtype = 'bf16' }
  local half, whole = eval:evaluate(), net:plan { batch = 16, data = data }:evaluate()
  t.near(half.loss, whole.loss, 0.05)
  t.near(half.confidence:mean(), whole.confidence:mean(), 0.05)
end)
