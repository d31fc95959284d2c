-- idmt.lua: IDMT-SMT-Audio-Effects (Stein 2010; Zenodo 7544032): notes of guitar and bass through eleven effects and
-- none, about 2 s each, 44.1 kHz mono 16 bit, as PART/Samples/EFFECT/*.wav, with parts 'Gitarre monophon', 'Gitarre
-- monophon2', 'Bass monophon' and so on. The archive holds one archive for each part, so that users unpack it. path= is
-- the folder of all parts, one part, or its Samples. A fifth of each class is held out for the test, by content.
local clips = require 'hz.data.clips'
local clip_files = require 'hz.codec.clip_files'
local dataset = require 'hz.data.dataset'
local features = require 'hz.data.features'
local file = require 'hz.base.file'

local classes = { 'Chorus', 'Distortion', 'EQ', 'FeedbackDelay', 'Flanger', 'NoFX', 'Overdrive', 'Phaser', 'Reverb',
  'SlapbackDelay', 'Tremolo', 'Vibrato' }
local TEST_SHARE = 0.2

local function is_folder(path) return file.exists(path) == 'folder' end

-- Folders that hold those of the classes: Samples of the parts that are asked for.
local function sample_folders(path, parts)
  if is_folder(file.join(path, classes[1])) then return { path } end
  local own, list = file.join(path, 'Samples'), {}
  if is_folder(own) then return { own } end
  for _, name in ipairs(is_folder(path) and file.list(path) or {}) do
    local below = file.join(file.join(path, name), 'Samples')
    if is_folder(below) and name:lower():find(parts, 1, true) then list[#list + 1] = below end
  end
  if #list == 0 then
    dataset.fail("idmt: %s: has no folder PART/Samples/%s with '%s' in the name of the part; needs the unpacked set",
      path, classes[1], parts)
  end
  return list
end

-- All recordings: paths and labels, in order of name.
local function recordings(folders)
  local paths, labels = {}, {}
  for _, folder in ipairs(folders) do
    for label, class in ipairs(classes) do
      local own, n = file.join(folder, class), #paths
      for _, name in ipairs(is_folder(own) and file.list(own) or {}) do
        if name:lower():find '%.wav$' and name:sub(1, 1) ~= '.' then
          paths[#paths + 1], labels[#labels + 1] = file.join(own, name), label - 1
        end
      end
      if #paths == n then dataset.fail('idmt: %s: has no recordings; needs *.wav of the class', own) end
    end
  end
  return paths, labels
end

local function sounds_of(paths, options)
  local heads = clip_files.scan(paths)
  for i, h in ipairs(heads) do
    if h.reason then dataset.fail('idmt: %s: %s', paths[i], h.reason) end
  end
  local sounds = clip_files.new('idmt', paths, heads, options)
  local _, reason = next(sounds.bad)
  if reason then dataset.fail('%s', reason) end
  return sounds
end

return {
  name = 'idmt',
  about = '55,044 notes of guitar and bass through eleven effects and none, 44.1 kHz mono (path=DIR)',
  page = 'https://zenodo.org/records/7544032',
  md5 = '91e845a1b347352993ebd5ba948d5a7c',      -- of IDMT-SMT-AUDIO-EFFECTS.zip, as published there
  licence = 'CC BY-NC-ND 4.0',
  classes = classes,
  options = features.options(nil, {
    path = { about = 'the unpacked folder' },
    parts = { default = 'gitarre monophon', about = 'text in the names of the parts that are read; empty: all' },
    resample = clip_files.options.resample, mono = clip_files.options.mono,
  }),
  read = function(_, options, want)
    if not options.path then dataset.fail 'idmt: no path was given; needs path=DIR, the unpacked set' end
    local paths, labels = recordings(sample_folders(options.path, options.parts:lower()))
    local numbers = {}
    for i = 1, #paths do numbers[i] = i end
    local all = clips.set { name = 'idmt', part = 'all', clips = sounds_of(paths, options), numbers = numbers,
      labels = labels, classes = classes, source = options.path }
    local train, test = all:split_classes(TEST_SHARE, 'test')
    return { train = want.train and train:as 'train' or nil, test = want.test and test:as 'test' or nil }
  end,
}
