-- sound.lua: hz.sound: sounds of files, at other rates, in files; log-mel spectrograms of one sound and of many. Files
-- are read by what is in them, whatever their names say; nothing is resampled or mixed unless asked for.
local c = require 'hz.c'
local clip = require 'hz.codec.clip'
local file = require 'hz.base.file'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.line
local ffi, C = c.ffi, c.C

local M = { new = clip.new, is = clip.is }
local methods = clip.methods

-- ---- one sound as the core takes it ----

local function media_of(a, samples)
  return { kind = C.HZ_AUDIO, frames = a.frames, channels = a.channels, rate = a.rate,
           data = samples:pointer 'read' }
end

-- Calls use(hz_media); the samples live as long.
local function with_media(a, use)
  local samples = a.samples:contiguous()
  local media = ffi.new('hz_media', media_of(a, samples))
  local out = use(media, samples)
  return out, samples
end

-- ---- files ----

local function taken(shape, data)
  local frames, channels = tonumber(shape.frames), shape.channels
  local t = tensor.empty { frames, channels }
  ffi.copy(t:pointer(), data, frames * channels * 4)
  C.hz_sound_release(data)
  return t
end

-- The sound in a file, given by its path or as { bytes = all that stands in it }, as it is there.
function M.load(from)
  local bytes = type(from) == 'table' and need.text('sound.load', 'bytes', from.bytes)
  local path = not bytes and need.path('sound.load', from) or nil
  plugins.load()
  local one, shape, data = ffi.new 'hz_clip', ffi.new 'hz_media', ffi.new 'float *[1]'
  one.path = path
  if bytes then one.stream, one.bytes = ffi.cast('const uint8_t *', bytes), #bytes end
  if C.hz_clip_read(one, ffi.new 'hz_clip_form', shape, data) ~= 0 then
    c.poll()
    c.fail('sound.load: %s: %s', path and visible(path) or 'bytes', c.message())
  end
  local a = clip.new(taken(shape, data[0]), shape.rate)
  a.path, a.kind = path, ffi.string(one.kind)
  return a
end

local kinds = { wav = 'wav', wave = 'wav', aif = 'aiff', aiff = 'aiff', flac = 'flac' }

-- The bytes of a file of this kind, and as many bits as given (nil: as few as hold the samples exactly).
function methods:bytes(kind, bits)
  need.text('sound', 'the kind', kind)
  plugins.load()
  bits = bits == nil and 0 or need.whole('sound', 'bits', bits, 16, 32)
  local data, bytes = ffi.new 'uint8_t *[1]', ffi.new 'int64_t[1]'
  with_media(self, function(media) c.check(C.hz_sound_write(media, kind, bits, data, bytes), 'sound: ') end)
  local content = ffi.string(data[0], bytes[0])
  C.hz_sound_release(data[0])
  return content
end

-- Writes a file of the kind that its ending says; options: bits = 16, 24 or 32 (float); left out, as few as hold the
-- samples exactly (24 in FLAC). Returns the path.
function methods:save(path, options)
  local o = names.options('save', options, 'bits')
  local ending = need.path('save', path):match '%.(%w+)$'
  local kind = kinds[(ending or ''):lower()]
  if not kind then
    c.fail('save: %s ends in %s; have wav, aiff, flac (codecs make others: hz.codec.NAME{}:encode)', visible(path),
      ending and '.' .. visible(ending) or 'nothing')
  end
  file.write(path, self:bytes(kind, o.bits))
  return path
end

-- ---- other rates, fewer channels ----

-- The same sound at another rate, by libsoxr's best.
function methods:resample(rate)
  need.whole('resample', 'the rate', rate, 1, C.HZ_MOST_RATE)
  plugins.load()
  local frames = tonumber(C.hz_sound_resampled(self.frames, self.rate, rate))
  need.whole('resample', 'the number of frames', frames, 1, 2 ^ 30)
  local t = tensor.empty { frames, self.channels }
  with_media(self, function(media) c.check(C.hz_sound_resample(media, rate, t:pointer()), 'resample: ') end)
  return clip.new(t, rate)
