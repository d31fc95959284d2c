-- scan.lua: a folder of one's own pictures or sounds, before any is decoded: DIR/CLASS/..., or DIR/PART/CLASS/... with
-- parts by their usual names in any letter case. What is one is told by its content (contents.lua). Gives
--   path, classes (names), parts = { train = 'Train', test = 'Testing' } as they are called there, nil without
--   items   'images' or 'sounds': of which the folder holds more
--   files   list of { path, label (from 0), part ('train', 'test'; nil), bytes, head }, each file once (walk.lua)
--   bad     list of { path, reason }: those that cannot be read, by their content or by what their name promises
--   unread  list of texts: what else is there, counted; links that lead elsewhere
local c = require 'hz.c'
local contents = require 'hz.data.contents'
local file = require 'hz.base.file'
local names = require 'hz.base.names'
local posix = require 'hz.ext.posix'
local walks = require 'hz.data.walk'

local M = {}

-- ---- names of parts ----

local meanings = {}
for meaning, list in pairs {
  train = 'train training trn', test = 'test testing tst',
  validation = 'validation validate validating valid val eval evaluation evaluate dev devel development',
} do
  for name in list:gmatch '%S+' do meanings[name] = meaning end
end

-- What comes behind such a name and says nothing.
local tails = { 'set', 'sets', 'data', 'dataset', 'images', 'imgs', 'image', 'pictures', 'photos', 'split', 'part',
  'folder', 'dir', 'audio', 'sounds', 'clips', 'recordings' }

