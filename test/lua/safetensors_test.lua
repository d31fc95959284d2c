-- safetensors: tensors and metadata come back; every damage is noticed before anything is handed out.
local t = ...
local ffi = require 'ffi'
local file = require 'hz.base.file'
local safetensors = require 'hz.tensor.safetensors'
local tensor = require 'hz.tensor.tensor'

local function example()
  return { weight = tensor.from { { 1, 2, 3 }, { 4, 5, -6.5 } }, bytes = tensor.from({ 1, 2, 255 }, 'u8'),
    scalar = tensor.full({}, 1 / 3, 'f64'), none = tensor.empty { 0, 4 }, half = tensor.full({ 5 }, 1.5, 'bf16'),
    whole = tensor.from({ 1, -2 ^ 31 }, 'i32') }
end

local function flat(x)
  local bytes = x:count() * ({ f32 = 4, u8 = 1, f64 = 8, bf16 = 2, i32 = 4 })[x:type()]
  return bytes > 0 and ffi.string(x:contiguous():pointer 'read', bytes) or ''
end

t.case('tensors and metadata come back', function()
  local path, given = t.folder() .. '/a.safetensors', example()
  safetensors.write(path, given, { note = 'wörld "x"' })
  local got, metadata = safetensors.read(path)
  for name, x in pairs(given) do
    t.equal(got[name]:type(), x:type(), name)
    t.equal(got[name]:size(), x:size(), name)
    t.ok(flat(got[name]) == flat(x), name)
    got[name] = nil
  end
  t.equal(next(got), nil)
  t.equal(metadata, { note = 'wörld "x"' })
  t.equal(safetensors.metadata(path), metadata)
end)

t.case('strided views are written as what they show', function()
  local path = t.folder() .. '/a'
  for _, dtype in ipairs { 'f32', 'bf16', 'u8', 'i32', 'f64' } do
    safetensors.write(path, { w = tensor.from({ { 1, 2, 3 }, { 4, 5, 6 } }, dtype):transpose(),
      row = tensor.from({ 1, 2, 3, 4 }, dtype):slice(1, 1, 4, 2) })
    local got = safetensors.read(path)
    local w, row = got.w:to 'f64', got.row:to 'f64'
    t.equal({ w[1][1], w[1][2], w[2][1], w[2][2], w[3][1], w[3][2], row[1], row[2] }, { 1, 4, 2, 5, 3, 6, 1, 3 }, dtype)
  end
end)

t.case('equal contents are equal bytes, aligned to 8', function()
  local d = t.folder()
  safetensors.write(d .. '/a', example(), { b = '1', a = '2' })
  safetensors.write(d .. '/b', example(), { a = '2', b = '1' })
  local bytes = file.read_all(d .. '/a')
  t.ok(bytes == file.read_all(d .. '/b'))
  local length = bytes:byte(1) + 256 * bytes:byte(2)
  t.equal(length % 8, 0)
  t.equal(bytes:sub(9, 9), '{')
end)

t.case('a changed byte anywhere is noticed', function()
  local path = t.folder() .. '/a'
  safetensors.write(path, example(), { note = 'some text' })
  local bytes = file.read_all(path)
  local from, to = bytes:find('"hz.sha256"', 1, true)
  for i = 1, #bytes do
    if i <= from or i >= to then                       -- without its key the file is one of another program
      t.write(path, bytes:sub(1, i - 1) .. string.char(bit.bxor(bytes:byte(i), 2 ^ (i % 8))) .. bytes:sub(i + 1))
      local ok, e = pcall(safetensors.read, path)
      if ok then error(('byte %d was changed unnoticed'):format(i - 1)) end
      t.match(e, 'safetensors: ' .. path:gsub('%p', '%%%0'))
    end
  end
end)

