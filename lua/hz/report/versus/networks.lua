-- networks.lua: two trained networks beside each other on the same test items (score_test.lua). A network is
--   a finished cell     runs/cells/KEY.safetensors: its outcomes are in it
--   a training's weights beside its cell, runs/cells/TRAINING.weights.safetensors: the outcomes of that cell
--   a run's folder      settings.json and model.safetensors (net/run.lua): scored, on its own data or on data=
--   other weights       a .safetensors file that names its net: scored on data=
-- Items are the same where the digests of the test sets are, whatever an encoding made of them.
local c = require 'hz.c'
local dataset = require 'hz.data.dataset'
local encoding = require 'hz.codec.encoding'
local features = require 'hz.data.features'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local form = require 'hz.sweep.form'
local json = require 'hz.base.json'
local nets = require 'hz.net.models.nets'
local protocol = require 'hz.sweep.protocol'
local safetensors = require 'hz.tensor.safetensors'
local score_test = require 'hz.report.statistics.score_test'
local training = require 'hz.net.training'

local M = {}

local MODEL, SETTINGS = 'model.safetensors', 'settings.json'
local ROOM = 5                     -- margins between chance and a: with less, nothing can be lost

-- ---- cells ----

local function tested_on(record)
  local trained, tested = encoding.of(record, ''), encoding.of(record, '_test')
  return trained.text .. (trained.text ~= tested.text and ', tested on ' .. tested.text or '')
end

local function of_cell(path)
  local tensors, meta, record = safetensors.read_own(path, 'hz.cell', 'cell of a sweep')
  if type(record) == 'table' then record.run = json.decode(meta['hz.run'] or 'null', path) end
  form.cell(path, record)
  if record.status ~= 'done' then
    c.fail('compare: %s: its training failed (%s); needs a finished one', path, record.failure.message)
  end
  form.outcomes(path, record, tensors)
  local test = record.decides and record.decides.test
  if not (test and test.digest) then
    c.fail('compare: %s does not say which items it was tested on; needs a cell of a newer hz', path)
  end
  return { path = path, correct = tensors['test.correct'], digest = test.digest, data = record.data,
    classes = record.classes,
    about = ('%s, %s, seed %d, %s'):format(record.model, record.data, record.seed, tested_on(record)) }
end

