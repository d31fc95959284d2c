-- picture_files_test.lua: folders of WebP, AVIF, JPEG XL and JPEG 2000 as data: what heads say against the tools that
-- wrote them, pixels against the codecs, what counts as lossy, what is refused.
local t = ...
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local head = require 'hz.data.head'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'
local ffi = require 'ffi'

-- By codec: the kind that heads name, the ending, values without loss.
local rows = { webp = { 'WEBP', 'webp' }, avif = { 'AVIF', 'avif' }, jxl = { 'JXL', 'jxl' },
  jpeg2000 = { 'JP2', 'j2k' } }

local function need(name)
  if not plugins.has(name) then t.skip('the plugin %s is not built', name) end
  return codec[name]
end

local function image(h, w, channels, seed)
  return tensor.rand({ h, w, channels }, 0, 256, { seed = seed, stream = 2 }):to 'u8'
end

-- A folder of two classes, n files of each; make(k) gives a stream.
local function folder(ending, n, make)
  local d = t.folder()
  for k = 1, 2 * n do
    local path = ('%s/%s/%d.%s'):format(d, k % 2 == 0 and 'even' or 'odd', k, ending)
    file.mkdir(file.folder_of(path))
    t.write(path, make(k))
  end
  return d
end

for name, row in pairs(rows) do
  local kind, ending = unpack(row)

  t.case(kind .. ': heads say what was encoded', function()
    local make = need(name)
    for _, size in ipairs { { 1, 1 }, { 32, 32 }, { 7, 13 }, { 40, 60 }, { 96, 72 }, { 300, 200 }, { 9, 16 } } do
      for _, channels in ipairs { 1, 3 } do
        for _, values in ipairs { {}, { lossless = true } } do
          if name ~= 'webp' or channels == 3 then
            local h, more = head.read((make(values):encode(image(size[1], size[2], channels, 1))))
            t.equal({ h.kind, h.height, h.width, h.channels, h.bits, h.alpha, h.orientation, more },
              { kind, size[1], size[2], channels, 8, false, 1, false })
            t.equal(h.lossless, name == 'webp' and values.lossless or nil)
          end
        end
      end
    end
  end)

  t.case(kind .. ': no head, cut or damaged, is an error', function()
    local stream = need(name)():encode(image(20, 30, 3, 2))
    for n = 0, math.min(#stream, 400) do head.read(stream:sub(1, n)) end
    for i = 1, math.min(#stream, 400) do
      for _, v in ipairs { '\0', '\1', '\127', '\255' } do head.read(stream:sub(1, i - 1) .. v .. stream:sub(i + 1)) end
    end
  end)

  t.case(kind .. ': a folder of them is a set, which was lossy before', function()
    local one = need(name)()
    local d = folder(ending, 10, function(k) return (one:encode(image(24, 24, 3, k))) end)
    local train, test = dataset('folder', { path = d })
    t.equal({ #train, #test, train[1]:size() }, { 16, 4, { 24, 24, 3 } })
    t.equal({ train.files.facts.kinds, train.files.facts.lossy }, { { [kind] = 20 }, true })
    local by = {}
    for k = 1, 20 do
      local x = one:decode((one:encode(image(24, 24, 3, k))))
      by[ffi.string(x:pointer 'read', x:count())] = k
    end
    for i = 1, 16 do
      local x = train[i]:clone()
      t.ok(by[ffi.string(x:pointer 'read', x:count())], 'pixels are those of the codec')
    end
    local status, out = t.run('data doctor folder path=' .. d)
    t.equal(status, 0, out)
    t.match(out, ("source +note 20 %s: 'raw' are the decoded pixels of these, what %s took is gone"):format(kind, kind))
  end)
end

t.case('WebP without loss is raw', function()
  local one = need 'webp' { lossless = true }
  local d = folder('webp', 10, function(k) return (one:encode(image(24, 24, 3, k))) end)
  t.equal((dataset('folder', { path = d })).files.facts.lossy, false)
  t.match(select(2, t.run('data doctor folder path=' .. d)), 'compression +ok +20 WEBP without loss')
end)

t.case('kinds stand beside each other, names mean nothing', function()
  local make = { need 'webp' (), need 'avif' (), need 'jxl' (), need 'jpeg2000' (), need 'png' (), need 'jpeg' () }
  local d = folder('png', 12, function(k)
    return (make[math.floor((k - 1) / 2) % #make + 1]:encode(image(16, 16, 3, k)))
  end)
  local train, test = dataset('folder', { path = d })
  t.equal(#train + #test, 24)
  local status, out = t.run('data doctor folder path=' .. d)
  t.equal(status, 0, out)
  t.match(out, 'what AVIF, JP2, JPEG, JXL, WEBP took is gone')
end)

t.case('a plugin that is not here is named', function()
  local one = need 'webp' ()
  local d = folder('webp', 5, function(k) return (one:encode(image(8, 8, 3, k))) end)
  local has = plugins.has
  plugins.has = function(name) return name ~= 'webp' and has(name) end
  local ok, e = pcall(dataset, 'folder', { path = d })
  plugins.has = has
  t.equal(ok, false)
  t.match(tostring(e), 'folder: .+%.webp: the codec webp is not here; needs its plugin')
end)

-- EXIF in a WebP: a chunk of its own, behind the picture.
t.case('a WebP that EXIF turns', function()
  if not plugins.has 'webp' then t.skip 'the plugin webp is not built' end
  local stream = codec.webp():encode(image(5, 9, 3, 1))
  local function chunk(name, s)
    return name .. string.char(#s % 256, math.floor(#s / 256), 0, 0) .. s .. (#s % 2 == 1 and '\0' or '')
  end
  local tiff = 'II*\0\8\0\0\0\1\0\18\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0'
  local body = 'WEBP' .. chunk('VP8X', '\8\0\0\0\8\0\0\4\0\0') .. stream:sub(13) .. chunk('EXIF', tiff)
  local whole = 'RIFF' .. string.char(#body % 256, math.floor(#body / 256), 0, 0) .. body
  local h, more = head.read(whole)
  t.equal({ h.width, h.height, h.orientation, h.exif, more }, { 9, 5, 6, nil, false })
  h, more = head.read(whole:sub(1, -40))
  t.equal({ h.width, h.orientation, more }, { 9, 1, true })
  t.equal(codec.webp():decode(whole):size(), { 5, 9, 3 })
end)

t.case('what is called so and is none is named', function()
  local one = need 'png' ()
  local d = folder('png', 5, function(k) return (one:encode(image(8, 8, 3, k))) end)
  t.write(d .. '/odd/x.avif', 'no picture')
  t.raises('/odd/x.avif is no AVIF inside; needs JPEG or PNG (or WebP', dataset, 'folder', { path = d })
end)

-- ---- files of others ----

local function pnm(path, h, w, channels)
  local x = image(h, w, channels or 3, 5)
  t.write(path, ('P%d\n%d %d\n255\n'):format(channels == 1 and 5 or 6, w, h) .. ffi.string(x:pointer 'read', x:count()))
end

local function written(tool, command, h, w, channels)
  if not t.tool(tool) then t.skip('%s is not installed', tool) end
  local d = t.folder()
  pnm(d .. '/a.ppm', h, w, channels)
  local status, out, err = t.sh(command:gsub('%%d', d))
  t.equal(status, 0, out .. err)
  local found = t.read(d .. '/b')
  return head.read(found), found
end

t.case('files of avifenc: turned, of 10 bits', function()
  need 'avif'
  if not t.tool 'avifenc' then t.skip 'avifenc is not installed' end
  local d = t.folder()
  t.write(d .. '/a.png', (need 'png' ():encode(image(40, 60, 3, 1))))
  for options, wanted in pairs { [''] = { 8, 1, 3 }, ['-d 10'] = { 10, 1, 3 }, ['--irot 1'] = { 8, 8, 3 },
    ['--irot 2'] = { 8, 3, 3 }, ['-y 400'] = { 8, 1, 1 } } do
    local status, _, err = t.sh(('avifenc -s 9 %s %s/a.png %s/b.avif'):format(options, d, d))
    t.equal(status, 0, err)
    local h = head.read(t.read(d .. '/b.avif'))
    t.equal({ h.width, h.height, h.bits, h.orientation, h.channels }, { 60, 40, unpack(wanted) })
  end
end)

t.case('more than 8 bits are converted where that is asked for', function()
  need 'avif'
  if not t.tool 'avifenc' then t.skip 'avifenc is not installed' end
  local d = folder('png', 5, function(k) return (need 'png' ():encode(image(20, 20, 3, k))) end)
  t.sh(('avifenc -s 9 -d 10 %s/odd/1.png %s/odd/x.avif'):format(d, d))
  t.raises('/odd/x.avif has 10 bits a sample; needs 8 (or convert=true)', dataset, 'folder', { path = d })
  local train, test = dataset('folder', { path = d, convert = true })
  t.equal(#train + #test, 11)
end)

local foreign = {
  { 'webp', 'cwebp', 'cwebp -quiet %d/a.ppm -o %d/b', 50, 70 },
  { 'webp', 'cwebp', 'cwebp -quiet -lossless %d/a.ppm -o %d/b', 50, 70 },
  { 'jxl', 'cjxl', 'cjxl --quiet %d/a.ppm %d/b.jxl && mv %d/b.jxl %d/b', 50, 70 },
  { 'jxl', 'cjxl', 'cjxl --quiet --container=1 -d 0 %d/a.ppm %d/b.jxl && mv %d/b.jxl %d/b', 1000, 70 },
  { 'jpeg2000', 'opj_compress', 'opj_compress -i %d/a.ppm -o %d/b.jp2 && mv %d/b.jp2 %d/b', 50, 70 },
  { 'jpeg2000', 'opj_compress', 'opj_compress -I -r 10 -t 32,32 -i %d/a.ppm -o %d/b.j2k && mv %d/b.j2k %d/b', 99, 70 },
}
for i, row in ipairs(foreign) do
  t.case(('a file of %s, %d'):format(row[2], i), function()
    local one = need(row[1])()
    local h, bytes = written(row[2], row[3], row[4], row[5])
    t.equal({ h.kind, h.height, h.width, h.channels, h.bits }, { rows[row[1]][1], row[4], row[5], 3, 8 })
    local x = one:decode(bytes)
    t.equal(x:size(), { row[4], row[5], 3 })
  end)
end
