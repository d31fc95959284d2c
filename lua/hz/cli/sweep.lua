-- sweep.lua: hz sweep DIR: what JPEG costs a net on a folder of pictures, or MP3 on one of sounds, with no script and
-- no key. What the keys would say follows from the folder: one size for pictures of several or large ones, one rate and
-- features for sounds, a net for that, as many epochs as show the net enough of them. Each choice is said, and is a
-- key. The same folder makes the same choices.
local args = require 'hz.base.args'
local dataset = require 'hz.data.dataset'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local report = require 'hz.report.sweep'
local sizes = require 'hz.codec.sizes'
local study = require 'hz.sweep.study'
local visible = require 'hz.base.visible'.line

local LARGEST = 128                -- pixels of a shorter side that are trained on as they are
local LONGEST = 10                 -- seconds of a sound that are taken
local WINDOW = 0.065               -- seconds that a window of a spectrum spans at most
local SHOWN = 60000                -- items that a training sees at least, within these epochs
local EPOCHS = { 10, 60 }
local TRAINS = 0.72                -- of a folder without parts: what is held out for test and validation is not

-- Keys that a folder may ask for: { key = text }, and the words without '='. A word that is a folder is one.
local function split(list)
  local given, words = {}, {}
  for _, text in ipairs(list) do
    local key, value = text:match '^([%w_.]+)=(.*)$'
    if key and file.exists(text) ~= 'folder' then given[key] = value else words[#words + 1] = text end
  end
  return given, words
end

local function wants_help(list)
  for _, text in ipairs(list) do
    if text == '--help' or text == '-h' then return true end
  end
end

-- ---- what pictures ask for ----

-- The text of size= for files, nil to leave them; and why, in words.
local function size_for(files, orient)
  local counts = sizes.count(files, orient)
  local first = counts[1]
  if #counts > 1 then
    return tostring(sizes.suggested(counts)), ('of %d sizes, %s'):format(#counts, sizes.text(counts))
  end
  if math.min(first.width, first.height) > LARGEST then
    return tostring(sizes.suggested(counts)), ('of %dx%d'):format(first.width, first.height)
  end
end

-- A preset of what all folders share, and more.
local function begin(more)
  local preset = { 'folder', protocol = 'strict', seed = { 1, 2 }, batch = 32, optimizer = 'adam', rate = 0.002,
    schedule = 'cosine' }
  for k, v in pairs(more) do preset[k] = v end
  return preset
end

local asks = {}                    -- items -> function(files, given) -> preset, lines

function asks.images(files, given)
  local preset = begin { quality = { 5, 10, 25, 50, 75, 'raw' }, model = { 'conv-by-size' }, flip = true,
    orient = true }
  if #files == 0 then return preset, {} end              -- loading says what is wrong
  local orient, lines = args.truth[given.orient or 'true'] ~= false, {}
  local size, why = size_for(files, orient)
  if size and not given.size then
    preset.size = size
    lines[1] = ('size: pictures %s; taken as %sx%s, %s (size= and fit= say otherwise)'):format(why, size, size,
      given.fit or 'cut in the middle')
  end
  local w, h = (given.size or size or ''):match '^(%d+)[xX]?(%d*)$'
  local counts = sizes.count(files, orient)
  local side = w and math.min(tonumber(w), tonumber(h) or tonumber(w)) or math.min(counts[1].width, counts[1].height)
  preset.shift = math.min(16, math.floor(side / 16))
  return preset, lines
end

-- ---- what sounds ask for ----

-- The rate that most files have; the lower of two.
local function usual_rate(files)
  local n, best = {}, nil
  for _, f in ipairs(files) do n[f.head.rate] = (n[f.head.rate] or 0) + 1 end
  for rate, count in pairs(n) do
    if not best or count > n[best] or count == n[best] and rate < best then best = rate end
  end
  return best, n[best] < #files
end

-- Whether channels differ so, or are so many, that they have to be mixed.
local function needs_mono(files)
  local seen, kinds, most = {}, 0, 1
  for _, f in ipairs(files) do
    local n = f.head.channels
    if n > 1 and not seen[n] then seen[n], kinds = true, kinds + 1 end
    most = math.max(most, n)
  end
  return kinds > 1 or most > 2
end

-- Where sounds are cut, in seconds; nil where none is so long.
local function cut_at(files)
  local most = 0
  for _, f in ipairs(files) do most = math.max(most, f.head.frames / f.head.rate) end
  return most > LONGEST and LONGEST or nil, most
end

function asks.sounds(files, given)
  local preset, lines = begin { bitrate = { 8, 16, 32, 64, 'raw' }, model = { 'sound-small' }, smoothing = 0.005 }, {}
  if #files == 0 then return preset, lines end
  local rate, differ = usual_rate(files)
  if differ then
    preset.resample = rate
    lines[#lines + 1] = ('rate: sounds of several rates; resampled to %d Hz (resample= says otherwise)'):format(
      given.resample or rate)
  end
  if needs_mono(files) then
    preset.mono = true
    lines[#lines + 1] = 'channels: mixed to mono, since codecs take two and nets as many of each'
  end
  local cut, most = cut_at(files)
  if cut and not given.seconds then
    preset.seconds = cut
    lines[#lines + 1] = ('length: up to %.4g s; the first %d s of each are taken (seconds= says otherwise)'):format(
      most, cut)
  end
  local n_fft = 64
  while 2 * n_fft <= WINDOW * rate do n_fft = 2 * n_fft end
  preset.n_fft, preset.hop, preset.mels = n_fft, n_fft / 4, n_fft >= 1024 and 96 or 64
  lines[#lines + 1] = ('features: %d mel bands, n_fft %d, hop %d (mels=, n_fft= and hop= say otherwise)'):format(
    given.mels or preset.mels, given.n_fft or n_fft, given.hop or preset.hop)
  return preset, lines
end

-- ---- what both ask for ----

local function trained(files)
  local n = 0
  for _, f in ipairs(files) do
    if f.part == nil then n = n + TRAINS elseif f.part == 'train' then n = n + 0.9 end
  end
  return math.max(1, n)
end

-- The preset of a folder, lines about it, and what its items are. given: keys as texts.
local function preset_for(given)
  local found = dataset.describe 'folder'.scan { path = given.path }
  local files = found.files
  local preset, lines = asks[found.items](files, given)
  if #files > 0 then
    preset.epochs = math.min(EPOCHS[2], math.max(EPOCHS[1], math.ceil(SHOWN / trained(files))))
    lines[#lines + 1] = ('net: %s, %d epochs (model= and epochs= say otherwise)'):format(given.model or preset.model[1],
      tonumber(given.epochs) or preset.epochs)
  end
  return preset, lines, found.items
end

-- ---- the verb ----

local codecs = { images = 'jpeg', sounds = 'mp3' }
local knobs = { images = { 'shift', 'flip' }, sounds = { 'smoothing', 'norm' } }

local function study_of(preset, items)
  return study {
    name = 'folder_sweep', who = 'sweep DIR', items = items, codec = codecs[items],
    about = 'Trains a network on the pictures of DIR, one sub-folder per class, at each JPEG quality, or on its sounds '
      .. 'at each MP3 bitrate, and tables accuracy over bits. No key is needed. The same command resumes what was '
      .. 'stopped.',
    embedded = { 'folder', preset = 'folder' }, presets = { preset }, knobs = knobs[items],
  }
end

return function(list)
  if wants_help(list) then return study_of({ 'folder' }, 'images'):settings '--help' end
  local given, words = split(list)
  if #words > 1 or (#words == 1) == (given.path ~= nil) then
    exit.usage('sweep: %s; needs one folder: hz sweep DIR [key=value ...] (hz sweep --help)',
      #words > 1 and ("'%s' and '%s' were given"):format(words[1], words[2])
      or words[1] and 'a folder and path= were given' or 'no folder was given')
  end
  local keys = { 'path=' .. (words[1] or given.path) }
  for _, text in ipairs(list) do
    if text ~= words[1] and not text:find '^path=' then keys[#keys + 1] = text end
  end
  given.path = words[1] or given.path
  local preset, lines, items = preset_for(given)
  local own = study_of(preset, items)
  for _, line in ipairs(lines) do print(visible(line)) end
  local settings = own:settings(unpack(keys))
  settings.foretell = true
  own:finish(report.run(settings))
end
