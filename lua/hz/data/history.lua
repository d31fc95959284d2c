-- history.lua: what the pixels of a set say of their past, whatever files hold them now: a PNG made of a JPEG is not
-- raw, and a picture that was coded twice has lost more than its file says. A sample of the items is looked at
-- (comb.lua).
--
-- Measured on 200 pictures of 32x32 each of camera and CIFAR-10: codings of quality 50 to 95, 4:2:0 or 4:4:4, are found
-- in 99 of 100 pictures or more, their quality within 3; a coarser one before (60 then 90, 75 then 90, 60 then 75) in
-- 9 of 10; in none of the untouched ones, of noise and of gradients.
local c = require 'hz.c'
local comb = require 'hz.data.comb'
local names = require 'hz.base.names'
local progress = require 'hz.base.progress'
local traits = require 'hz.data.traits'

local M = {}

local LOOKED = 500                 -- items, evenly taken
local PIXELS = 2 ^ 24              -- of all of them: large ones are fewer
local RARE = 0.01                  -- of the items: what is rarer is no matter
local SHOWN = 4                    -- qualities that are named

-- ---- looking ----

-- Quality that the file of item i has in its head at least; nil: it is no JPEG.
local function of_file(set, i)
  if not set.stored or set.stored[i][2] == 0 then return nil end         -- a PNG has no tables
  return tonumber((set.files.facts.quality or '1'):match '%d+')
end

-- What the head of a JPEG says, too, is no news.
local function is_news(first, last, own) return not own or last > first or first <= own - comb.closer end

-- Of a sample: list of { first, last (qualities, nil: none seen), label }, how many, and how many are news. nil: items
-- are no pictures, or too small.
function M.sample(set)
  local items = set.items
  if items.ndim ~= 4 or items:type() ~= 'u8' then return nil end
  local n, h, w, channels = unpack(items:size())
  if math.min(h, w) < comb.least_side then return nil end
  local step = math.max(1, math.ceil(n / math.min(LOOKED, math.max(8, PIXELS / (h * w)))))
  local room, shown, list, news = comb.room(h, w), progress.new(), {}, 0
  for i = 1, n, step do
    c.poll()
    shown:show(('looking for traces of JPEG: %d of %d'):format(i - 1, n))
    local item = items[i]:contiguous()
    local quality, blocks = comb.look(item:pointer 'read', h, w, channels, room)
    local seen = { label = set.labels[i] }
    if quality then
      local first, last = comb.twice(room, blocks, quality)
      if is_news(first, last, of_file(set, i)) then seen.first, seen.last, news = first, last, news + 1 end
    end
    list[#list + 1] = seen
  end
  shown:clear()
  return list, news
end

-- ---- words ----

-- Counts of what was seen, { n, first, last }, the most first; qualities that are nearly one are one.
local function kinds_of(list)
  local counts, kinds = {}, {}
  for _, s in ipairs(list) do
    local key = s.first and s.first * 128 + s.last
    if key then counts[key] = (counts[key] or 0) + 1 end
  end
  for key, n in pairs(counts) do kinds[#kinds + 1] = { n, math.floor(key / 128), key % 128 } end
  table.sort(kinds, function(a, b) return a[1] > b[1] or a[1] == b[1] and a[2] < b[2] end)
  local out = {}
  for _, kind in ipairs(kinds) do
    local home
    for _, o in ipairs(out) do
      local alike = (o[2] == o[3]) == (kind[2] == kind[3]) and math.abs(o[3] - kind[3]) <= comb.closer
      home = home or alike and math.abs(o[2] - kind[2]) <= comb.closer and o
    end
    if home then home[1] = home[1] + kind[1] else out[#out + 1] = { unpack(kind) } end
  end
  table.sort(out, function(a, b) return a[1] > b[1] or a[1] == b[1] and a[2] < b[2] end)
  return out
end

local function told(kinds)
  local parts = {}
  for i = 1, math.min(SHOWN, #kinds) do
    local n, first, last = unpack(kinds[i])
    parts[i] = first == last and ('%d of quality about %d'):format(n, first)
      or ('%d compressed twice, about %d, then %d'):format(n, first, last)
  end
  if #kinds > SHOWN then parts[#parts + 1] = 'others' end
  return table.concat(parts, '; ')
end

-- Whether all is well (nil: worth knowing), and what there is to say.
function M.words(set)
  local list, news = M.sample(set)
  if not list then return true, 'not looked for in items of this shape' end
  local looked = #list < #set and ('%d items looked at'):format(#list) or ('%d items'):format(#list)
  if news <= RARE * #list then
    return true, ('no trace of %s in the pixels of %s'):format(
      set.files and set.files.facts.kinds.JPEG and 'a JPEG before that of the files' or 'JPEG', looked)
  end
  local text = ('the pixels of %d of %s were a JPEG before: %s'):format(news, looked, told(kinds_of(list)))
  local answers = {}
  for i, s in ipairs(list) do answers[i] = { s.first and 'JPEG before' or 'none seen', s.label } end
  local tells = traits.tells(answers, set.classes)
  if tells then return false, ('%s; it %s'):format(text, tells) end
  return nil, text .. '; raw is what that left'
end

return names.guard('history', M)
