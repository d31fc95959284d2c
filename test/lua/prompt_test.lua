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
  { 'x = randn{12000, 12000}; while true do x = matmul(x, x) end', 'libopenblas.so.0' },
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
    s.expect('interrupted', 5)
    s.expect 'hz> '
    s.send 'io.popen("ps -o pid= --ppid " .. require "ffi".C.getpid()):read "*a":gsub("%s*%d+%s*", "<child>")\r'
    s.expect '"<child>"  1'                            -- ps itself
    s.send '\4'
    t.equal(s.finish(), 0)
  end)
end

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

t.case('lines are compiled', function()
  local _, out = t.run({}, 'jit.status()\nlocal u, n = require "jit.util", 0; for i = 1, 1000 do n = n + i end; '
    .. 'print(u.traceinfo(1).nins > 0)\n')
  t.match(out, '^true')
  t.match(out, '\ntrue\n')
end)
