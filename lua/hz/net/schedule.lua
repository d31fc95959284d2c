-- schedule.lua: how the rate of an optimiser goes over a training: a factor of the rate per step. A schedule is a row.
--   hz.sgd{rate=0.1, schedule='triangle', start=0.2, peak=0.23, final=0.07}
local c = require 'hz.c'
local names = require 'hz.base.names'
local need = require 'hz.base.need'

local M = {}

-- 1 where height is 1, `final` where it is 0.
local function above_final(o, height) return o.final + (1 - o.final) * height end

-- Up from `start` to 1 at the step `peak` of the whole, then down to `final`, straight.
local function triangle(step, total, o)
  local top = math.floor(o.peak * total)
  if step < top then return o.start + (1 - o.start) * step / top end
  return above_final(o, math.max(0, 1 - (step - top) / math.max(1, total - top)))
end

-- f(step, total, o): the factor at a step (counts from 0) of `total`; o holds the optimiser's fields. takes: the
-- settings that mean something to it. endless: it goes by no end.
local rows = {
  constant = { f = function() return 1 end, takes = '', endless = true },
  cosine = { f = function(step, total, o)
    return above_final(o, 0.5 * (1 + math.cos(math.pi * math.min(step / total, 1))))
  end, takes = 'final settle' },
  linear = { f = function(step, total, o) return above_final(o, math.max(0, 1 - step / total)) end,
    takes = 'final settle' },
  triangle = { f = triangle, takes = 'start peak final settle' },
  time = { f = function(step, _, o) return 1 / (1 + o.time_decay * step) end, takes = '', endless = true }, -- Keras'
}
M.names = names.sorted(rows)

-- Settings of any optimiser, with their defaults. Those that came later stand in records only where they differ.
M.settings = { schedule = 'constant', warmup = 0, time_decay = 1e-6 }
M.later = { final = 0, start = 0, peak = 0.5, settle = 1, stop = 1 }

local function from_zero(v) return v >= 0 and v < math.huge end
local function share(v) return v >= 0 and v <= 1 end
M.checks = {
  warmup = { function(v) return from_zero(v) and v % 1 == 0 end, 'a whole number of steps' },
  time_decay = { from_zero, 'a number of at least 0' },
  final = { from_zero, 'a share of the rate, of at least 0' },
  start = { from_zero, 'a share of the rate, of at least 0' },
  peak = { share, 'a share of the training, 0 <= peak <= 1' },
  settle = { function(v) return v > 0 and v <= 1 end, 'a share of the training, 0 < settle <= 1' },
  stop = { function(v) return v > 0 and v <= 1 end, 'a share of the training, 0 < stop <= 1' },
}

-- o: an optimiser's fields, each right by itself.
function M.check(o)
  local row = rows[o.schedule]
  if not row then names.unknown(o.kind .. ': schedule', o.schedule, M.names) end
  for _, name in ipairs { 'final', 'start', 'peak', 'settle' } do
    if o[name] ~= M.later[name] and not names.set(row.takes)[name] then
      c.fail("%s: %s is %s; schedule '%s' has no %s", o.kind, name, need.shown(o[name]), o.schedule, name)
    end
  end
end

-- Whether the rate goes by the steps of the whole training.
function M.needs_total(o) return not rows[o.schedule].endless or o.stop < 1 end

local function last_of(o, total) return o.stop < 1 and math.floor(o.stop * total + 0.5) or total end

-- Whether the rate is 0 from the step after `step` steps on.
function M.is_over(o, step, total) return o.stop < 1 and total ~= nil and step >= last_of(o, total) end

-- Rate of the step after `step` steps, of `total` in the whole run (nil where none is needed). From `settle` on, a
-- share of it, the rate stays what the schedule ends with; from `stop` on, a share of the whole at which it ends, it
-- is 0.
function M.rate_at(o, step, total)
  if M.is_over(o, step, total) then return 0 end
  local last = total and last_of(o, total)
  local warm = o.warmup > 0 and math.min(1, (step + 1) / o.warmup) or 1
  local span = last and math.max(1, o.settle * last - o.warmup) or math.huge
  return o.rate * warm * rows[o.schedule].f(math.max(0, step - o.warmup), span, o)
end

return M
