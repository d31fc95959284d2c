-- posix.lua: the one door to libc, for what Lua's io and os lack: durable writes, folders, locks, processes.
-- Linux, 64 bit. Every call returns its value, or nil and the system's reason; messages with a name in them
-- are made by file.lua.
-- Numbers here are of the generic Linux ABI (x86-64, arm64, riscv64); statx is used because its struct is the
-- same everywhere.
local ffi = require 'ffi'

ffi.cdef [[
typedef struct hz_dir hz_dir;
typedef struct hz_FILE hz_FILE;
struct hz_dirent { uint64_t ino; int64_t off; uint16_t reclen; uint8_t type; char name[256]; };
struct hz_statx_time { int64_t sec; uint32_t nsec; int32_t pad; };
struct hz_statx { uint32_t mask, blksize; uint64_t attributes; uint32_t nlink, uid, gid; uint16_t mode, pad;
                  uint64_t ino, size, blocks, attributes_mask; struct hz_statx_time atime, btime, ctime, mtime;
                  uint32_t rdev_major, rdev_minor, dev_major, dev_minor; uint64_t spare[14]; };
struct hz_statvfs { unsigned long bsize, frsize; uint64_t blocks, bfree, bavail, files, ffree, favail;
                    unsigned long fsid, flag, namemax; int spare[6]; };
typedef struct hz_pollfd { int fd; short events, revents; } hz_pollfd;
int poll(hz_pollfd *list, unsigned long count, int ms);
int open(const char *path, int flags, ...);
int close(int fd);
long read(int fd, void *buffer, size_t bytes);
long write(int fd, const void *buffer, size_t bytes);
int fsync(int fd);
int rename(const char *from, const char *to);
int link(const char *from, const char *to);
int mkdir(const char *path, unsigned mode);
int unlink(const char *path);
int rmdir(const char *path);
hz_dir *opendir(const char *path);
struct hz_dirent *readdir(hz_dir *d);
int closedir(hz_dir *d);
int statx(int folder, const char *path, int flags, unsigned mask, struct hz_statx *out);
int statvfs(const char *path, struct hz_statvfs *out);
int flock(int fd, int operation);
int ftruncate(int fd, long bytes);
int kill(int pid, int signal);
int getpid(void);
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
int isatty(int fd);
int ioctl(int fd, unsigned long request, ...);
int usleep(unsigned microseconds);
int gethostname(char *name, size_t bytes);
char *realpath(const char *path, char *room);
void free(void *p);
char *strerror(int code);
hz_FILE *fdopen(int fd, const char *mode);
int fclose(hz_FILE *f);
int fflush(hz_FILE *f);
]]

local C = ffi.C
local M = {}

local RDONLY, WRONLY, RDWR, CREAT, EXCL, APPEND, NONBLOCK, CLOEXEC = 0, 1, 2, 0x40, 0x80, 0x400, 0x800, 0x80000
local NOFOLLOW = jit.arch == 'arm64' and 0x8000 or 0x20000
local EINTR, ENOENT, EEXIST, EAGAIN, EPERM = 4, 2, 17, 11, 1
local LOCK_SH, LOCK_EX, LOCK_NB = 1, 2, 4
local AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, STATX_BASIC = -100, 0x1000, 0x100, 0x7ff
local kinds = { [0x8000] = 'file', [0x4000] = 'folder', [0xa000] = 'link' }
local special = { [0x1000] = 'pipe', [0x2000] = 'device', [0x6000] = 'device', [0xc000] = 'socket' }

-- nil, the text of errno, its number
local function why()
  local code = ffi.errno()
  return nil, ffi.string(C.strerror(code)), code
end
local function done(status)
  if status == 0 then return true end
  return why()
end

local own = CREAT + NOFOLLOW + NONBLOCK
local openings = { read = RDONLY + NONBLOCK, new = WRONLY + CREAT + EXCL, over = WRONLY, append = WRONLY + APPEND + own,
  lock = RDWR + own, share = RDWR + APPEND + own }
-- A descriptor; how is 'read' (never waits for a writer), 'new' (must not exist yet), 'over' (what is there already),
-- or 'append', 'lock', 'share' (made if it is missing; a link is an error).
function M.open(path, how)
  local fd = C.open(path, openings[how] + CLOEXEC, ffi.cast('unsigned', 0x1b6))      -- rw-rw-rw- less the umask
  if fd >= 0 then return fd end
  return why()
end
function M.close(fd) return done(C.close(fd)) end

-- Writes all bytes at `pointer`.
function M.write(fd, pointer, bytes)
  local p, left = ffi.cast('const char *', pointer), bytes
  while left > 0 do
    local n = tonumber(C.write(fd, p, math.min(left, 2 ^ 30)))
    if n < 0 then
      if ffi.errno() ~= EINTR then return why() end
    else
      p, left = p + n, left - n
    end
  end
  return true
end

-- Reads up to `bytes` to `pointer`; returns how many there were.
function M.read(fd, pointer, bytes)
  local p, got = ffi.cast('char *', pointer), 0
  while got < bytes do
    local n = tonumber(C.read(fd, p + got, math.min(bytes - got, 2 ^ 30)))
    if n == 0 then break end
    if n < 0 then
      if ffi.errno() ~= EINTR then return why() end
    else
      got = got + n
    end
  end
  return got
