-- strings.lua: sounds of the embedded strings set (core/hz/strings.h): plucked strings through one of twelve effects,
-- recorded by a microphone, with the true entropy of its noise beside each.
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

M.classes = {}
for label = 0, C.HZ_STRINGS_CLASSES - 1 do M.classes[label + 1] = ffi.string(C.hz_strings_class(label)) end

-- Clips first .. first+count-1 for these knobs (seed, rate, seconds, noise, noise_free; those missing have the core's
-- defaults): samples (count,frames,1) f32, labels (count) i32 from 0, entropy (count) f32 in bits per sample.
function M.play(knobs, first, count)
  local spec = ffi.new 'hz_strings_spec'
  for name, value in pairs(knobs) do spec[name] = value end
  local strings = c.own(C.hz_strings_new, C.hz_strings_free, spec)
  local frames = tonumber(C.hz_strings_frames(strings))
  local samples = tensor.empty { count, frames, 1 }
  local labels, entropy = tensor.empty({ count }, 'i32'), tensor.empty { count }
  local s, l, e = samples:pointer(), labels:pointer(), entropy:pointer()
  for at = 0, count - 1, 64 do                         -- in portions, so that an interrupt is heard
    c.check(C.hz_strings_play(strings, first + at, math.min(64, count - at), 0, s + at * frames, l + at, e + at))
  end
  return samples, labels, entropy
end

return M
