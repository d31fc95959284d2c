-- file.lua: whole files, folders and locks, with messages that name the path and the system's reason. What is
-- written is either there completely or not at all: a temporary file in the same folder, synced, then renamed
-- over the old one. Only regular files are read: a pipe may never end. Locks and temporary files follow no links.
local ffi = require 'ffi'
local c = require 'hz.c'
local given = require 'hz.base.need'
local names = require 'hz.base.names'
local posix = require 'hz.ext.posix'

local M = {}

-- Passes value, reason on; a missing value is raised with who and path.
local function need(who, path, value, reason)
  if not value then c.fail('%s: %s: %s', who, path, reason) end
  return value
end

-- ---- names ----

function M.join(folder, name)
  if folder == '' then return name end
  return (folder:gsub('/+$', '')) .. '/' .. name
end
function M.folder_of(path) return path:match '^(.*[^/])/+[^/]*$' or path:match '^/' or '.' end
function M.name_of(path) return path:match '[^/]*$' end

-- The whole path of what is there, without links and dots; as it was given where that is not to be had.
function M.real(path) return posix.realpath(path) or path end

-- Whether a name that was read somewhere stays in the folder it is looked up in, and is no hidden file.
function M.is_plain(name) return type(name) == 'string' and name:find '^[^%./%c][^/%c]*$' ~= nil end

-- The folders below HOME, unless the environment names others; nil where it names neither.
local function home(variable, below)
  local base, own = os.getenv(variable), os.getenv 'HOME'
  if base and base:sub(1, 1) == '/' then return base .. '/hz' end   -- relative ones are to be ignored (XDG)
  return own and own ~= '' and own .. below .. '/hz' or nil
end
function M.data_home() return home('XDG_DATA_HOME', '/.local/share') end
function M.state_home() return home('XDG_STATE_HOME', '/.local/state') end
function M.cache_home()
  local own = os.getenv 'HZ_CACHE'
  return own and own ~= '' and own or home('XDG_CACHE_HOME', '/.cache')
end

-- ---- asking ----

-- 'file', 'folder' or 'other'; nil when there is nothing.
function M.exists(path)
  local s = posix.stat(path)
  return s and s.kind
end
-- { kind, bytes, modified (seconds since 1970), id, stamp (another after every write) }
function M.stat(path) return need('file', path, posix.stat(path)) end
function M.size(path) return M.stat(path).bytes end
function M.free_bytes(path) return need('file', path, posix.free_bytes(path)) end
function M.terminal(fd) return posix.terminal(given.count('terminal', 'the file descriptor', fd)) end

-- What is there instead of a file, in words: a link, a pipe, a device, a folder; nil for a file, or nothing.
function M.odd(path)
  local s = posix.lstat(path)
  return s and s.kind ~= 'file' and s.what or nil
end

-- Sorted names in a folder.
function M.list(path)
  local names = need('list', path, posix.list(path))
  table.sort(names)
  return names
end

-- ---- reading ----

-- Calls use(fd, stat) with an open regular file.
local function opened(path, use)
  local fd = need('read', path, posix.open(path, 'read'))
  local ok, value = pcall(function()
    local s = need('read', path, posix.fstat(fd))
    if s.kind ~= 'file' then c.fail('read: %s: is a %s; needs a file', path, s.what) end
    return use(fd, s)
  end)
  posix.close(fd)
  if not ok then error(value, 0) end
  return value
end

-- Reads `bytes` from the current place of an open file to `pointer`; fewer is an error.
local function fill(path, fd, pointer, bytes)
  local got = need('read', path, posix.read(fd, pointer, bytes))
  if got < bytes then c.fail('read: %s: ends %d bytes early; needs %d', path, bytes - got, bytes) end
end

