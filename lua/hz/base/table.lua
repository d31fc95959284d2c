-- table.lua: rows of values as aligned text for people (visible.lua), or as CSV (RFC 4180) for programs.
local json = require 'hz.base.json'
local visible = require 'hz.base.visible'.line

local M = {}

local function width_of(s) return select(2, s:gsub('[^\128-\191]', '')) end      -- characters, not bytes

-- columns: list of { title, 'left' or 'right' (default) }; rows: lists of strings, nil for an empty place.
function M.text(columns, rows)
  local wide, lines = {}, {}
  for i, col in ipairs(columns) do
    wide[i] = width_of(visible(col[1]))
    for _, row in ipairs(rows) do wide[i] = math.max(wide[i], width_of(visible(row[i] or ''))) end
  end
  local function line(get)
    local parts = {}
    for i, col in ipairs(columns) do
      local s = visible(get(i) or '')
      local pad = (' '):rep(wide[i] - width_of(s))
      parts[i] = col[2] == 'left' and s .. pad or pad .. s
    end
    lines[#lines + 1] = (table.concat(parts, '  '):gsub(' +$', ''))
  end
  line(function(i) return columns[i][1] end)
  for _, row in ipairs(rows) do line(function(i) return row[i] end) end
  return table.concat(lines, '\n')
end

local function field(v)
  local s = v == nil and '' or type(v) == 'number' and json.encode(v) or tostring(v)
  if s:find '[",\r\n]' then s = '"' .. s:gsub('"', '""') .. '"' end
  return s
end

-- names: list of column names; rows: tables by name.
function M.csv(names, rows)
  local lines = { table.concat(names, ',') }
  for _, row in ipairs(rows) do
    local parts = {}
    for i, name in ipairs(names) do parts[i] = field(row[name]) end
    lines[#lines + 1] = table.concat(parts, ',')
  end
  return table.concat(lines, '\n') .. '\n'
end

return M
