-- clip_files.lua: files of sound as the clips of a set (clips.lua): told by their contents, read by all threads, made
-- alike: one rate, one number of channels. Other rates are resampled only where `resample` asks for it; mono among
-- several channels is repeated; several become one only where `mono` is asked for.
local c = require 'hz.c'
local clips = require 'hz.data.clips'
local names = require 'hz.base.names'
local plugins = require 'hz.codec.plugins'
local progress = require 'hz.base.progress'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

local EACH = 64                    -- files of a portion for each thread

-- Options of sets of files, beside those of features.
M.options = {
  resample = { default = 0, min = 0, max = 1000000, whole = true,
    about = 'the rate in Hz that sounds are resampled to; 0: as they are, all alike' },
  mono = { default = false, about = 'several channels become one, their mean' },
}

-- ---- what is there ----

local function core_clips(paths, from, to)
  local list = ffi.new('hz_clip[?]', to - from + 1)
  for i = from, to do list[i - from].path = paths[i] end
  return list
end

-- Heads of files: { rate, channels, frames (0: nobody knows before it is decoded), kind }, or { reason }, by number.
function M.scan(paths)
  local out, shown, step = {}, progress.new(), EACH * C.hz_cpu_threads()
  plugins.load()
  for from = 1, #paths, step do
    local to = math.min(#paths, from + step - 1)
    local list = core_clips(paths, from, to)
    shown:show(('looking at sounds: %d of %d'):format(from - 1, #paths))
    c.check(C.hz_clips_scan(list, to - from + 1, 0))
    for i = from, to do
      local clip = list[i - from]
      out[i] = clip.status ~= 0 and { reason = ffi.string(clip.message) } or { kind = ffi.string(clip.kind),
        rate = clip.sound.rate, channels = clip.sound.channels, frames = tonumber(clip.sound.frames) }
    end
  end
  shown:clear()
  return out
end

-- ---- made alike ----

local function check_rates(who, heads, paths)
  for i, h in ipairs(heads) do
    if h.rate ~= heads[1].rate then
      c.fail('%s: %s has %g Hz, %s has %g; needs all of one rate, or resample=%g', who, paths[1], heads[1].rate,
        paths[i], h.rate, math.min(h.rate, heads[1].rate))
    end
  end
end

local function most_channels(heads)
  local most = 1
  for _, h in ipairs(heads) do most = math.max(most, h.channels) end
  return most
end

-- The one form { rate, channels, resample, mix } that files are to have, and what is done for it in words, or nil.
local function agree(who, heads, paths, o, channels)
  local form, done = { rate = o.resample > 0 and o.resample or heads[1].rate, mix = o.mono }, {}
  if o.resample == 0 then check_rates(who, heads, paths) end
  form.channels = channels or o.mono and 1 or most_channels(heads)
  for _, h in ipairs(heads) do
    form.resample = form.resample or h.rate ~= form.rate
    form.mixed = form.mixed or h.channels > form.channels
  end
  for i, h in ipairs(heads) do
    if h.channels ~= form.channels and h.channels ~= 1 and not o.mono then
      c.fail('%s: %s has %d channels, others %d; needs all alike, or mono=true', who, paths[i], h.channels,
        form.channels)
    end
  end
  if form.resample then
    local by = C.hz_sound_resampler_name()
    if by == nil then c.fail('%s: resample: %s', who, c.message()) end
    done[1] = 'resampled by ' .. ffi.string(by)
  end
  if form.mixed then done[#done + 1] = 'mixed to mono' end
  return form, #done > 0 and table.concat(done, ', ') or nil
end

-- Frames of each file in that form; `most`: where it is cut.
local function lengths(heads, form, most)
  local list, longest = {}, 0
  for i, h in ipairs(heads) do
    local frames = h.rate == form.rate and h.frames or tonumber(C.hz_sound_resampled(h.frames, h.rate, form.rate))
    list[i] = most and math.min(most, frames) or frames
    longest = math.max(longest, list[i])
  end
  return list, longest
end

-- ---- reading ----

-- Files of these numbers, and why some cannot be read, by place in the list, or nil.
local function read(who, files, numbers)
  local paths = {}
  for i, number in ipairs(numbers) do paths[i] = files.paths[number] end
  local list = core_clips(paths, 1, #paths)
  local longest = 0
  for _, number in ipairs(numbers) do longest = math.max(longest, files.own[number]) end
  local form = ffi.new('hz_clip_form', { rate = files.form.rate, frames = longest, channels = files.form.channels,
    resample = files.form.resample and 1 or 0, mix = files.form.mix and 1 or 0 })
  local out = tensor.empty({ #paths, longest, files.form.channels }, 'f32')
  c.check(C.hz_clips_read(list, #paths, form, out:pointer(), 0))
  local bad
  for i = 1, #paths do
    local clip = list[i - 1]
    if clip.status ~= 0 then
      bad = bad or {}
      bad[i] = ('%s: %s: %s'):format(who, paths[i], ffi.string(clip.message))
      out[i]:fill(0)
    end
  end
  return out, bad
end

-- The same, cut or padded to the items' length.
local function fitted(who, files, numbers)
  local read_in, bad = read(who, files, numbers)
  if read_in:size(2) == files.length then return read_in, bad end
  local out = tensor.zeros({ #numbers, files.length, files.form.channels }, 'f32')
  local n = math.min(files.length, read_in:size(2))
  out:slice(2, 1, n):copy(read_in:slice(2, 1, n))
  return out, bad
end

-- The clips of these files. o: options of M.options and features; heads: of M.scan, all good; channels: that there
-- are to be, nil: as many as there are.
function M.new(who, paths, heads, o, channels)
  local form, done = agree(who, heads, paths, o, channels)
  local most = o.seconds > 0 and math.max(1, math.floor(o.seconds * form.rate + 0.5)) or nil
  local frames, longest = lengths(heads, form, most)
  local files = { paths = paths, form = form, own = lengths(heads, form), length = most or longest }
  return clips.new({ n = #paths, rate = form.rate, channels = form.channels, frames = frames, length = files.length,
    take = function(numbers) return fitted(who, files, numbers) end }, o, done)
end

return names.guard('clip_files', M)
