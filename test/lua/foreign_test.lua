-- Folders of results that came from elsewhere, damaged or made to harm: nothing outside them is touched, one message
-- names the file, and the rest goes on.
local t = ...
local file, json, safetensors = require 'hz.base.file', require 'hz.base.json', require 'hz.tensor.safetensors'
local hz = require 'hz'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)

local function any(folder, pattern)
  for _, name in ipairs(file.list(folder)) do
    if name:find(pattern) then return file.join(folder, name) end
  end
end

-- A folder with a finished sweep of two cells: its path, run(arguments of the script), hz(arguments).
local function place()
  local dir, run, env = sweeps.place()
  local status, _, err = run 'seed=1 epochs=2'
  t.equal(status, 0, err)
  return dir, run, function(args, before)
    return t.sh(env .. (before or '') .. t.quote(t.hz) .. ' ' .. args .. '; exit $?')
  end
end

local function cells(dir)
  local list = {}
  for _, name in ipairs(file.list(dir .. '/runs/cells')) do
    if name:find '^%x+%.safetensors$' then list[#list + 1] = file.join(dir .. '/runs/cells', name) end
  end
  return list
end

t.case('foreign: paths in a manifest lead nowhere', function()
  local dir, _, hz_run = place()
  local path = any(dir .. '/runs/sweeps', '%.json$')
  local id, good = path:match '([^/]*)%.json$', json.decode(t.read(path))
  local whole = json.encode(good)
  t.write(dir .. '/precious', 'mine')
  t.write(dir .. '/runs/precious.safetensors', 'mine')
  local function try(change, word)
    local m = json.decode(whole)
    change(m)
    t.write(path, json.encode(m))
    local status, _, err = hz_run('runs rm ' .. id)
    t.equal(status, 1, err)
    t.ok(err:find('runs/sweeps/' .. id .. '.json: ', 1, true) and err:find(word, 1, true), err)
    t.equal({ t.read(dir .. '/precious'), t.read(dir .. '/runs/precious.safetensors') }, { 'mine', 'mine' })
    t.equal(#cells(dir), 2)
  end
  try(function(m) m.kernels = '../../precious' end, "kernels is '../../precious'; needs the plain name of a file")
  try(function(m) m.kernels = 'precious' end, 'ends in .kernels')
  try(function(m) m.cells[1].key = '../precious' end, "cells[1].key is '../precious'; needs 32 hexadecimal digits")
  try(function(m) m.cells[2].training = '../../a' end, 'cells[2].training is')
  try(function(m) m.id = '../x' end, 'id is')
  try(function(m) m.id = 'other-1234' end, "of sweep 'other-1234'")
  try(function(m) m.cells = json.array {} end, 'it names no cells')
  try(function(m) m.cells[1].labels.seed = 'x' end, 'cells[1].labels.seed is')
  t.write(path, whole)
  t.equal((hz_run('runs rm ' .. id)), 0)
  t.equal({ #cells(dir), t.read(dir .. '/precious') }, { 0, 'mine' })
end)

t.case('foreign: rm keeps the cells of a sweep whose manifest cannot be read', function()
  local dir, run, hz_run = place()
  t.equal((run 'seed=1 epochs=2 quality=20'), 0)
  local list = json.decode((select(2, hz_run 'runs --json')))
  local one, two = list[1].id, list[2].id
  t.write(dir .. '/runs/sweeps/' .. two .. '.json', '{')
  local status, _, err = hz_run('runs rm ' .. one)
  t.equal(status, 1)
  t.ok(err:find(two .. '.json', 1, true) and err:find('mended or removed first', 1, true), err)
  t.equal(#cells(dir), 2)
end)

t.case('foreign: cells that are not what they should be are named, the others are reported', function()
  local dir, run, hz_run = place()
  local path = cells(dir)[1]
  local good, tensors, meta = t.read(path), safetensors.read(path)
  local function try(bytes, word)
    t.write(path, bytes)
    local status, out, err = hz_run 'report'
    t.equal(status, 0, err)
    t.match(out, '\nhz %S+ ')
    t.ok(out:find(path:match '[^/]*$', 1, true) and out:find(word, 1, true), out)
    local failed, _, said = run 'seed=1 epochs=2'
    t.equal(failed, 3, said)
    t.ok(said:find(word, 1, true), said)
  end
  local function with(change)
    local record = json.decode(meta['hz.cell'])
    local run_of = json.decode(meta['hz.run'])
    change(record, run_of, tensors)
    local other = t.folder() .. '/x'
    safetensors.write(other, tensors, { ['hz.cell'] = json.encode(record), ['hz.run'] = json.encode(run_of) })
    return t.read(other)
  end
  try(good:gsub('"hz.sha256":"%x+"', function(s) return '"x":"' .. (' '):rep(#s - 6) .. '"' end), 'lacks the checksum')
  try(with(function(r) r.curve = nil end), 'curve is not there')
  try(with(function(r) r.curve.loss[3] = 1 end), 'epochs, curve.loss 3')
  try(with(function(r) r.status = 'well' end), "status is 'well'")
  try(with(function(r) r.protocol = 'none' end), "protocol: 'none' is unknown")
  try(with(function(r) r.accounts.all.payload = 'x' end), 'accounts.all.payload is')
  try(with(function(r) r.further = { a = { 1 } } end), 'further is')
  try(with(function(_, by) by.finished = nil end), 'run.finished is not there')
  try(with(function(_, _, x) x['test.class'] = hz.zeros({ 3 }, 'i32') end), "'test.class' is i32 (3)")
  t.write(path, good)
  t.equal((run 'seed=1 epochs=2'), 0)
end)

t.case('foreign: an index of another layout is made anew, one behind a link is not touched', function()
  local dir, _, hz_run = place()
  local sqlite = require 'hz.ext.sqlite'
  local _, wanted = hz_run 'report'
  local index, other = dir .. '/runs/index.db', dir .. '/other.db'
  local function spoil(path, ...)
    local db = sqlite.open(path)
    for _, sql in ipairs { ... } do db:rows(sql) end
    db:close()
  end
  spoil(index, 'ALTER TABLE cells RENAME COLUMN accuracy TO luck')
  t.equal(select(2, hz_run 'report'), wanted)
  spoil(index, 'DROP TABLE cells', 'CREATE TABLE x (key)', 'CREATE VIEW cells AS SELECT * FROM x')
  t.equal(select(2, hz_run 'report'), wanted)
  spoil(index, "UPDATE cells SET record = '{}'")
  t.equal(select(2, hz_run 'report'), wanted)
  file.remove(index)
  spoil(other, 'CREATE TABLE cells (precious)', "INSERT INTO cells VALUES ('mine')")
  local before = t.read(other)
  t.sh(('ln -s %s %s'):format(other, index))
  local _, out, err = hz_run 'report'
  t.equal(out, wanted)
  t.match(err, 'index%.db: is a link')
  t.equal(t.read(other), before)
end)

t.case('foreign: hz.query reads', function()
  local dir, _, hz_run = place()
  local _, wanted = hz_run 'report'
  local function ask(sql) return hz_run(('-e "print(hz.query[[%s]])"'):format(sql)) end
  for _, sql in ipairs { 'update cells set accuracy = 1', 'delete from cells', 'drop table cells',
      'pragma user_version = 9', 'select 1; delete from cells', "attach 'x.db' as x", 'vacuum',
      "vacuum into 'x.db'", '',
      '-- only words', 'with a as (select 1) delete from cells' } do
    local status, _, err = ask(sql)
    t.equal(status, 1, sql)
    t.match(err, 'query: .*needs .*SELECT', sql)
  end
  t.equal(file.exists(dir .. '/x.db'), nil)
  t.equal(select(2, hz_run 'report'), wanted)
  t.match(select(2, ask ' /* all */ -- of them\n select count(*) as n from cells;  -- done'), 'n\n2')
  t.match(select(2, ask 'with a as (select key from cells) select count(*) as n from a'), 'n\n2')
end)

t.case('foreign: rm refuses while a sweep is at work, and names who is', function()
  local dir, _, hz_run = place()
  local p = io.popen(('cd %s; HZ_CACHE=cache exec %s sweep.lua seed=1 epochs=100000 >out 2>&1 & echo $!'):format(dir,
    t.quote(t.hz)))
  local pid = p:read '*l'
  p:close()
  local lock
  for _ = 1, 400 do
    lock = any(dir .. '/runs/sweeps', '%.lock$')
    if lock and any(dir .. '/runs/sweeps', lock:match '([^/]*)%.lock$':gsub('%p', '%%%0') .. '%.json$') then break end
    t.sh 'sleep 0.02'
  end
  t.ok(lock, 'the sweep holds a lock')
  local id = lock:match '([^/]*)%.lock$'
  local status, _, err = hz_run('runs rm ' .. id)
  t.sh('kill -9 ' .. pid)
  t.equal(status, 1, err)
  t.match(err, 'runs rm %S+: process ' .. pid .. ' on %S+ is at work on it')
  t.ok(any(dir .. '/runs/sweeps', 'json$'))
  status, _, err = hz_run('runs rm ' .. id)
  t.equal(status, 0, err)
  t.equal(file.exists(lock), nil)
end)

t.case('foreign: pipes where files should be are refused, never waited for', function()
  local dir, run, hz_run = place()
  local manifest, cell = any(dir .. '/runs/sweeps', '%.json$'), cells(dir)[1]
  local function pipe(path)
    file.remove(path)
    t.sh('mkfifo ' .. t.quote(path))
  end
  pipe(cell)
  local status, out = hz_run('report', 'timeout 20 ')
  t.equal(status, 0)
  t.match(out, 'is a pipe; needs a file')
  t.equal((run('seed=1 epochs=2', 'timeout 20 ')), 3)
  file.remove(cell)
  pipe(manifest)
  local failed, _, err = run('seed=1 epochs=2', 'timeout 20 ')
  t.equal(failed, 1)
  t.match(err, 'sweeps/[^\n]*: is a pipe')
  file.remove(manifest)
  for _, name in ipairs { 'kernels.jsonl', 'recoded' } do
    file.remove(dir .. '/cache/' .. name)
    pipe(dir .. '/cache/' .. name)
  end
  pipe(dir .. '/runs/index.db')
  t.equal((run('seed=1 epochs=2 tune=true', 'timeout 30 ')), 0)
  t.match(select(3, hz_run('report', 'timeout 20 ')), 'index%.db: is a pipe')
  pipe(dir .. '/net2.lua')
  local _, _, why = run('seed=1 epochs=2 model=net2.lua', 'timeout 20 ')
  t.match(why, 'net2.lua: is a pipe')
  for _, path in ipairs { dir .. '/net2.lua', '/dev/zero' } do
    t.raises('needs a file', file.read_all, path)
    t.raises('needs a file', safetensors.read, path)
  end
  t.equal(select(2, t.sh(("echo 'print(7)' | %s /dev/stdin"):format(t.quote(t.hz)))), '7\n')
end)

t.case('foreign: kernels that mean nothing here are chosen anew, or their file is named', function()
  t.need_cpu_kernels()
  local dir, run = place()
  t.equal((run 'seed=1 epochs=2 tune=true'), 0)
  local cache = dir .. '/cache/kernels.jsonl'
  t.write(cache, (t.read(cache):gsub('"kernel":"[%w_]+"', '"kernel":"nonsense"')))
  local kernels = any(dir .. '/runs/sweeps', '%.kernels$')
  local good = t.read(kernels)
  file.remove(kernels)
  local status, _, err = run 'seed=1 epochs=2 tune=true'
  t.equal(status, 0, err)
  t.match(err, "kernels%.jsonl: kernel 'nonsense' does not run here")
  local _, _, quiet = run 'seed=1 epochs=2 tune=true'
  t.ok(not quiet:find 'nonsense', quiet)
  local mean = good:gsub('": "[%w_]+"(,?\n +)', '": "nonsense"%1')      -- whoever chose them had other kernels
  for _, bad in ipairs { good:sub(1, 40), '[]', '{"machine":"x","nodes":{"a":1}}', mean } do
    t.write(kernels, bad)
    status, _, err = run 'seed=1 epochs=2 tune=true'
    t.equal(status, 1, err)                              -- before the first cell
    t.ok(err:find(kernels:match 'sweeps/.*', 1, true), err)
  end
end)

t.case('foreign: what processes that are gone left is swept', function()
  local dir, run = place()
  local old = '20200101'
  local weights = any(dir .. '/runs/cells', '%.weights%.safetensors$')
  local resume = weights:gsub('%.weights%.', '.resume.')
  local left = { dir .. '/runs/cells/.a.elsewhere-1-1.tmp', dir .. '/runs/sweeps/.b.elsewhere-1-1.tmp',
    dir .. '/runs/cells/0123.lock', dir .. '/runs/sweeps/x.lock', resume }
  local kept = { dir .. '/runs/cells/.c.elsewhere-1-1.tmp', dir .. '/runs/cells/poetry.lock' }
  for _, path in ipairs(left) do t.write(path, '999999 elsewhere\n') end
  t.write(kept[1], '')
  t.write(kept[2], 'not ours\n')
  for _, path in ipairs { left[1], left[2], left[3], left[4], kept[2] } do
    t.sh(('touch -d %s %s'):format(old, t.quote(path)))
  end
  t.equal((run 'seed=1 epochs=2'), 0)
  for _, path in ipairs(left) do t.equal(file.exists(path), nil, path) end
  for _, path in ipairs(kept) do t.equal(file.exists(path), 'file', path) end
end)

t.case('foreign: locks and downloads follow no links', function()
  local d = t.folder()
  t.write(d .. '/precious', 'mine')
  t.sh(('cd %s; ln -s precious lock; ln -s nothing new; ln -s precious x.part'):format(d))
  t.raises('lock: ' .. d .. '/lock: is a link', file.lock, d .. '/lock')
  t.raises('is a link', file.share, d .. '/new')
  t.ok(not require 'hz.ext.posix'.append(d .. '/x.part'))
  t.equal({ t.read(d .. '/precious'), file.exists(d .. '/nothing') }, { 'mine' })
end)

t.case('foreign: data set descriptions name what is below their folder', function()
  local d = t.folder()
  local function describe(text) return t.write(d .. '/set.lua', ('return { read = print, %s }'):format(text)) end
  local data = require 'hz.data.dataset'
  for _, text in ipairs { "name = '../x'", "name = 'a', folder = '..'", "name = 'a', folder = 'a/b'",
      "name = 'a', folder = 'b', files = { { '../c' } }", "name = 'a', folder = 'b', files = { { '/etc/passwd' } }" } do
    t.raises('is no plain name', data.describe, describe(text))
  end
  t.equal(data.describe(describe "name = 'a', folder = 'b', files = { { 'c/d.bin' } }").name, 'a')
end)

t.case('foreign: a damaged run folder says what to do; a broken resume point is made anew', function()
  local dir = sweeps.place()
  local function run(more)
    return t.sh(("cd %s; HZ_CACHE=cache %s '%s/experiments/cifar_train.lua' data=camera model=./net.lua train=48 "
      .. 'test=24 epochs=2 batch=16 out=b %s; exit $?'):format(dir, t.quote(t.hz), hz.root, more or ''))
  end
  local status, _, err = run()
  t.equal(status, 0, err)
  local function log() return (t.read(dir .. '/b/log.jsonl'):gsub('"seconds":[%d.e+-]+', '')) end
  local wanted, model = log(), t.read(dir .. '/b/model.safetensors')
  t.match(select(3, run()), 'finished before')
  for name, bads in pairs { ['settings.json'] = { '{', '3' },
      ['result.json'] = { '{"curve"', '[]', '{"curve":[],"seconds":"x"}' },
      ['model.safetensors'] = { model:sub(1, 200), '', (model:gsub('hz.sha256', 'hz.sha257')) } } do
    local good = t.read(dir .. '/b/' .. name)
    for _, bad in ipairs(bads) do
      t.write(dir .. '/b/' .. name, bad)
      status, _, err = run()
      t.equal(status, 1, err)
      t.ok(err:find('b/' .. name, 1, true) and err:find('fresh=true', 1, true), err)
    end
    t.write(dir .. '/b/' .. name, good)
  end
  file.remove(dir .. '/b/result.json')
  t.write(dir .. '/b/resume.safetensors', model:sub(1, 300))
  status, _, err = run()
  t.equal(status, 0, err)
  t.match(err, 'resume%.safetensors: [^\n]*; the training begins anew\n')
  t.equal({ log(), t.read(dir .. '/b/model.safetensors') == model }, { wanted, true })
end)
