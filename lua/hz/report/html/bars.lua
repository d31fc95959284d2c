-- bars.lua: bits as bars: what the untouched items take, what lossless coders make of them, and what is needed; payload
-- in full colour, whole files around it.
local chart = require 'hz.report.html.chart'

local M = {}

local ROW = 54

-- Rows: { called, { payload, file in bits per sample }, class }; from: where the bar begins, nil for 0.
local function rows_of(account)
  local list = { { 'raw', account.raw, 'fg' } }
  for _, coder in ipairs(account.coders) do list[#list + 1] = { 'lossless ' .. coder.called, coder, 'c1' } end
  if account.needed then
    list[#list + 1] = { ('needed, at most (%s)'):format(account.needed.called), account.needed, 'v-safe' }
  end
  if account.saved then list[#list + 1] = { 'saved', account.saved, 'c2', from = account.needed } end
  return list
end

local function describe(list)
  local parts = {}
  for i, row in ipairs(list) do
    parts[i] = ('%s: %.3f bits per sample, %.3f with files'):format(row[1], row[2].payload, row[2].file)
  end
  return table.concat(parts, '; ')
end

local function draw_row(page, row, y, scale, raw)
  local payload, file = row[2].payload, row[2].file
  page:text(0, y, chart.cut(row[1], 26), 'b')
  local share = ('%.3f (%.1f %%)'):format(payload, 100 * payload / raw.payload)
  page:text(chart.W, y, share, 'm', 'end')
  local x = row.from or { payload = 0, file = 0 }
  page:rect(x.payload * scale, y + 8, payload * scale, 18, 'fill ' .. row[3])
  page:rect(x.file * scale + 1, y + 9, file * scale - 2, 16, 'outline ' .. row[3])
end

-- The account (verdicts.lua) of a chain.
function M.draw(ids, account)
  local list, most = rows_of(account), 0
  for _, row in ipairs(list) do most = math.max(most, row[2].payload, row[2].file) end
  local page = chart.new(ids, { title = 'Bits per sample', describe = describe(list), height = #list * ROW + 4 })
  for i, row in ipairs(list) do draw_row(page, row, (i - 1) * ROW + 18, chart.W / most, account.raw) end
  return page:done()
end

M.caption = 'Bits per sample and share of raw. Filled: payload, tables once for the set; outlined: whole files. '
  .. 'Lossless is the best of the coders named; needed is an upper bound, for these codecs, this training, these data.'

return M
