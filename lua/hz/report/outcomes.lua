-- outcomes.lua: right or wrong per test item, from the cells of a report's rows, and paired by seed: at one seed every
-- encoding is trained from the same weights in the same order.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'

local M = {}

-- The outcomes of a row's cell, { correct, class } (u8 and i32, one per item), read once; nil where they cannot be.
-- r.outcomes keeps them by key.
function M.of(r, row)
  local key = row.record.key
  r.outcomes = r.outcomes or {}
  if not r.outcomes[key] then
    local ok, _, tensors = c.try(cell.read, r.runs, key)
    r.outcomes[key] = ok and { correct = tensors['test.correct'], class = tensors['test.class'] } or {}
  end
  return r.outcomes[key].correct and r.outcomes[key]
end

-- What the test items of a row are.
function M.test_digest(row) return row.record.decides and row.record.decides.test.digest end

-- Rows of a group by seed, of those that are finished.
function M.by_seed(g)
  local by = {}
  for _, row in ipairs(g.rows) do
    if not row.failed and not by[row.seed] then by[row.seed] = row end
  end
  return by
end

-- Seeds of both, in order.
local function common(ours, theirs)
  local seeds = {}
  for seed in pairs(ours) do
    if theirs[seed] then seeds[#seeds + 1] = seed end
  end
  table.sort(seeds)
  return seeds
end

-- Outcomes (u8 tensors) of two groups at the seeds that both have, in the order of these: two lists. others: whether
-- their test items may be others, as known damage has them; else such seeds are left out.
function M.paired(r, g, reference, others)
  local a, b, ours, theirs = {}, {}, M.by_seed(g), M.by_seed(reference)
  for _, seed in ipairs(common(ours, theirs)) do
    local same = others or M.test_digest(ours[seed]) == M.test_digest(theirs[seed])
    local x, y = same and M.of(r, ours[seed]), same and M.of(r, theirs[seed])
    if x and y then a[#a + 1], b[#b + 1] = x.correct, y.correct end
  end
  return a, b
end

-- Outcomes of the seeds of a group, in order. like: a row; seeds with other test items than it has are left out.
function M.all(r, g, like)
  local by, list = M.by_seed(g), {}
  for _, seed in ipairs(common(by, by)) do
    local same = not like or M.test_digest(by[seed]) == M.test_digest(like)
    local o = same and M.of(r, by[seed])
    if o then list[#list + 1] = o.correct end
  end
  return list
end

return M
