-- Curves beside each other: crossed variances of weighted outcomes, accuracy at equal bits, bits at equal accuracy, the
-- cheapest codec; by simulation how often their intervals miss the truth (test/crossed.lua; the whole: make truth).
local t = ...
local cheapest = require 'hz.report.versus.cheapest'
local curves = require 'hz.report.versus.curves'
local products = require 'hz.report.statistics.products'
local tensor = require 'hz.tensor.tensor'
local verdict = require 'hz.report.statistics.verdict'

local crossed = assert(loadfile(t.here .. 'crossed.lua'))()

local function close(got, wanted, relative, note)
  t.ok(got and math.abs(got - wanted) <= relative * math.max(1e-9, math.abs(wanted)),
    ('%s: got %s; needs %.17g'):format(note or '', tostring(got), wanted))
end

-- So many runs of random outcomes of varied items; shift: by run.
local function random(seeds, items, level)
  local list = {}
  for s = 1, seeds do
    list[s] = tensor.empty({ items }, 'u8')
    local shift = level + 0.05 * math.random()
    for i = 1, items do list[s]:set(math.random() < shift + 0.3 * (i % 3 - 1) and 1 or 0, i) end
  end
  return list
end

-- ---- weighted sums ----

t.case('weights 1 and -1 in one block are verdict.compare', function()
  math.randomseed(3)
  for _, shape in ipairs { { 2, 30 }, { 5, 200 }, { 9, 61 } } do
    local a, b = random(shape[1], shape[2], 0.5), random(shape[1], shape[2], 0.6)
    local wanted = verdict.compare(a, b)
    local r = products.interval(products.of { { b, a } }, { -1, 1 }, 0.05)
    close(r.value, wanted.difference, 1e-12, 'difference')
    for _, name in ipairs { 'se', 'df', 'seed_sd', 'item_sd' } do close(r[name], wanted[name], 1e-9, name) end
    close(r.lower, wanted.two_sided.lower, 1e-9)
    close(r.upper, wanted.two_sided.upper, 1e-9)
    close(r.p, wanted.p_different, 1e-9)
  end
end)

-- The same from the formulas, on plain tables: mean squares of one block's weighted outcomes.
local function by_hand(arms, w)
  local S, n = #arms[1], arms[1][1]:count()
  local d, of_seed, of_item, mean = {}, {}, {}, 0
  for s = 1, S do
    d[s], of_seed[s] = {}, 0
    for i = 1, n do
      local v = 0
      for k, runs in ipairs(arms) do v = v + w[k] * runs[s]:get(i) end
      d[s][i], of_seed[s], of_item[i], mean = v, of_seed[s] + v / n, (of_item[i] or 0) + v / S, mean + v / S / n
    end
  end
  local seed, item, rest = 0, 0, 0
  for s = 1, S do
    seed = seed + (of_seed[s] - mean) ^ 2 / (S - 1)
    for i = 1, n do rest = rest + (d[s][i] - of_seed[s] - of_item[i] + mean) ^ 2 / ((S - 1) * (n - 1)) end
  end
  for i = 1, n do item = item + (of_item[i] - mean) ^ 2 / (n - 1) end
  return { mean = mean, seed = seed, rest = rest, item = item, items = of_item, S = S, n = n }
end

t.case('any weights, in one block and in two: the formulas of crossed variances', function()
  math.randomseed(4)
  local a, b, d = random(4, 50, 0.4), random(4, 50, 0.6), random(4, 50, 0.7)
  local w = { 0.3, -1, 0.7 }
  local x, r = by_hand({ a, b, d }, w), products.judge(products.of { { a, b, d } }, w)
  close(r.value, x.mean, 1e-12)
  close(r.seed_sd, math.sqrt(x.seed), 1e-9)
  close(r.item_sd, math.sqrt(math.max(0, x.item - x.rest / x.S)), 1e-9)
  close(r.se, math.sqrt(x.seed / x.S + math.max(0, x.item - x.rest / x.S) / x.n), 1e-9)
  local e = random(7, 50, 0.5)
  local y = by_hand({ e }, { -1 })
  x = by_hand({ a, b }, { 0.4, 0.6 })
  local mean, items = x.mean + y.mean, 0
  for i = 1, 50 do items = items + (x.items[i] + y.items[i] - mean) ^ 2 / 49 end
  items = math.max(0, items - x.rest / 4 - y.rest / 7)
  r = products.judge(products.of { { a, b }, { e } }, { 0.4, 0.6, -1 })
  close(r.value, mean, 1e-12)
  close(r.se, math.sqrt(x.seed / 4 + y.seed / 7 + items / 50), 1e-9)
  local v, u = x.seed / 4, y.seed / 7
  local welch = (v + u) ^ 2 / (v ^ 2 / 3 + u ^ 2 / 6)
  t.ok(r.df <= welch and r.df > welch - 0.1, 'degrees of freedom in tenths, never more than Welch\'s')
end)

