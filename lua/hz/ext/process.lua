-- process.lua: the door to libc for processes of our own: starting one with pipes to it, hearing from several,
-- ending with the parent. Processes are spawned, not forked: a fork would copy the state of threads that it does not
-- have (apart.lua forks for one call that needs none of them). Linux, 64 bit.
local ffi = require 'ffi'
require 'hz.ext.posix'                                  -- declares read, write, close, poll, kill, strerror

ffi.cdef [[
extern char **environ;
int pipe2(int fd[2], int flags);
int posix_spawn(int *pid, const char *path, const void *actions, const void *attributes,
                char *const argv[], char *const envp[]);
int posix_spawn_file_actions_init(void *actions);
int posix_spawn_file_actions_destroy(void *actions);
int posix_spawn_file_actions_adddup2(void *actions, int from, int to);
int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned mode);
int waitpid(int pid, int *status, int options);
int getppid(void);
int prctl(int option, ...);
void *signal(int number, void *handler);
]]

local C = ffi.C
local M = {}

local WRONLY, CLOEXEC, POLLIN, EINTR, PDEATHSIG = 1, 0x80000, 1, 4, 1
local ACTIONS = 256                                    -- bytes; posix_spawn_file_actions_t is smaller everywhere
M.SIGINT, M.SIGKILL, M.SIGPIPE, M.SIGTERM = 2, 9, 13, 15

local function reason() return ffi.string(C.strerror(ffi.errno())) end

local function pipe()
  local fd = ffi.new 'int[2]'
  if C.pipe2(fd, CLOEXEC) ~= 0 then return nil, reason() end
  return { read = fd[0], write = fd[1] }
end

-- A NULL-terminated array of C strings, and what keeps the strings alive.
function M.strings(list)
  local out, keep = ffi.new('char *[?]', #list + 1), {}
  for i, s in ipairs(list) do
    keep[i] = ffi.new('char[?]', #s + 1, s)
    out[i - 1] = keep[i]
  end
  return out, keep
end

-- Our environment with some variables set anew.
function M.environment(set)
  local list, i = {}, 0
  for name, value in pairs(set) do list[#list + 1] = name .. '=' .. value end
  while C.environ[i] ~= nil do
    local entry = ffi.string(C.environ[i])
    if not set[entry:match '^([^=]*)'] then list[#list + 1] = entry end
    i = i + 1
  end
  return list
end

local Process = {}
Process.__index = Process

local function spawn(path, arguments, set, input, errors)
  local actions, pid = ffi.new('char[?]', ACTIONS), ffi.new 'int[1]'
  local argv, keep = M.strings(arguments)
  local envp, keep_too = M.strings(M.environment(set))
  C.posix_spawn_file_actions_init(actions)
  C.posix_spawn_file_actions_adddup2(actions, input.read, 0)
  C.posix_spawn_file_actions_addopen(actions, 1, '/dev/null', WRONLY, 0)
  C.posix_spawn_file_actions_adddup2(actions, errors.write, 2)
  local code = C.posix_spawn(pid, path, actions, nil, argv, envp)
  C.posix_spawn_file_actions_destroy(actions)
  if #keep + #keep_too > 0 and code ~= 0 then return nil, ffi.string(C.strerror(code)) end
  return pid[0]
end

-- Starts the program at `path`. arguments: a list, the program's name first; set: environment variables besides ours.
-- Its stdin and stderr are pipes to us, its stdout goes nowhere. Returns a process, or nil and the system's reason.
function M.start(path, arguments, set)
  local input, why = pipe()
  if not input then return nil, why end
  local errors, why_not = pipe()
  if not errors then
    C.close(input.read)
    C.close(input.write)
    return nil, why_not
  end
  local pid, message = spawn(path, arguments, set, input, errors)
  C.close(input.read)
  C.close(errors.write)
  local self = setmetatable({ pid = pid, input = input.write, errors = errors.read, rest = '' }, Process)
  if not pid then
    self:close()
    return nil, message
  end
  return self
end

-- Sends text to its stdin; false if it does not listen any more.
function Process:send(text) return self.input ~= nil and tonumber(C.write(self.input, text, #text)) == #text end

-- Closes its stdin, which tells it to end.
function Process:close_input()
  if self.input then C.close(self.input) end
  self.input = nil
end

function Process:close()
  self:close_input()
  if self.errors then C.close(self.errors) end
  self.errors = nil
end

function Process:kill(number) C.kill(self.pid, number) end

-- Waits for the end of a process of ours: exit status, or nil and the signal's number. Once.
function M.wait(pid)
  local status = ffi.new 'int[1]'
  while C.waitpid(pid, status, 0) < 0 do
    if ffi.errno() ~= EINTR then return 0 end
  end
  local signal = bit.band(status[0], 0x7f)
  if signal ~= 0 then return nil, signal end
  return bit.band(bit.rshift(status[0], 8), 0xff)
end

function Process:wait() return M.wait(self.pid) end

local buffer = ffi.new 'char[65536]'
-- Whole lines of stderr that have come since, and whether it was closed; a line that is not whole yet stands in
-- self.rest. Call when await says that there is something.
function Process:lines()
  local n = tonumber(C.read(self.errors, buffer, 65536))
  local lines = {}
  if n > 0 then
    self.rest = (self.rest .. ffi.string(buffer, n)):gsub('([^\n]*)\n',
      function(line) lines[#lines + 1] = line; return '' end)
  end
  return lines, n == 0 or (n < 0 and ffi.errno() ~= EINTR)
end

-- Those of a list of processes that have said something or ended, after at most `seconds`; a signal ends the wait.
function M.await(processes, seconds)
  local list, ready = ffi.new('hz_pollfd[?]', #processes + 1), {}
  for i, p in ipairs(processes) do list[i - 1].fd, list[i - 1].events = p.errors, POLLIN end
  if C.poll(list, #processes, seconds * 1000) > 0 then
    for i, p in ipairs(processes) do
      if list[i - 1].revents ~= 0 then ready[#ready + 1] = p end
    end
  end
  return ready
end

-- ---- in the process that was started ----

-- Asks for SIGTERM when the parent dies; false if it has died already (its number was `parent`).
function M.end_with_parent(parent)
  C.prctl(PDEATHSIG, ffi.cast('unsigned long', M.SIGTERM))
  return C.getppid() == parent
end

function M.ignore(number) C.signal(number, ffi.cast('void *', 1)) end

return M
