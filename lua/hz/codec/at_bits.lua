-- at_bits.lua: codecs at equal bits: the value of a codec's main parameter at which a set takes so many bits per
-- sample, of payload, with tables counted once. A bisection over the declared range, on some thousand items spread over
-- the set; what it finds is weighed on all of them, and where these take more or fewer bits than the some, it is sought
-- once more for as many fewer or more. What was weighed is kept in the cache by content (set, codec, its library and
-- other values), and may be deleted at any time.
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local encoding = require 'hz.codec.encoding'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local isolate = require 'hz.codec.isolate'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local progress = require 'hz.base.progress'
local say = require 'hz.base.say'
local C = c.C

local M = {}

local SCHEMA = 1
local SOME = 2000                  -- items that the search looks at, at most
local CLOSE = 0.001                -- share of the bits within which nothing nearer is sought
local NEAR = 0.005                 -- the same of all items
local REACHED = 0.02               -- share by which the fewest or most bits that can be may miss what was asked for
local AGAIN = 3                    -- values that are weighed on all items, but for a neighbour

-- ---- the parameter ----

local function has_range(p)
  return (p.type == 'int' or p.type == 'float') and p.low and p.direction ~= 0 and not p.length and not p.fixed
end

-- One whose default is an end of its range may be off there, as the quality of mp3.
local function is_inside(p) return p.standard > p.low and p.standard < p.high end

-- Whether it is of a stage that loses nothing: its effort.
local function is_of_lossless(p)
  local stage = p.name:match '^([^.]+)%.'
  return stage ~= nil and plugins.has(stage) and plugins.codec(stage).lossless
end

