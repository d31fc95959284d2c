-- sizes.lua: what size pictures have, and what they are to become. Options of pictures, as data=folder has them:
--   size     '64' or '64x48', width x height; nil: they have to be of one size
--   fit      crop, pad or stretch: how another shape becomes that one; crop unless given
--   convert  true: 16 bits a sample become 8, CMYK becomes RGB
--   orient   true: turned as EXIF says, before anything else
local c = require 'hz.c'
local names = require 'hz.base.names'
local plugins = require 'hz.codec.plugins'
local shell = require 'hz.base.shell'

local M = {}

local MOST = 4096                  -- pixels either way
local SHOWN = 6                    -- sizes that an error names
local USUAL = { 64, 32, 16 }       -- sizes that are suggested

M.fits = { 'crop', 'pad', 'stretch' }

-- Width and height of '64' or '64x48'.
local function read_size(text)
  local w, h = text:match '^(%d+)$', nil
  if w then h = w else w, h = text:match '^(%d+)[xX](%d+)$' end
  w, h = tonumber(w), tonumber(h)
  if w and h and w >= 1 and h >= 1 and w <= MOST and h <= MOST then return w, h end
  c.fail("folder: size is '%s'; needs a width and height of 1..%d pixels, such as 64 or 64x48 (width x height)", text,
    MOST)
end

-- The form that options ask for: { width, height, fit }; empty where sizes stay.
function M.asked(o)
  if not o.size then
    if o.fit then c.fail('folder: fit=%s was given without a size; needs size=64 or size=64x48 beside it', o.fit) end
    return {}
  end
  local width, height = read_size(o.size)
  return { width = width, height = height, fit = o.fit or M.fits[1] }
end

-- What scales pictures, "zimg 3.0.4"; without it an error.
function M.resampler()
  plugins.list()                                       -- loads them
  local by = c.C.hz_resampler()
  if by == nil then c.fail('folder: size: %s', c.message()) end
  return c.ffi.string(by)
end

-- What was done to the pictures, in words that decide a cell; nil where nothing was.
function M.told(o)
  local form, list = M.asked(o), {}
  if o.orient then list[1] = 'turned by EXIF' end
  if o.convert then list[#list + 1] = '16 bit and CMYK converted' end
  if form.width then
    list[#list + 1] = ('%dx%d by %s (%s, bilinear, antialiased)'):format(form.width, form.height, form.fit,
      M.resampler())
  end
  return #list > 0 and table.concat(list, ', ') or nil
end

-- ---- sizes that occur ----

-- Orientations of EXIF lay rows down as columns from 5 on.
local function seen(h, orient)
  if orient and (h.orientation or 1) >= 5 then return h.height, h.width end
  return h.width, h.height
end

-- The sizes of files (scan.lua), the most frequent first: { width, height, count, file = the first of it }.
function M.count(files, orient)
  local list, by = {}, {}
  for _, f in ipairs(files) do
    local w, h = seen(f.head, orient)
    local key = w .. 'x' .. h
    if not by[key] then
      by[key] = { width = w, height = h, count = 0, file = f, key = ('%08d %08d'):format(w, h) }
      list[#list + 1] = by[key]
    end
    by[key].count = by[key].count + 1
  end
  table.sort(list, function(a, b) return a.count > b.count or a.count == b.count and a.key < b.key end)
  return list
end

-- The largest of the usual sizes that half of the pictures have at least, on their shorter side.
function M.suggested(counts)
  local sides = {}
  for _, s in ipairs(counts) do
    for _ = 1, s.count do sides[#sides + 1] = math.min(s.width, s.height) end
  end
  table.sort(sides)
  for _, size in ipairs(USUAL) do
    if size <= sides[math.ceil(#sides / 2)] then return size end
  end
  return USUAL[#USUAL]
end

-- '640x480 (120 times), 480x640 (95 times), and 12 others'
function M.text(counts)
  local parts = {}
  for i = 1, math.min(#counts, SHOWN) do
    local s = counts[i]
    parts[i] = ('%dx%d (%s)'):format(s.width, s.height, s.count == 1 and 'once' or s.count .. ' times')
  end
  local more = #counts - SHOWN
  if more > 0 then parts[#parts + 1] = ('and %d other%s'):format(more, more == 1 and '' or 's') end
  return table.concat(parts, ', ')
end

-- The running command with one more key; at the prompt, and in a script that takes no keys, the option alone.
local function command_with(key)
  local text = shell.command()
  return text and ('%s %s'):format(text, key) or key
end

function M.refuse(counts)
  local a, b = counts[1], counts[2]
  c.fail('folder: %s is %dx%d, %s is %dx%d (width x height); needs all of one size; there are %s; '
    .. 'size= makes them one (fit=crop, pad or stretch), as in: %s', b.file.path, b.width, b.height, a.file.path,
    a.width, a.height, M.text(counts), command_with('size=' .. M.suggested(counts)))
end

return names.guard('sizes', M)
