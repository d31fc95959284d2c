-- compare.lua: hz compare: two sweeps side by side, the codecs of one, or two trained networks.
local c = require 'hz.c'
local command = require 'hz.base.command'
local compare = require 'hz.report.versus.compare'
local compare_text = require 'hz.report.versus.compare_text'
local folder = require 'hz.cli.folder'
local json = require 'hz.base.json'
local networks = require 'hz.report.versus.networks'
local networks_text = require 'hz.report.versus.networks_text'
local packed = require 'hz.report.packed'

-- ---- sweeps ----

local function sweep(o, name) return (packed.find(o.runs, name, o)) end

local function sweeps(o)
  if o.data or o.test then
    c.fail('compare: data= and test= were given; they are of networks, and sweeps hold what they were tested on')
  end
  local a, b = sweep(o, o.words[1]), o.words[2] and sweep(o, o.words[2])
  if b and a.id == b.id then
    c.fail('compare: a and b are both %s; needs another sweep, or one word alone for its codecs', a.id)
  end
  local r = compare.of(a, b or nil)
  if not b and #r.pairs == 0 then
    c.fail('compare: %s holds no two codecs of one recipe; needs a second sweep', a.id)
  end
  return r, compare_text
end

-- ---- which ----

local function which(o)
  local a, b = o.words[1], o.words[2]
  local one, other = networks.is(a), b and networks.is(b)
  if one and not b then c.fail('compare: %s is one network; needs two', a) end
  if one and other then return networks.of(a, b, o), networks_text end
  if one or other then
    c.fail('compare: %s is a network, %s is none; needs two networks or two sweeps', one and a or b, one and b or a)
  end
  return sweeps(o)
end

local function show(o)
  local r, words = which(o)
  if o.json then folder.out(json.encode(r, { pretty = true }) .. '\n') else print(words.text(r)) end
  return 0
end

-- ---- the verb ----

local asked = folder.asked

return command.new('compare', {
  about = folder.packed .. '; one alone: the codecs of that sweep\n'
    .. "two networks instead of sweeps: a run's folder, a cell or a file of weights (.safetensors) each",
  { '', folder.at(show), 'bits at equal accuracy, accuracy at equal bits, the cheapest codec', {
    { 'json', false, 'bool', 'all of it for programs' },
    asked[1], asked[2], asked[3],
    { 'data', nil, 'string', 'networks: the set that weights are scored on, else that of their training',
      form = 'data=NAME' },
    { 'test', nil, 'int', 'networks: so many of its test items', min = 1, form = 'test=N' },
    folder.row }, words = { 'ID', 1, 2 } },
})
