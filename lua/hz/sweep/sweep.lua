-- sweep.lua: cells in order, one after the other or several at once (workers.lua), each at most once however many
-- processes share the runs folder. Stopping and starting again is resuming: finished cells are skipped, a half-done
-- one goes on from its resume point.
local c = require 'hz.c'
local axes = require 'hz.sweep.axes'
local cell = require 'hz.sweep.cell'
local devices = require 'hz.net.devices'
local equal = require 'hz.sweep.equal'
local isa = require 'hz.isa'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local index = require 'hz.sweep.index'
local kernels = require 'hz.sweep.kernels'
local manifest = require 'hz.sweep.manifest'
local posix = require 'hz.ext.posix'
local predict = require 'hz.sweep.predict'
local progress = require 'hz.base.progress'
local protocol = require 'hz.sweep.protocol'
local request = require 'hz.sweep.request'
local say = require 'hz.base.say'
local say_remarks = require 'hz.base.remarks'
local source = require 'hz.data.source'
local text = require 'hz.sweep.text'
local visible = require 'hz.base.visible'.line
local workers = require 'hz.sweep.workers'

local MANY = 50                    -- finished cells that are not read one by one
local LONG = 600                   -- seconds of a sweep that one would rather know of before

local M, Sweep, methods = {}, {}, {}
M.Sweep, M.methods = Sweep, methods       -- report/sweep.lua adds how it is shown
function M.is(x) return isa(x, Sweep) end

-- ---- running ----

