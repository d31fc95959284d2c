-- pty.lua: the door to pseudo-terminals: a program with a terminal of its own, whose keys we type and whose screen we
-- read. Linux, 64 bit.
local ffi = require 'ffi'
local process = require 'hz.ext.process'               -- declares posix_spawn and what belongs to it

ffi.cdef [[
int posix_openpt(int flags);
int grantpt(int fd);
int unlockpt(int fd);
int ptsname_r(int fd, char *name, size_t bytes);
int posix_spawnattr_init(void *attributes);
int posix_spawnattr_setflags(void *attributes, short flags);
int posix_spawnattr_destroy(void *attributes);
]]

local C = ffi.C
local RDWR, NOCTTY, CLOEXEC, POLLIN, SETSID = 2, 0x100, 0x80000, 1, 0x80
local SIZE = 512                                       -- bytes; more than the types of posix_spawn have

local M, Terminal = {}, {}
Terminal.__index = Terminal

local function open()
  local fd, name = C.posix_openpt(RDWR + NOCTTY + CLOEXEC), ffi.new 'char[64]'
  if fd < 0 or C.grantpt(fd) ~= 0 or C.unlockpt(fd) ~= 0 or C.ptsname_r(fd, name, 64) ~= 0 then
    if fd >= 0 then C.close(fd) end
    return nil
  end
  return fd, ffi.string(name)
end

-- The program leads a session of its own, and the terminal that it opens as stdin becomes that session's.
local function spawn(name, path, arguments, set)
  local actions, attributes, pid = ffi.new('char[?]', SIZE), ffi.new('char[?]', SIZE), ffi.new 'int[1]'
  local argv, keep = process.strings(arguments)
  local envp, keep_too = process.strings(process.environment(set))
  C.posix_spawn_file_actions_init(actions)
  for fd = 0, 2 do C.posix_spawn_file_actions_addopen(actions, fd, name, RDWR, 0) end
  C.posix_spawnattr_init(attributes)
  C.posix_spawnattr_setflags(attributes, SETSID)
  local code = C.posix_spawn(pid, path, actions, attributes, argv, envp)
  C.posix_spawnattr_destroy(attributes)
  C.posix_spawn_file_actions_destroy(actions)
  return #keep + #keep_too > 0 and code == 0 and pid[0] or nil
end

-- Starts the program at `path`. arguments: a list, the program's name first; set: environment variables besides ours.
-- nil where that cannot be.
function M.start(path, arguments, set)
  local fd, name = open()
  local pid = fd and spawn(name, path, arguments, set)
  if pid then return setmetatable({ fd = fd, pid = pid, seen = '', poll = ffi.new 'hz_pollfd' }, Terminal) end
  if fd then C.close(fd) end
end

function Terminal:type(keys) C.write(self.fd, keys, #keys) end

local block = ffi.new 'char[65536]'
-- Waits until the screen has shown `text` since the last call: what came until then; nil after so many seconds, or when
-- the program has ended.
function Terminal:await(text, seconds)
  local ms = seconds * 1000
  while true do
    local _, last = self.seen:find(text, 1, true)
    if last then
      local shown = self.seen:sub(1, last)
      self.seen = self.seen:sub(last + 1)
      return shown
    end
    self.poll.fd, self.poll.events = self.fd, POLLIN
    if C.poll(self.poll, 1, ms) < 1 then return nil end
    local n = tonumber(C.read(self.fd, block, 65536))
    if n < 1 then return nil end
    self.seen = self.seen .. ffi.string(block, n)
  end
end

-- Hangs up, which ends the program.
function Terminal:close()
  C.close(self.fd)
  C.kill(self.pid, process.SIGKILL)
  process.wait(self.pid)
end

return M
