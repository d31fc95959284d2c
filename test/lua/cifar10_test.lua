-- CIFAR-10: record layout, damage named by file and byte, and the real images where they are.
local t = ...
local dataset = require 'hz.data.dataset'

-- Record k: label k % 10; pixels red = k, green = position, blue = 255 - k.
local function record(k)
  local green = {}
  for i = 0, 1023 do green[i + 1] = string.char((i + k) % 256) end
  return string.char(k % 10) .. string.char(k):rep(1024) .. table.concat(green) .. string.char(255 - k):rep(1024)
end

local function folder(change)
  local d = t.folder()
  os.execute('mkdir ' .. d .. '/cifar-10-batches-bin')
  for i = 1, 6 do
    local name = i < 6 and ('data_batch_%d.bin'):format(i) or 'test_batch.bin'
    local bytes = record(i) .. record(i + 10) .. record(i + 20)
    if change and change[name] then bytes = change[name](bytes) end
    if bytes then t.write(d .. '/cifar-10-batches-bin/' .. name, bytes) end
  end
  return d
end

-- Runs code in another hz with HZ_DATA set: status, stdout, stderr.
local function with(d, code)
  local s = t.write(t.folder() .. '/s.lua', "local data = require 'hz.data.dataset'\n" .. code)
  return t.sh(('HZ_DATA=%s XDG_DATA_HOME=/nowhere %s %s'):format(d, t.quote(t.hz), s))
end

t.case('planes become channels, labels stay with their images', function()
  local status, out, err = with(folder(), [[
    local train, test = data 'cifar10'
    print(#train, #test, table.concat(train[1]:size(), 'x'))
    for i = 1, #train do
      local image, label = train:item(i)
      local k = image[1][1][1]
      assert(label == k % 10 and image[32][31][3] == 255 - k and image[2][3][2] == (34 + k) % 256)
    end
  ]])
  t.equal(err, '')
  t.equal(out, '15\t3\t32x32x3\n')
  t.equal(status, 0)
end)

t.case('the order of records and files does not matter', function()
  local code = "print((data('cifar10', { split = 'train' })).digest)"
  local _, a = with(folder(), code)
  local _, b = with(folder { ['data_batch_1.bin'] = function() return record(25) .. record(1) .. record(15) end,
                             ['data_batch_5.bin'] = function() return record(21) .. record(11) .. record(5) end }, code)
  t.match(a, '^%x+\n$')
  t.equal(a, b)
end)

t.case('damage is named by file and byte', function()
  local code = "data 'cifar10'"
  for _, row in ipairs {
    { 'data_batch_3.bin', function(s) return s:sub(1, 3073 + 100) end,
      'data_batch_3.bin: ends at byte 3173, 100 bytes into record 2; needs whole records of 3073 bytes' },
    { 'data_batch_2.bin', function(s) return s:sub(1, 3073) .. '\17' .. s:sub(3075) end,
      'data_batch_2.bin: byte 3073: label 17 in record 2; needs 0..9' },
    { 'test_batch.bin', function() return '' end, 'test_batch.bin: is empty; needs records of 3073 bytes' },
    { 'data_batch_4.bin', function() return nil end, 'data_batch_4.bin: No such file' },
  } do
    local status, _, err = with(folder { [row[1]] = row[2] }, code)
    t.equal(status, 1, row[1])
    t.ok(err:find(row[3], 1, true), err)
    t.match(err, '^hz: [^\n]+s%.lua:2: [^\n]+\n$')
  end
end)

t.case('contents that are not the recorded ones are said before training', function()
  local status, out, err = with(folder(), [[
    local train, test = data 'cifar10'
    print(train.remarks[1]:match 'train: 15 items that are not those recorded', #test.remarks)
    local hz = require 'hz'
    local l = hz.layers
    local net = hz.net 'n' { l.meanpool, l.dense{10} }
    hz.train { net = net, train = train, test = test, epochs = 1, optimizer = hz.adam() }
  ]])
  t.equal({ status, out }, { 0, 'train: 15 items that are not those recorded\t1\n' }, err)
  t.match(err, '^hz: data cifar10: train: 15 items that are not those recorded for this set: digest %x+; needs 4d')
  t.match(err, '\nhz: data cifar10: test: 3 items')
end)

t.case('the real images have the recorded digests', function()
  if not dataset.available 'cifar10' then
    t.skip 'CIFAR-10 is not here; HZ_DATA names the folder that holds cifar-10-batches-bin/'
  end
  local spec = dataset.describe 'cifar10'
  local train, test = dataset 'cifar10'
  t.equal({ #train, #test }, { 50000, 10000 })
  t.equal(train:per_class(), { 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000, 5000 })
  t.equal({ train = train.digest, test = test.digest }, spec.digest)
  train.items:free()
  test.items:free()
end)
