-- hz.codec/1: skeleton_lua_audio: the smallest codec of sounds in Lua: rounds every sample to `bits` and packs
-- them. The first line says that this file is a codec; the table at the end describes it. hz calls it on one thread
-- while it recodes a set, and keeps what came out: slower than C, quickly written.
local hz = require 'hz'

-- The stream: signature, bits, channels, frames, rate (big-endian), then the samples, first sample in the top bits.
local HEADER, MOST = 12, 2 ^ 28

-- ---- helpers ----

local function put32(v)
  return string.char(math.floor(v / 2 ^ 24) % 256, math.floor(v / 2 ^ 16) % 256, math.floor(v / 256) % 256, v % 256)
end

local function get32(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  return ((a * 256 + b) * 256 + c) * 256 + d
end

-- Of n numbers of so many bits the string that holds them; value(i), i from 0.
local function pack(n, bits, value)
  local bytes, held, room = {}, 0, 0       -- held: `room` bits that fill no byte yet
  for i = 0, n - 1 do
    held, room = held * 2 ^ bits + value(i), room + bits
    while room >= 8 do
      room = room - 8
      bytes[#bytes + 1] = string.char(math.floor(held / 2 ^ room))
      held = held % 2 ^ room
    end
  end
  if room > 0 then bytes[#bytes + 1] = string.char(held * 2 ^ (8 - room)) end
  return table.concat(bytes)
end

-- The other way: take(i, value) for each.
local function unpack_bits(text, at, n, bits, take)
  local held, room = 0, 0
  for i = 0, n - 1 do
    while room < bits do held, room, at = held * 256 + text:byte(at), room + 8, at + 1 end
    room = room - bits
    take(i, math.floor(held / 2 ^ room))
    held = held % 2 ^ room
  end
end

-- ---- the two directions ----

-- Levels to either side of silence, which is one itself: 127 with 8 bits.
local function levels(bits) return 2 ^ (bits - 1) - 1 end

-- What encode and decode get first. values: by name, checked by the declaration.
local function create(values) return { bits = values.bits } end

-- sound: a tensor of f32, (frames,channels), within +-1. Returns the stream, and what its bytes are, front to back.
local function encode(self, sound, rate)
  local size, sample, most = sound:size(), sound:pointer(), levels(self.bits)
  local head = 'QT' .. string.char(self.bits, size[2]) .. put32(size[1]) .. put32(rate)
  local body = pack(sound:count(), self.bits, function(i)
    local x = math.max(-1, math.min(1, sample[i]))
    return math.floor(x * most + most + 0.5)
  end)
  return head .. body, { { 'container', #head }, { 'payload', #body } }
end

-- The stream may come from anywhere: nothing in it is believed before it was checked.
local function decode(_, bytes)
  if #bytes < HEADER or bytes:sub(1, 2) ~= 'QT' then error('the stream does not begin as one of this codec', 0) end
  local bits, channels, frames, rate = bytes:byte(3), bytes:byte(4), get32(bytes, 5), get32(bytes, 9)
  local n = frames * channels
  if bits < 2 or bits > 16 or channels < 1 or channels > 2 or n < 1 or n > MOST or rate < 1 or rate >= 2 ^ 31 then
    error(('the header says %d bits, %.0f frames of %d channels at %.0f Hz; needs 2..16 bits, 1 or 2 channels, at most '
      .. '%d samples'):format(bits, frames, channels, rate, MOST), 0)
  end
  if #bytes ~= HEADER + math.ceil(n * bits / 8) then
    error(('the stream has %d bytes; its header promises %d'):format(#bytes, HEADER + math.ceil(n * bits / 8)), 0)
  end
  local sound, most = hz.empty { frames, channels }, levels(bits)
  local sample = sound:pointer()
  unpack_bits(bytes, HEADER + 1, n, bits, function(i, v) sample[i] = (math.min(v, 2 * most) - most) / most end)
  return sound, rate
end

-- ---- the table ----

return {
  name = 'skeleton_lua_audio', version = '1', about = 'rounds every sample to a few bits; an example in Lua',
  kind = 'audio', channels = { 1, 2 }, params = "bits:int=8[2..16](bits)+ 'kept of every sample'", library = 'none',
  create = create, encode = encode, decode = decode,
}