-- 'train', 'test', 'validation', or nil: 'Training_Set' is a training part.
function M.meaning(name)
  local plain = name:lower():gsub('[%s_.%-]+', '')
  local own = meanings[plain]
  for _, tail in ipairs(tails) do
    own = own or plain:sub(-#tail) == tail and meanings[plain:sub(1, -#tail - 1)] or nil
  end
  return own
end

-- ---- folders ----

-- Sub-folders of a folder as { name, path, id, link = a stat of where it leads }; a link that leads to a folder is one
-- of them unless it leads upward, or to another of them.
local function folders_in(scan, folder)
  local list, links, ids = {}, {}, {}
  for _, name in ipairs(walks.names(scan.walk, folder)) do
    c.poll()
    local path = file.join(folder, name)
    local s = posix.lstat(path)
    local entry = { name = name, path = path }
    if s and s.kind == 'folder' then
      entry.id, ids[s.id], list[#list + 1] = s.id, true, entry
    elseif s and s.kind == 'link' then
      links[#links + 1] = entry
    end
  end
  for _, entry in ipairs(links) do
    local s = posix.stat(entry.path)
    if s and s.kind == 'folder' and not scan.walk.above[s.id] and not ids[s.id] then
      entry.id, entry.link, ids[s.id], list[#list + 1] = s.id, s, true, entry
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function named(list) return list[1] and list[1].name .. '/' end

-- The parts of a folder by meaning: lists of those of its sub-folders that are called so and have sub-folders.
local function parts_by_meaning(scan, top)
  local by, found = { train = {}, test = {}, validation = {} }, false
  for _, entry in ipairs(top) do
    local meaning = M.meaning(entry.name)
    if meaning and #folders_in(scan, entry.path) > 0 then
      found = true
      table.insert(by[meaning], entry)
    end
  end
  return found and by or nil
end

local function need_one(scan, list)
  if #list > 1 then
    c.fail('folder: %s has %s/ and %s/, which mean the same part; needs one of them', scan.path, list[1].name,
      list[2].name)
  end
  return list[1]
end

-- Which folders are the parts { train, test }; nil where the sub-folders are the classes.
local function parts_of(scan, top)
  local by = parts_by_meaning(scan, top)
  if not by then return nil end
  local test = #by.test > 0 and by.test or by.validation
  if #by.train == 0 or #test == 0 then
    local have = named(by.train) or named(test)
    c.fail('folder: %s has %s but no %s with classes in it; needs both or neither, or path=%s, of which a share is '
      .. 'held out for the test', scan.path, have, #by.train == 0 and 'train/' or 'test/',
      file.join(scan.path, have))
  end
  local parts = { train = need_one(scan, by.train), test = need_one(scan, test) }
  if parts.train.id == parts.test.id then
    c.fail('folder: %s/ and %s/ of %s are one folder; needs two', parts.train.name, parts.test.name, scan.path)
  end
  return parts
end

-- ---- classes ----

-- Classes hold pictures; sub-folders of the same name in several say that these are parts under other names.
local function check_shared(scan, folder, classes)
  local owner = {}
  for _, class in ipairs(classes) do
    for _, below in ipairs(folders_in(scan, class.path)) do
      local other = owner[below.name]
      if other then
        c.fail('folder: %s/ and %s/ of %s both have a sub-folder %s/, so they look like parts, not like classes; '
          .. 'call them train/ and test/ (or validation/), or give path=%s; sub-folders of classes need names of '
          .. 'their own', other, class.name, folder, below.name, file.join(folder, other))
      end
      owner[below.name] = class.name
    end
  end
end

local function loose_files(folder)
  local n = 0
  for _, name in ipairs(posix.list(folder) or {}) do
    if name:sub(1, 1) ~= '.' and file.exists(file.join(folder, name)) == 'file' then n = n + 1 end
  end
  return n
end

local function classes_in(scan, folder)
  local list = folders_in(scan, folder)
  if #list < 2 then
    local loose = loose_files(folder)
    c.fail('folder: %s has %d sub-folders%s; needs one for each class, two at least', folder, #list,
      loose > 0 and (' and %d files beside them'):format(loose) or '')
  end
  check_shared(scan, folder, list)
  return list
end

-- The class names, and the class folders of each part as { entry, label, part }.
local function classes_of(scan, parts)
  local first = classes_in(scan, parts and parts.train.path or scan.path)
  local known, classes, places = {}, {}, {}
  for i, entry in ipairs(first) do
    classes[i], known[entry.name] = entry.name, i - 1
    places[i] = { entry = entry, label = i - 1, part = parts and 'train' }
  end
  if not parts then return classes, places end
  local of_test = folders_in(scan, parts.test.path)
  check_shared(scan, parts.test.path, of_test)
  for _, entry in ipairs(of_test) do
    if not known[entry.name] then
      c.fail("folder: %s has the class '%s', %s/ has not%s; needs the same classes", parts.test.path, entry.name,
        parts.train.name, names.meant(entry.name, classes))
    end
    places[#places + 1] = { entry = entry, label = known[entry.name], part = 'test' }
  end
  return classes, places
end

-- ---- files ----

local function count(scan, what) scan.others[what] = (scan.others[what] or 0) + 1 end

local function look(scan, place, path, s)
  c.poll()
  local found = contents.look(path, s.bytes)
  found.path, found.label, found.part, found.bytes = path, place.label, place.part, s.bytes
  if found.of or found.any then scan.looked[#scan.looked + 1] = found else count(scan, found.ending) end
end

-- Of what the folder is: of that of which it holds more; pictures, if it holds as many.
local function kind_of(looked)
  local good, all = { images = 0, sounds = 0 }, { images = 0, sounds = 0 }
  for _, f in ipairs(looked) do
    if f.of then
      all[f.of] = all[f.of] + 1
      good[f.of] = good[f.of] + (f.reason and 0 or 1)
    end
  end
  local by = good.sounds == good.images and all or good
  return by.sounds > by.images and 'sounds' or 'images'
end

-- What was looked at becomes files, bad ones, and others.
local function sort_out(scan)
  scan.items = kind_of(scan.looked)
  for _, f in ipairs(scan.looked) do
    if f.of and f.of ~= scan.items then
      count(scan, f.ending)
    elseif f.reason then
      scan.bad[#scan.bad + 1] = { path = f.path, reason = f.reason }
    else
      scan.files[#scan.files + 1] = { path = f.path, label = f.label, part = f.part, bytes = f.bytes, head = f.head }
    end
  end
  scan.looked = nil
end

-- Real folders of all classes first, then classes that are links, then links within.
local function visit(scan, places)
  local function taker(place) return function(path, s) look(scan, place, path, s) end end
  for _, place in ipairs(places) do
    local e = place.entry
    if not e.link then walks.enter(scan.walk, e.path, e.id, taker(place), place.part or 'all') end
  end
  for _, place in ipairs(places) do
    local e = place.entry
    if e.link then walks.through(scan.walk, e.path, e.link, taker(place), place.part or 'all') end
  end
  walks.follow(scan.walk)
  sort_out(scan)
  for _, t in ipairs(scan.walk.troubles) do scan.bad[#scan.bad + 1] = { path = t.path, reason = ': ' .. t.reason } end
end

-- ---- what is not read ----

local function plural(n, one) return ('%d %s%s'):format(n, one, n == 1 and '' or 's') end

-- Files and folders beside the classes or parts, by name.
local function beside(scan, folder, taken)
  local loose = 0
  for _, name in ipairs(walks.names(scan.walk, folder)) do
    local path = file.join(folder, name)
    local s = posix.lstat(path)
    if s and s.kind == 'folder' and not taken[s.id] then
      scan.unread[#scan.unread + 1] = ('%s/ (%s)'):format(name, plural(walks.count(path), 'file'))
    elseif s and s.kind == 'file' then
      loose = loose + 1
    elseif s and s.kind == 'link' and not taken[path] then
      local there = walks.target(scan.walk, path)      -- counts what leads to nothing or upward
      if there then scan.walk.loops = scan.walk.loops + 1 end
    end
  end
  if loose > 0 then scan.unread[#scan.unread + 1] = ('%s of no class in %s'):format(plural(loose, 'file'), folder) end
end

local function tell(scan)
  local walk, list = scan.walk, scan.unread
  for _, ending in ipairs(names.sorted(scan.others)) do
    list[#list + 1] = ('%d %s'):format(scan.others[ending], ending)
  end
  for _, what in ipairs(names.sorted(walk.odd)) do list[#list + 1] = plural(walk.odd[what], what) end
  if walk.hidden > 0 then list[#list + 1] = ('%d hidden'):format(walk.hidden) end
  if walk.again > 0 then list[#list + 1] = plural(walk.again, 'further name') .. ' of files that are read' end
  if walk.loops > 0 then list[#list + 1] = plural(walk.loops, 'link') .. ' upward or to what is known' end
  if walk.dangling > 0 then list[#list + 1] = plural(walk.dangling, 'link') .. ' to nothing' end
end

-- ---- all ----

-- What is read, by its id and by its path.
local function taken_of(places, parts)
  local taken = {}
  local function take(entry) taken[entry.id], taken[entry.path] = true, true end
  for _, place in ipairs(places) do take(place.entry) end
  for _, part in pairs(parts or {}) do take(part) end
  return taken
end

local function check_path(path)
  if not path then c.fail('folder: no path was given; needs path=DIR') end
  local what = file.exists(path)
  if what ~= 'folder' then
    c.fail('folder: %s is %s; needs a folder', path, what and 'a ' .. what or 'not there')
  end
  local list, reason = posix.list(path)
  if not list then c.fail('folder: %s: %s', path, reason) end
end

function M.folder(path)
  check_path(path)
  local scan = { path = path, walk = walks.new(path), files = {}, looked = {}, bad = {}, others = {}, unread = {} }
  local parts = parts_of(scan, folders_in(scan, path))
  local places
  scan.classes, places = classes_of(scan, parts)
  scan.walk.hidden, scan.walk.troubles = 0, {}         -- each folder was looked at once or twice to get here
  for _, part in pairs(parts or {}) do scan.walk.above[part.id] = true end
  scan.parts = parts and { train = parts.train.name, test = parts.test.name }
  visit(scan, places)
  local taken = taken_of(places, parts)
  for _, folder in ipairs { path, parts and parts.train.path, parts and parts.test.path } do
    if folder then beside(scan, folder, taken) end
  end
  tell(scan)
  scan.outside = scan.walk.outside
  return scan
end

return names.guard('scan', M)
