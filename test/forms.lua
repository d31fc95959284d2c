-- forms.lua: reads what reports are written as, strictly: HTML, and tables of it, of Markdown and of LaTeX:
-- assert(loadfile(t.here .. 'forms.lua'))(t).
local t = ...

local M = {}

local function unescape(s)
  return (s:gsub('&(#?%w+);', { lt = '<', gt = '>', quot = '"', ['#39'] = "'", amp = '&' }))
end

-- Checks that tags nest, attributes are quoted, no name stands twice in a tag, and that ids are each used once and all
-- that is referred to is there. Returns elements by name: lists of { attributes }.
function M.parse(html)
  local body = html:match '^<!DOCTYPE html>\n(.*)\n$'
  t.ok(body, 'opens with the doctype')
  local stack, seen, ids, wanted = {}, {}, {}, {}
  local at = 1
  while true do
    local from, to, close, name, rest = body:find('<(/?)([%w]+)([^<>]*)>', at)
    local between = body:sub(at, (from or #body + 1) - 1)
    t.ok(not between:find '[<>]' or stack[#stack] == 'style', 'text between tags: ' .. between:sub(1, 80))
    t.ok(not between:gsub('&[%w#]+;', ''):find '&', 'a bare & in ' .. between:sub(1, 80))
    if not from then break end
    if close == '/' then
      t.equal(table.remove(stack), name)
    else
      local attrs, left = {}, rest
      left = left:gsub('%s([%w%-:]+)="([^"]*)"', function(key, v)
        t.ok(attrs[key] == nil, key .. ' stands twice in ' .. name)
        attrs[key] = unescape(v)
        return ''
      end)
      t.match(left, '^%s*/?$')
      if attrs.id then
        t.ok(not ids[attrs.id], 'id ' .. attrs.id)
        ids[attrs.id] = true
      end
      for _, key in ipairs { 'aria-labelledby', 'href' } do
        for id in (attrs[key] or ''):gmatch(key == 'href' and '^#(.+)$' or '%S+') do wanted[id] = true end
      end
      seen[name] = seen[name] or {}
      table.insert(seen[name], attrs)
      if not left:find '/$' then stack[#stack + 1] = name end
    end
    at = to + 1
  end
  t.equal(stack, {})
  for id in pairs(wanted) do t.ok(ids[id], 'nothing is called ' .. id) end
  return seen
end

-- Nothing is fetched, nothing runs.
function M.is_offline(html, seen)
  local without_data = html:gsub('data:[%w/,;=+%-%%._~]*', '')
  for _, bad in ipairs { 'http:', 'https:', 'url%(', '@import', '<script', '<link', '<iframe', '<object', '<embed',
    'javascript:', ' on%a+="', 'srcset' } do
    t.ok(not without_data:lower():find(bad), bad)
  end
  for name, list in pairs(seen) do
    for _, attrs in ipairs(list) do
      t.ok(not attrs.src or attrs.src:find '^data:', name)
      t.ok(not attrs.href or attrs.href:find '^#' or attrs.href:find '^data:', name)
    end
  end
end

-- Rows of the table with a caption: lists of texts.
function M.rows_of(html, caption)
  local body = html:match('<caption>' .. caption:gsub('%p', '%%%0') .. '</caption>(.-)</table>')
  t.ok(body, caption)
  local list = {}
  for row in body:gmatch '<tr>(.-)</tr>' do
    local cells = {}
    for inner in row:gmatch '<t[hd][^>]*>(.-)</t[hd]>' do
      cells[#cells + 1] = unescape((inner:gsub('<[^>]*>', '')))
    end
    list[#list + 1] = cells
  end
  return list
end

-- Cells of a table in Markdown and LaTeX, under a caption.
function M.from_markdown(s, caption)
  local list = {}
  for line in (s .. '\n'):match('### ' .. caption:gsub('%p', '%%%0') .. '\n\n(.-\n)\n'):gmatch '([^\n]+)\n' do
    local cells = {}
    for cell in line:sub(3):gmatch '(.-) |%s?' do cells[#cells + 1] = (cell:gsub('\\(%p)', '%1')) end
    if not line:find '^| :?%-' then list[#list + 1] = cells end
  end
  return list
end

function M.from_latex(s, caption)
  local list = {}
  local body = s:match('\\caption{' .. caption:gsub('%p', '%%%0') .. '}\n(.-)\\end{tabular}')
  for line in body:gmatch '{}(.-) \\\\\n' do
    local cells = {}
    for cell in (line .. ' & '):gmatch '(.-) & ' do cells[#cells + 1] = (cell:gsub('\\(%p)', '%1')) end
    list[#list + 1] = cells
  end
  return list
end

return M
