-- t.lua: what a test file works with: cases, skips, comparisons that raise at the caller's line, commands
-- and scratch folders.
local ffi = require 'ffi'
local posix = require 'hz.ext.posix'

local here = ...
local t = {}

-- ---- cases ----

local cases
function t.collect() cases = {}; return cases end
function t.case(name, f) cases[#cases + 1] = { name = name, run = f } end

local Skip = {}
function t.skip(reason, ...)
  error(setmetatable({ reason = select('#', ...) > 0 and reason:format(...) or reason }, Skip), 0)
end
function t.is_skip(e) return type(e) == 'table' and getmetatable(e) == Skip end

-- ---- comparisons ----

local function text(v)
  if type(v) == 'string' then return ('%q'):format(v) end
  return tostring(v)
end

local function fail(level, note, format, ...)
  error((note and note .. ': ' or '') .. format:format(...), level + 1)
end

function t.ok(value, note)
  if not value then fail(2, note, 'got %s; needs a true value', text(value)) end
  return value
end

local function same(a, b)
  if a == b then return true end
  if type(a) ~= 'table' or type(b) ~= 'table' then return false end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end

local function flat(v)
  if type(v) ~= 'table' then return text(v) end
  local parts = {}
  for k, x in pairs(v) do parts[#parts + 1] = (type(k) == 'number' and '' or tostring(k) .. '=') .. flat(x) end
  return '{' .. table.concat(parts, ', ') .. '}'
end

-- Tables are compared by contents.
function t.equal(got, wanted, note)
  if not same(got, wanted) then fail(2, note, 'got %s; needs %s', flat(got), flat(wanted)) end
end

-- |got - wanted| <= tolerance (absolute); NaN is never near.
function t.near(got, wanted, tolerance, note)
  if type(got) ~= 'number' or not (math.abs(got - wanted) <= tolerance) then
    fail(2, note, 'got %s; needs %s within %g', text(got), text(wanted), tolerance)
  end
end

function t.match(got, pattern, note)
  if type(got) ~= 'string' or not got:find(pattern) then
    fail(2, note, 'got %s; needs a match of %s', text(got), text(pattern))
  end
end

-- f(...) must raise an error whose text holds `part` (plain). Returns the text.
function t.raises(part, f, ...)
  local ok, e = pcall(f, ...)
  if ok then fail(2, nil, 'no error; needs one with %s', text(part)) end
  if not tostring(e):find(part, 1, true) then
    fail(2, nil, 'got error %s; needs %s in it', text(tostring(e)), text(part))
  end
  return tostring(e)
end

-- ---- what libraries print ----

ffi.cdef [[
int test_dup(int fd) __asm__("dup");
int test_dup2(int fd, int to) __asm__("dup2");
int test_fileno(void *file) __asm__("fileno");
]]

-- f(...) while nothing that a library prints on stderr is heard (Debian's libjxl 0.7 says what it thinks of a broken
-- stream); what sanitizers say is.
function t.mute(f, ...)
  if os.getenv 'HZ_SANITIZER' then return f(...) end
  local nothing = assert(io.open('/dev/null', 'w'))
  local keep = ffi.C.test_dup(2)
  ffi.C.test_dup2(ffi.C.test_fileno(nothing), 2)
  local ok, e = pcall(f, ...)
  ffi.C.test_dup2(keep, 2)
  posix.close(keep)
  nothing:close()
  if not ok then error(e, 0) end
  return e
end

-- ---- files and commands ----

t.here = here                                            -- "test/"
-- The executable under test, by its full path: commands run in folders of their own.
t.hz = os.getenv 'HZ_EXE' or io.popen(('readlink -f /proc/%d/exe'):format(posix.pid())):read '*l'

function t.read(path)
  local f = io.open(path, 'rb')
  if not f then return nil end
  local s = f:read '*a'
  f:close()
  return s
end

function t.write(path, s)
  local f = assert(io.open(path, 'wb'))
  f:write(s)
  f:close()
  return path
end

-- A scratch folder, removed after the case.
local folders = {}
function t.folder()
  local p = io.popen 'mktemp -d'
  local path = p:read '*l'
  p:close()
  folders[#folders + 1] = path
  return path
end

function t.cleanup()
  for _, path in ipairs(folders) do os.execute("rm -rf '" .. path .. "'") end
  folders = {}
end

function t.quote(s) return "'" .. tostring(s):gsub("'", "'\\''") .. "'" end

-- Runs a shell command: status, stdout, stderr. An ending by signal n is status 128 + n.
function t.sh(command, input)
  local d = t.folder()
  t.write(d .. '/in', input or '')
  os.execute(('exec 2>/dev/null; ( %s ) <%s/in >%s/out 2>%s/err; echo $? >%s/status'):format(command, d, d, d, d))
  return tonumber(t.read(d .. '/status')), t.read(d .. '/out'), t.read(d .. '/err')
end

-- Runs hz with the given arguments (a list or one already quoted string).
function t.run(args, input)
  if type(args) == 'table' then
    local q = {}
    for i, a in ipairs(args) do q[i] = t.quote(a) end
    args = table.concat(q, ' ')
  end
  return t.sh(t.quote(t.hz) .. ' ' .. args, input)
end

-- A command (a program, variables set before it) on a pseudo-terminal: send(keys), expect(text, seconds) waits until
-- the output since the last call holds the text and returns what came, finish() ends it and returns its status.
function t.terminal(command)
  if not t.tool 'script' then t.skip 'script (util-linux) is not installed' end
  if os.execute 'script -qec true /dev/null >/dev/null 2>&1 </dev/null' ~= 0 then
    t.skip 'no pseudo-terminal can be opened here'
  end
  local d = t.folder()
  -- The program replaces the shell: a shell that waits for it would take Ctrl-C for itself as well and end with 130.
  command = 'exec env ' .. command
  local pipe = io.popen(("TERM=xterm timeout 60 script -qfec %s %s/out >/dev/null 2>&1; "
    .. "echo $? >%s/status"):format(t.quote(command), d, d), 'w')
  local seen = 0
  local s = {}
  function s.send(keys) pipe:write(keys); pipe:flush() end
  function s.expect(part, seconds)
    local all
    for _ = 1, (seconds or 10) * 20 do
      all = (t.read(d .. '/out') or ''):sub(seen + 1)
      local _, last = all:find(part, 1, true)
      if last then
        seen = seen + last
        return all:sub(1, last)
      end
      os.execute 'sleep 0.05'
    end
    error(('the terminal showed %q; needs %q'):format(all, part), 2)
  end
  function s.finish()
    pipe:close()
    return tonumber(t.read(d .. '/status'))
  end
  return s
end

-- For cases about the kernels that the CPU chooses among: where HZ_DEVICE names a device that has others.
function t.need_cpu_kernels()
  local kind = (os.getenv 'HZ_DEVICE' or ''):match '^[^:]*'
  if kind == 'emu' or kind == 'cuda' then t.skip('the kernels of %s are others', kind) end
end

-- For cases that run on the emulated card.
function t.need_emu()
  if not t.read(t.hz:match '^(.*)/' .. '/libhz_emu.so') then t.skip 'libhz_emu.so was not built; it needs g++' end
end

-- f() with a variable of the environment set, for plans that are made meanwhile.
function t.with(name, value, f)
  local before = os.getenv(name)
  posix.setenv(name, value)
  local ok, e = pcall(f)
  posix.setenv(name, before)
  if not ok then error(e, 0) end
end

function t.tool(name) return os.execute('command -v ' .. name .. ' >/dev/null 2>&1') == 0 end

return t
