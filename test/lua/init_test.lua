-- init_test.lua: how weights begin: initialisations by name, whitening by images, the nets made of them.
local t = ...
local hz = require 'hz'
local C = require 'hz.c'.C
local tensor = require 'hz.tensor.tensor'
local whiten = require 'hz.net.whiten'
local l = hz.layers

local function weights(layer, input, seed)
  return hz.net 'n' { layer, input = input }:init { seed = seed or 1 }.parameters
end

-- Mean and standard deviation (of n - 1).
local function spread(w)
  w = w:to 'f64'
  local mean = w:mean()
  return mean, math.sqrt(((w - mean) * (w - mean)):sum() / (w:count() - 1))
end

t.case('init: kaiming is uniform within the root of 1/fan-in, unit of standard deviation 1, bias 0', function()
  local p = weights(l.conv { 40, 3, init = 'kaiming' }, { 8, 8, 6 })
  local w, limit = p['conv1.weight'], 1 / math.sqrt(54)
  t.ok(w:max() < limit and w:min() > -limit and w:max() > 0.99 * limit and w:min() < -0.99 * limit)
  local _, deviation = spread(w)
  t.near(deviation, limit / math.sqrt(3), 0.02 * limit)
  t.equal(p['conv1.bias']:abs():max(), 0)
  for _, layer in ipairs { l.dense { 10, init = 'unit' }, l.conv { 10, 3, init = 'unit' } } do
    _, deviation = spread(weights(layer, { 5, 5, 20 })[layer.kind .. '1.weight'])
    t.near(deviation, 1, 1e-6)
  end
  t.near(weights(l.dense { 10, init = 'kaiming' }, { 25 })['dense1.weight']:abs():max(), 0.2, 0.01)
end)

t.case('init: dirac hands channels on; the filters beyond are as kaiming', function()
  local drawn = weights(l.conv { 9, 3, bias = false, init = 'kaiming' }, { 8, 8, 4 })['conv1.weight']
  local net = hz.net 'n' { l.conv { 9, 3, bias = false, init = 'dirac' }, input = { 8, 8, 4 } }:init { seed = 1 }
  local w = net.parameters['conv1.weight']
  t.equal((w:slice(1, 5, 9) - drawn:slice(1, 5, 9)):abs():max(), 0)
  t.equal(w:slice(1, 1, 4):sum(), 4)
  local x = tensor.rand({ 2, 8, 8, 4 }, 0, 1, { seed = 1 })
  t.near((net(x):slice(4, 1, 4) - x):abs():max(), 0, 1e-6)
  local few = weights(l.conv { 2, { 3, 1 }, bias = false, init = 'dirac' }, { 8, 8, 4 })['conv1.weight']
  t.equal({ few:sum(), few:get(1, 2, 1, 1), few:get(2, 2, 1, 2) }, { 2, 1, 1 })
end)

t.case('init: what there was is as it was, and of its name', function()
  local a = weights(l.conv { 8, 3 }, { 8, 8, 3 })['conv1.weight']
  local b = weights(l.conv { 8, 3, init = 'glorot' }, { 8, 8, 3 })['conv1.weight']
  t.equal((a - b):abs():max(), 0)
  t.equal(tostring(l.conv { 8, 3, init = 'glorot' }), 'conv{8, 3}')
  t.equal(tostring(l.conv { 8, 3, init = 'dirac' }), 'conv{8, 3, init=dirac}')
  t.equal({ tostring(l.norm { scale = true }), tostring(l.norm { scale = false }) }, { 'norm', 'norm{scale=false}' })
  t.raises("conv: init is 'xavier'; needs dirac, glorot, kaiming, unit, whiten", l.conv, { 8, 3, init = 'xavier' })
  t.raises("dense: init is 'dirac', which is for convolutions; needs glorot, kaiming or unit", weights,
    l.dense { 8, init = 'dirac' }, { 5 })
end)

-- ---- whitening ----

local function images(n, h, w, channels, seed)
  local x = tensor.rand({ n, h, w, channels }, 0, 128, { seed = seed or 1, stream = 1 }):floor()
  local across = tensor.range(0, 8 * (w - 1), 8):reshape { 1, 1, w, 1 }:expand { n, h, w, channels }
  return (x + across):to 'u8'
end

local function whitener(h, w, channels, layer)
  return hz.net 'w' { layer or l.conv { 2 * 4 * channels, 2, pad = 'valid', init = 'whiten' }, l.gelu, l.dense { 3 },
    mean = 0.4, deviation = 0.2, input = { h, w, channels } }:init { seed = 1 }
end

