-- views_test.lua: items scored in several views (plan:evaluate{views=}), against images that are moved by hand and
-- shown one by one.
local t = ...
local hz = require 'hz'
local tensor = require 'hz.tensor.tensor'
local training = require 'hz.net.training'
local views = require 'hz.net.views'
local l = hz.layers

local N, HEIGHT, WIDTH = 23, 7, 6

local function set()
  local items = tensor.rand({ N, HEIGHT, WIDTH, 3 }, 0, 256, { seed = 3, stream = 1 }):floor():to 'u8'
  local labels = tensor.rand({ N }, 0, 4, { seed = 3, stream = 2 }):floor():to 'i32'
  return { items = items, labels = labels, classes = { 'a', 'b', 'c', 'd' } }
end

local function net()
  return hz.net 'seen' { l.conv { 8, 3 }, l.tanh, l.flatten, l.dense { 4 }, mean = { 0.4, 0.5, 0.6 }, deviation = 0.1,
    input = { HEIGHT, WIDTH, 3 } }:init { seed = 2 }
end

local function reflected(v, n)
  v = v < 0 and -v or v
  return v < n and v or 2 * (n - 1) - v
end

-- All items moved and then mirrored, pixel by pixel.
local function moved(items, down, right, mirror)
  local out = tensor.empty(items:size(), 'u8')
  local p, q = items:pointer(), out:pointer()
  for i = 0, N - 1 do
    for y = 0, HEIGHT - 1 do
      for x = 0, WIDTH - 1 do
        local from = reflected((mirror and WIDTH - 1 - x or x) + right, WIDTH)
        for ch = 0, 2 do
          q[((i * HEIGHT + y) * WIDTH + x) * 3 + ch] =
            p[((i * HEIGHT + reflected(y + down, HEIGHT)) * WIDTH + from) * 3 + ch]
        end
      end
    end
  end
  return out
end

-- Logits averaged by hand: f64 (N,4).
local function by_hand(seen, items, list)
  local sum
  for _, v in ipairs(list) do
    local part = seen(moved(items, v[2], v[3], v[4])):to 'f64' * v[1]
    sum = sum and sum + part or part
  end
  return sum
end

local lists = {
  mirror = { { 0.5, 0, 0, false }, { 0.5, 0, 0, true } },
  shift = { { 0.5, 0, 0, false }, { 0.25, -1, -1, false }, { 0.25, 1, 1, false } },
  ['mirror,shift'] = { { 0.25, 0, 0, false }, { 0.25, 0, 0, true }, { 0.125, -1, -1, false }, { 0.125, -1, -1, true },
    { 0.125, 1, 1, false }, { 0.125, 1, 1, true } },
}

t.case('views: outcomes are those of averaged logits of images moved by hand', function()
  local data, seen = set(), net()
  local plan = seen:plan { batch = N, data = data }
  for name, list in pairs(lists) do
    local x, e, loss = by_hand(seen, data.items, list), plan:evaluate { views = name }, 0
    for i = 1, N do
      local row, sum, best = x[i]:table(), 0, 1
      for k = 1, 4 do
        sum = sum + math.exp(row[k])
        if row[k] > row[best] then best = k end
      end
      loss = loss + math.log(sum) - row[data.labels[i] + 1]
      t.equal({ e.class[i], e.correct[i] }, { best - 1, data.labels[i] == best - 1 and 1 or 0 }, name)
      t.near(e.confidence[i], math.exp(row[best]) / sum, 1e-6, name)
    end
    t.near(e.loss, loss / N, 1e-6, name)
    t.equal({ e.accuracy, e.n, e.finite }, { e.correct:to 'f64':mean(), N, true })
  end
end)

t.case('views: other outcomes than without, the same bits for any batch, and a plan that goes on as before', function()
  local data, seen = set(), net()
  local plan = seen:plan { batch = 5, data = data }
  local plain, e = plan:evaluate(), plan:evaluate { views = { 'shift', 'mirror' } }
  t.ok(e.loss ~= plain.loss and (e.confidence - plain.confidence):abs():max() > 0)
  t.equal(plan:evaluate().loss, plain.loss)
  for _, batch in ipairs { 1, 7, N } do
    local other = seen:plan { batch = batch, data = data }:evaluate { views = 'mirror,shift' }
    t.equal({ other.loss, other.accuracy }, { e.loss, e.accuracy })
    t.equal((other.confidence - e.confidence):abs():max(), 0)
  end
end)

t.case('views: what is no number is never right', function()
  local data, seen = set(), net()
  seen.parameters['dense1.bias'][2] = 0 / 0
  local e = seen:plan { batch = 5, data = data }:evaluate { views = 'mirror' }
  t.equal({ e.accuracy, e.finite }, { 0, false })
end)