t.case('the checksum is of what a header says, however it is written', function()
  local path = t.folder() .. '/a'
  safetensors.write(path, example(), { note = 'a "hz.sha256":"x", b' })
  local bytes, json = file.read_all(path), require 'hz.base.json'
  local length = bytes:byte(1) + 256 * bytes:byte(2)
  local header = json.encode(json.decode(bytes:sub(9, 8 + length)), { pretty = true })
  local size = string.char(#header % 256, math.floor(#header / 256), 0, 0, 0, 0, 0, 0)
  t.write(path, size .. header .. bytes:sub(9 + length))
  t.equal(select(2, safetensors.read(path)).note, 'a "hz.sha256":"x", b')
  t.write(path, size .. header:gsub(', b', ', c') .. bytes:sub(9 + length))
  t.raises('do not have the checksum', safetensors.read, path)
end)

t.case('a truncated file is noticed, whatever its length', function()
  local path = t.folder() .. '/a'
  safetensors.write(path, example())
  local bytes = file.read_all(path)
  for n = 0, #bytes - 1 do
    t.write(path, bytes:sub(1, n))
    t.raises('safetensors: ' .. path .. ': byte ' .. n .. ': the file ends', safetensors.read, path)
  end
  t.write(path, bytes .. 'x')
  t.raises('1 bytes belong to no tensor', safetensors.read, path)
end)

-- A file of one's own making: the header as text, then `data`.
local function forged(header, data, length)
  local path = t.folder() .. '/f.safetensors'
  return t.write(path, ffi.string(ffi.new('uint64_t[1]', length or #header), 8) .. header .. (data or ''))
end

t.case('headers that lie are refused with the reason', function()
  local function entry(dtype, shape, from, to)
    return ('{"dtype":"%s","shape":%s,"data_offsets":[%s,%s]}'):format(dtype, shape, from, to)
  end
  for _, row in ipairs {
    { forged('{}', '', 2 ^ 40), 'byte 0: the header is said to have 1099511627776 bytes' },
    { forged('{}', '', 90), 'the file ends in the header' },
    { forged '[1]', 'the header is no object' }, { forged '"x"', 'the header is no object' },
    { forged '{', 'header: byte 1' },
    { forged('{"a":' .. entry('F16', '[2]', 0, 2) .. '}', 'xx'), 'spans 2 bytes; its shape and dtype need 4' },
    { forged('{"a":' .. entry('I64', '[1]', 0, 2) .. '}', 'xx'), 'spans 2 bytes; its shape and dtype need 8' },
    { forged '{"a":{"dtype":3,"shape":[],"data_offsets":[0,0]}}', "tensor 'a' has dtype number; needs a name" },
    { forged('{"a":' .. entry('F32', '[2]', 0, 4) .. '}', 'xxxx'),
      "tensor 'a' spans 4 bytes; its shape and dtype need 8" },
    { forged('{"a":' .. entry('F32', '[-1]', 0, 4) .. '}', 'xxxx'), 'extent -1' },
    { forged('{"a":' .. entry('U8', '[4294967296,4294967296,4294967296]', 0, 4) .. '}', 'xxxx'),
      'its shape and dtype need' },
    { forged('{"a":' .. entry('U8', '[2]', 0, 2) .. ',"b":' .. entry('U8', '[2]', 1, 3) .. '}', 'xxx'),
      "tensor 'b' overlaps the one before it" },
    { forged('{"a":' .. entry('U8', '[2]', 0, 2) .. ',"b":' .. entry('U8', '[2]', 3, 5) .. '}', 'xxxxx'),
      "tensor 'b' leaves a gap" },
    { forged('{"a":' .. entry('U8', '[2]', 2, 0) .. '}', 'xx'), 'no usable data_offsets' },
    { forged('{"a":' .. entry('U8', '[9]', 0, 9) .. '}', 'xx'), "the file ends in tensor 'a'; needs 7 bytes more" },
    { forged('{"a":3}', ''), "tensor 'a' lacks dtype" },
    { forged('{"__metadata__":{"a":1}}', ''), "metadata 'a' is no string" },
    { forged('{"__metadata__":3}', ''), '__metadata__ is no object' },
    { forged('{"__metadata__":{"hz.sha256":"00"}}', ''), 'do not have the checksum' },
  } do
    t.raises(row[2], safetensors.read, row[1])
  end
  t.equal(next((safetensors.read(forged('{}  ', '')))), nil, 'an empty file of another program')
end)

-- name -> dtype, shape, bytes; then what is read of it: our dtype and its values, or nothing
local others = {
  half = { 'F16', '[2,4]', '\0\60\0\192\255\123\1\0\0\4\0\124\0\252\1\126',
    'f32', { 1, -2, 65504, 2 ^ -24, 2 ^ -14, math.huge, -math.huge, 0 / 0 } },
  e5m2 = { 'F8_E5M2', '[6]', '\60\192\123\1\124\125', 'f32', { 1, -2, 57344, 2 ^ -16, math.huge, 0 / 0 } },
  e4m3 = { 'F8_E4M3', '[6]', '\56\192\126\1\255\128', 'f32', { 1, -2, 448, 2 ^ -9, 0 / 0, 0 } },
  truth = { 'BOOL', '[3]', '\1\0\2', 'u8', { 1, 0, 1 } },
  tiny = { 'I8', '[2]', '\255\127', 'i32', { -1, 127 } },
  short = { 'I16', '[2]', '\0\128\255\127', 'i32', { -32768, 32767 } },
  count = { 'U16', '[1]', '\255\255', 'i32', { 65535 } },
  wide = { 'U32', '[1]', '\255\255\255\255', 'f64', { 2 ^ 32 - 1 } },
  long = { 'I64', '[]', ('\1'):rep(8) }, complex = { 'C64', '[2]', ('\1'):rep(16) }, future = { 'F4', '[4]', 'ab' },
  deep = { 'F32', '[1,1,1,1,1,1,1]', ('\0'):rep(4) }, own = { 'F32', '[1]', '\0\0\128\63', 'f32', { 1 } },
  none = { 'F16', '[0,3]', '', 'f32', {} },
}

t.case('types of other programs stand beside ours: read exactly, or left out and said', function()
  local entries, data = {}, ''
  for name, row in pairs(others) do
    entries[#entries + 1] = ('"%s":{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}'):format(name, row[1], row[2],
      #data, #data + #row[3])
    data = data .. row[3]
  end
  local path = forged('{' .. table.concat(entries, ',') .. '}', data)
  local tensors = safetensors.read(path)
  for name, row in pairs(others) do
    local got = tensors[name]
    t.equal(got and got:type(), row[4], name)
    for i, v in ipairs(row[5] or {}) do
      local x = got:reshape { -1 }[i]
      t.ok(x == v or x ~= x and v ~= v, ('%s[%d]: %s'):format(name, i, x))
    end
  end
  t.equal(tensors.half:size(), { 2, 4 })
  local status, _, err = t.run { '-e', ("hz.safetensors.read '%s'"):format(path) }
  t.equal(status, 0)
  t.match(err, "4 of 14 tensors are left out: '.*' %u%d+ %(.*%), .*, %.%.%.")
end)

t.case('a large tensor of halves and one that is left out are read in pieces', function()
  local n = 3 * 2 ^ 20 + 1
  local path = forged(('{"a":{"dtype":"I64","shape":[%d],"data_offsets":[0,%d]},"b":{"dtype":"F16","shape":[%d],'
    .. '"data_offsets":[%d,%d]}}'):format(n, 8 * n, n, 8 * n, 10 * n), ('\1'):rep(8 * n) .. ('\0\60'):rep(n))
  local tensors = safetensors.read(path)
  t.equal(tensors.a, nil)
  t.equal({ tensors.b:sum(), tensors.b:min(), #tensors.b }, { n, 1, n })
end)

t.case('what cannot be written is refused', function()
  local path = t.folder() .. '/a'
  t.raises("'w' is a number; needs a tensor", safetensors.write, path, { w = 1 })
  t.raises("the name '__metadata__'", safetensors.write, path, { __metadata__ = tensor.zeros { 1 } })
  t.raises("metadata 'a' is a number", safetensors.write, path, {}, { a = 1 })
  t.raises("metadata 'hz.sha256'", safetensors.write, path, {}, { ['hz.sha256'] = 'x' })
  t.equal(file.exists(path), nil)
end)
