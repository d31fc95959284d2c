-- savings.lua: what the claimed end of the knee saves beside the untouched data: storage, epochs and time.
-- savings.of(r, chain) ->
--   called                 of the claimed encoding: 'quality 25'; entry: its number in chain.entries
--   items                  of the whole data (training, validation, test)
--   storage                bytes of all items: raw, claimed, and where they were counted lossless: each { payload, file
--                          (tables and containers of each item, too) }, lossless also called (of the payload); saved =
--                          { payload, file } beside lossless (else beside raw). Counted, so without an interval
--   epochs                 until the watch split first comes within the margin of where raw ends there: { target
--                          (accuracy), horizon (epochs), raw, claimed = verdict.time: { seeds, reached, restricted,
--                          median }, difference = verdict.time_difference (claimed minus raw, seeds paired):
--                          { difference, lower, upper, se }, nil for fewer than two seeds }; a seed that does not get
--                          there counts as horizon. nil where nothing was trained or watched
--   seconds                of training: { raw, claimed (means), difference (as above; nil for fewer than two seeds),
--                          epoch = { raw, claimed, difference } the same of one epoch }; as measured, whatever else the
--                          machine did
-- nil where nothing is claimed: no verdict, or nothing safe.
local outcomes = require 'hz.report.outcomes'
local verdict = require 'hz.report.statistics.verdict'

local M = {}

-- ---- storage ----

local function bytes_of(chain, of)
  local samples = chain.bits.samples * chain.bits.items
  return { payload = of.payload * samples / 8, file = of.file * samples / 8, called = of.called }
end

local function storage(chain)
  local b = chain.bits
  local out = { raw = bytes_of(chain, b.raw), claimed = bytes_of(chain, b.needed),
    lossless = b.lossless and bytes_of(chain, b.lossless) or nil }
  local from = out.lossless or out.raw
  out.saved = { payload = from.payload - out.claimed.payload, file = from.file - out.claimed.file }
  return out
end

-- ---- over seeds ----

-- f(row) of the seeds that both groups have, in the order of these, as two lists.
local function paired(g, reference, f)
  local a, b, seeds, ours, theirs = {}, {}, {}, outcomes.by_seed(g), outcomes.by_seed(reference)
  for seed in pairs(ours) do seeds[#seeds + 1] = theirs[seed] and seed or nil end
  table.sort(seeds)
  for i, seed in ipairs(seeds) do a[i], b[i] = f(ours[seed]), f(theirs[seed]) end
  return a, b
end

local function mean(list)
  local sum = 0
  for _, v in ipairs(list) do sum = sum + v end
  return #list > 0 and sum / #list or nil
end

-- ---- epochs ----

-- Where raw ends on the watch split, mean over its seeds, less the margin.
local function target_of(r, reference)
  local list = {}
  for _, row in pairs(outcomes.by_seed(reference)) do list[#list + 1] = row.last end
  local m = mean(list)
  return m and m - r.margin
end

local function reached(curve, target)
  for e, v in ipairs(curve) do
    if type(v) == 'number' and v >= target then return e end
  end
  return false
end

local function epochs(r, g, reference)
  local target, horizon = target_of(r, reference), reference.epochs
  if not target or horizon < 1 then return nil end
  local a, b = paired(g, reference, function(row) return reached(row.curve, target) end)
  if #a == 0 then return nil end
  return { target = target, horizon = horizon, claimed = verdict.time(a, horizon), raw = verdict.time(b, horizon),
    difference = verdict.time_difference(a, b, horizon, 2 * r.alpha) }
end

-- ---- time ----

local function times(r, g, reference, f)
  local a, b = paired(g, reference, f)
  if #a == 0 then return nil end
  return { claimed = mean(a), raw = mean(b), difference = verdict.time_difference(a, b, math.huge, 2 * r.alpha) }
end

local function seconds(r, g, reference)
  local out = times(r, g, reference, function(row) return row.seconds end)
  if not out then return nil end
  out.epoch = reference.epochs > 0
    and times(r, g, reference, function(row) return row.seconds / reference.epochs end) or nil
  return out
end

-- ---- the whole ----

local function work(r, chain)
  local at = chain.knee and chain.knee.safe
  if not at or not chain.bits or not chain.bits.needed then return nil end
  local g = chain.entries[at].group
  return { entry = at, called = g.tested.value ~= nil and ('%s %s'):format(g.tested.parameter, g.tested:label_text())
    or g.tested.name, items = chain.bits.items, storage = storage(chain), epochs = epochs(r, g, chain.reference),
    seconds = seconds(r, g, chain.reference) }
end

-- The savings of a chain (verdicts.lua), as the head of this file says.
function M.of(r, chain)
  if chain.savings == nil then chain.savings = work(r, chain) or false end
  return chain.savings or nil
end

return M
