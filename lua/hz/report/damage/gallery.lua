-- gallery.lua: the first items that an encoding loses beyond what seeds alone lose, to be looked at or listened to. The
-- sweep's own process, which has the data, draws them at its end and keeps them beside the manifest (kept.lua), so that
-- reports show them later without the data. At each encoding, from most bits to fewest, those with the strongest
-- evidence (items.lua) whose chance is at most 1 in 20: at most four of an encoding, twelve of a chain, and 120 KB of a
-- sweep. gallery.of(r, chain) -> list, in that order, of
--   item                   number in the test set, from 1; label: the name of its class
--   called                 the encoding that loses it: 'quality 10'; entry: its number in chain.entries
--   raw, here              seeds that are right on raw, and at the encoding, of those in seeds = { raw, here }
--   said                   the name of the class that most of the wrong seeds say here
--   before, after          as it is, and as the encoding leaves it: { png (bytes; of sounds the log-mel spectrogram
--                          that the model hears), width, height (px of it), part (text: what of the item this is; nil
--                          for all of it), and of sounds sound (bytes) and mime ('audio/wav', 'audio/mpeg') }
-- Where the list is empty, `why` is its text.
local c = require 'hz.c'
local codecs = require 'hz.codec.codec'
local colour = require 'hz.codec.palette'
local crypto = require 'hz.ext.crypto'
local isolate = require 'hz.codec.isolate'
local items = require 'hz.report.damage.items'
local kept = require 'hz.report.damage.kept'
local outcomes = require 'hz.report.outcomes'
local say = require 'hz.base.say'
local sound = require 'hz.codec.sound'
local tensor = require 'hz.tensor.tensor'
local verdicts = require 'hz.report.verdicts'

local M = {}

local EACH, ALL, BYTES = 4, 12, 120 * 1024     -- of an encoding, of a chain; of a sweep
local CHANCE = 0.05
local WIDE, LONG = 96, 256         -- px of a picture, of a spectrogram; of a larger one its middle is shown
local SHORT = 16 * 1024            -- bytes of a sound that is kept as it is
local LONGEST = 2                  -- s of others, which are kept as MP3
local PLAYED = 64                  -- kbit/s
local RANGE = 80                   -- dB below the loudest value of a spectrogram

-- ---- pictures ----

-- The middle of (height,width,channels), and how it is called; nil for the whole.
local function middle(t, most)
  local part
  for d = 1, 2 do
    local n = t:size(d)
    if n > most then
      local from = math.floor((n - most) / 2)
      t, part = t:slice(d, from + 1, from + most), ('the middle %d px'):format(most)
    end
  end
  return t:contiguous(), part
end

local function picture(t, most)
  local shown, part = middle(t, most)
  return { png = codecs.png {}:encode(shown), width = shown:size(2), height = shown:size(1), part = part }
end

-- Before and after of an image; nil for what is no picture.
local function draw_image(set, codec, i)
  local t = set.items[i]:contiguous()
  if t:type() ~= 'u8' or t.ndim ~= 3 or t:size(3) ~= 1 and t:size(3) ~= 3 then return nil end
  local one = t:reshape { 1, t:size(1), t:size(2), t:size(3) }
  local decoded = codec:recode(one, { isolate = isolate.wanted('auto', codec) })
  return picture(t, WIDE), picture(decoded[1], WIDE)
end

-- ---- sounds ----

local function loudest(t)
  local m = t:max()
  return m == m and m or 0
end

-- The features of a clip as the model hears them, low bands below; the first channel.
local function spectrogram(features, top)
  local t = features:contiguous()
  local high, wide, channels = t:size(1), t:size(2), t.ndim > 2 and t:size(3) or 1
  local out = tensor.empty({ high, wide, 3 }, 'u8')
  local p, q = t:pointer 'read', out:pointer()
  for y = 0, high - 1 do
    for x = 0, wide - 1 do
      local at = (y * wide + x) * 3
      q[at], q[at + 1], q[at + 2] = colour((p[((high - 1 - y) * wide + x) * channels] - top) / RANGE + 1)
    end
  end
  return picture(out, LONG)
end

-- Bytes that a browser plays, their kind, and what of the sound they are.
local function played(clip)
  if 2 * clip.frames * clip.channels <= SHORT then return clip:bytes('wav', 16), 'audio/wav' end
  local frames = math.min(clip.frames, LONGEST * clip.rate)
  local cut = sound.new(clip:mono().samples:slice(1, 1, frames):contiguous(), clip.rate)
  local part = ('%sas MP3 of %d kbit/s'):format(frames < clip.frames and ('the first %d s, '):format(LONGEST) or '',
    PLAYED)
  return codecs.mp3 { bitrate = PLAYED }:encode(cut), 'audio/mpeg', part
end

local function heard(set, samples, frames, top)
  local clips = set.sounds
  local features = clips:places(1)
  clips:hear(samples, features, 0)
  top = top or loudest(features)
  local side = spectrogram(features[1], top)
  local one = samples[1]:slice(1, 1, frames):contiguous()
  side.sound, side.mime, side.part = played(sound.new(one, clips.rate))
  return side, top
end

