-- about.lua: what there is to say of a codec, all of it from its declaration and its plugin's row: the one text of
-- `hz plugin info NAME`, `? NAME` and codec=NAME,help, and the same for programs.
local encoding = require 'hz.codec.encoding'
local exit = require 'hz.exit'
local names = require 'hz.base.names'
local plugins = require 'hz.codec.plugins'
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

local M = {}

local function line(list, form, ...) list[#list + 1] = tables.wrap(form:format(...), '  ') end

-- A codec's text: its parameters, then its plugin.
function M.text(name)
  local row, main = plugins.row(name), encoding.main(plugins.codec(name).params)
  local list = { tostring(require 'hz.codec.codec'[name]) }             -- lazy: it opens all plugins, a list must not
  if not row then return list[1] end
  line(list, 'plugin %s %s: %s', row.name, visible(row.version), visible(row.about))
  list[#list + 1] = visible(row.path)
  for _, path in ipairs(row.hides or {}) do list[#list + 1] = 'hides ' .. visible(path) end
  if row.script then line(list, 'written in Lua: slower than C, on one thread') end
  if main then line(list, 'an axis of a sweep: codec=%s %s=...', name, main.name) end
  return table.concat(list, '\n')
end

-- The same as fields.
function M.fields(name)
  local about, row = plugins.codec(name), plugins.row(name) or {}
  local main = encoding.main(about.params)
  about.path, about.plugin, about.version, about.about = row.path, row.name, row.version, row.about
  about.hides, about.script, about.main = row.hides, row.script, main and main.name
  return about
end

-- The texts of several, for the key codec: those of all codecs where none is named.
function M.help(list)
  local texts, asked = {}, {}
  for _, name in ipairs(list) do
    if name ~= 'help' and name ~= 'raw' then asked[#asked + 1] = name end
  end
  for i, name in ipairs(#asked > 0 and asked or plugins.codecs()) do
    if not plugins.has(name) then
      exit.usage("codec: '%s' is not loaded%s; have %s", name, names.meant(name, plugins.codecs()),
        table.concat(plugins.codecs(), ', '))
    end
    texts[i] = M.text(name)
  end
  return table.concat(texts, '\n\n')
end

return M
