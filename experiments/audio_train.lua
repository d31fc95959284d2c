-- audio_train.lua: trains one network on sounds: spoken digits where they are found, else the embedded set.
--   hz experiments/audio_train.lua data=fsdd model=cnn_x3_mlp_128 epochs=30
--   hz experiments/audio_train.lua data=folder path=DIR predict=clip.wav
local hz = require 'hz'
local row = hz.study.rows 'sounds'

-- The embedded set as it is heard, and the net that learns it, within minutes; keys that are given stand above.
local quick = { model = 'sound-small', epochs = 16, rate = 0.002 }
local keys, load = hz.study.data {
  items = 'sounds', real = { 'fsdd' }, embedded = { 'strings' },
  options = function(name, knob)
    if name == 'strings' and not knob.model then
      return { rate = 11025, seconds = 1, n_fft = 512, hop = 256, mels = 48 }
    end
  end,
}

local spec = {
  about = 'Trains one network and scores it on the test set. The same command resumes what was stopped.',
  { 'data',      nil,        'string', 'data set (default: fsdd if it is found, else strings)' },
  { 'model',     nil,        'string', 'network by name, or a file NAME.lua that returns a net (default: '
    .. 'cnn_x3_mlp_128; on strings sound-small, 16 epochs, sounds of one second at 11025 Hz)' },
  row('epochs', 30, { min = 1 }),
  { 'train',     nil,        'int',    'training sounds (default: all)', min = 1 },
  { 'test',      nil,        'int',    'test sounds (default: all)', min = 1 },
  row('batch', 32), row('dtype', 'f32'), row('exact', false), row('optimizer', 'adam'),
  row('rate', nil, { help = 'learning rate (default: adam and adamw 0.001, sgd 0.01, adadelta 1)' }),
  row('schedule', 'cosine'), row('smoothing', 0.005), row 'norm', row('seed', 1), row 'device',
  { 'out',       nil,        'string',
    'folder for log and parameters (default: a folder under runs/train named after the settings)' },
  { 'fresh',     false,      'bool',   'start anew even if the folder holds a training' },
  { 'classes',   false,      'bool',   'print the accuracy of each class at the end' },
  { 'predict',   nil,        'string', 'a file, or a folder of files: print their likeliest classes at the end; with '
    .. 'out= of a finished training nothing else is done' },
}
for _, key in ipairs(keys) do spec[#spec + 1] = key end
local knob, given = hz.args(spec, ...)

if knob.predict and knob.out and hz.file.exists(knob.out .. '/model.safetensors') then
  return hz.classify.say(knob.out, knob.predict)
end

-- ---- data ----

local name, train, test = load(knob, given)
for key, v in pairs(name == 'strings' and not knob.model and quick or { model = knob.model or 'cnn_x3_mlp_128' }) do
  if not given[key] then knob[key] = v end
end
train, test = hz.study.first(train, test, knob)
if not given.batch then knob.batch = math.min(knob.batch, #train) end

-- ---- net and settings ----

local shape = train:shape()                      -- mels, frames, channels
local net = hz.model(knob.model, { classes = #train.classes, input = shape, norm = knob.norm })
net:init { seed = knob.seed, input = shape }
local training = hz.study.training(knob)         -- epochs, batch, dtype, seed, smoothing, optimizer

-- ---- training ----

local run = hz.run {
  kind = 'train', out = knob.out, fresh = knob.fresh,
  settings = { data = name, digest = train.digest, test_digest = test.digest, hears = train.sounds:hears(),
    model = knob.model, norm = knob.norm, layers = tostring(net), epochs = knob.epochs, batch = knob.batch,
    dtype = knob.dtype, optimizer = training.optimizer:describe(), smoothing = knob.smoothing, seed = knob.seed,
    exact = knob.exact or nil },
}
print(('%s: %s parameters; %s'):format(hz.visible(net.who), net:count(), hz.visible(run.folder)))

training.net, training.train, training.test, training.watch = net, train, test, test
local result = run:train(training)

hz.study.outcome { run = run, result = result, train = train, test = test, items = 'sounds', knob = knob }
