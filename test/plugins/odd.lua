-- hz.codec/1: odd_lua: does one thing wrong where its values say so, for the tests; else it stores the pixels.
local ffi = require 'ffi'
local hz = require 'hz'

-- What a function does beside its work, by the value of its parameter.
local does = {
  fails = function() error('it rains; needs sun', 0) end,
  throws = function() error {} end,
  indexes = function(self) return self.none.more end,
  yields = function() coroutine.yield(1) end,
  loops = function() while true do end end,
  calls = function() return (hz.matmul(hz.zeros { 2, 3 }, hz.zeros { 2, 3 })) end,
  none = function() return nil end,
  number = function() return 5 end,
}

local function encode(self, image)
  local odd = does[self.encode]
  if odd then return odd(self) end
  local size, bytes = image:size(), ffi.string(image:pointer(), image:count())
  local head = string.char(size[1], size[2], size[3])
  local parts = {
    empty = { '' }, text = { bytes, 'payload' }, short = { bytes, { { 'payload', #bytes - 1 } } },
    unknown = { bytes, { { 'rest', #bytes } } }, pairs = { bytes, { payload = #bytes } },
    plain = { head .. bytes }, negative = { bytes, { { 'payload', -1 } } },
  }
  return unpack(parts[self.encode] or { head .. bytes, { { 'container', 3 }, { 'payload', #bytes } } })
end

local function decode(self, bytes)
  local odd = does[self.decode]
  if odd then return odd(self) end
  if self.decode == 'floats' then return hz.zeros { 4, 4 } end
  if self.decode == 'flat' then return hz.zeros({ 4 }, 'u8') end
  if self.decode == 'another' then return hz.zeros({ 2, 2, 3 }, 'u8') end
  local h, w, k = bytes:byte(1, 3)
  if not k or #bytes ~= 3 + h * w * k then error('the stream is cut; needs all of it', 0) end
  local image = hz.empty({ h, w, k }, 'u8')
  ffi.copy(image:pointer(), bytes:sub(4), h * w * k)
  return image
end

return {
  name = 'odd_lua', version = '1', about = 'does one thing wrong', kind = 'image', channels = { 1, 2, 3 },
  params = 'create:enum=well|fails|none; encode:enum=well|fails|throws|indexes|yields|loops|calls|none|number|empty|'
    .. 'text|short|unknown|pairs|plain|negative; decode:enum=well|fails|indexes|yields|none|number|floats|flat|another;'
    .. ' weights:float*3=1,2,3; on:bool=true; level:int=7[0..9]+',
  create = function(values)
    if does[values.create] then return does[values.create](values) end
    return values
  end,
  encode = encode, decode = decode, lossless = true,
}
