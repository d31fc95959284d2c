-- band.lua: where the spectrum of sounds ends. Encoders of MP3, Vorbis and Opus keep nothing above some frequency, and
-- neither does resampling from a lower rate: an edge that is sharp, in the same place in most clips, and well below
-- half the rate is seldom of nature's making.
--
-- The upper three octaves are heard in narrow mel bands (features.lua), their levels averaged over the clip. An edge is
-- where each of the bands just below it is louder than all above by EDGE dB at least: the end of a tone is none.
local c = require 'hz.c'
local features = require 'hz.data.features'
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'
local traits = require 'hz.data.traits'

local M = {}

local WINDOW, BANDS = 2048, 192
local BELOW, GAP = 6, 5            -- bands of about 1.1 %: those that must be loud, and the slope that is left out
local EDGE = 12                    -- dB
local HIGHEST = 0.95               -- of half the rate: above lie the filters of converters
local SAME = 0.03                  -- of a frequency
local LOOKED = 200                 -- clips, evenly taken
local MOST, FEWEST = 0.25, 3       -- of the clips, and clips: an edge of fewer is none of the set's

-- ---- spectra ----

-- Slaney's scale, in which the core spaces bands.
local STEP = math.log(6.4) / 27
local function to_mel(hz) return hz < 1000 and hz * 3 / 200 or 15 + math.log(hz / 1000) / STEP end
local function to_hz(mel) return mel < 15 and mel * 200 / 3 or 1000 * math.exp(STEP * (mel - 15)) end

-- The middle of band b, from 1.
local function middle(rate, b)
  local low, high = to_mel(rate / 16), to_mel(rate / 2)
  return to_hz(low + (high - low) * b / (BANDS + 1))
end

local function form_of(rate)
  return features.form({ n_fft = WINDOW, hop = WINDOW / 2, mels = BANDS, fmin = rate / 16, fmax = rate / 2, power = 1,
    top_db = 1000 }, rate)
end

-- Levels in dB of the bands of features p (BANDS,frames,channels), by the mean amplitude of the first `used` frames.
local function levels(p, frames, channels, used)
  local out = {}
  for b = 0, BANDS - 1 do
    local sum = 0
    for i = 0, used * channels - 1 do sum = sum + 10 ^ (p[b * frames * channels + i] / 20) end
    out[b + 1] = 20 * math.log10(sum / (used * channels))
  end
  return out
end

-- The edge of such levels as a frequency; nil: there is none.
function M.edge(level, rate)
  local above, best, at = -math.huge, EDGE, nil
  for e = BANDS - GAP, BELOW, -1 do
    above = math.max(above, level[e + GAP])
    local least = math.huge
    for b = e - BELOW + 1, e do least = math.min(least, level[b]) end
    if least - above > best then best, at = least - above, e end
  end
  local hz = at and middle(rate, at + GAP / 2)
  return hz and hz <= HIGHEST * rate / 2 and hz or nil
end

-- Of a set of sounds: list of { hz (nil: no edge), label } of a sample of its clips; nil: they are too short.
function M.sample(set)
  local clips = set.sounds
  if clips.length < 2 * WINDOW then return nil end
  local all, numbers, rows, list = clips:numbers(set.clips), {}, {}, {}
  for i = 1, #all, math.max(1, math.ceil(#all / LOOKED)) do
    numbers[#numbers + 1], rows[#rows + 1] = all[i], i
  end
  local form = form_of(clips.rate)
  clips:portions(numbers, 'looking for the end of the spectrum', function(samples, lengths, from)
    local shape = features.shape(form, clips.length, clips.channels)
    local heard = tensor.empty({ #lengths, unpack(shape) }, 'f32')
    features.fill(form, samples, heard)
    local p, each = heard:pointer 'read', shape[1] * shape[2] * shape[3]
    for i, length in ipairs(lengths) do
      c.poll()
      local used = math.max(1, math.min(shape[2], math.floor(length / (WINDOW / 2))))
      list[from + i] = { label = set.labels[rows[from + i]],
        hz = M.edge(levels(p + (i - 1) * each, shape[2], shape[3], used), clips.rate) }
    end
  end)
  return list
end

-- ---- words ----

-- The edge that most clips share, and how many do.
local function shared(list)
  local best, at = 0, nil
  for _, a in ipairs(list) do
    local n = 0
    for _, b in ipairs(list) do
      if a.hz and b.hz and math.abs(b.hz - a.hz) <= SAME * a.hz then n = n + 1 end
    end
    if n > best then best, at = n, a.hz end
  end
  return at, best
end

-- What LAME 3.100 keeps of stereo, in Hz by kbit/s; of mono half the rate keeps as much.
local mp3 = { { 48, 7500 }, { 56, 10000 }, { 64, 11000 }, { 80, 13500 }, { 96, 15100 }, { 128, 17000 }, { 160, 17500 },
  { 192, 18600 }, { 256, 19700 }, { 320, 20500 } }
local opus = { 4000, 6000, 8000, 12000, 20000 }        -- RFC 6716, section 2
local rates = { 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000 }

local function near(hz, to) return math.abs(hz - to) <= 1.5 * SAME * to end

-- What leaves such an edge at this rate, in words.
local function makers(hz, rate)
  local list, closest = {}, mp3[1]
  for _, row in ipairs(mp3) do
    if math.abs(row[2] - hz) < math.abs(closest[2] - hz) then closest = row end
  end
  list[1] = near(hz, closest[2]) and rate >= 32000 and ('MP3 at about %d kbit/s (stereo)'):format(closest[1])
    or 'an encoder such as MP3'
  for _, end_of in ipairs(opus) do
    if near(hz, end_of) then list[#list + 1] = 'Opus' end
  end
  for _, r in ipairs(rates) do
    if r < rate and hz <= 1.02 * r / 2 and hz >= 0.88 * r / 2 then
      list[#list + 1] = ('resampling from %g kHz'):format(r / 1000)
      break
    end
  end
  return #list > 1 and table.concat(list, ', ', 1, #list - 1) .. ' or ' .. list[#list] or list[1]
end

-- Whether all is well (nil: worth knowing), and what there is to say.
function M.words(set)
  local list = M.sample(set)
  if not list then return true, ('not looked for in clips of less than %d samples'):format(2 * WINDOW) end
  local hz, n = shared(list)
  local clips = #list < #set and ('%d clips looked at'):format(#list) or ('%d clips'):format(#list)
  if n < math.max(FEWEST, MOST * #list) then return true, ('no edge in the spectra of %s'):format(clips) end
  local text = ('nothing above %.1f kHz in %d of %s, as %s leaves it'):format(hz / 1000, n, clips,
    makers(hz, set.sounds.rate))
  local answers = {}
  for i, s in ipairs(list) do
    answers[i] = { s.hz and math.abs(s.hz - hz) <= SAME * hz and 'ends there' or 'does not', s.label }
  end
  local tells = traits.tells(answers, set.classes)
  if tells then return false, ('%s; it %s'):format(text, tells) end
  return nil, text
end

return names.guard('band', M)
