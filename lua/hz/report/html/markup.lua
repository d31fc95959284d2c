-- markup.lua: HTML and SVG as nodes that are well-formed XML, too. h('p', { class = 'note' }, 'text', node, { list })
-- makes one; what is a string is text, whatever stands in it, so that nothing from data ever becomes markup.
local visible = require 'hz.base.visible'.line

local M = {}

local entities = { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;', ["'"] = '&#39;' }

-- Text as it may stand between tags and in quotes; controls and marks of direction are written out.
function M.escape(s) return (visible(s):gsub('[&<>"\']', entities)) end

local Node = {}

-- Markup of our own, as it is.
function M.raw(text) return setmetatable({ text }, Node) end

-- Numbers are coordinates: tenths will do.
function M.number(v)
  local text = ('%.1f'):format(v):gsub('%.0$', '')
  return text == '-0' and '0' or text
end

local function attributes(map)
  local names, parts = {}, {}
  for name, v in pairs(map or {}) do
    if v then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local v = map[name]
    v = v == true and '' or type(v) == 'number' and M.number(v) or M.escape(v)
    parts[i] = (' %s="%s"'):format(name, v)
  end
  return table.concat(parts)
end

local function append(out, child)
  if child == nil or child == false then return end
  if debug.getmetatable(child) == Node then
    out[#out + 1] = child[1]
  elseif type(child) == 'table' then
    for i = 1, #child do append(out, child[i]) end
  else
    out[#out + 1] = M.escape(child)
  end
end

-- Elements that never have content; all others have an end tag.
local empty = { meta = true, br = true, hr = true, img = true, path = true, line = true, circle = true, rect = true,
  source = true, col = true }

-- An element. attrs: name -> text, number, true (''), false (left out); may be nil. Children: texts, nodes, lists of
-- these, nil and false for none.
function M.h(name, attrs, ...)
  if empty[name] then return M.raw(('<%s%s/>'):format(name, attributes(attrs))) end
  local out = { ('<%s%s>'):format(name, attributes(attrs)) }
  for i = 1, select('#', ...) do append(out, (select(i, ...))) end
  out[#out + 1] = ('</%s>'):format(name)
  return M.raw(table.concat(out))
end

-- The text of a node.
function M.text(node) return node[1] end

return M
