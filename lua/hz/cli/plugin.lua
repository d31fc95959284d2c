-- plugin.lua: hz plugin list|info|check|new: what was found and skipped, what a codec takes, whether it keeps its word,
-- a new one.
local c = require 'hz.c'
local command = require 'hz.base.command'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local plugin_check = require 'hz.cli.plugin_check'
local plugins = require 'hz.codec.plugins'
local visible = require 'hz.base.visible'.line

-- ---- list and info ----

local function list_text(rows)
  if #rows == 0 then print('no plugin was found in ' .. visible(table.concat(plugins.folders(), ', '))) end
  for _, r in ipairs(rows) do
    if r.skipped then
      print(('skipped  %s\n         %s'):format(visible(r.path), visible(r.skipped)))
    else
      local codec = r.codec and ('codec %s over %s'):format(r.codec, r.library) or 'no codec'
      print(('%-8s %s\n         %s; %s'):format(r.name, visible(r.path), visible(r.about), visible(codec)))
    end
  end
end

local function list(o)
  if o.json then
    print(visible(json.encode(json.array(plugins.list()))))
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

local function named(verb, o)
  local name = o.words[1]
  if not plugins.has(name) then
    local have = table.concat(plugins.codecs(), ', ')
    exit.stop(1, ("plugin %s: no codec '%s' is loaded; have %s (hz plugin list says what was skipped)"):format(verb,
      name, have))
  end
  return name
end

local function info(o)
  local name = named('info', o)
  local about, row = plugins.codec(name), row_of(name)
  if o.json then
    about.path, about.plugin, about.version, about.about = row.path, row.name, row.version, row.about
    json.array(about.params)
    print(visible(json.encode(about)))
  else
    print(require 'hz.codec.codec'[name])              -- lazy: it opens all plugins, a list must not
    print(('plugin %s %s: %s\n%s'):format(row.name, visible(row.version), visible(row.about), visible(row.path)))
  end
  return 0
end

-- ---- check ----

local function check(o)
  local name = named('check', o)
  local make = require 'hz.codec.codec'[name]          -- lazy: as above
  local codec = make(plugins.values(plugins.codec(name), o.given))
  return plugin_check(codec) and 0 or 1
end

-- ---- new ----

local function new(o)
  local name = o.words[1]
  if not name:find '^%a[%w_]*$' then
    exit.usage("plugin new: the name is '%s'; needs one of letters, digits and _", name)
  end
  local text = file.read_all(c.root .. '/plugins/skeleton/skeleton.c'):gsub('skeleton', name)
  local path = ('%s/%s.c'):format(name, name)
  if file.exists(path) then exit.stop(1, ('plugin new: %s exists; needs another name'):format(path)) end
  file.mkdir(name)
  file.write(path, text)
  local header = c.root .. '/core'
  if not file.exists(header .. '/hz/plugin.h') then header = c.root .. '/../../include' end
  print(('%s/%s.c is a copy of the skeleton; its comments say what is what. To build and try it:\n'):format(name, name))
  print(('  cc -O2 -Wall -fPIC -shared -fvisibility=hidden -I%s -o %s/%s.so %s/%s.c'):format(header, name, name, name,
    name))
  print(('  HZ_PLUGIN_PATH=%s hz plugin check %s'):format(name, name))
  return 0
end

local array = { 'json', false, 'bool', 'an array for programs' }
local object = { 'json', false, 'bool', 'an object for programs' }
local codec = { 'NAME', 1, 1, plugins.codecs }

return command.new('plugin', {
  about = "Plugins are looked for beside hz's library and in the folders of HZ_PLUGIN_PATH (separated by ':')",
  { 'list', list, 'every plugin that was found, and why others were skipped', { array } },
  { 'info', info, 'a codec: its library and parameters', { object }, words = codec },
  { 'check', check, 'tries a codec on items of many sizes and on damaged streams', words = codec,
    open = 'parameter=value' },
  { 'new', new, 'begins a codec in the folder NAME, from the skeleton', words = { 'NAME', 1, 1 } },
})
