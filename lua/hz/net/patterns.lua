-- patterns.lua: parameters by their names: a Lua pattern ('%.bias$'), or a list of them, of which any may match.
local c = require 'hz.c'
local names = require 'hz.base.names'
local need = require 'hz.base.need'

local M = {}

-- nil, or what is wrong with v: needs a text, or a list of them, each a pattern.
function M.wrong(v, name)
  local list = type(v) == 'table' and v or { v }
  local n = names.length(list)
  if not n or n == 0 then
    return ('%s is %s; needs a pattern of names, or a list of them'):format(name, need.shown(v))
  end
  for i = 1, n do
    local where = type(v) == 'table' and ('%s[%d]'):format(name, i) or name
    if type(list[i]) ~= 'string' then
      return ('%s is %s; needs a pattern of names'):format(where, need.shown(list[i]))
    end
    local ok, e = pcall(string.find, '', list[i])
    if not ok then return ("%s is '%s': %s; needs a pattern of Lua"):format(where, list[i], e) end
  end
end

-- Always a list.
function M.list(v) return type(v) == 'table' and v or { v } end

function M.match(list, name)
  for _, pattern in ipairs(list) do
    if name:find(pattern) then return true end
  end
  return false
end

-- Refuses a pattern that matches none of the names.
function M.check_used(who, list, all)
  for _, pattern in ipairs(list) do
    local used = false
    for _, name in ipairs(all) do used = used or name:find(pattern) ~= nil end
    if not used then c.fail("%s: '%s' matches no parameter; have %s", who, pattern, table.concat(all, ' ')) end
  end
end

return M
