-- init.lua: what `require 'hz'` gives. Modules load when their name is first used.
local c = require 'hz.c'
local names = require 'hz.base.names'

local hz = {
  version = c.ffi.string(c.C.hz_version()),
  root = c.root,
}

-- name -> module, and the field of it (none: the module itself)
local lazy = {
  net = { 'hz.net.eager', 'new' }, layers = { 'hz.net.eager', 'kinds' },
  nets = { 'hz.net.models.nets' }, model = { 'hz.net.models.nets', 'load' },
  tensor = { 'hz.tensor.tensor', 'from' }, zeros = { 'hz.tensor.tensor', 'zeros' },
  ones = { 'hz.tensor.tensor', 'ones' }, full = { 'hz.tensor.tensor', 'full' },
  empty = { 'hz.tensor.tensor', 'empty' }, range = { 'hz.tensor.tensor', 'range' },
  rand = { 'hz.tensor.tensor', 'rand' }, randn = { 'hz.tensor.tensor', 'randn' },
  is_tensor = { 'hz.tensor.tensor', 'is' },
  sgd = { 'hz.net.optim', 'sgd' }, adam = { 'hz.net.optim', 'adam' },
  adamw = { 'hz.net.optim', 'adamw' }, adadelta = { 'hz.net.optim', 'adadelta' },
  muon = { 'hz.net.optim', 'muon' }, groups = { 'hz.net.optim', 'groups' },
  optimizer = { 'hz.net.optim', 'new' }, recipes = { 'hz.net.models.recipes' },
  train = { 'hz.net.train', 'run' }, run = { 'hz.net.run', 'new' }, per_class = { 'hz.net.metrics', 'per_class' },
  data = { 'hz.data.dataset', 'data' }, available = { 'hz.data.dataset', 'available' },
  codec = { 'hz.codec.codec' }, quality = { 'hz.codec.quality' }, show = { 'hz.codec.show' },
  sound = { 'hz.codec.sound' },
  classify = { 'hz.codec.classify' },
  study = { 'hz.sweep.study' }, sweep = { 'hz.report.sweep', 'run' },
  calibrate = { 'hz.report.noise.calibrate', 'new' }, low_bits = { 'hz.data.low_bits' },
  results = { 'hz.report.results', 'results' }, query = { 'hz.report.results', 'query' },
  matmul = { 'hz.tensor.linalg', 'matmul' }, solve = { 'hz.tensor.linalg', 'solve' },
  svd = { 'hz.tensor.linalg', 'svd' }, eigh = { 'hz.tensor.linalg', 'eigh' },
  inv = { 'hz.tensor.linalg', 'inv' }, det = { 'hz.tensor.linalg', 'det' },
  lstsq = { 'hz.tensor.linalg', 'lstsq' }, qr = { 'hz.tensor.linalg', 'qr' },
  cholesky = { 'hz.tensor.linalg', 'cholesky' },
  args = { 'hz.base.args', 'parse' }, json = { 'hz.base.json' }, file = { 'hz.base.file' },
  safetensors = { 'hz.tensor.safetensors' },
  fail = { 'hz.c', 'fail' }, visible = { 'hz.base.visible', 'line' },
}
-- Descriptions of data sets outside the tree ask for the module by this name (datasets/README.md).
package.preload['hz.dataset'] = function() return require 'hz.data.dataset' end

hz.names = names.sorted(lazy)        -- for completion at the prompt

local unknown = names.index('hz', {})

return setmetatable(hz, { __index = function(_, name)
  local row = lazy[name]
  if not row then return unknown(lazy, name) end
  local module = require(row[1])
  local value = module
  if row[2] then value = module[row[2]] end
  rawset(hz, name, value)
  c.poll()                             -- modules load with signals deferred
  return value
end })
