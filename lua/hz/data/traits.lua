-- traits.lua: what is known of files before anything is decoded, and whether one such trait alone tells the class, or
-- the part (train or test): a net may learn that instead of what is to be seen or heard.
--
-- A trait guesses for each file what is commonest among the others of its value. It tells if it is right clearly more
-- often than always guessing the commonest, and more often than with exchanged answers: a permutation test, its level
-- shared by all traits of a kind (Bonferroni).
local c = require 'hz.c'
local names = require 'hz.base.names'
local ffi = c.ffi

local M = {}

-- ---- traits ----

-- The octave that a number lies in, as powers of two: what all differs is alike within one.
local function octave(v)
  local low = 2 ^ math.floor(math.log(v) / math.log(2) + 1e-9)
  return low, 2 * low
end

local function bytes(_, f)
  local low, high = octave(math.max(1, f.bytes))
  return ('%d to %d bytes'):format(low, high - 1)
end

-- { name, what a file is by it (of its head, and the file) as text; nil: it has none of the kind, mild = true: contents
-- of different classes may well differ in it }
local traits = {}

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
  { 'bits', function(h) return h.bits and h.bits .. ' bits' or 'unknown bits' end },
  { 'quality', function(h) return h.kind == 'JPEG' and 'quality ' .. (h.quality or 'unknown') or nil end },
  { 'subsampling', function(h) return h.kind == 'JPEG' and (h.subsampling or 'none') or nil end },
  { 'orientation', function(h) return 'orientation ' .. (h.orientation or 1) end },
  { 'bytes', bytes, mild = true },
}

traits.sounds = {
  { 'format', function(h) return h.kind end },
  { 'rate', function(h) return ('%g Hz'):format(h.rate) end },
  { 'channels', function(h) return ('%d channel%s'):format(h.channels, h.channels == 1 and '' or 's') end },
  { 'length', function(h) return ('%.4g to %.4g s'):format(octave(math.max(1, h.frames) / h.rate)) end },
  { 'bytes', bytes, mild = true },
}

-- ---- guessing ----

local RARE = 2                     -- values of so few files are one: what is left beside the others may tell, too

