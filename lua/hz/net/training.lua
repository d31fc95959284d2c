-- training.lua: the settings of a training: one row each, and the record of them that is made once, checked and with
-- its defaults filled in, and passed whole from there on: through a sweep's axes, jobs and cells to the plans that
-- compute by it. A new setting is a row here and the place that uses it; hz.train and hz.sweep take it, and it enters
-- keys by its last column.
local average = require 'hz.net.average'
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local optim = require 'hz.net.optim'
local patterns = require 'hz.net.patterns'
local views = require 'hz.net.views'

local M, Training = {}, {}
Training.__index = Training

local AT_ONCE = 256                -- items of a batch where a set is scored

-- ---- checks: f(value, name) -> nil, or what is wrong and what is needed ----

local function needs(test, what)
  return function(v, name)
    if not test(v) then return ('%s is %s; needs %s'):format(name, need.shown(v), what) end
  end
end

local MOST = 2 ^ 31 - 1            -- counts are int in the core

local function whole(least, most)
  return needs(function(v) return type(v) == 'number' and v % 1 == 0 and v >= least and v <= (most or MOST) end,
    most and ('a whole number of %d..%d'):format(least, most) or 'a whole number of at least ' .. least)
end

local seed = whole(0, need.most_seed)
local truth = needs(function(v) return type(v) == 'boolean' end, 'true or false')
local number = needs(function(v) return type(v) == 'number' and v - v == 0 end, 'a finite number')
local above = needs(function(v) return type(v) == 'number' and v > 0 and v < math.huge end, 'a number above 0')
local share = needs(function(v) return type(v) == 'number' and v >= 0 and v < 1 end, '0 <= smoothing < 1')
local flip = needs(function(v) return type(v) == 'boolean' or v == 'alternating' end, "true, false or 'alternating'")
local fill = needs(function(v) return v == 'nearest' or v == 'reflect' end, "'nearest' or 'reflect'")

-- How activations and their gradients are stored. Parameters, statistics and the optimiser's state are f64 in f64
-- plans, else f32. tf32 is stored as f32: a card rounds factors of products, and the CPU refuses.
M.dtypes = { f32 = 'f32', bf16 = 'bf16', f64 = 'f64', tf32 = 'f32' }
function M.stored(dtype) return M.dtypes[dtype or 'f32'] end

local function dtype(v)
  if M.dtypes[v] then return end
  return ("dtype %s is not computed here%s; have f32, bf16, f64, and on cards tf32"):format(need.shown(v),
    names.meant(v, names.sorted(M.dtypes)))
end

local function optimizer(v)
  if not optim.is(v) then return ('optimizer is %s; needs one made by hz.sgd, hz.adam, ...'):format(type(v)) end
end

-- A number for all channels, or a table of them; check is that of each.
local function per_channel(check)
  return function(v, name)
    if type(v) ~= 'table' then return check(v, name) end
    local n, wrong = names.length(v)
    if not n or n == 0 then
      return ('of %s %s; needs a number, or one for each channel'):format(name, wrong or 'no number was given')
    end
    for i = 1, n do
      wrong = check(v[i], ('%s[%d]'):format(name, i))
      if wrong then return wrong end
    end
  end
end

local SLOTS = 4                    -- numbers of the input node, which channels take in turn

