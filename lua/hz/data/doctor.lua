-- doctor.lua: what can be wrong with data, as rows { check, ok, text }: ok is true, false (wrong), or nil
-- (worth knowing).
local band = require 'hz.data.band'
local blas = require 'hz.ext.blas'
local c = require 'hz.c'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local files = require 'hz.data.files'
local history = require 'hz.data.history'
local near = require 'hz.data.near'
local suspect = require 'hz.data.suspect'

local M = {}

local function row(check, ok, text, ...) return { check = check, ok = ok, text = text:format(...) } end

-- ---- this machine ----

local function library(name, module, use)
  local here = require(module).present()
  return row(name, here, here and 'found; %s' or 'missing (make deps); %s', use)
end

local function nearest(folder)
  while not file.exists(folder) do folder = file.folder_of(folder) end
  return folder
end

local function place(name, folder)
  local free = file.free_bytes(nearest(folder))
  return row(name, file.exists(folder) and true or nil, '%s (%s; %.1f GB free)', folder,
    file.exists(folder) or 'not there yet', free / 1e9)
end

-- Libraries, and the folders where data are looked for.
function M.machine()
  local rows = { library('libcrypto', 'hz.ext.crypto', 'digests of data and results'),
    library('libcurl', 'hz.ext.curl', 'hz data fetch'), library('libarchive', 'hz.ext.archive', 'hz data fetch') }
  local own = os.getenv 'HZ_DATA'
  if own and own ~= '' then
    rows[#rows + 1] = place('HZ_DATA', own)
    if not file.exists(own) then rows[#rows].ok = false end
  end
  local home = file.data_home()
  rows[#rows + 1] = home and place('XDG data', home) or row('XDG data', nil, 'neither XDG_DATA_HOME nor HOME is set')
  return rows
end

-- ---- files and contents ----

local function check_files(spec, where)
  local rows = {}
  for _, f in ipairs(spec.files or {}) do
    local path = file.join(where, f[1])
    local there = file.exists(path) == 'file'
    local bytes = there and file.size(path)
    if not there then
      rows[#rows + 1] = row(f[1], false, 'is missing')
    elseif f[2] and bytes ~= f[2] then
      rows[#rows + 1] = row(f[1], false, 'has %d bytes; the published one has %d', bytes, f[2])
    end
  end
  if #rows == 0 and spec.files then
    rows[1] = row('files', true, 'all %d are there, in the published sizes', #spec.files)
  end
  return rows
end

local function check_digest(spec, set)
  local name = set.part .. ' contents'
  local foreign, wanted = suspect.foreign(spec, set), spec.digest and spec.digest[set.part]
  if foreign then return row(name, false, '%s', foreign) end
  if wanted then
    return row(name, true, '%d items, those recorded for this set (digest %s, in any order)', #set, wanted:sub(1, 12))
  end
  return row(name, nil, '%d items, digest %s; none is recorded to compare with', #set, set.digest)
end

local function load_sets(spec, options)
  local ok, train, test = c.try(dataset.data, options.path or spec.name, options.given)
  if ok then return { train, test } end
  return nil, row('reading', false, '%s', train)
end

-- Files and contents of a set against what its description says of them.
function M.verify(spec, options)
  local where = dataset.where(spec)
  if not where then
    return { row('folder', false, 'not found; %s', dataset.looked(spec)) }
  end
  local rows = check_files(spec, where)
  local sets, trouble = load_sets(spec, options or {})
  if not sets then rows[#rows + 1] = trouble; return rows end
  for _, set in ipairs(sets) do rows[#rows + 1] = check_digest(spec, set) end
  return rows, sets
end

-- ---- what spoils experiments ----

-- Items are in the order of their hashes, so equal ones are neighbours.
local function check_twins(set)
  local twins, torn, labels = 0, 0, set.labels:pointer 'read'
  for i = 2, #set do
    if suspect.hash(set, i) == suspect.hash(set, i - 1) then
      twins = twins + 1
      if labels[i - 1] ~= labels[i - 2] then torn = torn + 1 end
    end
  end
  if twins == 0 then return row(set.part .. ' duplicates', true, 'none') end
  local found = row(set.part .. ' duplicates', nil, '%d items equal another, %d of them with another label',
    twins, torn)
  if torn > 0 then found.ok = false end
  return found
end

local function check_leak(train, test)
  local leak = suspect.leak(train, test)
  return row('leak', leak == nil, '%s', leak or 'no test item is in the training set')
end

local function check_history(set)
  if not set.sounds and not blas.present() then return nil end
  local ok, text = (set.sounds and band or history).words(set)
  return row(set.part .. ' history', ok, '%s', text)
end

local function check_near(train, test)
  if not blas.present() then return row('near duplicates', nil, 'not looked for: OpenBLAS is missing (make deps)') end
  local ok, text = near.words(train, test)
  return row('near duplicates', ok, '%s', text)
end

local function check_classes(set)
  local counts = set:per_class()
  local least, most = 1, 1
  for k = 2, #counts do
    if counts[k] < counts[least] then least = k end
    if counts[k] > counts[most] then most = k end
  end
  if counts[least] == 0 then
    return row(set.part .. ' classes', false, "class '%s' has no items", set.classes[least])
  end
  local even = counts[most] <= 1.5 * counts[least]
  return row(set.part .. ' classes', even or nil, '%d classes of %d (%s) to %d (%s) items', #counts, counts[least],
    set.classes[least], counts[most], set.classes[most])
end

local function check_blank(set)
  local items = set.items:contiguous()
  if items:type() ~= 'u8' then return row(set.part .. ' blanks', true, 'not looked for in %s', items:type()) end
  local bytes, blank = items:count() / #set, 0
  local p = items:pointer 'read'
  for i = 0, #set - 1 do
    local at, k = p + i * bytes, 1
    while k < bytes and at[k] == at[0] do k = k + 1 end
    if k == bytes then blank = blank + 1 end
  end
  return row(set.part .. ' blanks', blank == 0 or nil,
    blank == 0 and 'no item is of one value throughout' or '%d items are of one value throughout', blank)
end

-- Of a set that is read from files of one's own, what these say before they are decoded.
local function check_own_files(spec, options)
  local ok, rows = pcall(function()
    local own = dataset.options(spec, options.given)
    return files.rows(spec.scan(own), own)
  end)
  if ok then return rows end
  if type(rows) ~= 'string' then error(rows, 0) end                  -- an interrupt
  return {}                                                          -- verify says why
end

-- verify, and what would spoil an experiment with the set: duplicates, leaks, uneven classes, blank items, losses
-- before it came here.
function M.examine(spec, options)
  local rows = spec.scan and check_own_files(spec, options) or {}
  local verified, sets = M.verify(spec, options)
  for _, r in ipairs(verified) do rows[#rows + 1] = r end
  if not sets then return rows end
  for _, set in ipairs(sets) do
    for _, check in ipairs { check_twins, check_classes, check_blank, check_history } do
      rows[#rows + 1] = check(set)
    end
  end
  rows[#rows + 1] = check_leak(sets[1], sets[2])
  rows[#rows + 1] = check_near(sets[1], sets[2])
  return rows
end

return M
