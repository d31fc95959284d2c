-- show.lua: hz.show(image): a picture in the terminal, and as a PNG file. Images are tensors of u8
-- (height,width,channels) or (height,width), or of floats within 0..1; of a set of images the first 16 are put side by
-- side.
local c = require 'hz.c'
local codecs = require 'hz.codec.codec'
local file = require 'hz.base.file'
local tensor = require 'hz.tensor.tensor'

local SHOWN = 16                   -- images of a set
local WIDEST = 96                  -- columns in the terminal

local function bytes_of(x)
  if not tensor.is(x) then c.fail('show: %s was given; needs a tensor that holds an image', type(x)) end
  if x:type() == 'u8' then return x end
  local low, high = x:min(), x:max()
  if low < -0.001 or high > 1.001 then
    c.fail('show: values within %g..%g were given; needs u8, or floats within 0..1', low, high)
  end
  return (x * 255):round():to 'u8'
end

-- One image (height,width,channels) of u8 from an image or a set of them.
local function sheet(x)
  local t = bytes_of(x)
  if t.ndim == 2 then t = t:reshape { t:size(1), t:size(2), 1 } end
  if t.ndim == 4 then
    local n, h, w, ch = math.min(SHOWN, t:size(1)), t:size(2), t:size(3), t:size(4)
    local out = tensor.zeros({ h, n * (w + 1) - 1, ch }, 'u8')
    for i = 1, n do out:slice(2, (i - 1) * (w + 1) + 1, (i - 1) * (w + 1) + w):copy(t[i]) end
    t = out
  end
  if t.ndim ~= 3 or (t:size(3) ~= 1 and t:size(3) ~= 3) then
    c.fail('show: a tensor %s was given; needs (height,width,1 or 3), (height,width), or a set of them',
      tensor.shape_text(x))
  end
  return t:contiguous()
end

-- Two rows of pixels are one line of half blocks; wide images are thinned out.
local function draw(t)
  local h, w, ch, p = t:size(1), t:size(2), t:size(3), t:pointer 'read'
  local step, lines = math.max(1, math.ceil(w / WIDEST)), {}
  local function colour(y, x)
    local at = (math.min(y, h - 1) * w + x) * ch
    return p[at], p[at + (ch > 1 and 1 or 0)], p[at + (ch > 1 and 2 or 0)]
  end
  for y = 0, h - 1, 2 * step do
    local parts = {}
    for x = 0, w - 1, step do
      local r, g, b = colour(y, x)
      local r2, g2, b2 = colour(y + step, x)
      parts[#parts + 1] = ('\27[38;2;%d;%d;%dm\27[48;2;%d;%d;%dm\226\150\128'):format(r, g, b, r2, g2, b2)
    end
    lines[#lines + 1] = table.concat(parts) .. '\27[0m'
  end
  return table.concat(lines, '\n')
end

-- hz.show(image [, 'name.png']): draws it if stdout is a terminal, and writes a PNG (default: show.png in the folder of
-- temporary files). Returns the file's name.
return function(image, path)
  local t = sheet(image)
  path = path or (os.getenv 'TMPDIR' or '/tmp') .. '/hz-show.png'
  if type(path) ~= 'string' then c.fail('show: the file name is %s; needs a string', type(path)) end
  file.write(path, (codecs.png {}:encode(t)))
  if file.terminal(1) and not os.getenv 'NO_COLOR' then print(draw(t)) end
  return path
end
