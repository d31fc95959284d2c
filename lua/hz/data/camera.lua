-- camera.lua: images of the embedded camera set (core/hz/camera.h): rendered scenes seen by a simulated camera, with
-- the true entropy of their noise beside each.
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

-- Names of classes, where the class is in coarse or in fine detail.
local function classes(fine)
  local list = {}
  for label = 0, C.HZ_CAMERA_CLASSES - 1 do list[label + 1] = ffi.string(C.hz_camera_class(label, fine)) end
  return list
end

M.classes = { coarse = classes(0), fine = classes(1) }

-- The knob `noise` of which the standard deviation at mid grey is so many grey values.
M.noise_of = C.hz_camera_noise

-- Images first .. first+count-1 for these knobs (seed, height, width, noise, noise_free, texture, exposure, gain, fine,
-- draw; those missing have the core's defaults): pixels (count,height,width,3) u8, labels (count) i32 from 0, entropy
-- (count) f32 in bits per sample.
function M.render(knobs, first, count)
  local spec = ffi.new 'hz_camera_spec'
  for name, value in pairs(knobs) do spec[name] = value end
  local camera = c.own(C.hz_camera_new, C.hz_camera_free, spec)
  local full = C.hz_camera_knobs(camera)
  local pixels = tensor.empty({ count, full.height, full.width, 3 }, 'u8')
  local labels, entropy = tensor.empty({ count }, 'i32'), tensor.empty { count }
  local p, l, e, bytes = pixels:pointer(), labels:pointer(), entropy:pointer(), full.height * full.width * 3
  for at = 0, count - 1, 256 do                        -- in portions, so that an interrupt is heard
    c.check(C.hz_camera_render(camera, first + at, math.min(256, count - at), p + at * bytes, l + at, e + at))
  end
  return pixels, labels, entropy
end

return M
