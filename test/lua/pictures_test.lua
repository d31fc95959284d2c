-- Folders of pictures of mixed sizes: size=, fit=, convert=, orientation, memory, and hz sweep DIR.
local t = ...
local C = require 'hz.c'.C
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local nets = require 'hz.net.models.nets'
local plugins = require 'hz.codec.plugins'
local sizes = require 'hz.codec.sizes'
local tensor = require 'hz.tensor.tensor'
local photographs = assert(loadfile(t.here .. 'photographs.lua'))()

local function need_all()
  for _, name in ipairs { 'jpeg', 'png' } do
    if not plugins.has(name) then t.skip('the %s codec is not built', name) end
  end
  if C.hz_resampler() == nil then t.skip 'the zimg plugin is not built' end
end

-- An image of h x w pixels by f(y, x, channel).
local function image(h, w, f)
  local out = tensor.empty({ h, w, 3 }, 'u8')
  local p = out:pointer()
  for i = 0, h * w * 3 - 1 do p[i] = f(math.floor(i / (3 * w)), math.floor(i / 3) % w, i % 3) end
  return out
end

local function png(...) return (codec.png {}:encode(image(...))) end

-- A folder with these files.
local function folder(files)
  need_all()
  local d = t.folder()
  for name, bytes in pairs(files) do
    file.mkdir(file.folder_of(d .. '/' .. name))
    t.write(d .. '/' .. name, bytes)
  end
  return d
end

-- The only item of class k (from 0) of a folder.
local function item(set, k)
  for i = 1, #set do
    if set.labels[i] == k then return set[i] end
  end
end

-- The picture of these bytes as a folder makes it.
local function made(bytes, options)
  local d = folder { ['train/a/x'] = bytes, ['train/b/y.png'] = png(4, 4, function() return 9 end),
    ['test/a/z.png'] = png(4, 4, function() return 3 end) }
  options.path, options.split = d, 'train'
  local set = dataset('folder', options)
  return item(set, 0), set
end

local function rows(t3)
  local out = {}
  for y = 1, t3:size(1) do
    out[y] = {}
    for x = 1, t3:size(2) do out[y][x] = t3[y][x][1] end
  end
  return out
end

-- ---- size and fit ----

t.case('one size: what is of it stays, what is larger becomes the mean, width comes first', function()
  local same = image(6, 9, function(y, x, i) return (y * 40 + x * 7 + i) % 256 end)
  local got, set = made((codec.png {}:encode(same)), { size = '9x6' })
  t.equal({ got:size(), got:eq(same):min() }, { { 6, 9, 3 }, 1 })
  t.match(set.made, '^9x6 by crop %(zimg [%d.]+, bilinear, antialiased%)$')
  t.match(tostring(set), 'from .*, 9x6 by crop')
  -- a checkerboard of single pixels has nothing left but its mean where a triangle covers many of them
  local board = made(png(64, 64, function(y, x) return (y + x) % 2 * 200 end), { size = 4 })
  for _, row in ipairs(rows(board)) do
    for _, v in ipairs(row) do t.near(v, 100, 1) end
  end
end)

t.case('each way of fitting says where things go', function()
  -- 8 wide, 4 high: columns 0..7 hold 0, 30, .. 210
  local wide = png(4, 8, function(_, x) return 30 * x end)
  t.equal(rows(made(wide, { size = 4, fit = 'crop' })), { { 60, 90, 120, 150 }, { 60, 90, 120, 150 },
    { 60, 90, 120, 150 }, { 60, 90, 120, 150 } })
  local pad = rows(made(wide, { size = 4, fit = 'pad' }))
  t.equal({ pad[1], pad[4] }, { { 0, 0, 0, 0 }, { 0, 0, 0, 0 } })
  t.equal(pad[2], pad[3])
  for i, v in ipairs { 21, 75, 135, 189 } do t.equal(pad[2][i], v) end
  local stretch = rows(made(wide, { size = 4, fit = 'stretch' }))
  t.equal(stretch[1], pad[2])
  t.equal(stretch[4], pad[2])
  -- tall and wide are alike
  local tall = rows(made(png(8, 4, function(y) return 30 * y end), { size = 4, fit = 'pad' }))
  for y = 1, 4 do t.equal(tall[y], { 0, pad[2][y], pad[2][y], 0 }) end
end)

