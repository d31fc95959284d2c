-- threads.lua: the threads of this machine, shared among the processes of a sweep.
local c = require 'hz.c'
local C = c.C

local M = {}

-- Threads of the i-th of `processes` that share `total`; without i those that each of them has at least.
function M.share(total, processes, i)
  return math.max(1, math.floor(total / processes) + ((i or processes) <= total % processes and 1 or 0))
end

-- Calls f(...) with so many threads, and returns what it returns.
function M.with(n, f, ...)
  local before = C.hz_cpu_threads()
  c.check(C.hz_cpu_set_threads(n))
  local ok, value = pcall(f, ...)
  c.check(C.hz_cpu_set_threads(before))
  if not ok then error(value, 0) end
  return value
end

return M
