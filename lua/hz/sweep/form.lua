-- form.lua: what the files of a runs folder say, field by field (base/fields.lua). A folder may have come from
-- anywhere: whatever is read passes through here before it is used.
local c = require 'hz.c'
local fields = require 'hz.base.fields'
local protocol = require 'hz.sweep.protocol'
local recode = require 'hz.codec.recode'
local safetensors = require 'hz.tensor.safetensors'
local source = require 'hz.data.source'

local M = {}

-- ---- forms ----

-- How a cell is called in tables and plots: in its own file and in manifests.
local labels = {
  data = 'string', split = 'string', protocol = 'string', model = 'string', dtype = 'string', codec = 'string',
  codec_test = 'string', params = 'number', seed = 'number', epochs = 'whole', quality = 'scalar?', made = 'string?',
  quality_test = 'scalar?', parameter = 'string?', parameter_test = 'string?', further = 'values?',
  further_test = 'values?', forced = 'string?', forced_test = 'string?',
  views = 'texts?', control = 'string?', damage = 'number?', noise_bits = 'number?', scenes = 'string?',
}

local curve = { loss = 'gaps', accuracy = 'gaps', watch_loss = 'gaps', watch_accuracy = 'gaps' }

local run = { seconds = 'number?', version = 'string', commit = 'string', threads = 'number', host = 'string?',
  device = 'string?', isa = 'string', vendor = 'string?', kernels = 'string?', plan = 'string?',
  kernels_changed = 'texts?' }

local finished = { finished = 'string' }
local finished_done = { finished = 'string', seconds = 'number' }
local scored = { device = 'string?', isa = 'string', vendor = 'string', kernels = 'string' }
local decided, encoded = { training = 'table', test = 'table' }, { values = 'string' }

-- What stands in every cell, then what depends on its status.
local cell = { key = 'key', training_key = 'key', status = 'string', accounts = 'table', curve = curve }
local of_status = {
  done = { accuracy = 'number', test_accuracy = 'number', test_loss = 'number', best = 'number?', last = 'number?',
    best_epoch = 'whole?' },
  failed = { failure = { epoch = 'number', layer = 'string', message = 'string' } },
}

local manifest = { id = 'name', name = 'string', created = 'string', command = 'string?', kernels = 'name?',
  adaptive = 'truth?', request = 'table', decides = 'table', cells = 'list' }

local listed = { key = 'key', training = 'key' }

local training = { key = 'key', curve = curve, best_epoch = 'whole?' }

-- Labels of a cell, or of one in a manifest.
local function check_labels(path, t, at)
  fields.check(path, t, labels, at)
  if t.source ~= nil then fields.check(path, t.source, source.form, at and at .. '.source' or 'source') end
end

-- ---- cells ----

local function check_curve(path, record)
  local n = #record.curve.loss
  for name in pairs(curve) do
    if #record.curve[name] ~= n then
      c.fail('%s: curve.%s has %d epochs, curve.loss %d; needs as many', path, name, #record.curve[name], n)
    end
  end
end

local function check_decides(path, d)
  if d == nil then return end
  fields.check(path, d, decided, 'decides')
  for _, where in ipairs { d.training.data or false, d.test } do
    local codec = where and where.codec
    if type(codec) == 'table' then fields.check(path, codec, encoded, 'decides: codec') end
  end
end

-- The record of a cell: what cell.lua stores in hz.cell, with `run` beside it. Returns it.
function M.cell(path, record)
  fields.check(path, record, cell)
  check_labels(path, record)
  if not of_status[record.status] then c.fail("%s: status is '%s'; needs done or failed", path, record.status) end
  fields.check(path, record, of_status[record.status])
  protocol.named(record.protocol, path)
  check_curve(path, record)
  check_decides(path, record.decides)
  for _, part in ipairs { 'all', 'test' } do recode.check_account(path, record.accounts[part], 'accounts.' .. part) end
  fields.check(path, record.run, run, 'run')
  fields.check(path, record.run, record.status == 'done' and finished_done or finished, 'run')
  if record.run.scored ~= nil then fields.check(path, record.run.scored, scored, 'run.scored') end
  return record
end

-- A bit per item of the watched set and epoch.
function M.bits(path, record, tensors)
  local bits = tensors['watch.bits']
  if bits then safetensors.expect(path, tensors, 'watch.bits', 'u8', { #record.curve.loss, bits:size(2) }) end
end

-- Outcomes per item of the test set.
function M.outcomes(path, record, tensors)
  M.bits(path, record, tensors)
  if record.status ~= 'done' then return end
  local n = tensors['test.correct'] and tensors['test.correct']:count() or 0
  for name, dtype in pairs { correct = 'u8', class = 'i32', confidence = 'f32' } do
    safetensors.expect(path, tensors, 'test.' .. name, dtype, { n })
  end
end

-- ---- trainings and sweeps ----

-- What cell.lua stores of a finished training, and of what computed it.
function M.training(path, record, by)
  fields.check(path, record, training)
  check_curve(path, record)
  fields.check(path, by, run, 'run')
  return record, by
end

-- A manifest, as manifest.lua stores it.
function M.manifest(path, m)
  fields.check(path, m, manifest)
  for i, entry in ipairs(m.cells) do
    local at = ('cells[%d]'):format(i)
    fields.check(path, entry, listed, at)
    check_labels(path, entry.labels, at .. '.labels')
  end
  if #m.cells == 0 then c.fail('%s: it names no cells; needs those of a sweep', path) end
  if m.kernels and not m.kernels:find '%.kernels$' then
    c.fail("%s: kernels is '%s'; needs a name that ends in .kernels", path, m.kernels)
  end
  return m
end

return M
