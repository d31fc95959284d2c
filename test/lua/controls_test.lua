-- Controls of a sweep, adaptive seeds and the matrix: which cells they are, and what reports say of them.
local t = ...
local adaptive = require 'hz.report.adaptive'
local controls = require 'hz.sweep.controls'
local hz = require 'hz'
local matrix = require 'hz.report.matrix'
local names = require 'hz.base.names'
local report = require 'hz.report.report'
local text = require 'hz.report.text'
local verdicts = require 'hz.report.verdicts'

local set = hz.data('camera', { split = 'test', test = 200 })

-- ---- fresh seeds and damage ----

local function differs(a, b) return (a:to 'f32' - b:to 'f32'):abs():max() > 0 end

t.case('controls: fresh seeds are as many, and none that is asked for', function()
  t.equal(controls.fresh { 1, 2 }, { 1001, 1002 })
  t.equal(controls.fresh { 1, 1001 }, { 2001, 3001 })
end)

t.case('controls: damage shows so many items of another class, nests, and has a digest of its own', function()
  local small, few = controls.damaged(set, 0.05)
  local large, many = controls.damaged(set, 0.1)
  t.equal({ few, many }, { 10, 20 })
  local changed = { 0, 0 }
  for i = 1, #set.labels do
    local a, b = differs(small[i], set[i]), differs(large[i], set[i])
    changed[1], changed[2] = changed[1] + (a and 1 or 0), changed[2] + (b and 1 or 0)
    t.ok(b or not a, 'an item that is damaged stays so')
    t.equal(small.labels[i], set.labels[i])
  end
  t.equal(changed, { 10, 20 })
  t.ok(small.digest ~= set.digest and small.digest ~= large.digest, 'digests')
  t.equal(controls.damaged(set, 0.05).digest, small.digest)
  t.equal(controls.damaged(set, 0.001), nil)
end)

t.case('controls: what damage costs is what a net of that accuracy loses', function()
  t.near(controls.expected(0.1, 1, 10), 0.1, 1e-12)
  t.near(controls.expected(0.1, 0.1, 10), 0, 1e-12)
end)

-- ---- a sweep of them ----

-- A net that learns nothing within these epochs costs little and has outcomes all the same.
local function asked(runs, more)
  local o = { name = 'tiny', runs = runs, data = { { name = 'camera', train = hz.data('camera', { split = 'train',
    train = 300 }), test = set } }, quality = { 1, 'raw' }, model = { 'small' }, epochs = 1, batch = 50, train = 200,
    seed = { 1, 2 }, optimizer = function() return hz.sgd { rate = 0.01 } end }
  for k, v in pairs(more or {}) do o[k] = v end
  return o
end

local function quiet(o)
  local out, err, sweep = print, io.stderr, nil
  _G.print, io.stderr = function() end, { write = function() end, flush = function() end }
  local ok, e = pcall(function() sweep = hz.sweep(o) end)
  _G.print, io.stderr = out, err
  return ok and sweep or error(e, 0)
end

local function of_kind(sweep, kind)
  local n = 0
  for _, job in ipairs(sweep.jobs) do n = n + (job.labels.control == kind and 1 or 0) end
  return n
end

