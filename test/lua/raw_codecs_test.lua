-- raw_codecs_test.lua: zstd and xz, coders of bytes over raw samples of images and sounds: files whose samples the
-- tools of their libraries unpack, and accounts against a count by hand.
local t = ...
local codec = require 'hz.codec.codec'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'
local ffi = require 'ffi'

local function case(name, title, f)
  t.case(('%s: %s'):format(name, title), function()
    if not plugins.has(name) then t.skip('the plugin %s is not built', name) end
    f(codec[name])
  end)
end

local function image(h, w, channels, seed)
  return tensor.rand({ h, w, channels }, 0, 16, { seed = seed, stream = 1 }):to 'u8'
end

local function bytes_of(x) return ffi.string(x:contiguous():pointer 'read', x:count()) end

local function head(x) return ('P%d\n%d %d\n255\n'):format(x:size(3) == 3 and 6 or 5, x:size(2), x:size(1)) end

for _, name in ipairs { 'zstd', 'xz' } do
  case(name, 'the head of a PNM file, then what the tool unpacks to the samples', function(make)
    if not t.tool(name) then t.skip('%s is not installed', name) end
    local d = t.folder()
    for _, level in ipairs { 1, 6, 9 } do
      for _, size in ipairs { { 1, 1, 1 }, { 32, 32, 3 }, { 7, 13, 1 }, { 200, 300, 3 } } do
        local x = image(size[1], size[2], size[3], level)
        local stream, a = make { level = level }:encode(x)
        local pnm = head(x)
        t.equal(stream:sub(1, #pnm), pnm)
        t.write(d .. '/a.' .. name, stream:sub(#pnm + 1))
        local status, out, err = t.sh(('%s -dc < %s/a.%s'):format(name, d, name))
        t.equal(status, 0, err)
        t.ok(out == bytes_of(x), 'samples')
        t.equal({ a.tables, a.payload + a.container, a.segments[1].part }, { 0, #stream, 'container' })
        t.equal(make():decode(stream):ne(x):sum(), 0)
      end
    end
  end)

  case(name, 'a stream whose head and samples disagree is refused', function(make)
    local one, x = make(), image(4, 6, 3, 1)
    local stream = one:encode(x)
    local body = stream:sub(#head(x) + 1)
    for _, other in ipairs { '', 'P6\n6 4\n255', 'P6\n4 6\n254\n', 'P5\n6 4\n255\n', 'P6\n5 4\n255\n',
      'P6\n0 4\n255\n', 'P6\n99999999999 99999999999\n255\n', 'P4\n6 4\n255\n' } do
      t.raises(name .. ': ', one.decode, one, other .. body)
    end
    t.raises(name .. ': ', one.decode, one, stream .. 'x')
    for n = 1, #stream - 1 do t.raises(name .. ': ', one.decode, one, stream:sub(1, n)) end
    t.equal(one:decode(head(x) .. body):size(), { 4, 6, 3 })
  end)

  case(name, 'the tool hz plugin check finds nothing wrong', function()
    local status, out = t.run(('plugin check %s --only again,ranges,sizes,room,inputs,truncated'):format(name))
    t.equal(status, 0, out)
  end)
end

-- ---- sounds ----

-- Noise of 16 bits in f32: (frames,channels).
local function sound(frames, channels, seed)
  return tensor.rand({ frames, channels }, -2000, 2000, { seed = seed, stream = 3 }):floor() / 32768
end

-- As an AU file has them.
local function au(x, rate)
  local function be(v, n)
    local list = {}
    for i = n, 1, -1 do list[i], v = string.char(v % 256), math.floor(v / 256) end
    return table.concat(list)
  end
  local p, list = x:contiguous():pointer 'read', {}
  for i = 0, x:count() - 1 do list[i + 1] = be(32768 * p[i] % 65536, 2) end
  local body = table.concat(list)
  return '.snd' .. be(24, 4) .. be(#body, 4) .. be(3, 4) .. be(rate, 4) .. be(x:size(2), 4), body
end

for tool, name in pairs { zstd = 'zstd_audio', xz = 'xz_audio' } do
  case(name, 'the head of an AU file, then what the tool unpacks to the samples', function(make)
    if not t.tool(tool) then t.skip('%s is not installed', tool) end
    local d = t.folder()
    for _, row in ipairs { { 1, 1, 8000 }, { 3001, 2, 44100 }, { 500, 8, 96000 } } do
      local x = sound(row[1], row[2], 1)
      local stream, a = make():encode(x, { rate = row[3] })
      local top, body = au(x, row[3])
      t.ok(stream:sub(1, 24) == top, 'head')
      t.write(d .. '/a', stream:sub(25))
      local _, out = t.sh(('%s -dc < %s/a'):format(tool, d))
      t.ok(out == body, 'samples')
      t.equal({ a.tables, a.payload + a.container, a.segments[1].part }, { 0, #stream, 'container' })
      local back, rate = make():decode(stream)
      t.equal({ rate, back:size(), back:ne(x):sum() }, { row[3], { row[1], row[2] }, 0 })
    end
  end)

  case(name, 'what 16 bits do not hold is refused', function(make)
    local one, ends = make(), tensor.zeros({ 2, 1 })
    ends[1], ends[2] = -1, 32767 / 32768
    t.equal(one:decode((one:encode(ends, { rate = 8000 }))):ne(ends):sum(), 0)
    for _, v in ipairs { 1, 0.3, -1.5, 1 / 65536, 0 / 0, math.huge } do
      ends[2] = v
      t.raises(name .. ': sample 1 of the sound is', one.encode, one, ends, { rate = 8000 })
    end
  end)

  case(name, 'damaged heads are refused', function(make)
    local one = make()
    local stream = one:encode(sound(50, 2, 1), { rate = 8000 })
    for _, change in ipairs { { 8, '\25' }, { 12, '\4' }, { 16, '\2' }, { 20, '\0', 19, '\0' }, { 24, '\9' },
      { 24, '\0' } } do
      local broken = stream
      for i = 1, #change, 2 do broken = broken:sub(1, change[i] - 1) .. change[i + 1] .. broken:sub(change[i] + 1) end
      t.raises(name .. ': ', one.decode, one, broken)
    end
    for n = 1, #stream - 1 do t.raises(name .. ': ', one.decode, one, stream:sub(1, n)) end
  end)
end

-- 3,072 equal samples are one block: head of the frame 4 + 1 + 2 bytes, of the block 3.
case('zstd', 'the account of a frame, counted by hand', function(make)
  local stream, a = make():encode(tensor.full({ 32, 32, 3 }, 7, 'u8'))
  t.equal({ a.container, a.payload }, { 13 + 7 + 3, #stream - 23 })
  t.equal({ a.segments[1].bytes, a.segments[2].offset, #a.segments }, { 23, 23, 2 })
end)

-- Heads of stream 12, of block 16, of chunk 6; behind the chunk its end, padding, check 4, index 12, foot 12.
case('xz', 'the account of a stream, counted by hand', function(make)
  local stream, a = make():encode(tensor.full({ 32, 32, 3 }, 7, 'u8'))
  local block = 16 + 6 + a.payload + 1
  t.equal(#stream, 13 + 12 + block + (4 - block % 4) % 4 + 4 + 12 + 12)
  t.equal(a.container, #stream - a.payload)
end)
