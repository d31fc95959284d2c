-- files.lua: what the doctor says of the files of a folder of pictures or sounds (scan.lua), as rows { check, ok,
-- text }: broken ones, what is not read, orientation, and whether something about the files alone tells the classes: a
-- net would learn that instead of what is to be seen or heard.
local c = require 'hz.c'
local names = require 'hz.base.names'
local source = require 'hz.data.source'
local visible = require 'hz.base.visible'.line

local M = {}

local function row(check, ok, text, ...) return { check = check, ok = ok, text = text:format(...) } end

-- ---- what tells the class ----

-- The octave that a number lies in, as powers of two: what all differs is alike within one.
local function octave(v)
  local low = 2 ^ math.floor(math.log(v) / math.log(2) + 1e-9)
  return low, 2 * low
end

local traits = {}

-- What a file is by one of its traits, as text; nil: it has none of the kind.
traits.images = {
  { 'format', function(h) return h.kind end },
  { 'size', function(h) return ('%dx%d'):format(h.width, h.height) end },
  { 'pixels', function(h)
    local low, high = octave(math.max(1, h.width * h.height))
    return ('%d to %d pixels'):format(low, high - 1)
  end },
  { 'colour', function(h)
    return h.channels == 1 and 'grey' or h.channels == 3 and 'colour' or h.channels .. ' colours'
  end },
  { 'quality', function(h) return h.kind == 'JPEG' and 'quality ' .. (h.quality or 'unknown') or nil end },
  { 'orientation', function(h) return 'orientation ' .. (h.orientation or 1) end },
}

traits.sounds = {
  { 'format', function(h) return h.kind end },
  { 'rate', function(h) return ('%g Hz'):format(h.rate) end },
  { 'channels', function(h) return ('%d channel%s'):format(h.channels, h.channels == 1 and '' or 's') end },
  { 'length', function(h) return ('%.4g to %.4g s'):format(octave(h.frames / h.rate)) end },
}

local TELLS = 0.1                  -- of the files, more than by guessing the commonest class
local SURE = 2.5                   -- standard deviations of that guess

local RARE = 2                     -- values of so few files are one: what is left beside the others may tell, too

local function values_of(files, trait)
  local list, n = {}, {}
  for _, f in ipairs(files) do
    local v = trait(f.head)
    list[#list + 1] = v and { v, f.label } or nil
    if v then n[v] = (n[v] or 0) + 1 end
  end
  for _, pair in ipairs(list) do pair[1] = n[pair[1]] > RARE and pair[1] or 'any other' end
  return list
end

-- Counts by value of the trait and label, by label, and how many there are.
local function tabulate(files, trait)
  local by, all, list = {}, {}, values_of(files, trait)
  for _, pair in ipairs(list) do
    local v, label = unpack(pair)
    by[v] = by[v] or {}
    by[v][label] = (by[v][label] or 0) + 1
    all[label] = (all[label] or 0) + 1
  end
  return by, all, #list
end

local function commonest(counts)
  local best, label = 0, nil
  for l, n in pairs(counts) do
    if n > best or n == best and l < label then best, label = n, l end
  end
  return best, label
end

-- How many files are of the class that is commonest among those of their value, and how many values there are.
local function told(by)
  local hits, values = 0, 0
  for _, counts in pairs(by) do hits, values = hits + commonest(counts), values + 1 end
  return hits, values
end

-- "JPEG: a 40 of 40, PNG: b 40 of 40", the values of most files first.
local function examples(by, classes)
  local list = {}
  for v, counts in pairs(by) do
    local best, label = commonest(counts)
    local all = 0
    for _, n in pairs(counts) do all = all + n end
    list[#list + 1] = { all = all, text = ("%s: %d of %d are '%s'"):format(v, best, all, classes[label + 1]) }
  end
  table.sort(list, function(a, b) return a.all > b.all or a.all == b.all and a.text < b.text end)
  local parts = {}
  for i = 1, math.min(4, #list) do parts[i] = list[i].text end
  return table.concat(parts, ', ')
end

-- A trait that says more of the class than chance would; each further value may be right by chance once.
local function check_trait(scan, trait)
  local by, all, n = tabulate(scan.files, trait[2])
  local hits, values = told(by)
  local base = commonest(all)
  local share, gain = base / math.max(1, n), hits - base - math.max(0, values - 1)
  if values <= 1 then return row(trait[1], true, 'one for all files: %s', next(by) or 'none') end
  if gain <= TELLS * n or gain <= SURE * math.sqrt(n * share * (1 - share)) then
    return row(trait[1], true, 'does not predict the class')
  end
  return row(trait[1], false, 'predicts the class of %d of %d files, where the commonest class has %d (%s)', hits, n,
    base, examples(by, scan.classes))
end

-- ---- the rest ----

local function check_broken(bad)
  local rows = {}
  for i, b in ipairs(bad) do rows[i] = row('broken', false, '%s', visible(b.path .. b.reason)) end
  return rows
end

local function check_turned(facts, orient)
  if facts.turned == 0 then return row('turned', true, 'no image asks to be turned (EXIF orientation)') end
  return row('turned', orient or nil, '%d of %d images are stored turned or mirrored (EXIF orientation); %s',
    facts.turned, facts.count, orient and 'turned upright' or 'read as stored, orient=true turns them')
end

local function check_source(facts, items)
  if not facts.lossy then return row('source', true, '%s', source.long(facts)) end
  return row('source', nil, "%s: 'raw' are the decoded %s of these, what %s took is gone", source.long(facts),
    items == 'images' and 'pixels' or 'samples', items == 'images' and 'JPEG' or 'their codec')
end

-- All rows. options: of the set.
function M.rows(scan, options)
  local facts, rows = source.facts(scan.files), check_broken(scan.bad)
  table.insert(rows, 1, row('files', #scan.bad == 0 and #scan.files > 0 or false, '%d %s of %d classes, %d broken',
    #scan.files, scan.items, #scan.classes, #scan.bad))
  if #scan.unread > 0 then rows[#rows + 1] = row('not read', nil, '%s', table.concat(scan.unread, ', ')) end
  for _, o in ipairs(scan.outside) do rows[#rows + 1] = row('link', nil, '%s leads out to %s', o.link, o.target) end
  rows[#rows + 1] = check_source(facts, scan.items)
  if scan.items == 'images' then rows[#rows + 1] = check_turned(facts, options.orient) end
  for _, trait in ipairs(traits[scan.items]) do
    c.poll()
    rows[#rows + 1] = check_trait(scan, trait)
  end
  return rows
end

return names.guard('files', M)
