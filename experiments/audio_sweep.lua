-- audio_sweep.lua: what MP3 costs a classifier of sounds at each bitrate, in accuracy and in honest bits. The same
-- network is trained from scratch on the decoded sounds of each bitrate, and scored on decoded test sounds of the same
-- bitrate.
--   hz experiments/audio_sweep.lua data=fsdd bitrate=8,16,32,raw model=cnn_x3_mlp_128 seed=1..3
--   hz experiments/audio_sweep.lua codec=opus bitrate=6,12,24,raw         any parameter of the codec is an axis
-- Stopped, by Ctrl-C or by force, the same command goes on where it was.
local hz = require 'hz'

local study = hz.study {
  name = 'audio_sweep',
  about = 'Trains a network on sounds of each MP3 bitrate, and tables accuracy over bits. '
    .. 'The same command resumes what was stopped.',
  items = 'sounds', codec = 'mp3',
  real = { 'fsdd', preset = 'strict' },
  embedded = { 'strings', preset = 'quick' },
  options = function(name, knob)   -- the embedded set as it is heard within minutes: one second, 48 mels by 44 frames
    if name == 'strings' and knob.preset == 'quick' then
      return { rate = 11025, seconds = 1, n_fft = 512, hop = 256, mels = 48 }
    end
  end,
  knobs = { 'warmup', 'final', 'settle', 'smoothing', 'norm' },
  presets = {                      -- keys given on the command line win
    { 'quick', protocol = 'strict', bitrate = { 8, 16, 32, 'raw' }, model = { 'sound-small' }, seed = { 1 },
      epochs = 16, batch = 32, optimizer = 'adam', rate = 0.002, schedule = 'cosine', smoothing = 0.005 },
    -- the default with real data: schedule fixed in advance, the rate decays to zero, the test set is scored once
    { 'strict', protocol = 'strict', controls = true, bitrate = { 8, 16, 32, 64, 'raw' }, model = { 'cnn_x3_mlp_128' },
      seed = { 1, 2 }, epochs = 30, batch = 32, optimizer = 'adam', rate = 0.001, schedule = 'cosine',
      smoothing = 0.005 },
    -- as published (arXiv 1807.10569): the test set is the validation set, accuracy is the mean of the ten best epochs
    { 'paper', protocol = 'paper', bitrate = { 8, 16, 32, 64, 96, 128, 'raw' }, seed = { 1 },
      model = { 'cnn_x3_mlp_0', 'cnn_x4_mlp_128', 'cnn_x3_mlp_64_128', 'cnn_x3_mlp_128', 'cnn_x3_mlp_128x2',
        'cnn_x2_mlp_128' },
      epochs = 200, batch = 50, optimizer = 'adadelta', rate = 1, schedule = 'constant', smoothing = 0.005 },
  },
}

local settings = study:settings(...)     -- reads the keys, loads the data and says which
local sweep = hz.sweep(settings)         -- trains every cell that is not there yet
study:finish(sweep)                      -- table, plot, where it is stored
