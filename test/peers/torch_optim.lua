-- torch_optim.lua: hz's half of torch_optim.py. hz test/peers/torch_optim.lua OUT STEPS BATCH trains a small net from
-- the same weights over the same batches, once for each row of `runs`, and writes to OUT (safetensors) the weights, the
-- batches, and per run its losses, the weights after the first step, and those at the end.
local hz = require 'hz'
local l = hz.layers
local out, steps, batch = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function make_net()
  return hz.net 'small' { l.conv { 24, 2, pad = 'valid' }, l.tanh, l.conv { 64, 3 }, l.tanh, l.avgpool { 2 },
    l.conv { 16, 3 }, l.tanh, l.flatten, l.dense { 10 }, input = { 9, 9, 3 } }:init { seed = 1 }
end

local x = hz.randn({ steps * batch, 9, 9, 3 }, 0, 1, { seed = 2, stream = 1 })
local labels = hz.rand({ steps * batch }, 0, 10, { seed = 2, stream = 2 }):floor():to 'i32'
local named = { x = x, labels = labels }
for name, t in pairs(make_net():state()) do named['weight.' .. name] = t end

local sgd = { rate = 0.05, momentum = 0.85, nesterov = true, decay = 0.01 }
local function with(changes)
  local o = {}
  for k, v in pairs(sgd) do o[k] = v end
  for k, v in pairs(changes) do o[k] = v end
  return hz.sgd(o)
end

-- The recipe of airbench94_muon, by names.
local function recipe()
  return hz.groups {
    { match = '^conv1%.bias$', with { rate = 0.06, decay = 0.02, schedule = 'linear', stop = 0.375 } },
    { match = '^conv.*weight$', hz.muon { rate = 0.24, momentum = 0.6, schedule = 'linear' } },
    { match = '^dense', with { rate = 0.2, schedule = 'linear' } },
    with { schedule = 'triangle', start = 0.2, peak = 0.3, final = 0.07 } }
end

local runs = {
  sgd = { with {} }, plain = { with { nesterov = false } }, decoupled = { with { decoupled = true } },
  muon = { hz.groups { { match = 'weight$', hz.muon { rate = 0.24, momentum = 0.6 } }, with {} } },
  groups = { recipe() }, frozen = { recipe(), { frozen = '^conv1%.weight$' } },
  ema = { with {}, { average = { kind = 'ema', decay = 0.8 } } },
  lookahead = { with {}, { average = { kind = 'lookahead', every = 3, decay = 0.95 ^ 5, power = 3 } } },
}

local function part(t, i) return t:slice(1, (i - 1) * batch + 1, i * batch) end

local record = { version = hz.version, losses = {} }
for run, row in pairs(runs) do
  local net, losses = make_net(), {}
  local o = { batch = batch, train = true, loss = 'xent', optimizer = row[1], total = steps }
  for k, v in pairs(row[2] or {}) do o[k] = v end
  local plan = net:plan(o)
  for i = 1, steps do
    losses[i] = plan:write(part(x, i), part(labels, i)):step()
    for name, t in pairs(net:state()) do
      if i == 1 then named[('%s.first.%s'):format(run, name)] = t:clone() end
      if i == steps then
        named[('%s.last.%s'):format(run, name)] = run == 'ema' and row[1].state[name .. '.average'] or t
      end
    end
  end
  record.losses[run] = losses
end
hz.safetensors.write(out, named, { record = hz.json.encode(record) })
