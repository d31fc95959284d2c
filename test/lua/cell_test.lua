-- Cells: what names them, what their files hold, and hz.show, which looks at what they saw.
local t = ...
local axes, cell = require 'hz.sweep.axes', require 'hz.sweep.cell'
local dataset, file, safetensors = require 'hz.data.dataset', require 'hz.base.file', require 'hz.tensor.safetensors'

local net = "local l = require 'hz'.layers\nreturn function(o) return require 'hz'.net 'n' { "
  .. "l.conv{4, 3, stride=2}, l.relu, l.conv{o.classes, 1}, l.meanpool } end\n"

local train, test
local function sets()
  if not train then train, test = dataset.data('camera', { size = 8, train = 160, test = 40 }) end
  return train, test
end

-- Jobs of a small sweep; `change` overwrites settings.
local function jobs(dir, change)
  sets()
  if not file.exists(dir .. '/net.lua') then t.write(dir .. '/net.lua', net) end
  local o = { data = { { name = 'camera', train = train, test = test } }, codec = { 'png' }, quality = { 'raw' },
    model = { dir .. '/net.lua' }, seed = { 1 }, epochs = 3, batch = 16, train = 60, test = 40, protocol = 'strict',
    dtype = 'f32', device = 'cpu', smoothing = 0, augment = { shift = 1 },
    optimizer = function() return require 'hz.net.optim'.adam {} end }
  for k, v in pairs(change or {}) do o[k] = v end
  return axes.jobs(o)
end

