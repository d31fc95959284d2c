-- cells.lua: the section of all figures: what every encoding takes and reaches, every cell, and the cells as a file
-- that the page carries.
local export = require 'hz.report.export'
local h = require 'hz.report.html.markup'.h
local parts = require 'hz.report.html.parts'
local rows_of = require 'hz.sweep.rows'
local tables = require 'hz.report.tables'

local M = {}

local function number(format, v) return v and format:format(v) or '-' end

local cell_columns = {
  { 'data', 'left', function(row) return row.data end }, { 'model', 'left', function(row) return row.model end },
  { 'trained on', 'left', function(row) return rows_of.called(row, 'trained') end },
  { 'tested on', 'left', function(row) return rows_of.called(row, 'tested') end },
  { 'seed', 'right', function(row) return ('%g'):format(row.seed) end },
  { 'accuracy %', 'right', function(row)
    return row.failed and 'failed' or number('%.2f', row.accuracy and 100 * row.accuracy)
  end },
  { 'bits/sample', 'right', function(row) return number('%.3f', row.bits_per_sample) end },
  { 'seconds', 'right', function(row) return number('%.1f', row.seconds) end },
}

local function cells_table(r)
  local lines = {}
  for i, row in ipairs(r.rows) do
    lines[i] = {}
    for k, col in ipairs(cell_columns) do lines[i][k] = col[3](row) end
  end
  return parts.table { caption = 'every cell: one training, scored once', columns = cell_columns, lines = lines }
end

local function encoded(s)
  return (s:gsub('[^%w%-_.~,]', function(ch) return ('%%%02X'):format(ch:byte()) end))
end

local function download(r)
  local csv = export.csv(r)
  return h('p', nil, h('a', { download = 'cells.csv', href = 'data:text/csv;charset=utf-8,' .. encoded(csv) },
    'All fields of the cells as CSV'))
end

-- ctx: of page.lua.
function M.section(ctx, id)
  local r, without = ctx.r, ctx.without
  local one = tables.figures(r)
  return h('section', { id = id, ['aria-labelledby'] = id .. '-h' },
    h('h2', { id = id .. '-h' }, 'All figures'),
    one and parts.table(one) or h('p', nil, 'No cell is finished.'),
    #r.rows > 0 and not without['the table of all cells']
      and parts.details(('All %d cells'):format(#r.rows), cells_table(r)),
    #r.rows > 0 and not without['the cells as CSV'] and download(r))
end

return M
