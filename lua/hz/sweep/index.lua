-- index.lua: runs/index.db, a cache of the finished cells' records for sweeps, reports and queries. Everything in it
-- comes from the files in cells/; it is brought up to date whenever it is opened, for the cells that are asked for, and
-- made anew when it is missing, damaged or of another version. A cell whose file has the stamp it had when it was read
-- is not read again.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local file = require 'hz.base.file'
local form = require 'hz.sweep.form'
local json = require 'hz.base.json'
local rows_of = require 'hz.sweep.rows'
local say = require 'hz.base.say'
local sqlite = require 'hz.ext.sqlite'

local M = {}

local VERSION = 7                  -- of the tables below

-- Columns of the table `cells`, for queries: name, type, value of a flat row (rows.lua).
local numbers = { 'quality', 'quality_test', 'params', 'seed', 'epochs', 'accuracy', 'best', 'last', 'seconds',
  'damage', unpack(rows_of.figures) }
local texts = { 'data', 'split', 'protocol', 'codec', 'codec_test', 'model', 'dtype', 'parameter', 'parameter_test',
  'encoding', 'encoding_test', 'isa', 'vendor', 'kernels', 'control' }

-- Beside them a column for each parameter that a codec of some cell has, and NAME_test: all its values, walked or not.
local function columns()
  local names = { 'key', 'status' }
  for _, list in ipairs { texts, numbers } do
    for _, name in ipairs(list) do names[#names + 1] = name end
  end
  return names
end
M.columns = columns

-- What the index itself goes by: the stamp of the file, and the texts that it holds of the record and its `run`.
local own = { 'stamp', 'record', 'run' }

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
  for _, old in ipairs(db:rows "SELECT type FROM sqlite_master WHERE name = 'cells'") do
    db:rows(('DROP %s cells'):format(old.type))
  end
  db:rows('CREATE TABLE cells (' .. table.concat(defs, ', ') .. ', ' .. table.concat(own, ' TEXT, ') .. ' TEXT)')
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
  for _, list in ipairs { columns(), own } do
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
  local ok, db = c.try(usable, path)
  if ok then return db end
  local damaged = false
  for _, sign in ipairs { 'not a database', 'malformed', 'no such', '***' } do
    damaged = damaged or file.exists(path) and tostring(db):find(sign, 1, true)
  end
  if damaged then
    say(('%s; the index is made anew from the cells'):format(db))
    for _, more in ipairs { '', '-journal', '-wal', '-shm' } do pcall(file.remove, path .. more) end
    ok, db = c.try(usable, path)
    if ok then return db end
  end
  return in_memory()
end

-- ---- bringing it up to date ----

-- The table as it is filled: its columns in order, and the statement that puts a row into them.
local Filling = {}
Filling.__index = Filling

local function filling(db)
  local self = setmetatable({ db = db, order = {}, have = {}, fixed = {} }, Filling)
  for _, list in ipairs { columns(), own } do
    for _, name in ipairs(list) do self.fixed[name] = true end
  end
  for _, column in ipairs(db:rows 'PRAGMA table_info(cells)') do self:add(column.name:lower()) end
  return self
end

function Filling:add(name)
  self.order[#self.order + 1], self.have[name] = name, true
  self.sql = ('INSERT OR REPLACE INTO cells ("%s") VALUES (?%s)'):format(table.concat(self.order, '", "'),
    (', ?'):rep(#self.order - 1))
end

-- What a row says, by column. A parameter that is called like a field of every cell has no column of its own.
function Filling:contents(row)
  local by = {}
  for _, name in ipairs(columns()) do by[name] = row[name] end
  for name, text in pairs(rows_of.values(row)) do
    local column = name:lower()
    if not self.have[column] then
      self.db:rows(('ALTER TABLE cells ADD COLUMN "%s" NUMERIC'):format(column))
      self:add(column)
    end
    if not self.fixed[column] then by[column] = text end
  end
  return by
end

function Filling:insert(runs, key, stamp)
  local record, _, text, run = cell.read(runs, key)
  local row = rows_of.cells({ record })[1]
  row.key, row.status = key, record.status
  local by, list = self:contents(row), {}
  by.stamp, by.record, by.run = stamp, text, run
  for i, name in ipairs(self.order) do
    local v = by[name]
    if type(v) == 'boolean' then v = tostring(v) end
    list[i] = v
  end
  self.db:again(self.sql, unpack(list, 1, #self.order))
  return record
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

-- Stamps that the index has of these cells, by key.
local function stamps_of(db, keys)
  local known = {}
  for _, key in ipairs(keys) do
    local row = db:again('SELECT stamp FROM cells WHERE key = ?', key)[1]
    known[key] = row and (row.stamp or '')
  end
  return known
end

local function all_stamps(db)
  local known = {}
  for _, row in ipairs(db:rows 'SELECT key, stamp FROM cells') do known[row.key] = row.stamp or '' end
  return known
end

-- The keys that are to be read, with the stamps of their files, and those that are to go. keys: nil for all.
local function compare(db, runs, keys)
  local known, fresh, here, gone = keys and stamps_of(db, keys) or all_stamps(db), {}, {}, {}
  for _, key in ipairs(keys or cell_files(runs)) do
    local ok, stat = c.try(file.stat, cell.path(runs, key))
    if ok then here[key] = true end
    if ok and known[key] ~= stat.stamp then fresh[#fresh + 1] = { key = key, stamp = stat.stamp } end
  end
  for key in pairs(known) do
    if not here[key] then gone[#gone + 1] = key end
  end
  return fresh, gone
end

-- Returns the records that were read on the way, by key, of cells that are asked for.
local function refresh(db, runs, notes, keys)
  local fresh, gone = compare(db, runs, keys)
  if #fresh == 0 and #gone == 0 then return {} end
  db:rows 'BEGIN IMMEDIATE'
  local table_of_cells, records = filling(db), {}
  for _, one in ipairs(fresh) do
    local ok, record = c.try(table_of_cells.insert, table_of_cells, runs, one.key, one.stamp)
    if ok and keys then records[one.key] = record end
    if not ok then
      gone[#gone + 1], notes[one.key] = one.key, tostring(record)
    end
  end
  for _, key in ipairs(gone) do db:again('DELETE FROM cells WHERE key = ?', key) end
  db:rows 'COMMIT'
  return records
end

-- The database of a runs folder, up to date, messages about cells that cannot be read, and records that had to be read,
-- both by key. Close it after use. keys: of the cells that are asked for; nil for all.
function M.open(runs, keys)
  local notes, db = {}, open(runs)
  local ok, e = c.try(refresh, db, runs, notes, keys)
  if not ok then             -- another process holds it for long, or the disk is full: read the cells themselves
    db:close()
    say(('%s; going on without the index'):format(e))
    db = in_memory()
    e = refresh(db, runs, notes, keys)
  end
  return db, notes, e
end

-- ---- asking ----

local function without_sqlite(runs, keys)
  local records, notes = {}, {}
  for _, key in ipairs(keys) do
    if cell.exists(runs, key) then
      local ok, record = c.try(cell.read, runs, key)
      if ok then records[#records + 1] = record else notes[#notes + 1] = tostring(record) end
    end
  end
  return records, notes
end

-- The record of a row; of one that the index tells otherwise than its cell, the cell's. nil without a row.
local function decode(runs, key, row)
  if not row then return nil end
  local ok, record = c.try(function()
    local told = json.decode(row.record, 'index')
    told.run = json.decode(row.run, 'index')
    return form.cell('index', told)
  end)
  if ok and record.key == key then return record end
  return (cell.read(runs, key))
end

-- Records of the cells with these keys that are finished, in that order, and messages about those that cannot be read.
function M.records(runs, keys)
  if not sqlite.present() then return without_sqlite(runs, keys) end
  local records, notes = {}, {}
  local db, bad, read = M.open(runs, keys)
  for _, key in ipairs(keys) do
    local ok, record = true, read[key]
    if not record then
      local row = db:again('SELECT record, run FROM cells WHERE key = ?', key)[1]
      ok, record = c.try(decode, runs, key, row)
    end
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
