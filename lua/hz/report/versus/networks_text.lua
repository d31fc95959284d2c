-- networks_text.lua: two networks beside each other (networks.lua) in words and a table, as compare_text.lua.
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line
local words = require 'hz.report.words'

local M = {}

local percent, signed, points, wrap = words.percent, words.signed, words.points, words.lines

local said = { safe = 'safe: b is at most %s worse than a (%s)',
  harmful = 'harmful: b is more than %s worse than a (%s)',
  undecided = 'undecided: b may be more than %s worse than a, or not (%s)' }

local function verdict(r)
  local text = said[r.verdict]:format(points(r.margin), words.confidence(r.alpha))
  return r.reason and text .. ': ' .. r.reason or text
end

local function figures(r)
  local measured = r.measurable and ('; measurably %s'):format(r.measurable) or ''
  local p = r.verdict == 'harmful' and r.p_harmful or r.p_safe
  return ('b - a: %s points, bounds %s and %s (one-sided each, score test of paired proportions, p %.2g)%s'):format(
    signed(r.difference), signed(r.lower), signed(r.upper), p, measured)
end

local function counts(r)
  local neither = r.items - r.both - r.gained - r.lost
  return tables.text({ { '', 'left' }, { 'b right' }, { 'b wrong' }, { 'accuracy %' } }, {
    { 'a right', ('%d'):format(r.both), ('%d'):format(r.lost), 'a ' .. percent(r.a.accuracy) },
    { 'a wrong', ('%d'):format(r.gained), ('%d'):format(neither), 'b ' .. percent(r.b.accuracy) } }, tables.width)
end

function M.text(r)
  local head = {}
  for i, name in ipairs { 'a', 'b' } do
    head[i] = visible(('%s: %s'):format(name, r[name].path)) .. '\n' .. wrap('   ' .. r[name].about)
  end
  return table.concat({ table.concat(head, '\n'), wrap(verdict(r)) .. '\n' .. wrap(figures(r)) .. '\n'
    .. wrap(('of these two networks, over %d test items of %s: one training each says nothing of the recipes, whose '
    .. 'other seeds give other networks; a sweep over seeds does (hz report, hz compare of sweeps)'):format(r.items,
    r.data)), counts(r) }, '\n\n')
end

return M
