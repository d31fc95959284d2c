-- report.lua: a report joins what a sweep found: r = { id, rows (a cell each, sweep/rows.lua), groups (over seeds,
-- stats.lua), controls (groups of cells that are controls; their rows are none of `rows`), missing (cells not there),
-- notes, adaptive (whether seeds were), for verdicts (verdicts.lua) runs, margin, alpha (nil: as usual), sets and codec
-- (of data that is here), and of a recorded sweep script, command and created (texts) }. text.lua, picture.lua,
-- export.lua, tables.lua and html/page.lua show it.
local index = require 'hz.sweep.index'
local machines = require 'hz.report.machines'
local rows_of = require 'hz.sweep.rows'
local stats = require 'hz.report.stats'

local M = {}

-- Rows that are no controls, and those that are.
local function parted(all)
  local rows, controls = {}, {}
  for _, row in ipairs(all) do table.insert(row.control and controls or rows, row) end
  return rows, controls
end

-- labels: by key, what the sweep calls its cells; nil: as their files do.
function M.new(id, records, missing, notes, labels)
  local rows, controls = parted(rows_of.cells(records, labels))
  notes = notes or {}
  local forced = rows_of.forced(rows)
  if #forced > 0 then notes[#notes + 1] = table.concat(forced, '\n') end
  notes[#notes + 1] = machines.note(rows)
  return { id = id, rows = rows, groups = stats.groups(rows), controls = stats.groups(controls), missing = missing or 0,
    notes = notes }
end

-- Of the jobs of a sweep: function(group) -> the sets of all its items, each once, and function(group) -> the codec of
-- its test items.
local function data_of(jobs)
  local points = {}
  for _, job in ipairs(jobs) do points[job.key] = job.point end
  return function(g)
    local p = points[g.rows[1].record.key]
    return p and (p.watch == p.test and { p.train, p.test } or { p.train, p.watch, p.test })
  end, function(g) return points[g.rows[1].record.key].encoding.test.codec end
end

-- Of a sweep in this process.
function M.of_sweep(sweep)
  local records, missing, labels = {}, 0, {}
  for i, job in ipairs(sweep.jobs) do
    if sweep.records[i] then records[#records + 1] = sweep.records[i] else missing = missing + 1 end
    labels[job.key] = job.labels
  end
  local r = M.new(sweep.id, records, missing, nil, labels)
  r.runs, r.margin, r.alpha = sweep.runs, sweep.margin, sweep.alpha
  r.sets, r.codec = data_of(sweep.jobs)
  r.adaptive, r.stopped, r.force = sweep.adaptive, sweep.stopped, sweep.force
  return r
end

-- Of a manifest and the records of its finished cells; runs: where they came from. o: margin, alpha and force of the
-- verdicts, may be nil.
function M.of_records(runs, m, records, notes, o)
  local labels = {}
  for _, cell in ipairs(m.cells) do labels[cell.key] = cell.labels end
  local r = M.new(m.id, records, #m.cells - #records, notes, labels)
  o = o or {}
  r.runs, r.margin, r.alpha, r.force, r.adaptive = runs, o.margin, o.alpha, o.force, m.adaptive or false
  r.script, r.command, r.created = m.name, m.command, m.created
  return r
end

-- The same, through the index.
function M.of_manifest(runs, m, o)
  local keys = {}
  for i, cell in ipairs(m.cells) do keys[i] = cell.key end
  local records, notes = index.records(runs, keys)
  return M.of_records(runs, m, records, notes, o)
end

return M
