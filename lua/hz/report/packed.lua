-- packed.lua: a sweep as one small file, to be kept beside a text or sent around: all that a report says of it, without
-- weights and data. It is xz over a safetensors file, so that nothing in it is executable and no name in it becomes a
-- path; it is read in memory. Of the outcomes it has the bits, and the class where an item is right.
--   hz.packed    JSON: schema, manifest, cells = list of { key, record, run (their texts), items (number of the list of
--                outcomes, nil for a cell without), column (there, from 0) }, accounts = lossless bits by key
--   right.N      (items, bytes) u8: for each test item a row of bits, the lowest first: one of each cell, 1 where right
--   class.N      (items) i32: the class of each, -1 where none says it
--   kept         bytes of the file of kept.lua; may be missing
local archive = require 'hz.ext.archive'
local bits = require 'hz.report.bits'
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local classes = require 'hz.report.damage.classes'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local form = require 'hz.sweep.form'
local json = require 'hz.base.json'
local kept = require 'hz.report.damage.kept'
local manifest = require 'hz.sweep.manifest'
local outcomes = require 'hz.report.outcomes'
local report = require 'hz.report.report'
local rows_of = require 'hz.sweep.rows'
local safetensors = require 'hz.tensor.safetensors'
local say = require 'hz.base.say'
local tensor = require 'hz.tensor.tensor'
local ffi, band, lshift, rshift = c.ffi, bit.band, bit.lshift, bit.rshift

local M = {}

local SCHEMA = 1
local MOST = 2 ^ 28                -- bytes of what is packed

-- ---- writing ----

