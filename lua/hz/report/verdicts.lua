-- verdicts.lua: the verdicts of a report: what each encoding costs each model beside the untouched data (raw), from the
-- outcomes in the cells. Final weights decide, whatever the protocol calls accuracy. Encodings of one codec that differ
-- in the walked parameter only are a chain, ordered from most bits to fewest; all models, data sets, storage types and
-- kinds of training have chains of their own. This file says where there is no verdict, and why; verdict.lua decides.
local assay = require 'hz.report.assay'
local bits = require 'hz.report.bits'
local classes = require 'hz.report.damage.classes'
local complexity = require 'hz.report.complexity'
local items = require 'hz.report.damage.items'
local late = require 'hz.report.late'
local outcomes = require 'hz.report.outcomes'
local points = require 'hz.report.words'.found
local protocol = require 'hz.sweep.protocol'
local rows_of = require 'hz.sweep.rows'
local savings = require 'hz.report.savings'
local verdict = require 'hz.report.statistics.verdict'

local M = {}

local ROOM = 5                     -- margins between chance and the reference: with less, nothing can be lost
local LATE = 0.5                   -- of the margin: what the reference may still gain in its last quarter

-- ---- whether the reference can tell anything ----

-- The largest share of items that are right and of one class.
local function constant(o)
  local right, class, n, hits, most = o.correct:pointer 'read', o.class:pointer 'read', o.class:count(), {}, 0
  for i = 0, n - 1 do
    if right[i] == 1 then
      local k = (hits[class[i]] or 0) + 1
      hits[class[i]], most = k, math.max(most, k)
    end
  end
  return most / n
end

-- The share of items that the best constant answer gets right, as far as outcomes say; of balanced classes one of them.
local function chance(r, reference)
  local best = 0
  for _, row in pairs(outcomes.by_seed(reference)) do
    local o = outcomes.of(r, row)
    if o then best = math.max(best, constant(o)) end
  end
  local classes = reference.rows[1].record.classes
  return math.max(best, classes and 1 / classes or 0)
end

local function count(n, word) return ('%d %s%s'):format(n, word, n == 1 and '' or 's') end

-- Checks of a reference, in order: f(r, reference) -> why there is no verdict, and what would help.
local checks = {
  function(r, g)
    if g.source_lossy and not r.force then
      return ('the untouched data were %s before'):format(g.source),
        'data that no lossy codec has been through (force=true judges all the same)'
    end
  end,
  function(_, g)
    local n = g.seeds - g.failed
    if n < 2 then return ('the reference has %s'):format(n == 1 and 'one seed' or 'no finished seed'), 'seed=1..5' end
  end,
  function(r, g)
    local least = chance(r, g)
    if g.accuracy and g.accuracy - least < ROOM * r.margin then
      return ('the reference is near chance: %.2f %% right, a constant answer %.2f %%'):format(100 * g.accuracy,
        100 * least), 'a longer training, more data or another model'
    end
  end,
  function(r, g)
    if r.force then return end
    local gain, from = late.gain(g)
    if not gain then return 'one epoch does not show whether the reference still improves', 'more epochs' end
    if gain > LATE * r.margin then
      return ('the reference still improves: %s in its last quarter (after epoch %d of %d)'):format(points(gain), from,
        g.epochs), 'more epochs (force=true judges all the same)'
    end
  end,
}

local function trouble(r, reference)
  if not reference then return 'no cell on the untouched data (raw) is finished', 'raw among the encodings' end
  for _, check in ipairs(checks) do
    local why, help = check(r, reference)
    if why then return why, help end
  end
end

-- ---- one encoding ----