t.case('controls: two seeds or more and raw have them, behind the other cells, and none enters a group', function()
  local runs = t.folder() .. '/runs'
  local sweep = quiet(asked(runs, { controls = true }))
  t.equal({ #sweep.jobs, of_kind(sweep, 'replicate'), of_kind(sweep, 'damage') }, { 16, 2, 10 })
  t.equal(sweep.jobs[4].labels.control, nil)
  local r = report.of_sweep(sweep)
  t.equal({ #r.rows, #r.groups, #r.controls }, { 4, 2, 6 })
  local chain = verdicts.of(r)[1]
  t.equal(#chain.assay.damage, 5)
  t.equal(chain.assay.replicate.seeds, 2)
  for i, d in ipairs(chain.assay.damage) do t.equal(d.share, controls.damages[i]) end
  t.equal(#hz.results { runs = runs }.rows, 4)
  t.equal(hz.query('select count(*) as n from cells where control is null', runs)[1].n, 4)
  t.equal(#quiet(asked(runs, { controls = true, seed = { 1 } })).jobs, 2)
  t.equal(#quiet(asked(runs, { controls = true, quality = { 1 } })).jobs, 2)
  t.equal(#quiet(asked(runs)).jobs, 4)
end)

t.case('matrix: every net is tested on every encoding, no training twice, and losses add up', function()
  local runs = t.folder() .. '/runs'
  local sweep = quiet(asked(runs, { matrix = true, quality = { 1, 50, 'raw' } }))
  local trainings = {}
  for _, job in ipairs(sweep.jobs) do trainings[job.training_key] = true end
  t.equal({ #sweep.jobs, #names.sorted(trainings) }, { 18, 6 })
  local r = report.of_sweep(sweep)
  local m = matrix.of(r)[1]
  t.equal({ m.encodings[1].text, m.encodings[2].text, m.encodings[3].text }, { 'raw', 'jpeg 50', 'jpeg 1' })
  for i = 1, 3 do
    for j = 1, 3 do t.ok(m.accuracy[i][j], ('%d %d'):format(i, j)) end
  end
  for _, s in ipairs(m.splits) do
    t.near(s.loss.difference, s.retrained.difference + s.mismatch.difference, 1e-12)
    t.ok(s.loss.lower <= s.loss.difference and s.loss.difference <= s.loss.upper, 'interval')
  end
  t.equal(#verdicts.of(r), 2)
  t.match(text.text(r), 'trained \\ tested')
  t.raises('matrix=true tests on every encoding, and quality_test was given; needs one of both', hz.sweep,
    asked(runs, { matrix = true, quality_test = { 5 } }))
end)

-- ---- adaptive seeds ----

t.case('adaptive: the first look is at five seeds, hours stop it, and the report says where it stands', function()
  local runs = t.folder() .. '/runs'
  local sweep = quiet(asked(runs, { seed = 'adaptive', hours = 1e-9 }))
  t.equal({ #sweep.jobs, sweep:unfinished(), sweep.stopped }, { 40, 0, true })
  local r = report.of_sweep(sweep)
  t.match(text.text(r), 'adaptive seeds: the hours are used')
  sweep = quiet(asked(runs, { seed = 'adaptive' }))
  local done = 0
  for _, job in ipairs(sweep.jobs) do done = done + (job.finished and 1 or 0) end
  t.equal(done, 10)                                    -- near chance: there is no verdict that more seeds could settle
  end)

-- A chain of made-up verdicts: what the next look is at.
local function wanted_of(list)
  local entries, safe, harmful = {}, nil, nil
  for i, v in ipairs(list) do
    entries[i] = { group = i, found = { verdict = v, next = v == 'undecided' and 10 or nil } }
  end
  local knee = require 'hz.report.statistics.verdict'.sequence(list)
  safe, harmful = knee.safe, knee.harmful
  local got = {}
  for i, one in ipairs(adaptive.wanted { chains = { { entries = entries, reference = 'raw',
    knee = { safe = safe, harmful = harmful } } } }) do
    got[i] = ('%s %d'):format(one.group, one.seeds)
  end
  return table.concat(got, ', ')
end

t.case('adaptive: looks go to the gates alone', function()
  t.equal(wanted_of { 'safe', 'undecided', 'undecided', 'undecided', 'harmful' }, '2 10, raw 10, 4 10, raw 10')
  t.equal(wanted_of { 'safe', 'undecided', 'harmful' }, '2 10, raw 10')
  t.equal(wanted_of { 'safe', 'harmful' }, '')
  t.equal(wanted_of { 'harmful', 'undecided', 'safe' }, '')
end)
