-- hz plan: what a sweep will take and can show, before it begins and while it runs.
local t = ...
local verdict = require 'hz.report.statistics.verdict'

local script = [[
local hz = require 'hz'
local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
local o = { name = 'tiny', data = { { name = 'camera', train = train, test = test } }, model = { 'net.lua' },
  quality = { 10, 50, 'raw' }, epochs = 2, batch = 16, train = 60, optimizer = function() return hz.adam {} end,
  seed = { 1, 2, 3 }, margin = 0.5 }
for k, v in pairs(loadstring('return {' .. ((...) or '') .. '}')()) do o[k] = v end
hz.sweep(o)
]]

local function place()
  local dir = t.folder()
  t.write(dir .. '/net.lua', [[
    local hz, l = require 'hz', require 'hz'.layers
    return function(o) return hz.net 'n' { l.conv{4, 3, stride=2}, l.relu, l.conv{o.classes, 1}, l.meanpool } end
  ]])
  t.write(dir .. '/sweep.lua', script)
  return function(line)
    return t.sh(('cd %s; export HZ_CACHE=cache HZ_RUNS=; %s %s; exit $?'):format(dir, t.quote(t.hz), line))
  end
end

local function flat(text) return (text:gsub('%s+', ' ')) end

t.case('plan: cells, time, disk, the smallest margin and the whole chain; nothing is trained or written', function()
  local run = place()
  local status, out, err = run 'plan sweep.lua'
  t.equal({ status, err }, { 0, '' })
  out = flat(out)
  t.match(out, 'sweep tiny%-%x+: 9 cells, about %d+:%d%d to go')
  t.match(out, 'disk: about %d+ kB in runs')
  t.match(out, 'jpeg: 2 encodings 3 seeds and 40 test items certify a margin of [%d.]+ points with 80 %%')
  t.match(out, 'is called safe at margin=0.5 with .- all 2 from the top with .- spread of paired runs 0.42 points')
  status = run 'runs'
  t.equal(status, 0)
  t.match(select(2, run 'runs'), 'no sweep is recorded')
end)

t.case('plan: what is finished is not to do, and its seeds say how far they differ', function()
  local run = place()
  local status, out, shown = run 'sweep.lua'
  t.equal(status, 0)
  t.match(shown, 'plan, spread of the reference: jpeg: [%d.]+ points certified with 80 %%, all 2 pass')
  t.match(shown, 'plan, spread as it is now: jpeg')
  local raw = shown:find('cell %d/9  raw, net, seed 3  accuracy')
  t.ok(raw and raw < shown:find('cell %d/9  jpeg 10, net, seed 2  accuracy'), 'the reference comes first')
  status, out = run 'plan sweep.lua'
  t.equal(status, 0)
  out = flat(out)
  t.match(out, '9 cells, 9 of them finished time: none, all is finished')
  t.ok(not out:find('what is usual', 1, true), out)
  t.match(flat(select(2, run 'plan sweep.lua seed={1}')), 'one seed says nothing about the spread over seeds')
  t.match(flat(select(2, run 'plan sweep.lua "quality={10,50}"')), 'no verdict: raw is not among the encodings')
  t.match(flat(select(2, run 'plan sweep.lua "seed=[[adaptive]]"')), '60 cells at most, 15 at the first look')
end)

t.case('plan: what is none is said', function()
  local run = place()
  for _, row in ipairs { { 'plan', 2, 'nothing was given; needs a script, or sweep DIR' },
    { 'plan runs', 2, "'runs' was given; needs a script" }, { 'plan net.lua', 1, 'net.lua runs no sweep' },
    { 'plan nothere.lua', 1, 'cannot open nothere.lua' } } do
    local status, _, err = run(row[1])
    t.equal(status, row[2], row[1])
    t.match(err, row[3])
  end
  t.match(select(2, run 'plan --help'), 'usage: hz plan SCRIPT.lua')
end)

t.case('plan: a chain passes no more often than one, and no less than independent ones', function()
  for _, seeds in ipairs { 3, 5, 10 } do
    local o = { seeds = seeds, items = 5000, seed_sd = 0.005, item_sd = 0.12, margin = 0.01, encodings = 5 }
    local one, all = verdict.power(o), verdict.chain(o)
    t.ok(all < one and all > one ^ 5, ('%d seeds: %.3f of %.3f'):format(seeds, all, one))
    o.encodings = 1
    t.near(verdict.chain(o), one, 0.02)
  end
end)
