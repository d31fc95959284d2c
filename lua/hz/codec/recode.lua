-- recode.lua: sets as a codec leaves them, and what their files cost. Encoding and decoding run once on all cores; the
-- result is kept in memory while the process lives, and in a cache on disk that is keyed by content (sets, codec, its
-- library and values; of sounds also the form of their features, which are what is kept). The cache may be deleted at
-- any time; entries that do not have their checksum are made anew; the oldest go when it grows beyond its cap.
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local isolate = require 'hz.codec.isolate'
local json = require 'hz.base.json'
local measure = require 'hz.codec.measure'
local media = require 'hz.codec.media'
local plugins = require 'hz.codec.plugins'
local resound = require 'hz.codec.resound'
local say = require 'hz.base.say'
local safetensors = require 'hz.tensor.safetensors'
local tensor = require 'hz.tensor.tensor'

local M = {}

M.cap = 10e9                       -- bytes on disk
M.resident = 2 ^ 31                -- bytes of decoded sets kept in memory
local SCHEMA = 1

-- nil where there is no home to have a cache in.
function M.folder()
  local home = file.cache_home()
  return home and file.join(home, 'recoded')
end

-- ---- accounts: sums over items, so that they can be added ----

local spent = { 'payload', 'tables', 'container' }

-- What is known of each item of a kind: bytes, what is measured (measure.lua), and of sounds, which differ in length,
-- samples and seconds.
local function columns(kind)
  local list = { unpack(spent) }
  for _, name in ipairs(measure.columns[kind]) do list[#list + 1] = name end
  for _, name in ipairs(kind == 'audio' and resound.columns or {}) do list[#list + 1] = name end
  return list
end

-- An account has items; samples; bytes of the distinct table segments; and the columns of its kind, over all
-- stand-alone files. One of images does not say its kind.
local function kind_of(account) return account.kind or 'image' end
local function sums(kind)
  local list = columns(kind)
  for _, name in ipairs { 'items', 'tables_once', kind == 'image' and 'samples' or nil } do list[#list + 1] = name end
  return list
end

function M.no_account(kind)
  local a = { kind = kind ~= 'image' and kind or nil }
  for _, name in ipairs(sums(kind_of(a))) do a[name] = 0 end
  return a
end

-- An account of nothing takes the other's kind.
function M.add(a, b)
  local out = M.no_account((b.items > 0 and b or a).kind)
  for _, name in ipairs(sums(kind_of(out))) do out[name] = (a[name] or 0) + (b[name] or 0) end
  return out
end

-- Means per file and per sample of an account: bytes_*, bits_per_sample (payload, and tables counted once for the set),
-- bits_per_sample_file (everything), and the figures of its kind, such as psnr (nil when exact) and ssim.
function M.means(a)
  local out = {
    bits_per_sample = 8 * (a.payload + a.tables_once) / a.samples,
    bits_per_sample_file = 8 * (a.payload + a.tables + a.container) / a.samples,
  }
  for _, name in ipairs(spent) do out['bytes_' .. name] = a[name] / a.items end
  for _, figure in ipairs(measure.figures[kind_of(a)]) do out[figure[1]] = figure[3](a) end
  return out
end

-- Forms of accounts by kind.
local forms, any = {}, {}
for kind in pairs(measure.columns) do
  forms[kind] = {}
  for _, name in ipairs(sums(kind)) do forms[kind][name] = 'number' end
end

-- An account that was read from a file. at: where it stands there.
function M.check_account(path, a, at)
  fields.check(path, a, any, at)
  if not forms[kind_of(a)] then c.fail('%s: %s.kind is unknown; have image, audio', path, at) end
  fields.check(path, a, forms[kind_of(a)], at)
end

-- Account of items from..to of an entry; tables_once belongs to the whole.
local function account_of(entry, kind, from, to)
  local a = M.no_account(kind)
  a.items, a.samples = to - from + 1, (to - from + 1) * (entry.samples or 0)
  for _, name in ipairs(columns(kind)) do a[name] = entry.tensors[name]:slice(1, from, to):sum() end
  return a
end

-- ---- making an entry ----

local function joined(parts)
  if #parts == 1 then return parts[1].items:contiguous() end
  local n, shape, at = 0, parts[1].items:size(), 0
  for _, set in ipairs(parts) do n = n + #set.labels end
  shape[1] = n
  local all = tensor.empty(shape, parts[1].items:type())
  for _, set in ipairs(parts) do
    all:slice(1, at + 1, at + #set.labels):copy(set.items)
    at = at + #set.labels
  end
  return all
end

local function make(parts, codec, kind, apart)
  if kind == 'audio' then return resound.make(parts, codec, columns(kind), apart) end
  local items = joined(parts)
  local decoded, account = codec:recode(items, { isolate = apart })
  local entry = { samples = items:count() / #items, tables_once = account.tables_once, tensors = { items = decoded } }
  for _, name in ipairs(columns(kind)) do entry.tensors[name] = account[name](account) end
  return entry
end

-- Untouched images: every sample is stored, nothing else.
local function raw(parts)
  local out = { sets = parts, account = M.no_account(), parts = {} }
  for i, set in ipairs(parts) do
    local a = M.no_account()
    a.items, a.samples = #set.labels, set.items:count()
    a.payload = a.samples
    for _, name in ipairs(measure.columns.image) do a[name] = a.items * measure.of_equal(name, 'image') end
    out.parts[i], out.account = a, M.add(out.account, a)
  end
  return out
end

-- ---- memory and disk ----

local memory, order = {}, {}       -- key -> entry; keys, oldest use first

local function used(key)
  for i, k in ipairs(order) do
    if k == key then table.remove(order, i) break end
  end
  order[#order + 1] = key
end

local function bytes_of(entry)
  local items = entry.tensors.items
  return items:count() * tonumber(c.C.hz_dtype_bytes(items.dtype))
end

local function remember(key, entry)
  memory[key] = entry
  used(key)
  local bytes = 0
  for _, e in pairs(memory) do bytes = bytes + bytes_of(e) end
  while bytes > M.resident and #order > 1 do
    local oldest = table.remove(order, 1)
    bytes = bytes - bytes_of(memory[oldest])
    memory[oldest] = nil
  end
end

-- What a codec has ended in its own process, by key: it would again, in each cell that needs it.
local failures = {}

-- Lets what has failed be tried again.
function M.retry() failures = {} end

-- Forgets what is in memory (not on disk).
function M.forget()
  memory, order = {}, {}
  M.retry()
end

-- Removes the oldest entries until at most `cap` bytes remain; `spare` is never removed.
local function prune(folder, cap, spare)
  local list, bytes = {}, 0
  for _, name in ipairs(file.list(folder)) do
    local path = file.join(folder, name)
    local ok, s = c.try(file.stat, path)               -- another process may have removed it
    if ok and s.kind == 'file' and name:find '%.safetensors$' then
      bytes = bytes + s.bytes
      if path ~= spare then list[#list + 1] = { path = path, bytes = s.bytes, modified = s.modified } end
    end
  end
  table.sort(list, function(a, b)
    if a.modified ~= b.modified then return a.modified < b.modified end
    return a.path < b.path
  end)
  for _, e in ipairs(list) do
    if bytes <= cap then break end
    file.remove(e.path)
    bytes = bytes - e.bytes
  end
end

-- Runs f; a failure becomes a note and nil, except an interrupt.
local function attempt(note, what, f, ...)
  local ok, value = pcall(f, ...)
  if ok then return value end
  if c.is_interrupt(value) then error(value, 0) end
  note(what:format(tostring(value)))
end

local function shape_of(set)
  if set.sounds then return set.sounds:shape() end
  local shape = set.items:size()
  table.remove(shape, 1)
  return shape
end

local told = {}                    -- names of codecs

-- Says once of a codec that it will take its time.
local function tell_slow(codec, note)
  if told[codec.name] then return end
  told[codec.name] = true
  for _, stage in ipairs(plugins.stages(codec.name)) do
    local row = plugins.row(stage)
    if row and row.script then note(stage .. ' is written in Lua: it recodes on one thread, slower than C') end
  end
end

-- An entry that was made for these sets: its items are shaped as they are.
local function load_entry(path, key, parts, kind)
  local tensors, _, head = safetensors.read_own(path, 'hz.recode', 'recoded set')
  fields.check(path, head, { key = 'string', samples = kind == 'image' and 'whole' or 'whole?', tables_once = 'whole' })
  if head.key ~= key then c.fail('%s: it is no entry for these data and this codec', path) end
  local n = 0
  for _, set in ipairs(parts) do n = n + #set.labels end
  safetensors.expect(path, tensors, 'items', media.kinds[kind].dtype, { n, unpack(shape_of(parts[1])) })
  for _, name in ipairs(columns(kind)) do safetensors.expect(path, tensors, name, 'f64', { n }) end
  if kind == 'image' and head.samples ~= tensors.items:count() / n then
    c.fail('%s: it has %.0f samples an item; needs %.0f', path, head.samples, tensors.items:count() / n)
  end
  return { tensors = tensors, samples = head.samples, tables_once = head.tables_once }
end

local function store_entry(path, key, entry)
  file.mkdir(file.folder_of(path))
  file.sweep(file.folder_of(path))
  local head = { key = key, samples = entry.samples, tables_once = entry.tables_once }
  safetensors.write(path, entry.tensors, { ['hz.recode'] = json.encode(head) })
  prune(file.folder_of(path), M.cap, path)
end

-- Makes an entry; apart: in a process of its own.
local function made(parts, codec, kind, key, apart)
  if not apart then return make(parts, codec, kind, false) end
  local ok, entry = true, nil
  if not failures[key] then ok, entry = c.try(make, parts, codec, kind, true) end
  if not ok then failures[key] = tostring(entry) end
  if failures[key] then error(failures[key], 0) end
  return entry
end

local function fetch(parts, codec, kind, key, note, apart)
  if memory[key] then used(key) return memory[key] end
  local folder, entry = M.folder(), nil
  local path = folder and file.join(folder, key:sub(1, 40) .. '.safetensors')
  if codec and not (path and file.exists(path)) then tell_slow(codec, note) end
  if path and file.exists(path) then
    entry = attempt(note, 'recode: %s; the cache entry is made anew', load_entry, path, key, parts, kind)
  end
  if not entry then
    entry = made(parts, codec, kind, key, apart)
    if path then attempt(note, 'recode: %s; going on without the cache on disk', store_entry, path, key, entry) end
  end
  remember(key, entry)
  return entry
end

-- What a codec can recode: images, or sets of sounds.
local function check(parts, codec)
  local sounds = parts[1].sounds ~= nil
  if sounds then resound.check(parts) end
  if not codec then return end
  if (codec.kind == 'audio') ~= sounds then
    c.fail('recode: %s holds %s; %s takes %s', parts[1].name, sounds and 'sounds' or 'images', codec.name,
      media.kinds[codec.kind].items)
  end
  for _, set in ipairs(sounds and {} or parts) do
    if set.items:type() ~= 'u8' or set.items.ndim ~= 4 then
      c.fail('recode: %s has items %s %s; needs images, u8 (items,height,width,channels)', set.name, set.items:type(),
        tensor.shape_text(set.items))
    end
  end
end

-- What decides an entry.
local function key_of(parts, codec)
  local digests, sounds = {}, parts[1].sounds
  for i, set in ipairs(parts) do digests[i] = set.digest .. (set.recoded and ' ' .. set.recoded or '') end
  return crypto.sha256(json.encode { schema = SCHEMA, parts = digests, made = sounds and sounds.made,
    codec = codec and codec.fingerprint or 'raw', values = codec and codec.text or '' })
end

-- Recodes several sets of one kind as one: byte-identical table segments count once for all of them. codec: nil leaves
-- them raw. Returns { sets (in the order of `parts`, hashes and labels those of the originals), account, parts (an
-- account each; their tables_once is 0, it belongs to the whole) }. note(text) takes messages about the cache (default:
-- stderr).
function M.group(parts, codec, note, mode)
  check(parts, codec)
  local kind = parts[1].sounds and 'audio' or 'image'
  if not codec and kind == 'image' then return raw(parts) end
  local apart = codec ~= nil and isolate.wanted(mode or 'auto', codec)
  local entry = fetch(parts, codec, kind, key_of(parts, codec), note or say, apart)
  local how = codec and ('%s{%s}'):format(codec.name, codec.text)
  local out, at = { sets = {}, parts = {}, account = M.no_account(kind) }, 0
  for i, set in ipairs(parts) do
    local n = #set.labels
    out.sets[i] = set:replace(entry.tensors.items:slice(1, at + 1, at + n), how)
    out.parts[i] = account_of(entry, kind, at + 1, at + n)
    out.account, at = M.add(out.account, out.parts[i]), at + n
  end
  out.account.tables_once = entry.tables_once
  return out
end

return M
