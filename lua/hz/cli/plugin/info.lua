-- info.lua: hz plugin info NAME|FILE: what about.lua says of a codec.
local about = require 'hz.codec.about'
local c = require 'hz.c'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local scripted = require 'hz.codec.scripted'
local visible = require 'hz.base.visible'.line

local M = {}

function M.is_file(word) return (word:find('/', 1, true) or word:find '%.so$' or word:find '%.lua$') ~= nil end

-- The name of the codec in a plugin's file, which is loaded before all others: nothing hides it.
function M.codec_of(path)
  local real = file.real(path)
  if file.exists(path) ~= 'file' then exit.stop(1, ('plugin info: %s is no file; needs a plugin'):format(path)) end
  if path:find '%.lua$' then scripted.load_file(real) else c.check(c.C.hz_plugin_load_file(path, 1)) end
  for _, row in ipairs(plugins.list()) do
    if row.path == real and row.codec then return row.codec end
    if row.path == real then
      exit.stop(1, ('plugin info: %s: %s'):format(path, row.skipped or row.kind and 'it is no codec but a ' .. row.kind
        or 'it offers nothing that hz knows'))
    end
  end
end

function M.run(name, o)
  if o.json then
    local fields = about.fields(name)
    json.array(fields.params)
    print(visible(json.encode(fields)))
  else
    print(about.text(name))
  end
  return 0
end

return M
