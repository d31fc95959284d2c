-- crossed.lua: outcomes of seeds and items whose true accuracies are known, for judging verdicts. Run s of arm k gets
-- item i right where
--   level_k + difficulty * I_i + own_k * J_ik + spread_k * U_sk + sqrt(paired) * C_si + sqrt(1 - paired) * E_sik > 0
-- with independent standard normal I, J, C, E and U of which those of two arms at one seed have the correlation
-- `correlation`. Seeds and items are drawn anew in every draw, so the true accuracy of an arm is that of the normal
-- distribution, exactly: level_k is chosen for it.
local ffi = require 'ffi'
local curves = require 'hz.report.versus.curves'
local distribution = require 'hz.report.statistics.distribution'
local products = require 'hz.report.statistics.products'
local tensor = require 'hz.tensor.tensor'
local verdict = require 'hz.report.statistics.verdict'

local M = {}

local sqrt, floor, random = math.sqrt, math.floor, math.random

-- ---- normal numbers, fast: quantiles of equal probability, drawn with replacement ----

local COUNT = 65536
local quantile = ffi.new('double[?]', COUNT)
for i = 0, COUNT / 2 - 1 do
  local z = distribution.t_upper((i + 0.5) / COUNT, math.huge)
  quantile[i], quantile[COUNT - 1 - i] = -z, z
end

local function normal() return quantile[floor(random() * COUNT)] end

-- ---- a world: its arms, the first of which is the reference ----

local function filled(n, f)
  local list = {}
  for i = 1, n do list[i] = f(i) end
  return list
end

-- o: items, seeds; accuracy (of the reference), differences (of the other arms); difficulty, own, spread (latent sds;
-- the reference has own 0), unequal (spread of the others over that of the reference), correlation, paired.
function M.world(o)
  local w = { o = o, arms = {} }
  for k = 0, #o.differences do
    local own, spread = k > 0 and o.own or 0, o.spread * (k > 0 and o.unequal or 1)
    local sd = sqrt(o.difficulty ^ 2 + own ^ 2 + spread ^ 2 + 1)
    local accuracy = o.accuracy + (o.differences[k] or 0)
    w.arms[k] = { own = own, spread = spread, level = -sd * distribution.t_upper(accuracy, math.huge),
      latent = ffi.new('double[?]', o.items),
      outcomes = filled(o.seeds, function() return tensor.empty({ o.items }, 'u8') end) }
  end
  w.difficulty, w.common = ffi.new('double[?]', o.items), ffi.new('double[?]', o.items)
  return w
end

local function draw_items(latent, difficulty, own, n)
  for i = 0, n - 1 do latent[i] = difficulty[i] + own * normal() end
end

local function draw_run(right, latent, common, shift, rest, n)
  for i = 0, n - 1 do right[i] = latent[i] + shift + common[i] + rest * normal() > 0 and 1 or 0 end
end

local function scaled(to, by, n)
  for i = 0, n - 1 do to[i] = by == 0 and 0 or by * normal() end
end

-- New items and seeds. Returns outcomes by arm, 0 the reference; they last until the next draw.
function M.draw(w)
  local o, n, drawn = w.o, w.o.items, {}
  scaled(w.difficulty, o.difficulty, n)
  for k = 0, #w.arms do draw_items(w.arms[k].latent, w.difficulty, w.arms[k].own, n) end
  for s = 1, o.seeds do
    scaled(w.common, sqrt(o.paired), n)
    local shared = sqrt(o.correlation) * normal()
    for k = 0, #w.arms do
      local arm = w.arms[k]
      local shift = arm.level + arm.spread * (shared + sqrt(1 - o.correlation) * normal())
      draw_run(arm.outcomes[s]:pointer(), arm.latent, w.common, shift, sqrt(1 - o.paired), n)
    end
  end
  for k = 0, #w.arms do drawn[k] = w.arms[k].outcomes end
  return drawn
end

-- ---- how often verdicts are wrong ----

-- A usual world: about 6 % of the items differ between paired runs, 8 % between seeds; run sd 0.4 points.
local usual = { items = 2000, seeds = 5, accuracy = 0.85, differences = { -0.01 }, difficulty = 3, own = 0.4,
  spread = 0.03, unequal = 1, correlation = 0, paired = 0.5 }

-- usual, changed.
function M.options(changed)
  local o = {}
  for k, v in pairs(usual) do o[k] = v end
  for k, v in pairs(changed) do
    assert(o[k] ~= nil, k)
    o[k] = v
  end
  return o
end

