-- main.lua: the command line. Options as LuaJIT has them, then a script, a verb, or nothing: the prompt.
-- The value of this chunk is the exit status. Data goes to stdout, messages to stderr.
require 'hz.interpreted'
local exit = require 'hz.exit'
local posix = require 'hz.ext.posix'
local say = require 'hz.base.say'

-- name, arguments, what it does, the module that returns function(args) -> status.
local verbs = {
  { 'plugin',   'new|check|list|info',      'codecs and other plugins: what was found, what was skipped and why',
    'hz.cli.plugin' },
  { 'data',     'list|fetch|verify|doctor', 'data sets: which exist, fetching and checking them', 'hz.cli.data' },
  { 'sweep',    'DIR [key=value ...]',       'what JPEG costs a net on a folder of pictures', 'hz.cli.sweep' },
  { 'plan',     'SCRIPT|sweep ...',         'what a sweep will take, and can show, before it begins' },
  { 'runs',     '[rm] ...',                 'sweeps that were run', 'hz.cli.runs' },
  { 'report',   '[ID]',                     'the table of a sweep once more', 'hz.cli.report' },
  { 'compare',  'ID [ID]',                  'two sweeps, codecs or networks side by side', 'hz.cli.compare' },
  { 'bench',    '[--net NAME] ...',         'speed of training, inference and codecs on this machine', 'hz.cli.bench' },
  { 'selftest', '[--device NAME] ...',      'whether a device computes what it should', 'hz.cli.selftest' },
  { 'version',  '[--json]',                 'version, machine and libraries', 'hz.cli.version' },
}

local usage = [[
usage: hz                               the prompt
       hz SCRIPT.lua [key=value ...]    runs a script (--help after it: its keys);
                                        experiments/NAME.lua is found from anywhere
       hz VERB [...]                    one of the verbs below (--help after it: its options)
options:
  -e CODE    runs CODE           -l MODULE  requires MODULE
  -i         the prompt after what the other options ran
  -          runs stdin          --         ends the options
  -h, --help this text           -v, --version
verbs:
]]

local function verb_named(name)
  for _, v in ipairs(verbs) do
    if v[1] == name then return v end
  end
end

local function verb_names()
  local names = {}
  for i, v in ipairs(verbs) do names[i] = v[1] end
  return table.concat(names, ', ')
end

local function help()
  io.write(usage)
  for _, v in ipairs(verbs) do io.write(('  %-10s %-26s %s\n'):format(v[1], v[2], v[3])) end
  return 0
end

-- ---- running things ----

local function is_interrupt(e)
  local c = package.loaded['hz.c']
  return type(c) == 'table' and c.is_interrupt(e)
end

local debugging = tonumber(os.getenv 'HZ_DEBUG' or '') or 0

-- Message handler: errors that carry a meaning of their own pass; the others get a traceback if one is wanted.
local function blame(e)
  if exit.is(e) or is_interrupt(e) then return e end
  local text = type(e) == 'string' and e or type(e) == 'table' and not (debug.getmetatable(e) or {}).__tostring
    and 'an error value of type table' or tostring(e)
  return debugging >= 1 and debug.traceback(text, 2) or text
end

local SIGTERM = 15

-- Exit status of a failed run, after saying why.
local function report(e)
  io.stdout:flush()
  if exit.is(e) then
    if e.message then
      if e.status == 0 then print(e.message) else say(e.message) end
    end
    return e.status
  elseif is_interrupt(e) then
    say(tostring(e))
    return e.signal == SIGTERM and 75 or 130
  end
  say(tostring(e))
  return 1
end

-- Calls f(...); its number is the status, nil and true are 0, false is 1. A signal that nothing has noticed until then
-- counts all the same.
local function attempt(f, ...)
  local ok, result = xpcall(f, blame, ...)
  if not ok then return report(result) end
  local status = type(result) == 'number' and result or result == false and 1 or 0
  local c = package.loaded['hz.c']
  if status ~= 0 or type(c) ~= 'table' then return status end
  ok, result = pcall(c.poll)
  return ok and 0 or report(result)
end

-- A script's return value is no status: files that return a net or a data set can be run, too.
local function run_chunk(load, ...)
  local chunk, message = load()
  if not chunk then
    say(message)
    return 1
  end
  return attempt(function(...) chunk(...); return 0 end, ...)
end

local function open_hz()
  local ok, hz = xpcall(require, blame, 'hz')
  if not ok then return report(hz) end
  rawset(_G, 'hz', hz)
  return 0
end

local function rest(list, from) return { unpack(list, from) } end

-- The command line as it was given, for who must run it again in another process; nil where that cannot be.
local function remember(args) rawget(_G, '_HZ').command = args and { args[0], unpack(args) } end

-- ---- scripts ----