-- A whole file as a string.
function M.read_all(path)
  return opened(path, function(fd, s)
    local parts, bytes = {}, s.bytes > 0 and s.bytes or 65536      -- those of /proc do not say their size
    local buffer = ffi.new('char[?]', bytes)
    repeat
      local n = need('read', path, posix.read(fd, buffer, bytes))
      parts[#parts + 1] = ffi.string(buffer, n)
    until s.bytes > 0 or n < bytes
    return table.concat(parts)
  end)
end

-- Calls use(read, bytes) with the file's size and a function read(pointer, n) that fills n bytes from where
-- the last call ended.
function M.with(path, use)
  return opened(path, function(fd, s)
    return use(function(pointer, n) fill(path, fd, pointer, n) end, s.bytes)
  end)
end

-- Whether an error says that a file could not be read at all, rather than that its contents are wrong.
function M.is_unread(e) return ('%s'):format(tostring(e)):find '%f[%w]read: ' ~= nil end

-- The chunk of a Lua file that describes something; nil and a message, as of loadfile. A script itself may come from a
-- pipe, such a file may not.
function M.chunk(path)
  local s = posix.stat(path)
  if s and s.kind ~= 'file' then return nil, ('cannot open %s: is a %s; needs a file'):format(path, s.what) end
  return loadfile(path)
end

-- ---- writing ----

local count = 0
local function temporary(path)
  count = count + 1
  return M.join(M.folder_of(path), ('.%s.%s-%d-%d.tmp'):format(M.name_of(path), posix.host(), posix.pid(), count))
end

-- Makes a folder and those above it.
function M.mkdir(path)
  if posix.mkdir(path) then
    if M.exists(path) ~= 'folder' then c.fail('mkdir: %s: is not a folder; needs another name', path) end
    return path
  end
  local above = M.folder_of(path)
  if above ~= path and not M.exists(above) then M.mkdir(above) end
  need('mkdir', path, posix.mkdir(path))
  return path
end

-- The folder's entry of a new or renamed file is durable only after this.
local function sync_folder(path)
  local fd = need('write', path, posix.open(path, 'read'))
  posix.sync(fd)      -- some network file systems refuse; the rename stands all the same
  posix.close(fd)
end

local function write_chunks(fd, chunks)
  for _, chunk in ipairs(chunks) do
    local pointer, bytes = chunk, nil
    if type(chunk) == 'string' then bytes = #chunk else pointer, bytes = chunk[1], chunk[2] end
    local ok, reason = posix.write(fd, pointer, bytes)
    if not ok then return nil, reason end
  end
  return true
end

-- Whether a name stands for something that is written to, never replaced: /dev/stdout, /dev/null, /proc/self/fd/3.
local function is_outlet(path)
  if not (path:find '^/dev/' or path:find '^/proc/') or path:find '^/dev/shm/' then return false end
  local s = posix.lstat(path)
  return s ~= nil and (s.kind == 'link' or s.kind == 'other')
end

local function pour(path, chunks)
  local fd = need('write', path, posix.open(path, 'over'))
  local ok, reason = write_chunks(fd, chunks)
  local closed, late = posix.close(fd)
  if not ok or not closed then c.fail('write: %s: %s', path, reason or late) end
  return path
end

-- Writes a file as a whole. content: a string, or a list of strings and { pointer, bytes }. On any failure the
-- old file is as it was.
function M.write(path, content)
  local chunks = type(content) == 'table' and content or { content }
  if is_outlet(path) then return pour(path, chunks) end
  local fresh = temporary(path)
  local fd = need('write', path, posix.open(fresh, 'new'))
  local ok, reason = write_chunks(fd, chunks)
  if ok then ok, reason = posix.sync(fd) end
  local closed, late = posix.close(fd)
  if ok and closed then ok, reason = posix.rename(fresh, path) end
  if not ok or not closed then
    posix.unlink(fresh)
    c.fail('write: %s: %s', path, reason or late)
  end
  sync_folder(M.folder_of(path))
  return path
end

-- Whom a lock's file notes: the first that may still live.
local function owner(path)
  local ok, text = c.try(M.read_all, path)
  local out = { text = 'another process' }
  for pid, host in (ok and text or ''):gmatch '(%d+) (%S+)\n' do
    out = { pid = tonumber(pid), host = host, text = ('process %s on %s'):format(pid, host) }
    if host ~= posix.host() or posix.alive(out.pid) then break end
  end
  return out
end

local OLD = 86400                  -- seconds after which what nobody holds is nobody's

local function is_old(path)
  local s = posix.lstat(path)
  return s ~= nil and os.time() - s.modified > OLD
end

-- Whether the process of this machine that wrote a file may still be at it. Another may have its number by now.
local function at_work(pid, path)
  local s, began = posix.lstat(path), posix.began(pid)
  return posix.alive(pid) and not (s and began and began > s.modified + 2)
end

-- Removes what processes that are gone left in a folder: temporary files, at once where the process was of this
-- machine, else when they are old; and old locks that nobody holds.
function M.sweep(folder)
  local mine = posix.host()
  for _, name in ipairs(posix.list(folder) or {}) do
    local host, pid = name:match '^%..*%.([^/]+)%-(%d+)%-%d+%.tmp$'
    local path = M.join(folder, name)
    if host and (host == mine and not at_work(tonumber(pid), path) or is_old(path)) then posix.unlink(path) end
    if name:find '%.lock$' and is_old(path) and owner(path).pid then      -- one of ours: it notes its owner
      local ok, lock = c.try(M.lock, path)
      if ok and lock then lock:release() end
    end
  end
end

function M.rename(from, to)
  need('rename', from .. ' to ' .. to, posix.rename(from, to))
  sync_folder(M.folder_of(to))
end

-- Removes a file, or a folder with all that is in it; nothing there is fine.
function M.remove(path)
  local ok, reason, code = posix.unlink(path)          -- a link to a folder is unlinked, never followed
  if ok or posix.missing(code) then return end
  if M.exists(path) ~= 'folder' then c.fail('remove: %s: %s', path, reason) end
  for _, name in ipairs(M.list(path)) do M.remove(M.join(path, name)) end
  need('remove', path, posix.rmdir(path))
end

-- ---- locks ----

local Lock = {}
Lock.__index = Lock

-- Gives the lock up. The file is removed while it is still locked, so nobody can lock a file that is about
-- to vanish unseen; where others share it, it stays.
function Lock:release()
  if not self.fd then return end
  if posix.lock(self.fd) then posix.unlink(self.path) end
  posix.close(self.fd)
  self.fd = nil
end

local function open_lock(path, shared)
  local fd, reason = posix.open(path, shared and 'share' or 'lock')
  local s = not fd and posix.lstat(path) or fd and posix.fstat(fd)
  if s and s.kind ~= 'file' then
    if fd then posix.close(fd) end
    c.fail('lock: %s: is a %s; needs a file, or nothing', path, s.what)
  end
  return need('lock', path, fd, reason)
end

local function take(path, shared)
  while true do
    local fd = open_lock(path, shared)
    local got, reason = posix.lock(fd, shared)
    local s = got and posix.stat(path)
    if got and s and s.id == posix.fstat(fd).id then
      local text = ('%d %s\n'):format(posix.pid(), posix.host())
      if not shared then posix.truncate(fd) end
      posix.write(fd, text, #text)
      return setmetatable({ fd = fd, path = path }, Lock)
    end
    posix.close(fd)
    if got == nil then c.fail('lock: %s: %s', path, reason) end
    if got == false then return nil, owner(path) end
  end                                                  -- the file was removed by its last owner meanwhile: once more
end

-- Tries to lock `path` (a file of its own, made when missing). Returns a lock with :release(), or nil and its owner
-- { pid, host, text }. The lock dies with the process that holds it, however it ends.
function M.lock(path) return take(path, false) end

-- The same, held by any number of processes at once; nobody can lock the file alone meanwhile.
function M.share(path) return take(path, true) end

-- ---- what a user gives ----

local function is_chunk(v)
  return type(v) == 'string'
    or type(v) == 'table' and type(v[1]) == 'cdata' and type(v[2]) == 'number' and v[2] % 1 == 0 and v[2] >= 0
end

local function check_content(content)
  if type(content) == 'string' then return end
  if type(content) ~= 'table' or not given.list(content) then
    given.fail('write', 'the content', content, 'a text, or a list of texts and {pointer, bytes}')
  end
  for i, chunk in ipairs(content) do
    if not is_chunk(chunk) then given.fail('write', ('chunk %d'):format(i), chunk, 'a text, or {pointer, bytes}') end
  end
end

-- What else a function takes, after the path that each takes first.
local more = {
  join = function(name) given.text('join', 'the name', name) end,
  rename = function(to) given.path('rename', to) end,
  with = function(use) given.callable('with', 'what reads', use) end,
  write = check_content,
}

for _, name in ipairs { 'join', 'folder_of', 'name_of', 'real', 'exists', 'stat', 'size', 'free_bytes', 'list',
                        'read_all', 'with', 'mkdir', 'write', 'sweep', 'rename', 'remove', 'lock', 'share',
                        'odd', 'chunk' } do
  local f, check = M[name], more[name]
  M[name] = function(path, ...)
    given.text(name, 'the path', path)
    if check then check(...) end
    return f(path, ...)
  end
end

return names.guard('file', M)
