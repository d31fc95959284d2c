-- A sweep as one small file: the same report from it, and what is damaged, hostile or something else is a message. And
-- what a sweep keeps of its data beside the manifest.
local t = ...
local archive = require 'hz.ext.archive'
local c = require 'hz.c'
local ffi = require 'ffi'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local kept = require 'hz.report.damage.kept'
local packed = require 'hz.report.packed'
local safetensors = require 'hz.tensor.safetensors'
local tensor = require 'hz.tensor.tensor'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)

-- A folder with a finished sweep, `hz ARGS` there, and the sweep's id.
local function finished(args)
  local dir, run, env = sweeps.place()
  local status, _, err = run(args or 'quality=5,raw seed=1,2,3')
  t.equal(status, 0, err)
  local function hz(more) return t.sh(('%sHZ_RUNS= %s %s; exit $?'):format(env, t.quote(t.hz), more)) end
  for _, name in ipairs(file.list(dir .. '/runs/sweeps')) do
    if name:find '%.json$' then return dir, hz, name:sub(1, -6) end
  end
end

t.case('packed: a report of the file is that of the sweep, in every form', function()
  local dir, hz, id = finished()
  local status, out, err = hz 'runs pack p.hz'
  t.equal(status, 0, err)
  t.match(out, 'p%.hz: ' .. id:gsub('%-', '%%-') .. ', 6 cells, [%d.]+ KB; read by hz report p%.hz')
  t.ok(file.size(dir .. '/p.hz') < 60000)
  for _, o in ipairs { '', '--json', '--csv', 'margin=0.3', 'alpha=0.2 margin=0.5 --json' } do
    local _, own, own_err = hz(('report %s %s'):format(id, o))
    local _, from, from_err = hz('report p.hz ' .. o)
    t.equal(from, own, o)
    t.equal(from_err, own_err, o)
  end
  t.equal((hz('runs pack ' .. id:sub(1, 6) .. ' q.hz')), 0)
  t.ok(t.read(dir .. '/q.hz') == t.read(dir .. '/p.hz'))
  status, out = hz [[-e "local of = hz.results; print(of('p.hz'):mean 'accuracy' == of():mean 'accuracy')"]]
  t.equal({ status, out }, { 0, 'true\n' })
end)

t.case('packed: it is small, the same every time, and needs neither cells nor data', function()
  local dir, hz = finished 'quality=5,raw seed=1,2'
  t.equal((hz 'runs pack a.hz'), 0)
  t.equal((hz 'runs pack b.hz'), 0)
  t.ok(t.read(dir .. '/a.hz') == t.read(dir .. '/b.hz'))
  local _, before = hz 'report a.hz'
  file.remove(dir .. '/runs')
  local status, after = hz 'report a.hz'
  t.equal({ status, after }, { 0, before })
  t.match(after, 'jpeg 5')
end)

t.case('packed: mistakes in calling are messages', function()
  local _, hz = finished 'quality=5,raw seed=1'
  for _, case in ipairs {
    { 'runs pack', 2, 'needs at least one' }, { 'runs pack a b c', 2, 'needs at most two' },
    { 'runs pack nothing p.hz', 1, 'is no sweep' }, { 'runs pack nowhere/p.hz', 1, 'nowhere/p%.hz: No such file' },
    { 'report nowhere/p.hz', 1, 'nowhere/p%.hz' }, { 'report .', 1, 'is no sweep' },
    { 'report net.lua', 1, 'net%.lua' },
    { 'report runs/sweeps', 1, 'folder' }, { 'runs rm net.lua', 1, 'is no sweep' },
  } do
    local status, _, err = hz(case[1])
    t.equal(status, case[2], case[1] .. ': ' .. err)
    t.match(err, case[3], case[1])
  end
end)

-- ---- hostile files ----

