-- The ledger of saved bits, what it is made from, and whether saved bits measure noise.
local t = ...
local calibration = require 'hz.report.noise.calibration'
local coefficients = require 'hz.report.noise.coefficients'
local dataset = require 'hz.data.dataset'
local estimate = require 'hz.report.noise.estimate'
local hz = require 'hz'
local ledger = require 'hz.report.noise.ledger'
local tensor = require 'hz.tensor.tensor'

-- ---- entropies ----

-- Bits of round(X), X Gaussian, clipped to 0..255: the density summed over fine steps.
local function by_steps(sigma, mean)
  local p, fine, total = {}, sigma / 400, 0
  for i = -4000, 4000 do
    local z = (i + 0.5) / 400
    local k = math.max(0, math.min(255, math.floor(mean + z * sigma + 0.5)))
    local share = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * fine / sigma
    p[k], total = (p[k] or 0) + share, total + share
  end
  local bits = 0
  for _, share in pairs(p) do bits = bits - share / total * math.log(share / total) / math.log(2) end
  return bits
end

t.case('the entropy of rounded noise is that of its distribution', function()
  for _, case in ipairs { { 0.2, 100.3 }, { 0.5, 100 }, { 1, 100.5 }, { 3, 17.25 }, { 8, 128 }, { 8, 3 }, { 8, 255 },
    { 20, 250 }, { 2, -3 } } do
    t.near(ledger.entropy(case[1], case[2]), by_steps(case[1], case[2]), 0.004, ('%g at %g'):format(unpack(case)))
  end
end)

t.case('limits of it: none without noise, the differential entropy for much, nothing behind the ends', function()
  t.equal(ledger.entropy(0), 0)
  t.equal(ledger.entropy(0, 7), 0)
  for _, sigma in ipairs { 4, 8, 20 } do
    t.near(ledger.entropy(sigma), 0.5 * math.log(2 * math.pi * math.exp(1) * sigma ^ 2) / math.log(2), 0.005)
  end
  t.near(ledger.entropy(8, -200), 0, 1e-9)
  t.near(ledger.entropy(8, 500), 0, 1e-9)
  t.ok(ledger.entropy(8, 0) < ledger.entropy(8, 128) - 1, 'half of it is clipped')
  t.ok(ledger.entropy(0.05) < ledger.entropy(0.1) and ledger.entropy(0.1) < ledger.entropy(0.3))
end)

-- Standard deviation at a grey value of the camera's sensor, to first order: its tone curve is (sqrt(x + a) - sqrt(a))
-- / (sqrt(1 + a) - sqrt(a)), a = 0.02, of x = electrons / full, full = 4000 / noise^2, beside 6 / noise of read noise.
local function deviation(grey, noise)
  local low, span = math.sqrt(0.02), math.sqrt(1.02) - math.sqrt(0.02)
  local root = grey / 255 * span + low
  local x, full = root * root - 0.02, 4000 / noise ^ 2
  return 255 / (2 * root * span) * math.sqrt(full * x + (6 / noise) ^ 2) / full
end

t.case("the camera's noise entropy is that of its sensor at each sample", function()
  local clean = dataset('camera', { split = 'test', test = 10, size = 16, noise = 0, paired = true })
  for _, noise in ipairs { 1, 3 } do
    local set = dataset('camera', { split = 'test', test = 10, size = 16, noise = noise, paired = true })
    local p, n, sum = clean.items:pointer 'read', clean.items:count(), 0
    for i = 0, n - 1 do sum = sum + ledger.entropy(deviation(p[i], noise), p[i]) end
    t.near(set.entropy:mean(), sum / n, 0.03, 'noise ' .. noise)
  end
end)

-- ---- terms ----

