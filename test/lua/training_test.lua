-- The settings of a training: one schema, whose rows are taken everywhere and enter keys by their last column.
local t = ...
local hz = require 'hz'
local json = require 'hz.base.json'
local training = require 'hz.net.training'

local function record(changes)
  local o = { epochs = 3, batch = 16, seed = 1, dtype = 'f32', device = 'cpu',
    optimizer = hz.sgd { rate = 0.1, momentum = 0.9 }, augment = { shift = 1, flip = false } }
  for k, v in pairs(changes or {}) do o[k] = v end
  return training.new('test', o)
end

local function key(changes) return json.encode(record(changes):decides()) end

-- What keys have always been made of; another text would lose every finished cell.
t.case('training: what stands in a key', function()
  t.equal(key(), '{"augment":{"flip":false,"shift":1},"batch":16,"device":"cpu","dtype":"f32","epochs":3,"optimizer":'
    .. '{"decay":0,"kind":"sgd","momentum":0.9,"nesterov":false,"rate":0.1,"schedule":"constant",'
    .. '"time_decay":1e-06,"warmup":0},'
    .. '"seed":1,"smoothing":0}')
  t.equal(key { epochs = 0 }, '{"device":"cpu","dtype":"f32"}', 'nothing is trained')
end)

t.case('training: a setting that came later is in the key where it is not the default; others never are', function()
  t.ok(not key():find 'mean')
  t.match(key { mean = 0.5 }, '"mean":0.5')
  t.match(key { deviation = { 0.25, 0.5 } }, '"deviation":%[0.25,0.5%]')
  t.match(key { epochs = 0, mean = 0.5 }, '^{"device":"cpu","dtype":"f32","mean":0.5}$')
  t.equal(key { keep_best = true, tune = true }, key())
  t.equal(key { augment = { shift = 1, flip = false, fill = 'nearest' } }, key())
  t.match(key { augment = { shift = 1, flip = 'alternating', fill = 'reflect' } },
    '"augment":{"fill":"reflect","flip":"alternating","shift":1}')
end)

t.case('training: a record is whole, and changed by making another', function()
  local a = training.new('test', { epochs = 2, other = 'ignored' })
  t.equal({ a.batch, a.smoothing, a.dtype, a.tune, a.keep_best, a.augment }, { 128, 0, 'f32', false, false, {} })
  local b = a:with { batch = 8 }
  t.equal({ a.batch, b.batch, b.epochs }, { 128, 8, 2 })
  t.equal(b:steps { labels = hz.zeros { 20 } }, 6)
end)

t.case('training: plans get what they take, and nothing else', function()
  local set = { labels = hz.zeros { 300 } }
  local a = record { smoothing = 0.1, keep_best = true, mean = 0.5 }
  local train, score = a:to_train(set), a:to_score(set)
  t.equal({ train.batch, train.smoothing, train.total, train.mean }, { 16, 0.1, 57, 0.5 })
  t.equal({ train.keep_best, train.epochs }, {})
  t.equal({ score.batch, score.mean, score.smoothing, score.optimizer, score.seed }, { 256, 0.5 })
end)

for _, case in ipairs {
  { { batch = 0 }, 'test: batch is 0; needs a whole number of at least 1' },
  { { epochs = 1.5 }, 'test: epochs is 1.5; needs a whole number of at least 0' },
  { { smoothing = 1 }, 'test: smoothing is 1; needs 0 <= smoothing < 1' },
  { { dtype = 'f16' }, "test: dtype 'f16' is not computed here, did you mean 'bf16'; have f32, bf16, f64" },
  { { optimizer = 'sgd' }, 'test: optimizer is string; needs one made by hz.sgd' },
  { { augment = { turn = 1 } }, "augment: 'turn' is unknown; have fill, flip, shift, shift_x, shift_y" },
  { { augment = { flip = 'odd' } }, "augment: flip is 'odd'; needs true, false or 'alternating'" },
  { { augment = { fill = 'zero' } }, "augment: fill is 'zero'; needs 'nearest' or 'reflect'" },
  { { augment = { shift = -1 } }, 'augment: shift is -1; needs a whole number of at least 0' },
  { { mean = { 0.5, 'x' } }, "test: mean[2] is 'x'; needs a finite number" },
  { { tune = 3 }, 'test: tune is 3; needs true or false' },
  { { seed = 'one' }, "test: seed is 'one'; needs a whole number of 0..9007199254740991" },
} do
  t.case('training: ' .. case[2], function() t.raises(case[2], record, case[1]) end)
end