end

-- The mean of all channels.
function methods:mono()
  if self.channels == 1 then return self end
  return clip.new(self.samples:mean(2):reshape { self.frames, 1 }, self.rate)
end

-- ---- log-mel spectrograms ----

local edges = { reflect = C.HZ_EDGE_REFLECT, silence = C.HZ_EDGE_SILENCE }
local mel_names = 'n_fft hop mels fmin fmax power top_db edge'

-- Options of hz.sound.mel as an hz_mel_form.
local function mel_form(who, options)
  local o, form = names.options(who, options, mel_names), ffi.new 'hz_mel_form'
  C.hz_mel_standard(form)
  for _, key in ipairs { 'n_fft', 'hop', 'mels' } do
    if o[key] ~= nil then form[key] = need.count(who, key, o[key], 1) end
  end
  for _, key in ipairs { 'fmin', 'fmax', 'power' } do
    if o[key] ~= nil then form[key] = need.finite(who, key, o[key]) end
  end
  if o.fmax == 0 then need.fail(who, 'fmax', 0, 'more than fmin') end
  if o.top_db ~= nil then form.top_db = o.top_db == false and math.huge or need.number(who, 'top_db', o.top_db) end
  if o.edge ~= nil then
    form.edge = edges[o.edge] or need.fail(who, 'edge', o.edge, "'reflect' or 'silence'")
  end
  return form
end

-- A tensor (mels,frames,channels) in decibels; options: n_fft, hop, mels, fmin, fmax, power, top_db (false: all), edge
-- ('reflect', or 'silence' as librosa has it since 0.10).
function M.mel(a, options)
  clip.want('sound.mel', a)
  local form = mel_form('sound.mel', options)
  local m = c.own(C.hz_mel_new, C.hz_mel_free, form, a.rate)
  local out = tensor.empty { form.mels, tonumber(C.hz_mel_frames(form, a.frames)), a.channels }
  with_media(a, function(media, samples)
    c.check(C.hz_mel_run(m, samples:pointer 'read', a.frames, a.channels, out:pointer(), nil))
  end)
  return out
end

methods.mel = M.mel

-- ---- many ----

