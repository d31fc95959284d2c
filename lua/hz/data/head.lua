-- head.lua: what a picture's file says before it is decoded, by its content, never by its name:
--   kind         'JPEG', 'PNG', 'WEBP', 'AVIF', 'JXL', 'JP2'; of what hz does not decode 'GIF', ...; nil for anything
--                that is no picture
--   width, height, channels (as it is decoded: 1 grey, 3 colour; 4 CMYK), bits (a sample), alpha (may have one)
--   orientation  1..8, how EXIF says the stored pixels are to be turned for the eye; 1: not
--   subsampling  of a JPEG in colour: '4:4:4', '4:2:0', ..., how much coarser colour is kept than brightness
--   quality      of a JPEG: 1..100 that would give its luminance quantisers in libjpeg, and whether they are `exact`ly
--                those: others are near them
--   lossless     true of a WebP that says so
-- Nothing that a file says is believed: whatever cannot be followed is a field that is missing.
local box_head = require 'hz.data.box_head'
local names = require 'hz.base.names'

local M = {}

-- ---- kinds ----

local heic = names.set 'heic heix heim heis hevc hevx mif1 msf1'
local avif = names.set 'avif avis'

local function brand(s)
  local own = s:match '^....ftyp(....)'
  return own and (avif[own] and 'AVIF' or heic[own] and 'HEIC') or nil
end

-- Bitmaps and icons begin with few telling bytes: sizes that follow must make sense.
local function bitmap(s)
  local size = s:match '^BM............(.)%z%z%z'
  return size and size:byte() >= 12 and size:byte() <= 124 and 'BMP' or nil
end

-- A pattern at the beginning, or a function of the first bytes; and the kind.
local kinds = {
  { '^\255\216\255', 'JPEG' }, { '^\137PNG\r\n\26\n', 'PNG' }, { '^GIF8[79]a', 'GIF' }, { '^RIFF....WEBP', 'WEBP' },
  { '^II%*%z', 'TIFF' }, { '^MM%z%*', 'TIFF' }, { '^II%+%z', 'TIFF' }, { '^MM%z%+', 'TIFF' }, { '^8BPS', 'PSD' },
  { '^%z%z%z\12JXL ', 'JXL' }, { '^\255\10', 'JXL' }, { '^%z%z%z\12jP  ', 'JP2' }, { '^\255O\255Q', 'JP2' },
  { '^P[1-7]%s+[%d#W]', 'PNM' }, { '^%z%z\1%z[^%z]%z', 'ICO' }, { bitmap }, { brand },
}

-- What the first bytes (32 are enough) belong to; nil for no picture.
function M.kind(s)
  for _, row in ipairs(kinds) do
    local test, kind = row[1], row[2]
    if type(test) == 'function' then kind = test(s) elseif not s:find(test) then kind = nil end
    if kind then return kind end
  end
end

-- ---- numbers ----

local function big2(s, at)
  local a, b = s:byte(at, at + 1)
  return b and a * 256 + b
end
local function big4(s, at)
  local a, b = big2(s, at), big2(s, at + 2)
  return b and a * 65536 + b
end
local function little2(s, at)
  local a, b = s:byte(at, at + 1)
  return b and b * 256 + a
end
local function little4(s, at)
  local a, b = little2(s, at), little2(s, at + 2)
  return b and b * 65536 + a
end

-- ---- EXIF ----

local ORIENTATION, SHORT, LONG = 0x112, 3, 4

-- The orientation that a TIFF block (what EXIF is) gives for the image itself; 1 where it gives none.
function M.orientation(tiff)
  local order = tiff:sub(1, 4)
  if order ~= 'MM\0*' and order ~= 'II*\0' then return 1 end
  local two, four = big2, big4
  if order == 'II*\0' then two, four = little2, little4 end
  local at = (four(tiff, 5) or 0) + 1
  for i = 0, (two(tiff, at) or 0) - 1 do
    local entry = at + 2 + 12 * i
    local tag, kind = two(tiff, entry), two(tiff, entry + 2)
    if not kind then break end
    local v = tag == ORIENTATION and (kind == SHORT and two or kind == LONG and four or function() end)(tiff, entry + 8)
    if v then return v >= 1 and v <= 8 and v or 1 end
  end
  return 1
end

-- ---- JPEG ----

local SOS, EOI, DQT, DHT, DAC, APP1 = 0xda, 0xd9, 0xdb, 0xc4, 0xcc, 0xe1

local function is_frame(m) return m >= 0xc0 and m <= 0xcf and m ~= DHT and m ~= 0xc8 and m ~= DAC end
local function stands_alone(m) return m == 1 or m >= 0xd0 and m <= EOI end
local function is_table(m) return m == DQT or m == DHT or m == DAC end

-- Calls visit(marker, from, to) for each segment up to and with the first scan's header; from..to: its body. Bytes
-- before a marker are passed over, as decoders do. Returns where the scan begins; nil and true if s ended before.
local function each_segment(s, visit)
  local at = 3
  while true do
    at = s:find('\255', at, true)
    local marker = at and s:byte(at + 1)
    if not marker then return nil, true end
    if marker == 0 or marker == 255 or stands_alone(marker) then
      if marker == EOI then return nil end
      at = at + (marker == 255 and 1 or 2)
    else
      local size = big2(s, at + 2)
      if not size or at + 1 + size > #s then return nil, true end
      if size < 2 then return nil end
      visit(marker, at + 4, at + 1 + size)
      at = at + 2 + size
      if marker == SOS then return at end
    end
  end