-- A script that is not where it is said to be may be an experiment of hz's own folder, which is not the current one
-- once hz is installed: experiments/NAME.lua, or NAME.lua alone.
local function own_experiment(name)
  local short = name:match '^experiments/([^/]+%.lua)$' or name:match '^([^/]+%.lua)$'
  local path = short and _HZ.root .. '/experiments/' .. short
  return path and posix.stat(path) and path
end

local function missing(name, why)
  local list = {}
  for _, n in ipairs(posix.list(_HZ.root .. '/experiments') or {}) do
    if n:find '%.lua$' then list[#list + 1] = n end
  end
  table.sort(list)
  say(("cannot open %s: %s; needs a script of one's own, or of %s/experiments: %s"):format(name, why, _HZ.root,
    table.concat(list, ', ')))
  return 1
end

local function run_script(name, args, from)
  local more = rest(args, from)
  local list = rest(args, from)
  list[0] = name
  rawset(_G, 'arg', list)
  return run_chunk(function()
    if name == '-' then
      remember(nil)
      return loadstring(io.read '*a', '=stdin')
    end
    return loadfile(name)
  end, unpack(more))
end

local function run_verb(verb, args, from)
  local more = rest(args, from)
  more[0] = verb[1]
  return attempt(function() return require(verb[4])(more) end)
end

local function prompt()
  remember(nil)
  return attempt(function() return require 'hz.cli.prompt.repl'() end)      -- lazy: scripts need no prompt
end

-- ---- options ----


-- Splits the options off: { run = {{'e',code},{'l',module}}, prompt = bool, at = index of the first argument that is
-- none }
local function parse(args)
  local o, i = { run = {} }, 1
  while args[i] and args[i]:sub(1, 1) == '-' and args[i] ~= '-' do
    local a = args[i]
    local letter, tail = a:match '^%-([el])(.*)$'
    if letter then
      if tail == '' then i, tail = i + 1, args[i + 1] end
      if not tail then
        exit.usage('%s: nothing follows; needs %s', a, letter == 'e' and 'code' or 'the name of a module')
      end
      table.insert(o.run, { letter, tail })
    elseif a == '--' then i = i + 1; break
    elseif a == '-i' then o.prompt = true
    elseif a == '-h' or a == '--help' then o.help = true
    elseif a == '-v' or a == '--version' then o.version = true
    else exit.usage('%s: unknown option; have -e -l -i -v -h - -- (hz --help)', a) end
    i = i + 1
  end
  o.at = i
  return o
end

local function run_option(kind, text)
  if kind == 'l' then return attempt(function() rawset(_G, text, require(text)); return 0 end) end
  return run_chunk(function() return loadstring(text, '=(command line)') end)
end

local plan_usage = [[
usage: hz plan SCRIPT.lua [key=value ...]  what the sweep of a script will take, and what it can show: cells, time and
       hz plan sweep DIR [key=value ...]   disk, the smallest margin that so many seeds and test items certify, and
                                           how probably all encodings pass where nothing is lost. It trains nothing;
                                           what is finished already is taken into account.
]]

-- The name of what is to be planned; the flag is for hz.sweep (report/sweep.lua).
local function to_plan(args, o)
  local name = args[o.at + 1]
  if name == '--help' or name == '-h' then
    io.write(plan_usage)
    exit.stop(0)
  end
  if not name or verb_named(name) and name ~= 'sweep' then
    exit.usage('plan: %s; needs a script, or sweep DIR',
      name and ("'%s' was given"):format(name) or 'nothing was given')
  end
  o.at = o.at + 1
  rawget(_G, '_HZ').plan = true
  return name
end

local function dispatch(args, o)
  local name = args[o.at]
  if name == 'plan' then name = to_plan(args, o) end
  if not name then
    if #o.run > 0 and not o.prompt then return 0 end
    return prompt()
  end
  local verb = verb_named(name)
  if verb then return run_verb(verb, args, o.at + 1) end
  local there, why = posix.stat(name)
  if name ~= '-' and not there then
    local own = own_experiment(name)
    if not own and not name:find '%.lua$' then
      exit.usage("%s: neither a script nor a verb; have %s (hz --help)", name, verb_names())
    end
    if not own then return missing(name, why) end
    name = own
  end
  local status = open_hz()
  if status == 0 then status = run_script(name, args, o.at + 1) end
  if status == 0 and _HZ.plan == true then
    say(('plan: %s runs no sweep; needs a script that calls hz.sweep'):format(name))
    return 1
  end
  if o.prompt and status ~= 130 then return prompt() end
  return status
end

local function main(args)
  remember(args)
  local o = parse(args)
  if o.help then return help() end
  if o.version then return run_verb(verb_named 'version', {}, 1) end
  if #o.run > 0 then
    local status = open_hz()
    for _, r in ipairs(o.run) do
      if status ~= 0 then return status end
      status = run_option(r[1], r[2])
    end
    if status ~= 0 then return status end
  end
  return dispatch(args, o)
end

return attempt(main, arg)
