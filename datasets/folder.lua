-- folder.lua: pictures or sounds of one's own: DIR/CLASS/*, or DIR/train/CLASS/* and DIR/test/CLASS/*, the parts by
-- their usual names in any letter case. Pictures are JPEG, PNG, WebP, AVIF, JPEG XL and JPEG 2000, all of one size or
-- made so (size=); sounds are whatever the plugins read, of one rate or made so (resample=), and features of them are
-- the items. Both are told by their content. Without parts a share of the items is held out for the test by content
-- hash: the same ones each time, whatever the files are called.
local clips = require 'hz.data.clips'
local clip_files = require 'hz.codec.clip_files'
local contents = require 'hz.data.contents'
local dataset = require 'hz.data.dataset'
local features = require 'hz.data.features'
local scan = require 'hz.data.scan'
local source = require 'hz.data.source'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.line

local fail = dataset.fail

-- ---- what cannot be read ----

local function lines_of(bad, mark)
  local lines = {}
  for i, b in ipairs(bad) do lines[i] = visible(b.path .. b.reason) .. mark end
  table.sort(lines)
  return lines
end

-- Every one of them at once; left out, they are told.
local function refuse(bad, o)
  if #bad == 0 then return end
  if o.broken == 'skip' then
    dataset.warn(('folder: %d left out: %s'):format(#bad, table.concat(lines_of(bad, ''), '; ')))
  elseif #bad == 1 then
    fail('folder: %s; broken=skip leaves it out', lines_of(bad, '')[1])
  else
    fail('folder: %d files of %s cannot be read; broken=skip leaves them out:\n  %s', #bad, o.path,
      table.concat(lines_of(bad, ''), '\n  '))
  end
end

local function append(list, more)
  for _, x in ipairs(more) do list[#list + 1] = x end
end

-- ---- reading ----

local function of_part(files, part)
  local list = {}
  for _, f in ipairs(files) do
    if not part or f.part == part then list[#list + 1] = f end
  end
  return list
end

-- Every class has files of what trains.
local function check_classes(found, files, part)
  local have, folder = {}, found.path .. (part and '/' .. found.parts[part] or '')
  local unread = #found.unread > 0 and '; not read: ' .. table.concat(found.unread, ', ') or ''
  for _, f in ipairs(files) do have[f.label] = true end
  for label, class in ipairs(found.classes) do
    if not have[label - 1] and part ~= 'test' then
      fail('folder: %s/%s holds no %s of its own; needs %s of the class%s', folder, class,
        contents.wanted[found.items], found.items, unread)
    end
  end
  if #files == 0 then fail('folder: %s holds no %s of the classes%s', folder, found.items, unread) end
end

local function labels_of(files)
  local labels = {}
  for i, f in ipairs(files) do labels[i] = f.label end
  return tensor.from(labels, 'i32')
end

-- The set of one part of what was found (nil: of all), which was read. what: about the files, for its field of that
-- name; made: what was done to the pictures, in words.
local function make(found, part, read, what, made)
  return dataset.new { name = 'folder', part = part or 'all', items = read.items, labels = labels_of(read.files),
    classes = found.classes, source = found.path .. (part and '/' .. found.parts[part] or ''),
    files = what, stored = source.column(read.rows), origins = read.origins or nil, made = made }
end

-- What is said of the files of a set.
local function about(found, files, o, ledger, left_out)
  local facts = source.facts(files)
  local unread = {}
  append(unread, found.unread)
  if left_out > 0 then table.insert(unread, 1, ('%d left out as broken'):format(left_out)) end
  return { path = found.path, parts = found.parts, facts = facts, orient = o.orient, ledger = ledger, unread = unread,
    outside = found.outside }
end

-- Sets of pictures by part of those wanted; all files are looked at first, then those wanted are decoded.
local function read_images(found, o, want)
  local pictures = require 'hz.codec.pictures'           -- lazy: loads plugins, which a mere description need not
  local sizes = require 'hz.codec.sizes'                 -- lazy: as above
  local files, bad = pictures.fit(found.files, o)
  append(bad, found.bad)
  if #files == 0 then
    refuse(bad, { path = o.path })
    check_classes(found, files, found.parts and 'train')
  end
  local form, ledger, read_parts = pictures.agree(files, o), source.ledger(), {}
  for _, part in ipairs(found.parts and { 'train', 'test' } or { false }) do
    if not part or want[part] then
      local items, good, rows, broken, origins = pictures.read(of_part(files, part), form, o, ledger)
      append(bad, broken)
      read_parts[part] = { items = items, files = good, rows = rows, origins = form.fit and origins }
    end
  end
  refuse(bad, o)
  local all, sets = {}, {}
  for part, r in pairs(read_parts) do
    check_classes(found, r.files, part or nil)
    append(all, r.files)
  end
  local what = about(found, all, o, ledger, #bad)
  for part, r in pairs(read_parts) do sets[part] = make(found, part or nil, r, what, sizes.told(o)) end
  return sets
end

-- ---- sounds ----

-- Files with their heads as they are read, and the bad ones among them.
local function heads_of(found, bad)
  local paths, files = {}, {}
  for i, f in ipairs(found.files) do paths[i] = f.path end
  for i, h in ipairs(#paths > 0 and clip_files.scan(paths) or {}) do
    local f = found.files[i]
    if h.reason then
      bad[#bad + 1] = { path = f.path, reason = ': ' .. h.reason }
    else
      for k, v in pairs(h) do f.head[k == 'kind' and 'form' or k] = v end
      files[#files + 1] = f
    end
  end
  return files
end

-- The clips of all files; what cannot be decoded is bad, and the others are returned with their numbers.
local function clips_of(files, o, bad)
  local paths, heads, good = {}, {}, {}
  for i, f in ipairs(files) do paths[i], heads[i] = f.path, f.head end
  local sounds = clip_files.new('folder', paths, heads, o)
  for i, f in ipairs(files) do
    f.number = i
    if sounds.bad[i] then
      bad[#bad + 1] = { path = f.path, reason = sounds.bad[i]:sub(#('folder: ' .. f.path) + 1) }
    else
      good[#good + 1] = f
    end
  end
  return sounds, good
end

local function make_sounds(found, part, sounds, files, what)
  local numbers, labels, rows = {}, {}, {}
  for i, f in ipairs(files) do
    numbers[i], labels[i] = f.number, f.label
    rows[i] = source.enter(what.ledger, { payload = f.bytes, tables = 0, container = 0, segments = {} },
      f.head.frames * f.head.channels)
  end
  return clips.set { name = 'folder', part = part or 'all', clips = sounds, numbers = numbers, labels = labels,
    classes = found.classes, source = found.path .. (part and '/' .. found.parts[part] or ''), files = what,
    stored = source.column(rows) }
end

-- Sets of sounds by part of those wanted; all of them are as long as the longest of the folder.
local function read_sounds(found, o, want)
  local bad, sets = { unpack(found.bad) }, {}
  local files, sounds = heads_of(found, bad), nil
  if #files == 0 then
    refuse(bad, { path = o.path })
    check_classes(found, files, found.parts and 'train')
  end
  sounds, files = clips_of(files, o, bad)
  refuse(bad, o)
  local what = about(found, files, o, source.ledger(), #bad)
  for _, part in ipairs(found.parts and { 'train', 'test' } or { false }) do
    local own = of_part(files, part)
    check_classes(found, own, part or nil)
    if not part or want[part] then sets[part] = make_sounds(found, part or nil, sounds, own, what) end
  end
  return sets
end

-- ---- the set ----

local options = features.options(nil, clip_files.options)
for _, row in pairs(options) do row.of = 'sounds' end
for name, row in pairs {
  path = { about = 'the folder' },
  test_share = { default = 0.2, min = 0.01, max = 0.9,
    about = 'share of the items held out for the test where there is no test/' },
  broken = { default = 'stop', choices = { 'stop', 'skip' },
    about = 'files that cannot be read: an error that lists them, or left out' },
  orient = { default = false, of = 'images', about = 'turn images as their EXIF orientation says' },
  size = { number = true, of = 'images', about = 'scale images to 64 or 64x48 (width x height)' },
  fit = { choices = { 'crop', 'pad', 'stretch' }, of = 'images',
    about = 'how an image of another shape becomes size=: cut, with black beside it, distorted (default: crop)' },
  convert = { default = false, of = 'images', about = 'take 16 bit PNG and CMYK JPEG as well, as 8 bit RGB' },
} do options[name] = row end

-- Options of pictures are nothing to sounds, nor the other way.
local function check_options(found, o)
  for name, row in pairs(options) do
    if row.of and row.of ~= found.items and o[name] ~= row.default then
      fail('folder: %s=%s was given; it is of %s, and %s holds %s', name, tostring(o[name]), row.of, found.path,
        found.items)
    end
  end
end

local readers = { images = read_images, sounds = read_sounds }

return {
  name = 'folder',
  about = 'your own images or sounds in one sub-folder per class (path=DIR)',
  options = options,
  -- The files, before they are decoded (scan.lua); of sounds with their heads.
  scan = function(o)
    local found = scan.folder(o.path)
    if found.items == 'sounds' then found.files = heads_of(found, found.bad) end
    return found
  end,
  read = function(_, o, want)
    local found = scan.folder(o.path)
    check_options(found, o)
    local sets = readers[found.items](found, o, want)
    if found.parts then return sets end
    local all = sets[false]
    if #all < 2 then
      fail('folder: %s holds one %s; needs two at least, to train and to test', found.path, found.items:sub(1, -2))
    end
    local held = math.min(#all - 1, math.max(1, math.floor(#all * o.test_share + 0.5)))
    local train, test = all:split(held, 'test')
    return { train = train:as 'train', test = test:as 'test' }
  end,
}
