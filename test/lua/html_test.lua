-- The report as one HTML page, and its tables as Markdown and LaTeX: whole, safe, offline, and of the same numbers as
-- text, JSON and CSV.
local t = ...
local codecs = require 'hz.codec.codec'
local crypto = require 'hz.ext.crypto'
local export = require 'hz.report.export'
local forms = assert(loadfile(t.here .. 'forms.lua'))(t)
local gallery_html = require 'hz.report.html.gallery'
local json = require 'hz.base.json'
local made = assert(loadfile(t.here .. 'made.lua'))(t)
local manifest = require 'hz.sweep.manifest'
local markup = require 'hz.report.html.markup'
local page = require 'hz.report.html.page'
local report = require 'hz.report.report'
local style = require 'hz.report.html.style'
local tables = require 'hz.report.tables'
local tensor = require 'hz.tensor.tensor'
local text = require 'hz.report.text'
local verdicts = require 'hz.report.verdicts'

local is_offline, parse, rows_of = forms.is_offline, forms.parse, forms.rows_of
local from_latex, from_markdown = forms.from_latex, forms.from_markdown

local function report_of(list, o)
  local runs = made.sweep(list, o)
  return report.of_manifest(runs, manifest.find(runs, nil, function() end), o)
end

local function checked(r)
  local html = page.html(r)
  local seen = parse(html)
  is_offline(html, seen)
  return html, seen
end

-- ---- the page ----

