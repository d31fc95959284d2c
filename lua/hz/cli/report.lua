-- report.lua: hz report: what a sweep found.
local command = require 'hz.base.command'
local export = require 'hz.report.export'
local file = require 'hz.base.file'
local folder = require 'hz.cli.folder'
local packed = require 'hz.report.packed'
local picture = require 'hz.report.picture'
local protocol = require 'hz.sweep.protocol'
local say = require 'hz.base.say'
local text = require 'hz.report.text'

local function show(o)
  local r = packed.find(o.runs, o.words[1], o)
  if o.svg then
    file.write(o.svg, picture.svg(r))
    say('plot written to ' .. o.svg)
  end
  if o.json then
    folder.out(export.json(r))
  elseif o.csv then
    folder.out(export.csv(r))
  elseif not o.svg then
    print(text.text(r))
  end
  for _, note in ipairs((o.json or o.csv or o.svg) and r.notes or {}) do say(note) end
  return 0
end

-- ---- the verb ----

-- What verdicts are asked for, as NAME=VALUE.
local asked = {}
for i, row in ipairs(protocol.asked) do
  asked[i] = setmetatable({ form = row[1] .. '=SHARE' }, { __index = row })
end

return command.new('report', {
  about = folder.packed,
  { '', folder.at(show), 'the table, plot and verdict of a sweep (the latest without an ID)', {
    { 'csv', false, 'bool', 'its cells as CSV' },
    { 'json', false, 'bool', 'its cells as an array' },
    { 'svg', nil, 'string', 'writes the plot', form = '--svg FILE' },
    asked[1], asked[2], setmetatable({ form = 'force=true' }, { __index = protocol.force }),
    folder.row }, words = { 'ID', 0, 1 } },
})
