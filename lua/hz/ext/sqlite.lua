-- sqlite.lua: the one door to SQLite. Opened at the first use; errors name the file and SQLite's reason.
local ffi = require 'ffi'
local c = require 'hz.c'

ffi.cdef [[
typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;
int sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int sqlite3_close_v2(sqlite3 *db);
int sqlite3_busy_timeout(sqlite3 *db, int ms);
void sqlite3_progress_handler(sqlite3 *db, int instructions, void *stop, void *argument);
int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int bytes, sqlite3_stmt **stmt, const char **tail);
int sqlite3_bind_text(sqlite3_stmt *stmt, int i, const char *text, int bytes, intptr_t destructor);
int sqlite3_bind_double(sqlite3_stmt *stmt, int i, double value);
int sqlite3_bind_null(sqlite3_stmt *stmt, int i);
int sqlite3_step(sqlite3_stmt *stmt);
int sqlite3_reset(sqlite3_stmt *stmt);
int sqlite3_stmt_readonly(sqlite3_stmt *stmt);
int sqlite3_column_count(sqlite3_stmt *stmt);
const char *sqlite3_column_name(sqlite3_stmt *stmt, int i);
int sqlite3_column_type(sqlite3_stmt *stmt, int i);
double sqlite3_column_double(sqlite3_stmt *stmt, int i);
const char *sqlite3_column_text(sqlite3_stmt *stmt, int i);
int sqlite3_column_bytes(sqlite3_stmt *stmt, int i);
int sqlite3_finalize(sqlite3_stmt *stmt);
const char *sqlite3_errmsg(sqlite3 *db);
]]

local M, Database = {}, {}
Database.__index = Database

local OK, ROW, DONE = 0, 100, 101
local BETWEEN = 100000                                 -- instructions of SQLite between looks at signals
local READWRITE, CREATE, READONLY = 2, 4, 1
local TRANSIENT = ffi.cast('intptr_t', -1)             -- SQLite makes its own copy of a bound text

local library
local function open()
  if library then return library end
  local ok, lib = c.try(ffi.load, 'libsqlite3.so.0')
  if not ok then c.fail('sqlite: libsqlite3.so.0 was not found; needs the package libsqlite3-0 (make deps)') end
  library = lib
  return lib
end
function M.present() return (c.try(open)) end

-- A database file, made when it is missing; ':memory:' for one that is in no file. mode 'read' only reads.
function M.open(path, mode)
  local lib, out = open(), ffi.new 'sqlite3 *[1]'
  local status = lib.sqlite3_open_v2(path, out, mode == 'read' and READONLY or READWRITE + CREATE, nil)
  local db = ffi.gc(out[0], lib.sqlite3_close_v2)
  if status ~= OK then
    c.fail('sqlite: %s: %s', path, db ~= nil and ffi.string(lib.sqlite3_errmsg(db)) or 'no memory')
  end
  lib.sqlite3_busy_timeout(db, 5000)
  lib.sqlite3_progress_handler(db, BETWEEN, ffi.cast('void *', c.C.hz_signal_pending), nil)
  return setmetatable({ db = db, path = path, lib = lib, kept = {} }, Database)
end

function Database:fail()
  c.poll()                                             -- a statement that a signal ended is no mistake
  c.fail('sqlite: %s: %s', self.path, ffi.string(self.lib.sqlite3_errmsg(self.db)))
end

local function bind(self, stmt, i, v)
  if v == nil then
    self.lib.sqlite3_bind_null(stmt, i)
  elseif type(v) == 'number' then
    self.lib.sqlite3_bind_double(stmt, i, v)
  else
    self.lib.sqlite3_bind_text(stmt, i, v, #v, TRANSIENT)
  end
end

local function value(lib, stmt, i)
  local kind = lib.sqlite3_column_type(stmt, i)
  if kind == 5 then return nil end                     -- NULL
  if kind <= 2 then return lib.sqlite3_column_double(stmt, i) end
  local text = lib.sqlite3_column_text(stmt, i)
  return ffi.string(text, lib.sqlite3_column_bytes(stmt, i))
end

-- A prepared statement, and the text behind it.
local function prepare(self, sql)
  local out, tail = ffi.new 'sqlite3_stmt *[1]', ffi.new 'const char *[1]'
  if self.lib.sqlite3_prepare_v2(self.db, sql, #sql, out, tail) ~= OK then self:fail() end
  return ffi.gc(out[0], self.lib.sqlite3_finalize), tail[0] ~= nil and ffi.string(tail[0]) or ''
end

local function names_of(lib, stmt)
  local names = {}
  for i = 1, lib.sqlite3_column_count(stmt) do names[i] = ffi.string(lib.sqlite3_column_name(stmt, i - 1)) end
  return names
end

-- All rows, whose columns have these names. An error leaves the statement to the collector.
local function collect(self, stmt, names, ...)
  local lib, rows, values = self.lib, {}, { ... }
  for i = 1, select('#', ...) do bind(self, stmt, i, values[i]) end
  local status = lib.sqlite3_step(stmt)
  while status == ROW do
    local row = {}
    for i, name in ipairs(names) do row[name] = value(lib, stmt, i - 1) end
    rows[#rows + 1] = row
    status = lib.sqlite3_step(stmt)
  end
  if status ~= DONE then self:fail() end
  return rows
end

local function run(self, stmt, ...)
  local names = names_of(self.lib, stmt)
  local rows = collect(self, stmt, names, ...)
  self.lib.sqlite3_finalize(ffi.gc(stmt, nil))
  return rows, names
end

-- Runs one statement with values for its '?'; returns its rows (tables by column name) and the column names in order.
function Database:rows(sql, ...) return run(self, (prepare(self, sql)), ...) end

-- The same of a statement that comes many times: it is prepared once.
function Database:again(sql, ...)
  local kept = self.kept[sql]
  if not kept then
    kept = { stmt = prepare(self, sql) }
    kept.names, self.kept[sql] = names_of(self.lib, kept.stmt), kept
  end
  local ok, rows = pcall(collect, self, kept.stmt, kept.names, ...)
  self.lib.sqlite3_reset(kept.stmt)
  if not ok then error(rows, 0) end
  return rows, kept.names
end

-- The same of a statement that somebody else wrote: one SELECT, which changes nothing.
function Database:ask(sql, ...)
  local stmt, rest = prepare(self, sql)
  local plain = sql:gsub('%-%-[^\n]*', ''):gsub('/%*.-%*/', '')
  local verb = (plain:match '^[%s(]*(%a*)'):lower()
  if stmt == nil or self.lib.sqlite3_stmt_readonly(stmt) == 0
      or not (verb == 'select' or verb == 'with' or verb == 'values') then
    c.fail("query: '%s' was given; needs a SELECT", sql)
  end
  if rest:gsub('%-%-[^\n]*', ''):find '[^%s;]' then
    c.fail("query: '%s' follows the first statement; needs one SELECT", rest:match '^%s*(.-)%s*$')
  end
  return run(self, stmt, ...)
end

function Database:close()
  for _, kept in pairs(self.kept) do self.lib.sqlite3_finalize(ffi.gc(kept.stmt, nil)) end
  self.kept = {}
  if self.db then self.lib.sqlite3_close_v2(ffi.gc(self.db, nil)) end
  self.db = nil
end

return M
