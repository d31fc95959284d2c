-- repl.lua: the prompt. Values print without '=', mistakes are messages, Ctrl-C ends what runs and Ctrl-D the session.
local c = require 'hz.c'
local edit = require 'hz.ext.edit'
local pretty = require 'hz.tensor.pretty'
local complete = require 'hz.cli.prompt.complete'
local help = require 'hz.cli.prompt.help'
local hz = require 'hz'
local exit = require 'hz.exit'
local names = require 'hz.base.names'
local visible = require 'hz.base.visible'.text

local slow = 0.05        -- seconds from which the time of a line is shown
local SIGTERM = 15

local debugging = (tonumber(os.getenv 'HZ_DEBUG' or '') or 0) >= 1
local guard = _HZ.guard
local SIGINT = 2
local _, stop = pcall(c.interrupt, SIGINT)      -- the error value that Ctrl-C raises

-- ---- compiling ----

-- The chunk of `text`; nil and a message; or nil and true where the text is not complete yet. An expression's chunk
-- returns its values after a first one to be dropped: with one value alone the expression would be a tail call,
-- whose line errors cannot name.
local function compile(text)
  local chunk = loadstring('return nil, ' .. text, '=prompt')
  if chunk then return chunk end
  local message
  chunk, message = loadstring(text, '=prompt')
  if chunk then return chunk end
  -- a string ends with its line
  local open = message:find "'<eof>'$" and (not message:find 'unfinished string' or text:find '\\$')
  return nil, open and true or message
end

-- A local of the prompt would be gone with its line: the first one becomes a global. Pasted scripts work.
local function keep_local(text)
  if text:find '^%s*local%s+function%f[%s]' then return (text:gsub('^%s*local%s+', '', 1)) end
  if text:find '^%s*local%s+[%a_][%w_,%s]*=[^=]' then return (text:gsub('^%s*local%s+', '', 1)) end
  return text
end

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
local function show_results(_, ...)
  if select('#', ...) > 0 then show(...) end
end

local env                      -- of prompt lines

local function run(chunk, single)
  setfenv(chunk, env)
  jit.flush()                              -- traces hold on to what they were compiled for
  _HZ.deferred = 0                         -- a mistake may have left a loop that had deferred interrupts
  return finish(single, c.C.hz_seconds(), guard(stop, blame, function() show_results(chunk()) end))
end

-- ---- reading ----

-- Text of one command: more lines are read while it is not complete. nil at the end, false when interrupted.
local function read_command(reader)
  local text = reader:read 'hz> '
  if not text then return text end
  local lines = { text }
  while true do
    local all = table.concat(lines, '\n')
    if all:find '^%s*%?' or all:find '^%s*$' then return all end
    local chunk, message = compile((keep_local(all:gsub('^%s*=', '', 1))))
    if chunk or message ~= true then return all, chunk, message end
    local more = reader:read '... '
    if more == false then return false end
    if more == nil then return all, nil, (select(2, loadstring(all, '=prompt'))) end
    lines[#lines + 1] = more
  end
end

-- One entry of the history: commands over several lines are joined unless a comment or a long string forbids it.
local function remember(reader, text)
  if not text:find '\n' then return reader:remember(text) end
  if not text:find '%-%-' and not text:find '%[=*%[' then return reader:remember((text:gsub('%s*\n%s*', ' '))) end
  for line in text:gmatch '[^\n]+' do reader:remember(line) end
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

-- One command: nil at the end of the input, else whether there was no mistake.
local function turn(reader)
  keep_reserve()
  local text, chunk, message = read_command(reader)
  if text == nil then return nil end
  if text == false then
    local signal = c.interrupted()
    c.C.hz_signal_catch()
    if signal == SIGTERM then exit.stop(75) end
    return true
  end
  if not text:find '%S' then return true end
  remember(reader, text)
  local topic = text:match '^%s*%?%s*(.-)%s*$'
  local single = not text:find '\n'
  if topic then
    print(visible(help.text(topic)))
    return true
  end
  if chunk then return run(chunk, single) end
  mistake(message, single)
  return false
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
  local reader = edit.open('hz', function(text) return complete.complete(text, _G, { hz, hz.layers }) end)
  if edit.terminal() then banner() end
  if reader.plain then print(reader.plain) end
  local ok, result = pcall(loop, reader)
  reader:close()
  if not ok then error(result, 0) end
  return (edit.terminal() or result) and 0 or 1
end
