-- predict.lua: how long a sweep will take, and how many processes at once finish it soonest. Before a sweep that only
-- predicts, a few steps of every model are timed on the very sets and batch. One that computes begins at once: costs
-- are multiply-adds until the first steps say how long they take, and the number of processes follows from a glance, a
-- few small steps of one model. On a device with memory of its own cells share it: as many as it has room for, two at
-- most, so that one computes while another encodes. job.cost = { epoch, finish } and job.left are in one unit; the pace
-- says how many seconds that is.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local devices = require 'hz.net.devices'
local file = require 'hz.base.file'
local optim = require 'hz.net.optim'
local threads = require 'hz.sweep.threads'

local M = {}

local LONG = 0.4                   -- seconds of steps that are enough
local GLANCE = 1e9                 -- multiply-adds of a pass over the items in a step of a glance
local PASSES = 3                   -- a training step takes as long as so many forward passes
local SHARING = 2                  -- processes that 'auto' lets share a device
local CONTEXT = 600 * 2 ^ 20       -- bytes that a card keeps for each process, whatever it computes

local element_bytes = { u8 = 1, f32 = 4, f64 = 8 }

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

-- What is enough of a set for some steps: features of sounds are made of those that are looked at.
local function enough(set, batch) return set.sounds and set:subset(1, math.min(#set.labels, batch)) or set end

-- Seconds per training step and per scored item of a job, on data as they are.
local function measure(job)
  local p, net = job.point, job.point.model.make(0)
  local settings = job.settings:with { optimizer = optim.sgd { rate = 1e-9 } }
  local some = p.test:subset(1, math.min(256, #p.test.labels))
  local scored = net:plan(settings:to_score(some))
  local speed = { item = seconds(function() scored:evaluate() end) / #some.labels, step = 0 }
  if settings.epochs > 0 then
    local plan = net:plan(settings:to_train(enough(p.train, settings.batch)))
    speed.step = seconds(function() plan:step() end)
  end
  return speed
end

-- A function that takes a training step of few items twice and gives the seconds of a multiply-add; for a glance.
local function glance(job)
  local madds, settings = job.point.model.madds, job.settings:with { optimizer = optim.sgd { rate = 1e-9 } }
  local options = settings:to_train(enough(job.point.train, settings.batch))
  options.batch = math.min(options.batch, math.max(8, math.floor(GLANCE / madds)))
  local plan = job.point.model.make(0):plan(options)
  plan:step()
  return function()
    local least = math.huge
    for _ = 1, 2 do
      local t = c.C.hz_seconds()
      plan:step()
      least = math.min(least, c.C.hz_seconds() - t)
    end
    return least / (PASSES * madds * options.batch)
  end
end

-- Costs of items and steps by their multiply-adds, each of which takes so long.
local function by_size(each)
  return function(job)
    local item = each * job.point.model.madds
    return { item = item, step = PASSES * item * job.settings.batch }
  end
end

-- How much slower a process of `threads` threads runs beside others like it than alone, by the FMA peak: cores may be
-- halves of one core, or clock lower when all are at work.
local function crowding(total, processes, each)
  local all = math.min(total, processes * each)
  if all == each then return processes end
  local alone, together = c.C.hz_cpu_peak(c.C.HZ_F32, each, 0.05), c.C.hz_cpu_peak(c.C.HZ_F32, all, 0.05)
  return math.max(1, alone * processes / together)
end

-- Gives every job its parts by speed_of(job) = { item, step }.
local function give_costs(jobs, speed_of, slower)
  local known = {}
  for _, job in ipairs(jobs) do
    known[job.kind] = known[job.kind] or speed_of(job)
    local p, speed = job.point, known[job.kind]
    local steps = math.ceil(#p.train.labels / job.settings.batch)
    job.cost = { epoch = slower * (steps * speed.step + #p.watch.labels * speed.item),
                 finish = slower * #p.test.labels * speed.item }
  end
end

local function is_late(jobs) return devices.is_late(jobs[1].settings.device) end

-- The same in seconds, with so many processes at once. speeds() gives speed_of with the threads that each has. Those
-- that share a device wait for each other.
local function costs(jobs, processes, speeds, count)
  if is_late(jobs) then return give_costs(jobs, speeds(), math.max(1, processes / count)) end
  local total = c.C.hz_cpu_threads()
  local each = threads.share(total, processes)
  local slower = processes > 1 and crowding(total, processes, each) or 1
  threads.with(each, function() give_costs(jobs, speeds(), slower) end)
end

-- Sets job.left, what each job still needs: nothing if it is finished, the rest of the epochs with a
-- resume point.
local function set_left(runs, jobs)
  local counted = {}
  for _, job in ipairs(jobs) do
    job.left = 0
    if not job.spare and not cell.exists(runs, job.key) then
      local epochs = counted[job.training_key] and 0 or job.settings.epochs - cell.epochs_done(runs, job)
      counted[job.training_key] = true
      job.left = epochs * job.cost.epoch + job.cost.finish
    end
  end
end

-- Time until all jobs are done when `processes` take them in order, each the next as soon as it is free. pace(job):
-- seconds of a unit of its costs.
function M.span(jobs, processes, pace)
  local busy = {}
  for i = 1, processes do busy[i] = 0 end
  for _, job in ipairs(jobs) do
    local first = 1
    for i = 2, processes do first = busy[i] < busy[first] and i or first end
    busy[first] = busy[first] + job.left * (pace and pace(job) or 1)
  end
  return math.max(unpack(busy))
end

-- The same once more, where other jobs are to be done; all have costs.
function M.renew(runs, jobs)
  if jobs[1].cost then set_left(runs, jobs) end
end

local function with(runs, jobs, processes, start, speeds, count)
  costs(jobs, processes, speeds, count)
  set_left(runs, jobs)
  return M.span(jobs, processes) + (processes > 1 and start or 0)
end

-- Processes like this one that memory has room for, each as large as this one may yet become.
local function room()
  local ok, free, own = c.try(function()
    return file.read_all '/proc/meminfo':match 'MemAvailable:%s*(%d+)',
      file.read_all '/proc/self/status':match 'VmHWM:%s*(%d+)'
  end)
  return ok and free and own and math.max(1, math.floor(tonumber(free) / (2 * tonumber(own)))) or 1
end

-- Trainings that are left, and the first job that has one.
local function trainings(runs, jobs)
  local seen, n, first = {}, 0, nil
  for _, job in ipairs(jobs) do
    if job.settings.epochs > 0 and not cell.exists(runs, job.key) and not seen[job.training_key] then
      seen[job.training_key], n, first = true, n + 1, first or job
    end
  end
  return n, first
end

-- How many processes finish soonest, of 1, 2, 4, ... and `most`; more than one must promise 5 % less. Returns it and
-- the seconds.
local function soonest(runs, jobs, most, start, speeds)
  local best, least, n = 1, with(runs, jobs, 1, start, speeds), 2
  while n <= most do
    local seconds_of_n = with(runs, jobs, n, start, speeds)
    if seconds_of_n < 0.95 * least then best, least = n, seconds_of_n end
    n = n < most and math.min(2 * n, most) or most + 1
  end
  return best, least
end

-- Bytes of its device that a process takes for the cells of a job.
local function taken(job)
  local p, settings = job.point, job.settings:with { optimizer = optim.sgd { rate = 1e-9 } }
  local before, plan = devices.room(settings.device), p.model.make(0):plan(settings:to_train(p.train))
  local items = p.train.items:count() * element_bytes[p.train.items:type()]
  return math.max(before - devices.room(settings.device), plan:bytes() + items) + CONTEXT
end

-- Processes that `count` devices like the job's have room for.
local function sharing(job, count)
  local free = devices.room(job.settings.device)
  if not free then return count end
  return count * math.max(1, math.min(SHARING, math.floor(free / taken(job))))
end

-- How many processes, and the seconds that they will need, by measuring. parallel: a number, or 'auto'; start: what a
-- process needs before its first cell; count: devices.
function M.measured(runs, jobs, parallel, start, count)
  local function speeds() return measure end
  local n, first = trainings(runs, jobs)
  local most = math.min(c.C.hz_cpu_threads(), n, room())
  if parallel == 'auto' and is_late(jobs) then
    parallel = first and math.max(1, math.min(most, sharing(first, count))) or 1
  elseif parallel == 'auto' then
    parallel = soonest(runs, jobs, most, start, speeds)
  end
  return parallel, with(runs, jobs, parallel, start, speeds, count)
end

-- How many processes, by a glance where 'auto' leaves a choice.
function M.glanced(runs, jobs, parallel, start, count)
  local n, first = trainings(runs, jobs)
  local most = math.min(c.C.hz_cpu_threads(), n, room())
  if parallel == 'auto' and most > 1 and is_late(jobs) then
    parallel = math.min(most, sharing(first, count))
  elseif parallel == 'auto' and most > 1 then
    local look = glance(first)
    parallel = soonest(runs, jobs, most, start, function() return by_size(look()) end)
  end
  give_costs(jobs, by_size(1), 1)
  set_left(runs, jobs)
  return parallel == 'auto' and 1 or parallel
end

-- ---- while it runs ----

-- A cell begins.
function M.starts(job) job.began, job.from = { at = c.C.hz_seconds(), left = job.left }, nil end

-- It has come to so many epochs.
function M.reached(job, epochs)
  job.left = (job.settings.epochs - epochs) * job.cost.epoch + job.cost.finish
  job.from = job.from or { at = c.C.hz_seconds(), left = job.left }
end

-- It is finished: what it took from its beginning to its end says how long others will.
function M.ends(job) job.left, job.from, job.ended = 0, job.began, c.C.hz_seconds() end

-- Seconds of a unit of a job's costs, from what jobs of its kind have taken, or any; nil before the first steps.
local function pace_of(jobs)
  local spent, done, all, whole = {}, {}, 0, 0
  for _, job in ipairs(jobs) do
    local from, k = job.from, job.kind
    if from and from.left > job.left then
      local took = (job.ended or c.C.hz_seconds()) - from.at
      spent[k], done[k] = (spent[k] or 0) + took, (done[k] or 0) + from.left - job.left
      all, whole = all + took, whole + from.left - job.left
    end
  end
  return whole > 0 and function(job)
    return done[job.kind] and spent[job.kind] / done[job.kind] or all / whole
  end or nil
end

-- Seconds until the sweep is done; nil where nothing is known yet.
function M.to_go(jobs, processes)
  local pace = pace_of(jobs)
  return pace and M.span(jobs, processes, pace)
end

return M