local function draw_sound(set, codec, i)
  local samples, frames = set.sounds:read { set.sounds:numbers(set.clips)[i] }
  local before, top = heard(set, samples, frames[1])
  local decoded = codec:recode(samples,
    { rate = set.rate, frames = frames, isolate = isolate.wanted('auto', codec) })
  return before, (heard(set, decoded, frames[1], top))
end

-- Item i of a set as it is, and as a codec leaves it; nil for what cannot be drawn.
function M.draw(set, codec, i) return (set.sounds and draw_sound or draw_image)(set, codec, i) end

-- ---- choosing and drawing ----

-- The class that most of the wrong seeds of a group say of an item; nil where nobody knows.
local function said(r, g, item)
  local votes, best = {}, nil
  for _, row in pairs(outcomes.by_seed(g)) do
    local o = outcomes.of(r, row)
    local class = o and o.class and o.correct[item] == 0 and o.class[item]
    if class then votes[class] = (votes[class] or 0) + 1 end
  end
  for class, n in pairs(votes) do
    if not best or n > votes[best] or n == votes[best] and class < best then best = class end
  end
  return best
end

local function describe(r, set, chain, found, e, one)
  local entry = chain.entries[e]
  local answer = said(r, entry.group, one.item)
  return { cell = entry.group.rows[1].record.key, item = one.item, label = set.classes[set.labels[one.item] + 1],
    called = verdicts.called(entry), raw = one.raw, here = one.here,
    seeds = { found.seeds, found.entries[e].seeds }, said = answer and set.classes[answer + 1] }
end

local function bytes_of(one)
  local n = 0
  for _, side in ipairs { one.before, one.after } do n = n + #side.png + #(side.sound or '') end
  return n
end

-- Adds what is to be shown of an entry; returns the bytes that are left.
local function add_entry(r, set, chain, found, e, shown, left)
  local some = 0
  for _, one in ipairs(found.entries[e] and found.entries[e].strongest or {}) do
    if one.chance > CHANCE or some == EACH or #shown.list == ALL then break end
    if not shown.seen[one.item] then
      local new = describe(r, set, chain, found, e, one)
      new.before, new.after = M.draw(set, r.codec(chain.entries[e].group), one.item)
      if not new.before or bytes_of(new) > left then break end
      shown.list[#shown.list + 1], shown.seen[one.item] = new, true
      left, some = left - bytes_of(new), some + 1
    end
  end
  return left
end

local function draw_chain(r, chain, left)
  local found, shown = items.of(r, chain), { list = {}, seen = {} }
  local sets = found and r.sets(chain.reference)
  for e, entry in ipairs(sets and chain.entries or {}) do
    if r.codec(entry.group) then left = add_entry(r, sets[#sets], chain, found, e, shown, left) end
  end
  return shown.list
end

-- ---- keeping ----

local function digest_of(r)
  local keys = {}
  for i, row in ipairs(r.rows) do keys[i] = row.record.key end
  return crypto.sha256(table.concat(keys, ' ')):sub(1, 32)
end

-- The test sets of a report, each once.
local function test_sets(r)
  local list, seen = {}, {}
  for _, g in ipairs(r.groups) do
    local sets, digest = r.sets(g), outcomes.test_digest(g.rows[1])
    if sets and digest and not seen[digest] then
      list[#list + 1], seen[digest] = { digest = digest, labels = sets[#sets].labels, classes = sets[#sets].classes },
        true
    end
  end
  return list
end

local function keep(r)
  local cells = digest_of(r)
  local before = kept.of(r)
  if before and before.cells == cells then return end
  local chains, shown = verdicts.chains(r), {}
  for _, chain in ipairs(chains) do
    for _, one in ipairs(draw_chain(r, chain, BYTES / #chains)) do shown[#shown + 1] = one end
  end
  kept.write(r.runs, r.id, { cells = cells, sets = test_sets(r), shown = shown })
end

-- Draws the gallery of a sweep in this process and keeps it, with the labels; done before, nothing is done. What
-- hinders that is said, and costs the sweep nothing.
function M.keep(r)
  if #r.rows == 0 then return end
  local ok, e = pcall(keep, r)
  if ok then return end
  if c.is_interrupt(e) then error(e, 0) end
  say(('%s; going on without a gallery'):format(tostring(e)))
end

-- ---- showing ----

local function entry_of(chain, key)
  for e, entry in ipairs(chain.entries) do
    for _, row in ipairs(entry.group.rows) do
      if row.record.key == key then return e end
    end
  end
end

local function why(r, chain)
  if not items.of(r, chain) then return 'no gallery: one seed does not show what seeds alone lose' end
  if not kept.of(r) then return 'no gallery yet: the command of the sweep draws it, and trains nothing anew' end
  return 'no gallery: no item is lost beyond what seeds alone lose'
end

-- The gallery of a chain (verdicts.lua), as the head of this file says.
function M.of(r, chain)
  local list = {}
  for _, one in ipairs((kept.of(r) or { shown = {} }).shown) do
    one.entry = entry_of(chain, one.cell)
    if one.entry then list[#list + 1] = one end
  end
  if #list == 0 then list.why = why(r, chain) end
  return list
end

return M
