-- index.lua: runs/index.db, a cache of the finished cells' records for reports and queries. Everything in it comes from the files in
-- cells/; it is brought up to date whenever it is opened, and made anew when it is missing, damaged or of another version.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local sqlite = require 'hz.ext.sqlite'

local M = {}

local VERSION = 1                  -- of the tables below

-- Columns of the table `cells`, for queries: name, type, value of a flat row (report.lua).
local numbers = { 'quality', 'quality_test', 'params', 'seed', 'epochs', 'accuracy', 'best', 'last', 'bytes_payload', 'bytes_tables',
  'bytes_container', 'bits_per_sample', 'bits_per_sample_file', 'psnr', 'ssim', 'seconds' }
local texts = { 'data', 'split', 'protocol', 'codec', 'codec_test', 'model', 'dtype' }

local function columns()
  local names = { 'key', 'status' }
  for _, list in ipairs { texts, numbers } do
    for _, name in ipairs(list) do names[#names + 1] = name end
  end
  return names
end
M.columns = columns

local function create(db)
  local defs = {}
  for i, name in ipairs(columns()) do defs[i] = name .. (name == 'key' and ' TEXT PRIMARY KEY' or '') end
  db:rows 'BEGIN IMMEDIATE'
  db:rows 'DROP TABLE IF EXISTS cells'
  db:rows('CREATE TABLE cells (' .. table.concat(defs, ', ') .. ', bytes, modified, record TEXT)')
  db:rows('PRAGMA user_version = ' .. VERSION)
  db:rows 'COMMIT'
end

local function usable(path)
  local db = sqlite.open(path)
  local version = db:rows('PRAGMA user_version')[1].user_version
  if version ~= VERSION then create(db) end
  db:rows 'SELECT count(*) FROM cells'
  local check = db:rows('PRAGMA quick_check(1)')[1].quick_check
  if check ~= 'ok' then c.fail('sqlite: %s: %s', path, check) end
  return db
end

local function say(text) io.stderr:write('hz: ', text, '\n') end

-- The open database: the file, a new one if it is damaged, or one in memory where nothing can be written.
local function open(runs)
  local path = file.join(runs, 'index.db')
  local ok, db = pcall(usable, path)
  if ok then return db end
  local damaged = file.exists(path) and (tostring(db):find('not a database', 1, true) or tostring(db):find('malformed', 1, true)
    or tostring(db):find('no such', 1, true) or tostring(db):find('***', 1, true))
  if damaged then
    say(('%s; the index is made anew from the cells'):format(db))
    for _, more in ipairs { '', '-journal', '-wal', '-shm' } do pcall(file.remove, path .. more) end
    ok, db = pcall(usable, path)
    if ok then return db end
  end
  db = sqlite.open ':memory:'
  create(db)
  return db
end

-- ---- bringing it up to date ----

local function insert(db, runs, key, stat)
  local record = cell.read(runs, key)
  local row = require 'hz.report.report'.cells({ record })[1]
  row.key, row.status = key, record.status
  local marks, list = {}, {}
  for i, name in ipairs(columns()) do marks[i], list[i] = '?', row[name] end
  local n = #marks
  list[n + 1], list[n + 2], list[n + 3] = stat.bytes, stat.modified, json.encode(record)
  db:rows('INSERT OR REPLACE INTO cells VALUES (' .. table.concat(marks, ',') .. ',?,?,?)', unpack(list, 1, n + 3))
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
  local known, here = {}, {}
  for _, row in ipairs(db:rows 'SELECT key, bytes, modified FROM cells') do known[row.key] = row end
  db:rows 'BEGIN IMMEDIATE'
  for _, key in ipairs(cell_files(runs)) do
    local ok, stat = pcall(file.stat, cell.path(runs, key))
    local old = known[key]
    if ok then here[key] = true end
    if ok and not (old and old.bytes == stat.bytes and old.modified == stat.modified) then
      local good, e = pcall(insert, db, runs, key, stat)
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
  if not ok then                                       -- another process holds it for long, or the disk is full: read the cells themselves
    if c.is_interrupt(e) then error(e, 0) end
    db:close()
    say(('%s; going on without the index'):format(e))
    db = sqlite.open ':memory:'
    create(db)
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

-- Records of the cells with these keys that are finished, in that order, and messages about those that cannot be read.
function M.records(runs, keys)
  if not sqlite.present() then return without_sqlite(runs, keys) end
  local records, notes = {}, {}
  local db, bad = M.open(runs)
  for _, key in ipairs(keys) do
    local row = db:rows('SELECT record FROM cells WHERE key = ?', key)[1]
    if row then records[#records + 1] = json.decode(row.record, 'index') end
    if bad[key] then notes[#notes + 1] = bad[key] end
  end
  db:close()
  return records, notes
end

-- Rows of a SELECT over the table `cells`, and the names of their columns.
function M.query(runs, sql, ...)
  local db = M.open(runs)
  local ok, rows, names = pcall(db.rows, db, sql, ...)
  db:close()
  if not ok then error(rows, 0) end
  return rows, names
end

return M
