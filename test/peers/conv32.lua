-- conv32.lua: convolutions of 32 to 32 channels, as audio networks have them, over pictures of 32x32; the
-- same as in common.py.
local hz = require 'hz'

return function(o)
  local l = hz.layers
  local net = { mean = 0.5, deviation = 0.25 }
  for _ = 1, 5 do
    net[#net + 1] = l.conv{32, 3}
    net[#net + 1] = l.relu
  end
  net[#net + 1] = l.conv{o.classes, 1}
  net[#net + 1] = l.meanpool
  return hz.net 'conv32' (net)
end
