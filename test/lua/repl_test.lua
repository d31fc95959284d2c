-- The prompt through a pipe (plain reading), and completion; prompt_test.lua has it on a terminal.
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

t.case('NAME? asks what ? NAME asks, by any name', function()
  local _, out = t.run({}, '? hz.matmul\nmatmul?\nm = hz.matmul; l = hz.layers\nm?\n?m\n')
  t.equal(out, out:sub(1, #out / 4):rep(4))
  _, out = t.run({}, '? l.conv\nl = hz.layers\n? conv\nl.conv?\nhz.layers.conv?\nlayers.conv?\n')
  t.equal(out, out:sub(1, #out / 5):rep(5))
  _, out = t.run({}, 'x = zeros{2}\n? :sum\nx:sum?\n? x.sum\n')
  t.equal(out, out:sub(1, #out / 3):rep(3))
  _, out = t.run({}, 'mean = zeros{2, 3}\nmean?\n')
  t.match(out, '^mean: tensor  f32 %(2,3%)\n  methods: abs ')
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
  own_train = require 'hz'.train,
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
  { 'l.me', { 'meanpool' } },
  { 'small:plan{', require 'hz.base.names'.sorted(require 'hz.net.plan'.options) },
  { 'small:plan{batch=2, opt', { 'optimizer' } },
  { 'small:plan{batch=2, data=1, batch', {} },
  { 'small:plan{augment={', { 'fill', 'flip', 'shift', 'shift_x', 'shift_y' } },
  { 'small:plan{batch=tab', { 'table' } },
  { 'small:plan{batch=list[1], key = { f(1), 2 }, tu', { 'tune' } },
  { 'hz.train{ep', { 'epochs' } },
  { 'own_train {ep', { 'epochs' } },
  { 'hz.sgd{mo', { 'momentum' } },
  { "hz.optimizer('adam', {be", { 'beta1', 'beta2' } },
  { 'l.conv{8, 3, st', { 'stride' } },
  { 'hz.layers.conv{8, 3, tab', { 'table' } },
  { "hz.net 'n' { inp", { 'input' } },
  { "hz.net('n', { inp", { 'input' } },
  { 'hz.rand({2}, 0, 1, {', { 'seed', 'stream' } },
  { "hz.data '", require 'hz.data.dataset'.names() },
  { "hz.data('cam", { 'camera' } },
  { 'print(hz.available "cam', { 'camera' } },
  { "hz.data('camera', {te", { 'test', 'texture' } },
  { "hz.data('camera', {split='", { 'test', 'train' } },
  { "small:plan{dtype = 'b", { 'bf16' } },
  { "x = list[1].name == 'test/lua/repl_", { 'repl_test.lua' } },
  { "io.open('test/lu", { 'lua/' } },
  { "hz.data 'test/lu", { 'lua/' } },
  { "f{'a', \"test/run", { 'run.lua' } },
  { "x = 'closed'; tab", { 'table' } },
  { "-- it's a comment\ntab", { 'table' } },
  { "x = [[it's]] .. tab", { 'table' } },
  { "'it\\'s' .. tab", { 'table' } },
}
for _, row in ipairs(words) do
  t.case('completes ' .. row[1], function()
    t.equal(complete.complete(row[1], globals), row[2])
  end)
end

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
