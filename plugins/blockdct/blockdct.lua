-- hz.codec/1: blockdct: how JPEG thinks: the cosine transform of blocks of 8 x 8, a quantiser that grows with
-- frequency, runs of zeros and levels as exp-Golomb bits. plugins/README.md walks through it.
local hz = require 'hz'
local floor, min, max = math.floor, math.min, math.max

-- Cosines by frequency and place; the places of a block, low frequencies first, each with its weight in the quantiser.
local basis, order = {}, {}
for k = 0, 7 do
  basis[k] = {}
  for x = 0, 7 do basis[k][x] = (k == 0 and math.sqrt(1 / 8) or 1 / 2) * math.cos((2 * x + 1) * k * math.pi / 16) end
end
for i = 0, 63 do order[i + 1] = { place = i, weight = 1 + (i % 8 + floor(i / 8)) / 4 } end
table.sort(order, function(a, b) return a.weight * 64 + a.place / 64 < b.weight * 64 + b.place / 64 end)

-- Along the rows of a block of 64, then down its columns; back: from frequencies to places.
local function transform(block, back)
  for axis = 1, 2 do
    local along, across, line = axis == 1 and 1 or 8, axis == 1 and 8 or 1, {}
    for start = 0, 7 * across, across do
      for k = 0, 7 do
        line[k] = 0
        for x = 0, 7 do line[k] = line[k] + block[start + x * along] * (back and basis[x][k] or basis[k][x]) end
      end
      for k = 0, 7 do block[start + k * along] = line[k] end
    end
  end
end

-- A whole number from 0: of n + 1 in binary the digits behind the first are counted in zeros, then it follows.
local function put(bits, n)
  local _, digits = math.frexp(n + 1)
  for _ = 2, digits do bits[#bits + 1] = 0 end
  for i = digits - 1, 0, -1 do bits[#bits + 1] = floor((n + 1) / 2 ^ i) % 2 end
end

local function bit(from)
  local byte = from.bytes:byte(floor(from.at / 8) + 1) or error('the stream breaks off', 0)
  from.at = from.at + 1
  return floor(byte / 2 ^ (7 - (from.at - 1) % 8)) % 2
end

local function get(from)
  local zeros, n = 0, 1
  while bit(from) == 0 do zeros = zeros < 14 and zeros + 1 or error('the stream has a number of 15 bits', 0) end
  for _ = 1, zeros do n = 2 * n + bit(from) end
  return n - 1
end

-- f(k, plane, at) for each block and each of its channels, green first; at[i]: where pixel i of the block begins,
-- beyond the edge the last one.
local function each_block(height, width, channels, f)
  for y = 0, height - 1, 8 do
    for x = 0, width - 1, 8 do
      local at = {}
      for i = 0, 63 do at[i] = (min(y + floor(i / 8), height - 1) * width + min(x + i % 8, width - 1)) * channels end
      for k, plane in ipairs(channels == 3 and { 1, 0, 2 } or { 0 }) do f(k, plane, at) end
    end
  end
end

local function encode(self, image)
  local size, pixel, bits, last, bytes = image:size(), image:pointer(), {}, { 0, 0, 0 }, {}
  each_block(size[1], size[2], size[3], function(k, plane, at)
    local block, zeros = {}, 0
    for i = 0, 63 do block[i] = pixel[at[i] + plane] - (k > 1 and pixel[at[i] + 1] or 128) end   -- red, blue less it
    transform(block)
    for i, p in ipairs(order) do
      local level = floor(block[p.place] / (self.step * p.weight) + 0.5)
      if i == 1 then level, last[k] = level - last[k], level end       -- means change little from block to block
      if level ~= 0 then
        put(bits, zeros)
        put(bits, level > 0 and 2 * level - 2 or -2 * level - 1)
      end
      zeros = level == 0 and zeros + 1 or 0
    end
    if zeros > 0 then put(bits, zeros) end                             -- as many as there are places left: the end
  end)
  for i = 1, #bits, 8 do
    local byte = 0
    for j = i, i + 7 do byte = 2 * byte + (bits[j] or 0) end
    bytes[#bytes + 1] = string.char(byte)
  end
  local head = ('BD%02x%d%07x%07x'):format(self.step, size[3], size[1], size[2])
  return head .. table.concat(bytes), { { 'container', #head }, { 'payload', #bytes } }
end

local function decode(_, bytes)
  local step, channels, height, width = bytes:match '^BD(%x%x)([13])(%x%x%x%x%x%x%x)(%x%x%x%x%x%x%x)'
  step, height, width = tonumber(step or 'none', 16), tonumber(height or '0', 16), tonumber(width or '0', 16)
  channels = tonumber(channels)
  if not step or step * height * width == 0 or height * width > 2 ^ 14 * #bytes then
    error('the stream does not begin as one of this codec', 0)
  end
  local image, from, last = hz.empty({ height, width, channels }, 'u8'), { bytes = bytes, at = 8 * 19 }, { 0, 0, 0 }
  local pixel = image:pointer()
  each_block(height, width, channels, function(k, plane, at)
    local block, i = {}, 1
    for place = 0, 63 do block[place] = 0 end
    while i <= 64 do
      i = i + get(from)
      if i > 65 then error('the stream has a block of more than 64 levels', 0) end
      local p, n = order[i], i < 65 and get(from)
      if p then block[p.place] = (n % 2 == 0 and n / 2 + 1 or -(n + 1) / 2) * step * p.weight end
      i = i + 1
    end
    block[0] = block[0] + last[k]
    last[k] = block[0]
    transform(block, true)
    for j = 63, 0, -1 do           -- backwards: the last pixel overwrites what was beyond it
      pixel[at[j] + plane] = max(0, min(255, floor(block[j] + (k > 1 and pixel[at[j] + 1] or 128) + 0.5)))
    end
  end)
  return image
end

return {
  name = 'blockdct', version = '1', about = '8x8 cosine transform, own quantiser, exp-Golomb bits; the tutorial',
  kind = 'image', library = 'none', create = function(values) return { step = values.step } end,
  params = "step:int=16[1..255]- 'of the quantiser'", encode = encode, decode = decode,
}
