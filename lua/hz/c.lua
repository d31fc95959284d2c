-- c.lua: the one door to the core. Loads libhz, declares what it declares of itself, turns status codes into errors
-- at the user's line, and lets Lua's collector feel native memory.
require 'hz.interpreted'
local ffi = require 'ffi'
local isa = require 'hz.isa'

local host = rawget(_G, '_HZ') or {}       -- set by the hz executable: root, library
local M = {}

M.root = host.root or os.getenv 'HZ_ROOT' or '.'
M.library = host.library or M.root .. '/build/libhz.so'

ffi.cdef 'const char *hz_cdef(void);'
local C = ffi.load(M.library)
ffi.cdef(ffi.string(C.hz_cdef()))
M.C, M.ffi = C, ffi

for _, name in ipairs { 'hz_tensor', 'hz_attr', 'hz_tail', 'hz_value', 'hz_node', 'hz_step', 'hz_node_stat', 'hz_trial',
    'hz_plan_options', 'hz_peak', 'hz_camera_spec', 'hz_strings_spec', 'hz_media', 'hz_stream', 'hz_recoded',
    'hz_param', 'hz_plugin_row', 'hz_measure', 'hz_mel_form', 'hz_clip', 'hz_clip_form' } do
  local core, own = tonumber(C.hz_sizeof(name)), ffi.sizeof(name)
  if core ~= own then
    error(("hz: struct %s is %d bytes in %s and %d here; rebuild hz"):format(name, core, M.library, own), 0)
  end
end

-- An interrupt is a value of its own, so that no pcall takes it for a mistake.
local Interrupt = { __tostring = function(e) return e.message end }
function M.is_interrupt(e) return isa(e, Interrupt) end
function M.interrupt(signal, message)
  error(setmetatable({ signal = signal, message = message or 'interrupted' }, Interrupt), 0)
end

local function passing(ok, ...)
  if not ok and M.is_interrupt((...)) then error((...), 0) end
  return ok, ...
end

-- pcall for who carries on after a mistake: an interrupt is none and passes.
function M.try(f, ...) return passing(pcall(f, ...)) end

-- Raises the mistake `e`, which says where it stands, with more text behind it; an interrupt passes as it is.
function M.again(e, more)
  if M.is_interrupt(e) then error(e, 0) end
  error(tostring(e) .. more, 0)
end

-- The library's own folder: frames from there are not the user's.
local here = debug.getinfo(1, 'S').source:match '^@(.*/)' or '@'
M.here = here

-- "file.lua:12: " of the innermost frame outside lua/hz, or "".
function M.where()
  local level = 2
  while true do
    local f = debug.getinfo(level, 'Sl')
    if not f then return '' end
    if f.what ~= 'C' and f.currentline > 0 and f.source:sub(2, #here + 1) ~= here then
      return ('%s:%d: '):format(f.short_src, f.currentline)
    end
    level = level + 1
  end
end

-- Raises `text` ("who: what was given; what is needed") at the user's line.
function M.fail(text, ...)
  local ok, full = true, tostring(text)
  if select('#', ...) > 0 then ok, full = pcall(string.format, full, ...) end
  error(M.where() .. (ok and full or 'fail: ' .. full), 0)
end

function M.message() return ffi.string(C.hz_message()) end

-- While deferred, a pending signal does not raise: loops that must end tidily ask for it themselves.
host.deferred = host.deferred or 0         -- core/main.c reads it, too, and defers while a module loads
function M.defer(on) host.deferred = host.deferred + (on and 1 or -1) end
function M.interrupted() return C.hz_signal_pending() end

function M.poll()
  local signal = C.hz_signal_pending()
  if signal ~= 0 and host.deferred == 0 then
    C.hz_signal_clear()
    M.interrupt(signal)
  end
end

-- ---- C that may call back into Lua ----
-- LuaJIT ends the process when compiled code calls such C, and an error that crosses it leaves its locks taken. So it
-- is called from here, where nothing is compiled; meanwhile no signal raises but in what C calls back, under pcall.

local function left(before, ok, ...)
  host.deferred = before
  if not ok then error((...), 0) end
  return ...
end

-- f(...), a function of C that may call back.
function M.into(f, ...)
  local before = host.deferred
  host.deferred = before + 1
  return left(before, pcall(f, ...))
end
jit.off(M.into)

local function expose(f, ...)
  host.deferred = 0
  return f(...)
end

local function covered(before, ...)
  host.deferred = before
  return ...
end

-- pcall(f, ...) for what C calls back. An interrupt stays pending: it is raised where C was called.
function M.back(f, ...) return covered(host.deferred, pcall(expose, f, ...)) end

-- Every status of the core passes through here.
function M.check(status, context)
  if C.hz_signal_pending() ~= 0 then M.poll() end        -- first: work that a signal ended early has failed, too
  if status ~= 0 then M.fail('%s', (context or '') .. M.message()) end
end

-- An index that is negative, or a pointer that is NULL, on failure.
function M.index(i, context)
  if i < 0 then M.fail('%s', (context or '') .. M.message()) end
  return i
end

-- Lua sees a few dozen bytes of a tensor; the collector must run when native memory has grown.
local floor_bytes, mark = 96 * 2 ^ 20, 0
local function press()
  local live = tonumber(C.hz_live_bytes())
  if live - mark > math.max(floor_bytes, mark / 2) then
    collectgarbage()
    mark = tonumber(C.hz_live_bytes())
  elseif live < mark then
    mark = live
  end
end

-- Makes a new object: NULL raises, after a second try with an emptied heap.
function M.new(make, ...)
  press()
  local p = make(...)
  if p == nil then
    collectgarbage()
    collectgarbage()
    p = make(...)
    if p == nil then M.fail('%s', M.message()) end
  end
  return p
end

-- Makes an object of arguments that are taken, also on failure: they are gone, so there is no second try.
function M.own_taking(make, free, ...)
  press()
  local p = make(...)
  if p == nil then M.fail('%s', M.message()) end
  return ffi.gc(p, free)
end

-- The same, freed by `free` when it is collected.
function M.own(make, free, ...) return ffi.gc(M.new(make, ...), free) end

function M.shape(list, who)
  if type(list) ~= 'table' then
    M.fail('%s: a shape is a table of extents; %s was given', who or 'tensor', type(list))
  end
  local n = #list
  if n > C.HZ_MAXDIM then M.fail('%s: %d dimensions were given; needs at most %d', who or 'tensor', n, C.HZ_MAXDIM) end
  local shape = ffi.new 'int64_t[6]'
  for i = 1, n do
    local extent = list[i]
    if type(extent) ~= 'number' or extent % 1 ~= 0 or math.abs(extent) > 2 ^ 53 then
      M.fail('%s: extent %d is %s; needs a whole number', who or 'tensor', i, tostring(extent))
    end
    shape[i - 1] = extent
  end
  return n, shape
end

function M.dtype(name, who)
  local d = type(name) == 'string' and C.hz_dtype_named(name) or -1
  if d < 0 then M.fail("%s: dtype '%s' is unknown; have f32 bf16 u8 i32 f64", who or 'tensor', tostring(name)) end
  return d
end

return M
