-- Folders of one's own pictures, as they come: parts by any name, links, what is no picture, what is broken, turned,
-- or was a JPEG before; and what is said of it before anything is trained.
local t = ...
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local head = require 'hz.data.head'
local health = require 'hz.data.doctor'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local scan = require 'hz.data.scan'
local source = require 'hz.data.source'
local tensor = require 'hz.tensor.tensor'

local function need_codecs()
  for _, name in ipairs { 'png', 'jpeg' } do
    if not plugins.has(name) then t.skip('the %s plugin is not built', name) end
  end
end

-- Some image, the same for the same k.
local function image(k, h, w, channels)
  local made = tensor.zeros({ h or 8, w or 8, channels or 3 }, 'u8')
  local p, v = made:pointer(), k * 7919 + 1
  for i = 0, made:count() - 1 do
    v = (v * 1103515245 + 12345) % 2 ^ 31
    p[i] = math.floor(v / 2 ^ 20) % 256
  end
  return made
end
local function png(k, ...) return (codec.png {}:encode(image(k, ...))) end
local function jpeg(k, quality, ...) return (codec.jpeg { quality = quality or 75 }:encode(image(k, ...))) end

-- Writes files by path into d.
local function put(d, files)
  for name, bytes in pairs(files) do
    file.mkdir(file.folder_of(d .. '/' .. name))
    t.write(d .. '/' .. name, bytes)
  end
  return d
end

-- n PNGs for each of the classes below a prefix.
local function classes(d, prefix, n, from, list)
  for c, class in ipairs(list or { 'a', 'b' }) do
    for i = 1, n do put(d, { [('%s%s/%02d.png'):format(prefix, class, i)] = png(from + 100 * c + i) }) end
  end
  return d
end

local function load(d, o)
  o = o or {}
  o.path = d
  return dataset.data('folder', o)
end

