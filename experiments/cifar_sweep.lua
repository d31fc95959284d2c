-- cifar_sweep.lua: what JPEG costs a classifier at each quality, in accuracy and in honest bits. The same network is trained from scratch
-- on the decoded images of each quality, and scored on decoded test images of the same quality.
--   hz experiments/cifar_sweep.lua quality=1,5,25,raw model=all-cnns seed=1..5 epochs=20 train=10000
--   hz experiments/cifar_sweep.lua quality=10,50 subsampling=420,444       any parameter of the codec is an axis
-- Stopped, by Ctrl-C or by force, the same command goes on where it was.
local hz = require 'hz'
local encodings = require 'hz.sweep.encodings'

-- What each preset sets; keys given on the command line win.
local presets = {
  -- two minutes on two cores with the embedded set
  quick = { protocol = 'strict', quality = { 2, 10, 30, 75, 'raw' }, model = { 'small' }, seed = { 1, 2 }, epochs = 8, train = 4000, test = 1000,
            optimizer = 'adam', rate = 0.002, schedule = 'cosine', batch = 32, shift = 1, flip = true },
  -- the default with real data: schedule fixed in advance, the rate decays to zero, the test set is scored once. Batch and rate were
  -- chosen by accuracy on validation images (data=cifar10 quality=raw train=5000 epochs=8 seed=1; batch=32 against 128, rate=0.001 against 0.002)
  strict = { protocol = 'strict', quality = { 1, 5, 10, 25, 75, 'raw' }, model = { 'all-cnns' }, seed = { 1, 2 }, epochs = 20, train = 10000, test = 10000,
             optimizer = 'adam', rate = 0.001, schedule = 'cosine', batch = 32, shift = 3, flip = true },
  -- as published (arXiv 1807.10569): the test set is the validation set, accuracy is the mean of the ten best epochs
  paper = { protocol = 'paper', quality = { 1, 5, 10, 15, 20, 25, 50, 75, 100, 'raw' },
            model = { 'all-cnns', 'cnns-dense-64', 'all-cnnsx2', 'cnns-x2-dense-128', 'cnns-dense-128', 'cnns-dense-128-256' }, seed = { 1 },
            epochs = 200, optimizer = 'sgd', rate = 0.01, schedule = 'time', batch = 128, shift = 3, flip = true },
}

local knob, given, values = hz.args({
  more = function(knob) return encodings.rows(knob.codec, knob.codec_test) end,     -- subsampling=420,444 and the like
  about = 'Trains a network on images of each JPEG quality, and tables accuracy over bits. The same command resumes what was stopped.',
  { 'preset',       nil,        'string', 'defaults of the keys below (default: strict, on the embedded set quick)', choices = { 'quick', 'strict', 'paper' } },
  { 'data',         nil,        'string', 'data set (default: cifar10 if it is found, else camera)', list = true },
  { 'path',         nil,        'string', 'where the files of data=folder are' },
  { 'codec',        { 'jpeg' }, 'string', 'codec of the training and test images', list = true },
  { 'quality',      nil,        'float',  'qualities of the codec; raw: untouched', list = true, also = { 'raw' } },
  { 'codec_test',   nil,        'string', 'codec of the test images alone (default: that of training)', list = true },
  { 'quality_test', nil,        'float',  'qualities of the test images alone (default: that of training)', list = true, also = { 'raw' } },
  { 'model',        nil,        'string', 'networks by name, or files NAME.lua that return a net', list = true },
  { 'weights',      nil,        'string', 'file of weights to begin with; with epochs=0 they are scored as they are' },
  { 'seed',         nil,        'int',    'of weights, order, augmentation and dropout', list = true, min = 0 },
  { 'epochs',       nil,        'int',    'passes over the training images', min = 0, max = 100000 },
  { 'train',        nil,        'int',    'images that train; validation images come from the rest', min = 1 },
  { 'test',         nil,        'int',    'test images that are scored', min = 1 },
  { 'protocol',     nil,        'string', 'what is watched and scored', choices = { 'strict', 'paper' } },
  { 'optimizer',    nil,        'string', 'sgd has Nesterov momentum 0.9', choices = { 'sgd', 'adam', 'adamw', 'adadelta' } },
  { 'rate',         nil,        'float',  'learning rate', min = 1e-9, max = 100 },
  { 'schedule',     nil,        'string', 'how the rate falls', choices = { 'constant', 'cosine', 'linear', 'time' } },
  { 'batch',        nil,        'int',    'images per step', min = 1, max = 65536 },
  { 'dtype',        { 'f32' },  'string', 'storage of activations and their gradients; parameters are f32', choices = { 'f32', 'bf16' }, list = true },
  { 'shift',        nil,        'int',    'augmentation: largest shift in pixels', min = 0, max = 16 },
  { 'flip',         nil,        'bool',   'augmentation: mirror half of the images' },
  { 'runs',         nil,        'string', 'folder of the results (default: HZ_RUNS, or runs)' },
  { 'svg',          nil,        'string', 'file for the plot of accuracy over bits' },
  { 'parallel',     'auto',     'int',    'cells at a time, each in a process of its own; auto: as many as finish soonest', min = 1, max = 256, also = { 'auto' } },
  { 'tune',         false,      'bool',   'choose kernels by trial, once for all cells; remembered for this machine' },
  { 'dry',          false,      'bool',   'say how many cells and how long, and stop' },
}, ...)

