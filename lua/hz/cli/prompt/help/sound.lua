-- Help on sounds: files, other rates, spectrograms. A sound holds samples, f32 (frames,channels), and its rate.
return {
  subject = 'sound',
  { 'sound', 'hz.sound',
    'sounds: load, new, mel, features, samples, scan; a sound has samples (frames,channels), rate, channels, frames, '
    .. 'seconds',
    "print(hz.sound.new(hz.randn({8000}) * 0.1, 8000))" },
  { 'sound.load', "hz.sound.load 'x.wav', hz.sound.load{bytes=text}",
    'the sound in a file: WAV, AIFF, AU, FLAC, Ogg Vorbis, Opus, MP3', nil },
  { 'sound.new', 'hz.sound.new(samples, rate)', 'a sound of a tensor (frames) or (frames,channels), about -1 to 1',
    "print(hz.sound.new(hz.zeros{44100, 2}, 44100))" },
  { 'sound.is', 'hz.sound.is(x)', 'whether x is a sound', 'print(hz.sound.is(1))' },
  { 'sound.mel', 'hz.sound.mel(a, {n_fft=2048, hop=512, mels=96, fmin=0, fmax=, power=2, top_db=80, edge=})',
    "the log-mel spectrogram in dB, (mels,frames,channels); top_db=false keeps all; edge='silence' as librosa from "
    .. "0.10 on, else 'reflect'",
    "print(hz.sound.mel(hz.sound.new(hz.randn({8000}), 8000), {n_fft=512, hop=128, mels=64}):size())" },
  { 'sound.features', 'hz.sound.features(list, {rate=, frames=, channels=1, resample=, mix=, codec=, mel={}, threads=, '
    .. "broken='skip'})",
    'the log-mel spectrograms of many paths, sounds or { bytes = file } as one tensor, on all cores; then rows of what '
    .. 'they were, and of what could not be used',
    "print(hz.sound.features({ hz.sound.new(hz.randn({900}), 8000) }, { rate = 8000, frames = 1000 }):size())" },
  { 'sound.samples', 'hz.sound.samples(list, {rate=, frames=, ...})',
    'the samples of many sounds as one tensor (sounds,frames,channels), silence behind shorter ones; else as features',
    "print(hz.sound.samples({ hz.sound.new(hz.randn({900}), 8000) }, { rate = 8000, frames = 1000 }):size())" },
  { 'sound.scan', 'hz.sound.scan(list)',
    'rate, channels and frames of many files without decoding them, and what is wrong with others',
    "print(hz.sound.scan{ hz.sound.new(hz.randn({900}), 8000) }[1].frames)" },
  { 'sound:resample', 'sound:resample(8000)', 'the same sound at another rate, by libsoxr at its best quality', nil },
  { 'sound:mono', 'sound:mono()', 'the mean of all channels', 'print(hz.sound.new(hz.zeros{100, 2}, 8000):mono())' },
  { 'sound:save', "sound:save('y.flac', {bits=16})",
    'writes WAV, AIFF or FLAC; bits 16, 24, 32 (float); without, as few as hold the samples exactly', nil },
  { 'sound:bytes', "sound:bytes('wav', 16)", 'what stands in the file that save would write: wav, aiff, flac', nil },
  { 'sound:peak', 'sound:peak()', 'the largest absolute sample', "print(hz.sound.new(hz.zeros{10}, 8000):peak())" },
  { 'sound:rms', 'sound:rms()', 'the root of the mean square', "print(hz.sound.new(hz.ones{10}, 8000):rms())" },
  { 'sound:mel', 'sound:mel{n_fft=, hop=, ...}', 'as hz.sound.mel(a, {...})',
    "print(hz.sound.new(hz.ones{800}, 8000):mel():size())" },
}
