-- bits.lua: what untouched items take, coded without loss by coders that are named, and what an encoding saves against
-- the best of them. The codec of the house (png, flac) codes each item, as lossy codecs do; xz codes the samples of all
-- items as one stream. Tables count once for the set in the payload, with each file in `file`; xz has one file.
-- Coding the items once is enough: what came out is kept in the cache by content, and may be deleted at any time.
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local encoding = require 'hz.codec.encoding'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local progress = require 'hz.base.progress'
local recode = require 'hz.codec.recode'
local say = require 'hz.base.say'
local together = require 'hz.codec.together'

local M = {}

local SCHEMA = 1

-- ---- the coders: f(sets) -> bytes of payload, bytes of files, what coded ----

local function xz(sets, total)
  local bytes = together.bytes('xz', sets, total)
  return bytes, bytes, 'xz, all items'
end

local function by_codec(name)
  return function(sets)
    local a = recode.group(sets, encoding.make(name, {}).codec).account
    return a.payload + a.tables_once, a.payload + a.tables + a.container, name
  end
end

local coders = { images = { by_codec 'png', xz }, sounds = { by_codec 'flac', xz } }

-- ---- one account, and the cache of them ----

-- Of digests, as sets and records have them: of training, validation and test; a part that is another counts once.
local function key_of(digests)
  local list, seen = {}, {}
  for _, digest in ipairs(digests) do
    if not seen[digest] then list[#list + 1], seen[digest] = digest, true end
  end
  return crypto.sha256(json.encode { schema = SCHEMA, parts = list }):sub(1, 40)
end

local function path_of(key)
  local home = file.cache_home()
  return home and file.join(file.join(home, 'lossless'), key .. '.json')
end

local form = { key = 'string', items = 'whole', samples = 'whole', raw = 'whole', coders = 'list', missing = 'texts' }
local coder_form = { name = 'string', payload = 'whole', file = 'whole' }

-- An account by its key, as it was read from a file.
function M.check(path, a, key)
  fields.check(path, a, form)
  for i, coder in ipairs(a.coders) do fields.check(path, coder, coder_form, ('coders[%d]'):format(i)) end
  if a.key ~= key or a.samples == 0 or a.items == 0 then c.fail('%s: it is no account of these items', path) end
  return a
end

local function load(path, key) return M.check(path, json.decode(file.read_all(path), path), key) end

-- The account that is in the cache, nil without one; damage is none.
local function stored(key)
  local path = path_of(key)
  if not path or not file.exists(path) then return nil end
  local ok, a = c.try(load, path, key)
  if ok then return a end
  say(tostring(a) .. '; the lossless bits are counted anew where the data are')
end

local function store(key, a)
  local path = path_of(key)
  if not path then return end
  local ok, e = c.try(function()
    file.mkdir(file.folder_of(path))
    file.write(path, json.encode(a))
  end)
  if not ok then say(('%s; going on without the cache'):format(e)) end
end

local function count(sets, key)
  local shown = progress.new()
  shown:show 'counting lossless bits'
  local plain = recode.group(sets).account
  local a = { key = key, items = plain.items, samples = plain.samples, raw = plain.payload, coders = json.array {},
    missing = json.array {} }
  for _, coder in ipairs(coders[sets[1].sounds and 'sounds' or 'images']) do
    local ok, payload, files, name = pcall(coder, sets, plain.payload)
    if not ok and c.is_interrupt(payload) then error(payload, 0) end
    if ok then
      a.coders[#a.coders + 1] = { name = name, payload = payload, file = files }
    else
      a.missing[#a.missing + 1] = tostring(payload)
    end
  end
  shown:clear()
  return a
end

-- ---- asking ----

local function digests_of_sets(sets)
  local list = {}
  for i, set in ipairs(sets) do list[i] = set.digest .. '\0' .. (set.made or '') end
  return list
end

local function digests_of(record)
  local d = record.decides
  if not d or not d.training.data then return nil end
  local list = {}
  for _, part in ipairs { { d.training.data, 'data' }, { d.training.watch }, { d.test } } do
    list[#list + 1] = part[1] and part[1].digest .. '\0' .. (d.test.made or '')
  end
  return list
end

-- The account of all items of a cell: { items, samples, raw (bytes), coders = list of { name, payload, file (bytes) },
-- missing = why coders did not run }. sets: those items, to be coded where the cache does not know of them; without
-- them nil then. known: accounts by key, of the same report.
function M.lossless(record, sets, known)
  local digests = sets and digests_of_sets(sets) or digests_of(record)
  if not digests then return nil end
  known = known or {}
  local key = key_of(digests)
  local a = known[key] or stored(key)
  if sets and not known[key] and (not a or #a.missing > 0) then
    a = count(sets, key)
    store(key, a)
  end
  known[key] = a
  return a
end

-- The coder with the fewest bytes of a kind ('payload', 'file'); nil without coders.
function M.best(a, kind)
  local best
  for _, coder in ipairs(a and a.coders or {}) do
    if not best or coder[kind] < best[kind] then best = coder end
  end
  return best
end

return M
