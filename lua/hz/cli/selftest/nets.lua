-- nets.lua: whole trainings on a device beside the same on the CPU: ten steps in each type of storage, each network by
-- name, the same bits twice, losses that are read late, a loss that is not finite, weights that go to the CPU.
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local made = require 'hz.cli.selftest.made'
local nets = require 'hz.net.models.nets'
local optim = require 'hz.net.optim'
local stepping = require 'hz.net.stepping'
local tensor = require 'hz.tensor.tensor'

local STEPS = 10
-- Losses of a training may drift so far from those of the CPU in f32 (of f64: in f64): as a share of the largest.
local limits = { f32 = 1e-3, tf32 = 2e-2, bf16 = 2e-2, f64 = 1e-9 }

local function plan_of(device, o)
  local net = o.net or made.net(3)
  return net:plan { batch = 16, train = true, data = o.data or made.set(44, 1), seed = 4, device = device,
    dtype = o.dtype, augment = o.augment or { shift = 2, flip = true }, smoothing = 0.05,
    optimizer = o.optimizer or optim.sgd { rate = 0.02, momentum = 0.9, nesterov = true } }, net
end

local function losses(device, o)
  local plan, list = plan_of(device, o), {}
  for i = 1, STEPS do list[i] = plan:step() end
  return list, plan
end

local function largest_share(got, wanted)
  local most, size = 0, 0
  for i, v in ipairs(wanted) do
    local d = math.abs(got[i] - v)
    most, size = d == d and math.max(most, d) or math.huge, math.max(size, math.abs(v))
  end
  return most / size
end

local function text(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = ('%.5f'):format(v) end
  return table.concat(out, ' ')
end

-- Whether a card multiplies by tf32 here.
local function has_tf32(device)
  local ok, e = c.try(plan_of, device, { dtype = 'tf32' })
  return ok, tostring(e):gsub('^%S+:%d+: ', '')
end

local function golden(run)
  for _, dtype in ipairs { 'f32', 'tf32', 'bf16', 'f64' } do
    local name = ('%d steps in %s'):format(STEPS, dtype)
    local there, why = dtype ~= 'tf32' or nil, nil
    if not there then there, why = has_tf32(run.device) end
    if not there then
      run:skip(name, why)
    else
      run:try(name, function()
        local wanted = losses('cpu', { dtype = dtype == 'f64' and 'f64' or 'f32' })
        local got = losses(run.device, { dtype = dtype })
        run:within(name, largest_share(got, wanted), limits[dtype],
          ('losses %s; of the CPU %s'):format(text(got), text(wanted)))
      end)
    end
  end
end

-- ---- networks by name ----

local few = { small = true, ['sound-small'] = true }

local function random_set(input, classes)
  local full = { 6, unpack(input) }
  local labels = tensor.zeros({ 6 }, 'i32')
  for i = 1, 6 do labels[i] = i % classes end
  if input[3] == 1 then return { items = tensor.rand(full, -80, 0, { seed = 1, stream = 2 }), labels = labels } end
  return { items = tensor.rand(full, 0, 256, { seed = 1, stream = 2 }):floor():to 'u8', labels = labels }
end

-- Two steps and a score of a network.
local function short(row, device)
  local net = nets.make(row[1])
  net:init { seed = 1, input = net.input }
  local set = random_set(net.input, row.classes or 10)
  local plan = net:plan { batch = 4, train = true, data = set, seed = 2, device = device,
    optimizer = optim.sgd { rate = 1e-4, momentum = 0.9 } }
  return { plan:step(), plan:step(), net:plan { batch = 4, data = set, device = device }:evaluate().loss }
end

local function networks(run)
  for _, row in ipairs(nets.rows) do
    if not run.small or few[row[1]] then
      local name = ('two steps and a score of %s'):format(row[1])
      run:try(name, function()
        run:within(name, largest_share(short(row, run.device), short(row, 'cpu')), limits.f32)
      end)
      collectgarbage()
    end
  end
end

-- ---- the same bits, and late ones ----

local function bits(net)
  local parts = {}
  for i, p in ipairs(net:tensors()) do
    local t = p.tensor
    parts[i] = c.ffi.string(t:pointer 'read', t:count() * tonumber(c.C.hz_dtype_bytes(t.dtype)))
  end
  return table.concat(parts)
end

local function late(device)
  local plan, net = plan_of(device, {})
  local list = {}
  local steps = stepping.new(plan, function(loss) list[#list + 1] = loss end)
  for _ = 1, STEPS do steps:step() end
  steps:settle()
  return list, bits(net)
end

local function same_bits(run)
  for _, dtype in ipairs { 'f32', 'bf16' } do
    local first, one = losses(run.device, { dtype = dtype })
    local second, other = losses(run.device, { dtype = dtype })
    run:holds(('the same bits twice, %s'):format(dtype),
      text(first) == text(second) and bits(one.net) == bits(other.net))
  end
  local wanted, plan = losses(run.device, {})
  local got, weights = late(run.device)
  run:holds('losses that are read late, and the weights, are those of single steps',
    largest_share(got, wanted) == 0 and weights == bits(plan.net))
end

local function gate(run)
  local data = made.set(44, 1)
  data.items = data.items:to 'f32' / 255
  local healthy = data.items:clone()
  data.items:slice(1, 1, 44):fill(math.huge)
  local plan, net = plan_of(run.device, { data = data, augment = {} })
  local before = bits(net)
  local steps = stepping.new(plan, function() end)
  local ok, e = pcall(function()
    for _ = 1, STEPS do steps:step() end
    steps:settle()
  end)
  run:holds('a loss that is not finite is told', not ok and stepping.is_diverged(e), not ok and tostring(e) or nil)
  run:holds('and changes nothing', bits(net) == before and plan.optimizer.steps == 0)
  data.items:copy(healthy)
  run:holds('steps go on when the data are healed', plan:step() < 100 and bits(net) ~= before)
end

local function carried(run)
  local plan, net = plan_of(run.device, {})
  for _ = 1, STEPS do plan:step() end
  local set, other = made.set(40, 2), made.net(99)
  other:assign(net:state(), 'selftest')
  local here = net:plan { batch = 16, data = set, device = run.device }:evaluate().loss
  local there = other:plan { batch = 16, data = set, device = 'cpu' }:evaluate().loss
  run:within('weights of the device, scored on the CPU', largest_share({ here }, { there }), limits.f32)
end

return function(run)
  golden(run)
  networks(run)
  for _, check in ipairs { { 'the same bits', same_bits }, { 'losses that are not finite', gate },
    { 'weights', carried } } do
    run:try(check[1], function() check[2](run) end)
  end
  if not devices.is_late(run.device) then run:skip('losses that are read late', 'this device is not late') end
end
