-- cifar_speedrun.lua: to 94 % on CIFAR-10 within minutes, by the recipe of airbench (arXiv 2404.00498). Everything it
-- uses is a layer or a setting of any training: of lua/hz/net/models recipes.lua has the recipe, nets.lua the net.
--   hz experiments/cifar_speedrun.lua seed=1..3
--   hz experiments/cifar_speedrun.lua model=fast epochs=4 target=0.9
-- Each seed is a folder under runs/; the same command resumes what was stopped.
local hz = require 'hz'
local row = hz.study.rows 'images'

local knob, given = hz.args({
  about = 'Trains a net on CIFAR-10 to a target, once per seed. The same command resumes what was stopped.',
  { 'target',    0.94,       'float',  'mean test accuracy that is to be reached; status 1 where it is not', min = 0,
    max = 1 },
  { 'data',      nil,        'string', 'data set: cifar10, camera (default: cifar10 if it is found, else camera)',
    choices = { 'cifar10', 'camera' } },
  { 'model',     'airbench', 'string', 'airbench, fast, or a file of a net with their parts: recipes.lua says which' },
  { 'width',     1,          'float',  'of the net: its channels times this', min = 0.05, max = 16 },
  row('epochs', 9, { min = 1 }),           -- eight, as published, end too near to 94 %
  row('seed', { 1, 2, 3 }, { list = true }),
  row('dtype', 'bf16'), row 'device',
  { 'optimizer', 'muon',     'string', "the recipe's: of its Muon version, or of its first",
    choices = hz.recipes.optimizers },
  row('batch', nil, { help = 'images per step (default: 2000, of sgd 1024)' }),
  row('rate', nil, { help = 'of the convolutions (default: 0.24 of muon, 11.5 of sgd, in their units)' }),
  { 'tta',       true,       'bool',   'test images are scored by six views each: mirrored, and shifted by a pixel' },
  { 'train',     nil,        'int',    'training images (default: all)', min = 1 },
  { 'test',      nil,        'int',    'test images (default: all)', min = 1 },
  { 'fresh',     false,      'bool',   'start anew what is there' },
}, ...)

-- ---- data ----

local name = knob.data or hz.study.found('cifar10', 'camera')
local train, test = hz.data(name, name == 'camera' and { train = knob.train, test = knob.test } or {})
train, test = hz.study.first(train, test, knob)
local input = { train.items:size(2), train.items:size(3), train.items:size(4) }
print(('%s: %d training and %d test images (%s)'):format(name, #train, #test, hz.visible(train.source)))

-- ---- once per seed ----

local function minutes(seconds)
  return seconds < 60 and ('%.2f s'):format(seconds)
    or ('%d:%02d'):format(math.floor(seconds / 60), math.floor(seconds % 60))
end

local function train_once(seed)
  local recipe = hz.recipes.airbench { optimizer = knob.optimizer, epochs = knob.epochs, rate = knob.rate,
    batch = knob.batch or math.min(#train, hz.recipes.batch[knob.optimizer]),
    views = knob.tta and 'mirror,shift' or nil }
  local net = hz.model(knob.model, { classes = #train.classes, input = input,
    width = given.width and knob.width or nil })
  net:init { seed = seed, input = input }
  recipe.dtype, recipe.seed, recipe.device = knob.dtype, seed, knob.device
  local run = hz.run { kind = 'speedrun', fresh = knob.fresh,
    settings = { data = name, digest = train.digest, test_digest = test.digest, model = knob.model,
      layers = tostring(net), epochs = recipe.epochs, batch = recipe.batch, dtype = knob.dtype, seed = seed,
      optimizer = recipe.optimizer:describe(), average = recipe.average, smoothing = recipe.smoothing,
      augment = recipe.augment, views = recipe.views } }
  print(('seed %d: %s, %d parameters; %s'):format(seed, hz.visible(net.who), net:count(), hz.visible(run.folder)))
  recipe.net, recipe.train, recipe.watch, recipe.test = net, train, test, test
  local result = run:train(recipe)
  print(('seed %d: test accuracy %.2f %%, %s of training, %.0f images/s%s'):format(seed, 100 * result.test.accuracy,
    minutes(result.seconds), #train * recipe.epochs / result.seconds,
    result.prepared and ('; plans were made in %.2f s'):format(result.prepared) or ''))
  return result.test.accuracy, result.seconds
end

local sum, seconds = 0, 0
for _, seed in ipairs(knob.seed) do
  local accuracy, spent = train_once(seed)
  sum, seconds = sum + accuracy, seconds + spent
end

local n = #knob.seed
print(('mean of %d seed%s: %.2f %%, %s of training each'):format(n, n == 1 and '' or 's', 100 * sum / n,
  minutes(seconds / n)))
if sum / n < knob.target then hz.fail('target=%g was not reached', knob.target) end
