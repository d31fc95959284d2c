-- near.lua: test items that are nearly a training item: recompressed, brighter or darker, mirrored, shifted a little,
-- from the same series. Who counts them as unseen counts what was learned by heart (Barz and Denzler 2020, "Do we
-- train on test data? Purging CIFAR of near-duplicates": 3.25 % of the test images of CIFAR-10).
--
-- Small copies find candidates, details decide (thumbs.lua). A pair of pictures counts if both correlations are above
-- those of a row of `bounds`; measured on CIFAR-10: 250 test images, of which a person would call 19 of 20 the same
-- picture or another of its series.
local names = require 'hz.base.names'
local progress = require 'hz.base.progress'
local suspect = require 'hz.data.suspect'
local thumbs = require 'hz.data.thumbs'

local M = {}

-- Features of sounds are alike between any two takes of a speaker.
local bounds = {
  pictures = { { copy = 0.95, detail = 0.4 }, { copy = 0.9, detail = 0.65 } },
  sounds = { { copy = 0.95, detail = 0.9 } },
}
local MOST = 8                     -- candidates of a test item that are looked at closely, the likest ones
local WORK = 2e9                   -- products of copies; more test items than that allows are not all looked at
local SHOWN = 3                    -- pairs that are named

local function least_of(rows)
  local least = 1
  for _, row in ipairs(rows) do least = math.min(least, row.copy) end
  return least
end

local function passes(rows, copy, detail)
  for _, row in ipairs(rows) do
    if copy >= row.copy and detail >= row.detail then return true end
  end
  return false
end

-- ---- candidates ----

-- Adds to a list, the likest first, of which the last falls out.
local function add(list, entry)
  local at = #list + 1
  while at > 1 and list[at - 1].copy < entry.copy do at = at - 1 end
  if at > MOST then return end
  table.insert(list, at, entry)
  list[MOST + 1] = nil
end

-- By test item (from 0): lists of { j, copy, mirrored }.
local function candidates(train, test, least, ways, shown)
  local all, copies = {}, thumbs.of(train)
  for w, mirrored in ipairs(ways) do
    thumbs.alike(thumbs.of(test, mirrored), copies, least, function(i, j, copy)
      all[i] = all[i] or {}
      add(all[i], { j = j, copy = copy, mirrored = mirrored })
    end, function(share)
      shown:show(('looking for near duplicates: %d %%'):format(100 * (w - 1 + share) / #ways))
    end)
  end
  return all
end

-- ---- pairs ----

-- The best of a test item's candidates; nil where none passes.
local function decide(list, rows, of_train, of_test, i, high, wide)
  local best
  for _, e in ipairs(list) do
    local detail = thumbs.match(of_test(i, e.mirrored), of_train(e.j), high, wide)
    if passes(rows, e.copy, detail) and (not best or detail > best.detail) then
      best = { train = e.j + 1, copy = e.copy, detail = detail, mirrored = e.mirrored }
    end
  end
  return best
end

local function known(train)
  local seen = {}
  for j = 1, #train do seen[suspect.hash(train, j)] = true end
  return seen
end

-- Pairs { test, train (indices), copy, detail (correlations), mirrored }, the likest first, at most one of each test
-- item, none of those that are equal to a training item; and of how many test items. nil: these are no pictures.
function M.pairs(train, test)
  local a, b = test.items, train.items
  if a.ndim ~= 4 or b.ndim ~= 4 or a:size(4) ~= b:size(4) then return nil end
  local rows = test.sounds and bounds.sounds or bounds.pictures
  local step = math.max(1, math.ceil(#train * #test / WORK))
  a, b = a:slice(1, 1, #test, step):contiguous(), b:contiguous()
  local shown, out, seen = progress.new(), {}, known(train)
  local all = candidates(b, a, least_of(rows), test.sounds and { false } or { false, true }, shown)
  local of_test, high, wide = thumbs.details(a)
  local of_train = thumbs.details(b)
  for i = 0, #a - 1 do
    local at = i * step + 1
    local best = all[i] and not seen[suspect.hash(test, at)]
      and decide(all[i], rows, of_train, of_test, i, high, wide)
    if best then
      best.test = at
      out[#out + 1] = best
    end
    shown:show(('comparing near duplicates: %d of %d'):format(i, #a))
  end
  shown:clear()
  table.sort(out, function(x, y) return x.detail > y.detail or x.detail == y.detail and x.test < y.test end)
  return out, #a
end

-- ---- words ----

local function class_of(set, i) return set.classes[set.labels[i] + 1] end

local function named(train, test, pair)
  return ("test %d ('%s') and train %d ('%s')%s %.2f"):format(pair.test, class_of(test, pair.test), pair.train,
    class_of(train, pair.train), pair.mirrored and ' mirrored' or '', pair.detail)
end

-- Whether all is well (nil: worth knowing), and what there is to say.
function M.words(train, test)
  local list, looked = M.pairs(train, test)
  if not list then return true, 'not looked for in items of this shape' end
  local of = looked < #test and ('%d test items looked at'):format(looked) or ('%d test items'):format(looked)
  if #list == 0 then return true, ('none of %s is nearly a training item'):format(of) end
  local torn, parts = 0, {}
  for i, pair in ipairs(list) do
    if test.labels[pair.test] ~= train.labels[pair.train] then torn = torn + 1 end
    if i <= SHOWN then parts[i] = named(train, test, pair) end
  end
  return nil, ('%d of %s (%.1f %%) nearly equal a training item, %d of them with another label; likest: %s'):format(
    #list, of, 100 * #list / looked, torn, table.concat(parts, ', '))
end

return names.guard('near', M)
