-- compare.lua: two sweeps beside each other, or the codecs of one, as a plain table (compare_text.lua words it, JSON is
-- it): what differs, accuracy at the same encodings, pairs of curves (pair.lua), the cheapest codec (cheapest.lua).
-- Chains are those of verdicts.lua; this file says which are held against each other.
local cheapest = require 'hz.report.versus.cheapest'
local json = require 'hz.base.json'
local machines = require 'hz.report.machines'
local pair = require 'hz.report.versus.pair'
local protocol = require 'hz.sweep.protocol'
local rows_of = require 'hz.sweep.rows'
local verdicts = require 'hz.report.verdicts'

local M = {}

-- ---- what differs ----

local varying = { 'data', 'split', 'protocol', 'model', 'epochs', 'dtype' }
local machine = { 'isa', 'vendor', 'version', 'commit', 'host', 'plan' }

-- Settings and machines in which two reports differ: { { name, a, b }, ... }, texts.
local function differences(a, b)
  local out = json.array {}
  local function all(r, get)
    local list = rows_of.distinct(r.rows, function(row) return tostring(get(row) or 'not recorded') end)
    table.sort(list)
    return table.concat(list, ', ')
  end
  local function one(name, get)
    local x, y = all(a, get), all(b, get)
    if x ~= y then out[#out + 1] = { name = name, a = x, b = y } end
  end
  for _, name in ipairs(varying) do one(name, function(row) return row[name] end) end
  one('device', function(row) return row.record.run.device or 'cpu' end)
  for _, name in ipairs(machine) do one(name, function(row) return row.record.run[name] end) end
  return out
end

local function joined(a, b)
  local list = {}
  for _, rows in ipairs { a, b } do
    for _, row in ipairs(rows) do list[#list + 1] = row end
  end
  return list
end

-- ---- accuracy at the same encodings ----

-- The group of r that is to be held against g: the same model on equal encodings, else on those of the same text (a
-- codec's parameters may have become more); the last if settings differ as well.
local function counterpart(r, g)
  local found, alike
  for _, other in ipairs(r.groups) do
    if other.model == g.model then
      if other.trained == g.trained and other.tested == g.tested then found = other end
      if other.trained.text == g.trained.text and other.tested.text == g.tested.text then alike = other end
    end
  end
  return found or alike
end

local function same(a, b)
  local rows = json.array {}
  for _, g in ipairs(a.groups) do
    local other = counterpart(b, g)
    if other then
      rows[#rows + 1] = { model = g.model, encoding = g.trained.text, seeds_a = g.seeds, seeds_b = other.seeds,
        encoding_test = g.trained ~= g.tested and g.tested.text or nil, bits_a = g.bits_per_sample,
        bits_b = other.bits_per_sample, accuracy_a = g.accuracy, accuracy_b = other.accuracy }
    end
  end
  return rows
end

-- ---- names of chains ----

-- f(chain) -> 'jpeg subsampling=444, small': its codec, and in what the chains differ.
local function naming(chains)
  local many = {}
  for _, name in ipairs { 'data', 'model', 'dtype', 'protocol' } do
    many[name] = #rows_of.distinct(chains, function(chain) return chain[name] end) > 1
  end
  return function(chain)
    local parts = { chain.codec .. (chain.further ~= '' and ' ' .. chain.further or '') }
    for _, name in ipairs { 'data', 'model', 'dtype', 'protocol' } do
      if many[name] then parts[#parts + 1] = chain[name] end
    end
    if chain.trained then parts[#parts + 1] = 'trained on ' .. chain.trained end
    return table.concat(parts, ', ')
  end
end

-- ---- which chains are pairs ----

local alike = { { 'data', 32 }, { 'trained', 16 }, { 'model', 8 }, { 'dtype', 4 }, { 'codec', 2 }, { 'further', 1 } }

local function likeness(a, b)
  local sum = 0
  for _, row in ipairs(alike) do sum = sum + (a[row[1]] == b[row[1]] and row[2] or 0) end
  return sum
end

-- The chains of b that are the most like a chain of a.
local function nearest(chain, chains)
  local best, list = -1, {}
  for _, other in ipairs(chains) do
    local own = likeness(chain, other)
    if own > best then best, list = own, {} end
    if own == best then list[#list + 1] = other end
  end
  return list
end

local function add_pairs(out, a, b, name)
  for _, chain in ipairs(verdicts.of(a)) do
    for _, other in ipairs(nearest(chain, verdicts.of(b))) do
      out.pairs[#out.pairs + 1] = pair.of({ r = a, chain = chain, name = name(chain) },
        { r = b, chain = other, name = name(other) }, out.alpha)
    end
  end
end

-- Of one sweep: each codec beside the first of its setting.
local function add_own_pairs(out, a, name)
  local first = {}
  for _, chain in ipairs(verdicts.of(a)) do
    local key = chain.setting .. '\0' .. (chain.trained or '')
    if first[key] then
      out.pairs[#out.pairs + 1] = pair.of({ r = a, chain = first[key], name = name(first[key]) },
        { r = a, chain = chain, name = name(chain) }, out.alpha)
    else
      first[key] = chain
    end
  end
end

-- ---- the cheapest codec ----

-- Cells of a chain, as text: a chain of another sweep with the same cells is no other codec.
local function cells_of(chain)
  local keys = {}
  for _, e in ipairs(chain.entries) do
    for _, row in ipairs(e.group.rows) do keys[#keys + 1] = row.record.key end
  end
  table.sort(keys)
  return table.concat(keys, ' ')
end

-- Chains of both by setting, those trained on what they were tested on.
local function families_of(sides)
  local list, by = {}, {}
  for _, side in ipairs(sides) do
    for _, chain in ipairs(verdicts.of(side.r)) do
      if not chain.trained then
        local f = by[chain.setting]
        if not f then
          f = { seen = {} }
          by[chain.setting], list[#list + 1] = f, f
        end
        local cells = cells_of(chain)
        if not f.seen[cells] then f[#f + 1] = { chain = chain, side = side } end
        f.seen[cells] = true
      end
    end
  end
  return list
end

-- A p value where it may stand for alpha as a whole: a look at adaptive seeds spends a share of it.
local function whole(p, found)
  local look = found.look and protocol.looks[found.look]
  return p and math.min(1, look and p / look.share or p) or 1
end

local function tests_of(chain)
  local list = {}
  for i, e in ipairs(chain.entries) do
    list[i] = { bits = e.group.bits_per_sample, safe = whole(e.found.p_safe, e.found),
      harmful = whole(e.found.p_harmful, e.found) }
  end
  return list
end

local function claim(codec, found, chain)
  local e = chain.entries[found.safe]
  codec.needs_more, codec.p = found.needs_more or nil, found.p
  if not e then return end
  codec.encoding, codec.bits, codec.bits_file = verdicts.called(e), e.group.bits_per_sample,
    e.group.bits_per_sample_file
end

local function family_of(f, name, alpha)
  local out, tested, chains = { codecs = json.array {} }, {}, {}
  for _, member in ipairs(f) do
    local chain = member.chain
    local codec = { sweep = member.side.name, codec = name(chain), reason = chain.reason, help = chain.help }
    out.codecs[#out.codecs + 1] = codec
    if not chain.reason then
      tested[#tested + 1], chains[#chains + 1] = tests_of(chain), { chain, codec }
    end
  end
  local found, best = cheapest.of(tested, alpha)
  for k, of in ipairs(chains) do claim(of[2], found[k], of[1]) end
  out.tested = #tested
  if best then chains[best][2].cheapest = true end
  return out
end

local function add_families(out, sides, name)
  for _, f in ipairs(families_of(sides)) do
    if #f > 1 then out.cheapest[#out.cheapest + 1] = family_of(f, name, out.alpha) end
  end
end

-- ---- the whole ----

local function all_chains(a, b)
  local list = {}
  for _, r in ipairs { a, b } do
    for _, chain in ipairs(verdicts.of(r)) do list[#list + 1] = chain end
  end
  return list
end

-- a, b: reports, with margin and alpha as they are asked for; b nil: the codecs of a. Returns
--   a, b (ids), margin, alpha, note (machines.lua), differs = list of { name, a, b }; nil for one sweep
--   same      accuracy at the same encodings, a row each; nil for one sweep
--   bare      'a' or 'b', which holds raw alone; nil: neither
--   pairs     list of what pair.lua returns
--   cheapest  list of { tested (codecs), codecs = list of { sweep, codec, reason, help, encoding, bits, bits_file, p,
--             cheapest, needs_more } }, one for each setting with several codecs
function M.of(a, b)
  local out = { a = a.id, b = b and b.id, pairs = json.array {}, cheapest = json.array {} }
  local name = naming(all_chains(a, b))
  out.margin, out.alpha = a.margin, a.alpha
  if b then
    out.differs, out.same, out.note = differences(a, b), same(a, b), machines.note(joined(a.rows, b.rows))
    add_pairs(out, a, b, name)
    out.bare = #verdicts.of(a) == 0 and 'a' or #verdicts.of(b) == 0 and 'b' or nil
  else
    add_own_pairs(out, a, name)
  end
  add_families(out, b and { { r = a, name = 'a' }, { r = b, name = 'b' } } or { { r = a } }, name)
  return out
end

return M
