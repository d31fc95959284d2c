-- show.lua: hz.show(image): a picture in the terminal, and as a PNG file. Images are tensors of u8
-- (height,width,channels) or (height,width), or of floats within 0..1; the first images of a batch, or of a set of
-- hz.data, become a grid. Sounds: show_sound.lua.
local c = require 'hz.c'
local clip = require 'hz.codec.clip'
local codecs = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local halves = require 'hz.codec.halves'
local show_sound = require 'hz.codec.show_sound'
local tensor = require 'hz.tensor.tensor'

local SHOWN = 64                   -- images of a batch
local GAP = 1                      -- pixels between images
local WIDEST = 96                  -- columns in the terminal

local function bytes_of(x)
  if not tensor.is(x) then c.fail('show: %s was given; needs a tensor that holds an image, or a set', type(x)) end
  if x:type() == 'u8' then return x end
  local low, high = x:min(), x:max()
  if low < -0.001 or high > 1.001 then
    c.fail('show: values within %g..%g were given; needs u8, or floats within 0..1', low, high)
  end
  return (x * 255):round():to 'u8'
end

-- Columns of a grid of n images that is about as wide as high; very few stand side by side.
local function columns_for(n, h, w)
  return n <= 3 and n or math.min(n, math.ceil(math.sqrt(n * (h + GAP) / (w + GAP))))
end

-- The images of a batch (n,height,width,channels) in rows, black between them.
local function grid(t)
  local n, h, w, ch = math.min(SHOWN, t:size(1)), t:size(2), t:size(3), t:size(4)
  local across = columns_for(n, h, w)
  local down = math.ceil(n / across)
  local out = tensor.zeros({ down * (h + GAP) - GAP, across * (w + GAP) - GAP, ch }, 'u8')
  for i = 0, n - 1 do
    local y, x = math.floor(i / across) * (h + GAP), i % across * (w + GAP)
    out:slice(1, y + 1, y + h):slice(2, x + 1, x + w):copy(t[i + 1])
  end
  return out
end

-- One image (height,width,channels) of u8 from an image or a batch of them.
local function sheet(x)
  if dataset.is(x) then x = x.items:slice(1, 1, math.min(SHOWN, #x)) end
  if tensor.is(x) and x:count() == 0 then
    c.fail('show: a tensor %s was given; needs a pixel at least', tensor.shape_text(x))
  end
  if tensor.is(x) and x.ndim == 4 then x = x:slice(1, 1, math.min(SHOWN, x:size(1))) end
  local t = bytes_of(x)
  if t.ndim == 2 then t = t:reshape { t:size(1), t:size(2), 1 } end
  local channels = t.ndim >= 3 and t:size(t.ndim)
  if t.ndim > 4 or channels ~= 1 and channels ~= 3 then
    c.fail('show: a tensor %s was given; needs (height,width,1 or 3), (height,width), or a batch of images',
      tensor.shape_text(x))
  end
  return (t.ndim == 4 and grid(t) or t):contiguous()
end

-- hz.show(image or batch [, 'name.png']), hz.show(sound [, 'name.svg']): draws if stdout is a terminal, and writes a
-- file (default: hz-show.png or .svg in the folder of temporary files). Returns the file's name.
return function(image, path)
  if clip.is(image) then return show_sound(image, path) end
  local t = sheet(image)
  path = path or (os.getenv 'TMPDIR' or '/tmp') .. '/hz-show.png'
  if type(path) ~= 'string' then c.fail('show: the file name is %s; needs a string', type(path)) end
  file.write(path, (codecs.png {}:encode(t)))
  if file.terminal(1) and not os.getenv 'NO_COLOR' then print(table.concat(halves.lines(t, WIDEST), '\n')) end
  return path
end
