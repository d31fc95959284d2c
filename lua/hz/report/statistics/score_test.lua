-- score_test.lua: two networks on the same items: whether one is at most a margin worse than the other, on items alone.
-- Tango's score test for paired proportions (1998, Statistics in Medicine 17, 891-908): the difference is held against
-- its standard error under the null hypothesis, with the most probable proportions under it, so it also serves where
-- few items tell the two apart, as Wald's does not; and it has a margin, as McNemar's has not. Pure functions of
-- counts:
--   n items, `gained`: right in b alone, `lost`: right in a alone. Differences are b minus a, shares of items.
-- It is of the two networks, not of the recipes that made them: one training each has no spread over trainings.
local c = require 'hz.c'
local distribution = require 'hz.report.statistics.distribution'
local verdict = require 'hz.report.statistics.verdict'

local M = {}

local sqrt, max, min, huge = math.sqrt, math.max, math.min, math.huge

-- The share of items that are lost, most probable of those that agree with the true difference d: the larger root of
-- 2n q^2 + B q + C = 0 (Tango 1998, section 2), without cancellation. Shares gained are then q + d.
function M.lost_under(n, gained, lost, d)
  local B, C = (2 * n - gained + lost) * d - gained - lost, -lost * d * (1 - d)
  local root = sqrt(max(0, B * B - 8 * n * C))
  if B > 0 then return -2 * C / (B + root) end
  return (root - B) / (4 * n)
end

-- Standard normal where the true difference is d: high where what was seen is better than d.
function M.score(n, gained, lost, d)
  local above = gained - lost - n * d
  local variance = n * (2 * M.lost_under(n, gained, lost, d) + d * (1 - d))
  if variance > 0 then return above / sqrt(variance) end
  return above > 0 and huge or above < 0 and -huge or 0
end

-- The difference at which the score is z; it falls as the difference rises.
local function where(n, gained, lost, z)
  local low, high = -1, 1
  while true do
    local middle = (low + high) / 2
    if middle == low or middle == high then return middle end
    if M.score(n, gained, lost, middle) > z then low = middle else high = middle end
    if high - low < 1e-14 then return (low + high) / 2 end
  end
end

-- ---- verdict ----

-- With few items at the margin the score is no normal number. Of n items that are lost with the probability of the
-- margin, so few (or many) more than were gained must be improbable as well (Clopper and Pearson 1934), as verdict.lua
-- asks of a loss. With both, and n margin >= 1, a difference at the margin is called safe in at most 5.6 %, harmful in
-- at most 6.0 % (counted, not simulated: test/lua/score_test.lua).
local function tails(r)
  local net = r.lost - r.gained
  return distribution.binomial_at_most(net, r.items, r.margin),
    1 - distribution.binomial_at_most(net - 1, r.items, r.margin)
end

local function decide(r)
  local few, many = tails(r)
  local within, beyond = r.lower > -r.margin, r.upper < -r.margin
  r.p_score = distribution.normal_tail(r.z)
  r.p_safe, r.p_harmful = max(few, r.p_score), max(many, distribution.normal_tail(-r.z))
  r.verdict = within and few <= r.alpha and 'safe' or beyond and many <= r.alpha and 'harmful' or 'undecided'
  if r.verdict == 'undecided' and (within or beyond) then
    r.reason = ('%d items are too few for so small a margin'):format(r.items)
  end
end

-- counts: items, gained, lost. o: margin (0.01), alpha (0.05, one-sided). Returns
--   items, gained, lost, difference, margin, alpha
--   z, p_score                  the score at the margin, and of one as high were it the true difference (Tango's p)
--   lower, upper                one-sided bounds of the difference at 1 - alpha; two_sided = { lower, upper }
--   verdict, measurable, reason, p_safe, p_harmful, p_different      as in verdict.compare
function M.compare(counts, o)
  o = o or {}
  local n, gained, lost = counts.items, counts.gained, counts.lost
  if n < 1 or gained < 0 or lost < 0 or gained + lost > n then
    c.fail('score test: %d gained and %d lost of %d items; needs counts within them', gained, lost, n)
  end
  local r = { items = n, gained = gained, lost = lost, difference = (gained - lost) / n,
    margin = o.margin or verdict.default.margin, alpha = o.alpha or verdict.default.alpha }
  local one, two = distribution.t_upper(r.alpha, huge), distribution.t_upper(r.alpha / 2, huge)
  r.z = M.score(n, gained, lost, -r.margin)
  r.lower, r.upper = where(n, gained, lost, one), where(n, gained, lost, -one)
  r.two_sided = { lower = where(n, gained, lost, two), upper = where(n, gained, lost, -two) }
  r.p_different = min(1, 2 * distribution.normal_tail(math.abs(M.score(n, gained, lost, 0))))
  decide(r)
  r.measurable = r.two_sided.lower > 0 and 'better' or r.two_sided.upper < 0 and 'worse' or nil
  return r
end

-- Counts of two u8 tensors of outcomes, 1 where right: a's and b's, and what is right in each.
function M.count(a, b)
  local n = a:count()
  if b:count() ~= n then c.fail('score test: %d items and %d; needs as many', n, b:count()) end
  local held, other = a:contiguous(), b:contiguous()
  local x, y, r = held:pointer 'read', other:pointer 'read', { items = n, gained = 0, lost = 0, both = 0 }
  for i = 0, n - 1 do
    r.gained, r.lost, r.both = r.gained + (1 - x[i]) * y[i], r.lost + x[i] * (1 - y[i]), r.both + x[i] * y[i]
  end
  r.a, r.b = (r.both + r.lost) / n, (r.both + r.gained) / n
  return r
end

return M
