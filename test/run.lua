-- run.lua: the Lua tests. hz test/run.lua [PATTERN ...] runs test/lua/*_test.lua, or the cases whose "file: name"
-- matches one of the patterns. A test file gets the helpers of test/t.lua as its argument and registers cases, or
-- returns a table of name -> function:
--
--   local t = ...
--   t.case('two and two', function() t.equal(2 + 2, 4) end)
--   t.case('needs a terminal', function() if not t.tool 'script' then t.skip 'script is not installed' end ... end)
--
-- Ends with one line, "N passed, N failed, N skipped"; status 1 if one failed. HZ_TEST_COUNTS=FILE gets
-- the three numbers.
local patterns = { ... }
local here = arg[0]:match '^(.*/)' or './'

local t = assert(loadfile(here .. 't.lua'))(here)
local c = require 'hz.c'
local posix = require 'hz.ext.posix'
require 'hz.strict'
if not os.getenv 'HZ_DEVICE' then posix.setenv('HZ_DEVICE', 'cpu') end      -- also where there is a card

local function test_files()
  local list = {}
  local p = assert(io.popen("ls '" .. here .. "lua'"))
  for name in p:lines() do
    if name:find '_test%.lua$' then list[#list + 1] = name end
  end
  p:close()
  table.sort(list)
  return list
end

-- Cases of one file, in the order of their registration (of their names, for a returned table).
local function cases_of(name)
  local cases = t.collect()
  local chunk, message = loadfile(here .. 'lua/' .. name)
  local ok, result = chunk ~= nil, message
  if chunk then ok, result = xpcall(chunk, debug.traceback, t) end
  if not ok then return { { name = 'loads', run = function() error(result, 0) end } } end
  if type(result) == 'table' and result ~= t then
    local names = {}
    for k, v in pairs(result) do
      if type(v) == 'function' then names[#names + 1] = k end
    end
    table.sort(names)
    for _, k in ipairs(names) do cases[#cases + 1] = { name = k, run = result[k] } end
  end
  return cases
end

-- "file:line: message" plus the lines that led there, without those of this runner.
local function blame(e)
  if t.is_skip(e) or c.is_interrupt(e) then return e end
  local trace = debug.traceback('', 2):gsub('\n[^\n]*test/run%.lua.*', ''):gsub('\n%s*%[C%]: in function [^\n]*', '')
  return tostring(e) .. '\n' .. trace:gsub('^\nstack traceback:\n?', '')
end

local count = { passed = 0, failed = 0, skipped = 0 }
local debugging = (tonumber(os.getenv 'HZ_DEBUG' or '') or 0) >= 1

local function run_case(title, case)
  local started = os.clock()
  local ok, e = xpcall(case.run, blame, t)
  t.cleanup()
  if not ok and c.is_interrupt(e) then error(e, 0) end      -- Ctrl-C means the runner, too
  if ok then
    count.passed = count.passed + 1
    if debugging then print(('ok    %s (%.2f s)'):format(title, os.clock() - started)) end
  elseif t.is_skip(e) then
    count.skipped = count.skipped + 1
    print(('skip  %s: %s'):format(title, e.reason))
  else
    count.failed = count.failed + 1
    print(('FAIL  %s\n      %s'):format(title, (tostring(e):gsub('%s+$', ''):gsub('\n', '\n      '))))
  end
  io.stdout:flush()
end

local function matches(title)
  for _, pattern in ipairs(patterns) do
    if title:find(pattern, 1, true) or title:find(pattern) then return true end
  end
  return #patterns == 0
end

for _, name in ipairs(test_files()) do
  local file = name:gsub('_test%.lua$', '')
  for _, case in ipairs(cases_of(name)) do
    local title = file .. ': ' .. case.name
    if matches(title) then run_case(title, case) end
  end
  jit.on()                         -- a file may have turned it off for itself
  collectgarbage()
end

local counts = os.getenv 'HZ_TEST_COUNTS'
if counts then
  local f = assert(io.open(counts, 'a'))
  f:write(('%d %d %d\n'):format(count.passed, count.failed, count.skipped))
  f:close()
end
print(('%d passed, %d failed, %d skipped'):format(count.passed, count.failed, count.skipped))
os.exit(count.failed == 0 and 0 or 1, true)     -- what modules and compiled traces hold is given back: no leak
