-- protocol.lua: what is trained, watched and scored, and which numbers come of it. Two protocols:
--   strict  the default: curves on a validation part of the training data, the test set scored once with the final
--           weights
--   paper   as published (arXiv 1807.10569): the test set is watched, accuracy is the mean of the ten best epochs; of
--           sounds three quarters of the training part train
local c = require 'hz.c'
local names = require 'hz.base.names'

local M = {}

local BEST = 10                    -- epochs whose mean is the published accuracy, and the window of its convergence
M.margin = 0.01                    -- strict: convergence is reached this close to the untouched data

local function largest(list)
  local best, at = -1, 0
  for i, v in ipairs(list) do if v > best then best, at = v, i end end
  return best, at
end
M.largest = largest

-- The first n items of a set (nil: all); knob: the key that asks.
local function first(set, n, knob)
  if not n then return set end
  if n > #set.labels then c.fail('%s=%d was given; %s has %d items', knob, n, set.name, #set.labels) end
  return set:subset(1, n)
end

M.first = first

-- Items held out for validation when `train` of n are trained on (nil: as many as possible): a fifth of them, at
-- least 100; a tenth of all.
local function validation_count(set, train)
  local n = #set.labels
  if n < 2 then
    c.fail('%s has %d item to train on; strict needs two at least, one of them for validation', set.name, n)
  end
  if not train then return math.max(1, math.floor(n / 10)) end
  local count = math.min(math.max(100, math.floor(train / 5)), n - train)
  if count < 1 then
    c.fail('train=%d was given; %s has %d items to train on, and strict needs some of them for validation',
      train, set.name, n)
  end
  return count
end

-- Rows (base/args.lua) of what verdicts are asked for. They decide nothing about cells, and so are in no key.
M.asked = {
  { 'margin', M.margin, 'float', 'verdicts: loss of accuracy that is still safe; 0.01 is a point', min = 0.0001,
    max = 1 },
  { 'alpha', 0.05, 'float', 'verdicts: how often a harmful encoding may be called safe', min = 0.0001, max = 0.5 },
}

-- A verdict about data that a lossy codec has been through is one about that codec, too, and one about a training that
-- still gains is one about its length: there is none unless it is asked for.
M.force = { 'force', false, 'bool', 'verdicts also of data that were lossy before, or of too short a training' }

-- Numbers of seeds at which adaptive seeds are looked at, and the share of alpha that each look may spend (union bound:
-- they add up to 1).
M.looks = { { seeds = 5, share = 0.2 }, { seeds = 10, share = 0.3 }, { seeds = 20, share = 0.5 } }

local rows = {}

-- Splits follow the content hash of the original items: the same at every quality, and validation sets of different
-- size nest.
rows.strict = {
  sets = function(train, test, o)
    local rest, held = train:split(validation_count(train, o.train), 'validation')
    return first(rest, o.train, 'train'), held, first(test, o.test, 'test')
  end,
  split = function(train, watch, test)
    return ('train=%d validation=%d test=%d'):format(#train.labels, #watch.labels, #test.labels)
  end,
  accuracy = function(_, test) return test end,
  -- First epoch that comes within the margin of where the untouched data end (target; nil without such a cell).
  convergence = function(curve, target)
    for e = 1, target and #curve or 0 do
      if curve[e] >= target then return e end
    end
  end,
}

-- Of sounds a quarter of the training part was split off for validation, which nothing was chosen by.
rows.paper = {
  sets = function(train, test, o)
    test = first(test, o.test, 'test')
    local spare = train.sounds and not o.train and math.floor(#train.labels / 4) or 0
    if spare > 0 then train = train:split(spare, 'validation') end
    return first(train, o.train, 'train'), test, test
  end,
  split = function(train, _, test) return ('train=%d validation=test test=%d'):format(#train.labels, #test.labels) end,
  accuracy = function(curve, test)
    if #curve == 0 then return test end
    local sorted, sum = { unpack(curve) }, 0
    table.sort(sorted, function(a, b) return a > b end)
    local n = math.min(BEST, #sorted)
    for i = 1, n do sum = sum + sorted[i] end
    return sum / n
  end,
  -- First epoch e whose mean over e .. e+9 exceeds 99 % of the best epoch.
  convergence = function(curve)
    local bar = 0.99 * largest(curve)
    for e = 1, #curve - BEST + 1 do
      local sum = 0
      for i = e, e + BEST - 1 do sum = sum + curve[i] end
      if sum / BEST > bar then return e end
    end
  end,
}

-- sets(train, test, {train=, test=}) -> train, watch, test; split(...) in words; accuracy(watch curve, final test
-- accuracy); convergence(watch curve, target) -> epoch or nil. who: the file that names it, for an error.
function M.named(name, who)
  return rows[name] or c.fail("%sprotocol: '%s' is unknown%s; have strict, paper", who and who .. ': ' or '',
    tostring(name), names.meant(name, names.sorted(rows)))
end

return M
