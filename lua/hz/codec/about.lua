-- about.lua: what there is to say of a codec, all of it from its declaration and its plugin's row: the one text of
-- `hz plugin info NAME`, `? NAME` and codec=NAME,help, and the same for programs.
local c = require 'hz.c'
local encoding = require 'hz.codec.encoding'
local exit = require 'hz.exit'
local json = require 'hz.base.json'
local names = require 'hz.base.names'
local plugins = require 'hz.codec.plugins'
local shell = require 'hz.base.shell'
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

local M = {}

local function line(list, form, ...) list[#list + 1] = tables.wrap(form:format(...), '  ') end

-- The plugins of a codec's stages, each once, in order.
local function rows_of(name)
  local rows, seen = {}, {}
  for _, stage in ipairs(plugins.stages(name)) do
    if not seen[stage] then rows[#rows + 1] = plugins.row(stage) end
    seen[stage] = true
  end
  return rows
end

-- A codec's text: its parameters, then its plugins.
function M.text(name)
  local main = encoding.main(plugins.codec(name).params)
  local list = { tostring(require 'hz.codec.codec'[name]) }             -- lazy: it opens all plugins, a list must not
  for _, row in ipairs(rows_of(name)) do
    line(list, 'plugin %s %s: %s', row.name, visible(row.version), visible(row.about))
    list[#list + 1] = visible(row.path)
    for _, path in ipairs(row.hides or {}) do list[#list + 1] = 'hides ' .. visible(path) end
    if row.script then line(list, 'written in Lua: slower than C, on one thread') end
  end
  if main then line(list, 'an axis of a sweep: %s %s=...', shell.quoted('codec=' .. name), main.name) end
  return table.concat(list, '\n')
end

-- The same as fields.
function M.fields(name)
  local about, rows = plugins.codec(name), rows_of(name)
  local row = #plugins.stages(name) == 1 and rows[1] or {}
  local main = encoding.main(about.params)
  about.path, about.plugin, about.version, about.about = row.path, row.name, row.version, row.about
  about.hides, about.script, about.main = row.hides, row.script, main and main.name
  about.stages = row ~= rows[1] and json.array(rows) or nil
  return about
end

-- The texts of several, for the key codec: those of all codecs where none is named.
function M.help(list)
  local texts, asked = {}, {}
  for _, name in ipairs(list) do
    if name ~= 'help' and name ~= 'raw' then asked[#asked + 1] = name end
  end
  for i, name in ipairs(#asked > 0 and asked or plugins.codecs()) do
    local known, why = c.try(plugins.codec, name)
    if not known and name:find '[|:]' then exit.usage('%s', why) end
    if not known then
      exit.usage("codec: '%s' is not loaded%s; have %s", name, names.meant(name, plugins.codecs()),
        table.concat(plugins.codecs(), ', '))
    end
    texts[i] = M.text(name)
  end
  return table.concat(texts, '\n\n')
end

return M
