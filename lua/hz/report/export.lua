-- export.lua: the cells of a report for other programs: JSON and CSV with the same fields (sweep/rows.lua) and numbers.
local csv = require 'hz.base.table'.csv
local fields_of = require 'hz.sweep.rows'.fields_of
local json = require 'hz.base.json'

local M = {}

-- The cells as one JSON array; what a cell does not have is null.
function M.json(r)
  local list, fields = json.array {}, fields_of(r.rows)
  for i, row in ipairs(r.rows) do
    list[i] = {}
    for _, name in ipairs(fields) do
      local v = row[name]
      if v == nil then v = json.null end
      list[i][name] = v
    end
  end
  return json.encode(list, { pretty = true }) .. '\n'
end

-- The cells as CSV; the curve is a list with blanks between.
function M.csv(r)
  local rows = {}
  for i, row in ipairs(r.rows) do
    rows[i] = setmetatable({ curve = table.concat(row.curve, ' ') }, { __index = row })
  end
  return csv(fields_of(r.rows), rows)
end

return M
