-- kernels.lua: kernels by trial (tune.lua) for a whole sweep: chosen once, kept beside the manifest, and part of what
-- decides each cell, so that all cells, and whoever resumes the sweep, compute by the same.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local net_choices = require 'hz.net.choices'
local file = require 'hz.base.file'
local manifest = require 'hz.sweep.manifest'
local optim = require 'hz.net.optim'
local threads = require 'hz.sweep.threads'
local tune = require 'hz.net.tune'

local M = {}

-- The plans that a job will make, for their choices alone; the plans themselves may go. The optimiser's nodes have
-- one kernel each. by: true for trials, or choices.
local function add_plans(list, job, by)
  local p = job.point
  local net, settings = p.model.make(0), job.settings:with { tune = by, optimizer = optim.sgd { rate = 1e-9 } }
  local function add(options) list[#list + 1] = { tuned = net:plan(options).tuned } end
  add(settings:to_score(p.test))
  if settings.epochs > 0 then
    add(settings:to_score(p.watch))
    add(settings:to_train(p.train))
  end
end

local function plans_of(jobs, by)
  local seen, plans = {}, {}
  for _, job in ipairs(jobs) do
    if not seen[job.kind] then add_plans(plans, job, by) end
    seen[job.kind] = true
  end
  return plans
end

local function by_trial(jobs) return tune.frozen(plans_of(jobs, true)) end

-- Cells by these choices have keys of their own: other kernels may yield other bits.
local function decide_by(jobs, choices)
  local digest = net_choices.digest(choices)
  for _, job in ipairs(jobs) do
    job.settings, job.decides.training.kernels = job.settings:with { tune = choices }, digest
    job.key, job.training_key = cell.keys(job.decides)
  end
end

-- Chooses for all jobs of a sweep, with the threads that each of so many processes will have, or takes what is kept.
-- o: name, runs, dry, parallel. Returns the file's name; nil where a dry run has nothing to go by.
function M.choose(o, jobs)
  local runs, name = manifest.runs(o.runs), manifest.id(o.name, jobs) .. '.kernels'
  local path = file.join(manifest.folder(runs), name)
  if o.dry and not file.exists(path) then return nil end
  file.mkdir(manifest.folder(runs))
  local n = threads.share(c.C.hz_cpu_threads(), type(o.parallel) == 'number' and o.parallel or 1)
  local kept = file.exists(path)
  local choices = tune.once(path, function() return threads.with(n, by_trial, jobs) end)
  if kept then plans_of(jobs, choices) end               -- what does not run here is said before the first cell
  decide_by(jobs, choices)
  return name
end

return M
