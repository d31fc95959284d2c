-- The prompt on a pseudo-terminal: editing, completion, history, Ctrl-C, Ctrl-D.
local t = ...

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

-- All but the first of each kind are compiled to traces that never leave by themselves.
local loops = {
  'while true do end',
  'local x = 0; for i = 1, 1e15 do x = x + i end',
  'for i = 1, 1e9 do for j = 1, 1e9 do end end',
  'while true do pcall(function() while true do end end) end',
  'co = coroutine.wrap(function() while true do end end); co()',
  'f = function() return f() end; f()',
  'local p = require "ffi".new "int[1]"; while true do p[0] = 1 end',
  'local a = 0; while true do a = bit.bxor(a, 1); if a == 0 then b = 1 else b = 2 end end',
  'local s = 0; repeat s = s + #("x"):rep(10) until false',
  'local ffi = require "ffi"; while true do ffi.gc(ffi.new "int[1]", function() end) end',
  'setmetatable({}, { __index = function(t, k) while true do end end }).x',
  'table.sort({ 3, 2, 1 }, function(a, b) while true do end end)',
  'for x in function() return 1 end do end',
  'loadstring(string.dump(function() while true do end end, true))()',
  'require "jit.profile".start("l", print); require "jit.profile".stop()\rwhile true do end',
}

