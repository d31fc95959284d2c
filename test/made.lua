-- made.lua: cells and a sweep that nobody trained, for tests of reports: assert(loadfile(t.here .. 'made.lua'))(t).
local t = ...
local cell = require 'hz.sweep.cell'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local safetensors = require 'hz.tensor.safetensors'
local tensor = require 'hz.tensor.tensor'

local M = { items = 400, classes = 10 }

local function account(quality)
  return { items = 10, samples = 30720, payload = quality and 100 * quality or 30720, tables = quality and 5700 or 0,
    container = quality and 550 or 0, tables_once = quality and 570 or 0, squared_error = quality and 30720 or 0,
    ssim = 9 }
end

-- Outcomes of a run that is wrong on the items from..to of each range.
local function outcomes(o)
  local n = o.items or M.items
  local right, class = tensor.full({ n }, 1, 'u8'), tensor.zeros({ n }, 'i32')
  local p, q = right:pointer(), class:pointer()
  for i = 0, n - 1 do q[i] = i % M.classes end
  for _, range in ipairs(o.wrong or {}) do
    for i = range[1] - 1, range[2] - 1 do p[i] = 0 end
  end
  return { ['test.correct'] = right, ['test.class'] = class, ['test.confidence'] = tensor.full({ n }, 0.9, 'f32') }
end

local labelled = { 'data', 'split', 'protocol', 'model', 'params', 'dtype', 'codec', 'codec_test', 'quality',
  'quality_test', 'seed', 'epochs', 'control', 'damage' }

local function record_of(o, key, right)
  local codec = o.quality and (o.codec or 'jpeg') or 'raw'
  local watched = json.array(o.curve or { 0.5, 0.9, 0.9, 0.9, 0.9 })
  local decided = o.quality and { codec = 'f1', values = 'quality=' .. o.quality } or 'raw'
  local r = { schema = cell.SCHEMA, key = key, training_key = key, status = o.failure and 'failed' or 'done',
    data = o.data or 'fake', split = 'test=400', protocol = 'strict', model = o.model or 'small', params = 12,
    dtype = 'f32', codec = o.trained_on_raw and 'raw' or codec, codec_test = codec,
    quality = not o.trained_on_raw and o.quality or nil, quality_test = o.quality, seed = o.seed, epochs = #watched,
    classes = M.classes, control = o.control, damage = o.damage,
    curve = { loss = watched, accuracy = watched, watch_loss = watched, watch_accuracy = watched },
    accounts = { all = account(o.quality), test = account(o.quality) }, failure = o.failure, noise_bits = o.noise_bits,
    decides = { training = { data = { digest = 'a', codec = decided }, watch = { digest = 'b' } },
      test = { digest = 'c', codec = decided } } }
  if not o.failure then
    r.accuracy, r.test_accuracy, r.test_loss, r.best, r.last = right, right, 0.1, 0.9, watched[#watched]
  end
  return r
end

-- Writes a cell. o: seed, wrong, quality, codec (jpeg), model, data, curve, items, failure, trained_on_raw, control,
-- damage, noise_bits. Returns its
-- entry in a manifest.
local function write(runs, number, o)
  local key, named = ('%032x'):format(number), outcomes(o)
  local record = record_of(o, key, named['test.correct']:sum() / (o.items or M.items))
  local run = { seconds = o.failure == nil and 1 or nil, version = '0', commit = 'c', isa = 'x', threads = 1,
    host = o.host or 'here', finished = '2026-01-01T00:00:00Z' }
  safetensors.write(cell.path(runs, key), o.failure and {} or named,
    { ['hz.cell'] = json.encode(record), ['hz.run'] = json.encode(run) })
  local labels = {}
  for _, name in ipairs(labelled) do labels[name] = record[name] end
  return { key = key, training = key, labels = labels }
end

-- A sweep of cells; o: command, and absent = cells at the end that are named and not there. Returns the runs folder.
function M.sweep(list, o)
  o = o or {}
  local runs, entries = t.folder(), {}
  file.mkdir(cell.folder(runs))
  file.mkdir(runs .. '/sweeps')
  for i, one in ipairs(list) do entries[i] = write(runs, i, one) end
  for i = #list - (o.absent or 0) + 1, #list do file.remove(cell.path(runs, entries[i].key)) end
  local m = { schema = 1, id = 'made-1', name = 'made', request = { x = 1 }, decides = { training = {}, test = {} },
    cells = entries, created = '2026-01-01T00:00:00Z', command = o.command or 'hz made.lua quality=10,raw' }
  file.write(runs .. '/sweeps/made-1.json', json.encode(m))
  return runs
end

-- Five seeds of raw and of qualities 90 (as raw), 50 (a few items worse), 10 (a quarter worse). change: fields of all.
function M.usual(change)
  local list = {}
  local function add(one)
    for k, v in pairs(change or {}) do one[k] = v end
    list[#list + 1] = one
  end
  for seed = 1, 5 do
    local base = { 1, 20 + seed }
    add { seed = seed, wrong = { base } }
    add { seed = seed, quality = 90, wrong = { base } }
    add { seed = seed, quality = 50, wrong = { base, { 31, 30 + 3 * (seed % 3) } } }
    add { seed = seed, quality = 10, wrong = { base, { 101, 200 } } }
  end
  return list
end

return M
