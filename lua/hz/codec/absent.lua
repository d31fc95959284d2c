-- absent.lua: plugins of hz whose libraries were not there when it was built. plugins.mk writes them beside the others,
-- a line "NAME LIBRARY PACKAGES..." for each library that was missed.
local file = require 'hz.base.file'

local M = {}

-- Rows { name, needs = libraries as pkg-config calls them, packages = those of Debian }, in order; none without a list.
function M.rows(folder)
  local rows, by_name, path = {}, {}, file.join(folder, 'absent.txt')
  for line in (file.exists(path) and file.read_all(path) or ''):gmatch '[^\n]+' do
    local name, library, packages = line:match '^(%S+) (%S+) ?(.*)$'
    if name and not by_name[name] then
      by_name[name] = { name = name, needs = {}, packages = {} }
      rows[#rows + 1] = by_name[name]
    end
    if name then table.insert(by_name[name].needs, library) end
    for package in (packages or ''):gmatch '%S+' do table.insert(by_name[name].packages, package) end
  end
  return rows
end

-- "not built, for want of lame (Debian: libmp3lame-dev)"
function M.reason(row)
  local packages = #row.packages > 0 and (' (Debian: %s)'):format(table.concat(row.packages, ' ')) or ''
  return ('not built, for want of %s%s'):format(table.concat(row.needs, ', '), packages)
end

return M
