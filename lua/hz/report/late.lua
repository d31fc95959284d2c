-- late.lua: what a training still gains at its end. Without that a reference may be anything: with more epochs the same
-- recipe would give another. What a falling rate gains on its way down is the schedule's, and asks for no more epochs,
-- so gains count from where the rate is a twentieth of its peak, and from the last quarter on.
local c = require 'hz.c'
local outcomes = require 'hz.report.outcomes'
local schedule = require 'hz.net.schedule'

local M = {}

local LOW = 0.05                   -- of the peak
local QUARTER = 0.75
local FINE = 1000                  -- steps of a training, for its schedule

-- The rate over its peak at a share of the training, by what a record says of an optimiser; nil where that is not told.
local function relative(described, share)
  local o = { warmup = 0 }
  for _, list in ipairs { schedule.settings, schedule.later, described } do
    for k, v in pairs(list) do o[k] = v end
  end
  o.rate, o.warmup = 1, 0
  local ok, peak = c.try(function()
    local most = 0
    for i = 0, 20 do most = math.max(most, schedule.rate_at(o, FINE * i / 20, FINE)) end
    return most
  end)
  return ok and peak > 0 and schedule.rate_at(o, FINE * share, FINE) / peak or nil
end

-- Of groups that of the slowest to fall, but those that have stopped.
local function slowest(described, share)
  if not described.groups then return relative(described, share) end
  local most = 0
  for _, g in ipairs(described.groups) do
    local own = relative(g.optimizer, share)
    if not own then return nil end
    most = math.max(most, own)
  end
  return most
end

-- The epoch whose end gains count from.
local function from_epoch(g)
  local d, first = g.rows[1].record.decides, math.floor(QUARTER * g.epochs) + 1
  local optimizer = d and type(d.training) == 'table' and d.training.optimizer
  if type(optimizer) == 'table' then
    while first < g.epochs and (slowest(optimizer, first / g.epochs) or 0) > LOW
      and (slowest(optimizer, 1) or 1) <= LOW do first = first + 1 end
  end
  return math.max(1, math.min(first, g.epochs - 1))
end

-- Watch accuracy of a group at an epoch, mean over finished seeds.
local function watched(g, epoch)
  local sum, n = 0, 0
  for _, row in pairs(outcomes.by_seed(g)) do
    local v = row.curve[epoch]
    if type(v) == 'number' then sum, n = sum + v, n + 1 end
  end
  return n > 0 and sum / n or nil
end

-- What a group still gains, a share, and from which epoch's end; nil where one epoch says nothing.
function M.gain(g)
  if g.epochs < 2 then return nil end
  local from = from_epoch(g)
  local last, before = watched(g, g.epochs), watched(g, from)
  if not last or not before then return nil end
  return last - before, from
end

return M
