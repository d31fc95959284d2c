-- list.lua: hz plugin list: all plugins with what they are and where they stand, then those that another hides, files
-- that were skipped, and plugins of hz that were not built.
local absent = require 'hz.codec.absent'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

-- Rows of hz's own plugins that were not built and come from nowhere else.
local function missing(rows)
  local there, list = {}, {}
  for _, r in ipairs(rows) do there[r.name or ''] = true end
  for _, r in ipairs(absent.rows(plugins.own())) do
    if not there[r.name] then list[#list + 1] = r end
  end
  return list
end

local columns = { { 'plugin', 'left' }, { 'kind', 'left' }, { 'version', 'left' }, { 'library', 'left' } }

-- A line with columns for each row, and below it where it stands and what it hides.
local function used(rows)
  local cells, lines = {}, {}
  for i, r in ipairs(rows) do
    cells[i] = { r.codec or r.name, r.kind or 'none', r.version, (r.library or '') .. (r.script and ', in Lua' or '') }
  end
  for text in (tables.text(columns, cells, tables.width) .. '\n'):gmatch '([^\n]*)\n' do
    local r = rows[#lines]
    local where = { text, r and '  ' .. visible(r.path) or nil }
    for _, path in ipairs(r and r.hides or {}) do where[#where + 1] = '  hides ' .. visible(path) end
    lines[#lines + 1] = table.concat(where, '\n')
  end
  return table.concat(lines, '\n')
end

local function wrapped(text) return tables.wrap((' '):rep(9) .. visible(text), (' '):rep(9)) end

local function text_of(rows)
  local shown, lines = {}, {}
  for _, r in ipairs(rows) do
    if r.hidden then
      lines[#lines + 1] = ('hidden   %s\n%s'):format(visible(r.path), wrapped(('%s %s, %s; %s is found first'):format(
        r.codec or r.name, r.version, r.library, r.hidden)))
    elseif r.skipped then
      lines[#lines + 1] = ('skipped  %s\n%s'):format(visible(r.path), wrapped(r.skipped))
    else
      shown[#shown + 1] = r
    end
  end
  for _, r in ipairs(missing(rows)) do
    lines[#lines + 1] = ('absent   %s\n%s'):format(visible(r.name), wrapped(absent.reason(r)))
  end
  for _, line in ipairs(plugins.notes()) do lines[#lines + 1] = wrapped(line):gsub('^%s+', 'noted    ') end
  local searched = wrapped(table.concat(plugins.folders(), ', ')):gsub('^%s+', 'searched ')
  if #shown > 0 then table.insert(lines, 1, used(shown)) else table.insert(lines, 1, 'no plugin was found') end
  lines[#lines + 1] = searched
  return table.concat(lines, '\n')
end

return function(o)
  local rows = plugins.list()
  if not o.json then
    print(text_of(rows))
    return 0
  end
  for _, r in ipairs(missing(rows)) do
    rows[#rows + 1] = { name = r.name, skipped = absent.reason(r), needs = r.needs, packages = r.packages }
  end
  print(visible(json.encode(json.array(rows))))
  return 0
end
