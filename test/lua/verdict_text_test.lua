-- The verdict at the end of a report: from outcomes in cells to chains, words, tables and fields.
local t = ...
local archive = require 'hz.ext.archive'
local bits = require 'hz.report.bits'
local cell = require 'hz.sweep.cell'
local dataset = require 'hz.data.dataset'
local export = require 'hz.report.export'
local ffi = require 'ffi'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local report = require 'hz.report.report'
local safetensors = require 'hz.tensor.safetensors'
local tensor = require 'hz.tensor.tensor'
local verdict_text = require 'hz.report.verdict_text'
local verdicts = require 'hz.report.verdicts'

local ITEMS, CLASSES = 400, 10

local function account(quality)
  return { items = 10, samples = 30720, payload = quality and 100 * quality or 30720, tables = quality and 5700 or 0,
    container = quality and 550 or 0, tables_once = quality and 570 or 0, squared_error = quality and 30720 or 0,
    ssim = 9 }
end

-- Outcomes of a run that is right on all items but those of a list of ranges { from, to }.
local function outcomes(wrong)
  local right, class = {}, {}
  for i = 1, ITEMS do right[i], class[i] = 1, (i - 1) % CLASSES end
  for _, range in ipairs(wrong) do
    for i = range[1], range[2] do right[i] = 0 end
  end
  return { ['test.correct'] = tensor.from(right, 'u8'), ['test.class'] = tensor.from(class, 'i32'),
    ['test.confidence'] = tensor.full({ ITEMS }, 0.9, 'f32') }
end

local number = 0