t.case('html: the page is well-formed, fetches nothing, and says the verdict first', function()
  local r = report_of(made.usual())
  local html, seen = checked(r)
  local first = html:find('quality 90 costs at most 1 point', 1, true)
  t.ok(first and first < html:find '<table' and first < html:find '<svg' and first > html:find '<h1')
  t.ok(#html < 1e6)
  t.equal(#seen.h1, 1)
  t.equal(seen.html[1].lang, 'en')
  for _, svg in ipairs(seen.svg) do
    t.ok(svg.role == 'img' and svg['aria-labelledby'] or svg['aria-hidden'] == 'true', 'a drawing has a name')
  end
  t.equal(#seen.table, #seen.caption)
  for _, th in ipairs(seen.th) do t.ok(th.scope == 'col' or th.scope == 'row', 'scope of th') end
  t.ok(html:find('prefers-color-scheme:dark', 1, true) and html:find('@media print', 1, true))
  for _, said in ipairs { 'assay not shown', 'knee: in (quality 10, quality 90], with 90 % confidence', 'hz made.lua',
    'Where this comes from', 'How to read this', 'lossless bits: not counted' } do
    t.ok(html:find(said, 1, true), said)
  end
end)

t.case('html: other programs read it as well-formed', function()
  local path = t.folder() .. '/r.html'
  t.write(path, page.html(report_of(made.usual())))
  if not t.tool 'xmllint' then t.skip 'xmllint is not installed' end
  local status, _, err = t.sh('xmllint --noout --nonet ' .. t.quote(path))
  t.equal(status, 0, err)
end)

t.case('html: every seed of every encoding is a point, and raw is a level', function()
  local r = report_of(made.usual())
  local html = page.html(r)
  local plot = html:match '<title id="[^"]*">Accuracy over bits per sample</title>.-</svg>'
  local _, points = plot:gsub('<circle class="dot', '')
  t.equal(points, 20)
  t.ok(plot:find('class="level"', 1, true) and plot:find('class="band"', 1, true))
  local forest = html:match '<title id="[^"]*">Differences to the untouched data.-</svg>'
  _, points = forest:gsub('<circle class="dot', '')
  t.equal(points, 10, 'those within the axis')
  t.ok(forest:find('◀ -25.00', 1, true) and forest:find('class="margin"', 1, true))
  local curves = html:match '<div class="minis">(.-)</div>'
  local _, lines = curves:gsub('class="thread', '')
  t.equal(lines, 20)
end)

-- ---- colours ----

-- Relative luminance (WCAG 2).
local function luminance(hex)
  local sum = 0
  for i, weight in ipairs { 0.2126, 0.7152, 0.0722 } do
    local v = tonumber(hex:sub(2 * i, 2 * i + 1), 16) / 255
    sum = sum + weight * (v <= 0.03928 and v / 12.92 or ((v + 0.055) / 1.055) ^ 2.4)
  end
  return sum
end

local function contrast(a, b)
  local x, y = luminance(a), luminance(b)
  return (math.max(x, y) + 0.05) / (math.min(x, y) + 0.05)
end

t.case('html: texts stand out from all grounds, light and dark', function()
  local schemes = 0
  for list in style.sheet():gmatch ':root{(%-%-[^}]*)}' do
    local colour = {}
    for name, hex in list:gmatch '%-%-(%w+):(#%x+)' do colour[name] = hex end
    for _, name in ipairs { 'fg', 'mute', 'link', 'safe', 'harm', 'open', 'none', 'c1', 'c2', 'c3', 'c4', 'c5',
        'c6' } do
      for _, ground in ipairs { 'bg', 'card', 'soft' } do
        t.ok(contrast(colour[name], colour[ground]) >= 4.5, ('%s %s on %s: %.2f'):format(name, colour[name], ground,
          contrast(colour[name], colour[ground])))
      end
    end
    schemes = schemes + 1
  end
  t.equal(schemes, 3, 'light, dark, paper')
end)

-- ---- the same numbers ----

local function from_text(s, title)
  local list = {}
  for line in s:match('\n(' .. title .. '.-)\npoints beside'):gmatch '[^\n]+' do
    local cells = {}
    for cell in (line:gsub('  +', '\0') .. '\0'):gmatch '(%Z+)%z' do cells[#cells + 1] = cell:match '^%s*(.-)%s*$' end
    list[#list + 1] = cells
  end
  return list
end

t.case('html: text, HTML, Markdown, LaTeX, JSON and CSV say the same numbers', function()
  local r = report_of(made.usual())
  local html, md, tex, said = page.html(r), tables.markdown(r), tables.latex(r), text.text(r)
  for _, caption in ipairs { 'jpeg: verdicts', 'jpeg: account of bits', 'jpeg: items and classes',
    'figures of all encodings' } do
    local rows = rows_of(html, caption)
    t.ok(#rows >= 3, caption)
    t.equal(from_markdown(md, caption), rows, caption)
    t.equal(from_latex(tex, caption), rows, caption)
  end
  local rows = rows_of(html, 'jpeg: verdicts')
  for i, row in ipairs(from_text(said, 'encoding +verdict')) do
    t.equal(table.concat(row, ' '), table.concat(rows[i], ' '))
  end
  local seen, by = 0, {}
  for _, row in ipairs(rows) do by[row[1]] = row end
  for _, one in ipairs(json.decode(export.json(r))) do
    local row = by['quality ' .. tostring(one.quality)]
    if row then
      seen = seen + 1
      t.equal(row[2], one.verdict)
      for k, name in pairs { [3] = 'difference', [4] = 'difference_lower', [5] = 'difference_upper', [6] = 'seed_sd',
        [7] = 'item_sd', [9] = 'churn' } do
        local shown = row[k]:gsub('%*', '')
        t.near(tonumber(shown), 100 * one[name], k == 9 and 0.0501 or 0.00501, name)
      end
    end
  end
  t.equal(seen, 15)
end)

t.case('html: the cells in the page are the CSV', function()
  local r = report_of(made.usual())
  local csv = page.html(r):match 'href="data:text/csv;charset=utf%-8,([^"]*)"'
  t.equal((csv:gsub('%%(%x%x)', function(x) return string.char(tonumber(x, 16)) end)), export.csv(r))
end)

-- Controls, and nets trained on raw beside those trained on each.
local function with_controls()
  local list = made.usual()
  for _, one in ipairs(made.usual()) do
    one.trained_on_raw = one.quality and true or nil
    if one.quality then list[#list + 1] = one end
  end
  for seed = 1, 5 do
    list[#list + 1] = { seed = 1000 + seed, control = 'replicate', wrong = { { 1, 20 + seed } } }
    list[#list + 1] = { seed = seed, control = 'damage', damage = 0.2, wrong = { { 1, 20 + seed }, { 201, 280 } } }
  end
  return list
end

t.case('html: controls and the matrix stand in the page with the numbers of the text', function()
  local r = report_of(with_controls())
  local html, seen = checked(r)
  local said = text.text(r):gsub('\n *', ' ')
  local assay = said:match 'assay shown.- harmful'
  t.ok(assay and html:find(assay, 1, true), said)
  local rows = rows_of(html, 'jpeg: controls')
  t.equal({ rows[2][1], rows[2][2], rows[3][1], rows[3][2], rows[3][4] },
    { 'raw once more, other seeds', 'safe', '20 % of the items exchanged', 'harmful', '-20.00' })
  local map = rows_of(html, 'accuracy % of jpeg, small')
  t.equal(from_markdown(tables.markdown(r), 'accuracy % of jpeg, small'), map)
  t.equal({ #map, #map[1] }, { 5, 5 })
  t.ok(said:find('raw ' .. map[2][2], 1, true) or said:find('raw +' .. map[2][2]), map[2][2])
  t.equal(from_latex(tables.latex(r), 'losses of jpeg, small'), rows_of(html, 'losses of jpeg, small'))
  local colours = 0
  for _, td in ipairs(seen.td) do colours = colours + ((td.class or ''):find '^h%d' and 1 or 0) end
  t.ok(colours >= 7, colours)
  t.ok(html:find('What is saved', 1, true))
end)

t.case('html: where the noise is known the ledger is drawn, and said in all forms', function()
  local r = report_of(made.usual { noise_bits = 1.5 })
  local b = verdicts.of(r)[1].bits
  b.lossless, b.coders = { payload = 6, file = 6, called = 'png' }, { { called = 'png', payload = 6, file = 6 } }
  b.saved = { payload = 6 - b.needed.payload, file = 6 - b.needed.file }
  local html = checked(r)
  local said = ('ledger, bits per sample at quality 90: saved %.2f = noise 1.50 (exact)'):format(b.saved.payload)
  for name, form in pairs { html = html, text = text.text(r):gsub('\n *', ' '), markdown = tables.markdown(r) } do
    t.ok(form:find(said, 1, true), name)
  end
  local drawn = html:match '<title id="[^"]*">What saved bits are made of</title>.-</svg>'
  local _, steps = drawn:gsub('<rect', '')
  t.equal(steps, 3)
  t.ok(drawn:find('+1.50', 1, true) and drawn:find(('+%.2f'):format(b.saved.payload), 1, true))
end)

-- ---- text from data ----

local hostile = '</title></svg><script>alert(1)</script>"\' onload=x ]]> --> &amp; \n| `a` *b* [c](http://d) \\e %f '
  .. '_g_ #h $i$ ~j^ {k} \226\128\174 \27[31m'

t.case('html: names from data never become markup, in any form', function()
  local list = made.usual { model = hostile, host = hostile }
  for _, one in ipairs(made.usual { data = hostile }) do list[#list + 1] = one end
  list[#list + 1] = { seed = 9, quality = 10, model = hostile,
    failure = { epoch = 1, layer = hostile, message = hostile } }
  local r = report_of(list, { command = hostile })
  local html = page.html(r)
  local seen = parse(html)
  is_offline((html:gsub('http://d', '')), seen)
  t.equal(seen.script, nil)
  local md, tex = tables.markdown(r), tables.latex(r)
  for name, s in pairs { html = html, markdown = md, latex = tex } do
    t.ok(not s:find '[%z\1-\8\11-\31\127]' and not s:find('\226\128\174', 1, true), name .. ': controls')
  end
  t.ok(not md:find '<' and not md:gsub('\\.', ''):find '[`*_%[~$]', 'Markdown')
  for line in md:gmatch '[^\n]+' do
    if line:find '^|' then
      local _, bars = line:gsub('\\.', ''):gsub('|', '')
      local _, titles = md:match '### figures of all encodings\n\n([^\n]*)':gsub('|', '')
      t.ok(bars == 10 or bars == 9 or bars == 8 or bars == titles, line)
    end
  end
  local bare_tex = tex:gsub('^%%[^\n]*', ''):gsub('\\[%%$&#_{}]', ''):gsub('\\%a+%d*{}', ''):gsub('{}', '')
  t.ok(not bare_tex:find '[%%$#_~^<>|"`]', 'LaTeX')
  t.ok(tex:match '^%% hz report [^\n]*\n')
end)

t.case('html: LaTeX takes the tables, whatever the names', function()
  if not t.tool 'pdflatex' then t.skip 'pdflatex is not installed' end
  local dir, plain = t.folder(), hostile:gsub('[\128-\255]', '')
  local list = made.usual { model = plain }
  for _, one in ipairs(made.usual()) do list[#list + 1] = one end
  t.write(dir .. '/a.tex', '\\documentclass{article}\\begin{document}\n'
    .. tables.latex(report_of(list)) .. '\\end{document}\n')
  local status, out = t.sh(('cd %s && pdflatex -interaction=nonstopmode -halt-on-error a.tex'):format(t.quote(dir)))
  t.equal(status, 0, out)
end)

t.case('html: every character of a text survives in one piece', function()
  t.equal(markup.text(markup.h('p', { title = '"<&\'>' }, '"<&\'>\n\27', { 1, false, markup.h('br') })),
    '<p title="&quot;&lt;&amp;&#39;&gt;">&quot;&lt;&amp;&#39;&gt;\\u000a\\u001b1<br/></p>')
  t.equal({ markup.number(-0.01), markup.number(3), markup.number(2.25) }, { '0', '3', '2.3' })
end)

-- ---- pictures and sounds ----

t.case('html: the gallery carries its pictures and sounds, named for those who do not see them', function()
  local png = codecs.png {}:encode(tensor.zeros({ 4, 4, 3 }, 'u8'))
  local one = { item = 7, label = hostile, called = 'quality 10', raw = 5, here = 1, seeds = { 5, 5 },
    said = 'cat', before = { png = png, width = 4, height = 4 },
    after = { png = png, width = 4, height = 4, sound = 'RIFF', mime = 'audio/wav', part = 'the first 3 s' } }
  local body = markup.text(markup.h('main', nil, gallery_html.section { one }))
  local seen = parse('<!DOCTYPE html>\n' .. body .. '\n')
  is_offline((body:gsub('http://d', '')), seen)
  t.equal({ #seen.img, #seen.audio, seen.script or 'none' }, { 2, 1, 'none' })
  t.equal(seen.img[1].src, 'data:image/png;base64,' .. crypto.base64(png))
  t.equal(seen.audio[1].controls, '')
  t.match(seen.img[2].alt, '^item 7, .*, quality 10$')
  t.match(body, 'Right with 5 of 5 seeds on raw, 1 of 5 here, most often cat')
  t.match(markup.text(markup.h('main', nil, gallery_html.section { why = 'none <yet>' })), 'none &lt;yet&gt;')
end)

-- ---- what is missing ----

local function seeds(n, with_raw)
  local list = {}
  for seed = 1, n do
    if with_raw then list[#list + 1] = { seed = seed, wrong = { { 1, 30 } } } end
    list[#list + 1] = { seed = seed, quality = 10, wrong = { { 1, 60 } } }
  end
  return list
end

local lacking = {
  { 'one seed', seeds(1, true), nil, { 'the reference has one seed', 'seed=1..5' } },
  { 'no raw', seeds(3), nil, { 'no cell on the untouched data (raw) is finished', 'raw among the encodings' } },
  { 'unfinished', made.usual(), { absent = 3 }, { '3 cells are not finished; the same command goes on' } },
  { 'nothing finished', seeds(2, true), { absent = 4 }, { 'No cell is finished', '4 cells are not finished' } },
  { 'raw alone', { { seed = 1 }, { seed = 2 } }, nil, { 'No verdict: there is no encoding among' } },
  { 'still improving', { { seed = 1, curve = { 0.1, 0.3, 0.5, 0.9 } }, { seed = 2, curve = { 0.1, 0.3, 0.5, 0.9 } },
    { seed = 1, quality = 9, curve = { 0.1, 0.3, 0.5, 0.9 } } }, nil, { 'still improves', 'more epochs' } },
  { 'no curve', { { seed = 1, curve = {} }, { seed = 2, curve = {} }, { seed = 1, quality = 9, curve = {} } }, nil,
    { 'What would help' } },
}

t.case('html: a page without some of its pieces says so', function()
  for _, row in ipairs(lacking) do
    local r = report_of(row[2], row[3])
    local html = checked(r)
    for _, said in ipairs(row[4]) do t.ok(html:find(said, 1, true), row[1] .. ': ' .. said) end
    t.ok(#tables.markdown(r) > 0 and #tables.latex(r) > 0)
  end
end)

t.case('html: failed trainings are said, in the verdict and at the top', function()
  local list = made.usual()
  list[#list + 1] = { seed = 6, quality = 50, failure = { epoch = 2, layer = 'conv1', message = 'loss is nan' } }
  local r = report_of(list)
  r.notes[1] = 'one thing\nand another'
  local html = checked(r)
  t.ok(html:find('<li>one thing</li><li>and another</li>', 1, true))
  t.match(tables.markdown(r), '\n%- one thing\n%- and another\n')
  t.ok(html:find('epoch 2, layer conv1: loss is nan', 1, true))
  t.ok(html:find('quality 50: 1 training failed', 1, true))
end)

t.case('html: cells without outcomes have no verdict, and a page', function()
  local list = made.usual()
  local runs = made.sweep(list)
  local m = manifest.find(runs, nil, function() end)
  local r = report.of_manifest(runs, m)
  for i = 1, #list, 4 do t.write(('%s/cells/%032x.safetensors'):format(runs, i + 1), 'damage') end
  local html = checked(r)
  t.ok(html:find('no seed in common with raw', 1, true))
end)

t.case('html: codecs of one setting stand side by side, too', function()
  local list = made.usual()
  for _, one in ipairs(made.usual { codec = 'webp' }) do
    if one.quality then list[#list + 1] = one end
  end
  local html, seen = checked(report_of(list))
  t.ok(html:find('Side by side', 1, true) and html:find('What jpeg and webp cost small on fake', 1, true))
  t.ok(#seen.section >= 5)
end)

-- ---- size and time ----

-- Ten models, ten encodings, five seeds. curve: of all.
local function many(curve)
  local list = {}
  for model = 1, 10 do
    for quality = 10, 100, 10 do
      for seed = 1, 5 do
        list[#list + 1] = { seed = seed, quality = quality < 100 and quality or nil, model = 'm' .. model, items = 2000,
          curve = curve, wrong = { { 1, 100 + 7 * seed }, { 1000, 1000 + math.floor(3000 / quality) } } }
      end
    end
  end
  return list
end

t.case('html: a page that would be too long leaves pieces out, and says which', function()
  local curve = {}
  for e = 1, 120 do curve[e] = 0.9 + 0.03 * math.sin(e * e) end
  local html = checked(report_of(many(curve)))
  t.ok(#html < 1e6, #html)
  t.match(html, 'Left out, so that the page stays below 1 MB: the cells as CSV')
end)

t.case('html: 500 cells make a page below 1 MB with nothing left out', function()
  local runs = made.sweep(many())
  local m = manifest.find(runs, nil, function() end)
  local r = report.of_manifest(runs, m)
  local html = page.html(r)
  t.equal(#verdicts.of(r), 10)
  t.ok(#html < 1e6 and not html:find 'Left out', #html)
end)

-- ---- the command ----

t.case('html: hz report writes the page, prints tables, and refuses what it cannot write', function()
  local runs = made.sweep(made.usual())
  local path = runs .. '/r.html'
  local status, out, err = t.run(('report runs=%s --html %s --svg %s'):format(t.quote(runs), t.quote(path),
    t.quote(runs .. '/p.svg')))
  t.equal({ status, out }, { 0, '' }, err)
  t.match(err, 'plot written to .*\n.*report written to ')
  t.match(t.read(path), '^<!DOCTYPE html>\n.*</html>\n$')
  status, out = t.run(('report runs=%s --markdown'):format(t.quote(runs)))
  t.equal(status, 0)
  t.match(out, '^## made%-1\n\n%- jpeg: quality 90 costs')
  status, out = t.run(('report runs=%s --latex'):format(t.quote(runs)))
  t.equal(status, 0)
  t.match(out, '\\begin{tabular}{llrrrrrrr}')
  status, out, err = t.run(('report runs=%s --html %s/none/r.html'):format(t.quote(runs), t.quote(runs)))
  t.ok(status ~= 0 and out == '' and err:find('none/r.html', 1, true), err)
end)
