-- compare.lua: hz compare: two sweeps side by side.
local command = require 'hz.base.command'
local folder = require 'hz.cli.folder'
local machines = require 'hz.report.machines'
local manifest = require 'hz.sweep.manifest'
local report = require 'hz.report.report'
local rows_of = require 'hz.sweep.rows'
local say = require 'hz.base.say'
local table_text = require 'hz.base.table'.text
local visible = require 'hz.base.visible'.line

local varying = { 'data', 'split', 'protocol', 'epochs', 'dtype' }
local machine = { 'isa', 'vendor', 'version', 'commit', 'host', 'plan' }

local function joined(a, b)
  local list = {}
  for _, rows in ipairs { a, b } do
    for _, row in ipairs(rows) do list[#list + 1] = row end
  end
  return list
end

-- Settings and machines in which two reports differ, one line each; and what is not alike among all their cells.
local function print_differences(a, b)
  local function all(r, get)
    local list = rows_of.distinct(r.rows, function(row) return tostring(get(row) or 'not recorded') end)
    table.sort(list)
    return table.concat(list, ', ')
  end
  local function one(name, get)
    local x, y = all(a, get), all(b, get)
    if x ~= y then print(visible(('differs: %s: %s | %s'):format(name, x, y))) end
  end
  for _, name in ipairs(varying) do one(name, function(row) return row[name] end) end
  for _, name in ipairs(machine) do one(name, function(row) return row.record.run[name] end) end
  local note = machines.note(joined(a.rows, b.rows))
  if note then print(visible(note)) end
end

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

local function percent(v) return v and ('%.2f'):format(100 * v) or '-' end

local function side_by_side(g, other)
  local name = g.trained.text .. (g.trained ~= g.tested and ' / ' .. g.tested.text or '')
  local gain = g.accuracy and other.accuracy and ('%+.2f'):format(100 * (other.accuracy - g.accuracy)) or '-'
  return { g.model, name, ('%.3f'):format(g.bits_per_sample), ('%.3f'):format(other.bits_per_sample),
    percent(g.accuracy), percent(other.accuracy), gain, ('%d, %d'):format(g.seeds, other.seeds) }
end

local function compare(o)
  local r, rows = {}, {}
  for i = 1, 2 do r[i] = report.of_manifest(o.runs, manifest.find(o.runs, o.words[i], say)) end
  for _, g in ipairs(r[1].groups) do
    local other = counterpart(r[2], g)
    if other then rows[#rows + 1] = side_by_side(g, other) end
  end
  print(('a: %s\nb: %s'):format(visible(r[1].id), visible(r[2].id)))
  print_differences(r[1], r[2])
  if #rows == 0 then
    print 'no encoding and model is finished in both'
  else
    print(table_text({ { 'model', 'left' }, { 'codec', 'left' }, { 'bits a' }, { 'bits b' }, { 'accuracy a' },
      { 'accuracy b' }, { 'b - a' }, { 'seeds' } }, rows))
  end
  return 0
end

-- ---- the verb ----

return command.new('compare', {
  about = folder.about,
  { '', folder.at(compare), 'two sweeps side by side: accuracy at the same encodings, and what else differs',
    { folder.row }, words = { 'ID', 2, 2 } },
})
