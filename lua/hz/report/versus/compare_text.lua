-- compare_text.lua: what compare.lua found, in words and tables, words first. Every number is one of the table that
-- --json prints; differences are in points, 100 times the share of items, and of b beside a.
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line
local words = require 'hz.report.words'

local M = {}

local number, percent, signed, points, wrap = words.number, words.percent, words.signed, words.points, words.lines
local small = words.small

-- ---- words ----

local function bits(v) return number('%.3f', v) end
local function confidence(r) return words.confidence(r.alpha) end

local function listed(numbers)
  local parts = {}
  for i, v in ipairs(numbers) do parts[i] = tostring(v) end
  return table.concat(parts, ', ')
end

-- ---- the head of two sweeps ----

local function head(r)
  local lines = { ('a: %s\nb: %s'):format(visible(r.a), visible(r.b)) }
  for _, d in ipairs(r.differs) do
    lines[#lines + 1] = wrap(('differs: %s: %s | %s'):format(d.name, d.a, d.b))
  end
  if r.note then lines[#lines + 1] = wrap(r.note) end
  return table.concat(lines, '\n')
end

local same_columns = { { 'model', 'left' }, { 'codec', 'left' }, { 'bits a' }, { 'bits b' }, { 'accuracy a' },
  { 'accuracy b' }, { 'b - a' }, { 'seeds' } }

local function same(r)
  local rows = {}
  for i, s in ipairs(r.same) do
    rows[i] = { s.model, s.encoding .. (s.encoding_test and ' / ' .. s.encoding_test or ''), bits(s.bits_a),
      bits(s.bits_b), percent(s.accuracy_a), percent(s.accuracy_b),
      s.accuracy_a and s.accuracy_b and signed(s.accuracy_b - s.accuracy_a) or '-',
      ('%d, %d'):format(s.seeds_a, s.seeds_b) }
  end
  if #rows == 0 then return 'no encoding and model is finished in both' end
  return 'at the same encodings:\n' .. tables.text(same_columns, rows, tables.width)
end

-- ---- a pair, in a line or two ----

local function at_equal_bits(r, kind)
  if kind.no_bits then return ('no accuracy at equal bits: %s; what would help: %s'):format(kind.no_bits,
    kind.help_bits) end
  local m = kind.mean or kind.equal_bits[1]
  local where = m.from and ('in the mean of %s to %s bits per sample'):format(small(m.from), small(m.to))
    or ('at %s bits per sample'):format(small(m.bits))
  local side = m.lower > 0 and 'b is more accurate' or m.upper < 0 and 'b is less accurate'
    or 'no difference is measurable'
  return ('at equal bits %s: %s points %s (%s: %s to %s)'):format(side, signed(m.difference), where, confidence(r),
    signed(m.lower), signed(m.upper))
end

-- How many of a's encodings b reaches with measurably fewer bits, with more, and the rest.
local function at_equal_accuracy(r, kind)
  if kind.no_accuracy then return ('no bits at equal accuracy: %s; what would help: %s'):format(kind.no_accuracy,
    kind.help_accuracy) end
  local fewer, more, n = 0, 0, #kind.equal_accuracy
  for _, e in ipairs(kind.equal_accuracy) do
    if e.change_upper and e.change_upper < 0 then fewer = fewer + 1 end
    if e.change_lower and e.change_lower > 0 then more = more + 1 end
  end
  return ('at equal accuracy, of %d encoding%s of a, b is shown to need fewer bits than %d, more than %d (%s each)')
    :format(n, n == 1 and '' or 's', fewer, more, confidence(r))
end

local function how(p)
  local seeds = p.paired and ('paired by seed %s'):format(listed(p.seeds_a))
    or ('a by seeds %s, b by %s, taken for independent%s'):format(listed(p.seeds_a), listed(p.seeds_b),
      p.shared and (' though both have %s'):format(listed(p.shared)) or '')
  return ('%d items, %s; final weights'):format(p.items, seeds)
end

local function title(p) return ('%s (b) beside %s (a)'):format(p.b, p.a) end

local function line(r, p)
  if p.reason then return ('%s: %s; what would help: %s'):format(title(p), p.reason, p.help) end
  return ('%s: %s; %s'):format(title(p), at_equal_bits(r, p.payload), at_equal_accuracy(r, p.payload))
end

-- ---- the tables of a pair ----

local bits_columns = { { 'bits' }, { 'of a', 'left' }, { 'of b', 'left' }, { 'acc. a' }, { 'acc. b' }, { 'b - a' },
  { 'lower' }, { 'upper' } }

local function bits_row(d, label)
  return { label or bits(d.bits), d.encoding_a or '', d.encoding_b or '', percent(d.accuracy_a), percent(d.accuracy_b),
    signed(d.difference) .. ((d.lower > 0 or d.upper < 0) and '*' or ' '), signed(d.lower), signed(d.upper) }
end

local function bits_table(kind)
  local rows = {}
  for i, d in ipairs(kind.equal_bits) do rows[i] = bits_row(d) end
  if kind.mean then rows[#rows + 1] = bits_row(kind.mean, 'mean') end
  return tables.text(bits_columns, rows, tables.width)
end

local accuracy_columns = { { 'as accurate as', 'left' }, { 'accuracy' }, { 'bits a' }, { 'bits b' }, { 'lower' },
  { 'upper' }, { 'change, %' }, { 'lower' }, { 'upper' } }

local function change(v) return number('%+.0f', v, 100) end

-- Bits of b, and what they are beside a's; where nothing was measured, in which direction they lie.
local function found(e, kind)
  local sign = e.where == 'below' and '< ' or e.where == 'above' and '> ' or ''
  local edge = e.where == 'below' and kind.range_b[1] or e.where == 'above' and kind.range_b[2]
  if not edge then return bits(e.bits_b), change(e.change) end
  return sign .. bits(edge), sign .. change(edge / e.bits_a - 1)
end

local function accuracy_row(e, kind)
  local apart = e.change_upper and e.change_upper < 0 or e.change_lower and e.change_lower > 0
  local of_b, beside = found(e, kind)
  return { e.encoding_a, percent(e.accuracy), bits(e.bits_a), of_b, bits(e.lower), bits(e.upper),
    beside .. (apart and '*' or ' '), change(e.change_lower), change(e.change_upper) }
end

local function accuracy_table(kind)
  local rows, open = {}, false
  for i, e in ipairs(kind.equal_accuracy) do
    rows[i] = accuracy_row(e, kind)
    open = open or not e.lower or not e.upper
  end
  return tables.text(accuracy_columns, rows, tables.width), open
end

local function left(p)
  local list = {}
  for _, side in ipairs { 'a', 'b' } do
    for _, text in ipairs(p['left_' .. side]) do list[#list + 1] = ('left out of %s: %s'):format(side, text) end
  end
  return list
end

local titles = { { 'payload', 'payload' }, { 'file', 'whole files' } }

-- Adds the tables of a kind of bits, or why there are none. Returns how many there are, and whether a set of bits is
-- open.
local function add_kind(r, p, row, parts)
  local kind, n, open = p[row[1]], 0, false
  if kind.no_bits then
    parts[#parts + 1] = wrap(('%s, %s'):format(row[2], at_equal_bits(r, kind)))
  else
    parts[#parts + 1], n = ('%s, accuracy at equal bits per sample:\n%s'):format(row[2], bits_table(kind)), 1
  end
  if kind.no_accuracy then
    parts[#parts + 1] = wrap(('%s, %s'):format(row[2], at_equal_accuracy(r, kind)))
  else
    local text
    text, open = accuracy_table(kind)
    parts[#parts + 1], n = ('%s, bits per sample at equal accuracy:\n%s'):format(row[2], text), n + 1
  end
  return n, open
end

local function details(r, p)
  local parts, tables_shown, open = { wrap(title(p) .. ': ' .. how(p)) }, 0, false
  for _, text in ipairs(left(p)) do parts[#parts + 1] = wrap(text) end
  for _, row in ipairs(titles) do
    local n, own = add_kind(r, p, row, parts)
    tables_shown, open = tables_shown + n, open or own
  end
  if tables_shown > 0 then
    parts[#parts + 1] = wrap(('bounds two-sided at %s; * measurable; between measured points lines over log bits, '
      .. 'nothing beyond them%s'):format(confidence(r), open and '; - has no bound within them, which more encodings '
      .. 'or seeds would give' or ''))
  end
  return table.concat(parts, '\n')
end

-- ---- the cheapest codec ----

local function who(codec) return (codec.sweep and codec.sweep .. ' ' or '') .. codec.codec end

local function best_of(family)
  for _, codec in ipairs(family.codecs) do
    if codec.cheapest then return codec end
  end
end

-- 'both', 'all 3': codecs that are tested together.
local function all(n) return n == 1 and 'it alone' or n == 2 and 'both together' or ('all %d together'):format(n) end

local function cheapest_line(r, family)
  local best = best_of(family)
  if family.tested == 0 then return 'cheapest codec: no codec has a verdict' end
  if not best then
    return ('cheapest codec: none of %d is shown to cost at most %s (%s for %s, Holm)'):format(family.tested,
      points(r.margin), confidence(r), all(family.tested))
  end
  return ('cheapest codec: %s, %s: %s bits per sample, costs at most %s (%s for %s, Holm)'):format(who(best),
    best.encoding, small(best.bits), points(r.margin), confidence(r), all(family.tested))
end

local cheapest_columns = { { 'codec', 'left' }, { 'safe down to', 'left' }, { 'bits' }, { 'per file' }, { 'p (Holm)' },
  { 'needs more', 'left' } }

local function needs(family, codec)
  if codec.cheapest or not best_of(family) or codec.reason then return '' end
  return codec.needs_more and 'shown' or 'not shown'
end

local function cheapest_table(family)
  local rows = {}
  for i, codec in ipairs(family.codecs) do
    rows[i] = { who(codec), codec.encoding or codec.reason and 'no verdict' or 'none shown', bits(codec.bits),
      bits(codec.bits_file), number('%.2g', codec.p), needs(family, codec) }
  end
  return tables.text(cheapest_columns, rows, tables.width)
end

-- Codecs without a verdict, those of one reason together.
local function without(family)
  local list, by = {}, {}
  for _, codec in ipairs(family.codecs) do
    local why = codec.reason and ('no verdict: %s; what would help: %s'):format(codec.reason, codec.help)
    if why and not by[why] then
      by[why] = { why = why }
      list[#list + 1] = by[why]
    end
    if why then table.insert(by[why], who(codec)) end
  end
  for i, one in ipairs(list) do list[i] = ('%s: %s'):format(table.concat(one, ', '), one.why) end
  return list
end

local function cheapest_details(r, family)
  local parts = { ('each codec on its own, safe within %s:'):format(points(r.margin)), cheapest_table(family) }
  for _, text in ipairs(without(family)) do parts[#parts + 1] = wrap(text) end
  return table.concat(parts, '\n')
end

-- ---- the whole ----

local function in_words(r)
  local lines = {}
  for _, p in ipairs(r.pairs) do lines[#lines + 1] = wrap(line(r, p)) end
  for _, family in ipairs(r.cheapest) do lines[#lines + 1] = wrap(cheapest_line(r, family)) end
  return table.concat(lines, '\n')
end

function M.text(r)
  local parts = { r.b and head(r) or visible(r.a) }
  if #r.pairs + #r.cheapest > 0 then parts[#parts + 1] = in_words(r) end
  if r.b and #r.pairs == 0 then
    parts[#parts + 1] = ('no curves: %s holds raw alone'):format(r.bare)
  end
  if r.same then parts[#parts + 1] = same(r) end
  for _, p in ipairs(r.pairs) do
    if not p.reason then parts[#parts + 1] = details(r, p) end
  end
  for _, family in ipairs(r.cheapest) do parts[#parts + 1] = cheapest_details(r, family) end
  return table.concat(parts, '\n\n')
end

return M