t.case('enlarging, one pixel, extremes', function()
  t.equal(made(png(1, 1, function() return 77 end), { size = 5 }):eq(77):min(), 1)
  t.equal(made(png(1, 300, function() return 78 end), { size = '3x2', fit = 'stretch' }):eq(78):min(), 1)
  t.equal(made(png(400, 2, function() return 79 end), { size = '16x1', fit = 'crop' }):eq(79):min(), 1)
  local pad = made(png(1, 400, function() return 80 end), { size = 7, fit = 'pad' })
  for y, row in ipairs(rows(pad)) do t.equal(row[4], y == 4 and 80 or 0) end
  t.equal(made(png(1, 6000, function() return 81 end), { size = 1, fit = 'stretch' }):eq(81):min(), 1)
  t.raises('6100x1 pixels become 1x1 (width x height); needs at most 6000 to one', made,
    png(1, 6100, function() return 82 end), { size = 1, fit = 'stretch' })
end)

t.case('sizes and fits that mean nothing', function()
  for text, part in pairs {
    ['0'] = "size is '0'; needs a width and height of 1..4096", ['64x'] = "size is '64x'", ['x64'] = "size is 'x64'",
    ['64x64x3'] = "size is '64x64x3'", ['-3'] = "size is '-3'", ['1e3'] = "size is '1e3'", ['5000'] = "size is '5000'",
    [''] = "size is ''", ['6.5'] = "size is '6.5'" } do
    t.raises(part, sizes.asked, { size = text })
  end
  need_all()
  local function grey() return 100 end
  local d = folder { ['a/x.png'] = png(4, 4, grey), ['b/y.png'] = png(4, 4, grey) }
  t.raises("size is '64.5'", dataset, 'folder', { path = d, size = 64.5 })
  t.raises("fit is 'squeeze'; needs one of crop, pad, stretch", dataset, 'folder',
    { path = d, fit = 'squeeze', size = 8 })
  t.raises('fit=pad was given without a size; needs size=64', dataset, 'folder', { path = d, fit = 'pad' })
  t.raises('size is true; needs a string', dataset, 'folder', { path = d, size = true })
end)

t.case('without a size the error names the sizes, how often they occur, and what to type', function()
  local files = { ['b/z.png'] = png(30, 20, function() return 1 end) }
  for i = 1, 3 do files[('a/%d.png'):format(i)] = png(40, 50, function() return i end) end
  local what = 'there are 50x40 (3 times), 20x30 (once); size= makes them one (fit=crop, pad or stretch), as in: '
  local e = t.raises(what, dataset, 'folder', { path = folder(files) })
  t.match(e, '/b/z%.png is 20x30, .*/a/%d%.png is 50x40 %(width x height%); needs all of one size')
  t.match(e, 'size=32$')
  local d = folder(files)
  local status, _, err = t.sh(("'%s' experiments/cifar_sweep.lua path='%s' dry=true"):format(t.hz, d))
  t.equal(status, 1)
  t.match(err, 'as in: .*hz experiments/cifar_sweep%.lua path=' .. d:gsub('%p', '%%%0') .. ' dry=true size=32\n$')
end)

-- ---- orientation ----

t.case('orientation comes before size: where things go is decided as they are seen', function()
  need_all()
  -- a picture whose left half is bright; upright 12 wide and 8 high
  local function bright(y, x) return x < 6 and 240 or 10 end
  local upright = image(8, 12, function(y, x) return bright(y, x) end)
  for k, turned in pairs {
    [1] = upright, [3] = image(8, 12, function(_, x) return bright(0, 11 - x) end),
    [6] = image(12, 8, function(y) return bright(0, 11 - y) end),
    [8] = image(12, 8, function(y) return bright(0, y) end) } do
    local bytes = photographs.with_orientation(codec.jpeg { quality = 100, subsampling = '444' }:encode(turned), k)
    local got = rows(made(bytes, { size = '6x4', orient = true }))
    for y = 1, 4 do
      t.near(got[y][1], 240, 2, 'left, orientation ' .. k)
      t.near(got[y][6], 10, 2, 'right, orientation ' .. k)
    end
  end
end)

-- ---- converting ----

