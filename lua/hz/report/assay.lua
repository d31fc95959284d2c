-- assay.lua: whether a sweep could have seen a loss, from its controls (sweep/controls.lua): the untouched data trained
-- once more with fresh seeds must not be called harmful, known damage above the margin must be, and none may be called
-- the contrary of what is known. Without that, "safe" may be no more than blindness.
local controls = require 'hz.sweep.controls'
local outcomes = require 'hz.report.outcomes'
local points = require 'hz.report.words'.found
local verdict = require 'hz.report.statistics.verdict'

local M = {}

local function first(list, n) return { unpack(list, 1, n) } end

-- Runs with other seeds have no partners: the seeds of both are taken in order.
local function replicate(r, g, reference)
  local a, b = outcomes.all(r, g), outcomes.all(r, reference)
  local n = math.min(#a, #b)
  return n > 0 and verdict.compare(first(a, n), first(b, n), { margin = r.margin, alpha = r.alpha }) or nil
end

local function damaged(r, g, reference)
  local a, b = outcomes.paired(r, g, reference, true)
  if #a == 0 then return nil end
  local classes = reference.rows[1].record.classes or 2
  return { share = g.damage, found = verdict.compare(a, b, { margin = r.margin, alpha = r.alpha }),
    expected = controls.expected(g.damage, reference.accuracy, classes) }
end

-- Why the controls show nothing; nil where they do.
local function trouble(r, assay)
  if not assay.replicate then return 'no raw with fresh seeds is finished' end
  if assay.replicate.verdict == 'harmful' then return 'raw once more, with fresh seeds, is called harmful' end
  local seen, most = false, 0
  for _, d in ipairs(assay.damage) do
    local known, called = d.expected > r.margin and 'harmful' or 'safe', d.found.verdict
    if called ~= 'undecided' and called ~= known then
      return ('a known loss of %s is called %s'):format(points(d.expected), called)
    end
    seen, most = seen or called == 'harmful', math.max(most, d.expected)
  end
  if #assay.damage == 0 then return 'no raw with known damage is finished' end
  if not seen then return ('no known loss is called harmful, up to %s'):format(points(most)) end
end

-- Of a setting whose untouched data are `reference`, from r.controls: { shown, why (where it is not), replicate
-- (verdict.compare; nil without), damage = list of { share (of the test items), expected (loss of accuracy that is
-- known to come of it), found (verdict.compare) }, smallest damage first }; nil where there are no controls.
function M.of(r, reference)
  local assay, any = { damage = {} }, false
  for _, g in ipairs(r.controls or {}) do
    if g.setting == reference.setting then
      any = true
      if g.control == 'replicate' then assay.replicate = replicate(r, g, reference) end
      if g.control == 'damage' then assay.damage[#assay.damage + 1] = damaged(r, g, reference) end
    end
  end
  if not any then return nil end
  table.sort(assay.damage, function(x, y) return x.share < y.share end)
  assay.why = trouble(r, assay)
  assay.shown = assay.why == nil
  return assay
end

return M
