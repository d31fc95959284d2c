-- curves.lua: training curves, a small drawing for each encoding: accuracy of the watched items over epochs, each seed
-- a thin line as it was. Long trainings are thinned to every k-th epoch (and the last), never averaged.
local chart = require 'hz.report.html.chart'
local h = require 'hz.report.html.markup'.h
local plot = require 'hz.base.plot'
local rows_of = require 'hz.sweep.rows'

local M = {}

local W, H = 200, 138
local BOX = { left = 30, right = W - 4, top = 8, bottom = H - 24 }
local POINTS = 60                  -- epochs that are drawn of a line at most

-- Curves of a group: lists of percent by epoch; gaps are nil.
local function curves_of(g)
  local list = {}
  for _, row in ipairs(g.rows) do
    local curve, any = {}, false
    for e, v in ipairs(row.curve or {}) do
      curve[e] = type(v) == 'number' and 100 * v or false
      any = any or curve[e]
    end
    if any then list[#list + 1] = curve end
  end
  return list
end

local function extent(groups)
  local lo, hi, epochs = math.huge, -math.huge, 1
  for _, g in ipairs(groups) do
    for _, curve in ipairs(curves_of(g)) do
      epochs = math.max(epochs, #curve)
      for _, v in ipairs(curve) do
        if v then lo, hi = math.min(lo, v), math.max(hi, v) end
      end
    end
  end
  if lo > hi then return nil end
  local y0, y1, step = plot.round_steps(lo, math.max(hi, lo + 1), 4)
  return { y0 = y0, y1 = y1, step = step, epochs = epochs, every = math.ceil(epochs / POINTS) }
end

-- The drawn points of a curve, in pieces between gaps.
local function pieces(curve, s)
  local list, one = {}, nil
  for e = 1, #curve do
    if e == 1 or e == #curve or e % s.every == 0 then
      if curve[e] then
        if not one then
          one = {}
          list[#list + 1] = one
        end
        local u = s.epochs > 1 and (e - 1) / (s.epochs - 1) or 0.5
        one[#one + 1] = { BOX.left + u * (BOX.right - BOX.left),
          BOX.bottom - (curve[e] - s.y0) / (s.y1 - s.y0) * (BOX.bottom - BOX.top) }
      else
        one = nil
      end
    end
  end
  return list
end

local function draw_curves(page, g, s, class)
  for _, curve in ipairs(curves_of(g)) do
    for _, points in ipairs(pieces(curve, s)) do
      page:thread(points, class)
      if #points == 1 then page:dot(points[1][1], points[1][2], 'fg', 2) end
    end
  end
end

local function draw_axes(page, s)
  local function Y(v) return BOX.bottom - (v - s.y0) / (s.y1 - s.y0) * (BOX.bottom - BOX.top) end
  for i = 0, math.floor((s.y1 - s.y0) / s.step + 0.5) do
    local v = s.y0 + i * s.step
    page:line(BOX.left, Y(v), BOX.right, Y(v), 'grid')
    page:text(BOX.left - 4, Y(v) + 4, ('%g'):format(v), 'm', 'end')
  end
  page:text(BOX.left, H - 6, '1', 'm')
  page:text(BOX.right, H - 6, ('%d'):format(s.epochs), 'm', 'end')
end

local function one_figure(ids, g, s, reference, mark)
  local own = curves_of(g)
  local name = rows_of.called(g, 'tested')
  local last = g.last and (', at the end %.2f %%'):format(100 * g.last) or ''
  local page = chart.new(ids, { class = 'chart mini', width = W, height = H, title = 'Training curves of ' .. name,
    describe = ('%d seeds over %d epochs%s'):format(#own, s.epochs, last) })
  draw_axes(page, s)
  if reference and reference ~= g then draw_curves(page, reference, s, 'ghost') end
  draw_curves(page, g, s, 'thread ' .. (mark and 'v-' .. chart.class(mark) or 'fg'))
  return h('figure', nil, page:done(), h('figcaption', nil, name))
end

-- Figures of the groups of a chain, raw first, which is dashed in the others; and a caption. nil without curves.
function M.draw(ids, chain)
  local groups, marks = {}, {}
  if chain.reference then groups[1] = chain.reference end
  for _, e in ipairs(chain.entries) do
    groups[#groups + 1] = e.group
    marks[e.group] = e.mark or 'none'
  end
  local s = extent(groups)
  if not s then return nil end
  local figures = {}
  for i, g in ipairs(groups) do figures[i] = one_figure(ids, g, s, chain.reference, marks[g]) end
  local thinned = s.every > 1 and (' Every %dth epoch is drawn.'):format(s.every) or ''
  return h('div', { class = 'minis' }, figures), 'Accuracy on the watched items in % over epochs; each seed is a line, '
    .. 'those of raw are dashed in the other drawings.' .. thinned
end

return M