-- The same JPEG with an EXIF block that gives an orientation, in either order of bytes.
local function turned(stream, orientation, order)
  local function n(v, bytes)
    local s = ''
    for _ = 1, bytes do
      local byte = string.char(v % 256)
      s, v = order == 'II' and s .. byte or byte .. s, math.floor(v / 256)
    end
    return s
  end
  local tiff = order .. n(42, 2) .. n(8, 4) .. n(1, 2) .. n(0x112, 2) .. n(3, 2) .. n(1, 4) .. n(orientation, 2) ..
    n(0, 2) .. n(0, 4)
  local body = 'Exif\0\0' .. tiff
  return '\255\216\255\225' .. string.char(0, #body + 2) .. body .. stream:sub(3)
end

-- ---- parts and classes ----

t.case('parts are known by their usual names, in any letter case', function()
  for name, meaning in pairs { Train = 'train', TRAINING = 'train', training_set = 'train', ['Train-Images'] = 'train',
    Testing = 'test', test_set = 'test', val = 'validation', Validation_Set = 'validation', EVAL = 'validation',
    dev = 'validation' } do
    t.equal(scan.meaning(name), meaning, name)
  end
  for _, name in ipairs { 'trains', 'contest', 'cat', 'values', 'latest' } do t.equal(scan.meaning(name), nil, name) end
  need_codecs()
  local d = classes(classes(t.folder(), 'Training/', 4, 0), 'validation_set/', 2, 50)
  local train, test = load(d)
  t.equal({ #train, #test, train.classes, test.classes }, { 8, 4, { 'a', 'b' }, { 'a', 'b' } })
  classes(d, 'TEST/', 1, 80)                             -- then this is the test set, the other one is not read
  train, test = load(d)
  t.equal({ #train, #test, train.files.unread }, { 8, 2, { 'validation_set/ (4 files)' } })
  classes(d, 'train/', 1, 90)
  t.raises('has Training/ and train/, which mean the same part', load, d)
end)

t.case('classes that share names of sub-folders are refused, and what to do is said', function()
  need_codecs()
  local d = classes(classes(t.folder(), 'first/', 2, 0), 'second/', 2, 50)
  local e = t.raises('first/ and second/ of ' .. d .. ' both have a sub-folder a/', load, d)
  t.match(e, 'call them train/ and test/ %(or validation/%), or give path=' .. d:gsub('%p', '%%%0') .. '/first')
  t.equal(#load(d .. '/first'), 3)
end)

t.case('size and colour are checked over both parts before a file is decoded', function()
  need_codecs()
  local d = classes(classes(t.folder(), 'train/', 2, 0), 'test/', 2, 50)
  put(d, { ['test/b/wide.png'] = png(1, 8, 9) })
  t.raises('test/b/wide.png is 9x8, ', load, d, { split = 'train' })
  local grey = t.folder()
  for _, name in ipairs { 'train/a/1', 'train/b/1', 'test/a/1', 'test/b/1' } do
    put(grey, { [name .. '.png'] = png(#name, 8, 8, 1) })
  end
  t.equal(load(grey).items:size(), { 2, 8, 8, 1 })
  put(grey, { ['test/a/colour.png'] = png(9) })
  t.equal(load(grey).items:size(), { 2, 8, 8, 3 })
end)

-- ---- links ----

t.case('files are read once, whatever links lead to them', function()
  need_codecs()
  local d, out = classes(t.folder(), '', 5, 0), classes(t.folder(), '', 2, 500, { 'more' })
  for _, link in ipairs { { '..', 'a/up' }, { '../..', 'b/up' }, { '.', 'self' }, { 'a', 'c' }, { 'nowhere', 'a/gone' },
    { '../b/01.png', 'a/b.png' }, { out .. '/more', 'b/more' }, { d, '../' .. out:match '[^/]*$' .. '/more/back' } } do
    t.equal(t.sh(('ln -s %s %s'):format(t.quote(link[1]), t.quote(d .. '/' .. link[2]))), 0)
  end
  t.sh(('ln %s/a/01.png %s/b/hard.png'):format(d, d))
  local found = scan.folder(d)
  local n = { [0] = 0, [1] = 0 }
  for _, f in ipairs(found.files) do n[f.label] = n[f.label] + 1 end
  t.equal({ n[0], n[1], found.classes }, { 5, 7, { 'a', 'b' } })
  t.equal({ #found.outside, found.outside[1].target }, { 1, file.real(out .. '/more') })
  t.equal(found.unread, { '1 further name of files that are read', '6 links upward or to what is known',
    '1 link to nothing' })
end)

-- ---- content ----

t.case('what is a picture is told by content; what is not read is counted', function()
  need_codecs()
  local d = put(classes(t.folder(), '', 2, 0), { ['a/x.jfif'] = jpeg(1), ['a/y.JPE'] = jpeg(2), ['b/bare'] = png(3),
    ['b/text.txt'] = png(4), ['a/notes.md'] = 'x', ['b/Makefile'] = 'all:', ['a/.thumb'] = 'x', ['beside.csv'] = '1' })
  t.sh('mkfifo ' .. d .. '/b/pipe')
  local found = scan.folder(d)
  t.equal({ #found.files, #found.bad }, { 8, 0 })
  t.equal(found.unread, { '1 file of no class in ' .. d, '1 .md', '1 without an ending', '1 pipe', '1 hidden' })
end)

t.case('every bad file is listed at once, and left out where that is asked for', function()
  need_codecs()
  local d, whole = classes(t.folder(), '', 4, 0), jpeg(1)
  put(d, { ['a/x.gif'] = 'GIF89a' .. ('\0'):rep(20), ['a/empty.png'] = '', ['b/text.jpg'] = 'text',
    ['b/h'] = '\0\0\0\24ftypheic' .. ('\0'):rep(20), ['b/cut.jpg'] = whole:sub(1, -40),
    ['b/head.jpg'] = whole:sub(1, 40),
    ['a/cut.png'] = png(1):sub(1, 70), ['a/new\nline.png'] = 'x' })
  local e = t.raises('folder: 8 files of ' .. d .. ' cannot be read; broken=skip leaves them out:\n', load, d)
  for _, part in ipairs { '/a/x.gif is GIF; needs JPEG or PNG', '/a/empty.png is empty', '/b/text.jpg is neither JPEG',
    '/b/h is HEIC', '/b/cut.jpg: jpeg: ', '/b/head.jpg is JPEG and ends before its picture', '/a/cut.png: png: ',
    '/a/new\\u000aline.png is neither' } do
    t.ok(e:find(part, 1, true), part)
  end
  local status, out, err = t.run { '-e', ([[
    local train, test = require 'hz'.data('folder', { path = %q, broken = 'skip' })
    print(#train + #test, train.files.unread[1])]]):format(d) }
  t.equal({ status, out }, { 0, '8\t8 left out as broken\n' })
  t.match(err, 'folder: 8 left out: .*/a/x%.gif is GIF')
  t.raises("broken is 'no'; needs one of stop, skip", load, d, { broken = 'no' })
end)

t.case('warnings of libjpeg that lose no pixel are no errors, lost data is', function()
  need_codecs()
  local jpegs, whole = codec.jpeg {}, jpeg(1, 90, 24, 24)
  local pixels, at = jpegs:decode(whole), whole:find '\255\219'
  for name, stream in pairs { version = whole:gsub('JFIF%z\1', 'JFIF\0\2', 1),
    before = whole:sub(1, at - 1) .. '\1\2\3' .. whole:sub(at), zeros = whole:sub(1, -3) .. ('\0'):rep(9) .. '\255\217',
    behind = whole .. 'more' } do
    t.equal(jpegs:decode(stream):eq(pixels):min(), 1, name)
  end
  t.raises('libjpeg says', jpegs.decode, jpegs, whole:sub(1, #whole / 2))
  t.raises('libjpeg says', jpegs.decode, jpegs, whole:sub(1, -3))
end)

-- ---- heads ----

t.case('heads tell size, colour, quality and orientation', function()
  need_codecs()
  for quality = 1, 100 do
    local h = head.read(jpeg(1, quality, 8, 24))
    t.equal({ h.kind, h.width, h.height, h.channels, h.orientation, h.exact }, { 'JPEG', 24, 8, 3, 1, true })
    t.equal(h.quality, quality)
  end
  local h = head.read(png(1, 5, 7, 1))
  t.equal({ h.kind, h.width, h.height, h.channels, h.bits, h.alpha }, { 'PNG', 7, 5, 1, 8, false })
  for _, order in ipairs { 'MM', 'II' } do
    for o = 0, 9 do
      local wanted = o >= 1 and o <= 8 and o or 1
      t.equal(head.read(turned(jpeg(1), o, order)).orientation, wanted, order .. o)
    end
  end
  local stream = jpeg(1)
  for n = 0, #stream do head.read(stream:sub(1, n)) end            -- whatever ends early
end)

t.case('the bytes of the files are those that their codecs account for', function()
  need_codecs()
  local d, sum, once = t.folder(), { payload = 0, tables = 0, container = 0 }, {}
  for i, values in ipairs { { quality = 60, restart = 1 }, { quality = 60 }, { progressive = true }, false } do
    for k, class in ipairs { 'a', 'b' } do
      local made = values and codec.jpeg(values) or codec.png {}
      local stream, account = made:encode(image(10 * k + i, 40, 40))
      put(d, { [('%s/%d'):format(class, i)] = stream })
      for part in pairs(sum) do sum[part] = sum[part] + account[part] end
      for _, s in ipairs(account.segments) do
        if s.part == 'tables' then once[stream:sub(s.offset + 1, s.offset + s.bytes)] = true end
      end
    end
  end
  local whole, bytes = source.account { load(d) }, 0
  for table_bytes in pairs(once) do bytes = bytes + #table_bytes end
  t.equal({ whole.payload, whole.tables, whole.container }, { sum.payload, sum.tables, sum.container })
  t.equal({ whole.items, whole.samples, whole.tables_once }, { 8, 8 * 40 * 40 * 3, bytes })
end)

t.case('orient=true turns images as EXIF says', function()
  need_codecs()
  -- where pixel y, x of the image as it is seen stands in the file, by orientation; h, w: of the file
  local places = {
    function(y, x) return y, x end, function(y, x, _, w) return y, w + 1 - x end,
    function(y, x, h, w) return h + 1 - y, w + 1 - x end, function(y, x, h) return h + 1 - y, x end,
    function(y, x) return x, y end, function(y, x, h) return h + 1 - x, y end,
    function(y, x, h, w) return h + 1 - x, w + 1 - y end, function(y, x, _, w) return x, w + 1 - y end,
  }
  for o, place in ipairs(places) do
    local h, w = 8, 16
    if o >= 5 then h, w = 16, 8 end                      -- all are 8 high when they are upright
    local d = t.folder()
    for i, class in ipairs { 'a', 'b' } do put(d, { [class .. '/1.jpg'] = turned(jpeg(i, 90, h, w), o, 'MM') }) end
    local set = load(d, { orient = true, split = 'train' })
    local _, label = set:item(1)
    local stored = codec.jpeg {}:decode(jpeg(label + 1, 90, h, w))
    t.equal(set.items:size(), { 1, 8, 16, 3 })
    for y = 1, 8 do
      for x = 1, 16 do
        local sy, sx = place(y, x, h, w)
        t.equal(set[1][y][x][2], stored[sy][sx][2], ('orientation %d, %d, %d'):format(o, y, x))
      end
    end
  end
end)

-- ---- what is said ----

local function rows_of(d, o)
  local rows = {}
  o = o or {}
  o.path = d
  for _, r in ipairs(health.examine(dataset.describe 'folder', { path = 'folder', given = o })) do rows[r.check] = r end
  return rows
end

t.case('doctor names format, size and quality that predict the class, and images that are turned', function()
  need_codecs()
  local d = t.folder()
  for i = 1, 10 do put(d, { [('a/%d'):format(i)] = png(i), [('b/%d'):format(i)] = jpeg(i) }) end
  local rows = rows_of(d)
  t.equal({ rows.format.ok, rows.size.ok, rows.quality.ok, rows.turned.ok }, { false, true, true, true })
  t.match(rows.format.text, "of 20 of 20 files, .*JPEG: 10 of 10 are 'b', PNG: 10 of 10 are 'a'")
  for i = 1, 10 do put(d, { [('a/%d'):format(i)] = jpeg(i, 60), [('b/%d'):format(i)] = jpeg(i, 90, 8, 9) }) end
  rows = rows_of(d)
  t.equal({ rows.format.ok, rows.size.ok, rows.quality.ok }, { true, false, false })
  t.match(rows.source.text, '20 JPEG of quality 60..90')
  for i = 1, 10 do
    put(d, { [('a/%d'):format(i)] = i > 5 and png(i) or jpeg(i), [('b/%d'):format(i)] = i > 5 and png(50 + i)
      or turned(jpeg(50 + i), 6, 'II') })
  end
  rows = rows_of(d)
  t.equal({ rows.format.ok, rows.size.ok, rows.quality.ok, rows.turned.ok }, { true, true, true, nil })
  t.match(rows.turned.text, '^5 of 20 images are stored turned')
  t.equal(rows_of(d, { orient = true }).turned.ok, true)
end)

local function sweep(d, args)
  local script = require 'hz.c'.root .. '/experiments/cifar_sweep.lua'
  return t.sh(('cd %s && HZ_RUNS= HZ_CACHE=cache %s %s parallel=1 epochs=1 seed=1 %s'):format(t.quote(d), t.quote(t.hz),
    t.quote(script), args))
end

t.case('raw over JPEG files is called so in table, plot and record, and its files have a line of their own', function()
  need_codecs()
  local d = t.folder()
  for c, class in ipairs { 'a', 'b' } do
    for i = 1, 20 do put(d, { [('set/%s/%d.jpg'):format(class, i)] = jpeg(100 * c + i, 80, 16, 16) }) end
  end
  local status, out, err = sweep(d, 'path=set quality=10,raw svg=plot.svg')
  t.equal(status, 0, err)
  t.match(out, '^data: folder, 32 training and 8 test images, from set; 2 classes: a, b; 40 JPEG of quality 80\n')
  t.match(err, "folder %S*/set: 'raw' is not raw: its pixels are those of 40 JPEG of quality 80")
  t.match(out, '\nraw %(of JPEG 80%) +768.0 +0.0 +0.0 +8.000 .*\nfiles %(JPEG 80%) +[%d.]+ +570.0 +55.0 ')
  t.match(t.read(d .. '/plot.svg'), 'untouched JPEG 80')
  local _, text = t.sh(('%s report runs=%s/runs'):format(t.quote(t.hz), d))
  t.match(text, 'data folder %S*/set, ')
  t.match(text, '\nraw %(of JPEG 80%) .*\nfiles %(JPEG 80%) ')
  _, text = t.sh(('%s report --json runs=%s/runs'):format(t.quote(t.hz), d))
  local cell = json.decode(text)[1]
  t.equal({ cell.source, cell.source_bytes_tables, cell.source_bytes_container }, { 'JPEG 80', 570, 55 })
end)

t.case('what a preset asks for shrinks to the data; keys of a folder beside another set are a mistake', function()
  need_codecs()
  local d = classes(t.folder(), 'set/', 5, 0)
  for _, preset in ipairs { 'quick', 'strict', 'paper' } do
    local status, out, err = sweep(d, 'path=set dry=true model=small quality=raw preset=' .. preset)
    t.equal({ preset, status }, { preset, 0 }, err)
    t.match(out, '1 cell')
  end
  local status, _, err = sweep(d, 'data=camera path=set')
  t.equal(status, 2)
  t.match(err, 'path=set was given with data=camera; it is of data=folder alone')
  t.equal((sweep(d, 'data=camera orient=true')), 2)
  status, _, err = sweep(d, 'path=set dry=true batch=64')
  t.equal(status, 1)
  t.match(err, 'batch=64 was given; 6 items train')
end)

t.case('test items that train are said before the first step', function()
  need_codecs()
  local d = classes(classes(t.folder(), 'set/train/', 6, 0), 'set/test/', 3, 0)
  local status, _, err = sweep(d, 'path=set dry=true model=small quality=raw')
  t.equal(status, 0, err)
  t.match(err, 'data folder: 6 of 6 test items are in the training set; more by hz data doctor folder')
end)
