-- sense.lua: questions of what comes back, where it stands, what its bytes are said to be, and how fast it goes. Rows
-- as questions.lua explains.
local c = require 'hz.c'
local ffi = require 'ffi'
local items = require 'hz.cli.check.items'
local subject = require 'hz.cli.check.subject'

-- ---- is it the same item? ----

-- What channel i of a is to channel k of b, `shift` samples of a channel further on: mean squared difference, the same
-- after the best gain and offset, that gain, and the variance of a alone.
local function compare(a, b, channels, i, k, shift)
  local p, q, n = a:pointer 'read', b:pointer 'read', a:count() / channels
  local from, to = math.max(0, -shift), math.min(n, n - shift) - 1
  local x1, x2, y1, y2, xy = 0, 0, 0, 0, 0
  for at = from, to do
    local x, y = tonumber(p[at * channels + i]), tonumber(q[(at + shift) * channels + k])
    x1, x2, y1, y2, xy = x1 + x, x2 + x * x, y1 + y, y2 + y * y, xy + x * y
  end
  n = to - from + 1
  local vx, vy, cov = x2 / n - (x1 / n) ^ 2, y2 / n - (y1 / n) ^ 2, xy / n - x1 / n * (y1 / n)
  local gain = vy > 0 and cov / vy or 0
  return (x2 - 2 * xy + y2) / n, vx - gain * cov, gain, vx
end

-- Exchanging two channels, moving by a place, or another gain makes it clearly better: then that is what happened.
local BETTER = 0.6
-- Of its variance: a channel may be lost to its codec, as the low one of 5.1 is; an inverted one is off by 4, a moved
-- one by about 2.
local OFF = 1.4
local FAINT = 0.004                -- of its variance: below, a difference is coding

local function look_crossed(row, back, channels, i, own)
  for k = i + 1, channels - 1 do
    local crossed = compare(row.item, back, channels, i, k, 0) + compare(row.item, back, channels, k, i, 0)
    if crossed < BETTER * (own + compare(row.item, back, channels, k, k, 0)) then
      error(('channels %d and %d of %s came back exchanged'):format(i + 1, k + 1, row.called), 0)
    end
  end
end

-- By one place in either direction: pixels along and across, frames.
local function look_moved(row, back, channels, i, own)
  local wide = row.item:size(2)
  for _, shift in ipairs(row.options and { 1, -1 } or { 1, -1, wide, -wide }) do
    if compare(row.item, back, channels, i, i, shift) < BETTER * own then
      error(('channel %d of %s came back moved by one %s'):format(i + 1, row.called, row.options and 'frame'
        or math.abs(shift) == 1 and 'column' or 'row'), 0)
    end
  end
end

-- Of all channels together: one alone may be given up for the others.
local function look_scaled(row, back)
  local own, fitted, gain, variance = compare(row.item, back, 1, 0, 0, 0)
  if own > FAINT * variance and fitted < BETTER * own and gain > 0 then
    error(('%s came back with another gain or offset; %.2f times it, moved, is nearer'):format(row.called, gain), 0)
  end
end

local function look(row, back, channels)
  local errors, variances = 0, 0
  for i = 0, channels - 1 do
    local own, _, _, variance = compare(row.item, back, channels, i, i, 0)
    if own > OFF * variance then
      error(('channel %d of %s came back further from it than a plain mean (inverted or moved?)'):format(i + 1,
        row.called), 0)
    end
    if own > FAINT * variance then
      look_crossed(row, back, channels, i, own)
      look_moved(row, back, channels, i, own)
    end
    errors, variances = errors + own, variances + variance
  end
  if errors >= variances then
    error(('%s came back further from it than a plain mean (inverted, moved or empty?)'):format(row.called), 0)
  end
  look_scaled(row, back)
  return errors / variances
end

local function roundtrip(s)
  local worst, n = 0, 0
  for _, which in ipairs { 'usual', 'large' } do
    for _, channels in ipairs(s.channels) do
      local row = s:item(which, 4, channels)
      local back = s:trip(s.codec, row)
      if not s.lossless then worst = math.max(worst, look(row, back, channels)) end
      if s.lossless and not subject.same(back, row.item) then
        error(row.called .. ' came back changed, though the codec says it is lossless', 0)
      end
      n = n + 1
    end
  end
  if worst == 0 then return ('%s, exact'):format(s:count(n)) end
  return ('%s, signal to noise %.1f dB or more'):format(s:count(n), -10 * math.log10(worst))
end

-- ---- where it stands ----

local REACH = 1500                 -- frames by which a sound may be off and be found

