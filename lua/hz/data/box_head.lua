-- box_head.lua: heads of pictures in boxes and chunks, for head.lua, whose fields these are: WebP (RFC 9649), AVIF
-- (ISO/IEC 23008-12), JPEG XL (ISO/IEC 18181-1 and -2) and JPEG 2000 (ITU-T T.800). Of a WebP without loss `lossless`
-- says so; of the others nobody can tell. Each reader takes the first bytes of a file and what it fills in, and returns
-- whether those were enough.
local names = require 'hz.base.names'

local M = {}

-- ---- numbers, boxes ----

-- n bytes from `at` on, the highest first; nil behind the end.
local function big(s, at, n)
  local v = 0
  if at + n - 1 > #s then return nil end
  for i = at, at + n - 1 do v = v * 256 + s:byte(i) end
  return v
end

local function little(s, at, n)
  local v = 0
  if at + n - 1 > #s then return nil end
  for i = at + n - 1, at, -1 do v = v * 256 + s:byte(i) end
  return v
end

-- Calls visit(type, from, to) for each box in from..to, until it returns something, and returns that; to: of a box that
-- goes on behind what is there, its last byte in the file.
local function each_box(s, from, to, visit)
  local at = from
  while at + 7 <= to do
    local size, kind, head = big(s, at, 4), s:sub(at + 4, at + 7), 8
    if not size or #kind < 4 then return nil end
    if size == 1 then size, head = big(s, at + 8, 8), 16 end
    if size == 0 then size = to - at + 1 end
    if not size or size < head then return nil end
    local found = visit(kind, at + head, at + size - 1)
    if found ~= nil then return found end
    at = at + size
  end
end

local function box(s, from, to, wanted)
  local last
  local first = each_box(s, from, to, function(kind, a, b)
    if kind == wanted then
      last = b
      return a
    end
  end)
  return first, last
end

local ANYWHERE = 2 ^ 52            -- an end that is not known

-- ---- WebP ----

local function webp_size(s, kind, at, out)
  if kind == 'VP8X' then
    local flags, w, h = s:byte(at), little(s, at + 4, 3), little(s, at + 7, 3)
    if not h then return end
    out.width, out.height, out.alpha = w + 1, h + 1, math.floor(flags / 16) % 2 == 1
    out.exif = math.floor(flags / 8) % 2 == 1
  elseif kind == 'VP8 ' and s:sub(at + 3, at + 5) == '\157\1\42' then
    local w, h = little(s, at + 6, 2), little(s, at + 8, 2)
    if h then out.width, out.height = out.width or w % 16384, out.height or h % 16384 end
  elseif kind == 'VP8L' and s:byte(at) == 0x2f then
    local v = little(s, at + 1, 4)
    if not v then return end
    out.width, out.height = out.width or v % 16384 + 1, out.height or math.floor(v / 16384) % 16384 + 1
    out.alpha, out.lossless = out.alpha or math.floor(v / 2 ^ 28) % 2 == 1, true
  end
end

-- orientation: of a TIFF block (head.lua).
function M.webp(s, out, orientation)
  local at, coded = 13, false
  out.channels, out.bits, out.alpha, out.orientation = 3, 8, false, 1
  while at + 8 <= #s do
    local kind, size = s:sub(at, at + 3), little(s, at + 4, 4)
    if not size then break end
    webp_size(s, kind, at + 8, out)
    coded = coded or kind == 'VP8 ' or kind == 'VP8L'
    if kind == 'EXIF' then
      local tiff = s:sub(at + 8, at + 7 + size):gsub('^Exif%z%z', '')
      out.orientation, out.exif = orientation(tiff), false
    end
    if coded and not out.exif then break end
    at = at + 8 + size + size % 2
  end
  local enough = coded and not out.exif
  out.exif = nil
  return enough
end

-- ---- AVIF: properties of the primary item ----

-- A property, number by number in `ipco`, for the item it belongs to.
local properties = {
  ispe = function(s, at, out) out.width, out.height = big(s, at + 4, 4), big(s, at + 8, 4) end,
  av1C = function(s, at, out)
    local b = s:byte(at + 2)
    if not b then return end
    local function bit(n) return math.floor(b / 2 ^ n) % 2 end
    out.bits, out.channels = bit(6) == 0 and 8 or bit(5) == 0 and 10 or 12, bit(4) == 1 and 1 or 3
  end,
  irot = function(s, at, out) out.orientation = ({ [0] = 1, 8, 3, 6 })[(s:byte(at) or 0) % 4] end,
}

-- Numbers of the properties of an item, by the box ipma.
local function associated(s, at, item)
  local version, wide = s:byte(at), (s:byte(at + 3) or 0) % 2 == 1
  local id, step, entries = version == 0 and 2 or 4, wide and 2 or 1, big(s, at + 4, 4)
  at = at + 8
  for _ = 1, math.min(entries or 0, 65536) do
    local number, count, list = big(s, at, id), s:byte(at + id), {}
    if not count then return {} end
    at = at + id + 1
    for i = 1, count do list[i] = (big(s, at + (i - 1) * step, step) or 0) % (wide and 32768 or 128) end
    if number == item then return list end
    at = at + count * step
  end
  return {}
end

