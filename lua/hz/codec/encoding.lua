-- encoding.lua: an encoding is a codec with values: what images or sounds went through. The untouched data are one as
-- well, raw.
--   name       'jpeg', 'raw', 'resize:16|jpeg'
--   parameter  the walked parameter that stands for the encoding, and
--   value      its value: a number, true, false, a choice, 'a:b:c' for a vector; both nil where none is walked
--   further    name -> value of the other walked parameters; nil without
--   values     all values as the codec writes them, 'quality=10;subsampling=420;...'; nil for raw, and where a
--              record does not say
--   text       'jpeg 10', 'jpeg 10 subsampling=444', 'png level=0', 'png', 'raw'
--   codec, id  what encodes (nil: nothing does), and what decides a result; in encodings that were made, not in those
--              that a record tells of
-- Equal encodings leave the same bytes: two are equal by all values where these are known, else by text.
local c = require 'hz.c'
local isolate = require 'hz.codec.isolate'
local plugins = require 'hz.codec.plugins'

local M, Encoding = {}, {}
Encoding.__index = Encoding

-- ---- text ----

local function value_text(v)
  if type(v) ~= 'table' then return tostring(v) end
  local parts = {}
  for i, x in ipairs(v) do parts[i] = tostring(x) end
  return table.concat(parts, ':')
end

local function sorted(map)
  local names = {}
  for name in pairs(map or {}) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- 'subsampling=444' and so on for all walked parameters but the one that stands for the encoding; '' without.
function Encoding:further_text()
  local parts = {}
  for i, name in ipairs(sorted(self.further)) do parts[i] = name .. '=' .. value_text(self.further[name]) end
  return table.concat(parts, ' ')
end

