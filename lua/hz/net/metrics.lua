-- metrics.lua: numbers from evaluations (plan:evaluate) and the sets they scored.
local need = require 'hz.base.need'
local plans = require 'hz.net.plan'
local tensor = require 'hz.tensor.tensor'

local M = {}

-- One row per class: class, n, accuracy (nil where the set has none of it).
function M.per_class(evaluation, set)
  need.table('per_class', 'the evaluation', evaluation)
  if not tensor.is(evaluation.correct) or type(evaluation.n) ~= 'number' then
    need.fail('per_class', 'the evaluation', evaluation, 'what plan:evaluate() returned')
  end
  if not plans.is_set(set) or type(set.classes) ~= 'table' or #set.labels ~= evaluation.n then
    need.fail('per_class', 'the set', set, 'the labelled set that was evaluated, with classes')
  end
  local rows = {}
  for i, name in ipairs(set.classes) do rows[i] = { class = name, n = 0, hits = 0 } end
  local labels, correct = set.labels:pointer 'read', evaluation.correct:pointer 'read'
  for i = 0, evaluation.n - 1 do
    local row = rows[labels[i] + 1]
    row.n, row.hits = row.n + 1, row.hits + correct[i]
  end
  for _, row in ipairs(rows) do row.accuracy = row.n > 0 and row.hits / row.n or nil end
  return rows
end

return M
