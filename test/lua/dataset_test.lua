-- Sets: order, digest, subsets and splits follow from the contents alone.
local t = ...
local dataset = require 'hz.data.dataset'
local tensor = require 'hz.tensor.tensor'

-- n items of 2x2x1 whose bytes follow from their number; written to the set in the order of `order`.
local function small(order, extra)
  local n = #order
  local items, labels = tensor.zeros({ n, 2, 2, 1 }, 'u8'), tensor.zeros({ n }, 'i32')
  local p, l = items:pointer(), labels:pointer()
  for r, k in ipairs(order) do
    p[4 * (r - 1)], p[4 * (r - 1) + 1], l[r - 1] = k % 256, k * 7 % 256, k % 3
  end
  local raw = { name = 'small', part = 'train', items = items, labels = labels, classes = { 'a', 'b', 'c' } }
  for k, v in pairs(extra or {}) do raw[k] = v end
  return dataset.new(raw)
end

local function counting(n, step)
  local order = {}
  for i = 0, n - 1 do order[i + 1] = i * (step or 1) % n end
  return order
end

local function content(set)
  local out = {}
  for i = 1, #set do
    local image, label = set:item(i)
    out[i] = ('%d,%d:%d'):format(image[1][1][1], image[1][2][1], label)
  end
  return table.concat(out, ' ')
end

