-- clip.lua: a sound at the prompt: fields samples (a tensor of f32, (frames,channels), about -1 to 1), rate (frames per
-- second), channels, frames, seconds, and of one that came from a file path and kind ('wav'). What files and the core
-- do with sounds: sound.lua, which adds methods.
local c = require 'hz.c'
local isa = require 'hz.isa'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.line

local M, methods, Clip = {}, {}, {}
M.methods = methods               -- names for completion at the prompt

Clip.__index = names.index('a sound', methods, 'samples rate channels frames seconds path kind')

Clip.__names = methods

function M.is(x) return isa(x, Clip) end

function M.want(who, x)
  if not M.is(x) then c.fail('%s: %s was given; needs a sound (hz.sound.load, hz.sound.new)', who, need.shown(x)) end
  return x
end

-- A sound of these samples, (frames,channels) or (frames), which stay the caller's.
function M.new(samples, rate)
  local fits = tensor.is(samples) and samples:type() == 'f32' and (samples.ndim == 1 or samples.ndim == 2)
  if not fits or samples:count() == 0 then
    c.fail('sound: the samples are %s; needs a tensor of f32, (frames) or (frames,channels), that is not empty',
      tensor.is(samples) and samples:type() .. ' ' .. tensor.shape_text(samples) or need.shown(samples))
  end
  need.whole('sound', 'the rate', rate, 1, c.C.HZ_MOST_RATE)
  local t = samples.ndim == 1 and samples:reshape { samples:size(1), 1 } or samples
  need.whole('sound', 'the number of channels', t:size(2), 1, c.C.HZ_MOST_CHANNELS)
  return setmetatable({ samples = t, rate = rate, frames = t:size(1), channels = t:size(2),
                        seconds = t:size(1) / rate }, Clip)
end

-- ---- how it looks ----

local function db(v) return v > 0 and ('%.1f dB'):format(20 * math.log10(v)) or '-inf dB' end

function methods:peak() return self.samples:abs():max() end
function methods:rms() return math.sqrt((self.samples * self.samples):mean()) end

local function channels(n) return n == 1 and 'mono' or n == 2 and 'stereo' or n .. ' channels' end

function Clip:__tostring()
  local peak, rms = self:peak(), self:rms()
  local from = rawget(self, 'path') and '  ' .. visible(self.path) or ''
  return ('sound %d Hz, %s, %.3f s (%d frames), peak %.3f (%s), RMS %.4f (%s)%s'):format(self.rate,
    channels(self.channels), self.seconds, self.frames, peak, db(peak), rms, db(rms), from)
end

return M
