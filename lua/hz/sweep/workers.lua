-- workers.lua: the cells of a sweep in several processes at once. Each worker is hz itself, spawned with the same
-- script and the same arguments; when it comes to the sweep it computes the cells that it is told and then ends. The
-- sweep's own process hands out cells, shows one status line over all, and replaces a worker that is lost; a worker
-- whose parent dies stops as by SIGTERM.
--   to a worker, on stdin     the number of a cell, one per line; the end means: end
--   from it, on stderr        records, RS and JSON on a line of their own (RFC 7464); any other line is passed on
-- What a worker needs to know it finds in HZ_SWEEP_WORKER: its parent's process number and the sweep's id; and in
-- HZ_SWEEP_DEVICE: which of the sweep's devices is its own. They are given out in turn.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local json = require 'hz.base.json'
local posix = require 'hz.ext.posix'
local predict = require 'hz.sweep.predict'
local process = require 'hz.ext.process'
local stop = require 'hz.exit'.stop
local text = require 'hz.sweep.text'
local threads = require 'hz.sweep.threads'

local M = {}

local MARK = '\30'                 -- opens a record
local LOSSES = 3                   -- a cell that loses so many processes without an epoch between is failed
local REPORT = 0.2                 -- seconds between a worker's records of its steps
local AGAIN = 0.3                  -- seconds until a cell that another sweep was at work on is tried again

-- ---- in a worker ----

-- What this process is for the sweep `id`: nil for a process of its own, 'worker', or 'other' in a worker of another
-- sweep.
function M.role(id)
  local parent, wanted = (os.getenv 'HZ_SWEEP_WORKER' or ''):match '^(%d+) (.+)$'
  if not parent then return nil end
  return wanted == id and 'worker' or 'other', tonumber(parent)
end

local function tell(record) io.stderr:write(MARK .. json.encode(record) .. '\n') end

