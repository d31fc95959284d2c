-- recipes.lua: how a net is trained, as the settings of hz.train (and hz.run, hz.sweep). A recipe is nothing but
-- optimisers, schedules, averages and augmentation that any script can put together; these are those of airbench
-- (arXiv 2404.00498, and its Muon version), for nets with its parts: layers 'whiten' and 'head', convolutions, batch
-- norm without scale, logits divided by the inputs of the head (the nets airbench and fast).
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local optim = require 'hz.net.optim'

local M = {}

local WHITEN = 3                   -- epochs for which the bias of the whitening layer is trained, by Muon's recipe
local SUM = 1024                   -- items that the rates of the SGD recipe are given for
local HEAD = 256 / 9               -- by what the SGD recipe's own net multiplies logits, relative to these nets

-- Rates there belong to the loss summed over a batch; here it is its mean. Decay there is a share that is lost with
-- each step, whatever the rate.
local function sgd(rate, lost, more)
  local settings = { rate = rate, momentum = 0.85, nesterov = true, decay = lost / rate }
  for k, v in pairs(more) do settings[k] = v end
  return optim.sgd(settings)
end

local rows = {}

function rows.muon(o)
  local lost, falls = 2e-6 * o.batch, { schedule = 'linear' }
  local stop = { schedule = 'linear', stop = math.min(1, WHITEN / math.max(o.epochs, 1)) }
  return {
    optimizer = optim.groups {
      { match = '^whiten%.bias$', sgd(0.053 * o.batch, lost, stop) },
      { match = '^conv.*%.weight$', optim.muon { rate = o.rate or 0.24, momentum = 0.6, schedule = 'linear' } },
      { match = '^head%.weight$', sgd(0.67 * o.batch, lost, falls) },
      sgd(0.053 * o.batch, lost, falls),
    },
  }
end

function rows.sgd(o)
  local triangle = { schedule = 'triangle', start = 0.2, peak = 0.23, final = 0.07 }
  local rate = (o.rate or 11.5) * o.batch / (SUM * (1 + 1 / (1 - 0.85)))
  local lost = 0.0153 * o.batch / (SUM * (1 + 1 / (1 - 0.85)))
  return {
    optimizer = optim.groups {
      { match = '^norm.*%.beta$', sgd(64 * rate, lost, triangle) },
      { match = '^head%.weight$', sgd(HEAD ^ 2 * rate, lost, triangle) },
      sgd(rate, lost, triangle),
    },
    average = { kind = 'lookahead', every = 5, decay = 0.95 ^ 5, power = 3 },
  }
end

-- Items of a batch that the recipes were found with.
M.batch = { muon = 2000, sgd = 1024 }
M.optimizers = names.sorted(rows)

local function check(o)
  if o.optimizer ~= nil and not rows[o.optimizer] then
    names.unknown('recipe: optimizer', tostring(o.optimizer), M.optimizers)
  end
  for _, k in ipairs { 'epochs', 'batch' } do
    if o[k] ~= nil then need.count('recipe', k, o[k], k == 'epochs' and 0 or 1) end
  end
  if o.rate ~= nil and not (type(o.rate) == 'number' and o.rate > 0 and o.rate < math.huge) then
    need.fail('recipe', 'rate', o.rate, 'a number above 0')
  end
end

-- o: optimizer ('muon', the default, or 'sgd'), epochs (8), batch (default: M.batch), rate (of the convolutions: 0.24,
-- of SGD 11.5), views (of test images; default none). Returns { optimizer, average, epochs, batch, smoothing, augment,
-- views }.
function M.airbench(o)
  o = names.options('recipe', o, 'optimizer epochs batch rate views')
  check(o)
  local kind = o.optimizer or 'muon'
  local epochs, batch = o.epochs or 8, o.batch or M.batch[kind]
  local out = rows[kind] { epochs = epochs, batch = batch, rate = o.rate }
  out.epochs, out.batch, out.smoothing, out.views = epochs, batch, 0.2, o.views
  out.augment = { flip = 'alternating', shift = 2, fill = 'reflect' }
  return out
end

return names.guard('recipes', M)
