-- codec.lua: hz.codec is a table whose fields are the loaded codecs: hz.codec.jpeg{quality=10}. Printing it lists them,
-- printing one shows its parameters. What a codec takes, images or sounds, and how tensors hold them: media.lua.
local c = require 'hz.c'
local clip = require 'hz.codec.clip'
local crypto = require 'hz.ext.crypto'
local isa = require 'hz.isa'
local isolate = require 'hz.codec.isolate'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local measure = require 'hz.codec.measure'
local media = require 'hz.codec.media'
local plugins = require 'hz.codec.plugins'
local tables = require 'hz.base.table'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.text
local ffi, C = c.ffi, c.C

local methods, Codec = {}, {}

-- ---- making one ----

local function word(name, key, v)
  local kind = type(v)
  if kind == 'number' then return ('%.17g'):format(v) end
  if kind == 'boolean' then return tostring(v) end
  if kind == 'string' and not v:find '[;=]' then return v end
  local given = kind == 'string' and "'" .. v .. "'" or kind
  c.fail('%s: %s is %s; needs a number, true, false, or the name of a choice', name, key, given)
end

-- The name that the codec has for a parameter. What is far from all names is left to the codec to say.
local function name_of(name, params, k)
  local known, own, found = {}, {}, plugins.param(params, k)
  if found then return found.name end
  for i, p in ipairs(params) do
    known[i], own[i] = p.name, p.name:match '[^.]*$'
    if own[i] == k then return k end                     -- of several stages
  end
  local meant = names.meant(k, known)
  if meant == '' then meant = names.meant(k, own) end
  if meant ~= '' then c.fail("%s: '%s' is no parameter%s; has %s", name, k, meant, table.concat(known, ', ')) end
  return k
end

-- { quality = 10, weights = { 1, 2 } } as "quality=10;weights=1,2", in order of name.
local function spec(name, values, params)
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
    parts[i] = name_of(name, params, k) .. '=' .. v
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

local function open(name, text) return c.into(C.hz_codec_new, name, text) end
local function open_apart(name, text) return c.into(isolate.open, name, text) end
local function free(handle) c.into(C.hz_codec_free, handle) end

-- A codec: fields name, kind ('image' or 'audio'), text (all values, "quality=10;..."), values, library, fingerprint,
-- lossless; methods encode, decode, recode. apart: its plugin makes its instance in a process of its own.
local function make(about, values, apart)
  if values ~= nil and type(values) ~= 'table' then
    c.fail('%s: %s was given; needs a table like {quality=10}', about.name, type(values))
  end
  local handle = c.own(apart and open_apart or open, free, about.name, spec(about.name, values or {}, about.params))
  local self = {
    handle = handle, about = about, name = about.name, kind = about.kind, library = about.library, values = {},
    lossless = about.lossless, text = ffi.string(C.hz_codec_text(handle)), encoded = {},
    fingerprint = ffi.string(C.hz_codec_fingerprint(handle)),
  }
  local by_name = {}
  for _, p in ipairs(about.params) do                -- vectors that are zeros are not in the text
    by_name[p.name], self.values[p.name] = p, p.length and { unpack(p.standard) } or p.standard
  end
  for k, v in self.text:gmatch '([%w_.]+)=([^;]*)' do self.values[k] = read_value(by_name[k], v) end
  return setmetatable(self, Codec)
end

-- ---- one item ----

local function kind_of(codec) return media.kinds[codec.kind] end

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
-- A sound (clip.lua) has a rate, a tensor of one needs options.rate; its account has rate and frames, too.
function methods:encode(item, options)
  local o = names.options(self.name .. ': encode', options, 'rate')
  local one, stream = media.item(kind_of(self), self.name, item, o), ffi.new 'hz_stream'
  c.check(c.into(C.hz_codec_encode, self.handle, one.media, stream))
  local bytes, account = ffi.string(stream.data, stream.bytes), account_of(stream)
  if self.kind == 'audio' then
    account.frames, account.rate = tonumber(one.media.frames), one.media.rate
    self.encoded[crypto.sha256(bytes)] = { frames = account.frames, rate = account.rate, clip = clip.is(item) }
  end
  return bytes, account
end

