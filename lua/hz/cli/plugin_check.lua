-- plugin_check.lua: does a codec keep the promises of the interface? For authors of plugins: hz plugin check NAME. The
-- core checks each call (account adds up, shapes fit); here it is made to, over many items, and what only shows in
-- comparison is compared. A crash ends hz itself, right after the line that says what was being tried.
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.line
local bit = require 'bit'

-- ---- what is tried, by kind ----

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

-- Noise of 16 bits that gets less with frequency, another one in each channel: (frames,channels) f32.
local function sound(frames, channels, seed)
  local t = tensor.empty({ frames, channels }, 'f32')
  local p = t:pointer()
  for k = 0, channels - 1 do
    local state, low = seed + 100 * k + 1, 0
    for i = k, frames * channels - 1, channels do
      state = (state * 16807) % 2147483647
      low = 0.8 * low + 0.36 * (state / 2147483647 - 0.5)
      p[i] = math.floor(32768 * low) / 32768
    end
  end
  return t
end

-- Rows { item, options of encode, how it is called }.
local function pictures()
  local rows = {}
  for _, size in ipairs { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 8, 8 }, { 9, 17 }, { 16, 16 }, { 31, 33 }, { 32, 32 },
    { 130, 257 } } do
    for _, channels in ipairs { 1, 3 } do
      local h, w = unpack(size)
      rows[#rows + 1] = { picture(h, w, channels, 5), nil, ('(%d,%d,%d)'):format(h, w, channels) }
    end
  end
  return rows
end

local function sounds()
  local rows = {}
  for _, rate in ipairs { 8000, 22050, 44100, 48000 } do
    for _, frames in ipairs { 1, 2, 100, 1152, 4001 } do
      for channels = 1, 2 do
        rows[#rows + 1] = { sound(frames, channels, 5), { rate = rate }, ('(%d,%d) at %d Hz'):format(frames, channels,
          rate) }
      end
    end
  end
  return rows
end

-- items(): rows as above; most: channels; one(channels, seed): an item of this shape, with options to encode it; count:
-- of a set.
local kinds = {
  image = { name = 'image', items = pictures, most = 3, count = 200, shape = { 24, 20 }, dtype = 'u8',
    one = function(channels, seed) return picture(24, 20, channels, seed) end },
  audio = { name = 'sound', items = sounds, most = 2, count = 20, shape = { 4001 }, dtype = 'f32',
    options = { rate = 8000 }, one = function(channels, seed) return sound(4001, channels, seed) end },
}

local function same(a, b) return tensor.shape_text(a) == tensor.shape_text(b) and a:ne(b):sum() == 0 end

-- f(item, bytes, options, how it is called) for all that the codec takes.
local function for_all(codec, f)
  local n, kind = 0, kinds[codec.kind]
  for _, row in ipairs(kind.items()) do
    local item, options, called = unpack(row, 1, 3)
    local ok, bytes = c.try(codec.encode, codec, item, options)
    if ok then
      n = n + 1
      f(item, bytes, options, called)
    elseif not tostring(bytes):find('channels', 1, true) then         -- a codec may refuse grey or colour
      error(bytes, 0)
    end
  end
  if n == 0 then error(('it takes %ss neither of 1 channel nor of %d'):format(kind.name, kind.most), 0) end
  return ('%d %ss'):format(n, kind.name)
end

-- The most channels of which it takes an item.
local function channels_of(codec)
  local kind = kinds[codec.kind]
  return c.try(codec.encode, codec, kind.one(kind.most, 1), kind.options) and kind.most or 1
end

