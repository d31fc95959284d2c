-- subject.lua: the codec that is tried, inside a process of its own: found by name or by the path of its plugin; each
-- call of it is told beforehand, so that whoever waits outside knows what was being done when the process ended.
local c = require 'hz.c'
local confine = require 'hz.ext.confine'
local items = require 'hz.cli.check.items'
local plugins = require 'hz.codec.plugins'
local posix = require 'hz.ext.posix'
local scripted = require 'hz.codec.scripted'
local tensor = require 'hz.tensor.tensor'
local usage = require 'hz.ext.usage'
local C = c.C

local M = {}

-- Ends the check: there is nothing to try.
local function stop(text, ...) error({ stop = text:format(...) }, 0) end
function M.is_stop(e) return type(e) == 'table' and rawget(e, 'stop') end

-- From now on what plugins are lent is guarded in these ways, too (names of hz_guard).
local function guard(...)
  local sum = tonumber(C.HZ_GUARD_CALLS)
  for _, name in ipairs { ... } do sum = sum + tonumber(C['HZ_GUARD_' .. name]) end
  C.hz_plugin_guard(sum, confine.SAYS)
end

-- ---- which one ----

local function row_where(fits)
  for _, r in ipairs(plugins.list()) do
    if fits(r) then return r end
  end
end

function M.is_path(word) return word:find('/', 1, true) ~= nil or word:find '%.so$' or word:find '%.lua$' end

local function row_of_file(path)
  local real = posix.realpath(path)
  local row = row_where(function(r) return r.path == real end)
  if not row then stop('%s was not looked at; needs a shared object', path) end
  if row.skipped then error(row.skipped, 0) end
  if not row.codec then error('it offers no codec of hz.codec/1; needs one to check', 0) end
  return row
end

-- Of a composed codec there is no plugin; its name stands for it.
local function row_of_name(name)
  local ok, about = c.try(plugins.codec, name)
  if not ok and name:find '[|:]' then stop('%s', tostring(about)) end
  if not ok then
    stop("no codec '%s' is loaded; have %s, or the path of a plugin (hz plugin list says what was skipped)%s", name,
      table.concat(plugins.codecs(), ', '), plugins.unbuilt { name })
  end
  return plugins.row(name) or { codec = name, library = about.library, composed = true }
end

local function load_file(path)
  local real, why = posix.realpath(path)
  if not real then stop('%s cannot be read: %s', path, why) end
  if path:find '%.lua$' then scripted.load_file(real) else c.check(C.hz_plugin_load_file(path, 0)) end
end

-- The file comes before all others: nothing hides it.
function M.load(word)
  confine.say('at loading ' .. word)
  guard()
  if M.is_path(word) then load_file(word) end
  plugins.load()
end

-- ---- what it takes ----

local function channels_of(mask)
  local list = {}
  for n = 1, 31 do
    if math.floor(mask / 2 ^ n) % 2 == 1 then list[#list + 1] = n end
  end
  return list
end

local usual_rates = { 8000, 22050, 44100, 48000 }

local function rates_of(api)
  if api.rates == nil then return usual_rates end
  local list = {}
  while api.rates[#list] ~= 0 do list[#list + 1] = api.rates[#list] end
  return #list > 0 and list or usual_rates
end

-- ---- calls ----

local Subject = {}
Subject.__index = Subject

local function at(text, ...) confine.say('at ' .. text:format(...)) end
Subject.at = function(_, text, ...) at(text, ...) end

Subject.guard = function(_, ...) guard(...) end

-- A codec with some values besides those that were given.
function Subject:make(values)
  local all, parts = {}, {}
  for k, v in pairs(self.given) do all[k] = v end
  for k, v in pairs(values or {}) do
    all[k] = v
    parts[#parts + 1] = k .. '=' .. plugins.value_text(v)
  end
  at('create%s', #parts > 0 and ' with ' .. table.concat(parts, ', ') or '')
  return require 'hz.codec.codec'[self.about.name](all)      -- lazy: it opens all plugins, and a file comes first
end

-- Stream and account of a row of items.lua.
function Subject:encode(codec, row)
  at('encode of %s', row.called)
  return codec:encode(row.item, row.options)
end

function Subject:decode(codec, bytes, called)
  at('decode of %s', called or ('a stream of %d bytes'):format(#bytes))
  return codec:decode(bytes)
end

-- There and back.
function Subject:trip(codec, row)
  local bytes, account = self:encode(codec, row)
  local back, rate = self:decode(codec, bytes, 'what was made of ' .. row.called)
  if tensor.shape_text(back) ~= tensor.shape_text(row.item) then
    error(('%s came back as %s'):format(row.called, tensor.shape_text(back)), 0)
  end
  if rate and rate ~= row.options.rate then error(('%s came back at %g Hz'):format(row.called, rate), 0) end
  return back, bytes, account
end

-- ---- memory ----

local MOST = 512 * 2 ^ 20          -- bytes that the process may grow by

-- From here on its growth is looked at.
function Subject:measure()
  usage.forget()
  self.base = usage.peak()
end

function Subject:look(called)
  local grown = usage.peak() - self.base
  if grown <= MOST then return end
  error(('%s made the process grow by %.0f MB; needs at most %.0f'):format(called, grown / 2 ^ 20, MOST / 2 ^ 20), 0)
end

-- ---- items ----

-- Items by items.lua's names: of the most channels it takes (of the first two), at its usual rate.
function Subject:item(which, seed, channels)
  return items.kinds[self.kind][which](channels or self.most, self.rate, seed or 5)
end

function Subject:count(n) return items.count(n, self.kind) end

function M.same(a, b) return tensor.shape_text(a) == tensor.shape_text(b) and a:ne(b):sum() == 0 end

-- What `word` names, with parameters given as texts; its codec is not made yet.
function M.new(word, given)
  M.load(word)
  local row = (M.is_path(word) and row_of_file or row_of_name)(word)
  local about, api = plugins.codec(row.codec), C.hz_codec_find(row.codec)
  local self = setmetatable({ row = row, about = about, kind = about.kind, lossless = about.lossless,
    channels = channels_of(tonumber(api.channels)), given = plugins.values(about, given) }, Subject)
  if self.kind == 'audio' then
    self.rates = rates_of(api)
    self.rate = self.rates[#self.rates]
    for _, r in ipairs(self.rates) do
      if r == 44100 then self.rate = r end
    end
  end
  for _, n in ipairs(self.channels) do
    if n <= 3 and not (self.kind == 'audio' and n > 2) then self.most = n end
  end
  self.most = self.most or self.channels[1]
  if not self.most then error('it takes no number of channels; needs one or more (hz_codec_api.channels)', 0) end
  return self
end

-- Makes the codec with the given values.
function Subject:open()
  local ok, codec = c.try(self.make, self)
  if not ok then stop('%s', tostring(codec)) end
  self.codec = codec
end

return M
