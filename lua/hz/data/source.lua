-- source.lua: what the files of a folder of pictures or sounds are, in numbers and words: formats, the quality of
-- JPEGs, what is stored turned, what their bytes are for. Pixels that were once a JPEG, or of another kind that loses
-- something, are not raw, whatever becomes of them.
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'

local M = {}

-- Of some nobody can tell: they count as lossy unless the head says otherwise.
local lossy = names.set 'JPEG WEBP AVIF JXL JP2 MP3 Ogg Opus'

-- '75', '~60', '~60..95'; nil where no file tells.
local function quality_text(low, high, exact)
  if not low then return nil end
  return (exact and '' or '~') .. (low == high and tostring(low) or ('%d..%d'):format(low, high))
end

-- What files (scan.lua) are: { count, kinds = { JPEG = 60 }, quality = '75', turned = how many EXIF turns or mirrors,
-- lossy, took = the lossy kinds in words }.
function M.facts(files)
  local out, took = { count = #files, kinds = {}, turned = 0, lossy = false }, {}
  local low, high, exact = nil, nil, true
  for _, f in ipairs(files) do
    local h = f.head
    out.kinds[h.kind] = (out.kinds[h.kind] or 0) + 1
    if lossy[h.kind] and not h.lossless then out.lossy, took[h.kind] = true, true end
    if h.orientation and h.orientation > 1 then out.turned = out.turned + 1 end
    if h.quality then
      low, high = math.min(low or 100, h.quality), math.max(high or 1, h.quality)
      exact = exact and h.exact
    end
  end
  out.quality, out.took = quality_text(low, high, exact), table.concat(names.sorted(took), ', ')
  return out
end

-- '60 JPEG of quality 75, 60 PNG'
function M.long(facts)
  local parts = {}
  for _, kind in ipairs(names.sorted(facts.kinds)) do
    parts[#parts + 1] = ('%d %s%s'):format(facts.kinds[kind], kind,
      kind == 'JPEG' and ' of ' .. (facts.quality and 'quality ' .. facts.quality or 'unknown quality') or '')
  end
  return table.concat(parts, ', ')
end

-- 'JPEG 75, PNG'
function M.short(facts)
  local parts = {}
  for _, kind in ipairs(names.sorted(facts.kinds)) do
    parts[#parts + 1] = kind == 'JPEG' and facts.quality and 'JPEG ' .. facts.quality or kind
  end
  return table.concat(parts, ', ')
end

local MOST = 12                    -- names in a line

local function few(list)
  local shown = { unpack(list, 1, MOST) }
  if #list > MOST then shown[#shown + 1] = ('%d more'):format(#list - MOST) end
  return table.concat(shown, ', ')
end

-- Of a set of files, for the line that names the data: where, which classes, what the files are and what is not read.
function M.words(set)
  local f = set.files
  local parts = f.parts and (' (%s/, %s/)'):format(f.parts.train, f.parts.test) or ''
  local out = { f.path .. parts, ('%d classes: %s'):format(#set.classes, few(set.classes)), M.long(f.facts) }
  if f.facts.turned > 0 then
    out[#out + 1] = ('%d turned by EXIF orientation%s'):format(f.facts.turned, f.orient and ', upright here'
      or ' and read as stored (orient=true turns them)')
  end
  if #f.outside > 0 then
    out[#out + 1] = ('%d link%s out of the folder (%s to %s)'):format(#f.outside, #f.outside == 1 and '' or 's',
      f.outside[1].link, f.outside[1].target)
  end
  if #f.unread > 0 then out[#out + 1] = 'not read: ' .. few(f.unread) end
  return table.concat(out, '; ')
end

-- ---- bytes ----

-- A ledger takes the accounts of files one by one: { payload, tables, container, segments }, of which each is { a name
-- of its contents, bytes }; its rows stand in a set's column `stored`: payload,
-- tables, container, samples, and which tables, a number in `uses`.
function M.ledger() return { segments = {}, bytes = {}, known = {}, uses = {} } end

local function numbered(known, key, make)
  local at = known[key]
  if not at then
    at = make()
    known[key] = at
  end
  return at
end

function M.enter(ledger, account, samples)
  local own = {}
  for i, segment in ipairs(account.segments) do
    own[i] = numbered(ledger.segments, segment[1], function()
      ledger.bytes[#ledger.bytes + 1] = segment[2]
      return #ledger.bytes
    end)
  end
  local use = numbered(ledger.known, table.concat(own, ' '), function()
    ledger.uses[#ledger.uses + 1] = own
    return #ledger.uses
  end)
  return { account.payload, account.tables, account.container, samples, use }
end

-- Rows of a ledger as a tensor (N,5) of f64.
function M.column(rows)
  local t = tensor.empty({ #rows, 5 }, 'f64')
  local p = t:pointer()
  for i, row in ipairs(rows) do
    for k = 1, 5 do p[5 * (i - 1) + k - 1] = row[k] end
  end
  return t
end

-- What the files of some sets took: { items, samples, payload, tables, container, tables_once }, sums; tables_once are
-- the distinct table segments. nil where a set has no files of its own.
function M.account(sets)
  local out = { items = 0, samples = 0, payload = 0, tables = 0, container = 0, tables_once = 0 }
  local seen = {}
  for _, set in ipairs(sets) do
    if not set.stored then return nil end
    local t = set.stored:contiguous()
    local p = t:pointer 'read'
    for i = 0, #set.labels - 1 do
      local row = p + 5 * i
      out.payload, out.tables, out.container = out.payload + row[0], out.tables + row[1], out.container + row[2]
      out.samples, out.items = out.samples + row[3], out.items + 1
      for _, segment in ipairs(set.files.ledger.uses[row[4]]) do
        if not seen[segment] then out.tables_once = out.tables_once + set.files.ledger.bytes[segment] end
        seen[segment] = true
      end
    end
  end
  return out
end

-- What a record says of the files behind some sets of one folder, in plain values: text ('JPEG 75'), lossy, orient, and
-- the account of them. nil where there are none.
function M.label(sets)
  local out = M.account(sets)
  if not out then return nil end
  local files = sets[1].files
  out.text, out.lossy, out.orient = M.short(files.facts), files.facts.lossy, files.orient
  return out
end

-- Means of what stands in a label, as recode.means has them of an account.
function M.means(label)
  local out = {
    bits_per_sample = 8 * (label.payload + label.tables_once) / label.samples,
    bits_per_sample_file = 8 * (label.payload + label.tables + label.container) / label.samples,
  }
  for _, part in ipairs { 'payload', 'tables', 'container' } do out['bytes_' .. part] = label[part] / label.items end
  return out
end

-- The form of a label (base/fields.lua).
M.form = { text = 'string', lossy = 'truth', items = 'whole', samples = 'whole', payload = 'whole', tables = 'whole',
  container = 'whole', tables_once = 'whole' }

return names.guard('source', M)
