-- contents.lua: what a file of a folder is by its content, never by its name: a picture, a sound, or nobody's. A name
-- that promises one of them where the content is none, and kinds that are not read, are reasons for which it is bad.
local c = require 'hz.c'
local file = require 'hz.base.file'
local head = require 'hz.data.head'
local names = require 'hz.base.names'
local sound_head = require 'hz.data.sound_head'

local M = {}

local HEAD = 65536                 -- bytes that most heads fit into

-- What is read, in words.
M.wanted = { images = 'JPEG or PNG (or WebP, AVIF, JPEG XL, JPEG 2000)',
  sounds = 'WAV, AIFF, FLAC, Ogg Vorbis, Opus or MP3' }

-- Endings of pictures and sounds: a file that is called so and is none is bad.
local promises = {}
local function promise(of, list)
  for ending, kind in list:gmatch '(%w+)=(%w+)' do promises[ending] = { of = of, kind = kind } end
end
promise('images', 'jpg=JPEG jpeg=JPEG jpe=JPEG jfif=JPEG jfi=JPEG jif=JPEG png=PNG gif=GIF webp=WEBP bmp=BMP tif=TIFF '
  .. 'tiff=TIFF ppm=PNM pgm=PNM pbm=PNM pnm=PNM heic=HEIC heif=HEIC avif=AVIF jxl=JXL jp2=JP2 j2k=JP2 j2c=JP2 jpc=JP2 '
  .. 'psd=PSD')
promise('sounds', 'wav=WAV wave=WAV rf64=WAV aif=AIFF aiff=AIFF aifc=AIFF flac=FLAC ogg=Ogg oga=Ogg opus=Opus mp3=MP3 '
  .. 'au=AU snd=AU caf=CAF w64=W64 m4a=M4A aac=AAC wma=WMA amr=AMR mid=MIDI midi=MIDI ape=APE wv=WavPack')

local readable = { images = head.readable, sounds = sound_head.readable }

local function ending_of(path) return (path:match '[^/.][^/]*%.(%w+)$' or ''):lower() end

-- The head of a file (head.lua, sound_head.lua) and what it is of; nil and the reason if it cannot be read.
local function read_head(path)
  local ok, found, of = pcall(file.with, path, function(read, bytes)
    local n = math.min(bytes, HEAD)
    local buffer = c.ffi.new('char[?]', math.max(1, n))
    read(buffer, n)
    local out, more = head.read(c.ffi.string(buffer, n))
    if more and bytes > n then
      local rest = c.ffi.new('char[?]', bytes - n)
      read(rest, bytes - n)
      out = head.read(c.ffi.string(buffer, n) .. c.ffi.string(rest, bytes - n))
    end
    if not out.kind then out.sound = sound_head.kind(c.ffi.string(buffer, n)) end
    return out
  end)
  if ok then
    of = found.kind and 'images' or found.sound and 'sounds' or nil
    return of == 'sounds' and { kind = found.sound } or found, of
  end
  if c.is_interrupt(found) then error(found, 0) end
  return nil, (tostring(found):gsub('^.-read: ', ''):gsub('^' .. path:gsub('%p', '%%%0') .. ': ', ''))
end

-- Why a file that was looked at is bad.
local function trouble_of(found, of, promised, bytes)
  local wanted = M.wanted[of or promised.of]
  if of and not readable[of][found.kind] then return (' is %s; needs %s'):format(found.kind, wanted) end
  if of == 'images' and not (found.width and found.channels) then
    return (' is %s and ends before its picture'):format(found.kind)
  end
  if of then return nil end
  if bytes == 0 then return (' is empty; needs %s'):format(wanted) end
  if not readable[promised.of][promised.kind] then return (' is %s; needs %s'):format(promised.kind, wanted) end
  if promised.of == 'sounds' then return ' is no sound inside; needs ' .. wanted end
  local plain = promised.kind == 'JPEG' or promised.kind == 'PNG'
  return plain and ' is neither JPEG nor PNG inside' or (' is no %s inside; needs %s'):format(promised.kind, wanted)
end

-- What a file is: { of = 'images', 'sounds', nil: nobody's, head, reason (of a bad one), ending ('.txt', or words) }.
-- One that cannot be read and promises nothing is `any`: bad in whatever folder.
function M.look(path, bytes)
  local ending = ending_of(path)
  local promised = promises[ending]
  local found, of = read_head(path)
  local out = { ending = ending == '' and 'without an ending' or '.' .. ending }
  if not found then
    out.of, out.any, out.reason = promised and promised.of, ending == '', ': ' .. of
  elseif of or promised then
    out.of, out.head, out.reason = of or promised.of, found, trouble_of(found, of, promised, bytes)
  end
  return out
end

return names.guard('contents', M)