t.case('whiten: what comes out is white: second moments are 1 but for epsilon, and nothing between filters', function()
  local x, net = images(60, 9, 8, 3), whitener(9, 8, 3)
  net:whiten(x)
  local y = net:plan { batch = 60, keep = true, loss = false, input = { 9, 8, 3 } }:write(x):run():peek 'conv1'
  local rows = y:slice(4, 1, 12):clone():reshape { 60 * 8 * 7, 12 }:to 'f64'
  local m = hz.matmul(rows:transpose(), rows) * (1 / (60 * 56))
  for i = 1, 12 do
    for k = 1, 12 do t.near(m[i][k], i == k and 1 or 0, i == k and 0.05 or 1e-3, ('%d,%d'):format(i, k)) end
  end
  t.near((y:slice(4, 1, 12) + y:slice(4, 13, 24)):abs():max(), 0, 1e-4)
end)

t.case('whiten: eigenvectors by falling eigenvalues, their first large entry above 0', function()
  local rows = whiten.eigen { { 2, 1, 0 }, { 1, 2, 0 }, { 0, 0, 5 } }
  local h = math.sqrt(0.5)
  for i, wanted in ipairs { { 5, 0, 0, 1 }, { 3, h, h, 0 }, { 1, h, -h, 0 } } do
    t.near(rows[i].value, wanted[1], 1e-12)
    for k = 1, 3 do t.near(rows[i].vector[k], wanted[k + 1], 1e-12) end
  end
end)

t.case('whiten: f32 images are as bytes; two of the images count, and how they are scaled', function()
  local x = images(30, 6, 7, 2)
  local a, b = whitener(6, 7, 2):whiten(x), whitener(6, 7, 2):whiten(x:to 'f32' * (1 / 255))
  local w = a.parameters['conv1.weight']
  t.near((w - b.parameters['conv1.weight']):abs():max(), 0, 1e-4)
  local other = whitener(6, 7, 2):whiten(x, { mean = { 0.1, 0.2 }, deviation = 0.5 }).parameters['conv1.weight']
  t.ok((w - other):abs():max() > 0.1)
  t.equal((w - whitener(6, 7, 2):whiten { items = x, labels = hz.zeros({ 30 }, 'i32') }.parameters['conv1.weight'])
    :abs():max(), 0)
end)

t.case('whiten: a training plan does it once, fixes the weights, and trains the bias', function()
  local set = { items = images(40, 6, 6, 1), labels = hz.zeros({ 40 }, 'i32') }
  local net = whitener(6, 6, 1)
  local function weight() return net.parameters['conv1.weight']:clone() end
  local fresh = weight()
  t.equal(fresh[1]:reshape { 4 }:table(), { 1, 0, 0, 0 })
  net:plan { batch = 8, data = set }:evaluate()
  t.equal((weight() - fresh):abs():max(), 0, 'an evaluation leaves it')
  local plan = net:plan { batch = 8, data = set, train = true, optimizer = hz.sgd { rate = 0.01, decay = 0.1 } }
  local white = weight()
  t.ok((white - fresh):abs():max() > 0)
  for _ = 1, 3 do plan:step() end
  t.equal((weight() - white):abs():max(), 0)
  t.ok(net.parameters['conv1.bias']:abs():max() > 0)
  local all, trained = net:count()
  t.equal(all - trained, 8 * 4)
  local others = { items = images(40, 6, 6, 1, 2), labels = set.labels }
  net:plan { batch = 8, data = others, train = true, optimizer = hz.sgd {} }
  t.equal((weight() - white):abs():max(), 0, 'once')
  t.ok((net:whiten(others).parameters['conv1.weight'] - white):abs():max() > 0)
  local path = t.folder() .. '/w.safetensors'
  net:save(path)
  t.equal((whitener(6, 6, 1):load(path).parameters['conv1.weight'] - weight()):abs():max(), 0)
end)

t.case('whiten: messages', function()
  local x = images(4, 6, 6, 3)
  t.raises("net 'w', layer 1 'conv1': conv: 25 filters were asked of init='whiten'; needs at most 24, the 12",
    whitener, 6, 6, 3, l.conv { 25, 2, init = 'whiten' })
  t.raises("layer 2 'conv2': conv: init='whiten' is of patches of the images; needs to be the first layer", function()
    return hz.net { l.conv { 4, 3 }, l.conv { 4, 2, init = 'whiten' }, input = { 6, 6, 3 } }:init()
  end)
  local net = whitener(6, 6, 3)
  t.raises("net 'w': whiten: nil was given; needs a set or a tensor of images", net.whiten, net)
  t.raises("net 'w': whiten: f32 (4,6) was given; needs a set or a tensor", net.whiten, net, hz.rand { 4, 6 })
  t.raises("net 'n': whiten: no layer has init='whiten'", function()
    return hz.net 'n' { l.conv { 4, 3 }, input = { 6, 6, 3 } }:whiten(x)
  end)
end)

