-- archive.lua: the one door to libarchive: walks the entries of an archive and hands out those that are asked for, and
-- says what bytes come to when they are packed. It writes no file itself, so no name in an archive ever becomes a path
-- by itself. Opened at the first use.
local ffi = require 'ffi'
local c = require 'hz.c'

ffi.cdef [[
typedef struct hz_archive hz_archive;
typedef struct hz_archive_entry hz_archive_entry;
hz_archive *archive_read_new(void);
int archive_read_free(hz_archive *a);
int archive_read_support_filter_all(hz_archive *a);
int archive_read_support_format_tar(hz_archive *a);
int archive_read_support_format_zip(hz_archive *a);
int archive_read_support_format_raw(hz_archive *a);
int archive_read_open_memory(hz_archive *a, const void *bytes, size_t count);
int archive_read_open_filename(hz_archive *a, const char *path, size_t block);
int archive_read_next_header(hz_archive *a, hz_archive_entry **entry);
int64_t archive_read_data(hz_archive *a, void *buffer, size_t bytes);
const char *archive_error_string(hz_archive *a);
const char *archive_entry_pathname(hz_archive_entry *e);
const char *archive_entry_hardlink(hz_archive_entry *e);
unsigned archive_entry_filetype(hz_archive_entry *e);
hz_archive_entry *archive_entry_new(void);
void archive_entry_free(hz_archive_entry *e);
void archive_entry_set_filetype(hz_archive_entry *e, unsigned kind);
hz_archive *archive_write_new(void);
int archive_write_free(hz_archive *a);
int archive_write_set_format_raw(hz_archive *a);
int archive_write_add_filter_by_name(hz_archive *a, const char *name);
int archive_write_set_filter_option(hz_archive *a, const char *filter, const char *option, const char *value);
int archive_write_set_bytes_per_block(hz_archive *a, int bytes);
int archive_write_open_memory(hz_archive *a, void *buffer, size_t bytes, size_t *used);
int archive_write_header(hz_archive *a, hz_archive_entry *e);
int64_t archive_write_data(hz_archive *a, const void *buffer, size_t bytes);
int archive_write_close(hz_archive *a);
]]

local M = {}

local EOF, WARN = 1, -20
local kinds = { [0x8000] = 'file', [0x4000] = 'folder', [0xa000] = 'symbolic link' }

local library
local function open()
  if library then return library end
  local ok, lib = c.try(ffi.load, 'libarchive.so.13')
  if not ok then
    c.fail('unpack: libarchive.so.13 was not found; needs the package libarchive13 (make deps)')
  end
  library = lib
  return lib
end
function M.present() return (c.try(open)) end

local function fail(path, text, ...) c.fail('unpack: %s: %s', path, text:format(...)) end

local function why(lib, a)
  local text = lib.archive_error_string(a)
  return text ~= nil and ffi.string(text) or 'damaged'
end

local function describe(lib, entry)
  local name = lib.archive_entry_pathname(entry)
  local kind = lib.archive_entry_hardlink(entry) ~= nil and 'hard link' or kinds[lib.archive_entry_filetype(entry)]
    or 'special file'
  return name ~= nil and ffi.string(name) or '?', kind
end

-- Contents of the current entry: buffer, bytes. More than `most` bytes is an error, whatever the header says.
local function contents(lib, a, path, name, most)
  local buffer, got = ffi.new('char[?]', most + 1), 0
  while got <= most do
    local n = tonumber(lib.archive_read_data(a, buffer + got, most + 1 - got))
    if n < 0 then fail(path, '%s: %s', name, why(lib, a)) end
    if n == 0 then break end
    got = got + n
  end
  if got > most then fail(path, '%s holds more than %d bytes', name, most) end
  return buffer, got
end

