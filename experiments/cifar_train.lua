-- cifar_train.lua: trains one network on CIFAR-10, or on the embedded camera set where CIFAR-10 is not found.
--   hz experiments/cifar_train.lua model=all-cnns epochs=3
--   hz experiments/cifar_train.lua model=all-cnns epochs=3 predict=photo.jpg
local hz = require 'hz'
local row = hz.study.rows 'images'

local knob, given = hz.args({
  about = 'Trains one network and scores it on the test set. The same command resumes what was stopped.',
  { 'data',      nil,        'string', 'data set: cifar10, camera (default: cifar10 if it is found, else camera)',
    choices = { 'cifar10', 'camera' } },
  { 'model',     nil,        'string',
    'network by name, or a file NAME.lua that returns a net (default: all-cnns, or small on camera)' },
  row('epochs', 10, { min = 1 }),
  { 'train',     nil,        'int',    'training images (default: all)', min = 1 },
  { 'test',      nil,        'int',    'test images (default: all)', min = 1 },
  row('batch', 64), row('dtype', 'f32'), row('exact', false), row('optimizer', 'adam'),
  row('rate', nil, { help = 'learning rate (default: adam and adamw 0.001, sgd 0.01, adadelta 1)' }),
  row('schedule', 'cosine'), row('shift', 3), row('flip', true), row 'fill', row 'smoothing', row 'views',
  row 'width', row('seed', 1), row 'device',
  { 'out',       nil,        'string',
    'folder for log and parameters (default: a folder under runs/train named after the settings)' },
  { 'fresh',     false,      'bool',   'start anew even if the folder holds a training' },
  { 'classes',   false,      'bool',   'print the accuracy of each class at the end' },
  { 'predict',   nil,        'string', 'a file, or a folder of files: print their likeliest classes at the end; with '
    .. 'out= of a finished training nothing else is done' },
}, ...)

if knob.predict and knob.out and hz.file.exists(knob.out .. '/model.safetensors') then
  return hz.classify.say(knob.out, knob.predict)
end

-- ---- data ----

local name = knob.data or hz.study.found('cifar10', 'camera')
local train, test = hz.data(name, name == 'camera' and { train = knob.train, test = knob.test } or {})
train, test = hz.study.first(train, test, knob)
if not given.batch then knob.batch = math.min(knob.batch, #train) end

-- ---- net and settings ----

local model = knob.model or (name == 'camera' and 'small' or 'all-cnns')
local input = { train.items:size(2), train.items:size(3), train.items:size(4) }
local net = hz.model(model, { classes = #train.classes, input = input, width = knob.width })
net:init { seed = knob.seed, input = input }
local training = hz.study.training(knob)         -- epochs, batch, dtype, seed, smoothing, views, optimizer, augment

-- ---- training ----

local run = hz.run {
  kind = 'train', out = knob.out, fresh = knob.fresh,
  settings = { data = name, digest = train.digest, test_digest = test.digest, model = model, layers = tostring(net),
    epochs = knob.epochs, batch = knob.batch, dtype = knob.dtype, optimizer = training.optimizer:describe(),
    shift = knob.shift, flip = knob.flip, fill = knob.fill, smoothing = knob.smoothing, views = knob.views,
    seed = knob.seed, exact = knob.exact or nil },
}
print(('%s: %d training and %d test images (%s)'):format(name, #train, #test,
  hz.visible(train.source)))
print(('%s: %s parameters; %s'):format(hz.visible(net.who), net:count(), hz.visible(run.folder)))

training.net, training.train, training.test, training.watch = net, train, test, test
local result = run:train(training)

hz.study.outcome { run = run, result = result, train = train, test = test, items = 'images', knob = knob }