-- Writes a cell and returns its record. o: seed, wrong, quality, codec (jpeg), untrained (true: trained on raw), curve,
-- and fields of the record.
local function write(runs, o)
  number = number + 1
  local key, codec = ('%032x'):format(number), o.quality and (o.codec or 'jpeg') or 'raw'
  local watched = json.array(o.curve or { 0.5, 0.9, 0.9, 0.9, 0.9 })
  local named = outcomes(o.wrong or {})
  local right = named['test.correct']:sum() / ITEMS
  local r = { schema = cell.SCHEMA, key = key, training_key = key, status = 'done', data = 'fake', split = 'test=400',
    protocol = 'strict', model = o.model or 'small', params = 12, dtype = 'f32', codec = o.untrained and 'raw' or codec,
    codec_test = codec, quality = not o.untrained and o.quality or nil, quality_test = o.quality,
    seed = o.seed, epochs = #watched, classes = o.classes or CLASSES,
    curve = { loss = watched, accuracy = watched, watch_loss = watched, watch_accuracy = watched },
    accuracy = right, test_accuracy = right, test_loss = 0.1, best = 0.9, last = watched[#watched],
    accounts = { all = account(o.quality), test = account(o.quality) }, source = o.source,
    decides = { training = { data = { digest = 'a' }, watch = { digest = 'b' } },
      test = { digest = o.digest or 'c' } } }
  local run = { seconds = 1, version = '0', commit = 'c', isa = 'x', threads = 1, finished = '2026-01-01T00:00:00Z' }
  file.mkdir(cell.folder(runs))
  safetensors.write(cell.path(runs, key), named, { ['hz.cell'] = json.encode(r), ['hz.run'] = json.encode(run) })
  return (cell.read(runs, key))
end

-- A report of cells that are written so. seeds: of each; list: what `write` takes, a cell each.
local function judged(list, o)
  local runs, records = t.folder(), {}
  for i, one in ipairs(list) do records[i] = write(runs, one) end
  local r = report.new('id', records)
  r.runs = runs
  for k, v in pairs(o or {}) do r[k] = v end
  return r
end

-- Five seeds of raw and of qualities 90 (as raw), 50 (2 items or 0.5 points worse or not), 10 (a quarter worse).
local function usual()
  local list = {}
  for seed = 1, 5 do
    local base = { 1, 20 + seed }
    list[#list + 1] = { seed = seed, wrong = { base } }
    list[#list + 1] = { seed = seed, quality = 90, wrong = { base } }
    list[#list + 1] = { seed = seed, quality = 50, wrong = { base, { 31, 30 + 3 * (seed % 3) } } }
    list[#list + 1] = { seed = seed, quality = 10, wrong = { base, { 101, 200 } } }
  end
  return list
end

t.case('verdict: a chain runs from most bits to fewest, with marks and a bracket', function()
  local r = judged(usual())
  local chains = verdicts.of(r)
  t.equal(#chains, 1)
  local marks, names = {}, {}
  for i, e in ipairs(chains[1].entries) do marks[i], names[i] = e.mark, verdicts.called(e) end
  t.equal(names, { 'quality 90', 'quality 50', 'quality 10' })
  t.equal(marks, { 'safe', 'undecided', 'harmful' })
  t.equal({ chains[1].knee.safe, chains[1].knee.harmful }, { 1, 3 })
  local found = chains[1].entries[3].found
  t.near(found.difference, -0.25, 1e-12)
  t.equal({ found.seeds, found.items }, { 5, ITEMS })
end)

t.case('verdict: the first line says what is safe, what harms, and what would decide the rest', function()
  local text = verdict_text.text(judged(usual()))
  local line = text:match '^(.-)\nassay':gsub('\n *', ' ')
  t.match(line, '^jpeg: quality 90 costs at most 1 point %(95 %%%), 2%.49 bits per sample instead of 8 %(raw%); '
    .. 'quality 10 harms; between them undecided, ')
  t.match(text, '\nknee: in %(quality 10, quality 90%], with 90 %% confidence\n')
  t.match(text, 'lossless bits: not counted here yet')
  t.match(text, 'assay not shown')
  for one in (text .. '\n'):gmatch '([^\n]*)\n' do t.ok(#one <= 80, one) end
end)

t.case('verdict: margin and alpha are asked for', function()
  local r = judged(usual(), { margin = 0.03, alpha = 0.01 })
  t.equal(verdicts.of(r)[1].entries[2].mark, 'safe')
  t.match(verdict_text.text(r), 'costs at most 3 points %(99 %%%)')
end)

-- Why there is no verdict: cells, what is said, and what would help.
local none = {
  { 'the reference has one seed; what would help: seed=1%.%.5', { { seed = 1 }, { seed = 1, quality = 9 } } },
  { 'no cell on the untouched data %(raw%) is finished; what would help: raw', { { seed = 1, quality = 9 } } },
  { 'the reference is near chance: 12%.50 %% right, a constant answer 12%.50 %%',
    { { seed = 1, wrong = { { 51, 400 } }, classes = 8 }, { seed = 2, wrong = { { 51, 400 } }, classes = 8 },
      { seed = 1, quality = 9 } } },
  { 'the reference still improves: 3%.00 points in its last quarter %(after epoch 3 of 4%); what would help',
    { { seed = 1, curve = { 0.5, 0.7, 0.8, 0.83 } }, { seed = 2, curve = { 0.5, 0.7, 0.8, 0.83 } },
      { seed = 1, quality = 9, curve = { 0.5, 0.7, 0.8, 0.83 } } } },
  { 'one epoch does not show', { { seed = 1, curve = { 0.9 } }, { seed = 2, curve = { 0.9 } },
    { seed = 1, quality = 9, curve = { 0.9 } } } },
}

t.case('verdict: none where the reference can tell nothing, and why', function()
  for _, row in ipairs(none) do
    local text = verdict_text.text(judged(row[2])):gsub('\n *', ' ')
    t.match(text, '^jpeg: no verdict: ' .. row[1])
    t.ok(not text:find 'knee', text)
  end
end)

t.case('verdict: none where the untouched data were lossy before', function()
  local source = { text = 'JPEG 75', lossy = true, items = 10, samples = 30720, payload = 10, tables = 10,
    container = 10, tables_once = 1 }
  local list = usual()
  for _, one in ipairs(list) do one.source = source end
  t.match(verdict_text.text(judged(list)):gsub('\n *', ' '), 'no verdict: the untouched data were JPEG 75 before')
  t.match(verdict_text.text(judged(list, { force = true })), 'quality 90 costs at most 1 point')
end)

t.case('verdict: a constant answer on unequal classes is chance', function()
  local list = {}
  for seed = 1, 2 do list[seed] = { seed = seed, wrong = { { 301, 400 } } } end
  local runs, records = t.folder(), {}
  list[3] = { seed = 1, quality = 9 }
  for i, one in ipairs(list) do
    records[i] = write(runs, one)
    local path = cell.path(runs, records[i].key)
    local named, meta = safetensors.read(path)
    named['test.class']:fill(0)
    safetensors.write(path, named, { ['hz.cell'] = meta['hz.cell'], ['hz.run'] = meta['hz.run'] })
  end
  local r = report.new('id', records)
  r.runs = runs
  t.match(verdict_text.text(r), 'near chance: 75%.00 %% right, a constant answer')
end)

t.case('verdict: only seeds that both have, of the same test items, are compared', function()
  local list = usual()
  list[#list + 1] = { seed = 6, quality = 90, wrong = { { 1, 300 } } }
  for _, one in ipairs(list) do
    if one.quality == 50 and one.seed > 3 then one.digest = 'd' end
    if one.quality == 10 then one.digest = 'd' end
  end
  local r = judged(list)
  local entries = verdicts.of(r)[1].entries
  t.equal({ entries[1].found.seeds, entries[1].mark }, { 5, 'safe' })
  t.equal(entries[2].found.seeds, 3)
  t.equal(entries[3].found.reason, 'no seed in common with raw')
  t.match(verdict_text.text(r), '\nquality 10: no seed in common with raw\n')
end)

t.case('verdict: models and codecs have chains of their own, told apart by name', function()
  local list = usual()
  for _, one in ipairs(usual()) do one.model = 'large'; list[#list + 1] = one end
  local r = judged(list)
  t.equal(#verdicts.of(r), 2)
  t.match(verdict_text.text(r), '^jpeg, small: .*\njpeg, large: ')
end)

t.case('verdict: encodings of nets that were trained on raw are a chain of their own, without bits', function()
  local list = usual()
  for _, one in ipairs(usual()) do
    if one.quality then
      one.untrained = true
      list[#list + 1] = one
    end
  end
  local r = judged(list)
  local chains = verdicts.of(r)
  t.equal({ #chains, chains[1].trained or 'own', chains[2].trained or 'own' }, { 2, 'own', 'raw' })
  t.equal(chains[2].bits, nil)
  local text = verdict_text.text(r)
  t.match(text, '\njpeg, trained on raw: quality 90 costs at most 1 point %(95 %%%); quality 10 harms')
  t.match(text, '\nbits: none saved is claimed where training and test have other encodings')
end)

t.case('verdict: trainings that failed are no verdict, and are said', function()
  local list = usual()
  local r = judged(list)
  r.groups[3].failed = 1
  local entry = verdicts.of(r)[1].entries[1]
  t.equal({ entry.mark, entry.found.reason }, { 'undecided', '1 training failed' })
  t.match(verdict_text.text(r), '\nquality 90: 1 training failed\n')
end)

t.case('verdict: text, JSON and CSV say the same numbers', function()
  local r = judged(usual())
  local text, list, lines = verdict_text.text(r), json.decode(export.json(r)), {}
  for line in export.csv(r):gmatch '[^\n]+' do lines[#lines + 1] = line end
  local names = {}
  for name in (lines[1] .. ','):gmatch '([^,]*),' do names[#names + 1] = name end
  local seen = 0
  for i, one in ipairs(list) do
    local values, k = {}, 0
    for v in (lines[i + 1] .. ','):gmatch '([^,]*),' do k = k + 1; values[names[k]] = v end
    for _, name in ipairs(verdicts.fields(r)) do
      local v = one[name]
      t.equal(values[name], v == json.null and '' or type(v) == 'number' and json.encode(v) or v, name)
    end
    if one.quality ~= json.null then
      seen = seen + 1
      local row = text:match('\n(quality ' .. one.quality .. ' [^\n]*)')
      t.match(row, ('%s +%%%+.2f%%*? +%%%+.2f +%%%+.2f +%.2f'):format(one.verdict, 100 * one.difference,
        100 * one.difference_lower, 100 * one.difference_upper, 100 * one.seed_sd))
    else
      t.equal(one.verdict, json.null)
    end
  end
  t.equal(seen, 15)
  t.equal({ list[2].knee, list[3].knee, list[4].knee, list[2].margin }, { 'safe', json.null, 'harmful', 0.01 })
end)

t.case('verdict: a report that has no runs folder has none, and no fields about it', function()
  local r = report.new('id', { write(t.folder(), { seed = 1 }) })
  t.equal(verdict_text.text(r), nil)
  t.ok(not export.csv(r):find 'verdict')
end)

-- ---- bits ----

local function set_of(n, seed)
  local items = tensor.rand({ n, 16, 16, 3 }, 0, 31.99, { seed = seed, stream = 1 }):floor():to 'u8'
  return dataset.new { name = 'noise', items = items, labels = tensor.zeros({ n }, 'i32'), classes = { 'a' } }
end

-- Runs f with a cache of its own.
local function with_cache(f)
  local home, dir = file.cache_home, t.folder() .. '/cache'
  file.cache_home = function() return dir end
  local ok, e = pcall(f, dir)
  file.cache_home = home
  if not ok then error(e, 0) end
end

local function record_of(sets)
  return { decides = { training = { data = { digest = sets[1].digest }, watch = { digest = sets[2].digest } },
    test = { digest = sets[#sets].digest } } }
end

t.case('bits: lossless bits are counted once, by two coders, and found again by a record alone', function()
  if not (plugins.has 'png' and archive.present()) then t.skip 'PNG or libarchive is not here' end
  with_cache(function(dir)
    local sets = { set_of(20, 1), set_of(5, 2), set_of(5, 3) }
    t.equal(bits.lossless(record_of(sets)), nil)
    local a = bits.lossless(record_of(sets), sets)
    t.equal({ a.items, a.samples, a.raw, #a.missing }, { 30, 30 * 768, 30 * 768, 0 })
    t.equal({ a.coders[1].name, a.coders[2].name, #a.coders }, { 'png', 'xz, all items', 2 })
    for _, coder in ipairs(a.coders) do
      t.ok(coder.payload < a.raw and coder.payload > 5 / 8 * a.raw, coder.name)        -- noise of 5 bits
      t.ok(coder.payload <= coder.file, coder.name)
    end
    t.equal(bits.lossless(record_of(sets)).coders[2].payload, a.coders[2].payload)
    local path = dir .. '/lossless/' .. file.list(dir .. '/lossless')[1]
    t.write(path, '{"key": 3}')
    t.equal(bits.lossless(record_of(sets)), nil, 'damage is no account')
    t.equal(bits.lossless(record_of(sets), sets).raw, a.raw, 'once more in this process')
  end)
end)

t.case('bits: the set that is watched and tested counts once', function()
  if not plugins.has 'png' then t.skip 'PNG is not here' end
  with_cache(function()
    local sets = { set_of(8, 1), set_of(4, 2) }
    t.equal(bits.lossless(record_of(sets), sets).items, 12)
    t.equal(bits.lossless(record_of(sets)).items, 12)
  end)
end)

t.case('bits: the account of a chain: raw, lossless, needed, and what is saved and redundant', function()
  with_cache(function()
    local r = judged(usual())
    r.sets = function() return { set_of(10, 1) } end
    local b = verdicts.of(r)[1].bits
    t.near(b.raw.payload, 8, 1e-12)
    t.near(b.needed.payload, 8 * (9000 + 570) / 30720, 1e-12)
    t.near(b.needed.file, 8 * (9000 + 5700 + 550) / 30720, 1e-12)
    t.near(b.saved.payload, b.lossless.payload - b.needed.payload, 1e-12)
    t.near(b.redundancy.payload, 8 - b.lossless.payload, 1e-12)
    t.match(verdict_text.text(r), '\nsaved +%-?[%d]+ +%-?[%d.]+ +%-?[%d.]+')
  end)
end)

t.case('bits: sounds are coded by FLAC, and by xz as whole samples of their bits', function()
  if not (plugins.has 'flac' and archive.present()) then t.skip 'FLAC or libarchive is not here' end
  with_cache(function()
    local _, test = require 'hz'.data('strings', { rate = 11025, seconds = 1, n_fft = 512,
      hop = 256, mels = 48 })
    local set = test:subset(1, 8)
    local a = bits.lossless({}, { set })
    t.equal({ a.raw, a.coders[1].name, a.coders[2].name }, { 2 * a.samples, 'flac', 'xz, all items' })
    t.ok(a.coders[1].payload < a.coders[1].file)
    local samples, frames = set.sounds:read(set.sounds:numbers(set.clips))
    local x, row = samples:pointer 'read', set.sounds.length * set.sounds.channels
    t.equal(archive.packed('xz', a.raw, function(add)
      for i, n in ipairs(frames) do
        local count = n * set.sounds.channels
        local out = ffi.new('int16_t[?]', count)
        for k = 0, count - 1 do out[k] = math.floor(32768 * x[(i - 1) * row + k] + 0.5) end
        add(out, 2 * count)
      end
    end), a.coders[2].payload)
  end)
end)

t.case('bits: a filter that is not there is named', function()
  if not archive.present() then t.skip 'libarchive is not here' end
  t.raises('pack: nothing', archive.packed, 'nothing', 1, function() end)
end)

-- ---- a sweep ----

local net = [[
local l = require 'hz'.layers
return function(o)
  return require 'hz'.net 'n' { l.conv{16, 3}, l.norm, l.relu, l.conv{32, 3, stride=2}, l.norm, l.relu,
    l.conv{32, 3, stride=2}, l.norm, l.relu, l.conv{o.classes, 1}, l.meanpool }
end
]]

local script = [[
local hz = require 'hz'
local study = hz.study {
  name = 'tiny', about = 'Tiny.', items = 'images', embedded = { 'camera', preset = 'tiny', least = 2000 },
  options = function() return { size = 8, noise = 0.5, train = 2000, test = 200 } end,
  presets = { { 'tiny', protocol = 'strict', quality = { 1, 'raw' }, model = { 'net.lua' }, seed = { 1, 2 },
    epochs = 24, train = 1500, batch = 32, optimizer = 'adam', rate = 0.01, schedule = 'cosine' } },
}
study:finish(hz.sweep(study:settings(...)))
]]

-- A folder with a sweep of four cells; run(words) runs hz there.
local function place()
  if not (plugins.has 'jpeg' and plugins.has 'png' and archive.present()) then
    t.skip 'JPEG, PNG or libarchive is not here'
  end
  local dir = t.folder()
  t.write(dir .. '/net.lua', net)
  t.write(dir .. '/sweep.lua', script)
  return dir, function(words, cache)
    return t.sh(('cd %s && HZ_RUNS= HZ_CACHE=%s %s %s; exit $?'):format(t.quote(dir), cache or 'cache', t.quote(t.hz),
      words))
  end
end

t.case('verdict: a sweep ends with it, hz report says the same, and margin decides nothing about cells', function()
  local dir, run = place()
  local status, out, err = run 'sweep.lua parallel=1 margin=0.05'
  t.equal(status, 0, err)
  local said = out:match '\n(jpeg: none is shown.*)\n\nstored in'
  t.match(said, '^jpeg: none is shown to cost at most 5 points %(95 %%%); quality 1 harms\n')
  t.match(said, '\nlossless png +%d')
  t.match(said, '\nlossless xz, all items +%d')
  local id = out:match 'once more: hz report (%S+) margin=0%.05\n'
  status, out = run 'report margin=0.05'
  t.equal({ status, out:match '\n(jpeg: none is shown.*)\n$' }, { 0, said })
  t.match(select(2, run('report margin=0.05', 'empty')), '\nlossless bits: not counted here yet')
  local cells = table.concat(file.list(dir .. '/runs/cells'), ' ')
  status, out = run 'sweep.lua parallel=1 margin=0.2 alpha=0.1'
  t.equal(status, 0)
  t.match(out, '4 of them finished')
  t.match(out, 'once more: hz report ' .. id:gsub('%-', '%%-') .. ' margin=0%.2 alpha=0%.1\n')
  t.match(out, '\njpeg: no verdict: the reference is near chance')
  t.equal(table.concat(file.list(dir .. '/runs/cells'), ' '), cells)
end)

t.case('verdict: margin and alpha that mean nothing are refused', function()
  local _, run = place()
  for _, row in ipairs { { 'sweep.lua margin=0', 'margin=0 was given; needs 0.0001..1' },
    { 'sweep.lua alpha=0.7', 'alpha=0.7 was given; needs 0.0001..0.5' }, { 'report margin=x', 'needs a number' },
    { 'report alpha=-1', 'alpha=%-1 was given; needs 0.0001..0.5' } } do
    local status, _, err = run(row[1])
    t.equal(status, 2, row[1])
    t.match(err, row[2])
  end
  t.raises('sweep: margin is 7; needs a number of 0.0001..1', function()
    require 'hz'.sweep { margin = 7, data = { {} }, quality = { 1 }, model = { 'small' }, epochs = 1 }
  end)
end)