local function failed(self, job, message)
  self.failed[#self.failed + 1] = { job = job, message = message }
end

local function check_job(self, who, job)
  if type(job) ~= 'table' or job.number == nil or self.jobs[job.number] ~= job then
    need.fail(who, 'the job', job, 'one of the jobs of this sweep')
  end
end

-- Takes a finished cell in; `new` says that this sweep computed it.
function methods:finish_cell(job, new)
  check_job(self, 'finish_cell', job)
  local ok, record = true, not new and self.known[job.key]
  if not record then ok, record = c.try(cell.read, self.runs, job.key) end
  job.finished = true
  predict.ends(job)
  if not ok then
    failed(self, job, ('%s; remove the file, and the same command computes the cell anew'):format(record))
    self.progress:line(text.remark(self, job, 'unreadable: ' .. tostring(record)))
    return
  end
  self.records[job.number] = record
  c.try(cell.tidy, self.runs, job)                     -- a folder that cannot be written to may be read
  if record.status == 'failed' then failed(self, job, record.failure.message) end
  if not new then return end
  self.progress:line(text.closing(self, job, record))
  local line = self.hooks.told and self.hooks.told(self, job)
  if line then self.progress:line(line) end
end

-- Gives a cell up; the others go on.
function methods:fail_cell(job, message)
  check_job(self, 'fail_cell', job)
  need.text('fail_cell', 'the message', message)
  job.finished = true
  predict.ends(job)
  failed(self, job, message)
  self.progress:line(text.remark(self, job, 'failed: ' .. message))
end

-- Whether a cell is still to be computed. A spare one is not: one of adaptive seeds that no look has asked for yet, or
-- whatever had not begun when the hours were over.
function methods:wants(job)
  check_job(self, 'wants', job)
  return not job.finished and not job.spare
end

function methods:unfinished()
  local n = 0
  for _, job in ipairs(self.jobs) do n = n + (not job.finished and not job.spare and 1 or 0) end
  return n
end

-- Whether the time is over in which cells may begin.
function methods:over()
  local over = self.deadline ~= nil and c.C.hz_seconds() > self.deadline
  if over and self:unfinished() > 0 then self.stopped = true end
  return over
end

-- What would hit the next cell as well ends the sweep; anything else is the cell's own trouble.
function methods:of_the_disk(message)
  need.text('of_the_disk', 'the message', message)
  for _, who in ipairs { 'write: ', 'mkdir: ', 'lock: ', 'rename: ', 'remove: ' } do
    if message:find(who, 1, true) then return true end
  end
end

local function show_step(self, job, run)
  local epochs = run.plan.epoch + run.seen / #job.point.train.labels
  predict.reached(job, epochs)
  self.progress:show(function()
    return text.status(self, job, { epochs = epochs, loss = run.loss_sum / run.seen, accuracy = run.correct / run.seen,
      rate = run.epoch_seconds > 0 and run.seen / run.epoch_seconds or run.rate })
  end)
end

local function show_epoch(self, job, row)
  predict.reached(job, row.epoch)
  local line = text.epoch(self, job, row)
  if self.progress.live then self.progress:show(line) else self.progress:line(line) end
end

local function compute(self, job)
  predict.starts(job)
  local ok, mine, owner = pcall(cell.run, self.runs, job,
    { on_step = function(run) show_step(self, job, run) end, on_epoch = function(row) show_epoch(self, job, row) end })
  self.progress:clear()
  if ok and not mine then return false, owner end
  if ok then
    self:finish_cell(job, true)
  elseif c.is_interrupt(mine) or self:of_the_disk(tostring(mine)) then
    error(mine, 0)
  else
    self:fail_cell(job, tostring(mine))
  end
  return true
end

-- One pass over what is left. Returns whether something was done, and who is at work on the rest.
local function pass(self)
  local moved, owner = false, nil
  for _, job in ipairs(self.order) do
    if self:wants(job) then
      c.poll()
      if cell.exists(self.runs, job.key) then
        self:finish_cell(job)
        moved = true
      elseif self:over() then
        job.spare = true
      else
        local mine, other = compute(self, job)
        moved, owner = moved or mine, owner or other
      end
    end
  end
  return moved, owner
end

-- Works until all cells are there; waits for those that other processes are at work on, and takes over from any that
-- dies.
local function work(self)
  local told = false
  while self:unfinished() > 0 do
    local moved, owner = pass(self)
    if not moved and owner then
      local line = text.waiting(self, owner.text, self:unfinished())
      if self.progress.live then self.progress:show(line) elseif not told then self.progress:line(line) end
      told = true
      posix.sleep(0.3)
      c.poll()
    end
  end
  self.progress:clear()
end

-- ---- beginning ----

-- Numbers the jobs; keys of those that are finished.
local function count_done(self)
  local done = {}
  for i, job in ipairs(self.jobs) do
    job.number = i
    if cell.exists(self.runs, job.key) then done[#done + 1] = job.key end
  end
  return done
end

-- Takes the records of many finished cells from the index; those that it cannot read are read, and named, as they are
-- taken in.
local function recall(self, keys)
  if #keys < MANY then return end
  for _, record in ipairs((index.records(self.runs, keys))) do self.known[record.key] = record end
end

-- How many processes compute the cells, and where that is all that is asked the seconds they will need. parallel: a
-- number or 'auto'.
local function settle(self, parallel, dry, start)
  if parallel ~= 'auto' then
    parallel = math.min(parallel, #self.jobs)
  elseif not workers.command() then
    parallel = 1
  end
  return predict[dry and 'measured' or 'glanced'](self.runs, self.jobs, parallel, start, #self.devices)
end

-- "12 cells, 3 of them finished, 2 cells at a time"; of a dry run, and where that is to be foretold, also "about 14:05
-- to go".
local function announce(self, o, start)
  local keys, seconds = count_done(self), nil
  local done = #keys
  if not o.dry then recall(self, keys) end
  if done < #self.jobs then self.processes, seconds = settle(self, o.parallel, o.dry or o.foretell, start) end
  self.predicted = seconds
  print(('sweep %s: %d cell%s%s%s%s%s'):format(visible(self.id), #self.jobs, #self.jobs == 1 and '' or 's',
    self.adaptive and (' at most, %d at the first look'):format(self:unfinished()) or '',
    done > 0 and (', %d of them finished'):format(done) or '',
    seconds and (', about %s to go'):format(progress.duration(seconds)) or '',
    self.processes > 1 and (', %d cells at a time'):format(self.processes) or ''))
  if seconds and seconds > LONG and not o.dry then
    print 'that is long: dry=true says it and starts nothing; stopped by Ctrl-C, the same command goes on where it was'
  end
  io.stdout:flush()
end

-- In a worker of another sweep of the same script nothing is computed: what is there is taken in, as the script goes
-- on from it.
local function take_in(self)
  count_done(self)
  for _, job in ipairs(self.jobs) do
    if cell.exists(self.runs, job.key) then
      self:finish_cell(job)
    else
      failed(self, job, 'another process computes it')
    end
  end
  return self
end

-- Held until the sweep ends, so that `hz runs rm` keeps away; nil in a folder that can only be read.
local function hold(self)
  file.mkdir(manifest.folder(self.runs))
  local ok, lock, owner = c.try(file.share, manifest.lock_path(self.runs, self.id))
  if ok and not lock then c.fail('sweep %s: %s is removing it', self.id, owner.text) end
  return ok and lock or nil
end

local function begin(self, o)
  file.mkdir(cell.folder(self.runs))
  cell.sweep(self.runs)
  file.sweep(manifest.folder(self.runs))
  local _, old, reason = manifest.store(self.runs, o.name, o.request or request.of(o), self.jobs, self.kernels,
    self.adaptive)
  if old then
    print(visible(('sweep %s: computed anew, because this differs since %s: %s'):format(self.id, old, reason)))
  end
end

-- Sets aside what the first look does not need.
local function first_look(self)
  for _, job in ipairs(self.jobs) do
    job.spare = self.adaptive and not job.labels.control and job.labels.seed > protocol.looks[1].seeds
  end
end

-- Jobs as they are done: the first seed gives a whole curve; where there are three or more, the untouched data come
-- next, which say how far seeds differ, and whether there can be a verdict at all.
local function in_order(jobs, seeds)
  local parts, out = { {}, {}, {} }, {}
  for _, job in ipairs(jobs) do
    local e = job.point.encoding
    local plain = not job.labels.control and not e.train.codec and not e.test.codec
    table.insert(parts[#seeds < 3 and 1 or job.labels.seed == seeds[1] and 1 or plain and 2 or 3], job)
  end
  for _, part in ipairs(parts) do
    for _, job in ipairs(part) do out[#out + 1] = job end
  end
  return out
end

local function go(self, o, start)
  begin(self, o)
  announce(self, o, start)
  repeat
    predict.renew(self.runs, self.jobs)
    if self.processes > 1 then workers.work(self, self.processes) else work(self) end
  until not self.adaptive or self:over() or not self.hooks.more(self)
end

-- What is odd about the data; and what was a JPEG or an MP3 before is called raw nowhere without a word.
local function warn(o)
  for _, data in ipairs(o.data) do
    say_remarks { data.train, data.test }
    local files = data.train.files
    if files and files.facts.lossy then
      say(("%s: 'raw' is not raw: its %s are those of %s; what that cost is in every row"):format(data.name,
        data.train.sounds and 'samples' or 'pixels', source.long(files.facts)))
    end
  end
end

-- Runs a sweep. o: name, runs (folder; default HZ_RUNS or ./runs), request (the knobs as given, kept in the
-- manifest), dry (true: only count and predict), foretell (true: predict before it begins), parallel (cells at a time,
-- each in a process of its own with its share of the threads; 'auto': as many as finish soonest; default 1), tune
-- (true: kernels by trial), margin and alpha (of the verdicts: protocol.asked), hours (after which no cell begins), and
-- the axes and settings of axes.jobs, of which seed may be 'adaptive'; any other key is a parameter of the codecs
-- (encodings.lua). hooks: told(sweep, job) -> a line for people, or nil, after a cell; more(sweep), of adaptive seeds:
-- takes spare cells back that another look needs, and says whether there are any. Returns { id, runs, jobs, records,
-- failed, stopped = whether the hours were over before the end }.
function M.run(o, hooks)
  local start = os.clock()                             -- what a process needs to get here
  request.check(o)
  local jobs, bits = axes.jobs(o)
  equal.show(bits)
  local chosen = o.tune and kernels.choose(o, jobs)     -- before the sweep has its id, which follows from them
  local self = setmetatable({ id = manifest.id(o.name, jobs), runs = manifest.runs(o.runs), jobs = jobs, records = {},
    known = {}, failed = {}, progress = progress.new(), processes = 1, kernels = chosen,
    margin = o.margin, alpha = o.alpha, force = o.force, adaptive = o.adaptive or false, stopped = false,
    devices = devices.list(o.device), order = in_order(jobs, o.seed), hooks = hooks or {},
    deadline = o.hours and c.C.hz_seconds() + 3600 * o.hours }, Sweep)
  first_look(self)
  local role = workers.role(self.id)
  if role == 'other' then return take_in(self) end
  if role == 'worker' then
    count_done(self)
    workers.serve(self)
  end
  warn(o)
  if o.dry then
    announce(self, o, start)
    return self
  end
  local lock = hold(self)
  local ok, e = pcall(go, self, o, start)
  if lock then lock:release() end
  if not ok then error(e, 0) end
  return self
end

-- ' margin=0.02' where a verdict is asked for otherwise than usual.
local function asked_text(self)
  local text = self.force and ' force=true' or ''
  for _, row in ipairs(protocol.asked) do
    local v = self[row[1]]
    if v and v ~= row[2] then text = ('%s %s=%.14g'):format(text, row[1], v) end
  end
  return text
end

-- Lines about the cells that failed, and where the results are.
function methods:closing()
  local lines = {}
  for _, f in ipairs(self.failed) do
    lines[#lines + 1] = ('failed: cell %d, %s: %s'):format(f.job.number, text.title(f.job.labels), f.message)
  end
  lines[#lines + 1] = ('stored in %s; once more: hz report %s%s%s'):format(self.runs, self.id,
    self.runs == 'runs' and '' or ' runs=' .. self.runs, asked_text(self))
  for i, line in ipairs(lines) do lines[i] = visible(line) end
  return table.concat(lines, '\n')
end

-- Ends the script: status 3 if a cell failed.
function methods:finish()
  if #self.failed > 0 then
    exit.stop(3, ('%d of %d cells failed'):format(#self.failed, #self.jobs))
  end
end

names.receivers('sweep', methods, M.is)
Sweep.__index, Sweep.__names = names.index('sweep', methods, 'kernels margin alpha deadline predicted'), methods

return M
