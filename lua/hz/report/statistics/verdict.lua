-- verdict.lua: what an encoding does to accuracy: safe within a margin, harmful, or undecided. Pure functions of
-- outcomes and numbers; this file alone decides. Differences are shares (0.01 is a point), of an encoding minus the
-- reference. Seeds and items are crossed: every seed sees every item, at every encoding, so runs are paired by seed.
local distribution = require 'hz.report.statistics.distribution'
local looks = require 'hz.sweep.protocol'.looks
local power = require 'hz.report.statistics.power'
local variance = require 'hz.report.statistics.variance'

local M = {}

local sqrt, max = math.sqrt, math.max

M.default = { margin = 0.01, alpha = 0.05 }
M.power, M.margin, M.chain, M.assumed = power.power, power.margin, power.chain, power.assumed

-- ---- one encoding beside the reference ----

-- Bounds from mean squares, as in multi-reader multi-case analysis with seeds as readers and items as cases (Dorfman,
-- Berbaum and Metz 1992; Hillis, Berbaum and Metz 2008). With s_S^2 the variance of the seeds' means, s_I^2 of the
-- items' means, s_e^2 the residual mean square: sigma_b^2 = max(0, s_I^2 - s_e^2/S), SE^2 = s_S^2/S + sigma_b^2/n, and
-- Student's t with S - 1 degrees of freedom. It takes the seeds' means for normal: where they differ by several margins
-- and some fail, safe is said wrongly in up to 10 % (the skewed kinds of test/truth.lua).
local function add_spread(r, squares)
  local S, n = r.seeds, r.items
  local of_seeds = squares.seed / n
  local of_items = max(0, (squares.item - squares.residual) / S)
  r.seed_sd, r.item_sd, r.residual_sd = sqrt(of_seeds), sqrt(of_items), sqrt(squares.residual)
  r.se, r.df, r.mean_squares = sqrt(of_seeds / S + of_items / n), S - 1, squares
end

-- Losses are rare events: where few items tell encoding and reference apart, a spread seen among them says nothing, and
-- Student's t would call one test set of 300 items in ten safe that is not. So safe also needs that losses in single
-- items, the same in every seed, would have shown: of n items that are lost with the probability of the margin, no more
-- than were lost here have at most probability alpha (Clopper and Pearson 1934; with none lost the rule of three: n
-- items show no margin below 3/n at alpha = 0.05); where an item or more was won, that is refuted. It rarely decides
-- where many items differ.
local function tail_of_losses(r)
  return distribution.binomial_at_most(-r.difference * r.items, r.items, r.margin)
end

-- P(T > x / se), by the sign of x where nothing varies.
local function tail(x, r)
  if r.se > 0 then return distribution.t_tail(x / r.se, r.df) end
  return x > 0 and 0 or x < 0 and 1 or 0.5
end

local function add_bounds(r)
  local one, two = distribution.t_upper(r.alpha, r.df) * r.se, distribution.t_upper(r.alpha / 2, r.df) * r.se
  r.lower, r.upper = r.difference - one, r.difference + one
  r.two_sided = { lower = r.difference - two, upper = r.difference + two }
  r.p_losses = tail_of_losses(r)
  r.p_safe, r.p_harmful = max(r.p_losses, tail(r.difference + r.margin, r)), tail(-(r.difference + r.margin), r)
  r.p_different = 2 * math.min(tail(r.difference, r), tail(-r.difference, r))
end

local function decide(r)
  local within, few = r.lower > -r.margin, r.p_losses > r.alpha
  r.verdict = within and not few and 'safe' or r.upper < -r.margin and 'harmful' or 'undecided'
  if within and few then r.reason = ('%d items are too few to show so small a loss'):format(r.items) end
  r.measurable = r.two_sided.lower > 0 and 'better' or r.two_sided.upper < 0 and 'worse' or nil
end

-- a, b: outcomes of an encoding and of the reference: lists over the same seeds of u8 tensors, 1 where right.
-- o: margin (0.01), alpha (0.05, one-sided). Returns what variance.components gives, and
--   margin, alpha; seed_sd, item_sd, residual_sd = s_S, sigma_b, s_e; se, df
--   lower, upper                one-sided bounds of the difference at 1 - alpha; two_sided = { lower, upper }
--   verdict                     'safe' (lower > -margin, p_losses <= alpha), 'harmful' (upper < -margin), 'undecided'
--   measurable                  'better' or 'worse' where the two-sided interval excludes 0
--   p_safe, p_harmful           of a difference as good (bad) as this were the true one at the margin; p_different: as
--                               large were there none; p_losses: of so few items lost, part of p_safe
--   reason                      why there is no verdict: too few items; with one seed or one item none of the above
function M.compare(a, b, o)
  o = o or {}
  local r = variance.components(a, b)
  r.margin, r.alpha = o.margin or M.default.margin, o.alpha or M.default.alpha
  if not r.mean_squares then
    r.verdict = 'undecided'
    r.reason = r.seeds == 1 and 'one seed says nothing about the spread over seeds' or 'one item says nothing'
    return r
  end
  add_spread(r, r.mean_squares)
  add_bounds(r)
  decide(r)
  return r
end

-- ---- adaptive seeds ----

-- The looks of protocol.looks as { seeds, alpha }.
function M.steps(alpha)
  local list = {}
  for i, look in ipairs(looks) do list[i] = { seeds = look.seeds, alpha = look.share * alpha } end
  return list