-- Of a codec's parameters (plugins.codec) the one that bits are met by: the main one, or the first that has a range and
-- a direction where the main one has none, or may be off. nil without, and for a codec without loss.
function M.parameter(about)
  if about.lossless then return nil end
  local params = {}
  for _, p in ipairs(about.params) do
    if not is_of_lossless(p) then params[#params + 1] = p end
  end
  local list = { encoding.main(params) }
  for _, p in ipairs(params) do list[#list + 1] = p end
  for _, test in ipairs { function(p) return has_range(p) and is_inside(p) end, has_range } do
    for _, p in ipairs(list) do
      if test(p) then return p end
    end
  end
end

-- ---- the search ----

-- The first value that is taken from v on, in steps of a whole number; nil without one before `stop`, which counts.
local function next_taken(p, takes, v, step, stop)
  while (stop - v) * step >= 0 do
    if takes(v) then return v end
    if p.type ~= 'int' then return nil end
    v = v + step
  end
end

-- A value between two others, nil where there is none.
local function between(p, takes, low, high)
  local middle = (low + high) / 2
  middle = p.type == 'int' and math.floor(middle) or tonumber(('%.4g'):format(middle))
  if middle == low or middle == high then return nil end
  if p.type ~= 'int' then return takes(middle) and middle or nil end
  local step = low < high and 1 or -1
  return next_taken(p, takes, middle, step, high - step) or next_taken(p, takes, middle, -step, low + step)
end

local function any() return true end

-- The value of a parameter (a row of plugins.lua) at which bits_of(value), which follows its direction, comes nearest
-- to `wanted`, and these bits. A value with fractions has four digits. takes(value): whether the codec takes it (nil:
-- all of the range).
function M.nearest(bits_of, p, wanted, takes)
  takes = takes or any
  local best, bits
  local function try(v)
    local b = bits_of(v)
    if not best or math.abs(b - wanted) < math.abs(bits - wanted) then best, bits = v, b end
    return b
  end
  local low, high = next_taken(p, takes, p.low, 1, p.high) or p.low, next_taken(p, takes, p.high, -1, p.low) or p.high
  if p.direction < 0 then low, high = high, low end    -- of few bits, of many
  if try(low) >= wanted or try(high) <= wanted then return best, bits end
  while math.abs(bits - wanted) > CLOSE * wanted do
    local middle = between(p, takes, low, high)
    if not middle then break end
    if try(middle) < wanted then low = middle else high = middle end
  end
  return best, bits
end

-- ---- weighing ----

local function bits_of_images(set, codec, step, apart)
  local items = set.items
  if step > 1 then items = items:slice(1, 1, #set.labels, step) end
  local _, account = codec:recode(items:contiguous(), { isolate = apart })
  return account.bits_per_sample
end

local function bits_of_sounds(set, codec, step, apart)
  local clips, all, some = set.sounds, set.sounds:numbers(set.clips), {}
  for i = 1, #all, step do some[#some + 1] = all[i] end
  local seen, payload, samples, once = c.own(C.hz_tables_new, C.hz_tables_free), 0, 0, 0
  clips:portions(some, ('%s{%s}'):format(codec.name, codec.text), function(sound, frames)
    local _, a = codec:recode(sound, { rate = clips.rate, frames = frames, tables = seen, isolate = apart })
    payload, once = payload + a:payload():sum(), a.tables_once
    samples = samples + a.samples * a.sounds
  end)
  return 8 * (payload + once) / samples
end

-- ---- the cache: bits by 'all VALUE' and 'some VALUE' ----

local function path_of(key)
  local home = file.cache_home()
  return home and file.join(file.join(home, 'bits'), key:sub(1, 40) .. '.json')
end

local function load(path, key)
  local kept = json.decode(file.read_all(path), path)
  fields.check(path, kept, { key = 'string', bits = 'values' })
  if kept.key ~= key then c.fail('%s: it holds the bits of something else', path) end
  for name, bits in pairs(kept.bits) do
    if type(bits) ~= 'number' or not (bits > 0) then c.fail("%s: bits of '%s' are no number above 0", path, name) end
  end
  return kept.bits
end

local function recall(path, key)
  if not path or not file.exists(path) then return {} end
  local ok, bits = c.try(load, path, key)
  if ok then return bits end
  say(tostring(bits) .. '; the bits are weighed anew')
  return {}
end

local function keep(path, key, bits)
  if not path then return end
  local ok, e = c.try(function()
    file.mkdir(file.folder_of(path))
    file.sweep(file.folder_of(path))
    file.write(path, json.encode { key = key, bits = bits })
  end)
  if not ok then say(('%s; going on without the cache'):format(e)) end
end

-- What decides the bits of a value of the parameter p.
local function key_of(set, codec, p)
  local others = {}
  for one in (codec.text .. ';'):gmatch '([^;]+);' do
    if not p or one:sub(1, #p.name + 1) ~= p.name .. '=' then others[#others + 1] = one end
  end
  return crypto.sha256(json.encode { schema = SCHEMA, some = SOME, digest = set.digest, recoded = set.recoded,
    made = set.sounds and set.sounds.made, codec = codec.fingerprint, others = others, parameter = p and p.name })
end

local function with(asked, p, v)
  local values = {}
  for k, x in pairs(asked) do values[k] = x end
  if p then values[p.name] = v end
  return values
end

-- function(value, step) -> bits per sample, of every step-th item (value nil: the codec as it is), and
-- function(value) -> whether the codec takes it.
local function scale(set, name, asked, p, mode)
  local codec = encoding.make(name, asked, mode).codec
  local key = key_of(set, codec, p)
  local path, weigh = path_of(key), set.sounds and bits_of_sounds or bits_of_images
  local known = recall(path, key)
  local function place(v, step) return (step > 1 and 'some ' or 'all ') .. (v == nil and '' or ('%.17g'):format(v)) end
  local function bits(v, step)
    local what = place(v, step)
    if not known[what] then
      local one = encoding.make(name, with(asked, p, v), mode).codec
      known[what] = weigh(set, one, step, isolate.wanted(mode, one))
      keep(path, key, known)
    end
    return known[what]
  end
  return bits, function(v)
    return known[place(v, 1)] or known[place(v, 2)] or (c.try(encoding.make, name, with(asked, p, v), mode))
  end
end

-- ---- asking ----

local function found(p, v, bits, wanted)
  return { parameter = p and p.name, value = v, bits = bits, wanted = wanted }
end

local function nearer(a, b) return math.abs(a.bits - a.wanted) < math.abs(b.bits - b.wanted) and a or b end

-- The value beside a whole one, on the side of what is wanted.
local function beside(p, takes, one)
  local way = (one.bits < one.wanted and 1 or -1) * p.direction
  return p.type == 'int' and next_taken(p, takes, one.value + way, way, way > 0 and p.high or p.low) or nil
end

-- Whether there is nothing nearer to what is wanted because the range ends, or the codec has no parameter.
local function is_last(p, takes, one)
  if not p or p.type == 'int' then return not p or not beside(p, takes, one) end
  return one.value == p.low or one.value == p.high
end

local function search(p, bits, takes, step, wanted)
  local best, target, tried = nil, wanted, {}
  for _ = 1, AGAIN do
    local v = M.nearest(function(v) return bits(v, step) end, p, target, takes)
    if tried[v] then break end
    tried[v] = true
    local one = found(p, v, bits(v, 1), wanted)
    best = best and nearer(one, best) or one
    if step == 1 or math.abs(one.bits - wanted) <= NEAR * wanted then break end
    target = target * wanted / one.bits
  end
  local v = step > 1 and beside(p, takes, best)
  return v and not tried[v] and nearer(best, found(p, v, bits(v, 1), wanted)) or best
end

-- The value of a codec's main parameter at which a set takes `wanted` bits per sample: { parameter, value (both nil of
-- a codec without such a parameter, or without loss), bits, wanted, reached, most = whether these are the most that can
-- be, else the fewest, lossless }. name: of a codec; asked: other values (encoding.make); mode: isolate.lua. A
-- codec that fails raises.
function M.find(set, name, asked, wanted, mode)
  local about = plugins.codec(name)
  local p = M.parameter(about)
  local step = math.ceil(#set.labels / SOME)
  local shown, bits, takes = progress.new(), scale(set, name, asked, p, mode)
  shown:show(('%s at %.4g bits per sample'):format(name, wanted))
  local ok, one = pcall(function()
    return p and search(p, bits, takes, step, wanted) or found(nil, nil, bits(nil, 1), wanted)
  end)
  shown:clear()
  if not ok then error(one, 0) end
  one.reached = not is_last(p, takes, one) or math.abs(one.bits - wanted) <= REACHED * wanted
  one.most, one.lossless = one.bits < wanted, about.lossless
  return one
end

return M