end

-- Quantisers of the luminance in zigzag order at quality 50 (T.81, table K.1).
local luminance = { 16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29,
  40, 58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103,
  62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99 }

-- Of the place i in zigzag order, from 1, in libjpeg.
local function scaled(i, quality)
  local scale = quality < 50 and math.floor(5000 / quality) or 200 - 2 * quality
  return math.max(1, math.min(255, math.floor((luminance[i] * scale + 50) / 100)))
end

-- The quality whose quantisers are nearest, in the sum of their logarithms' differences, and whether they are equal.
local function estimate(quantisers)
  local best, least = nil, math.huge
  for quality = 100, 1, -1 do
    local off = 0
    for i = 1, 64 do off = off + math.abs(math.log(quantisers[i] / scaled(i, quality))) end
    if off < least then best, least = quality, off end
  end
  return best, least == 0
end

M.quantiser = scaled

local qualities = {}               -- by table: most files of a folder share theirs

function M.quality(quantisers)
  local key = table.concat(quantisers, ' ')
  local known = qualities[key]
  if not known then
    known = { estimate(quantisers) }
    qualities[key] = known
  end
  return known[1], known[2]
end

-- The tables of a DQT segment into list: number -> 64 quantisers.
local function take_quantisers(s, from, to, list)
  while from + 64 <= to do
    local wide, number = math.floor(s:byte(from) / 16), s:byte(from) % 16
    local own = {}
    for i = 1, 64 do
      local v = wide > 0 and big2(s, from + 2 * i - 1) or wide == 0 and s:byte(from + i)
      own[i] = v and math.max(1, v) or 1
    end
    list[number] = own
    from = from + 1 + (wide > 0 and 128 or 64)
  end
end

-- '4:2:0' of three components, by the bytes of how often each is sampled; other ratios as they are: '3x1'.
local ratios = { ['1x1'] = '4:4:4', ['2x1'] = '4:2:2', ['2x2'] = '4:2:0', ['1x2'] = '4:4:0', ['4x1'] = '4:1:1',
  ['4x2'] = '4:1:0' }

local function subsampling(s, at)
  local first, second = s:byte(at), s:byte(at + 3)
  if second % 16 == 0 or second < 16 then return nil end
  local ratio = ('%gx%g'):format(math.floor(first / 16) / math.floor(second / 16), (first % 16) / (second % 16))
  return ratios[ratio] or ratio
end

local function take_frame(s, from, to, out)
  if to - from < 8 then return end
  out.bits, out.height, out.width, out.channels = s:byte(from), big2(s, from + 1), big2(s, from + 3), s:byte(from + 5)
  out.quantiser = s:byte(from + 8)
  if out.channels == 3 and to - from >= 14 then out.subsampling = subsampling(s, from + 7) end
end

local function read_jpeg(s, out)
  local quantisers = {}
  local scan, more = each_segment(s, function(marker, from, to)
    if marker == DQT then take_quantisers(s, from, to, quantisers) end
    if is_frame(marker) then take_frame(s, from, to, out) end
    if marker == APP1 and not out.exif and s:sub(from, from + 5) == 'Exif\0\0' then out.exif = s:sub(from + 6, to) end
  end)
  out.orientation, out.exif = out.exif and M.orientation(out.exif) or 1, nil
  local own = quantisers[out.quantiser]
  if own then out.quality, out.exact = M.quality(own) end
  out.quantiser = nil
  return scan ~= nil or not more
end

-- ---- PNG ----

local png_channels = { [0] = 1, [2] = 3, [3] = 3, [4] = 1, [6] = 3 }

local function read_png(s, out)
  out.width, out.height, out.bits, out.orientation = big4(s, 17), big4(s, 21), s:byte(25), 1
  out.channels, out.alpha = png_channels[s:byte(26)], (s:byte(26) or 0) >= 4
  local at = 9
  while at + 12 <= #s do
    local size, name = big4(s, at), s:sub(at + 4, at + 7)
    if name == 'tRNS' then out.alpha = true end
    if name == 'eXIf' then out.orientation = M.orientation(s:sub(at + 8, at + 7 + size)) end
    if name == 'IEND' then break end
    at = at + 12 + size
  end
  return at + 7 <= #s              -- a chunk that matters may stand at the end
end

-- ---- all ----

local function read_webp(s, out) return box_head.webp(s, out, M.orientation) end

local readers = { JPEG = read_jpeg, PNG = read_png, WEBP = read_webp, AVIF = box_head.avif, JXL = box_head.jxl,
  JP2 = box_head.jpeg2000 }

-- The head of a file by its first bytes. Returns it, and whether more bytes could tell more of it.
function M.read(s)
  local out = { kind = M.kind(s) }
  local reader = readers[out.kind]
  return out, reader ~= nil and not reader(s, out)
end

M.readable = readers

return names.guard('head', M)
