-- shapes.lua: questions of what a codec says that it takes: values in their ranges, sizes, channels, rates. Rows as
-- questions.lua explains.
local c = require 'hz.c'
local items = require 'hz.cli.check.items'
local plugins = require 'hz.codec.plugins'
local subject = require 'hz.cli.check.subject'
local values_of = require 'hz.cli.check.values'

-- There and back; a lossless codec gives the very same.
local function trip(s, codec, row)
  local back, bytes = s:trip(codec, row)
  if s.lossless and not subject.same(back, row.item) then
    error(row.called .. ' came back changed, though the codec says it is lossless', 0)
  end
  if s.base then s:look(row.called) end
  return #bytes
end

-- ---- values ----

local function settings(s)
  local list = {}
  for _, p in ipairs(s.about.params) do
    for _, v in ipairs(values_of.ends(p) or {}) do list[#list + 1] = { p.name, v } end
  end
  return list
end

local function ranges(s)
  local list = settings(s)
  for _, setting in ipairs(list) do
    local name, v = unpack(setting)
    local ok, e = c.try(function()
      local codec = s:make { [name] = v }
      for _, which in ipairs { 'usual', 'short' } do trip(s, codec, s:item(which)) end
      if s.kind == 'image' then trip(s, codec, items.picture(1, 1, s.channels[1], 1)) end
    end)
    if not ok then error(('%s=%s: %s'):format(name, plugins.value_text(v), tostring(e)), 0) end
  end
  return ('%d values of %d parameter%s'):format(#list, #s.about.params, #s.about.params == 1 and '' or 's')
end

local function has_ranges(s)
  return #settings(s) == 0 and (#s.about.params == 0 and 'it has no parameters' or 'no parameter has a range')
end

-- ---- direction ----

local TOLERANCE, SLACK = 0.02, 8                       -- share, and bytes for each item, that a step may be off

local function bytes_of(s, values)
  local ok, codec = c.try(s.make, s, values)
  if not ok then return nil end                        -- between the ends a value may be refused: bitrates of MP3
  local sum = 0
  for seed = 1, 3 do sum = sum + #s:encode(codec, s:item('usual', seed)) end
  return sum
end

local function ladder(s, p)
  local rows = {}
  for _, v in ipairs(values_of.steps(p)) do
    local bytes = bytes_of(s, { [p.name] = v })
    if bytes then rows[#rows + 1] = { plugins.value_text(v), bytes } end
  end
  return rows
end

-- Whether anything moved; then a default at the end of its range that stands aside, as -1 for "off" does.
local function climbs(p, rows)
  for i = 2, #rows do
    local low, high = rows[i - 1], rows[i]
    if p.direction < 0 then low, high = high, low end
    local off = (i == 2 and rows[1][1] or i == #rows and rows[i][1]) == plugins.value_text(p.standard)
    if high[2] < low[2] * (1 - TOLERANCE) - 3 * SLACK then
      if off and #rows > 2 then return true, rows[i == 2 and 1 or i][1] end
      error(('%s is declared %s, but takes %d bytes at %s and %d at %s'):format(p.name, p.direction > 0 and '+' or '-',
        rows[i - 1][2], rows[i - 1][1], rows[i][2], rows[i][1]), 0)
    end
  end
  return #rows > 1 and rows[1][2] ~= rows[#rows][2], nil
end

local function directed(s)
  local list = {}
  for _, p in ipairs(s.about.params) do
    if p.direction ~= 0 and values_of.steps(p) then list[#list + 1] = p end
  end
  return list
end

local function direction(s)
  local list, idle = directed(s), {}
  local moved = {}
  for _, p in ipairs(list) do
    local any, aside = climbs(p, ladder(s, p))
    table.insert(any and moved or idle, p.name .. (aside and (' (but for %s)'):format(aside) or ''))
  end
  local rest = #idle > 0 and '; no effect here: ' .. table.concat(idle, ', ') or ''
  return (#moved > 0 and table.concat(moved, ', ') .. ' (2 % tolerated)' or 'none moves') .. rest
end

local function has_direction(s) return #directed(s) == 0 and 'no parameter with a range has a direction' end

-- ---- shapes ----

local sizes = { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 2, 2 }, { 8, 8 }, { 9, 17 }, { 16, 16 }, { 31, 33 }, { 130, 257 },
  { 1, 4096 }, { 4096, 1 } }
local lengths = { 1, 2, 3, 100, 575, 1152, 4001, 50000 }

-- Those that it takes, few of many.
local function both(s)
  return s.channels[1] == s.most and { s.most } or { s.channels[1], s.most }
end

local function all_sizes(s)
  s:measure()
  for _, channels in ipairs(both(s)) do
    for _, size in ipairs(sizes) do trip(s, s.codec, items.picture(size[1], size[2], channels, 5)) end
  end
  return s:count(#sizes * #both(s)) .. ', from 1x1 to 1x4096 and 4096x1'
end

local function all_lengths(s)
  s:measure()
  for _, channels in ipairs(both(s)) do
    for _, n in ipairs(lengths) do trip(s, s.codec, items.sound(n, channels, s.rate, 5)) end
  end
  return s:count(#lengths * #both(s)) .. ', from 1 frame to 50000'
end

local function all_channels(s)
  for _, n in ipairs(s.channels) do
    for _, which in ipairs { 'short', 'usual' } do trip(s, s.codec, s:item(which, 5, n)) end
  end
  return table.concat(s.channels, ', ') .. (s.channels[#s.channels] == 1 and ' channel' or ' channels')
end

local function all_rates(s)
  for _, rate in ipairs(s.rates) do
    for _, n in ipairs { 1, 480, 4001 } do trip(s, s.codec, items.sound(n, s.most, rate, 5)) end
  end
  return table.concat(s.rates, ', ') .. ' Hz'
end

return {
  { 'direction', direction, unless = has_direction, asks = 'bytes rise or fall with a parameter as it declares' },
  { 'ranges', ranges, unless = has_ranges, asks = 'both ends of every range and every choice work' },
  { 'sizes', all_sizes, kind = 'image', asks = 'pictures of 1x1, of odd sizes, very wide and very high ones' },
  { 'lengths', all_lengths, kind = 'audio', asks = 'sounds of one frame and more' },
  { 'channels', all_channels, asks = 'every number of channels that it says it takes' },
  { 'rates', all_rates, kind = 'audio', asks = 'every rate that it says it takes' },
}
