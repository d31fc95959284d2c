-- calibration.lua: do saved bits measure noise? Cells are conditions, a camera set each: so much noise, irrelevant
-- texture or none, the class in coarse or in fine detail; scenes and seeds are the same in all. Two figures are held
-- against the true noise H(Y|S), in bits per sample: saved bits as they are (absolute), and what they are above those
-- of the same scenes without noise (the calibrated increment). Knees are by the verdicts (verdicts.lua), never by eye.
-- The rule was fixed before the first cell was computed; it is of the estimates, whose intervals are shown.
local c = require 'hz.c'
local distribution = require 'hz.report.statistics.distribution'
local estimate = require 'hz.report.noise.estimate'
local ledger = require 'hz.report.noise.ledger'
local outcomes = require 'hz.report.outcomes'
local report = require 'hz.report.report'
local stats = require 'hz.report.stats'
local verdict = require 'hz.report.statistics.verdict'
local verdicts = require 'hz.report.verdicts'

local M = {}

M.rule = { intercept = 0.25, slope = { 0.9, 1.1 }, texture = 0.25 }
local ALPHA = 0.05                 -- of intervals, two-sided

-- ---- cells ----

local function coder_bits(chain)
  local by = {}
  for _, coder in ipairs(chain.bits.coders) do by[coder.called] = coder.payload end
  return by
end

-- Saved bits were the knee at the harmful end of its bracket; nil where nothing harms.
local function most_saved(chain)
  local entry = chain.knee.harmful and chain.entries[chain.knee.harmful]
  return entry and chain.bits.lossless and chain.bits.lossless.payload - entry.group.bits_per_sample
end

-- What a chain says. at: its condition { noise, texture, detail, ... }.
local function new_cell(chain, chains, at)
  local own = { at = at, chain = chain, model = chain.model, reason = chain.reason, estimates = {}, coders = {} }
  local record = chain.reference and chain.reference.rows[1].record
  own.noise = record and record.noise_bits
  own.accuracy = chain.reference and chain.reference.accuracy
  if chain.reason or not chain.bits.lossless then
    own.reason = own.reason or 'no lossless coder ran'
    return own
  end
  own.lossless, own.coders, own.most = chain.bits.lossless.payload, coder_bits(chain), most_saved(chain)
  own.ledger, own.entry = ledger.of_chain(chain, chains)
  own.saved = own.ledger and own.ledger.saved
  if not own.saved then own.reason = 'no encoding is shown to be safe' end
  return own
end

-- Cells of a report, in its order. conditions: by the name of the data.
function M.cells(r, conditions)
  local chains, list = verdicts.of(r), {}
  for i, chain in ipairs(chains) do list[i] = new_cell(chain, chains, conditions[chain.data] or { noise = 0 }) end
  return list
end

-- Classical estimates of the noise, from the images themselves.
local function add_estimates(cells, sweep)
  local sets = {}
  for _, job in ipairs(sweep.jobs) do sets[job.point.data] = job.point.train end
  for _, own in ipairs(cells) do
    local set = sets[own.chain.data]
    for _, method in ipairs(set and estimate.methods or {}) do
      own.estimates[method.name] = estimate.of(set, method).bits
    end
  end
end

