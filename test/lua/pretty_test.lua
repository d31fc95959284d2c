-- How values look at the prompt.
local t = ...
local pretty = require 'hz.tensor.pretty'
local tensor = require 'hz.tensor.tensor'

local loop = { 1 }
loop.me = loop
local long = {}
for i = 1, 100 do long[i] = i end

local rows = {
  { 'integer', 3, '3' },
  { 'fraction', 0.1, '0.1' },
  { 'not a number', 0 / 0, 'nan' },
  { 'infinite', -math.huge, '-inf' },
  { 'string', 'a"b', '"a\\"b"' },
  { 'text of several lines', 'a\nb', 'a\nb' },
  { 'text with tabs', 'a\n\tb', 'a\n\tb' },
  { 'control characters', 'a\27[1mb\r\0001', '"a\\27[1mb\\r\\0001"' },
  { 'text of several lines with control characters', 'a\nb\7\t\127', '"a\\nb\\7\\t\\127"' },
  { 'a long string', ('ä'):rep(2 ^ 20), '"' .. ('ä'):rep(2047) .. '"... (2097152 bytes)' },
  { 'a long text', ('ab\n'):rep(4096), ('ab\n'):rep(1365) .. 'a... (12288 bytes)' },
  { 'boolean', true, 'true' },
  { 'empty table', {}, '{}' },
  { 'list', { 1, 'a', { 2 } }, '{ 1, "a", { 2 } }' },
  { 'fields, sorted', { b = 1, a = 2, ['c d'] = 3, [10] = 4 }, '{ [10] = 4, a = 2, b = 1, ["c d"] = 3 }' },
  { 'a table in itself', loop, '{ 1, me = itself }' },
  { 'too deep', { { { { 1 } } } }, '{ { { {...} } } }' },
  { 'built-in function', print, 'function (built in)' },
  { 'scalar tensor', tensor.full({}, 2.5), 'f32 ()  2.5' },
  { 'empty tensor', tensor.zeros { 0, 3 }, 'f32 (0,3)  empty' },
  { 'vector', tensor.range(1, 3), 'f32 (3)  min 1  mean 2  max 3\n  1  2  3' },
  { 'long vector', tensor.range(1, 100), 'f32 (100)  min 1  mean 50.5  max 100\n    1    2    3  ...   98   99  100' },
  { 'matrix of fractions', tensor.from { { 1, -0.5 }, { 0.25, 2 } },
    'f32 (2,2)  min -0.5  mean 0.6875  max 2\n   1.0000  -0.5000\n   0.2500   2.0000' },
  { 'not finite', tensor.from { 1, 0 / 0, math.huge }, 'f32 (3)  2 of 3 not finite\n    1  nan  inf' },
  { 'bytes', tensor.full({ 2 }, 200, 'u8'), 'u8 (2)  min 200  mean 200  max 200\n  200  200' },
  { 'a tensor inside a table', { x = tensor.zeros { 2, 3 } }, '{ x = f32 (2,3) }' },
  { 'an object that can print itself', setmetatable({}, { __tostring = function() return 'net' end }), 'net' },
}
for _, row in ipairs(rows) do
  t.case(row[1], function()
    local text = pretty.value(row[2])
    if row[3] == 'nan' then text = text:gsub('^%-', '') end      -- the sign of a NaN means nothing
    t.equal(text, row[3])
  end)
end

t.case('more dimensions: first and last matrix', function()
  local x = tensor.range(1, 24):reshape { 2, 3, 4 }
  t.equal(tostring(x),
    'f32 (2,3,4)  min 1  mean 12.5  max 24\n [1,:,:]\n   1   2   3   4\n   5   6   7   8\n   9  10  11  12\n'
    .. ' [2,:,:]\n  13  14  15  16\n  17  18  19  20\n  21  22  23  24')
end)

t.case('a large matrix shows its edges', function()
  local lines = 0
  for line in (tostring(tensor.zeros { 1000, 1000 }) .. '\n'):gmatch '([^\n]*)\n' do
    lines = lines + 1
    t.ok(#line < 80)
  end
  t.equal(lines, 8)
end)

t.case('a large table is not looked through', function()
  local large, named = {}, {}
  for i = 1, 2 ^ 20 + 5 do large[i] = i end
  for i = 1, 10010 do named['n' .. i] = i end
  t.match(pretty.value(large), '%.%.%. 1048541 or more\n}$')
  t.match(pretty.value(named), '%.%.%. 9960 or more\n}$')
end)

t.case('a long table is cut and wrapped', function()
  local text = pretty.value(long)
  t.match(text, '60 more')
  for line in text:gmatch '[^\n]+' do t.ok(#line <= pretty.width, line) end
end)
