-- recode.lua: sets as a codec leaves them, and what their files cost. Encoding and decoding run once on all cores; the result is kept in
-- memory while the process lives, and in a cache on disk that is keyed by content (sets, codec, its library and values). The cache
-- may be deleted at any time; entries that do not have their checksum are made anew; the oldest go when it grows beyond its cap.
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local say = require 'hz.base.say'
local safetensors = require 'hz.tensor.safetensors'
local tensor = require 'hz.tensor.tensor'

local M = {}

M.cap = 10e9                       -- bytes on disk
M.resident = 2 ^ 31                -- bytes of decoded sets kept in memory
local SCHEMA = 1

function M.folder() return file.join(file.cache_home(), 'recoded') end

-- ---- accounts: sums over items, so that they can be added ----

local sums = { 'items', 'samples', 'payload', 'tables', 'container', 'tables_once', 'squared_error', 'ssim' }

-- items; samples; bytes of payload, tables and container over all stand-alone files; bytes of the distinct table segments;
-- squared error; SSIM, each summed over the items.
function M.no_account()
  local a = {}
  for _, name in ipairs(sums) do a[name] = 0 end
  return a
end

function M.add(a, b)
  local out = {}
  for _, name in ipairs(sums) do out[name] = a[name] + b[name] end
  return out
end

-- Means per file and per sample of an account: bytes_*, bits_per_sample (payload, and tables counted once for the set),
-- bits_per_sample_file (everything), psnr (nil when exact), ssim.
function M.means(a)
  local psnr = c.C.hz_psnr(a.squared_error, a.samples)
  return {
    bytes_payload = a.payload / a.items, bytes_tables = a.tables / a.items, bytes_container = a.container / a.items,
    bits_per_sample = 8 * (a.payload + a.tables_once) / a.samples,
    bits_per_sample_file = 8 * (a.payload + a.tables + a.container) / a.samples,
    psnr = psnr < math.huge and psnr or nil, ssim = a.ssim / a.items,
  }
end

local columns = { 'payload', 'tables', 'container', 'squared_error', 'ssim' }

-- Account of items from..to of an entry; tables_once belongs to the whole.
local function account_of(entry, from, to)
  local a = M.no_account()
  a.items, a.samples = to - from + 1, (to - from + 1) * entry.samples
  for _, name in ipairs(columns) do
    local p, sum = entry.tensors[name]:pointer 'read', 0
    for i = from - 1, to - 1 do sum = sum + p[i] end
    a[name] = sum
  end
  return a
end

-- ---- making an entry ----

local function joined(parts)
  if #parts == 1 then return parts[1].items:contiguous() end
  local n, shape, at = 0, parts[1].items:size(), 0
  for _, set in ipairs(parts) do n = n + #set.labels end
  shape[1] = n
  local all = tensor.empty(shape, 'u8')
  for _, set in ipairs(parts) do
    all:slice(1, at + 1, at + #set.labels):copy(set.items)
    at = at + #set.labels
  end
  return all
end

local function samples_per_item(items) return items:count() / #items end

local function make(parts, codec)
  local items = joined(parts)
  local decoded, account = codec:recode(items)
  local _, ssim = require 'hz.codec.quality'.ssim(items, decoded)
  return { samples = samples_per_item(items), tables_once = account.tables_once, tensors = {
    items = decoded, payload = account:payload(), tables = account:tables(), container = account:container(),
    squared_error = account:squared_error(), ssim = ssim } }
end

-- The untouched data: every sample is stored, nothing else.
local function raw(parts)
  local out = { sets = parts, account = M.no_account(), parts = {} }
  for i, set in ipairs(parts) do
    local a, n = M.no_account(), #set.labels
    a.items, a.samples, a.payload, a.ssim = n, set.items:count(), set.items:count(), n
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

local function remember(key, entry)
  memory[key] = entry
  used(key)
  local bytes = 0
  for _, e in pairs(memory) do bytes = bytes + e.tensors.items:count() end
  while bytes > M.resident and #order > 1 do
    local oldest = table.remove(order, 1)
    bytes = bytes - memory[oldest].tensors.items:count()
    memory[oldest] = nil
  end
end
-- Forgets what is in memory (not on disk).
function M.forget() memory, order = {}, {} end

-- Removes the oldest entries until at most `cap` bytes remain; `spare` is never removed.
local function prune(folder, cap, spare)
  local list, bytes = {}, 0
  for _, name in ipairs(file.list(folder)) do
    local path = file.join(folder, name)
    local ok, s = pcall(file.stat, path)               -- another process may have removed it
    if ok and name:find '%.safetensors$' then
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

local function load_entry(path, key)
  local tensors, meta = safetensors.read(path)
  local head = meta['hz.recode'] and json.decode(meta['hz.recode'], path) or {}
  if head.key ~= key then c.fail('%s: it is no entry for these data and this codec', path) end
  return { tensors = tensors, samples = head.samples, tables_once = head.tables_once }
end

local function store_entry(path, key, entry)
  file.mkdir(file.folder_of(path))
  file.sweep(file.folder_of(path))
  local head = { key = key, samples = entry.samples, tables_once = entry.tables_once }
  safetensors.write(path, entry.tensors, { ['hz.recode'] = json.encode(head) })
  prune(file.folder_of(path), M.cap, path)
end

local function fetch(parts, codec, key, note)
  if memory[key] then used(key) return memory[key] end
  local path, entry = file.join(M.folder(), key:sub(1, 40) .. '.safetensors'), nil
  if file.exists(path) then
    entry = attempt(note, 'recode: %s; the cache entry is made anew', load_entry, path, key)
  end
  if not entry then
    entry = make(parts, codec)
    attempt(note, 'recode: %s; going on without the cache on disk', store_entry, path, key, entry)
  end
  remember(key, entry)
  return entry
end

-- Recodes several sets of one kind as one: byte-identical table segments count once for all of them. codec: nil leaves them raw.
-- Returns { sets (in the order of `parts`, hashes and labels those of the originals), account, parts (an account each; their
-- tables_once is 0, it belongs to the whole) }. note(text) takes messages about the cache (default: stderr).
function M.group(parts, codec, note)
  if not codec then return raw(parts) end
  local digests = {}
  for i, set in ipairs(parts) do
    if set.items:type() ~= 'u8' or set.items.ndim ~= 4 then
      c.fail('recode: %s has items %s %s; needs images, u8 (items,height,width,channels)', set.name, set.items:type(), tensor.shape_text(set.items))
    end
    digests[i] = set.digest .. (set.recoded and ' ' .. set.recoded or '')
  end
  local key = crypto.sha256(json.encode { schema = SCHEMA, parts = digests, codec = codec.fingerprint, values = codec.text })
  local entry = fetch(parts, codec, key, note or say)
  local out, at = { sets = {}, parts = {}, account = M.no_account() }, 0
  for i, set in ipairs(parts) do
    local n = #set.labels
    out.sets[i] = set:replace(entry.tensors.items:slice(1, at + 1, at + n), ('%s{%s}'):format(codec.name, codec.text))
    out.parts[i] = account_of(entry, at + 1, at + n)
    out.account, at = M.add(out.account, out.parts[i]), at + n
  end
  out.account.tables_once = entry.tables_once
  return out
end

return M
