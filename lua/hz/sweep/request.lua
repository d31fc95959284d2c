-- request.lua: what a sweep may be asked for: its fields, their defaults and checks.
local c = require 'hz.c'
local dataset = require 'hz.data.dataset'
local devices = require 'hz.net.devices'
local encodings = require 'hz.sweep.encodings'
local equal = require 'hz.sweep.equal'
local file = require 'hz.base.file'
local isolate = require 'hz.codec.isolate'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local protocol = require 'hz.sweep.protocol'
local training = require 'hz.net.training'
local workers = require 'hz.sweep.workers'

local M = {}

-- Fields of a sweep: its own, and every setting that decides what comes of a training.
local settings = training.names('', 'decides', 'no')
M.known = training.names([[name runs request dry foretell parallel tune data codec quality codec_test quality_test model
  weights norm width protocol train test values margin alpha force controls matrix hours isolate
  bits bits_test]], 'decides', 'no')
local standard = { name = 'sweep', codec = { 'jpeg' }, protocol = 'strict', seed = { 1 }, parallel = 1,
  controls = false, matrix = false, force = false }

local unasked = names.set 'data optimizer runs dry foretell parallel weights_digest margin alpha force hours isolate'

-- What was asked for, in plain values: two sweeps of the same request differ only in what the world has become since.
function M.of(o)
  local r = { data = {} }
  for i, d in ipairs(o.data) do r.data[i] = d.name end
  for k, v in pairs(o) do
    if not unasked[k] then r[k] = v end
  end
  return r
end

local function need_list(o, k)
  if type(o[k]) ~= 'table' or #o[k] == 0 then
    c.fail('sweep: %s is %s; needs a list', k, type(o[k]) == 'table' and 'empty' or tostring(o[k]))
  end
end

local function check_kinds(o)
  for _, k in ipairs { 'name', 'runs', 'weights', 'norm' } do
    if o[k] ~= nil then need.text('sweep', k, o[k]) end
  end
  for _, k in ipairs { 'train', 'test', 'batch' } do
    if o[k] ~= nil then need.count('sweep', k, o[k], 1) end
  end
  if o.epochs ~= nil then need.count('sweep', 'epochs', o.epochs) end
  for _, row in ipairs(protocol.asked) do
    local v = o[row[1]]
    if v ~= nil and (type(v) ~= 'number' or not (v >= row.min and v <= row.max)) then
      need.fail('sweep', row[1], v, ('a number of %s..%s'):format(row.min, row.max))
    end
  end
  if o.width ~= nil then need.number('sweep', 'width', o.width) end
  for _, k in ipairs { 'controls', 'matrix', 'force' } do
    if type(o[k]) ~= 'boolean' then need.fail('sweep', k, o[k], 'true or false') end
  end
  if o.hours ~= nil and not (type(o.hours) == 'number' and o.hours > 0) then
    need.fail('sweep', 'hours', o.hours, 'a number above 0')
  end
  for _, k in ipairs { 'request', 'values' } do
    if o[k] ~= nil then need.table('sweep', k, o[k]) end
  end
  if o.optimizer ~= nil then need.callable('sweep', 'optimizer', o.optimizer) end
  for _, k in ipairs { 'codec', 'codec_test', 'model' } do
    for i, v in ipairs(o[k] or {}) do need.text('sweep', ('%s[%d]'):format(k, i), v) end
  end
  for i, d in ipairs(o.data or {}) do
    local who = ('data[%d]'):format(i)
    if type(d) ~= 'table' or not dataset.is(d.train) or not dataset.is(d.test) then
      need.fail('sweep', who, d, '{name=, train=set, test=set}')
    end
    need.text('sweep', who .. '.name', d.name)
  end
end

-- seed='adaptive': the seeds of all looks, of which the sweep needs as many as decide.
local function take_adaptive(o)
  local asked = type(o.seed) == 'table' and #o.seed == 1 and o.seed[1] or o.seed
  if asked ~= 'adaptive' then return end
  o.adaptive, o.seed = true, {}
  for seed = 1, protocol.looks[#protocol.looks].seeds do o.seed[seed] = seed end
end

-- Several devices take a cell each, at least.
local function take_devices(o)
  local list = devices.list(o.device, 'sweep: device')
  o.device = table.concat(list, ',')
  if o.parallel == nil and #list > 1 and workers.command() then o.parallel = #list end
end

-- Checks what a sweep was asked for and fills in what was not; keys that are parameters of codecs move to o.values.
function M.check(o)
  need.table('sweep', 'what was given', o)
  if type(o.name) == 'string' and not file.is_plain(o.name) then
    c.fail("sweep: name is '%s'; needs one that can be the name of a file", o.name)
  end
  take_devices(o)
  for k, v in pairs(standard) do if o[k] == nil then o[k] = v end end
  for k in pairs(settings) do
    if o[k] == nil and k ~= 'batch' then o[k] = training.default[k] end      -- the batch fits the data (axes.lua)
  end
  need_list(o, 'codec')
  for _, k in ipairs { 'data', 'model', 'codec_test', 'bits', 'bits_test' } do
    if o[k] ~= nil then need_list(o, k) end
  end
  check_kinds(o)
  encodings.take(o, M.known)
  equal.check(o)
  take_adaptive(o)
  o.isolate = isolate.mode('sweep', o.isolate)
  local raw = false                                    -- among the codecs: the others are taken as they are
  for _, codec in ipairs(o.codec) do raw = raw or codec == 'raw' end
  for _, k in ipairs { 'data', 'quality', 'model', 'epochs', 'optimizer' } do
    if o[k] == nil and not (k == 'quality' and (o.values or raw or equal.asked(o))) then
      c.fail('sweep: %s is missing; '
        .. 'needs data, quality (or another parameter of the codec), model, epochs and optimizer', k)
    end
  end
  for _, k in ipairs { 'data', 'model', 'seed' } do need_list(o, k) end
  for _, k in ipairs { 'quality', 'codec_test', 'quality_test' } do
    if o[k] ~= nil then need_list(o, k) end
  end
  local n = o.parallel
  if n ~= 'auto' and (type(n) ~= 'number' or n % 1 ~= 0 or n < 1 or n > 256) then
    c.fail("sweep: parallel is %s; needs a number of processes, 1..256, or 'auto'", tostring(n))
  end
  if n ~= 'auto' and n > 1 and not workers.command() then
    c.fail('sweep: parallel is %d; needs a script in a file, which other processes can run again', n)
  end
  if o.epochs == 0 and not o.weights then
    c.fail('sweep: epochs is 0; needs weights=FILE to score, or at least one epoch')
  end
end

return M
