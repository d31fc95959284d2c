-- ledger.lua: what saved bits are made of where the noise is known (report/noise/ledger.lua), drawn as steps: each term
-- begins where the one before ends, and what is saved is the last end.
local chart = require 'hz.report.html.chart'

local M = {}

local ROW = 46

-- Steps: { called, from, to, class } in bits per sample; of a ledger without terms the brackets are one step.
local function steps_of(l)
  local terms = l.terms or { { name = 'noise', bits = l.noise }, { name = 'detail and waste, net', bits = l.net } }
  local list, at = {}, 0
  for i, term in ipairs(terms) do
    list[i] = { term.name, at, at + term.bits, i == 1 and 'c2' or 'c' .. 2 + i }
    at = at + term.bits
  end
  list[#list + 1] = { 'saved', 0, l.saved, 'c1' }
  return list
end

local function extent(steps)
  local lo, hi = 0, 0
  for _, step in ipairs(steps) do lo, hi = math.min(lo, step[2], step[3]), math.max(hi, step[2], step[3]) end
  return lo, math.max(hi, lo + 1e-9)
end

local function draw_step(page, step, y, X)
  local a, b = X(step[2]), X(step[3])
  page:text(0, y, chart.cut(step[1], 28), 'b')
  page:text(chart.W, y, ('%+.2f'):format(step[3] - step[2]), 'm', 'end')
  page:rect(math.min(a, b), y + 7, math.max(1, math.abs(b - a)), 16, 'fill ' .. step[4])
end

-- l: ledger.of_chain; words: ledger.text of it.
function M.draw(ids, l, words)
  local steps = steps_of(l)
  local lo, hi = extent(steps)
  local function X(v) return (v - lo) / (hi - lo) * chart.W end
  local page = chart.new(ids, { title = 'What saved bits are made of', describe = words, height = #steps * ROW + 8 })
  if lo < 0 then page:line(X(0), 0, X(0), #steps * ROW + 8, 'grid') end
  for i, step in ipairs(steps) do draw_step(page, step, (i - 1) * ROW + 18, X) end
  return page:done()
end

return M
