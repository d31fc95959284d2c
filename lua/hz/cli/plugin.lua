-- plugin.lua: hz plugin list|info|check|new: what was found and skipped, what a codec takes, whether it keeps its word,
-- a new one.
local command = require 'hz.base.command'
local exit = require 'hz.exit'
local info = require 'hz.cli.plugin.info'
local list = require 'hz.cli.plugin.list'
local new = require 'hz.cli.plugin.new'
local plugin_check = require 'hz.cli.plugin_check'
local plugins = require 'hz.codec.plugins'

local function named(verb, o)
  local name = o.words[1]
  if not plugins.has(name) then
    local have = table.concat(plugins.codecs(), ', ')
    exit.stop(1, ("plugin %s: no codec '%s' is loaded; have %s (hz plugin list says what was skipped)%s"):format(verb,
      name, have, plugins.unbuilt { name }))
  end
  return name
end

local function show(o) return info(named('info', o), o) end

-- ---- check ----

local function check(o)
  local name = named('check', o)
  local make = require 'hz.codec.codec'[name]          -- lazy: as above
  local codec = make(plugins.values(plugins.codec(name), o.given))
  return plugin_check(codec) and 0 or 1
end

local array = { 'json', false, 'bool', 'an array for programs' }
local object = { 'json', false, 'bool', 'an object for programs' }
local codec = { 'NAME', 1, 1, plugins.codecs }

return command.new('plugin', {
  about = "Plugins are looked for in the folders of HZ_PLUGIN_PATH (separated by ':'), in the user's own\n"
    .. "(~/.local/share/hz/plugins), and beside hz's library; of codecs that are called the same the first is used.",
  { 'list', list, 'every plugin, what hides another, files skipped and why', { array } },
  { 'info', show, 'a codec: its library, parameters and plugin', { object }, words = codec },
  { 'check', check, 'tries a codec on items of many sizes and on damaged streams', words = codec,
    open = 'parameter=value' },
  { 'new', new, 'begins a codec of images in the folder NAME', {
    { 'audio', false, 'bool', 'of sounds' }, { 'lua', false, 'bool', 'in Lua instead of C' },
  }, words = { 'NAME', 1, 1 } },
})
