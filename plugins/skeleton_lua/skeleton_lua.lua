-- hz.codec/1: skeleton_lua: the smallest codec in Lua: keeps the upper `bits` of every sample and packs them. The first
-- line says that this file is a codec; the table at the end describes it. hz calls it on one thread while it recodes a
-- set, and keeps what came out: slower than C, quickly written.
local hz = require 'hz'

-- The stream: signature, bits, channels, height, width (big-endian), then the samples' upper bits, first sample in the
-- top bits.
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

-- What encode and decode get first. values: by name, checked by the declaration.
local function create(values) return { bits = values.bits } end

-- image: a tensor of u8, (height,width,channels). Returns the stream, and what its bytes are, front to back.
local function encode(self, image)
  local size, pixel, step = image:size(), image:pointer(), 2 ^ (8 - self.bits)
  local head = 'QL' .. string.char(self.bits, size[3]) .. put32(size[1]) .. put32(size[2])
  local body = pack(image:count(), self.bits, function(i) return math.floor(pixel[i] / step) end)
  return head .. body, { { 'container', #head }, { 'payload', #body } }
end

-- The stream may come from anywhere: nothing in it is believed before it was checked.
local function decode(_, bytes)
  if #bytes < HEADER or bytes:sub(1, 2) ~= 'QL' then error('the stream does not begin as one of this codec', 0) end
  local bits, channels, height, width = bytes:byte(3), bytes:byte(4), get32(bytes, 5), get32(bytes, 9)
  local n = height * width * channels
  if bits < 1 or bits > 8 or (channels ~= 1 and channels ~= 3) or n < 1 or n > MOST then
    error(('the header says %d bits, [%.0f,%.0f,%d]; needs 1..8 bits, 1 or 3 channels, at most %d samples'):format(bits,
      height, width, channels, MOST), 0)
  end
  if #bytes ~= HEADER + math.ceil(n * bits / 8) then
    error(('the stream has %d bytes; its header promises %d'):format(#bytes, HEADER + math.ceil(n * bits / 8)), 0)
  end
  local image, step = hz.empty({ height, width, channels }, 'u8'), 2 ^ (8 - bits)
  local pixel = image:pointer()
  unpack_bits(bytes, HEADER + 1, n, bits, function(i, v) pixel[i] = v * step + math.floor(step / 2) end)
  return image
end

-- ---- the table ----

return {
  name = 'skeleton_lua', version = '1', about = 'keeps the upper bits of every sample; an example in Lua',
  kind = 'image', channels = { 1, 3 }, params = "bits:int=4[1..8](bits)+ 'kept of every sample'", library = 'none',
  create = create, encode = encode, decode = decode,
}
