-- raw_codecs_test.lua: zstd and xz, coders of bytes over raw samples: files whose samples the tools of their libraries
-- unpack, and accounts against a count by hand.
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
