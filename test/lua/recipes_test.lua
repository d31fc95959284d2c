-- Recipes, and the script that trains by one.
local t = ...
local hz = require 'hz'

-- The loss there is summed over a batch of B, here it is its mean: rates are B times those, and a step loses the same
-- share.
t.case("recipes: airbench's Muon version, in its own units", function()
  local r = hz.recipes.airbench { epochs = 4, batch = 500 }
  local whiten, conv, head, rest = unpack(r.optimizer:describe().groups)
  t.near(whiten.optimizer.rate / 500, 0.053, 1e-12)
  t.near(whiten.optimizer.rate * whiten.optimizer.decay, 2e-6 * 500, 1e-15)
  t.equal({ whiten.match[1], whiten.optimizer.stop, whiten.optimizer.schedule }, { '^whiten%.bias$', 0.75, 'linear' })
  t.equal({ conv.optimizer.kind, conv.optimizer.rate, conv.optimizer.momentum, conv.optimizer.iterations },
    { 'muon', 0.24, 0.6, 3 })
  t.near(head.optimizer.rate / 500, 0.67, 1e-12)
  t.near(head.optimizer.rate * head.optimizer.decay, 2e-6 * 500, 1e-15)
  t.equal({ rest.match, rest.optimizer.rate, rest.optimizer.stop }, { nil, whiten.optimizer.rate, nil })
  t.equal({ r.epochs, r.batch, r.smoothing, r.average }, { 4, 500, 0.2, nil })
  t.equal(r.augment, { flip = 'alternating', shift = 2, fill = 'reflect' })
end)

t.case("recipes: airbench's SGD version", function()
  local r = hz.recipes.airbench { optimizer = 'sgd', epochs = 10 }
  local norm, head, rest = unpack(r.optimizer:describe().groups)
  t.equal(r.batch, 1024)
  t.near(rest.optimizer.rate, 11.5 / (1 + 1 / 0.15), 1e-9)
  t.near(norm.optimizer.rate, 64 * rest.optimizer.rate, 1e-9)
  t.near(head.optimizer.rate * (9 / 256) ^ 2, rest.optimizer.rate, 1e-9)
  for _, g in ipairs { norm, head, rest } do
    t.near(g.optimizer.rate * g.optimizer.decay, 0.0153 / (1 + 1 / 0.15), 1e-9)
    t.equal({ g.optimizer.schedule, g.optimizer.start, g.optimizer.peak, g.optimizer.final },
      { 'triangle', 0.2, 0.23, 0.07 })
  end
  t.equal(r.average, { kind = 'lookahead', every = 5, decay = 0.95 ^ 5, power = 3 })
end)

for _, row in ipairs {
  { { optimizer = 'adam' }, "optimizer: 'adam' is unknown" },
  { { epochs = 0.5 }, 'epochs is 0.5' },
  { { batch = 0 }, 'batch is 0' },
  { { rate = -1 }, 'rate is -1' },
  { { momentum = 0.9 }, "'momentum' is unknown" },
} do
  t.case('recipes: refused: ' .. row[2], function() t.raises(row[2], hz.recipes.airbench, row[1]) end)
end

t.case('recipes: a net without their parts is told what is missing', function()
  local set = hz.data('camera', { split = 'train', train = 20, size = 8 })
  local net = hz.net 'plain' { hz.layers.conv{4, 3}, hz.layers.relu, hz.layers.dense{10} }
  local r = hz.recipes.airbench { epochs = 1, batch = 20 }
  r.net, r.train = net, set
  t.raises("'^whiten%.bias$' matches no parameter", hz.train, r)
end)

for _, optimizer in ipairs(hz.recipes.optimizers) do
  t.case('speedrun: a training per seed, by ' .. optimizer .. '; what is finished is read back', function()
    local d = t.folder()
    local function run(more)
      return t.sh(("cd %s; HZ_RUNS=runs %s '%s/experiments/cifar_speedrun.lua' data=camera train=60 test=40 epochs=2 "
        .. "batch=20 width=0.1 seed=1,2 optimizer=%s %s"):format(d, t.quote(t.hz), hz.root, optimizer, more))
    end
    local status, first, err = run 'target=0'
    t.equal(status, 0, err)
    t.equal(select(2, first:gsub('seed %d: test accuracy', '')), 2)
    t.ok(first:find 'mean of 2 seeds: %d+%.%d+ %%', first)
    t.ok(err:find 'epoch 2/2 .*images/s', err)
    local again, second, missed = run 'target=1'
    t.equal(again, 1)
    t.ok(missed:find 'target=1 was not reached', missed)
    t.equal(second:match 'mean of 2 seeds: [%d.]+', first:match 'mean of 2 seeds: [%d.]+')
  end)
end

t.case("speedrun: views change the test's score alone, and are part of the run's settings", function()
  local d = t.folder()
  local function run(more)
    local status, out, err = t.sh(("cd %s; HZ_RUNS=runs %s '%s/experiments/cifar_speedrun.lua' data=camera train=60 "
      .. 'test=40 epochs=1 batch=20 width=0.1 seed=1 target=0 %s'):format(d, t.quote(t.hz), hz.root, more))
    t.equal(status, 0, err)
    return out:match '; (runs/%S+)'
  end
  local with, without = run 'tta=true', run 'tta=false'
  t.ok(with ~= without, with)
  local a, b = hz.safetensors.read(d .. '/' .. with .. '/model.safetensors'),
    hz.safetensors.read(d .. '/' .. without .. '/model.safetensors')
  local n = 0
  for name, x in pairs(a) do
    t.equal(x:eq(b[name]):min(), 1, name)
    n = n + 1
  end
  t.ok(n > 10, n)
end)
