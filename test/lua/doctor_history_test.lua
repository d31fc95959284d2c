-- What pixels say of their past (lua/hz/data/history.lua, comb.lua): pictures made of JPEGs, and others.
local t = ...
local blas = require 'hz.ext.blas'
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local health = require 'hz.data.doctor'
local history = require 'hz.data.history'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'

local function case(name, f)
  t.case(name, function()
    if not blas.present() then t.skip 'OpenBLAS is not here' end
    for _, plugin in ipairs { 'png', 'jpeg' } do
      if not plugins.has(plugin) then t.skip('the %s plugin is not built', plugin) end
    end
    f()
  end)
end

local function camera(n, size)
  return dataset.data('camera', { train = 10, test = n, size = size, split = 'test' }).items
end

-- A set of items after codings of these qualities, one after the other; labels by label(i).
local function coded(items, qualities, label, o)
  local out, labels = items:clone(), tensor.zeros({ #items }, 'i32')
  for i = 1, #items do
    for _, quality in ipairs(type(qualities) == 'function' and qualities(i) or qualities) do
      local j = codec.jpeg { quality = quality, subsampling = o and o.subsampling }
      out[i]:copy((j:decode((j:encode(out[i]:contiguous())))))
    end
    labels[i] = label and label(i) or 0
  end
  return dataset.new { name = 'coded', part = 'test', items = out, labels = labels, classes = { 'a', 'b' } }
end

-- How many of a set's items were coded, and how many once or twice about so.
local function seen(set, first, last)
  local list, right = history.sample(set), 0
  for _, s in ipairs(list) do
    if s.first and math.abs(s.first - first) <= 3 and math.abs(s.last - last) <= 3 then right = right + 1 end
  end
  return right, #list
end

case('a coding is found in small and large pictures, whatever its quality and subsampling', function()
  for _, quality in ipairs { 50, 75, 90, 95 } do
    local right, looked = seen(coded(camera(40), { quality }), quality, quality)
    t.equal(looked, 40)
    t.ok(right >= 38, ('quality %d: %d of 40'):format(quality, right))
  end
  t.ok(seen(coded(camera(40), { 75 }, nil, { subsampling = '444' }), 75, 75) >= 38)
  t.equal({ seen(coded(camera(10, 128), { 80 }), 80, 80) }, { 10, 10 })
end)

case('a coarser coding before is found', function()
  for _, two in ipairs { { 60, 90 }, { 75, 90 }, { 60, 75 } } do
    local right = seen(coded(camera(40), two), unpack(two))
    t.ok(right >= 32, ('%d then %d: %d of 40'):format(two[1], two[2], right))
  end
  t.ok(seen(coded(camera(40), { 90, 60 }), 60, 60) >= 38)                -- a finer one leaves no trace
end)

-- Pictures of value(i, y, x, k, random number below n).
local function drawn(n, value)
  local items, state = tensor.zeros({ n, 32, 32, 3 }, 'u8'), 1
  local function draw(most)
    state = state * 16807 % 2147483647
    return state % most
  end
  local p = items:pointer()
  for i = 0, items:count() - 1 do
    local x, y = math.floor(i / 3) % 32, math.floor(i / 96) % 32
    p[i] = math.max(0, math.min(255, value(math.floor(i / 3072), y, x, i % 3, draw)))
  end
  return coded(items, {})
end

case('nothing is found in untouched pictures, noise, gradients, patterns and plain ones', function()
  local sets = {
    camera = coded(camera(200), {}),
    ['large camera'] = coded(camera(20, 128), {}),
    noise = drawn(100, function(_, _, _, _, draw) return draw(256) end),
    ['faint noise'] = drawn(100, function(_, _, _, _, draw) return 120 + draw(4) end),
    gradients = drawn(100, function(i, y, x) return (i % 9 - 4) * x + (i % 7 - 3) * y + 128 end),
    ['black and white'] = drawn(100, function(_, _, _, k, draw) return k == 0 and 255 * draw(2) or 0 end),
    checkers = drawn(100, function(i, y, x) return (math.floor(x / (1 + i % 9)) + math.floor(y / 4)) % 2 * 200 end),
    plain = drawn(20, function(i) return i end),
  }
  for name, set in pairs(sets) do
    local _, news = history.sample(set)
    t.equal({ name, news }, { name, 0 })
    t.equal((history.words(set)), true)
  end
end)

case('it says how many, which, and whether that tells the class', function()
  local items = camera(60)
  local ok, text = history.words(coded(items, function(i) return i <= 40 and { 75 } or {} end,
    function(i) return i % 2 end))
  t.equal(ok, nil)
  t.match(text, '^the pixels of 40 of 60 items were a JPEG before: 40 of quality about 75; raw is what that left$')
  ok, text = history.words(coded(items, function(i) return i <= 30 and { 50, 80 } or {} end,
    function(i) return i <= 30 and 0 or 1 end))
  t.equal(ok, false)
  t.match(text, "compressed twice, about %d+, then %d+.*; it predicts the class of %d+ of 60 files, where the ")
end)

case('folders: a PNG of a JPEG is told; a JPEG only if it was one before', function()
  local items, d = camera(40), t.folder()
  local function fill(name, qualities, last)
    local set = coded(items, qualities)
    for i = 1, #set do
      local path = ('%s/%s/%s/%d'):format(d, name, i % 2 == 0 and 'a' or 'b', i)
      file.mkdir(file.folder_of(path))
      file.write(path, (last:encode(set.items[i]:contiguous())))
    end
    local rows = {}
    for _, r in ipairs(health.examine(dataset.describe 'folder', { path = 'folder',
      given = { path = d .. '/' .. name } })) do rows[r.check] = r end
    return rows['train history']
  end
  local was = fill('was', { 60 }, codec.png {})
  t.equal(was.ok, nil)
  t.match(was.text, '^the pixels of 32 of 32 items were a JPEG before: 32 of quality about 60; ')
  local is = fill('is', {}, codec.jpeg { quality = 75 })
  t.equal({ is.ok, is.text }, { true, 'no trace of a JPEG before that of the files in the pixels of 32 items' })
  local twice = fill('twice', { 60 }, codec.jpeg { quality = 90 })
  t.equal(twice.ok, nil)
  t.match(twice.text, ' compressed twice, about 60, then 90')
  t.equal(fill('never', {}, codec.png {}).ok, true)
end)

t.case('what is no picture, or too small, is not looked at', function()
  local small = dataset.new { name = 'small', part = 'test', items = tensor.zeros({ 3, 12, 40, 3 }, 'u8'),
    labels = tensor.zeros({ 3 }, 'i32'), classes = { 'a' } }
  t.equal({ history.words(small) }, { true, 'not looked for in items of this shape' })
end)
