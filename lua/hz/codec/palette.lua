-- palette.lua: colours of spectrograms.
-- From silence to the loudest: even steps of lightness, told apart by all (after matplotlib's viridis).
local palette = { { 68, 1, 84 }, { 59, 82, 139 }, { 33, 145, 140 }, { 94, 201, 98 }, { 253, 231, 37 } }

-- The colour of a value of 0 to 1 as red, green, blue of 0 to 255; what is beyond takes the nearest.
return function(u)
  local at = math.min(math.max(u, 0), 1) * (#palette - 1)
  local i = math.min(math.floor(at), #palette - 2)
  local a, b, f = palette[i + 1], palette[i + 2], at - i
  return a[1] + f * (b[1] - a[1]), a[2] + f * (b[2] - a[2]), a[3] + f * (b[3] - a[3])
end
