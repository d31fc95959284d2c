-- Test items that are nearly a training item (lua/hz/data/near.lua), made from training items.
local t = ...
local blas = require 'hz.ext.blas'
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local near = require 'hz.data.near'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'
local thumbs = require 'hz.data.thumbs'

local function case(name, f)
  t.case(name, function()
    if not blas.present() then t.skip 'OpenBLAS is not here' end
    f()
  end)
end

local function camera() return dataset.data('camera', { train = 300, test = 60 }) end

-- A test set of the first n training items, each as change(item) has it; labels turned by `turn` classes.
local function copies(train, n, change, turn)
  local items, labels = train.items:slice(1, 1, n):clone(), train.labels:slice(1, 1, n):clone()
  for i = 1, n do
    items[i]:copy(change(items[i]:clone()))
    labels[i] = (labels[i] + (turn or 0)) % #train.classes
  end
  return dataset.new { name = 'copies', part = 'test', items = items, labels = labels, classes = train.classes }
end

-- A picture with pixel (y,x,k) = value(p, y, x, k), p a reader of the old one that stays within it.
local function redrawn(value)
  return function(im)
    local h, w, channels = unpack(im:size())
    local p, out = im:pointer(), im:clone()
    local function at(y, x, k)
      return p[(math.max(0, math.min(h - 1, y)) * w + math.max(0, math.min(w - 1, x))) * channels + k]
    end
    for i = 0, im:count() - 1 do
      local x = math.floor(i / channels) % w
      out:pointer()[i] = value(at, math.floor(i / channels / w), x, i % channels, w)
    end
    return out
  end
end

case('no picture of the camera set is nearly another', function()
  local ok, text = near.words(camera())
  t.equal({ ok, text }, { true, 'none of 60 test items is nearly a training item' })
end)

case('brighter, mirrored, shifted and recompressed ones are found, with what they are copies of', function()
  local train = camera()
  local changes = {
    bright = redrawn(function(at, y, x, k) return math.min(255, 1.1 * at(y, x, k) + 10) end),
    mirror = redrawn(function(at, y, x, k, w) return at(y, w - 1 - x, k) end),
    shift = redrawn(function(at, y, x, k) return at(y, x + 1, k) end),
  }
  if plugins.has 'jpeg' then
    changes.recompressed = function(im)
      local j = codec.jpeg { quality = 70 }
      return (j:decode((j:encode(im))))
    end
  end
  for name, change in pairs(changes) do
    local test = copies(train, 40, change)
    local list, looked = near.pairs(train, test)
    t.equal(looked, 40)
    t.ok(#list >= 36, ('%s: %d of 40'):format(name, #list))
    local right = 0
    for _, pair in ipairs(list) do
      right = right + (test.labels[pair.test] == train.labels[pair.train] and 1 or 0)
      t.equal(pair.mirrored, name == 'mirror')
    end
    t.equal(right, #list, name)
  end
end)

case('what differs in the label is counted; equal ones are no near ones', function()
  local train = camera()
  local brighter = redrawn(function(at, y, x, k) return math.min(255, at(y, x, k) + 5) end)
  local ok, text = near.words(train, copies(train, 40, brighter, 1))
  t.equal(ok, nil)
  t.match(text, '^40 of 40 test items %(100.0 %%%) nearly equal a training item, 40 of them with another label; ')
  t.match(text, "likest: test %d+ %('%w+'%) and train %d+ %('%w+'%) ")
  t.equal({ near.words(train, copies(train, 40, function(im) return im end)) },
    { true, 'none of 40 test items is nearly a training item' })
end)

case('plain items and other shapes are like nothing', function()
  local function plain(part, from, shape)
    local items = tensor.zeros(shape, 'u8')
    for i = 1, shape[1] do items[i]:fill(from + i) end
    return dataset.new { name = 'plain', part = part, items = items, labels = tensor.zeros({ shape[1] }, 'i32'),
      classes = { 'a' } }
  end
  t.equal((near.words(plain('train', 0, { 9, 6, 5, 1 }), plain('test', 50, { 9, 6, 5, 1 }))), true)
  t.equal(near.pairs(plain('train', 0, { 9, 7 }), plain('test', 50, { 9, 7 })), nil)
  local x = thumbs.of(plain('train', 0, { 3, 1, 1, 3 }).items)
  t.equal({ x:size(2), x:sum() }, { 3, 0 })
end)