-- Sounds as the core takes them, with what they point to: paths, sounds, { bytes = what is in a file or what a codec
-- made }, with frames and rate of the original where the codec is to give back as many.
local function clips_of(who, list)
  need.table(who, 'the list', list)
  if #list == 0 then c.fail('%s: the list is empty; needs at least one sound', who) end
  local own = { n = #list, clips = ffi.new('hz_clip[?]', #list) }
  for i, x in ipairs(list) do
    local one = own.clips[i - 1]
    if type(x) == 'string' then
      one.path = x
    elseif clip.is(x) then
      own[i] = x.samples:contiguous()
      one.sound = media_of(x, own[i])
    elseif type(x) == 'table' and type(x.bytes) == 'string' then
      one.stream, one.bytes = ffi.cast('const uint8_t *', x.bytes), #x.bytes
      if x.frames ~= nil then
        one.sound.kind, one.sound.frames = C.HZ_AUDIO, need.whole(who, 'frames', x.frames, 1, 2 ^ 30)
        one.sound.rate = need.whole(who, 'rate', x.rate, 1, C.HZ_MOST_RATE)
      end
    else
      c.fail('%s: number %d of the list is %s; needs a path, a sound, or { bytes = text }', who, i, need.shown(x))
    end
  end
  return own
end

local function name_of(x, i) return type(x) == 'string' and visible(x) or 'number ' .. i end

local function stopped(status)
  if status ~= 0 then c.poll() end                     -- an interrupt is no mistake
  c.check(status)
end

-- What became of each: rows { path, kind, rate, channels, frames } of those that are good, and { path, reason }.
local function sorted(list, own)
  local good, bad = {}, {}
  for i, x in ipairs(list) do
    local one = own.clips[i - 1]
    if one.status ~= 0 then
      bad[#bad + 1] = { path = name_of(x, i), reason = ffi.string(one.message), at = i }
    else
      good[#good + 1] = { path = type(x) == 'string' and x or nil, kind = ffi.string(one.kind), rate = one.sound.rate,
                          channels = one.sound.channels, frames = tonumber(one.sound.frames), at = i,
                          digest = ffi.string(one.digest, 16) }
    end
  end
  return good, bad
end

local function refuse(who, bad, n)
  local lines = {}
  for i, b in ipairs(bad) do lines[i] = ('\n  %s: %s'):format(b.path, b.reason) end
  c.fail("%s: %d of %d cannot be used; needs sounds only, or broken='skip'%s", who, #bad, n, table.concat(lines))
end

-- What is in the files of a list, as far as that can be told without decoding. Returns rows of the good ones and of the
-- others, as features does.
function M.scan(list, options)
  local o = names.options('sound.scan', options, 'threads')
  plugins.load()
  local own = clips_of('sound.scan', list)
  stopped(C.hz_clips_scan(own.clips, own.n, need.count('sound.scan', 'threads', o.threads or 0, 0)))
  return sorted(list, own)
end

local shared = 'rate channels frames resample mix codec threads broken'

local function form_of(who, o)
  return ffi.new('hz_clip_form', { rate = need.whole(who, 'rate', o.rate, 1, C.HZ_MOST_RATE),
    frames = need.whole(who, 'frames', o.frames, 1, 2 ^ 30), resample = o.resample and 1 or 0, mix = o.mix and 1 or 0,
    channels = need.whole(who, 'channels', o.channels or 1, 1, C.HZ_MOST_CHANNELS), codec = o.codec })
end

-- Items of a list in a tensor of which each takes `shape`; make(clips, n, out, threads) fills it.
local function collect(who, list, o, shape, make)
  if o.broken ~= nil and o.broken ~= 'skip' and o.broken ~= 'stop' then
    need.fail(who, 'broken', o.broken, "'skip' or 'stop'")
  end
  plugins.load()
  local own = clips_of(who, list)
  local out = tensor.empty { own.n, unpack(shape) }
  stopped(make(own.clips, own.n, out:pointer(), need.whole(who, 'threads', o.threads or 0, 0, 256)))
  local good, bad = sorted(list, own)
  if #good == 0 or #bad > 0 and o.broken ~= 'skip' then refuse(who, bad, own.n) end
  for k, row in ipairs(good) do
    if row.at ~= k then out[k]:copy(out[row.at]) end
  end
  return out:slice(1, 1, #good), good, bad
end

-- The log-mel spectrograms of a list as a tensor (sounds,mels,frames,channels). options: rate, channels, frames (those
-- of the longest sound), resample, mix (true: what differs is made so), codec (name of what decodes streams), mel (a
-- table as of hz.sound.mel), threads, broken ('skip': sounds that cannot be used are left out). Returns the tensor, a
-- row { path, kind, rate, channels, frames, at, digest } of each sound in it, and { path, reason, at } of the others.
function M.features(list, options)
  local who = 'sound.features'
  local o = names.options(who, options, shared .. ' mel')
  local form, mel = form_of(who, o), mel_form(who, o.mel)
  local shape = { mel.mels, tonumber(C.hz_mel_frames(mel, form.frames)), form.channels }
  return collect(who, list, o, shape, function(clips, n, out, threads)
    return c.into(C.hz_clips_mel, clips, n, form, mel, out, threads)
  end)
end

-- The samples of a list as a tensor (sounds,frames,channels), silence behind shorter ones; options and what is returned
-- as features has them, but for mel.
function M.samples(list, options)
  local who = 'sound.samples'
  local o = names.options(who, options, shared)
  local form = form_of(who, o)
  return collect(who, list, o, { tonumber(form.frames), form.channels }, function(clips, n, out, threads)
    return c.into(C.hz_clips_read, clips, n, form, out, threads)
  end)
end

names.receivers('sound', methods, clip.is)

return names.guard('sound', M)