-- One encoding, its true difference as in o. Returns how many of the draws were called safe, harmful; and root mean
-- squares of seed_sd and item_sd, the mean correlation, churn and null churn.
function M.rates(o, draws, rule)
  local w = M.world(o)
  local r = { draws = draws, safe = 0, harmful = 0, undecided = 0, seed_sd = 0, item_sd = 0, churn = 0, null_churn = 0,
    correlation = 0 }
  for _ = 1, draws do
    local drawn = M.draw(w)
    local found = verdict.compare(drawn[1], drawn[0], rule)
    r[found.verdict] = r[found.verdict] + 1
    for _, name in ipairs { 'seed_sd', 'item_sd' } do r[name] = r[name] + found[name] ^ 2 / draws end
    for _, name in ipairs { 'churn', 'null_churn' } do r[name] = r[name] + found[name] / draws end
    r.correlation = r.correlation + (found.correlation or 0) / draws
  end
  r.seed_sd, r.item_sd = sqrt(r.seed_sd), sqrt(r.item_sd)
  return r
end

-- The worst that may be claimed of true differences (most bits first, falling) at this margin: the first index that is
-- not safe, the last that is not harmful.
local function limits(differences, margin)
  local first_lost, last_kept = #differences + 1, 0
  for i, d in ipairs(differences) do
    if d <= -margin then first_lost = math.min(first_lost, i) end
    if d >= -margin then last_kept = i end
  end
  return first_lost, last_kept
end