-- The slots of a checked value (nil: none was given, all 0) for so many channels. A list of one is for all of them.
function M.slots(who, name, v, channels)
  local list = type(v) == 'table' and v or { v or 0 }
  if #list ~= 1 and #list ~= channels then
    c.fail('%s: %s has %d numbers; needs one, or %d as the items have channels', who, name, #list, channels)
  end
  local slots = {}
  for i = 1, math.max(#list, SLOTS) do
    slots[i] = list[(i - 1) % #list + 1]
    if slots[i] ~= slots[(i - 1) % SLOTS + 1] then
      c.fail('%s: %s has %d numbers; needs one for all channels, or at most %d channels', who, name, #list, SLOTS)
    end
  end
  return slots
end

local kernels = needs(function(v) return type(v) == 'boolean' or type(v) == 'table' end, 'true or false')

-- ---- rows ----

-- name, default (nil: none), check, plans, decides.
--   plans    which plans take it: 'all', 'train' (those that train), or 'none': the loop alone does, or evaluations
--   decides  whether it decides the result, and so stands in the keys of cells and trainings: 'always', or 'changed':
--            where it differs from its default. Rows that come later are 'changed', so that what was finished without
--            them is still found. 'score': changed, and what is scored by it, not what is trained. 'no': the result is
--            the same, or what decides it stands in the key in another form.
local function schema(rows)
  local by_name = {}
  for i, r in ipairs(rows) do
    local row = { name = r[1], default = r[2], check = r[3], plans = r[4], decides = r[5] }
    rows[i], by_name[row.name] = row, row
  end
  return rows, by_name
end

local augments, augment_named = schema {
  { 'shift',   0,     whole(0), 'train', 'always' },       -- pixels in both directions, unless
  { 'shift_x', nil,   whole(0), 'train', 'always' },
  { 'shift_y', nil,   whole(0), 'train', 'always' },
  { 'flip',    false, flip,     'train', 'always' },       -- true: of each item in each epoch by chance
  { 'fill',    'nearest', fill, 'train', 'changed' },      -- what a shift shows beyond the edge
}

M.augments = augment_named

local check_all

local function augment(v)
  if type(v) ~= 'table' then return ('augment is %s; needs a table'):format(tostring(v)) end
  for k in pairs(v) do
    if not augment_named[k] then names.unknown('augment', k, augment_named) end
  end
  check_all('augment', augments, v)
end

local rows, named = schema {
  { 'epochs',    nil,   whole(0),    'none',  'always' },
  { 'batch',     128,   whole(1),    'train', 'always' },
  { 'seed',      nil,   seed,        'train', 'always' },
  { 'smoothing', 0,     share,       'train', 'always' },
  { 'optimizer', nil,   optimizer,   'train', 'always' },
  { 'augment',   {},    augment,     'train', 'always' },
  { 'frozen',    nil,   patterns.wrong, 'train', 'changed' },     -- patterns of parameters that are not trained
  { 'average',   nil,   average.wrong,  'train', 'changed' },     -- of the weights, see average.lua
  { 'dtype',     'f32', dtype,       'all',   'always' },
  { 'device',    nil,   devices.wrong,       'all',   'always' },
  { 'mean',      nil,   per_channel(number), 'all', 'changed' }, -- of pixels in 0..1; without it the net's own
  { 'deviation', nil,   per_channel(above),  'all', 'changed' },
  { 'exact',     false, truth,       'all',   'changed' }, -- no kernel that rounds between load and store
  { 'tune',      false, kernels,     'all',   'no' },      -- kernels by trial, or as chosen before: tune.lua
  { 'keep_best', false, truth,       'none',  'no' },      -- outcomes of the best epoch on the watch split
  { 'views',     nil,   views.check, 'none',  'score' },   -- of each item, where outcomes are scored: views.lua
}

M.default = {}
for name, row in pairs(named) do M.default[name] = row.default end

function check_all(who, list, values)
  for _, row in ipairs(list) do
    local v = values[row.name]
    local wrong = v ~= nil and row.check(v, row.name)
    if wrong then c.fail('%s: %s', who, wrong) end
  end
end

-- Checks the settings among the fields of o.
function M.check(who, o) check_all(who, rows, o) end

-- A set of names: those in `own` (a text), and of the settings all whose `column` is not `value`.
function M.names(own, column, value)
  local set = names.set(own)
  for _, row in ipairs(rows) do
    if column == nil or row[column] ~= value then set[row.name] = true end
  end
  return set
end

-- ---- records ----

-- A record: every setting by its name, from `changes`, else from `given` (which may hold other fields, too), else its
-- default.
function M.new(who, given, changes)
  local self = {}
  for _, row in ipairs(rows) do
    local v = changes and changes[row.name]
    if v == nil then v = given[row.name] end
    if v == nil then v = row.default end
    self[row.name] = v
  end
  M.check(who, self)
  return setmetatable(self, Training)
end

function Training:with(changes) return M.new('training', self, changes) end

-- Steps of the whole training on a set.
function Training:steps(set) return math.ceil(#set.labels / self.batch) * self.epochs end

local function options(self, o)
  for _, row in ipairs(rows) do
    if row.plans == 'all' or row.plans == 'train' and o.train then o[row.name] = self[row.name] end
  end
  return o
end

-- What net:plan takes to train on a set, and to score one.
function Training:to_train(set) return options(self, { train = true, data = set, total = self:steps(set) }) end
function Training:to_score(set) return options(self, { data = set, batch = math.min(AT_ONCE, #set.labels) }) end

-- ---- keys ----

local deciding

-- Values that are no plain ones, as they stand in keys.
local forms = {
  optimizer = function(o) return o:describe() end,
  augment = function(a) return deciding(augments, a) end,
  frozen = patterns.list, average = average.describe, device = devices.kind,
}

function deciding(list, values, trains)
  local out = {}
  for _, row in ipairs(list) do
    local v = values[row.name]
    local stands = row.decides == 'always' or row.decides == 'changed' and v ~= row.default
    if v ~= nil and stands and (trains ~= false or row.plans == 'all') then
      local form = forms[row.name]
      if form then v = form(v) end
      out[row.name] = v
    end
  end
  return out
end

-- The settings that decide what comes of a training, for its key; without an epoch, of scoring alone.
function Training:decides() return deciding(rows, self, self.epochs > 0) end

-- The views of what is scored, as they stand in keys; nil for each item as it is.
function Training:scored_views() return self.views and views.list(self.views) end

return M
