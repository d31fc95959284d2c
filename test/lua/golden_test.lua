-- golden_test.lua: 50 steps of the tiny training against recorded truths.
-- tiny_losses.txt: losses by an independent program in double (golden/tiny.py: order, augmentation, dropout, gradients and all).
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local C, ffi = c.C, c.ffi
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()

local STEPS = 50
local optimizers = {
  sgd = function() return hz.sgd { rate = 0.005, momentum = 0.9, nesterov = true } end,
  adam = function() return hz.adam { rate = 0.003 } end,
}

local function losses(name, dtype)
  local a, out = tiny.training { optimizer = optimizers[name]() }, {}
  local plan = a.net:plan { batch = a.batch, train = true, data = a.train, augment = a.augment, optimizer = a.optimizer, seed = a.seed,
    smoothing = a.smoothing, mean = a.mean, deviation = a.deviation, dtype = dtype }
  for i = 1, STEPS do out[i] = plan:step() end
  return out
end

local function recorded()
  local rows = { sgd = {}, adam = {} }
  for name, step, loss in assert(t.read(t.here .. 'golden/tiny_losses.txt')):gmatch '(%w+) (%d+) (%S+)' do rows[name][tonumber(step)] = tonumber(loss) end
  return rows
end

-- Tolerances: f32 starts 1e-7 away (weights are rounded alike, sums are not) and 50 steps of a net with kinks carry that on: measured
-- 1e-6. In double only the constants differ (1/255 and the like are kept as f32 there, too): measured 5e-8.
for name in pairs(optimizers) do
  for dtype, tolerance in pairs { f32 = 2e-5, f64 = 2e-7 } do
    t.case(('%s, %s: the losses of an independent program'):format(name, dtype), function()
      local got, wanted = losses(name, dtype), recorded()[name]
      t.equal(#wanted, STEPS)
      for i = 1, STEPS do t.near(got[i], wanted[i], tolerance, 'step ' .. i) end
    end)
  end
end