t.case('the ledger adds up, whatever the figures', function()
  for _, o in ipairs { { lossless = 5, knee = 1, noise = 2 }, { lossless = 5, knee = 4.5, noise = 3 },
    { lossless = 3, knee = 0.1, noise = 0 }, { lossless = 6, knee = 2, noise = 5.9 } } do
    local l = ledger.of(o)
    t.near(l.saved, o.lossless - o.knee, 1e-12)
    for _, at in ipairs { 'lower', 'upper' } do t.near(l.noise + l.first[at] - l.second[at], l.saved, 1e-12) end
    t.ok(l.first.lower >= 0 and l.second.lower >= 0 and l.first.lower <= l.first.upper)
    t.equal(l.terms, nil)
    o.clean = { lossless = 2.5, knee = 0.3 }
    local sum = 0
    for _, term in ipairs(ledger.of(o).terms) do sum = sum + term.bits end
    t.near(sum, l.saved, 1e-12)
  end
  t.equal(ledger.text(ledger.of { lossless = 5, knee = 1, noise = 2 }, 'quality 90'),
    'ledger, bits per sample at quality 90: saved 4.00 = noise 2.00 (exact) + A - B; A, detail dropped and lossless '
    .. 'waste, 2.00 to 3.00; B, noise kept and lossy waste, 0.00 to 1.00; A - B = 2.00 (where they part no code length '
    .. 'says)')
  t.equal(ledger.text(ledger.of { lossless = 5, knee = 1, noise = 2, clean = { lossless = 2, knee = 0.5 } }, 'q'),
    'ledger, bits per sample at q: saved 4.00 = noise 2.00 (exact) + detail dropped 1.50 + lossless beside noise 1.00 '
    .. '- noise kept 0.50')
end)

-- ---- estimates ----

t.case('classical estimates find Gaussian noise on flat pictures, and none where there is none', function()
  local function set(sigma)
    local items = (tensor.randn({ 20, 32, 32, 3 }, 0, 1, { seed = 3, stream = 1 }) * sigma + 128.5):floor():to 'u8'
    return dataset.new { name = 'flat', items = items, labels = tensor.zeros({ 20 }, 'i32'), classes = { 'a' } }
  end
  for _, method in ipairs(estimate.methods) do
    t.near(estimate.of(set(6), method).sigma, 6, 0.3, method.name)
    t.near(estimate.of(set(6), method).bits, ledger.entropy(6), 0.1, method.name)
    t.equal(estimate.of(set(0), method).sigma, 0)
    t.equal(estimate.of(set(0), method).bits, 0)
  end
end)

t.case('what a JPEG holds of the noise: none of none, more at higher quality and finer sampling', function()
  local function held(values, noise, draws)
    return coefficients.of(hz.codec.jpeg(values), { noise = noise, unit = 'grey' }, { scenes = 2, draws = draws or 6 })
  end
  t.equal(held({ quality = 90 }, 0, 2), 0)
  local low, high = held({ quality = 50 }, 8), held({ quality = 95 }, 8)
  t.ok(low > 0 and high > low and high < 5, ('%g, %g'):format(low, high))
  t.ok(held({ quality = 95, subsampling = '444' }, 8) > high)
end)

-- ---- cells, figures and the rule, of made-up chains ----

local function encoding(q) return { text = 'jpeg ' .. q, value = q, parameter = 'quality', name = 'jpeg',
  label_text = function() return tostring(q) end } end

-- A chain whose knee is at quality 90 of { 90, 50 }. o: data, noise (bits), lossless, knee, scenes.
local function chain(o)
  local own = { codec = 'jpeg', further = '', model = 'small', dtype = 'f32', protocol = 'strict', data = o.data,
    reference = { accuracy = 0.9, rows = { { record = { noise_bits = o.noise, scenes = o.scenes } } } },
    knee = { safe = 1, harmful = 2 }, reason = o.reason, entries = {
      { group = { bits_per_sample = o.knee, tested = encoding(90) } },
      { group = { bits_per_sample = o.knee / 2, tested = encoding(50) } } } }
  own.bits = { lossless = { payload = o.lossless, called = 'png' }, needed = { payload = o.knee },
    saved = { payload = o.lossless - o.knee },
    coders = { { called = 'png', payload = o.lossless }, { called = 'xz', payload = o.lossless + 0.2 } } }
  return own
end

