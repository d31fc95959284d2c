-- repl.lua: the prompt. Values print without '=', mistakes are messages, Ctrl-C ends what runs and Ctrl-D the session.
local c = require 'hz.c'
local edit = require 'hz.ext.edit'
local pretty = require 'hz.tensor.pretty'
local ask = require 'hz.cli.prompt.ask'
local compile = require 'hz.cli.prompt.compile'
local complete = require 'hz.cli.prompt.complete'
local hz = require 'hz'
local exit = require 'hz.exit'
local names = require 'hz.base.names'
local progress = require 'hz.base.progress'
local visible = require 'hz.base.visible'.text

local slow = 0.05        -- seconds from which the time of a line is shown
local SIGTERM = 15

local debugging = (tonumber(os.getenv 'HZ_DEBUG' or '') or 0) >= 1
local guard = _HZ.guard
local SIGINT = 2
local _, stop = pcall(c.interrupt, SIGINT)      -- the error value that Ctrl-C raises

-- ---- memory ----
-- A full Lua heap must not end the session: some of it is kept in reserve, and given back when nothing else is left to
-- say so with and to read the line that sets something to nil.

local RESERVE, FULL = 2 ^ 22, 'not enough memory'      -- bytes; Lua's own error value
local reserve

local function keep_reserve()
  if reserve then return end
  local ok, block = pcall(string.rep, 'hz', RESERVE / 2)
  reserve = ok and block or nil
end

local function is_full(e) return e == FULL end

local function say_full()
  reserve = nil
  collectgarbage()
  io.stdout:flush()
  io.stderr:write(FULL, ": Lua's heap is full; needs room: set what is large to nil\n")
end

-- ---- running ----

local function blame(e)
  if type(e) ~= 'string' then return e end
  return debugging and debug.traceback(e, 2) or e
end

local function mistake(e, single)
  io.stdout:flush()
  local text = tostring(e)
  if single then text = text:gsub('^prompt:1: ', '') end      -- there is but one line it can mean
  io.stderr:write(visible(text), '\n')
end

local function show(...)
  local texts = {}
  for i = 1, select('#', ...) do texts[i] = pretty.value((select(i, ...))) end
  local line = table.concat(texts, '  ')
  print(visible(#line <= pretty.width and not line:find '\n' and line or table.concat(texts, '\n')))
  rawset(_G, '_', (...))
end

-- After guard(): shows the time or the mistake. True if there was no mistake.
local function finish(single, started, ok, ...)
  local seconds = c.C.hz_seconds() - started
  if ok then
    if seconds >= slow then print(seconds < 10 and ('(%.2f s)'):format(seconds) or ('(%.0f s)'):format(seconds)) end
    return true
  end
  local e = ...
  if is_full(e) then
    say_full()
  elseif c.is_interrupt(e) then
    io.stdout:flush()
    io.stderr:write(edit.terminal() and '\n' or '', visible(e), '\n')      -- the terminal has echoed ^C
    if e.signal == SIGTERM then exit.stop(75) end
  elseif not exit.is(e) or e.message then
    mistake(e, single)
  end
  return false
end

-- Printing belongs to the guarded call: a value's own __tostring may fail or take long, too.
local function show_results(drop, ...)
  if select('#', ...) > drop then show(select(drop + 1, ...)) end
end

local env                      -- of prompt lines

local function run(command)
  if command.topic then
    print(visible(ask(command.topic, env)))
    return true
  end
  if not command.chunk then return true end
  setfenv(command.chunk, env)
  jit.flush()                              -- traces hold on to what they were compiled for
  _HZ.deferred = 0                         -- a mistake may have left a loop that had deferred interrupts
  return finish(command.single, c.C.hz_seconds(),
    guard(stop, blame, function() show_results(command.drop, command.chunk()) end))
end

-- ---- reading ----

-- Text of one command or of several that were pasted together, and the commands or what is wrong with it: more lines
-- are read while it is not complete. nil at the end, false when interrupted.
local function read_commands(reader)
  local text = reader:read 'hz> '
  while text do
    local commands, message = compile.commands(text)
    if commands or message ~= true then return text, commands, message end
    reader.before = text .. '\n'
    local more = reader:read '... '
    reader.before = nil
    if more == false then return false end
    if more == nil then return text, nil, compile.missing(text) end
    text = text .. '\n' .. more
  end
  return text
end

local function banner()
  local C, text = c.C, c.ffi.string
  print(('hz %s  %s, %d threads  (? for help, Ctrl-D leaves)'):format(text(C.hz_version()), text(C.hz_cpu_isa()),
    C.hz_cpu_threads()))
end

-- What lines see: globals, then the names of hz and of layers without a prefix. Anything else was mistyped.
local function environment(hz)
  local offered = table.concat(hz.names, ' ')
  local in_hz = names.set(offered)
  local function find(name)
    local v = rawget(_G, name)
    if v == nil then v = in_hz[name] and hz[name] or rawget(hz, name) end
    if v == nil then v = rawget(hz.layers, name) end
    return v
  end
  local function missing(name)
    local meant = names.meant(name, names.sorted(_G, hz.layers, offered))
    error(("'%s' is not defined%s"):format(name, meant ~= '' and meant .. '?' or ''), 3)
  end
  return setmetatable({}, {
    __index = function(_, name)
      local v = find(name)
      if v == nil then missing(name) end
      return v
    end,
    __newindex = _G,
  })
end

-- One turn: nil at the end of the input, else whether there was no mistake.
local function turn(reader)
  keep_reserve()
  local text, commands, message = read_commands(reader)
  if text == nil then return nil end
  if text == false then
    local signal = c.interrupted()
    c.C.hz_signal_clear()
    if signal == SIGTERM then exit.stop(75) end
    return true
  end
  if text:find '%S' then reader:remember(compile.entry(text)) end
  if not commands then
    mistake(message, not text:find '\n')
    return false
  end
  for _, command in ipairs(commands) do
    if not run(command) then return false end
  end
  return true
end

local function loop(reader)
  local good, full = true, 0
  while true do
    local ok, result = pcall(turn, reader)
    full = not ok and is_full(result) and full + 1 or 0
    if full > 0 and full < 3 then
      say_full()
      good = false
    elseif not ok then
      error(result, 0)
    elseif result == nil then
      return good
    else
      good = result and good
    end
  end
end

-- The prompt until the input ends: 0; where no terminal is read, 1 if there was a mistake.
return function()
  rawset(_G, 'hz', hz)
  env = environment(hz)
  guard(stop, blame, function() end)       -- from here on Ctrl-C is the prompt's
  local more = { hz, hz.layers }
  local reader = edit.open('hz', function(text, before) return complete.complete(text, _G, more, before) end)
  progress.prompt = edit.terminal()
  if edit.terminal() then banner() end
  if reader.plain then print(reader.plain) end
  local ok, result = pcall(loop, reader)
  reader:close()
  if not ok then error(result, 0) end
  return (edit.terminal() or result) and 0 or 1
end
