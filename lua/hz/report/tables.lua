-- tables.lua: what a report says in tables, for pages and papers: the lines for a hurried reader, the verdict and the
-- account of each chain, the figures of all encodings. A table is { caption, columns (as in base/table.lua), lines
-- (texts), notes (texts below it) }; its texts are those of the text report, so that all forms say the same numbers.
-- Markdown is GitHub's; LaTeX needs no package. Text from data is escaped in both.
local damage_text = require 'hz.report.damage.damage_text'
local matrix = require 'hz.report.matrix'
local text = require 'hz.report.text'
local verdict_text = require 'hz.report.verdict_text'
local verdicts = require 'hz.report.verdicts'
local visible = require 'hz.base.visible'.line

local M = {}

-- ---- the tables ----

-- Encodings of a judged chain, with what each costs.
function M.encodings(r, chain, name)
  local columns, lines = verdict_text.encodings(chain)
  return { caption = name .. ': verdicts', columns = columns, lines = lines, notes = verdict_text.notes(r, chain) }
end

-- The account of bits; nil for a chain without one.
function M.account(r, chain, name)
  if not chain.bits then return nil end
  local columns, lines = verdict_text.account(chain)
  return { caption = name .. ': account of bits', columns = columns, lines = lines,
    notes = verdict_text.account_notes(r, chain) }
end

-- What a chain's encodings do to items and classes, and what the claimed one saves; nil where no outcomes are known.
function M.damage(r, chain, name)
  local columns, lines = damage_text.damage(r, chain)
  if not columns then return nil end
  local notes = damage_text.savings(r, chain)
  table.insert(notes, 1, damage_text.legend(r, chain))
  return { caption = name .. ': items and classes', columns = columns, lines = lines, notes = notes }
end

-- What all encodings take and reach; nil where nothing is finished.
function M.figures(r)
  if #r.groups == 0 then return nil end
  local columns, lines = text.figures(r.groups)
  return { caption = 'figures of all encodings', columns = columns, lines = lines, notes = {} }
end

-- The lines for a hurried reader: list of { chain, name, text }, the text with the name in front.
function M.lines(r)
  local chains = verdicts.of(r)
  local list, name = {}, verdict_text.naming(chains)
  for i, chain in ipairs(chains) do
    list[i] = { chain = chain, name = name(chain), text = verdict_text.line(r, chain, name(chain)) }
  end
  return list
end

local function all(r)
  local list = {}
  for _, line in ipairs(M.lines(r)) do
    if not line.chain.reason then
      list[#list + 1] = M.encodings(r, line.chain, line.name)
      list[#list + 1] = M.account(r, line.chain, line.name)
    end
    list[#list + 1] = M.damage(r, line.chain, line.name)
  end
  for _, m in ipairs(matrix.of(r)) do list[#list + 1], list[#list + 2] = verdict_text.matrix(m) end
  list[#list + 1] = M.figures(r)
  return list
end

-- ---- Markdown ----

-- Everything that could begin something, but what stands in numbers and sentences; addresses are no links.
local function for_markdown(s)
  s = visible(s):gsub('&', '&amp;'):gsub('<', '&lt;'):gsub('>', '&gt;')
  return (s:gsub('[\\`*_%[%]|~#$!@{}]', '\\%0'):gsub('://', '\\://'):gsub('www%.', 'www\\.'))
end

local function trimmed(s) return (s or ''):match '^%s*(.-)%s*$' end

local function markdown_row(cells)
  local parts = {}
  for i, cell in ipairs(cells) do parts[i] = for_markdown(trimmed(cell)) end
  return '| ' .. table.concat(parts, ' | ') .. ' |'
end

local function markdown_table(one)
  local titles, rule, out = {}, {}, {}
  for i, col in ipairs(one.columns) do titles[i], rule[i] = col[1], col[2] == 'left' and ':---' or '---:' end
  out[1], out[2], out[3] = '### ' .. for_markdown(one.caption), '', markdown_row(titles)
  out[4] = '| ' .. table.concat(rule, ' | ') .. ' |'
  for _, line in ipairs(one.lines) do out[#out + 1] = markdown_row(line) end
  for _, note in ipairs(one.notes) do
    out[#out + 1] = ''
    out[#out + 1] = for_markdown(note)
  end
  return table.concat(out, '\n')
end

function M.markdown(r)
  local parts, said = { '## ' .. for_markdown(r.id) }, {}
  for i, line in ipairs(M.lines(r)) do said[i] = '- ' .. for_markdown(line.text) end
  for _, remark in ipairs(text.remark_lines(r)) do said[#said + 1] = '- ' .. for_markdown(remark) end
  if #r.rows == 0 then said[#said + 1] = '- no cell is finished' end
  if #said > 0 then parts[2] = table.concat(said, '\n') end
  for _, one in ipairs(all(r)) do parts[#parts + 1] = markdown_table(one) end
  return table.concat(parts, '\n\n') .. '\n'
end

-- ---- LaTeX ----

local commands = { ['\\'] = '\\textbackslash{}', ['~'] = '\\textasciitilde{}', ['^'] = '\\textasciicircum{}',
  ['<'] = '\\textless{}', ['>'] = '\\textgreater{}', ['|'] = '\\textbar{}', ['"'] = '\\char34{}',
  ['`'] = '\\char96{}' }

-- Quotes are characters by number: their names need other fonts, and babel makes them commands. What is beyond ASCII
-- stays as it is: LaTeX knows most of it, xelatex all.
local function for_latex(s)
  s = visible(s):gsub('[\\~^<>|"`{}%$&#_%%]', function(ch) return commands[ch] or '\\' .. ch end)
  return (s:gsub('%-%-', '-{}-'):gsub('%-%-', '-{}-'))
end

local function latex_row(cells)
  local parts = {}
  for i, cell in ipairs(cells) do parts[i] = for_latex(trimmed(cell)) end
  -- a line that begins with a bracket would be taken for the option of the line end before it
  return '{}' .. table.concat(parts, ' & ') .. ' \\\\'
end

local function latex_table(one)
  local titles, form = {}, {}
  for i, col in ipairs(one.columns) do titles[i], form[i] = col[1], col[2] == 'left' and 'l' or 'r' end
  local out = { '\\begin{table}', '\\caption{' .. for_latex(one.caption) .. '}',
    '\\begin{tabular}{' .. table.concat(form) .. '}', '\\hline', latex_row(titles), '\\hline' }
  for _, line in ipairs(one.lines) do out[#out + 1] = latex_row(line) end
  out[#out + 1] = '\\hline\n\\end{tabular}'
  for _, note in ipairs(one.notes) do out[#out + 1] = '\\par\\small ' .. for_latex(note) end
  out[#out + 1] = '\\end{table}'
  return table.concat(out, '\n')
end

function M.latex(r)
  local parts, said = { '% hz report ' .. visible(r.id) }, {}
  for i, line in ipairs(M.lines(r)) do said[i] = for_latex(line.text) end
  for _, remark in ipairs(text.remark_lines(r)) do said[#said + 1] = for_latex(remark) end
  if #r.rows == 0 then said[#said + 1] = for_latex(r.id .. ': no cell is finished') end
  if #said > 0 then parts[2] = table.concat(said, '\\par\n') end
  for _, one in ipairs(all(r)) do parts[#parts + 1] = latex_table(one) end
  return table.concat(parts, '\n\n') .. '\n'
end

return M
