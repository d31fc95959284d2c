-- items.lua: which test items an encoding loses, beside how many are lost with no codec at all. The seeds of an
-- encoding vote: an item is right if more than half of them are right (half of an even number is not).
-- items.of(r, chain) ->
--   items, seeds           test items, and seeds of raw that vote; raw: items that these get right
--   flips                  share of items on which two seeds of raw disagree
--   entries                list, beside chain.entries; an entry without outcomes has false. Each:
--     seeds                that vote here
--     right                items right here
--     kept                 right on raw, here, and at all encodings above this one
--     lost, gained         right on raw and wrong here; wrong on raw and right here
--     expected             { kept, lost, gained, lost_sd }: the same counts, real numbers, if nothing but the seeds
--                          were others: this encoding and those above it being raw again, with seeds of their own
--     strongest            the first of the items that are lost, strongest evidence first, at most 64: { item (from 1),
--                          raw, here (seeds right of `seeds`), chance = share of items lost with as strong evidence
--                          that seeds alone would lose, 0 to 1 }
--   control                of a replicate of raw among the cells, { seeds, lost, gained, expected = { lost, gained } }:
--                          what the expectation is worth; nil without one
-- nil where raw has fewer than two seeds, or no outcomes.
--
-- What is expected comes from the counts of right seeds of the raw items: each item is right with a probability of its
-- own; how these are distributed is fitted to the counts, beginning with the beta distribution of the same mean and
-- variance (Skellam 1948), by steps of EM (Laird 1978).
local c = require 'hz.c'
local outcomes = require 'hz.report.outcomes'

local ffi = c.ffi
local M = {}

local MOST = 64                    -- items that are named
local STEPS = 20                   -- of EM: shapes that are no beta distribution come out within 5 %
local REACH, STEP = 25, 0.05       -- of the grid of log odds

-- ---- counting ----

