-- Knobs of scripts: one table of what is given and what it becomes, one of mistakes and their messages.
local t = ...
local args = require 'hz.base.args'.parse
local exit = require 'hz.exit'

local spec = {
  about = 'Tries knobs.',
  { 'epochs', 10, 'int', 'passes', min = 1 },
  { 'rate', 0.1, 'float', 'learning rate', min = 0, max = 1 },
  { 'quality', { 10, 'raw' }, 'int', 'JPEG quality', list = true, min = 1, max = 100, also = { 'raw' } },
  { 'seed', { 1 }, 'int', 'seeds', list = true },
  { 'model', { 'a' }, 'string', 'models', list = true, choices = { 'a', 'b' } },
  { 'out', nil, 'string', 'folder' },
  { 'dry', false, 'bool', 'only say' },
  { 'even', 2, 'int', 'an even one', check = function(v) return v % 2 ~= 0 and 'an even number' or nil end },
}

local good = {
  { 'epochs=3', 'epochs', 3 },
  { 'epochs=1e2', 'epochs', 100 },
  { 'rate=1e-3', 'rate', 1e-3 },
  { 'quality=5', 'quality', { 5 } },
  { 'quality=5,10,raw', 'quality', { 5, 10, 'raw' } },
  { 'quality=1..3,raw,7', 'quality', { 1, 2, 3, 'raw', 7 } },
  { 'seed=-1..1', 'seed', { -1, 0, 1 } },
  { 'model=b,a', 'model', { 'b', 'a' } },
  { 'out=a,b=c', 'out', 'a,b=c' },
  { 'dry=true', 'dry', true },
  { 'dry=0', 'dry', false },
  { 'even=4', 'even', 4 },
}
for _, row in ipairs(good) do
  t.case(row[1], function()
    local knob, given = args(spec, row[1])
    t.equal(knob[row[2]], row[3])
    t.equal(given, { [row[2]] = true })
  end)
end

local bad = {
  { 'epoch=3', "'epoch' is no key, did you mean 'epochs'; have epochs rate" },
  { 'zzz=3', "'zzz' is no key; have epochs rate" },
  { 'epochs', "'epochs' was given; needs key=value" },
  { '--what', 'needs key=value (--help lists the keys)' },
  { 'epochs=', 'epochs= was given; needs a value' },
  { 'epochs=x', 'epochs=x was given; needs a whole number, 1 or more' },
  { 'epochs=1.5', 'needs a whole number' },
  { 'epochs=0', 'epochs=0 was given; needs 1 or more' },
  { 'epochs=1,2', 'needs one value' },
  { 'epochs=1..2', 'needs a whole number' },
  { 'epochs=nan', 'needs a whole number' },
  { 'rate=nan', 'needs a number, 0..1' },
  { 'rate=inf', 'needs a number, 0..1' },
  { 'rate=2', 'rate=2 was given; needs 0..1' },
  { 'quality=0', 'needs 1..100 or raw' },
  { 'quality=90..110', 'needs 1..100 or raw' },
  { 'quality=a', 'needs a whole number, 1..100 or raw' },
  { 'quality=1,,2', 'needs a whole number' },
  { 'seed=5..1', 'needs a rising range such as 1..5' },
  { 'seed=1..999999999', 'a range of at most' },
  { 'model=c', 'model=c was given; needs one of a, b' },
  { 'dry=maybe', 'needs true or false' },
  { 'even=3', 'needs an even number' },
}
for _, row in ipairs(bad) do
  t.case(row[1], function()
    local ok, e = pcall(args, spec, row[1])
    t.ok(not ok, 'raises')
    t.ok(exit.is(e) and e.status == 2, 'status 2')
    t.ok(e.message:find(row[2], 1, true), e.message)
  end)
end

t.case('keys that exist for the values of others', function()
  local rows = { { 'codec', 'a', 'string', '' }, more = function(knob)
    local most = knob.codec == 'a' and 3 or 9
    return { { 'level', nil, 'int', 'of ' .. knob.codec, list = true, max = most }, { 'codec', nil, 'int', '' } }
  end }
  local function values(...)
    local knob, given, more = args(rows, ...)
    t.equal(knob.level, nil)
    return more, given.level
  end
  t.equal({ values() }, { {} })
  t.equal({ values 'level=1,3' }, { { level = { 1, 3 } }, true })
  t.equal((values('level=9', 'codec=b')), { level = { 9 } })
  t.raises('level=9 was given; needs 3 or less', args, rows, 'level=9')
  t.raises("'levl' is no key, did you mean 'level'; have codec level", args, rows, 'levl=9')
  t.raises('given twice', args, rows, 'level=1', 'level=1')
  local _, e = pcall(args, rows, 'codec=b', '--help')
  t.match(e.message, '\n  level =    of b %(int list 9 or less%)$')
end)

t.case('given twice', function() t.raises('given twice', args, spec, 'epochs=1', 'epochs=2') end)

t.case('defaults are copies', function()
  args(spec).quality[1] = 99
  t.equal(args(spec).quality, { 10, 'raw' })
  t.equal(args(spec).out, nil)
end)

t.case('a wrong row is blamed on the script', function()
  local function rows(list) return function() local knob = args(list); return knob end end
  t.raises("args_test.lua:", rows { { 'a', 1, 'number', 'x' } })
  t.raises('needs int, float, string or bool', rows { { 'a', 1, 'number', 'x' } })
  t.raises('stands there twice', rows { { 'a', 1, 'int', 'x' }, { 'a', 1, 'int', 'x' } })
end)

t.case('--help prints the rows with their defaults, status 0', function()
  local path = t.write(t.folder() .. '/s.lua', [[
    hz.args({ about = 'Tries.', { 'epochs', 10, 'int', 'passes', min = 1 } }, ...)
    print 'not reached' ]])
  local status, out = t.run { path, '--help' }
  t.equal(status, 0)
  t.equal(out, 'Tries.\nusage: hz s.lua [key=value ...]\n  epochs = 10  passes (int 1 or more)\n')
  local bad_status, _, err = t.run { path, 'epoch=1' }
  t.equal(bad_status, 2)
  t.match(err, "^hz: s%.lua: 'epoch' is no key, did you mean 'epochs'; have epochs\n$")
end)
