-- The score test of two networks: published values, those of brute force (test/peers/score_test.py), and how often it
-- is wrong at the margin, counted over all outcomes there can be, and simulated.
local t = ...
local libm = require 'hz.ext.libm'
local score = require 'hz.report.statistics.score_test'
local tensor = require 'hz.tensor.tensor'

local function of(items, gained, lost, margin, alpha)
  return score.compare({ items = items, gained = gained, lost = lost }, { margin = margin, alpha = alpha })
end

t.case('score test: published examples', function()
  local r = of(44, 0, 1, 0.1)                              -- Tango 1998, contact lenses: Z = 1.709, p = 0.044
  t.near(r.z, 1.709, 5e-4)
  t.near(r.p_score, 0.044, 5e-4)
  t.equal({ ('%.3f'):format(r.lower), ('%.3f'):format(r.upper) }, { '-0.096', '0.037' })
  r = of(21, 1, 7, 0.01)                                   -- Bentur et al. 2009 in Fagerland, Lydersen and Laake 2014
  t.equal({ ('%.3f'):format(r.two_sided.lower), ('%.3f'):format(r.two_sided.upper) }, { '-0.517', '-0.026' })
end)

t.case('score test: values of brute force', function()
  for _, row in ipairs {                                   -- items, gained, lost, margin; z, lost_under, lower, upper
    { 10000, 200, 260, 0.01, 1.85065930, 0.02840807, -0.00955085, -0.00247940 },
    { 300, 2, 9, 0.01, -1.27882509, 0.02135596, -0.04505646, -0.00590540 },
  } do
    local r = of(row[1], row[2], row[3], row[4])
    for i, value in ipairs { r.z, score.lost_under(row[1], row[2], row[3], -row[4]), r.lower, r.upper } do
      t.near(value, row[4 + i], 1e-7)
    end
  end
end)

t.case('score test: bounds are where the score is the quantile; b and a may change places', function()
  for _, row in ipairs { { 500, 3, 11 }, { 40, 0, 0 }, { 1000, 100, 60 }, { 7, 7, 0 }, { 25, 0, 24 } } do
    local n, gained, lost = unpack(row)
    local r, other = of(n, gained, lost), of(n, lost, gained)
    t.near(r.lower, -other.upper, 1e-9)
    t.near(r.two_sided.upper, -other.two_sided.lower, 1e-9)
    if r.lower > -1 + 1e-9 then t.near(score.score(n, gained, lost, r.lower), 1.6448536269514722, 1e-6) end
    if r.upper < 1 - 1e-9 then t.near(score.score(n, gained, lost, r.upper), -1.6448536269514722, 1e-6) end
    t.ok(r.two_sided.lower <= r.lower and r.lower <= r.difference and r.difference <= r.upper + 1e-9)
  end
end)

t.case('score test: verdicts, by the margin; what so few items cannot show', function()
  t.equal(of(10000, 100, 100).verdict, 'safe')
  t.equal(of(10000, 100, 400).verdict, 'harmful')
  local r = of(10000, 200, 260)
  t.equal({ r.verdict, r.measurable }, { 'safe', 'worse' })
  t.equal(of(10000, 200, 260, 0.006).verdict, 'undecided')
  t.equal({ of(298, 0, 0).verdict, of(299, 0, 0).verdict }, { 'undecided', 'safe' }, 'the rule of three, as verdicts')
  t.match(of(298, 0, 0).reason, '298 items are too few')
  t.equal({ of(1, 0, 1).verdict, of(1, 1, 0).verdict, of(1, 0, 0).verdict }, { 'undecided', 'undecided', 'undecided' })
  t.equal(of(50, 0, 50, 0.01).verdict, 'harmful')
  t.equal({ of(50, 50, 0, 1).verdict, of(50, 50, 0, 1).measurable }, { 'safe', 'better' })
  for _, bad in ipairs { { 0, 0, 0 }, { 10, 6, 5 }, { 10, -1, 0 } } do
    t.raises('needs counts within them', of, bad[1], bad[2], bad[3])
  end
end)

t.case('score test: outcomes are counted', function()
  local a, b = tensor.zeros({ 5 }, 'u8'), tensor.zeros({ 5 }, 'u8')
  for i, pair in ipairs { { 1, 1 }, { 1, 0 }, { 0, 1 }, { 0, 0 }, { 1, 1 } } do a:set(pair[1], i); b:set(pair[2], i) end
  t.equal(score.count(a, b), { items = 5, gained = 1, lost = 1, both = 2, a = 0.6, b = 0.6 })
  t.raises('needs as many', score.count, a, tensor.zeros({ 4 }, 'u8'))
end)

-- ---- how often it is wrong ----

-- Probabilities of `safe` and of `harmful` where shares gained and lost are these, over all counts there can be.
local function level(items, gained, lost, rule)
  local function log_p(g, l)
    local rest = items - g - l
    return libm.lgamma(items + 1) - libm.lgamma(g + 1) - libm.lgamma(l + 1) - libm.lgamma(rest + 1)
      + g * math.log(gained) + l * math.log(lost) + rest * math.log(1 - gained - lost)
  end
  local function most(p) return math.min(items, math.ceil(items * p + 9 * math.sqrt(items * p) + 12)) end
  local p = { safe = 0, harmful = 0, undecided = 0 }
  for g = 0, most(gained) do
    for l = 0, math.min(items - g, most(lost)) do
      local one = math.exp(log_p(g, l))
      if one > 1e-12 then
        local verdict = score.compare({ items = items, gained = g, lost = l }, rule).verdict
        p[verdict] = p[verdict] + one
      end
    end
  end
  return p
end

t.case('score test: at the margin it is wrong in at most 5.6 % (safe) and 6 % (harmful), counted exactly', function()
  for _, items in ipairs { 100, 300, 1000 } do
    for _, margin in ipairs { 0.01, 0.03 } do
      for _, gained in ipairs { 1e-6, 0.003, 0.01, 0.02 } do
        local p = level(items, gained, gained + margin, { margin = margin })
        t.near(p.safe + p.harmful + p.undecided, 1, 1e-6)
        t.ok(p.safe <= 0.056 and p.harmful <= 0.06, ('%d items, margin %g, gained %g: safe %.4f, harmful %.4f'):format(
          items, margin, gained, p.safe, p.harmful))
      end
    end
  end
end)
