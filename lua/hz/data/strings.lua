-- strings.lua: sounds of the embedded strings set (core/hz/strings.h): plucked strings through one of twelve effects,
-- recorded by a microphone, with the true entropy of its noise beside each.
local c = require 'hz.c'
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

M.classes = {}
for label = 0, C.HZ_STRINGS_CLASSES - 1 do M.classes[label + 1] = ffi.string(C.hz_strings_class(label)) end

local PORTION = 64                 -- clips, so that an interrupt is heard

local function play(core, frames, indices)
  local count = #indices
  local clips = ffi.new('uint32_t[?]', count, indices)
  local samples = tensor.empty { count, frames, 1 }
  local labels, entropy = tensor.empty({ count }, 'i32'), tensor.empty { count }
  local s, l, e = samples:pointer(), labels:pointer(), entropy:pointer()
  for at = 0, count - 1, PORTION do
    c.check(C.hz_strings_play(core, clips + at, math.min(PORTION, count - at), 0, s + at * frames, l + at, e + at))
  end
  return samples, labels, entropy
end

-- A player for these knobs (seed, rate, seconds, noise, noise_free; those missing have the core's defaults):
--   rate, frames             of its clips
--   play(indices)            the clips of these indices (a list), 0..2^32-1: samples (n,frames,1) f32, labels (n) i32
--                            from 0, entropy (n) f32 in bits per sample
function M.new(knobs)
  local spec = ffi.new 'hz_strings_spec'
  for name, value in pairs(knobs) do spec[name] = value end
  local core = c.own(C.hz_strings_new, C.hz_strings_free, spec)
  local rate, frames = C.hz_strings_knobs(core).rate, tonumber(C.hz_strings_frames(core))
  return { rate = rate, frames = frames, play = function(indices) return play(core, frames, indices) end }
end

return names.guard('strings', M)
