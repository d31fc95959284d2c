-- predict.lua: how long a sweep will take: a few steps of every model on the very sets and batch, times what is left
-- to do; and how many processes at once finish it soonest.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local file = require 'hz.base.file'
local optim = require 'hz.net.optim'
local threads = require 'hz.sweep.threads'

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
  local p, net = job.point, job.point.model.make(0)
  local settings = job.settings:with { optimizer = optim.sgd { rate = 1e-9 } }
  local some = p.test:subset(1, math.min(256, #p.test.labels))
  local scored = net:plan(settings:to_score(some))
  local speed = { item = seconds(function() scored:evaluate() end) / #some.labels, step = 0 }
  if settings.epochs > 0 then
    local plan = net:plan(settings:to_train(p.train))
    speed.step = seconds(function() plan:step() end)
  end
  return speed
end

-- How much slower a process of `threads` threads runs beside others like it than alone, by the FMA peak: cores may be
-- halves of one core, or clock lower when all are at work.
local function crowding(total, processes, each)
  local all = math.min(total, processes * each)
  if all == each then return processes end
  local alone, together = c.C.hz_cpu_peak(c.C.HZ_F32, each, 0.05), c.C.hz_cpu_peak(c.C.HZ_F32, all, 0.05)
  return math.max(1, alone * processes / together)
end

-- Gives every job its parts in seconds, with so many processes at once: job.cost = { epoch, finish }.
function M.costs(jobs, processes)
  local known, total = {}, c.C.hz_cpu_threads()
  local each = threads.share(total, processes)
  local slower = processes > 1 and crowding(total, processes, each) or 1
  threads.with(each, function()
    for _, job in ipairs(jobs) do
      known[job.kind] = known[job.kind] or measure(job)
      local p, speed = job.point, known[job.kind]
      local steps = math.ceil(#p.train.labels / job.settings.batch)
      job.cost = { epoch = slower * (steps * speed.step + #p.watch.labels * speed.item),
                   finish = slower * #p.test.labels * speed.item }
    end
  end)
end

-- Sets job.left, the seconds that each job still needs: nothing if it is finished, the rest of the epochs with a
-- resume point.
function M.left(runs, jobs)
  local counted = {}
  for _, job in ipairs(jobs) do
    job.left = 0
    if not cell.exists(runs, job.key) then
      local epochs = counted[job.training_key] and 0 or job.settings.epochs - cell.epochs_done(runs, job)
      counted[job.training_key] = true
      job.left = epochs * job.cost.epoch + job.cost.finish
    end
  end
end

-- Seconds until all jobs are done when `processes` take them in order, each the next as soon as it is free.
function M.span(jobs, processes)
  local busy = {}
  for i = 1, processes do busy[i] = 0 end
  for _, job in ipairs(jobs) do
    local first = 1
    for i = 2, processes do first = busy[i] < busy[first] and i or first end
    busy[first] = busy[first] + job.left
  end
  return math.max(unpack(busy))
end

-- Costs and time left with so many processes. Returns the seconds; `start` is what a process needs before its first
-- cell.
function M.with(runs, jobs, processes, start)
  M.costs(jobs, processes)
  M.left(runs, jobs)
  return M.span(jobs, processes) + (processes > 1 and start or 0)
end

-- Processes like this one that memory has room for, each as large as this one may yet become.
local function room()
  local ok, free, own = pcall(function()
    return file.read_all '/proc/meminfo':match 'MemAvailable:%s*(%d+)',
      file.read_all '/proc/self/status':match 'VmHWM:%s*(%d+)'
  end)
  return ok and free and own and math.max(1, math.floor(tonumber(free) / (2 * tonumber(own)))) or 1
end

-- How many processes finish soonest, of 1, 2, 4, ... and one per core; more than one must promise 5 % less. Returns
-- it and the seconds.
function M.choose(runs, jobs, start)
  local total, trainings, most = c.C.hz_cpu_threads(), {}, 0
  for _, job in ipairs(jobs) do
    if not cell.exists(runs, job.key) and not trainings[job.training_key] then
      trainings[job.training_key], most = true, most + 1
    end
  end
  most = math.min(total, most, room())
  local best, least = 1, M.with(runs, jobs, 1, start)
  local n = 2
  while n <= most do
    local seconds_of_n = M.with(runs, jobs, n, start)
    if seconds_of_n < 0.95 * least then best, least = n, seconds_of_n end
    n = n < most and math.min(2 * n, most) or most + 1
  end
  if best > 1 or most > 1 then least = M.with(runs, jobs, best, start) end
  return best, least
end

return M
