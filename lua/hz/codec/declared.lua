-- declared.lua: values of declared parameters, as the core lists them (hz_param), become Lua's.
local c = require 'hz.c'
local ffi, C = c.ffi, c.C

local M = {}

-- The value of parameter p among `values`, a list of doubles: a number, true, false, a choice, a list of numbers.
function M.value(p, values)
  if p.type == C.HZ_PARAM_ENUM then return ffi.string(p.choice[values[p.at]]) end
  if p.type == C.HZ_PARAM_BOOL then return values[p.at] ~= 0 end
  if p.length == 0 then return values[p.at] end
  local list = {}
  for i = 1, p.length do list[i] = values[p.at + i - 1] end
  return list
end

return M
