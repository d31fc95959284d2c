-- scripted.lua: codecs in Lua. A file *.lua in a folder of plugins whose first line names hz.codec/1 returns a table:
--   name, version, about    texts
--   kind                    'image' or 'audio'
--   channels                those it takes: {1, 3} for images, {1, 2} for sounds unless it says others
--   params                  declared parameters, as in hz/plugin.h
--   library                 what does the work; LuaJIT's version unless it says another
--   lossless, rates         as in hz_codec_api
--   create(values)          what the functions below get first: made for these values { name = value }; values
--                           themselves without it. destroy(self) when it is no longer needed
--   encode(self, item, rate) -> a string, and its parts, front to back: {{'container', 8}, {'payload', 100}}; all of it
--                           is payload without them
--   decode(self, bytes) -> item, rate
--   timing(self, rate) -> frames of delay, of tail
--   forward(self, item, rate) -> item, rate; back(self, item, original, rate) -> item, rate: as hz_codec_stage, for a
--                           codec that is an earlier stage of a composed one; original: its extents, by name
-- Items are tensors: u8 (height,width,channels), f32 (frames,channels). The core calls these functions as it calls
-- those of a plugin in C, but on the Lua thread alone. No error crosses C: each call is under pcall, and what went
-- wrong is what the codec failed of.
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local declared = require 'hz.codec.declared'
local file = require 'hz.base.file'
local media = require 'hz.codec.media'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local tensor = require 'hz.tensor.tensor'
local bit = require 'bit'
local ffi, C = c.ffi, c.C

local M = {}

local MARK = 'hz.codec/1'
local kinds = { image = media.kinds.image, audio = media.kinds.audio }

-- ---- what a file returns ----

local function is_channels(who, list)
  if type(list) ~= 'table' or #list == 0 then need.fail(who, 'channels', list, 'a list such as {1, 3}') end
  for i, n in ipairs(list) do need.whole(who, ('channels[%d]'):format(i), n, 1, 31) end
end

local function is_rates(who, list)
  if type(list) ~= 'table' or #list == 0 then need.fail(who, 'rates', list, 'a rising list of whole numbers') end
  for i, n in ipairs(list) do need.whole(who, ('rates[%d]'):format(i), n, (list[i - 1] or 0) + 1, 2 ^ 31 - 1) end
end

local function is_kind(who, v)
  if not kinds[v] then need.fail(who, 'kind', v, "'image' or 'audio'") end
end

local function is_text(who, v, name) need.text(who, name, v) end
local function is_name(who, v)
  if type(v) ~= 'string' or not v:find '^%a[%w_]*$' or #v > 31 then
    need.fail(who, 'name', v, 'at most 31 letters, digits and _')
  end
end
local function is_function(who, v, name) need.callable(who, name, v) end
local function is_boolean(who, v, name) need.boolean(who, name, v) end

-- Fields, each with its check; a field may be absent where it has a default, or `free`.
local fields = {
  name = { is_name }, version = { is_text }, about = { is_text }, kind = { is_kind }, encode = { is_function },
  decode = { is_function }, params = { is_text, default = '' }, library = { is_text, default = jit.version },
  lossless = { is_boolean, default = false }, channels = { is_channels, free = true },
  rates = { is_rates, free = true },
  forward = { is_function, free = true }, back = { is_function, free = true },
  create = { is_function, free = true }, destroy = { is_function, free = true }, timing = { is_function, free = true },
}

local function checked(who, o)
  if type(o) ~= 'table' then c.fail('%s: it returns %s; needs a table that describes a codec', who, type(o)) end
  names.fields(who, o, fields)
  local codec = {}
  for name, row in pairs(fields) do
    local v = o[name]
    if v == nil then v = row.default end
    if v ~= nil or not row.free then row[1](who, v, name) end
    codec[name] = v
  end
  codec.channels = codec.channels or (codec.kind == 'image' and { 1, 3 } or { 1, 2 })
  if codec.kind == 'image' and (codec.rates or codec.timing) then
    c.fail('%s: a codec of images has rates or timing; needs neither', who)
  end
  if codec.back and not codec.forward then
    c.fail('%s: it has back and no forward; needs both, or forward alone', who)
  end
  return codec
end

-- ---- what the core calls ----

local host                         -- hz_host, from open
local instances, last = {}, 0      -- { codec, self } by number: what the core holds as a pointer

local function number_of(pointer) return tonumber(ffi.cast('intptr_t', pointer)) end

-- What a callback gives back: f's result, or `failed` after an error, which becomes what the plugin said.
local function answer(failed, ok, ...)
  if ok then return ... end
  local e = ...
  if c.is_interrupt(e) then C.hz_signal_set(e.signal or 2) end       -- SIGINT; it is raised where C was called
  host.fail('%s', tostring(e))
  return failed
end

local function of(pointer)
  local one = instances[number_of(pointer)]
  return one.codec, one.self
end