-- ---- norm without scale, nets ----

t.case('norm without scale: beta and statistics alone, the outcomes of gamma 1', function()
  local function make(scale)
    return hz.net 'n' { l.norm { momentum = 0.6, epsilon = 1e-12, scale = scale }, l.dense { 2 }, input = { 5 } }
      :init { seed = 1 }
  end
  local a, b = make(true), make(false)
  t.equal({ a:count() }, { 20 + 12, 10 + 12 })
  t.equal({ b:count() }, { 15 + 12, 5 + 12 })
  b.parameters['dense1.weight']:copy(a.parameters['dense1.weight'])
  local x, labels = tensor.rand({ 8, 5 }, 0, 1, { seed = 1 }), hz.zeros({ 8 }, 'i32')
  local losses = {}
  for i, net in ipairs { a, b } do
    local plan = net:plan { batch = 8, train = true, loss = 'xent', optimizer = hz.sgd { rate = 0.1 } }
    losses[i] = plan:write(x, labels):step()
    t.near(net.buffers['norm1.mean'][1], 0.4 * x:slice(2, 1, 1):mean(), 1e-6)
  end
  t.equal(losses[1], losses[2])
  t.equal((a.parameters['norm1.beta'] - b.parameters['norm1.beta']):abs():max(), 0)
end)

t.case('airbench and fast: parameter counts, widths, sizes from 24 to 64', function()
  t.equal({ hz.nets.airbench():count() }, { 1973944, 1971352 })
  t.equal({ hz.nets.fast():count() }, { 498680, 497240 })
  t.equal(hz.nets.airbench { width = 0.5 }:count(), hz.nets.fast():count())
  for _, shape in ipairs { { 24, 24, 3 }, { 24, 64, 3 }, { 33, 47, 1 }, { 64, 64, 3 }, { 48, 48, 4 } } do
    local net = hz.nets.fast { input = shape, classes = 7, width = 0.25 }
    t.equal(net(hz.rand { 2, unpack(shape) }):size(), { 2, 7 })
  end
  t.raises('model: width=2 was given for \'small\', which has no such option', hz.nets.small, { width = 2 })
  t.raises('model: width is 0; needs a number above 0, at most 16', hz.nets.airbench, { width = 0 })
end)

t.case('fast learns the camera set: its loss falls, the same bits again', function()
  local set = hz.data('camera', { split = 'train', train = 200, size = 24 })
  local function losses()
    local net = hz.nets.fast { input = { 24, 24, 3 }, width = 0.25 }:init { seed = 1 }
    local plan = net:plan { batch = 50, data = set, train = true, smoothing = 0.2, total = 24,
      augment = { shift = 2, flip = 'alternating', fill = 'reflect' },
      optimizer = hz.sgd { rate = 0.5, momentum = 0.85, nesterov = true, schedule = 'linear' } }
    local out = {}
    for i = 1, 24 do out[i] = plan:step() end
    return out
  end
  local first, again = losses(), losses()
  t.equal(first, again)
  t.ok(first[24] < 0.92 * first[1], ('%g, %g'):format(first[1], first[24]))
end)

t.case('whiten: a training that was stopped goes on to the same bits', function()
  local labels = tensor.rand({ 40 }, 0, 3, { seed = 2, stream = 1 }):floor():to 'i32'
  local set, path = { items = images(40, 9, 9, 3), labels = labels }, t.folder() .. '/resume.safetensors'
  local function train(stop, resume)
    local net = whitener(9, 9, 3)
    local ok, r = pcall(hz.train, { net = net, train = set, test = set, epochs = 3, batch = 8, seed = 3,
      resume = resume, augment = { shift = 1, fill = 'reflect', flip = 'alternating' },
      optimizer = hz.sgd { rate = 0.1, momentum = 0.5 },
      on_step = function(run)
        if run.plan.steps == stop then C.hz_signal_set(2) end
      end })
    return net, ok, r
  end
  local whole = train()
  local _, ok = train(7, path)
  t.ok(not ok, 'it was stopped')
  local again, done, r = train(nil, path)
  t.ok(done and r.resumed > 0 and r.resumed < 3, tostring(r))
  for name, x in pairs(whole:state()) do t.equal((x - again:state()[name]):abs():max(), 0, name) end
end)