local function damaged(bytes, i)
  if i <= 100 then return bytes:sub(1, math.floor(#bytes * (i - 1) / 100)) end
  local at = (i * 7919) % #bytes + 1
  return bytes:sub(1, at - 1) .. string.char(bit.bxor(bytes:byte(at), 2 ^ (i % 8))) .. bytes:sub(at + 1)
end

-- ---- sounds in time ----

local REACH = 1500                 -- frames by which a sound may be off and be found

-- By how many frames b comes after a: where the first channels are most alike.
local function offset(a, b)
  local n, width, p, q = a:size(1), a:size(2), a:pointer 'read', b:pointer 'read'
  local most, at = -math.huge, nil
  for lag = -REACH, REACH do
    local sum = 0
    for i = math.max(0, -lag), math.min(n, n - lag) - 1 do sum = sum + p[i * width] * q[(i + lag) * width] end
    if sum > most then most, at = sum, lag end
  end
  return at
end

local function aligned(codec)
  local list = {}
  for _, rate in ipairs { 8000, 22050, 44100, 48000 } do
    local one = sound(rate / 2, channels_of(codec), rate)
    local back = codec:decode((codec:encode(one, { rate = rate })))
    local off = offset(one, back)
    if off ~= 0 then error(('at %d Hz it comes back %d frames late'):format(rate, off), 0) end
    list[#list + 1] = rate
  end
  return ('at %s Hz'):format(table.concat(list, ', '))
end

-- ---- the checks ----

-- Rows: what is tried, and a function(codec) -> a remark; errors are the finding. kind: of the only codecs that it
-- concerns.
local checks = {
  { 'encodes, decodes and accounts for every byte', function(codec)
    return for_all(codec, function(item, bytes, _, called)
      local back = codec:decode(bytes)
      if tensor.shape_text(back) ~= tensor.shape_text(item) then
        error(called .. ' came back as ' .. tensor.shape_text(back), 0)
      end
      if codec.lossless and not same(back, item) then
        error(called .. ' came back changed, though the codec says it is lossless', 0)
      end
    end)
  end },
  { 'makes the same stream again', function(codec)
    return for_all(codec, function(item, bytes, options, called)
      if codec:encode(item, options) ~= bytes then error(called .. ' gave another stream the second time', 0) end
    end)
  end },
  { 'gives sounds back where they were', aligned, kind = 'audio' },
  { 'recodes a set as it does single items, on 1 and on 4 threads', function(codec)
    local kind, channels = kinds[codec.kind], channels_of(codec)
    local shape = { kind.count, unpack(kind.shape) }
    shape[#shape + 1] = channels
    local set = tensor.empty(shape, kind.dtype)
    for i = 1, kind.count do set[i] = kind.one(channels, i) end
    local function recoded(threads)
      return (codec:recode(set, { threads = threads, rate = kind.options and kind.options.rate }))
    end
    local one, four = recoded(1), recoded(4)
    if not same(one, four) then error('the decoded sets differ', 0) end
    for i = 1, kind.count, math.ceil(kind.count / 10) do
      local back = codec:decode((codec:encode(set[i], kind.options)))
      if not same(back, one[i]) then error(('%s %d differs'):format(kind.name, i), 0) end
    end
    return ('%d %ss'):format(kind.count, kind.name)
  end },
  { 'survives damaged streams', function(codec)
    local kind, refused = kinds[codec.kind], 0
    local bytes = codec:encode(kind.one(channels_of(codec), 5), kind.options)
    local good = codec:decode(bytes)
    for i = 1, 600 do
      if not c.try(codec.decode, codec, damaged(bytes, i)) then refused = refused + 1 end
    end
    if not same(codec:decode(bytes), good) then error('the good stream decodes otherwise afterwards', 0) end
    return ('600 streams, %d refused'):format(refused)
  end },
  { 'names its library', function(codec)
    if codec.library == '' then error('library() is empty; results could not say what made them', 0) end
    return codec.library
  end },
}

local function try(row, codec)
  io.write('  ', row[1], ' ... ')
  io.flush()
  local ok, remark = c.try(row[2], codec)
  print(visible(ok and 'yes (' .. remark .. ')' or 'NO: ' .. tostring(remark)))
  return ok
end

-- Prints a line a check; true if all passed.
return function(codec)
  local good = true
  print(visible(('%s: %s'):format(codec.name, codec.text)))
  for _, row in ipairs(checks) do
    if not row.kind or row.kind == codec.kind then good = try(row, codec) and good end
  end
  return good
end
