-- files.lua: one damaged file at a time of those that hz reads in Lua: JSON, safetensors (with a checksum and
-- without), a binary of CIFAR-10, heads of pictures and sounds. It is read, or refused with a message that names it;
-- what was read is written and read again as the same.
local _, _, count, scratch, damage = ...
local c = require 'hz.c'
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local head = require 'hz.data.head'
local hz = require 'hz'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local safetensors = require 'hz.tensor.safetensors'
local sound_head = require 'hz.data.sound_head'

local M = {}

-- ---- good files ----

local texts = {
  '{"a": [1, -2.5e-3, true, null, "\\u00e9\\ud834\\udd1e \\n\\"x\\""], "b": {"": [], "c": {}}, "d": 1e308}',
  '[[[[[[[[0]]]]]]]]', '"plain"', '{"parameters": {"quality": 10, "codec": "jpeg"}, "seed": 18446744073709551615}',
}

-- A file of ours, and the same as another program writes it: without the checksum.
local function tensor_files()
  local path = scratch .. '/a.safetensors'
  safetensors.write(path, { weight = hz.rand({ 3, 4 }, 0, 1, { seed = 1, stream = 1 }), label = hz.zeros({ 5 }, 'i32'),
    none = hz.zeros({ 0 }, 'u8') }, { note = 'x', ['hz.cell'] = '{"a":1}' })
  local own = hz.file.read_all(path)
  local header = '{"w":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},"i":{"dtype":"I64","shape":[1],'
    .. '"data_offsets":[8,16]},"__metadata__":{"format":"pt"}}  '
  return { own, string.char(#header, 0, 0, 0, 0, 0, 0, 0) .. header .. ('\0\60'):rep(4) .. '\7' .. ('\0'):rep(7) }
end

local function cifar_file() return ('\3' .. ('\200'):rep(3072) .. '\9' .. ('\1\2\3'):rep(1024)) end

local function picture_files()
  local list = {}
  for _, name in ipairs { 'png', 'jpeg', 'webp', 'avif', 'jxl', 'jpeg2000' } do
    if plugins.has(name) then
      list[#list + 1] = (codec[name]():encode(hz.rand({ 20, 30, 3 }, 0, 256, { seed = 2, stream = 2 }):to 'u8'))
    end
  end
  return list
end

-- ---- what is done with one; each returns whether it was read ----

-- f(...) or a message that begins as it must.
local function try(fail, opening, f, ...)
  local ok, a, b = pcall(f, ...)
  if ok then return true, a, b end
  if c.is_interrupt(a) then error(a, 0) end
  if not tostring(a):find(opening, 1, true) then fail('the message is %s', tostring(a)) end
  return false
end

local function read_json(bytes, fail)
  local ok, value = try(fail, 'case: ', json.decode, bytes, 'case')
  if not ok then return false end
  local text = json.encode(value)
  if json.encode(json.decode(text)) ~= text then fail('its own text reads as another value') end
  return true
end

local function read_tensors(bytes, fail)
  local path = scratch .. '/b.safetensors'
  hz.file.write(path, bytes)
  local ok, tensors, metadata = try(fail, 'safetensors: ' .. path, safetensors.read, path)
  if not ok then return false end
  safetensors.write(path, tensors, metadata)
  local again = safetensors.read(path)
  for name, t in pairs(tensors) do
    local u = again[name]
    if not u or t:type() ~= u:type() or t:count() ~= u:count() then fail('%s comes back as another', name) end
  end
  return true
end

local function read_cifar(bytes, fail)
  hz.file.write(scratch .. '/test_batch.bin', bytes)
  local ok, parts = try(fail, 'cifar10: ', dataset.describe('cifar10').read, scratch, nil, { test = true })
  if ok and 3073 * #parts.test.labels ~= #bytes then fail('%d labels of %d bytes', #parts.test.labels, #bytes) end
  return ok
end

local function whole(v) return v == nil or type(v) == 'number' and v >= 0 and v == math.floor(v) end

local function read_head(bytes, fail)
  local h = head.read(bytes)
  sound_head.kind(bytes)
  for _, key in ipairs { 'width', 'height', 'channels', 'bits', 'orientation' } do
    if not whole(h[key]) then fail('%s is %s', key, tostring(h[key])) end
  end
  if h.orientation and (h.orientation < 1 or h.orientation > 8) then fail('orientation %d', h.orientation) end
  return h.width ~= nil
end

local readers = {
  { 'json', function() return texts end, read_json },
  { 'safetensors', tensor_files, read_tensors },
  { 'cifar10', function() return { cifar_file() } end, read_cifar },
  { 'heads', picture_files, read_head },
}

-- ---- one case ----

local made
local function make()
  local list = {}
  for i, row in ipairs(readers) do
    local seeds = {}
    for k, bytes in ipairs(row[2]()) do seeds[k] = { bytes = bytes } end
    list[i] = { name = row[1], read = row[3], seeds = seeds }
  end
  return list
end

function M.case(d, fail)
  made = made or make()
  local one = d:of(made)
  if #one.seeds == 0 then return count('left out: no codec of pictures is built') end
  M.title = one.name
  local good = one.read(damage.some(d, d:of(one.seeds).bytes, one.seeds), fail)
  count(one.name .. (good and ' read' or ' refused'))
end

return M
