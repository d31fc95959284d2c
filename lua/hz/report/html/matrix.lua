-- matrix.lua: every trained model tested on every encoding (report/matrix.lua): a map with its numbers in the cells,
-- and each loss split into what retraining leaves and what comes of training on something else.
local h = require 'hz.report.html.markup'.h
local parts = require 'hz.report.html.parts'
local verdict_text = require 'hz.report.verdict_text'

local M = {}

local LEVELS = 9                   -- of colour (style.lua)

local function range(m)
  local lo, hi = math.huge, -math.huge
  for i = 1, #m.encodings do
    for j = 1, #m.encodings do
      local v = m.accuracy[i][j]
      if v then lo, hi = math.min(lo, v), math.max(hi, v) end
    end
  end
  return lo, hi
end

-- The class of a cell: its colour, and whether it was trained and tested on the same.
local function class_of(m, i, j, lo, hi)
  local v = m.accuracy[i][j]
  local level = v and ('h%d'):format(math.floor(LEVELS * (hi > lo and (v - lo) / (hi - lo) or 1) + 0.5)) or ''
  return level .. (i == j and ' own' or '')
end

-- The map as a table: lines trained on, columns tested on. one: the table of verdict_text.matrix.
local function map(m, one)
  local lo, hi = range(m)
  local head, body = {}, {}
  for k, col in ipairs(one.columns) do head[k] = h('th', { scope = 'col', class = k == 1 and 'l' or nil }, col[1]) end
  for i, line in ipairs(one.lines) do
    local cells = { h('th', { scope = 'row', class = 'l' }, line[1]) }
    for j = 1, #m.encodings do cells[j + 1] = h('td', { class = class_of(m, i, j, lo, hi) }, line[j + 1]) end
    body[i] = h('tr', nil, cells)
  end
  return h('div', { class = 'box', tabindex = '0', role = 'region', ['aria-label'] = one.caption },
    h('table', { class = 'heat' }, h('caption', nil, one.caption), h('thead', nil, h('tr', nil, head)),
      h('tbody', nil, body)))
end

-- All matrices of a report; nil without one.
function M.section(list, id)
  if #list == 0 then return nil end
  local out = {}
  for i, m in ipairs(list) do
    local accuracies, splits = verdict_text.matrix(m)
    out[i] = { map(m, accuracies), parts.notes { 'framed: trained and tested on the same' }, parts.table(splits) }
  end
  return h('section', { id = id, ['aria-labelledby'] = id .. '-h' },
    h('h2', { id = id .. '-h' }, 'Trained on one, tested on another'), out)
end

return M
