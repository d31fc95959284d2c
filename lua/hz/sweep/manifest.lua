-- manifest.lua: what a sweep consists of: runs/sweeps/ID.json with the command, the axes and the keys of its cells.
-- ID follows from the cells, so the same command finds its sweep again, from whatever process or machine.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local crypto = require 'hz.ext.crypto'
local file = require 'hz.base.file'
local form = require 'hz.sweep.form'
local json = require 'hz.base.json'
local posix = require 'hz.ext.posix'
local say = require 'hz.base.say'

local M = {}

local SCHEMA = 1

function M.folder(runs) return file.join(runs, 'sweeps') end
function M.path(runs, id) return file.join(M.folder(runs), id .. '.json') end

-- Held, with others, by each process that works on a sweep: nobody removes it meanwhile.
function M.lock_path(runs, id) return file.join(M.folder(runs), id .. '.lock') end

-- Folder of all results: what was asked for, HZ_RUNS, or ./runs.
function M.runs(given)
  local own = os.getenv 'HZ_RUNS'
  return given or (own and own ~= '' and own) or 'runs'
end

local function hash(value) return crypto.sha256(json.encode(value)) end

function M.id(name, jobs)
  local keys = {}
  for i, job in ipairs(jobs) do keys[i] = job.key end
  return name .. '-' .. hash(keys):sub(1, 8)
end

function M.read(runs, id)
  local path = M.path(runs, id)
  local m = json.decode(file.read_all(path), path)
  if type(m) ~= 'table' or m.schema ~= SCHEMA then c.fail('%s: it is no sweep of this version of hz', path) end
  form.manifest(path, m)
  if m.id ~= id then c.fail("%s: it is of sweep '%s'; needs its own name", path, m.id) end
  return m
end

-- When a file was written last, of such as were in the same second, too: to be compared as text.
local function written(path)
  local s = posix.stat(path)
  return s and s.stamp:match '%S+$' or ''
end

-- All sweeps, oldest first; damaged ones are named by note(text).
function M.all(runs, note)
  local list, at = {}, {}
  for _, name in ipairs(file.exists(M.folder(runs)) and file.list(M.folder(runs)) or {}) do
    local id = name:match '^([^.].*)%.json$'
    if id then
      local ok, m = c.try(M.read, runs, id)
      if ok then list[#list + 1], at[m] = m, written(M.path(runs, id)) else note(tostring(m)) end
    end
  end
  table.sort(list, function(a, b)
    if a.created ~= b.created then return a.created < b.created end
    if at[a] ~= at[b] then return at[a] < at[b] end
    return a.id < b.id
  end)
  return list
end

-- The sweep named by an id or the beginning of one (also of its number alone); without a name the latest.
function M.find(runs, name, note)
  local all, found = M.all(runs, note), {}
  if #all == 0 then
    c.fail('%s: no sweep is recorded there; '
      .. 'needs another runs folder, or a sweep (hz experiments/cifar_sweep.lua)', runs)
  end
  if not name then return all[#all] end
  for _, m in ipairs(all) do
    if m.id == name then return m end
    if m.id:sub(1, #name) == name or m.id:match '[^-]*$':sub(1, #name) == name then found[#found + 1] = m end
  end
  if #found == 1 then return found[1] end
  local ids = {}
  for i, m in ipairs(#found > 0 and found or all) do ids[i] = m.id end
  c.fail("%s: '%s' is %s; have %s", runs, name, #found > 0 and 'the beginning of several sweeps' or 'no sweep',
    table.concat(ids, ', '))
end

-- Where two cells' deciding fields differ: 'training.codec.fingerprint', ...
local function differences(a, b, path, out)
  if type(a) ~= 'table' or type(b) ~= 'table' then
    if a ~= b then out[#out + 1] = path end
    return out
  end
  local keys = {}
  for k in pairs(a) do keys[k] = true end
  for k in pairs(b) do keys[k] = true end
  for k in pairs(keys) do differences(a[k], b[k], path == '' and tostring(k) or path .. '.' .. k, out) end
  return out
end

-- By what the first of a sweep's cells that has another key now was decided otherwise. A manifest says what decides
-- the first cell, the others' files what decided them.
local function reason(runs, old, m, jobs)
  for i, job in ipairs(jobs) do
    local before = old.cells[i]
    if before and before.key ~= job.key then
      local ok, record = c.try(cell.read, runs, before.key)
      local decides = i == 1 and old.decides or ok and record.decides
      if not decides then return ('what decides cell %d, which was not finished'):format(i) end
      local out = differences(decides, job.decides, '', {})
      table.sort(out)
      return #out > 0 and table.concat(out, ', ') or 'the numerics version'
    end
  end
  return ('the number of cells, %d and %d'):format(#old.cells, #m.cells)
end

-- Whether all cells of an earlier sweep are of this one, too.
local function contains(m, old)
  local keys = {}
  for _, entry in ipairs(m.cells) do keys[entry.key] = true end
  for _, entry in ipairs(old.cells) do
    if not keys[entry.key] then return false end
  end
  return true
end

-- An earlier sweep of the same command whose cells were decided by something else, and by what; nil without one.
local function changed(runs, m, jobs)
  for _, old in ipairs(M.all(runs, function() end)) do
    if old.id ~= m.id and hash(old.request) == hash(m.request) and not contains(m, old) then
      return old.id, reason(runs, old, m, jobs)
    end
  end
end

-- The manifest that is there, if it is of these cells; one that cannot be used is said.
local function stored(runs, m)
  if not file.exists(M.path(runs, m.id)) then return nil end
  local ok, before = c.try(M.read, runs, m.id)
  if not ok and file.is_unread(before) then error(before, 0) end
  local same = ok and #before.cells == #m.cells
  for i, cell in ipairs(m.cells) do same = same and before.cells[i].key == cell.key end
  if same then return before end
  say(('%s; it is written anew'):format(ok and M.path(runs, m.id) .. ': it names other cells' or tostring(before)))
end

-- Writes the manifest of a sweep unless it is there. request: the knobs as they were given; kernels: name of
-- the file of chosen kernels, may be nil; adaptive: whether only as many seeds are computed as decide. Returns it, and
-- for a sweep that is computed anew the earlier one's id and the reason.
function M.store(runs, name, request, jobs, kernels, adaptive)
  local m = { schema = SCHEMA, id = M.id(name, jobs), name = name, request = request, decides = jobs[1].decides,
              cells = {}, kernels = kernels, adaptive = adaptive or nil,
              created = os.date '!%Y-%m-%dT%H:%M:%SZ', command = request.command }
  for i, job in ipairs(jobs) do m.cells[i] = { key = job.key, training = job.training_key, labels = job.labels } end
  local before = stored(runs, m)
  if before then return before end
  local old, why = changed(runs, m, jobs)
  file.mkdir(M.folder(runs))
  file.write(M.path(runs, m.id), json.encode(m, { pretty = true }) .. '\n')
  return m, old, why
end

return M
