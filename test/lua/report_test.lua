-- What reports make of cell records: means, spreads, convergence, tables, JSON, CSV, plots.
local t = ...
local json, protocol, rows_of = require 'hz.base.json', require 'hz.sweep.protocol', require 'hz.sweep.rows'
local export, picture = require 'hz.report.export', require 'hz.report.picture'
local report, text = require 'hz.report.report', require 'hz.report.text'

local function account(payload, exact)
  return { items = 10, samples = 30720, payload = payload, tables = exact and 0 or 5700, container = exact and 0 or 550,
    tables_once = exact and 0 or 570, squared_error = exact and 0 or 30720, ssim = exact and 10 or 9 }
end

-- A record as cell.read gives it.
local function record(o)
  local curve = o.curve or { 0.2, 0.4, 0.5 }
  return { status = 'done', data = 'fake', split = 'train=8 validation=2 test=10',
    protocol = o.protocol or 'strict', codec = o.quality and 'jpeg' or 'raw', quality = o.quality,
    codec_test = o.quality and 'jpeg' or 'raw', quality_test = o.quality, model = o.model or 'small',
    params = 1234, seed = o.seed, dtype = o.dtype or 'f32', epochs = #curve, accuracy = o.accuracy,
    best = 0.5, last = curve[#curve], curve = { watch_accuracy = json.array(curve) }, key = 'k',
    accounts = { all = account(o.quality and 100 * o.quality or 30720, not o.quality) },
    run = { seconds = o.seconds or 2, version = '0', commit = 'c', isa = 'x', threads = 2,
      finished = '2026-01-01T00:00:00Z' } }
end

local some = {
  record { quality = 10, seed = 1, accuracy = 0.50 },
  record { quality = 10, seed = 2, accuracy = 0.54, curve = { 0.1, 0.2, 0.52 } },
  record { seed = 1, accuracy = 0.60 },
  record { seed = 2, accuracy = 0.62, seconds = 4 },
  record { quality = 50, seed = 1, accuracy = 0.55 },
}

t.case('report: the storage type is a column, and a series of its own, where it differs', function()
  local r = report.new('id',
    { record { seed = 1, accuracy = 0.6 }, record { seed = 1, accuracy = 0.61, dtype = 'bf16' } })
  t.equal({ r.groups[1].dtype, r.groups[2].dtype }, { 'f32', 'bf16' })
  t.match(text.table(r.groups), 'dtype')
  t.equal({ picture.of(r).series[1].name, picture.of(r).series[2].name }, { 'small f32', 'small bf16' })
  t.ok(not text.table(report.new('id', some).groups):find 'dtype')
end)

-- A record of a sweep over several parameters; `decides` says all values, as in cells.
local function walked(o)
  local r = record { seed = 1, accuracy = 0.5, quality = o.bits }
  local decided = { codec = 'c', values = o.values }
  r.decides = { training = { data = { codec = decided } }, test = { codec = decided } }
  for _, side in ipairs { '', '_test' } do
    r['codec' .. side], r['quality' .. side] = o.codec, o.value
    r['parameter' .. side], r['further' .. side] = o.parameter, o.further
  end
  return r
end

t.case('report: other parameters than quality are named in table, plot and files', function()
  local r = report.new('id', {
    walked { codec = 'jpeg', bits = 20, value = 10, further = { subsampling = '420' },
      values = 'quality=10;subsampling=420' },
    walked { codec = 'jpeg', bits = 30, value = 10, further = { subsampling = '444' },
      values = 'quality=10;subsampling=444' },
    walked { codec = 'mp3', bits = 40, value = 32, parameter = 'bitrate', values = 'bitrate=32' },
    record { seed = 1, accuracy = 0.6 } })
  local shown = text.table(r.groups)
  for _, line in ipairs { 'jpeg 10 subsampling=420 ', 'jpeg 10 subsampling=444 ', 'mp3 bitrate=32 ', 'raw ' } do
    t.match(shown, '\n' .. line)
  end
  local pic = picture.of(r)
  local names = {}
  for i, series in ipairs(pic.series) do names[i] = series.name .. ': ' .. series.points[1].label end
  t.equal(names, { 'small jpeg subsampling=420: 10', 'small jpeg subsampling=444: 10', 'small mp3: 32', 'small: raw' })
  t.equal(pic.caption, 'numbers: quality, bitrate; bars: standard deviation over seeds')
  local list = json.decode(export.json(r))
  t.equal({ list[2].quality, list[2].parameter, list[2].encoding, list[2].values },
    { 10, 'quality', 'jpeg 10 subsampling=444', 'quality=10;subsampling=444' })
  t.equal({ list[3].quality, list[3].parameter, list[3].encoding_test }, { 32, 'bitrate', 'mp3 bitrate=32' })
  t.match(export.csv(r), ',bitrate,mp3 bitrate=32,bitrate=32,bitrate,mp3 bitrate=32,bitrate=32,x,,,%d')
  t.equal(#r.groups, 4)
end)

-- A record of a net trained on one quality (nil: untouched) and tested on another: 8 items train, 2 are watched, 4 are
-- tested, an item of quality q has 100 q bytes of payload and an error of 10 / q per sample.
local function crossed(q, q_test, scored)
  local function of(n, quality, once)
    return { items = n, samples = 3072 * n, payload = n * (quality and 100 * quality or 3072),
      tables = quality and 570 * n or 0, container = quality and 55 * n or 0,
      tables_once = once and quality and 570 or 0, squared_error = quality and 3072 * n * 10 / quality or 0,
      ssim = n * (quality and 0.9 or 1) }
  end
  local function plus(a, b)
    local sum = {}
    for name, v in pairs(a) do sum[name] = v + b[name] end
    return sum
  end
  local r = record { quality = q, seed = 1, accuracy = 0.5 }
  r.codec_test, r.quality_test = q_test and 'jpeg' or 'raw', q_test
  local test = of(4, q_test, q ~= q_test or scored)
  if scored then r.accounts = { all = test, test = test } return r end
  local all = plus(of(10, q, true), test)
  r.accounts = { all = all, train = of(8, q), watch = of(2, q), test = test }
  return r
end

t.case('report: nets tested in another encoding have the figures of the test items, and those of training', function()
  local r = report.new('id', { crossed(10, 10), crossed(10, 20), crossed(10), crossed(20, 10), crossed(nil, 10),
    crossed() })
  local rows, names = r.rows, {}
  for i, g in ipairs(r.groups) do names[i] = g.trained.text .. ' > ' .. g.tested.text end
  t.equal(names, { 'jpeg 10 > jpeg 10', 'jpeg 10 > jpeg 20', 'jpeg 10 > raw', 'jpeg 20 > jpeg 10', 'raw > jpeg 10',
    'raw > raw' })
  local function bits(q, n) return 8 * (100 * q * n + 570) / (3072 * n) end
  local function psnr(q) return 10 * math.log10(255 ^ 2 / (10 / q)) end
  local wanted = {
    { bits(10, 14), psnr(10), bits(10, 14), psnr(10) },           -- one encoding: all items together
    { bits(20, 4), psnr(20), bits(10, 10), psnr(10) },
    { 8, nil, bits(10, 10), psnr(10) },
    { bits(10, 4), psnr(10), bits(20, 10), psnr(20) },
    { bits(10, 4), psnr(10), 8, nil },
    { 8, nil, 8, nil },
  }
  for i, w in ipairs(wanted) do
    for k, name in ipairs { 'bits_per_sample', 'psnr', 'bits_per_sample_train', 'psnr_train' } do
      local got = rows[i][name]
      t.ok(w[k] == nil and got == nil or math.abs(got - w[k]) < 1e-9, ('row %d: %s %s'):format(i, name, tostring(got)))
    end
  end
  t.equal({ rows[2].bytes_payload, rows[2].bytes_payload_train, rows[2].bytes_tables }, { 2000, 1000, 570 })
  for _, series in ipairs(picture.of(r).series) do
    if series.name == 'small trained on jpeg 10' then
      t.equal({ series.points[1].x, series.points[2].x }, { rows[1].bits_per_sample, rows[2].bits_per_sample })
    end
  end
  t.match(text.table(r.groups), 'train bits +train dB')
  t.match(text.table(r.groups), 'jpeg 10 +raw +3072%.0 .* exact +1%.0000 +2%.753 +48%.13 +50%.00')
  t.ok(not text.table(report.new('id', some).groups):find 'train')
  local scored = report.new('id', { crossed(10, 20, true) })
  t.near(scored.rows[1].bits_per_sample, bits(20, 4), 1e-12)
  t.equal(scored.rows[1].bits_per_sample_train, nil)
  t.match(text.table(scored.groups), '0%.9000 +%- +%- +50%.00')
end)

t.case('report: one row per quality, by rising bits, the untouched data last', function()
  local r = report.new('id', some)
  t.equal(#r.groups, 3)
  local g = r.groups[1]
  t.equal({ g.quality, r.groups[2].quality, r.groups[3].codec }, { 10, 50, 'raw' })
  t.near(g.accuracy, 0.52, 1e-12)
  t.near(g.spread, math.sqrt(2) * 0.02, 1e-12)
  t.equal(r.groups[2].spread, nil)
  t.equal({ g.bytes_payload, g.bytes_tables, g.bytes_container }, { 100, 570, 55 })
  t.near(g.bits_per_sample, 8 * (1000 + 570) / 30720, 1e-12)
  t.near(g.bits_per_sample_file, 8 * (1000 + 5700 + 550) / 30720, 1e-12)
  t.near(g.psnr, 48.1308036, 1e-6)
  t.equal({ r.groups[3].psnr, r.groups[3].ssim, r.groups[3].bits_per_sample }, { nil, 1, 8 })
  t.near(r.groups[3].seconds, 3, 1e-12)
end)

t.case('report: the table shows them', function()
  local shown = text.text(report.new('id', some, 2))
  t.match(shown, 'codec +payload +tables +container +bits/sample')
  t.match(shown, 'jpeg 10 +100%.0 +570%.0 +55%.0 +0%.409 +1%.888 +48%.13 +0%.9000 +52%.00 +2%.83')
  t.match(shown, 'raw +3072%.0 +0%.0 +0%.0 +8%.000 +8%.000 +exact +1%.0000 +61%.00')
  t.match(shown, '2 cells are not finished')
  t.match(shown, 'untouched')
  t.match(text.text(report.new('id', {})), 'no cell is finished')
end)

t.case('report: JSON is one array of cells with exactly the promised fields', function()
  local list = json.decode(export.json(report.new('id', some)))
  t.equal(#list, 5)
  local wanted = {}
  for name in ([[data split protocol codec quality model params seed dtype epochs accuracy best last convergence_epoch
      bytes_payload bytes_tables bytes_container bits_per_sample bits_per_sample_file psnr ssim seconds curve
      codec_test quality_test isa vendor kernels parameter parameter_test encoding encoding_test values
      values_test bytes_payload_train bytes_tables_train bytes_container_train bits_per_sample_train
      bits_per_sample_file_train psnr_train ssim_train]]):gmatch '%S+' do
    wanted[name] = true
  end
  for _, cell in ipairs(list) do
    for name in pairs(cell) do t.ok(wanted[name], name) end
    for name in pairs(wanted) do t.ok(cell[name] ~= nil, name) end
  end
  t.equal({ list[1].quality, list[1].seed, list[1].accuracy, list[1].curve }, { 10, 1, 0.5, { 0.2, 0.4, 0.5 } })
  t.ok(list[3].quality == json.null and list[3].psnr == json.null and list[3].codec == 'raw')
  t.equal({ list[1].parameter, list[1].encoding, list[3].encoding }, { 'quality', 'jpeg 10', 'raw' })
  t.ok(list[1].values == json.null and list[3].parameter == json.null)
  t.equal(export.json(report.new('id', {})), '[]\n')
end)

t.case('report: CSV has a line per cell and the same numbers', function()
  local lines = {}
  for line in export.csv(report.new('id', some)):gmatch '[^\n]+' do lines[#lines + 1] = line end
  t.equal(#lines, 6)
  t.equal(lines[1], table.concat(rows_of.fields, ','))
  t.match(lines[2],
    '^fake,train=8 validation=2 test=10,strict,jpeg,10,jpeg,10,small,1234,1,f32,3,0%.5,0%.5,0%.5,3,100,570,55,'
    .. '.*,0%.2 0%.4 0%.5,quality,jpeg 10,,quality,jpeg 10,,x,,,100,570,55,0%.4088.*,0%.9$')
  t.equal(require 'hz.base.table'.csv({ 'a', 'b' }, { { a = 'x,"y"' }, { b = 0.1 } }), 'a,b\n"x,""y""",\n,0.1\n')
end)

t.case('report: strict convergence is the first epoch within a point of where the untouched data end', function()
  local rows = rows_of.cells(some)
  t.equal({ rows[1].convergence_epoch, rows[2].convergence_epoch, rows[5].convergence_epoch }, { 3, 3, 3 })
  t.equal(rows_of.cells({ record { quality = 5, seed = 1, accuracy = 0.5 } })[1].convergence_epoch, nil)
  rows = rows_of.cells { record { seed = 1, accuracy = 0.6, curve = { 0.3, 0.595, 0.6 } },
    record { quality = 5, seed = 1, accuracy = 0.3, curve = { 0.1, 0.2, 0.3 } } }
  t.equal({ rows[1].convergence_epoch, rows[2].convergence_epoch }, { 2, nil })
end)

t.case('report: paper takes the mean of the ten best epochs, and its convergence the mean of the next ten', function()
  local paper = protocol.named 'paper'
  local curve = {}
  for i = 1, 30 do curve[i] = math.min(i, 12) / 20 end
  curve[30] = 0.61
  local best = { 0.61 }
  for i = 2, 10 do best[i] = 0.6 end
  t.near(paper.accuracy(curve), (0.61 + 9 * 0.6) / 10, 1e-12)
  -- 99 % of 0.61 is 0.6039: only the windows that hold the last epoch may exceed it, and their mean is 0.601
  t.equal(paper.convergence(curve), nil)
  curve[30] = 0.6
  -- 99 % of 0.6 is 0.594: epochs 12.. hold 0.6, epoch 11 0.55: (0.55 + 9 * 0.6) / 10 = 0.595
  t.equal(paper.convergence(curve), 11)
  t.near(paper.accuracy { 0.1, 0.3 }, 0.2, 1e-12)
  t.equal(paper.convergence { 0.1, 0.3 }, nil)
  t.equal(protocol.named 'strict'.accuracy({ 0.9 }, 0.4), 0.4)
  t.raises("protocol: 'x' is unknown; have strict, paper", protocol.named, 'x')
end)

t.case('report: failed cells are named and do not count', function()
  local bad = record { quality = 10, seed = 3 }
  bad.status, bad.failure = 'failed', { epoch = 2, layer = 'conv1', message = 'the loss is nan' }
  bad.accuracy, bad.best, bad.last = nil, nil, nil
  local r = report.new('id', { some[1], some[2], bad })
  t.near(r.groups[1].accuracy, 0.52, 1e-12)
  t.match(text.text(r), 'failed: jpeg 10, small, seed 3: epoch 2, layer conv1: the loss is nan')
  t.match(text.text(r), '3, 1 failed')
  t.ok(json.decode(export.json(r))[3].accuracy == json.null)
end)

t.case('report: the plot as SVG is well-formed and holds every point', function()
  local path = t.folder() .. '/a.svg'
  local r = report.new('id', some)
  t.write(path, picture.svg(r))
  local svg = t.read(path)
  local _, points = svg:gsub('<circle', '')
  t.equal(points, 3)
  local _, open = svg:gsub('<[%a]', '')
  local _, closed = svg:gsub('</', '')
  local _, single = svg:gsub('/>', '')
  t.equal(open, closed + single)
  t.ok(not svg:find 'nan' and not svg:find 'inf')
  t.ok(picture.svg(report.new('id', {})):find 'no finished cells')
  if not t.tool 'xmllint' then t.skip('xmllint is not here; the tags were counted') end
  t.equal((t.sh('xmllint --noout ' .. path)), 0)
end)

t.case('report: one cell, and cells of equal accuracy, can be drawn', function()
  local low = { record { quality = 1, seed = 1, accuracy = 0 }, record { quality = 2, seed = 1, accuracy = 0 } }
  for _, list in ipairs { { some[1] }, low } do
    local shown = text.text(report.new('id', list))
    t.ok(not shown:find 'nan' and not shown:find 'inf', shown)
    t.ok(not picture.svg(report.new('id', list)):find 'nan')
  end
end)

-- A record of a cell whose `run` says more.
local function ran(o, run)
  local r = record(o)
  for k, v in pairs(run) do r.run[k] = v end
  return r
end

t.case('report: cells that were computed otherwise are said to differ, and in what', function()
  local a = { isa = 'amx', vendor = 'intel', kernels = 'aaaaaaaaaaaa',
    scored = { isa = 'amx', vendor = 'intel', kernels = 'bbbbbbbbbbbb' } }
  local function with(change)
    local b = {}
    for k, v in pairs(a) do b[k] = v end
    for k, v in pairs(change) do b[k] = v end
    return b
  end
  local function notes(o, change)
    return report.new('id', { ran({ seed = 1, accuracy = 0.6 }, a), ran(o, with(change)) }).notes
  end
  local alike = { quality = 10, seed = 2, accuracy = 0.5 }
  t.equal(notes(alike, {}), {})
  local large = { quality = 10, seed = 2, accuracy = 0.5, model = 'large' }
  t.equal(notes(large, { kernels = 'c' }), {}, 'another net has other nodes')
  t.equal(notes(alike, { kernels = 'cccccccccccc' }),
    { 'cells differ in: kernels aaaaaaaa/bbbbbbbb, cccccccc/bbbbbbbb' })
  t.equal(notes(alike, { isa = 'avx2', vendor = 'amd' }), { 'cells differ in: isa amx, avx2; vendor amd, intel' })
  t.equal(notes(alike, { scored = { isa = 'avx2', vendor = 'intel', kernels = 'bbbbbbbbbbbb' } }),
    { 'cells differ in: isa amx, avx2' })
  t.equal(notes(alike, { kernels_changed = { 'from epoch 1 on: isa amx -> avx2' } }),
    { 'cells differ in: what computed them on the way (1 cell)' })
  local before = report.new('id', { ran(alike, a), record { seed = 1, accuracy = 0.6 } })    -- one of them tells less
  t.equal(before.notes, { 'cells differ in: isa amx, x' })
  t.match(text.text(before), '\ncells differ in: isa amx, x')
end)
