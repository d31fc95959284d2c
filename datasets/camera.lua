-- camera.lua: the embedded set: ten kinds of rendered objects seen by a simulated camera. Needs no files; the entropy
-- of the noise of each image is known exactly (set.entropy, bits per sample), which no photograph offers.
local camera = require 'hz.data.camera'
local dataset = require 'hz.data.dataset'

local first_test = 2000000000        -- test images are the same however many train

local function part(name, options, first, count)
  local items, labels, entropy = camera.render({ seed = options.seed, height = options.size, width = options.size,
    noise = options.noise, noise_free = options.noise == 0 and 1 or 0, texture = options.texture }, first, count)
  return dataset.new { name = 'camera', part = name, items = items, labels = labels, entropy = entropy,
    classes = camera.classes, source = 'the embedded camera' }
end

return {
  name = 'camera',
  about = 'embedded: ten kinds of rendered objects, 32x32 colour, seen by a camera whose noise is known exactly',
  licence = 'that of hz',
  classes = camera.classes,
  options = {
    train = { default = 4000, min = 10, max = 1000000, whole = true, about = 'images to train' },
    test = { default = 1000, min = 10, max = 1000000, whole = true, about = 'images to test' },
    seed = { default = 0, min = 0, max = 2 ^ 53 - 1, whole = true, about = 'another seed, other scenes' },
    size = { default = 32, min = 8, max = 512, whole = true, about = 'height and width in pixels' },
    noise = { default = 1, min = 0, max = 10, about = 'strength of the noise; 0: none' },
    texture = { default = 0, min = 0, max = 4, about = 'strength of fine texture that says nothing of the class' },
  },
  read = function(_, options, want)
    return { train = want.train and part('train', options, 0, options.train) or nil,
             test = want.test and part('test', options, first_test, options.test) or nil }
  end,
}
