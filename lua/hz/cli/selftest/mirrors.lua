-- mirrors.lua: what the host writes a device sees, and the other way; nothing is copied that did not change; a set
-- that several plans read is there once.
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local made = require 'hz.cli.selftest.made'
local optim = require 'hz.net.optim'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

-- Bytes copied by f(): to devices, and home.
local function copied(f)
  local n = ffi.new 'int64_t[4]'
  C.hz_copied(n, n + 1)
  f()
  C.hz_copied(n + 2, n + 3)
  return tonumber(n[2] - n[0]), tonumber(n[3] - n[1])
end

local function training(device)
  local net = made.net(3)
  return net:plan { batch = 16, train = true, data = made.set(44, 1), seed = 4, device = device,
    optimizer = optim.sgd { rate = 0.01, momentum = 0.9 } }, net
end

local function host_writes(run)
  local plan, net = training(run.device)
  local near, near_net = training 'cpu'
  local figure = 0
  for i = 1, 3 do
    for _, n in ipairs { net, near_net } do
      if i == 2 then n.parameters['conv2.weight'][3]:fill(0.05) end
      if i == 3 then n.buffers['norm1.mean']:fill(0.5) end
    end
    figure = math.max(figure, math.abs(plan:step() - near:step()))
  end
  run:within('what the host wrote between steps counts (losses beside the CPU)', figure, 1e-3)
  local weight = net.parameters['conv2.weight']
  local before = weight:clone()
  plan:step()
  run:holds('what a step wrote the host sees', (weight - before):abs():max() > 0)
end

local function bytes_move(run)
  local plan, net = training(run.device)
  local weight = net.parameters['conv2.weight']
  local row = 4 * weight:count() / weight:size(1)
  plan:step()
  local function step() plan:step() end
  local there, home = copied(step)
  run:holds('a step copies nothing', there + home == 0, ('%d bytes'):format(there + home))
  there, home = copied(function() weight:sum() end)
  run:holds('reading a parameter copies it alone', there == 0 and home == 4 * weight:count(), ('%d bytes'):format(home))
  run:holds('reading it again copies nothing', select(2, copied(function() weight:sum() end)) == 0)
  weight[2]:fill(0.01)
  there = copied(step)
  run:holds('a row that was written is copied alone', there == row, ('%d bytes of %d'):format(there, row))
end

local function set_once(run)
  local set = { items = tensor.zeros({ 1000, 16, 16, 3 }, 'u8'), labels = tensor.zeros({ 1000 }, 'i32') }
  local plans, bytes = {}, {}
  collectgarbage()
  collectgarbage()
  local net = made.net(3)
  for i = 1, 3 do
    local before = tonumber(C.hz_live_bytes())
    plans[i] = net:plan { batch = 8, data = set, device = run.device }
    bytes[i] = tonumber(C.hz_live_bytes()) - before
  end
  run:holds('a set that three plans read is there once', bytes[1] - bytes[2] >= 768000 and bytes[2] == bytes[3],
    ('%d, %d, %d bytes'):format(unpack(bytes)))
end

return function(run)
  if not devices.is_late(run.device) then
    return run:skip('mirrors', 'the memory of this device is the host\'s')
  end
  for _, check in ipairs { host_writes, bytes_move, set_once } do
    run:try('mirrors', function() check(run) end)
  end
end
