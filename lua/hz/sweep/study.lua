-- study.lua: what experiments share, so that each is its presets and what is its own: keys of the command line,
-- presets, choice and fitting of the data, the optimiser's defaults, and the lines around the table. An experiment of
-- many cells reads
--   local study = hz.study { name = 'noise_sweep', about = '...', items = 'images',
--     embedded = { 'camera', preset = 'quick' }, presets = { { 'quick', epochs = 8, ... } },
--     knobs = { 'shift', { 'noise', 1, 'float', 'of the camera', min = 0 } } }
--   local sweep = hz.sweep(study:settings(...))
--   study:finish(sweep)
-- Keys given on the command line stand above the preset, and that above the defaults of the rows. A key that is
-- called like a field of hz.sweep, or like a setting of a training (training.lua), is passed on by its name.
local about = require 'hz.codec.about'
local args = require 'hz.base.args'
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local classify = require 'hz.codec.classify'
local fields = require 'hz.base.fields'
local isa = require 'hz.isa'
local isolate = require 'hz.codec.isolate'
local metrics = require 'hz.net.metrics'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local encodings = require 'hz.sweep.encodings'
local equal = require 'hz.sweep.equal'
local optim = require 'hz.net.optim'
local plans = require 'hz.net.plan'
local protocol = require 'hz.sweep.protocol'
local recipes = require 'hz.net.models.recipes'
local request = require 'hz.sweep.request'
local sets = require 'hz.sweep.sets'
local shell = require 'hz.base.shell'
local sweeps = require 'hz.sweep.sweep'
local training = require 'hz.net.training'
local visible = require 'hz.base.visible'.line

local M, Study, methods = {}, {}, {}

M.found = sets.found

-- The data of a script that trains once: items ('images', 'sounds'), real, embedded and options as in a study. Gives
-- the rows of keys that sets have options for, and load(knob, given) -> name, training set, test set; knob.data may be
-- nil.
function M.data(o)
  names.fields('study.data', o, 'items real embedded options')
  return sets.rows(o), function(knob, given)
    local asked = setmetatable({ data = knob.data and { knob.data } }, { __index = knob })
    local one = sets.load(o, sets.names(o, asked, given)[1], knob, given)
    return one.name, one.train, one.test
  end
end

local outcome_form = { run = { folder = 'string' }, items = 'string', knob = { epochs = 'number' },
  result = { seconds = 'number', test = { accuracy = 'number', loss = 'number', n = 'number' } } }

