-- compare.lua: hz compare: two sweeps side by side, the codecs of one, or two trained networks.
local c = require 'hz.c'
local command = require 'hz.base.command'
local compare = require 'hz.report.compare'
local compare_text = require 'hz.report.compare_text'
local folder = require 'hz.cli.folder'
local json = require 'hz.base.json'
local manifest = require 'hz.sweep.manifest'
local protocol = require 'hz.sweep.protocol'
local report = require 'hz.report.report'
local say = require 'hz.base.say'

local function sweep(o, name) return report.of_manifest(o.runs, manifest.find(o.runs, name, say), o) end

local function sweeps(o)
  local a, b = sweep(o, o.words[1]), o.words[2] and sweep(o, o.words[2])
  if b and a.id == b.id then
    c.fail('compare: a and b are both %s; needs another sweep, or one word alone for its codecs', a.id)
  end
  local r = compare.of(a, b or nil)
  if not b and #r.pairs == 0 then
    c.fail('compare: %s holds one codec and no other of the same recipe; needs a second sweep', a.id)
  end
  return r, compare_text
end

local function show(o)
  local r, words = sweeps(o)
  if o.json then folder.out(json.encode(r, { pretty = true }) .. '\n') else print(words.text(r)) end
  return 0
end

-- ---- the verb ----

-- What is asked for, as NAME=VALUE.
local asked = {}
for i, row in ipairs(protocol.asked) do
  asked[i] = setmetatable({ form = row[1] .. '=SHARE' }, { __index = row })
end

return command.new('compare', {
  about = folder.about,
  { '', folder.at(show), 'two sweeps side by side, or the codecs of one', {
    { 'json', false, 'bool', 'all of it for programs' },
    asked[1], asked[2], folder.row }, words = { 'ID', 1, 2 } },
})
