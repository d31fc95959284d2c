-- hz runs, hz report, hz compare, hz.results and hz.query over small sweeps, and an index that may be broken.
local t = ...
local file, json = require 'hz.base.file', require 'hz.base.json'

local script = [[
local hz = require 'hz'
local knob = hz.args({ { 'quality', nil, 'float', '', list = true, also = { 'raw' } },
  { 'seed', { 1 }, 'int', '', list = true }, { 'epochs', 2, 'int', '' } }, ...)
local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
hz.sweep { name = 'tiny', request = { command = 'x' }, data = { { name = 'camera', train = train, test = test } },
  quality = knob.quality, model = { 'net.lua' }, seed = knob.seed,
  epochs = knob.epochs, batch = 16, train = 60, optimizer = function() return hz.adam {} end }
]]

-- A folder with two sweeps that share the untouched cell; returns it and a function that runs hz there.
local function place()
  local dir = t.folder()
  t.write(dir .. '/net.lua', "local l = require 'hz'.layers\nreturn function(o) return require 'hz'.net 'n' { "
    .. "l.conv{4, 3, stride=2}, l.relu, l.conv{o.classes, 1}, l.meanpool } end\n")
  t.write(dir .. '/sweep.lua', script)
  local function hz(args)
    return t.sh(('cd %s; HZ_CACHE=cache HZ_RUNS= %s %s; exit $?'):format(t.quote(dir), t.quote(t.hz), args))
  end
  for i, args in ipairs { 'quality=20,raw seed=1..2', 'quality=50,raw seed=1..2' } do
    local second = os.time()
    while i > 1 and os.time() == second do t.sh 'sleep 0.1' end      -- sweeps of one second have no order in time
    local status, _, err = hz('sweep.lua ' .. args)
    t.equal(status, 0, err)
  end
  return dir, hz
end

local function ids(hz)
  local _, out = hz 'runs --json'
  local list = {}
  for i, m in ipairs(json.decode(out)) do list[m.quality] = m.id end
  return list['20,raw'], list['50,raw']
end

