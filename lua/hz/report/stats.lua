-- stats.lua: figures over seeds: rows that differ in nothing else are one group, with means and spreads.
local rows_of = require 'hz.sweep.rows'

local M = {}

-- Mean of a field over the rows that have it, and how many have; nil for none.
function M.mean(rows, name)
  local sum, n = 0, 0
  for _, row in ipairs(rows) do
    if row[name] then sum, n = sum + row[name], n + 1 end
  end
  return n > 0 and sum / n or nil, n
end

-- Standard deviation over seeds (n - 1), nil for one.
function M.spread(rows, name)
  local mean, n = M.mean(rows, name)
  if n < 2 then return nil end
  local sum = 0
  for _, row in ipairs(rows) do
    if row[name] then sum = sum + (row[name] - mean) ^ 2 end
  end
  return math.sqrt(sum / (n - 1))
end

local averaged = { 'accuracy', 'best', 'last', 'seconds' }
local shared = { 'data', 'split', 'protocol', 'trained', 'tested', 'codec', 'quality', 'codec_test', 'quality_test',
  'model', 'params', 'dtype', 'epochs', 'source_lossy', 'control', 'damage' }
for _, list in ipairs { rows_of.source_fields, rows_of.figures } do
  for _, name in ipairs(list) do shared[#shared + 1] = name end
end

local function sum_up(rows)
  local g = { seeds = #rows, failed = 0, rows = rows }
  for _, name in ipairs(shared) do g[name] = rows[1][name] end
  for _, name in ipairs(averaged) do g[name] = M.mean(rows, name) end
  g.spread = M.spread(rows, 'accuracy')
  local reached
  g.convergence_epoch, reached = M.mean(rows, 'convergence_epoch')
  for _, row in ipairs(rows) do g.failed = g.failed + (row.failed and 1 or 0) end
  g.censored = #rows - g.failed - reached                -- seeds that did not converge within their epochs
  return g
end

-- Lists of rows that differ in the seed only, in the order of their first ones.
local function alike(rows)
  local by, list = {}, {}
  for _, row in ipairs(rows) do
    local key = table.concat({ rows_of.setting(row), row.trained.text, row.tested.text, row.control or '',
      row.damage or '' }, '\0')
    if not by[key] then
      by[key] = {}
      list[#list + 1] = by[key]
    end
    table.insert(by[key], row)
  end
  return list
end

-- Groups of flat rows that differ in the seed only, by model and rising bits, first of training and then of the test,
-- the untouched data last.
function M.groups(rows)
  local list, order, rank = {}, {}, {}
  for i, members in ipairs(alike(rows)) do
    local g = sum_up(members)
    g.at, g.setting, g.test_rank = i, rows_of.setting(g), g.tested:rank(g.bits_per_sample)
    local own = g.setting .. '\0' .. g.trained.text          -- one training stands before all its tests
    rank[own] = rank[own] or g.trained:rank(g.bits_per_sample_train or g.bits_per_sample)
    g.rank, order[g.setting] = rank[own], order[g.setting] or i
    list[i] = g
  end
  table.sort(list, function(a, b)
    if a.setting ~= b.setting then return order[a.setting] < order[b.setting] end
    if a.rank ~= b.rank then return a.rank < b.rank end
    if a.test_rank ~= b.test_rank then return a.test_rank < b.test_rank end
    return a.at < b.at
  end)
  return list
end

return M
