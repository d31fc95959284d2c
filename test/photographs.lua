-- photographs.lua: a folder of photographs of mixed sizes, made here: scenes of the embedded camera, each scaled to a
-- size of its own, in a sub-folder per class. Every other one is a JPEG with an EXIF orientation, 1 to 8 in turn,
-- stored so that it is upright once turned; the others are PNG.
--   local photographs = assert(loadfile(t.here .. 'photographs.lua'))()
--   photographs.make(folder, 3000, { least = 96, most = 512, classes = 3 })
local camera = require 'hz.data.camera'
local codec = require 'hz.codec.codec'
local file = require 'hz.base.file'
local tensor = require 'hz.tensor.tensor'

local M = {}

local PORTION = 256                -- scenes in memory at once
local SCENE = 64                   -- pixels of a scene, either way

-- An image as a camera would store it that says orientation k: where row y and column x of the seen one stand.
local function stored(image, k)
  local h, w = image:size(1), image:size(2)
  local out = tensor.empty(k >= 5 and { w, h, 3 } or { h, w, 3 }, 'u8')
  local from, to = image:contiguous():pointer 'read', out:pointer()
  local bottom, right = k == 3 or k == 4 or k == 6 or k == 7, k == 2 or k == 3 or k == 7 or k == 8
  local rows, columns = out:size(1), out:size(2)
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      local r, c = y, x
      if k >= 5 then r, c = x, y end
      if bottom then r = rows - 1 - r end
      if right then c = columns - 1 - c end
      for i = 0, 2 do to[(r * columns + c) * 3 + i] = from[(y * w + x) * 3 + i] end
    end
  end
  return out
end

-- A JPEG with an EXIF segment that says an orientation and nothing else.
function M.with_orientation(jpeg, k)
  local tiff = 'MM\0\42\0\0\0\8\0\1\1\18\0\3\0\0\0\1\0' .. string.char(k) .. '\0\0\0\0\0\0'
  local body = 'Exif\0\0' .. tiff
  return jpeg:sub(1, 2) .. '\255\225' .. string.char(0, #body + 2) .. body .. jpeg:sub(3)
end

-- Numbers that follow from n alone, 0 to below 1.
local function mixed(n) return (math.sin(n * 12.9898) * 43758.5453) % 1 end

-- A scene (SCENE,SCENE,3) as large as photograph n is, between its pixels by straight lines.
local function enlarged(scene, n, o)
  local range = o.most - o.least + 1
  local h, w = math.floor(o.least + mixed(2 * n) * range), math.floor(o.least + mixed(2 * n + 1) * range)
  local out = tensor.empty({ h, w, 3 }, 'u8')
  local from, to, last = scene:contiguous():pointer 'read', out:pointer(), SCENE - 1
  for y = 0, h - 1 do
    local v = y * last / math.max(1, h - 1)
    local top = math.min(math.floor(v), last - 1)
    for x = 0, w - 1 do
      local u = x * last / math.max(1, w - 1)
      local left = math.min(math.floor(u), last - 1)
      local p, fy, fx = from + (top * SCENE + left) * 3, v - top, u - left
      for i = 0, 2 do
        to[(y * w + x) * 3 + i] = (1 - fy) * ((1 - fx) * p[i] + fx * p[i + 3])
          + fy * ((1 - fx) * p[i + SCENE * 3] + fx * p[i + SCENE * 3 + 3])
      end
    end
  end
  return out
end

local function encoded(codecs, image, n)
  if n % 2 == 1 then return codecs.png:encode(image), 'png' end
  local k = math.floor(n / 2) % 8 + 1
  return M.with_orientation(codecs.jpeg:encode(stored(image, k)), k), 'jpg'
end

-- `count` photographs below folder; o: least and most pixels of a side, classes (at most 10). Returns the names of the
-- classes.
function M.make(folder, count, o)
  local n, classes, codecs = 0, {}, { jpeg = codec.jpeg { quality = 90 }, png = codec.png { level = 1 } }
  for i = 1, o.classes do
    classes[i] = camera.classes.coarse[i]
    file.mkdir(('%s/%s'):format(folder, classes[i]))
  end
  for first = 0, math.huge, PORTION do
    local scenes, labels = camera.render({ height = SCENE, width = SCENE, seed = 7 }, first, PORTION)
    for i = 1, PORTION do
      if n == count then return classes end
      local class = classes[labels[i] + 1]
      if class then
        local bytes, ending = encoded(codecs, enlarged(scenes[i], n, o), n)
        file.write(('%s/%s/%05d.%s'):format(folder, class, n, ending), bytes)
        n = n + 1
      end
    end
    collectgarbage()
  end
end

return M
