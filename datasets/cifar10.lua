-- cifar10.lua: CIFAR-10 in its binary version (Krizhevsky, Learning Multiple Layers of Features from Tiny Images,
-- 2009). A record is one label byte and 3,072 pixel bytes: red plane, green plane, blue plane of 32x32, row by row.
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local tensor = require 'hz.tensor.tensor'

local classes = { 'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck' }
local files = {
  train = { 'data_batch_1.bin', 'data_batch_2.bin', 'data_batch_3.bin', 'data_batch_4.bin', 'data_batch_5.bin' },
  test = { 'test_batch.bin' },
}
local PLANE, RECORD = 1024, 3073        -- bytes

local function check_size(path, bytes)
  if bytes == 0 then dataset.fail('cifar10: %s: is empty; needs records of %d bytes', path, RECORD) end
  if bytes % RECORD ~= 0 then
    dataset.fail('cifar10: %s: ends at byte %d, %d bytes into record %d; needs whole records of %d bytes', path, bytes,
      bytes % RECORD, math.floor(bytes / RECORD) + 1, RECORD)
  end
  return bytes / RECORD
end

-- Labels and pixels of one file: (n) i32 and (n,1024,3) u8.
local function read_file(path)
  local records = file.with(path, function(read, bytes)
    local t = tensor.empty({ check_size(path, bytes), RECORD }, 'u8')
    read(t.data, bytes)
    return t
  end)
  local labels, pixels = records:slice(2, 1, 1):to 'i32':reshape { -1 }, tensor.empty({ #records, PLANE, 3 }, 'u8')
  local p = labels:pointer()
  for i = 0, #labels - 1 do
    if p[i] > 9 then
      dataset.fail('cifar10: %s: byte %d: label %d in record %d; needs 0..9', path, i * RECORD, p[i], i + 1)
    end
  end
  local planes = pixels:permute(3, 1, 2)
  for ch = 1, 3 do planes[ch]:copy(records:slice(2, 2 + (ch - 1) * PLANE, 1 + ch * PLANE)) end
  records:free()
  return labels, pixels
end

local function join(parts, shape, dtype)
  local n, at = 0, 0
  for _, t in ipairs(parts) do n = n + #t end
  shape[1] = n
  local all = tensor.empty(shape, dtype)
  for _, t in ipairs(parts) do
    all:slice(1, at + 1, at + #t):copy(t)
    at = at + #t
    t:free()
  end
  return all
end

local function read_part(where, part)
  local labels, pixels = {}, {}
  for i, name in ipairs(files[part]) do labels[i], pixels[i] = read_file(file.join(where, name)) end
  local all = join(pixels, { 0, PLANE, 3 }, 'u8')
  local set = dataset.new { name = 'cifar10', part = part, items = all:reshape { #all, 32, 32, 3 },
    labels = join(labels, { 0 }, 'i32'), classes = classes, source = where }
  all:free()
  return set
end

local expected = { { 'batches.meta.txt' } }        -- name, bytes
for _, part in ipairs { 'train', 'test' } do
  for _, name in ipairs(files[part]) do expected[#expected + 1] = { name, 10000 * RECORD } end
end

return {
  name = 'cifar10',
  about = '60,000 colour photographs of 32x32 pixels in 10 classes; 50,000 to train, 10,000 to test',
  url = 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
  bytes = 170052171,
  md5 = 'c32a1d4ab5d03f1284b67883e8d87530',      -- as published on the page of the set
  sha256 = 'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
  page = 'https://www.cs.toronto.edu/~kriz/cifar.html',
  licence = 'none stated; free to use with reference to the technical report',
  folder = 'cifar-10-batches-bin',
  files = expected,
  classes = classes,
  counts = { train = 50000, test = 10000 },
  -- What dataset.lua computes of the 60,000 images, in whatever order the files hold them; recorded from
  -- a pixel-exact copy.
  digest = { train = '4d508793fea924befe26129ed85e8daf2e9308cf9d1a225e213825dabc37fd2a',
             test = 'dd57007805f16ec53f9ca60c451d25d38d5d6c1d38341e5059448ad913169719' },
  read = function(where, _, want)
    return { train = want.train and read_part(where, 'train') or nil,
      test = want.test and read_part(where, 'test') or nil }
  end,
}
