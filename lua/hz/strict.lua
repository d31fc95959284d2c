-- strict.lua: after require 'hz.strict', reading or writing a global that was never declared is an error. Declared
-- are those that exist when this loads and those set with rawset. For tests; the prompt and scripts stay plain Lua.
local allowed = { hz = true, arg = true }

setmetatable(_G, {
  __newindex = function(_, name, value)
    if allowed[name] then return rawset(_G, name, value) end
    error(("strict: global '%s' was assigned; needs 'local' or rawset(_G, ...)"):format(tostring(name)), 2)
  end,
  __index = function(_, name)
    if allowed[name] then return nil end
    error(("strict: global '%s' was read; nothing declared it"):format(tostring(name)), 2)
  end,
})

return true
