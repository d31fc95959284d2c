-- elf.lua: which names a shared object exports and needs, and which libraries: of a file that the system's loader has
-- taken, 64 bit, little-endian.
local ffi = require 'ffi'
local file = require 'hz.base.file'

local M = {}

local DYNAMIC, DYNSYM, NEEDED = 6, 11, 1               -- SHT_DYNAMIC, SHT_DYNSYM, DT_NEEDED
local WEAK, LOOSE_ABOVE = 2, 3                         -- STB_WEAK; bindings of the system's own begin there
-- What the linker itself defines.
local linker = { _init = true, _fini = true, _edata = true, _end = true, __bss_start = true }

local function reader(text)
  local p = ffi.cast('const uint8_t *', text)
  return function(at, bytes)
    assert(at >= 0 and at + bytes <= #text, 'its tables reach beyond its end')
    local v = 0
    for i = bytes - 1, 0, -1 do v = v * 256 + p[at + i] end
    return v
  end
end

local function sections(read)
  local at, each, n = read(0x28, 8), read(0x3a, 2), read(0x3c, 2)
  local list = {}
  for i = 0, n - 1 do
    local s = at + i * each
    list[i] = { type = read(s + 4, 4), offset = read(s + 0x18, 8), bytes = read(s + 0x20, 8), link = read(s + 0x28, 4),
      each = read(s + 0x38, 8) }
  end
  return list
end

local function each_entry(list, kind, visit)
  for i = 0, #list do
    local s = list[i]
    if s and s.type == kind and s.each > 0 then
      for at = s.offset, s.offset + s.bytes - s.each, s.each do visit(at, list[s.link].offset) end
      return true
    end
  end
end

-- { exports, wants, libraries }: lists of names; nil where the file has no section headers.
function M.names(path)
  local text = file.read_all(path)
  local read, found = reader(text), { exports = {}, wants = {}, libraries = {} }
  local function name(at) return text:match('^[^%z]*', at + 1) end
  local list = sections(read)
  local any = each_entry(list, DYNSYM, function(at, names)
    local binding, label = math.floor(read(at + 4, 1) / 16), name(names + read(at, 4))
    if label == '' or binding == 0 then return end
    if read(at + 6, 2) == 0 then
      table.insert(found.wants, label)
    elseif binding ~= WEAK and binding < LOOSE_ABOVE and not linker[label] then
      table.insert(found.exports, label)
    end
  end)
  each_entry(list, DYNAMIC, function(at, names)
    if read(at, 8) == NEEDED then table.insert(found.libraries, name(names + read(at + 8, 8))) end
  end)
  return any and found or nil
end

return M
