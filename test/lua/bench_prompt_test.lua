-- bench_prompt_test.lua: hz bench prompt measures every row on a terminal of its own. How long they take is not tested.
local t = ...
local bench = require 'hz.cli.bench'
local pty = require 'hz.ext.pty'

local NEEDED = 6e6                 -- kB of free memory

t.case('hz bench prompt: figures for all rows', function()
  local free = tonumber((t.read '/proc/meminfo' or ''):match 'MemAvailable:%s*(%d+)')
  if not free or free < NEEDED then t.skip 'a string of 10^9 bytes and a tensor of 2 GB need more memory' end
  if not pcall(require 'ffi'.load, 'libedit.so.2') then t.skip 'libedit is not installed' end
  local keep, out = print, nil
  _G.print = function(s) out = s end
  local ok, e = pcall(bench, { 'prompt', 'rounds=1', '--json' })
  _G.print = keep
  t.ok(ok, tostring(e))
  local r = require 'hz.base.json'.decode(out)
  t.ok(#r.rows > 8 and r.start_ms > 0 and r.loop.prompt_ms > 0 and r.loop.script_ms > 0)
  for _, row in ipairs(r.rows) do t.ok(row.median_ms > 0 and row.worst_ms >= row.median_ms, row.name) end
end)

t.case('a pseudo-terminal: what is typed is shown, and its end is heard', function()
  local terminal = pty.start('/bin/sh', { 'sh', '-c', 'read x; echo "<$x>"; tty >/dev/null && echo yes' }, {})
  if not terminal then t.skip 'no pseudo-terminal can be opened here' end
  terminal:type 'word\n'
  t.match(terminal:await('<word>', 10), '^word')
  t.ok(terminal:await('yes', 10))
  t.equal(terminal:await('no', 10), nil)
  terminal:close()
end)
