-- folder.lua: images of one's own: DIR/CLASS/*.jpg, or DIR/train/CLASS/* and DIR/test/CLASS/*. JPEG and PNG,
-- told apart by their first bytes, all of one size. Grey images among coloured ones get three equal channels.
-- Without train/ and test/ a share of the items is held out for the test by content hash: the same ones each time,
-- whatever the files are called.
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local tensor = require 'hz.tensor.tensor'

local fail = dataset.fail
local readable = { jpg = true, jpeg = true, jpe = true, png = true }
local unreadable = { webp = true, bmp = true, gif = true, tif = true, tiff = true, ppm = true, pgm = true, avif = true,
  heic = true, jxl = true, jp2 = true }

-- ---- what is there ----

local function folders_in(path)
  local list = {}
  for _, name in ipairs(file.list(path)) do
    if name:sub(1, 1) ~= '.' and file.exists(file.join(path, name)) == 'folder' then list[#list + 1] = name end
  end
  return list
end

-- Paths of the images below a folder, sorted. Other files than images are passed over; images that cannot
-- be read are not.
local function images_in(path, list)
  for _, name in ipairs(file.list(path)) do
    local full, kind = file.join(path, name), (name:match '%.(%w+)$' or ''):lower()
    if name:sub(1, 1) == '.' then                      -- what file managers leave behind
    elseif readable[kind] then
      list[#list + 1] = full
    elseif unreadable[kind] then
      fail('folder: %s is %s; needs JPEG or PNG', full, kind:upper())
    elseif file.exists(full) == 'folder' then
      images_in(full, list)
    end
  end
  return list
end

-- Whether path has train/ and test/ with classes in them, rather than classes that happen to be called so.
local function has_parts(path)
  local found = {}
  for _, part in ipairs { 'train', 'test' } do
    local below = file.join(path, part)
    found[part] = file.exists(below) == 'folder' and #folders_in(below) > 0
  end
  if found.train ~= found.test then
    fail('folder: %s has %s/ but no %s/ with classes in it; needs both or neither', path,
      found.train and 'train' or 'test', found.train and 'test' or 'train')
  end
  return found.train
end

-- Class names of a folder; a test part must know the same as the training part.
local function classes_of(path, parts)
  local names = folders_in(parts and file.join(path, 'train') or path)
  if #names < 2 then fail('folder: %s has %d sub-folders; needs one for each class, two at least', path, #names) end
  if not parts then return names end
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for _, name in ipairs(folders_in(file.join(path, 'test'))) do
    if not known[name] then
      fail("folder: %s has the class '%s', train/ has not; needs the same classes", file.join(path, 'test'), name)
    end
  end
  return names
end

-- ---- reading ----

local heads = { { '\255\216', 'jpeg' }, { '\137PNG', 'png' } }
local decoders = {}                                    -- by name, made when the first such file comes

local function decoder_of(path, bytes)
  for _, head in ipairs(heads) do
    local name = head[2]
    if bytes:sub(1, #head[1]) == head[1] then
      if not decoders[name] then
        local made, instance = pcall(function() return require 'hz.codec.codec'[name] {} end)
        if not made then fail('folder: %s: the codec %s is not here; hz plugin list says why', path, name) end
        decoders[name] = instance
      end
      return decoders[name]
    end
  end
  fail('folder: %s is neither JPEG nor PNG inside', path)
end

local function decode(path)
  local bytes = file.read_all(path)
  local decoder = decoder_of(path, bytes)
  local ok, image = pcall(decoder.decode, decoder, bytes)
  if ok then return image end
  if type(image) ~= 'string' then error(image, 0) end                      -- an interrupt
  fail('folder: %s: %s', path, image:gsub('^.-:%d+: ', ''))
end

local function check_size(first, path, image)
  if image:size(1) ~= first.image:size(1) or image:size(2) ~= first.image:size(2) then
    fail('folder: %s is %dx%d, %s is %dx%d (width x height); needs all of one size', path, image:size(2), image:size(1),
      first.path, first.image:size(2), first.image:size(1))
  end
end

-- All images of path/CLASS as raw material of a set.
local function read_classes(path, classes, may_lack)
  local images, labels, first, channels = {}, {}, nil, 1
  for k, class in ipairs(classes) do
    local below = file.join(path, class)
    local paths = file.exists(below) == 'folder' and images_in(below, {}) or {}
    if #paths == 0 and not may_lack then fail('folder: %s holds no JPEG or PNG; needs images of the class', below) end
    for _, p in ipairs(paths) do
      local image = decode(p)
      first = first or { path = p, image = image }
      check_size(first, p, image)
      channels = math.max(channels, image:size(3))
      images[#images + 1], labels[#labels + 1] = image, k - 1
    end
  end
  if not first then fail('folder: %s holds no images of the classes', path) end
  local items = tensor.empty({ #images, first.image:size(1), first.image:size(2), channels }, 'u8')
  for i, image in ipairs(images) do
    items[i] = image                                   -- a grey one is repeated over the channels
    image:free()
  end
  return items, tensor.from(labels, 'i32')
end

local function make(path, part, classes)
  local below = part and file.join(path, part) or path
  local items, labels = read_classes(below, classes, part == 'test')
  return dataset.new { name = 'folder', part = part or 'all', items = items, labels = labels, classes = classes,
    source = below }
end

return {
  name = 'folder',
  about = 'your own images: JPEG or PNG in one sub-folder per class (path=DIR)',
  options = {
    path = { about = 'the folder' },
    test_share = { default = 0.2, min = 0.01, max = 0.9,
      about = 'share of the items held out for the test where there is no test/' },
  },
  read = function(_, options, want)
    local path = options.path
    if not path then fail('folder: no path was given; needs path=DIR') end
    if file.exists(path) ~= 'folder' then
      fail('folder: %s is %s; needs a folder', path, file.exists(path) and 'a file' or 'not there')
    end
    local parts = has_parts(path)
    local classes = classes_of(path, parts)
    if parts then
      return { train = want.train and make(path, 'train', classes) or nil,
        test = want.test and make(path, 'test', classes) or nil }
    end
    local all = make(path, nil, classes)
    local train, test = all:split(math.max(1, math.floor(#all * options.test_share + 0.5)), 'test')
    return { train = train:as 'train', test = test:as 'test' }
  end,
}
