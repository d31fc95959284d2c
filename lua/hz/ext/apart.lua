-- apart.lua: a long call of a foreign library in a process of its own, a fork that makes this one call and ends, so
-- that a signal can stop what has no way to be stopped. It sees our memory as it was; what it writes to the outputs
-- comes back through shared pages. The library must bear a fork (OpenBLAS starts its threads anew); the core's threads
-- and devices are not to be touched there. Linux, 64 bit.
local ffi = require 'ffi'
local c = require 'hz.c'
local process = require 'hz.ext.process'               -- declares pipe2, prctl

ffi.cdef [[
int fork(void);
void _exit(int status);
void *mmap(void *at, size_t bytes, int protection, int flags, int fd, long offset);
int munmap(void *at, size_t bytes);
]]

local C = ffi.C
local READ_WRITE, SHARED_ANONYMOUS, CLOEXEC, POLLIN, PDEATHSIG = 3, 0x21, 0x80000, 1, 1
local WAIT = 100                                       -- ms between looks at signals that came before the wait

-- outputs: a list of { pointer, bytes }. One shared block for all of them, or nil.
local function share(outputs)
  local bytes = 0
  for _, o in ipairs(outputs) do bytes = bytes + math.ceil(o[2] / 64) * 64 end
  local at = C.mmap(nil, bytes, READ_WRITE, SHARED_ANONYMOUS, -1, 0)
  if ffi.cast('intptr_t', at) == -1 then return nil end
  return ffi.cast('char *', at), bytes
end

-- Calls copy(output, its place in the block) for each.
local function each(outputs, block, copy)
  local at = 0
  for _, o in ipairs(outputs) do
    copy(o, block + at)
    at = at + math.ceil(o[2] / 64) * 64
  end
end

local function child(outputs, block, call)
  collectgarbage 'stop'                                -- what it frees may belong to a device
  jit.off()                                            -- a trace may hold what the parent's handler asks for
  process.ignore(process.SIGINT)                       -- Ctrl-C reaches both; the parent decides
  C.prctl(PDEATHSIG, ffi.cast('unsigned long', process.SIGKILL))
  local ok = pcall(call)
  if ok then each(outputs, block, function(o, at) ffi.copy(at, o[1], o[2]) end) end
  C._exit(ok and 0 or 1)
end

-- Waits for the end of the pipe that only the child writes to; false if a signal is pending.
local function await(fd)
  local p = ffi.new 'hz_pollfd'
  p.fd, p.events = fd, POLLIN
  while C.poll(p, 1, WAIT) < 1 do
    if c.interrupted() ~= 0 then return false end
  end
  return true
end

-- The child's exit status, or nil and the number of the signal that ended it; false if a signal to us ended the wait,
-- -1 if there was no child.
local function attempt(job, outputs, block, call)
  local pipe = ffi.new 'int[2]'
  if C.pipe2(pipe, CLOEXEC) ~= 0 then return -1 end
  job.pid = C.fork()
  if job.pid == 0 then child(outputs, block, call) end
  C.close(pipe[1])
  local ended = job.pid > 0 and await(pipe[0])
  C.close(pipe[0])
  if job.pid < 0 then return -1 end
  if not ended then return false end
  local status, number = process.wait(job.pid)
  job.pid = nil
  return status, number
end

-- The child must not be left behind, whatever ended the wait for it.
local function reap(job)
  if not job.pid or job.pid <= 0 then return end
  C.kill(job.pid, process.SIGKILL)
  process.wait(job.pid)
end

-- Calls call(), which writes to the outputs and nothing else; a signal ends it and raises. Where no process can be had
-- it is called right here. `who` asks, for the message when the process was ended, as for want of memory.
return function(who, outputs, call)
  local block, bytes = share(outputs)
  if not block then return call() end
  local job = {}
  c.defer(true)                                        -- until all of it is gone
  local ok, status, number = pcall(attempt, job, outputs, block, call)
  reap(job)
  if status == 0 then each(outputs, block, function(o, at) ffi.copy(o[1], at, o[2]) end) end
  C.munmap(block, bytes)
  c.defer(false)
  if not ok then error(status, 0) end
  c.poll()
  if number then
    c.fail('%s: its process was ended by signal %d; needs more memory, or a smaller problem', who, number)
  end
  if status ~= 0 then call() end
end
