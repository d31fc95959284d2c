-- init.lua: how weights begin: one row per initialisation, named by the init= of a layer. Weights are (filters,...),
-- what lies behind a filter its fan-in; a draw is a function of the seed and the parameter's number in the net.
local c = require 'hz.c'
local C = c.C

local M = {}

local function uniform(t, limit, o) c.check(C.hz_tensor_uniform(t, -limit, limit, o.seed, o.stream)) end

-- Numbers behind one filter.
local function fan_of(t) return t:count() / t:size(1) end

-- Glorot uniform (Glorot, Bengio 2010).
local function glorot(t, o) uniform(t, math.sqrt(6 / (o.fan_in + o.fan_out)), o) end

-- What PyTorch gives convolutions and dense layers: He uniform with a = sqrt 5.
local function kaiming(t, o) uniform(t, 1 / math.sqrt(fan_of(t)), o) end

-- The first filters hand one channel on each, from the middle of the window; the others are drawn.
local function dirac(t, o)
  kaiming(t, o)
  local shape, p, fan = t:size(), t:pointer(), fan_of(t)
  local middle = (math.floor(shape[2] / 2) * shape[3] + math.floor(shape[3] / 2)) * shape[4]
  for f = 0, math.min(shape[1], shape[4]) - 1 do
    for i = 0, fan - 1 do p[f * fan + i] = i == middle + f and 1 or 0 end
  end
end

-- Drawn, then divided by their own standard deviation, which then is 1.
local function unit(t, o)
  kaiming(t, o)
  local p, n, sum, squares = t:pointer(), t:count(), 0, 0
  for i = 0, n - 1 do sum = sum + p[i] end
  for i = 0, n - 1 do squares = squares + (p[i] - sum / n) ^ 2 end
  local deviation = n > 1 and math.sqrt(squares / (n - 1)) or 1
  for i = 0, n - 1 do p[i] = p[i] / deviation end
end

-- Each filter hands one number of the patch on, those of the second half its negative: what whitens patches that are
-- white already. whiten.lua puts others in their place.
function M.hands_on(f, i, fan) return f % fan ~= i and 0 or f < fan and 1 or -1 end

local function whiten(t)
  local p, fan = t:pointer(), fan_of(t)
  for f = 0, t:size(1) - 1 do
    for i = 0, fan - 1 do p[f * fan + i] = M.hands_on(f, i, fan) end
  end
end

M.rows = { glorot = glorot, kaiming = kaiming, dirac = dirac, unit = unit, whiten = whiten }

-- Fills fresh weights. o: init (a name), fan_in, fan_out, seed, stream.
function M.fill(t, o) M.rows[o.init](t, o) end

return M
