-- safetensors.lua: named tensors and string metadata in one file, in the safetensors format: 8 bytes header
-- length (little endian), a JSON header, the data. Nothing in such a file is executable. Written as a whole
-- or not at all (file.lua).
--
-- The metadata key hz.sha256 holds a digest of all that the file says: the header without that key, encoded
-- canonically by json.lua, then the data. A file of ours that was changed anywhere is named and not loaded. Files
-- without the key (of other programs) are read after the same checks of their form, as tensors: what stands for more
-- than that (a cell, a resume point, a recoded set) must have it (read_own). Types of other programs: foreign.lua.
local ffi = require 'ffi'
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local file = require 'hz.base.file'
local foreign = require 'hz.tensor.foreign'
local json = require 'hz.base.json'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local say = require 'hz.base.say'
local tensor = require 'hz.tensor.tensor'

local M = {}

local CHECK = 'hz.sha256'
local max_header = 100 * 2 ^ 20        -- bytes; the limit of the reference implementation
local dtypes = { f32 = 'F32', bf16 = 'BF16', u8 = 'U8', i32 = 'I32', f64 = 'F64' }
local own_names, sizes = {}, { F32 = 4, BF16 = 2, U8 = 1, I32 = 4, F64 = 8 }
for ours, theirs in pairs(dtypes) do own_names[theirs] = ours end

-- ---- writing ----