-- Raises a mistake that a codec's function made in what it returned, at the place where it stands.
local function misfit(f, text, ...)
  local at = debug.getinfo(f, 'S')
  error(('%s:%d: '):format(at.short_src, at.linedefined) .. text:format(...), 0)
end

local parts = { payload = C.HZ_PAYLOAD, tables = C.HZ_TABLES, container = C.HZ_CONTAINER }
local example = "{{'container', 8}, {'payload', 9}}"

-- Writes the parts of a stream into its account; f: who named them.
local function account_for(f, account, list, bytes)
  if list == nil then list = { { 'payload', bytes } } end
  if type(list) ~= 'table' then misfit(f, 'encode names parts by %s; needs a list, %s', need.shown(list), example) end
  for i, part in ipairs(list) do
    local name, n = unpack(type(part) == 'table' and part or {})
    if not parts[name] or type(n) ~= 'number' or n % 1 ~= 0 or n < 0 or n > 2 ^ 53 then
      misfit(f, "encode's part %d is {%s, %s}; needs payload, tables or container, and bytes, as in %s", i,
        need.shown(name), need.shown(n), example)
    end
    if host.part(account, parts[name], n) ~= 0 then error(c.message(), 0) end
  end
end

local function reserve(out, bytes)
  if host.grow(out, bytes) ~= 0 then error(c.message(), 0) end
  out.size = bytes
end

