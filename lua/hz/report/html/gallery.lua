-- gallery.lua: items that an encoding loses (report/damage/gallery.lua), before and after, to look at and to listen to.
-- All bytes are in the page.
local base64 = require 'hz.ext.crypto'.base64
local h = require 'hz.report.html.markup'.h

local M = {}

local function inline(mime, bytes) return ('data:%s;base64,%s'):format(mime, base64(bytes)) end

local function side(one, title, alt)
  return h('div', nil, h('p', nil, title),
    h('img', { src = inline('image/png', one.png), alt = alt, width = one.width and ('%d'):format(one.width),
      height = one.height and ('%d'):format(one.height) }),
    one.sound and h('audio', { controls = true, preload = 'none', src = inline(one.mime, one.sound),
      ['aria-label'] = alt }) or nil, one.part and h('p', nil, one.part) or nil)
end

local function figure(item)
  local what = item.before.sound and 'spectrogram of item' or 'item'
  local function alt(how) return ('%s %d, %s, %s'):format(what, item.item, item.label, how) end
  local said = item.said and (', most often %s'):format(item.said) or ''
  return h('figure', nil,
    h('div', { class = 'pair' }, side(item.before, 'raw', alt 'raw'),
      side(item.after, item.called, alt(item.called))),
    h('figcaption', nil, h('b', nil, item.label),
      (' (item %d). Right with %d of %d seeds on raw, %d of %d here%s.'):format(item.item, item.raw, item.seeds[1],
        item.here, item.seeds[2], said)))
end

-- list: gallery.of(r, chain).
function M.section(list)
  if #list == 0 then
    return list.why and { h('h3', nil, 'What is lost first'), h('p', nil, list.why) } or nil
  end
  local figures = {}
  for i, item in ipairs(list) do figures[i] = figure(item) end
  return { h('h3', nil, 'What is lost first'),
    h('p', nil, 'Items that are right on raw and wrong here, with the strongest evidence that it is not the seeds.'),
    h('div', { class = 'gallery' }, figures) }
end

return M
