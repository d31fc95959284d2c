-- accuracy.lua: accuracy over bits, drawn: the mean of each encoding with its interval, every seed as a point beside
-- it, and the untouched data as a level with its spread. Nothing is smoothed or left out.
local chart = require 'hz.report.html.chart'
local distribution = require 'hz.report.statistics.distribution'
local plot = require 'hz.base.plot'

local M = {}

local BOX = { left = 52, right = chart.W - 14, top = 34, bottom = 320 }
local HEIGHT = 372

local function seeds_of(g)
  local list = {}
  for _, row in ipairs(g.rows) do
    if not row.failed and row.accuracy then list[#list + 1] = 100 * row.accuracy end
  end
  return list
end

-- Half of the two-sided interval of the mean over seeds, at 1 - 2 alpha; 0 for one seed.
local function reach(g, alpha, n)
  return g.spread and n > 1 and 100 * g.spread / math.sqrt(n) * distribution.t_upper(alpha, n - 1) or 0
end

local function point(r, g, mark)
  local seeds = seeds_of(g)
  return { x = g.bits_per_sample, y = 100 * g.accuracy, spread = reach(g, r.alpha, #seeds), seeds = seeds,
    label = g.tested:label_text(), mark = mark }
end

-- Series of base/plot.lua, a chain each: entries that have an accuracy, by rising bits.
local function series_of(r, chains)
  local list = {}
  for i, chain in ipairs(chains) do
    local one = { points = {}, chain = chain, class = #chains > 1 and 'c' .. (i - 1) % 6 + 1 or nil }
    for k = #chain.entries, 1, -1 do
      local e = chain.entries[k]
      if e.group.accuracy then one.points[#one.points + 1] = point(r, e.group, e.mark) end
    end
    list[i] = one
  end
  return list
end

-- What decides the extent of the scales: also each seed, and the level's.
local function scales(series, level)
  local all = { points = {} }
  local function add(p)
    all.points[#all.points + 1] = p
    for _, y in ipairs(p.seeds) do all.points[#all.points + 1] = { x = p.x, y = y } end
  end
  for _, one in ipairs(series) do
    for _, p in ipairs(one.points) do add(p) end
  end
  if level then add(level) end
  return plot.scales({ series = { all } }, 6)
end

local function draw_level(page, level, X, Y, s)
  local y, sd = Y(s.y(level.y)), level.sd
  if sd then
    page:rect(BOX.left, Y(s.y(level.y + sd)), BOX.right - BOX.left, Y(s.y(level.y - sd)) - Y(s.y(level.y + sd)), 'band')
  end
  page:line(BOX.left, y, BOX.right, y, 'level')
  for _, v in ipairs(level.seeds) do page:dot(X(s.x(level.x)) + 9, Y(s.y(v)), 'fg') end
  page:mark(X(s.x(level.x)), y, 'safe', 'fg')
  return y
end

-- Seeds stand to the right of their interval, so that neither hides the other.
local function draw_points(page, one, X, Y, s)
  local path = {}
  for i, p in ipairs(one.points) do path[i] = { X(s.x(p.x)), Y(s.y(p.y)) } end
  page:thread(path, 'path ' .. (one.class or 'fg'))
  for i, p in ipairs(one.points) do
    local x, y = path[i][1], path[i][2]
    local class = one.class or 'v-' .. chart.class(p.mark)
    for _, v in ipairs(p.seeds) do
      page:dot(x + 7, Y(s.y(v)), class)
      page:take(x + 5, Y(s.y(v)) - 2, x + 9, Y(s.y(v)) + 2)
    end
    if p.spread > 0 then
      local low, high = Y(s.y(p.y - p.spread)), Y(s.y(p.y + p.spread))
      page:line(x, low, x, high, 'rod ' .. class)
      page:take(x - 3, high, x + 3, low)
    end
    page:mark(x, y, p.mark, class)
    page:take(x - 8, y - 8, x + 11, y + 8)
  end
  return path
end

local function draw(page, series, level, s)
  local function X(u) return BOX.left + u * (BOX.right - BOX.left) end
  local function Y(u) return BOX.bottom - u * (BOX.bottom - BOX.top) end
  page:axes(BOX, chart.apart(s.xticks, X), s.yticks, Y, { x = 'bits per sample', y = 'accuracy, %' })
  local at = level and draw_level(page, level, X, Y, s)
  local paths = {}
  for i, one in ipairs(series) do paths[i] = draw_points(page, one, X, Y, s) end
  if at then page:label(BOX.right - 90, at, ('raw %.2f %%'):format(level.y), 'b') end
  for i, one in ipairs(series) do
    for k, p in ipairs(one.points) do
      page:label(paths[i][k][1], paths[i][k][2], chart.cut(p.label, 12), one.class and 'own ' .. one.class or nil)
    end
  end
end

-- 'quality 50: 83.13 % at 0.443 bits per sample (82.97, ...)': the drawing in words.
local function describe(series, level)
  local parts = {}
  for _, one in ipairs(series) do
    for _, p in ipairs(one.points) do
      parts[#parts + 1] = ('%s %s: %.2f %% at %.3f bits per sample'):format(one.chain.codec, p.label, p.y, p.x)
    end
  end
  if level then parts[#parts + 1] = ('raw: %.2f %%'):format(level.y) end
  return table.concat(parts, '; ')
end

-- Chains of one setting, and names for them where they are several. Returns the drawing and a caption; nil where
-- nothing is finished.
function M.draw(ids, r, chains, reference)
  local series = series_of(r, chains)
  local level = reference and reference.accuracy and point(r, reference)
  if level then level.sd = reference.spread and 100 * reference.spread end
  local s = scales(series, level)
  if not s then return nil end
  local page = chart.new(ids, { title = 'Accuracy over bits per sample', describe = describe(series, level),
    height = HEIGHT })
  draw(page, series, level, s)
  return page:done()
end

-- What the drawing shows, in words.
function M.caption(r, chains, reference)
  local walked = {}
  for _, chain in ipairs(chains) do walked[#walked + 1] = chain.entries[1].group.tested.parameter end
  local confidence = ('%.4g %%'):format(100 * (1 - 2 * r.alpha))
  local level = 'No cell on the untouched data (raw) is finished.'
  if reference and reference.accuracy then
    level = 'Dotted: the untouched data (raw), the band one standard deviation over its seeds.'
  end
  return ('Numbers: %s. Large marks are means over seeds with the %s interval of the mean, small points are single '
    .. 'seeds. %s Bits: payload, and tables once per set.'):format(walked[1] or 'codec', confidence, level)
end

return M
