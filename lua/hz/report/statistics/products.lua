-- products.lua: mean squares of weighted sums of outcomes, seeds and items crossed: variance.lua for any number of arms
-- (the outcomes of one encoding each) at once. A sum of outcomes with fixed weights is the same for every seed and
-- item, so its mean squares are a quadratic form in the weights, of matrices that are counted once:
--   blocks   arms that were run at the same seeds, in the same order; seeds of two blocks are independent
--   items    the same, in the same order, in all blocks
-- With one block and the weights 1 and -1 this is variance.components to the last digit that matters.
local c = require 'hz.c'
local distribution = require 'hz.report.statistics.distribution'

local ffi = c.ffi
local M = {}

local sqrt, max = math.sqrt, math.max

-- ---- counting ----

local function check(blocks)
  local n
  for b, arms in ipairs(blocks) do
    for k, runs in ipairs(arms) do
      for s, right in ipairs(runs) do
        n = n or right:count()
        if right:type() ~= 'u8' or right:count() ~= n then
          c.fail('compare: run %d of arm %d has %d outcomes of type %s; needs %d of u8', s, k, right:count(),
            right:type(), n)
        end
      end
      if #runs ~= #arms[1] then
        c.fail('compare: arm %d of block %d has %d seeds, the first %d; needs as many', k, b, #runs, #arms[1])
      end
    end
  end
  return n
end

local function both(x, y, n)
  local count = 0
  for i = 0, n - 1 do count = count + x[i] * y[i] end
  return count
end

local function add_items(items, x, n)
  local right = 0
  for i = 0, n - 1 do items[i], right = items[i] + x[i], right + x[i] end
  return right
end

-- As both, for another type of elements: a compiled loop is for one.
local function product(x, y, n)
  local sum = 0
  for i = 0, n - 1 do sum = sum + x[i] * y[i] end
  return sum
end

-- One arm: what is right by seed, in all, and by item (over seeds).
local function sums_of(runs, n)
  local own = { seeds = {}, total = 0, items = ffi.new('int32_t[?]', n), data = {} }
  for s, right in ipairs(runs) do
    own.data[s] = right:contiguous()                     -- held, so that the pointers stay good
    own.seeds[s] = add_items(own.items, own.data[s]:pointer 'read', n)
    own.total = own.total + own.seeds[s]
  end
  return own
end

-- ---- mean squares of two arms of a block, or products of them ----

-- Two-way analysis of (co)variance without replication: variances of seed means and of item means, residual mean
-- square.
local function pair(x, y, n, S)
  local together, seeds = 0, 0
  for s = 1, S do
    together = together + both(x.data[s]:pointer 'read', y.data[s]:pointer 'read', n)
    seeds = seeds + x.seeds[s] * y.seeds[s]
  end
  local of_mean = x.total * y.total / (S * n)
  local of_seeds, of_items = seeds / n - of_mean, product(x.items, y.items, n) / S - of_mean
  return of_seeds / (S - 1) / n, (together - of_mean - of_seeds - of_items) / ((S - 1) * (n - 1))
end

local function matrix() return setmetatable({}, { __index = function(m, k) m[k] = {}; return m[k] end }) end

local function fill(p, block, arms)
  for i, x in ipairs(arms) do
    for j = i, #arms do
      local seed, residual = pair(x, arms[j], p.items, block.seeds)
      local k, l = block.from + i, block.from + j
      p.seed[k][l], p.residual[k][l] = seed, residual
    end
  end
end

-- Covariances over items of the arms' item means, of all blocks.
local function fill_items(p, all)
  for k, x in ipairs(all) do
    p.mean[k] = x.total / (x.count * p.items)
    for l = 1, k do
      local y = all[l]
      local centre = x.total * y.total / (x.count * y.count * p.items)
      p.item[l][k] = (product(x.items, y.items, p.items) / (x.count * y.count) - centre) / (p.items - 1)
    end
  end
end

-- blocks: a list of blocks, each a list of arms, each a list over seeds (two at least) of u8 outcomes, 1 where right.
-- Arms are numbered through, over the blocks. Returns what `judge` takes: { items, arms, mean (by arm), blocks }.
function M.of(blocks)
  local p = { items = check(blocks), seed = matrix(), residual = matrix(), item = matrix(), mean = {}, blocks = {} }
  local all = {}
  if not p.items or p.items < 2 then c.fail('compare: %d items were given; needs two at least', p.items or 0) end
  for b, arms in ipairs(blocks) do
    local block, own = { from = #all, to = #all + #arms, seeds = #arms[1] }, {}
    if block.seeds < 2 then c.fail('compare: block %d has %d seed; needs two at least', b, block.seeds) end
    for i, runs in ipairs(arms) do
      own[i] = sums_of(runs, p.items)
      own[i].count = block.seeds
      all[#all + 1] = own[i]
    end
    p.blocks[b] = block
    fill(p, block, own)
  end
  fill_items(p, all)
  p.arms = #all
  return p
end

-- ---- a weighted sum ----

-- w' m w over the arms from+1 .. to; m holds the upper half. w: by arm, nil is 0.
local function form(m, w, from, to)
  local sum = 0
  for k = from + 1, to do
    local x = w[k]
    if x and x ~= 0 then
      sum = sum + x * x * m[k][k]
      for l = k + 1, to do
        if w[l] and w[l] ~= 0 then sum = sum + 2 * x * w[l] * m[k][l] end
      end
    end
  end
  return max(0, sum)
end

-- Welch's degrees of freedom (1947), of the seeds' part alone: the items' part, over hundreds of items, is as good as
-- known. With one block S - 1; else in tenths and never more, as quantiles are remembered by them.
local function freedom(parts)
  local sum, squares, least = 0, 0, math.huge
  for _, part in ipairs(parts) do
    sum, squares = sum + part.v, squares + part.v ^ 2 / part.df
    least = math.min(least, part.df)
  end
  if #parts == 1 or not (squares > 0) then return least end
  return max(least, math.floor(10 * sum * sum / squares) / 10)
end

local function weighs(w, block)
  for k = block.from + 1, block.to do
    if w[k] and w[k] ~= 0 then return true end
  end
end

-- What the sum over arms of weights w (by arm, not all 0) times accuracy is: { value, se, df, seed_sd (of one run at
-- each of the blocks), item_sd }, as verdict.compare has them: SE^2 = sum over blocks of s_S^2 / S, and sigma_b^2 / n,
-- sigma_b^2 being the variance of the items' means less what the residuals add to it.
function M.judge(p, w)
  local value, noise, of_seeds, of_runs, parts = 0, 0, 0, 0, {}
  for k = 1, p.arms do value = value + (w[k] or 0) * p.mean[k] end
  for _, b in ipairs(p.blocks) do
    local v = form(p.seed, w, b.from, b.to)
    noise = noise + form(p.residual, w, b.from, b.to) / b.seeds
    of_seeds, of_runs = of_seeds + v / b.seeds, of_runs + v
    if weighs(w, b) then parts[#parts + 1] = { v = v / b.seeds, df = b.seeds - 1 } end
  end
  local of_items = max(0, form(p.item, w, 0, p.arms) - noise)
  return { value = value, se = sqrt(of_seeds + of_items / p.items), df = freedom(parts), seed_sd = sqrt(of_runs),
    item_sd = sqrt(of_items) }
end

-- The same with its two-sided interval at 1 - alpha: lower, upper; p: of a value as far from 0 were it 0.
function M.interval(p, w, alpha)
  local r = M.judge(p, w)
  local reach = distribution.t_upper(alpha / 2, r.df) * r.se
  r.lower, r.upper = r.value - reach, r.value + reach
  r.p = r.se > 0 and math.min(1, 2 * distribution.t_tail(math.abs(r.value) / r.se, r.df)) or r.value == 0 and 1 or 0
  return r
end

return M