local function hooks(job)
  local last = -1
  return {
    on_step = function(run)
      local now = c.C.hz_seconds()
      if now - last < REPORT then return end
      last = now
      tell { event = 'step', job = job.number, epochs = run.plan.epoch + run.seen / #job.point.train.labels }
    end,
    on_epoch = function(row)
      tell { event = 'epoch', job = job.number, epoch = row.epoch, loss = row.loss, accuracy = row.accuracy,
        watch_accuracy = row.watch_accuracy }
    end,
  }
end

-- What came of a cell: a record for the parent.
local function compute(self, job)
  local ok, mine, owner = pcall(cell.run, self.runs, job, hooks(job))
  if ok then return { event = mine and 'done' or 'busy', job = job.number, owner = owner and owner.text } end
  if c.is_interrupt(mine) then error(mine, 0) end
  return { event = self:of_the_disk(tostring(mine)) and 'stop' or 'failed', job = job.number, message = tostring(mine) }
end

local function serve(self)
  tell { event = 'ready' }
  c.poll()
  for line in io.lines() do
    local job = self.jobs[tonumber(line)]
    tell(compute(self, job))
    c.poll()
    collectgarbage()
  end
end

-- Computes cells until the parent has no more, then ends the script.
function M.serve(self)
  local _, parent = M.role(self.id)
  process.ignore(process.SIGINT)                       -- Ctrl-C reaches all of us; the parent decides
  process.ignore(process.SIGPIPE)
  local status = 75
  if process.end_with_parent(parent) then
    local ok, e = pcall(serve, self)
    if not ok and not c.is_interrupt(e) then error(e, 0) end
    status = c.interrupted() == 0 and ok and 0 or 75
  end
  stop(status)
end

-- ---- in the sweep's own process ----

local Crew = {}
Crew.__index = Crew

-- The command that runs this script again; nil at the prompt or when the script came from stdin.
function M.command() return (rawget(_G, '_HZ') or {}).command end

function Crew:start(number)
  local command = M.command()
  local devices = self.sweep.devices
  local set = { HZ_SWEEP_WORKER = ('%d %s'):format(posix.pid(), self.sweep.id),
                HZ_SWEEP_DEVICE = devices[(number - 1) % #devices + 1],
                HZ_THREADS = threads.share(c.C.hz_cpu_threads(), self.wanted, number) }
  local worker, reason = process.start('/proc/self/exe', command, set)
  if not worker then c.fail('sweep: process %d of %d cannot be started: %s', number, self.wanted, reason) end
  worker.number = number
  self.workers[#self.workers + 1] = worker
end

local function drop(list, item)
  for i, x in ipairs(list) do
    if x == item then return table.remove(list, i) end
  end
end

-- Whether a cell may be given out now: nobody is at work on it or on a training that it shares.
function Crew:is_free(job)
  if not self.sweep:wants(job) or (job.later or 0) > c.C.hz_seconds() then return false end
  for _, w in ipairs(self.workers) do
    if w.job and w.job.training_key == job.training_key then return false end
  end
  return true
end

-- The next cell to compute, in order; those that are there already are taken in on the way.
function Crew:next()
  for _, job in ipairs(self.sweep.order) do
    if self:is_free(job) then
      local there = cell.exists(self.sweep.runs, job.key)
      if not there and not self.sweep:over() then return job end
      if there then self.sweep:finish_cell(job) else job.spare = true end
    end
  end
end

function Crew:hand_out()
  for _, w in ipairs(self.workers) do
    local job = w.ready and not w.job and self:next()
    if job then
      w.job, job.at = job, nil
      predict.starts(job)
      w:send(job.number .. '\n')                       -- one that has ended meanwhile is noticed by its silence
    end
  end
end

-- Workers that are missing, but no more than there are cells.
function Crew:fill()
  local numbers = {}
  for _, w in ipairs(self.workers) do numbers[w.number] = true end
  for i = 1, math.min(self.wanted, self.sweep:unfinished()) do
    if not numbers[i] then self:start(i) end
  end
end

-- ---- what workers say ----

local heard = {}

function heard.ready(self, w) w.ready, self.stillborn = true, 0 end

function heard.step(self, _, job, r)
  job.at = r.epochs
  predict.reached(job, r.epochs)
end

function heard.epoch(self, _, job, r)
  job.at, job.losses = r.epoch, 0
  predict.reached(job, r.epoch)
  if not self.sweep.progress.live then self.sweep.progress:line(text.epoch(self.sweep, job, r)) end
end

function heard.done(self, w, job)
  w.job, self.owner = nil, nil
  self.sweep.progress:clear()
  self.sweep:finish_cell(job, true)
end

function heard.busy(self, w, job, r)
  w.job, job.later, self.owner = nil, c.C.hz_seconds() + AGAIN, r.owner
end

function heard.failed(self, w, job, r)
  w.job = nil
  self.sweep.progress:clear()
  self.sweep:fail_cell(job, r.message)
end

function heard.stop(_, _, _, r) error(r.message, 0) end

function Crew:hear(w, line)
  if line:sub(1, 1) ~= MARK then
    if not self.stopping then
      self.sweep.progress:clear()
      self.sweep.progress:line(line)
    end
    return
  end
  local r = json.decode(line:sub(2), 'worker')
  if not self.stopping then heard[r.event](self, w, self.sweep.jobs[r.job], r) end
end

-- ---- workers that end ----

-- A worker has ended although nobody told it to: its cell is given out again, unless it has cost too many.
function Crew:lost(w, how)
  local job = w.job
  if not w.ready then
    self.stillborn = self.stillborn + 1
    if self.stillborn >= LOSSES then
      c.fail('sweep: processes for it end (%s) before they come to %s; '
        .. 'needs a script that does the same each time it is run', how, self.sweep.id)
    end
  elseif job then
    job.losses = (job.losses or 0) + 1
    self.sweep.progress:clear()
    if job.losses >= LOSSES then
      self.sweep:fail_cell(job, ('each of %d processes that computed it ended (%s)'):format(LOSSES, how))
    else
      self.sweep.progress:line(text.remark(self.sweep, job, ('its process ended (%s); another goes on'):format(how)))
    end
  end
end

function Crew:ended(w)
  drop(self.workers, w)
  local status, signal = w:wait()
  w:close()
  if not self.stopping then self:lost(w, signal and 'signal ' .. signal or 'status ' .. status) end
end

-- Hears all that workers say within `seconds`.
function Crew:listen(seconds)
  for _, w in ipairs(process.await(self.workers, seconds)) do
    local lines, ended = w:lines()
    for _, line in ipairs(lines) do self:hear(w, line) end
    local half = w.rest:sub(1, 1) == MARK              -- a record that is cut off says nothing
    if ended and w.rest ~= '' and not half then self:hear(w, w.rest) end
    if ended then self:ended(w) end
  end
end

-- ---- the whole ----

function Crew:show()
  local sweep, running = self.sweep, {}
  for _, w in ipairs(self.workers) do running[#running + 1] = w.job end
  local left = sweep:unfinished()
  if #running == 0 and self.owner then
    local line = text.waiting(sweep, self.owner, left)
    if sweep.progress.live then sweep.progress:show(line) elseif not self.told then sweep.progress:line(line) end
    self.told = true
  elseif #running > 0 then
    sweep.progress:show(function() return text.status_of_all(sweep, #sweep.jobs - left, running) end)
  end
end

-- Tells all workers to end and waits for them: those at work write a resume point first.
function Crew:stop(signal)
  self.stopping = true
  for _, w in ipairs(self.workers) do
    w:close_input()
    if signal then w:kill(signal) end
  end
  while #self.workers > 0 do self:listen(1) end
end

local function loop(self)
  while self.sweep:unfinished() > 0 do
    self:fill()
    self:hand_out()
    self:listen(0.1)
    self:show()
    c.poll()
  end
end

-- Works with `wanted` processes until all cells are there. A signal, or trouble with the disk, stops them all and is
-- raised.
function M.work(sweep, wanted)
  local self = setmetatable({ sweep = sweep, wanted = wanted, workers = {}, stillborn = 0 }, Crew)
  local ok, e = pcall(loop, self)
  sweep.progress:clear()
  self:stop(not ok and process.SIGTERM or nil)
  if ok then return end
  if c.is_interrupt(e) then c.interrupt(e.signal, 'stopped; the same command resumes') end
  error(e, 0)
end

return M
