-- dataset.lua: labelled sets of items, and the registry of those that exist (one file each in datasets/).
--
-- A set has fields name, part ('train', 'test', ...), items (N,H,W,C) u8 or f32 features, labels (N) i32 from 0,
-- classes = { names }, hashes (N,32) u8, source, maybe entropy (N) f32; one of files also what these are (`files`) and
-- stored (N,5) f64, what each takes (source.lua); one of pictures that were made one size also `made`, how, and origins
-- (N,16) u8, names for the contents of their files, which splits follow: the same split whatever the size.
-- A set of sounds has the sounds (clips.lua), their rate, and clips (N) i32, their numbers there; its items are their
-- features, made when they are first asked for, and its hashes those of the sounds.
-- Its items are ordered by the sha256 of their bytes: index, digest, subsets and splits follow from the contents
-- alone, never from the order of files or from a seed. `digest` names the contents. Hashes stay those of the original
-- items when a set is recoded: the same split whatever the encoding. Sets with `scenes` (words) are ordered by origins.
local ffi = require 'ffi'
local args = require 'hz.base.args'
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local file = require 'hz.base.file'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local order_of = require 'hz.data.order'
local say = require 'hz.base.say'
local suspect = require 'hz.data.suspect'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.line

local big_endian, ranked, gather = order_of.big_endian, order_of.ranked, order_of.gather
local hash_rows, bytes_at, origins_of = order_of.hash_rows, order_of.bytes_at, order_of.origins_of

local M = {}
M.fail = c.fail                                       -- for the files in datasets/, which do not open the core

-- A line on stderr for whoever began; the processes that compute cells for a sweep load the same data and are silent.
function M.warn(text)
  if not os.getenv 'HZ_SWEEP_WORKER' then say(text) end
end

local methods = {}
local columns = { 'items', 'labels', 'hashes', 'entropy', 'stored', 'origins', 'clips' }      -- one row per item

-- A set is a userdata in front of its table: LuaJIT asks the length only of those.
local tables = setmetatable({}, { __mode = 'k' })
local first = newproxy(true)
local function wrap(fields)
  local set = newproxy(first)
  tables[set] = fields
  return set
end

local function title(set) return set.name .. (set.part and ' ' .. set.part or '') end

-- ---- making ----

local function kind_of(items)
  local shape = items:size()
  table.remove(shape, 1)
  return items:type() .. ' ' .. table.concat(shape, 'x')
end

