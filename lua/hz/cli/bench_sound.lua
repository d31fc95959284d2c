-- bench_sound.lua: hz bench sound: milliseconds per clip of what is done to sounds: log-mel spectrograms, reading of
-- files in memory, resampling to half the rate; at several lengths, with which time grows.
local c = require 'hz.c'
local json = require 'hz.base.json'
local sound = require 'hz.codec.sound'
local tensor = require 'hz.tensor.tensor'
local C = c.C

-- Noise: what is in a clip takes no more or less time.
local function clip_of(o, seconds)
  local frames = math.max(1, math.floor(seconds * o.rate))
  return sound.new(tensor.rand({ frames, o.channels }, -0.5, 0.5, { seed = 1, stream = 1 }), o.rate)
end

-- The same clip so often that all threads have work, as hz.sound.features takes it.
local function many(x, o)
  local list = {}
  for i = 1, o.clips do list[i] = x end
  return list
end

-- Of so many rounds, after one that warms up, the median and the best, in ms per clip.
local function time(o, what, a, item, work, options)
  local times, list = {}, many(item, o)
  for i = 0, o.rounds do
    local before = C.hz_seconds()
    work(list, options)
    times[i] = (C.hz_seconds() - before) / #list * 1e3
  end
  table.sort(times)                                      -- from index 1 on
  local ms = times[math.ceil(#times / 2)]
  return { what = what, seconds = a.seconds, rate = a.rate, channels = a.channels, ms = ms, best_ms = times[1],
           times_realtime = a.seconds / ms * 1e3 }
end

local function options_of(o, rate, frames, mel)
  return { rate = rate, frames = frames, channels = o.channels, threads = o.threads, resample = rate ~= o.rate,
           mel = mel }
end

local function measure(o)
  local rows, mel = {}, { n_fft = o.n_fft, hop = o.hop, mels = o.mels }
  for _, seconds in ipairs(o.seconds) do
    local a = clip_of(o, seconds)
    local function add(what, item, work, options) rows[#rows + 1] = time(o, what, a, item, work, options) end
    local same, half = options_of(o, o.rate, a.frames), math.ceil(o.rate / 2)
    add('log-mel', a, sound.features, options_of(o, o.rate, a.frames, mel))
    add('read wav', { bytes = a:bytes('wav', 16) }, sound.samples, same)
    add('read flac', { bytes = a:bytes('flac', 16) }, sound.samples, same)
    add('resample', a, sound.samples, options_of(o, half, a.frames))
  end
  return rows
end

local head = '%-10s %8s %8s %9s %10s %10s %12s'

local function run(o)
  local rows = measure(o)
  if o.json then
    print(json.encode(rows, { pretty = true }))
    return 0
  end
  print(('n_fft %d, hop %d, %d mels, %d clips, %d threads, %s; median and best of %d rounds'):format(o.n_fft, o.hop,
    o.mels, o.clips, o.threads > 0 and o.threads or C.hz_cpu_threads(), c.ffi.string(C.hz_cpu_isa()), o.rounds))
  print(head:format('what', 'seconds', 'Hz', 'channels', 'ms/clip', 'best', 'x real time'))
  for _, r in ipairs(rows) do
    print(head:format(r.what, ('%g'):format(r.seconds), r.rate, r.channels, ('%.3f'):format(r.ms),
      ('%.3f'):format(r.best_ms), ('%.0f'):format(r.times_realtime)))
  end
  return 0
end

-- A row of hz bench (base/command.lua).
return { 'sound', run, 'log-mel spectrograms and reading of sounds, ms per clip', {
  { 'seconds', { 2, 4, 8 }, 'float', 'lengths of clips, separated by commas', list = true, min = 0.001, max = 3600,
    form = 'seconds=S' },
  { 'rate', 44100, 'int', 'Hz', min = 1, max = 1e6, form = 'rate=N' },
  { 'channels', 1, 'int', 'channels', min = 1, max = 256, form = 'channels=N' },
  { 'n_fft', 2048, 'int', 'samples of a window', min = 2, max = 65536, form = 'n_fft=N' },
  { 'hop', 512, 'int', 'samples from one frame to the next', min = 1, max = 1e6, form = 'hop=N' },
  { 'mels', 96, 'int', 'bands', min = 1, max = 4096, form = 'mels=N' },
  { 'clips', 50, 'int', 'clips of a round', min = 1, max = 1e5, form = 'clips=N' },
  { 'rounds', 9, 'int', 'rounds', min = 1, max = 1e5, form = 'rounds=N' },
  { 'threads', 1, 'int', 'threads; 0: all that this process may use', min = 0, max = 256, form = 'threads=N' },
  { 'json', false, 'bool', 'an array for programs' },
} }