t.case('views: messages', function()
  local data = set()
  local plan = net():plan { batch = 5, data = data }
  t.raises("evaluate: views: 'miror' is unknown, did you mean 'mirror'; have mirror, shift", plan.evaluate, plan,
    { views = 'miror' })
  t.raises('evaluate: views is 3; needs a list of mirror, shift', plan.evaluate, plan, { views = 3 })
  t.raises('evaluate: views: 7 is unknown; have mirror, shift', plan.evaluate, plan, { views = { 7 } })
  t.raises("evaluate: 'view' is unknown, did you mean 'views'; have views", plan.evaluate, plan, { view = 'mirror' })
  local flat = hz.net { l.dense { 4 } }
  local rows = { items = hz.rand { 6, 5 }, labels = hz.zeros({ 6 }, 'i32') }
  plan = flat:plan { batch = 2, data = rows }
  t.raises('evaluate: views are of images (items,height,width,channels); the set has (6,5)', plan.evaluate, plan,
    { views = 'mirror' })
  local thin = { items = hz.rand { 6, 1, 5, 2 }, labels = hz.zeros({ 6 }, 'i32') }
  plan = hz.net { l.dense { 4 } }:plan { batch = 2, data = thin }
  t.raises('a shift by -1 rows, -1 columns was asked for; needs less than the 1x5 pixels', plan.evaluate, plan,
    { views = 'shift' })
  t.ok(plan:evaluate().finite, 'the plan is as it was')
end)

t.case('views: a setting that decides what is scored, in one form', function()
  local function of(v) return training.new('test', { epochs = 1, seed = 1, views = v }) end
  t.equal(of(nil):scored_views(), nil)
  t.equal(of { 'shift', 'mirror', 'shift' }:scored_views(), { 'mirror', 'shift' })
  t.equal(of 'shift, mirror':scored_views(), { 'mirror', 'shift' })
  t.equal(of 'shift':decides(), of(nil):decides(), 'the training is the same')
  t.equal(#views.of { 'mirror', 'shift' }, 6)
  t.raises('test: views is table; needs a list of mirror, shift', of, {})
end)

t.case('views: hz.train scores the test set by them, and the watch split where its outcomes are kept', function()
  local data = set()
  local function run(o)
    o.net, o.train, o.watch, o.test, o.epochs, o.batch = net(), data, data, data, 1, 8
    o.optimizer = hz.sgd { rate = 0.01 }
    return hz.train(o)
  end
  local plain, seen, kept = run {}, run { views = 'mirror' }, run { views = { 'mirror' }, keep_best = true }
  t.equal(seen.curve[1].watch_loss, plain.curve[1].watch_loss)
  t.ok(seen.test.loss ~= plain.test.loss)
  t.equal({ kept.test.loss, kept.curve[1].watch_loss }, { seen.test.loss, seen.test.loss })
end)

local sweep_script = [[
local hz = require 'hz'
local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
local o = { {}, { views = { 'mirror' } }, { views = 'mirror' }, { protocol = 'paper' },
  { protocol = 'paper', views = 'mirror' } }
o = o[tonumber(arg[1])]
o.name, o.runs, o.data = 'views', arg[1], { { name = 'camera', train = train, test = test } }
o.quality, o.model, o.epochs, o.batch, o.train, o.test = { 'raw' }, { 'net.lua' }, 2, 16, 60, 40
o.optimizer = function() return hz.sgd { rate = 0.1 } end
hz.sweep(o)
]]

t.case('views: a sweep scores by them, shares the training with one that does not, and says so', function()
  local dir, cells = t.folder(), {}
  t.write(dir .. '/sweep.lua', sweep_script)
  t.write(dir .. '/net.lua', assert(loadfile(t.here .. 'sweeps.lua'))(t).net)
  for i = 1, 5 do
    t.equal((t.sh(('cd %s && %s sweep.lua %d'):format(t.quote(dir), t.quote(t.hz), i))), 0)
    for _, name in ipairs(hz.file.list(dir .. '/' .. i .. '/cells')) do
      local _, meta = hz.safetensors.read(dir .. '/' .. i .. '/cells/' .. name)
      cells[i] = meta['hz.cell'] and hz.json.decode(meta['hz.cell']) or cells[i]
    end
  end
  local function keys(i) return { cells[i].key, cells[i].training_key } end
  t.ok(cells[1].key ~= cells[2].key and cells[1].training_key == cells[2].training_key, 'one training, two cells')
  t.equal(keys(3), keys(2))
  t.ok(cells[4].training_key ~= cells[5].training_key, 'what is watched is an outcome there')
  t.equal({ cells[1].views or 'none', cells[2].views, cells[5].views }, { 'none', { 'mirror' }, { 'mirror' } })
  t.ok(cells[1].test_loss ~= cells[2].test_loss and cells[4].curve.watch_loss[1] ~= cells[5].curve.watch_loss[1])
end)
