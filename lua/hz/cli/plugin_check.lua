-- plugin_check.lua: does a codec keep the promises of the interface? For authors of plugins: hz plugin check NAME. The
-- core checks each call (account adds up, shapes fit); here it is made to, over many sizes, and what only shows in
-- comparison is compared. A crash ends hz itself, right after the line that says what was being tried.
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.line
local bit = require 'bit'

local sizes = { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 8, 8 }, { 9, 17 }, { 16, 16 }, { 31, 33 }, { 32, 32 }, { 130, 257 } }

-- A ramp with some noise: (height,width,channels) u8.
local function picture(h, w, channels, seed)
  local t = tensor.empty({ h, w, channels }, 'u8')
  local p, state = t:pointer(), seed
  for i = 0, t:count() - 1 do
    state = (state * 16807) % 2147483647
    p[i] = (40 + math.floor(i / channels) % w * 3 + math.floor(i / channels / w) * 2 + state % 20) % 256
  end
  return t
end

local function same(a, b) return tensor.shape_text(a) == tensor.shape_text(b) and a:ne(b):sum() == 0 end

local function for_all(codec, f)
  local n = 0
  for _, size in ipairs(sizes) do
    for _, channels in ipairs { 1, 3 } do
      local image = picture(size[1], size[2], channels, 1 + #codec.name)
      local ok, bytes, account = c.try(codec.encode, codec, image)
      if ok then
        n = n + 1
        f(image, bytes, account, ('(%d,%d,%d)'):format(size[1], size[2], channels))
      elseif not tostring(bytes):find('channels', 1, true) then       -- a codec may refuse grey or colour
        error(bytes, 0)
      end
    end
  end
  if n == 0 then error('it takes neither grey nor colour images', 0) end
  return ('%d images'):format(n)
end

local function damaged(codec, bytes, i)
  if i <= 100 then return bytes:sub(1, math.floor(#bytes * (i - 1) / 100)) end
  local at = (i * 7919) % #bytes + 1
  return bytes:sub(1, at - 1) .. string.char(bit.bxor(bytes:byte(at), 2 ^ (i % 8))) .. bytes:sub(at + 1)
end

-- Rows: what is tried, and a function(codec) -> a remark; errors are the finding.
local checks = {
  { 'encodes, decodes and accounts for every byte', function(codec)
    return for_all(codec, function(image, bytes, _, size)
      local back = codec:decode(bytes)
      if tensor.shape_text(back) ~= tensor.shape_text(image) then
        error(size .. ' came back as ' .. tensor.shape_text(back), 0)
      end
      if codec.lossless and not same(back, image) then
        error(size .. ' came back changed, though the codec says it is lossless', 0)
      end
    end)
  end },
  { 'makes the same stream again', function(codec)
    return for_all(codec, function(image, bytes, _, size)
      if codec:encode(image) ~= bytes then error(size .. ' gave another stream the second time', 0) end
    end)
  end },
  { 'recodes a set as it does single images, on 1 and on 4 threads', function(codec)
    local set = tensor.empty({ 200, 24, 20, 3 }, 'u8')
    for i = 1, 200 do set[i] = picture(24, 20, 3, i) end
    local one, four = codec:recode(set, { threads = 1 }), codec:recode(set, { threads = 4 })
    if not same(one, four) then error('the decoded sets differ', 0) end
    for i = 1, 200, 20 do
      if not same(codec:decode((codec:encode(set[i]))), one[i]) then error(('image %d differs'):format(i), 0) end
    end
    return '200 images'
  end },
  { 'survives damaged streams', function(codec)
    local image, refused = picture(31, 33, 3, 5), 0
    local ok, bytes = c.try(codec.encode, codec, image)
    if not ok then image = picture(31, 33, 1, 5); bytes = codec:encode(image) end
    local good = codec:decode(bytes)
    for i = 1, 600 do
      if not c.try(codec.decode, codec, damaged(codec, bytes, i)) then refused = refused + 1 end
    end
    if not same(codec:decode(bytes), good) then error('the good stream decodes otherwise afterwards', 0) end
    return ('600 streams, %d refused'):format(refused)
  end },
  { 'names its library', function(codec)
    if codec.library == '' then error('library() is empty; results could not say what made them', 0) end
    return codec.library
  end },
}

-- Prints a line a check; true if all passed.
return function(codec)
  local good = true
  print(visible(('%s: %s'):format(codec.name, codec.text)))
  if codec.kind ~= 'image' then c.fail('plugin check: %s is a codec of sounds; needs one of images', codec.name) end
  for _, row in ipairs(checks) do
    io.write('  ', row[1], ' ... ')
    io.flush()
    local ok, remark = c.try(row[2], codec)
    print(visible(ok and 'yes (' .. remark .. ')' or 'NO: ' .. tostring(remark)))
    good = good and ok
  end
  return good
end
