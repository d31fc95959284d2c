-- Verbs of the command line: what arguments become, one table of mistakes and their messages, and the usage made from
-- rows.
local t = ...
local command = require 'hz.base.command'
local exit = require 'hz.exit'

local function keep(o) return o end

local folder = { 'folder', 'here', 'string', 'where', form = 'folder=DIR' }
local json = { 'json', false, 'bool', 'for programs' }

-- A command with verbs, one of them unnamed.
local store = command.new('store', {
  about = 'A store of things.',
  { '', keep, 'lists them', { json, folder } },
  { 'add', keep, 'adds things', { folder, { 'count', 1, 'int', 'how often', min = 1, form = '--count N' } },
    words = { 'THING', 1 } },
  { 'rm', keep, 'removes one', words = { 'THING', 1, 1, function() return { 'ball', 'doll' } end } },
  { 'swap', keep, 'swaps two', words = { 'THING', 2, 2 } },
  { 'set', keep, 'sets values', { json }, words = { 'THING', 0, 1 }, open = 'key=value' },
})
-- One without words: what stands behind a bool can only be its value.
local speed = command.new('speed', {
  { '', keep, 'measures', {
    { 'data', true, 'bool', 'with data' }, { 'net', { 'a' }, 'string', 'nets', list = true },
  } },
})

local good = {
  { store, {}, { json = false, folder = 'here', words = {}, given = {} } },
  { store, { '--json', 'folder=a=b' }, { json = true, folder = 'a=b', words = {}, given = {} } },
  { store, { 'add', 'ball', '--count', '3', 'doll' },
    { folder = 'here', count = 3, words = { 'ball', 'doll' }, given = {} } },
  { store, { 'rm', 'ball' }, { words = { 'ball' }, given = {} } },
  { store, { 'set', 'x=1', 'ball', 'y=', '--json' }, { json = true, words = { 'ball' }, given = { x = '1', y = '' } } },
  { store, { 'set', '--json', 'true' }, { json = true, words = { 'true' }, given = {} } },
  { speed, { '--data', 'false', '--net', 'b,c' }, { data = false, net = { 'b', 'c' }, words = {}, given = {} } },
  { speed, { '--data', '--net', 'b' }, { data = true, net = { 'b' }, words = {}, given = {} } },
}
for _, row in ipairs(good) do
  t.case('command: ' .. table.concat(row[2], ' '), function() t.equal(row[1](row[2]), row[3]) end)
end

local bad = {
  { store, { 'lose' }, "store: 'lose' is unknown; have add, rm, swap, set (store --help)" },
  { store, { '--jsn' }, "store: '--jsn' is unknown, did you mean '--json'; takes --json, folder=DIR, --help" },
  { store, { 'fodler=x' }, "store: 'fodler=x' is unknown, did you mean 'folder='; takes" },
  { store, { 'add' }, 'store add: 0 things were given; needs at least one' },
  { store, { 'rm' }, 'store rm: 0 things were given; needs one of ball, doll' },
  { store, { 'rm', 'a', 'b' }, 'store rm: 2 things were given; needs one of ball, doll' },
  { store, { 'swap', 'a' }, 'store swap: 1 thing was given; needs two' },
  { store, { 'set', 'a', 'b' }, 'store set: 2 things were given; needs at most one' },
  { store, { 'add', 'a', '--count' }, 'store add: nothing follows --count; needs --count N' },
  { store, { 'add', 'a', '--count', '0' }, 'store add: --count 0 was given; needs 1 or more' },
  { store, { 'add', 'a', '--count', '1', '--count', '2' }, "store add: '--count' was given twice; needs one value" },
  { store, { 'folder=' }, 'store: folder= was given; needs a value' },
  { store, { 'set', 'x=1', 'x=2' }, "store set: 'x' was given twice" },
  { store, { 'rm', 'a', 'x=1' }, "store rm: 'x=1' is unknown; takes THING, --help" },
  { speed, { 'fast' }, "speed: 'fast' is unknown" },
  { speed, { '--data', 'maybe' }, "speed: 'maybe' is unknown; takes --data, --net VALUE, --help" },
}
for _, row in ipairs(bad) do
  t.case('command: mistake: ' .. table.concat(row[2], ' '), function()
    local ok, e = pcall(row[1], row[2])
    t.ok(not ok and exit.is(e) and e.status == 2, 'status 2')
    t.ok(e.message:find((row[3]:gsub('%(store', '(hz store')), 1, true), e.message)
  end)
end

t.case('command: the usage is made from the rows, for every verb', function()
  for _, list in ipairs { { '--help' }, { 'add', '-h' }, { 'nonsense', '--help' } } do
    local ok, e = pcall(store, list)
    t.ok(not ok and exit.is(e) and e.status == 0, 'status 0')
    t.equal(e.message, [[
usage: hz store [--json] [folder=DIR]                   lists them
       hz store add THING ... [folder=DIR] [--count N]  adds things
       hz store rm THING                                removes one
       hz store swap THING THING                        swaps two
       hz store set [THING] [key=value ...] [--json]    sets values
  --json      for programs
  folder=DIR  where (default here)
  --count N   how often (int 1 or more; default 1)
A store of things.]])
  end
end)

t.case('command: every verb of hz answers --help, and says what it takes', function()
  for _, verb in ipairs { 'plugin', 'data', 'runs', 'report', 'compare', 'bench', 'version' } do
    local status, out, err = t.run { verb, '--help' }
    t.equal({ status, err }, { 0, '' }, verb)
    t.match(out, '^usage: hz ' .. verb, verb)
    status, _, err = t.run { verb, '--nonsense' }
    t.equal(status, 2, verb)
    t.match(err, '^hz: ' .. verb .. '[^\n]*\n$', verb)
  end
end)
