-- plugin.lua: hz plugin list|info|check|new: what was found and skipped, what a codec takes, whether it keeps its word, a new one.
local exit = require 'hz.exit'
local plugins = require 'hz.codec.plugins'

local usage = [[
usage: hz plugin list [--json]                    every plugin that was found, and why others were skipped
       hz plugin info NAME [--json]               a codec: its library and parameters
       hz plugin check NAME [parameter=value ...] tries a codec on images of many sizes and on damaged streams
       hz plugin new NAME                         begins a codec in the folder NAME, from the skeleton
Plugins are looked for beside hz's library and in the folders of HZ_PLUGIN_PATH (separated by ':').]]

-- ---- list and info ----

local function list_text(rows)
  if #rows == 0 then print('no plugin was found in ' .. table.concat(plugins.folders(), ', ')) end
  for _, r in ipairs(rows) do
    if r.skipped then
      print(('skipped %s\n        %s'):format(r.path, r.skipped))
    else
      print(('%-8s%s\n        %s; %s'):format(r.name, r.path, r.about, r.codec and ('codec %s over %s'):format(r.codec, r.library) or 'no codec'))
    end
  end
end

local function json_print(v) print(require 'hz.base.json'.encode(v)) end

local function array(t) return require 'hz.base.json'.array(t) end

local function list(args)
  if args[2] == '--json' and not args[3] then
    json_print(array(plugins.list()))
  elseif args[2] then
    exit.usage("plugin list: '%s' is unknown; takes --json or nothing", args[2])
  else
    list_text(plugins.list())
  end
  return 0
end

local function row_of(name)
  for _, r in ipairs(plugins.list()) do
    if r.codec == name then return r end
  end
end

local function named(args)
  local name = args[2]
  if not name or name:sub(1, 1) == '-' then exit.usage('plugin %s: no name was given; have %s', args[1], table.concat(plugins.codecs(), ', ')) end
  if not plugins.has(name) then
    exit.stop(1, ("plugin %s: no codec '%s' is loaded; have %s (hz plugin list says what was skipped)"):format(args[1], name, table.concat(plugins.codecs(), ', ')))
  end
  return name
end

local function info(args)
  local name = named(args)
  local about, row = plugins.codec(name), row_of(name)
  if args[3] == '--json' and not args[4] then
    about.path, about.plugin, about.version, about.about = row.path, row.name, row.version, row.about
    array(about.params)
    json_print(about)
  elseif args[3] then
    exit.usage("plugin info: '%s' is unknown; takes --json or nothing", args[3])
  else
    print(require 'hz.codec.codec'[name])
    print(('plugin %s %s: %s\n%s'):format(row.name, row.version, row.about, row.path))
  end
  return 0
end

-- ---- check ----

-- "quality=10" on the command line as the value that the declaration wants.
local function value_of(about, word)
  local key, text = word:match '^([%w_]+)=(.*)$'
  if not key then exit.usage("plugin check: '%s' is no parameter=value", word) end
  for _, p in ipairs(about.params) do
    if p.name == key then
      if p.type == 'enum' then return key, text end
      if p.type == 'bool' then return key, text == 'true' or text ~= 'false' and text end
      return key, not p.length and tonumber(text) or text
    end
  end
  return key, text                     -- the codec says which parameters it has
end

local function check(args)
  local name = named(args)
  local about, values = plugins.codec(name), {}
  for i = 3, #args do
    local key, v = value_of(about, args[i])
    values[key] = v
  end
  return require 'hz.cli.plugin_check'(require 'hz.codec.codec'[name](values)) and 0 or 1
end

-- ---- new ----

local function slurp(path)
  local f, why = io.open(path, 'rb')
  if not f then exit.stop(1, 'plugin new: ' .. why .. '; needs the skeleton that hz comes with') end
  local s = f:read '*a'
  f:close()
  return s
end

local function new(args)
  local name = args[2]
  if not name or args[3] or not name:find '^%a[%w_]*$' then
    exit.usage("plugin new: the name is '%s'; needs one of letters, digits and _", tostring(name))
  end
  local c = require 'hz.c'
  local text = slurp(c.root .. '/plugins/skeleton/skeleton.c'):gsub('skeleton', name)
  if io.open(name .. '/' .. name .. '.c') then exit.stop(1, ('plugin new: %s/%s.c exists; needs another name'):format(name, name)) end
  os.execute('mkdir -p ' .. name)
  local f, why = io.open(name .. '/' .. name .. '.c', 'wb')
  if not f then exit.stop(1, 'plugin new: ' .. why) end
  f:write(text)
  f:close()
  local header = c.root .. '/core'
  if not io.open(header .. '/hz/plugin.h') then header = c.root .. '/../../include' end
  print(('%s/%s.c is a copy of the skeleton; its comments say what is what. To build and try it:\n'):format(name, name))
  print(('  cc -O2 -Wall -fPIC -shared -fvisibility=hidden -I%s -o %s/%s.so %s/%s.c'):format(header, name, name, name, name))
  print(('  HZ_PLUGIN_PATH=%s hz plugin check %s'):format(name, name))
  return 0
end

local verbs = { list = list, info = info, check = check, new = new }

return function(args)
  local verb = args[1]
  if verb == '--help' or verb == '-h' then
    print(usage)
    return 0
  end
  if not verbs[verb] then exit.usage("plugin: '%s' is unknown; have list, info, check, new (hz plugin --help)", tostring(verb or '')) end
  return verbs[verb](args)
end
