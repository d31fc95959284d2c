-- cifar_train.lua: trains one network on CIFAR-10, or on the embedded camera set where CIFAR-10 is not found.
--   hz experiments/cifar_train.lua model=all-cnns epochs=3
local hz = require 'hz'

local knob, given = hz.args({
  about = 'Trains one network and scores it on the test set. The same command resumes what was stopped.',
  { 'data',      nil,        'string', 'data set: cifar10, camera (default: cifar10 if it is found, else camera)', choices = { 'cifar10', 'camera' } },
  { 'model',     nil,        'string', 'network by name, or a file NAME.lua that returns a net (default: all-cnns, or small on camera)' },
  { 'epochs',    10,         'int',    'passes over the training images', min = 1, max = 100000 },
  { 'train',     nil,        'int',    'training images (default: all)', min = 1 },
  { 'test',      nil,        'int',    'test images (default: all)', min = 1 },
  { 'batch',     64,         'int',    'images per step', min = 1, max = 65536 },
  { 'dtype',     'f32',      'string', 'storage of activations and their gradients; parameters are f32', choices = { 'f32', 'bf16' } },
  { 'optimizer', 'adam',     'string', 'sgd has Nesterov momentum 0.9', choices = { 'sgd', 'adam', 'adamw', 'adadelta' } },
  { 'rate',      nil,        'float',  'learning rate (default: adam and adamw 0.001, sgd 0.01, adadelta 1)', min = 1e-9, max = 100 },
  { 'schedule',  'cosine',   'string', 'how the rate falls', choices = { 'constant', 'cosine', 'linear', 'time' } },
  { 'shift',     3,          'int',    'augmentation: largest shift in pixels', min = 0, max = 16 },
  { 'flip',      true,       'bool',   'augmentation: mirror half of the images' },
  { 'seed',      1,          'int',    'of weights, order, augmentation and dropout', min = 0 },
  { 'out',       nil,        'string', 'folder for log and parameters (default: a folder under runs/train named after the settings)' },
  { 'fresh',     false,      'bool',   'start anew even if the folder holds a training' },
  { 'classes',   false,      'bool',   'print the accuracy of each class at the end' },
}, ...)

-- ---- data ----

local name = knob.data or (hz.available 'cifar10' and 'cifar10' or 'camera')
local function load(split, n)
  local set = hz.data(name, name == 'camera' and { split = split, [split] = n } or { split = split })
  if n and n > #set then hz.fail('%s=%d was given; %s has %d images', split, n, name, #set) end
  return n and set:subset(1, n) or set
end
local train, test = load('train', knob.train), load('test', knob.test)

-- ---- net and optimiser ----

local model = knob.model or (name == 'camera' and 'small' or 'all-cnns')
local net = hz.model(model, { classes = #train.classes, input = { train.items:size(2), train.items:size(3), train.items:size(4) } })
net:init { seed = knob.seed, input = { train.items:size(2), train.items:size(3), train.items:size(4) } }

local settings = { schedule = knob.schedule, rate = knob.rate }
if knob.optimizer == 'sgd' then settings.momentum, settings.nesterov = 0.9, true end
local optimizer = hz.optimizer(knob.optimizer, settings)

-- ---- training ----

local run = hz.run {
  kind = 'train', out = knob.out, fresh = knob.fresh,
  settings = { data = name, digest = train.digest, test_digest = test.digest, model = model, layers = tostring(net), epochs = knob.epochs, batch = knob.batch,
    dtype = knob.dtype, optimizer = optimizer:describe(), shift = knob.shift, flip = knob.flip, seed = knob.seed, tune = knob.tune or nil },
}
print(('%s: %d training and %d test images (%s)'):format(name, #train, #test, train.source))
print(('%s: %s parameters; %s'):format(net.who, net:count(), run.folder))

local result = run:train {
  net = net, train = train, test = test, watch = test, epochs = knob.epochs, batch = knob.batch, optimizer = optimizer, seed = knob.seed, dtype = knob.dtype,
  augment = { shift = knob.shift, flip = knob.flip },
}

-- ---- what came out ----

print(('test accuracy %.2f %% after %d epochs, loss %.4f, %.0f s, %.0f images/s'):format(
  100 * result.test.accuracy, knob.epochs, result.test.loss, result.seconds, #train * knob.epochs / result.seconds))
if knob.classes then
  for _, row in ipairs(hz.per_class(result.test, test)) do print(('  %-12s %6.2f %%  of %d'):format(row.class, 100 * row.accuracy, row.n)) end
end
print('log and parameters: ' .. run.folder)
