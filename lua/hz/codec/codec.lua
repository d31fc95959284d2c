-- codec.lua: hz.codec is a table whose fields are the loaded codecs: hz.codec.jpeg{quality=10}. Printing it lists them, printing one
-- shows its parameters. Images are tensors of u8, (height,width,channels) or (height,width); sets have the number of images in front.
local c = require 'hz.c'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local methods, Codec = {}, {}

-- ---- making one ----

local function word(name, key, v)
  local kind = type(v)
  if kind == 'number' then return ('%.17g'):format(v) end
  if kind == 'boolean' then return tostring(v) end
  if kind == 'string' and not v:find '[;=]' then return v end
  c.fail('%s: %s is %s; needs a number, true, false, or the name of a choice', name, key, kind == 'string' and "'" .. v .. "'" or kind)
end

-- { quality = 10, weights = { 1, 2 } } as "quality=10;weights=1,2", in order of name.
local function spec(name, values)
  local keys, parts = {}, {}
  for k in pairs(values) do
    if type(k) ~= 'string' then c.fail('%s: the value %s has no name; needs name=value', name, tostring(values[k])) end
    keys[#keys + 1] = k
  end
  table.sort(keys)
  for i, k in ipairs(keys) do
    local v = values[k]
    if type(v) == 'table' then
      local list = {}
      for j, x in ipairs(v) do list[j] = word(name, k, x) end
      v = table.concat(list, ',')
    else
      v = word(name, k, v)
    end
    parts[i] = k .. '=' .. v
  end
  return table.concat(parts, ';')
end

local function read_value(p, text)
  if p.type == 'enum' then return text end
  if p.type == 'bool' then return text == 'true' end
  if not p.length then return tonumber(text) end
  local list = {}
  for x in text:gmatch '[^,]+' do list[#list + 1] = tonumber(x) end
  return list
end

-- A codec: fields name, text (all values, "quality=10;..."), values, library, fingerprint, lossless; methods encode, decode, recode.
local function make(about, values)
  if values ~= nil and type(values) ~= 'table' then c.fail('%s: %s was given; needs a table like {quality=10}', about.name, type(values)) end
  local handle = c.own(C.hz_codec_new, C.hz_codec_free, about.name, spec(about.name, values or {}))
  local self = { handle = handle, about = about, name = about.name, library = about.library, lossless = about.lossless, values = {},
                 text = ffi.string(C.hz_codec_text(handle)), fingerprint = ffi.string(C.hz_codec_fingerprint(handle)) }
  local by_name = {}
  for _, p in ipairs(about.params) do by_name[p.name] = p end
  for k, v in self.text:gmatch '([%w_]+)=([^;]*)' do self.values[k] = read_value(by_name[k], v) end
  return setmetatable(self, Codec)
end

-- ---- one image ----

local function need_u8(t, who, least, most)
  if not tensor.is(t) then c.fail('%s: %s was given; needs a tensor of u8', who, type(t)) end
  if t:type() ~= 'u8' then c.fail('%s: the tensor is %s; needs u8 (0 to 255): t:to "u8"', who, t:type()) end
  if t.ndim < least or t.ndim > most then
    c.fail('%s: the tensor is %s; needs %s', who, tensor.shape_text(t),
           most == 3 and '(height,width) or (height,width,channels)' or '(images,height,width) or (images,height,width,channels)')
  end
  return t:contiguous()
end

local parts = { [0] = 'payload', 'tables', 'container' }

local function account_of(stream)
  local a = { bytes = tonumber(stream.bytes), segments = {} }
  for i = 0, 2 do a[parts[i]] = tonumber(stream.account.bytes[i]) end
  for i = 1, tonumber(stream.account.count) do
    local s = stream.account.segments[i - 1]
    a.segments[i] = { part = parts[s.part], offset = tonumber(s.offset), bytes = tonumber(s.bytes) }
  end
  return a
end

-- The stream as a string, and its account: bytes = payload + tables + container, and segments { part, offset, bytes }.
function methods:encode(image)
  local t = need_u8(image, self.name, 2, 3)
  local stream = ffi.new 'hz_stream'
  local media = ffi.new('hz_media', { kind = C.HZ_IMAGE, height = t:size(1), width = t:size(2), channels = t.ndim == 3 and t:size(3) or 1,
                                      data = t:pointer 'read' })
  c.check(C.hz_codec_encode(self.handle, media, stream))
  return ffi.string(stream.data, stream.bytes), account_of(stream)
end

-- A tensor of u8 (height,width,channels); one channel if the stream is grey.
function methods:decode(bytes)
  if type(bytes) ~= 'string' then c.fail('%s: decode was given %s; needs a string of bytes', self.name, type(bytes)) end
  local media = ffi.new 'hz_media'
  c.check(C.hz_codec_decode(self.handle, bytes, #bytes, media))
  local t = tensor.empty({ tonumber(media.height), tonumber(media.width), media.channels }, 'u8')
  ffi.copy(t:pointer(), media.data, t:count())
  return t
end

-- ---- a whole set ----

local items = {}            -- per image, on demand: account:payload() and so on give tensors over the images
local Account = { __index = items }
for _, name in ipairs { 'payload', 'tables', 'container', 'squared_error' } do
  items[name] = function(self)
    local t = tensor.empty({ self.images }, 'f64')
    local p = t:pointer()
    for i = 0, self.images - 1 do p[i] = tonumber(self.items[i][name]) end
    return t
  end
end

function Account:__tostring()
  return ('%d images: %.1f bytes each (payload %.1f, tables %.1f, container %.1f); %.4f bits per sample, %.4f with everything; %s'):format(
    self.images, self.bytes_payload + self.bytes_tables + self.bytes_container, self.bytes_payload, self.bytes_tables,
    self.bytes_container, self.bits_per_sample, self.bits_per_sample_file, self.psnr and ('PSNR %.2f dB'):format(self.psnr) or 'exact')
end

-- Means per file; bits per sample count byte-identical table segments once for all images that `seen` has met.
local function summary(list, seen, images, samples)
  local sum = { payload = 0, tables = 0, container = 0, squared_error = 0 }
  for i = 0, images - 1 do
    for name, total in pairs(sum) do sum[name] = total + tonumber(list[i][name]) end
  end
  local once = tonumber(C.hz_tables_bytes(seen))
  local psnr = C.hz_psnr(sum.squared_error, images * samples)
  return setmetatable({
    images = images, samples = samples, items = list, seen = seen,
    bytes_payload = sum.payload / images, bytes_tables = sum.tables / images, bytes_container = sum.container / images,
    tables_once = once, tables_distinct = tonumber(C.hz_tables_count(seen)),
    bits_per_sample = 8 * (sum.payload + once) / (images * samples),
    bits_per_sample_file = 8 * (sum.payload + sum.tables + sum.container) / (images * samples),
    total_squared_error = sum.squared_error, psnr = psnr < math.huge and psnr or nil,
  }, Account)
end

-- Encodes and decodes every image of a set (images,height,width[,channels]) on all cores (threads=n: on so many). Gives the decoded set
-- and its account: bytes_payload, bytes_tables, bytes_container (means per stand-alone file), tables_once, bits_per_sample (payload, and
-- tables counted once for the set), bits_per_sample_file, psnr (nil when exact), and payload() ... squared_error() per image.
function methods:recode(set, options)
  local o = options or {}
  local t = need_u8(set, self.name, 3, 4)
  local n, h, w, channels = t:size(1), t:size(2), t:size(3), t.ndim == 4 and t:size(4) or 1
  local decoded = tensor.empty(t:size(), 'u8')
  local list = ffi.new('hz_recoded[?]', math.max(n, 1))
  local seen = c.own(C.hz_tables_new, C.hz_tables_free)
  local status = C.hz_codec_recode(self.handle, t:pointer 'read', n, h, w, channels, decoded:pointer(), list, seen, o.threads or 0)
  if status ~= 0 then c.poll() end                 -- an interrupt is no mistake
  c.check(status)
  return decoded, summary(list, seen, n, h * w * channels)
end

-- Seconds of recode and of the library's plain loop over the same set; hz bench codec prints their ratio.
function methods:race(set, threads)
  local t = need_u8(set, self.name, 4, 4)
  local decoded, seconds = tensor.empty(t:size(), 'u8'), ffi.new 'double[2]'
  c.check(C.hz_codec_race(self.handle, t:pointer 'read', t:size(1), t:size(2), t:size(3), t:size(4), decoded:pointer(), threads or 0, seconds, seconds + 1))
  return seconds[0], seconds[1]
end

-- ---- printing ----

-- jpeg{quality=10}: what differs from the defaults.
local function short(self)
  local list = {}
  for _, p in ipairs(self.about.params) do
    local v = plugins.value_text(self.values[p.name])
    if v ~= plugins.value_text(p.standard) then list[#list + 1] = p.name .. '=' .. (p.type == 'enum' and "'" .. v .. "'" or v) end
  end
  return self.name .. '{' .. table.concat(list, ', ') .. '}'
end

local function full(title, about, values)
  local lines = plugins.param_lines(about.params, values)
  table.insert(lines, 1, ('%s  %s, %s%s'):format(title, about.library, about.kind, about.lossless and ', lossless' or ''))
  return table.concat(lines, '\n')
end

Codec.__index = methods
function Codec:__tostring() return full(short(self), self.about, self.values) end

local Maker = {
  __call = function(maker, values) return make(maker.about, values) end,
  __tostring = function(maker) return full(maker.about.name, maker.about) end,
}

local M = {}
local function overview()
  local lines, skipped = {}, 0
  for _, name in ipairs(plugins.codecs()) do lines[#lines + 1] = tostring(M[name]) end
  for _, row in ipairs(plugins.list()) do skipped = skipped + (row.skipped and 1 or 0) end
  if #lines == 0 then lines[1] = 'no codec is loaded' end
  if skipped > 0 then lines[#lines + 1] = ('%d skipped; why: hz plugin list'):format(skipped) end
  return table.concat(lines, '\n')
end

-- A codec's maker is looked up when its name is first used; an unknown name is an error that names what exists.
setmetatable(M, {
  __index = function(_, name)
    if type(name) ~= 'string' then c.fail('codec: %s was given; needs the name of a codec', type(name)) end
    local maker = setmetatable({ about = plugins.codec(name) }, Maker)
    rawset(M, name, maker)
    return maker
  end,
  __tostring = overview,
})

-- All makers are fields, so that pairs and completion see them.
for _, name in ipairs(plugins.codecs()) do local _ = M[name] end

return M
