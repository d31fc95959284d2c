-- index.lua: runs/index.db, a cache of the finished cells' records for reports and queries. Everything in it comes from
-- the files in cells/; it is brought up to date whenever it is opened, and made anew when it is missing, damaged or of
-- another version.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local file = require 'hz.base.file'
local form = require 'hz.sweep.form'
local json = require 'hz.base.json'
local rows_of = require 'hz.sweep.rows'
local say = require 'hz.base.say'
local sqlite = require 'hz.ext.sqlite'

local M = {}

local VERSION = 4                  -- of the tables below

-- Columns of the table `cells`, for queries: name, type, value of a flat row (rows.lua).
local numbers = { 'quality', 'quality_test', 'params', 'seed', 'epochs', 'accuracy', 'best', 'last', 'seconds',
  unpack(rows_of.figures) }
local texts = { 'data', 'split', 'protocol', 'codec', 'codec_test', 'model', 'dtype', 'parameter', 'parameter_test',
  'encoding', 'encoding_test', 'isa', 'vendor', 'kernels' }

-- Beside them a column for each parameter that a codec of some cell has, and NAME_test: all its values, walked or not.
local function columns()
  local names = { 'key', 'status' }
  for _, list in ipairs { texts, numbers } do
    for _, name in ipairs(list) do names[#names + 1] = name end
  end
  return names
end
M.columns = columns

-- Numbers compare as numbers, written as text or not: 444 and '444' are one value.
local function definition(name)
  for _, number in ipairs(numbers) do
    if name == number then return name .. ' NUMERIC' end
  end
  return name .. (name == 'key' and ' TEXT PRIMARY KEY' or '')
end

local function create(db)
  local defs = {}
  for i, name in ipairs(columns()) do defs[i] = definition(name) end
  db:rows 'BEGIN IMMEDIATE'
  for _, own in ipairs(db:rows "SELECT type FROM sqlite_master WHERE name = 'cells'") do
    db:rows(('DROP %s cells'):format(own.type))
  end
  db:rows('CREATE TABLE cells (' .. table.concat(defs, ', ') .. ', bytes, modified, record TEXT)')
  db:rows('PRAGMA user_version = ' .. VERSION)
  db:rows 'COMMIT'
end

-- Names of the columns there are, in lower case as SQL sees them.
local function columns_of(db)
  local have = {}
  for _, column in ipairs(db:rows 'PRAGMA table_info(cells)') do have[column.name:lower()] = true end
  return have
end

-- Whether the table is laid out as this file has it; a parameter of a codec may have a column of its own.
local function laid_out(db)
  if db:rows('PRAGMA user_version')[1].user_version ~= VERSION then return false end
  local have, kind = columns_of(db), db:rows "SELECT type FROM sqlite_master WHERE name = 'cells'"[1]
  for _, list in ipairs { columns(), { 'bytes', 'modified', 'record' } } do
    for _, name in ipairs(list) do
      if not have[name] then return false end
    end
  end
  return kind ~= nil and kind.type == 'table'
    and #db:rows "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'cells'" == 0
end

local function usable(path)
  local db = sqlite.open(path)
  if not laid_out(db) then create(db) end
  local check = db:rows('PRAGMA quick_check(1)')[1].quick_check
  if check ~= 'ok' then c.fail('sqlite: %s: %s', path, check) end
  return db
end

local function in_memory()
  local db = sqlite.open ':memory:'
  create(db)
  return db
end

-- The open database: the file, a new one if it is damaged, or one in memory where nothing can be written. What is
-- behind a link or a pipe is not ours to change.
local function open(runs)
  local path = file.join(runs, 'index.db')
  local odd = file.odd(path)
  if odd then
    say(('%s: is a %s, which needs to be a file; going on without the index'):format(path, odd))
    return in_memory()
  end
  local ok, db = pcall(usable, path)
  if ok then return db end
  local damaged = false
  for _, sign in ipairs { 'not a database', 'malformed', 'no such', '***' } do
    damaged = damaged or file.exists(path) and tostring(db):find(sign, 1, true)
  end
  if damaged then
    say(('%s; the index is made anew from the cells'):format(db))
    for _, more in ipairs { '', '-journal', '-wal', '-shm' } do pcall(file.remove, path .. more) end
    ok, db = pcall(usable, path)
    if ok then return db end
  end
  return in_memory()
end

-- ---- bringing it up to date ----

-- What a row says, by column. A parameter that is called like a field of every cell has no column of its own.
local function contents(db, row, have)
  local fixed, by = {}, {}
  for _, name in ipairs(columns()) do fixed[name], by[name] = true, row[name] end
  fixed.bytes, fixed.modified, fixed.record = true, true, true
  for name, text in pairs(rows_of.values(row)) do
    local own = name:lower()
    if not have[own] then db:rows(('ALTER TABLE cells ADD COLUMN "%s" NUMERIC'):format(own)) end
    have[own] = true
    if not fixed[own] then by[own] = text end
  end
  return by
end

local function insert(db, runs, key, stat, have)
  local record = cell.read(runs, key)
  local row = rows_of.cells({ record })[1]
  row.key, row.status = key, record.status
  local by = contents(db, row, have)
  by.bytes, by.modified, by.record = stat.bytes, stat.modified, json.encode(record)
  local names, marks, list = {}, {}, {}
  for name, v in pairs(by) do
    names[#names + 1], marks[#marks + 1] = '"' .. name .. '"', '?'
    list[#list + 1] = type(v) == 'boolean' and tostring(v) or v
  end
  local places = ('(%s) VALUES (%s)'):format(table.concat(names, ', '), table.concat(marks, ', '))
  db:rows('INSERT OR REPLACE INTO cells ' .. places, unpack(list))
end

local function cell_files(runs)
  local keys = {}
  if not file.exists(cell.folder(runs)) then return keys end
  for _, name in ipairs(file.list(cell.folder(runs))) do
    local key = name:match '^(%x+)%.safetensors$'
    if key then keys[#keys + 1] = key end
  end
  return keys
end

local function refresh(db, runs, notes)
  local known, here, have = {}, {}, columns_of(db)
  for _, row in ipairs(db:rows 'SELECT key, bytes, modified FROM cells') do known[row.key] = row end
  db:rows 'BEGIN IMMEDIATE'
  for _, key in ipairs(cell_files(runs)) do
    local ok, stat = pcall(file.stat, cell.path(runs, key))
    local old = known[key]
    if ok then here[key] = true end
    if ok and not (old and old.bytes == stat.bytes and old.modified == stat.modified) then
      local good, e = pcall(insert, db, runs, key, stat, have)
      if not good then
        if c.is_interrupt(e) then error(e, 0) end
        here[key] = nil
        notes[key] = tostring(e)
      end
    end
  end
  for key in pairs(known) do
    if not here[key] then db:rows('DELETE FROM cells WHERE key = ?', key) end
  end
  db:rows 'COMMIT'
end

-- The database of a runs folder, up to date, and messages about cells that cannot be read, by key. Close it after use.
function M.open(runs)
  local notes, db = {}, open(runs)
  local ok, e = pcall(refresh, db, runs, notes)
  if not ok then             -- another process holds it for long, or the disk is full: read the cells themselves
    if c.is_interrupt(e) then error(e, 0) end
    db:close()
    say(('%s; going on without the index'):format(e))
    db = in_memory()
    refresh(db, runs, notes)
  end
  return db, notes
end

-- ---- asking ----

local function without_sqlite(runs, keys)
  local records, notes = {}, {}
  for _, key in ipairs(keys) do
    if cell.exists(runs, key) then
      local ok, record = pcall(cell.read, runs, key)
      if ok then records[#records + 1] = record else notes[#notes + 1] = tostring(record) end
    end
  end
  return records, notes
end

-- The record of a row; of one that the index tells otherwise than its cell, the cell's. nil without a row.
local function decode(runs, key, row)
  if not row then return nil end
  local ok, record = pcall(function() return form.cell('index', json.decode(row.record, 'index')) end)
  if ok and record.key == key then return record end
  return (cell.read(runs, key))
end

-- Records of the cells with these keys that are finished, in that order, and messages about those that cannot be read.
function M.records(runs, keys)
  if not sqlite.present() then return without_sqlite(runs, keys) end
  local records, notes = {}, {}
  local db, bad = M.open(runs)
  for _, key in ipairs(keys) do
    local row = db:rows('SELECT record FROM cells WHERE key = ?', key)[1]
    local ok, record = pcall(decode, runs, key, row)
    if ok and record then records[#records + 1] = record end
    if not ok or bad[key] then notes[#notes + 1] = bad[key] or tostring(record) end
  end
  db:close()
  return records, notes
end

-- Rows of a SELECT over the table `cells`, and the names of their columns. It changes nothing.
function M.query(runs, sql, ...)
  local db = M.open(runs)
  db:rows 'PRAGMA query_only = 1'
  local ok, rows, names = pcall(db.ask, db, sql, ...)
  db:close()
  if not ok then error(rows, 0) end
  return rows, names
end

return M
