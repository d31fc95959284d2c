-- pair.lua: the curves of two chains (verdicts.lua) beside each other, as a plain table: accuracy at equal bits, bits
-- at equal accuracy (curves.lua). Final weights decide, as in verdicts; raw is on no codec's curve. This file says
-- which encodings and seeds count, and why something cannot be said.
local curves = require 'hz.report.versus.curves'
local json = require 'hz.base.json'
local outcomes = require 'hz.report.outcomes'
local products = require 'hz.report.statistics.products'
local verdicts = require 'hz.report.verdicts'

local M = {}

local LEAST = 2                    -- seeds, to know their spread

-- ---- the points of a chain ----

local function count(n, word) return ('%d %s%s'):format(n, word, n == 1 and '' or 's') end

-- Encodings that a curve can be drawn through: { called, group, rows (by seed) }; what is left out is told to `left`.
local function points_of(chain, left)
  local list, seen = {}, {}
  for _, entry in ipairs(chain.entries) do
    local g, called = entry.group, verdicts.called(entry)
    local rows, n = outcomes.by_seed(g), 0
    for _ in pairs(rows) do n = n + 1 end
    local twin = seen[g.bits_per_sample]
    local why = g.failed > 0 and count(g.failed, 'training') .. ' failed' or n < LEAST and count(n, 'finished seed')
      or not (g.bits_per_sample > 0) and 'no bits' or twin and 'as many bits as ' .. twin
    if why then
      left[#left + 1] = ('%s: %s'):format(called, why)
    else
      seen[g.bits_per_sample] = called
      list[#list + 1] = { called = called, group = g, rows = rows }
    end
  end
  return list
end

-- Seeds that all points have, rising.
local function seeds_of(points)
  local list = {}
  for seed in pairs(points[1] and points[1].rows or {}) do
    local all = true
    for _, p in ipairs(points) do all = all and p.rows[seed] ~= nil end
    if all then list[#list + 1] = seed end
  end
  table.sort(list)
  return list
end

local function intersection(a, b)
  local set, list = {}, {}
  for _, seed in ipairs(a) do set[seed] = true end
  for _, seed in ipairs(b) do if set[seed] then list[#list + 1] = seed end end
  return list
end

-- What a row was tested on; cells of before this was recorded say less.
local function items_of(row)
  local test = row.record.decides and row.record.decides.test
  return test and test.digest and test.digest .. (test.made or '') or row.data .. '\0' .. row.split
end

local function only_items(points)
  local first
  for _, p in ipairs(points) do
    for _, row in pairs(p.rows) do
      first = first or items_of(row)
      if items_of(row) ~= first then return nil end
    end
  end
  return first
end

-- ---- outcomes ----

-- Finds the outcomes of a side's points at its seeds: point.right, by seed. Returns what cannot be read.
local function read(side)
  for _, point in ipairs(side.points) do
    point.right = {}
    for i, seed in ipairs(side.seeds) do
      local found = outcomes.of(side.r, point.rows[seed])
      if not found then
        return ('the outcomes of %s, %s, seed %d cannot be read'):format(side.called, point.called, seed)
      end
      point.right[i] = found.correct
    end
  end
end

local function arms(side)
  local list = {}
  for i, point in ipairs(side.points) do list[i] = point.right end
  return list
end

-- ---- two curves ----

local function curve_of(points, kind, from)
  local curve = {}
  for i, p in ipairs(points) do
    curve[i] = { bits = p.group[kind], arm = from + i, called = p.called }
  end
  table.sort(curve, function(x, y) return x.bits < y.bits end)
  for i = #curve, 2, -1 do                               -- files may be of one size where payloads are not
    if curve[i].bits == curve[i - 1].bits then table.remove(curve, i) end
  end
  return curve
end

local function plain(r)
  return { difference = r.value, lower = r.lower, upper = r.upper, se = r.se, df = r.df, p = r.p, bits = r.bits,
    accuracy_a = r.a, accuracy_b = r.b, from = r.from, to = r.to }
end

local function named(curve, bits)
  for _, point in ipairs(curve) do
    if point.bits == bits then return point.called end
  end
end

local function ratio(x, y) return x and x / y - 1 end

-- '0.1 to 0.5', or the one number that both would be written as.
local function span(format, from, to)
  local one, other = format:format(from), format:format(to)
  return one == other and one or one .. ' to ' .. other
end

-- What would make curves meet; first, second: what is lacking.
local function more(a, b, first, second)
  return #a == 1 and #b == 1 and 'more encodings of both' or ('encodings of %s, or of %s'):format(first, second)
end

local function equal_bits(out, p, a, b, alpha)
  out.equal_bits = json.array {}
  if not curves.overlap(a, b) then
    local low, high = 'a', 'b'
    if a[1].bits > b[#b].bits then low, high = 'b', 'a' end
    out.no_bits = ('no bits in common: a has %s bits per sample, b %s'):format(span('%.3g', a[1].bits, a[#a].bits),
      span('%.3g', b[1].bits, b[#b].bits))
    out.help_bits = more(a, b, low .. ' with more bits', high .. ' with fewer')
    return
  end
  for _, d in ipairs(curves.differences(p, a, b, alpha)) do
    local row = plain(d)
    row.encoding_a, row.encoding_b = named(a, d.bits), named(b, d.bits)
    table.insert(out.equal_bits, 1, row)
  end
  local mean = curves.mean(p, a, b, alpha)
  out.mean = mean and plain(mean)
end

local function equal_accuracy(out, p, a, b, alpha)
  out.equal_accuracy = json.array {}
  local a_least, a_most = curves.range(p, a)
  local b_least, b_most = curves.range(p, b)
  if a_most < b_least or b_most < a_least then
    local better, worse = 'b', 'a'
    if b_most < a_least then better, worse = 'a', 'b' end
    out.no_accuracy = ('no accuracy in common: a has %s %%, b %s %%'):format(span('%.2f', 100 * a_least, 100 * a_most),
      span('%.2f', 100 * b_least, 100 * b_most))
    out.help_accuracy = more(a, b, better .. ' with fewer bits', worse .. ' with more')
    return
  end
  for i = #a, 1, -1 do
    local point = a[i]
    local found = curves.bits(p, { [point.arm] = 1 }, b, alpha)
    table.insert(out.equal_accuracy, { encoding_a = point.called, accuracy = p.mean[point.arm], bits_a = point.bits,
      bits_b = found.bits, lower = found.lower, upper = found.upper, where = found.where, outside = found.outside,
      change = ratio(found.bits, point.bits), change_lower = ratio(found.lower, point.bits),
      change_upper = ratio(found.upper, point.bits) })
  end
end

local kinds = { payload = 'bits_per_sample', file = 'bits_per_sample_file' }

local function judge(out, x, y, alpha)
  local of_a, of_b = arms(x), arms(y)
  local blocks = { of_a, of_b }
  if out.paired then
    for _, runs in ipairs(of_b) do of_a[#of_a + 1] = runs end
    blocks[2] = nil
  end
  local p = products.of(blocks)
  out.items = p.items
  for name, field in pairs(kinds) do
    local a, b = curve_of(x.points, field, 0), curve_of(y.points, field, #x.points)
    local own = { range_a = { a[1].bits, a[#a].bits }, range_b = { b[1].bits, b[#b].bits } }
    equal_bits(own, p, a, b, alpha)
    equal_accuracy(own, p, a, b, alpha)
    out[name] = own
  end
end

-- ---- whether they can be ----

-- Which seeds count: those of both where one's are among the other's (runs are paired by seed), else all, and the
-- two are taken for independent.
local function choose_seeds(out, x, y)
  local both = intersection(x.seeds, y.seeds)
  out.paired = #both >= LEAST and #both == math.min(#x.seeds, #y.seeds)
  if out.paired then x.seeds, y.seeds = both, both end
  out.seeds_a, out.seeds_b = json.array(x.seeds), json.array(y.seeds)
  out.shared = not out.paired and #both > 0 and json.array(both) or nil
end

local function tested_on(side)
  local g = side.points[1].group
  return ('%s, %s'):format(g.data, g.split)
end

-- Why two sides cannot be held against each other, and what would help.
local function trouble(x, y)
  for _, side in ipairs { x, y } do
    if #side.points == 0 then
      return ('%s has no encoding with %d finished seeds'):format(side.called, LEAST), 'seed=1..5 for each'
    end
    if #side.seeds < LEAST then
      return ('the encodings of %s have %s in common'):format(side.called, count(#side.seeds, 'finished seed')),
        'the same seeds at each encoding; the command of the sweep goes on where it was'
    end
  end
  local items = only_items(x.points)
  if not items or items ~= only_items(y.points) then
    return ('they were tested on other items (a: %s; b: %s)'):format(tested_on(x), tested_on(y)),
      'the same data= and test= in both'
  end
end

local function side_of(called, side, left)
  local points = points_of(side.chain, left)
  return { called = called, r = side.r, points = points, seeds = seeds_of(points) }
end

-- a, b: { r (its report), chain, name }. Returns { a, b (names), left_a, left_b (texts: encodings that are left out) },
-- and either reason and help, or
--   paired (by seed), seeds_a, seeds_b, shared (seeds of both that are taken for independent), items
--   payload, file      the same by bits of each kind, per sample:
--     range_a, range_b   fewest and most bits
--     equal_bits         list of { bits, encoding_a, encoding_b (where it was measured), accuracy_a, accuracy_b,
--                        difference (b - a), lower, upper (two-sided at 1 - alpha), se, df, p }, most bits first
--     mean               the same over all that both enclose: { from, to, difference, lower, upper, se, df, p }
--     equal_accuracy     list over the encodings of a of { encoding_a, accuracy, bits_a, bits_b, lower, upper, where,
--                        outside (curves.bits); change (bits_b over bits_a, less 1), change_lower, change_upper }
--     no_bits, help_bits, no_accuracy, help_accuracy    where the curves do not meet
function M.of(a, b, alpha)
  local out = { a = a.name, b = b.name, left_a = json.array {}, left_b = json.array {} }
  local x, y = side_of('a', a, out.left_a), side_of('b', b, out.left_b)
  out.reason, out.help = trouble(x, y)
  if out.reason then return out end
  choose_seeds(out, x, y)
  local damage = read(x) or read(y)
  if damage then
    out.reason, out.help = damage, 'the command of the sweep, which computes what is missing'
  else
    judge(out, x, y, alpha)
  end
  return out
end

return M
