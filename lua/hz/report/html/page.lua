-- page.lua: a report as one HTML file: no scripts, nothing that is fetched from anywhere; well-formed as XML, too. What
-- is missing is said where it would stand.
local accuracy = require 'hz.report.html.accuracy'
local cells = require 'hz.report.html.cells'
local chain_section = require 'hz.report.html.chain'
local glossary = require 'hz.report.html.glossary'
local h = require 'hz.report.html.markup'.h
local markup = require 'hz.report.html.markup'
local matrix = require 'hz.report.matrix'
local matrix_html = require 'hz.report.html.matrix'
local parts = require 'hz.report.html.parts'
local provenance = require 'hz.report.html.provenance'
local rows_of = require 'hz.sweep.rows'
local style = require 'hz.report.html.style'
local tables = require 'hz.report.tables'
local text = require 'hz.report.text'

local M = {}

local MOST = 1e6                   -- bytes of a page; pieces are left out until it is shorter
local FEW = 3                      -- lines that are shown large

-- ---- the top ----

local function listed(list)
  if #list > 3 then return ('%d %s'):format(#list, list.what) end
  return #list > 1 and table.concat(list, ', ', 1, #list - 1) .. ' and ' .. list[#list] or list[1]
end

local function title(r)
  local function all(what, get)
    local list = rows_of.distinct(r.rows, get)
    list.what = what
    return list
  end
  if #r.rows == 0 then return 'No cell is finished' end
  local codecs = all('codecs', function(row) return row.tested.name ~= 'raw' and row.tested.name or nil end)
  local models = all('models', function(row) return row.model end)
  local data = all('data sets', function(row) return row.data end)
  if #codecs == 0 then return ('%s on %s, untouched'):format(listed(models), listed(data)) end
  return ('What %s cost%s %s on %s'):format(listed(codecs), #codecs == 1 and 's' or '', listed(models), listed(data))
end

-- What a chain's line stands for: the mark of its claim.
local function mark_of(chain)
  if chain.reason then return 'none' end
  return chain.knee.safe and 'safe' or chain.knee.harmful == 1 and 'harmful' or 'undecided'
end

local function line_of(line, i)
  local text_only = line.text:sub(#line.name + 3)
  return h('li', { class = 'v-' .. mark_of(line.chain) },
    h('a', { href = '#' .. parts.anchor(i) }, line.name), h('span', { class = 'unseen' }, ': '), text_only)
end

local function notices(r)
  local list = {}
  for i, remark in ipairs(text.remark_lines(r)) do list[i] = h('li', nil, remark) end
  return #list > 0 and h('ul', { class = 'notices', ['aria-label'] = 'remarks' }, list) or nil
end

local function header(r, lines, links)
  local said, nav = {}, {}
  for i, line in ipairs(lines) do said[i] = line_of(line, i) end
  for i, link in ipairs(links) do nav[i] = h('li', nil, h('a', { href = '#' .. link[1] }, link[2])) end
  return h('header', nil, h('p', { class = 'eyebrow' }, 'hz report · ', r.id), h('h1', nil, title(r)),
    #said > 0 and h('ul', { class = #said > FEW and 'lines many' or 'lines' }, said)
      or h('p', nil, #r.rows > 0 and 'No verdict: there is no encoding among the finished cells but the untouched data.'
        or 'Nothing can be said yet. The same command goes on where it was.'),
    notices(r), h('nav', { ['aria-label'] = 'contents' }, h('ul', nil, nav)))
end

-- ---- codecs side by side, of one setting ----

local function settings_of(lines)
  local list, by = {}, {}
  for _, line in ipairs(lines) do
    local key = line.chain.setting
    if not by[key] then
      by[key] = { chains = {}, names = {} }
      list[#list + 1] = by[key]
    end
    table.insert(by[key].chains, line.chain)
    table.insert(by[key].names, line.name)
  end
  return list
end

local function side_by_side(ctx, lines)
  local figures = {}
  for _, one in ipairs(settings_of(lines)) do
    local reference = one.chains[1].reference
    local drawing = #one.chains > 1 and accuracy.draw(ctx.ids, ctx.r, one.chains, reference)
    if drawing then
      local keys = {}
      for i, name in ipairs(one.names) do
        keys[i] = { h('b', { class = 'c' .. (i - 1) % 6 + 1 }, name), i < #one.names and ', ' or '. ' }
      end
      figures[#figures + 1] = h('figure', nil, drawing,
        h('figcaption', nil, keys, accuracy.caption(ctx.r, one.chains, reference)))
    end
  end
  if #figures == 0 then return nil end
  return h('section', { id = 'codecs', ['aria-labelledby'] = 'codecs-h' },
    h('h2', { id = 'codecs-h' }, 'Side by side'), h('div', { class = 'two' }, figures))
end

-- ---- the whole ----

local function sections(ctx, lines)
  local list, links = {}, {}
  local function add(id, name, node)
    if node then list[#list + 1], links[#links + 1] = node, { id, name } end
  end
  for i, line in ipairs(lines) do                       -- linked by its line at the top
    list[i] = chain_section.section(ctx, line, i)
  end
  add('codecs', 'Side by side', side_by_side(ctx, lines))
  add('matrix', 'Trained on one, tested on another', matrix_html.section(matrix.of(ctx.r), 'matrix'))
  add('figures', 'All figures', cells.section(ctx, 'figures'))
  add('provenance', 'Where this comes from', provenance.section(ctx, 'provenance'))
  add('terms', 'How to read this', glossary.section(ctx, 'terms'))
  return list, links
end

local function head(r)
  return h('head', nil, h('meta', { charset = 'utf-8' }),
    h('meta', { name = 'viewport', content = 'width=device-width, initial-scale=1' }),
    h('meta', { name = 'color-scheme', content = 'light dark' }),
    h('meta', { name = 'generator', content = 'hz' }), h('title', nil, title(r)),
    h('style', nil, markup.raw(style.sheet())))
end

-- What may be left out of a page that would be too long, the first first.
local optional = { 'the cells as CSV', 'tables of all classes', 'the table of all cells', 'training curves',
  'galleries' }

local function left_out(ctx)
  local list = {}
  for _, name in ipairs(optional) do
    if ctx.without[name] then list[#list + 1] = name end
  end
  if #list == 0 then return nil end
  return h('p', nil, 'Left out, so that the page stays below 1 MB: ', table.concat(list, ', '), '.')
end

-- The page as it comes out without some pieces: ctx = { r, ids, without = set of names }.
local function render(ctx)
  local r, lines = ctx.r, tables.lines(ctx.r)
  local list, links = sections(ctx, lines)
  return '<!DOCTYPE html>\n' .. markup.text(h('html', { lang = 'en' }, head(r),
    h('body', nil, h('a', { class = 'skip', href = '#main' }, 'to the content'), header(r, lines, links),
      h('main', { id = 'main' }, list),
      h('footer', nil, left_out(ctx), h('p', nil, 'Made by hz. Everything on this page is in this file.'))))) .. '\n'
end

-- The page of a report (report.lua).
function M.html(r)
  local without = {}
  for i = 0, #optional do
    if i > 0 then without[optional[i]] = true end
    local html = render { r = r, ids = { n = 0 }, without = without }
    if #html < MOST or i == #optional then return html end
  end
end

return M
