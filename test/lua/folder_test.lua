-- A folder of images as a set: both layouts, mixed kinds, odd files named.
local t = ...
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'
local tensor = require 'hz.tensor.tensor'

local function have(name) return (pcall(function() return codec[name] {} end)) end

-- An image of height h, width w, filled from k; stream of the codec.
local function stream(name, k, h, w, channels)
  local image = tensor.zeros({ h or 8, w or 8, channels or 3 }, 'u8')
  local p = image:pointer()
  for i = 0, image:count() - 1 do p[i] = (k * 37 + i * (k % 5 + 1)) % 256 end
  return (codec[name]({}):encode(image)), image
end

-- Writes { 'class/name' = bytes, ... } to a folder.
local function folder(files)
  if not have 'png' then t.skip 'the png codec is not built' end
  local d = t.folder()
  for name, bytes in pairs(files()) do
    file.mkdir(file.folder_of(d .. '/' .. name))
    t.write(d .. '/' .. name, bytes)
  end
  return d
end

local function pngs(prefix, classes, n, from)
  local files = {}
  for c, class in ipairs(classes) do
    for i = 1, n do files[('%s%s/%02d.png'):format(prefix, class, i)] = (stream('png', from + c * 100 + i)) end
  end
  return files
end
local function merged(a, b)
  for k, v in pairs(b) do a[k] = v end
  return a
end

t.case('one sub-folder per class: a share is held out by content', function()
  local d = folder(function()
    return merged(pngs('', { 'cat', 'dog' }, 10, 0),
      { ['cat/notes.txt'] = 'x', ['.hidden/x.png'] = 'x', ['dog/.x.png'] = 'x' })
  end)
  local train, test = dataset('folder', { path = d })
  t.equal({ #train, #test, train.part, test.part, train.classes }, { 16, 4, 'train', 'test', { 'cat', 'dog' } })
  t.equal(train[1]:size(), { 8, 8, 3 })
  t.equal(dataset('folder', { path = d, split = 'test' }).digest, test.digest)
  t.equal(#dataset('folder', { path = d, split = 'test', test_share = 0.5 }), 10)
  -- other file names, same split
  for i = 1, 10 do os.rename(('%s/cat/%02d.png'):format(d, i), ('%s/cat/z%02d.PNG'):format(d, 11 - i)) end
  local train2, test2 = dataset('folder', { path = d })
  t.equal({ train2.digest, test2.digest }, { train.digest, test.digest })
end)

t.case('pixels and labels are those of the files', function()
  local d = folder(function()
    return merged(pngs('train/', { 'cat', 'dog' }, 3, 0), pngs('test/', { 'cat', 'dog' }, 1, 50))
  end)
  local train, test = dataset('folder', { path = d })
  t.equal({ #train, #test }, { 6, 2 })
  local seen = 0
  for c = 1, 2 do
    for i = 1, 3 do
      local _, image = stream('png', c * 100 + i)
      for r = 1, 6 do
        local item, label, class = train:item(r)
        if item:eq(image):min() == 1 then
          t.equal({ label, class }, { c - 1, ({ 'cat', 'dog' })[c] })
          seen = seen + 1
        end
      end
    end
  end
  t.equal(seen, 6)
end)

t.case('JPEG beside PNG, grey beside colour, a wrong extension', function()
  if not have 'jpeg' then t.skip 'the jpeg codec is not built' end
  local d = folder(function()
    local grey = stream('png', 5, 8, 8, 1)
    return merged(pngs('train/', { 'a', 'b' }, 2, 0),
      { ['test/a/x.jpg'] = (stream('jpeg', 3)), ['test/b/y.jpg'] = (stream('png', 4)), ['test/b/grey.png'] = grey })
  end)
  local test = dataset('folder', { path = d, split = 'test' })
  t.equal(test.items:size(), { 3, 8, 8, 3 })
  local _, grey = stream('png', 5, 8, 8, 1)
  local found = 0
  for i = 1, 3 do
    if test[i]:eq(grey):min() == 1 then found = found + 1 end
  end
  t.equal(found, 1)
end)

t.case('what is odd is named', function()
  local two = { 'cat', 'dog' }
  for _, row in ipairs {
    { function() return merged(pngs('', two, 2, 0), { ['dog/wide.png'] = (stream('png', 1, 8, 9)) }) end,
      '/dog/wide.png is 9x8, ' },
    { function() return merged(pngs('', two, 2, 0), { ['dog/x.webp'] = 'RIFF' }) end,
      '/dog/x.webp is no WEBP inside; needs JPEG or PNG' },
    { function() return merged(pngs('', two, 2, 0), { ['dog/x.png'] = 'text' }) end,
      '/dog/x.png is neither JPEG nor PNG inside' },
    { function() return merged(pngs('', two, 2, 0), { ['dog/x.png'] = (stream('png', 1)):sub(1, 60) }) end,
      '/dog/x.png: ' },
    { function() return merged(pngs('', two, 2, 0), { ['empty/notes.txt'] = 'x' }) end, '/empty holds no JPEG or PNG' },
    { function() return pngs('', { 'cat' }, 2, 0) end, 'has 1 sub-folders; needs one for each class' },
    { function() return pngs('train/', two, 2, 0) end, 'has train/ but no test/ with classes' },
    { function() return merged(pngs('train/', two, 2, 0), pngs('test/', { 'cow' }, 2, 0)) end,
      "has the class 'cow', train/ has not" },
  } do
    t.raises(row[2], dataset.data, 'folder', { path = folder(row[1]) })
  end
  t.raises('folder: no path was given; needs path=DIR', dataset.data, 'folder')
  t.raises('/nowhere is not there; needs a folder', dataset.data, 'folder', { path = '/nowhere' })
end)

t.case('a class may be called train', function()
  local d = folder(function() return pngs('', { 'train', 'truck' }, 5, 0) end)
  t.equal(dataset('folder', { path = d, split = 'train' }).classes, { 'train', 'truck' })
end)
