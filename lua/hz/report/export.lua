-- export.lua: the cells of a report for other programs: JSON and CSV with the same fields (sweep/rows.lua, and what
-- verdicts.lua says of their encodings) and numbers.
local csv = require 'hz.base.table'.csv
local fields_of = require 'hz.sweep.rows'.fields_of
local json = require 'hz.base.json'
local verdicts = require 'hz.report.verdicts'

local M = {}

-- Names of all fields, and value(row, name).
local function fields(r)
  local list, judged = fields_of(r.rows), verdicts.by_row(r)
  for _, name in ipairs(verdicts.fields(r)) do list[#list + 1] = name end
  return list, function(row, name)
    if row[name] ~= nil then return row[name] end
    return judged[row] and judged[row][name]
  end
end

-- The cells as one JSON array; what a cell does not have is null.
function M.json(r)
  local list, names, value = json.array {}, fields(r)
  for i, row in ipairs(r.rows) do
    list[i] = {}
    for _, name in ipairs(names) do
      local v = value(row, name)
      if v == nil then v = json.null end
      list[i][name] = v
    end
  end
  return json.encode(list, { pretty = true }) .. '\n'
end

-- The cells as CSV; the curve is a list with blanks between.
function M.csv(r)
  local rows, names, value = {}, fields(r)
  for i, row in ipairs(r.rows) do
    rows[i] = setmetatable({ curve = table.concat(row.curve, ' ') },
      { __index = function(_, name) return value(row, name) end })
  end
  return csv(names, rows)
end

return M
