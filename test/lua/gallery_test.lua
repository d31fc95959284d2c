-- The gallery: which items it shows, how it draws pictures and sounds, and that it is small and the same every time.
local t = ...
local codecs = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local encoding = require 'hz.codec.encoding'
local file = require 'hz.base.file'
local gallery = require 'hz.report.damage.gallery'
local kept = require 'hz.report.damage.kept'
local plugins = require 'hz.codec.plugins'
local sound = require 'hz.codec.sound'
local tensor = require 'hz.tensor.tensor'
local verdicts = require 'hz.report.verdicts'

if not (plugins.has 'png' and plugins.has 'jpeg') then return end

-- Pictures of noise, classes in turn.
local function pictures(n, height, width, channels)
  local labels = {}
  for i = 1, n do labels[i] = i % 2 end
  local items = tensor.zeros({ n, height, width, channels }, 'u8')
  local p = items:pointer()
  for i = 0, items:count() - 1 do p[i] = (i * i * 7 + i) % 251 end
  return dataset.new { name = 'noise', part = 'test', items = items, labels = tensor.from(labels, 'i32'),
    classes = { 'ant', 'bee' }, source = 'made' }
end

local function same(a, b) return a:count() == b:count() and a:eq(b):min() == 1 end

t.case('gallery: a picture is drawn as it is and as the codec leaves it; of a large one the middle', function()
  local set, codec = pictures(2, 24, 20, 3), codecs.jpeg { quality = 5 }
  local before, after = gallery.draw(set, codec, 1)
  t.ok(same(codecs.png {}:decode(before.png), set.items[1]))
  t.ok(same(codecs.png {}:decode(after.png), codec:decode((codec:encode(set.items[1])))))
  t.equal({ before.width, before.height, before.part, before.sound }, { 20, 24 })
  local large = gallery.draw(pictures(1, 100, 400, 1), codec, 1)
  t.equal({ large.width, large.height, large.part }, { 96, 96, 'the middle 96 px' })
  t.equal(gallery.draw({ items = tensor.zeros({ 1, 4, 4, 3 }) }, codec, 1), nil, 'floats are no picture')
end)

t.case('gallery: a sound is its spectrogram as it is heard, and plays; a long one is cut', function()
  if not plugins.has 'mp3' then t.skip 'MP3 is not here' end
  local _, short = dataset.data('strings', { train = 12, test = 12, rate = 11025, seconds = 0.5 })
  local before, after = gallery.draw(short, codecs.mp3 { bitrate = 8 }, 2)
  t.equal({ before.mime, before.part, #before.sound, #after.sound }, { 'audio/wav', nil, #before.sound, #before.sound })
  t.equal(sound.load { bytes = before.sound }.rate, 11025)
  t.equal(codecs.png {}:decode(before.png):size(), { before.height, before.width, 3 })
  t.ok(before.png ~= after.png)
  local _, long = dataset.data('strings', { train = 12, test = 12, rate = 22050, seconds = 3 })
  before = gallery.draw(long, codecs.mp3 { bitrate = 8 }, 1)
  t.equal({ before.mime, before.part }, { 'audio/mpeg', 'the first 2 s, as MP3 of 64 kbit/s' })
  t.ok(#before.sound < 20000 and before.width <= 256)
end)

-- A report of 30 items, 5 seeds of raw and of two qualities: 90 loses none, 5 loses items 1 to `lost` always.
local function report(lost)
  local set = pictures(30, 16, 16, 3)
  local r = { id = 'x', runs = t.folder(), rows = {}, groups = {}, outcomes = {} }
  file.mkdir(r.runs .. '/sweeps')
  local codec = {}
  local function jpeg(quality) return encoding.make('jpeg', { quality = quality }) end
  for at, e in ipairs { jpeg(5), jpeg(90), encoding.raw } do
    local g = { setting = 's', trained = e, tested = e, at = at, rows = {}, bits_per_sample = at, epochs = 1 }
    for seed = 1, 5 do
      local key = ('%032d'):format(10 * at + seed)
      local row = { seed = seed, curve = {}, record = { key = key, decides = { test = { digest = set.digest } } } }
      local right, class = {}, {}
      for i = 1, 30 do
        right[i] = at == 1 and i <= lost and 0 or 1
        class[i] = right[i] == 1 and set.labels[i] or 1 - set.labels[i]
      end
      r.outcomes[key] = { correct = tensor.from(right, 'u8'), class = tensor.from(class, 'i32') }
      g.rows[seed], r.rows[#r.rows + 1] = row, row
    end
    r.groups[at], codec[g] = g, e.codec
  end
  r.sets, r.codec = function() return { set } end, function(g) return codec[g] end
  return r, set
end

t.case('gallery: the first losses beyond the null are kept, with labels and answers, and shown without data', function()
  local r, set = report(6)
  gallery.keep(r)
  local path = kept.path(r.runs, 'x')
  local bytes = t.read(path)
  local later = { id = 'x', runs = r.runs, rows = r.rows, groups = r.groups, outcomes = r.outcomes }
  local list = gallery.of(later, verdicts.chains(later)[1])
  t.equal(#list, 4, 'at most four of an encoding')
  local one = list[1]
  t.equal({ one.item, one.called, one.entry, one.raw, one.here, one.seeds }, { 1, 'quality 5', 2, 5, 0, { 5, 5 } })
  t.equal({ one.label, one.said }, { set.classes[set.labels[1] + 1], set.classes[2 - set.labels[1]] })
  t.ok(same(codecs.png {}:decode(one.before.png), set.items[1]))
  t.equal(kept.test_set(later, set.digest).classes, { 'ant', 'bee' })
  file.remove(path)
  gallery.keep((report(6)))
  r.kept = nil
  gallery.keep(r)
  t.ok(t.read(path) == bytes, 'the same every time')
end)

t.case('gallery: where there is nothing to show it says why', function()
  local r = report(0)
  local chain = verdicts.chains(r)[1]
  t.match(gallery.of(r, chain).why, 'the command of the sweep draws it, and trains nothing anew')
  r.kept = nil
  gallery.keep(r)
  r.kept = nil
  t.match(gallery.of(r, chain).why, 'no item is lost beyond what seeds alone lose')
  for _, g in ipairs(r.groups) do g.rows = { g.rows[1] } end
  chain.items = nil
  t.match(gallery.of(r, chain).why, 'one seed')
end)
