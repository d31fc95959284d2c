-- picture_codecs_test.lua: WebP, AVIF, JPEG XL and JPEG 2000 from Lua: the same streams and pixels as the tools of
-- their libraries, accounts that independent parsers confirm, bits that rise with quality, broken streams refused.
local t = ...
local codec = require 'hz.codec.codec'
local plugins = require 'hz.codec.plugins'
local quality = require 'hz.codec.quality'
local tensor = require 'hz.tensor.tensor'
local ffi = require 'ffi'

local function case(name, title, f)
  t.case(('%s: %s'):format(name, title), function()
    if not plugins.has(name) then t.skip('the plugin %s is not built', name) end
    f(codec[name])
  end)
end

local function need(...)
  for _, tool in ipairs { ... } do
    if not t.tool(tool) then t.skip('%s is not installed', tool) end
  end
end

-- Smooth with edges and some noise: (height,width,channels) u8.
local function picture(h, w, channels, seed)
  local image = tensor.empty({ h, w, channels }, 'u8')
  local p, state, at = image:pointer(), seed, 0
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      for k = 0, channels - 1 do
        state = (state * 16807) % 2147483647
        p[at] = 60 + (x > y and 70 or 0) + (x * 3 + y * 2 + k * 20) % 80 + state % 12
        at = at + 1
      end
    end
  end
  return image
end

local function set_of(n, h, w, channels)
  local set = tensor.empty({ n, h, w, channels }, 'u8')
  for i = 1, n do set[i] = picture(h, w, channels, i) end
  return set
end

local function bytes_of(image) return ffi.string(image:pointer 'read', image:count()) end

local function pnm(image)
  return ('P%d\n%d %d\n255\n'):format(image:size(3) == 3 and 6 or 5, image:size(2), image:size(1)) .. bytes_of(image)
end

local function sh(command, ...)
  local status, out, err = t.sh(command:format(...))
  t.equal(status, 0, command .. ': ' .. tostring(out) .. tostring(err))
  return out .. err
end

-- Segments of an account as { 'container 0+20', ... }.
local function segments(account)
  local list = {}
  for i, s in ipairs(account.segments) do list[i] = ('%s %d+%d'):format(s.part, s.offset, s.bytes) end
  return list
end

-- ---- what holds of each ----

-- channels: what it takes; rising: qualities; lossless: values by which pixels return as they were; least: PSNR in dB
-- of the highest quality.
local rows = {
  avif = { channels = { 1, 3 }, rising = { 0, 15, 30, 50, 70, 85, 100 }, lossless = { lossless = true }, least = 30 },
  jpeg2000 = { channels = { 1, 3 }, rising = { 1, 20, 25, 30, 35, 40, 45, 60, 100 }, lossless = { lossless = true },
    least = 50 },
  jxl = { channels = { 1, 3 }, rising = { 10, 25, 50, 75, 90, 97, 100 }, lossless = { lossless = true },
    least = 60 },
  webp = { channels = { 3 }, rising = { 0, 10, 30, 50, 75, 90, 100 }, lossless = { lossless = true }, least = 30 },
}