t.case('runs: sweeps are listed, reported, compared and queried', function()
  local dir, hz = place()
  local status, out = hz 'runs'
  t.equal(status, 0)
  t.match(out, 'tiny%-%x+ +%d+%-%d+%-%d+ %d+:%d+ +4/4 +camera +net +20,raw +strict')
  local a, b = ids(hz)
  status, out = hz('report ' .. a)
  t.equal(status, 0)
  t.match(out, '\njpeg 20 .*\nraw ')
  t.equal(select(2, hz('report ' .. a:match '%x+$':sub(1, 6))), out)
  t.match(select(2, hz 'report'), 'jpeg 50')
  local _, text = hz('report --json ' .. a)
  local cells = json.decode(text)
  t.equal({ #cells, cells[1].quality, cells[1].data, #cells[1].curve }, { 4, 20, 'camera', 2 })
  t.ok(cells[2].quality == json.null)
  t.match(select(2, hz('report --csv ' .. a)), '^data,split,')
  t.equal((hz('report --svg p.svg ' .. a)), 0)
  t.match(t.read(dir .. '/p.svg'), '^<svg ')
  status, out = hz('compare ' .. a .. ' ' .. b)
  t.equal(status, 0)
  t.match(out, 'raw +8%.000 +8%.000 +[%d.]+ +[%d.]+ +%+0%.00')
  t.match(out:gsub('\n *', ' '), 'no bits in common: a has [%d.]+ bits per sample, b [%d.]+; what would help: more')
  t.equal((hz('runs pack ' .. a .. ' a.hz')), 0)
  t.equal(select(2, hz('compare a.hz ' .. b)), out, 'a packed sweep')
  text = select(2, hz('compare --json ' .. a .. ' ' .. b))
  t.equal({ json.decode(text).a, json.decode(text).b }, { a, b })
  t.match(select(2, hz [[-e "r = hz.results() print(r.n, #r:where{quality='raw'}:column 'accuracy',
    r:where{seed=1}:mean 'bits_per_sample' > 1)"]]), '^4\t2\ttrue\n')
  t.match(select(2, hz [[-e "print(hz.query 'select codec, count(*) as n from cells group by codec order by codec')"]]),
    'codec +n\n *jpeg +4\n *raw +2\n')
end)

t.case('runs: rm takes the cells that no other sweep needs', function()
  local dir, hz = place()
  local a, b = ids(hz)
  local status, out = hz('runs rm ' .. a)
  t.equal(status, 0)
  t.match(out, 'removed with 2 cells; 2 belong to other sweeps')
  t.match(select(2, hz 'runs'), '4/4')
  t.ok(not select(2, hz 'runs'):find(a, 1, true))
  t.match(select(2, hz('report ' .. b)), 'raw ')
  hz('runs rm ' .. b)
  t.equal(file.list(dir .. '/runs/sweeps'), {})
  for _, name in ipairs(file.list(dir .. '/runs/cells')) do t.ok(not name:find 'safetensors', name) end
end)

t.case('runs: mistakes in calling are messages', function()
  local dir, hz = place()
  local a = ids(hz)
  for _, case in ipairs {
    { 'report nothing', 1, "'nothing' is no sweep; have tiny%-" },
    { 'report tiny', 1, 'the beginning of several sweeps' },
    { 'report --wide', 2, 'unknown' }, { 'runs list', 2, 'have pack, rm' },
    { 'runs rm', 2, 'needs one' }, { 'compare ' .. a, 1, 'holds no two codecs' },
    { 'compare', 2, 'needs at least one' }, { 'compare a b c', 2, 'needs at most two' },
    { ('compare %s %s'):format(a, a), 1, 'a and b are both tiny' },
    { 'report runs=nowhere', 1, 'no sweep is recorded' }, { 'report --svg', 2, 'needs %-%-svg FILE' },
    { [[-e "hz.query 'select wrong from cells'"]], 1, 'no such column: wrong' },
    { [[-e "hz.results('nothing')"]], 1, 'is no sweep' },
  } do
    local status, _, err = hz(case[1])
    t.equal(status, case[2], case[1] .. ': ' .. err)
    t.match(err, case[3], case[1])
  end
  for _, verb in ipairs { 'runs', 'report', 'compare' } do
    t.match(select(2, hz(verb .. ' --help')), '^usage: hz ' .. verb)
  end
  t.match(select(2, hz 'runs runs=nowhere'), 'no sweep is recorded')
  t.ok(not file.exists(dir .. '/nowhere'))
end)

t.case('runs: the index is rebuilt when it is deleted, damaged or of another kind', function()
  local dir, hz = place()
  local path = dir .. '/runs/index.db'
  local _, wanted = hz 'report'
  local good = t.read(path)
  t.ok(good, 'there is an index')
  local middle = good:sub(1, 4096) .. ('x'):rep(4096) .. good:sub(8193)
  for _, bad in ipairs { '', 'no database at all, but long enough to be taken for one', good:sub(1, 3000), middle } do
    t.write(path, bad)
    local status, out, err = hz 'report'
    t.equal(status, 0, err)
    t.equal(out, wanted)
    if bad == middle or bad:find '^no' then t.match(err, 'index%.db: .*made anew') end
    t.equal(select(3, hz 'report'), '')
  end
  file.remove(path)
  t.equal(select(2, hz 'report'), wanted)
  file.remove(path)
  file.mkdir(path)                                       -- nothing can be written there
  t.equal(select(2, hz 'report'), wanted)
end)

t.case('runs: without SQLite the cells themselves are read', function()
  local dir = place()
  local index, sqlite = require 'hz.sweep.index', require 'hz.ext.sqlite'
  local keys = {}
  for _, name in ipairs(file.list(dir .. '/runs/cells')) do keys[#keys + 1] = name:match '^(%x+)%.safetensors$' end
  local with, present = index.records(dir .. '/runs', keys), sqlite.present
  sqlite.present = function() return false end
  local ok, without = pcall(index.records, dir .. '/runs', keys)
  sqlite.present = present
  t.ok(ok, without)
  t.equal(#without, 6)
  t.equal(json.encode(without), json.encode(with))
end)

t.case('runs: a damaged cell is named, the rest of the report stands', function()
  local dir, hz = place()
  hz 'report'
  local a = ids(hz)
  local m = json.decode(t.read(dir .. '/runs/sweeps/' .. a .. '.json'))
  local path = dir .. '/runs/cells/' .. m.cells[1].key .. '.safetensors'
  local good = t.read(path)
  t.write(path, good:sub(1, -10))
  local status, out = hz('report ' .. a)
  t.equal(status, 0)
  t.match(out, '1 cell is not finished')
  t.ok(out:find(m.cells[1].key, 1, true), out)
  t.equal(t.read(path), good:sub(1, -10))
  t.write(dir .. '/runs/sweeps/' .. a .. '.json', '{ "schema"')
  local _, list, err = hz 'runs'
  t.ok(err:find(a, 1, true), err)
  t.ok(not list:find(a, 1, true))
end)
