-- outcomes.lua: right or wrong per test item, from the cells of a report's rows, and paired by seed: at one seed every
-- encoding is trained from the same weights in the same order.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'

local M = {}

-- The outcomes of a row's cell, { correct, class } (u8 and i32, one per item); nil where they cannot be read.
-- r.outcomes, where there is such a table, keeps them by key.
function M.of(r, row)
  local key, kept = row.record.key, r.outcomes or {}
  if not kept[key] then
    local ok, _, tensors = c.try(cell.read, r.runs, key)
    kept[key] = ok and { correct = tensors['test.correct'], class = tensors['test.class'] } or {}
  end
  return kept[key].correct and kept[key]
end

local function test_digest(row) return row.record.decides and row.record.decides.test.digest end

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
    local same = others or test_digest(ours[seed]) == test_digest(theirs[seed])
    local x, y = same and M.of(r, ours[seed]), same and M.of(r, theirs[seed])
    if x and y then a[#a + 1], b[#b + 1] = x.correct, y.correct end
  end
  return a, b
end

-- Outcomes of the seeds of a group, in order.
function M.all(r, g)
  local by, seeds, list = M.by_seed(g), {}, {}
  for seed in pairs(by) do seeds[#seeds + 1] = seed end
  table.sort(seeds)
  for _, seed in ipairs(seeds) do
    local o = M.of(r, by[seed])
    if o then list[#list + 1] = o.correct end
  end
  return list
end

return M
