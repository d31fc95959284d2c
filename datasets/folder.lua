-- folder.lua: pictures of one's own: DIR/CLASS/*, or DIR/train/CLASS/* and DIR/test/CLASS/*, the parts by their usual
-- names in any letter case. JPEG and PNG, told by their content, all of one size or made so (size=). Without parts a
-- share of the items is held out for the test by content hash: the same ones each time, whatever the files are called.
local dataset = require 'hz.data.dataset'
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
      fail('folder: %s/%s holds no JPEG or PNG of its own; needs images of the class%s', folder, class, unread)
    end
  end
  if #files == 0 then fail('folder: %s holds no images of the classes%s', folder, unread) end
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

-- Sets by part of those wanted; all files are looked at first, then those wanted are decoded.
local function read(found, o, want)
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

return {
  name = 'folder',
  about = 'your own images: JPEG or PNG in one sub-folder per class (path=DIR)',
  options = {
    path = { about = 'the folder' },
    test_share = { default = 0.2, min = 0.01, max = 0.9,
      about = 'share of the items held out for the test where there is no test/' },
    broken = { default = 'stop', choices = { 'stop', 'skip' },
      about = 'files that cannot be read: an error that lists them, or left out' },
    orient = { default = false, about = 'turn images as their EXIF orientation says' },
    size = { number = true, about = 'scale images to 64 or 64x48 (width x height)' },
    fit = { choices = { 'crop', 'pad', 'stretch' },
      about = 'how an image of another shape becomes size=: cut, with black beside it, distorted (default: crop)' },
    convert = { default = false, about = 'take 16 bit PNG and CMYK JPEG as well, as 8 bit RGB' },
  },
  -- The files, before they are decoded (scan.lua).
  scan = function(options) return scan.folder(options.path) end,
  read = function(_, options, want)
    local found = scan.folder(options.path)
    local sets = read(found, options, want)
    if found.parts then return sets end
    local all = sets[false]
    if #all < 2 then fail('folder: %s holds one image; needs two at least, to train and to test', found.path) end
    local held = math.min(#all - 1, math.max(1, math.floor(#all * options.test_share + 0.5)))
    local train, test = all:split(held, 'test')
    return { train = train:as 'train', test = test:as 'test' }
  end,
}
