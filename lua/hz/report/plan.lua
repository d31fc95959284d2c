-- plan.lua: what a sweep will take and what it can show: before the first step (`hz plan`), after the seeds of the
-- reference, and again after each further seed of all encodings. How far seeds and items differ is what is usual
-- (power.assumed) until there is something to measure.
local cell = require 'hz.sweep.cell'
local duration = require 'hz.base.progress'.duration
local exit = require 'hz.exit'
local index = require 'hz.sweep.index'
local points = require 'hz.report.words'.found
local report = require 'hz.report.report'
local rows_of = require 'hz.sweep.rows'
local stats = require 'hz.report.stats'
local sweep_of = require 'hz.sweep.sweep'
local tables = require 'hz.base.table'
local verdict = require 'hz.report.statistics.verdict'
local verdicts = require 'hz.report.verdicts'
local visible = require 'hz.base.visible'.line

local M = {}

local ENOUGH = 3                   -- seeds that say how far they differ

local function percent(p)
  return p > 0.995 and 'more than 99 %' or p < 0.005 and 'less than 1 %' or ('%.0f %%'):format(100 * p)
end

-- ---- the chains that are to be, from jobs ----

local function codec_of(e) return e.test.name .. '\0' .. e.test:further_text() end

-- One per data, model, dtype and codec, in order: { data, model, dtype, codec, jobs (those whose encoding is walked),
-- encodings (how many), seeds, items, setting of the reference's rows }. None where raw is not among the encodings.
local function chains_of(sweep)
  local list, by, raw = {}, {}, {}
  for _, job in ipairs(sweep.jobs) do
    local e, l = job.point.encoding, job.labels
    if not l.control and not e.train.codec and not e.test.codec then raw[job.kind] = true end
    if not l.control and e.test.codec and e.train == e.test then
      local key = job.kind .. '\0' .. codec_of(e)
      if not by[key] then
        by[key] = { data = l.data, model = l.model, dtype = l.dtype, codec = e.test.name, kind = job.kind, of = {},
          seeds = {}, encodings = 0, items = l.items.test }
        list[#list + 1] = by[key]
      end
      local chain = by[key]
      chain.encodings = chain.encodings + (chain.of[e.test.text] and 0 or 1)
      chain.of[e.test.text], chain.seeds[l.seed] = true, true
    end
  end
  local judged = {}
  for _, chain in ipairs(list) do
    local n = 0
    for _ in pairs(chain.seeds) do n = n + 1 end
    chain.seeds = n
    if raw[chain.kind] then judged[#judged + 1] = chain end
  end
  return judged
end

-- ---- how far seeds and items differ ----

-- From encodings of a chain that have seeds enough.
local function measured(found)
  local spread = found and verdicts.spread(found, ENOUGH)
  if not spread then return nil end
  spread.from = ('measured on %d encoding%s'):format(spread.encodings, spread.encodings == 1 and '' or 's')
  return spread
end

-- From runs of the reference: two that have nothing in common differ by sqrt(2) times what one does.
local function of_reference(g)
  local values = {}
  for _, row in ipairs(g and g.rows or {}) do
    if not row.failed then values[#values + 1] = { v = row.record.test_accuracy } end
  end
  local sd = #values >= ENOUGH and stats.spread(values, 'v')
  return sd and { seed_sd = math.sqrt(2) * sd, item_sd = verdict.assumed.item_sd,
    from = ('from %d seeds of raw'):format(#values) } or nil
end

-- What is known of it, and the chain of verdicts.
local function spread_of(r, chain)
  local reference, found
  for _, g in ipairs(r.groups) do
    if rows_of.untouched(g) and g.data == chain.data and g.model == chain.model and g.dtype == chain.dtype then
      reference = g
    end
  end
  for _, one in ipairs(verdicts.of(r)) do
    local same = one.data == chain.data and one.model == chain.model and one.dtype == chain.dtype
    if same and one.codec == chain.codec and not one.trained then found = one end
  end
  local assumed = { seed_sd = verdict.assumed.seed_sd, item_sd = verdict.assumed.item_sd, from = 'what is usual' }
  return measured(found) or of_reference(reference) or assumed, found or {}
end

-- ---- in words ----

-- Seeds and level of a test: with adaptive seeds those of the last look.
local function test_of(r, chain)
  if not r.adaptive then return chain.seeds, r.alpha end
  local steps = verdict.steps(r.alpha)
  return steps[#steps].seeds, steps[#steps].alpha
end

-- What can be shown: { margin (the smallest that is certified with 80 % probability), floor (with any number of seeds),
-- one, all (probabilities that an encoding, and that all of the chain, pass where nothing is lost), seeds, from }.
function M.power(r, chain)
  local spread, seeds, alpha = spread_of(r, chain), test_of(r, chain)
  if seeds < 2 then return nil end
  local o = { seeds = seeds, alpha = alpha, items = chain.items, seed_sd = spread.seed_sd, item_sd = spread.item_sd,
    margin = r.margin, encodings = chain.encodings }
  local out = { seeds = seeds, from = spread.from, seed_sd = spread.seed_sd, margin = verdict.margin(o),
    one = verdict.power(o), all = verdict.chain(o) }
  o.seeds = math.huge
  out.floor = verdict.margin(o)
  return out
end

local function lines_of(r, chain)
  local p = M.power(r, chain)
  if not p then return { 'one seed says nothing about the spread over seeds: no verdict; needs seed=1..5' } end
  return {
    ('%d seeds and %d test items certify a margin of %s with 80 %% probability; with any number of seeds %s'):format(
      p.seeds, chain.items, points(p.margin), points(p.floor)),
    ('where nothing is lost, an encoding is called safe at margin=%.4g with %s, all %d from the top with %s'):format(
      r.margin, percent(p.one), chain.encodings, percent(p.all)),
    ('spread of paired runs %s: %s'):format(points(p.seed_sd), p.from),
  }
end

local function name_of(chain, many)
  return many and ('%s, %s, %s, %s'):format(chain.codec, chain.data, chain.model, chain.dtype) or chain.codec
end

-- ---- disk ----

local function size(n)
  return n < 1e6 and ('%.0f kB'):format(n / 1e3) or n < 1e9 and ('%.3g MB'):format(n / 1e6)
    or ('%.3g GB'):format(n / 1e9)
end

-- Bytes of cells and trainings that are not there yet: outcomes per item (12 bytes), a bit per watched item and epoch,
-- parameters, and some 8 KB of records; and what unfinished trainings need beside them.
local function disk(sweep)
  local bytes, point, seen = 0, 0, {}
  for _, job in ipairs(sweep.jobs) do
    local l, epochs = job.labels, job.settings.epochs
    if not cell.exists(sweep.runs, job.key) then
      bytes = bytes + 8192 + 12 * l.items.test + epochs * l.items.watch
      if epochs > 0 and not seen[job.training_key] then
        bytes, point = bytes + 4 * l.params + epochs * l.items.watch, math.max(point, 16 * l.params)
      end
      seen[job.training_key] = true
    end
  end
  return bytes + sweep.processes * point
end

-- ---- the verb ----

local function say(text) print((tables.wrap(visible(text), '  ', tables.width))) end

-- The records of cells that are finished.
local function take_in(sweep)
  local keys, number = {}, {}
  for i, job in ipairs(sweep.jobs) do keys[i], number[job.key] = job.key, i end
  for _, record in ipairs((index.records(sweep.runs, keys))) do sweep.records[number[record.key]] = record end
end

-- For `hz plan`: says all of a sweep (o: as for hz.sweep) and ends the script.
function M.show(o)
  o.dry = true
  local sweep = sweep_of.run(o)
  take_in(sweep)
  local r, chains = report.of_sweep(sweep), chains_of(sweep)
  r.sets = nil
  verdicts.of(r)
  say(('time: %s; disk: about %s in %s'):format(sweep.predicted and ('about %s, by a few steps timed now'):format(
    duration(sweep.predicted)) or 'none, all is finished', size(disk(sweep)), sweep.runs))
  if #chains == 0 then say 'no verdict: raw is not among the encodings; needs it' end
  for _, chain in ipairs(chains) do
    say(('%s: %d encodings%s'):format(name_of(chain, #chains > 1), chain.encodings,
      r.adaptive and ', adaptive seeds: looks at 5, 10 and 20' or ''))
    for _, line in ipairs(lines_of(r, chain)) do say('  ' .. line) end
    local _, found = spread_of(r, chain)
    if found.reason then say(('  as it stands there is no verdict: %s'):format(found.reason)) end
  end
  rawget(_G, '_HZ').plan = 'shown'
  exit.stop(0)
end

-- ---- while it runs ----

-- Whether all cells with this seed are finished, of those that are no controls, or only the untouched ones.
local function round_ends(sweep, job, plain)
  for _, other in ipairs(sweep.jobs) do
    local e = other.point.encoding
    local counts = not other.labels.control and not other.spare and other.kind == job.kind
      and (plain and not e.train.codec and not e.test.codec or not plain and other.labels.seed == job.labels.seed)
    if counts and not other.finished then return false end
  end
  return true
end

-- After a cell: what can be shown by what is known now, where a round of cells ended; else nil.
function M.told(sweep, job)
  local e = job.point.encoding
  local plain = not e.train.codec and not e.test.codec
  if job.labels.control or not round_ends(sweep, job, plain) then return nil end
  local r = report.of_sweep(sweep)
  r.sets = nil
  local parts = {}
  for _, chain in ipairs(chains_of(sweep)) do
    local p = chain.kind == job.kind and chain.seeds >= ENOUGH and M.power(r, chain)
    if p and p.from ~= 'what is usual' then
      parts[#parts + 1] = ('%s: %s certified with 80 %%, all %d pass with %s where nothing is lost'):format(chain.codec,
        points(p.margin), chain.encodings, percent(p.all))
    end
  end
  return #parts > 0 and ('plan, spread %s: %s'):format(plain and 'of the reference' or 'as it is now',
    table.concat(parts, '; ')) or nil
end

return M
