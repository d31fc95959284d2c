-- cifar_sweep.lua: what JPEG costs a classifier at each quality, in accuracy and in honest bits. The same network is
-- trained from scratch on the decoded images of each quality, and scored on decoded test images of the same quality.
--   hz experiments/cifar_sweep.lua quality=1,5,25,raw model=all-cnns seed=1..5 epochs=20 train=10000
--   hz experiments/cifar_sweep.lua quality=10,50 subsampling=420,444       any parameter of the codec is an axis
-- Stopped, by Ctrl-C or by force, the same command goes on where it was.
local hz = require 'hz'

local study = hz.study {
  name = 'cifar_sweep',
  about = 'Trains a network on images of each JPEG quality, and tables accuracy over bits. '
    .. 'The same command resumes what was stopped.',
  items = 'images',
  real = { 'cifar10', preset = 'strict' },
  embedded = { 'camera', preset = 'quick', least = 5000 },
  knobs = { 'warmup', 'final', 'settle', 'shift', 'flip', 'fill', 'smoothing', 'views', 'width' },
  presets = {                      -- keys given on the command line win
    -- two minutes on two cores with the embedded set
    { 'quick', protocol = 'strict', quality = { 2, 10, 30, 75, 'raw' }, model = { 'small' }, seed = { 1, 2 },
      train = 4000, test = 1000, epochs = 8, batch = 32, optimizer = 'adam', rate = 0.002, schedule = 'cosine',
      shift = 1, flip = true },
    -- the default with real data: schedule fixed in advance, the rate decays to zero, the test set is scored once.
    -- Batch and rate were chosen by accuracy on validation images (data=cifar10 quality=raw train=5000 epochs=8
    -- seed=1; batch=32 against 128, rate=0.001 against 0.002)
    { 'strict', protocol = 'strict', controls = true, quality = { 1, 5, 10, 25, 75, 'raw' }, model = { 'all-cnns' },
      seed = { 1, 2 }, train = 10000, test = 10000, epochs = 20, batch = 32, optimizer = 'adam', rate = 0.001,
      schedule = 'cosine', shift = 3, flip = true },
    -- many trainings in an evening: a net and a recipe after airbench (arXiv 2404.00498), on all images but those that
    -- validate, by which the batch was chosen (quality=raw seed=1; batch=1000 against 500 and 2000)
    { 'fast', protocol = 'strict', quality = { 1, 5, 10, 25, 75, 'raw' }, model = { 'fast' }, seed = { 1, 2 },
      epochs = 8, batch = 1000, optimizer = 'muon', smoothing = 0.2, shift = 2, flip = 'alternating',
      fill = 'reflect', views = { 'mirror' }, dtype = { 'bf16' } },
    -- as published (arXiv 1807.10569): the test set is the validation set, accuracy is the mean of the ten best epochs
    { 'paper', protocol = 'paper', quality = { 1, 5, 10, 15, 20, 25, 50, 75, 100, 'raw' }, seed = { 1 },
      model = { 'all-cnns', 'cnns-dense-64', 'all-cnnsx2', 'cnns-x2-dense-128', 'cnns-dense-128',
        'cnns-dense-128-256' },
      epochs = 200, batch = 128, optimizer = 'sgd', rate = 0.01, schedule = 'time', shift = 3, flip = true },
  },
}

local settings = study:settings(...)     -- reads the keys, loads the data and says which
local sweep = hz.sweep(settings)         -- trains every cell that is not there yet
study:finish(sweep)                      -- table, plot, where it is stored
