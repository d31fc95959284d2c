-- made.lua: the net and the sets of the selftest: small, and with every kind of layer.
local eager = require 'hz.net.eager'
local tensor = require 'hz.tensor.tensor'

local M = {}
local l = eager.kinds

-- n random images of 16x16x3 in four classes, which show in their brightness.
function M.set(n, stream)
  local items = tensor.rand({ n, 16, 16, 3 }, 0, 200, { seed = 7, stream = stream })
  local labels = tensor.zeros({ n }, 'i32')
  for i = 1, n do
    labels[i] = i * 7 % 4
    items[i] = items[i] + 14 * (i * 7 % 4)
  end
  return { items = items:floor():to 'u8', labels = labels }
end

function M.net(seed)
  local net = eager.new 'selftest' { mean = 0.5, deviation = 0.25,
    l.conv{16, 3}, l.norm, l.relu, l.maxpool{2}, l.conv{24, 3, stride=2}, l.norm, l.gelu, l.dropout{0.2},
    l.conv{20, 1}, l.elu, l.avgpool{2}, l.flatten, l.dense{32}, l.relu, l.dropout{0.3}, l.dense{4} }
  return net:init { seed = seed, input = { 16, 16, 3 } }
end

return M
