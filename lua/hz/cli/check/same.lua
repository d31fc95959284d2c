-- same.lua: questions of symbols and of determinism: the same item gives the same stream, whenever, beside whatever, in
-- whichever thread and process. Rows as questions.lua explains.
local crypto = require 'hz.ext.crypto'
local elf = require 'hz.cli.check.elf'
local ffi = require 'ffi'
local items = require 'hz.cli.check.items'
local c = require 'hz.c'
local subject = require 'hz.cli.check.subject'
local tensor = require 'hz.tensor.tensor'
local values_of = require 'hz.cli.check.values'

local own = { hz_plugin_main = true, hz_plugin_sources = true }      -- the second in plugins of the tree (plugins.mk)

local function symbols(s)
  if s.about.library == '' then error('library() is empty; results could not say what made them', 0) end
  if s.row.script then return 'hz.codec/1 by the table that its file returns' end
  local names = elf.names(s.row.path)
  if not names then return 'hz.codec/1 by hz_plugin_main; others are not told (no section headers)' end
  local strange = {}
  for _, n in ipairs(names.exports) do
    if not own[n] then strange[#strange + 1] = n end
  end
  if #strange > 0 then
    local more = #strange > 4 and (' and %d more'):format(#strange - 4) or ''
    error(('it exports %s%s besides hz_plugin_main; needs -fvisibility=hidden'):format(table.concat(strange, ', ', 1,
      math.min(#strange, 4)), more), 0)
  end
  for _, n in ipairs(names.wants) do
    if n:find '^hz_' then error(('it links %s of hz; needs what hz_host offers only'):format(n), 0) end
  end
  for _, n in ipairs(names.libraries) do
    if n:find '^libhz' then error(('it links %s; needs nothing of hz'):format(n), 0) end
  end
  return 'hz_plugin_main only; links ' .. table.concat(names.libraries, ' ')
end

local function some(s)
  local list = {}
  for _, which in ipairs { 'usual', 'small', 'short' } do
    for _, channels in ipairs(s.channels) do
      if channels == s.most or channels == s.channels[1] then list[#list + 1] = s:item(which, #list + 1, channels) end
    end
  end
  return list
end

-- The digests of streams and of what they become; another process has to find the same.
local function runs(s)
  local digest, n = crypto.new 'sha256', 0
  for _, row in ipairs(some(s)) do
    local back, bytes = s:trip(s.codec, row)
    digest:add(bytes):add(ffi.string(back:pointer 'read', back:count() * (s.kind == 'image' and 1 or 4)))
    n = n + 1
  end
  return s:count(n) .. ' in two processes, seconds apart', digest:hex()
end

local function again(s)
  local list, first = some(s), {}
  local beside = s:make(values_of.other(s))
  for i, row in ipairs(list) do first[i] = s:encode(s.codec, row) end
  local function compare(codec, when)
    for i, row in ipairs(list) do
      s:encode(beside, row)
      if s:encode(codec, row) ~= first[i] then error(('%s gave another stream %s'):format(row.called, when), 0) end
    end
  end
  compare(s.codec, 'the second time')
  compare(s:make(), 'from a fresh instance')
  local before, good = s.codec:decode(first[1]), nil
  s:decode(beside, s:encode(beside, list[#list]))
  good = s:decode(s.codec, first[1])
  if not subject.same(before, good) then error('a stream decoded otherwise the second time', 0) end
  return s:count(#list) .. ', also beside other values'
end

local THREADS, PATIENCE = 8, 1.2                       -- PATIENCE: seconds of trying

local function set_of(s)
  local one, n = s:item('usual', 1), s.kind == 'image' and 96 or 32
  local set = tensor.empty({ n, unpack(one.item:size()) }, one.item:type())
  for i = 1, n do set[i] = s:item('usual', i).item end
  return set, one.options
end

local function differ(a, b, what)
  if not subject.same(a, b) then error(what, 0) end
end

local function threads(s)
  local set, options = set_of(s)
  local function recode(n)
    s:at('recoding of %s on %d threads', s:count(set:size(1)), n)
    return s.codec:recode(set, { threads = n, rate = options and options.rate })
  end
  local one, account = recode(1)
  local start, rounds = c.C.hz_seconds(), 0
  s:guard 'TURNS'
  repeat
    local many, accounts = recode(THREADS)
    differ(one, many, ('%ss decode otherwise on %d threads: instances share something'):format(
      items.kinds[s.kind].name, THREADS))
    differ(account:payload(), accounts:payload(), ('the payload is another on %d threads'):format(THREADS))
    rounds = rounds + 1
  until c.C.hz_seconds() - start > PATIENCE
  for i = 1, set:size(1), 9 do
    local row = { item = set[i], options = options, called = s:count(1) .. ' of a set' }
    differ(s:trip(s.codec, row), one[i], 'alone it decodes otherwise than in a set')
  end
  return ('%s, on %d threads as on one; %d rounds'):format(s:count(set:size(1)), THREADS, rounds)
end

local function is_composed(s) return s.row.composed and 'it is made of codecs that are asked by themselves' end
local function is_serial(s) return s.row.script and 'a codec in Lua runs on one thread' end

return {
  { 'symbols', symbols, unless = is_composed,
    asks = 'exports hz_plugin_main alone, links nothing of hz, names its library' },
  { 'runs', runs, twice = true, asks = 'another process makes the same streams' },
  { 'again', again, asks = 'the same item gives the same stream, from any instance, beside others' },
  { 'threads', threads, unless = is_serial, asks = 'many threads at once make what one makes' },
}
