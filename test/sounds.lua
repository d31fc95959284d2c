-- sounds.lua: sounds that tests of codecs make, and where they come out.
local tensor = require 'hz.tensor.tensor'

local M = {}

-- Noise below a kilohertz or two whose level comes and goes, 16 bits: (frames,channels).
function M.noise(rate, channels, seconds)
  local frames = math.floor(rate * seconds)
  local x = tensor.zeros { frames, channels }
  local p, step = x:pointer(), math.min(0.5, 2 * math.pi * 1000 / rate)
  for k = 0, channels - 1 do
    local state, a, b = 11 + k, 0, 0
    for i = 0, frames - 1 do
      state = (state * 16807) % 2147483647
      a = a + step * (2 * state / 2147483647 - 1 - a)
      b = b + step * (a - b)
      local v = b * (1 + math.sin(25 * i / rate))
      p[i * channels + k] = math.floor(32768 * math.max(-0.99, math.min(0.99, v))) / 32768
    end
  end
  return x
end

-- By how many frames b comes after a.
function M.offset(a, b)
  local n, width, p, q = a:size(1), a:size(2), a:pointer 'read', b:pointer 'read'
  local most, at = -math.huge, nil
  for lag = -1200, 1200 do
    local sum = 0
    for i = math.max(0, -lag), math.min(n, n - lag) - 1 do sum = sum + p[i * width] * q[(i + lag) * width] end
    if sum > most then most, at = sum, lag end
  end
  return at
end

return M