-- Frames and rate of the sound that a stream was made from; nil if nobody says.
local function original_of(self, before, options)
  if self.kind ~= 'audio' or options == nil then return before end
  local is_account = type(options) == 'table' and options.segments
  return media.length(self.name, is_account and options or names.options(self.name .. ': decode', options,
    'frames rate'))
end

-- An image: a tensor of u8 (height,width,channels); one channel if the stream is grey. A sound: a tensor of f32
-- (frames,channels) without the codec's delay and tail, and its rate; if this codec made the stream from a sound
-- (clip.lua), such a one. It is as long as its original, and at that rate, if this codec has encoded it, or options say
-- so (frames= and rate=, or its account); else as its stream has it.
function methods:decode(bytes, options)
  if type(bytes) ~= 'string' then c.fail('%s: decode was given %s; needs a string of bytes', self.name, type(bytes)) end
  local before = self.kind == 'audio' and self.encoded[crypto.sha256(bytes)] or nil
  local m, original = ffi.new 'hz_media', original_of(self, before, options)
  if original then
    local shape = ffi.new('hz_media', { frames = original.frames, rate = original.rate })
    c.check(c.into(C.hz_codec_decode_as, self.handle, bytes, #bytes, shape, m))
  else
    c.check(c.into(C.hz_codec_decode, self.handle, bytes, #bytes, m))
  end
  local item, rate = media.tensor(kind_of(self), m)
  if before and before.clip then return clip.new(item, rate) end
  return item, rate
end

-- What becomes of sounds of this rate that the values do not say: another rate, another bitrate, a lowpass; '' for
-- nothing. options: rate, and channels where there is not one.
function methods:note(options)
  local o = names.options(self.name .. ': note', options, 'rate channels')
  local text = ffi.new 'const char *[1]'
  c.check(c.into(C.hz_codec_note_of, self.handle, media.like(kind_of(self), self.name, o), text))
  return ffi.string(text[0])
end

-- ---- a whole set ----

-- Columns over the items, a tensor of f64 each: account:payload(), account:squared_error(). What is measured is so when
-- asked for.
local columns, spent = {}, { 'payload', 'tables', 'container' }
for _, name in ipairs(spent) do
  columns[name] = function(self)
    local t = tensor.empty({ self.set.n }, 'f64')
    local p = t:pointer()
    for i = 0, self.set.n - 1 do p[i] = tonumber(self.recoded[i][name]) end
    return t
  end
end
for _, list in pairs(measure.columns) do
  for _, name in ipairs(list) do
    columns[name] = function(self) return measure.take(name, self.set, self.decoded, self.threads) end
  end
end
local Account = {}
local function is_account(x) return isa(x, Account) end
names.receivers('account', columns, is_account)
Account.__names = columns
Account.__index = names.index('account', columns, 'psnr ssim snr images sounds threads')

function Account:__tostring()
  local payload, shared, container = self.bytes_payload, self.bytes_tables, self.bytes_container
  local name, form = unpack(measure.figures[self.set.kind.name][1])
  local bytes = ('%d %s: %.1f bytes each (payload %.1f, tables %.1f, container %.1f)'):format(self.set.n,
    self.set.kind.items, payload + shared + container, payload, shared, container)
  local bits = ('%.4f bits per sample, %.4f with everything'):format(self.bits_per_sample, self.bits_per_sample_file)
  return tables.wrap(('%s; %s; %s'):format(bytes, bits, self[name] and form:format(self[name]) or 'exact'), '  ')
end

-- Fills in the means per file; bits per sample count byte-identical table segments once for all items of the set.
local function summarise(account, seen)
  local n, samples = account.set.n, account.set.samples
  local sum = setmetatable({ items = n, samples = samples }, {
    __index = function(_, name) return account[name](account):sum() end })
  local payload, once = sum.payload, tonumber(C.hz_tables_bytes(seen))
  local name, _, value = unpack(measure.figures[account.set.kind.name][1])
  account[account.set.kind.items], account.samples, account[name] = n, samples / n, value(sum)
  for _, part in ipairs(spent) do account['bytes_' .. part] = sum[part] / n end
  account.tables_once, account.tables_distinct = once, tonumber(C.hz_tables_count(seen))
  account.bits_per_sample = 8 * (payload + once) / samples
  account.bits_per_sample_file = 8 * (payload + sum.tables + sum.container) / samples
  return account
end

-- Encodes and decodes every item of a set on all cores (threads=n: on so many): images
-- (images,height,width[,channels]), or sounds (sounds,frames[,channels]) with rate=, and frames={...} where they are
-- shorter than their places. Gives the decoded set and its account: bytes_payload, bytes_tables, bytes_container (means
-- per stand-alone file), tables_once, bits_per_sample (payload, and tables counted once for the set),
-- bits_per_sample_file, psnr or snr (nil when exact), and payload() ... squared_error() per item. tables: those (an
-- hz_tables) that earlier calls counted; this one counts on. isolate=true: in a process of its own (isolate.lua).
function methods:recode(items, options)
  local o = names.options(self.name .. ': recode', options, 'rate frames threads tables isolate')
  if o.threads ~= nil then need.count(self.name, 'threads', o.threads) end
  if o.isolate ~= nil then need.boolean(self.name, 'isolate', o.isolate) end
  local set = media.set(kind_of(self), self.name, items, o)
  local decoded = o.isolate and isolate.places(set) or media.places(set)
  local recoded, seen = ffi.new('hz_recoded[?]', set.n), o.tables or c.own(C.hz_tables_new, C.hz_tables_free)
  local recode = o.isolate and isolate.recode or C.hz_codec_recode
  local status = c.into(recode, self.handle, set.media, set.n, decoded:pointer(), set.stride, recoded, seen,
    o.threads or 0)
  if status ~= 0 then c.poll() end                 -- an interrupt is no mistake
  c.check(status)
  local account = setmetatable({ set = set, decoded = decoded, recoded = recoded, threads = o.threads }, Account)
  return decoded, summarise(account, seen)
end

-- Seconds of recode and of the library's plain loop over the same images; hz bench codec prints their ratio.
function methods:race(images, threads)
  if threads ~= nil then need.count(self.name, 'threads', threads) end
  local set = media.set(media.kinds.image, self.name, images)
  local one, decoded, seconds = set.media[0], media.places(set), ffi.new 'double[2]'
  c.check(C.hz_codec_race(self.handle, set.tensor.data, set.n, one.height, one.width, one.channels, decoded:pointer(),
    threads or 0, seconds, seconds + 1))
  return seconds[0], seconds[1]
end

-- ---- printing ----

-- jpeg{quality=10}: what differs from the defaults.
local function short(self)
  local list = {}
  for _, p in ipairs(self.about.params) do
    local v = plugins.value_text(self.values[p.name])
    if not plugins.same(self.values[p.name], p.standard) then
      list[#list + 1] = p.name .. '=' .. (p.type == 'enum' and "'" .. v .. "'" or v)
    end
  end
  return self.name .. '{' .. table.concat(list, ', ') .. '}'
end

local function full(title, about, values)
  local lines = plugins.param_lines(about.params, values)
  local lossless = about.lossless and ', lossless' or ''
  table.insert(lines, 1, ('%s  %s, %s%s'):format(title, about.library, about.kind, lossless))
  return visible(table.concat(lines, '\n'))
end

local function is_codec(x) return isa(x, Codec) end
names.receivers('codec', methods, is_codec)
Codec.__index, Codec.__names = names.index('codec', methods), methods
function Codec:__tostring() return full(short(self), self.about, self.values) end

local Maker = {
  __index = names.index('codec', {}),
  __call = function(maker, values, apart) return make(maker.about, values, apart == true) end,
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

-- A codec's maker is looked up when its name is first used, a composed one whenever it is; an unknown name is an error
-- that names what exists.
setmetatable(M, {
  __index = function(_, name)
    if type(name) == 'string' and name:find '^__' then return nil end      -- what tools ask of anything
    if type(name) ~= 'string' then c.fail('codec: %s was given; needs the name of a codec', type(name)) end
    local maker = setmetatable({ about = plugins.codec(name) }, Maker)
    if not name:find '[|:]' then rawset(M, name, maker) end
    return maker
  end,
  __tostring = overview,
})

-- All makers are fields, so that pairs and completion see them.
for _, name in ipairs(plugins.codecs()) do local _ = M[name] end

return M
