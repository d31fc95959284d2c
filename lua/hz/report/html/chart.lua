-- chart.lua: drawings of the report: a frame with title and description for those who do not see it, axes, marks of
-- verdicts, labels that keep off each other. Coordinates are units of the frame: W wide, y downwards. Colours and type
-- come from style.lua by class.
local escape = require 'hz.report.html.markup'.escape
local h = require 'hz.report.html.markup'.h
local number = require 'hz.report.html.markup'.number
local raw = require 'hz.report.html.markup'.raw

local M, Chart = {}, {}
Chart.__index = Chart

M.W = 560                          -- units; about 520 px wide on a desk, 330 on a phone
M.EM = 10.8                        -- units a character takes at most, that is on a phone
M.LINE = 20                        -- and a line

-- ids: { n = count }, of one page: names within it. o: title, describe (texts), height, width (nil: M.W), class.
function M.new(ids, o)
  ids.n = ids.n + 1
  local id = 'g' .. ids.n
  local self = setmetatable({ width = o.width or M.W, height = o.height, taken = {} }, Chart)
  self[1] = ('<svg class="%s" role="img" viewBox="0 0 %d %d" '
    .. 'aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>'):format(
    o.class or 'chart', self.width, o.height, id, id, id, escape(o.title), id, escape(o.describe))
  return self
end

function Chart:done()
  self[#self + 1] = '</svg>'
  return raw(table.concat(self))
end

-- ---- pieces ----

function Chart:add(text) self[#self + 1] = text end

function Chart:line(x1, y1, x2, y2, class)
  self:add(('<path class="%s" d="M%s %sL%s %s"/>'):format(class, number(x1), number(y1), number(x2), number(y2)))
end

-- anchor: start (nil), middle, end
function Chart:text(x, y, s, class, anchor)
  self:add(('<text x="%s" y="%s"%s%s>%s</text>'):format(number(x), number(y),
    class and ' class="' .. class .. '"' or '', anchor and ' text-anchor="' .. anchor .. '"' or '', escape(s)))
end

function Chart:rect(x, y, w, height, class)
  self:add(('<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>'):format(class, number(x), number(y),
    number(math.max(0, w)), number(math.max(0, height))))
end

-- A raw point.
function Chart:dot(x, y, class, r)
  self:add(('<circle class="dot fill %s" cx="%s" cy="%s" r="%s"/>'):format(class, number(x), number(y), r or 3))
end

-- points: list of { x, y }; whole units, each relative to the one before.
function Chart:thread(points, class)
  local parts, x, y = {}, 0, 0
  for i, p in ipairs(points) do
    local px, py = math.floor(p[1] * 2 + 0.5) / 2, math.floor(p[2] * 2 + 0.5) / 2
    parts[i] = i == 1 and ('M%g %g'):format(px, py) or ('l%g %g'):format(px - x, py - y)
    x, y = px, py
  end
  self:add(('<path class="%s" d="%s"/>'):format(class, table.concat(parts)))
end

-- ---- marks of verdicts: a shape each ----

local shapes = {
  safe = '<circle class="fill" cx="0" cy="0" r="6"/>',
  harmful = '<path class="fill" d="M-6.5 -5.5H6.5L0 6.5Z"/>',
  undecided = '<path class="outline" d="M0 -7L7 0L0 7L-7 0Z"/>',
  none = '<circle class="outline" cx="0" cy="0" r="5"/>',
}

-- The class of a mark ('safe', 'harmful', 'undecided', 'not reached', nil).
function M.class(mark) return shapes[mark] and mark or 'none' end

function Chart:mark(x, y, mark, class)
  self:add(('<g class="%s" transform="translate(%s %s)">%s</g>'):format(class or 'v-' .. M.class(mark), number(x),
    number(y), shapes[M.class(mark)]))
end

-- A mark with its word, in a line of text.
function M.verdict(mark)
  local class = M.class(mark)
  return h('span', { class = 'verdict v-' .. class },
    h('svg', { viewBox = '-8 -8 16 16', ['aria-hidden'] = 'true', focusable = 'false' }, raw(shapes[class])), mark)
end

-- ---- labels that keep off each other ----

local function overlap(a, b) return a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4] end

function Chart:free(box)
  for _, other in ipairs(self.taken) do
    if overlap(box, other) then return false end
  end
  return box[1] >= 0 and box[3] <= self.width and box[2] >= 0 and box[4] <= self.height
end

function Chart:take(x1, y1, x2, y2) self.taken[#self.taken + 1] = { x1, y1, x2, y2 } end

-- Where a label may stand beside its point: offset of its left edge in widths and units, of its foot in units.
local places = { { -0.5, 0, -11 }, { -0.5, 0, 26 }, { 0, 11, 6 }, { -1, -11, 6 }, { 0, 8, -9 }, { -1, -8, -9 },
  { 0, 8, 22 }, { -1, -8, 22 }, { -0.5, 0, -30 }, { -0.5, 0, 45 } }

-- Writes s near a point where there is room; returns whether there was.
function Chart:label(x, y, s, class)
  local wide = M.characters(s) * M.EM
  for _, p in ipairs(places) do
    local left, foot = x + p[1] * wide + p[2], y + p[3]
    local box = { left, foot - 15, left + wide, foot + 4 }
    if self:free(box) then
      self.taken[#self.taken + 1] = box
      self:text(left + wide / 2, foot, s, class, 'middle')
      return true
    end
  end
  return false
end

function M.characters(s) return select(2, s:gsub('[^\128-\191]', '')) end

-- At most n characters of s.
function M.cut(s, n)
  if M.characters(s) <= n then return s end
  local i = 0
  for at in s:gmatch '()[^\128-\191]' do
    i = i + 1
    if i == n then return s:sub(1, at - 1) .. '…' end
  end
end

-- ---- axes ----

-- Marks of a scale, those left out that would run into the one before. at(u): 0..1 -> units.
function M.apart(ticks, at)
  local list, edge = {}, -math.huge
  for _, t in ipairs(ticks) do
    local x, half = at(t.at), #t.text * M.EM / 2
    if x - half > edge + 6 then
      list[#list + 1] = { x = x, text = t.text }
      edge = x + half
    end
  end
  return list
end

-- The frame of a plot: { left, right, top, bottom } in units; xs: of M.apart; ys: { at, text } with Y(at).
function Chart:axes(box, xs, ys, Y, names)
  for _, t in ipairs(ys) do
    self:line(box.left, Y(t.at), box.right, Y(t.at), 'grid')
    self:text(box.left - 8, Y(t.at) + 5, t.text, 'm', 'end')
  end
  for _, t in ipairs(xs) do
    self:line(t.x, box.bottom, t.x, box.bottom + 5, 'axis')
    self:text(t.x, box.bottom + 22, t.text, 'm', 'middle')
  end
  self:line(box.left, box.bottom, box.right, box.bottom, 'axis')
  if names.y then self:text(0, 16, names.y, 'm') end
  if names.x then self:text(box.right, box.bottom + 44, names.x, 'm', 'end') end
end

return M
