-- faults.lua: kills, full disks, disks in error and failing allocations; nothing may be lost by any of them.
--   hz test/faults.lua library=build/test/faults.so            every call, every allocation: minutes
--   hz test/faults.lua library=... calls=4 kills=2 share=3   some calls, some kills, allocations in growing steps
--   hz test/faults.lua library=... case=sweep:kill:17          one alone (as a loss names it); case=sweep: all of those
-- Prints how many were tried and each loss with the command that repeats it; status 1 if something was lost.
local here = arg[0]:match '^(.*/)' or './'
local hz = require 'hz'
local c = require 'hz.c'
local posix = require 'hz.ext.posix'
local t = assert(loadfile(here .. 't.lua'))(here)
require 'hz.strict'

local knob = hz.args({
  about = 'Kills, full disks, disks in error and failing allocations.',
  { 'library', 'build/test/faults.so', 'string', 'fixtures/faults.c, built' },
  { 'seed', 1, 'int', 'of the random moments and calls', min = 0 },
  { 'calls', 0, 'int', 'calls of each kind, spread over all of them (0: every one)', min = 0 },
  { 'kills', 40, 'int', 'kills at random moments', min = 0 },
  { 'share', 0, 'int', 'the n-th allocation is tried, then the one n/share behind it (0: every one)', min = 0 },
  { 'case', '', 'string', 'one alone: sweep:MODE:N, train:MODE:N or memory:WORK:MODE:N' },
}, ...)

local tried, lost, started = 0, 0, c.C.hz_seconds()

local function lose(case, what)
  lost = lost + 1
  print(('LOST  make faults SEED=%d CASE=%s  %s'):format(knob.seed, case, (what:gsub('%s+$', ''):gsub('\n', ' | '))))
  io.stdout:flush()
end

local function say(what, n, before)
  print(('%-52s %4d tried, %d lost'):format(what .. ':', n, lost - before))
  io.stdout:flush()
  tried = tried + n
end

local function first_line(command)
  local p = io.popen(command)
  local line = p:read '*l'
  p:close()
  return line
end
local library = first_line('readlink -f ' .. t.quote(knob.library))
if not library or hz.file.exists(library) ~= 'file' then
  hz.fail('faults: %s is not there; needs make %s', knob.library, knob.library)
end

-- ---- files ----

local files = assert(loadfile(here .. 'faults/files.lua'))(t, library)
local draw = assert(loadfile(here .. 'fuzz/draw.lua'))()

local words = { kill = 'killed before a call', after = 'killed after a call', full = 'disk full from a call on',
  short = 'disk full, with half a write', error = 'error of a call', time = 'killed at a random moment' }

local function try_files(name, wanted_mode, wanted_n)
  local work = files.place(name)
  for i, mode in ipairs(files.modes) do
    if not wanted_mode or wanted_mode == mode then
      local before, n = lost, 0
      local points = wanted_n and { wanted_n } or files.points(work, mode, knob, draw.new(knob.seed, i))
      for _, point in ipairs(points) do
        local ok, what = pcall(work.try, work, mode, point)
        if not ok and c.is_interrupt(what) then error(what, 0) end
        if what then lose(('%s:%s:%d'):format(name, mode, point), tostring(what)) end
        n = n + 1
      end
      say(('%s, %d calls, %s'):format(name, work.calls, words[mode]), n, before)
    end
  end
  t.cleanup()
end

-- ---- memory ----

local function try_memory(one)
  local before, at = lost, os.tmpname()
  local status, out, err = t.sh(('LD_PRELOAD=%s %s %sfaults/memory.lua %s %s %s; exit $?'):format(t.quote(library),
    t.quote(t.hz), here, at, t.quote(one), knob.share == 0 and 'inf' or knob.share))
  for case, what in out:gmatch 'LOST  (%S+)  ([^\n]*)' do lose('memory:' .. case, what) end
  local n, survived = out:match '(%d+) tried, (%d+) survived'
  if status ~= 0 or not n then
    lose('memory:' .. hz.file.read_all(at):match '^%S*', ('ended with status %d: %s'):format(status, err))
  end
  os.remove(at)
  say(('allocations failed (%s survived it)'):format(survived or '?'), tonumber(n) or 0, before)
  t.cleanup()
end

-- ---- all, or the one that was asked for ----

local kind, rest = knob.case:match '^(%a+):?(.*)$'
if knob.case == '' then
  for _, name in ipairs(files.names) do try_files(name) end
  try_memory ''
elseif kind == 'memory' then
  try_memory(rest)
else
  local mode, n = rest:match '^(%a+):(%d+)$'
  if not files.works[kind] or (rest ~= '' and not words[mode]) then
    hz.fail("faults: case '%s' was given; needs sweep:MODE:N, train:MODE:N or memory:WORK:MODE:N", knob.case)
  end
  try_files(kind, mode, tonumber(n))
end
print(('faults: %d tried, %d lost, %.0f s'):format(tried, lost, c.C.hz_seconds() - started))
os.exit(lost == 0 and 0 or 1)