-- All rows of a report, its controls among them.
local function rows_in(r)
  local list = { unpack(r.rows) }
  for _, g in ipairs(r.controls or {}) do
    for _, row in ipairs(g.rows) do list[#list + 1] = row end
  end
  return list
end

-- Outcomes of cells of the same test items: lists of tensors, and which of them a cell is in.
local function collect(r)
  local lists, by, place = {}, {}, {}
  for _, row in ipairs(rows_in(r)) do
    local o = not row.failed and outcomes.of(r, row)
    if o then
      local n = o.correct:count()
      local name = ('%s %d'):format(outcomes.test_digest(row) or row.record.key, n)
      if not by[name] then
        lists[#lists + 1] = { n = n, row = row }
        by[name] = #lists
      end
      local list = lists[by[name]]
      list[#list + 1] = o.correct:contiguous()
      place[row.record.key] = { items = by[name], column = #list - 1 }
    end
  end
  return lists, place
end

local function bits_of(list)
  local bytes = math.ceil(#list / 8)
  local t = tensor.zeros({ list.n, bytes }, 'u8')
  local q = t:pointer()
  for k, outcome in ipairs(list) do
    local p, at, shift = outcome:pointer 'read', rshift(k - 1, 3), band(k - 1, 7)
    for i = 0, list.n - 1 do
      local place = i * bytes + at
      q[place] = q[place] + lshift(p[i], shift)
    end
  end
  return t
end

local function class_of(r, list)
  local l, t = classes.labels(r, list.row), tensor.empty({ list.n }, 'i32')
  ffi.copy(t:pointer(), l.class, 4 * list.n)
  return t
end

local function cells_of(r, place)
  local list = json.array {}
  for i, row in ipairs(rows_in(r)) do
    local key = row.record.key
    local _, _, record, run = cell.read(r.runs, key)
    local own = place[key] or {}
    list[i] = { key = key, record = record, run = run, items = own.items, column = own.column }
  end
  return list
end

local function accounts_of(r)
  local known = {}
  for _, row in ipairs(r.rows) do
    if rows_of.untouched(row) then bits.lossless(row.record, nil, known) end
  end
  return known
end

local function packed(r, m)
  local lists, place = collect(r)
  local tensors = {}
  for k, list in ipairs(lists) do
    tensors['right.' .. k], tensors['class.' .. k] = bits_of(list), class_of(r, list)
  end
  local path = kept.path(r.runs, r.id)
  if kept.of(r) then
    local text = file.read_all(path)
    tensors.kept = tensor.empty({ #text }, 'u8')
    ffi.copy(tensors.kept:pointer(), text, #text)
  end
  return safetensors.chunks(tensors, { ['hz.packed'] = json.encode { schema = SCHEMA, manifest = m,
    cells = cells_of(r, place), accounts = accounts_of(r) } })
end

-- Packs the sweep of a manifest; returns the bytes of the file.
function M.write(path, runs, m)
  local r = report.of_manifest(runs, m)
  if #r.rows == 0 then c.fail('pack: sweep %s: no cell is finished; needs one at least', m.id) end
  local chunks, total = packed(r, m), 0
  for _, chunk in ipairs(chunks) do total = total + (type(chunk) == 'string' and #chunk or chunk[2]) end
  local bytes = archive.pack('xz', total, function(add)
    for _, chunk in ipairs(chunks) do
      if type(chunk) == 'string' then add(chunk, #chunk) else add(chunk[1], chunk[2]) end
    end
  end)
  file.write(path, bytes)
  return #bytes, #rows_in(r)
end

-- ---- reading ----

local packed_form = { schema = 'whole', manifest = 'table', cells = 'list', accounts = 'table' }
local cell_form = { key = 'key', record = 'string', run = 'string', items = 'whole?', column = 'whole?' }

local function load(path)
  local size = file.size(path)
  if size > MOST then c.fail('%s: it has %d bytes; a packed sweep has at most %d', path, size, MOST) end
  local bytes = archive.unpack(path, file.read_all(path), MOST)
  local tensors, _, p = safetensors.read_own(path, 'hz.packed', 'packed sweep', bytes)
  fields.check(path, p, packed_form)
  if p.schema ~= SCHEMA then c.fail('%s: it is of schema %d; needs %d', path, p.schema, SCHEMA) end
  for i, one in ipairs(p.cells) do fields.check(path, one, cell_form, ('cells[%d]'):format(i)) end
  for key, account in pairs(p.accounts) do bits.check(path, account, key) end
  form.manifest(path, p.manifest)
  return p, tensors
end

local function record_of(path, one)
  local record = json.decode(one.record, path)
  if type(record) ~= 'table' or record.key ~= one.key then c.fail('%s: cell %s is another', path, one.key) end
  record.run = json.decode(one.run, path)
  return form.cell(path, record)
end

-- Outcomes of a cell from its column: right (u8), and class where it is right, else -1.
local function outcomes_of(path, tensors, one)
  local all, class = tensors['right.' .. one.items], tensors['class.' .. one.items]
  local n, bytes = all and all:size(1) or 0, all and all.ndim == 2 and all:size(2) or 0
  safetensors.expect(path, tensors, 'right.' .. one.items, 'u8', { n, bytes })
  safetensors.expect(path, tensors, 'class.' .. one.items, 'i32', { n })
  if not one.column or one.column >= 8 * bytes then
    c.fail('%s: cell %s has column %s; needs one below %d', path, one.key, tostring(one.column), 8 * bytes)
  end
  local out = { correct = tensor.empty({ n }, 'u8'), class = tensor.empty({ n }, 'i32') }
  local p, q, k, l = all:pointer 'read', out.correct:pointer(), out.class:pointer(), class:pointer 'read'
  local at, shift = rshift(one.column, 3), band(one.column, 7)
  for i = 0, n - 1 do
    q[i] = band(rshift(p[i * bytes + at], shift), 1)
    k[i] = q[i] == 1 and l[i] or -1
  end
  return out
end

local function kept_of(path, tensors, id)
  local t = tensors.kept
  if not t then return false end
  safetensors.expect(path, tensors, 'kept', 'u8', { t:count() })
  return kept.read(path, id, ffi.string(t:pointer 'read', t:count()))
end

-- The report of a packed sweep. o: margin and alpha of the verdicts, may be nil.
function M.report(path, o)
  local p, tensors = load(path)
  local m, records, known, wanted = p.manifest, {}, {}, {}
  for _, one in ipairs(m.cells) do wanted[one.key] = true end
  for i, one in ipairs(p.cells) do
    if not wanted[one.key] or known[one.key] then c.fail('%s: cell %s is none of its sweep', path, one.key) end
    records[i], known[one.key] = record_of(path, one), one.items and outcomes_of(path, tensors, one) or {}
  end
  local r = report.of_records(path, m, records, nil, o)
  r.outcomes, r.accounts, r.kept = known, p.accounts, kept_of(path, tensors, m.id)
  return r
end

-- ---- by name ----

-- Whether a word that names a sweep is a packed one's file rather than an id.
local function is_file(runs, word)
  if not word or file.exists(word) ~= 'file' and not word:find '/' then return false end
  return not (c.try(manifest.find, runs, word, function() end))
end

-- The report of a sweep by its id (maybe cut short; nil: the latest) or the file that it was packed to. o: margin and
-- alpha of the verdicts, may be nil. Also returns the manifest of one that is in the runs folder.
function M.find(runs, word, o)
  if is_file(runs, word) then return M.report(word, o) end
  local m = manifest.find(runs, word, say)
  return report.of_manifest(runs, m, o), m
end

return M