end

function M.sync(fd) return done(C.fsync(fd)) end
function M.truncate(fd) return done(C.ftruncate(fd, 0)) end
function M.rename(from, to) return done(C.rename(from, to)) end
function M.link(from, to) return done(C.link(from, to)) end
function M.unlink(path) return done(C.unlink(path)) end
function M.rmdir(path) return done(C.rmdir(path)) end

-- Makes one folder; one that is there already is fine.
function M.mkdir(path)
  if C.mkdir(path, 0x1ff) == 0 or ffi.errno() == EEXIST then return true end
  return why()
end

local function stat(fd, path, flags)
  local s = ffi.new 'struct hz_statx'
  if C.statx(fd, path, flags, STATX_BASIC, s) ~= 0 then return why() end
  local mode = bit.band(s.mode, 0xf000)
  local kind = kinds[mode] or 'other'
  local id = ('%x:%x:%s'):format(s.dev_major, s.dev_minor, tostring(s.ino))
  return { kind = kind, what = special[mode] or kind, bytes = tonumber(s.size), modified = tonumber(s.mtime.sec),
    id = id, stamp = ('%s %d.%09d'):format(id, tonumber(s.ctime.sec), s.ctime.nsec) }
end
-- { kind = 'file'|'folder'|'other', what (in words), bytes, modified (seconds since 1970), id, stamp (another after
-- every write, also one that keeps the size and sets the time back) }; symbolic links are followed by stat and are
-- 'link' to lstat.
function M.stat(path) return stat(AT_FDCWD, path, 0) end
function M.lstat(path) return stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW) end
function M.fstat(fd) return stat(fd, '', AT_EMPTY_PATH) end
function M.missing(code) return code == ENOENT end

-- Names in a folder, without . and .., in no particular order.
function M.list(path)
  local d = C.opendir(path)
  if d == nil then return why() end
  local names = {}
  while true do
    local e = C.readdir(d)
    if e == nil then break end
    local name = ffi.string(e.name)
    if name ~= '.' and name ~= '..' then names[#names + 1] = name end
  end
  C.closedir(d)
  return names
end

-- The path without links, dots and double slashes.
function M.realpath(path)
  local real = C.realpath(path, nil)
  if real == nil then return why() end
  local text = ffi.string(real)
  C.free(real)
  return text
end

-- Bytes that this user may still write on the file system of `path`.
function M.free_bytes(path)
  local s = ffi.new 'struct hz_statvfs'
  if C.statvfs(path, s) ~= 0 then return why() end
  return tonumber(s.bavail) * tonumber(s.frsize)
end

-- Takes the advisory lock of an open file, shared with others who share it or alone: true; false when another process
-- has it. The kernel gives it up with the process.
function M.lock(fd, shared)
  if C.flock(fd, LOCK_NB + (shared and LOCK_SH or LOCK_EX)) == 0 then return true end
  if ffi.errno() == EAGAIN then return false end
  return why()
end

-- Ends early when a signal arrives.
function M.sleep(seconds) C.usleep(math.min(seconds, 0.99) * 1e6) end

function M.pid() return C.getpid() end

-- A variable of this process's environment; nil: none.
function M.setenv(name, value)
  if value then C.setenv(name, value, 1) else C.unsetenv(name) end
end

local function read(path)
  local f = io.open(path)
  local text = f and f:read '*a' or ''
  if f then f:close() end
  return text
end

-- Whether a process of this machine lives (also one of another user's). One that has ended and that nobody has asked
-- about yet, a zombie, does not.
function M.alive(pid)
  if C.kill(pid, 0) ~= 0 and ffi.errno() ~= EPERM then return false end
  return not read(('/proc/%d/stat'):format(pid)):find '^%d+ %(.*%) [ZX] [^)]*$'
end

local TICKS = 100                                      -- a second, in /proc, on every Linux

-- When a process began, in seconds as os.time has them, to one or two; nil where the system does not say. Numbers of
-- processes are used again: one that began after a file was written did not write it.
function M.began(pid)
  local ticks = read(('/proc/%d/stat'):format(pid)):match('.*%) %S+' .. (' %S+'):rep(18) .. ' (%d+)')
  local boot = read '/proc/stat':match 'btime (%d+)'
  return ticks and boot and tonumber(boot) + tonumber(ticks) / TICKS or nil
end
function M.terminal(fd) return C.isatty(fd) == 1 end
-- Columns of a terminal, nil if it is none or does not say.
function M.columns(fd)
  local size = ffi.new 'unsigned short[4]'             -- rows, columns, and both in pixels (TIOCGWINSZ)
  return C.ioctl(fd, 0x5413, size) == 0 and size[1] > 0 and size[1] or nil
end
function M.host()
  local name = ffi.new 'char[256]'
  return C.gethostname(name, 255) == 0 and ffi.string(name) or 'unknown'
end

-- A C stream for libraries that write to one, at the end of a file that is made if it is missing; a link is an error.
function M.append(path)
  local fd, reason = M.open(path, 'append')
  if not fd then return nil, reason end
  local f = C.fdopen(fd, 'ab')
  if f ~= nil then return f end
  C.close(fd)
  return why()
end
function M.fclose(f) return done(C.fclose(f)) end

return M