end

-- The first so many seeds.
local function first(list, n) return { unpack(list, 1, n) } end

-- compare at 5, 10, 20 seeds with one-sided alpha .010, .015, .025; the first look that decides stands, whatever later
-- seeds say. More seeds than those of the last complete look are left out. Beside the fields of compare: look (which),
-- next (seeds at the next look; nil after the last, or where it is decided).
function M.adaptive(a, b, o)
  o = o or {}
  local steps, r = M.steps(o.alpha or M.default.alpha), nil
  for i, step in ipairs(steps) do
    if #a < step.seeds or #b < step.seeds then break end
    r = M.compare(first(a, step.seeds), first(b, step.seeds), { margin = o.margin, alpha = step.alpha })
    r.look = i
    if r.verdict ~= 'undecided' then return r end
  end
  r = r or { seeds = math.min(#a, #b), look = 0, verdict = 'undecided', margin = o.margin or M.default.margin,
    reason = ('the first look is at %d seeds'):format(steps[1].seeds) }
  local step = steps[r.look + 1]
  r.next = step and step.seeds
  return r
end

-- Further seeds that settle an undecided comparison with 80 % probability, and that probability; nil if none up to 40
-- do. o.adaptive: only the looks count.
function M.seeds_needed(r, o)
  o = o or {}
  local alpha = o.alpha or M.default.alpha
  return power.seeds_needed(r, { margin = o.margin or r.margin, alpha = alpha,
    steps = o.adaptive and M.steps(alpha) or nil })
end

-- ---- several encodings ----

-- Verdicts (texts, or tables with a verdict) from most bits to fewest: the knee as a bracket, by tests in a fixed order
-- (Maurer, Hothorn and Lehmacher 1995), each only while all before it held, so that no level need be divided: downwards
-- for safe, upwards for harmful. Returns
--   safe      index of the end of the unbroken run of safe from the top, nil if it is empty
--   harmful   index of the end of the unbroken run of harmful from the bottom, nil if it is empty
--   marks     by index: 'safe' and 'harmful' in these runs; the gate, the first that is not safe, keeps its own
--             verdict; those below it and above the harmful run are 'not reached'
-- The knee lies between them with confidence 1 - 2 alpha; what is claimed is `safe`.
function M.sequence(list)
  local n, of = #list, {}
  for i, v in ipairs(list) do of[i] = type(v) == 'table' and v.verdict or v end
  local safe, harmful = 0, n + 1
  while of[safe + 1] == 'safe' do safe = safe + 1 end
  while of[harmful - 1] == 'harmful' do harmful = harmful - 1 end
  local marks = {}
  for i = 1, n do
    marks[i] = i <= safe and 'safe' or i >= harmful and 'harmful' or i == safe + 1 and of[i] or 'not reached'
  end
  return { safe = safe > 0 and safe or nil, harmful = harmful <= n and harmful or nil, marks = marks }
end

-- p values adjusted for all of them being tested (Holm 1979), in the order given.
function M.holm(list)
  local order, adjusted, largest = {}, {}, 0
  for i = 1, #list do order[i] = i end
  table.sort(order, function(i, j) return list[i] < list[j] or list[i] == list[j] and i < j end)
  for rank, i in ipairs(order) do
    largest = max(largest, math.min(1, (#list - rank + 1) * list[i]))
    adjusted[i] = largest
  end
  return adjusted
end

-- ---- time to a target ----

-- Epochs until a target was reached, one a seed, false where it was not within `horizon` epochs (censored there). As
-- all seeds are watched to the same end, the Kaplan-Meier curve is the share that is not there yet, and the area under
-- it, the restricted mean (Royston and Parmar 2013), the mean of what was waited, horizon at most. Returns { seeds,
-- reached, restricted (epochs), median: nil where half of the seeds or fewer got there }.
function M.time(times, horizon)
  local sorted, sum, reached = {}, 0, 0
  for i = 1, #times do
    local t = times[i] and times[i] <= horizon and times[i]
    sorted[i], reached = t or math.huge, reached + (t and 1 or 0)
    sum = sum + (t or horizon)
  end
  table.sort(sorted)
  local n = #times
  local median = n > 0 and (sorted[math.floor((n + 1) / 2)] + sorted[math.floor(n / 2) + 1]) / 2
  return { seeds = n, reached = reached, restricted = n > 0 and sum / n or nil,
    median = median and median < math.huge and median or nil }
end

-- Restricted mean of a minus that of b, paired by seed, with its two-sided interval at alpha (0.05; Student's t with
-- S - 1 degrees of freedom): { difference, lower, upper, se }; nil for fewer than two seeds.
function M.time_difference(a, b, horizon, alpha)
  local S, sum, squares = math.min(#a, #b), 0, 0
  if S < 2 then return nil end
  local function waited(t) return t and math.min(t, horizon) or horizon end
  for s = 1, S do sum = sum + waited(a[s]) - waited(b[s]) end
  for s = 1, S do squares = squares + (waited(a[s]) - waited(b[s]) - sum / S) ^ 2 end
  local se = sqrt(squares / (S - 1) / S)
  local reach = distribution.t_upper((alpha or 0.05) / 2, S - 1) * se
  return { difference = sum / S, lower = sum / S - reach, upper = sum / S + reach, se = se }
end

return M
