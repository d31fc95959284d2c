-- JSON: what is written reads back equal, byte for byte the same each time; what is no JSON is refused at its byte.
local t = ...
local json = require 'hz.base.json'

t.case('values come back', function()
  local v = { name = 'é "x"\\\n\0\127', list = { 1, 2.5, -0.25, 1e300, 5e-324, 2 ^ 53 }, yes = true, no = false,
    none = json.null, empty = json.array {}, object = {} }
  local text = json.encode(v)
  t.equal(json.decode(text), v)
  t.equal(json.encode(json.decode(text)), text)
  t.equal(json.encode { b = 1, a = json.array {}, c = {} }, '{"a":[],"b":1,"c":{}}')
end)

t.case('numbers are the shortest that read back equal', function()
  t.equal(json.encode { 0.1, 1 / 3, 100, -0.0, 1e22, 123456789012345678 },
    '[0.1,0.3333333333333333,100,-0,1e+22,1.2345678901234568e+17]')
  math.randomseed(1)
  for _ = 1, 2000 do
    local v = (math.random() - 0.5) * 10 ^ math.random(-300, 300)
    t.equal(json.decode(json.encode(v)), v)
  end
end)

t.case('pretty text is one entry a line', function()
  t.equal(json.encode({ a = { 1, 2 }, b = {} }, { pretty = true }), '{\n  "a": [\n    1,\n    2\n  ],\n  "b": {}\n}')
end)

t.case('escapes and pairs of surrogates', function()
  t.equal(json.decode [["\u0041\u00e9\u20ac\ud83d\ude00\/\b"]], 'Aé€😀/\b')
  t.equal(json.encode '\1\31', [["\u0001\u001f"]])
  t.equal(json.encode 'a\255b\237\160\128', '"a\239\191\189b\239\191\189\239\191\189\239\191\189"', 'what is not UTF-8')
end)

t.case('what is no plain ASCII is found at any place', function()
  for n = 0, 9 do
    local before = ('a'):rep(n)
    for i = 0, 31 do
      t.raises(('byte %d: a control character'):format(n + 1), json.decode, '"' .. before .. string.char(i) .. 'bcd"')
      t.raises('a control character', json.decode, '"' .. before .. '\\n' .. string.char(i) .. '"')
    end
    t.raises(('byte %d: not UTF-8'):format(n + 1), json.decode, '"' .. before .. '\255"')
    t.equal(json.decode('"' .. before .. '\127é\\\\"'), before .. '\127é\\')
    t.raises('byte 0: a string does not end', json.decode, '"' .. before .. '\\"')
    t.raises('byte 0: a string does not end', json.decode, '"' .. before .. '\\\\\\"')
  end
end)

t.case('strings within strings, and blanks anywhere', function()
  local v = { a = { 1, json.null, 'x\\"y\n\t/\b\f\r' }, b = ('"\\'):rep(1000), c = 'é\1"' }
  local text = json.encode(v)
  for _ = 1, 4 do text = json.encode { text, text } end
  for i = 1, 4 do text = json.decode(text)[i % 2 + 1] end
  t.equal(json.decode(text), v)
  t.equal(json.decode ' \t\r\n{ "a" :\n[ 1 ,2\t] , "b":{ }, "c" : [ ] } ', { a = { 1, 2 }, b = {}, c = {} })
  t.equal(json.decode '[-0.5e+2,0,-0,10,1E5,0.0]', { -50, 0, -0, 10, 1e5, 0 })
  for _, number in ipairs { '1.e5', '-01', '00', '1e+', '-.5', '1+5', '0x10', '1e5.0' } do
    t.ok(not pcall(json.decode, number), number)
  end
end)

t.case('what JSON cannot hold is named with its place', function()
  t.raises('value.a[2] is nan', json.encode, { a = { 1, 0 / 0 } })
  t.raises('value.f is a function', json.encode, { f = print })
  t.raises('neither 1..n nor all strings', json.encode, { 1, a = 2 })
  t.raises('neither 1..n nor all strings', json.encode, { [1] = 1, [3] = 2 })
  local loop = {}
  loop.loop = loop
  t.raises('levels deep', json.encode, loop)
end)

t.case('what is no JSON is refused at its byte', function()
  for _, row in ipairs {
    { '', 'byte 0: the text ends' }, { '[1,]', "byte 3: found ']'" }, { '[1 2]', "byte 3: found '2'" },
    { '{"a":1,"a":2}', "byte 7: the key 'a' is there twice" },
    { '01', 'byte 0: not a number' }, { '1.', 'byte 0: not a number' }, { '.5', "byte 0: found '.'" },
    { '+1', "byte 0: found '+'" }, { '1e', 'byte 0: not a number' },
    { '-', 'byte 0: not a number' }, { '[1', 'byte 2: the text ends in a list' },
    { '{a:1}', "byte 1: found 'a'; needs a key" }, { '{"a" 1}', "byte 5: found '1' after a key" },
    { '"abc', 'byte 0: a string does not end' }, { '"a\nb"', 'byte 2: a control character' },
    { '"\\x"', 'byte 1: an unknown escape' },
    { '"\\u12g4"', 'byte 1: the escape' }, { '"\\ud800"', 'byte 1: half of a surrogate' },
    { '"\\udc00"', 'byte 1: half of a surrogate' },
    { '"\255"', 'byte 1: not UTF-8' }, { '"\192\128"', 'byte 1: not UTF-8' }, { 'nul', "byte 0: found 'n'" },
    { 'NaN', "byte 0: found 'N'" },
    { '1 x', "byte 2: found 'x' after the value" }, { ('['):rep(300), 'levels deep' },
    { "{'a':1}", "byte 1: found '''" },
  } do t.raises(row[2], json.decode, row[1]) end
  t.raises('x.json: byte 0', json.decode, '?', 'x.json')
end)