t.case('16 bit and CMYK are converted where asked, refused otherwise', function()
  need_all()
  local wide, cmyk = t.read(t.here .. 'fixtures/rgb16.png'), t.read(t.here .. 'fixtures/cmyk.jpg')
  t.raises('has 16 bits a sample; needs 8 (or convert=true)', made, wide, { size = 16 })
  t.raises('has 4 colour components (CMYK); needs 1 (grey) or 3 (colour) (or convert=true)', made, cmyk, { size = 16 })
  local got, set = made(wide, { size = 16, convert = true })
  local p, sum = got:pointer 'read', 0
  for i = 0, 16 * 16 * 3 - 1 do
    t.equal(p[i], math.floor(((i * 85 + 7) % 65536) * 255 / 65535 + 0.5))
    sum = sum + p[i]
  end
  t.equal(sum, 97433)
  t.match(set.made, '^16 bit and CMYK converted, 16x16 by crop')
  -- as Pillow 13.0 converts it
  got = made(cmyk, { size = 16, convert = true })
  for at, want in pairs { [{ 5, 5 }] = { 29, 9, 23 }, [{ 5, 13 }] = { 3, 16, 45 }, [{ 13, 5 }] = { 10, 100, 50 },
    [{ 13, 13 }] = { 42, 39, 8 } } do
    for i = 1, 3 do t.near(got[at[1]][at[2]][i], want[i], 1) end
  end
  -- what needs no converting is what it was
  local plain = image(4, 4, function(y, x, i) return y * 50 + x * 9 + i end)
  t.equal(made((codec.png {}:encode(plain)), { size = 4, convert = true }):eq(plain):min(), 1)
end)

-- ---- sets ----

