-- damage.lua: questions of streams that are not whole: each is refused or decodes to something, in bounded time and
-- memory, without reading past its end; afterwards a good one decodes as before. Rows as questions.lua explains.
local bit = require 'bit'
local c = require 'hz.c'
local subject = require 'hz.cli.check.subject'

local MOST_SECONDS = 2             -- of processor time for one stream
local PATIENCE = 4                 -- seconds for all streams of a question; slow codecs get fewer

local function random(state) return (state * 16807) % 2147483647 end

local function noise(n, state)
  local t = {}
  for i = 1, n do
    state = random(state)
    t[i] = string.char(math.floor(state / 64) % 256)
  end
  return table.concat(t)
end

-- Tries what each(i) gives, { stream, how it is called }, up to n.
local function try_all(s, n, each)
  local good = s:encode(s.codec, s:item 'short')
  s:guard('ROOM', 'INPUT')
  local before, refused, tried = s:decode(s.codec, good), 0, 0
  local start = c.C.hz_seconds()
  s:measure()
  for i = 1, n do
    local stream, called = each(good, i)
    if stream and #stream > 0 then
      local at = os.clock()
      if not c.try(s.decode, s, s.codec, stream, called) then refused = refused + 1 end
      if os.clock() - at > MOST_SECONDS then
        error(('%s took %.1f s; needs less than %d'):format(called, os.clock() - at, MOST_SECONDS), 0)
      end
      s:look(called)
      tried = tried + 1
    end
    if c.C.hz_seconds() - start > PATIENCE then break end
  end
  if not subject.same(s:decode(s.codec, good), before) then
    error('the good stream decodes otherwise after damaged ones', 0)
  end
  return ('%d streams, %d refused'):format(tried, refused)
end

local FEW = 300

local function truncated(s)
  return try_all(s, FEW, function(good, i)
    local n = #good <= FEW and i - 1 or i <= 40 and i - 1 or i > FEW - 40 and #good - (FEW - i) - 1
      or math.floor(#good * (i - 40) / (FEW - 80))
    if n >= #good then return nil end
    return good:sub(1, n), ('a stream cut to %d of %d bytes'):format(n, #good)
  end)
end

local function with_byte(text, at, byte) return text:sub(1, at - 1) .. string.char(byte) .. text:sub(at + 1) end

-- All bits of the beginning, where sizes stand, then bits all over; then several at once.
local HEAD = 48
local function flipped(s)
  return try_all(s, 8 * HEAD + 2 * FEW, function(good, i)
    local k = i - 1 - 8 * HEAD
    local at = k < 0 and math.floor((i - 1) / 8) + 1 or (i * 7919) % #good + 1
    if at > #good then return nil end
    local stream = with_byte(good, at, bit.bxor(good:byte(at), 2 ^ (i % 8)))
    for more = 1, k > FEW and 4 or 0 do
      local there = (i * 104729 + more * 1299709) % #good + 1
      stream = with_byte(stream, there, (good:byte(there) + 85 * more) % 256)
    end
    return stream, ('a stream with bit %d of byte %d of %d flipped%s'):format(i % 8, at - 1, #good,
      k > FEW and ' and 4 bytes more' or '')
  end)
end

local function strange(s)
  local plain = { ('\0'):rep(1000), ('\255'):rep(1000), ('hz '):rep(700) }
  return try_all(s, 2 * FEW, function(good, i)
    if plain[i] then return plain[i], ('%d bytes of no stream'):format(#plain[i]) end
    local n = (i * 37) % 700 + 1
    if i <= FEW then return noise(n, i + 7), ('%d random bytes'):format(n) end
    local kept = (i * 5) % math.min(64, #good) + 1
    return good:sub(1, kept) .. noise(n, i), ('%d random bytes behind %d good ones'):format(n, kept)
  end)
end

return {
  { 'truncated', truncated, asks = 'streams that are cut: bounded time and memory, no crash' },
  { 'flipped', flipped, asks = 'streams with wrong bits: likewise' },
  { 'random', strange, asks = 'streams of anything: likewise' },
}
