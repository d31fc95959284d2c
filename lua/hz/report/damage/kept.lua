-- kept.lua: what a sweep keeps of its data for later reports, which have none: labels of the test items, names of the
-- classes, and the pictures and sounds of the gallery. One file beside the manifest, ID.kept.safetensors, written by
-- the sweep's own process; without it, or where it is damaged, reports say less.
--   hz.kept    JSON: schema, id, cells (a digest of those that it was made from), sets = list of { digest (of the test
--              items), classes (names) }, shown = list (gallery.lua)
--   labels.N   of the N-th of the sets, i32; before.N, after.N, before.N.sound, after.N.sound: bytes of the N-th shown
local c = require 'hz.c'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local manifest = require 'hz.sweep.manifest'
local safetensors = require 'hz.tensor.safetensors'
local say = require 'hz.base.say'
local tensor = require 'hz.tensor.tensor'
local ffi = c.ffi

local M = {}

local SCHEMA = 1

function M.path(runs, id) return file.join(manifest.folder(runs), id .. '.kept.safetensors') end

-- ---- what the file says ----

local form = { schema = 'whole', id = 'name', cells = 'string', sets = 'list', shown = 'list' }
local set_form = { digest = 'string', classes = 'texts' }
local side_form = { width = 'whole', height = 'whole', mime = 'string?', part = 'string?' }
local shown_form = { cell = 'key', item = 'whole', label = 'string', called = 'string', said = 'string?', raw = 'whole',
  here = 'whole', seeds = 'numbers', before = side_form, after = side_form }

local played = { ['audio/wav'] = true, ['audio/mpeg'] = true }       -- they become part of a page

local sides = { 'before', 'after' }

local function text_of(path, tensors, name)
  local t = safetensors.expect(path, tensors, name, 'u8', { tensors[name] and tensors[name]:count() or 0 })
  return ffi.string(t:pointer 'read', t:count())
end

local function check_labels(path, t, classes)
  local p = t:pointer 'read'
  for i = 0, t:count() - 1 do
    if p[i] < 0 or p[i] >= #classes then
      c.fail('%s: item %d has label %d; needs 0..%d', path, i + 1, p[i], #classes - 1)
    end
  end
end

local function take_set(path, tensors, set, i)
  fields.check(path, set, set_form, ('sets[%d]'):format(i))
  local name = 'labels.' .. i
  local n = tensors[name] and tensors[name]:count() or 0
  set.labels = safetensors.expect(path, tensors, name, 'i32', { n })
  check_labels(path, set.labels, set.classes)
end

local function take_shown(path, tensors, one, i)
  fields.check(path, one, shown_form, ('shown[%d]'):format(i))
  for _, side in ipairs(sides) do
    local name = side .. '.' .. i
    local mime = one[side].mime
    if mime and not played[mime] then
      c.fail("%s: shown[%d] is of kind '%s'; needs audio/wav or audio/mpeg", path, i, mime)
    end
    one[side].png = text_of(path, tensors, name)
    if mime then one[side].sound = text_of(path, tensors, name .. '.sound') end
  end
end

-- The contents of a file of a sweep; damage is an error. bytes: what stands in it, where it was read before.
function M.read(path, id, bytes)
  local tensors, _, kept = safetensors.read_own(path, 'hz.kept', "record of a sweep's data", bytes)
  fields.check(path, kept, form)
  if kept.schema ~= SCHEMA or kept.id ~= id then
    c.fail('%s: it is of sweep %s, schema %d; needs %s of schema %d', path, kept.id, kept.schema, id, SCHEMA)
  end
  for i, set in ipairs(kept.sets) do take_set(path, tensors, set, i) end
  for i, one in ipairs(kept.shown) do take_shown(path, tensors, one, i) end
  return kept
end

-- What is kept of the sweep of a report; nil without a file, or a sound one.
function M.of(r)
  if r.kept == nil then
    local path, ok, kept = r.runs and M.path(r.runs, r.id), false, nil
    if path and file.exists(path) then
      ok, kept = c.try(M.read, path, r.id)
      if not ok then say(('%s; going on without it: the command of the sweep makes it anew'):format(kept)) end
    end
    r.kept = ok and kept or false
  end
  return r.kept or nil
end

-- The test items that a digest names, { labels (i32), classes (names) }; nil where they are not kept.
function M.test_set(r, digest)
  for _, set in ipairs((M.of(r) or { sets = {} }).sets) do
    if set.digest == digest then return set end
  end
end

-- ---- writing ----

local function bytes(text)
  local t = tensor.empty({ #text }, 'u8')
  ffi.copy(t:pointer(), text, #text)
  return t
end

-- Writes what M.read gives. kept: cells, sets and shown.
function M.write(runs, id, kept)
  local out, tensors = { schema = SCHEMA, id = id, cells = kept.cells, sets = json.array {}, shown = json.array {} }, {}
  for i, set in ipairs(kept.sets) do
    out.sets[i] = { digest = set.digest, classes = json.array { unpack(set.classes) } }
    tensors['labels.' .. i] = set.labels:contiguous()
  end
  for i, one in ipairs(kept.shown) do
    local plain = {}
    for k, v in pairs(one) do plain[k] = v end
    for _, side in ipairs(sides) do
      local s = one[side]
      plain[side] = { width = s.width, height = s.height, mime = s.mime, part = s.part }
      tensors[side .. '.' .. i] = bytes(s.png)
      if s.sound then tensors[('%s.%d.sound'):format(side, i)] = bytes(s.sound) end
    end
    out.shown[i] = plain
  end
  safetensors.write(M.path(runs, id), tensors, { ['hz.kept'] = json.encode(out) })
end

function M.remove(runs, id) file.remove(M.path(runs, id)) end

return M
