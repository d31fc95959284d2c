-- hz compare: two sweeps and the codecs of one, from outcomes in cells to words, tables and JSON; two networks.
local t = ...
local cell = require 'hz.sweep.cell'
local compare = require 'hz.report.versus.compare'
local compare_text = require 'hz.report.versus.compare_text'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local networks = require 'hz.report.versus.networks'
local networks_text = require 'hz.report.versus.networks_text'
local report = require 'hz.report.report'
local safetensors = require 'hz.tensor.safetensors'
local tensor = require 'hz.tensor.tensor'
local verdict = require 'hz.report.statistics.verdict'

local ITEMS, CLASSES = 400, 10

-- ---- made up sweeps ----

-- bits: per sample, of the payload; files have two more.
local function account(bits)
  local samples, payload = 8000, math.floor(1000 * (bits or 8) + 0.5)
  return { items = 10, samples = samples, payload = payload, tables = bits and 1000 or 0,
    container = bits and 1000 or 0, tables_once = 0, squared_error = bits and 100 or 0, ssim = 9 }
end

-- Outcomes of so many items that are right with a probability, but for a part that falls with it alike in all runs.
local function outcomes(accuracy)
  local right, class = tensor.zeros({ ITEMS }, 'u8'), tensor.zeros({ ITEMS }, 'i32')
  for i = 1, ITEMS do
    class:set((i - 1) % CLASSES, i)
    right:set(math.random() * 0.1 + (i * 7919 % ITEMS) / ITEMS * 0.9 < accuracy and 1 or 0, i)
  end
  return { ['test.correct'] = right, ['test.class'] = class,
    ['test.confidence'] = tensor.full({ ITEMS }, 0.9, 'f32') }
end

local number = 0

-- Writes a cell and returns its record. o: seed, quality (nil: raw), bits, accuracy, and maybe codec, further, model,
-- digest, failed.
local function write(runs, o)
  number = number + 1
  local key, codec = ('%032x'):format(number), o.quality and (o.codec or 'jpeg') or 'raw'
  local watched, named = json.array { 0.5, 0.9, 0.9, 0.9, 0.9 }, outcomes(o.accuracy)
  local right = named['test.correct']:sum() / ITEMS
  local r = { schema = cell.SCHEMA, key = key, training_key = key, status = o.failed and 'failed' or 'done',
    data = o.data or 'fake', split = 'test=400', protocol = 'strict', model = o.model or 'small', params = 12,
    dtype = o.dtype or 'f32', codec = codec, codec_test = codec, quality = o.quality, quality_test = o.quality,
    further = o.quality and o.further, further_test = o.quality and o.further, seed = o.seed, epochs = 5,
    classes = CLASSES,
    curve = { loss = watched, accuracy = watched, watch_loss = watched, watch_accuracy = watched },
    accuracy = right, test_accuracy = right, test_loss = 0.1, best = 0.9, last = 0.9,
    failure = o.failed and { epoch = 1, layer = 'loss', message = 'not finite' } or nil,
    accounts = { all = account(o.bits), test = account(o.bits) },
    decides = { training = { data = { digest = 'a' }, watch = { digest = 'b' } },
      test = { digest = o.digest or 'c' } } }
  local run = { seconds = 1, version = '0', commit = 'c', isa = 'x', threads = 1, finished = '2026-01-01T00:00:00Z' }
  file.mkdir(cell.folder(runs))
  safetensors.write(cell.path(runs, key), o.failed and {} or named,
    { ['hz.cell'] = json.encode(r), ['hz.run'] = json.encode(run) })
  return (cell.read(runs, key))
end

