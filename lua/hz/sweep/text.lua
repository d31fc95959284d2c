-- text.lua: what a sweep says while it runs, in words and in time left. `self` is the sweep: jobs, processes.
local c = require 'hz.c'
local encoding = require 'hz.codec.encoding'
local predict = require 'hz.sweep.predict'
local duration = require 'hz.base.progress'.duration
local visible = require 'hz.base.visible'.line

local M = {}

-- What a control is, behind what it is of.
local function control(labels)
  if not labels.control then return '' end
  return labels.damage and (' with %.4g %% damaged'):format(100 * labels.damage) or ' again'
end

-- "jpeg 10, small, seed 1"
function M.title(labels)
  local a, b = encoding.of(labels, '').text, encoding.of(labels, '_test').text
  return visible(('%s%s%s, %s, seed %d%s'):format(a, control(labels), a ~= b and ' tested on ' .. b or '', labels.model,
    labels.seed, labels.dtype == 'bf16' and ', bf16' or ''))
end

-- ---- time ----

-- How long the sweep still needs, in words behind `before`; '' as long as nobody knows.
local function left(self, before)
  local seconds = predict.to_go(self.jobs, self.processes)
  return seconds and before .. duration(seconds) .. ' left' or ''
end

-- ---- lines ----

local function head(self, job) return ('cell %d/%d'):format(job.number, #self.jobs) end

-- One cell at work. at: { epochs (behind it, with the part of the running one), loss, accuracy, rate }. What matters
-- most stands first: narrow terminals cut the end off.
function M.status(self, job, at)
  return ('%s%s: %s, epoch %d/%d, loss %.3f, accuracy %.1f %%, %.0f %s/s'):format(head(self, job),
    left(self, ', '), M.title(job.labels), math.floor(at.epochs) + 1, job.settings.epochs,
    at.loss, 100 * at.accuracy, at.rate, job.point.train.sounds and 'sounds' or 'images')
end

-- Several cells at work: those in `running` (jobs), each with the epoch it is in.
function M.status_of_all(self, done, running)
  local parts = {}
  for i, job in ipairs(running) do
    local epochs = job.settings.epochs
    parts[i] = ('%s (%d/%d)'):format(M.title(job.labels), math.min(epochs, math.floor(job.at or 0) + 1), epochs)
  end
  return ('%d of %d cells done, %d running%s: %s'):format(done, #self.jobs, #running, left(self, ', '),
    table.concat(parts, '; '))
end

-- An epoch that has ended; row: epoch, loss, accuracy, watch_accuracy.
function M.epoch(self, job, row)
  return ('%s  %s  epoch %d/%d  loss %.4f  accuracy %.1f %%  %s %.1f %%%s'):format(head(self, job),
    M.title(job.labels), row.epoch, job.settings.epochs, row.loss, 100 * row.accuracy,
    job.settings.keep_best and 'test' or 'validation', 100 * (row.watch_accuracy or 0), left(self, '  '))
end

-- A cell that is finished.
function M.closing(self, job, record)
  local what = record.status == 'failed'
    and ('failed in epoch %d, layer %s: %s'):format(record.failure.epoch, record.failure.layer, record.failure.message)
    or ('accuracy %.2f %%  in %s'):format(100 * record.accuracy, duration(record.run.seconds))
  return M.remark(self, job, what)
end

-- Anything else about a cell.
function M.remark(self, job, what) return ('%s  %s  %s'):format(head(self, job), M.title(job.labels), what) end

-- "waiting for process 7 on host, which is at work on 2 of 8 cells"
function M.waiting(self, owner, cells)
  return ('waiting for %s, which is at work on %d of %d cells'):format(owner, cells, #self.jobs)
end

return M
