-- load.lua: how long sweeps of many finished cells take to start, and their reports.
--   build/hz test/load.lua [cells=2000] [runs=FOLDER]
-- Computes one cell, copies it to all others as the library itself writes them, and times processes of their own: the
-- sweep started twice, then the index removed and the report made twice. A folder that is given is kept, and taken as
-- it is where it has cells. Seconds of the clock and of processor time.
local hz = require 'hz'
local cell = require 'hz.sweep.cell'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local safetensors = require 'hz.tensor.safetensors'

local knob = hz.args({
  { 'cells', 2000, 'int', 'of the sweep', min = 2 },
  { 'runs', nil, 'string', 'folder to keep' },
  { 'part', 'all', 'string', 'what this process does', choices = { 'all', 'sweep', 'report' } },
}, ...)

local function sweep(runs, dry)
  local seeds = {}
  for i = 1, knob.cells / 2 do seeds[i] = i end
  local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
  return hz.sweep { name = 'load', runs = runs, dry = dry, data = { { name = 'camera', train = train, test = test } },
    quality = { 20, 'raw' }, model = { 'small' }, seed = seeds, epochs = 40, batch = 16, train = 60, test = 40,
    optimizer = function() return hz.optimizer('adam', {}) end }
end

-- ---- making the cells ----

local function copy(runs, job, tensors, meta)
  local record = json.decode(meta['hz.cell'])
  for k, v in pairs(job.labels) do record[k] = v end
  record.key, record.training_key, record.decides = job.key, job.training_key, job.decides
  meta['hz.cell'] = json.encode(record)
  safetensors.write(cell.path(runs, job.key), tensors, meta)
end

local function fill(runs)
  local all = sweep(runs, true).jobs
  local first = all[1]
  file.mkdir(cell.folder(runs))
  if not cell.exists(runs, first.key) then cell.run(runs, first) end
  local tensors, meta = safetensors.read(cell.path(runs, first.key))
  for i, job in ipairs(all) do
    if i > 1 and not cell.exists(runs, job.key) then copy(runs, job, tensors, meta) end
  end
end

-- ---- in processes of their own ----

local parts = {}
function parts.sweep(runs) tostring(sweep(runs)) end
function parts.report(runs)
  local m = require 'hz.sweep.manifest'.find(runs, nil, print)
  require 'hz.report.text'.text(require 'hz.report.report'.of_manifest(runs, m))
end

if knob.part ~= 'all' then
  local print_as_usual = print
  _G.print = function() end
  parts[knob.part](knob.runs)
  _G.print = print_as_usual
  io.stderr:write(('cpu %.2f\n'):format(os.clock()))
  return
end

-- ---- all ----

local seconds = require 'hz.c'.C.hz_seconds

local function time(what, part, runs)
  local began = seconds()
  local p = io.popen(("'%s' '%s' cells=%d runs='%s' part=%s 2>&1"):format(
    io.popen 'readlink /proc/$PPID/exe':read '*l', arg[0], knob.cells, runs, part))
  local out = p:read '*a'
  p:close()
  local cpu = out:match '^cpu (%S+)\n$'
  if not cpu then error(out, 0) end
  print(('%-28s %7.2f s  processor %7.2f s'):format(what, seconds() - began, cpu))
end

local runs = knob.runs or io.popen 'mktemp -d':read '*l'
io.stdout:write(('%d cells: '):format(knob.cells))
io.stdout:flush()
local began = seconds()
fill(runs)
print(('made in %.1f s'):format(seconds() - began))
time('sweep, started', 'sweep', runs)
time('sweep, started again', 'sweep', runs)
file.remove(file.join(runs, 'index.db'))
time('report, the first', 'report', runs)
time('report, again', 'report', runs)
if not knob.runs then file.remove(runs) end
