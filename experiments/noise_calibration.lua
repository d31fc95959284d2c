-- noise_calibration.lua: do saved bits measure noise? The embedded camera sees the same scenes with noise of known
-- entropy and without, with irrelevant texture and without, the class in coarse or in fine detail. In each such cell
-- the same network is trained on JPEGs of each quality; the knee is where the verdicts put it. Saved bits, and what
-- they are above those of the scenes without noise, are held against the truth by a rule that was fixed in advance.
--   hz experiments/noise_calibration.lua                     a reduced grid, minutes on two cores
--   hz experiments/noise_calibration.lua preset=full         the whole grid: says how many hours, then runs
-- Stopped, by Ctrl-C or by force, the same command goes on where it was.
local hz = require 'hz'

local presets = {                  -- keys given on the command line win
  quick = { noise = { 0, 2, 8 }, texture = { 'none', 'high' }, detail = { 'coarse' }, quality = { 50, 80, 90, 96 },
    seed = { 1, 2, 3 }, train = 2000, test = 2000, epochs = 8, margin = 0.03 },
  full = { noise = { 0, 0.5, 1, 2, 4, 8 }, texture = { 'none', 'high' }, detail = { 'coarse', 'fine' },
    quality = { 30, 50, 65, 75, 85, 90, 94, 97, 99 }, seed = { 1, 2, 3, 4, 5 }, train = 4000, test = 4000, epochs = 12,
    margin = 0.01 },
}
local HIGH = 1                     -- strength of irrelevant texture
local TRAINS = 0.8                 -- share of a set that trains; the rest validates
local LOW = 3                      -- low bits that are random or zero
local WIDTH = { weaker = 0.125, grid = 0.5, stronger = 1 }       -- of the net `fast`
local row = hz.study.rows 'images'

local knob, given = hz.args({
  about = 'Holds saved bits against the true noise of the embedded camera. The same command resumes what was stopped.',
  { 'preset',   'quick', 'string', 'quick: a reduced grid; full: the whole', choices = { 'quick', 'full' } },
  { 'noise',    nil,     'float',  'grey values (standard deviation at mid grey)', list = true, min = 0, max = 10 },
  { 'texture',  nil,     'string', 'irrelevant fine texture', list = true, choices = { 'none', 'high' } },
  { 'detail',   nil,     'string', 'what the class is in', list = true, choices = { 'coarse', 'fine' } },
  { 'quality',  nil,     'float',  'qualities of the JPEGs', list = true, min = 1, max = 100 },
  row('seed', nil, { list = true }),
  { 'train',    nil,     'int',    'images that train', min = 10 },
  { 'test',     nil,     'int',    'test images', min = 10 },
  row('epochs', nil, { min = 2 }), row('batch', 200), row('dtype', 'bf16'),
  row 'device',
  { 'controls', true,    'bool',   'low bits, shuffled labels, a weaker and a stronger classifier' },
  { 'margin',   nil,     'float',  'a loss of accuracy that does no harm', min = 0.0001, max = 0.5 },
  { 'alpha',    0.05,    'float',  'of the verdicts, one-sided', min = 0.0001, max = 0.4 },
  { 'parallel', 'auto',  'int',    'cells at a time; auto: as many as finish soonest', min = 1, max = 256,
    also = { 'auto' } },
  { 'runs',     nil,     'string', 'folder of the results (default: HZ_RUNS, or runs)' },
  { 'svg',      nil,     'string', 'file for the picture of the ledger: a stacked bar per cell' },
  { 'dry',      false,   'bool',   'say how many cells and how long, and stop' },
}, ...)
for key, value in pairs(presets[knob.preset]) do
  if not given[key] then knob[key] = value end
end

