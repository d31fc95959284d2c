-- test.lua: what skeleton promises of images: what comes back, and what it costs. `make check` runs it.
local hz = require 'hz'

-- A ramp from left to right, one for each colour: (height,width,3) u8.
local function ramp(height, width)
  local t = hz.empty({ height, width, 3 }, 'u8')
  local pixel = t:pointer()
  for i = 0, t:count() - 1 do pixel[i] = (math.floor(i / 3) % width * 5 + i % 3 * 40) % 256 end
  return t
end

local image = ramp(24, 40)
local codec = hz.codec.skeleton()
local bytes, account = codec:encode(image)
local back = codec:decode(bytes)

assert(account.payload + account.tables + account.container == #bytes, 'the account adds up')
assert(back:size(1) == 24 and back:size(2) == 40 and back:size(3) == 3, 'the image has its shape again')

-- Most bits: as good as it gets. Fewer bits: fewer bytes, another image.
local fine, coarse = hz.codec.skeleton { bits = 8 }, hz.codec.skeleton { bits = 1 }
assert(fine:decode((fine:encode(image))):ne(image):sum() == 0, 'nothing is lost of 8 bits')
assert(#coarse:encode(image) < #bytes and #bytes < #fine:encode(image), 'more bits, more bytes')

print(('skeleton: %d bytes for %d samples, as promised'):format(#bytes, image:count()))
