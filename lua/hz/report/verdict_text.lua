-- verdict_text.lua: verdicts (verdicts.lua) in words: a line for a hurried reader, and for each chain a table of its
-- encodings, the knee as a bracket, and an account of bits. Differences are in points, 100 times the share of items.
local damage_text = require 'hz.report.damage.damage_text'
local ledger = require 'hz.report.noise.ledger'
local matrix = require 'hz.report.matrix'
local rows_of = require 'hz.sweep.rows'
local tables = require 'hz.base.table'
local verdicts = require 'hz.report.verdicts'
local visible = require 'hz.base.visible'.line
local words = require 'hz.report.words'

local M = {}

-- ---- words ----

local number, points, small, wrap = words.number, words.points, words.small, words.wrap
local function confidence(r) return words.confidence(r.alpha) end

-- 'jpeg', 'jpeg subsampling=444, small': what tells a chain from the others of the report.
function M.naming(chains)
  local function many(name)
    return #rows_of.distinct(chains, function(chain) return chain[name] end) > 1
  end
  local data, model, dtype = many 'data', many 'model', many 'dtype'
  return function(chain)
    local parts = {}
    local function add(text) if text and text ~= '' then parts[#parts + 1] = text end end
    add(chain.codec .. (chain.further ~= '' and ' ' .. chain.further or ''))
    add(data and chain.data); add(model and chain.model); add(dtype and chain.dtype)
    add(chain.trained and 'trained on ' .. chain.trained)
    return table.concat(parts, ', ')
  end
end

-- ---- the line for a hurried reader ----

local function claim(r, chain)
  local safe = chain.knee.safe and chain.entries[chain.knee.safe]
  if not safe then return ('none is shown to cost at most %s (%s)'):format(points(r.margin), confidence(r)) end
  local text = ('%s costs at most %s (%s)'):format(verdicts.called(safe), points(r.margin), confidence(r))
  if not chain.bits then return text end
  local from = chain.bits.lossless or chain.bits.raw
  return ('%s, %s bits per sample instead of %s (%s)'):format(text, small(chain.bits.needed.payload),
    small(from.payload), from.called)
end

local function harm(chain)
  local at = chain.knee.harmful
  if not at then return nil end
  local e = chain.entries[at]
  return ('%s%s'):format(verdicts.called(e), at < #chain.entries and ' and below harm' or ' harms')
end

-- Entries of the bracket that have no verdict.
local function between(chain)
  local list = {}
  for i = (chain.knee.safe or 0) + 1, (chain.knee.harmful or #chain.entries + 1) - 1 do
    list[#list + 1] = chain.entries[i]
  end
  return list
end

-- What would decide them: seeds that settle each with 80 % probability.
local function remedy(list)
  local most, never = 0, nil
  for _, e in ipairs(list) do
    if e.found.verdict == 'undecided' then
      if e.found.reason then return ('%s: %s'):format(verdicts.called(e), e.found.reason) end
      if not e.found.more_seeds then never = never or e end
      most = math.max(most, e.found.more_seeds or 0)
    end
  end
  if never then
    return ('not even 40 more seeds would settle %s: more test items, or a wider margin would'):format(
      verdicts.called(never))
  end
  return most > 0 and ('%d more seed%s would settle it with 80 %% probability'):format(most, most == 1 and '' or 's')
end

local function rest(chain)
  local list = between(chain)
  if #list == 0 then return nil end
  local where = chain.knee.safe and chain.knee.harmful and 'between them' or chain.knee.safe and 'below it'
    or chain.knee.harmful and 'above it' or 'all'
  local help = remedy(list)
  return where .. (where == 'all' and ' are' or '') .. ' undecided' .. (help and ', ' .. help or '')
end

-- One line; it says what is known, or why nothing is.
function M.line(r, chain, name)
  if chain.reason then return ('%s: no verdict: %s; what would help: %s'):format(name, chain.reason, chain.help) end
  local parts = { claim(r, chain), harm(chain) or chain.knee.safe == #chain.entries and 'none of them harms' or nil }
  parts[#parts + 1] = rest(chain)
  return name .. ': ' .. table.concat(parts, '; ')
end

local function aligned(columns, lines) return tables.text(columns, lines, tables.width) end

-- ---- the table of encodings ----

local function signed(name) return function(e) return number('%+.2f', e.found[name], 100) end end
local function plain(name, factor, format)
  return function(e) return number(format or '%.2f', e.found[name], factor) end
end

local columns = {
  { 'encoding', 'left', verdicts.called },
  { 'verdict', 'left', function(e) return e.mark end },
  { 'diff.', 'right', function(e)
    return e.found.difference and signed 'difference'(e) .. (e.found.measurable and '*' or ' ') or '-'
  end },
  { 'lower', 'right', signed 'lower' }, { 'upper', 'right', signed 'upper' },
  { 'seed sd', 'right', plain('seed_sd', 100) }, { 'item sd', 'right', plain('item_sd', 100) },
  { 'corr.', 'right', plain 'correlation' }, { 'churn', 'right', plain('churn', 100, '%.1f') },
}

-- Columns, and lines of a text each.
function M.encodings(chain)
  local lines = {}
  for i, e in ipairs(chain.entries) do
    lines[i] = {}
    for k, col in ipairs(columns) do lines[i][k] = col[3](e) end
  end
  return columns, lines
end

-- What the figures of a chain are of.
local function legend(r, chain)
  local e, least, most = nil, math.huge, 0
  for _, one in ipairs(chain.entries) do
    local found = one.found
    if not found.reason then
      e, least, most = e or found, math.min(least, found.seeds), math.max(most, found.seeds)
    end
  end
  if not e then return nil end
  return ('points beside raw (%.2f %% by final weights) over %s seeds and %d items; bounds one-sided at %s; '
    .. '* measurable; churn: %% of items that change sides (%.1f between seeds of raw)'):format(100 * e.reference,
    least == most and most or ('%d to %d'):format(least, most), e.items, confidence(r), 100 * (e.null_churn or 0))
end

-- The knee lies above the last that harms, and is at most the last that is safe.
function M.bracket(r, chain)
  local safe, harmful = chain.entries[chain.knee.safe], chain.entries[chain.knee.harmful]
  local low, high = harmful and verdicts.called(harmful), safe and verdicts.called(safe)
  local where = low and high and ('in (%s, %s]'):format(low, high) or high and 'at most ' .. high
    or low and 'above ' .. low or 'anywhere'
  return ('knee: %s, with %.4g %% confidence'):format(where, 100 * (1 - 2 * r.alpha))
end

-- What was within reach.
local function reach(chain)
  local c = chain.certifiable
  return c and ('%d seeds and %d items certify %s with 80 %% probability where nothing is lost'):format(c.seeds,
    c.items, points(tonumber(('%.2g'):format(c.margin))))
end

-- Texts below the table: encodings that could not be judged and why, what the figures are of, the knee, the reach.
function M.notes(r, chain)
  local list = {}
  for _, e in ipairs(chain.entries) do
    if e.found.reason then list[#list + 1] = ('%s: %s'):format(verdicts.called(e), e.found.reason) end
  end
  list[#list + 1] = legend(r, chain)
  list[#list + 1] = M.bracket(r, chain)
  list[#list + 1] = reach(chain)
  return list
end

-- ---- the account of bits: payload (tables once for the set), then whole files; shares are of raw ----

local account_columns = { { 'bits', 'left' }, { 'per item' }, { 'per sample' }, { '%' }, { 'files' }, { 'per sample' },
  { '%' } }

local function account_row(chain, called, v)
  local b, out = chain.bits, { called }
  for _, kind in ipairs { 'payload', 'file' } do
    out[#out + 1] = ('%.0f'):format(v[kind] * b.samples)
    out[#out + 1] = ('%.3f'):format(v[kind])
    out[#out + 1] = ('%.1f'):format(100 * v[kind] / b.raw[kind])
  end
  return out
end

-- Columns, and lines of a text each.
function M.account(chain)
  local b, lines = chain.bits, {}
  local function add(called, v) if v then lines[#lines + 1] = account_row(chain, called, v) end end
  add('raw', b.raw)
  for _, coder in ipairs(b.coders) do add('lossless ' .. coder.called, coder) end
  add('redundancy, at least', b.redundancy)
  add('needed, at most', b.needed)
  add('saved', b.saved)
  return account_columns, lines
end

M.no_bits = 'bits: none saved is claimed where training and test have other encodings'

-- What saved bits are made of, where the noise is known: the ledger, and its text; nil elsewhere.
function M.ledger(r, chain)
  local l, entry = ledger.of_chain(chain, r.chains)
  if l then return l, ledger.text(l, verdicts.called(entry)) end
end

-- Texts below the account: what it lacks, and the ledger.
function M.account_notes(r, chain)
  local b, list = chain.bits, {}
  for _, why in ipairs(b.missing or {}) do list[#list + 1] = 'lossless bits lack a coder: ' .. why end
  if not b.missing then
    list[1] = 'lossless bits: not counted here yet; the command of the sweep counts them, and trains nothing anew'
  end
  list[#list + 1] = select(2, M.ledger(r, chain))
  return list
end

-- ---- controls ----

-- What the controls of a setting say; called: of which, '' where there is one.
function M.assay(a, called)
  local known = {}
  for i, d in ipairs(a.damage) do
    known[i] = ('%s %s'):format(number('%.2f', d.expected, 100), d.found.verdict)
  end
  local again = a.replicate and ('raw again with fresh seeds %s (%s)'):format(
    number('%+.2f', a.replicate.difference, 100), a.replicate.verdict)
  local text = ('assay %s%s'):format(a.shown and 'shown' or 'not shown: ' .. a.why, called)
  if again then text = text .. '; ' .. again end
  if #known > 0 then text = text .. '; known losses in points: ' .. table.concat(known, ', ') end
  return text
end

M.no_assay = 'assay not shown: no controls are among the cells (controls=true)'

-- What the controls of each setting say; one line where all have none.
local function assays(chains, name)
  local list, seen, settings = {}, {}, #rows_of.distinct(chains, function(chain) return chain.setting end)
  for _, chain in ipairs(chains) do
    if not chain.reason and not seen[chain.setting] then
      seen[chain.setting] = true
      local a = chain.assay
      list[#list + 1] = a and wrap(M.assay(a, settings > 1 and (' (%s)'):format(visible(name(chain))) or ''), '  ')
    end
  end
  if #list == 0 and next(seen) then list[1] = M.no_assay end
  return list
end

-- ---- nets tested on other encodings than they were trained on ----

local function share(v) return number('%.1f', v, 100) end

-- A difference and its interval, in points.
local function between_text(d)
  if not d then return '-' end
  return d.lower and ('%+.2f (%+.1f, %+.1f)'):format(100 * d.difference, 100 * d.lower, 100 * d.upper)
    or words.signed(d.difference)
end

-- Tables of a matrix: { caption, columns, lines, notes }, of its accuracies and of how its losses split.
function M.matrix(m)
  local cols, lines, splits = { { 'trained \\ tested', 'left' } }, {}, {}
  for i, e in ipairs(m.encodings) do
    cols[i + 1], lines[i] = { e:label_text() }, { e.text }
    for j = 1, #m.encodings do lines[i][j + 1] = share(m.accuracy[i][j]) end
  end
  for i, s in ipairs(m.splits) do
    splits[i] = { s.encoding:label_text(), between_text(s.loss), between_text(s.retrained), between_text(s.mismatch) }
  end
  return { caption = ('accuracy %% of %s, %s'):format(m.codec, m.model), columns = cols, lines = lines, notes = {} },
    { caption = ('losses of %s, %s'):format(m.codec, m.model), lines = splits,
      columns = { { 'encoding', 'left' }, { 'loss' }, { 'after retraining' }, { 'mismatch' } },
      notes = { 'loss: nets trained on raw, tested on the encoding, beside raw: what is lost after retraining, and the '
        .. 'mismatch that retraining would win back; points, two-sided intervals' } }
end

local function matrix_text(m)
  local map, splits = M.matrix(m)
  return ('%s\n%s\n\n%s\n%s'):format(visible(map.caption), aligned(map.columns, map.lines),
    aligned(splits.columns, splits.lines), wrap(splits.notes[1]))
end

-- ---- the whole ----

local function judged_text(r, chain)
  local parts = { aligned(M.encodings(chain)) }
  for _, note in ipairs(M.notes(r, chain)) do parts[#parts + 1] = wrap(visible(note)) end
  if chain.bits then
    parts[#parts + 1] = aligned(M.account(chain))
    for _, line in ipairs(M.account_notes(r, chain)) do parts[#parts + 1] = wrap(visible(line)) end
  else
    parts[#parts + 1] = M.no_bits
  end
  return parts
end

-- nil where a chain has no verdict, and its items say nothing either.
local function chain_text(r, chain, name)
  local parts = chain.reason and {} or judged_text(r, chain)
  for _, block in ipairs(damage_text.blocks(r, chain)) do parts[#parts + 1] = block end
  return #parts > 0 and name .. ':\n' .. table.concat(parts, '\n') or nil
end

-- The verdict of a report; nil where nothing is judged.
function M.text(r)
  local chains = verdicts.of(r)
  if #chains == 0 then return nil end
  local name, parts = M.naming(chains), {}
  for _, chain in ipairs(chains) do parts[#parts + 1] = wrap(visible(M.line(r, chain, name(chain))), '  ') end
  for _, line in ipairs(assays(chains, name)) do parts[#parts + 1] = line end
  local out = { table.concat(parts, '\n') }
  for _, chain in ipairs(chains) do
    out[#out + 1] = chain_text(r, chain, visible(name(chain)))
  end
  for _, m in ipairs(matrix.of(r)) do out[#out + 1] = matrix_text(m) end
  return table.concat(out, '\n\n')
end

return M
