-- hz bench: what it prints and writes belongs together. How fast it is, no test judges.
local t = ...
local json = require 'hz.base.json'

local quick = '--net small --batch 2 --seconds 0.01 --pass infer'

t.case('hz bench --grow: a row per value, and a plot of the same points', function()
  local dir = t.folder()
  for _, case in ipairs { { 'channels', 6, '--json' }, { 'threads', 2, '--threads 2 --json' },
      { 'threads', 2, '--threads 2' } } do
    local svg = ('%s/%s.svg'):format(dir, case[1])
    local status, out, err = t.run(('bench %s --grow %s --svg %s %s'):format(quick, case[1], svg, case[3]))
    t.equal(status, 0, err)
    local picture = t.read(svg)
    t.match(picture, '^<svg .*</svg>\n$')
    t.ok(not picture:find 'nan' and not picture:find 'inf,' , 'every point has a place')
    local _, points = picture:gsub('<circle', '')
    t.equal(points, case[2])
    if case[3]:find 'json' then
      local rows = json.decode(out)
      t.equal(#rows, case[2])
      for i, row in ipairs(rows) do
        t.ok(row.images_per_second > 0 and row.spread >= 0)
        t.equal(row.multiple_of_peak ~= nil, require 'hz.net.devices'.default() == 'cpu')
        t.ok(i == 1 or row[case[1]] == 2 * rows[i - 1][case[1]])
        t.equal({ row.dtype, row.pass }, { 'f32', 'infer' })
      end
    else
      t.match(out, 'f32 inference +1 .*f32 inference +2 .*images/s')
    end
  end
end)

t.case('hz bench --device: multiples of the FMA peak are of the CPU alone', function()
  for _, pass in ipairs { 'train', 'infer' } do
    local status, out, err = t.run(('bench --net small --batch 2 --seconds 0.02 --device far --layers --json --pass %s')
      :format(pass))
    t.equal({ status, err }, { 0, '' })
    local r = json.decode(out)[1]
    t.equal({ r.multiple_of_peak, r.peak_gflops, r.pass }, { nil, nil, pass })
    t.match(r.device, '^far: cpu ')
    t.ok(r.images_per_second > 0 and r.steps >= 3)
    local ms = 0
    for _, node in ipairs(r.layers) do ms = ms + node.ms end
    t.ok(ms > 0)
  end
  local status, out, err = t.run 'bench --net small --batch 2 --seconds 0.02 --device far --grow channels --pass infer'
  t.equal(status, 0, err)
  t.match(out, 'f32 inference +16 ')
  status, out, err = t.run 'bench --net small --batch 2 --seconds 0.02 --device far'
  t.equal(status, 0, err)
  t.match(out, '^far: cpu [^\n]*\nnet .*\nsmall +f32 +infer +2 +%d+ +%d[%d.]* +%d+ MB\n$')
  status, out, err = t.run 'bench --net small --device gpu'
  t.equal({ status, out }, { 1, '' })
  t.match(err, "device: 'gpu' is not known")
  status, out, err = t.run 'bench --net small --batch 2 --seconds 0.02 --device cpu --dtype tf32'
  t.equal(status, 1, out)
  t.match(err, 'dtype is tf32, which cards alone multiply by')
end)

t.case('hz bench: mistakes', function()
  local status, _, err = t.run 'bench --svg x.svg'
  t.equal(status, 2)
  t.match(err, 'needs %-%-grow')
  status, _, err = t.run 'bench --grow width'
  t.equal(status, 2)
  t.match(err, 'one of batch, channels, threads')
end)

t.case('hz bench --tune: says how many nodes run by another kernel', function()
  local dir = t.folder()
  local status, out, err = t.sh(('HZ_CACHE=%s %s bench %s --tune --json'):format(dir, t.hz, quick))
  t.equal(status, 0, err)
  t.ok(json.decode(out)[1].tuned >= 0)
  t.ok(t.read(dir .. '/kernels.jsonl'))
end)

t.case("hz bench --net FILE.lua: the network of one's own in experiments/README.md", function()
  local file = t.folder() .. '/mine.lua'
  local readme = t.read('experiments/README.md')
  t.write(file, readme:match '\n(    local hz = require \'hz\'\n.-\n    end\n)')
  local status, out, err = t.run('bench --net ' .. file .. ' --batch 2 --seconds 0.01 --json')
  t.equal(status, 0, err)
  for _, row in ipairs(json.decode(out)) do t.ok(row.images_per_second > 0 and row.net == 'mine') end
end)

t.case('hz bench sound: a row for each kind of work and length', function()
  local plugins = {}
  for _, row in ipairs(require 'hz.codec.plugins'.list()) do plugins[row.name or ''] = true end
  if not (plugins.sndfile and plugins.soxr) then t.skip 'sndfile, soxr: their libraries are not installed' end
  local words = 'bench sound seconds=0.05,0.1 rate=8000 channels=2 n_fft=256 hop=64 mels=12 clips=3 rounds=2'
  local status, out = t.run(words .. ' --json')
  t.equal(status, 0)
  local rows = json.decode(out)
  t.equal(#rows, 8)
  t.equal({ rows[5].what, rows[5].seconds, rows[5].rate, rows[5].channels }, { 'log-mel', 0.1, 8000, 2 })
  for _, r in ipairs(rows) do t.ok(r.ms > 0 and r.best_ms > 0 and r.best_ms <= r.ms, r.what) end
  t.match(select(2, t.run(words)), 'log%-mel +0%.05 +8000 +2 .*resample')
end)
