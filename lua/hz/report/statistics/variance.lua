-- variance.lua: mean squares of two crossed factors, seeds and items, over paired differences of outcomes. Outcomes of
-- one encoding are a list over seeds of u8 tensors (items), 1 where the item was classified right; those of the
-- reference are of the same seeds in the same order, and of the same items.
local c = require 'hz.c'

local ffi = c.ffi
local M = {}

-- ---- counting: one pass over the bytes of a seed ----

local function check(a, b)
  local n = b[1] and b[1]:count() or 0
  if #a ~= #b or #a == 0 or n == 0 then
    c.fail('verdict: %d seeds and %d of the reference, of %d items; needs as many, and items', #a, #b, n)
  end
  for s = 1, #a do
    for _, outcomes in ipairs { a[s], b[s] } do
      if outcomes:type() ~= 'u8' or outcomes:count() ~= n then
        c.fail('verdict: seed %d has %d outcomes of type %s; needs %d of u8', s, outcomes:count(), outcomes:type(), n)
      end
    end
  end
  return n
end

-- Adds the differences x - y of n items to per item sums, and what is right in y to those of the reference. Returns the
-- numbers right in x and in y, and of items that differ.
local function add(x, y, n, items, reference)
  local right, wanted, differ = 0, 0, 0
  for i = 0, n - 1 do
    local p, q = x[i], y[i]
    items[i], reference[i] = items[i] + p - q, reference[i] + q
    right, wanted, differ = right + p, wanted + q, differ + (p - q) * (p - q)
  end
  return right, wanted, differ
end

-- Sum of squares of per item sums, and the pairs of reference seeds that disagree, over all items.
local function over_items(items, reference, n, seeds)
  local squares, pairs_apart = 0, 0
  for i = 0, n - 1 do
    local d, k = items[i], reference[i]
    squares, pairs_apart = squares + d * d, pairs_apart + k * (seeds - k)
  end
  return squares, pairs_apart
end

local function mean(list)
  local sum = 0
  for _, v in ipairs(list) do sum = sum + v end
  return sum / #list
end

-- Pearson's correlation; nil where one of them does not vary, or of fewer than three pairs (two always give 1 or -1).
local function correlation(x, y)
  if #x < 3 then return nil end
  local mx, my, xx, yy, xy = mean(x), mean(y), 0, 0, 0
  for i = 1, #x do
    local p, q = x[i] - mx, y[i] - my
    xx, yy, xy = xx + p * p, yy + q * q, xy + p * q
  end
  return xx > 0 and yy > 0 and xy / math.sqrt(xx * yy) or nil
end

-- ---- mean squares ----

-- Two-way analysis of variance without replication (Scheffe 1959, ch. 4) of S x n differences, from sums of integers,
-- which are exact.
local function mean_squares(seed_sums, item_squares, squares, n)
  local S, total, seed_squares = #seed_sums, 0, 0
  for _, v in ipairs(seed_sums) do total, seed_squares = total + v, seed_squares + v * v end
  local of_mean = total * total / (S * n)
  local seeds, items = seed_squares / n - of_mean, item_squares / S - of_mean
  local residual = math.max(0, squares - of_mean - seeds - items)
  return { seed = seeds / (S - 1), item = items / (n - 1), residual = residual / ((S - 1) * (n - 1)) }
end

-- -> { seeds, items, difference (mean of a minus mean of b), accuracy, reference (means), churn (share of items whose
-- outcome differs between a and b at one seed), null_churn (between two seeds of b), correlation (of the seeds' means),
-- mean_squares = { seed, item, residual }: nil for one seed or one item }.
function M.components(a, b)
  local n, S = check(a, b), #a
  local items, reference = ffi.new('int32_t[?]', n), ffi.new('int32_t[?]', n)
  local sums, of_a, of_b, squares = {}, {}, {}, 0
  for s = 1, S do
    local x, y, differ = add(a[s]:contiguous():pointer 'read', b[s]:contiguous():pointer 'read', n, items, reference)
    sums[s], of_a[s], of_b[s], squares = x - y, x / n, y / n, squares + differ
  end
  local item_squares, pairs_apart = over_items(items, reference, n, S)
  return { seeds = S, items = n, difference = mean(sums) / n, accuracy = mean(of_a), reference = mean(of_b),
    churn = squares / (S * n), null_churn = S > 1 and pairs_apart / (n * S * (S - 1) / 2) or nil,
    correlation = correlation(of_a, of_b),
    mean_squares = S > 1 and n > 1 and mean_squares(sums, item_squares, squares, n) or nil }
end

return M
