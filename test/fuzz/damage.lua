-- damage.lua: what happens to files: bytes changed, lost, doubled, cut, or mixed with those of another.
local M = {}

local extremes = { '\0\0\0\0', '\255\255\255\255', '\255\255\255\127', '\127\255\255\255', '\0\0\0\128', '\1\0\0\0',
  '\0\0\192\127', '\0\0\128\127', '\128\150\152\0', '\0\152\150\128' }

-- Where to: heads are short and matter.
local function place(d, s) return d:whole(1, d:chance(0.6) and math.min(#s, 80) or math.max(1, #s)) end

local damages = {
  flip = function(d, s)
    local at = place(d, s)
    return s:sub(1, at - 1) .. string.char(d:whole(0, 255)) .. s:sub(at + 1)
  end,
  extreme = function(d, s)
    local at = place(d, s)
    return s:sub(1, at - 1) .. d:of(extremes) .. s:sub(at + 4)
  end,
  cut = function(d, s) return s:sub(1, d:whole(0, #s)) end,
  lose = function(d, s)
    local at = place(d, s)
    return s:sub(1, at - 1) .. s:sub(at + d:whole(1, 40))
  end,
  double = function(d, s)
    local at = place(d, s)
    return s:sub(1, at + d:whole(1, 200)) .. s:sub(at)
  end,
  mix = function(d, s, seeds)
    local other = d:of(seeds).bytes
    return s:sub(1, place(d, s)) .. other:sub(place(d, other))
  end,
  append = function(d, s, seeds) return s .. d:of(seeds).bytes end,
}
local names = { 'flip', 'flip', 'flip', 'extreme', 'extreme', 'cut', 'lose', 'double', 'mix', 'append' }

-- One to four of them. seeds: list of { bytes }, the others.
function M.some(d, s, seeds)
  for _ = 1, d:whole(1, 4) do s = damages[d:of(names)](d, s, seeds) end
  return s
end

return M
