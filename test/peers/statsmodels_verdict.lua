-- statsmodels_verdict.lua: hz's half of statsmodels_verdict.py. hz test/peers/statsmodels_verdict.lua ITEMS A1,A2 B1,B2
-- reads outcomes of the test set from finished cells, one file a seed, of an encoding and of the reference; prints as
-- JSON what verdict.compare makes of their first ITEMS items, and Student's quantiles.
local hz = require 'hz'
local distribution = require 'hz.report.statistics.distribution'
local verdict = require 'hz.report.statistics.verdict'
local items, of_a, of_b = tonumber(arg[1]), arg[2], arg[3]

local function outcomes(paths)
  local list = {}
  for path in paths:gmatch '[^,]+' do
    local right = hz.safetensors.read(path)['test.correct']
    list[#list + 1] = right:slice(1, 1, math.min(items, right:count())):clone()
  end
  return list
end

local r = verdict.compare(outcomes(of_a), outcomes(of_b))
r.quantiles = {}
for _, alpha in ipairs { 0.05, 0.025, 0.01, 0.015, 1e-6 } do
  for _, df in ipairs { 1, 2, 4, 9, 19, 200 } do
    r.quantiles[#r.quantiles + 1] = { alpha, df, distribution.t_upper(alpha, df) }
  end
end
print(hz.json.encode(r))
