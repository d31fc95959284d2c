-- confine.lua: a program that may do anything, run in a process of its own until it ends or says nothing for too long.
-- What it prints is counted and its beginning kept; what it has to say it writes to descriptor 3, in lines. It gets a
-- process group of its own, which is killed with it. Linux, 64 bit.
local ffi = require 'ffi'
local c = require 'hz.c'
local process = require 'hz.ext.process'               -- declares pipe2, posix_spawn and its actions, waitpid

ffi.cdef [[
int posix_spawnattr_init(void *attributes);
int posix_spawnattr_destroy(void *attributes);
int posix_spawnattr_setflags(void *attributes, short flags);
int posix_spawnattr_setpgroup(void *attributes, int group);
]]

local C = ffi.C
local M = {}

local CLOEXEC, POLLIN, WNOHANG, SETPGROUP, RDONLY = 0x80000, 1, 1, 2, 0
local SIZE = 512                                       -- bytes; the structs of posix_spawn are smaller everywhere
local KEPT = 65536                                     -- bytes of what it prints
local TURN = 20                                        -- ms between looks at whether it has ended
local DRAINS = 64                                      -- reads of what was written before the end
M.FLOOD = 2 ^ 27                                      -- bytes that it may print
M.SAYS = 3                                             -- the descriptor that it speaks to

local buffer = ffi.new 'char[65536]'

local function pipes(n)
  local list = {}
  for i = 1, n do
    local fd = ffi.new 'int[2]'
    if C.pipe2(fd, CLOEXEC) ~= 0 then c.fail('check: no pipe can be had: %s', ffi.string(C.strerror(ffi.errno()))) end
    list[i] = { read = fd[0], write = fd[1], open = true }
  end
  return list
end

local function spawn(path, arguments, set, ends)
  local actions, attributes, pid = ffi.new('char[?]', SIZE), ffi.new('char[?]', SIZE), ffi.new 'int[1]'
  local argv, keep = process.strings(arguments)
  local envp, keep_too = process.strings(process.environment(set))
  C.posix_spawn_file_actions_init(actions)
  C.posix_spawnattr_init(attributes)
  C.posix_spawnattr_setflags(attributes, SETPGROUP)
  C.posix_spawnattr_setpgroup(attributes, 0)
  C.posix_spawn_file_actions_addopen(actions, 0, '/dev/null', RDONLY, 0)
  for i, e in ipairs(ends) do C.posix_spawn_file_actions_adddup2(actions, e.write, i) end
  local code = C.posix_spawn(pid, path, actions, attributes, argv, envp)
  C.posix_spawn_file_actions_destroy(actions)
  C.posix_spawnattr_destroy(attributes)
  if code ~= 0 then c.fail('check: no process can be had: %s', ffi.string(C.strerror(code))) end
  return pid[0], keep, keep_too
end

-- What has come through a pipe since; false once it was closed.
local function take(fd, got)
  local n = tonumber(C.read(fd, buffer, 65536))
  if n > 0 then got(ffi.string(buffer, n)) end
  return n ~= 0
end

-- Calls got[i](text) for what the pipes hold, after at most `ms`; true if there was anything.
local function listen(ends, got, ms)
  local list, any = ffi.new('hz_pollfd[?]', #ends), false
  for i, e in ipairs(ends) do list[i - 1].fd, list[i - 1].events = e.open and e.read or -1, POLLIN end
  if C.poll(list, #ends, ms) < 1 then return false end
  for i, e in ipairs(ends) do
    if list[i - 1].revents ~= 0 then
      e.open = take(e.read, got[i])
      any = any or e.open
    end
  end
  return any
end

-- The functions that take what comes, filling in `run`.
local function takers(run, heard)
  local rest = ''
  local function printed(text)
    run.printed = run.printed + #text
    if #run.output < KEPT then run.output = run.output .. text:sub(1, KEPT - #run.output) end
  end
  return { printed, printed, function(text)
    rest = (rest .. text):gsub('([^\n]*)\n', function(line)
      heard(line)
      return ''
    end)
  end }
end

local function ended(pid, status) return C.waitpid(pid, status, WNOHANG) == pid end

-- Waits for the end, and brings it about where nothing is said for too long; its status as waitpid has it.
local function watch(pid, run, ends, got, patience)
  local status, since = ffi.new 'int[1]', c.C.hz_seconds()
  local function said(text)
    since = c.C.hz_seconds()
    got[3](text)
  end
  while not ended(pid, status) do
    listen(ends, { got[1], got[2], said }, TURN)
    run.late = c.C.hz_seconds() - since > patience
    run.flood = run.printed > M.FLOOD
    if run.late or run.flood or c.interrupted() ~= 0 then
      C.kill(-pid, process.SIGKILL)
      C.waitpid(pid, status, 0)
      break
    end
  end
  C.kill(-pid, process.SIGKILL)                        -- whom it left behind
  for _ = 1, DRAINS do
    if not listen(ends, got, 0) then break end
  end
  return status[0]
end

-- Runs the program at `path` with arguments (its name first) and environment variables besides ours. heard(line) is
-- called for each line that it says; where it says none for `patience` seconds, it is killed. Returns { status or
-- signal, late or flood (it was killed for silence, or for what it printed), printed = bytes, output = the first of
-- them, seconds }.
function M.run(path, arguments, set, patience, heard)
  local ends, run = pipes(3), { printed = 0, output = '' }
  local start = c.C.hz_seconds()
  c.defer(true)                                        -- until it is gone
  local ok, e = pcall(function()
    local pid = spawn(path, arguments, set, ends)
    for _, one in ipairs(ends) do
      C.close(one.write)
      one.write = nil
    end
    local status = watch(pid, run, ends, takers(run, heard), patience)
    local signal = bit.band(status, 0x7f)
    if signal ~= 0 then run.signal = signal else run.status = bit.band(bit.rshift(status, 8), 0xff) end
  end)
  for _, one in ipairs(ends) do
    C.close(one.read)
    if one.write then C.close(one.write) end
  end
  run.seconds = c.C.hz_seconds() - start
  c.defer(false)
  if not ok then error(e, 0) end
  c.poll()
  return run
end

-- ---- in the program ----

-- Ends with its parent.
function M.follow() C.prctl(1, ffi.cast('unsigned long', process.SIGKILL)) end

function M.say(line)
  line = line:gsub('\n', ' ') .. '\n'
  C.write(M.SAYS, line, #line)
end

return M
