-- fuzz.lua: random ops and nets against the plain loops in double, wrong calls of all that is public, damaged files of
-- sound, of data and of pictures' heads.
--   hz test/fuzz.lua seed=1 seconds=60        cases in turn until the time is over
--   hz test/fuzz.lua seed=1 ops=40 nets=20    so many of each (surface=: of one function or method, 40 calls)
--   hz test/fuzz.lua seed=1 case=ops:17       that one alone
-- A case follows from seed and number alone. Each failure is one line with the command that draws it again; the last
-- lines say what ran. Status 1 if something failed. The cases run in a process of their own: a crash is a failure of
-- the case at work.
local hz = require 'hz'
local c = require 'hz.c'
local posix = require 'hz.ext.posix'
require 'hz.strict'

local here = arg[0]:match '^(.*/)' or './'
local kinds = { 'ops', 'nets', 'surface', 'sounds', 'files' }

local MOST = 3                     -- failures of a case that are printed: one fault shows on every level

local knob = hz.args({
  about = 'Random ops and nets against the plain loops in double, wrong calls, damaged files.',
  { 'seed', 1, 'int', 'of all that is drawn', min = 0 },
  { 'seconds', 0, 'float', 'cases in turn for so long', min = 0 },
  { 'ops', 0, 'int', 'cases with one op', min = 0 },
  { 'nets', 0, 'int', 'cases with a net', min = 0 },
  { 'surface', 0, 'int', 'cases with a public function or method', min = 0 },
  { 'sounds', 0, 'int', 'cases with a file of sound', min = 0 },
  { 'files', 0, 'int', 'cases with a file of data or a head of a picture', min = 0 },
  { 'case', '', 'string', 'one case: ops:N, nets:N, surface:N, sounds:N or files:N' },
  { 'at', '', 'string', 'file that holds the case at work; set by the process that watches' },
  { 'ratios', false, 'bool', 'print which values used most of their tolerance' },
}, ...)

local function again(case) return ('make fuzz SEED=%d CASE=%s'):format(knob.seed, case) end

-- ---- the process that watches ----

local function quoted(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function watch()
  local at = os.tmpname()
  local words = { ('/proc/%d/exe'):format(posix.pid()), quoted(arg[0]) }
  for _, w in ipairs(arg) do words[#words + 1] = quoted(w) end
  local raw = os.execute(table.concat(words, ' ') .. ' at=' .. quoted(at))
  local status = raw > 255 and math.floor(raw / 256) or raw > 0 and 128 + raw or 0      -- ended by signal n: 128 + n
  local case = hz.file.read_all(at)
  os.remove(at)
  if status > 128 and status ~= 130 then
    print(('FAIL  %s  crashed with signal %d'):format(again(case), status - 128))
  end
  os.exit(status)
end
if knob.at == '' then watch() end

-- ---- cases ----

local counts, failures, started = {}, 0, c.C.hz_seconds()
local function counter(kind)
  counts[kind] = {}
  return function(what) counts[kind][what] = (counts[kind][what] or 0) + 1 end
end

local graphs = assert(loadfile(here .. 'graph.lua'))()
local near = assert(loadfile(here .. 'fuzz/near.lua'))(graphs, require 'hz.tensor.tensor')
local draw = assert(loadfile(here .. 'fuzz/draw.lua'))()
local damage = assert(loadfile(here .. 'fuzz/damage.lua'))()
local modules, scratch = {}, os.tmpname()
os.remove(scratch)
hz.file.mkdir(scratch)
for _, kind in ipairs(kinds) do
  modules[kind] = assert(loadfile(here .. 'fuzz/' .. kind .. '.lua'))(graphs, near, counter(kind), scratch, damage)
end

modules.nets.levels = modules.ops.levels
local ratios = {}
if knob.ratios then
  for _, module in pairs(modules) do
    module.ratio = function(share, kind, what)         -- the largest of each kind
      local known = ratios[kind]
      if not known then known = { share = -1 }; ratios[kind], ratios[#ratios + 1] = known, known end
      if not (share <= known.share) then known.share, known.what = share, what end
    end
  end
end

local at = assert(io.open(knob.at, 'w'))
local function note(case)                              -- what a crash is blamed on
  at:seek 'set'
  at:write(('%-16s'):format(case))
  at:flush()
end

local threads, level = c.C.hz_cpu_threads(), c.ffi.string(c.C.hz_cpu_isa())

-- The stream of a case's numbers.
local stream_of = { ops = function(n) return 2 * n end, nets = function(n) return 2 * n + 1 end,
  surface = function(n) return 2 ^ 23 + n end, sounds = function(n) return 2 ^ 23 + 2 ^ 22 + n end,
  files = function(n) return 2 ^ 23 + 2 ^ 21 + n end }

local function run(kind, number)
  local case = kind .. ':' .. number
  note(case)
  local failed = 0
  local function fail(format, ...)
    failures, failed = failures + 1, failed + 1
    if failed > MOST then return end
    print(('FAIL  %s  %s'):format(again(case), format:format(...)))
    io.stdout:flush()
  end
  local module = modules[kind]
  module.title = ''
  local ok, e = pcall(module.case, draw.new(knob.seed, stream_of[kind](number)), fail)
  c.C.hz_cpu_set_threads(threads)
  c.C.hz_cpu_set_isa(level)
  if not ok then
    if c.is_interrupt(e) then error(e, 0) end
    fail('%s: %s', module.title, tostring(e))
  end
  collectgarbage 'step'
end

local done = { ops = 0, nets = 0, surface = 0, sounds = 0, files = 0 }
local function next_of(kind)
  done[kind] = done[kind] + 1
  run(kind, done[kind])
end

if knob.case ~= '' then
  local kind, number = knob.case:match '^(%a+):(%d+)$'
  if not modules[kind] then
    hz.fail("fuzz: case '%s' was given; needs one of %s, and :N", knob.case, table.concat(kinds, ' '))
  end
  run(kind, tonumber(number))
end
-- All kinds get the same time, or so many cases as were asked for.
local spent = { ops = 0, nets = 0, surface = 0, sounds = 0, files = 0 }
while true do
  local timed = c.C.hz_seconds() - started < knob.seconds
  local kind
  for _, k in ipairs(kinds) do
    if (timed or done[k] < knob[k]) and (not kind or spent[k] < spent[kind]) then kind = k end
  end
  if not kind then break end
  local before = c.C.hz_seconds()
  next_of(kind)
  spent[kind] = spent[kind] + c.C.hz_seconds() - before
end

-- ---- what ran ----

local function line(kind)
  local list = {}
  for what, n in pairs(counts[kind]) do list[#list + 1] = what .. ' ' .. n end
  table.sort(list)
  local n = done[kind] + (knob.case:find(kind) and 1 or 0)
  return ('fuzz %s: %d cases: %s'):format(kind, n, table.concat(list, ', '))
end
table.sort(ratios, function(a, b) return a.share > b.share end)
for i = 1, math.min(#ratios, 40) do print(('%.2f of the tolerance: %s'):format(ratios[i].share, ratios[i].what)) end
for _, kind in ipairs(kinds) do
  if next(counts[kind]) then print(line(kind)) end
end
print(('fuzz: seed %d, levels %s, %.0f s, %d failures'):format(knob.seed, table.concat(modules.ops.levels, ' '),
  c.C.hz_seconds() - started, failures))
hz.file.remove(scratch)
os.exit(failures == 0 and 0 or 1, true)      -- what tensors and plans hold is given back: no leak to a sanitizer