local function encode(pointer, item, out, account)
  local codec, self = of(pointer)
  local bytes, list = codec.encode(self, media.tensor(kinds[codec.kind], item))
  if type(bytes) ~= 'string' or #bytes == 0 then
    misfit(codec.encode, 'encode returned %s; needs a string of at least 1 byte', need.shown(bytes))
  end
  reserve(out, #bytes)
  ffi.copy(out.data, bytes, #bytes)
  account_for(codec.encode, account, list, #bytes)
  return 0
end

local function is_item(kind, t)
  return tensor.is(t) and t:type() == kind.dtype and (t.ndim == kind.dims or t.ndim == kind.dims + 1) and t:count() > 0
end

-- Writes what the codec's function `name` returned to format and out.
local function put_item(codec, name, format, out, item, rate)
  local kind = kinds[codec.kind]
  if not is_item(kind, item) then
    local given = tensor.is(item) and ('a tensor %s %s'):format(item:type(), tensor.shape_text(item)) or type(item)
    misfit(codec[name], '%s returned %s; needs a tensor of %s, %s', name, given, kind.dtype, kind.one)
  end
  if codec.kind == 'audio' and (type(rate) ~= 'number' or rate % 1 ~= 0 or rate < 1 or rate >= 2 ^ 31) then
    misfit(codec[name], '%s returned a sound at %s frames per second; needs a whole number', name, need.shown(rate))
  end
  local one = media.item(kind, name, item, { rate = rate })
  format.channels, format.height, format.width = one.media.channels, one.media.height, one.media.width
  format.frames, format.rate = one.media.frames, one.media.rate
  reserve(out, item:count() * kind.bytes)
  ffi.copy(out.data, one.media.data, item:count() * kind.bytes)
  return 0
end

local function decode(pointer, data, bytes, format, out)
  local codec, self = of(pointer)
  return put_item(codec, 'decode', format, out, codec.decode(self, ffi.string(data, bytes)))
end

local function forward(pointer, item, format, out)
  local codec, self = of(pointer)
  return put_item(codec, 'forward', format, out, codec.forward(self, media.tensor(kinds[codec.kind], item)))
end

local function extents(m)
  local e = { channels = m.channels }
  for _, name in ipairs { 'height', 'width', 'frames', 'rate' } do
    e[name] = m[name] > 0 and tonumber(m[name]) or nil
  end
  return e
end

local function back(pointer, item, original, format, out)
  local codec, self = of(pointer)
  local given, rate = media.tensor(kinds[codec.kind], item)
  return put_item(codec, 'back', format, out, codec.back(self, given, extents(original), rate))
end

local function timing(pointer, rate, delay, tail)
  local codec, self = of(pointer)
  local before, behind = codec.timing(self, rate)
  for _, n in ipairs { before or false, behind or false } do
    if type(n) ~= 'number' or n % 1 ~= 0 or n < 0 or n > 2 ^ 53 then
      misfit(codec.timing, 'timing returned %s, %s; needs two whole numbers of frames', need.shown(before),
        need.shown(behind))
    end
  end
  delay[0], tail[0] = before, behind
  return 0
end

local function destroy(pointer)
  local one = instances[number_of(pointer)]
  if not one then return end
  instances[number_of(pointer)] = nil
  if one.codec.destroy then one.codec.destroy(one.self) end
end

local function create(codec, api, values)
  local list, by_name = C.hz_codec_params(api), {}
  for i = 0, list.count - 1 do
    local p = list.param[i]
    by_name[ffi.string(p.name)] = declared.value(p, values)
  end
  local self = by_name
  if codec.create then self = codec.create(by_name) end
  if self == nil then misfit(codec.create, 'create returned nil; needs what encode and decode are to get') end
  last = last + 1
  instances[last] = { codec = codec, self = self }
  return ffi.cast('void *', last)
end

-- ---- as a plugin ----

local shared                       -- callbacks that all codecs in Lua share; there are few hundred in all

local function callbacks()
  shared = shared or {
    encode = ffi.cast('int (*)(void *, const hz_media *, hz_bytes *, hz_account *)', function(...)
      return answer(-1, c.back(encode, ...))
    end),
    decode = ffi.cast('int (*)(void *, const uint8_t *, size_t, hz_media *, hz_bytes *)', function(...)
      return answer(-1, c.back(decode, ...))
    end),
    forward = ffi.cast('int (*)(void *, const hz_media *, hz_media *, hz_bytes *)', function(...)
      return answer(-1, c.back(forward, ...))
    end),
    back = ffi.cast('int (*)(void *, const hz_media *, const hz_media *, hz_media *, hz_bytes *)', function(...)
      return answer(-1, c.back(back, ...))
    end),
    timing = ffi.cast('int (*)(void *, double, int64_t *, int64_t *)', function(...)
      return answer(-1, c.back(timing, ...)) or -1
    end),
    destroy = ffi.cast('void (*)(void *)', function(pointer) answer(nil, c.back(destroy, pointer)) end),
    open = ffi.cast('int (*)(const hz_host *)', function(lent) host = lent; return 0 end),
  }
  return shared
end

-- The hz_codec_api of a checked codec; `keep` holds what it points to.
local function api_of(codec, keep)
  local own, channels, api = callbacks(), 0, ffi.new 'hz_codec_api'
  for _, n in ipairs(codec.channels) do channels = bit.bor(channels, bit.lshift(1, n)) end
  local list = codec.rates and { unpack(codec.rates) }
  if list then list[#list + 1] = 0 end
  keep.rates = list and ffi.new('int[?]', #list, list)
  api.size, api.kind, api.channels = ffi.sizeof(api), kinds[codec.kind].id, channels % 2 ^ 32
  api.lossless, api.name, api.params, api.rates = codec.lossless and 1 or 0, codec.name, codec.params, keep.rates
  api.encode, api.decode, api.destroy, api.timing = own.encode, own.decode, own.destroy, codec.timing and own.timing
  api.library = function() return ffi.cast('const char *', codec.library) end
  api.create = function(values) return answer(nil, c.back(create, codec, api, values)) end
  return api
end

local kept = {}                    -- what the core points to, for ever

local function add(path, codec, digest)
  local keep = { codec = codec }
  keep.api = api_of(codec, keep)
  kept[#kept + 1] = keep
  if codec.forward then
    keep.stage = ffi.new('hz_codec_stage', { size = ffi.sizeof 'hz_codec_stage', forward = callbacks().forward,
      back = codec.back and callbacks().back })
  end
  local offers = { [MARK] = keep.api, ['hz.codec.stage/1'] = keep.stage }
  keep.interface = ffi.cast('const void *(*)(const char *)', function(id)
    local offer = offers[ffi.string(id)]
    return offer and ffi.cast('const void *', offer) or nil
  end)
  keep.plugin = ffi.new('hz_plugin', { size = ffi.sizeof 'hz_plugin', name = codec.name, version = codec.version,
    about = codec.about, open = callbacks().open, interface = keep.interface })
  c.check(c.into(C.hz_plugin_add, keep.plugin, path, 'file ' .. digest))
end

-- ---- files ----

-- Globals that a file sets are its own.
local function run(path, text)
  local chunk, why = loadstring(text, '@' .. path)
  if not chunk then error(why, 0) end
  setfenv(chunk, setmetatable({}, { __index = _G }))
  return checked(file.name_of(path), chunk())
end

local function load_file(path)
  local text = file.read_all(path)
  if not text:match '^[^\n]*':find(MARK, 1, true) then
    error(('is no plugin: its first line does not name %s, as that of a codec in Lua does'):format(MARK), 0)
  end
  add(path, run(path, text), crypto.sha256(text):sub(1, 32))
end

-- Where the user is says nothing about what is wrong with a plugin.
local function reason(why)
  local place = c.where()
  return why:sub(1, #place) == place and why:sub(#place + 1) or why
end

local seen = {}                    -- paths that were looked at

-- Loads the codec in Lua at this path, without links; what is wrong with it becomes the reason for which it is skipped.
function M.load_file(path)
  if seen[path] then return end
  seen[path] = true
  local ok, why = c.try(load_file, path)
  if not ok then c.check(C.hz_plugin_skip(path, reason(tostring(why)))) end
end

-- Loads those of a folder, in order of name. A folder that cannot be read the core speaks of.
function M.load(folder)
  local there, list = c.try(file.list, folder)
  for _, name in ipairs(there and list or {}) do
    local path = name:find '%.lua$' and file.real(file.join(folder, name))
    if path then M.load_file(path) end
  end
end

return M