-- What a script that trains once prints at the end. o: run (hz.run) and its result, the sets train and test, items
-- ('images'), and the keys as knob: classes=true prints the accuracy of each class, predict= what files are.
function M.outcome(o)
  names.fields('study.outcome', o, 'run result train test items knob')
  fields.check('study.outcome', o, outcome_form)
  for _, k in ipairs { 'train', 'test' } do
    if not plans.is_set(o[k]) then need.fail('study.outcome', k, o[k], 'a set with items and labels') end
  end
  local result, knob, folder = o.result, o.knob, visible(o.run.folder)
  print(('test accuracy %.2f %% after %d epochs, loss %.4f, %.0f s, %.0f %s/s'):format(100 * result.test.accuracy,
    knob.epochs, result.test.loss, result.seconds, #o.train * knob.epochs / result.seconds, o.items))
  local classes, wide = knob.classes and metrics.per_class(result.test, o.test) or {}, 12
  for _, class in ipairs(classes) do wide = math.max(wide, #visible(class.class)) end
  for _, class in ipairs(classes) do
    print(('  %-' .. wide .. 's %6.2f %%  of %d'):format(visible(class.class), 100 * class.accuracy, class.n))
  end
  print('log and parameters: ' .. folder)
  if knob.predict then classify.say(o.run.folder, knob.predict) end
end

-- The first items of a script's sets: as many as the keys train= and test= ask for; all where they do not.
function M.first(train, test, knob)
  need.table('study.first', 'the keys', knob)
  for i, set in ipairs { train or false, test or false } do
    if not plans.is_set(set) then
      need.fail('study.first', i == 1 and 'the training set' or 'the test set', set, 'a set with items and labels')
    end
  end
  for _, k in ipairs { 'train', 'test' } do
    if knob[k] ~= nil then need.count('study.first', k, knob[k], 1) end
  end
  return protocol.first(train, knob.train, 'train'), protocol.first(test, knob.test, 'test')
end

-- ---- rows of keys ----

local kinds = { unpack(optim.kinds) }
kinds[#kinds + 1] = 'muon'

-- type, help (%s: the items, in the plural) and domain of keys that experiments share.
local shared = {
  epochs    = { 'int', 'passes over the training %s', min = 0, max = 100000 },
  batch     = { 'int', '%s per step', min = 1, max = 65536 },
  seed      = { 'int', 'of weights, order, augmentation and dropout', min = 0 },
  optimizer = { 'string', 'sgd has Nesterov momentum 0.9; muon: groups and schedules of airbench, for its nets',
                choices = kinds },
  rate      = { 'float', 'learning rate', min = 1e-9, max = 100 },
  warmup    = { 'int', 'steps in which the rate rises to what it is', min = 0 },
  final     = { 'float', 'share of the rate that the schedule falls to', min = 0, max = 1 },
  settle    = { 'float', 'share of the training at which the schedule has fallen there', min = 0.01, max = 1 },
  schedule  = { 'string', 'how the rate falls', choices = optim.schedules },
  dtype     = { 'string', 'storage of activations and their gradients; parameters are f32; tf32: f32, of which a card '
                .. 'rounds factors', choices = { 'f32', 'bf16', 'tf32' } },
  device    = { 'string', 'what computes: cpu, cuda, cuda:1; of a sweep several, cuda:0,cuda:1 (default: HZ_DEVICE, or '
                .. 'auto: a card where there is one)' },
  exact     = { 'bool', 'bf16 without the kernels that also round inside a convolution' },
  smoothing = { 'float', 'label smoothing', min = 0, max = 0.999 },
  norm      = { 'string', 'of networks for sound: one set of statistics per mel row (as published), or per channel',
                choices = { 'rows', 'channels' } },
  shift     = { 'int', 'augmentation: largest shift in pixels', min = 0, max = 16 },
  flip      = { 'bool', 'augmentation: mirror half of the %s; alternating: every other epoch the other half',
                also = { 'alternating' } },
  fill      = { 'string', 'augmentation: what a shift shows beyond the edge', choices = { 'nearest', 'reflect' } },
  views     = { 'string', 'scored %s are seen so, and their logits averaged', choices = { 'mirror', 'shift' },
                list = true },
  width     = { 'float', 'of airbench and fast: times as many filters', min = 0.01, max = 16 },
}

-- A maker of rows for hz.args: row(name, default, changes), worded for some items. changes: fields of the row, `help`
-- among them.
function M.rows(items)
  need.text('study', 'the word for items', items)
  return function(name, default, changes)
    if changes ~= nil then need.table('study', 'the changes of a row', changes) end
    local basis = shared[name]
    if not basis then
      c.fail("study: '%s' is no shared key%s; needs one of %s, or a row {name, default, type, help}", tostring(name),
        names.meant(name, names.sorted(shared)), names.text(shared))
    end
    local row = { name, default, basis[1], basis[2]:format(items) }
    for _, from in ipairs { basis, changes or {} } do
      for k, v in pairs(from) do
        if k == 'help' then row[4] = v elseif type(k) == 'string' then row[k] = v end
      end
    end
    return row
  end
end

local function default_preset_text(self)
  if not self.real then return self.embedded.preset end
  return ('%s, on the embedded set %s'):format(self.real.preset, self.embedded.preset)
end

local function default_data_text(self)
  if not self.real then return self.embedded[1] end
  return ('%s if it is found, else %s'):format(self.real[1], self.embedded[1])
end

-- Which data, which encodings, which networks, how they are trained.
local function first_rows(self)
  local row, items, list, names = M.rows(self.items), self.items, { list = true }, {}
  for i, preset in ipairs(self.presets) do names[i] = preset[1] end
  return {
    { 'preset', nil, 'string', ('defaults of the keys below (default: %s)'):format(default_preset_text(self)),
      choices = names },
    { 'data', nil, 'string', ('data set (default: %s)'):format(default_data_text(self)), list = true },
    { 'codec', { self.codec or 'jpeg' }, 'string', ('codec of the training and test %s; jpeg,help tells of it'):format(
      items),
      list = true, tells = about.help },
    { 'quality', nil, 'float', 'qualities of the codec; raw: untouched', list = true, also = { 'raw' } },
    { 'codec_test', nil, 'string', ('codec of the test %s alone (default: that of training)'):format(items),
      list = true, tells = about.help },
    { 'quality_test', nil, 'float', ('qualities of the test %s alone (default: that of training)'):format(items),
      list = true, also = { 'raw' } },
    { 'model', nil, 'string', 'networks by name, or files NAME.lua that return a net', list = true },
    { 'weights', nil, 'string', 'file of weights to begin with; with epochs=0 they are scored as they are' },
    row('seed', nil, { list = true, also = { 'adaptive' } }),
    row 'epochs',
    { 'train', nil, 'int', ('%s that train; validation %s come from the rest'):format(items, items), min = 1 },
    { 'test', nil, 'int', ('test %s that are scored'):format(items), min = 1 },
    { 'protocol', nil, 'string', 'what is watched and scored', choices = { 'strict', 'paper' } },
    row 'optimizer', row 'rate', row 'schedule', row 'batch', row('dtype', { 'f32' }, list),
    row('exact', false), row 'device',
  }
end

-- How and where the work is done.
local last_rows = {
  { 'runs', nil, 'string', 'folder of the results (default: HZ_RUNS, or runs)' },
  { 'svg', nil, 'string', 'file for the plot of accuracy over bits' },
  { 'parallel', 'auto', 'int', 'cells at a time, each in a process of its own; auto: as many as finish soonest',
    min = 1, max = 256, also = { 'auto' } },
  protocol.asked[1], protocol.asked[2], protocol.force,
  { 'controls', false, 'bool', 'with two seeds or more also raw with fresh seeds, and raw with known damage' },
  { 'matrix', false, 'bool', 'test every trained net on every encoding' },
  { 'isolate', 'auto', 'string', 'recode in a process of its own, so that a crash costs its cells alone; auto: codecs '
    .. 'of plugins from elsewhere', choices = isolate.modes },
  { 'hours', nil, 'float', 'begin no cell after so many; the same command goes on', min = 0.0001 },
  { 'tune', false, 'bool', 'choose kernels by trial, once for all cells; remembered for this machine' },
  { 'dry', false, 'bool', 'say how many cells and how long, and stop' },
}

-- All rows of a study, in the order of --help: its own stand between. Parameters of the chosen codecs are keys, too.
local function rows_of(self)
  local rows, row = first_rows(self), M.rows(self.items)
  for i, option in ipairs(sets.rows(self)) do table.insert(rows, 2 + i, option) end
  for _, own in ipairs(self.knobs or {}) do rows[#rows + 1] = type(own) == 'string' and row(own) or own end
  for _, last in ipairs(last_rows) do rows[#rows + 1] = last end
  rows.about, rows.who = self.about, self.who
  rows.more = function(knob) return encodings.rows(knob.codec, knob.codec_test, self.items) end
  return rows
end

-- ---- presets ----

local function default_preset(self, names)
  local real = self.real and names[1] ~= self.embedded[1]
  return (real and self.real or self.embedded).preset
end

local function preset_named(self, name)
  for _, preset in ipairs(self.presets) do
    if preset[1] == name then return preset end
  end
  local list = {}
  for i, preset in ipairs(self.presets) do list[i] = preset[1] end
  c.fail("study: preset '%s' is not among presets%s; have %s", tostring(name), names.meant(name, list),
    table.concat(list, ', '))
end

-- What a preset says holds where the command line is silent; of codecs, not where it asks for a codec's other
-- parameters and the codec has none of that name. A codec that has none of those in the preset walks some values of its
-- main parameter, or is taken as it is, beside the untouched data. An optimiser that was asked for has a rate of its
-- own, a schedule an end of its own.
local function apply(preset, rows, knob, given, values)
  local known, asked, walked = {}, given.quality or given.bits or next(values), false
  for _, row in ipairs(rows) do known[row[1]] = row[1] ~= 'quality' end
  for key, value in pairs(preset) do
    if known[key] and not given[key] then knob[key] = value end
  end
  for key, value in pairs(preset) do
    local free = not asked and (key == 'quality' or not given.codec)
    local wanted = key ~= 1 and not known[key] and not given[key] and not encodings.asked(knob.codec, key, values)
      and not (given.bits and (key == 'quality' or equal.finds(knob.codec, key)))
    if wanted and (free or encodings.declares(knob.codec, key)) then
      (key == 'quality' and knob or values)[key] = value
      walked = true
    end
  end
  if given.codec and not asked then walked = encodings.walk_main(knob.codec, values, knob.quality) or walked end
  if given.codec and not asked and not walked then table.insert(knob.codec, 'raw') end
  if given.optimizer and not given.rate then knob.rate = nil end
  for _, key in ipairs(given.schedule and { 'final', 'settle' } or {}) do
    if not given[key] then knob[key] = nil end
  end
end

-- ---- settings of a training ----

-- The optimiser that the keys optimizer, rate and schedule describe; without a rate its own.
function M.optimizer(knob)
  need.table('study', 'the keys', knob)
  if knob.optimizer == 'muon' then
    return recipes.airbench { epochs = knob.epochs, batch = knob.batch, rate = knob.rate }.optimizer
  end
  local settings = { rate = knob.rate, schedule = knob.schedule, warmup = knob.warmup, final = knob.final,
    settle = knob.settle }
  if knob.optimizer == 'sgd' then settings.momentum, settings.nesterov = 0.9, true end
  return optim.new(knob.optimizer, settings)
end

local function augment(knob)
  local a = {}
  for name in pairs(training.augments) do a[name] = knob[name] end
  return a
end

-- The settings of one training, as hz.train takes them.
function M.training(knob)
  need.table('study', 'the keys', knob)
  local o = {}
  for name in pairs(training.names '') do o[name] = knob[name] end
  o.optimizer, o.augment = M.optimizer(knob), augment(knob)
  return o
end

-- ---- a study ----

local known = 'name about who items codec real embedded options presets knobs'

-- name -> what its value must be, and for lists what stands in them
local types = { name = 'string', about = 'string', who = 'string', items = 'string', codec = 'string', real = 'table',
  embedded = 'table', options = 'function', presets = 'table', knobs = 'table' }

local function check_presets(o)
  for i, preset in ipairs(o.presets) do
    if type(preset) ~= 'table' or type(preset[1]) ~= 'string' then
      c.fail('study: presets[%d] is %s; needs {name, key=value, ...}', i, need.shown(preset))
    end
  end
  for _, k in ipairs { 'real', 'embedded' } do
    if o[k] and type(o[k][1]) ~= 'string' then
      c.fail('study: %s[1] is %s; needs the name of a set', k, need.shown(o[k][1]))
    end
    if o[k] then preset_named(o, o[k].preset) end
  end
  for i, row in ipairs(o.knobs or {}) do
    if type(row) == 'string' then M.rows(o.items)(row) elseif type(row) ~= 'table' then
      c.fail('study: knobs[%d] is %s; needs a row {name, default, type, help}, or the name of a shared one', i,
        need.shown(row))
    end
  end
end

-- A study. o: name (of the sweeps); about (for --help); who (of a verb: 'sweep DIR', for messages and usage); items
-- ('images'); codec (default jpeg); presets, a list of { name, key = value, ... }; real and embedded, each { name of
-- the set, preset = its default }, real may stay away; embedded.least, items that train at least; knobs, the
-- experiment's own rows, or the names of shared ones; options(name, knob) -> what else a set is loaded with.
function M.new(o)
  names.fields('study', o, known)
  for _, k in ipairs { 'name', 'about', 'items', 'embedded', 'presets' } do
    if o[k] == nil then c.fail('study: %s is missing; needs name, about, items, embedded and presets', k) end
  end
  for k, v in pairs(o) do
    if type(v) ~= types[k] then need.fail('study', k, v, 'a ' .. types[k]) end
  end
  check_presets(o)
  return setmetatable(o, Study)
end

-- What hz.sweep takes, by the arguments of the script; loads the data and says which. Mistakes end the script. Also
-- returns all keys by their names, and which of them were given.
function methods:settings(...)
  local rows = rows_of(self)
  local knob, given, values = args.parse(rows, ...)
  devices.list(knob.device, 'device')                   -- before the data are loaded
  local names = sets.names(self, knob, given)
  local preset = knob.preset or default_preset(self, names)
  knob.preset = preset
  apply(preset_named(self, preset), rows, knob, given, values)
  local o, data = {}, {}
  for i, name in ipairs(names) do data[i] = sets.load(self, name, knob, given) end
  sets.fit(data, knob, given)
  for name in pairs(request.known) do o[name] = knob[name] end
  if not encodings.owns_bits(knob.codec, knob.codec_test) then
    o.bits, o.bits_test, values.bits, values.bits_test = values.bits, values.bits_test, nil, nil
  end
  o.name, o.data, o.values, o.augment = self.name, data, values, augment(knob)
  o.optimizer = function() return M.optimizer(knob) end
  local script = self.who and self.who:match '^%S+' or (rawget(_G, 'arg') or {})[0]
  local words = { 'hz', script, ... }
  for i, word in ipairs(words) do words[i] = shell.quoted(tostring(word)) end
  o.request = { command = table.concat(words, ' '), preset = preset }
  self.knob = knob
  return o, knob, given
end

-- The closing lines of a sweep: its table, where it is stored, the plot; ends the script with status 3 if a cell
-- failed.
function methods:finish(sweep)
  if not rawget(self, 'knob') then c.fail('study: finish came before settings; needs study:settings(...) first') end
  if not sweeps.is(sweep) then need.fail('study', 'what is finished', sweep, 'a sweep') end
  if self.knob.dry then return end
  print()
  print(sweep)
  print()
  print(sweep:closing())
  if self.knob.svg then sweep:plot(self.knob.svg) end
  sweep:finish()
end

names.receivers('study', methods, function(x) return isa(x, Study) end)
Study.__index, Study.__names = names.index('study', methods, 'who codec real options knobs knob'), methods

setmetatable(M, { __call = function(_, o) return M.new(o) end })
return names.guard('study', M)
