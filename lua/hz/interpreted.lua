-- interpreted.lua: what LuaJIT 2.1 compiles wrongly is left to its interpreter. Loads before anything else of hz, so
-- that modules, scripts and the prompt see these globals alone. Loops inside such a loop are compiled as ever.
--
--   next, pairs   On x64 the two results of lj_vm_next may have to change places, and ra_destpair() in lj_asm.c (up to
--                 2.1.0-beta3) writes the exchange for 32 bits: half a pointer, and now and then a crash.
--   getmetatable  of an io file: recff_getmetatable() in lj_ffrecord.c takes a metatable that was never looked up.
--
-- Not mended: where compiled code makes NaN a new key of a table, the error may end the process, as its place is looked
-- for in a frame that is not there.
local raw_next, raw_pairs, raw_getmetatable = next, pairs, getmetatable
local type = type

local function needs_table(name, what)
  error(("bad argument #1 to '%s' (table expected, got %s)"):format(name, what), 3)
end

local function step(t, k) return raw_next(t, k) end
jit.off(step)

-- next(t [, k]) and pairs(t): as Lua 5.1 has them.
function next(...)
  local t, k = ...
  if type(t) ~= 'table' then needs_table('next', select('#', ...) == 0 and 'no value' or type(t)) end
  return step(t, k)
end

function pairs(...)
  local t = ...
  if type(t) ~= 'table' then
    -- A cdata may have a __pairs of its own; one that has none is refused as ever.
    if type(t) == 'cdata' then return raw_pairs(t) end
    needs_table('pairs', select('#', ...) == 0 and 'no value' or type(t))
  end
  local f, state, first = raw_pairs(t)
  return f == raw_next and step or f, state, first
end

local function of_userdata(x) return raw_getmetatable(x) end
jit.off(of_userdata)

-- getmetatable(x): as Lua 5.1 has it.
function getmetatable(...)
  if type((...)) == 'userdata' then return of_userdata((...)) end
  return raw_getmetatable(...)
end

-- Built from a loop over pairs.
jit.off(table.foreach)

return true
