-- power.lua: how probable a verdict is: before a sweep, with so many seeds and items, and with more seeds than there
-- are. seed_sd is the standard deviation over seeds of the difference of paired accuracies, item_sd that over items of
-- their expected difference (both as verdict.compare gives them); accuracies are shares, 0.01 is a point.
local distribution = require 'hz.report.statistics.distribution'

local M = {}

local sqrt, max, huge = math.sqrt, math.max, math.huge
local PROBABLE = 0.8
local MOST = 40                       -- further seeds that anyone would train

-- The least mean difference at which so many items may show that no more than the margin is lost (verdict.lua, on
-- losses in single items).
local function least_shown(items, margin, alpha)
  local function shown(lost) return distribution.binomial_at_most(lost, items, margin) <= alpha end
  if margin >= 1 then return -1 end
  local low, high = -1, items * margin
  for _ = 1, 40 do
    local middle = (low + high) / 2
    if shown(middle) then low = middle else high = middle end
  end
  return -low / items
end

-- What is usual where nothing is measured yet: runs of one recipe differ by 0.3 points on real images, two of them by
-- sqrt(2) as much, and of items one in seventy moves for good.
M.assumed = { seed_sd = 0.003 * sqrt(2), item_sd = 0.12 }

-- Of a test as `power` has it: the standard error of the mean, and needed(u), the least mean that passes where the
-- seeds' part is estimated u times too large.
local function passing(o)
  local S, alpha = o.seeds, o.alpha or 0.05
  local of_seeds, of_items = o.seed_sd ^ 2 / S, o.item_sd ^ 2 / o.items
  local t, least = distribution.t_upper(alpha, S - 1), least_shown(o.items, o.margin, alpha)
  return sqrt(of_seeds + of_items), function(u)
    return max(t * sqrt(of_seeds * u * u + of_items) - o.margin, least)
  end
end

local function averaged(S, f) return S == huge and f(1) or distribution.over_deviation(f, S - 1) end

-- Probability that the lower bound at 1 - alpha exceeds -margin where the true difference is o.difference (0). The
-- mean is normal with variance seed_sd^2/S + item_sd^2/n; of its two parts the first is estimated with S - 1 degrees of
-- freedom, the second, over hundreds of items, is taken as known: a noncentral t, with a part of the variance known.
-- o: margin, seeds (math.huge: as many as one likes), items, seed_sd, item_sd, alpha (0.05), difference (0).
function M.power(o)
  local true_one, se, needed = o.difference or 0, passing(o)
  if se == 0 then return true_one > needed(1) and 1 or 0 end
  return averaged(o.seeds, function(u) return distribution.normal_tail((needed(u) - true_one) / se) end)
end

local SHARED = 0.5                    -- of the variance of each difference: the reference is the same for all
local WIDE, STEPS = 6, 60             -- standard deviations of the shared part on both sides, and steps over them

-- Probability that o.encodings of them pass, one after the other, where nothing is lost by any: each holds with the
-- probability of `power`, but all have the same reference, which is half of every difference. o as for power.
function M.chain(o)
  local se, needed = passing(o)
  if se == 0 then return M.power(o) end
  local own, sum, weight = se * sqrt(1 - SHARED), 0, 0
  for i = 0, STEPS do
    local z = WIDE * (2 * i / STEPS - 1)
    local w = math.exp(-z * z / 2)
    local one = averaged(o.seeds, function(u)
      return distribution.normal_tail((needed(u) - se * sqrt(SHARED) * z) / own)
    end)
    sum, weight = sum + w * one ^ o.encodings, weight + w
  end
  return sum / weight
end

-- The smallest margin that is certified with 80 % probability (o.probability); o as for power, without margin.
function M.margin(o)
  local low, high = 0, 1e-6
  local function enough(margin)
    return M.power { seeds = o.seeds, items = o.items, seed_sd = o.seed_sd, item_sd = o.item_sd, alpha = o.alpha,
      difference = o.difference, margin = margin } >= (o.probability or PROBABLE)
  end
  while not enough(high) do low, high = high, 2 * high end
  for _ = 1, 50 do
    local middle = (low + high) / 2
    if enough(middle) then high = middle else low = middle end
  end
  return high
end

-- Probability that k more seeds settle it. The items stay the same, so only the seeds' part of the mean moves: from the
-- mean over S seeds to that over S + k by s sqrt(k / (S (S + k))) times Student's t with S - 1 degrees of freedom (the
-- predictive distribution under a flat prior; Spiegelhalter, Freedman and Blackburn 1986). Means above one number are
-- safe, below another harmful.
local function settled(r, k, margin, alpha)
  local S = r.seeds
  local moves = r.seed_sd * sqrt(k / (S * (S + k)))
  local reach = distribution.t_upper(alpha, S + k - 1) * sqrt(r.seed_sd ^ 2 / (S + k) + r.item_sd ^ 2 / r.items)
  local above, below = max(reach - margin, least_shown(r.items, margin, alpha)), -margin - reach
  if moves == 0 then return (r.difference > above or r.difference < below) and 1 or 0 end
  return distribution.t_tail((above - r.difference) / moves, S - 1)
    + distribution.t_tail((r.difference - below) / moves, S - 1)
end

-- The fewest further seeds that settle an undecided comparison with 80 % probability, and that probability; nil if none
-- up to 40 do. o: margin (0.01), alpha (0.05); steps: list of { seeds, alpha }, the only numbers of seeds at which
-- anyone looks (verdict.looks).
function M.seeds_needed(r, o)
  if r.seeds < 2 or r.verdict ~= 'undecided' then return nil end
  local function try(seeds, alpha)
    local k = seeds - r.seeds
    local p = k > 0 and k <= MOST and settled(r, k, o.margin, alpha) or 0
    if p >= PROBABLE then return k, p end
  end
  if not o.steps then
    for k = 1, MOST do
      local found, p = try(r.seeds + k, o.alpha)
      if found then return found, p end
    end
  end
  for _, step in ipairs(o.steps or {}) do
    local found, p = try(step.seeds, step.alpha)
    if found then return found, p end
  end
end

return M