-- ---- data ----

local names = knob.data or { knob.path and 'folder' or hz.available 'cifar10' and 'cifar10' or 'camera' }
local function load_set(name)
  local options = { folder = { path = knob.path }, camera = { train = math.max(5000, math.ceil(1.25 * (knob.train or 0))) } }
  local train, test = hz.data(name, options[name])
  print(('data: %s, %d training and %d test images, from %s%s'):format(name, #train, #test, train.source,
    not knob.data and name == 'camera' and ' (cifar10 was not found; hz data fetch cifar10 gets it)' or ''))
  return { name = name, train = train, test = test }
end
local data = {}
for i, name in ipairs(names) do data[i] = load_set(name) end

-- ---- settings ----

local preset = knob.preset or (names[1] == 'camera' and 'quick' or 'strict')
for key, value in pairs(presets[preset]) do
  if not given[key] then knob[key] = value end
end
-- a preset's qualities are not for a codec without them whose parameters are given
if next(values) and not given.quality and not encodings.declares(knob.codec, 'quality') then knob.quality = nil end
for _, key in ipairs { 'train', 'test' } do             -- a preset asks for at most what there is; a key asks for exactly that
  for _, d in ipairs(data) do
    local most = key == 'train' and math.floor(#d.train * 0.8) or #d.test
    if not given[key] and knob[key] and knob.protocol == 'strict' then knob[key] = math.min(knob[key], most) end
  end
end
if given.optimizer and not given.rate then knob.rate = ({ sgd = 0.01, adadelta = 1 })[knob.optimizer] or 0.001 end

local function optimizer()
  local settings = { rate = knob.rate, schedule = knob.schedule }
  if knob.optimizer == 'sgd' then settings.momentum, settings.nesterov = 0.9, true end
  return hz.optimizer(knob.optimizer, settings)
end

-- ---- the sweep ----

local sweep = hz.sweep {
  name = 'cifar_sweep', request = { command = table.concat({ 'hz', arg[0], ... }, ' '), preset = preset }, runs = knob.runs, dry = knob.dry, parallel = knob.parallel,
  tune = knob.tune,
  data = data, codec = knob.codec, quality = knob.quality, codec_test = knob.codec_test, quality_test = knob.quality_test,
  values = values,
  model = knob.model, seed = knob.seed, weights = knob.weights,
  protocol = knob.protocol, train = knob.train, test = knob.test, epochs = knob.epochs, batch = knob.batch, dtype = knob.dtype,
  optimizer = optimizer, augment = { shift = knob.shift, flip = knob.flip },
}
if knob.dry then return end

print()
print(sweep)
print()
print(sweep:closing())
if knob.svg then sweep:plot(knob.svg) end
sweep:finish()
