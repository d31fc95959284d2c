-- Verdicts: distributions beside SciPy's values, mean squares and bounds beside statsmodels', looks, order, power, and
-- by simulation how often they are wrong (test/crossed.lua; the whole of it: make truth).
local t = ...
local distribution = require 'hz.report.statistics.distribution'
local tensor = require 'hz.tensor.tensor'
local verdict = require 'hz.report.statistics.verdict'

local crossed = assert(loadfile(t.here .. 'crossed.lua'))()

local function close(got, wanted, relative, note)
  t.ok(got and math.abs(got - wanted) <= relative * math.abs(wanted),
    ('%s: got %s; needs %.17g'):format(note or '', tostring(got), wanted))
end

-- '1011' -> u8 outcomes; a list of them.
local function outcomes(rows)
  local list = {}
  for s, row in ipairs(rows) do
    local right = tensor.empty({ #row }, 'u8')
    for i = 1, #row do right:set(tonumber(row:sub(i, i)), i) end
    list[s] = right
  end
  return list
end

-- ---- distributions ----

t.case("tails of Student's t are SciPy's", function()
  for _, row in ipairs {                                    -- scipy.stats.t.sf of SciPy 1.17
    { 0.3, 1, 0.4072264209222577 }, { 2.5, 2, 0.06480586011075541 }, { -1.2, 3, 0.8418689426509474 },
    { 5, 4.5, 0.0027381791797599516 }, { 12, 9, 3.8499431114928265e-07 }, { 1.5, 19, 0.07502426537113581 },
    { 40, 30, 6.863022597203209e-28 }, { 0.001, 7, 0.4996150086224994 }, { 3, 1e5, 0.0013502304420323617 },
    { -6, 12, 0.9999689163056757 }, { 1.5, math.huge, 0.06680720126885807 }, { 8, math.huge, 6.22096057427174e-16 },
  } do
    close(distribution.t_tail(row[1], row[2]), row[3], 1e-10, 't=' .. row[1] .. ' df=' .. row[2])
  end
  t.equal({ distribution.t_tail(math.huge, 3), distribution.t_tail(-math.huge, 3), distribution.t_tail(0, 3) },
    { 0, 1, 0.5 })
end)

t.case("quantiles of Student's t are SciPy's", function()
  for _, row in ipairs {                                    -- scipy.stats.t.isf
    { 0.05, 1, 6.313751514675044 }, { 0.05, 4, 2.131846786326651 }, { 0.025, 4, 2.7764451051977943 },
    { 0.01, 4, 3.746947387979197 }, { 0.015, 9, 2.573803977546804 }, { 0.025, 19, 2.09302405440831 },
    { 0.005, 2, 9.924843200918293 }, { 1e-10, 3, 2225.769284683093 }, { 0.2, 7.5, 0.8922093469396742 },
    { 0.4999, 5, 0.0002634305560701236 }, { 0.95, 4, -2.1318467863266495 }, { 0.001, 1000, 3.0984021639129233 },
    { 0.05, math.huge, 1.6448536269514722 },
  } do
    close(distribution.t_upper(row[1], row[2]), row[3], 1e-9, 'tail=' .. row[1] .. ' df=' .. row[2])
  end
end)

t.case("binomial tails are SciPy's", function()
  for _, row in ipairs {                                    -- scipy.stats.binom.cdf
    { 0, 299, 0.01, 0.049536256637662465 }, { 0, 200, 0.01, 0.13397967485796192 },
    { 3, 1000, 0.01, 0.010072654772014291 }, { 40, 10000, 0.005, 0.08553191862588275 },
    { 12, 20, 0.5, 0.8684120178222656 }, { 19, 20, 0.5, 0.9999990463256836 },
  } do
    close(distribution.binomial_at_most(row[1], row[2], row[3]), row[4], 1e-10)
  end
  t.equal({ distribution.binomial_at_most(-2, 5, 0.5), distribution.binomial_at_most(5, 5, 0.5) }, { 0, 1 })
end)

-- ---- one encoding ----

t.case('mean squares, bounds and churn are those of statsmodels', function()
  local r = verdict.compare(outcomes { '110110', '111010', '100110', '110011' },
    outcomes { '111110', '111011', '101111', '111111' })
  local wanted = { difference = -0.25, se = 0.11180339887498945, lower = -0.5131140307989637,
    upper = 0.013114030798963616, churn = 0.25, null_churn = 0.25, correlation = 1 / 3, accuracy = 15 / 24,
    reference = 21 / 24, seed_sd = math.sqrt(0.055555555555555476 / 6),
    item_sd = math.sqrt((0.3999999999999999 - 0.15555555555555553) / 4), residual_sd = math.sqrt(0.15555555555555553) }
  for name, value in pairs(wanted) do close(r[name], value, 1e-12, name) end
  close(r.two_sided.lower, -0.6058083136678709, 1e-12)
  close(r.two_sided.upper, 0.10580831366787091, 1e-12)
  close(r.mean_squares.seed, 0.055555555555555476, 1e-12)          -- anova_lm(ols('d ~ C(seed) + C(item)'))
  close(r.mean_squares.item, 0.3999999999999999, 1e-12)
  close(r.mean_squares.residual, 0.15555555555555553, 1e-12)
  t.equal({ r.seeds, r.items, r.df, r.verdict, r.measurable }, { 4, 6, 3, 'undecided' })
end)

-- So many items of which the first `lost` are wrong at each of three seeds, those of the reference right but one.
local function lossy(lost, items)
  local a, b = {}, {}
  for s = 1, 3 do
    a[s] = ('0'):rep(lost + s - 1) .. ('1'):rep(items - lost - s + 1)
    b[s] = ('1'):rep(items - 1) .. '0'
  end
  return outcomes(a), outcomes(b)
end

t.case('verdicts: safe, harmful, undecided, by the margin; measurably worse all the same', function()
  local a, b = lossy(30, 1000)
  local r = verdict.compare(a, b)
  t.equal({ r.verdict, r.measurable }, { 'harmful', 'worse' })
  t.ok(r.upper < -0.01 and r.p_harmful < 0.05 and r.p_safe > 0.95)
  r = verdict.compare(a, b, { margin = 0.06 })
  t.equal({ r.verdict, r.measurable, r.margin }, { 'safe', 'worse', 0.06 })
  t.ok(r.lower > -0.06 and r.p_safe < 0.05 and r.p_different < 0.05)
  t.equal(verdict.compare(a, b, { margin = 0.03 }).verdict, 'undecided')
  t.equal(verdict.compare(a, b, { margin = 0.06, alpha = 1e-4 }).verdict, 'undecided')
  r = verdict.compare(b, a)
  t.equal({ r.verdict, r.measurable }, { 'safe', 'better' })
end)

t.case('one seed is no verdict, and says why; nor is one item', function()
  local r = verdict.compare(outcomes { '1101' }, outcomes { '1111' })
  t.equal({ r.verdict, r.difference, r.lower, r.upper, r.null_churn }, { 'undecided', -0.25 })
  t.match(r.reason, 'one seed')
  t.match(verdict.compare(outcomes { '1', '1' }, outcomes { '1', '0' }).reason, 'one item')
end)

t.case('nothing differs: as safe as so many items can show', function()
  local row = ('1'):rep(298)
  local function same(items)
    local list = {}
    for s = 1, 5 do list[s] = row:rep(2):sub(1, items) end
    return verdict.compare(outcomes(list), outcomes(list))
  end
  local few, many = same(298), same(299)
  t.equal({ few.verdict, few.se, few.lower, many.verdict, many.measurable }, { 'undecided', 0, 0, 'safe' })
  t.match(few.reason, '298 items are too few')
  close(few.p_losses, 0.99 ^ 298, 1e-10)
end)

t.case('outcomes that do not belong together are refused by name', function()
  local a = outcomes { '11', '10' }
  for _, b in ipairs { outcomes { '11' }, outcomes { '111', '101' }, { a[1], a[2]:to 'f32' }, {} } do
    local ok, message = pcall(verdict.compare, a, b)
    t.ok(not ok)
    t.match(message, 'verdict: .*; needs')
  end
end)

t.case('ten encodings of 10,000 items at 20 seeds are compared in less than 0.1 s', function()
  local w = crossed.world(crossed.options { items = 10000, seeds = 20 })
  local drawn, best = crossed.draw(w), math.huge
  for _ = 1, 3 do
    local started = os.clock()
    for _ = 1, 10 do verdict.compare(drawn[1], drawn[0]) end
    best = math.min(best, os.clock() - started)
  end
  t.ok(best < 0.1, ('took %.3f s'):format(best))
end)

-- ---- looks, order, many ----

t.case('adaptive: looks at 5, 10, 20 seeds spend .010, .015, .025; the first that decides stands', function()
  local steps = verdict.steps(0.05)
  for i, wanted in ipairs { { 5, 0.010 }, { 10, 0.015 }, { 20, 0.025 } } do
    t.equal(steps[i].seeds, wanted[1])
    close(steps[i].alpha, wanted[2], 1e-12)
  end
  math.randomseed(3)
  local drawn = crossed.draw(crossed.world(crossed.options { differences = { 0.02, -0.01 }, seeds = 12 }))
  local r = verdict.adaptive(drawn[1], drawn[0])
  t.equal({ r.verdict, r.look, r.seeds, r.next }, { 'safe', 1, 5 })
  r = verdict.adaptive(drawn[2], drawn[0])
  t.equal({ r.verdict, r.look, r.seeds, r.next }, { 'undecided', 2, 10, 20 })
  close(r.alpha, 0.015, 1e-12)
  r = verdict.adaptive({ drawn[2][1] }, { drawn[0][1] })
  t.equal({ r.verdict, r.look, r.next, r.reason }, { 'undecided', 0, 5, 'the first look is at 5 seeds' })
end)

t.case('sequence: the knee is a bracket between unbroken runs; what is below the gate was not reached', function()
  local word = { s = 'safe', h = 'harmful', u = 'undecided', n = 'not reached' }
  for _, row in ipairs {                          -- verdicts, marks, end of the safe run, of the harmful one
    { 'ssuhh', 'ssuhh', 2, 4 }, { 'susuh', 'sunnh', 1, 5 }, { 'sss', 'sss', 3 }, { 'hhh', 'hhh', nil, 1 },
    { 'uss', 'unn' }, { 'sshuh', 'sshnh', 2, 5 }, { 'ssuhuh', 'ssunnh', 2, 6 }, { 'sh', 'sh', 1, 2 },
    { 'u', 'u' }, { 'hs', 'hn' }, { '', '' },
  } do
    local list, marks = {}, {}
    for letter in row[1]:gmatch '.' do            -- every other one as compare gives it
      list[#list + 1] = #list % 2 == 0 and word[letter] or { verdict = word[letter] }
    end
    for letter in row[2]:gmatch '.' do marks[#marks + 1] = word[letter] end
    local found = verdict.sequence(list)
    t.equal(found.marks, marks, row[1])
    t.equal(found.safe, row[3], row[1])
    t.equal(found.harmful, row[4], row[1])
  end
end)

t.case('Holm adjusts in the order given, rises with p, and stops at 1', function()
  local wanted = { 0.03, 0.06, 0.06, 0.02 }       -- R: p.adjust(c(0.01, 0.04, 0.03, 0.005), 'holm')
  for i, p in ipairs(verdict.holm { 0.01, 0.04, 0.03, 0.005 }) do close(p, wanted[i], 1e-12) end
  t.equal(verdict.holm { 0.9, 0.5 }, { 1, 1 })
  t.equal(verdict.holm {}, {})
end)

t.case('time to a target: seeds that did not get there count as censored, never as missing', function()
  t.equal(verdict.time({ 3, 5, false, 4 }, 10), { seeds = 4, reached = 3, restricted = 5.5, median = 4.5 })
  t.equal(verdict.time({ 3, false, false }, 10), { seeds = 3, reached = 1, restricted = 23 / 3 })
  t.equal(verdict.time({ 3, 12 }, 10), { seeds = 2, reached = 1, restricted = 6.5 })
  local d = verdict.time_difference({ 5, 7, false }, { 4, 5, 6 }, 10)
  close(d.difference, 7 / 3, 1e-12)
  close(d.se, 0.8819171036881969, 1e-12)          -- scipy.stats.ttest_rel([5, 7, 10], [4, 5, 6])
  close(d.upper, 6.127919, 1e-6)
  t.equal(verdict.time_difference({ 5 }, { 4 }, 10), nil)
end)

-- ---- how probable ----

t.case('power: the noncentral t where items add nothing', function()
  for _, row in ipairs {                          -- scipy.stats.nct.sf(t.isf(.05, S-1), S-1, margin / (sd / sqrt(S)))
    { 5, 0.006, 0.01, 0.9162798835888529 }, { 3, 0.004, 0.01, 0.8484151937408712 },
    { 10, 0.01, 0.008, 0.7544247592493479 },
  } do
    close(verdict.power { seeds = row[1], items = 1e7, seed_sd = row[2], item_sd = 0, margin = row[3] }, row[4], 1e-6)
  end
  local sure = { seeds = 5, items = 1e4, seed_sd = 0, item_sd = 0, margin = 0.01 }
  t.equal(verdict.power(sure), 1)
  sure.difference = -0.02
  t.equal(verdict.power(sure), 0)
end)

t.case('the smallest certifiable margin: 1.07, 0.68, 0.48 points with 3, 5, 10 seeds, 0.30 with any number', function()
  for _, row in ipairs { { 3, 1.07 }, { 5, 0.68 }, { 10, 0.48 }, { math.huge, 0.30 } } do
    local o = { seeds = row[1], items = 10000, seed_sd = 0.003 * math.sqrt(2), item_sd = 0.1206 }
    o.margin = verdict.margin(o)
    t.equal(('%.2f'):format(100 * o.margin), ('%.2f'):format(row[2]))
    close(verdict.power(o), 0.8, 1e-6)
  end
end)

t.case('seeds needed: more for a closer call, none where it is decided or out of reach', function()
  local function of(difference, adaptive, verdict_now)
    local r = { verdict = verdict_now or 'undecided', seeds = 5, items = 10000, seed_sd = 0.006, item_sd = 0.1,
      difference = difference, margin = 0.01 }
    return verdict.seeds_needed(r, { adaptive = adaptive })
  end
  local k, p = of(-0.003)
  t.ok(k and k >= 1 and k < 10 and p >= 0.8)
  t.ok(of(-0.0045) > k)
  t.ok(of(-0.02) <= 5)
  t.equal(of(-0.0099), nil)
  t.equal(of(-0.003, false, 'safe'), nil)
  t.equal((of(0, true)), 5)
  t.equal((of(-0.003, true)), 15)
end)

-- ---- how often wrong ----

local rule = { margin = 0.01, alpha = 0.05 }

-- Nothing is claimed at the margin more often than promised, as far as so many draws can tell.
local function errors_are_few(changed, draws)
  local r = crossed.rates(crossed.options(changed), draws, rule)
  t.ok(crossed.at_most(r.safe, draws, 0.05), ('%d of %d false safe'):format(r.safe, draws))
  t.ok(crossed.at_most(r.harmful, draws, 0.05), ('%d of %d false harmful'):format(r.harmful, draws))
  return r
end

t.case('at the margin: false safe and false harmful at most 5 %, many kinds of seeds and items', function()
  math.randomseed(1)
  for _, changed in ipairs { { items = 200 }, { items = 1000 }, { own = 1, items = 500 },
    { spread = 0.1, correlation = 0.98 }, { spread = 0.05, unequal = 3, correlation = 0.5 }, { seeds = 3 },
    { seeds = 10, items = 500 }, { items = 10000, spread = 0.05 } } do
    local r = errors_are_few(changed, changed.items == 10000 and 200 or 600)
    t.ok(r.safe + r.harmful > 0 and r.churn > 0.02)
  end
end)

t.case('at the margin: where few items differ, most of them lost, false safe stays below 5 %', function()
  math.randomseed(1)
  for _, items in ipairs { 200, 300, 500 } do
    local r = errors_are_few({ items = items, accuracy = 0.97, difficulty = 8 }, 1000)
    t.ok(r.churn < 0.02)
  end
end)

t.case('looks and order together: each end of the bracket wrong in at most 5 %, the knee outside in 10 %', function()
  math.randomseed(1)
  local o = crossed.options { differences = { 0, -0.01, -0.01, -0.05 }, items = 500, seeds = 20 }
  local r = crossed.chains(o, 300, 0.01)
  t.ok(crossed.at_most(r.safe, r.draws, 0.05) and crossed.at_most(r.harmful, r.draws, 0.05))
  t.ok(crossed.at_most(r.outside, r.draws, 0.10))
  t.ok(r.whole > 100 and r.seeds < 20, ('%d of %d found the whole safe run'):format(r.whole, r.draws))
end)

t.case('power is as predicted', function()
  math.randomseed(1)
  local o = crossed.options { differences = { 0 }, items = 1000, seeds = 10 }
  local r = crossed.rates(o, 1000, rule)
  local p = verdict.power { seeds = 10, items = 1000, seed_sd = r.seed_sd, item_sd = r.item_sd, margin = 0.01 }
  local low, high = crossed.interval(r.safe, r.draws)
  t.ok(p > low - 0.02 and p < high + 0.02, ('predicted %.3f, simulated %.3f-%.3f'):format(p, low, high))
end)

t.case('the whole simulation runs, and says where a rate is not as promised', function()
  local status, out, err = t.run(t.here .. 'truth.lua draws=100 seed=2')
  t.equal(status, 0, out .. err)
  t.match(out, 'correlation=0.98 .*safe too low .*predicted.*foretold.*: 0 of the rates')
end)
