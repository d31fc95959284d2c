-- metrics.lua: numbers from evaluations (plan:evaluate) and the sets they scored.
local M = {}

-- One row per class: class, n, accuracy (nil where the set has none of it).
function M.per_class(evaluation, set)
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