-- By how many frames b comes after a, where the first channels are most alike, and how alike (1: the same).
local function offset(a, b)
  local n, width, p, q = a:size(1), a:size(2), a:pointer 'read', b:pointer 'read'
  local most, at, own, other = -math.huge, nil, 0, 0
  for i = 0, n - 1 do own, other = own + p[i * width] ^ 2, other + q[i * width] ^ 2 end
  for lag = -REACH, REACH do
    local sum = 0
    for i = math.max(0, -lag), math.min(n, n - lag) - 1 do sum = sum + p[i * width] * q[(i + lag) * width] end
    if sum > most then most, at = sum, lag end
  end
  return at, most / math.sqrt(own * other + 1e-30)
end

-- Frames at this rate of what a stream holds when nobody says how long its original was; its own rate may be another.
local function length_alone(s, bytes, rate)
  local m = ffi.new 'hz_media'
  c.check(c.into(c.C.hz_codec_decode, s.codec.handle, bytes, #bytes, m))
  return math.ceil(tonumber(m.frames) * rate / m.rate)
end

local function delay(s)
  for _, rate in ipairs(s.rates) do
    local row = items.noise(math.floor(rate / 2), s.most, rate, 7)
    local back, bytes = s:trip(s.codec, row)
    local off, alike = offset(row.item, back)
    if off ~= 0 or alike < 0.3 then
      error(alike < 0.3 and ('at %d Hz nothing within %d frames is like it'):format(rate, REACH)
        or ('at %d Hz it comes back %d frames %s: the declared delay is off by that'):format(rate, math.abs(off),
          off > 0 and 'late' or 'early'), 0)
    end
    s:at('decode at %d Hz without a length', rate)
    local alone = length_alone(s, bytes, rate)
    if alone < row.item:size(1) then
      error(('at %d Hz %d frames are left of %d: the declared delay and tail cut too much'):format(rate, alone,
        row.item:size(1)), 0)
    end
  end
  return 'none to hear at ' .. table.concat(s.rates, ', ') .. ' Hz'
end

-- ---- what its bytes are ----

local function pieces(bytes, account, part)
  local list = {}
  for _, segment in ipairs(account.segments) do
    if segment.part == part then
      list[#list + 1] = bytes:sub(segment.offset + 1, segment.offset + segment.bytes)
    end
  end
  return table.concat(list, '|')
end

-- Of what an item has more than another, more than half is to be payload.
local function growth(s)
  local _, small = s:encode(s.codec, s:item 'small')
  local _, large = s:encode(s.codec, s:item 'large')
  local more = large.bytes - small.bytes
  if more > 64 and large.payload - small.payload < more / 2 then
    error(('a larger %s takes %d bytes more, of which %d are payload, %d tables, %d container'):format(
      items.kinds[s.kind].name, more, large.payload - small.payload, large.tables - small.tables,
      large.container - small.container), 0)
  end
end

local function account(s)
  local list = {}
  for seed = 1, 2 do
    local row = s:item('usual', seed)
    local back, bytes, one = s:trip(s.codec, row)
    if one.payload == 0 then
      error(('of %d bytes it names none as payload (%d tables, %d container)'):format(one.bytes, one.tables,
        one.container), 0)
    end
    list[seed] = { back = back, payload = pieces(bytes, one, 'payload'), tables = pieces(bytes, one, 'tables'),
      account = one }
  end
  local a, b = unpack(list)
  if a.payload == b.payload and not subject.same(a.back, b.back) then
    error(('the payload of two different %ss is the same, what tells them apart is named otherwise'):format(
      items.kinds[s.kind].name), 0)
  end
  growth(s)
  local spent = ('payload %d, tables %d, container %d bytes'):format(a.account.payload, a.account.tables,
    a.account.container)
  if a.account.tables == 0 then return spent end
  return spent .. (a.tables == b.tables and '; tables shared' or '; tables differ with content')
end

-- ---- how fast ----

local LEAST = 0.25                 -- seconds of measuring

-- Times per second.
local function often(f)
  f()
  local n, start = 0, c.C.hz_seconds()
  repeat
    f()
    n = n + 1
  until c.C.hz_seconds() - start > LEAST
  return n / (c.C.hz_seconds() - start)
end

local function speed(s)
  local row = s:item 'large'
  local bytes = s:encode(s.codec, row)
  local to = often(function() s:encode(s.codec, row) end)
  local back = often(function() s:decode(s.codec, bytes) end)
  if s.kind == 'audio' then
    local seconds = row.item:size(1) / s.rate
    return ('a core encodes %.4g s of sound a second, decodes %.4g s'):format(to * seconds, back * seconds)
  end
  local pixels = row.item:size(1) * row.item:size(2) / 1e6
  return ('a core encodes %.4g Mpixel/s, decodes %.4g'):format(to * pixels, back * pixels)
end

return {
  { 'roundtrip', roundtrip, asks = 'what comes back is the item: exact where lossless, else close to it' },
  { 'delay', delay, kind = 'audio', asks = 'sounds come back where they were: the declared delay is the measured one' },
  { 'account', account, asks = 'the parts add up; payload moves with the content' },
  { 'speed', speed, asks = 'on one core' },
}
