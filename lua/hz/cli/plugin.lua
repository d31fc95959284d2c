-- plugin.lua: hz plugin list|info|check|new: what was found and skipped, what a codec takes, whether it keeps its word,
-- a new one.
local c = require 'hz.c'
local checked = require 'hz.cli.check.check'
local command = require 'hz.base.command'
local exit = require 'hz.exit'
local info = require 'hz.cli.plugin.info'
local list = require 'hz.cli.plugin.list'
local new = require 'hz.cli.plugin.new'
local plugins = require 'hz.codec.plugins'
local questions = require 'hz.cli.check.questions'

local function named(verb, o)
  local name = o.words[1]
  local known, why = c.try(plugins.codec, name)
  if not known and name:find '[|:]' then exit.stop(1, ('plugin %s: %s'):format(verb, why)) end
  if not known then
    local have = table.concat(plugins.codecs(), ', ')
    exit.stop(1, ("plugin %s: no codec '%s' is loaded; have %s (hz plugin list says what was skipped)%s"):format(verb,
      name, have, plugins.unbuilt { name }))
  end
  return name
end

local function show(o)
  local word = o.words[1]
  return info.run(info.is_file(word) and info.codec_of(word) or named('info', o), o)
end

-- ---- check ----

local function check(o) return checked(o.words[1], o.given, o) end

local array = { 'json', false, 'bool', 'an array for programs' }
local object = { 'json', false, 'bool', 'an object for programs' }
local codec = { 'NAME', 1, 1, plugins.codecs }
local only = { 'only', nil, 'string', 'asks these questions only', list = true, choices = questions.order,
  form = '--only NAME,..' }
local limit = { 'limit', 10, 'float', 'seconds after which a silent question hangs', min = 0.1,
  form = '--limit SECONDS' }

return command.new('plugin', {
  about = "Plugins are looked for in the folders of HZ_PLUGIN_PATH (separated by ':'), in the user's own\n"
    .. "(~/.local/share/hz/plugins), and beside hz's library; of codecs that are called the same the first is used.",
  { 'list', list, 'every plugin, what hides another, files skipped and why', { array } },
  { 'info', show, 'a codec: its library, parameters and plugin', { object },
    words = { 'NAME', 1, 1, plugins.codecs, text = 'NAME|FILE' } },
  { 'check', check, 'asks whether a codec keeps the promises of the interface, each question in a process of its own',
    { object, only, limit }, words = { 'NAME', 1, 1, plugins.codecs, text = 'NAME|FILE' },
    open = 'parameter=value' },
  { 'new', new, 'begins a codec of images in the folder NAME', {
    { 'audio', false, 'bool', 'of sounds' }, { 'lua', false, 'bool', 'in Lua instead of C' },
  }, words = { 'NAME', 1, 1 } },
})
