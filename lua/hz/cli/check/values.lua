-- values.lua: the values of a codec's parameters that are tried: the ends of a range, its steps, every choice.
local M = {}

local STEPS = 5

local function filled(p, v)
  if not p.length then return v end
  local list = {}
  for i = 1, p.length do list[i] = v end
  return list
end

local function numbers(p, n)
  local list = {}
  for i = 0, n - 1 do
    local v = p.low + (p.high - p.low) * i / (n - 1)
    list[#list + 1] = p.type == 'int' and math.floor(v + 0.5) or v
  end
  return list
end

-- Rising values of a parameter: n of a range, all choices, false and true; nil for one without a range, and
-- for one whose value the codec's name says.
function M.steps(p, n)
  local list
  if p.fixed then return nil end
  if p.choices then return p.choices end
  if p.type == 'bool' then return { false, true } end
  if not p.low or p.low == p.high then return nil end
  list = {}
  for _, v in ipairs(numbers(p, n or STEPS)) do
    if list[#list] ~= v then list[#list + 1] = v end
  end
  for i, v in ipairs(list) do list[i] = filled(p, v) end
  return list
end

function M.ends(p) return M.steps(p, 2) end

-- Values unlike the usual ones, for an instance to stand beside; empty where nothing can be changed.
function M.other(s)
  for _, p in ipairs(s.about.params) do
    local list = M.ends(p) or {}
    for _, v in ipairs { list[1], list[#list] } do
      if v ~= s.codec.values[p.name] and (pcall(s.make, s, { [p.name] = v })) then return { [p.name] = v } end
    end
  end
  return {}
end

return M
