-- features.lua: what a net hears of a set of sounds: log-mel spectrograms (mels,frames,channels), f32, in decibels,
-- made by the core (hz/mel.h) as librosa makes them. Every set of sounds has the options below; what they are stands in
-- its field `made`, and so in the keys of results.
local c = require 'hz.c'
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

-- As published (arXiv 1807.10569), which are librosa's defaults but for the bands.
local rows = {
  n_fft = { default = 2048, min = 2, max = 65536, whole = true, about = 'samples of a window of the spectrogram' },
  hop = { default = 512, min = 1, max = 65536, whole = true, about = 'samples from one window to the next' },
  mels = { default = 96, min = 1, max = 4096, whole = true, about = 'mel bands' },
  fmin = { default = 0, min = 0, max = 1e6, about = 'lowest frequency in Hz' },
  fmax = { default = 0, min = 0, max = 1e6, about = 'highest frequency in Hz; 0: half the rate' },
  power = { default = 2, min = 0.01, max = 8, about = 'of the magnitude' },
  top_db = { default = 80, min = 0, max = 1000, about = 'decibels below the loudest that are kept' },
  seconds = { default = 0, min = 0, max = 3600,
    about = 'length that sounds are padded with silence or cut to; 0: that of the longest' },
}

-- Rows for the options of a data set's description. own: by name, defaults that suit it better than the published ones.
function M.options(own, more)
  local out = {}
  for name, row in pairs(rows) do
    out[name] = {}
    for k, v in pairs(row) do out[name][k] = v end
    if own and own[name] ~= nil then out[name].default = own[name] end
  end
  for name, row in pairs(more or {}) do out[name] = row end
  return out
end

-- Names of what decides features of sounds of one length.
M.names = { 'fmax', 'fmin', 'hop', 'mels', 'n_fft', 'power', 'top_db' }

-- How features are made, of a set's options and the rate of its sounds; mistakes are errors.
function M.form(o, rate)
  local core = ffi.new('hz_mel_form', { n_fft = o.n_fft, hop = o.hop, mels = o.mels, fmin = o.fmin, fmax = o.fmax,
    power = o.power, top_db = o.top_db })
  c.own(C.hz_mel_new, C.hz_mel_free, core, rate)
  return { core = core, rate = rate, mels = o.mels }
end

-- (mels,frames,channels) of sounds of so many samples.
function M.shape(form, length, channels)
  return { form.mels, tonumber(C.hz_mel_frames(form.core, length)), channels }
end

-- 'mel 96 bands of 0 to 22050 Hz, n_fft 2048, hop 512, power 2, top 80 dB'
function M.text(form)
  local f = form.core
  return ('mel %d bands of %.10g to %.10g Hz, n_fft %d, hop %d, power %.10g, top %.10g dB'):format(f.mels, f.fmin,
    f.fmax == 0 and form.rate / 2 or f.fmax, f.n_fft, f.hop, f.power, f.top_db)
end

-- A form as values by name.
function M.values(form)
  local out = {}
  for _, name in ipairs(M.names) do out[name] = form.core[name] end
  return out
end

-- Features of sounds (n,length,channels) f32, all by their whole length, into `out` (n,mels,frames,channels).
function M.fill(form, samples, out)
  local n, length, channels = unpack(samples:size())
  local clips = ffi.new('hz_clip[?]', n)
  local data, each = samples:pointer 'read', length * channels
  for i = 0, n - 1 do
    local m = clips[i].sound
    m.kind, m.frames, m.channels, m.rate, m.data = C.HZ_AUDIO, length, channels, form.rate, data + i * each
  end
  local shape = ffi.new('hz_clip_form', { rate = form.rate, frames = length, channels = channels })
  c.check(C.hz_clips_mel(clips, n, shape, form.core, out:pointer(), 0))
  for i = 0, n - 1 do
    if clips[i].status ~= 0 then c.fail('features: sound %d: %s', i + 1, ffi.string(clips[i].message)) end
  end
end

-- A new tensor of them.
function M.of(form, samples)
  local n, length, channels = unpack(samples:size())
  local out = tensor.empty({ n, unpack(M.shape(form, length, channels)) }, 'f32')
  M.fill(form, samples, out)
  return out
end

return names.guard('features', M)
