-- report.lua: hz report: what a sweep found.
local command = require 'hz.base.command'
local export = require 'hz.report.export'
local file = require 'hz.base.file'
local folder = require 'hz.cli.folder'
local page = require 'hz.report.html.page'
local packed = require 'hz.report.packed'
local picture = require 'hz.report.picture'
local say = require 'hz.base.say'
local tables = require 'hz.report.tables'
local text = require 'hz.report.text'

-- What is written to a file: option, text of a report, what it is called.
local written = { { 'svg', picture.svg, 'plot' }, { 'html', page.html, 'report' } }

-- What is printed for programs, the first that is asked for.
local printed = { { 'json', export.json }, { 'csv', export.csv }, { 'markdown', tables.markdown },
  { 'latex', tables.latex } }

local function write_files(o, r)
  local any = false
  for _, form in ipairs(written) do
    local path = o[form[1]]
    if path then
      file.write(path, form[2](r))
      say(('%s written to %s'):format(form[3], path))
      any = true
    end
  end
  return any
end

local function print_one(o, r)
  for _, form in ipairs(printed) do
    if o[form[1]] then
      folder.out(form[2](r))
      return true
    end
  end
end

local function show(o)
  local r = packed.find(o.runs, o.words[1], o)
  local files = write_files(o, r)
  if print_one(o, r) or files then
    for _, note in ipairs(r.notes) do say(note) end
  else
    print(text.text(r))
  end
  return 0
end

-- ---- the verb ----

local asked = folder.asked

return command.new('report', {
  about = folder.packed,
  { '', folder.at(show), 'the table, plot and verdict of a sweep (the latest without an ID)', {
    { 'csv', false, 'bool', 'its cells as CSV' },
    { 'json', false, 'bool', 'its cells as an array' },
    { 'markdown', false, 'bool', 'its tables for Markdown' },
    { 'latex', false, 'bool', 'its tables for LaTeX' },
    { 'svg', nil, 'string', 'writes the plot', form = '--svg FILE' },
    { 'html', nil, 'string', 'writes the whole as one page', form = '--html FILE' },
    asked[1], asked[2], asked[3],
    folder.row }, words = { 'ID', 0, 1 } },
})