local function read_properties(s, ipco, last, numbers, out)
  local wanted, i = {}, 0
  for _, n in ipairs(numbers) do wanted[n] = true end
  each_box(s, ipco, last, function(kind, at)
    i = i + 1
    if kind == 'auxC' then out.alpha = true end
    if wanted[i] and properties[kind] then properties[kind](s, at, out) end
  end)
end

function M.avif(s, out)
  local meta, last = box(s, 1, ANYWHERE, 'meta')
  out.alpha, out.orientation = false, 1
  if not meta or last > #s then return false end
  local pitm, iprp, iprp_last = box(s, meta + 4, last, 'pitm'), box(s, meta + 4, last, 'iprp')
  if not pitm or not iprp then return true end
  local ipco, ipco_last = box(s, iprp, iprp_last, 'ipco')
  local ipma = box(s, iprp, iprp_last, 'ipma')
  local item = big(s, pitm + 4, s:byte(pitm) == 0 and 2 or 4)
  if ipco and ipma then read_properties(s, ipco, ipco_last, associated(s, ipma, item), out) end
  return true
end

-- ---- JPEG 2000 ----

-- The segment SIZ behind the mark of a codestream at `at`.
local function read_siz(s, at, out)
  if s:sub(at, at + 3) ~= '\255\79\255\81' or not big(s, at + 42, 1) then return end
  local right, bottom, left, top = big(s, at + 8, 4), big(s, at + 12, 4), big(s, at + 16, 4), big(s, at + 20, 4)
  if right <= left or bottom <= top then return end
  out.width, out.height, out.channels = right - left, bottom - top, big(s, at + 40, 2)
  out.bits = s:byte(at + 42) % 128 + 1
  if out.channels == 2 or out.channels == 4 then out.channels, out.alpha = out.channels - 1, true end
end

function M.jpeg2000(s, out)
  local at = s:byte(1) == 255 and 1 or box(s, 1, ANYWHERE, 'jp2c')
  out.alpha, out.orientation = false, 1
  if at then read_siz(s, at, out) end
  return out.width ~= nil or at ~= nil and at + 42 <= #s
end

-- ---- JPEG XL, whose head is made of bits ----

local function bits_of(s, at)
  local bit = 8 * (at - 1)
  return function(n)                 -- the lowest first; zeros behind the end
    local v = 0
    for i = 0, n - 1 do
      local byte = s:byte(math.floor(bit / 8) + 1) or 0
      v = v + math.floor(byte / 2 ^ (bit % 8)) % 2 * 2 ^ i
      bit = bit + 1
    end
    return v
  end
end

-- One of four numbers: { offset, bits } each, by 2 bits that say which.
local function choice(take, rows)
  local row = rows[take(2) + 1]
  return row[1] + take(row[2])
end

local sides = { { 1, 9 }, { 1, 13 }, { 1, 18 }, { 1, 30 } }
local ratios = { 1, 12 / 10, 4 / 3, 3 / 2, 16 / 9, 5 / 4, 2 }

local function take_size(take)
  local small = take(1) == 1
  local function side() return small and 8 * (take(5) + 1) or choice(take, sides) end
  local height, ratio = side(), take(3)
  return height, ratio == 0 and side() or math.floor(height * ratios[ratio] + 1e-6)
end

local enum = { { 0, 0 }, { 1, 0 }, { 2, 4 }, { 18, 6 } }

local function take_depth(take)
  if take(1) == 1 then
    local depth = choice(take, { { 32, 0 }, { 16, 0 }, { 24, 0 }, { 1, 6 } })
    take(4)
    return depth
  end
  return choice(take, { { 8, 0 }, { 10, 0 }, { 12, 0 }, { 1, 6 } })
end

-- Depth, alpha, colours; a preview, an animation and channels other than plain alpha stay unread, as decoding refuses
-- them.
local function take_rest(take, out)
  local depth = take_depth(take)
  take(1)
  local extra = choice(take, { { 0, 0 }, { 1, 0 }, { 2, 4 }, { 1, 12 } })
  out.bits, out.alpha, out.channels = depth, extra > 0, 3
  if extra > 1 or extra == 1 and take(1) == 0 then return end
  take(1)
  if take(1) == 0 and take(1) == 0 and choice(take, enum) == 1 then out.channels = 1 end
end

-- Decoders turn the picture as its head says: what it says of a size is before that.
local function read_codestream(s, at, out)
  local take, extended = bits_of(s, at + 2)
  out.height, out.width = take_size(take)
  out.bits, out.channels = 8, 3
  if take(1) == 1 then return end
  extended = take(1) == 1
  local turned = extended and take(3) or 0
  if turned >= 4 then out.height, out.width = out.width, out.height end
  if extended then
    if take(1) == 1 then take_size(take) end
    if take(1) == 1 or take(1) == 1 then return end
  end
  take_rest(take, out)
end

function M.jxl(s, out)
  local at = s:byte(1) == 255 and 1
  out.alpha, out.orientation = false, 1
  if not at then
    local last
    at, last = box(s, 1, ANYWHERE, 'jxlc')
    if not at then
      at, last = box(s, 1, ANYWHERE, 'jxlp')
      at = at and last and at + 4
    end
  end
  if not at or at + 15 > #s and #s >= 65536 then return false end
  if s:sub(at, at + 1) == '\255\10' then read_codestream(s, at, out) end
  return true
end

return names.guard('box_head', M)