-- The report without one seed.
local function without(r, seed)
  local rows = {}
  for _, row in ipairs(r.rows) do
    if row.seed ~= seed then rows[#rows + 1] = row end
  end
  return { id = r.id, rows = rows, groups = stats.groups(rows), missing = 0, notes = {}, runs = r.runs, sets = r.sets,
    margin = r.margin, alpha = r.alpha }
end

-- ---- figures over cells ----

local function same(a, b, noise, texture)
  return b.at.noise == noise and b.at.texture == texture and b.at.detail == a.at.detail and b.model == a.model
end

local function find(cells, a, noise, texture)
  for _, b in ipairs(cells) do
    if same(a, b, noise, texture) then return b end
  end
end

-- Points { x = true bits, y = figure, cell }: get(cell) as it is, or above that of the scenes without noise; cells
-- without one have none.
local function points(cells, get, increment)
  local list = {}
  for _, own in ipairs(cells) do
    local y, base = get(own), increment and find(cells, own, 0, own.at.texture)
    local zero = base and get(base)
    if y and own.noise and (not increment or own.at.noise > 0 and zero) then
      list[#list + 1] = { x = own.noise - (increment and base.noise or 0), y = y - (increment and zero or 0),
        cell = own }
    end
  end
  return list
end

-- What texture adds to a figure: the mean over cells that differ in it alone; nil without such.
local function texture_effect(list)
  local by, cells, sum, n = {}, {}, 0, 0
  for i, p in ipairs(list) do by[p.cell], cells[i] = p.y, p.cell end
  for _, own in ipairs(cells) do
    local plain = own.at.texture == 'high' and find(cells, own, own.at.noise, 'none')
    if plain then sum, n = sum + by[own] - by[plain], n + 1 end
  end
  return n > 0 and sum / n or nil
end

-- Whether there are cells of two noises or more.
local function varies(list)
  for _, p in ipairs(list) do
    if p.cell.at.noise ~= list[1].cell.at.noise then return true end
  end
end

-- Least squares of y over x; intercept and slope, each { value, lower, upper }: Student's intervals over cells, without
-- them for two cells; nil where the noise does not vary.
local function line(list)
  local n, mx, my, xx, xy, rest = #list, 0, 0, 0, 0, 0
  for _, p in ipairs(list) do mx, my = mx + p.x / n, my + p.y / n end
  for _, p in ipairs(list) do xx, xy = xx + (p.x - mx) ^ 2, xy + (p.x - mx) * (p.y - my) end
  if not varies(list) then return nil end
  local slope, intercept = xy / xx, my - xy / xx * mx
  for _, p in ipairs(list) do rest = rest + (p.y - intercept - slope * p.x) ^ 2 end
  local function with(value, variance)
    if n < 3 then return { value = value } end
    local reach = distribution.t_upper(ALPHA / 2, n - 2) * math.sqrt(variance * rest / (n - 2))
    return { value = value, lower = value - reach, upper = value + reach }
  end
  return with(intercept, 1 / n + mx * mx / xx), with(slope, 1 / xx)
end

-- A figure over cells: { name, n, intercept, slope, texture, error = root mean square of figure - truth, points }.
function M.figure(name, cells, get, increment)
  local list, sum = points(cells, get, increment), 0
  for _, p in ipairs(list) do sum = sum + (p.y - p.x) ^ 2 end
  local intercept, slope = line(list)
  return { name = name, n = #list, intercept = intercept, slope = slope, texture = texture_effect(list),
    error = #list > 0 and math.sqrt(sum / #list) or nil, points = list }
end

local function saved(own) return own.saved end
local function lossless(own) return own.lossless end
local function estimated(name) return function(own) return own.estimates[name] end end
local function by_coder(name)
  return function(own) return own.saved and own.coders[name] and own.coders[name] - own.ledger.knee end
end

local function baselines(cells, increment)
  local list = { M.figure('lossless bits alone', cells, lossless, increment) }
  for _, method in ipairs(estimate.methods) do
    list[#list + 1] = M.figure(method.name, cells, estimated(method.name), increment)
  end
  return list
end

-- The same figure with each lossless coder in place of the best.
local function coders(cells, increment)
  local names, list = {}, {}
  for _, own in ipairs(cells) do
    for name in pairs(own.coders) do names[#names + 1] = not names[name] and name or nil; names[name] = true end
  end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = M.figure('by ' .. name, cells, by_coder(name), increment) end
  return list
end

-- ---- the rule ----

local function within(v, low, high) return v ~= nil and v >= low and v <= high end

-- The four lines: { what, value, needs, pass }; value nil where it cannot be told, which is no pass.
function M.judge(figure, others)
  local rule, best = M.rule, nil
  for _, other in ipairs(others) do
    if other.error and (not best or other.error < best.error) then best = other end
  end
  local a, b = figure.intercept, figure.slope
  return {
    { 'intercept', a, ('within %g bit'):format(rule.intercept),
      within(a and a.value, -rule.intercept, rule.intercept) },
    { 'slope', b, ('%g to %g'):format(unpack(rule.slope)), within(b and b.value, unpack(rule.slope)) },
    { 'texture effect', figure.texture and { value = figure.texture }, ('within %g bit'):format(rule.texture),
      within(figure.texture, -rule.texture, rule.texture) },
    { 'error', figure.error and { value = figure.error },
      best and ('below %.2f, that of %s'):format(best.error, best.name) or 'a baseline',
      figure.error ~= nil and best ~= nil and figure.error < best.error },
  }
end

local function side(cells, increment)
  local out = { figure = M.figure(increment and 'calibrated increment' or 'absolute figure', cells, saved, increment),
    baselines = baselines(cells, increment), coders = coders(cells, increment) }
  out.rule = M.judge(out.figure, out.baselines)
  return out
end

-- ---- controls ----

-- A denoiser that knows the scene: its 'codec' gives the picture without noise, coded without loss. What it does to
-- accuracy, beside raw with noise, and what it saves.
local function oracle(r, cells)
  local list = {}
  for _, own in ipairs(cells) do
    local clean = own.at.noise > 0 and find(cells, own, 0, own.at.texture)
    if clean and own.lossless and clean.lossless then
      local x, y = outcomes.paired(r, clean.chain.reference, own.chain.reference, true)
      list[#list + 1] = { cell = own, saved = own.lossless - clean.lossless,
        found = verdict.compare(x, y, { margin = r.margin, alpha = r.alpha }) }
    end
  end
  return list
end

-- ---- the whole ----

-- The increment's line with each seed left out: lists of intercepts and slopes; empty for fewer than three seeds.
local function leave_out(reports, conditions)
  local seeds, known, out = {}, {}, { intercept = {}, slope = {} }
  for _, r in ipairs(reports) do
    for _, row in ipairs(r.rows) do
      if not known[row.seed] then known[row.seed], seeds[#seeds + 1] = true, row.seed end
    end
  end
  for _, seed in ipairs(#seeds > 2 and seeds or {}) do
    local cells = {}
    for _, r in ipairs(reports) do
      for _, own in ipairs(M.cells(without(r, seed), conditions)) do cells[#cells + 1] = own end
    end
    local figure = M.figure('', cells, saved, true)
    if figure.intercept then
      table.insert(out.intercept, figure.intercept.value)
      table.insert(out.slope, figure.slope.value)
    end
  end
  return out
end

local function extend(list, more)
  for _, v in ipairs(more) do list[#list + 1] = v end
end

local function cells_of(sweeps, conditions)
  local list, reports = {}, {}
  for i, sweep in ipairs(sweeps) do
    reports[i] = report.of_sweep(sweep)
    local own = M.cells(reports[i], conditions)
    add_estimates(own, sweep)
    extend(list, own)
    c.poll()
  end
  return list, reports
end

-- o: grid (list of sweeps), conditions (by the name of the data: noise in grey values, texture 'none' or 'high',
-- detail), and where they ran: classifiers = list of { name, sweep }, low_bits = list of { name, sweep }, shuffled (a
-- sweep). Returns { cells, increment, absolute (each figure, baselines, coders, rule), seeds, oracle, classifiers =
-- list of { name, cells }, low_bits = list of { name, cells }, shuffled = cells or nil, alpha, margin }.
function M.of(o)
  local cells, reports = cells_of(o.grid, o.conditions)
  local out = { cells = cells, increment = side(cells, true), absolute = side(cells, false), oracle = {},
    seeds = leave_out(reports, o.conditions), classifiers = {}, low_bits = {} }
  out.margin, out.alpha = reports[1].margin, reports[1].alpha
  for _, r in ipairs(reports) do extend(out.oracle, oracle(r, M.cells(r, o.conditions))) end
  for _, kind in ipairs { 'classifiers', 'low_bits' } do
    for i, one in ipairs(o[kind] or {}) do
      out[kind][i] = { name = one.name, cells = (cells_of({ one.sweep }, o.conditions)) }
    end
  end
  out.shuffled = o.shuffled and (cells_of({ o.shuffled }, o.conditions))
  return out
end

return M