local function judge(r, g, reference)
  local a, b = outcomes.paired(r, g, reference)
  if g.failed > 0 then
    return { verdict = 'undecided', seeds = #a, reason = count(g.failed, 'training') .. ' failed' }
  end
  if #a == 0 then return { verdict = 'undecided', seeds = 0, reason = 'no seed in common with raw' } end
  local o = { margin = r.margin, alpha = r.alpha, adaptive = r.adaptive }
  local v = r.adaptive and verdict.adaptive(a, b, o) or verdict.compare(a, b, o)
  if v.verdict == 'undecided' and not v.reason then v.more_seeds = verdict.seeds_needed(v, o) end
  return v
end

-- ---- what could be shown ----

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

-- How far seeds and items differ, medians over the encodings of a chain that have so many seeds at least: { seed_sd,
-- item_sd, encodings (how many), seeds (most), items }; nil where none has.
function M.spread(chain, least)
  local seed, item, out = {}, {}, { seeds = 0 }
  for _, e in ipairs(chain.entries) do
    local v = e.found
    if v and v.seed_sd and v.seeds >= least then
      seed[#seed + 1], item[#item + 1] = v.seed_sd, v.item_sd
      out.seeds, out.items = math.max(out.seeds, v.seeds), v.items
    end
  end
  if #seed == 0 then return nil end
  out.seed_sd, out.item_sd, out.encodings = median(seed), median(item), #seed
  return out
end

-- The smallest margin that the seeds and items of a chain certify with 80 % probability where nothing is lost.
local function certifiable(r, chain)
  local spread = M.spread(chain, 2)
  if not spread then return nil end
  spread.alpha = r.alpha
  return { margin = verdict.margin(spread), seeds = spread.seeds, items = spread.items }
end

-- ---- bits ----

-- Of a group, in bits per sample: payload (tables once per set) and files.
local function sizes(g)
  return { payload = g.bits_per_sample, file = g.bits_per_sample_file, called = g.tested.text }
end

-- The account of a chain, per sample in bits, each with payload and file: raw, coders (list, with names), lossless (the
-- best, by payload and by files apart), needed (the claimed end of the knee: an upper bound), saved, redundancy (at
-- least). items: of the cell; samples: of an item.
local function account(r, chain, reference)
  local all = reference.rows[1].record.accounts.all
  local plain = bits.lossless(reference.rows[1].record, r.sets and r.sets(reference), r.accounts)
  local out = { samples = all.samples / all.items, items = all.items, raw = sizes(reference), coders = {},
    missing = plain and plain.missing }
  out.needed = chain.knee and chain.knee.safe and sizes(chain.entries[chain.knee.safe].group) or nil
  for i, coder in ipairs(plain and plain.coders or {}) do
    out.coders[i] = { called = coder.name, payload = 8 * coder.payload / plain.samples,
      file = 8 * coder.file / plain.samples }
  end
  local best, of_files = bits.best({ coders = out.coders }, 'payload'), bits.best({ coders = out.coders }, 'file')
  if not best then return out end
  out.lossless = { payload = best.payload, file = of_files.file, called = best.called }
  local function less(x, y) return { payload = x.payload - y.payload, file = x.file - y.file } end
  out.redundancy = less(out.raw, out.lossless)
  out.saved = out.needed and less(out.lossless, out.needed)
  return out
end

-- ---- chains ----

-- What keeps chains apart, beside the setting: the codec, its other walked parameters, and what trained.
local function kind_of(g)
  if g.trained == g.tested then return 'same' end
  return g.trained.text
end

local function new_chain(g)
  return { setting = g.setting, codec = g.tested.name, further = g.tested:further_text(), model = g.model,
    data = g.data, dtype = g.dtype, protocol = g.protocol, trained = g.trained ~= g.tested and g.trained.text or nil,
    entries = {} }
end

-- Whether encodings of a setting, other than raw, were trained on and tested on others: a matrix, of which nets trained
-- on raw and those tested as trained are chains (report/matrix.lua shows the rest).
local function crossed(groups)
  local trained, many = {}, {}
  for _, g in ipairs(groups) do
    if g.trained ~= g.tested and not rows_of.trained_on_raw(g) then
      local before = trained[g.setting]
      many[g.setting] = many[g.setting] or before ~= nil and before ~= g.trained
      trained[g.setting] = g.trained
    end
  end
  return many
end

local function chains_of(groups)
  local list, by, references, many = {}, {}, {}, crossed(groups)
  for _, g in ipairs(groups) do
    if rows_of.untouched(g) then
      references[g.setting] = references[g.setting] or g
    elseif g.trained == g.tested or not many[g.setting] or rows_of.trained_on_raw(g) then
      local key = table.concat({ g.setting, g.tested.name, g.tested:further_text(), kind_of(g) }, '\0')
      if not by[key] then
        by[key] = new_chain(g)
        list[#list + 1] = by[key]
      end
      table.insert(by[key].entries, { group = g })
    end
  end
  for _, chain in ipairs(list) do
    table.sort(chain.entries, function(a, b)
      if a.group.bits_per_sample ~= b.group.bits_per_sample then
        return a.group.bits_per_sample > b.group.bits_per_sample
      end
      return a.group.at < b.group.at
    end)
  end
  return list, references
end

local function judge_chain(r, chain)
  local reference = chain.reference
  chain.reason, chain.help = trouble(r, reference)
  if reference then chain.assay = assay.of(r, reference) end
  if chain.reason then return end
  local list = {}
  for i, entry in ipairs(chain.entries) do
    entry.found = judge(r, entry.group, reference)
    list[i] = entry.found
  end
  chain.knee, chain.certifiable = verdict.sequence(list), certifiable(r, chain)
  for i, entry in ipairs(chain.entries) do entry.mark = chain.knee.marks[i] end
  if not chain.trained then chain.bits = account(r, chain, reference) end
end

-- The chains of a report before they are judged.
function M.chains(r)
  if not r.unjudged then
    local references
    r.unjudged, references = chains_of(r.groups)
    for _, chain in ipairs(r.unjudged) do chain.reference = references[chain.setting] end
  end
  return r.unjudged
end

-- The chains of a report, in its order: each { codec, further, model, data, dtype, protocol, trained (text of what all
-- were trained on; nil where each was trained on its own), entries, reference (a group), assay (assay.lua; nil without
-- controls), and either reason and help, where there is no verdict, or knee (verdict.sequence), certifiable ({ margin,
-- seeds, items }; nil for one seed) and bits (account) }. An entry: { group, found (verdict.compare), mark (safe,
-- harmful, undecided, not reached) }. Empty for a report without a runs folder.
function M.of(r)
  if r.chains or not r.runs then return r.chains or {} end
  for _, row in ipairs(protocol.asked) do r[row[1]] = r[row[1]] or row[2] end
  r.accounts = r.accounts or {}
  r.chains = M.chains(r)
  for _, chain in ipairs(r.chains) do judge_chain(r, chain) end
  return r.chains
end

-- ---- as fields of cells ----

-- What --json and --csv say in each cell of a judged encoding, all seeds the same: f(entry, chain, r) -> value or nil.
-- Differences are shares of items; bits are per sample.
local function found(name) return function(e) return e.found and e.found[name] end end
local function bit(part, kind) return function(_, chain) return chain.bits[part] and chain.bits[part][kind] end end

-- Of the entry's items and classes; of what the claimed encoding saves, at that one alone.
local function beside(module, name)
  return function(e, chain, r)
    local own = module.of(r, chain)
    for i, one in ipairs(own and chain.entries or {}) do
      if one == e then return own.entries[i] and own.entries[i][name] or nil end
    end
  end
end
local function of_item(name) return beside(items, name) end
local function of_part(module, part, name)
  local get = beside(module, part)
  return function(...) return (get(...) or {})[name] end
end
local function by_seeds(name) return of_part(items, 'expected', name) end
local function worst(name) return of_part(classes, 'worst', name) end
local function claimed(of, part, name)
  return function(e, chain, r)
    local s = savings.of(r, chain)
    local own = s and chain.entries[s.entry] == e and s[of]
    return own and own[part] and own[part][name] or nil
  end
end
local function model(name)
  return function(_, chain) return chain.reference and complexity.of(chain.reference.rows[1])[name] end
end

local columns = {
  { 'verdict', function(e) return e.mark end },
  { 'verdict_reason', function(e, chain) return chain.reason or e.found and e.found.reason end },
  { 'margin', function(_, _, r) return r.margin end }, { 'alpha', function(_, _, r) return r.alpha end },
  { 'difference', found 'difference' }, { 'difference_lower', found 'lower' }, { 'difference_upper', found 'upper' },
  { 'measurable', found 'measurable' }, { 'seed_sd', found 'seed_sd' }, { 'item_sd', found 'item_sd' },
  { 'correlation', found 'correlation' }, { 'churn', found 'churn' }, { 'null_churn', found 'null_churn' },
  { 'seeds_compared', found 'seeds' }, { 'items_compared', found 'items' }, { 'more_seeds', found 'more_seeds' },
  { 'knee', function(e, chain)
    local k = chain.knee
    return k and (e == chain.entries[k.safe] and 'safe' or e == chain.entries[k.harmful] and 'harmful') or nil
  end },
  { 'lossless', bit('lossless', 'called'), bits = true },
  { 'bits_lossless', bit('lossless', 'payload'), bits = true },
  { 'bits_lossless_file', bit('lossless', 'file'), bits = true },
  { 'bits_saved', bit('saved', 'payload'), bits = true }, { 'bits_saved_file', bit('saved', 'file'), bits = true },
  { 'bits_redundancy', bit('redundancy', 'payload'), bits = true },
  { 'bits_redundancy_file', bit('redundancy', 'file'), bits = true },
  { 'items_right_raw', function(_, chain, r) return (items.of(r, chain) or {}).raw end },
  { 'items_kept', of_item 'kept' }, { 'items_kept_by_seeds', by_seeds 'kept' },
  { 'items_lost', of_item 'lost' }, { 'items_lost_by_seeds', by_seeds 'lost' },
  { 'items_lost_by_seeds_sd', by_seeds 'lost_sd' },
  { 'items_gained', of_item 'gained' }, { 'items_gained_by_seeds', by_seeds 'gained' },
  { 'worst_class', worst 'name' }, { 'worst_class_difference', worst 'difference' },
  { 'worst_class_lower', worst 'lower' }, { 'worst_class_upper', worst 'upper' },
  { 'epochs_to_target', claimed('epochs', 'claimed', 'restricted') },
  { 'epochs_to_target_raw', claimed('epochs', 'raw', 'restricted') },
  { 'epochs_difference', claimed('epochs', 'difference', 'difference') },
  { 'epochs_difference_lower', claimed('epochs', 'difference', 'lower') },
  { 'epochs_difference_upper', claimed('epochs', 'difference', 'upper') },
  { 'seconds_difference', claimed('seconds', 'difference', 'difference') },
  { 'seconds_difference_lower', claimed('seconds', 'difference', 'lower') },
  { 'seconds_difference_upper', claimed('seconds', 'difference', 'upper') },
  { 'bytes_saved', claimed('storage', 'saved', 'payload') },
  { 'bytes_saved_file', claimed('storage', 'saved', 'file') },
  { 'multiply_adds', model 'madds' }, { 'capacity_bits', model 'capacity' }, { 'label_bits', model 'label_bits' },
}

-- Names of the fields that cells of a report have beside those of rows.lua; none where nothing can be judged.
function M.fields(r)
  local list = {}
  for i, col in ipairs(#M.of(r) > 0 and columns or {}) do list[i] = col[1] end
  return list
end

-- row -> fields by name, of the cells of judged encodings.
function M.by_row(r)
  local map = {}
  for _, chain in ipairs(M.of(r)) do
    for _, e in ipairs(chain.entries) do
      local own = {}
      for _, col in ipairs(columns) do
        if not col.bits or chain.bits then own[col[1]] = col[2](e, chain, r) or nil end
      end
      for _, row in ipairs(e.group.rows) do map[row] = own end
    end
  end
  return map
end

-- How people call an encoding of a chain: 'quality 30', 'bitrate 32'; the codec where nothing is walked.
function M.called(e)
  local own = e.group.tested
  return own.value ~= nil and ('%s %s'):format(own.parameter, own:label_text()) or own.name
end

return M
