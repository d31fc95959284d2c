-- runs.lua: hz runs, hz report, hz compare: what sweeps there are and what they found.
local cell = require 'hz.sweep.cell'
local command = require 'hz.base.command'
local encoding = require 'hz.codec.encoding'
local exit = require 'hz.exit'
local export = require 'hz.report.export'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local machines = require 'hz.report.machines'
local manifest = require 'hz.sweep.manifest'
local picture = require 'hz.report.picture'
local protocol = require 'hz.sweep.protocol'
local report = require 'hz.report.report'
local rows_of = require 'hz.sweep.rows'
local say = require 'hz.base.say'
local table_text = require 'hz.base.table'.text
local text = require 'hz.report.text'
local visible, visible_text = require 'hz.base.visible'.line, require 'hz.base.visible'.text

-- Data are for programs: as they are, unless a person reads them at a terminal.
local function out(text) io.write(file.terminal(1) and visible_text(text) or text) end

-- ---- runs ----

local function count_done(runs, m)
  local n = 0
  for _, entry in ipairs(m.cells) do n = n + (cell.exists(runs, entry.key) and 1 or 0) end
  return n
end

-- What a sweep walks, from its manifest.
local function describe(o, m)
  local function all(name)
    return table.concat(rows_of.distinct(m.cells, function(entry) return entry.labels[name] end), ',')
  end
  local trained = {}
  for i, entry in ipairs(m.cells) do trained[i] = encoding.of(entry.labels, '') end
  return { id = m.id, created = m.created, cells = #m.cells, finished = count_done(o.runs, m), data = all 'data',
           model = all 'model', quality = encoding.walk(trained, 8), protocol = all 'protocol',
           command = m.command or json.null }
end

local function list(o)
  local rows = {}
  for i, m in ipairs(manifest.all(o.runs, say)) do rows[i] = describe(o, m) end
  if o.json then
    out(json.encode(json.array(rows), { pretty = true }) .. '\n')
    return 0
  end
  if #rows == 0 then
    print(('%s: no sweep is recorded there'):format(visible(o.runs)))
    return 0
  end
  local lines = {}
  for i, r in ipairs(rows) do
    local begun = r.created:gsub('T', ' '):gsub(':%d%dZ', '')
    lines[i] = { r.id, begun, ('%d/%d'):format(r.finished, r.cells), r.data, r.model, r.quality, r.protocol }
  end
  print(table_text({ { 'sweep', 'left' }, { 'begun (UTC)', 'left' }, { 'cells' }, { 'data', 'left' },
    { 'model', 'left' }, { 'quality', 'left' }, { 'protocol', 'left' } }, lines))
  return 0
end

local function at_work(m, owner)
  exit.stop(1, ('runs rm %s: %s is at work on it; needs its end'):format(m.id, owner.text))
end

-- Cells of other sweeps stay, and so do the trainings they share.
local function remove_held(o, m)
  local needed, gone, trainings, stay = {}, {}, {}, 0
  local function unknown(why)
    exit.stop(1, ('runs rm %s: %s; needs it mended or removed first: it may name the same cells'):format(m.id, why))
  end
  for _, other in ipairs(manifest.all(o.runs, unknown)) do
    for _, entry in ipairs(other.id ~= m.id and other.cells or {}) do
      needed[entry.key], needed[entry.training] = true, true
    end
  end
  for _, entry in ipairs(m.cells) do
    if needed[entry.key] then stay = stay + 1 else gone[#gone + 1], trainings[entry.training] = entry, true end
  end
  local locks, owner = cell.hold(o.runs, trainings)
  local ok, e = pcall(function()
    if owner then at_work(m, owner) end
    for _, entry in ipairs(gone) do cell.remove(o.runs, entry.key, entry.training, needed[entry.training]) end
    file.remove(manifest.path(o.runs, m.id))
    if m.kernels then file.remove(file.join(manifest.folder(o.runs), m.kernels)) end
  end)
  for _, lock in ipairs(locks) do lock:release() end
  if not ok then error(e, 0) end
  print(('%s: removed with %d cells; %d belong to other sweeps and stay'):format(visible(m.id), #gone, stay))
end

local function remove(o)
  local m = manifest.find(o.runs, o.words[1], say)
  local lock, owner = file.lock(manifest.lock_path(o.runs, m.id))
  if not lock then at_work(m, owner) end
  local ok, e = pcall(remove_held, o, m)
  lock:release()
  if not ok then error(e, 0) end
  return 0
end

-- ---- report ----

local function show(o)
  local r = report.of_manifest(o.runs, manifest.find(o.runs, o.words[1], say), o)
  if o.svg then
    file.write(o.svg, picture.svg(r))
    say('plot written to ' .. o.svg)
  end
  if o.json then
    out(export.json(r))
  elseif o.csv then
    out(export.csv(r))
  elseif not o.svg then
    print(text.text(r))
  end
  for _, note in ipairs((o.json or o.csv or o.svg) and r.notes or {}) do say(note) end
  return 0
end

-- ---- compare ----

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

-- ---- the verbs ----

local function at(f)
  return function(o)
    o.runs = manifest.runs(o.runs)
    return f(o)
  end
end

local folder = { 'runs', nil, 'string', 'the folder of the sweeps instead of HZ_RUNS or ./runs', form = 'runs=DIR' }
-- What verdicts are asked for, as NAME=VALUE.
local asked = {}
for i, row in ipairs(protocol.asked) do
  asked[i] = setmetatable({ form = row[1] .. '=SHARE' }, { __index = row })
end

local array = { 'json', false, 'bool', 'an array for programs' }
local note = 'ID may be cut short as long as it is unique'

local commands = {
  runs = command.new('runs', {
    about = note,
    { '', at(list), 'sweeps, oldest first', { array, folder } },
    { 'rm', at(remove), 'removes a sweep and the cells that no other sweep needs', { folder }, words = { 'ID', 1, 1 } },
  }),
  report = command.new('report', {
    about = note,
    { '', at(show), 'the table, plot and verdict of a sweep (the latest without an ID)', {
      { 'csv', false, 'bool', 'its cells as CSV' },
      { 'json', false, 'bool', 'its cells as an array' },
      { 'svg', nil, 'string', 'writes the plot', form = '--svg FILE' },
      asked[1], asked[2],
      folder }, words = { 'ID', 0, 1 } },
  }),
  compare = command.new('compare', {
    about = note,
    { '', at(compare), 'two sweeps side by side: accuracy at the same encodings, and what else differs', { folder },
      words = { 'ID', 2, 2 } },
  }),
}

return function(args) return commands[args[0]](args) end
