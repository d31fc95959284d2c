-- usage.lua: what this process uses, and a limit to it. Linux with glibc, 64 bit; elsewhere the heap counts as
-- empty.
local ffi = require 'ffi'
local posix = require 'hz.ext.posix'

ffi.cdef [[
struct hz_mallinfo2 { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; };
struct hz_mallinfo2 mallinfo2(void);
struct hz_rlimit { uint64_t soft, hard; };
int setrlimit(int resource, const struct hz_rlimit *limit);
]]

local C = ffi.C
local M = {}

local CORE, ADDRESSES = 4, 9                           -- RLIMIT_CORE, RLIMIT_AS
local counts = pcall(function() return C.mallinfo2 end)

-- Bytes that malloc has given out and not got back, by all threads.
function M.heap()
  if not counts then return 0 end
  local m = C.mallinfo2()
  return tonumber(m.uordblks + m.hblkhd)
end

local function status(name)
  local f = io.open '/proc/self/status'
  local text = f and f:read '*a' or ''
  if f then f:close() end
  return 1024 * tonumber(text:match(name .. ':%s*(%d+) kB') or 0)
end

local function entries(folder)
  local n = 0
  for _ in pairs(posix.list(folder) or {}) do n = n + 1 end
  return n
end

-- Open files, and threads.
function M.handles() return { ['open file'] = entries '/proc/self/fd', thread = entries '/proc/self/task' } end

-- Whether numbers near 0 are numbers; programs linked with -ffast-math make all of a process take them for 0.
function M.denormal()
  local small = 2 ^ -1020
  return small / 8 * 8 == small
end

-- Bytes of address space; the most bytes that were in memory at once, since `forget`.
function M.mapped() return status 'VmSize' end
function M.peak() return status 'VmHWM' end
function M.forget()
  local f = io.open('/proc/self/clear_refs', 'w')
  if not f then return end
  f:write '5'
  f:close()
end

-- No more than so many bytes beyond what is used now, and no core file of what ends in a crash.
function M.limit(bytes)
  local most = M.mapped() + bytes
  C.setrlimit(ADDRESSES, ffi.new('struct hz_rlimit', most, most))
  C.setrlimit(CORE, ffi.new('struct hz_rlimit', 0, 0))
end

return M
