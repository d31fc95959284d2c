-- metrics.lua: numbers from evaluations (plan:evaluate) and the sets they scored.
local c = require 'hz.c'
local need = require 'hz.base.need'
local plans = require 'hz.net.plan'
local tensor = require 'hz.tensor.tensor'

local M = {}

-- One row per class: class, n, accuracy (nil where the set has none of it).
function M.per_class(evaluation, set)
  need.table('per_class', 'the evaluation', evaluation)
  local hit, n = evaluation.correct, evaluation.n
  if not tensor.is(hit) or hit:type() ~= 'u8' or hit:count() ~= n or hit.ndim ~= 1 then
    need.fail('per_class', 'the evaluation', evaluation, 'what plan:evaluate() returned')
  end
  if not plans.is_set(set) or type(set.classes) ~= 'table' or #set.labels ~= n
      or set.labels.ndim ~= 1 then
    need.fail('per_class', 'the set', set, 'the labelled set that was evaluated, with classes')
  end
  local rows = {}
  for i, name in ipairs(set.classes) do rows[i] = { class = name, n = 0, hits = 0 } end
  for i = 1, n do
    local row = rows[set.labels[i] + 1]
    if not row then c.fail('per_class: label %g of item %d is of no class; the set has %d', set.labels[i], i, #rows) end
    row.n, row.hits = row.n + 1, row.hits + hit[i]
  end
  for _, row in ipairs(rows) do row.accuracy = row.n > 0 and row.hits / row.n or nil end
  return rows
end

return M