for name, row in pairs(rows) do
  local most = row.channels[#row.channels]

  case(name, 'any size comes back, accounts name every byte', function(make)
    for _, size in ipairs { { 1, 1 }, { 1, 5 }, { 5, 1 }, { 2, 2 }, { 7, 13 }, { 32, 32 }, { 33, 65 }, { 3, 2000 } } do
      for _, channels in ipairs(row.channels) do
        local image = picture(size[1], size[2], channels, 3)
        for _, values in ipairs { {}, { quality = row.rising[1] }, row.lossless } do
          local one = make(values)
          local stream, a = one:encode(image)
          t.equal(one:decode(stream):size(), { size[1], size[2], channels })
          t.equal({ a.payload + a.tables + a.container, a.bytes }, { #stream, #stream })
          t.ok(a.payload > 0 and a.container > 0)
        end
        local one = make(row.lossless)
        t.equal(one:decode((one:encode(image))):ne(image):sum(), 0, 'lossless')
      end
    end
  end)

  case(name, 'a higher quality costs more bits and is nearer', function(make)
    local set, bits, psnr = set_of(8, 48, 48, most), 0, 0
    for _, q in ipairs(row.rising) do
      local decoded, a = make { quality = q }:recode(set)
      t.ok(a.bits_per_sample_file > bits, ('quality %g: %g bits, before %g'):format(q, a.bits_per_sample_file, bits))
      bits = a.bits_per_sample_file
      local p = quality.psnr(set, decoded) or math.huge
      t.ok(p > psnr - 0.1, ('quality %g: %g dB, before %g'):format(q, p, psnr))
      psnr = p
    end
    t.ok(psnr > row.least, ('%g dB at the highest'):format(psnr))
  end)

  local function break_streams(make)
    for _, values in ipairs { {}, row.lossless } do
      local one = make(values)
      local stream = one:encode(picture(24, 20, most, 1))
      for n = 1, #stream - 1 do t.raises(name .. ': ', one.decode, one, stream:sub(1, n)) end
      for i = 1, #stream do
        local broken = stream:sub(1, i - 1) .. string.char((stream:byte(i) + 85) % 256) .. stream:sub(i + 1)
        local ok, e = pcall(one.decode, one, broken)
        t.ok(ok or tostring(e):find(name .. ': ', 1, true), tostring(e))
      end
      t.raises(name .. ': ', one.decode, one, ('no stream '):rep(100))
    end
  end
  case(name, 'streams that are cut or damaged are refused or decode to some picture', function(make)
    t.mute(break_streams, make)
  end)

  case(name, 'the tool hz plugin check finds nothing wrong', function()
    local status, out = t.run(('plugin check %s --only again,direction,ranges,sizes,room,truncated'):format(name))
    t.equal(status, 0, out)
  end)
end

-- ---- WebP ----

case('webp', 'streams and pixels are those of cwebp and dwebp', function(make)
  need('cwebp', 'dwebp')
  local d = t.folder()
  for options, values in pairs { [''] = {}, ['-q 10 -m 6'] = { quality = 10, method = 6 }, ['-q 99.5 -m 0'] =
    { quality = 99.5, method = 0 }, ['-lossless'] = { lossless = true }, ['-lossless -q 100 -m 6'] =
    { lossless = true, quality = 100, method = 6 } } do
    for _, size in ipairs { { 32, 32 }, { 1, 1 }, { 17, 40 } } do
      local one, image = make(values), picture(size[1], size[2], 3, 5)
      local stream = one:encode(image)
      t.write(d .. '/in.ppm', pnm(image))
      sh('cwebp -quiet %s %s/in.ppm -o %s/out.webp', options, d, d)
      t.ok(stream == t.read(d .. '/out.webp'), 'cwebp ' .. options)
      sh('dwebp -quiet -ppm %s/out.webp -o %s/out.ppm', d, d)
      t.ok(pnm(one:decode(stream)) == t.read(d .. '/out.ppm'), 'dwebp ' .. options)
    end
  end
end)

case('webp', 'payload is what webpinfo finds in the chunks, without their fixed headers', function(make)
  need 'webpinfo'
  local path = t.folder() .. '/a.webp'
  for _, row in ipairs { { {}, 'VP8 ', 10 }, { { lossless = true }, 'VP8L', 5 } } do
    local stream, a = make(row[1]):encode(picture(33, 31, 3, 2))
    t.write(path, stream)
    local out = sh('webpinfo %s', path)
    local offset, length = out:match('Chunk ' .. row[2] .. ' at offset +(%d+), length +(%d+)')
    t.equal(tonumber(out:match 'File size: +(%d+)'), #stream)
    t.equal({ tonumber(offset), a.tables }, { 12, 0 })
    local head, size = 20 + row[3], tonumber(length) - 8 - row[3]
    local padding = size + head < #stream and ('container %d+%d'):format(size + head, #stream - size - head) or nil
    t.equal(segments(a), { 'container 0+' .. head, ('payload %d+%d'):format(head, size), padding })
  end
end)

case('webp', 'what it does not take is said', function(make)
  local one = make()
  t.raises('webp: the item has 1 channels; needs 3', one.encode, one, picture(4, 4, 1, 1))
  t.raises('webp: the image is 1 x 16384; needs at most 16383 either way', one.encode, one,
    tensor.zeros({ 1, 16384, 3 }, 'u8'))
  t.raises('webp: the stream does not begin as WebP does', one.decode, one, 'RIFF')
  local stream = one:encode(picture(9, 9, 3, 1))
  t.raises(('webp: the stream has %d bytes; it says that it needs %d'):format(#stream - 1, #stream), one.decode, one,
    stream:sub(1, -2))
end)

-- ---- AVIF ----

local AVIFENC = 'avifenc --cicp 1/13/6 -c aom -j 1 --min 0 --max 63 -a end-usage=q -a cq-level=%s -s %s -y %s '
  .. '%s/in.png %s/out.avif'

case('avif', 'streams and pixels are those of avifenc and avifdec', function(make)
  need('avifenc', 'avifdec')
  if not plugins.has 'png' then t.skip 'the plugin png is not built' end
  local d, png = t.folder(), codec.png()
  for _, row in ipairs { { 60, 6, '420', 25 }, { 10, 8, '444', 57 }, { 95, 4, '422', 3 } } do
    for _, size in ipairs { { 32, 32 }, { 17, 40 } } do
      for channels = 1, 3, 2 do
        local one = make { quality = row[1], speed = row[2], subsampling = row[3] }
        local image = picture(size[1], size[2], channels, 5)
        local stream = one:encode(image)
        t.write(d .. '/in.png', png:encode(image))
        sh(AVIFENC, row[4], row[2], channels == 3 and row[3] or '400', d, d)
        t.ok(stream == t.read(d .. '/out.avif'), ('avifenc, quality %d, %d channels'):format(row[1], channels))
        sh('avifdec -c aom -d 8 %s/out.avif %s/out.png', d, d)
        local decoded, back = one:decode(stream), png:decode(t.read(d .. '/out.png'))
        if channels == 1 and back:size(3) == 3 then back = back:slice(3, 1, 1) end
        t.equal(decoded:ne(back:clone()):sum(), 0, 'avifdec')
      end
    end
  end
end)

case('avif', 'payload is what lies in mdat, without the heads of units', function(make)
  need 'avifdec'
  local path = t.folder() .. '/a.avif'
  local stream, a = make():encode(picture(33, 65, 3, 2))
  t.write(path, stream)
  t.match(sh('avifdec --info %s', path), 'Resolution +: 65x33')
  local at = stream:find('mdat', 1, true) - 5
  local function number(i) return stream:byte(i + 1) * 256 + stream:byte(i + 2) end
  t.equal(at + number(at + 2), #stream, 'mdat is the last box')
  local last = a.segments[#a.segments]
  t.equal({ last.part, last.offset + last.bytes, a.tables, #a.segments }, { 'payload', #stream, 0, 2 })
  -- after mdat's head: an empty delimiter unit, a sequence header with its size in one byte, a frame's head
  t.equal(stream:sub(at + 9, at + 11), '\x12\0\x0a')
  local sequence = at + 10
  local frame = sequence + 2 + stream:byte(sequence + 2)
  t.equal(stream:byte(frame + 1), 0x32)
  local sizes = 1
  while stream:byte(frame + 1 + sizes) > 127 do sizes = sizes + 1 end
  t.equal(last.offset, frame + 1 + sizes)
end)

case('avif', 'a few bytes cannot ask for gigabytes', function(make)
  local one = make()
  local stream = one:encode(picture(32, 32, 3, 1))
  local at = stream:find('\x12\0\x0a.', 1) + 4                 -- where the sequence header begins
  t.raises('avif: the stream may have frames of more than 67108864 pixels', one.decode, one,
    stream:sub(1, at - 1) .. ('\255'):rep(8) .. stream:sub(at + 8))
end)

-- ---- JPEG 2000 ----

case('jpeg2000', 'streams and pixels are those of opj_compress and opj_decompress', function(make)
  need('opj_compress', 'opj_decompress')
  local d = t.folder()
  for options, values in pairs { ['-I -q 35'] = {}, ['-I -q 22.5 -n 4'] = { quality = 22.5, levels = 3 }, [''] =
    { lossless = true } } do
    for _, size in ipairs { { 32, 32 }, { 33, 70 } } do
      for channels = 1, 3, 2 do
        local one, image = make(values), picture(size[1], size[2], channels, 5)
        local stream = one:encode(image)
        local path = ('%s/in.p%sm'):format(d, channels == 3 and 'p' or 'g')
        t.write(path, pnm(image))
        sh('opj_compress %s -C "" -i %s -o %s/out.j2k', options, path, d)
        t.ok(stream == t.read(d .. '/out.j2k'), 'opj_compress ' .. options)
        sh('opj_decompress -i %s/out.j2k -o %s/out.%s', d, d, channels == 3 and 'ppm' or 'pgm')
        t.ok(bytes_of(one:decode(stream)) == t.read(d .. '/out.' .. (channels == 3 and 'ppm' or 'pgm')):sub(-image
          :count()), 'opj_decompress ' .. options)
        sh('opj_compress %s -i %s -o %s/out.jp2', options, path, d)
        t.equal(one:decode(t.read(d .. '/out.jp2')):ne(one:decode(stream)):sum(), 0, 'JP2')
      end
    end
  end
end)

case('jpeg2000', 'segments lie where opj_dump sees markers', function(make)
  need 'opj_dump'
  local path = t.folder() .. '/a.j2k'
  for channels = 1, 3, 2 do
    local stream, a = make():encode(picture(33, 65, channels, 2))
    t.write(path, stream)
    local out = sh('opj_dump -i %s', path)
    local marks = {}
    for kind, at, length in out:gmatch 'type=0x(%x+), pos=(%d+), len=(%d+)' do
      marks[kind] = { tonumber(at), tonumber(length) }
    end
    local cod, qcd, header = marks.ff52, marks.ff5c, tonumber(out:match 'Main header end position=(%d+)')
    local data = tonumber(out:match 'Tile%-part%[0%]: star_pos=%d+, end_header=(%d+)') or header + 14
    local size = #stream - 2 - data
    t.equal(segments(a), { 'container 0+' .. cod[1], ('tables %d+%d'):format(unpack(cod)), ('tables %d+%d'):format(
      unpack(qcd)), ('container %d+%d'):format(qcd[1] + qcd[2], data - qcd[1] - qcd[2]), ('payload %d+%d'):format(data,
      size), ('container %d+2'):format(#stream - 2) })
    t.equal(cod[1] + cod[2], qcd[1])
  end
end)

case('jpeg2000', 'a few bytes cannot ask for gigabytes', function(make)
  local one = make()
  local stream = one:encode(picture(8, 8, 3, 1))
  local function with(at, bytes) return stream:sub(1, at) .. bytes .. stream:sub(at + #bytes + 1) end
  t.raises('jpeg2000: the stream says 8 x 2147483648; needs at most 67108864 pixels', one.decode, one,
    with(8, '\128\0\0\0'))
  t.raises('jpeg2000: the stream has more than 4096 tiles', one.decode, one, with(24, '\0\0\0\0'))
  t.raises('jpeg2000: the stream has 16384 components; needs 1 (grey) or 3 (colour)', one.decode, one,
    with(40, '\64\0'))
end)

-- ---- JPEG XL ----

case('jxl', 'streams and pixels are those of cjxl and djxl', function(make)
  need('cjxl', 'djxl')
  local d = t.folder()
  for distance, values in pairs { ['-d 1'] = {}, ['-d 3.7 -e 5'] = { quality = 60, effort = 5 }, ['-d 0 -e 3'] =
    { quality = 100, effort = 3 }, ['-d 0'] = { lossless = true, quality = 20 } } do
    for _, size in ipairs { { 32, 32 }, { 33, 270 } } do
      for channels = 1, 3, 2 do
        local one, image = make(values), picture(size[1], size[2], channels, 5)
        local stream = one:encode(image)
        local kind = channels == 3 and 'ppm' or 'pgm'
        t.write(d .. '/in.' .. kind, pnm(image))
        -- relative colours are what an sRGB picture has when its header says nothing
        local options = ('%s -x color_space=%s_Rel_SRG'):format(distance, channels == 3 and 'RGB_D65_SRG' or 'Gra_D65')
        sh('cjxl --num_threads=0 %s %s/in.%s %s/out.jxl', options, d, kind, d)
        t.ok(stream == t.read(d .. '/out.jxl'), ('cjxl %s: %s %d'):format(options, table.concat(size, 'x'), channels))
        sh('djxl --num_threads=0 %s/out.jxl %s/out.%s', d, d, kind)
        t.ok(bytes_of(one:decode(stream)) == t.read(d .. '/out.' .. kind):sub(-image:count()), 'djxl ' .. options)
        sh('cjxl --num_threads=0 --container=1 %s %s/in.%s %s/out.jxl', options, d, kind, d)
        t.equal(one:decode(t.read(d .. '/out.jxl')):ne(one:decode(stream)):sum(), 0, 'with boxes')
      end
    end
  end
end)

-- Tables of contents say how long the sections are: headers that are read right leave nothing over, whatever they say.
case('jxl', 'headers are read to their end, and sections fill the rest', function(make)
  need 'jxlinfo'
  local path = t.folder() .. '/a.jxl'
  for _, values in ipairs { { quality = 5 }, { quality = 90 }, { quality = 98, effort = 3 }, { lossless = true } } do
    for _, size in ipairs { { 8, 8 }, { 40, 30 }, { 257, 300 }, { 40, 2500 } } do
      for channels = 1, 3, 2 do
        local stream, a = make(values):encode(picture(size[1], size[2], channels, 2))
        t.write(path, stream)
        t.match(sh('jxlinfo %s', path), ('%dx%d'):format(size[2], size[1]))
        local last = a.segments[#a.segments]
        t.equal({ last.part, last.offset + last.bytes, a.tables }, { 'payload', #stream, 0 })
        t.ok(a.segments[1].part == 'container' and a.container >= 9 and a.container < 120, a.container)
        local frames = #a.segments / 2
        t.ok(frames == 1 or frames == 2 and values.quality == 5, 'frames')
      end
    end
  end
end)

case('jxl', 'a few bytes cannot ask for gigabytes', function(make)
  local one = make()
  t.raises('jxl: the stream says 1073741824 x 2147483648; needs at most 67108864 pixels', one.decode, one,
    '\255\10' .. '\254\255\255\255\255' .. ('\255'):rep(20))
end)