-- Files as { value, answer (from 0) }, those of one value together; and how many values there are.
local function pairs_of(files, trait, answer)
  local list, n, values = {}, {}, 0
  for _, f in ipairs(files) do
    local v, a = trait[2](f.head, f), answer(f)
    if v and a then
      list[#list + 1] = { v, a }
      n[v] = (n[v] or 0) + 1
    end
  end
  local seen = {}
  for _, pair in ipairs(list) do
    local v = n[pair[1]] > RARE and pair[1] or 'any other'
    values, seen[v], pair[1] = values + (seen[v] and 0 or 1), true, v
  end
  table.sort(list, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
  return list, values
end

local EVEN = 4                     -- of answers that are as common as others, so many are no chance

-- How many of the n files of an answer are told, where `best` is how often the commonest answer of its value occurs,
-- `second` the next, and `ties` answers are the commonest: each file is left out when its own is guessed.
local function credit(n, best, second, ties)
  if n < best then return 0 end
  if ties > 1 then return n >= EVEN and n / ties or 0 end
  return n - 1 > second and n or n / 2
end

-- How many answers of from .. to-1 are the commonest among the others of them; what ties shares. counts: zeros.
local function group_hits(answers, from, to, counts)
  local best, second, ties, hits = 0, 0, 0, 0
  for i = from, to - 1 do counts[answers[i]] = counts[answers[i]] + 1 end
  for i = from, to - 1 do
    local n = counts[answers[i]]
    if n > best then best, second, ties = n, best, 1 elseif n == best then ties = ties + 1
    elseif n > second then second = n end
    if n > 0 then counts[answers[i]] = -n end                            -- met
  end
  for i = from, to - 1 do
    local n = -counts[answers[i]]
    if n > 0 then hits = hits + credit(n, best, second, ties) end
    counts[answers[i]] = 0
  end
  return hits
end

local function all_hits(answers, starts, counts)
  local hits = 0
  for k = 1, #starts - 1 do hits = hits + group_hits(answers, starts[k], starts[k + 1], counts) end
  return hits
end

-- ---- the test ----

local ROUNDS, LEVEL = 999, 0.05

-- How often exchanged answers do as well, as a share of the rounds; early where it is no longer of interest.
local function chance(answers, n, starts, counts, hits, level)
  local state, as_good = 1, 1
  for _ = 1, ROUNDS do
    c.poll()
    for i = n - 1, 1, -1 do
      state = state * 16807 % 2147483647                                 -- Park and Miller (1988)
      local k = state % (i + 1)
      answers[i], answers[k] = answers[k], answers[i]
    end
    as_good = as_good + (all_hits(answers, starts, counts) >= hits and 1 or 0)
    if as_good > level * (ROUNDS + 1) then break end
  end
  return as_good / (ROUNDS + 1)
end

local TELLS = 0.1                  -- of the files, more than the commonest answer; or half of what that misses

-- How a trait does: { values, n, hits, base = files of the commonest answer, list, tells }.
local function ask(files, trait, answer, level)
  local list, values = pairs_of(files, trait, answer)
  local n, most, starts = #list, 0, {}
  local answers, all = ffi.new('int32_t[?]', math.max(1, n)), {}
  for i, pair in ipairs(list) do
    answers[i - 1], most = pair[2], math.max(most, pair[2])
    all[pair[2]] = (all[pair[2]] or 0) + 1
    if i == 1 or pair[1] ~= list[i - 1][1] then starts[#starts + 1] = i - 1 end
  end
  starts[#starts + 1] = n
  local counts, base = ffi.new('int32_t[?]', most + 1), 0
  for _, k in pairs(all) do base = math.max(base, k) end
  local hits = all_hits(answers, starts, counts)
  local clear = values > 1 and hits - base >= math.min(TELLS * n, (n - base) / 2) and hits > base
  return { values = values, n = n, hits = hits, base = base, list = list,
    tells = clear and chance(answers, n, starts, counts, hits, level) <= level }
end

-- ---- words ----

-- "JPEG: 40 of 40 are 'a', PNG: 40 of 40 are 'b'", the values of most files first.
local function examples(list, name)
  local by, shown, parts = {}, {}, {}
  for _, pair in ipairs(list) do
    local v = by[pair[1]] or { value = pair[1], all = 0, best = 0, counts = {} }
    local n = (v.counts[pair[2]] or 0) + 1
    by[pair[1]], v.counts[pair[2]], v.all = v, n, v.all + 1
    if n > v.best then v.best, v.answer = n, pair[2] end
  end
  for _, v in pairs(by) do shown[#shown + 1] = v end
  table.sort(shown, function(a, b) return a.all > b.all or a.all == b.all and a.value < b.value end)
  for i = 1, math.min(4, #shown) do
    local v = shown[i]
    parts[i] = ("%s: %d of %d are '%s'"):format(v.value, v.best, v.all, name(v.answer))
  end
  return table.concat(parts, ', ')
end

local function told(found, what, name)
  return ('predicts the %s of %d of %d files, where the commonest %s has %d (%s)'):format(what, found.hits, found.n,
    what, found.base, examples(found.list, name))
end

local parts = { 'train', 'test' }
local part_number = { train = 0, test = 1 }

-- Of files { head, label (from 0), part (or nil), bytes } by one trait: whether all is well, and what there is to say.
local function check(files, trait, classes, level)
  local class = ask(files, trait, function(f) return f.label end, level)
  local part = ask(files, trait, function(f) return part_number[f.part] end, level)
  if class.values <= 1 then return true, 'one for all files: ' .. (class.list[1] and class.list[1][1] or 'none') end
  local said = {}
  if class.tells then said[1] = told(class, 'class', function(a) return classes[a + 1] end) end
  if part.tells then said[#said + 1] = told(part, 'part', function(a) return parts[a + 1] end) end
  if #said == 0 then return true, 'does not predict the class' .. (part.n > 0 and ' or the part' or '') end
  if trait.mild then return nil, table.concat(said, '; ') .. '; contents of classes may differ so' end
  return false, table.concat(said, '; ') .. ': a net may learn that instead'
end

local MOST = 20000                 -- files that are asked

-- Calls row(name, ok, text) for each trait of a scan (scan.lua).
function M.each(scan, row)
  local rows, files, step = traits[scan.items], {}, math.max(1, math.ceil(#scan.files / MOST))
  for i = 1, #scan.files, step do files[#files + 1] = scan.files[i] end
  for _, trait in ipairs(rows) do
    row(trait[1], check(files, trait, scan.classes, LEVEL / (2 * #rows)))
  end
end

-- The same for one trait that is known of some items: { value, label } -> whether, and words; nil: it tells nothing.
function M.tells(list, classes)
  local found = ask(list, { 'value', function(_, item) return item[1] end }, function(item) return item[2] end, LEVEL)
  return found.tells and told(found, 'class', function(a) return classes[a + 1] end) or nil
end

return names.guard('traits', M)
