-- fsdd.lua: the Free Spoken Digit Dataset (Jackson et al. 2018): recordings/DIGIT_SPEAKER_INDEX.wav, 8 kHz mono 16 bit.
-- The official test set are the recordings 0 to 4 of each digit and speaker. The features have a window and a hop that
-- suit 8 kHz: those published for 44.1 kHz leave the longest recording 36 frames. Twenty of the 3,000 last longer than
-- a second; they are cut there, or all would be mostly silence (seconds=0 pads to the longest, 2.28 s).
local clips = require 'hz.data.clips'
local clip_files = require 'hz.codec.clip_files'
local dataset = require 'hz.data.dataset'
local features = require 'hz.data.features'
local file = require 'hz.base.file'

local FOLDER, TESTS = 'recordings', 5

local classes = {}
for digit = 0, 9 do classes[digit + 1] = tostring(digit) end

-- The recordings as { path, label, part }, in order of name.
local function list(where)
  local folder, found = file.join(where, FOLDER), {}
  for _, name in ipairs(file.exists(folder) == 'folder' and file.list(folder) or {}) do
    local digit, index = name:match '^(%d)_[%w]+_(%d+)%.wav$'
    if digit then
      found[#found + 1] = { path = file.join(folder, name), label = tonumber(digit),
        part = tonumber(index) < TESTS and 'test' or 'train' }
    end
  end
  if #found == 0 then
    dataset.fail('fsdd: %s: has no recordings DIGIT_SPEAKER_INDEX.wav; needs those of the set', folder)
  end
  table.sort(found, function(a, b) return a.path < b.path end)
  return found
end

local function sound_of(found, options)
  local paths = {}
  for i, f in ipairs(found) do paths[i] = f.path end
  local heads = clip_files.scan(paths)
  for i, h in ipairs(heads) do
    if h.reason then dataset.fail('fsdd: %s: %s', paths[i], h.reason) end
  end
  return clip_files.new('fsdd', paths, heads, options)
end

local function part(where, sounds, found, name)
  local numbers, labels = {}, {}
  for i, f in ipairs(found) do
    if f.part == name then numbers[#numbers + 1], labels[#labels + 1] = i, f.label end
  end
  if #numbers == 0 then dataset.fail('fsdd: %s: has no recordings that %s; needs all of the set', where, name) end
  return clips.set { name = 'fsdd', part = name, clips = sounds, numbers = numbers, labels = labels, classes = classes,
    source = where }
end

return {
  name = 'fsdd',
  about = '3,000 spoken digits of 6 speakers, 8 kHz mono; 2,700 to train, 300 to test',
  page = 'https://github.com/Jakobovski/free-spoken-digit-dataset',
  licence = 'CC BY-SA 4.0',
  folder = 'fsdd',
  classes = classes,
  counts = { train = 2700, test = 300 },
  options = features.options({ mels = 64, n_fft = 512, hop = 128, seconds = 1 }, clip_files.options),
  read = function(where, options, want)
    local found = list(where)
    local sounds = sound_of(found, options)
    return { train = want.train and part(where, sounds, found, 'train') or nil,
      test = want.test and part(where, sounds, found, 'test') or nil }
  end,
}