-- A report of cells. points: quality -> { bits, accuracy }; o: seeds, id, no_raw, and fields of all cells.
local function sweep(runs, points, o)
  local records = {}
  local function add(seed, quality, bits, accuracy)
    local one = { seed = seed, quality = quality, bits = bits, accuracy = accuracy }
    for _, k in ipairs { 'codec', 'further', 'model', 'digest', 'dtype', 'data' } do one[k] = o[k] end
    one.failed = o.failed and o.failed == quality and seed == o.seeds[1]
    records[#records + 1] = write(runs, one)
  end
  for _, seed in ipairs(o.seeds) do
    if not o.no_raw then add(seed, nil, nil, 0.95) end
    for quality, p in pairs(points) do add(seed, quality, p[1], p[2]) end
  end
  return records
end

local function of(runs, records, id, o)
  local r = report.new(id, records)
  r.runs = runs
  for k, v in pairs(o or {}) do r[k] = v end
  return r
end

local function one(points, o, asked)
  local runs = t.folder()
  return of(runs, sweep(runs, points, o), o.id or 'a-1', asked)
end

local good = { [10] = { 0.1, 0.6 }, [30] = { 0.3, 0.8 }, [90] = { 1, 0.93 } }
local worse = { [10] = { 0.15, 0.55 }, [30] = { 0.4, 0.72 }, [90] = { 1, 0.9 } }

local function narrow(text)
  for line in (text .. '\n'):gmatch '([^\n]*)\n' do t.ok(#line <= 80, line) end
end

-- ---- two sweeps ----

t.case('compare: accuracy at equal bits where both are measured is the difference of a verdict', function()
  math.randomseed(1)
  local a, b = one(good, { seeds = { 1, 2, 3 } }), one(worse, { seeds = { 1, 2, 3 }, id = 'b-2' })
  local r = compare.of(a, b)
  t.equal({ #r.pairs, r.a, r.b, #r.cheapest }, { 1, 'a-1', 'b-2', 1 })
  local pair = r.pairs[1]
  t.equal({ pair.paired, pair.items, pair.seeds_a, #pair.left_a }, { true, ITEMS, { 1, 2, 3 }, 0 })
  local top = pair.payload.equal_bits[1]
  t.equal({ top.bits, top.encoding_a, top.encoding_b }, { 1, 'quality 90', 'quality 90' })
  local function right(report_, quality)
    local list = {}
    for _, row in ipairs(report_.rows) do
      if row.quality == quality then
        local _, tensors = cell.read(report_.runs, row.record.key)
        list[row.seed] = tensors['test.correct']
      end
    end
    return list
  end
  local wanted = verdict.compare(right(b, 90), right(a, 90))
  t.near(top.difference, wanted.difference, 1e-12)
  t.near(top.lower, wanted.two_sided.lower, 1e-9)
  t.near(top.upper, wanted.two_sided.upper, 1e-9)
  t.near(top.p, wanted.p_different, 1e-9)
  t.equal(#pair.payload.equal_bits, 4, '1, 0.4, 0.3, 0.15: what both enclose')
  t.ok(pair.payload.mean.difference < 0 and pair.payload.mean.upper < 0)
  t.equal({ pair.payload.mean.from, pair.payload.mean.to }, { 0.15, 1 })
  t.near(pair.file.mean.from, 2.15, 1e-9, 'files have their own bits')
  local rows = pair.payload.equal_accuracy
  t.equal({ #rows, rows[1].encoding_a, rows[2].encoding_a }, { 3, 'quality 90', 'quality 30' })
  t.ok(rows[2].bits_b > 0.4 and rows[2].bits_b < 1)
  t.near(rows[2].change, rows[2].bits_b / 0.3 - 1, 1e-12)
  t.ok(rows[2].change_lower > 0, 'more bits for the same')
  t.equal(rows[1].where, 'above')
end)

t.case('compare: text and JSON say the same numbers, in lines of 80 columns', function()
  math.randomseed(2)
  local a, b = one(good, { seeds = { 1, 2, 3 }, model = ('m'):rep(40) }),
    one(worse, { seeds = { 1, 2, 3 }, id = 'b-2', model = 'other', dtype = 'bf16' })
  local r = compare.of(a, b)
  local text, again = compare_text.text(r), json.decode(json.encode(r))
  narrow(text)
  t.match(text, 'differs: model: m+ | other'); t.match(text, 'differs: dtype: f32 | bf16')
  t.match(text, 'no encoding and model is finished in both')
  for _, kind in ipairs { 'payload', 'file' } do
    local own = again.pairs[1][kind]
    for _, d in ipairs(own.equal_bits) do
      t.ok(text:find(('%+.2f'):format(100 * d.lower), 1, true), 'lower bounds')
      t.ok(text:find(('%.2f'):format(100 * d.accuracy_b), 1, true), 'accuracies')
    end
    for _, e in ipairs(own.equal_accuracy) do
      if e.bits_b then t.ok(text:find(('%.3f'):format(e.bits_b), 1, true), 'bits') end
    end
    t.ok(text:find(('%+.2f'):format(100 * own.mean.difference), 1, true), 'mean')
  end
  t.match(text:gsub('\n *', ' '), 'at equal bits b is less accurate: %-%d')
end)

t.case('compare: other seeds are taken for independent, and it is said; some alike, too', function()
  math.randomseed(3)
  local a, b = one(good, { seeds = { 1, 2, 3 } }), one(worse, { seeds = { 7, 8, 9, 10 }, id = 'b-2' })
  local pair = compare.of(a, b).pairs[1]
  t.equal({ pair.paired, pair.seeds_a, pair.seeds_b, pair.shared }, { false, { 1, 2, 3 }, { 7, 8, 9, 10 }, nil })
  t.match(compare_text.text(compare.of(a, b)):gsub('\n *', ' '), 'a by seeds 1, 2, 3, b by 7, 8, 9, 10, taken for ind')
  b = one(worse, { seeds = { 3, 4, 5 }, id = 'b-2' })
  t.equal(compare.of(a, b).pairs[1].shared, { 3 })
  t.match(compare_text.text(compare.of(a, b)):gsub('\n *', ' '), 'though both have 3')
  b = one(worse, { seeds = { 1, 2, 3, 4, 5 }, id = 'b-2' })
  t.equal(compare.of(a, b).pairs[1].seeds_b, { 1, 2, 3 }, 'those of both, where one has no other')
end)

t.case('compare: where curves do not meet it is refused, with their ranges and what would help', function()
  math.randomseed(4)
  local few = { [10] = { 0.01, 0.62 }, [30] = { 0.05, 0.85 } }
  local a, b = one(good, { seeds = { 1, 2, 3 } }), one(few, { seeds = { 1, 2, 3 }, id = 'b-2' })
  local r = compare.of(a, b)
  t.match(r.pairs[1].payload.no_bits, 'a has 0.1 to 1 bits per sample, b 0.01 to 0.05')
  t.equal(r.pairs[1].payload.help_bits, 'encodings of b with more bits, or of a with fewer')
  t.equal({ #r.pairs[1].payload.equal_bits, r.pairs[1].payload.mean }, { 0, nil })
  t.ok(r.pairs[1].payload.equal_accuracy[2].change_upper < 0, 'fewer bits all the same')
  narrow(compare_text.text(r))
  b = one({ [10] = { 0.2, 0.2 }, [30] = { 0.5, 0.3 } }, { seeds = { 1, 2, 3 }, id = 'b-2' })
  r = compare.of(a, b)
  t.match(r.pairs[1].payload.no_accuracy, 'no accuracy in common: a has [%d.]+ to [%d.]+ %%, b [%d.]+ to [%d.]+ %%')
  t.equal(r.pairs[1].payload.help_accuracy, 'encodings of a with fewer bits, or of b with more')
  t.equal(#r.pairs[1].payload.equal_bits, 3)
  narrow(compare_text.text(r))
  t.match(compare_text.text(r):gsub('\n *', ' '), 'no bits at equal accuracy: no accuracy in common')
end)

t.case('compare: what cannot be held against each other, and why', function()
  math.randomseed(5)
  local a = one(good, { seeds = { 1, 2, 3 } })
  local function why(b) return compare.of(a, b).pairs[1].reason or '', compare_text.text(compare.of(a, b)) end
  local other = one(worse, { seeds = { 1, 2, 3 }, id = 'b-2', digest = 'd' })
  t.match(why(other), '^they were tested on other items %(a: fake, test=400; b: fake, test=400%)')
  narrow(select(2, why(other)))
  t.match(why(one(worse, { seeds = { 1 }, id = 'b-2' })), 'b has no encoding with 2 finished seeds')
  t.match(compare.of(a, one(worse, { seeds = { 1 }, id = 'b-2' })).pairs[1].help, 'seed=1..5')
  local broken = one(worse, { seeds = { 1, 2, 3 }, id = 'b-2' })
  file.remove(cell.path(broken.runs, broken.rows[2].record.key))
  t.ok(#why(broken) > 0)
  t.equal(#compare.of(a, one({}, { seeds = { 1, 2 }, id = 'b-2' })).pairs, 0, 'raw alone is no curve')
  t.match(compare_text.text(compare.of(a, one({}, { seeds = { 1, 2 }, id = 'b-2' }))), '\n\nno curves: b holds raw')
end)

t.case('compare: failed and lone cells are left out of a curve, and named', function()
  math.randomseed(6)
  local a, b = one(good, { seeds = { 1, 2, 3 }, failed = 30 }), one(worse, { seeds = { 1, 2, 3 }, id = 'b-2' })
  local pair = compare.of(a, b).pairs[1]
  t.equal(pair.left_a, { 'quality 30: 1 training failed' })
  t.equal(#pair.payload.equal_accuracy, 2)
  t.match(compare_text.text(compare.of(a, b)), '\nleft out of a: quality 30: 1 training failed\n')
end)

t.case('compare: no raw is no hindrance to curves, but to the cheapest codec', function()
  math.randomseed(7)
  local a = one(good, { seeds = { 1, 2, 3 }, no_raw = true })
  local b = one(worse, { seeds = { 1, 2, 3 }, id = 'b-2', no_raw = true })
  local r = compare.of(a, b)
  t.ok(r.pairs[1].payload.mean)
  t.equal(r.cheapest[1].tested, 0)
  t.match(r.cheapest[1].codecs[1].reason, 'no cell on the untouched data')
  narrow(compare_text.text(r))
end)

-- ---- the codecs of one sweep ----

local function codecs(o, asked)
  local runs = t.folder()
  local fine, coarse = { [20] = { 0.2, 0.2 }, [90] = { 0.5, 0.95 } }, { [20] = { 0.6, 0.2 }, [90] = { 2, 0.95 } }
  local records = sweep(runs, fine, { seeds = o.seeds, further = { subsampling = '420' } })
  for _, r in ipairs(sweep(runs, coarse, { seeds = o.seeds, no_raw = true, further = { subsampling = '444' } })) do
    records[#records + 1] = r
  end
  return of(runs, records, 'a-1', asked)
end

t.case('compare: of the codecs of one sweep the cheapest is named, tested for all together', function()
  math.randomseed(8)
  local r = compare.of(codecs({ seeds = { 1, 2, 3, 4, 5 } }, { margin = 0.05 }))
  t.equal({ #r.pairs, r.pairs[1].a, r.pairs[1].b }, { 1, 'jpeg subsampling=420', 'jpeg subsampling=444' })
  local family = r.cheapest[1]
  t.equal({ family.tested, #family.codecs }, { 2, 2 })
  local first, second = family.codecs[1], family.codecs[2]
  t.equal({ first.encoding, first.bits, first.cheapest, second.encoding }, { 'quality 90', 0.5, true, 'quality 90' })
  t.ok(first.p <= 0.05 and second.p <= 0.05 and second.needs_more, 'quality 20 of the other harms at more bits')
  local text = compare_text.text(r)
  narrow(text)
  t.match(text:gsub('\n *', ' '), 'cheapest codec: jpeg subsampling=420, quality 90: 0%.5 bits per sample, '
    .. 'costs at most 5 points %(95 %% for both together, Holm%)')
  t.match(text, 'jpeg subsampling=444 +quality 90 +2%.000 +4%.000 +%S+ +shown')
  r = compare.of(codecs({ seeds = { 1, 2, 3 } }, { margin = 0.001 }))
  t.match(compare_text.text(r):gsub('\n *', ' '), 'none of 2 is shown to cost at most 0%.1 points')
end)

t.case('compare: of adaptive seeds a look spends its share of alpha, in the cheapest codec as well', function()
  math.randomseed(11)
  local seeds = { seeds = { 1, 2, 3, 4, 5 } }
  local r = compare.of(codecs(seeds, { margin = 0.05 }))
  math.randomseed(11)
  local looked = compare.of(codecs(seeds, { margin = 0.05, adaptive = true }))
  local p, of_looks = r.cheapest[1].codecs[1].p, looked.cheapest[1].codecs[1].p
  t.near(of_looks, p / 0.2, 1e-9, 'the first look has a fifth of alpha')
end)

-- ---- networks ----

local function cell_file(o)
  local runs = t.folder()
  return cell.path(runs, write(runs, o).key)
end

t.case('compare: two cells are two networks: verdict on items, and what it says nothing of', function()
  math.randomseed(9)
  local a, b = cell_file { seed = 1, accuracy = 0.9 }, cell_file { seed = 1, quality = 5, bits = 1, accuracy = 0.5 }
  t.ok(networks.is(a) and not networks.is 'tiny-12')
  local r = networks.of(a, b, { margin = 0.01, alpha = 0.05 })
  t.equal({ r.verdict, r.items, r.data, r.b.about }, { 'harmful', ITEMS, 'fake', 'small, fake, seed 1, jpeg 5' })
  t.equal(r.both + r.lost, math.floor(r.a.accuracy * ITEMS + 0.5))
  local text = networks_text.text(r)
  t.match(text, '\n\nharmful: b is more than 1 point worse than a %(95 %%%)\n')
  t.match(text:gsub('\n *', ' '), 'one training each says nothing of the recipes')
  t.ok(text:find(('%+.2f'):format(100 * r.lower), 1, true))
  t.equal(networks.of(b, a, {}).verdict, 'safe')
  r = networks.of(cell_file { seed = 1, accuracy = 0.12 }, a, {})
  t.equal(r.verdict, 'undecided')
  t.match(r.reason, 'a is near chance: [%d.]+ %% right, a guess 10.00 %%')
end)

t.case('compare: networks that cannot be held against each other', function()
  math.randomseed(10)
  local a = cell_file { seed = 1, accuracy = 0.9 }
  local other, failed = cell_file { seed = 1, accuracy = 0.9, digest = 'd' }, cell_file { seed = 1, failed = true,
    accuracy = 0.5 }
  t.raises('not the same; needs the same data', networks.of, a, other, {})
  t.raises('its training failed', networks.of, a, failed, {})
  t.raises('a and b are both', networks.of, a, a, {})
  t.raises('cells hold their outcomes', networks.of, a, cell_file { seed = 2, accuracy = 0.9 }, { test = 5 })
  t.raises('is not there', networks.of, a, t.folder() .. '/x.safetensors', {})
  t.raises('holds no finished training', networks.of, a, t.folder(), {})
  local path = t.folder() .. '/own.safetensors'
  safetensors.write(path, { x = tensor.zeros { 2 } })
  t.raises('does not say of which net', networks.of, a, path, {})
  t.write(path, 'nonsense')
  t.raises('own.safetensors', networks.of, a, path, {})
end)

-- ---- the command ----

t.case('compare: networks that hear are scored as they heard', function()
  local dir, own = t.folder(), {}
  local function hz(args)
    return t.sh(('cd %s; HZ_CACHE=cache %s %s; exit $?'):format(t.quote(dir), t.quote(t.hz), args))
  end
  for i, name in ipairs { 'a', 'b' } do
    local script = 'experiments/audio_train.lua data=strings mels=24 epochs=1 train=24 test=24'
    local status, _, err = hz(('%s seed=%d out=%s'):format(script, i, name))
    t.equal(status, 0, err)
    own[name] = json.decode(t.read(('%s/%s/result.json'):format(dir, name))).test_accuracy
  end
  local status, out, err = hz 'compare a b test=24 --json'
  t.equal(status, 0, err)
  for name, accuracy in pairs(own) do t.near(json.decode(out)[name].accuracy, accuracy, 1e-9) end
  t.match(select(3, hz 'compare a b data=camera'), 'a/model.safetensors: ')
end)

t.case('compare: folders of runs and their weights are scored on the same items, as their training was', function()
  local dir = t.folder()
  local function hz(args)
    return t.sh(('cd %s; HZ_CACHE=cache %s %s; exit $?'):format(t.quote(dir), t.quote(t.hz), args))
  end
  for i = 1, 2 do
    local status, out, err = hz(('experiments/cifar_train.lua data=camera epochs=1 train=60 test=50 seed=%d out=r%d')
      :format(i, i))
    t.equal(status, 0, err)
    local own = json.decode(t.read(('%s/r%d/result.json'):format(dir, i)))
    t.match(out, ('test accuracy %.2f'):format(100 * own.test_accuracy))
  end
  local status, out, err = hz 'compare r1 r2 test=50 --json'
  t.equal(status, 0, err)
  local r = json.decode(out)
  for i, name in ipairs { 'a', 'b' } do
    t.near(r[name].accuracy, json.decode(t.read(('%s/r%d/result.json'):format(dir, i))).test_accuracy, 1e-9)
  end
  t.sh(('cd %s; cp r1/model.safetensors own.safetensors'):format(t.quote(dir)))
  local same = json.decode(select(2, hz 'compare own.safetensors r2/model.safetensors test=50 --json'))
  t.equal({ same.gained, same.lost, same.both }, { r.gained, r.lost, r.both })
  t.match(select(2, hz 'compare r1 r2'), 'over 1000 test items of camera')
  for _, case in ipairs {
    { 'compare r1', 'r1 is one network; needs two' }, { 'compare r1 tiny', 'r1 is a network, tiny is none' },
    { 'compare own.safetensors own.safetensors', 'are both own.safetensors' },
    { 'compare r1 r2 data=nothing', "'nothing' is unknown" }, { 'compare r1 r2 test=0', 'needs' },
    { 'compare tiny other test=5', 'they are of networks' },
    { 'compare r1 r2 runs=nowhere margin=2', 'margin' },
  } do
    status, _, err = hz(case[1])
    t.ok(status == 1 or status == 2, case[1])
    t.match(err, case[2], case[1])
  end
  t.sh(('cd %s; cp own.safetensors other.safetensors'):format(t.quote(dir)))
  t.match(select(3, hz 'compare own.safetensors other.safetensors'), 'needs data=NAME')
  t.match(select(2, hz 'compare own.safetensors other.safetensors data=camera test=60'), 'over 60 test items of camera')
end)