t.case('Ctrl-C ends loops in Lua', function()
  if os.getenv 'HZ_SANITIZER' == 'thread' then
    t.skip 'the thread sanitizer keeps signals back until the next system call'
  end
  local s = session()
  for _, line in ipairs(loops) do
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

-- Calls that take minutes; a process of its own that one has must not outlive it.
local calls = {
  { 'svd(randn{4000, 4000})', 'libopenblas.so.0' },
  { 'lstsq(randn{3000, 3000}, randn{3000, 3000})', 'libopenblas.so.0' },
  { 'x = randn{6000, 6000}; while true do x = matmul(x, x) end', 'libopenblas.so.0' },
  { 'db = require "hz.ext.sqlite".open ":memory:"; db:rows("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 '
    .. 'FROM n WHERE i < 1e12) SELECT sum(i) FROM n")', 'libsqlite3.so.0' },
  { 'os.execute "sleep 100"; error "interrupted"' },
}
for _, row in ipairs(calls) do
  t.case('Ctrl-C ends ' .. row[1], function()
    if row[2] and not pcall(require 'ffi'.load, row[2]) then t.skip(row[2] .. ' is not installed') end
    local s = session()
    s.send(row[1] .. '\r')
    os.execute 'sleep 2'
    s.send '\3'
    s.expect('interrupted', 20)
    s.expect 'hz> '
    s.send 'io.popen("ps -o pid= --ppid " .. require "ffi".C.getpid()):read "*a":gsub("%s*%d+%s*", "<child>")\r'
    s.expect '"<child>"  1'                            -- ps itself
    s.send '\4'
    t.equal(s.finish(), 0)
  end)
end

t.case('Ctrl-C in a call that cannot be stopped: a hint, and a way out', function()
  local s = session()
  s.send '("a"):rep(60):find(("a?"):rep(60) .. ("a"):rep(60))\r'
  os.execute 'sleep 0.5'
  s.send '\3\3\3\3'
  s.expect 'Ctrl-C twice more ends the session'
  s.send '\3'
  os.execute 'sleep 0.2'
  s.send '\3'
  t.equal(s.finish(), 130)
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

-- Sends keys, then Ctrl-D; returns all that was shown.
local function play(...)
  has_libedit()
  local s = session()
  for _, keys in ipairs { ... } do
    s.send(keys)
    os.execute 'sleep 0.15'
  end
  s.send '"at the end"\r'
  local shown = s.expect '"at the end"\r\n'
  s.send '\4'
  t.equal(s.finish(), 0)
  return shown, t.read(s.history)
end

local function shows(shown, text) t.ok(shown:find(text, 1, true), ('%q is not in %q'):format(text, shown)) end

t.case('Ctrl-C within a search, a sequence of keys or many times over does not end the session', function()
  play('\18', 'abc', '\3', '\18\18', '\3', '\27', '\3', '\27[', '\3', '\22', '\3', '\24', '\3', '\3\3\3\3',
    'x = (\r', '\3', '\27[200~x =', '\3')
end)

t.case('Ctrl-R finds, runs, edits and gives up', function()
  local shown = play('first = 11\r', 'second = 22\r', 'first + 100\r', '\18first', '\r', '\18first\18',
    '\27[C + 1; first\r', 'no\18sec\7thing\r', '\18sex\127\r', 'second + 1000\r')
  shows(shown, '\r\n111\r\n')
  t.equal(select(2, shown:gsub('\r\n111\r\n', '')), 2)
  shows(shown, '\r\n12\r\n')
  shows(shown, "'nothing' is not defined")
  shows(shown, '\r\n1022\r\n')
end)

local tabs = 'mean\t= 3\nstd\t= 2\nma\t= 4\n'
t.case('pasted tabs complete nothing', function()
  local report = 'for k in pairs(_G) do if k:find "^ma" or k == "mean" or k == "std" then n = n + 1 end end\r'
  for _, keys in ipairs { tabs, (tabs:gsub('\n', '\r')), '\27[200~' .. tabs .. '\27[201~',
                          '\27[200~' .. tabs:gsub('\n$', '') .. '\27[201~\r' } do
    local shown = play('n = 0\r', keys, 'mean, std, ma\r', report, 'n - 1\r')
    shows(shown, '\r\n3  2  4\r\n')
    shows(shown, '\r\n3\r\n')                          -- math is there anyway
  end
end)

t.case('a bracketed paste is one entry, as it was', function()
  local f = 'function f(x)\n\n\t-- twice\n\tx = x + 1\n\tx = x + 1\n\n\treturn x\nend'
  local shown, history = play('\27[200~' .. f .. '\n\27[201~', 'f(40)\r', '\27[A\27[A', '\r', 'f(50)\r')
  shows(shown, '\r\n42\r\n')
  shows(shown, '\r\n52\r\n')
  local entry = f:gsub('\n', '\r')
  t.equal(history, entry .. '\nf(40)\n' .. entry .. '\nf(50)\n"at the end"\n')
end)

t.case('a paste without a line feed at its end waits for Enter', function()
  local shown, history = play('\27[200~a = 1\nb = 2\27[201~', '\3', 'rawget(_G, "a") == nil\r',
    '\27[200~a = 1\nb = 2\27[201~', '; a + b\r')
  shows(shown, '\r\ntrue\r\n')
  shows(shown, '\r\n3\r\n')
  shows(history, 'a = 1 b = 2; a + b\n')
end)

t.case('pasted lines that are several commands', function()
  local shown = play '\27[200~local x = 20\nx + 1\n? :sum\n\nfor i = 1, 2 do\n\tx = x + i\nend\n"x is " .. x\n\27[201~'
  shows(shown, '\r\n21\r\n')
  shows(shown, '\r\n"x is 23"\r\n')
end)

t.case('a function typed over several lines is one entry with its blank and equal lines', function()
  local lines = { 'function g()', '', '  for i = 1, 2 do', '    if i then', '      -- nothing', '    end', '    end',
    '', 'end' }
  local shown, history = play(table.concat(lines, '\r') .. '\r', 'g = nil\r', '\27[A\27[A\r', 'type(g)\r')
  shows(shown, '\r\n"function"\r\n')
  t.ok(history:find('^' .. table.concat(lines, '\r'):gsub('%p', '%%%0') .. '\n'), ('%q'):format(history))
end)

t.case('Tab within a call, also over several lines, and within a string', function()
  local shown = play('n = hz.net "n" { l.con\t', '\3', 'net = model "small"\r', 'p = net:plan{batch=2,\r', 'inp', '\t',
    '={32,32,3}}\r', 'p.options.input[3] == 3\r',
    "set = hz.data('cam", '\t', "', {split='te", '\t', "', test=12})\r",
    '#set + 1000\r', "hz.file.exists '/etc/passw", '\t', "'\r", 'net:plan{', '\t', '\3')
  shows(shown, 'l.conv')
  shows(shown, '\r\ntrue\r\n')
  shows(shown, '\r\n1012\r\n')
  shows(shown, '\r\n"file"\r\n')
  shows(shown, '\r\naugment    average    batch      data ')
end)

t.case('a training shows how far it is, and ends at Ctrl-C', function()
  local s = session()
  s.send 'set, test = hz.data("camera", {train=200, test=20, size=16}); net = model("small", {input={16,16,3}})\r'
  s.expect 'hz> '
  s.send 'o = {net=net, train=set, watch=test, optimizer=adam(), epochs=2, batch=10}; r = hz.train(o); #r.curve\r'
  s.expect('epoch 1/2  step ', 60)
  s.expect('images/s', 60)
  s.expect('epoch 1/2  loss ', 60)
  s.expect 'validation loss'
  s.expect('epoch 2/2  loss ', 60)
  s.expect '\r\n2\r\n'
  s.send 'o.on_step\ro.epochs = 1000; r = hz.train(o)\r'
  s.expect '\r\nnil\r\n'
  s.expect('epoch 1/1000  loss ', 60)
  s.send '\3'
  s.expect 'stopped'
  s.expect 'hz> '
  s.send '\4'
  t.equal(s.finish(), 0)
end)

t.case('a long paste', function()
  local lines = {}
  for i = 1, 500 do lines[i] = ('v%d\t= %d -- %s'):format(i, i, ('ä'):rep(40)) end
  local shown = play('\27[200~' .. table.concat(lines, '\r') .. '\r\27[201~', 'v1 + v500\r')
  shows(shown, '\r\n501\r\n')
end)

t.case('lines are compiled', function()
  local _, out = t.run({}, 'jit.status()\nlocal u, n = require "jit.util", 0; for i = 1, 1000 do n = n + i end; '
    .. 'print(u.traceinfo(1).nins > 0)\n')
  t.match(out, '^true')
  t.match(out, '\ntrue\n')
end)
