-- pictures.lua: the files of a folder (data/scan.lua) as one tensor (N,H,W,C) u8. What their heads tell is checked
-- before the first is decoded: all of one size unless one is asked for, none of more than 8 bits or of other colours
-- than grey and RGB unless they may be converted (sizes.lua). Grey ones among coloured get three equal channels. The
-- core reads and decodes them by all threads, each of which holds one picture.
local c = require 'hz.c'
local names = require 'hz.base.names'
local plugins = require 'hz.codec.plugins'
local progress = require 'hz.base.progress'
local sizes = require 'hz.codec.sizes'
local source = require 'hz.data.source'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

-- What decodes a kind of file, where it is not called so; and kinds of which more than 8 bits may be converted.
local codecs = { JP2 = 'jpeg2000' }
local deep = names.set 'PNG AVIF JXL JP2'

local EACH = 64                    -- pictures of a portion for each thread; progress is shown between portions

-- ---- what heads tell ----

local CMYK = 4

-- Why a file cannot be decoded, and whether convert=true could.
local function unfit(h, convert)
  if h.bits and h.bits > 8 and not (convert and deep[h.kind] and h.bits <= 16) then
    return ('has %d bits a sample; needs 8'):format(h.bits), deep[h.kind] and h.bits <= 16
  end
  if h.channels == CMYK and convert and h.kind == 'JPEG' then return end
  if h.channels ~= 1 and h.channels ~= 3 then
    return ('has %d colour components%s; needs 1 (grey) or 3 (colour)'):format(h.channels,
      h.channels == CMYK and ' (CMYK)' or ''), h.channels == CMYK
  end
end

-- Files that can be decoded, and the others as { path, reason }. o: as in sizes.lua.
function M.fit(files, o)
  local good, bad = {}, {}
  for _, f in ipairs(files) do
    local reason, convertible = unfit(f.head, o.convert)
    if reason then
      bad[#bad + 1] = { path = f.path, reason = (' %s%s'):format(reason, convertible and ' (or convert=true)' or '') }
    else
      good[#good + 1] = f
    end
  end
  return good, bad
end

-- The one form { height, width, channels, fit } that files are to have; of more than one size only where size is given.
function M.agree(files, o)
  local form, channels = sizes.asked(o), 1
  for _, f in ipairs(files) do channels = math.max(channels, math.min(3, f.head.channels)) end
  form.channels = channels
  if form.width then
    sizes.resampler()
    return form
  end
  local counts = sizes.count(files, o.orient)
  if #counts > 1 then sizes.refuse(counts) end
  form.width, form.height = counts[1].width, counts[1].height
  return form
end

-- ---- reading ----

local fits = { crop = C.HZ_FIT_CROP, pad = C.HZ_FIT_PAD, stretch = C.HZ_FIT_STRETCH }

local function codec_of(f) return codecs[f.head.kind] or f.head.kind:lower() end

local function check_codecs(files)
  local known = {}
  for _, f in ipairs(files) do
    local name = codec_of(f)
    if not known[name] and not plugins.has(name) then
      c.fail('folder: %s: the codec %s is not here; needs its plugin (make deps; hz plugin list says why)', f.path,
        name)
    end
    known[name] = true
  end
end

-- Files from..to as the core takes them: { pictures, n }, with the strings that they point to.
local function portion(files, from, to, orient)
  local own = { n = to - from + 1 }
  own.pictures = ffi.new('hz_picture[?]', own.n)
  for i = from, to do
    local p, f = own.pictures[i - from], files[i]
    local path, codec = f.path, codec_of(f)
    own[#own + 1], own[#own + 2] = path, codec
    p.path, p.codec, p.orientation = path, codec, orient and f.head.orientation or 1
  end
  return own
end

-- The table segments of a picture's file: { name of its contents, bytes } each.
local function tables_of(p)
  local list = {}
  for i = 0, p.tables - 1 do
    local t = p.table[i]
    list[i + 1] = { ffi.string(t.digest, 16), tonumber(t.bytes) }
  end
  return list
end

-- Moves what is good of a portion to the front, where `out` goes on: { files, rows, bad, origins }.
local function take(out, p, f, from, place, bytes, ledger)
  if p.status ~= 0 then
    out.bad[#out.bad + 1] = { path = f.path, reason = ': ' .. ffi.string(p.message) }
    return
  end
  if place ~= from then ffi.copy(place, from, bytes) end
  local h = f.head
  out.files[#out.files + 1] = f
  out.rows[#out.files] = source.enter(ledger, { payload = tonumber(p.bytes.payload), tables = tonumber(p.bytes.tables),
    container = tonumber(p.bytes.container), segments = tables_of(p) }, h.height * h.width * math.min(3, h.channels))
  out.origins[#out.files] = ffi.string(p.digest, 16)
end

local function read_portion(own, form, at)
  local status = C.hz_pictures_read(own.pictures, own.n, form, at, 0)
  if status ~= 0 then c.poll() end                     -- an interrupt is no mistake
  c.check(status)
end

-- The pictures of `files` in the form of M.agree. Returns the items, those of the files that could be read, the rows of
-- their bytes (source.lua), the others as { path, reason }, and a name for the contents of each file. ledger: takes the
-- accounts.
function M.read(files, form, o, ledger)
  check_codecs(files)
  local items = tensor.empty({ #files, form.height, form.width, form.channels }, 'u8')
  local bytes, start = form.height * form.width * form.channels, items:pointer()
  local core = ffi.new('hz_picture_form', { height = form.height, width = form.width, channels = form.channels,
    fit = form.fit and fits[form.fit] or C.HZ_FIT_NONE, convert = o.convert and 1 or 0 })
  local out, step, shown = { files = {}, rows = {}, bad = {}, origins = {} }, EACH * C.hz_cpu_threads(), progress.new()
  for from = 1, #files, step do
    local to, base = math.min(#files, from + step - 1), start + #out.files * bytes
    local own = portion(files, from, to, o.orient)
    shown:show(('reading pictures: %d of %d'):format(from - 1, #files))
    read_portion(own, core, base)
    for i = from, to do
      take(out, own.pictures[i - from], files[i], base + (i - from) * bytes, start + #out.files * bytes, bytes, ledger)
    end
  end
  shown:clear()
  local n = #out.files
  return n > 0 and items:slice(1, 1, n) or nil, out.files, out.rows, out.bad, out.origins
end

return names.guard('pictures', M)
