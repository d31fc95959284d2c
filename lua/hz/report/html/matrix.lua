-- matrix.lua: every trained model tested on every encoding (report/matrix.lua): a map with its numbers in the cells,
-- and each loss split into what retraining leaves and what comes of training on something else.
local h = require 'hz.report.html.markup'.h
local parts = require 'hz.report.html.parts'

local M = {}

local function percent(v) return v and ('%.2f'):format(100 * v) or '-' end

local function range(m)
  local lo, hi = math.huge, -math.huge
  for i = 1, #m.encodings do
    for j = 1, #m.encodings do
      local v = m.accuracy[i] and m.accuracy[i][j]
      if v then lo, hi = math.min(lo, v), math.max(hi, v) end
    end
  end
  return lo, hi
end

local function level(v, lo, hi) return math.floor(9 * (hi > lo and (v - lo) / (hi - lo) or 1) + 0.5) end

local function row_of(m, i, lo, hi)
  local cells = { h('th', { scope = 'row', class = 'l' }, m.encodings[i].label) }
  for j = 1, #m.encodings do
    local v = m.accuracy[i] and m.accuracy[i][j]
    cells[j + 1] = h('td', { class = (v and 'h' .. level(v, lo, hi) or '') .. (i == j and ' own' or '') }, percent(v))
  end
  return h('tr', nil, cells)
end

-- The map as a table: lines trained on, columns tested on.
local function map(m)
  local lo, hi = range(m)
  local head, body = { h('th', { scope = 'col', class = 'l' }, 'trained on') }, {}
  for j, e in ipairs(m.encodings) do
    head[j + 1] = h('th', { scope = 'col' }, ('tested on %s'):format(e.label))
    body[j] = row_of(m, j, lo, hi)
  end
  local caption = ('%s: accuracy in %%, mean over %s seeds; framed: trained and tested on the same'):format(m.name,
    tostring(m.seeds))
  return h('div', { class = 'box', tabindex = '0', role = 'region', ['aria-label'] = caption },
    h('table', { class = 'heat' }, h('caption', nil, caption), h('thead', nil, h('tr', nil, head)),
      h('tbody', nil, body)))
end

local split_columns = { { 'encoding', 'left' }, { 'loss, trained on raw' }, { 'interval' }, { 'loss after retraining' },
  { 'interval' }, { 'mismatch' }, { 'interval' } }

local function points(v) return v and ('%+.2f'):format(100 * v) or '-' end

local function interval(one)
  return one and one.lower and ('%+.2f to %+.2f'):format(100 * one.lower, 100 * one.upper) or '-'
end

local function splits(m)
  local lines = {}
  for i, one in ipairs(m.splits) do
    lines[i] = { one.encoding.text }
    for _, part in ipairs { 'loss', 'retrained', 'mismatch' } do
      table.insert(lines[i], points(one[part] and one[part].difference))
      table.insert(lines[i], interval(one[part]))
    end
  end
  return parts.table { caption = m.name .. ': losses split, in points', columns = split_columns, lines = lines,
    notes = { 'The loss of a model trained on raw is what retraining on the encoding leaves, plus the mismatch, which '
      .. 'retraining takes away.' } }
end

-- All matrices of a report; nil without one.
function M.section(list, id)
  if #list == 0 then return nil end
  local out = {}
  for i, m in ipairs(list) do out[i] = { h('h3', nil, m.name), map(m), #m.splits > 0 and splits(m) } end
  return h('section', { id = id, ['aria-labelledby'] = id .. '-h' },
    h('h2', { id = id .. '-h' }, 'Trained on one, tested on another'), out)
end

return M