-- Rising, each once, and none at all among them, which increments are above.
local function noises(list)
  local all, out = { 0, unpack(list) }, {}
  table.sort(all)
  for _, v in ipairs(all) do
    if v ~= out[#out] then out[#out + 1] = v end
  end
  return out
end
knob.noise = noises(knob.noise)

-- ---- conditions ----

local conditions = {}              -- by the name of the data

-- A camera set as data of a sweep.
local function camera(noise, texture, detail, shuffled)
  local options = { noise = noise, unit = 'grey', texture = texture == 'high' and HIGH or 0, detail = detail }
  local name = ('noise %g, texture %s, %s%s'):format(noise, texture, detail, shuffled and ', shuffled labels' or '')
  conditions[name] = { noise = noise, texture = texture, detail = detail, options = options }
  local all = { paired = true, shuffled = shuffled, train = math.ceil(knob.train / TRAINS), test = knob.test }
  for k, v in pairs(options) do all[k] = v end
  local train, test = hz.data('camera', all)
  return { name = name, train = train, test = test }
end

-- The sets with random and with zeroed low bits.
local function with_low_bits(name, train, test)
  local list = {}
  for i, fill in ipairs { 'zero', 'random' } do
    local own = ('%s, %d low bits %s'):format(name, LOW, fill)
    conditions[own] = { name = fill, noise = fill == 'random' and LOW or 0, texture = 'none', detail = name }
    list[i] = { name = own, train = hz.low_bits(train, LOW, fill), test = hz.low_bits(test, LOW, fill) }
  end
  return list
end

-- ---- sweeps ----

-- One of some data, with the grid's settings but those in `more`; dry: it is only foretold.
local function sweep(name, data, dry, more)
  local o = { name = 'noise_calibration-' .. name, data = data, runs = knob.runs, quality = { unpack(knob.quality) },
    model = { 'fast' }, width = WIDTH.grid, seed = knob.seed, dtype = { knob.dtype }, protocol = 'strict',
    train = knob.train, test = knob.test, epochs = knob.epochs, batch = math.min(knob.batch, knob.train),
    optimizer = function()
      return hz.study.optimizer { optimizer = 'muon', epochs = knob.epochs, batch = knob.batch }
    end,
    smoothing = 0.2, augment = { shift = 2, flip = 'alternating', fill = 'reflect' }, parallel = knob.parallel,
    device = knob.device,
    margin = knob.margin, alpha = knob.alpha, dry = dry }
  table.insert(o.quality, 'raw')
  for k, v in pairs(more or {}) do o[k] = v end
  return hz.sweep(o)
end

-- One for each texture and detail, so that only its sets are in memory.
local function grid(dry)
  local list = {}
  for _, detail in ipairs(knob.detail) do
    for _, texture in ipairs(knob.texture) do
      local data = {}
      for i, noise in ipairs(knob.noise) do data[i] = camera(noise, texture, detail) end
      list[#list + 1] = sweep(('%s-%s'):format(texture, detail), data, dry)
    end
  end
  return list
end

local function classifiers(both, dry)
  local list = {}
  for i, name in ipairs { 'weaker', 'stronger' } do
    list[i] = { name = name, sweep = sweep(name, both, dry, { width = WIDTH[name] }) }
  end
  return list
end

-- Of the camera without noise, and in the full preset of real photographs, where they are.
local function low_bits(clean, dry)
  local list = { { name = 'camera', sweep = sweep('low_bits', with_low_bits('camera', clean.train, clean.test), dry) } }
  if knob.preset == 'full' and hz.available 'cifar10' then
    local train, test = hz.data 'cifar10'
    train = train:subset(1, math.min(#train, math.ceil(knob.train / TRAINS)))
    test = test:subset(1, math.min(#test, knob.test))
    list[2] = { name = 'cifar10', sweep = sweep('cifar10', with_low_bits('cifar10', train, test), dry) }
  end
  return list
end

-- All sweeps, as hz.calibrate takes them.
local function run(dry)
  local o = { grid = grid(dry), conditions = conditions }
  if not knob.controls then return o end
  local detail = knob.detail[1]
  local both = { camera(0, 'none', detail), camera(knob.noise[#knob.noise], 'none', detail) }
  o.low_bits, o.classifiers = low_bits(both[1], dry), classifiers(both, dry)
  o.shuffled = sweep('shuffled', { camera(0, 'none', detail, true) }, dry,
    { quality = { knob.quality[1], 'raw' }, seed = { knob.seed[1], knob.seed[2] } })
  return o
end

-- ---- the whole ----

local function each(o, f)
  for _, one in ipairs(o.grid) do f(one) end
  for _, kind in ipairs { 'low_bits', 'classifiers' } do
    for _, one in ipairs(o[kind] or {}) do f(one.sweep) end
  end
  if o.shuffled then f(o.shuffled) end
end

local function foretell()
  local seconds = 0
  each(run(true), function(one) seconds = seconds + (one.predicted or 0) end)
  print(('all of it: about %.1f hours to go'):format(seconds / 3600))
end

if knob.dry or knob.preset == 'full' then foretell() end
if knob.dry then return end
local o = run(false)
local calibration = hz.calibrate(o)
print()
print(calibration)
if knob.svg then hz.file.write(knob.svg, calibration.svg) end
each(o, function(one) one:finish() end)          -- status 3 if a cell failed
