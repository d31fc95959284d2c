-- controls.lua: cells that show whether a sweep could have seen a loss at all (report/assay.lua reads them): the
-- untouched data once more with fresh seeds, which must not be harmful, and the untouched data with known damage, which
-- must become so. Damage asks for no training: trained nets are scored on a test set of which a share of the items is
-- what another item of another class was, so that these are right by mistakes alone.
local M = {}

local FRESH = 1000                 -- between a seed and its fresh one
M.damages = { 0.01, 0.02, 0.05, 0.1, 0.2 }      -- shares of the test items, whatever margin is asked for later

-- As many seeds as there are in the list, none of them in it.
function M.fresh(seeds)
  local used, list = {}, {}
  for _, seed in ipairs(seeds) do used[seed] = true end
  for i, seed in ipairs(seeds) do
    local s = seed
    repeat s = s + FRESH until not used[s]
    list[i], used[s] = s, true
  end
  return list
end

-- All items by index, in an order that follows from their contents.
local function drawn(set)
  local order, hash = {}, set.hashes:pointer 'read'
  local name = {}
  for i = 1, #set.labels do
    order[i], name[i] = i, 0
    for k = 31, 26, -1 do name[i] = name[i] * 256 + hash[32 * (i - 1) + k] end
  end
  table.sort(order, function(i, j) return name[i] < name[j] or name[i] == name[j] and i < j end)
  return order
end

-- The next in the order, from r on, that is of another class; nil where all are of one.
local function other(set, order, r)
  local n = #order
  for k = 1, n - 1 do
    local i = order[(r + k - 1) % n + 1]
    if set.labels[i] ~= set.labels[order[r]] then return i end
  end
end

-- The set with a share of its items damaged, and their number; the same items for a share are among those for a larger
-- one. nil where no item is, or all are of one class.
function M.damaged(set, share)
  local n = #set.labels
  local count, indices, order = math.floor(share * n + 0.5), {}, drawn(set)
  if count == 0 or not other(set, order, 1) then return nil end
  for i = 1, n do indices[i] = i end
  for r = 1, count do indices[order[r]] = other(set, order, r) end
  return set:exchange(indices), count
end

-- What a net that is right with this probability loses where a share of n items is damaged: another class than theirs
-- is shown, and meets their label as one of the wrong answers that a net spreads over the other classes.
function M.expected(share, accuracy, classes) return share * (accuracy - (1 - accuracy) / math.max(1, classes - 1)) end

return M