local function check_labels(who, labels, classes)
  local p = labels:pointer 'read'
  for i = 0, #labels - 1 do
    if p[i] < 0 or p[i] >= #classes then
      c.fail('%s: item %d has label %d; needs 0..%d', who, i + 1, p[i], #classes - 1)
    end
  end
end

local function check_raw(raw)
  local who = 'data set ' .. tostring(raw.name)
  if not raw.sounds and (not tensor.is(raw.items) or raw.items.ndim < 2) then
    c.fail('%s: items is %s; needs a tensor (N,...)', who, type(raw.items))
  end
  local n = #(raw.clips or raw.items)
  if n == 0 then c.fail('%s: has no items; needs at least one', who) end
  for _, column in ipairs { 'labels', 'entropy' } do
    local t = raw[column]
    if (column == 'labels' or t) and (not tensor.is(t) or t.ndim ~= 1 or #t ~= n) then
      c.fail('%s: %s is %s; needs a tensor of %d numbers', who, column,
        tensor.is(t) and tensor.shape_text(t) or type(t), n)
    end
  end
  if type(raw.classes) ~= 'table' or #raw.classes == 0 then
    c.fail('%s: classes is %s; needs a list of names', who, type(raw.classes))
  end
end

-- A set from { name, part, items, labels, classes, source, entropy, files, stored, made, scenes, origins = a list }:
-- hashed, in order. The tensors given are not kept. Of sounds { sounds, clips, hashes, kind } stand for items.
function M.new(raw)
  check_raw(raw)
  local items, labels = raw.items and raw.items:contiguous(), raw.labels:to 'i32'
  check_labels('data set ' .. raw.name, labels, raw.classes)
  local hashes = raw.hashes or hash_rows(items)
  local origins = raw.origins and origins_of(raw.origins, hashes)
  local order = ranked(#labels, labels, function(i) return bytes_at(raw.scenes and origins or hashes, i) end)
  local function ordered(t) return t and gather(t, order) end
  return wrap {
    name = raw.name, part = raw.part, classes = raw.classes, source = raw.source or 'memory', scenes = raw.scenes,
    kind = raw.kind or kind_of(items), items = ordered(items), labels = ordered(labels), hashes = ordered(hashes),
    entropy = ordered(raw.entropy), files = raw.files, stored = ordered(raw.stored), made = raw.made,
    origins = ordered(origins), sounds = raw.sounds, clips = ordered(raw.clips), rate = raw.sounds and raw.sounds.rate,
  }
end

-- The same set with other rows, and other fields if given.
local function derive(set, take, fields)
  local new = {}
  for k, v in pairs(tables[set]) do new[k] = v end
  new.digest = nil
  for _, column in ipairs(columns) do new[column] = new[column] and take(new[column]) end
  for k, v in pairs(fields or {}) do new[k] = v end
  return wrap(new)
end

-- ---- asking ----

-- sha256 over what decides the contents: kind of item, class names, and each item's hash and label in order.
local function digest_of(set)
  local d = crypto.new 'sha256':add(('hz set 1\n%s\n%s\n'):format(set.kind, table.concat(set.classes, '\n')))
  local hash, label = set.hashes:pointer 'read', set.labels:pointer 'read'
  local text = {}
  for i = 0, #set.labels - 1 do text[i + 1] = ffi.string(hash + 32 * i, 32) .. big_endian(label[i]) end
  return d:add(table.concat(text)):hex()
end

-- The image tensor, its label (from 0) and the name of its class.
function methods.item(set, i)
  need.whole('item', 'the index', i, 1, #set.labels)
  local label = set.labels[i]
  return set.items[i], label, set.classes[label + 1]
end

-- The extents of one item.
function methods.shape(set)
  local fields = tables[set]
  if not fields.items then return fields.sounds:shape() end
  local shape = fields.items:size()
  table.remove(shape, 1)
  return shape
end

-- How many items each class has, in the order of set.classes.
function methods.per_class(set)
  local counts, label = {}, set.labels:pointer 'read'
  for i = 1, #set.classes do counts[i] = 0 end
  for i = 0, #set.labels - 1 do counts[label[i] + 1] = counts[label[i] + 1] + 1 end
  return counts
end

-- ---- choosing ----

-- Items first .. first+count-1; shares memory with the set.
function methods.subset(set, first, count)
  local n = #set.labels
  if type(first) ~= 'number' or type(count) ~= 'number' or first % 1 ~= 0 or count % 1 ~= 0 or first < 1 or count < 1
      or first + count - 1 > n then
    c.fail('subset: first %s, count %s of %s were given; needs whole numbers within 1..%d', tostring(first),
      tostring(count), title(set), n)
  end
  if first == 1 and count == n then return set end
  return derive(set, function(t) return t:slice(1, first, first + count - 1) end)
end

local function check_indices(who, set, indices)
  local n, wrong
  if type(indices) == 'table' then n, wrong = names.length(indices) end
  if not n or n == 0 then
    c.fail('%s: %s; needs a list of indices', who, wrong or n and 'no index was given' or type(indices) .. ' was given')
  end
  for _, i in ipairs(indices) do
    if type(i) ~= 'number' or i % 1 ~= 0 or i < 1 or i > #set.labels then
      c.fail('%s: index %s of %s was given; needs 1..%d', who, tostring(i), title(set), #set.labels)
    end
  end
  return n
end

-- The items at these indices (a list), in that order.
function methods.select(set, indices)
  check_indices('select', set, indices)
  return derive(set, function(t) return gather(t, indices) end)
end

-- The same labels, but item i is what item indices[i] was: where that is of another class, its content is lost.
function methods.exchange(set, indices)
  local n = check_indices('exchange', set, indices)
  if n ~= #set.labels then
    c.fail('exchange: %d indices were given for %s; needs %d, one per item', n, title(set), #set.labels)
  end
  return derive(set, function(t) return gather(t, indices) end, { labels = set.labels })
end

-- All items, by index, in the order in which they are held out.
local function drawn(set, salt)
  if salt ~= nil then need.text('split', 'the salt', salt) end
  local prefix, digest = (salt or 'split') .. '\0', crypto.new 'sha256'
  local function name(i) return set.origins and bytes_at(set.origins, i) or bytes_at(set.hashes, i) end
  return ranked(#set.labels, set.labels, function(i) return digest:add(prefix):add(name(i)):raw() end)
end

-- The rest, and those held out.
local function parted(set, held)
  local rest, out = {}, {}
  for i = 1, #set.labels do table.insert(held[i] and out or rest, i) end
  return set:select(rest), set:select(out)
end

-- Two sets: the rest, and `count` items held out. Which ones follows from the content hash of the original items and
-- the salt (a string) alone; equal items fall on one side, but for one group where the count cuts.
function methods.split(set, count, salt)
  local n = #set.labels
  if type(count) ~= 'number' or count % 1 ~= 0 or count < 1 or count >= n then
    c.fail('split: %s of the %d items of %s were asked for; needs 1..%d', tostring(count), n, title(set), n - 1)
  end
  local order, held = drawn(set, salt), {}
  for r = 1, count do held[order[r]] = true end
  return parted(set, held)
end

-- The same, of each class its share (at least one), which leaves one at least.
function methods.split_classes(set, share, salt)
  if type(share) ~= 'number' or not (share > 0 and share < 1) then
    need.fail('split_classes', 'the share', share, 'a number with 0 < share < 1')
  end
  local left, held = set:per_class(), {}
  for label, n in ipairs(left) do
    if n == 1 then c.fail("split_classes: class '%s' of %s has one item; needs two", set.classes[label], title(set)) end
    left[label] = math.max(1, math.floor(share * n + 0.5))
    left[label] = math.min(left[label], n - 1)
  end
  for _, i in ipairs(drawn(set, salt)) do
    local label = set.labels[i] + 1
    held[i], left[label] = left[label] > 0, left[label] - 1
  end
  return parted(set, held)
end

-- The same set under another name of its part.
function methods.as(set, part)
  return derive(set, function(t) return t end, { part = need.text('as', 'the part', part) })
end

-- The same items recoded: labels, hashes and digest stay those of the original. `how` says what was done, in words.
function methods.replace(set, items, how)
  if not tensor.is(items) or items.ndim < 2 or #items ~= #set.labels then
    c.fail('replace: %s was given for %s; needs a tensor of %d items',
      tensor.is(items) and tensor.shape_text(items) or type(items), title(set), #set.labels)
  end
  if how ~= nil then need.text('replace', 'what was done', how) end
  return derive(set, function(t) return t end, { items = items, digest = set.digest, recoded = how or 'recoded' })
end

-- ---- metatable ----

local Set = debug.getmetatable(first)
function M.is(x) return type(x) == 'userdata' and tables[x] ~= nil end
names.receivers('set', methods, M.is)

-- Fields that a set may lack.
local field = names.index('set', methods,
  'part entropy rate recoded digest files stored remarks origins made scenes sounds clips')

function Set.__index(set, k)
  if type(k) == 'number' then
    if k % 1 ~= 0 or k < 1 or k > #set.labels then
      c.fail('%s: index %s was given; needs 1..%d', title(set), tostring(k), #set.labels)
    end
    return set.items[k]
  end
  local fields = tables[set]
  if k == 'digest' and not fields.digest then fields.digest = digest_of(set) end
  if k == 'items' and not fields.items then fields.items = fields.sounds:items(fields.clips) end
  if fields[k] ~= nil then return fields[k] end
  return field(fields, k)
end
Set.__newindex = function(set, k)
  c.fail('%s: %s was to be set; needs a new set (subset, select, split, replace)', title(set), tostring(k))
end
Set.__len = function(set) return #set.labels end
Set.__tostring = function(set)
  local kind = set.sounds and ('f32 %s'):format(table.concat(set:shape(), 'x')) or kind_of(set.items)
  return visible(('%s: %d items %s, %d classes, digest %s, from %s%s%s'):format(title(set), #set.labels, kind,
    #set.classes, set.digest:sub(1, 12), set.source, set.made and ', ' .. set.made or '',
    set.recoded and ', ' .. set.recoded or ''))
end
function Set.__names(set) return tables[set], methods end      -- for completion at the prompt

-- ---- the registry ----

-- Reached from the library's folder, so that errors raised in those files are blamed on the line of the user
-- who asked for the set.
local function registry() return c.here .. '../../datasets' end

-- Names of the sets that are described, sorted.
function M.names()
  local list = {}
  for _, entry in ipairs(file.list(registry())) do list[#list + 1] = entry:match '^([^.].*)%.lua$' end
  return list
end

-- Its names become paths below the folders of data.
local function check_names(path, spec)
  local names = { spec.name, spec.folder }
  for _, f in ipairs(spec.files or {}) do
    for part in (tostring(f[1]) .. '/'):gmatch '(.-)/' do names[#names + 1] = part end
  end
  for _, name in ipairs(names) do
    if not file.is_plain(name) then
      c.fail("data: %s: '%s' is no plain name; needs one that stays in its folder", path, visible(name))
    end
  end
end

local function load_description(path)
  local chunk, message = file.chunk(path)
  if not chunk then c.fail('data: %s', message) end
  local spec = chunk()
  if type(spec) ~= 'table' or type(spec.name) ~= 'string' or type(spec.read) ~= 'function' then
    c.fail('data: %s does not return a description with name and read; see datasets/README.md', path)
  end
  check_names(path, spec)
  return spec
end

-- The description of a set: one of names(), or the path of such a file (ending in .lua).
function M.describe(name)
  if type(name) ~= 'string' then c.fail('data: %s was given; needs the name of a set', type(name)) end
  if name:find '%.lua$' then return load_description(name) end
  for _, known in ipairs(M.names()) do
    if known == name then return load_description(file.join(registry(), name .. '.lua')) end
  end
  c.fail("data: '%s' is unknown%s; have %s", name, names.meant(name, M.names()), table.concat(M.names(), ', '))
end

-- Folders where the files of a set may be, the first one first; none without HZ_DATA and a home.
function M.places(spec)
  local list, own = {}, os.getenv 'HZ_DATA'
  if not spec.folder then return list end
  if own and own ~= '' then list[1] = file.join(own, spec.folder) end
  local home = file.data_home()
  if home then list[#list + 1] = file.join(home, spec.folder) end
  return list
end

-- Where a set's files are: a folder, '' for a set that needs none; nil when they are not there.
function M.where(spec)
  if not spec.folder then return '' end
  for _, place in ipairs(M.places(spec)) do
    if file.exists(place) == 'folder' then return place end
  end
end

-- Whether hz.data(name) would find its files.
function M.available(name) return M.where(M.describe(name)) ~= nil end

local function number_option(who, v, row)
  local n = (type(v) == 'number' or type(v) == 'string') and tonumber(v)
  if not n or n - n ~= 0 or row.min and n < row.min or row.max and n > row.max or row.whole and n % 1 ~= 0 then
    c.fail('%s is %s; needs a %s%s', who, need.shown(v), row.whole and 'whole number' or 'number',
      row.min and row.max and (' within %.16g..%.16g'):format(row.min, row.max)
      or row.min and (' from %g'):format(row.min) or '')
  end
  return n
end

local function text_option(who, v, row)
  if row.number and type(v) == 'number' then v = ('%.17g'):format(v) end
  if type(v) ~= 'string' then c.fail('%s is %s; needs a string', who, need.shown(v)) end
  for _, choice in ipairs(row.choices or { v }) do
    if choice == v then return v end
  end
  c.fail('%s is %s; needs one of %s', who, need.shown(v), table.concat(row.choices, ', '))
end

-- The command line gives texts.
local function truth_option(who, v)
  if type(v) == 'string' and args.truth[v] ~= nil then v = args.truth[v] end
  if type(v) ~= 'boolean' then c.fail('%s is %s; needs true or false', who, need.shown(v)) end
  return v
end

-- By the type of the default; without one it is a text.
local option_of = { ['nil'] = text_option, string = text_option, boolean = truth_option, number = number_option }

-- Checks the options against spec.options = { key = { default = , min = , max = , whole = , choices = , number = true
-- (a text that may be given as a number), about = } } and fills in defaults.
function M.options(spec, given)
  given = given or {}
  local out, known = {}, { 'split' }
  for key, row in pairs(spec.options or {}) do
    known[#known + 1], out[key] = key, row.default
  end
  table.sort(known)
  for key, v in pairs(given) do
    local row = spec.options and spec.options[key]
    if not row and key ~= 'split' then
      c.fail("data %s: option '%s' is unknown%s; have %s", spec.name, tostring(key), names.meant(key, known),
        table.concat(known, ', '))
    end
    local who = ('data %s: %s'):format(spec.name, key)
    if row then out[key] = option_of[type(row.default)](who, v, row) end
  end
  return out
end

-- The sets with what is odd about them: of each its own, and what is odd about both.
local function remarked(spec, ...)
  local sets, shared = { ... }, select('#', ...) == 2 and suspect.leak(...)
  for i, set in ipairs(sets) do
    local list, foreign = {}, suspect.foreign(spec, set)
    list[1] = foreign and ('%s: %s'):format(set.part, foreign)
    list[#list + 1] = shared or nil
    for k, text in ipairs(list) do
      list[k] = ('data %s: %s; more by hz data doctor %s'):format(spec.name, text, spec.name)
    end
    if #list > 0 then sets[i] = derive(set, function(t) return t end, { remarks = list, digest = set.digest }) end
  end
  return unpack(sets)
end

-- Where the files of a set were looked for, in words.
function M.looked(spec)
  local places = M.places(spec)
  return #places > 0 and 'looked for ' .. table.concat(places, ' and ')
    or 'neither HZ_DATA nor XDG_DATA_HOME nor HOME is set'
end

local function missing(spec)
  local fetch = spec.url and ('fetch it with: hz data fetch %s, or '):format(spec.name) or ''
  c.fail('data: %s was not found; %s; %sset HZ_DATA to the folder that holds %s/', spec.name, M.looked(spec), fetch,
    spec.folder)
end

-- hz.data(name, { split = 'train' or 'test', ... }): a set; without split both, the training set first. What makes
-- results worth less than they look stands in `remarks` (texts), and is said before they train.
function M.data(name, given)
  local spec = M.describe(name)
  if given ~= nil and type(given) ~= 'table' then
    c.fail("data %s: %s was given; needs a table such as {split='train'}", spec.name, need.shown(given))
  end
  local part = (given or {}).split
  if part ~= nil and part ~= 'train' and part ~= 'test' then
    c.fail("data %s: split is '%s'; needs train or test", spec.name, tostring(part))
  end
  local options, where = M.options(spec, given), M.where(spec) or missing(spec)
  local sets = spec.read(where, options, { train = part ~= 'test', test = part ~= 'train' })
  if part then return remarked(spec, sets[part]) end
  return remarked(spec, sets.train, sets.test)
end

return setmetatable(M, { __call = function(_, ...) return M.data(...) end })
