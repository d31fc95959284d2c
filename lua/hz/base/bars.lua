-- bars.lua: stacked bars as SVG: parts above zero are stacked upwards, those below it downwards, and a mark shows the
-- sum. A picture is { title, y = 'bits per sample', names = of the parts, sum = what the sum is called, bars = list of
-- { label, values = as many as names, note } }.
local svg = require 'hz.base.svg'

local M = {}

local LEFT, RIGHT, TOP, BOTTOM = 60, 20, 88, 104     -- margins in px
local HEIGHT, BAR, GAP = 460, 34, 18
local LEAST = 560                  -- px of the whole picture
local MARK = 'stroke="#000" stroke-width="2.5"'

-- Ticks of 1, 2 or 5 times a power of ten, about six of them.
local function step_of(span)
  local rough = span / 6
  local power = 10 ^ math.floor(math.log10(rough))
  for _, k in ipairs { 1, 2, 5 } do
    if rough <= k * power then return k * power end
  end
  return 10 * power
end

local function extent(bars)
  local low, high = 0, 0
  for _, bar in ipairs(bars) do
    local down, up = 0, 0
    for _, v in ipairs(bar.values) do
      down, up = down + math.min(v, 0), up + math.max(v, 0)
    end
    low, high = math.min(low, down), math.max(high, up)
  end
  return low, high > low and high or low + 1
end

local function axis(page, width, low, high, Y, title)
  local step = step_of(high - low)
  for k = math.ceil(low / step), math.floor(high / step) do
    local y = Y(k * step)
    page:line(LEFT, y, width - RIGHT, y, k == 0 and 'stroke="#333"' or 'stroke="#e3e3e3"')
    page:text(LEFT - 8, y + 4, ('%g'):format(k * step), 'text-anchor="end"')
  end
  page:text(0, 0, title, ('text-anchor="middle" transform="translate(18 %.1f) rotate(-90)"'):format(
    (TOP + HEIGHT - BOTTOM) / 2))
end

local function legend(page, picture, width)
  local x, y = LEFT, TOP - 42
  local function add(name, draw)
    local wide = 26 + 6.2 * #name
    if x + wide > width - RIGHT and x > LEFT then x, y = LEFT, y + 18 end
    draw()
    page:text(x + 17, y, name)
    x = x + wide
  end
  for k, name in ipairs(picture.names) do
    add(name, function()
      page:add('<rect x="%.1f" y="%.1f" width="12" height="12" fill="%s"/>', x, y - 10, svg.colour(k))
    end)
  end
  add(picture.sum, function() page:line(x, y - 4, x + 13, y - 4, MARK) end)
end

local function stack(page, bar, x, Y)
  local down, up, sum = 0, 0, 0
  for k, v in ipairs(bar.values) do
    local from = v < 0 and down or up
    local a, b = Y(math.max(from, from + v)), Y(math.min(from, from + v))
    page:add('<rect x="%.1f" y="%.1f" width="%d" height="%.1f" fill="%s"/>', x, a, BAR, b - a, svg.colour(k))
    if v < 0 then down = down + v else up = up + v end
    sum = sum + v
  end
  page:line(x - 5, Y(sum), x + BAR + 5, Y(sum), MARK)
  page:text(0, 0, bar.label, ('font-size="11" text-anchor="end" transform="translate(%.1f %.1f) rotate(-40)"'):format(
    x + BAR / 2 + 4, HEIGHT - BOTTOM + 16))
end

-- The text of an SVG file.
function M.text(picture)
  local n = #picture.bars
  local width = math.max(LEAST, LEFT + RIGHT + GAP + n * (BAR + GAP))
  local low, high = extent(picture.bars)
  local function Y(v) return TOP + (high - v) / (high - low) * (HEIGHT - TOP - BOTTOM) end
  local page = svg.page(width, HEIGHT, picture.title)
  page:text(LEFT, 26, picture.title, 'font-size="15" font-weight="bold"')
  axis(page, width, low, high, Y, picture.y)
  legend(page, picture, width)
  for i, bar in ipairs(picture.bars) do stack(page, bar, LEFT + GAP + (i - 1) * (BAR + GAP), Y) end
  if n == 0 then page:text(width / 2, HEIGHT / 2, 'no finished cells', 'text-anchor="middle"') end
  return page:done()
end

return M
