-- media.lua: tensors as the items that codecs and measures take, by kind. An image is a tensor of u8,
-- (height,width,channels) or (height,width); a sound one of f32, (frames,channels) or (frames), with its rate in frames
-- per second beside it. A set has the number of items in front; sounds of a set may use fewer frames of their place
-- than there are: frames = { one number each }.
local c = require 'hz.c'
local clip = require 'hz.codec.clip'
local need = require 'hz.base.need'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

-- name: as plugins.lua has it; dims: of an item without channels; bytes: of a sample.
local image = {
  name = 'image', id = C.HZ_IMAGE, items = 'images', dtype = 'u8', range = '0 to 255', bytes = 1, dims = 2,
  one = '(height,width) or (height,width,channels)', many = '(images,height,width) or (images,height,width,channels)',
}
local audio = {
  name = 'audio', id = C.HZ_AUDIO, items = 'sounds', dtype = 'f32', range = '-1 to 1', bytes = 4, dims = 1,
  one = '(frames) or (frames,channels)', many = '(sounds,frames) or (sounds,frames,channels)',
}
M.kinds = { image = image, audio = audio }

local function items_for(kind, who, t, extra)
  if not tensor.is(t) then c.fail('%s: %s was given; needs a tensor of %s', who, type(t), kind.dtype) end
  if t:type() ~= kind.dtype then
    c.fail('%s: the tensor is %s; needs %s (%s): t:to "%s"', who, t:type(), kind.dtype, kind.range, kind.dtype)
  end
  if t.ndim < kind.dims + extra or t.ndim > kind.dims + extra + 1 then
    c.fail('%s: the tensor is %s; needs %s', who, tensor.shape_text(t), extra == 0 and kind.one or kind.many)
  end
  return t:contiguous()
end

local function rate_of(kind, who, o)
  if kind ~= audio then return 0 end
  local rate = o.rate
  if type(rate) ~= 'number' or rate % 1 ~= 0 or rate < 1 or rate >= 2 ^ 31 then
    c.fail('%s: rate is %s; needs the frames per second of the sound, a whole number', who, need.shown(rate))
  end
  return rate
end

-- An item of t, whose extents begin at dimension `at`; the samples are lent by t.
local function describe(kind, t, at, rate)
  local channels = t.ndim == at + kind.dims and t:size(at + kind.dims) or 1
  if kind == image then
    return { kind = kind.id, height = t:size(at), width = t:size(at + 1), channels = channels, data = t:pointer 'read' }
  end
  return { kind = kind.id, frames = t:size(at), channels = channels, rate = rate, data = t:pointer 'read' }
end

-- One item as { media = hz_media, tensor = who lends the samples }. o.rate: of a sound's tensor.
function M.item(kind, who, t, o)
  if kind == audio and clip.is(t) then t, o = t.samples, { rate = t.rate } end
  t = items_for(kind, who, t, 0)
  return { media = ffi.new('hz_media', describe(kind, t, 1, rate_of(kind, who, o))), tensor = t }
end

-- Frames and rate of a sound that a stream was made from, as options say them.
function M.length(who, o)
  return { frames = need.count(who, 'frames', o.frames, 1), rate = rate_of(audio, who, o) }
end

-- An hz_media without data, of the rate and the channels that options say.
function M.like(kind, who, o)
  if kind ~= audio then c.fail('%s: what is noted depends on the rate of a sound; it takes images', who) end
  local channels = o.channels == nil and 1 or need.count(who, 'channels', o.channels)
  return ffi.new('hz_media', { kind = kind.id, frames = 1, channels = channels, rate = rate_of(kind, who, o) })
end

-- The frames of each sound, checked.
local function lengths(who, frames, n, most)
  if frames == nil then return nil end
  if type(frames) ~= 'table' or #frames ~= n then
    local given = type(frames) == 'table' and 'of ' .. #frames or type(frames)
    c.fail('%s: frames is %s; needs a list of %d numbers', who, given, n)
  end
  for i, v in ipairs(frames) do
    if type(v) ~= 'number' or v % 1 ~= 0 or v < 1 or v > most then
      c.fail('%s: frames[%d] is %s; needs a whole number of 1..%d', who, i, need.shown(v), most)
    end
  end
  return frames
end

-- A set as { kind, n, media = hz_media[n], stride = bytes of a place, samples = of all items, tensor = who lends the
-- samples }. o.rate, o.frames: of sounds.
function M.set(kind, who, t, o)
  t = items_for(kind, who, t, 1)
  local n, places = t:size(1), t:count()
  if places == 0 then c.fail('%s: the set is %s; needs at least 1 everywhere', who, tensor.shape_text(t)) end
  local one = ffi.new('hz_media', describe(kind, t, 2, rate_of(kind, who, o)))
  local frames = kind == audio and lengths(who, o.frames, n, t:size(2))
  local set = { kind = kind, n = n, media = ffi.new('hz_media[?]', n), tensor = t }
  set.stride, set.samples = places / n * kind.bytes, places
  local data = ffi.cast('const char *', t:pointer 'read')
  if frames then set.samples = 0 end
  for i = 0, n - 1 do
    local m = set.media[i]
    ffi.copy(m, one, ffi.sizeof 'hz_media')
    m.data = data + i * set.stride
    if frames then
      m.frames = frames[i + 1]
      set.samples = set.samples + frames[i + 1] * one.channels
    end
  end
  return set
end

-- Places for the decoded items of a set: a tensor like its own; what sounds leave of their places is silent.
function M.places(set) return tensor[set.kind == audio and 'zeros' or 'empty'](set.tensor:size(), set.kind.dtype) end

-- The decoded item as a tensor of its own, (height,width,channels) or (frames,channels); of a sound also its rate.
function M.tensor(kind, media)
  local height, width, frames = tonumber(media.height), tonumber(media.width), tonumber(media.frames)
  local t = tensor.empty(kind == image and { height, width, media.channels } or { frames, media.channels }, kind.dtype)
  ffi.copy(t:pointer(), media.data, t:count() * kind.bytes)
  if kind == audio then return t, media.rate end
  return t
end

return M