t.case('order and digest follow from the contents, not from the order given', function()
  local a, b = small(counting(100)), small(counting(100, 37))
  t.equal(#a, 100)
  t.equal(content(a), content(b))
  t.equal(a.digest, b.digest)
  t.match(a.digest, '^%x+$')
  t.ok(a.digest ~= small(counting(99)).digest)
  t.ok(a.digest ~= small(counting(100), { classes = { 'a', 'b', 'x' } }).digest)
  local labels = tensor.zeros({ 100 }, 'i32')
  t.ok(a.digest ~= small(counting(100), { labels = labels }).digest)
end)

t.case('the digest is what it is said to be', function()
  local crypto = require 'hz.ext.crypto'
  local set = small { 5, 9 }
  local rows = {}
  for _, k in ipairs { 5, 9 } do
    rows[#rows + 1] = crypto.new 'sha256':add(string.char(k, k * 7, 0, 0)):raw() .. string.char(0, 0, 0, k % 3)
  end
  table.sort(rows)
  t.equal(set.digest, crypto.sha256('hz set 1\nu8 2x2x1\na\nb\nc\n' .. table.concat(rows)))
  -- FIPS 180-2, appendix B.1
  for i, base64 in ipairs { 'Zg==', 'Zm8=', 'Zm9v', 'Zm9vYg==' } do
    t.equal(crypto.base64(('foob'):sub(1, i)), base64)                 -- RFC 4648, 10
  end
  t.equal({ crypto.base64 '', crypto.base64 '\0\255\254' }, { '', 'AP/+' })
  t.equal(crypto.sha256 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  -- RFC 1321, appendix A.5
  t.equal(crypto.md5 'abc', '900150983cd24fb0d6963f7d28e17f72')
end)

t.case('indices, items and printing', function()
  local set = small(counting(10))
  t.equal(set[1]:size(), { 2, 2, 1 })
  local image, label, class = set:item(3)
  t.equal(image:size(), { 2, 2, 1 })
  t.equal(class, set.classes[label + 1])
  t.raises('index 11 was given; needs 1..10', function() return set[11] end)
  t.raises('index 0 was given', function() return set[0] end)
  t.equal(set:per_class(), { 4, 3, 3 })
  t.match(tostring(set), '^small train: 10 items u8 2x2x1, 3 classes, digest %x+, from memory$')
  t.ok(dataset.is(set) and not dataset.is {})
end)

t.case('subset and select keep rows together', function()
  local set = small(counting(50), { entropy = tensor.range(1, 50) })
  local part = set:subset(11, 20)
  t.equal(#part, 20)
  t.equal({ part:item(1) == nil, part.labels[1], part.entropy[1] }, { false, set.labels[11], set.entropy[11] })
  t.equal(content(part),
    content(set:select((function() local l = {} for i = 11, 30 do l[#l + 1] = i end return l end)())))
  t.equal(part.digest, set:subset(11, 20).digest)
  t.ok(part.digest ~= set.digest)
  t.equal(set:select { 3, 3, 1 }.labels[2], set.labels[3])
  t.raises('subset: first 1, count 51 of small train were given; needs whole numbers within 1..50', set.subset,
    set, 1, 51)
  t.raises('index 51', set.select, set, { 51 })
end)

t.case('a split follows from the original contents and the salt', function()
  local set = small(counting(200))
  local rest, held = set:split(40, 'validation')
  t.equal({ #rest, #held }, { 160, 40 })
  local again = select(2, small(counting(200, 77)):split(40, 'validation'))
  t.equal(held.digest, again.digest)
  t.ok(held.digest ~= select(2, set:split(40, 'other')).digest)
  local recoded = set:replace(tensor.zeros({ 200, 3 }, 'f32'), 'zeroed')
  local _, held_recoded = recoded:split(40, 'validation')
  t.equal(held_recoded.digest, held.digest)
  t.equal(held_recoded[1]:size(), { 3 })
  local seen = {}
  for _, s in ipairs { rest, held } do
    for i = 1, #s do seen[content(s:select { i })] = true end
  end
  local n = 0
  for _ in pairs(seen) do n = n + 1 end
  t.equal(n, 200)
  t.raises('split: 200 of the 200 items', set.split, set, 200, 'x')
end)

t.case('a recoded set keeps labels, hashes and digest of the original', function()
  local set = small(counting(10))
  local new = set:replace(tensor.ones({ 10, 4, 4, 3 }, 'u8'), 'ones')
  t.equal({ new.digest, new.labels[4], new[1]:size() }, { set.digest, set.labels[4], { 4, 4, 3 } })
  t.equal(new:subset(1, 5).digest, set:subset(1, 5).digest)
  t.match(tostring(new), 'u8 4x4x3.*, ones$')
  t.raises('replace: (9,4) was given', set.replace, set, tensor.ones { 9, 4 })
end)

t.case('equal items are ordered by label, then stay', function()
  local items = tensor.zeros({ 4, 2 }, 'u8')
  local set = dataset.new { name = 'equal', items = items, labels = tensor.from({ 2, 0, 1, 0 }, 'i32'),
    classes = { 'a', 'b', 'c' } }
  t.equal({ set.labels[1], set.labels[2], set.labels[3], set.labels[4] }, { 0, 0, 1, 2 })
end)

t.case('raw data that do not fit together', function()
  local items, labels = tensor.zeros({ 3, 2 }, 'u8'), tensor.zeros({ 3 }, 'i32')
  local function made(o) return function() return dataset.new(o) end end
  t.raises('labels is (2); needs a tensor of 3 numbers',
    made { name = 'x', items = items, labels = tensor.zeros({ 2 }, 'i32'), classes = { 'a' } })
  t.raises('item 2 has label 1; needs 0..0',
    made { name = 'x', items = items, labels = tensor.from({ 0, 1, 0 }, 'i32'), classes = { 'a' } })
  t.raises('items is nil', made { name = 'x', labels = labels, classes = { 'a' } })
  t.raises('has no items',
    made { name = 'x', items = tensor.zeros({ 0, 2 }, 'u8'), labels = tensor.zeros({ 0 }, 'i32'), classes = { 'a' } })
  t.raises('classes is nil', made { name = 'x', items = items, labels = labels })
end)

t.case('names, options and files that are not there', function()
  t.raises("data: 'mnist' is unknown; have ", dataset.data, 'mnist')
  t.raises('cifar10', dataset.data, 'mnist')
  t.raises("split is 'valid'; needs train or test", dataset.data, 'cifar10', { split = 'valid' })
  t.raises("option 'sede' is unknown; have split", dataset.data, 'cifar10', { sede = 1 })
  local s = t.write(t.folder() .. '/s.lua', "require 'hz.data.dataset'.data 'cifar10'")
  local status, _, err = t.sh(('HZ_DATA=/nowhere/a XDG_DATA_HOME=/nowhere/b %s %s'):format(t.quote(t.hz), s))
  t.equal(status, 1)
  t.match(err, '^hz: [^\n]*s%.lua:1: data: cifar10 was not found; looked for /nowhere/a/cifar%-10%-batches%-bin and '
    .. '/nowhere/b/hz/cifar%-10%-batches%-bin; '
    .. 'fetch it with: hz data fetch cifar10, or set HZ_DATA[^\n]*\n$')
end)

t.case('a description of one\'s own, by its path', function()
  local path = t.write(t.folder() .. '/mine.lua', [[
    local dataset, tensor = require 'hz.data.dataset', require 'hz.tensor.tensor'
    local options = { count = { default = 4, min = 1, whole = true } }
    return { name = 'mine', options = options, read = function(where, o, want)
      local function part(name)
        return dataset.new { name = 'mine', part = name, items = tensor.zeros({ o.count, 2 }, 'u8'),
          labels = tensor.zeros({ o.count }, 'i32'), classes = { 'one' } }
      end
      return { train = want.train and part 'train', test = want.test and part 'test' }
    end }
  ]])
  local train, test = dataset(path)
  t.equal({ #train, #test, train.part, test.part }, { 4, 4, 'train', 'test' })
  t.equal(#dataset(path, { split = 'test', count = '7' }), 7)
  t.raises('data mine: count is 0; needs a whole number from 1', dataset.data, path, { count = 0 })
  t.raises("option 'size' is unknown; have count, split", dataset.data, path, { size = 0 })
  t.raises('does not return a description', dataset.data, t.write(t.folder() .. '/bad.lua', 'return 1'))
end)

t.case('the camera set: counts, knobs, entropy beside each image', function()
  local train, test = dataset('camera', { train = 60, test = 20 })
  t.equal({ #train, #test, train[1]:size(), train.classes[1] }, { 60, 20, { 32, 32, 3 }, 'ball' })
  t.equal(train:per_class(), { 6, 6, 6, 6, 6, 6, 6, 6, 6, 6 })
  t.equal(dataset('camera', { train = 30, test = 20, split = 'test' }).digest, test.digest,
    'the test set does not depend on the training set')
  t.ok(dataset('camera', { train = 60, split = 'train', seed = 1 }).digest ~= train.digest)
  -- the entropies stand beside the images they belong to
  local items, labels, entropy = require 'hz.data.camera'.render({}, 0, 60)
  local crypto, ffi, found = require 'hz.ext.crypto', require 'ffi', 0
  for k = 1, 60 do
    local bytes = ffi.string(items:pointer() + (k - 1) * 3072, 3072)
    for i = 1, 60 do
      if ffi.string(train.hashes:pointer() + 32 * (i - 1), 32) == crypto.new 'sha256':add(bytes):raw() then
        t.equal({ train.entropy[i], train.labels[i] }, { entropy[k], labels[k] })
        found = found + 1
      end
    end
  end
  t.equal(found, 60)
  t.equal(dataset('camera', { train = 10, split = 'train', noise = 0 }).entropy:max(), 0)
  t.equal(dataset('camera', { train = 10, split = 'train', size = 16 })[1]:size(), { 16, 16, 3 })
  t.raises('data camera: train is 5; needs a whole number within 10..1000000', dataset.data, 'camera', { train = 5 })
  t.raises("option 'train_count' is unknown; have detail, draw, noise, paired, seed, shuffled, size, split, test, "
    .. 'texture, train, unit', dataset.data, 'camera', { train_count = 5 })
  t.raises('camera: noise is 0.05', dataset.data, 'camera', { noise = 0.05 })
end)

local function camera(o)
  o.train, o.split, o.paired = 60, 'train', true
  return dataset('camera', o)
end

t.case('paired camera sets: the same scenes in the same places at any noise, in one split', function()
  local clean, noisy = camera { noise = 0 }, camera { noise = 8, unit = 'grey' }
  local other, fine = camera { noise = 8, unit = 'grey', draw = 1 }, camera { noise = 0, detail = 'fine' }
  t.ok(clean.digest ~= noisy.digest and noisy.digest ~= other.digest)
  t.ok(clean.digest ~= dataset('camera', { train = 60, split = 'train', noise = 0 }).digest)
  t.equal(clean.scenes, noisy.scenes)
  t.equal(clean.scenes, other.scenes)
  t.ok(clean.scenes ~= fine.scenes)
  t.equal(noisy.entropy:mean(), other.entropy:mean())
  local function apart(a, b) return (a.items:to 'f32' - b.items:to 'f32'):pow(2):mean() end
  t.near(math.sqrt(apart(clean, noisy)), 8, 1)
  t.near(apart(noisy, other) / apart(clean, noisy), 2, 0.1)
  local _, held = clean:split(20)
  local _, held_noisy = noisy:split(20)
  for i = 1, 20 do t.equal(held.labels[i], held_noisy.labels[i]) end
  t.near(math.sqrt(apart(held, held_noisy)), 8, 1)
  for i = 1, 60 do t.equal(clean.labels[i], noisy.labels[i]) end
  t.equal(fine.classes[1], 'waves 4 at 0')
end)

t.case('shuffled labels are those of others, as many of each class', function()
  local plain, shuffled, same = camera {}, camera { shuffled = true }, 0
  t.equal(shuffled:per_class(), plain:per_class())
  for i = 1, 60 do same = same + (plain.labels[i] == shuffled.labels[i] and 1 or 0) end
  t.ok(same < 20, same .. ' of 60 labels kept')
end)

t.case('low bits: random and zero ones on the same images', function()
  local low_bits = require 'hz.data.low_bits'
  local set = camera { noise = 0 }
  local random, zero = low_bits(set, 3, 'random'), low_bits(set, 3, 'zero')
  t.equal(random.scenes, zero.scenes)
  t.ok(random.digest ~= zero.digest)
  t.equal(random.entropy:mean(), 3)
  t.equal(zero.entropy:mean(), 0)
  local x, y, counts = random.items:pointer 'read', zero.items:pointer 'read', {}
  for i = 0, random.items:count() - 1 do
    t.equal(y[i] % 8, 0)
    counts[x[i] - y[i]] = (counts[x[i] - y[i]] or 0) + 1
  end
  for v = 0, 7 do t.near(counts[v] / random.items:count(), 1 / 8, 0.005) end
  t.equal(low_bits(set, 3, 'random').digest, random.digest)
  t.raises('low_bits: the number of bits is 9', low_bits, set, 9, 'zero')
  t.raises("low_bits: the filling is 'one'", low_bits, set, 1, 'one')
  t.raises('low_bits: the set is 3', low_bits, 3, 1, 'zero')
end)

t.case('a net trains on a set', function()
  local hz = require 'hz'
  local set = dataset('camera', { train = 20, split = 'train' })
  local L = hz.layers
  local net = hz.net 'tiny' { L.flatten, L.dense { 10 } }
  local plan = net:plan { batch = 10, train = true, data = set, optimizer = hz.sgd { rate = 0.01 } }
  plan:step()
  t.ok(plan:loss() > 0)
end)
