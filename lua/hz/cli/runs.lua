-- runs.lua: hz runs: what sweeps there are, one as a small file, and away with one.
local cell = require 'hz.sweep.cell'
local command = require 'hz.base.command'
local encoding = require 'hz.codec.encoding'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local folder = require 'hz.cli.folder'
local json = require 'hz.base.json'
local kept = require 'hz.report.damage.kept'
local manifest = require 'hz.sweep.manifest'
local packed = require 'hz.report.packed'
local rows_of = require 'hz.sweep.rows'
local say = require 'hz.base.say'
local table_text = require 'hz.base.table'.text
local visible = require 'hz.base.visible'.line

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
    folder.out(json.encode(json.array(rows), { pretty = true }) .. '\n')
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
    kept.remove(o.runs, m.id)
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

local function pack(o)
  local words = o.words
  local path = words[#words]
  local m = manifest.find(o.runs, words[2] and words[1], say)
  local bytes, cells = packed.write(path, o.runs, m)
  print(('%s: %s, %d cells, %.1f KB; read by hz report %s'):format(visible(path), visible(m.id), cells, bytes / 1024,
    visible(path)))
  return 0
end

-- ---- the verb ----

local at, row = folder.at, folder.row

return command.new('runs', {
  about = folder.about,
  { '', at(list), 'sweeps, oldest first', { { 'json', false, 'bool', 'an array for programs' }, row } },
  { 'pack', at(pack), 'packs a sweep (the latest without an ID) as one small file that hz report reads',
    { row }, words = { 'FILE', 1, 2, text = '[ID] FILE' } },
  { 'rm', at(remove), 'removes a sweep and the cells that no other sweep needs', { row }, words = { 'ID', 1, 1 } },
})