-- Calls each(name, kind, read) for every entry: kind is 'file', 'folder', 'symbolic link', 'hard link' or 'special
-- file'; read(most) returns the contents as pointer and bytes (at most so many), valid until the pointer is dropped.
function M.walk(path, each)
  local lib = open()
  local a = ffi.gc(lib.archive_read_new(), lib.archive_read_free)
  lib.archive_read_support_filter_all(a)
  lib.archive_read_support_format_tar(a)
  lib.archive_read_support_format_zip(a)
  if lib.archive_read_open_filename(a, path, 65536) ~= 0 then fail(path, '%s', why(lib, a)) end
  local entry = ffi.new 'hz_archive_entry *[1]'
  while true do
    local status = lib.archive_read_next_header(a, entry)
    if status == EOF then return end
    if status < WARN then fail(path, '%s', why(lib, a)) end
    local name, kind = describe(lib, entry[0])
    each(name, kind, function(most) return contents(lib, a, path, name, most) end)
  end
end

-- ---- packing ----

local PIECE = 2 ^ 20               -- bytes between two looks for Ctrl-C

local function begin(lib, filter, buffer, room, used, level)
  local a = ffi.gc(lib.archive_write_new(), lib.archive_write_free)
  local entry = ffi.gc(lib.archive_entry_new(), lib.archive_entry_free)
  lib.archive_entry_set_filetype(entry, 0x8000)
  for _, status in ipairs { lib.archive_write_set_format_raw(a), lib.archive_write_add_filter_by_name(a, filter),
    level and lib.archive_write_set_filter_option(a, filter, 'compression-level', tostring(level)) or 0,
    lib.archive_write_set_bytes_per_block(a, 0), lib.archive_write_open_memory(a, buffer, room, used),
    lib.archive_write_header(a, entry) } do
    if status ~= 0 then c.fail('pack: %s: %s', filter, why(lib, a)) end
  end
  return a
end

local function put(lib, a, filter, p, bytes)
  for at = 0, bytes - 1, PIECE do
    c.poll()
    local n = math.min(PIECE, bytes - at)
    if lib.archive_write_data(a, p + at, n) ~= n then c.fail('pack: %s: %s', filter, why(lib, a)) end
  end
end

local function pack(filter, total, each, level)
  local lib = open()
  local room = total + math.ceil(total / 8) + 65536    -- what cannot be packed grows a little
  local buffer, used = ffi.new('uint8_t[?]', room), ffi.new 'size_t[1]'
  local a = begin(lib, filter, buffer, room, used, level)
  each(function(p, bytes) put(lib, a, filter, ffi.cast('const uint8_t *', p), bytes) end)
  if lib.archive_write_close(a) ~= 0 then c.fail('pack: %s: %s', filter, why(lib, a)) end
  return buffer, tonumber(used[0])
end

-- How many bytes a stream comes to by a filter of libarchive ('xz', 'zstd'). total: its bytes; each(add) calls
-- add(pointer, bytes) for its pieces, in order. level: of the filter, nil for its own.
function M.packed(filter, total, each, level) return select(2, pack(filter, total, each, level)) end

-- The packed stream itself, as a string.
function M.pack(filter, total, each) return ffi.string(pack(filter, total, each)) end

-- ---- a packed stream ----

local function pieces(lib, a, path, most)
  local list, piece, got = {}, ffi.new('char[?]', PIECE), 0
  while true do
    c.poll()
    local n = tonumber(lib.archive_read_data(a, piece, PIECE))
    if n < 0 then fail(path, '%s', why(lib, a)) end
    if n == 0 then return table.concat(list) end
    got = got + n
    if got > most then fail(path, 'it holds more than %d bytes', most) end
    list[#list + 1] = ffi.string(piece, n)
  end
end

-- What was packed to `bytes`, which were read from a file; more than `most` bytes are an error. What is not packed is
-- given as it is.
function M.unpack(path, bytes, most)
  local lib = open()
  local a = ffi.gc(lib.archive_read_new(), lib.archive_read_free)
  lib.archive_read_support_filter_all(a)
  lib.archive_read_support_format_raw(a)
  local entry = ffi.new 'hz_archive_entry *[1]'
  if lib.archive_read_open_memory(a, bytes, #bytes) ~= 0 or lib.archive_read_next_header(a, entry) ~= 0 then
    fail(path, '%s', #bytes == 0 and 'it is empty' or why(lib, a))
  end
  return pieces(lib, a, path, most)
end

return M