t.case('cell: the key follows from what decides the result, and from nothing else', function()
  local dir = t.folder()
  local base = jobs(dir)[1]
  t.match(base.key, '^%x+$')
  t.equal(#base.key, 32)
  t.equal(jobs(dir)[1].key, base.key)
  t.equal(jobs(dir, { data = { { name = 'of another name', train = train, test = test } } })[1].key, base.key)
  local other = t.folder()
  t.equal(jobs(other)[1].key, base.key, 'another folder, the same net')
  t.write(other .. '/net.lua', (net:gsub('conv{4', 'conv{5')))
  local seen = { [base.key] = true }
  local changes = { { seed = { 2 } }, { epochs = 4 }, { batch = 8 }, { train = 50 }, { test = 30 },
    { protocol = 'paper' }, { smoothing = 0.1 }, { augment = {} }, { dtype = 'bf16' }, { device = 'far' },
    { model = { other .. '/net.lua' } }, { quality = { 1 } },
    { optimizer = function() return require 'hz.net.optim'.adam { rate = 0.002 } end },
    { data = { { name = 'camera', train = test, test = test } }, train = 20 } }
  for i, change in ipairs(changes) do
    local key = jobs(dir, change)[1].key
    t.ok(not seen[key], 'change ' .. i)
    seen[key] = true
  end
end)

t.case('cell: the test set decides the cell, but not its training', function()
  local dir = t.folder()
  local a, b = jobs(dir)[1], jobs(dir, { test = 30 })[1]
  t.equal(a.training_key, b.training_key)
  t.ok(a.key ~= b.key)
  t.ok(jobs(dir, { protocol = 'paper' })[1].training_key
    ~= jobs(dir, { protocol = 'paper', test = 30 })[1].training_key, 'paper watches the test set')
end)

t.case('cell: a finished cell holds outcomes per item that agree with what is reported', function()
  local dir = t.folder()
  for _, protocol in ipairs { 'strict', 'paper' } do
    local job = jobs(dir, { protocol = protocol })[1]
    local runs = dir .. '/' .. protocol
    file.mkdir(cell.folder(runs))
    t.ok(cell.run(runs, job))
    local record, tensors = cell.read(runs, job.key)
    t.equal({ record.status, record.seed, record.model, record.codec, #record.curve.watch_accuracy },
      { 'done', 1, 'net', 'raw', 3 })
    t.near(tensors['test.correct']:to 'f64':mean(), record.test_accuracy, 1e-12)
    t.equal({ #tensors['test.class'], #tensors['test.confidence'] }, { 40, 40 })
    local watched = protocol == 'paper' and 40 or 100
    t.equal(tensors['watch.bits']:size(),
      { 3, watched / 8 == math.floor(watched / 8) and watched / 8 or math.ceil(watched / 8) })
    for e = 1, 3 do
      local n, p = 0, tensors['watch.bits'][e]:contiguous():pointer()
      for i = 0, watched - 1 do n = n + bit.band(bit.rshift(p[math.floor(i / 8)], i % 8), 1) end
      t.near(n / watched, record.curve.watch_accuracy[e], 1e-12)
    end
    t.near(record.accuracy, protocol == 'strict' and record.test_accuracy
      or (record.curve.watch_accuracy[1] + record.curve.watch_accuracy[2] + record.curve.watch_accuracy[3]) / 3, 1e-12)
    t.equal(tensors['best.correct'] ~= nil, protocol == 'paper')
    if protocol == 'paper' then t.near(tensors['best.correct']:to 'f64':mean(), record.best, 1e-12) end
    t.equal(file.list(cell.folder(runs)), (function()
      local names = { job.key .. '.safetensors', job.training_key .. '.weights.safetensors' }
      table.sort(names)
      return names
    end)())
  end
end)

t.case('cell: final weights are those that were scored', function()
  local dir = t.folder()
  local job = jobs(dir)[1]
  file.mkdir(cell.folder(dir))
  cell.run(dir, job)
  local stage = job.open()
  stage.net:load(cell.weights_path(dir, job.training_key))
  local again = stage.net:plan { data = stage.test, batch = 40 }:evaluate()
  t.equal(again.accuracy, (cell.read(dir, job.key)).test_accuracy)
end)

t.case('cell: one that another process holds is left to it', function()
  local dir = t.folder()
  local job = jobs(dir)[1]
  file.mkdir(cell.folder(dir))
  local lock = file.lock(cell.folder(dir) .. '/' .. job.training_key .. '.lock')
  local mine, owner = cell.run(dir, job)
  t.equal(mine, false)
  t.match(owner.text, '^process %d+ on ')
  lock:release()
  t.equal(cell.run(dir, job), true)
  local resume = cell.resume_path(dir, job.training_key)
  t.write(resume, 'left by a process that was killed between the cell and this')
  cell.tidy(dir, job)
  t.ok(not file.exists(resume))
end)

t.case('cell: a file of another cell under its name is refused', function()
  local dir = t.folder()
  local a, b = jobs(dir)[1], jobs(dir, { seed = { 2 } })[1]
  file.mkdir(cell.folder(dir))
  cell.run(dir, a)
  t.write(cell.path(dir, b.key), t.read(cell.path(dir, a.key)))
  t.raises('it holds cell ' .. a.key, cell.read, dir, b.key)
  t.write(cell.path(dir, b.key), t.read(cell.weights_path(dir, a.training_key)))
  t.raises('it is no cell of a sweep', cell.read, dir, b.key)
  local meta = safetensors.metadata(cell.path(dir, a.key))
  t.ok(not meta['hz.cell']:find('seconds', 1, true), 'times stand apart from what is compared')
end)

t.case('show: writes the picture as a PNG and returns its name', function()
  if not require 'hz.codec.plugins'.has 'png' then t.skip('the PNG plugin is not built') end
  local show, tensor, png = require 'hz.codec.show', require 'hz.tensor.tensor', require 'hz.codec.codec'.png {}
  local path = t.folder() .. '/a.png'
  local image = sets()[1]
  t.equal(show(image, path), path)
  t.equal(png:decode(t.read(path)):table(), image:table())
  t.equal(png:decode(t.read(show(train.items:slice(1, 1, 3), path))):size(), { 8, 26, 3 })
  local batch = tensor.range(1, 7, 1, 'u8'):reshape { 7, 1, 1, 1 }:expand { 7, 4, 6, 3 }
  local sheet = png:decode(t.read(show(batch, path)))
  t.equal(sheet:size(), { 3 * 5 - 1, 3 * 7 - 1, 3 }, 'a grid, three in a row')
  for i = 0, 8 do
    local y, x = math.floor(i / 3) * 5, i % 3 * 7
    local one = sheet:slice(1, y + 1, y + 4):slice(2, x + 1, x + 6)
    t.equal({ one:min(), one:max() }, i < 7 and { i + 1, i + 1 } or { 0, 0 }, 'place ' .. i)
  end
  t.equal(sheet:slice(1, 5, 5):max(), 0, 'black between them')
  t.equal(png:decode(t.read(show(tensor.zeros({ 900, 2, 2, 1 }, 'u8'), path))):size(), { 23, 23, 1 }, 'the first 64')
  t.equal(png:decode(t.read(show(train, path))):size(3), 3, 'a set')
  for _, shape in ipairs { { 3 }, { 2, 2, 2 }, { 0, 4, 4, 3 }, { 0, 4, 3 }, { 2, 4, 4, 2 }, { 1, 2, 4, 4, 3 }, {} } do
    t.raises('show: ', show, tensor.zeros(shape, 'u8'), path)
  end
  t.raises('show: values within 0..2', show, tensor.full({ 4, 5 }, 2):copy(tensor.range(0, 4)) * 0.5, path)
  t.equal(png:decode(t.read(show(tensor.full({ 4, 5 }, 0.5), path))):size(), { 4, 5, 1 })
  t.raises('needs u8, or floats within 0..1', show, tensor.full({ 4, 5 }, 2), path)
  t.raises('show: a tensor (2,2,2,2,2)', show, tensor.zeros({ 2, 2, 2, 2, 2 }, 'u8'), path)
  t.raises('needs a tensor', show, 'x')
end)