t.case('the split follows the files, whatever their names, their order or the size asked for', function()
  need_all()
  local d = t.folder()
  photographs.make(d, 40, { least = 20, most = 60, classes = 2 })
  local function held(size, path)
    local names = {}
    local test = dataset('folder', { path = path or d, size = size, orient = true, split = 'test' })
    for i = 1, #test do names[i] = tostring(test.origins[i]) end
    table.sort(names)
    return names, test
  end
  local first, set = held(16)
  t.equal(#first, 8)
  t.equal((held(32)), first)
  t.equal((held '20x10'), first)
  local other, n = t.folder(), 0
  for _, class in ipairs(set.classes) do
    file.mkdir(other .. '/' .. class)
    for _, name in ipairs(file.list(d .. '/' .. class)) do
      n = n + 1
      t.write(('%s/%s/%d'):format(other, class, 1000 - n), t.read(('%s/%s/%s'):format(d, class, name)))
    end
  end
  local again, renamed = held(16, other)
  t.equal({ again, renamed.digest }, { first, set.digest })
end)

t.case('any number of threads makes the same set; broken files are told and skipped', function()
  need_all()
  local d = t.folder()
  photographs.make(d, 30, { least = 20, most = 90, classes = 2 })
  local classes = file.list(d)
  local bytes = t.read(('%s/%s/%s'):format(d, classes[1], file.list(d .. '/' .. classes[1])[1]))
  t.write(d .. '/' .. classes[1] .. '/cut.jpg', bytes:sub(1, #bytes - 200))
  t.raises('/cut.jpg', dataset, 'folder', { path = d, size = 16 })
  local digests = {}
  for threads = 1, 4 do
    local code = ("print(hz.data('folder', {path='%s', size=16, broken='skip', split='train'}).digest)"):format(d)
    local status, out, err = t.sh(('HZ_THREADS=%d "%s" -e "%s"'):format(threads, t.hz, code))
    t.equal(status, 0, err)
    t.match(err, '1 left out: .*/cut%.jpg')
    digests[threads] = out
  end
  for threads = 2, 4 do t.equal(digests[threads], digests[1]) end
end)

t.case('memory holds the set and a picture per thread, however many pictures there are', function()
  need_all()
  if os.getenv 'HZ_SANITIZER' then t.skip 'sanitizers keep what was freed' end
  local d = t.folder()
  photographs.make(d, 48, { least = 1000, most = 1300, classes = 2 })
  local function peak(options)
    local code = ([[hz.data('folder', {path='%s', size=32, split='train'%s})
      print(hz.file.read_all '/proc/self/status':match 'VmHWM:%%s*(%%d+)')]]):format(d, options)
    local status, out, err = t.sh(('HZ_THREADS=2 "%s" -e "%s"'):format(t.hz, code:gsub('%%%%', '%%')))
    t.equal(status, 0, err)
    return tonumber(out) / 1024
  end
  -- 48 pictures take about 180 MB; one with its file at most 1300 * 1300 * 3 * 2 bytes, half as much again by growth
  local code = [[print(hz.file.read_all '/proc/self/status':match 'VmHWM:%s*(%d+)')]]
  local _, base = t.sh(('"%s" -e "%s"'):format(t.hz, code))
  t.ok(peak '' - tonumber(base) / 1024 < 60, 'megabytes beside the program')
end)

-- ---- a net for any size ----

t.case('conv-by-size takes any image, as deep as it is large, and ends in a mean over what is left', function()
  for _, row in ipairs(nets.rows) do
    local input = row.input or { 32, 32, 3 }
    t.equal(nets.make(row[1], { input = input }):init { seed = 1, input = input }:count(), row[3], row[1])
  end
  local before = 0
  for _, shape in ipairs { { 1, 1, 1 }, { 5, 7, 3 }, { 16, 16, 3 }, { 33, 64, 1 }, { 48, 64, 3 }, { 96, 128, 3 },
    { 256, 256, 3 } } do
    local net = nets.make('conv-by-size', { input = shape, classes = 4 }):init { seed = 1, input = shape }
    local out = net(tensor.zeros { 2, unpack(shape) })
    t.equal(out:size(), { 2, 4 })
    t.ok(#net.layers >= before, 'layers')
    before = #net.layers
  end
end)

-- ---- hz sweep DIR ----

local function sweep(d, keys, runs, limit)
  return t.sh(('HZ_RUNS="%s" %s "%s" sweep "%s" %s'):format(runs, limit or '', t.hz, d, keys))
end

t.case('hz sweep DIR does the whole job, and goes on where it was', function()
  need_all()
  local d, runs = t.folder(), t.folder()
  photographs.make(d, 40, { least = 30, most = 90, classes = 2 })
  local keys = 'epochs=1 quality=10,raw seed=1 parallel=1'
  local status, out, err = sweep(d, keys .. ' dry=true', runs)
  t.equal(status, 0, err)
  t.match(out, 'size: pictures of %d+ sizes, .*; taken as 32x32, cut in the middle %(size= and fit= say otherwise%)\n')
  t.match(out, 'net: conv%-by%-size, 1 epochs')
  t.match(out, 'data: folder, 32 training and 8 test images')
  t.match(out, 'sweep folder_sweep%-%x+: 2 cells, about %d+:%d+ to go')
  t.equal(#file.list(runs), 0)
  status, out, err = sweep(d, keys, runs)
  t.equal(status, 0, err)
  t.match(out, ': 2 cells, about %d+:%d+ to go')
  t.match(out, 'turned by EXIF, 32x32 by crop %(zimg')
  t.match(out, '\njpeg 10 .*\nraw ')
  t.match(out, 'bits per sample')
  status, out, err = sweep(d, keys, runs)
  t.equal(status, 0, err)
  t.match(out, ': 2 cells, 2 of them finished')
  -- another fit is another cell
  status, out, err = sweep(d, keys .. ' fit=pad', runs)
  t.equal(status, 0, err)
  t.ok(not out:find 'of them finished')
  t.match(out, '32x32 by pad')
end)

t.case('hz sweep DIR says what it needs; a long one, how to ask first', function()
  need_all()
  local d, runs = t.folder(), t.folder()
  photographs.make(d, 40, { least = 30, most = 40, classes = 2 })
  for _, row in ipairs {
    { '', 2, 'sweep: no folder was given; needs one folder: hz sweep DIR' },
    { 'a b', 2, "'a' and 'b' were given; needs one folder" },
    { '/nowhere', 1, 'folder: /nowhere is not there; needs a folder' },
    { d .. ' epoch=3', 2, "sweep: 'epoch' is no key, did you mean 'epochs'" },
    { d .. ' size=big', 1, "size is 'big'; needs a width and height" },
  } do
    local status, _, err = t.sh(('"%s" sweep %s'):format(t.hz, row[1]))
    t.equal(status, row[2], row[1])
    t.ok(err:find(row[3], 1, true), err)
  end
  local status, out = sweep(d, 'epochs=90000 parallel=1', runs, 'timeout --preserve-status -s INT 12')
  t.equal(status, 130)
  t.match(out, 'about %d+:%d%d:%d%d to go\nthat is long: dry=true says it and starts nothing')
end)

t.case('pictures of one small size stay as they are', function()
  need_all()
  local files = {}
  for i = 1, 10 do
    files[('a/%d.png'):format(i)] = png(20, 24, function(y, x) return (y * i + x) % 256 end)
    files[('b/%d.png'):format(i)] = png(20, 24, function(y, x) return (y + x * i + 50) % 256 end)
  end
  local status, out, err = sweep(folder(files), 'dry=true epochs=1', t.folder())
  t.equal(status, 0, err)
  t.ok(not out:find 'size:', out)
end)
