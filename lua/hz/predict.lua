-- predict.lua: how long a sweep will take: a few steps of every model on the very sets and batch, times what is left to do.
local c = require 'hz.c'
local cell = require 'hz.cell'

local M = {}

local LONG = 0.4                   -- seconds of steps that are enough

-- Seconds per call of f, after one call to warm up; a call that takes long by itself is believed at once.
local function seconds(f)
  local function timed()
    local t = c.C.hz_seconds()
    f()
    return c.C.hz_seconds() - t
  end
  local first, n, sum = timed(), 0, 0
  if first > LONG then return first end
  while sum < LONG and n < 20 do n, sum = n + 1, sum + timed() end
  return sum / n
end

-- Seconds per training step and per scored item of a job, on data as they are.
local function measure(job)
  local p = job.point
  local net = require 'hz.nets'.load(p.model.path, { classes = #p.test.classes, input = p.model.input })
  net:init { seed = 0, input = p.model.input }
  local n = math.min(256, #p.test.labels)
  local scored = net:plan { data = p.test:subset(1, n), batch = n, dtype = job.dtype, device = job.device }
  local speed = { item = seconds(function() scored:evaluate() end) / n, step = 0 }
  if job.epochs > 0 then
    local plan = net:plan { train = true, data = p.train, batch = job.batch, dtype = job.dtype, device = job.device, augment = job.augment,
                            optimizer = require 'hz.optim'.sgd { rate = 1e-9 } }
    speed.step = seconds(function() plan:step() end)
  end
  return speed
end

-- Gives every job its parts in seconds: job.cost = { epoch, finish }.
function M.costs(jobs)
  local known = {}
  for _, job in ipairs(jobs) do
    local p = job.point
    local key = p.data .. '\0' .. p.model.path
    known[key] = known[key] or measure(job)
    local speed = known[key]
    job.cost = { epoch = math.ceil(#p.train.labels / job.batch) * speed.step + #p.watch.labels * speed.item, finish = #p.test.labels * speed.item }
  end
end

-- Seconds that the jobs still need: nothing for finished cells, the rest of the epochs for those with a resume point.
function M.left(runs, jobs)
  local sum, counted = 0, {}
  for _, job in ipairs(jobs) do
    if not cell.exists(runs, job.key) then
      local epochs = counted[job.training_key] and 0 or job.epochs - cell.epochs_done(runs, job)
      counted[job.training_key] = true
      sum = sum + epochs * job.cost.epoch + job.cost.finish
    end
  end
  return sum
end

return M