local function packed_bytes(chunks)
  local parts = {}
  for i, chunk in ipairs(chunks) do
    parts[i] = type(chunk) == 'string' and chunk or ffi.string(chunk[1], chunk[2])
  end
  local text = table.concat(parts)
  return archive.pack('xz', #text, function(add) add(text, #text) end)
end

-- A packed sweep, and a function that writes it with changes made by f(p, tensors) to its JSON and tensors.
local function specimen()
  local dir = finished 'quality=5,raw seed=1,2'
  local runs, m = dir .. '/runs', nil
  for _, name in ipairs(file.list(runs .. '/sweeps')) do
    if name:find '%.json$' then m = json.decode(t.read(runs .. '/sweeps/' .. name)) end
  end
  local path = dir .. '/p.hz'
  packed.write(path, runs, m)
  return path, function(f)
    local tensors, _, p = safetensors.read_own(path, 'hz.packed', 'packed sweep',
      archive.unpack(path, t.read(path), 2 ^ 28))
    f(p, tensors)
    local other = dir .. '/q.hz'
    t.write(other, packed_bytes(safetensors.chunks(tensors, { ['hz.packed'] = json.encode(p) })))
    return other
  end
end

t.case('packed: what is damaged or something else is a message that names the file', function()
  local path = specimen()
  local whole, other = t.read(path), path .. '.odd'
  local function refused(bytes, note)
    t.write(other, bytes)
    local ok, e = c.try(packed.report, other)
    t.ok(not ok, note)
    t.match(tostring(e), 'p%.hz%.odd', note)
  end
  for at = 1, #whole, math.floor(#whole / 40) do
    refused(whole:sub(1, at - 1), 'cut at ' .. at)
    refused(whole:sub(1, at - 1) .. string.char((whole:byte(at) + 1) % 256) .. whole:sub(at + 1), 'changed at ' .. at)
  end
  for _, bytes in ipairs { '', 'x', ('\0'):rep(1000), 'PK\3\4', '{}', whole:sub(7) } do refused(bytes, #bytes) end
  t.write(other, whole .. whole)
  t.ok(not c.try(packed.report, other), 'twice')
end)

t.case('packed: a small file that unpacks to gigabytes is refused early', function()
  local path = t.folder() .. '/bomb.hz'
  local zeros = ffi.new('uint8_t[?]', 2 ^ 20)
  t.write(path, archive.pack('xz', 2 ^ 20, function(add)
    for _ = 1, 300 do add(zeros, 2 ^ 20) end
  end))
  t.ok(file.size(path) < 2 ^ 20)
  t.raises('it holds more than 268435456 bytes', packed.report, path)
end)

t.case('packed: contents that lie are refused, each with what is wrong', function()
  local path, changed = specimen()
  t.ok(#packed.report(path).rows == 4)
  local function refused(part, f)
    t.raises(part, packed.report, changed(f))
  end
  refused('schema', function(p) p.schema = 9 end)
  refused('cells is', function(p) p.cells = 3 end)
  refused('cells[1].key', function(p) p.cells[1].key = '../../x' end)
  refused('none of its sweep', function(p) p.cells[1].key = ('0'):rep(32) end)
  refused('none of its sweep', function(p) p.cells[2] = p.cells[1] end)
  refused('is another', function(p) p.cells[1].record = p.cells[2].record end)
  refused('q.hz', function(p) p.cells[1].record = '{' end)
  refused('q.hz', function(p) p.cells[1].run = '3' end)
  refused('column', function(p) p.cells[1].column = 8 end)
  refused('column', function(p) p.cells[1].column = nil end)
  refused("no tensor 'right.7'", function(p) p.cells[1].items = 7 end)
  refused("no tensor 'class.1'", function(_, tensors) tensors['class.1'] = nil end)
  refused("'class.1' is i32", function(_, tensors) tensors['class.1'] = tensor.zeros({ 3 }, 'i32') end)
  refused("'right.1' is f32", function(_, tensors) tensors['right.1'] = tensor.zeros({ 40, 1 }) end)
  refused("'right.1' is u8", function(_, tensors) tensors['right.1'] = tensor.zeros({ 40 }, 'u8') end)
  refused('manifest', function(p) p.manifest = 'x' end)
  refused('q.hz', function(p) p.manifest = { id = '../x' } end)
  refused('q.hz', function(p) p.accounts = { a = { key = 'a' } } end)
  refused('q.hz', function(_, tensors) tensors.kept = tensor.zeros({ 30 }, 'u8') end)
  refused("'kept' is i32", function(_, tensors) tensors.kept = tensor.zeros({ 30 }, 'i32') end)
end)

-- ---- what a sweep keeps of its data ----

t.case('kept: labels, classes and pictures are written, read and checked', function()
  local runs = t.folder()
  file.mkdir(runs .. '/sweeps')
  local function side(text) return { png = text, width = 2, height = 1 } end
  local one = { cell = ('a'):rep(32), item = 3, label = 'bee', called = 'quality 5', said = 'ant', raw = 3, here = 0,
    seeds = { 3, 3 }, before = side 'abc', after = { png = '\0\1', width = 2, height = 1, sound = 'RIFF',
      mime = 'audio/wav', part = 'the first 2 s' } }
  local set = { digest = 'd', labels = tensor.from({ 0, 1, 1 }, 'i32'), classes = { 'ant', 'bee' } }
  kept.write(runs, 'x', { cells = 'c', sets = { set }, shown = { one } })
  local r = { runs = runs, id = 'x' }
  local found = kept.of(r)
  t.equal(found.shown, { one })
  t.equal(kept.test_set(r, 'd').classes, { 'ant', 'bee' })
  t.equal(kept.test_set(r, 'd').labels[2], 1)
  t.equal(kept.test_set(r, 'e'), nil)
  t.raises('it is of sweep x', kept.read, kept.path(runs, 'x'), 'y')
  set.labels = tensor.from({ 0, 2, 1 }, 'i32')
  kept.write(runs, 'x', { cells = 'c', sets = { set }, shown = {} })
  t.raises('item 2 has label 2; needs 0..1', kept.read, kept.path(runs, 'x'), 'x')
  t.equal(kept.of { runs = runs, id = 'x' }, nil, 'a damaged one is none')
  set.labels, one.after.mime = tensor.from({ 0, 1, 1 }, 'i32'), 'text/html'
  kept.write(runs, 'x', { cells = 'c', sets = { set }, shown = { one } })
  t.raises('needs audio/wav or audio/mpeg', kept.read, kept.path(runs, 'x'), 'x')
  kept.remove(runs, 'x')
  t.equal(kept.of { runs = runs, id = 'x' }, nil)
end)

t.case('kept: it goes with its sweep, is made anew where it is damaged, and costs a report nothing', function()
  local dir, hz, id = finished()
  local path = ('%s/runs/sweeps/%s.kept.safetensors'):format(dir, id)
  local whole = t.read(path)
  t.ok(#whole < 150 * 1024)
  t.write(path, whole:sub(1, 100))
  local status, out, err = hz('report ' .. id)
  t.equal(status, 0, err)
  t.match(err, 'kept%.safetensors.*going on without it: the command of the sweep makes it anew')
  t.match(out, 'jpeg 5')
  status, out, err = hz 'sweep.lua quality=5,raw seed=1,2,3'
  t.equal(status, 0, out)
  t.match(err, 'kept%.safetensors.*going on without it: the command of the sweep makes it anew')
  t.ok(t.read(path) == whole)
  t.equal((hz('runs rm ' .. id)), 0)
  t.equal(file.list(dir .. '/runs/sweeps'), {})
end)
