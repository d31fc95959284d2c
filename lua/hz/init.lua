-- init.lua: what `require 'hz'` gives. Modules load when their name is first used.
local c = require 'hz.c'

local hz = {
  version = c.ffi.string(c.C.hz_version()),
  root = c.root,
}

-- name -> module, and the field of it (none: the module itself)
local lazy = {
  net = { 'hz.net', 'new' }, nets = { 'hz.nets' }, layers = { 'hz.layer', 'kinds' }, model = { 'hz.nets', 'load' },
  tensor = { 'hz.tensor', 'from' }, zeros = { 'hz.tensor', 'zeros' }, ones = { 'hz.tensor', 'ones' }, full = { 'hz.tensor', 'full' },
  empty = { 'hz.tensor', 'empty' }, rand = { 'hz.tensor', 'rand' }, randn = { 'hz.tensor', 'randn' }, range = { 'hz.tensor', 'range' },
  is_tensor = { 'hz.tensor', 'is' },
  sgd = { 'hz.optim', 'sgd' }, adam = { 'hz.optim', 'adam' }, adamw = { 'hz.optim', 'adamw' }, adadelta = { 'hz.optim', 'adadelta' },
  optimizer = { 'hz.optim', 'new' },
  train = { 'hz.train', 'run' }, run = { 'hz.run', 'new' }, per_class = { 'hz.metrics', 'per_class' }, data = { 'hz.dataset', 'data' }, available = { 'hz.dataset', 'available' }, codec = { 'hz.codec' }, quality = { 'hz.quality' }, show = { 'hz.show' },
  sweep = { 'hz.sweep', 'run' }, results = { 'hz.results', 'results' }, query = { 'hz.results', 'query' },
  matmul = { 'hz.linalg', 'matmul' }, solve = { 'hz.linalg', 'solve' }, svd = { 'hz.linalg', 'svd' }, eigh = { 'hz.linalg', 'eigh' },
  inv = { 'hz.linalg', 'inv' }, det = { 'hz.linalg', 'det' }, lstsq = { 'hz.linalg', 'lstsq' }, qr = { 'hz.linalg', 'qr' },
  cholesky = { 'hz.linalg', 'cholesky' },
  args = { 'hz.args', 'parse' }, json = { 'hz.json' }, file = { 'hz.file' }, safetensors = { 'hz.safetensors' },
  fail = { 'hz.c', 'fail' },
}
hz.names = {}                       -- for completion at the prompt
for name in pairs(lazy) do hz.names[#hz.names + 1] = name end
table.sort(hz.names)

return setmetatable(hz, { __index = function(_, name)
  local row = lazy[name]
  if not row then return nil end
  local module = require(row[1])
  local value = module
  if row[2] then value = module[row[2]] end
  rawset(hz, name, value)
  return value
end })