-- Several encodings, adaptive looks and the fixed sequence. Returns how many draws claimed safe where it is not,
-- harmful where it is not, either; how many found the whole of the safe run; and the mean seeds of the last looks.
function M.chains(o, draws, margin)
  local w = M.world(o)
  local first_lost, last_kept = limits(o.differences, margin)
  local r = { draws = draws, safe = 0, harmful = 0, outside = 0, whole = 0, seeds = 0 }
  for _ = 1, draws do
    local drawn, list = M.draw(w), {}
    for k = 1, #o.differences do
      list[k] = verdict.adaptive(drawn[k], drawn[0], { margin = margin })
      r.seeds = r.seeds + list[k].seeds / draws / #o.differences
    end
    local found = verdict.sequence(list)
    local safe, harmful = (found.safe or 0) >= first_lost, (found.harmful or #list + 1) <= last_kept
    r.safe, r.harmful = r.safe + (safe and 1 or 0), r.harmful + (harmful and 1 or 0)
    r.outside = r.outside + ((safe or harmful) and 1 or 0)
    r.whole = r.whole + (found.safe == first_lost - 1 and 1 or 0)
  end
  return r
end

-- Of encodings of the same true difference, how often all are safe, and what verdict.chain predicts it from: spreads of
-- seeds and items.
function M.all_safe(o, draws, rule)
  local w, r = M.world(o), { draws = draws, all = 0, seed_sd = 0, item_sd = 0 }
  for _ = 1, draws do
    local drawn, all = M.draw(w), true
    for k = 1, #o.differences do
      local found = verdict.compare(drawn[k], drawn[0], rule)
      all = all and found.verdict == 'safe'
      for _, name in ipairs { 'seed_sd', 'item_sd' } do
        r[name] = r[name] + found[name] ^ 2 / draws / #o.differences
      end
    end
    r.all = r.all + (all and 1 or 0)
  end
  r.seed_sd, r.item_sd = sqrt(r.seed_sd), sqrt(r.item_sd)
  return r
end

local function first(list, n) return { unpack(list, 1, n) } end

-- A draw at `seeds`; if it is undecided and is told how many more would settle it, whether these do.
local function go_on(r, drawn, seeds, rule)
  local now = verdict.compare(first(drawn[1], seeds), first(drawn[0], seeds), rule)
  local k, p = verdict.seeds_needed(now, rule)
  if not k then return end
  local later = verdict.compare(first(drawn[1], seeds + k), first(drawn[0], seeds + k), rule)
  r.draws, r.foretold = r.draws + 1, r.foretold + p
  r.settled = r.settled + (later.verdict ~= 'undecided' and 1 or 0)
end

-- What seeds_needed foretells is over all true differences alike, so each draw takes the next of o.differences. Returns
-- how many were told, how many of these were settled, and the mean of what was foretold. o.seeds: seeds + 40.
function M.further(o, draws, seeds, rule)
  local r, worlds = { draws = 0, settled = 0, foretold = 0 }, {}
  for i, d in ipairs(o.differences) do
    local own = {}
    for k, v in pairs(o) do own[k] = v end
    own.differences = { d }
    worlds[i] = M.world(own)
  end
  for i = 1, draws do go_on(r, M.draw(worlds[i % #worlds + 1]), seeds, rule) end
  r.foretold = r.draws > 0 and r.foretold / r.draws or 0
  return r
end

-- ---- curves ----

-- A line over log bits through points { bits, value }, rising; an implementation of its own.
local function line_at(points, bits)
  for i = 1, #points - 1 do
    local from, to = points[i], points[i + 1]
    if bits >= from[1] and bits <= to[1] then
      return from[2] + (to[2] - from[2]) * (math.log(bits) - math.log(from[1])) / (math.log(to[1]) - math.log(from[1]))
    end
  end
end

-- Where a rising line has a value.
local function bits_at(points, value)
  for i = 1, #points - 1 do
    local from, to = points[i], points[i + 1]
    if value >= from[2] and value <= to[2] then
      return math.exp(math.log(from[1]) + (value - from[2]) / (to[2] - from[2]) * math.log(to[1] / from[1]))
    end
  end
end

-- Mean of a line over log bits, by the midpoint rule.
local function mean_of(points, from, to)
  local sum, n = 0, 20000
  for i = 1, n do sum = sum + line_at(points, from * (to / from) ^ ((i - 0.5) / n)) / n end
  return sum
end

-- Of o.curves = { bits of a, bits of b }, rising, whose arms are those of o.differences in this order: curves as
-- curves.lua takes them, and the true ones as { bits, accuracy }.
local function drawn_curves(o)
  local of, truth, k = { {}, {} }, { {}, {} }, 0
  for side = 1, 2 do
    for i, bits in ipairs(o.curves[side]) do
      k = k + 1
      of[side][i], truth[side][i] = { bits = bits, arm = k }, { bits, o.accuracy + o.differences[k] }
    end
  end
  return of, truth
end

-- Two codecs of three encodings each, whose curves cross; changed as usual is.
M.two_curves = { curves = { { 0.1, 0.3, 1 }, { 0.15, 0.5, 1.2 } }, seeds = 5, at = 0.4, point = 2,
  differences = { -0.2, -0.08, -0.02, -0.22, -0.07, -0.01 } }

-- Outcomes of a draw in blocks: paired by seed in one, or each curve at seeds of its own, the first and the last half.
local function blocks_of(o, drawn, seeds)
  local blocks, k = { {}, {} }, 0
  for side = 1, 2 do
    for _ = 1, #o.curves[side] do
      k = k + 1
      local from = o.unpaired and side == 2 and seeds or 0
      table.insert(blocks[o.unpaired and side or 1], { unpack(drawn[k], from + 1, from + seeds) })
    end
  end
  if not o.unpaired then blocks[2] = nil end
  return blocks
end

-- How often intervals at 1 - alpha miss the truth: of accuracy at equal bits (o.at), of its mean over all common bits,
-- and of bits of b at equal accuracy with a's point number o.point, below and above; open: sets that lack an end.
function M.curves(o, draws, alpha)
  local own = { differences = o.differences, seeds = o.seeds * (o.unpaired and 2 or 1) }
  for name, v in pairs(usual) do own[name] = own[name] or o[name] or v end
  local w, of, truth = M.world(M.options(own)), drawn_curves { accuracy = own.accuracy, curves = o.curves,
    differences = o.differences }
  local from, to = curves.overlap(of[1], of[2])
  local difference = line_at(truth[2], o.at) - line_at(truth[1], o.at)
  local mean = mean_of(truth[2], from, to) - mean_of(truth[1], from, to)
  local bits = bits_at(truth[2], truth[1][o.point][2])
  local r = { draws = draws, difference = 0, mean = 0, low = 0, high = 0, open = 0, bits = bits }
  local function missed(found, value) return (value < found.lower or value > found.upper) and 1 or 0 end
  for _ = 1, draws do
    local p = products.of(blocks_of(o, M.draw(w), o.seeds))
    r.difference = r.difference + missed(curves.difference(p, of[1], of[2], o.at, alpha), difference)
    r.mean = r.mean + missed(curves.mean(p, of[1], of[2], alpha), mean)
    local found = curves.bits(p, { [o.point] = 1 }, of[2], alpha)
    r.low = r.low + (found.upper and found.upper < bits and 1 or 0)
    r.high = r.high + (found.lower and found.lower > bits and 1 or 0)
    r.open = r.open + ((found.lower and found.upper) and 0 or 1)
  end
  return r
end

-- ---- the uncertainty of the check itself ----

-- Whether so many events are no proof (at 1 in 1000) that their probability is above p.
function M.at_most(events, draws, p)
  return events == 0 or 1 - distribution.binomial_at_most(events - 1, draws, p) > 0.001
end

-- The 95 % interval of a probability of which `events` of `draws` happened (Clopper and Pearson 1934).
function M.interval(events, draws)
  local function solve(at_most)                            -- at_most falls with p
    local low, high = 0, 1
    for _ = 1, 50 do
      local p = (low + high) / 2
      if at_most(p) then low = p else high = p end
    end
    return low
  end
  local function above(p) return distribution.binomial_at_most(events, draws, p) > 0.025 end
  local function below(p) return 1 - distribution.binomial_at_most(events - 1, draws, p) < 0.025 end
  return events > 0 and solve(below) or 0, events < draws and solve(above) or 1
end

return M
