-- tiny.lua: the smallest training that has everything: 44 images of 6x6x3 (no multiple of the batch), convolutions
-- of stride 1 and 2, batch normalisation, dropout, augmentation, a dense head, an optimiser with state. Used by tests
-- of training, and as a script (hz test/tiny.lua RESUME [KILL [AVERAGE]]) that trains, with groups, muon and an average
-- of that kind if one is named, is killed after KILL steps of its own (0: never), and prints a digest when it ends.
local hz = require 'hz'
local layers = require 'hz.net.layer'.kinds
local tensor = require 'hz.tensor.tensor'
local M = {}

-- Images whose class shows in the brightness of one corner and in the mean colour, under noise.
function M.set(n, stream)
  local items, labels = tensor.rand({ n, 6, 6, 3 }, 0, 160, { seed = 7, stream = stream }), tensor.zeros({ n }, 'i32')
  for i = 1, n do
    local class = (i * 7) % 4
    labels[i] = class
    local p = items:pointer() + (i - 1) * 108
    for k = 0, 26 do p[k] = p[k] + 24 * class end
    for k = class % 3, 107, 3 do p[k] = p[k] + 20 end
  end
  return { items = items:floor():to 'u8', labels = labels }
end

function M.net(seed)
  local l = layers
  local net = hz.net 'tiny' { l.conv{8, 3}, l.norm, l.relu, l.conv{12, 3, stride=2}, l.dropout{0.3}, l.conv{10, 1},
    l.elu, l.maxpool{3, pad='same', stride=1}, l.flatten, l.dense{16}, l.relu, l.dropout{0.5}, l.dense{4} }
  return net:init { seed = seed or 1, input = { 6, 6, 3 } }
end

-- Arguments of hz.train; `o` overrides.
function M.training(o)
  local watch = M.set(20, 2)
  local a = { net = M.net(), train = M.set(44, 1), watch = watch, test = watch, epochs = 3, batch = 16,
    optimizer = hz.adam { rate = 0.01 }, seed = 5, smoothing = 0.05, augment = { shift = 1, flip = true },
    mean = { 0.5, 0.4, 0.3 }, deviation = { 0.25, 0.25, 0.25 } }
  for k, v in pairs(o or {}) do a[k] = v end
  return a
end

-- Options beside those: a first layer of which only the bias is trained, and that not to the end; filters by muon; the
-- rest by sgd and adamw; an average of this kind.
function M.recipe(average, o)
  local a = { frozen = '^conv1%.weight$', average = { kind = average, every = 2, decay = 0.6, power = 2 },
    optimizer = hz.groups {
      { match = '^conv1%.bias$', hz.sgd { rate = 0.1, schedule = 'linear', stop = 0.6, momentum = 0.5 } },
      { match = '^conv.*weight$', hz.muon { rate = 0.2, schedule = 'linear', final = 0.1, warmup = 2 } },
      { match = { '^norm', 'bias$' }, hz.sgd { rate = 0.05, momentum = 0.85, nesterov = true, decay = 0.01,
        schedule = 'triangle', start = 0.2, peak = 0.25, final = 0.07 } },
      hz.adamw { rate = 0.01, schedule = 'cosine' } } }
  for k, v in pairs(o or {}) do a[k] = v end
  return a
end

-- Every bit that a training leaves behind, as text.
function M.digest(a, result)
  local parts = {}
  local function bytes(name, t)
    parts[#parts + 1] = name .. ':' .. require 'ffi'.string(t:pointer 'read', t:count() * (t:type() == 'u8' and 1 or 4))
  end
  for _, p in ipairs(a.net:tensors()) do bytes(p.name, p.tensor) end
  local state = {}
  for name in pairs(a.optimizer.state) do state[#state + 1] = name end
  table.sort(state)
  for _, name in ipairs(state) do bytes(name, a.optimizer.state[name]) end
  if result.bits then bytes('bits', result.bits) end
  for _, row in ipairs(result.curve) do
    parts[#parts + 1] = ('%d %.17g %.17g %.17g %.17g'):format(row.epoch, row.loss, row.accuracy, row.watch_loss or 0,
      row.watch_accuracy or 0)
  end
  parts[#parts + 1] = ('%d %.17g %.17g'):format(a.optimizer.steps, result.test.loss, result.test.accuracy)
  return require 'hz.ext.crypto'.sha256(table.concat(parts, '\n'))
end

if arg and arg[0] and arg[0]:find 'tiny%.lua$' then
  local resume, kill = arg[1], tonumber(arg[2])
  local ffi = require 'ffi'
  ffi.cdef 'int getpid(void); int kill(int, int);'
  local steps = 0
  local function count()
    steps = steps + 1
    if steps == kill then ffi.C.kill(ffi.C.getpid(), 9) end
  end
  local o = { resume = resume, on_step = count, on_epoch = count }
  local a = M.training(arg[3] and M.recipe(arg[3], o) or o)
  print(M.digest(a, hz.train(a)))
end
return M
