-- pictures.lua: the files of a folder (data/scan.lua) as one tensor (N,H,W,C) u8. What their heads tell is checked
-- before the first is decoded: all of one size, none of more than 8 bits or of other colours than grey and RGB. Grey
-- ones among coloured get three equal channels.
local c = require 'hz.c'
local codec = require 'hz.codec.codec'
local file = require 'hz.base.file'
local head = require 'hz.data.head'
local names = require 'hz.base.names'
local source = require 'hz.data.source'
local tensor = require 'hz.tensor.tensor'

local M = {}

-- ---- turning ----

-- Orientations of EXIF that lay rows down as columns.
local function lies(orientation) return orientation >= 5 end

-- Height and width of a picture as it will be: turned by its orientation or as it is stored.
function M.size(h, orient)
  if orient and lies(h.orientation) then return h.width, h.height end
  return h.height, h.width
end

-- A copy of an image (H,W,C), turned and mirrored as EXIF's orientation says it is to be seen.
function M.turn(image, orientation)
  local h, w, channels = image:size(1), image:size(2), image:size(3)
  local out = tensor.empty({ lies(orientation) and w or h, lies(orientation) and h or w, channels }, 'u8')
  c.check(c.C.hz_media_turn(image:contiguous():pointer 'read', h, w, channels, orientation, out:pointer()))
  return out
end

-- ---- what heads tell ----

local function unfit(h)
  if h.bits and h.bits > 8 then return ('has %d bits a sample; needs 8'):format(h.bits) end
  if h.channels ~= 1 and h.channels ~= 3 then
    return ('has %d colour components%s; needs 1 (grey) or 3 (colour)'):format(h.channels,
      h.channels == 4 and ' (CMYK)' or '')
  end
end

-- Files that can be decoded, and the others as { path, reason }.
function M.fit(files)
  local good, bad = {}, {}
  for _, f in ipairs(files) do
    local reason = unfit(f.head)
    if reason then bad[#bad + 1] = { path = f.path, reason = ' ' .. reason } else good[#good + 1] = f end
  end
  return good, bad
end

-- The one shape { height, width, channels } of files; others than the first are an error.
function M.agree(files, orient)
  local first, height, width, channels = files[1], nil, nil, 1
  height, width = M.size(first.head, orient)
  for _, f in ipairs(files) do
    local h, w = M.size(f.head, orient)
    if h ~= height or w ~= width then
      c.fail('folder: %s is %dx%d, %s is %dx%d (width x height); needs all of one size', f.path, w, h, first.path,
        width, height)
    end
    channels = math.max(channels, f.head.channels)
  end
  return { height, width, channels }
end

-- ---- reading ----

local decoders = {}                -- by kind, made when the first such file comes

local function decoder_of(f)
  local kind = f.head.kind
  if not decoders[kind] then
    local made, instance = pcall(function() return codec[kind:lower()] {} end)
    if not made then c.fail('folder: %s: the codec %s is not here; hz plugin list says why', f.path, kind:lower()) end
    decoders[kind] = instance
  end
  return decoders[kind]
end

local function decoded(f, decoder, orient)
  local bytes = file.read_all(f.path)
  local image = decoder:decode(bytes)
  if orient and f.head.orientation > 1 then image = M.turn(image, f.head.orientation) end
  return image, head.account(bytes, f.head.kind)
end

-- The pictures of `files`, each of `shape` (M.agree). Returns the items, those of the files that could be read, the
-- rows of their bytes (source.lua), and the others as { path, reason }. ledger: takes the accounts.
function M.read(files, shape, orient, ledger)
  local items, good, rows, bad = tensor.empty({ #files, unpack(shape) }, 'u8'), {}, {}, {}
  for _, f in ipairs(files) do
    c.poll()
    local ok, image, account = pcall(decoded, f, decoder_of(f), orient)
    if ok and (image:size(1) ~= shape[1] or image:size(2) ~= shape[2]) then
      ok, image = false, 'it decodes to another size than its head says'
    end
    if ok then
      good[#good + 1] = f
      items[#good] = image                             -- a grey one is repeated over the channels
      rows[#good] = source.enter(ledger, account, f.head.height * f.head.width * f.head.channels)
      image:free()
    elseif c.is_interrupt(image) then
      error(image, 0)
    else
      bad[#bad + 1] = { path = f.path, reason = ': ' .. tostring(image):gsub('^.-:%d+: ', '') }
    end
  end
  return #good > 0 and items:slice(1, 1, #good) or nil, good, rows, bad
end

return names.guard('pictures', M)
