-- plot.lua: accuracy over bits, in characters or as SVG. A picture is { title, caption (may be nil), x = label,
-- y = label, series = { { name, points } }, levels = { { y, label } } }; a point is { x, y, spread (nil: none),
-- label }. The x axis is logarithmic with marks at `ticks` (nil: 1, 2, 5, ...); y is in the units given, from
-- `low` on (nil: what the points need), or logarithmic with log_y. above: SVG has the legend under the title
-- and the caption at the foot.
local visible = require 'hz.base.visible'.line

local M = {}

-- ---- axes ----

-- Round numbers that cover lo..hi in about n steps; returns first, last, step.
local function round_steps(lo, hi, n)
  local raw = math.max(hi - lo, 1e-9) / n
  local unit = 10 ^ math.floor(math.log10(raw))
  local step = unit
  for _, k in ipairs { 1, 2, 5, 10 } do
    step = k * unit
    if step >= raw then break end
  end
  return math.floor(lo / step) * step, math.ceil(hi / step - 1e-9) * step, step
end
M.round_steps = round_steps

-- 1, 2 and 5 times powers of ten within lo..hi
local function log_ticks(lo, hi)
  local ticks = {}
  for e = math.floor(math.log10(lo)), math.ceil(math.log10(hi)) do
    for _, k in ipairs { 1, 2, 5 } do
      local v = k * 10 ^ e
      if v >= lo * 0.999 and v <= hi * 1.001 then ticks[#ticks + 1] = v end
    end
  end
  return ticks
end

local function extent(picture)
  local e = { x0 = math.huge, x1 = -math.huge, y0 = picture.low or math.huge, y1 = -math.huge }
  local function y(v) e.y0, e.y1 = math.min(e.y0, v), math.max(e.y1, v) end
  for _, s in ipairs(picture.series) do
    for _, p in ipairs(s.points) do
      e.x0, e.x1 = math.min(e.x0, p.x), math.max(e.x1, p.x)
      y(p.y - (p.spread or 0))
      y(p.y + (p.spread or 0))
    end
  end
  for _, l in ipairs(picture.levels or {}) do y(l.y) end
  if e.x0 > e.x1 then return nil end
  return e
end

-- y(v) -> 0..1 and the marks of the y axis
local function y_scale(picture, e, ysteps)
  local marks = {}
  if picture.log_y then
    local a, b = math.log(e.y0 * 0.85), math.log(e.y1 * 1.18)
    local function y(v) return (math.log(v) - a) / (b - a) end
    for i, v in ipairs(log_ticks(math.exp(a), math.exp(b))) do marks[i] = { at = y(v), text = ('%.6g'):format(v) } end
    return y, marks
  end
  local y0, y1, step = round_steps(e.y0, math.max(e.y1, e.y0 + 1), ysteps)
  local function y(v) return (v - y0) / (y1 - y0) end
  for i = 0, math.floor((y1 - y0) / step + 0.5) do
    local v = y0 + i * step
    marks[#marks + 1] = { at = y(v), text = ('%g'):format(v) }
  end
  return y, marks
end

-- { x(v), y(v) -> 0..1, xticks, yticks (each { at = 0..1, text }) }, or nil without points
local function scales(picture, ysteps)
  local e = extent(picture)
  if not e then return nil end
  local a, b = math.log(e.x0 * 0.85), math.log(e.x1 * 1.18)
  local s = { xticks = {} }
  s.y, s.yticks = y_scale(picture, e, ysteps)
  function s.x(v) return (math.log(v) - a) / (b - a) end
  for _, v in ipairs(picture.ticks or log_ticks(math.exp(a), math.exp(b))) do
    s.xticks[#s.xticks + 1] = { at = s.x(v), text = ('%g'):format(v) }
  end
  return s
end
M.scales = scales

-- ---- characters ----

local marks = { 'o', 'x', '+', '*', '#', '@', '%', '&' }

local function put(grid, x, y, s)
  for i = 1, #s do
    if grid[y] and grid[y][x + i - 1] then grid[y][x + i - 1] = s:sub(i, i) end
  end
end

-- Writes s where the cells are still empty; returns whether they were.
local function put_free(grid, x, y, s)
  for i = 0, #s - 1 do
    local ch = grid[y] and grid[y][x + i]
    if ch ~= ' ' and ch ~= '-' then return false end
  end
  put(grid, x, y, s)
  return true
end

local function draw_points(grid, picture, s, w, h)
  local function place(p) return 1 + math.floor(s.x(p.x) * (w - 1) + 0.5), h - math.floor(s.y(p.y) * (h - 1) + 0.5) end
  for k, series in ipairs(picture.series) do
    for _, p in ipairs(series.points) do
      local x, y = place(p)
      put(grid, x, y, marks[(k - 1) % #marks + 1])
    end
  end
  for _, series in ipairs(picture.series) do
    for _, p in ipairs(series.points) do
      local x, y = place(p)
      if p.label then put_free(grid, x + 1, y, visible(p.label)) end
    end
  end
end

-- Lines of text, about w columns and h rows inside the axes.
function M.text(picture, w, h)
  w, h = w or 66, h or 14
  local s = scales(picture, 4)
  if not s then return '' end
  local grid, left, lines = {}, {}, { '  ' .. visible(picture.y) }
  for y = 1, h do
    grid[y] = {}
    for x = 1, w do grid[y][x] = ' ' end
  end
  for _, l in ipairs(picture.levels or {}) do
    local y = h - math.floor(s.y(l.y) * (h - 1) + 0.5)
    for x = 2, w, 2 do grid[y][x] = '-' end
  end
  draw_points(grid, picture, s, w, h)
  for _, l in ipairs(picture.levels or {}) do           -- as far left as there is room
    local y, x = h - math.floor(s.y(l.y) * (h - 1) + 0.5), 2
    while x < w and not put_free(grid, x, y, visible(l.label) .. ' ') do x = x + 2 end
  end
  for _, t in ipairs(s.yticks) do left[h - math.floor(t.at * (h - 1) + 0.5)] = t.text end
  for y = 1, h do
    lines[#lines + 1] = (('%6s %s%s'):format(left[y] or '', left[y] and '+' or '|',
      table.concat(grid[y])):gsub(' +$', ''))
  end
  local axis, below = {}, {}
  for x = 1, w do axis[x], below[x] = '-', ' ' end
  for _, t in ipairs(s.xticks) do
    local x = 1 + math.floor(t.at * (w - 1) + 0.5)
    axis[x] = '+'
    put_free({ below }, math.max(1, x - math.floor(#t.text / 2)), 1, t.text)
  end
  lines[#lines + 1] = '       +' .. table.concat(axis)
  lines[#lines + 1] = ('        ' .. table.concat(below)):gsub(' +$', '')
  lines[#lines + 1] = (' '):rep(8 + math.floor((w - #picture.x) / 2)) .. visible(picture.x)
  if #picture.series > 1 then
    local names = {}
    for k, series in ipairs(picture.series) do names[k] = marks[(k - 1) % #marks + 1] .. ' ' .. visible(series.name) end
    lines[#lines + 1] = '        ' .. table.concat(names, '   ')
  end
  return table.concat(lines, '\n')
end

return M
