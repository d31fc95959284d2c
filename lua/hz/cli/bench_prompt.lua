-- bench_prompt.lua: hz bench prompt: how soon the prompt answers, on a pseudo-terminal: from a key to what it
-- completes, from a command to the next prompt, values that are large, and a loop beside the same loop in a script.
local c = require 'hz.c'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local pty = require 'hz.ext.pty'

local PROMPT, ENTER, TAB, INTERRUPT = 'hz> ', '\r', '\t', '\3'
local PATIENCE = 120                                   -- seconds until the bench gives up

-- name, ms that it may take, what is typed and not timed, the key that is, what the screen is to show; first: a command
-- that is run before.
local rows = {
  { 'key to its echo', 20, 'abc', 'd', 'd' },
  { 'key to completion of a name', 20, 'hz.matm', TAB, 'ul' },
  { 'key to completion of a set', 20, "hz.data 'cam", TAB, 'era' },
  { 'key to completion of an option', 20, 'net:plan{optim', TAB, 'izer' },
  { 'key to completion of a file', 20, "io.open '/etc/passw", TAB, 'd' },
  { 'command to prompt', 50, '1 + 1', ENTER, PROMPT },
  { 'function to prompt', 50, 'function f(x) return x + 1 end', ENTER, PROMPT },
  { 'mistake to prompt', 50, 'nothing.x', ENTER, PROMPT },
  { 'help to prompt', 50, '? matmul', ENTER, PROMPT },
  { 'tensor of 4 MB with its mean', 50, 't', ENTER, PROMPT, first = 't = ones{2^10, 2^10}' },
  { 'table of 10^6 entries', 50, 'x', ENTER, PROMPT, first = 'x = {}; for i = 1, 1e6 do x[i] = i end' },
  { 'tensor of 2 GB', 10, 't', ENTER, PROMPT, first = 't = empty{2^15, 2^14}' },
  { 'string of 10^9 bytes', 10, 's', ENTER, PROMPT, first = 't = nil; s = ("x"):rep(1e9)' },
}

local LOOP = 'local x = 0; for i = 1, 1e8 do x = x + i % 7 end'

local function await(terminal, text)
  if not terminal:await(text, PATIENCE) then
    c.fail("bench: the prompt did not show '%s' in time; needs a terminal that works", text)
  end
end

local function start(folder)
  local terminal = pty.start('/proc/self/exe', { 'hz' }, { TERM = 'xterm', XDG_STATE_HOME = folder })
  if not terminal then c.fail 'bench: no pseudo-terminal could be had; needs /dev/ptmx' end
  await(terminal, PROMPT)
  return terminal
end

-- Seconds from the key to what it shows.
local function timed(terminal, typed, key, shows)
  terminal:type(typed)
  await(terminal, typed)
  local before = c.C.hz_seconds()
  terminal:type(key)
  await(terminal, shows)
  local seconds = c.C.hz_seconds() - before
  if key ~= ENTER then
    terminal:type(INTERRUPT)
    await(terminal, PROMPT)
  end
  return seconds
end

local function sample(terminal, row, rounds)
  if row.first then timed(terminal, row.first, ENTER, PROMPT) end
  local list = {}
  for i = 1, rounds do list[i] = 1000 * timed(terminal, row[3], row[4], row[5]) end
  table.sort(list)
  return { name = row[1], limit_ms = row[2], median_ms = list[math.ceil(#list / 2)], worst_ms = list[#list] }
end

-- The best of a few, ms: at the prompt, and here, where a script would run.
local function loops(terminal)
  local chunk, best = loadstring(LOOP), { math.huge, math.huge }
  for _ = 1, 3 do
    best[1] = math.min(best[1], timed(terminal, LOOP, ENTER, PROMPT))
    local before = c.C.hz_seconds()
    chunk()
    best[2] = math.min(best[2], c.C.hz_seconds() - before)
  end
  return { prompt_ms = 1000 * best[1], script_ms = 1000 * best[2] }
end

local function measure(rounds, folder)
  local begun = c.C.hz_seconds()
  local terminal = start(folder)
  local result = { start_ms = 1000 * (c.C.hz_seconds() - begun), rounds = rounds, rows = {} }
  local ok, e = pcall(function()
    result.loop = loops(terminal)
    for i, row in ipairs(rows) do result.rows[i] = sample(terminal, row, rounds) end
  end)
  terminal:close()
  if not ok then error(e, 0) end
  return result
end

local function show(r)
  print(('start to prompt  %.0f ms; median of %d:'):format(r.start_ms, r.rounds))
  local line = '%-32s %10s %10s %10s'
  print(line:format('', 'ms', 'worst', 'limit'))
  for _, row in ipairs(r.rows) do
    print(line:format(row.name, ('%.1f'):format(row.median_ms), ('%.1f'):format(row.worst_ms), row.limit_ms))
  end
  print(('a loop of 10^8 turns: %.0f ms at the prompt, %.0f ms in a script'):format(r.loop.prompt_ms, r.loop.script_ms))
end

local function run(o)
  local folder = os.tmpname()
  os.remove(folder)
  local ok, r = pcall(measure, o.rounds, folder)
  file.remove(folder)
  if not ok then error(r, 0) end
  if o.json then print(json.encode(r)) else show(r) end
  return 0
end

-- A row of hz bench (base/command.lua).
return { 'prompt', run, 'how soon the prompt answers: keys, commands, large values (takes 3 GB of memory)', {
  { 'rounds', 11, 'int', 'times that each is tried; the median counts', min = 1, max = 1e4, form = 'rounds=N' },
  { 'json', false, 'bool', 'an array, or with codec or prompt an object, for programs' },
} }
