-- strings.lua: the embedded set of sounds: plucked strings through twelve effects, after IDMT-SMT-Audio-Effects. Needs
-- no files; the entropy of the microphone's noise is known exactly (set.entropy, bits per sample), which no recording
-- offers. Clips are played again whenever their samples are needed, which costs less than to keep them.
local clips = require 'hz.data.clips'
local features = require 'hz.data.features'
local strings = require 'hz.data.strings'
local tensor = require 'hz.tensor.tensor'

local FIRST_TEST = 2000000000        -- test clips are the same however many train
local STEPS = 16                     -- of 16 bits: the deviation of noise 1

local function said_of_noise(o)
  return o.noise == 0 and 'no noise' or ('noise of %.10g steps of 16 bits'):format(STEPS * o.noise)
end

-- The sounds of clips first .. first+count-1, and their entropy, which is known as soon as each was played.
local function played(o, first, count)
  local player = strings.new { seed = o.seed, rate = o.rate, seconds = o.seconds, noise = o.noise,
    noise_free = o.noise == 0 and 1 or 0 }
  local frames, entropy = {}, tensor.zeros { count }
  for i = 1, count do frames[i] = player.frames end
  local function take(numbers)
    local indices = {}
    for i, number in ipairs(numbers) do indices[i] = first + number - 1 end
    local samples, _, bits = player.play(indices)
    for i, number in ipairs(numbers) do entropy[number] = bits[i] end
    return samples
  end
  return clips.new({ n = count, rate = player.rate, channels = 1, frames = frames, length = player.frames,
    take = take }, o, said_of_noise(o)), entropy
end

local function part(name, o, first, count)
  local sounds, entropy = played(o, first, count)
  local numbers, labels = {}, {}
  for i = 1, count do numbers[i], labels[i] = i, (first + i - 1) % #strings.classes end
  return clips.set { name = 'strings', part = name, clips = sounds, numbers = numbers, labels = labels,
    classes = strings.classes, source = 'the embedded strings', entropy = entropy }
end

return {
  name = 'strings',
  about = 'embedded: plucked strings through twelve effects, 2 s at 44.1 kHz, with noise that is known exactly',
  licence = 'that of hz',
  classes = strings.classes,
  options = features.options({}, {
    train = { default = 3000, min = 12, max = 1000000, whole = true, about = 'clips to train' },
    test = { default = 600, min = 12, max = 1000000, whole = true, about = 'clips to test' },
    seed = { default = 0, min = 0, max = 2 ^ 53 - 1, whole = true, about = 'another seed, other notes' },
    rate = { default = 44100, min = 11025, max = 44100, whole = true, about = '44100, 22050 or 11025 Hz' },
    seconds = { default = 2, min = 0.25, max = 10, about = 'length of a clip' },
    noise = { default = 1, min = 0, max = 10, about = 'strength of the noise, 1: -66.2 dB of full scale; 0: none' },
  }),
  read = function(_, options, want)
    return { train = want.train and part('train', options, 0, options.train) or nil,
             test = want.test and part('test', options, FIRST_TEST, options.test) or nil }
  end,
}
