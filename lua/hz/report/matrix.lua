-- matrix.lua: nets trained on each encoding and tested on all: accuracies, and what a loss is made of. A net
-- that was trained on raw loses on encoded items for two reasons: what the encoding took is gone, also for a net that
-- was trained on it (loss after retraining), and the items look otherwise than those it knows (mismatch, which
-- retraining would win back). Both add up to the loss.
local outcomes = require 'hz.report.outcomes'
local rows_of = require 'hz.sweep.rows'
local verdict = require 'hz.report.statistics.verdict'

local M = {}

local function key(setting, trained, tested) return table.concat({ setting, trained.text, tested.text }, '\0') end

local function by_pair(groups)
  local by = {}
  for _, g in ipairs(groups) do by[key(g.setting, g.trained, g.tested)] = g end
  return by
end

-- What one codec's encodings of one setting share.
local function new_matrix(g, raw)
  return { setting = g.setting, codec = g.tested.name, further = g.tested:further_text(), model = g.model,
    data = g.data, dtype = g.dtype, reference = raw, groups = {} }
end

-- Encodings that nets were trained and tested on, and raw-trained nets tested on: matrices, with their diagonals as
-- groups.
local function collect(groups, by)
  local list, found, raw = {}, {}, {}
  for _, g in ipairs(groups) do
    if rows_of.untouched(g) then raw[g.setting] = g end
  end
  for _, g in ipairs(groups) do
    local reference = raw[g.setting]
    if reference and g ~= reference and g.trained == g.tested and by[key(g.setting, reference.trained, g.tested)] then
      local name = table.concat({ g.setting, g.tested.name, g.tested:further_text() }, '\0')
      if not found[name] then
        found[name] = new_matrix(g, reference)
        list[#list + 1] = found[name]
      end
      table.insert(found[name].groups, g)
    end
  end
  return list
end

-- Mean difference of a group and another, with its two-sided interval; nil without seeds in common.
local function difference(r, a, b)
  local x, y = outcomes.paired(r, a, b)
  if #x == 0 then return nil end
  local v = verdict.compare(x, y, { margin = r.margin, alpha = r.alpha })
  local bounds = v.two_sided or {}
  return { difference = v.difference, lower = bounds.lower, upper = bounds.upper, seeds = v.seeds }
end

local function split(r, m, by, g)
  local naive = by[key(m.setting, m.reference.trained, g.tested)]
  return { encoding = g.tested, bits = g.bits_per_sample, loss = difference(r, naive, m.reference),
    retrained = difference(r, g, m.reference), mismatch = difference(r, naive, g) }
end

local function fill(r, m, by)
  table.sort(m.groups, function(a, b) return a.bits_per_sample > b.bits_per_sample end)
  table.insert(m.groups, 1, m.reference)
  m.encodings, m.bits, m.accuracy, m.splits, m.seeds = {}, {}, {}, {}, math.huge
  for i, g in ipairs(m.groups) do m.encodings[i], m.bits[i] = g.tested, g.bits_per_sample end
  for i, trained in ipairs(m.encodings) do
    m.accuracy[i] = {}
    for j, tested in ipairs(m.encodings) do
      local g = by[key(m.setting, trained, tested)]
      m.accuracy[i][j] = g and g.accuracy or nil
      if g then m.seeds = math.min(m.seeds, g.seeds - g.failed) end
    end
    if i > 1 then m.splits[i - 1] = split(r, m, by, m.groups[i]) end
  end
  m.groups = nil
end

-- The matrices of a report, in its order, one per setting and codec: { codec, further, model, data, dtype, reference
-- (the group of the untouched data), encodings (untouched first, then from most bits to fewest), bits (per sample of
-- each), accuracy (of nets trained on encoding i, tested on j: accuracy[i][j], mean over seeds; nil where none is
-- finished), seeds (fewest of a pair), splits = list over the encodings but the first of { encoding, bits, loss
-- (trained on raw and tested on it, beside raw), retrained (trained and tested on it, beside raw), mismatch (the
-- first beside the second) }, each { difference, lower, upper (two-sided; nil for one seed), seeds } }. Empty where
-- no net that was trained on raw was tested on an encoding that another was trained on.
function M.of(r)
  if r.matrices or not r.runs then return r.matrices or {} end
  local by = by_pair(r.groups)
  r.matrices = collect(r.groups, by)
  for _, m in ipairs(r.matrices) do fill(r, m, by) end
  return r.matrices
end

return M
