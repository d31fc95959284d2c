-- Plugins that were built against a frozen header work with the hz of today (test/abi/README.md).
local t = ...
local crypto = require 'hz.ext.crypto'

local OLD, NOW = 'test/abi/1', 'core'

local function built()
  if not t.tool 'cc' then t.skip 'no C compiler' end
  local dir = t.folder()
  for _, name in ipairs { 'image', 'sound', 'others' } do
    local status, _, err = t.sh(('cc -O1 -fPIC -shared -I%s -o %s/abi_%s.so %s/%s.c -lm'):format(OLD, dir, name, OLD,
      name))
    t.equal(status, 0, err)
  end
  return dir
end

-- What a script prints that runs with the old plugins.
local function ran(text)
  local dir = built()
  local status, out, err = t.sh(('HZ_PLUGIN_PATH=%s %s %s'):format(dir, t.quote(t.hz), t.write(dir .. '/s.lua', text)))
  t.equal(status, 0, err)
  return out
end

t.case('the frozen header is as it was', function()
  t.equal(crypto.sha256(t.read(OLD .. '/hz/plugin.h')),
    '68f0c8ebfe62fce7ea0a78e3871ebd019a0e5b5d1befd4c048bff563c4cd9907')
end)

-- ---- layout ----

-- Names of structs with their fields, and of enum constants, in a header.
local function declared(text)
  text = text:gsub('/%*.-%*/', '')
  local structs, constants = {}, {}
  for body, name in text:gmatch 'typedef struct [%w_]+ (%b{}) ([%w_]+);' do
    local fields = {}
    for declaration in body:sub(2, -2):gmatch '[^;]+' do
      local list = declaration:match '%(%*([%w_]+)%)' or declaration:match '^%s*[%w_ ]-[ %*]([%w_%[%], ]+)$'
      for field in (list or ''):gsub('%[.-%]', ''):gmatch '[%w_]+' do fields[#fields + 1] = field end
    end
    structs[#structs + 1] = { name = name, fields = fields }
  end
  for body in text:gmatch 'typedef enum [%w_]+ (%b{})' do
    for name in body:gmatch '%f[%w_]HZ_[%w_]+' do constants[#constants + 1] = name end
  end
  return structs, constants
end

-- Lines 'struct.field offset size' and 'constant value' as a compiler sees them in the header below `root`.
local function layout(root, structs, constants)
  local lines = { '#include "hz/plugin.h"', '#include <stdio.h>', 'int main(void)', '{' }
  for _, s in ipairs(structs) do
    for _, f in ipairs(s.fields) do
      lines[#lines + 1] = ('printf("%s.%s %%zu %%zu\\n", offsetof(%s, %s), sizeof ((%s *)0)->%s);'):format(s.name, f,
        s.name, f, s.name, f)
    end
  end
  for _, name in ipairs(constants) do lines[#lines + 1] = ('printf("%s %%d\\n", (int)%s);'):format(name, name) end
  lines[#lines + 1] = 'return 0; }'
  local dir = t.folder()
  t.write(dir .. '/l.c', table.concat(lines, '\n'))
  local status, out, err = t.sh(('cc -I%s -o %s/l %s/l.c && %s/l'):format(root, dir, dir, dir))
  t.equal(status, 0, err)
  return out
end

t.case('every field and constant of the frozen header stands where it stood', function()
  if not t.tool 'cc' then t.skip 'no C compiler' end
  local structs, constants = declared(t.read(OLD .. '/hz/plugin.h'))
  local fields = 0
  for _, s in ipairs(structs) do
    t.ok(#s.fields > 0, s.name)
    fields = fields + #s.fields
  end
  t.ok(#structs >= 14 and fields >= 70 and #constants >= 6,
    ('%d structs, %d fields, %d constants'):format(#structs, fields, #constants))
  t.equal(layout(NOW, structs, constants), layout(OLD, structs, constants))
end)

-- ---- use ----

t.case('codecs of the frozen header make the streams that they made then', function()
  local out = ran [[
    local hz = require 'hz'
    local crypto = require 'hz.ext.crypto'
    local image = hz.empty({ 5, 7, 3 }, 'u8')
    for i = 0, 104 do image:pointer()[i] = (i * 37) % 256 end
    local codec = hz.codec.abi_image { bits = 3 }
    local bytes, account = codec:encode(image)
    print(crypto.sha256(bytes), account.payload, account.tables, account.container)
    local back = codec:decode(bytes)
    print(crypto.sha256(require 'ffi'.string(back:pointer(), 105)))
    local set = hz.empty({ 40, 5, 7, 3 }, 'u8')
    for i = 1, 40 do set[i] = image end
    local decoded, sums = codec:recode(set, { threads = 3 })
    print(decoded[40]:ne(back):sum(), sums.bytes_payload, sums.bits_per_sample_file)
    local x = hz.empty({ 300, 2 }, 'f32')
    for i = 0, 599 do x:pointer()[i] = ((i * 37) % 256 - 128) / 256 end
    local sound = hz.codec.abi_sound {}
    local stream, told = sound:encode(x, { rate = 8000 })
    print(crypto.sha256(stream), told.payload, told.tables, told.container)
    local again = sound:decode(stream)
    print(again:size(1), (again - x):abs():max() < 1e-4)
  ]]
  t.equal(out, table.concat({
    '858d71bcebd9d9d9b999fa2c31bfba5418cf80877a4ec12d98fb8fdac6a755e9\t40\t0\t12',
    'cf718d851479133529ac5c9b1990ef32bc1dee3e8844ddda39b5c5ca1a292774',
    '0\t40\t3.9619047619048',                                   -- 8 bits * (40 + 12) bytes / 105 samples
    '9dcd4bb98a09ac8d4cb16a4460a2a056f16106f0070c564fcb3cf398d661e300\t1200\t9\t4',
    '300\ttrue',
    '' }, '\n'))
end)

t.case('readers of the frozen header read, its resamplers are listed', function()
  local out = ran [[
    local hz = require 'hz'
    local path = os.tmpname()
    hz.file.write(path, 'RAW8' .. string.rep('\192', 50))
    local clip = hz.sound.load(path)
    os.remove(path)
    print(clip.rate, clip.samples and clip.samples:size(1) or #clip)
    for _, row in ipairs(require 'hz.codec.plugins'.list()) do
      if row.name == 'abi_others' then print(row.library, row.skipped) end
    end
  ]]
  t.equal(out, '8000\t50\nabi_others\tnil\n')
end)
