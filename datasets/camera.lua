-- camera.lua: the embedded set: ten kinds of rendered objects seen by a simulated camera. Needs no files; the entropy
-- of the noise of each image is known exactly (set.entropy, bits per sample), which no photograph offers.
local camera = require 'hz.data.camera'
local dataset = require 'hz.data.dataset'

local first_test = 2000000000        -- test images are the same however many train

local function knobs_of(o)
  local noise = o.unit == 'grey' and camera.noise_of(o.noise) or o.noise
  return { seed = o.seed, height = o.size, width = o.size, noise = noise, noise_free = noise == 0 and 1 or 0,
    texture = o.texture, fine = o.detail == 'fine' and 1 or 0, draw = o.draw }
end

-- Labels that say nothing of the images: those of others (Park and Miller 1988 draws which).
local function shuffle(labels)
  local p, state = labels:pointer(), 1
  for i = #labels - 1, 1, -1 do
    state = state * 16807 % 2147483647
    local k = state % (i + 1)
    p[i], p[k] = p[k], p[i]
  end
end

-- A name of 16 characters for each scene of a paired set; what is seen of it, in words. The order of such sets is that
-- of the names, whatever the noise.
local function scenes_of(o, first, count)
  local names = {}
  for i = 1, count do names[i] = ('%016.0f'):format((first + i - 1) * 7919 % 4294967291) end
  return names, ('camera seed=%.0f size=%d texture=%.9g detail=%s%s'):format(o.seed, o.size, o.texture, o.detail,
    o.shuffled and ' shuffled' or '')
end

local function part(name, options, first, count)
  local items, labels, entropy = camera.render(knobs_of(options), first, count)
  if options.shuffled then shuffle(labels) end
  local raw = { name = 'camera', part = name, items = items, labels = labels, entropy = entropy,
    classes = camera.classes[options.detail], source = 'the embedded camera' }
  if options.paired then raw.origins, raw.scenes = scenes_of(options, first, count) end
  return dataset.new(raw)
end

return {
  name = 'camera',
  about = 'embedded: ten kinds of rendered objects, 32x32 colour, seen by a camera whose noise is known exactly',
  licence = 'that of hz',
  classes = camera.classes.coarse,
  options = {
    train = { default = 4000, min = 10, max = 1000000, whole = true, about = 'images to train' },
    test = { default = 1000, min = 10, max = 1000000, whole = true, about = 'images to test' },
    seed = { default = 0, min = 0, max = 2 ^ 53 - 1, whole = true, about = 'another seed, other scenes' },
    size = { default = 32, min = 8, max = 512, whole = true, about = 'height and width in pixels' },
    noise = { default = 1, min = 0, max = 10, about = 'strength of the noise; 0: none' },
    unit = { default = 'times', choices = { 'times', 'grey' },
      about = 'of noise: times that of the camera, or grey values (standard deviation at mid grey)' },
    draw = { default = 0, min = 0, max = 2 ^ 31 - 1, whole = true, about = 'another draw of the noise, same scenes' },
    texture = { default = 0, min = 0, max = 4, about = 'strength of fine texture that says nothing of the class' },
    detail = { default = 'coarse', choices = { 'coarse', 'fine' },
      about = 'what the class is in: the shape of the object, or fine waves on it' },
    shuffled = { default = false, about = 'labels are those of other images' },
    paired = { default = false, about = 'order and splits follow the scenes, so that they are the same at any noise' },
  },
  read = function(_, options, want)
    return { train = want.train and part('train', options, 0, options.train) or nil,
             test = want.test and part('test', options, first_test, options.test) or nil }
  end,
}