-- Everybody knows what a quality is; other parameters are named.
local function text_of(e)
  local parts = { e.name }
  if e.value ~= nil then parts[2] = (e.parameter == 'quality' and '' or e.parameter .. '=') .. value_text(e.value) end
  if e.further then parts[#parts + 1] = e:further_text() end
  return table.concat(parts, ' ')
end

local function new(e)
  setmetatable(e, Encoding)
  e.text = text_of(e)
  return e
end

-- Beside a point of a plot: the value, or the codec where none is walked.
function Encoding:label_text() return self.value == nil and self.name or value_text(self.value) end

function Encoding:__tostring() return self.text end

function Encoding.__eq(a, b)
  if a.name ~= b.name then return false end
  if a.values and b.values then return a.values == b.values end
  return a.text == b.text
end

-- ---- order ----

-- Tables rise by bits per sample (of what was encoded so), and end with the untouched data.
function Encoding:rank(bits) return bits + (self.name == 'raw' and 1e6 or 0) end

-- ---- making one ----

M.raw = new { name = 'raw', id = 'raw' }

-- Of declared parameters the one that stands for all: quality, of several stages that of the last, else the first that
-- is said to give more or fewer bits as it rises, else the first (core/codec/chain.c goes by the same for 'jpeg:10').
-- What a codec's name says is none of them. nil without parameters.
function M.main(params)
  local quality, directed, first
  for _, p in ipairs(params) do
    if not p.fixed then
      first = first or p
      if p.name == 'quality' or p.name:find '%.quality$' then quality = p end
      if not directed and p.direction ~= 0 then directed = p end
    end
  end
  return quality or directed or first
end

-- Of `asked` what a codec has and its name leaves free: 'jpeg.quality' -> the name that it was asked for by.
local function named(about, asked)
  local by = {}
  for name in pairs(asked) do
    local p = plugins.param(about.params, name)
    local other = p and by[p.name]
    if other then
      c.fail('%s: %s and %s are both given; needs one of them', about.name, math.min(#name, #other) == #name and name
        or other, math.min(#name, #other) == #name and other or name)
    end
    if p and not p.fixed then by[p.name] = name end
  end
  return by
end

-- A vector is written 'a:b:c' where commas part values.
local function for_codec(p, v)
  if not p.length or type(v) == 'table' then return v end
  return (tostring(v):gsub(':', ','))
end

-- The encoding of a codec at `asked` (name -> value). Parameters that the codec does not have are nothing to it; the
-- value 'raw', of whichever, means the untouched data. Values that the codec refuses are errors. mode: which codecs are
-- made in a process of their own (isolate.lua); nil: none.
function M.make(name, asked, mode)
  for _, v in pairs(asked) do
    if v == 'raw' then return M.raw end
  end
  if name == 'raw' then return M.raw end
  local maker = require 'hz.codec.codec'[name]         -- lazy: it loads all plugins, and records are read without them
  local params, by, given, walked = maker.about.params, named(maker.about, asked), {}, {}
  for _, p in ipairs(params) do
    if by[p.name] then
      given[p.name] = for_codec(p, asked[by[p.name]])
      walked[#walked + 1] = p
    end
  end
  local codec, main = maker(given, mode and isolate.wanted(mode, maker.about)), M.main(walked)
  local e = { name = codec.name, codec = codec, values = codec.text,
    id = { codec = codec.fingerprint, values = codec.text } }
  for _, p in ipairs(walked) do
    local v = codec.values[p.name]
    if type(v) == 'table' then v = value_text(v) end
    local called = p == plugins.param(params, 'quality') and 'quality' or p.name
    if p == main then
      e.parameter, e.value = called, v
    else
      e.further = e.further or {}
      e.further[called] = v
    end
  end
  return new(e)
end

-- What the codec does to the sounds of a set that its values do not say (another rate, a lowpass); nil for nothing, and
-- for images.
function Encoding:forces(set)
  if not self.codec or not set.sounds then return nil end
  local text = self.codec:note { rate = set.rate, channels = set.sounds.channels }
  return text ~= '' and text or nil
end

-- ---- in records ----

-- Writes what a record says of an encoding into `labels`; side: '' (training) or '_test'. A parameter goes without
-- saying when it is called quality.
function Encoding:label(labels, side)
  labels['codec' .. side], labels['quality' .. side] = self.name, self.value
  labels['parameter' .. side] = self.parameter ~= 'quality' and self.parameter or nil
  labels['further' .. side] = self.further
end

-- The encoding that labels tell of; decided: what decides the record's result (id), nil where it does not say.
function M.of(labels, side, decided)
  if labels['codec' .. side] == 'raw' then return M.raw end
  local value = labels['quality' .. side]
  return new { name = labels['codec' .. side], value = value, further = labels['further' .. side],
    parameter = value ~= nil and (labels['parameter' .. side] or 'quality') or nil,
    values = type(decided) == 'table' and decided.values or nil }
end

-- All values by name, as texts; empty for raw and where they are not known.
function Encoding:all_values()
  local map = {}
  for name, text in (self.values or ''):gmatch '([%w_.]+)=([^;]*)' do map[name] = text end
  return map
end

-- The parameter that stands for most of a list of encodings: that of the first which has one.
local function first_parameter(list)
  for _, e in ipairs(list) do
    if e.parameter then return e.parameter end
  end
  return 'quality'
end

-- What a list of encodings walks: '10,75,raw', '10,75,raw subsampling=420,444', 'bits=2,4'. most: of more values (nil:
-- any number) the first and the last stand for all.
function M.walk(list, most)
  local order, values = {}, {}
  local function add(name, text)
    if not values[name] then
      order[#order + 1], values[name] = name, {}
    end
    local mine = values[name]
    if not mine[text] then mine[#mine + 1], mine[text] = text, true end
  end
  for _, e in ipairs(list) do
    if e.value ~= nil then add(e.parameter, value_text(e.value)) else add(first_parameter(list), e.name) end
    for _, name in ipairs(sorted(e.further)) do add(name, value_text(e.further[name])) end
  end
  for i, name in ipairs(order) do
    local mine = values[name]
    local text = most and #mine > most and ('%s, ... %s'):format(mine[1], mine[#mine]) or table.concat(mine, ',')
    order[i] = name == 'quality' and text or name .. '=' .. text
  end
  return table.concat(order, ' ')
end

return M
