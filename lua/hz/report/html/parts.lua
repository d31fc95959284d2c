-- parts.lua: pieces that sections of the report are made of: tables, figures, notes.
local chart = require 'hz.report.html.chart'
local h = require 'hz.report.html.markup'.h

local M = {}

local function trimmed(s) return (s or ''):match '^%s*(.-)%s*$' end

-- The cell of a column that holds verdicts has the mark beside the word.
local function content(col, s) return col[1] == 'verdict' and chart.verdict(s) or trimmed(s) end

local function row_of(columns, line)
  local cells = {}
  for i, col in ipairs(columns) do
    local class = col[2] == 'left' and 'l' or nil
    cells[i] = i == 1 and h('th', { scope = 'row', class = class }, trimmed(line[1]))
      or h('td', { class = class }, content(col, line[i] or ''))
  end
  return h('tr', nil, cells)
end

-- A table (report/tables.lua) in a box of its own that scrolls where it is too wide. class: of the table.
function M.table(one, class)
  local head, body = {}, {}
  for i, col in ipairs(one.columns) do
    head[i] = h('th', { scope = 'col', class = col[2] == 'left' and 'l' or nil }, col[1])
  end
  for i, line in ipairs(one.lines) do body[i] = row_of(one.columns, line) end
  local box = h('div', { class = 'box', tabindex = '0', role = 'region', ['aria-label'] = one.caption },
    h('table', { class = class }, h('caption', nil, one.caption), h('thead', nil, h('tr', nil, head)),
      h('tbody', nil, body)))
  return { box, M.notes(one.notes) }
end

function M.notes(list)
  local out = {}
  for i, note in ipairs(list or {}) do out[i] = h('p', { class = 'note' }, note) end
  return out
end

-- A drawing with its heading and caption; nil without the drawing.
function M.figure(title, drawing, caption)
  if not drawing then return nil end
  return h('figure', nil, h('h3', nil, title), drawing, caption and h('figcaption', nil, caption))
end

-- What is long, and not everybody's.
function M.details(summary, ...) return h('details', nil, h('summary', nil, summary), ...) end

-- rows: list of { name, value, small print or nil }
function M.tiles(rows)
  local out = {}
  for i, row in ipairs(rows) do
    out[i] = h('div', nil, h('dt', nil, row[1]), h('dd', nil, row[2], row[3] and h('small', nil, row[3])))
  end
  return #out > 0 and h('dl', { class = 'tiles' }, out) or nil
end

-- The fragment that a section is linked by.
function M.anchor(i) return 's' .. i end

return M