-- Seeds that are right, by item, from 0.
local function votes(list)
  local n = list[1]:count()
  local count = ffi.new('int32_t[?]', n)
  for s, t in ipairs(list) do
    if t:count() ~= n then c.fail('items: seed %d has %d outcomes; needs %d', s, t:count(), n) end
    local p = t:contiguous():pointer 'read'
    for i = 0, n - 1 do count[i] = count[i] + math.min(p[i], 1) end
  end
  return { count = count, seeds = #list, n = n }
end

local function new_table(rows, columns)
  local t = {}
  for k = 0, rows do
    t[k] = {}
    for j = 0, columns do t[k][j] = 0 end
  end
  return t
end

-- How many items have k right seeds on raw and j here: t[k][j].
local function crossed(raw, here)
  local t, flat = new_table(raw.seeds, here.seeds), ffi.new('int32_t[?]', (raw.seeds + 1) * (here.seeds + 1))
  for i = 0, raw.n - 1 do
    local at = raw.count[i] * (here.seeds + 1) + here.count[i]
    flat[at] = flat[at] + 1
  end
  for k = 0, raw.seeds do
    for j = 0, here.seeds do t[k][j] = flat[k * (here.seeds + 1) + j] end
  end
  return t
end

local function histogram(v)
  local h = {}
  for k = 0, v.seeds do h[k] = 0 end
  for i = 0, v.n - 1 do h[v.count[i]] = h[v.count[i]] + 1 end
  return h
end

-- ---- the probabilities of items ----

local function binomial(n, k)
  local v = 1
  for i = 1, k do v = v * (n - k + i) / i end
  return v
end

-- Mean and variance of the probabilities that go with counts of right seeds, as a + b and the mean of a beta
-- distribution.
local function moments(h, seeds, n)
  local sum, squares = 0, 0
  for k = 0, seeds do sum, squares = sum + k * h[k], squares + k * k * h[k] end
  local mean = math.min(math.max(sum / (n * seeds), 0.5 / n), 1 - 0.5 / n)
  local variance = squares / n - (sum / n) ^ 2
  local rho = (variance / (seeds * mean * (1 - mean)) - 1) / (seeds - 1)
  return mean, 1 / math.min(math.max(rho, 0.002), 0.99) - 1
end

-- ln(1 + e^t)
local function softplus(t) return t < -15 and math.exp(t) or math.log(1 + math.exp(t)) end

-- What the grid leaves out beyond an end counts there: there the density falls as e^(-rate |t|).
local function beyond(rate) return 1 + 1 / (rate * STEP) end

-- A grid over log odds: { p, weight (of the beta distribution, adding up to 1) }.
local function beta_grid(mean, both)
  local grid, sum = { p = {}, weight = {} }, 0
  local most = mean * math.log(mean) + (1 - mean) * math.log(1 - mean)
  local points = math.floor(2 * REACH / STEP + 0.5)
  for i = 0, points do
    local t = i * STEP - REACH
    local low, high = -softplus(-t), -softplus(t)
    local w = math.exp(both * (mean * low + (1 - mean) * high - most))
    if i == 0 then w = w * beyond(both * mean) elseif i == points then w = w * beyond(both * (1 - mean)) end
    table.insert(grid.p, math.exp(low))
    table.insert(grid.weight, w)
    sum = sum + w
  end
  for g, w in ipairs(grid.weight) do grid.weight[g] = w / sum end
  return grid
end

-- likely[k][g]: probability of k right seeds at a point of the grid.
local function likelihoods(grid, seeds)
  local likely = {}
  for k = 0, seeds do
    local row, ways = {}, binomial(seeds, k)
    for g, p in ipairs(grid.p) do row[g] = ways * p ^ k * (1 - p) ^ (seeds - k) end
    likely[k] = row
  end
  return likely
end

-- Of items with k right seeds: weights of the grid, adding up to 1.
local function posterior(grid, row)
  local out, sum = {}, 0
  for g, w in ipairs(grid.weight) do
    out[g] = w * row[g]
    sum = sum + out[g]
  end
  for g = 1, #out do out[g] = sum > 0 and out[g] / sum or grid.weight[g] end
  return out
end

local function refine(grid, likely, h, seeds, n)
  local fresh = {}
  for g = 1, #grid.p do fresh[g] = 0 end
  for k = 0, seeds do
    if h[k] > 0 then
      for g, w in ipairs(posterior(grid, likely[k])) do fresh[g] = fresh[g] + w * h[k] / n end
    end
  end
  grid.weight = fresh
end

-- The distribution that raw's counts speak for: { grid, posterior = by k }.
local function fit(raw, h)
  local grid = beta_grid(moments(h, raw.seeds, raw.n))
  local likely = likelihoods(grid, raw.seeds)
  for _ = 1, STEPS do refine(grid, likely, h, raw.seeds, raw.n) end
  local by = {}
  for k = 0, raw.seeds do by[k] = posterior(grid, likely[k]) end
  return { grid = grid, posterior = by }
end

-- ---- what seeds alone would do ----

local function is_right(k, seeds) return 2 * k > seeds end

local function dot(weights, values)
  local sum = 0
  for g, w in ipairs(weights) do sum = sum + w * values[g] end
  return sum
end

-- Probability at each point of the grid that so many fresh seeds vote right.
local function vote_of(likely, seeds)
  local out = {}
  for g = 1, #likely[0] do
    out[g] = 0
    for k = 0, seeds do
      if is_right(k, seeds) then out[g] = out[g] + likely[k][g] end
    end
  end
  return out
end

-- above: probability by grid of being right at all encodings above; it takes this one in.
local function expect(model, h, seeds, likely, fresh, above)
  local e, variance = { kept = 0, lost = 0, gained = 0 }, 0
  for g, v in ipairs(vote_of(likely, fresh)) do above.vote[g], above.all[g] = v, above.all[g] * v end
  for k = 0, seeds do
    local right = dot(model.posterior[k], above.vote)
    if is_right(k, seeds) then
      e.kept, e.lost = e.kept + h[k] * dot(model.posterior[k], above.all), e.lost + h[k] * (1 - right)
      variance = variance + h[k] * right * (1 - right)
    else
      e.gained = e.gained + h[k] * right
    end
  end
  e.lost_sd = math.sqrt(variance)
  return e
end

-- ---- evidence ----

-- Pairs (k, j) of items that are lost, strongest first, each with its chance: { k, j, chance }.
local function ranked(t, model, h, likely, seeds, fresh)
  local list = {}
  for k = 0, seeds do
    for j = 0, fresh do
      if is_right(k, seeds) and not is_right(j, fresh) then
        list[#list + 1] = { k = k, j = j, strength = k / seeds - j / fresh, seen = t[k][j],
          expected = h[k] * dot(model.posterior[k], likely[j]) }
      end
    end
  end
  table.sort(list, function(a, b)
    if math.abs(a.strength - b.strength) > 1e-9 then return a.strength > b.strength end
    return a.k > b.k
  end)
  local seen, expected = 0, 0
  for _, one in ipairs(list) do
    seen, expected = seen + one.seen, expected + one.expected
    one.chance = seen > 0 and math.min(1, expected / seen) or 1
  end
  return list
end

-- Share of right seeds of an item at encodings below one.
local function below(entries, at, i)
  local right, all = 0, 0
  for e = at + 1, #entries do
    if entries[e] then right, all = right + entries[e].count[i], all + entries[e].seeds end
  end
  return all > 0 and right / all or 0
end

-- The items themselves; those of one pair by how seldom they are right further below, then by number.
local function strongest(raw, entries, at, pairs_ranked)
  local here, by, list = entries[at], {}, {}
  for i = 0, raw.n - 1 do
    local k, j = raw.count[i], here.count[i]
    if is_right(k, raw.seeds) and not is_right(j, here.seeds) then
      local name = k * (here.seeds + 1) + j
      by[name] = by[name] or {}
      table.insert(by[name], { item = i + 1, raw = k, here = j, below = below(entries, at, i) })
    end
  end
  for _, pair in ipairs(pairs_ranked) do
    local some = #list < MOST and by[pair.k * (here.seeds + 1) + pair.j] or {}
    table.sort(some, function(a, b)
      if a.below ~= b.below then return a.below < b.below end
      return a.item < b.item
    end)
    for _, one in ipairs(some) do
      one.chance, one.below = pair.chance, nil
      if #list < MOST then list[#list + 1] = one end
    end
  end
  return list
end

-- ---- the whole ----

local function tally(t, seeds, fresh)
  local out = { right = 0, lost = 0, gained = 0 }
  for k = 0, seeds do
    for j = 0, fresh do
      local a, b = is_right(k, seeds), is_right(j, fresh)
      out.right = out.right + (b and t[k][j] or 0)
      out.lost, out.gained = out.lost + (a and not b and t[k][j] or 0), out.gained + (b and not a and t[k][j] or 0)
    end
  end
  return out
end

-- Takes the items that are wrong here out of those that were right so far.
local function keep(alive, here)
  local kept = 0
  for i = 0, here.n - 1 do
    if 2 * here.count[i] <= here.seeds then alive[i] = 0 end
    kept = kept + alive[i]
  end
  return kept
end

local function all_ones(n)
  local list = {}
  for g = 1, n do list[g] = 1 end
  return list
end

local function flips(raw, h)
  local apart = 0
  for k = 0, raw.seeds do apart = apart + h[k] * k * (raw.seeds - k) end
  return apart / (raw.n * raw.seeds * (raw.seeds - 1) / 2)
end

local function control_of(r, chain, raw, model, h)
  for _, g in ipairs(r.controls or {}) do
    local list = g.control == 'replicate' and g.setting == chain.setting
      and outcomes.all(r, g, chain.reference.rows[1]) or {}
    if #list >= 2 and list[1]:count() == raw.n then
      local fresh = votes(list)
      local found = tally(crossed(raw, fresh), raw.seeds, fresh.seeds)
      local e = expect(model, h, raw.seeds, likelihoods(model.grid, fresh.seeds), fresh.seeds,
        { vote = {}, all = all_ones(#model.grid.p) })
      return { seeds = fresh.seeds, lost = found.lost, gained = found.gained,
        expected = { lost = e.lost, gained = e.gained } }
    end
  end
end

local function work(r, chain)
  local reference = chain.reference
  local list = reference and outcomes.all(r, reference, reference.rows[1]) or {}
  if #list < 2 then return nil end
  local raw, voted = votes(list), {}
  for e, entry in ipairs(chain.entries) do
    local own = outcomes.all(r, entry.group, reference.rows[1])
    voted[e] = #own > 0 and votes(own) or false
    if voted[e] and voted[e].n ~= raw.n then
      c.fail('items: %s has %d outcomes; needs %d, as raw', entry.group.tested.text, voted[e].n, raw.n)
    end
  end
  local h = histogram(raw)
  local model, likely, alive = fit(raw, h), {}, ffi.new('uint8_t[?]', raw.n)
  for i = 0, raw.n - 1 do alive[i] = 1 end
  local out = { items = raw.n, seeds = raw.seeds, raw = keep(alive, raw), flips = flips(raw, h), entries = {},
    control = control_of(r, chain, raw, model, h) }
  local above = { vote = {}, all = all_ones(#model.grid.p) }
  for e, here in ipairs(voted) do
    out.entries[e] = false
    if here then
      likely[here.seeds] = likely[here.seeds] or likelihoods(model.grid, here.seeds)
      local t = crossed(raw, here)
      local found = tally(t, raw.seeds, here.seeds)
      found.seeds, found.kept = here.seeds, keep(alive, here)
      found.expected = expect(model, h, raw.seeds, likely[here.seeds], here.seeds, above)
      found.strongest = strongest(raw, voted, e, ranked(t, model, h, likely[here.seeds], raw.seeds, here.seeds))
      out.entries[e] = found
    end
  end
  return out
end

-- The items of a chain (verdicts.lua), as the head of this file says.
function M.of(r, chain)
  if chain.items == nil then chain.items = work(r, chain) or false end
  return chain.items or nil
end

return M
