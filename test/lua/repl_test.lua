-- The prompt: through a pipe (plain reading) and on a pseudo-terminal (editing, completion, Ctrl-C, Ctrl-D).
local t = ...
local complete = require 'hz.cli.prompt.complete'

-- lines -> what is printed on stdout and on stderr
local rows = {
  { 'an expression prints', '1+1', '2\n', '' },
  { '= still works', '=1+1', '2\n', '' },
  { 'several values', '1, "a", nil', '1  "a"  nil\n', '' },
  { 'nothing prints nothing', 'x = 1', '', '' },
  { 'the last value is _', '5\n_ + 1', '5\n6\n', '' },
  { 'a local outlives its line', 'local a, b = 1, 2\na + b', '3\n', '' },
  { 'a local function, too', 'local function f() return 7 end\nf()', '7\n', '' },
  { 'several lines are one command', 'for i = 1, 2 do\nprint(i)\nend', '1\n2\n', '' },
  { 'names of hz need no prefix', 'zeros == hz.zeros', 'true\n', '' },
  { 'an error is a message', 'error "oops"\n1', '1\n', 'oops\n' },
  { 'an error in a called function has its line', 'function f()\n  error "oops"\nend\nf()', '', 'prompt:2: oops\n' },
  { 'a syntax error', 'x = = 1\n2', '2\n', "unexpected symbol near '='\n" },
  { 'an unfinished string', '"abc\n3', '3\n', "unfinished string near '<eof>'\n" },
  { 'the input ends inside a command', 'for i = 1, 2 do', '', "'end' expected near '<eof>'\n" },
  { 'an error value that is a table', 'error(setmetatable({}, {__tostring = function() return "special" end}))', '',
    'special\n' },
  { 'a broken __tostring', 'setmetatable({}, {__tostring = function() error "deep" end})\n4', '4\n', 'deep\n' },
  { 'a usage error of a script', 'require "hz.exit".stop(2, "knob: wrong")\n5', '5\n', 'knob: wrong\n' },
  { 'a tensor', 'tensor{1,2}', 'f32 (2)  min 1  mean 1.5  max 2\n  1  2\n', '' },
  { 'a name that is not there', 'reul', '', "'reul' is not defined, did you mean 'relu'?\n" },
  { 'a name that is nothing like one', 'x = qwertyuiop', '', "'qwertyuiop' is not defined\n" },
  { 'globals are globals', 'x = 1\n_G.x\n_G.nothing', '1\nnil\n', '' },
  { 'layers need no prefix', 'conv == hz.layers.conv', 'true\n', '' },
  { 'help on nothing known', '? nonsense', "help: nothing about 'nonsense'; ? alone lists what there is\n", '' },
}
for _, row in ipairs(rows) do
  t.case(row[1], function()
    local status, out, err = t.run({}, row[2] .. '\n')
    t.equal(out, row[3])
    t.equal(err, row[4])
    t.equal(status, row[4] == '' and 0 or 1)
  end)
end

