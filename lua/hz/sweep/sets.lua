-- sets.lua: the data of a study: which sets are asked for, the keys that belong to them, what is said of them before
-- the first step, and how what a preset asks for is fitted to what there is. `self` is the study.
local clip_files = require 'hz.codec.clip_files'
local dataset = require 'hz.data.dataset'
local features = require 'hz.data.features'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local names = require 'hz.base.names'
local source = require 'hz.data.source'
local visible = require 'hz.base.visible'.line

local M = {}

local TRAINS = 0.8                 -- share of a set that trains where validation items come from the rest
local FOLDER = 'folder'

-- ---- keys ----

local key_types = { ['nil'] = 'string', string = 'string', boolean = 'bool' }

-- Rows of options, but where an experiment has a key of that name; of: what they belong to.
local function rows_of(self, options, of)
  local rows, own = {}, {}
  for _, row in ipairs(self.knobs or {}) do own[type(row) == 'string' and row or row[1]] = true end
  for _, name in ipairs(names.sorted(options)) do
    local o = options[name]
    local kind = key_types[type(o.default)] or o.whole and 'int' or 'float'
    rows[#rows + 1] = not own[name] and { name, nil, kind, ('of %s: %s'):format(of, o.about), min = o.min, max = o.max,
      choices = o.choices } or nil
  end
  return rows
end

-- How sounds are heard, by any set of them.
local shared = features.options(nil, clip_files.options)

-- Options of data=folder are keys, by the names and words of its description; those that are given go there, or to sets
-- that have an option of the name, too.
local function folder_rows(self)
  local options = {}
  for name, o in pairs(dataset.describe(FOLDER).options) do
    options[name] = not shared[name] and (not o.of or o.of == self.items) and o or nil
  end
  return rows_of(self, options, 'data=' .. FOLDER)
end

local function shared_rows(self) return self.items == 'sounds' and rows_of(self, shared, 'sounds') or {} end

function M.rows(self)
  local rows = folder_rows(self)
  for _, row in ipairs(shared_rows(self)) do rows[#rows + 1] = row end
  return rows
end

-- ---- which ----

-- The set that is taken where none is asked for: the real one where it is found, else the embedded one.
function M.found(real, embedded) return real and dataset.available(real) and real or embedded end

local function has_option(set, name)
  local options = dataset.describe(set).options
  return options and options[name] ~= nil
end

-- The sets that are asked for; a key of data=folder asks for it, and is nothing to a set without such an option.
function M.names(self, knob, given)
  local asked
  for _, row in ipairs(folder_rows(self)) do asked = asked or given[row[1]] and row[1] end
  if not knob.data then return { asked and FOLDER or M.found(self.real and self.real[1], self.embedded[1]) } end
  for _, name in ipairs(knob.data) do
    if asked and has_option(name, asked) then asked = nil end
  end
  if asked then
    exit.usage('%s: %s=%s was given with data=%s; it is of data=%s alone', self.name, asked, tostring(knob[asked]),
      table.concat(knob.data, ','), FOLDER)
  end
  return knob.data
end

-- ---- loading ----

-- Options that a set is loaded with. An embedded set is made as large as train= needs; without least or train= it is
-- as large as it says itself.
local function options_for(self, name, knob, given)
  local options = self.options and self.options(name, knob) or {}
  for _, row in ipairs(folder_rows(self)) do
    if knob[row[1]] ~= nil and has_option(name, row[1]) then options[row[1]] = knob[row[1]] end
  end
  for _, row in ipairs(shared_rows(self)) do
    if knob[row[1]] ~= nil then options[row[1]] = knob[row[1]] end
  end
  if name == self.embedded[1] then
    local n = math.max(self.embedded.least or 0, math.ceil((given.train and knob.train or 0) / TRAINS))
    if n > 0 then options.train = n end
  end
  return options
end

-- Loads a set as { name, train, test } and says which. A folder is called by where it is.
function M.load(self, name, knob, given)
  local train, test = dataset.data(name, options_for(self, name, knob, given))
  local missing = self.real and not given.data and name == self.embedded[1]
  local real = self.real and self.real[1]
  local how = missing and (dataset.describe(real).url and 'hz data fetch ' .. real or 'HZ_DATA names its folder')
  local fetch = missing and (' (%s was not found; %s)'):format(real, how) or ''
  local from = train.files and source.words(train) or train.source
  print(visible(('data: %s, %d training and %d test %s, from %s%s'):format(name, #train, #test, self.items, from,
    fetch)))
  if train.files then name = ('%s %s'):format(name, file.real(train.files.path)) end
  return { name = name, train = train, test = test }
end

-- ---- fitting ----

-- How many items train where `train` of n are asked for (nil: all there are).
local function trains(knob, n)
  if knob.protocol == 'strict' then n = math.max(1, n - math.max(1, math.floor(n / 10))) end
  return math.min(knob.train or n, n)
end

-- A preset asks for at most what there is; a key asks for exactly that.
function M.fit(data, knob, given)
  local function most(key, n)
    if knob[key] and not given[key] then knob[key] = n >= 1 and math.min(knob[key], n) or nil end
  end
  for _, d in ipairs(data) do
    most('train', knob.protocol == 'strict' and math.floor(#d.train * TRAINS) or #d.train)
    most('test', #d.test)
    if knob.batch and not given.batch then knob.batch = math.min(knob.batch, trains(knob, #d.train)) end
    local shape = d.train:shape()
    if knob.shift and not given.shift and #shape == 3 then
      knob.shift = math.min(knob.shift, shape[1] - 1, shape[2] - 1)
    end
  end
end

return M
