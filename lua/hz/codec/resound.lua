-- resound.lua: sets of sounds as a codec leaves them: sounds come, are encoded, decoded, measured and heard in
-- portions, and what remains of each are its features and its account. Nothing of the sounds themselves is kept.
local c = require 'hz.c'
local measure = require 'hz.codec.measure'
local media = require 'hz.codec.media'
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'
local C = c.C

local M = {}

-- What is known of each item beside bytes and measures.
M.columns = { 'samples', 'seconds' }

-- Sounds of one rate and form, as a codec and a net take them.
function M.check(parts)
  local first = parts[1].sounds
  for _, set in ipairs(parts) do
    local own = set.sounds
    if not own or own.made ~= first.made or own.channels ~= first.channels then
      c.fail('recode: %s holds %s; needs sounds as those of %s: %s', set.name, own and own.made or 'no sounds',
        parts[1].name, first.made)
    end
  end
end

-- Per item of a portion, a function(i) of its value from 0, by column. frames: of each.
local function facts(clips, frames)
  return {
    samples = function(i) return frames[i + 1] * clips.channels end,
    seconds = function(i) return frames[i + 1] / clips.rate end,
  }
end

-- Columns of a portion that nothing encodes, each a tensor of f64: every sample is stored, nothing else.
local function untouched(clips, samples, frames)
  local set = media.set(media.kinds.audio, 'raw', samples, { rate = clips.rate, frames = frames })
  local stored = {}
  for i, n in ipairs(frames) do stored[i] = n * clips.channels * clips.bits / 8 end
  return function(name)
    if name == 'payload' then return tensor.from(stored, 'f64') end
    local each = (name == 'tables' or name == 'container') and 0 or measure.of_equal(name, 'audio')
    return each and tensor.full({ #frames }, each, 'f64') or measure.take(name, set, samples)
  end
end

local function put(column, at, n, value)
  local p = column:pointer()
  for i = 0, n - 1 do p[at + i] = value(i) end
end

-- One portion: its features into the entry's items, its account into the columns, both from place `at` on.
local function take(entry, clips, codec, how, samples, frames, at)
  local decoded, column = samples, nil
  if codec then
    local account
    decoded, account = codec:recode(samples,
      { rate = clips.rate, frames = frames, tables = how.seen, isolate = how.apart })
    column = function(name) return account[name](account) end
    entry.tables_once = account.tables_once
  else
    column = untouched(clips, samples, frames)
  end
  clips:hear(decoded, entry.tensors.items, at)
  local own = facts(clips, frames)
  for name, t in pairs(entry.tensors) do
    if own[name] then
      put(t, at, #frames, own[name])
    elseif name ~= 'items' then
      t:slice(1, at + 1, at + #frames):copy(column(name))
    end
  end
  if codec then decoded:free() end
end

-- The entry of several sets (recode.lua): items, their features, and columns by name. codec: nil leaves them as they
-- are. apart: a process of its own recodes.
function M.make(parts, codec, columns, apart)
  local n, at = 0, 0
  for _, set in ipairs(parts) do n = n + #set.labels end
  local entry = { tables_once = 0, tensors = { items = parts[1].sounds:places(n) } }
  for _, name in ipairs(columns) do entry.tensors[name] = tensor.empty({ n }, 'f64') end
  local how = { seen = codec and c.own(C.hz_tables_new, C.hz_tables_free), apart = apart }
  local what = codec and ('%s{%s}'):format(codec.name, codec.text) or 'listening to sounds'
  for _, set in ipairs(parts) do
    local clips, base = set.sounds, at
    clips:portions(clips:numbers(set.clips), what, function(samples, frames, from)
      take(entry, clips, codec, how, samples, frames, base + from)
    end)
    at = at + #set.labels
  end
  return entry
end

return names.guard('resound', M)