t.case('help shows usage, text and example', function()
  local _, out = t.run({}, '? zeros\n?zeros\n? hz.zeros(3)\n')
  local one = out:sub(1, #out / 3)
  t.equal(out, one:rep(3))
  t.match(one, '^hz%.zeros%(shape, dtype%)\n  ')
end)

t.case('time of a slow line', function()
  local _, out = t.run({}, 'os.execute "sleep 0.2"\n')
  t.match(out, '%(0%.%d%d s%)\n$')
end)

t.case('-i after -e', function()
  local status, out = t.run({ '-i', '-e', 'x = 41' }, 'x + 1\n')
  t.equal(out, '42\n')
  t.equal(status, 0)
end)

-- ---- completion ----

local Class = { area = function() end, side = 3 }
Class.__index = Class
local globals = setmetatable({ table = table, tools = { hammer = 1, hook = print, deep = { x = 1 } },
  shape = setmetatable({ own = 1 }, Class), list = { { name = 1 } },
  lively = setmetatable({ own = 1 }, { __index = function() error 'ran' end, __names = { method = print } }),
  small = require 'hz'.net 'small' { require 'hz'.layers.relu },
  tens = require 'hz.tensor.tensor'.zeros { 2 } }, { __index = { layered = 1 } })

local words = {
  { 'tab', { 'table' } },
  { 'x = tool', { 'tools' } },
  { 'lay', { 'layered' } },
  { 'tools.h', { 'hammer', 'hook' } },
  { 'f(tools.deep.', { 'x' } },
  { 'tools:h', { 'hook' } },
  { 'shape.', { 'area', 'own', 'side' } },
  { 'shape:', { 'area' } },
  { 'list[1].n', { 'name' } },
  { 'tens:resh', { 'reshape' } },
  { 'lively.', { 'method', 'own' } },
  { 'small:summ', { 'summary' } },
  { 'nothing.x', {} },
  { 'f().x', {} },
  { 'whi', { 'while' } },
}
for _, row in ipairs(words) do
  t.case('completes ' .. row[1], function()
    t.equal(complete.complete(row[1], globals), row[2])
  end)
end

-- ---- on a terminal ----

-- Leaks are not judged: Ctrl-C may fall between the making of a tensor and its hand-over to the collector,
-- which then never frees it.
local function session()
  local folder = t.folder()
  local s = t.terminal(('XDG_STATE_HOME=%s ASAN_OPTIONS=%s:detect_leaks=0 %s'):format(folder,
    os.getenv 'ASAN_OPTIONS' or '', t.hz))
  s.history = folder .. '/hz/history'
  s.expect('? for help')
  s.expect('hz> ')
  return s
end

local function has_libedit()
  if not pcall(require 'ffi'.load, 'libedit.so.2') then t.skip 'libedit is not installed' end
end

t.case('Ctrl-D leaves with status 0, Ctrl-C does not', function()
  local s = session()
  s.send 'abc\3'
  s.expect '^C'
  s.send '1+1\r'
  s.expect '2\r\n'
  s.send '\4'
  t.equal(s.finish(), 0)
end)

t.case('Ctrl-C ends loops in Lua', function()
  if os.getenv 'HZ_SANITIZER' == 'thread' then
    t.skip 'the thread sanitizer keeps signals back until the next system call'
  end
  local s = session()
  for _, line in ipairs { 'while true do end', 'local x = 0; for i = 1, 1e15 do x = x + i end',
                          'while true do pcall(function() while true do end end) end',
                          'co = coroutine.wrap(function() while true do end end); co()' } do
    s.send(line .. '\r')
    os.execute 'sleep 0.3'
    s.send '\3'
    if line:find 'pcall' then
      os.execute 'sleep 0.3'
      s.send '\3'
    end
    s.expect 'interrupted'
    s.expect 'hz> '
  end
  s.send '"alive"\r'
  s.expect '"alive"\r\n'
  s.send '\4'
  t.equal(s.finish(), 0)
end)

t.case('Ctrl-C ends a loop over the core', function()
  local s = session()
  s.send 't = zeros{64,64}; while true do t = t + 1 end\r'
  os.execute 'sleep 0.3'
  s.send '\3'
  s.expect 'interrupted'
  s.send '\4'
  t.equal(s.finish(), 0)
end)

t.case('Tab completes, lists and keeps the line', function()
  has_libedit()
  local s = session()
  s.send 'alpha_one, alpha_two = 41, 42\r'
  s.expect 'hz> '
  s.send 'alp\t'
  s.expect 'alpha_'
  s.send '\t'
  s.expect 'alpha_one  alpha_two'
  s.send 'tw\t\r'
  s.expect '42\r\n'
  s.send '\4'
  t.equal(s.finish(), 0)
end)

t.case('history is kept and recalled', function()
  has_libedit()
  local s = session()
  s.send 'first = 11\r'
  s.expect 'hz> '
  s.send 'for i = 1, 1 do\r'
  s.expect '... '
  s.send 'print(i)\r'
  s.expect '... '
  s.send 'end\r'
  s.expect 'hz> '
  s.send '\27[A\27[A\r'
  s.expect 'irst = 11'
  s.expect 'hz> '
  s.send '\4'
  t.equal(s.finish(), 0)
  t.equal(t.read(s.history), 'first = 11\nfor i = 1, 1 do print(i) end\nfirst = 11\n')
end)

-- ---- help ----

-- Every example runs as at the prompt.
t.case('examples of the help', function()
  local names, lines = {}, {}
  for name, row in pairs(require 'hz.cli.prompt.help'.rows()) do
    t.ok(row.usage and row.text and not row.text:find '\n', name .. ' has usage and one line of text')
    if row.example then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    lines[i] = ('io.stderr:write %q\n%s'):format('@' .. name .. '\n', require 'hz.cli.prompt.help'.rows()[name].example)
  end
  local status, _, err = t.run({}, table.concat(lines, '\n') .. '\n')
  local failed = {}
  for name, message in err:gmatch '@([^\n]+)\n([^@\n][^\n]*)' do failed[#failed + 1] = name .. ': ' .. message end
  t.equal(table.concat(failed, '\n'), '')
  t.equal(status, 0)
  t.ok(#names > 20)
end)
