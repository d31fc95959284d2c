-- sweep.lua: cells in order, one after the other, each at most once however many processes share the runs folder. Stopping and
-- starting again is resuming: finished cells are skipped, a half-done one goes on from its resume point.
local c = require 'hz.c'
local axes = require 'hz.axes'
local cell = require 'hz.cell'
local file = require 'hz.file'
local manifest = require 'hz.manifest'
local predict = require 'hz.predict'
local duration = require 'hz.progress'.duration

local M, Sweep = {}, {}
Sweep.__index = Sweep

-- ---- words ----

local function code_of(name, quality) return name == 'raw' and 'raw' or quality and name .. ' ' .. tostring(quality) or name end

-- "jpeg 10, small, seed 1"
function M.title(labels)
  local a, b = code_of(labels.codec, labels.quality), code_of(labels.codec_test, labels.quality_test)
  return ('%s%s, %s, seed %d'):format(a, a ~= b and ' tested on ' .. b or '', labels.model, labels.seed)
end

-- What matters most stands first: narrow terminals cut the end off.
local function status_line(self, run, job)
  local left = self:left_of(job, run.plan.epoch + run.seen / #job.point.train.labels)
  local rate = run.epoch_seconds > 0 and run.seen / run.epoch_seconds or run.rate
  return ('cell %d/%d, %s left: %s, epoch %d/%d, loss %.3f, accuracy %.1f %%, %.0f images/s'):format(job.number, #self.jobs, duration(left),
    M.title(job.labels), run.plan.epoch + 1, job.epochs, run.loss_sum / run.seen, 100 * run.correct / run.seen, rate)
end

local function epoch_line(self, row, job)
  return ('cell %d/%d  %s  epoch %d/%d  loss %.4f  accuracy %.1f %%  %s %.1f %%  %s left'):format(job.number, #self.jobs, M.title(job.labels),
    row.epoch, job.epochs, row.loss, 100 * row.accuracy, job.keep_best and 'test' or 'validation', 100 * (row.watch_accuracy or 0),
    duration(self:left_of(job, row.epoch)))
end

local function closing_line(self, job, record)
  local what = record.status == 'failed'
    and ('failed in epoch %d, layer %s: %s'):format(record.failure.epoch, record.failure.layer, record.failure.message)
    or ('accuracy %.2f %%  in %s'):format(100 * record.accuracy, duration(record.run.seconds))
  return ('cell %d/%d  %s  %s'):format(job.number, #self.jobs, M.title(job.labels), what)
end

-- ---- time ----

-- Predicted seconds after `epochs` epochs of `job`, corrected by how the prediction has fared so far.
function Sweep:left_of(job, epochs)
  self.later = self.later or predict.left(self.runs, self.jobs) - predict.left(self.runs, { job })      -- of the other cells
  local left = (job.epochs - epochs) * job.cost.epoch + job.cost.finish + self.later
  local predicted = self.predicted - left
  local spent = c.C.hz_seconds() - self.started
  if predicted > 1 and spent > 1 then left = left * math.max(0.2, math.min(5, spent / predicted)) end
  return left
end

-- ---- running ----

local function failed(self, job, message)
  self.failed[#self.failed + 1] = { job = job, message = message }
end

local function finish(self, job)
  local ok, record = pcall(cell.read, self.runs, job.key)
  job.finished = true
  if not ok then
    if c.is_interrupt(record) then error(record, 0) end
    failed(self, job, ('%s; remove the file, and the same command computes the cell anew'):format(record))
    self.progress:line(('cell %d/%d  %s  unreadable: %s'):format(job.number, #self.jobs, M.title(job.labels), record))
    return
  end
  self.records[job.number] = record
  pcall(cell.tidy, self.runs, job)                     -- a folder that cannot be written to may be read
  if record.status == 'failed' then failed(self, job, record.failure.message) end
  return record
end

-- What would hit the next cell as well ends the sweep; anything else is the cell's own trouble.
local function of_the_disk(message)
  for _, who in ipairs { 'write: ', 'mkdir: ', 'lock: ', 'rename: ', 'remove: ' } do
    if message:find(who, 1, true) then return true end
  end
end

local function compute(self, job)
  self.later = nil                                     -- found out when a line wants it
  local progress = self.progress
  local ok, mine, owner = pcall(cell.run, self.runs, job, {
    on_step = function(run) progress:show(function() return status_line(self, run, job) end) end,
    on_epoch = function(row)
      if progress.live then progress:show(epoch_line(self, row, job)) else progress:line(epoch_line(self, row, job)) end
    end,
  })
  progress:clear()
  if ok and not mine then return false, owner end
  if ok then
    local record = finish(self, job)
    if record then progress:line(closing_line(self, job, record)) end
  elseif c.is_interrupt(mine) or of_the_disk(tostring(mine)) then
    error(mine, 0)
  else
    job.finished = true
    failed(self, job, tostring(mine))
    progress:line(('cell %d/%d  %s  failed: %s'):format(job.number, #self.jobs, M.title(job.labels), tostring(mine)))
  end
  return true
end

-- One pass over what is left. Returns whether something was done, and who is at work on the rest.
local function pass(self)
  local moved, owner = false, nil
  for _, job in ipairs(self.jobs) do
    if not job.finished then
      c.poll()
      if cell.exists(self.runs, job.key) then
        finish(self, job)
        moved = true
      else
        local mine, other = compute(self, job)
        moved, owner = moved or mine, owner or other
      end
    end
  end
  return moved, owner
end

local function unfinished(self)
  local n = 0
  for _, job in ipairs(self.jobs) do n = n + (job.finished and 0 or 1) end
  return n
end

-- Works until all cells are there; waits for those that other processes are at work on, and takes over from any that dies.
local function work(self)
  local told = false
  while unfinished(self) > 0 do
    local moved, owner = pass(self)
    if not moved and owner then
      local text = ('waiting for %s, which is at work on %d of %d cells'):format(owner.text, unfinished(self), #self.jobs)
      if self.progress.live then self.progress:show(text) elseif not told then self.progress:line(text) end
      told = true
      require 'hz.ext.posix'.sleep(0.3)
      c.poll()
    end
  end
  self.progress:clear()
end

-- ---- beginning ----

local function count_done(self)
  local n = 0
  for i, job in ipairs(self.jobs) do
    job.number = i
    n = n + (cell.exists(self.runs, job.key) and 1 or 0)
  end
  return n
end

-- "12 cells, 3 of them finished; about 14:05 to go"
local function announce(self)
  local done = count_done(self)
  if done < #self.jobs then
    predict.costs(self.jobs)
    self.predicted = predict.left(self.runs, self.jobs)
  end
  print(('sweep %s: %d cell%s%s%s'):format(self.id, #self.jobs, #self.jobs == 1 and '' or 's', done > 0 and (', %d of them finished'):format(done) or '',
    self.predicted and (', about %s to go'):format(duration(self.predicted)) or ''))
  io.stdout:flush()
end

local known = {}
for name in ('name runs request dry data codec quality codec_test quality_test model seed weights protocol train test epochs batch optimizer augment smoothing dtype device'):gmatch '%S+' do
  known[name] = true
end
local standard = { name = 'sweep', codec = { 'jpeg' }, protocol = 'strict', seed = { 1 }, batch = 128, smoothing = 0, dtype = 'f32' }

-- What was asked for, in plain values: two sweeps of the same request differ only in what the world has become since.
local function request_of(o)
  local r = { data = {} }
  for i, d in ipairs(o.data) do r.data[i] = d.name end
  for k, v in pairs(o) do
    if k ~= 'data' and k ~= 'optimizer' and k ~= 'runs' and k ~= 'dry' and k ~= 'weights_digest' then r[k] = v end
  end
  return r
end

local function check(o)
  for k in pairs(o) do
    if not known[k] then c.fail("sweep: '%s' is unknown; see ? hz.sweep", tostring(k)) end
  end
  for k, v in pairs(standard) do if o[k] == nil then o[k] = v end end
  o.device, o.augment = o.device or require 'hz.plan'.default_device(), o.augment or {}
  for _, k in ipairs { 'data', 'quality', 'model', 'epochs', 'optimizer' } do
    if o[k] == nil then c.fail('sweep: %s is missing; needs data, quality, model, epochs and optimizer', k) end
  end
  for _, k in ipairs { 'data', 'codec', 'quality', 'model', 'seed' } do
    if type(o[k]) ~= 'table' or #o[k] == 0 then c.fail('sweep: %s is %s; needs a list', k, type(o[k]) == 'table' and 'empty' or tostring(o[k])) end
  end
  if o.epochs == 0 and not o.weights then c.fail('sweep: epochs is 0; needs weights=FILE to score, or at least one epoch') end
end

-- Runs a sweep. o: name, runs (folder; default HZ_RUNS or ./runs), request (the knobs as given, kept in the manifest), dry (true: only
-- count and predict), and the axes and settings of axes.jobs. Returns { id, runs, jobs, records, failed }; printing it gives the table.
function M.run(o)
  check(o)
  local jobs = axes.jobs(o)
  local self = setmetatable({ runs = manifest.runs(o.runs), jobs = jobs, records = {}, failed = {}, progress = require 'hz.progress'.new(),
    started = c.C.hz_seconds(), predicted = nil, id = manifest.id(o.name, jobs) }, Sweep)
  if not o.dry then
    file.mkdir(cell.folder(self.runs))
    file.sweep(cell.folder(self.runs))
    local _, old, reason = manifest.store(self.runs, o.name, o.request or request_of(o), jobs)
    if old then print(('sweep %s: computed anew, because this differs since %s: %s'):format(self.id, old, reason)) end
  end
  announce(self)
  if o.dry then return self end
  self.started = c.C.hz_seconds()
  work(self)
  return self
end

-- Lines about the cells that failed, and where the results are.
function Sweep:closing()
  local lines = {}
  for _, f in ipairs(self.failed) do
    lines[#lines + 1] = ('failed: cell %d, %s: %s'):format(f.job.number, M.title(f.job.labels), f.message)
  end
  lines[#lines + 1] = ('stored in %s; once more: hz report %s%s'):format(self.runs, self.id, self.runs == 'runs' and '' or ' runs=' .. self.runs)
  return table.concat(lines, '\n')
end

-- Ends the script: status 3 if a cell failed.
function Sweep:finish()
  if #self.failed > 0 then
    require 'hz.exit'.stop(3, ('%d of %d cells failed'):format(#self.failed, #self.jobs))
  end
end

-- Writes the plot of accuracy over bits as an SVG file.
function Sweep:plot(path)
  local report = require 'hz.report'
  file.write(path, report.svg(report.of_sweep(self)))
end

function Sweep:__tostring() return require 'hz.report'.text(require 'hz.report'.of_sweep(self)) end

return M