t.case('one seed, one item, items of another number are errors', function()
  t.raises('needs two at least', products.of, { { random(1, 10, 0.5) } })
  t.raises('needs two at least', products.of, { { random(3, 1, 0.5) } })
  t.raises('needs 10 of u8', products.of, { { random(3, 10, 0.5), random(3, 11, 0.5) } })
  t.raises('needs as many', products.of, { { random(3, 10, 0.5), random(2, 10, 0.5) } })
end)

-- ---- curves ----

-- Outcomes of the accuracies, the same at both seeds: nothing varies over seeds.
local function fixed(list, items)
  local arms = {}
  for k, accuracy in ipairs(list) do
    arms[k] = {}
    for s = 1, 2 do
      arms[k][s] = tensor.zeros({ items }, 'u8')
      for i = 1, math.floor(accuracy * items + 0.5) do arms[k][s]:set(1, i) end
    end
  end
  return products.of { arms }
end

local function curve(first, ...)
  local list = {}
  for i, bits in ipairs { ... } do list[i] = { bits = bits, arm = first + i - 1 } end
  return list
end

t.case('accuracy at equal bits: lines over log bits between measured points, nothing beyond', function()
  local p = fixed({ 0.5, 0.7, 0.6, 0.8 }, 100)
  local a, b = curve(1, 0.1, 1), curve(3, 0.2, 2)
  t.equal({ curves.overlap(a, b) }, { 0.2, 1 })
  local list = curves.differences(p, a, b, 0.05)
  t.equal(#list, 2)
  t.near(list[1].a, 0.5 + 0.2 * math.log10(2), 1e-12)
  t.near(list[1].b, 0.6, 1e-12)
  t.near(list[2].value, 0.6 + 0.2 * math.log10(5) - 0.7, 1e-12)
  local mean = curves.mean(p, a, b, 0.05)
  t.near(mean.value, (list[1].value + list[2].value) / 2, 1e-12, 'between the two both are lines')
  t.equal({ mean.from, mean.to }, { 0.2, 1 })
  t.equal({ curves.overlap(a, curve(3, 2, 3)) }, { nil, false })
  t.equal(curves.differences(p, a, curve(3, 2, 3), 0.05), {})
  t.equal(curves.mean(p, a, curve(3, 2, 3), 0.05), nil)
  t.equal({ curves.overlap(a, curve(3, 1, 3)) }, { 1, 1 }, 'a point is bits enough')
  t.equal(curves.mean(p, a, curve(3, 1, 3), 0.05), nil)
  t.near(curves.differences(p, a, curve(3, 1, 3), 0.05)[1].value, -0.1, 1e-12)
end)

t.case('bits at equal accuracy: where the line crosses; what is not reached is said, not guessed', function()
  local p = fixed({ 0.5, 0.75, 0.6, 0.8, 0.6 }, 100)
  local b = curve(3, 0.2, 2)
  local r = curves.bits(p, { [2] = 1 }, b, 0.05)
  t.near(r.bits, 0.2 * 10 ^ 0.75, 1e-9)
  r = curves.bits(p, { [1] = 1 }, b, 0.05)
  t.equal({ r.bits, r.where }, { nil, 'below' })
  r = curves.bits(p, { [4] = 1 }, curve(1, 0.1, 1), 0.05)
  t.equal({ r.bits, r.where }, { nil, 'above' })
  r = curves.bits(p, { [5] = 1 }, b, 0.05)
  t.near(r.bits, 0.2, 1e-12, 'as accurate at the fewest bits')
  t.equal(r.where, nil)
end)

t.case('the set of bits is the test inverted: at its ends the difference is just measurable', function()
  math.randomseed(5)
  local runs = { random(5, 900, 0.58), random(5, 900, 0.45), random(5, 900, 0.7) }
  local p, b = products.of { runs }, curve(2, 0.1, 1)
  local r = curves.bits(p, { 1, 0, 0 }, b, 0.05)
  t.ok(r.lower < r.bits and r.bits < r.upper)
  for bits, name in pairs { [r.lower] = 'upper', [r.upper] = 'lower' } do
    local share = math.log(bits / 0.1) / math.log(10)
    local at = products.interval(p, { -1, 1 - share, share }, 0.05)
    t.near(at[name], 0, 1e-9)
  end
  r = curves.bits(p, { 1, 0, 0 }, b, 1e-9)
  t.equal({ r.lower, r.upper, r.outside }, { nil, nil, nil }, 'no bound at such a level')
  t.ok(r.bits)
  r = curves.bits(p, { 0, 0, 1 }, curve(1, 0.1), 0.05)
  t.equal({ r.where, r.outside, r.lower, r.upper }, { 'above', 'above', 0.1, nil })
  r = curves.bits(p, { 0, 1, 0 }, curve(1, 0.1), 0.05)
  t.equal({ r.where, r.outside, r.lower, r.upper }, { 'below', 'below', nil, 0.1 })
end)

-- ---- the cheapest codec ----

t.case('one encoding a codec: adjusted p values are those of Holm', function()
  math.randomseed(6)
  for _ = 1, 200 do
    local paths, list, flat = {}, {}, {}
    for k = 1, 4 do
      list[k] = math.random() ^ 3
      paths[k] = { list[k] }
    end
    for k, own in ipairs(cheapest.adjusted(paths)) do flat[k] = own[1] end
    local wanted = verdict.holm(list)
    for k = 1, 4 do close(flat[k], wanted[k], 1e-12) end
  end
end)

t.case('chains of codecs: a fixed order in each, a codec that is through leaves its share to the others', function()
  t.equal(cheapest.adjusted { { 0.01, 0.03, 0.001 }, { 0.02, 0.04 } },
    { { 0.02, 0.06, 0.06 }, { 0.04, 0.06 } }, 'the first is through before 0.04, which then counts once')
end)

t.case('the cheapest codec is the one whose claim needs the fewest bits', function()
  local function e(bits, safe, harmful) return { bits = bits, safe = safe, harmful = harmful or 1 - safe } end
  local list, best = cheapest.of({
    { e(2, 0.001), e(0.5, 0.001), e(0.2, 0.6) },
    { e(3, 0.001), e(0.6, 0.99, 0.001), e(0.1, 1, 0.0001) },
    { e(1, 0.4), e(0.05, 0.9) } }, 0.05)
  t.equal(best, 1)
  t.equal({ list[1].safe, list[2].safe, list[3].safe }, { 2, 1, nil })
  t.equal({ list[1].harmful, list[2].harmful }, { nil, 2 })
  t.equal({ list[1].needs_more, list[2].needs_more, list[3].needs_more }, { false, true, false })
  t.equal({ select(2, cheapest.of({ { e(1, 0.03) }, { e(2, 0.04) } }, 0.05)) }, { nil },
    'each alone is below 0.05, both together are not')
  t.equal({ cheapest.of({}, 0.05) }, { {}, nil })
end)

-- Claims of three codecs, all of whose encodings lose just the margin: how often any is called safe.
t.case('by simulation: of several codecs any is called safe wrongly in at most alpha', function()
  math.randomseed(7)
  local o = crossed.options { differences = { -0.01, -0.01, -0.01, -0.01 }, items = 1000 }
  local w, wrong = crossed.world(o), 0
  for _ = 1, 300 do
    local drawn, codecs = crossed.draw(w), {}
    for k = 1, 4 do
      local found = verdict.compare(drawn[k], drawn[0])
      codecs[k] = { { bits = k, safe = found.p_safe, harmful = found.p_harmful } }
    end
    wrong = wrong + (select(2, cheapest.of(codecs, 0.05)) and 1 or 0)
  end
  t.ok(crossed.at_most(wrong, 300, 0.05), ('%d of 300'):format(wrong))
end)

-- ---- coverage ----

t.case('by simulation: intervals of accuracy at equal bits and of bits at equal accuracy hold the truth', function()
  math.randomseed(8)
  for _, changed in ipairs { {}, { unpaired = true }, { seeds = 3, unequal = 3, spread = 0.05, correlation = 0.9 },
    { items = 300, accuracy = 0.97, difficulty = 8 } } do
    local o = setmetatable(changed, { __index = crossed.two_curves })
    local r = crossed.curves(o, 300, 0.05)
    for _, name in ipairs { 'difference', 'mean' } do
      t.ok(crossed.at_most(r[name], r.draws, 0.05), ('%s: %d of %d'):format(name, r[name], r.draws))
    end
    t.ok(crossed.at_most(r.low + r.high, r.draws, 0.05), ('bits: %d and %d'):format(r.low, r.high))
    t.ok(r.open < r.draws / 2, 'most sets have two ends')
  end
end)