-- Cells in which saved bits are base + slope * noise (+ more with texture).
local function cells_of(base, slope, more)
  local chains, conditions = {}, {}
  for _, texture in ipairs { 'none', 'high' } do
    for i, grey in ipairs { 0, 2, 8 } do
      local bits = ({ 0, 3, 5 })[i]
      local name = ('noise %d, %s'):format(grey, texture)
      conditions[name] = { noise = grey, texture = texture, detail = 'coarse' }
      local saved = base + slope * bits + (texture == 'high' and more * (grey > 0 and 1 or 0) or 0)
      chains[#chains + 1] = chain { data = name, noise = bits, scenes = texture, lossless = saved + 1, knee = 1 }
    end
  end
  return calibration.cells({ chains = chains, runs = '.' }, conditions)
end

local function saved(own) return own.saved end

t.case('calibration: increments and absolute figures over the truth, and the rule', function()
  local cells = cells_of(4, 1, 0)
  local absolute, increment = calibration.figure('a', cells, saved), calibration.figure('i', cells, saved, true)
  t.equal(absolute.n, 6)
  t.near(absolute.intercept.value, 4, 1e-9)
  t.near(absolute.slope.value, 1, 1e-9)
  t.near(absolute.error, 4, 1e-9)
  t.equal(increment.n, 4)
  t.near(increment.intercept.value, 0, 1e-9)
  t.near(increment.error, 0, 1e-9)
  t.near(increment.texture, 0, 1e-9)
  local function passes(figure, others)
    local list = {}
    for i, line in ipairs(calibration.judge(figure, others)) do list[i] = line[4] end
    return list
  end
  t.equal(passes(increment, { { name = 'b', error = 0.1 } }), { true, true, true, true })
  t.equal(passes(increment, { { name = 'b', error = 0 } }), { true, true, true, false })
  t.equal(passes(absolute, { { name = 'b', error = 0.1 } }), { false, true, true, false })
  local bent = calibration.figure('i', cells_of(4, 0.8, 0.4), saved, true)
  t.near(bent.texture, 0.4, 1e-9)
  t.equal(passes(bent, {}), { true, false, false, false })
end)

t.case('calibration: the line and its intervals are those of least squares', function()
  local cells, y = cells_of(0, 1, 0), { 0.3, 2.5, 5.1, -0.2, 3.4, 4.6 }
  local f = calibration.figure('f', cells, function(own)
    for i = 1, 6 do
      if cells[i] == own then return y[i] end
    end
  end)
  -- by hand, over 0, 3, 5, 0, 3, 5, with t(4, 0.975) = 2.776445
  t.near(f.intercept.value, 0.0552632, 1e-6)
  t.near(f.slope.value, 0.9605263, 1e-6)
  t.near(f.intercept.upper - f.intercept.value, 0.7517732, 1e-6)
  t.near(f.slope.value - f.slope.lower, 0.2233099, 1e-6)
end)

t.case('calibration: cells have the ledger of their knee, with the scenes without noise as its twin', function()
  local cells = cells_of(4, 1, 0)
  for _, own in ipairs(cells) do
    local sum = 0
    for _, term in ipairs(own.ledger.terms) do sum = sum + term.bits end
    t.near(sum, own.saved, 1e-9)
    t.near(own.ledger.terms[2].bits, 4, 1e-9)
    t.near(own.most, own.saved + 0.5, 1e-9)
  end
  local gone = calibration.cells({ chains = { chain { data = 'x', noise = 1, lossless = 3, knee = 1,
    reason = 'the reference is near chance' } }, runs = '.' }, {})
  t.equal(gone[1].saved, nil)
  t.equal(gone[1].reason, 'the reference is near chance')
end)

-- ---- the experiment ----

t.case('noise_calibration: from nothing to the rule with its controls; the same command computes nothing again',
  function()
    local d = t.folder()
    local function run()
      return t.sh(("cd %s; HZ_CACHE=cache HZ_RUNS=runs %s '%s/experiments/noise_calibration.lua' noise=8 "
        .. 'texture=none quality=50 seed=1,2 train=40 test=40 epochs=2 batch=20 dtype=f32 parallel=1 margin=0.5 '
        .. 'svg=l.svg'):format(d, t.quote(t.hz), hz.root))
    end
    local status, out, err = run()
    t.equal(status, 0, err)
    for _, text in ipairs { 'do saved bits measure noise%?', 'calibrated increment: FAIL', 'absolute figure: FAIL',
      'shuffled labels: ', 'low bits of camera: ', 'weaker classifier: ', 'stronger classifier: ',
      'noise 8, texture none, coarse detail: the reference is near chance', 'lossless bits alone' } do
      t.ok(out:find(text), text .. ' in ' .. out)
    end
    t.ok(t.read(d .. '/l.svg'):find '^<svg.*What saved bits are made of.*</svg>')
    local again, second = run()
    t.equal(again, 0)
    t.equal(second:match '\n\ndo saved.*', out:match '\n\ndo saved.*')
    t.ok(second:find '8 cells, 8 of them finished' and second:find '4 cells, 4 of them finished', second)
  end)
