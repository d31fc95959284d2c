-- memory.lua: questions of memory: what is lent is not overstepped, what is read stays as it was, what is taken is
-- given back. Rows as questions.lua explains; core/codec/guard.c says what guarded memory is.
local c = require 'hz.c'
local ffi = require 'ffi'
local items = require 'hz.cli.check.items'
local media = require 'hz.codec.media'
local usage = require 'hz.ext.usage'
local C = c.C

-- ---- what is lent ----

local function guarded(s)
  local list = { s:item 'usual', s:item 'short', s:item 'small', s:item 'large' }
  if s.kind == 'image' then
    for _, size in ipairs { { 1, 1 }, { 7, 5 }, { 31, 33 }, { 1, 700 }, { 700, 1 } } do
      list[#list + 1] = items.picture(size[1], size[2], s.channels[1], 2)
    end
  else
    for _, n in ipairs { 1, 577 } do list[#list + 1] = items.sound(n, s.channels[1], s.rate, 2) end
  end
  return list
end

-- Into the very places of a set, where there is room for one image and no more.
local function into_places(s, row)
  local shape = { 1, unpack(row.item:size()) }
  local set = row.item:reshape(shape)
  s:at('recoding of %s into a place of its own size', row.called)
  s.codec:recode(set, row.options or {})
end

local function room(s)
  local list = guarded(s)
  s:guard 'ROOM'
  for _, row in ipairs(list) do
    s:trip(s.codec, row)
    if not s.row.script then into_places(s, row) end   -- one in Lua writes tensors, not places; hz would warn of it
  end
  return s:count(#list) .. ', streams and samples at guard pages'
end

local function inputs(s)
  local list = guarded(s)
  s:guard 'INPUT'
  for _, row in ipairs(list) do s:trip(s.codec, row) end
  return s:count(#list) .. ' and streams in pages that cannot be written'
end

-- ---- what is given back ----

-- What the allocator keeps for the next call would count as used.
local uncached = { GLIBC_TUNABLES = 'glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1' }
local SOON = 2 ^ 26               -- bytes of growth that need no further calls
local HEAP, PAGES = 32, 4096       -- bytes a call that count as a leak: of the heap, of address space
local WARM, FEWEST, MOST = 4, 8, 2048      -- calls before a measurement, and of one
local PATIENCE = 0.2               -- seconds for it

local function used() return usage.heap(), usage.mapped() end

-- Calls f up to n times, fewer where memory grows fast: how often, and what is used then.
local function run(f, n)
  local heap, mapped = used()
  for i = 1, n do
    f()
    if i % FEWEST == 0 and usage.heap() - heap + usage.mapped() - mapped > SOON then n = i; break end
  end
  collectgarbage()
  return n, used()
end

-- How many calls take about `PATIENCE`.
local function calls_in(f)
  local start, n, heap = C.hz_seconds(), 0, usage.heap()
  repeat
    f()
    n = n + 1
  until n >= WARM and (C.hz_seconds() - start > PATIENCE / 8 or usage.heap() - heap > SOON)
  return math.max(FEWEST, math.min(MOST, math.floor(n * PATIENCE / (C.hz_seconds() - start))))
end

local ROUNDS = 8

-- A library may keep some; there is a limit to them, which a codec that loses one each time soon reaches.
local KEPT = 64

local function look_handles(what, before)
  for kind, n in pairs(usage.handles()) do
    if n - before[kind] > KEPT then error(('%s leaves %d %ss behind'):format(what, n - before[kind], kind), 0) end
  end
end

local function bytes_text(n) return n >= 2 ^ 20 and ('%.1f MB'):format(n / 2 ^ 20) or ('%.0f bytes'):format(n) end

-- What is used at the end of each round grows by at least so much for each call: that is lost; caches grow once, and
-- what is free comes and goes.
local function leak(s, what, f)
  s:at('%s, many times', what)
  local open = usage.handles()
  local n, all, least = calls_in(f), 0, math.huge
  local _, heap, mapped = run(f, n)
  for _ = 1, ROUNDS do
    s:at('%s, many times more', what)
    local calls, heap_now, mapped_now = run(f, n)
    look_handles(what, open)
    local lost, pages = (heap_now - heap) / calls, (mapped_now - mapped) / calls
    if lost < HEAP and pages < PAGES then return end
    least, all = math.min(least, math.max(lost, pages >= PAGES and pages or 0)), all + calls
    heap, mapped = heap_now, mapped_now
  end
  error(('%s loses %s each time (%d calls)'):format(what, bytes_text(least), all), 0)
end

local function calls_of(s)
  local row = s:item 'short'
  local one = media.item(media.kinds[s.kind], s.about.name, row.item, row.options or {})
  local stream, m, bytes = ffi.new 'hz_stream', ffi.new 'hz_media', s:encode(s.codec, row)
  local h = s.codec.handle
  local cut, turn = { bytes:sub(1, -2), ('hz '):rep(100) }, 0
  for i = 1, 7 do cut[#cut + 1] = bytes:sub(1, math.ceil(#bytes * i / 8)) end
  return {
    { 'create and destroy', function()
      c.into(C.hz_codec_free, c.into(C.hz_codec_new, s.about.name, s.codec.text))
    end },
    { 'encode', function() c.into(C.hz_codec_encode, h, one.media, stream) end },
    { 'decode', function() c.into(C.hz_codec_decode, h, bytes, #bytes, m) end },
    { 'refused streams', function()
      turn = turn % #cut + 1
      c.into(C.hz_codec_decode, h, cut[turn], #cut[turn], m)
    end },
  }, one
end

local function leaks(s)
  local names, list, lent = {}, calls_of(s)            -- `lent`: the samples that the calls read
  for i, row in ipairs(list) do
    leak(s, row[1], row[2])
    names[i] = row[1]
  end
  return lent and 'none by ' .. table.concat(names, ', ')
end

return {
  { 'room', room, asks = 'nothing is written outside the memory lent' },
  { 'inputs', inputs, asks = 'what it reads is not written, nor read past its end' },
  { 'leaks', leaks, set = uncached, asks = 'memory that it takes is given back' },
}
