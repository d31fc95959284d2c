-- table.lua: rows of values as aligned text for people (visible.lua), or as CSV (RFC 4180) for programs.
local json = require 'hz.base.json'
local visible = require 'hz.base.visible'.line

local M = {}

M.width = 80                       -- columns of a terminal that nobody made wider

local function width_of(s) return select(2, s:gsub('[^\128-\191]', '')) end      -- characters, not bytes

-- The first n characters of s, the last two of them dots where some are missing.
local function cut(s, n)
  if width_of(s) <= n then return s end
  local i = 0
  for at in s:gmatch '()[^\128-\191]' do
    i = i + 1
    if i == n - 1 then return s:sub(1, at - 1) .. '..' end
  end
end

local LEAST = 6                    -- columns that a cut column keeps

-- Makes the widest of the left columns narrower until all fit in `width`.
local function narrow(columns, wide, width)
  local over = 2 * (#columns - 1) - width
  for _, w in ipairs(wide) do over = over + w end
  while over > 0 do
    local most
    for i, col in ipairs(columns) do
      if col[2] == 'left' and wide[i] > LEAST and (not most or wide[i] > wide[most]) then most = i end
    end
    if not most then return end
    wide[most], over = wide[most] - 1, over - 1
  end
end

-- columns: list of { title, 'left' or 'right' (default) }; rows: lists of strings, nil for an empty place. width: the
-- most columns of a line, for which texts on the left are cut.
function M.text(columns, rows, width)
  local wide, lines = {}, {}
  for i, col in ipairs(columns) do
    wide[i] = width_of(visible(col[1]))
    for _, row in ipairs(rows) do wide[i] = math.max(wide[i], width_of(visible(row[i] or ''))) end
  end
  if width then narrow(columns, wide, width) end
  local function line(get)
    local parts = {}
    for i, col in ipairs(columns) do
      local s = cut(visible(get(i) or ''), wide[i])
      local pad = (' '):rep(wide[i] - width_of(s))
      parts[i] = col[2] == 'left' and s .. pad or pad .. s
    end
    lines[#lines + 1] = (table.concat(parts, '  '):gsub(' +$', ''))
  end
  line(function(i) return columns[i][1] end)
  for _, row in ipairs(rows) do line(function(i) return row[i] end) end
  return table.concat(lines, '\n')
end

-- The words of a text in lines of at most `width` columns, where the words allow it; all lines but the first begin with
-- `indent`.
function M.wrap(text, indent, width)
  width = width or M.width
  local lines, line = {}, nil
  for blank, word in text:gmatch '(%s*)(%S+)' do
    if line and width_of(line .. blank .. word) > width then
      lines[#lines + 1], line = line, indent .. word
    else
      line = (line or '') .. blank .. word
    end
  end
  lines[#lines + 1] = line
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