-- Finished cells of a training, in the folder of its weights.
local function cells_beside(path, key)
  local folder, list = file.folder_of(path), {}
  for _, name in ipairs(file.list(folder)) do
    if name:find '^%x+%.safetensors$' then
      local ok, meta = c.try(safetensors.metadata, file.join(folder, name))
      local good, record = c.try(json.decode, ok and meta['hz.cell'] or 'null', name)
      local own = good and type(record) == 'table' and record.training_key == key
      list[#list + 1] = own and file.join(folder, name) or nil
    end
  end
  return list
end

local function of_training(path, meta)
  local record = json.decode(meta['hz.training'], path)
  local list = cells_beside(path, type(record) == 'table' and record.key)
  if #list == 1 then
    local side = of_cell(list[1])
    side.path = path
    return side
  end
  c.fail('compare: %s: %d cells of this training are beside it; needs one of them%s', path, #list,
    #list > 0 and ': ' .. table.concat(list, ', ') or ', or data= to be scored')
end

-- ---- weights, which are to be scored ----

local settings_form = { data = 'string', model = 'string', test_digest = 'string?', norm = 'string?', hears = 'table?',
  dtype = 'string?', views = 'texts?', exact = 'truth?' }

local features_form = { rate = 'number', channels = 'whole', length = 'whole' }
for _, name in ipairs(features.names) do features_form[name] = 'number' end

local function of_run(folder)
  local model, path = file.join(folder, MODEL), file.join(folder, SETTINGS)
  if not file.exists(model) then
    c.fail('compare: %s holds no finished training; needs one with %s', folder, MODEL)
  end
  local s = json.decode(file.read_all(path), path)
  fields.check(path, s, settings_form)
  if s.hears then fields.check(path, s.hears, features_form, 'hears') end
  return { path = folder, weights = model, settings = s, data = s.data,
    about = ('%s, %s%s'):format(s.model, s.data, type(s.seed) == 'number' and (', seed %d'):format(s.seed) or '') }
end

local function of_weights(path, meta)
  if not meta.net then c.fail('compare: %s does not say of which net it is; needs a file that hz wrote', path) end
  return { path = path, weights = path, settings = { model = meta.net }, about = meta.net }
end

local function side_of(path, o)
  if file.exists(path) == 'folder' then return of_run(path) end
  if not file.exists(path) then
    c.fail("compare: %s is not there; needs a .safetensors file or a run's folder", path)
  end
  local meta = safetensors.metadata(path)
  if meta['hz.cell'] then return of_cell(path) end
  if meta['hz.training'] and not o.data then return of_training(path, meta) end
  local folder = file.folder_of(path)
  if file.name_of(path) == MODEL and file.exists(file.join(folder, SETTINGS)) then return of_run(folder) end
  return of_weights(path, meta)
end

-- ---- the data ----

-- Values of a set's options by which its sounds are as a net hears them.
local function heard(hears)
  local o = { rate = hears.rate, resample = hears.rate, mono = hears.channels == 1,
    seconds = hears.length / hears.rate }
  for _, name in ipairs(features.names) do o[name] = hears[name] end
  return o
end

-- The test items of a set, so many of them (nil: all). made: whether a set that is made is made as large, rather than
-- cut; which of the two scripts do is their own.
local function load(name, o, hears, made)
  local known, options = dataset.describe(name).options or {}, { split = 'test' }
  for option, value in pairs(hears and heard(hears) or {}) do
    if known[option] then options[option] = value end
  end
  if made and known.test then options.test = o.test end
  return protocol.first(dataset.data(name, options), o.test, 'test')
end

-- Of the ways to take so many test items the one whose items a training was scored on, else the first that there is.
local function matching(name, o, hears, digests)
  local found, why
  for _, made in ipairs(o.test and { false, true } or { false }) do
    local ok, set = c.try(load, name, o, hears, made)
    if ok and digests[set.digest] then return set end
    if ok then found = found or set else why = why or set end
  end
  return found or error(why, 0)
end

-- The test items that both are scored on: of data=, else of the data of a run.
local function test_set(sides, o)
  local name, hears, digests = o.data, nil, {}
  for _, side in ipairs(sides) do
    local s = side.settings
    if s then
      name, hears = name or side.data, hears or s.hears
      if s.test_digest then digests[s.test_digest] = true end
    else
      digests[side.digest] = true
    end
  end
  if not name then
    c.fail('compare: %s does not say on what it was trained; needs data=NAME', sides[1].weights and sides[1].path
      or sides[2].path)
  end
  if name:find '^folder ' then
    c.fail('compare: the data of a training are %s; needs data=NAME, or cells of a sweep, which hold outcomes', name)
  end
  return matching(name, o, hears, digests), name
end

local function check_fit(side, net, set)
  local hears, own = side.settings.hears, rawget(net, 'classes')
  if hears and (not set.sounds or json.encode(set.sounds:hears()) ~= json.encode(hears)) then
    c.fail('compare: %s hears sounds otherwise than %s gives them; needs the data it was trained on', side.path,
      set.name)
  end
  if own and json.encode(own) ~= json.encode(set.classes) then
    c.fail('compare: %s tells other classes apart than %s has; needs the data it was trained on', side.path, set.name)
  end
end

local function score(side, set)
  local s = side.settings
  local net = nets.load(s.model, { classes = #set.classes, input = set:shape(), norm = s.norm }):load(side.weights)
  check_fit(side, net, set)
  local settings = training.new('compare', { dtype = training.stored(s.dtype), views = s.views, exact = s.exact })
  side.correct = net:plan(settings:to_score(set)):evaluate { views = settings.views }.correct
  side.digest, side.classes = set.digest, #set.classes
end

-- ---- the whole ----

-- Whether a word of the command line is a network, and no sweep.
function M.is(word)
  return word:find '%.safetensors$' ~= nil or file.exists(file.join(word, SETTINGS)) ~= nil
    or file.exists(file.join(word, MODEL)) ~= nil
end

local function check(sides, o)
  local one, other = sides[1], sides[2]
  if file.real(one.path) == file.real(other.path) then
    c.fail('compare: a and b are both %s; needs two networks', one.path)
  end
  if not one.weights and not other.weights and (o.data or o.test) then
    c.fail('compare: data= and test= were given; cells hold their outcomes, and only weights are scored')
  end
end

-- A network that knows nothing is not lost by being as bad.
local function near_chance(r, classes)
  local chance = classes and 1 / classes
  if r.verdict == 'undecided' or not chance or r.a.accuracy - chance >= ROOM * r.margin then return end
  r.verdict = 'undecided'
  r.reason = ('a is near chance: %.2f %% right, a guess %.2f %%'):format(100 * r.a.accuracy, 100 * chance)
end

-- Paths of two networks; o: data, test (how many items), margin, alpha. Returns what score_test.compare gives, with a
-- and b = { path, about, accuracy }, both (right in both), data, and notes: texts.
function M.of(a, b, o)
  local sides = { side_of(a, o), side_of(b, o) }
  check(sides, o)
  local set, name
  for _, side in ipairs(sides) do
    if side.weights then
      if not set then set, name = test_set(sides, o) end
      score(side, set)
    end
  end
  local one, other = sides[1], sides[2]
  if one.digest ~= other.digest then
    c.fail('compare: a was tested on %d items of %s, b on %d of %s, which are not the same; needs the same data and '
      .. 'test=N', one.correct:count(), one.data or name, other.correct:count(), other.data or name)
  end
  local counts = score_test.count(one.correct, other.correct)
  local r = score_test.compare(counts, o)
  r.both, r.data = counts.both, name or one.data
  r.a = { path = one.path, about = one.about, accuracy = counts.a }
  r.b = { path = other.path, about = other.about, accuracy = counts.b }
  near_chance(r, one.classes or other.classes)
  return r
end

return M
