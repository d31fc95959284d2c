-- svg.lua: the pictures of plot.lua as SVG 1.1, one file without references to anything outside it.
local plot = require 'hz.base.plot'
local visible = require 'hz.base.visible'.line

local M = {}

local W, H = 760, 470              -- of the whole picture, in px
local L, R, T, B = 70, 22, 48, 62  -- margins
-- Okabe and Ito: told apart by all.
local colours = { '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000', '#8c6d31' }

-- That of the k-th thing of several.
function M.colour(k) return colours[(k - 1) % #colours + 1] end

-- XML 1.0 has no control characters at all.
local function escape(s)
  return (visible(s):gsub('[&<>"]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }))
end

local Page = {}
Page.__index = Page
function Page:add(...) self[#self + 1] = (...):format(select(2, ...)) end
function Page:text(x, y, s, more) self:add('<text x="%.1f" y="%.1f" %s>%s</text>', x, y, more or '', escape(s)) end
function Page:line(x1, y1, x2, y2, more)
  self:add('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>', x1, y1, x2, y2, more)
end

local function axes(page, picture, s, X, Y)
  for _, t in ipairs(s.yticks) do
    page:line(L, Y(t.at), W - R, Y(t.at), 'stroke="#e3e3e3"')
    page:text(L - 8, Y(t.at) + 4, t.text, 'text-anchor="end"')
  end
  for _, t in ipairs(s.xticks) do
    page:line(X(t.at), H - B, X(t.at), H - B + 5, 'stroke="#333"')
    page:text(X(t.at), H - B + 20, t.text, 'text-anchor="middle"')
  end
  page:line(L, H - B, W - R, H - B, 'stroke="#333"')
  page:line(L, T, L, H - B, 'stroke="#333"')
  page:text((L + W - R) / 2, H - 16, picture.x, 'text-anchor="middle"')
  page:text(0, 0, picture.y,
    ('text-anchor="middle" transform="translate(20 %.1f) rotate(-90)"'):format((T + H - B) / 2))
  page:text(L, 28, picture.title, 'font-size="15" font-weight="bold"')
  if picture.caption then
    page:text(W - R, picture.above and H - 4 or 28, picture.caption, 'text-anchor="end" font-size="11" fill="#555"')
  end
end

local function levels(page, picture, s, Y)
  for k, l in ipairs(picture.levels or {}) do
    local y = Y(s.y(l.y))
    page:line(L, y, W - R, y,
      ('stroke="%s" stroke-dasharray="6 4" opacity="0.7"'):format(colours[((l.series or k) - 1) % #colours + 1]))
    page:text(L + 6, y - 5, l.label, 'fill="#555" font-size="11"')
  end
end

-- Labels stand above their points, or below where the point before is too near.
local function series(page, one, colour, s, X, Y)
  local path, before = {}, -1e9
  for i, p in ipairs(one.points) do path[i] = ('%.1f,%.1f'):format(X(s.x(p.x)), Y(s.y(p.y))) end
  page:add('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.6"/>', table.concat(path, ' '), colour)
  for _, p in ipairs(one.points) do
    local x, y = X(s.x(p.x)), Y(s.y(p.y))
    if p.spread and p.spread > 0 then
      local a, b = Y(s.y(p.y - p.spread)), Y(s.y(p.y + p.spread))
      local style = ('stroke="%s" stroke-width="1.2"'):format(colour)
      page:line(x, a, x, b, style)
      page:line(x - 4, a, x + 4, a, style)
      page:line(x - 4, b, x + 4, b, style)
    end
    page:add('<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>', x, y, colour)
    if p.label then
      local near = x - before < 26
      page:text(x + (near and 8 or -8), y + (near and 18 or -9), p.label,
        ('text-anchor="%s" font-size="11" fill="%s"'):format(near and 'start' or 'end', colour))
      before = near and -1e9 or x
    end
  end
end

local function legend(page, picture)
  if picture.above then                                 -- in a row under the title, where curves cross the corner
    for k, one in ipairs(picture.series) do
      local x = L + 8 + 150 * (k - 1)
      page:add('<circle cx="%d" cy="%d" r="4" fill="%s"/>', x, T - 8, colours[(k - 1) % #colours + 1])
      page:text(x + 9, T - 4, one.name, '')
    end
    return
  end
  for k, one in ipairs(picture.series) do
    local y = H - B - 14 - 18 * (#picture.series - k)
    page:add('<circle cx="%d" cy="%d" r="4" fill="%s"/>', W - R - 12, y - 4, colours[(k - 1) % #colours + 1])
    page:text(W - R - 22, y, one.name, 'text-anchor="end"')
  end
end

-- An empty page, to which add, text and line add; done() ends it and returns the text.
function M.page(width, height, title)
  local page = setmetatable({}, Page)
  page:add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
    .. 'font-family="Helvetica,Arial,sans-serif" font-size="12" fill="#222">', width, height, width, height)
  page:add('<title>%s</title>', (escape(title):gsub('%%', '%%%%')))
  page:add('<rect width="%d" height="%d" fill="#fff"/>', width, height)
  return page
end

function Page:done()
  self:add('</svg>')
  return table.concat(self, '\n') .. '\n'
end

-- The text of an SVG file.
function M.text(picture)
  local s = plot.scales(picture, 6)
  local page = M.page(W, H, picture.title)
  if s then
    local function X(u) return L + u * (W - L - R) end
    local function Y(u) return H - B - u * (H - T - B) end
    axes(page, picture, s, X, Y)
    levels(page, picture, s, Y)
    for k, one in ipairs(picture.series) do series(page, one, colours[(k - 1) % #colours + 1], s, X, Y) end
    if #picture.series > 1 then legend(page, picture) end
  else
    page:text(W / 2, H / 2, 'no finished cells', 'text-anchor="middle"')
  end
  return page:done()
end

return M
