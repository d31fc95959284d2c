-- differences.lua: what each encoding costs beside the untouched data, drawn: differences with their bounds and every
-- seed beside the margin; and the knee as a bracket over the chain.
local chart = require 'hz.report.html.chart'
local plot = require 'hz.base.plot'
local verdicts = require 'hz.report.verdicts'

local M = {}

local ROW = 34
local MOST = 8                     -- margins to each side of zero that the axis shows at most

-- ---- differences ----

-- Differences of single seeds by final weights, in points, of the seeds that both have on the same test items.
local function by_seed(g, reference)
  local raw, list = {}, {}
  for _, row in ipairs(reference.rows) do
    if not row.failed then raw[row.seed] = row.record end
  end
  for _, row in ipairs(g.rows) do
    local a, b = row.record, raw[row.seed]
    local same = b and not row.failed and (not a.decides or a.decides.test.digest == b.decides.test.digest)
    if same and a.test_accuracy and b.test_accuracy then
      list[#list + 1] = 100 * (a.test_accuracy - b.test_accuracy)
    end
  end
  return list
end

local function shown(chain)
  local list = {}
  for _, e in ipairs(chain.entries) do
    if e.found and e.found.difference then
      list[#list + 1] = { e = e, at = 100 * e.found.difference, lower = e.found.lower and 100 * e.found.lower,
        upper = e.found.upper and 100 * e.found.upper, seeds = by_seed(e.group, chain.reference) }
    end
  end
  return list
end

-- The axis holds all bounds within MOST margins.
local function extent(r, list)
  local margin = 100 * r.margin
  local lo, hi = -1.6 * margin, 1.6 * margin
  for _, row in ipairs(list) do
    if row.at > -MOST * margin then lo = math.max(-MOST * margin, math.min(lo, row.lower or row.at)) end
    if row.at < MOST * margin then hi = math.min(MOST * margin, math.max(hi, row.upper or row.at)) end
  end
  local pad = 0.04 * (hi - lo)
  return lo - pad, hi + pad
end

local function ticks(lo, hi)
  local first, _, step = plot.round_steps(lo, hi, 5)
  local list = {}
  for i = 0, 12 do
    local v = first + i * step
    if v >= lo and v <= hi then list[#list + 1] = { at = v, text = math.abs(v) < 1e-9 and '0' or ('%+g'):format(v) } end
  end
  return list
end

local function draw_row(page, row, y, box, X)
  local class = 'v-' .. chart.class(row.e.mark)
  local function within(v) return math.max(box.left, math.min(box.right, X(v))) end
  page:text(0, y + 6, chart.cut(verdicts.called(row.e), box.most))
  if X(row.at) < box.left or X(row.at) > box.right then
    local left = X(row.at) < box.left
    page:text(left and box.left + 4 or box.right - 4, y + 6,
      (left and '◀ %+.2f' or '%+.2f ▶'):format(row.at), 'own b ' .. class, not left and 'end' or nil)
    return
  end
  for _, v in ipairs(row.seeds) do
    if X(v) >= box.left and X(v) <= box.right then page:dot(X(v), y + 10, class) end
  end
  if row.lower then
    page:line(within(row.lower), y, within(row.upper), y, 'rod ' .. class)
    for _, v in ipairs { row.lower, row.upper } do
      if X(v) >= box.left and X(v) <= box.right then page:line(X(v), y - 5, X(v), y + 5, 'rod ' .. class) end
    end
  end
  page:mark(X(row.at), y, row.e.mark)
end

local function draw(page, r, list, box)
  local lo, hi = extent(r, list)
  local function X(v) return box.left + (v - lo) / (hi - lo) * (box.right - box.left) end
  local margin = X(-100 * r.margin)
  page:rect(box.left, box.top, margin - box.left, box.bottom - box.top, 'zone')
  page:axes(box, chart.apart(ticks(lo, hi), X), {}, nil, { x = 'points beside raw' })
  page:line(X(0), box.top, X(0), box.bottom, 'zero')
  page:line(margin, box.top, margin, box.bottom, 'margin')
  page:text(X(0), 20, 'raw', 'b', 'middle')
  page:text(math.max(margin, box.left + 60), 20, 'margin', 'b own v-harmful', X(0) - margin < 70 and 'end' or 'middle')
  for i, row in ipairs(list) do draw_row(page, row, box.top + (i - 0.5) * ROW, box, X) end
end

local function describe(list)
  local parts = {}
  for i, row in ipairs(list) do
    parts[i] = ('%s: %+.2f points%s, %s'):format(verdicts.called(row.e), row.at,
      row.lower and (' (%+.2f to %+.2f)'):format(row.lower, row.upper) or '', row.e.mark)
  end
  return table.concat(parts, '; ')
end

-- Differences of a chain; nil where none is known.
function M.draw(ids, r, chain)
  local list, most = shown(chain), 4
  if #list == 0 then return nil end
  for _, row in ipairs(list) do most = math.max(most, chart.characters(verdicts.called(row.e))) end
  most = math.min(most, 16)
  local top = 30
  local box = { left = most * chart.EM * 0.92 + 8, right = chart.W - 8, top = top, bottom = top + #list * ROW,
    most = most }
  local page = chart.new(ids, { title = 'Differences to the untouched data, with bounds and margin',
    describe = describe(list), height = box.bottom + 52 })
  draw(page, r, list, box)
  return page:done()
end

function M.caption(r)
  return ('Bars: one-sided bounds at %.4g %% each; small points: single seeds, paired by seed with raw. Safe: the bar '
    .. 'lies wholly to the right of the margin (-%.4g points); harmful: wholly to the left. Arrows point to what lies '
    .. 'beyond the axis.'):format(100 * (1 - r.alpha), 100 * r.margin)
end

-- ---- the knee ----

-- x of an entry: from fewest bits on the left to most on the right.
local function places(n, left, right)
  local step = (right - left) / n
  return function(i) return right - (i - 0.5) * step end, step
end

local function draw_bracket(page, chain, at, box)
  local safe, harmful = chain.knee.safe, chain.knee.harmful
  local x1, x2 = harmful and at(harmful) or box.left, safe and at(safe) or box.right
  page:line(x1, 40, x2, 40, 'rod fg')
  for _, end_ in ipairs { { harmful, x1, 'ring outline fg' }, { safe, x2, 'fill fg' } } do
    if end_[1] then page:add(('<circle class="%s" cx="%.1f" cy="40" r="6"/>'):format(end_[3], end_[2])) end
  end
  if not harmful then page:add(('<path class="fill fg" d="M%.1f 40l10 -6v12Z"/>'):format(x1 - 2)) end
  if not safe then page:add(('<path class="fill fg" d="M%.1f 40l-10 -6v12Z"/>'):format(x2 + 2)) end
  local middle = (x1 + x2) / 2
  page:text(math.max(60, math.min(chart.W - 60, middle)), 20, 'knee in here', 'b', 'middle')
end

-- Every so many-th entry has its numbers, as many as there is room for.
local function every(chain, step)
  local wide = 5
  for _, e in ipairs(chain.entries) do wide = math.max(wide, chart.characters(e.group.tested:label_text())) end
  return math.max(1, math.ceil((math.min(wide, 9) * chart.EM + 4) / step))
end

local function draw_entries(page, chain, at, step)
  local k = every(chain, step)
  for i, e in ipairs(chain.entries) do
    page:mark(at(i), 74, e.mark)
    if (i - 1) % k == 0 then
      page:text(at(i), 104, chart.cut(e.group.tested:label_text(), 9), nil, 'middle')
      if e.group.bits_per_sample then
        page:text(at(i), 126, ('%.3f'):format(e.group.bits_per_sample), 'm', 'middle')
      end
    end
  end
end

-- The chain as a row of marks, with the bracket that holds the knee. words: the same as text (verdict_text.lua).
function M.knee(ids, chain, words)
  local page = chart.new(ids, { title = 'The knee as a bracket', describe = words, height = 150 })
  local box = { left = 8, right = chart.W - 8 }
  local at, step = places(#chain.entries, box.left, box.right)
  draw_bracket(page, chain, at, box)
  page:line(box.left, 74, box.right, 74, 'grid')
  draw_entries(page, chain, at, step)
  return page:done()
end

return M
