-- sweep.lua: hz sweep DIR: what JPEG costs a net on a folder of pictures, with no script and no key. What the keys
-- would say follows from the folder: one size for pictures of several or large ones, a net for that size, as many
-- epochs as show the net enough pictures. Each choice is said, and is a key. The same folder makes the same choices.
local args = require 'hz.base.args'
local dataset = require 'hz.data.dataset'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local report = require 'hz.report.sweep'
local sizes = require 'hz.codec.sizes'
local study = require 'hz.sweep.study'
local visible = require 'hz.base.visible'.line

local LARGEST = 128                -- pixels of a shorter side that are trained on as they are
local SHOWN = 60000                -- pictures that a training sees at least, within these epochs
local EPOCHS = { 10, 60 }
local TRAINS = 0.72                -- of a folder without parts: what is held out for test and validation is not

-- Keys that a folder may ask for: { key = text }, and the words without '='. A word that is a folder is one.
local function split(list)
  local given, words = {}, {}
  for _, text in ipairs(list) do
    local key, value = text:match '^([%w_]+)=(.*)$'
    if key and file.exists(text) ~= 'folder' then given[key] = value else words[#words + 1] = text end
  end
  return given, words
end

local function wants_help(list)
  for _, text in ipairs(list) do
    if text == '--help' or text == '-h' then return true end
  end
end

-- ---- what a folder asks for ----

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

local function trained(files)
  local n = 0
  for _, f in ipairs(files) do
    if f.part == nil then n = n + TRAINS elseif f.part == 'train' then n = n + 0.9 end
  end
  return math.max(1, n)
end

-- The preset of a folder, and lines about it. given: keys as texts.
local function preset_for(given)
  local files = dataset.describe 'folder'.scan { path = given.path }.files
  local preset = { 'folder', protocol = 'strict', quality = { 5, 10, 25, 50, 75, 'raw' }, model = { 'conv-by-size' },
    seed = { 1, 2 }, batch = 32, optimizer = 'adam', rate = 0.002, schedule = 'cosine', flip = true, orient = true }
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
  preset.epochs = math.min(EPOCHS[2], math.max(EPOCHS[1], math.ceil(SHOWN / trained(files))))
  lines[#lines + 1] = ('net: %s, %d epochs (model= and epochs= say otherwise)'):format(given.model or preset.model[1],
    tonumber(given.epochs) or preset.epochs)
  return preset, lines
end

-- ---- the verb ----

local function study_of(preset)
  return study {
    name = 'folder_sweep', who = 'sweep DIR', items = 'images',
    about = 'Trains a network on the pictures of DIR, one sub-folder per class, at each JPEG quality, and tables '
      .. 'accuracy over bits. No key is needed. The same command resumes what was stopped.',
    embedded = { 'folder', preset = 'folder' }, presets = { preset }, knobs = { 'shift', 'flip' },
  }
end

return function(list)
  if wants_help(list) then return study_of { 'folder' }:settings '--help' end
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
  local preset, lines = preset_for(given)
  local own = study_of(preset)
  for _, line in ipairs(lines) do print(visible(line)) end
  local settings = own:settings(unpack(keys))
  settings.foretell = true
  own:finish(report.run(settings))
end