-- Wider types first, then by name: each tensor starts at a multiple of its own size, and equal contents
-- are equal bytes.
local function ordered(tensors)
  local list = {}
  for name, t in pairs(tensors) do
    if type(name) ~= 'string' or name == '__metadata__' then
      c.fail("safetensors: the name '%s' was given; needs another string", tostring(name))
    end
    if not tensor.is(t) then c.fail("safetensors: '%s' is a %s; needs a tensor", name, type(t)) end
    list[#list + 1] = { name = name, t = t:contiguous(), dtype = dtypes[t:type()] }
  end
  table.sort(list, function(a, b)
    local wa, wb = sizes[a.dtype], sizes[b.dtype]
    if wa ~= wb then return wa > wb end
    return a.name < b.name
  end)
  return list
end

local function place(list)
  local header, at = {}, 0
  for _, e in ipairs(list) do
    e.bytes = e.t:count() * sizes[e.dtype]
    header[e.name] = { dtype = e.dtype, shape = json.array(e.t:size()), data_offsets = { at, at + e.bytes } }
    at = at + e.bytes
  end
  return header
end

local function digest_of(header, metadata)
  local plain = {}
  for k, v in pairs(metadata) do if k ~= CHECK then plain[k] = v end end
  header.__metadata__ = plain
  return crypto.new 'sha256':add(json.encode(header))
end

-- The same of a header as it stands in a file, where nobody wrote it in another way: without the blanks behind it and
-- the key, which is spelled so in no string.
local function digest_of_text(text, wanted)
  local entry = ('"%s":"%s"'):format(CHECK, wanted)
  local from, to = text:find(entry, 1, true)
  if not from then return nil end
  if text:byte(from - 1) == 44 then from = from - 1 elseif text:byte(to + 1) == 44 then to = to + 1 end
  return crypto.new 'sha256':add(text:sub(1, from - 1)):add((text:sub(to + 1):gsub(' +$', '')))
end

local function copy_metadata(metadata)
  local copy = {}
  for k, v in pairs(metadata or {}) do
    if type(k) ~= 'string' or type(v) ~= 'string' then
      c.fail("safetensors: metadata '%s' is a %s; needs strings by name", tostring(k), type(v))
    end
    if k == CHECK then c.fail("safetensors: metadata '%s' is the file's own; needs another name", CHECK) end
    copy[k] = v
  end
  return copy
end

-- What a file of tensors (name -> tensor) and metadata (name -> string, may be nil) holds: a list of strings and
-- { pointer, bytes, the tensor that lends them }.
function M.chunks(tensors, metadata)
  need.table('safetensors', 'the tensors', tensors)
  if metadata ~= nil then need.table('safetensors', 'the metadata', metadata) end
  local list = ordered(tensors)
  local header, all = place(list), copy_metadata(metadata)
  local digest = digest_of(header, all)
  local chunks = { '', '' }
  for _, e in ipairs(list) do
    if e.bytes > 0 then
      local p = e.t:pointer 'read'
      digest:add(p, e.bytes)
      chunks[#chunks + 1] = { p, e.bytes, e.t }
    end
  end
  all[CHECK] = digest:hex()
  header.__metadata__ = all
  local text = json.encode(header)
  text = text .. (' '):rep(-#text % 8)                 -- the data then starts at a multiple of 8
  local length = ffi.new('uint64_t[1]', #text)
  chunks[1], chunks[2] = ffi.string(length, 8), text
  return chunks
end

-- Writes them to a file.
function M.write(path, tensors, metadata)
  need.path('safetensors', path)
  return file.write(path, M.chunks(tensors, metadata))
end

-- ---- reading ----

local function bad(path, offset, text, ...)
  c.fail('safetensors: %s: byte %d: %s', path, offset, text:format(...))
end

local function whole(v) return type(v) == 'number' and v >= 0 and v % 1 == 0 end

local function check_entry(path, name, e)
  local at = 8
  if type(e) ~= 'table' or type(e.shape) ~= 'table' or type(e.data_offsets) ~= 'table' then
    bad(path, at, "tensor '%s' lacks dtype, shape or data_offsets", name)
  end
  if type(e.dtype) ~= 'string' then bad(path, at, "tensor '%s' has dtype %s; needs a name", name, type(e.dtype)) end
  local count, kind = 1, foreign.types[e.dtype]
  for _, extent in ipairs(e.shape) do
    if not whole(extent) then
      bad(path, at, "tensor '%s' has extent %s; needs a whole number", name, tostring(extent))
    end
    count = count * extent
  end
  local from, to = e.data_offsets[1], e.data_offsets[2]
  if #e.data_offsets ~= 2 or not whole(from) or not whole(to) or to < from then
    bad(path, at, "tensor '%s' has no usable data_offsets; needs two rising whole numbers", name)
  end
  local size = sizes[e.dtype] or kind and kind.bytes or foreign.others[e.dtype]
  if size and to - from ~= size * count then
    bad(path, at, "tensor '%s' spans %d bytes; its shape and dtype need %.0f", name, to - from, size * count)
  end
  return { name = name, dtype = own_names[e.dtype], kind = kind, shape = e.shape, from = from, bytes = to - from,
    count = count, what = ('%s (%s)'):format(e.dtype, table.concat(e.shape, ',')) }
end

-- Whether it becomes a tensor. What does not is left out, and locks nothing that stands beside it.
local function is_readable(e) return (e.dtype or e.kind) and #e.shape <= c.C.HZ_MAXDIM end

-- The tensors must cover the data exactly: no gap, no overlap, nothing behind them.
local function check_cover(path, list, start, bytes)
  table.sort(list, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    if a.bytes ~= b.bytes then return a.bytes < b.bytes end
    return a.name < b.name
  end)
  local at = 0
  for _, e in ipairs(list) do
    if e.from ~= at then
      bad(path, start + e.from, "tensor '%s' %s; needs to start at byte %d", e.name,
        e.from < at and 'overlaps the one before it' or 'leaves a gap', start + at)
    end
    at = at + e.bytes
    if at > bytes then
      bad(path, start + bytes, "the file ends in tensor '%s'; needs %.0f bytes more", e.name, at - bytes)
    end
  end
  if at < bytes then bad(path, start + at, '%d bytes belong to no tensor', bytes - at) end
end

local function check_metadata(path, metadata)
  if type(metadata) ~= 'table' then bad(path, 8, '__metadata__ is no object of strings') end
  for k, v in pairs(metadata) do
    if type(k) ~= 'string' or type(v) ~= 'string' then bad(path, 8, "metadata '%s' is no string", tostring(k)) end
  end
  return metadata
end

-- Reads and checks the header: the list of entries, metadata, the header as decoded and as it is written.
local function read_header(path, read, size)
  if size < 8 then bad(path, size, 'the file ends; needs 8 bytes of header length') end
  local word = ffi.new 'uint64_t[1]'
  read(word, 8)
  local length = tonumber(word[0])
  if length > max_header then
    bad(path, 0, 'the header is said to have %.0f bytes; needs at most %d', length, max_header)
  end
  if 8 + length > size then bad(path, size, 'the file ends in the header; needs %.0f bytes of it', length) end
  local buffer = ffi.new('char[?]', length)
  read(buffer, length)
  local text = ffi.string(buffer, length)
  local header = json.decode(text, 'safetensors: ' .. path .. ': header')
  if type(header) ~= 'table' or header[1] ~= nil then bad(path, 8, 'the header is no object') end
  local metadata, list = check_metadata(path, header.__metadata__ or {}), {}
  for name, e in pairs(header) do
    if name ~= '__metadata__' then list[#list + 1] = check_entry(path, name, e) end
  end
  check_cover(path, list, 8 + length, size - 8 - length)
  return list, metadata, header, text
end

-- Calls use(pointer, bytes) with all bytes of an entry, in pieces.
local PIECE = 2 ^ 20
local function in_pieces(read, bytes, use)
  local piece = ffi.new('char[?]', math.min(PIECE, bytes))
  while bytes > 0 do
    local n = math.min(PIECE, bytes)
    read(piece, n)
    use(piece, n)
    bytes = bytes - n
  end
end

-- The tensor of an entry; seen(pointer, bytes) gets what stands in the file. nil for what is left out.
local function take(read, e, seen)
  if not is_readable(e) then return in_pieces(read, e.bytes, seen) end
  local t = tensor.empty(e.shape, e.dtype or e.kind.dtype)
  if e.bytes == 0 then return t end
  local p = t:pointer()
  if e.dtype then
    read(p, e.bytes)
    seen(p, e.bytes)
    return t
  end
  local at = 0
  in_pieces(read, e.bytes, function(piece, n)
    seen(piece, n)
    foreign.convert(e.kind, piece, p + at, n / e.kind.bytes)
    at = at + n / e.kind.bytes
  end)
  return t
end

local function note_left_out(path, list)
  local names_of = {}
  for _, e in ipairs(list) do
    if not is_readable(e) then names_of[#names_of + 1] = ("'%s' %s"):format(e.name, e.what) end
  end
  if #names_of == 0 then return end
  say(('safetensors: %s: %d of %d tensors are left out: %s%s'):format(path, #names_of, #list,
    table.concat(names_of, ', ', 1, math.min(3, #names_of)), #names_of > 3 and ', ...' or ''))
end

-- Calls use(read, bytes) as file.with does, of a file or of what stands in one.
local function with(path, bytes, use)
  if not bytes then return file.with(path, use) end
  local at = 0
  return use(function(pointer, n)
    ffi.copy(pointer, ffi.cast('const char *', bytes) + at, n)
    at = at + n
  end, #bytes)
end

-- Everything in a file, and whether it has the checksum it names (nil: it names none): of the header as it stands
-- there, or in our own spelling (canonical).
local function read_once(path, bytes, canonical)
  return unpack(with(path, bytes, function(read, size)
    local list, metadata, header, text = read_header(path, read, size)
    local wanted, tensors = metadata[CHECK], {}
    local digest = wanted and (canonical and digest_of(header, metadata) or digest_of_text(text, wanted))
    local function seen(p, bytes) if digest then digest:add(p, bytes) end end
    for _, e in ipairs(list) do tensors[e.name] = take(read, e, seen) end
    metadata[CHECK] = nil
    local good
    if wanted then good = digest ~= nil and digest:hex() == wanted end
    return { tensors, metadata, list, good }
  end), 1, 4)
end

-- Tensors by name, metadata, and whether the file had its checksum. A header need not be written as we do.
local function read_all(path, bytes)
  local tensors, metadata, list, good = read_once(path, bytes)
  if good == false then tensors, metadata, list, good = read_once(path, bytes, true) end
  if good == false then
    c.fail('safetensors: %s: the contents do not have the checksum the file was written with; '
      .. 'needs an undamaged copy', path)
  end
  note_left_out(path, list)
  return tensors, metadata, good
end

-- Reads a file: tensors by name, metadata. Everything is checked first; errors name the file and the byte. Types that
-- tensors do not have are converted where none of their values is lost (foreign.lua), else left out, which is said.
function M.read(path)
  need.path('safetensors', path)
  local tensors, metadata = read_all(path)
  return tensors, metadata
end

-- Reads a file that hz wrote for a purpose of its own: it must have its checksum, and metadata `key`. what: the purpose
-- in words; bytes: what stands in it, where it was read before. Returns tensors, metadata and, where that is JSON (keys
-- of hz.*), its value.
function M.read_own(path, key, what, bytes)
  need.path('safetensors', path)
  if bytes ~= nil then need.text('safetensors', 'the contents', bytes) end
  need.text('safetensors', 'the key', key)
  need.text('safetensors', 'what it is', what)
  local tensors, metadata, sealed = read_all(path, bytes)
  if not metadata[key] then c.fail('%s: it is no %s', path, what) end
  if not sealed then c.fail('%s: it lacks the checksum (%s) of a %s; needs one that hz wrote', path, CHECK, what) end
  return tensors, metadata, key:find '^hz%.' and json.decode(metadata[key], path) or nil
end

-- The tensor called `name` of those read from a file; its dtype and shape must be these.
function M.expect(path, tensors, name, dtype, shape)
  need.path('safetensors', path)
  need.table('safetensors', 'what was read', tensors)
  need.text('safetensors', 'the name', name)
  need.text('safetensors', 'the dtype', dtype)
  local n, s = c.shape(shape, 'safetensors')
  for d = 1, n do need.count('safetensors', 'an extent', tonumber(s[d - 1])) end
  local t = tensors[name]
  if not t then c.fail("%s: it has no tensor '%s'; needs one, %s (%s)", path, name, dtype, table.concat(shape, ',')) end
  if not tensor.is(t) then c.fail("%s: '%s' is %s; needs a tensor", path, name, need.shown(t)) end
  local same = t:type() == dtype and t.ndim == #shape
  for d = 1, same and #shape or 0 do same = same and t:size(d) == shape[d] end
  if not same then
    c.fail("%s: '%s' is %s %s; needs %s (%s)", path, name, t:type(), tensor.shape_text(t), dtype,
      table.concat(shape, ','))
  end
  return t
end

-- The metadata alone, without reading the data: the form is checked, the checksum is not.
function M.metadata(path)
  need.path('safetensors', path)
  return file.with(path, function(read, size)
    local _, metadata = read_header(path, read, size)
    metadata[CHECK] = nil
    return metadata
  end)
end

return names.guard('safetensors', M)
