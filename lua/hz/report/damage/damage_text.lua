-- damage_text.lua: what stands under the table of a chain: what its encodings do to items and classes, what the claimed
-- one saves, what the model could hold, and where the gallery is. damage_text.blocks(r, chain) -> texts of at most the
-- columns of a terminal.
local classes = require 'hz.report.damage.classes'
local complexity = require 'hz.report.complexity'
local gallery = require 'hz.report.damage.gallery'
local items = require 'hz.report.damage.items'
local savings = require 'hz.report.savings'
local tables = require 'hz.base.table'
local thousands = require 'hz.net.net'.thousands
local verdicts = require 'hz.report.verdicts'
local visible = require 'hz.base.visible'.line
local words = require 'hz.report.words'

local M = {}

local percent, wrap = words.confidence, words.wrap
local function points(v) return ('%+.1f'):format(100 * v) end
local function count(v) return ('%.0f'):format(v) end

-- ---- items and classes ----

-- Of an entry: its items (items.lua) and its classes (classes.lua); false or nil where they are not known.
local of_items = {
  { 'kept', 'right', function(e) return count(e.kept) end },
  { 'seeds', 'right', function(e) return count(e.expected.kept) end },
  { 'lost', 'right', function(e) return count(e.lost) end },
  { 'seeds', 'right', function(e) return ('%.0f+-%.0f'):format(e.expected.lost, e.expected.lost_sd) end },
}
local of_classes = {
  { 'worst class', 'left', function(e) return e.worst.name end },
  { 'diff.', 'right', function(e) return points(e.worst.difference) .. (e.worst.harmful and '*' or ' ') end },
  { 'lower', 'right', function(e) return points(e.worst.lower) end },
  { 'upper', 'right', function(e) return points(e.worst.upper) end },
}

-- Columns, and lines of a text each; nil where neither is known.
function M.damage(r, chain)
  local own, of_class = items.of(r, chain), classes.of(r, chain)
  if not own and not of_class then return nil end
  local columns, lines = { { 'items', 'left' } }, {}
  for i, entry in ipairs(chain.entries) do lines[i] = { verdicts.called(entry) } end
  local function add(found, list)
    for _, col in ipairs(found and list or {}) do
      columns[#columns + 1] = col
      for i, e in ipairs(found.entries) do lines[i][#columns] = e and col[3](e) or '-' end
    end
  end
  add(own, of_items)
  add(of_class, of_classes)
  return columns, lines
end

local function items_legend(own)
  local text = ('of %d items most of the seeds of raw get %d right (two of them disagree on %.1f %%): kept is right '
    .. 'here and at all encodings above, lost wrong here; seeds: as many if nothing but the seeds differed'):format(
    own.items, own.raw, 100 * own.flips)
  local k = own.control
  return text .. (k and ('; raw again loses %d, expected %.0f'):format(k.lost, k.expected.lost) or '')
end

local function classes_legend(r, of_class)
  return ('worst of %d classes%s in points, bounds that hold for all of them, one-sided at %s; * harmful'):format(
    #of_class.list, of_class.unknown > 0 and (' (%d items are of none)'):format(of_class.unknown) or '',
    percent(r.alpha))
end

-- What the figures of M.damage are of.
function M.legend(r, chain)
  local own, of_class, parts = items.of(r, chain), classes.of(r, chain), {}
  parts[#parts + 1] = own and items_legend(own)
  parts[#parts + 1] = of_class and classes_legend(r, of_class)
  return #parts > 0 and table.concat(parts, '; ') or nil
end

-- ---- savings ----

local units = { { 1e9, 'GB' }, { 1e6, 'MB' }, { 1e3, 'KB' }, { 0, 'bytes' } }

-- A number of bytes in the words of the largest unit that it fills.
function M.bytes(v)
  for _, unit in ipairs(units) do
    if math.abs(v) >= unit[1] then
      return unit[1] > 0 and ('%.3g %s'):format(v / unit[1], unit[2]) or ('%.0f bytes'):format(v)
    end
  end
end

local function interval(d, r, factor)
  if not d then return 'one seed has no interval' end
  return ('%+.3g, %.3g to %.3g at %s'):format(factor * d.difference, factor * d.lower, factor * d.upper,
    percent(r.alpha))
end

local function storage_line(s)
  local from = s.storage.lossless or s.storage.raw
  return ('storage: %s instead of %s (%s) for %s items at %s; as files %s instead of %s'):format(
    M.bytes(s.storage.claimed.payload), M.bytes(from.payload), from.called, thousands(s.items), s.called,
    M.bytes(s.storage.claimed.file), M.bytes(from.file))
end

local function waited(t, horizon)
  return ('%.1f%s'):format(t.restricted, t.reached < t.seeds
    and (' (%d of %d not reached in %d)'):format(t.seeds - t.reached, t.seeds, horizon) or '')
end

local function epochs_line(r, s)
  local e = s.epochs
  return e and ('epochs to %.2f %% of the watch split: %s instead of %s (%s)'):format(100 * e.target,
    waited(e.claimed, e.horizon), waited(e.raw, e.horizon), interval(e.difference, r, 1))
end

local function seconds_line(r, s)
  local t = s.seconds
  return t and ('seconds of training, as measured: %.1f instead of %.1f (%s)'):format(t.claimed, t.raw,
    interval(t.difference, r, 1))
end

-- What is saved, and what is not, a text each; empty where nothing is claimed.
function M.savings(r, chain)
  local s, list = savings.of(r, chain), {}
  if not s then return list end
  for _, line in ipairs { storage_line, epochs_line, seconds_line } do
    list[#list + 1] = line == storage_line and line(s) or line ~= storage_line and line(r, s) or nil
  end
  return list
end

-- ---- the model, the gallery ----

function M.model(chain)
  local m = complexity.of(chain.reference.rows[1])
  local parts = { ('model %s: %s parameters'):format(chain.model, thousands(m.parameters)) }
  parts[#parts + 1] = m.madds and ('%s multiply-adds of an item'):format(thousands(m.madds))
  parts[#parts + 1] = m.capacity and ('memory-equivalent capacity %s bits (nominal)'):format(thousands(m.capacity))
  parts[#parts + 1] = m.label_bits and ('labels %s bits'):format(thousands(math.floor(m.label_bits + 0.5)))
  return table.concat(parts, ', ')
end

function M.gallery(r, chain)
  local list = gallery.of(r, chain)
  if #list == 0 then return list.why end
  local first, last = list[1].called, list[#list].called
  return ('gallery: %d items lost beyond what seeds alone lose (%s), in hz report --html FILE'):format(#list,
    first == last and first or first .. ' to ' .. last)
end

-- ---- the whole ----

-- The texts of a chain. Where there is no verdict what seeds alone would do still says what items are lost.
function M.blocks(r, chain)
  local columns, lines = M.damage(r, chain)
  if not columns then return {} end
  local list = { tables.text(columns, lines, tables.width), wrap(M.legend(r, chain)) }
  for _, line in ipairs(M.savings(r, chain)) do list[#list + 1] = wrap(visible(line)) end
  list[#list + 1] = wrap(visible(M.model(chain)))
  list[#list + 1] = wrap(visible(M.gallery(r, chain)))
  return list
end

return M
