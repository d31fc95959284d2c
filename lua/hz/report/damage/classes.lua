-- classes.lua: what an encoding costs single classes: the comparison of verdict.lua over the items of each class alone.
-- As the worst of them is picked, the bounds of all hold together (Bonferroni: one-sided at alpha over the number of
-- classes), at each encoding by itself; p values are adjusted (Holm 1979). classes.of(r, chain) ->
--   from                   what says which item is of which class: 'data' (the set itself), or 'outcomes': an item is
--                          of the class that some cell said rightly; items that none gets right are left out
--   unknown                items that are left out
--   list                   of classes with items: { class (from 0), name (text; the number where no name is known),
--                          items }
--   entries                list, beside chain.entries; an entry without outcomes has false. Each { worst, all }: all is
--                          beside `list`: { class, name, items, accuracy, reference (shares right), difference, lower,
--                          upper (one-sided bounds that hold for all classes), p_harmful (adjusted), harmful (true
--                          where upper < -margin) }; worst is the one of them with the lowest difference
-- nil where no two seeds, or no two classes, can be compared, and where there is no verdict.
local c = require 'hz.c'
local kept = require 'hz.report.damage.kept'
local outcomes = require 'hz.report.outcomes'
local verdict = require 'hz.report.statistics.verdict'

local ffi = c.ffi
local M = {}

local MOST = 65536                 -- classes; what says more says nothing

-- ---- which item is of which class ----

local function from_outcomes(r, like)
  local first = outcomes.of(r, like)
  if not first then return nil end
  local n = first.correct:count()
  local class = ffi.new('int32_t[?]', n)
  for i = 0, n - 1 do class[i] = -1 end
  for _, row in ipairs(r.rows) do
    local o = outcomes.test_digest(row) == outcomes.test_digest(like) and not row.failed and outcomes.of(r, row)
    if o and o.correct:count() == n then
      local right, said = o.correct:contiguous():pointer 'read', o.class:contiguous():pointer 'read'
      for i = 0, n - 1 do
        if right[i] == 1 and said[i] >= 0 and said[i] < MOST then class[i] = said[i] end
      end
    end
  end
  return { class = class, n = n, names = {}, from = 'outcomes' }
end

local function from_labels(labels, names)
  local n, p = labels:count(), labels:contiguous():pointer 'read'
  local class = ffi.new('int32_t[?]', n)
  for i = 0, n - 1 do class[i] = p[i] end
  return { class = class, n = n, names = names, from = 'data' }
end

-- The classes of the test items that a row of the report has; sets: of these, where they are here. -> { class (int32 by
-- item from 0, -1: unknown), n, names, from }, nil without outcomes.
function M.labels(r, like, sets)
  if sets then return from_labels(sets[#sets].labels, sets[#sets].classes) end
  local known = kept.test_set(r, outcomes.test_digest(like))
  if known then return from_labels(known.labels, known.classes) end
  return from_outcomes(r, like)
end

-- ---- items by class ----

-- Numbers of the items, class by class, and where each class begins.
local function sorted(l)
  local many = 0
  for i = 0, l.n - 1 do many = math.max(many, l.class[i] + 1) end
  local begin, order = {}, ffi.new('int32_t[?]', math.max(1, l.n))
  for k = 0, many do begin[k] = 0 end
  for i = 0, l.n - 1 do
    if l.class[i] >= 0 then begin[l.class[i] + 1] = begin[l.class[i] + 1] + 1 end
  end
  for k = 1, many do begin[k] = begin[k] + begin[k - 1] end
  local next_of = {}
  for k = 0, many do next_of[k] = begin[k] end
  for i = 0, l.n - 1 do
    local k = l.class[i]
    if k >= 0 then
      order[next_of[k]] = i
      next_of[k] = next_of[k] + 1
    end
  end
  return order, begin, many
end

local function classes_of(l)
  local order, begin, many = sorted(l)
  local list = {}
  for k = 0, many - 1 do
    local items = begin[k + 1] - begin[k]
    if items > 1 then
      list[#list + 1] = { class = k, name = l.names[k + 1] or tostring(k), items = items, first = begin[k] }
    end
  end
  return list, order, l.n - begin[many]
end

-- A run of outcomes in memory that answers as a tensor of u8 does, as far as verdict.lua asks.
local Run = {}
Run.__index = Run
function Run:count() return self.n end
function Run.type() return 'u8' end
function Run:contiguous() return self end
function Run:pointer() return self.at end

-- Outcomes of seeds, class by class.
local function gather(tensors, order, n)
  local list = {}
  for s, t in ipairs(tensors) do
    local from, to = t:contiguous():pointer 'read', ffi.new('uint8_t[?]', math.max(1, n))
    for i = 0, n - 1 do to[i] = from[order[i]] end
    list[s] = to
  end
  return list
end

local function of_class(list, one)
  local runs = {}
  for s, p in ipairs(list) do runs[s] = setmetatable({ at = p + one.first, n = one.items, whole = p }, Run) end
  return runs
end

-- ---- one encoding ----

local function compare(r, list, a, b)
  local all, p, worst = {}, {}, nil
  for i, one in ipairs(list) do
    local v = verdict.compare(of_class(a, one), of_class(b, one), { margin = r.margin, alpha = r.alpha / #list })
    all[i] = { class = one.class, name = one.name, items = one.items, accuracy = v.accuracy, reference = v.reference,
      difference = v.difference, lower = math.max(-1, v.lower), upper = math.min(1, v.upper),
      harmful = v.upper < -r.margin }
    p[i] = v.p_harmful
    if not worst or all[i].difference < worst.difference then worst = all[i] end
  end
  for i, adjusted in ipairs(verdict.holm(p)) do all[i].p_harmful = adjusted end
  return { worst = worst, all = all }
end

-- ---- the whole ----

local function work(r, chain)
  local reference = chain.reference
  local l = reference and M.labels(r, reference.rows[1], r.sets and r.sets(reference))
  if not l then return nil end
  local list, order, unknown = classes_of(l)
  if #list < 2 then return nil end
  local out, any = { from = l.from, unknown = unknown, list = list, entries = {} }, false
  for e, entry in ipairs(chain.entries) do
    local a, b = outcomes.paired(r, entry.group, reference)
    local fits = #a >= 2
    for s, t in ipairs(a) do fits = fits and t:count() == l.n and b[s]:count() == l.n end
    local n = l.n - unknown
    out.entries[e] = fits and compare(r, list, gather(a, order, n), gather(b, order, n))
    any = any or fits
  end
  for _, one in ipairs(list) do one.first = nil end
  return any and out or nil
end

-- The classes of a chain (verdicts.lua), as the head of this file says.
function M.of(r, chain)
  if chain.reason then return nil end
  if chain.classes == nil then chain.classes = work(r, chain) or false end
  return chain.classes or nil
end

return M
