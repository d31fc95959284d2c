-- Sweeps that are killed, shared, copied, starved and damaged end with the very same cells as undisturbed ones.
local t = ...
local hz = require 'hz'
local file, json, safetensors = require 'hz.base.file', require 'hz.base.json', require 'hz.tensor.safetensors'

local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
local place, contents, same_cells = sweeps.place, sweeps.contents, sweeps.same_cells

t.case('sweep: killed at random moments and run again, the cells are those of an undisturbed one', function()
  local dir, run = place()
  local clock = require 'hz.c'.C.hz_seconds
  local began = clock()
  t.equal((run 'runs=a'), 0)
  local whole = clock() - began                            -- kills come within it, however fast the machine
  local seed = os.time()
  math.randomseed(seed)
  local kills, status = 0, nil
  for i = 1, 60 do
    local seconds = whole * (0.6 * math.random() + 0.02 * i)
    status = run('runs=b', ('timeout -s KILL %.3f '):format(seconds))
    if status == 0 then break end
    t.equal(status, 137, 'seed ' .. seed)
    kills = kills + 1
  end
  if status ~= 0 then status = run 'runs=b' end              -- too busy a machine to get there between two kills
  t.equal(status, 0)
  t.ok(kills > 0, 'it was killed at least once')
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('sweep: two processes share a folder, one is killed again and again, each cell is trained once', function()
  local dir, run, env = place()
  t.equal((run 'runs=a seed=1..3'), 0)
  local one = t.quote(t.hz) .. ' sweep.lua runs=b seed=1..3'
  local status, _, err = t.sh(env
    .. ('(for s in 0.2 0.3 0.4; do timeout -s KILL $s %s >/dev/null 2>&1; done) & %s & wait $!'):format(one, one))
  t.equal(status, 0, err)
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('sweep: two undisturbed processes compute no cell twice', function()
  local dir, _, env = place()
  local one = t.quote(t.hz) .. ' sweep.lua runs=b seed=1..3'
  local status = t.sh(env .. ('%s 2>one.err >one.out & %s 2>two.err >two.out; s=$?; wait; exit $s'):format(one, one))
  t.equal(status, 0)
  local trained = {}
  for _, name in ipairs { 'one', 'two' } do
    for cell in t.read(dir .. '/' .. name .. '.err'):gmatch 'cell (%d+)/6[^\n]*epoch 12/12' do
      t.ok(not trained[cell], 'cell ' .. cell .. ' was trained twice')
      trained[cell] = true
    end
    t.match(t.read(dir .. '/' .. name .. '.out'), 'jpeg 20 .*raw ')
  end
  local n = 0
  for _ in pairs(trained) do n = n + 1 end
  t.equal(n, 6)
end)

t.case('sweep: half of the cells copied from another folder are taken as they are', function()
  local dir, run = place()
  t.equal((run 'runs=a'), 0)
  file.mkdir(dir .. '/b/cells')
  local copied = 0
  for i, name in ipairs(file.list(dir .. '/a/cells')) do
    if name:find '^%x+%.safetensors$' and copied < 2 then
      t.write(dir .. '/b/cells/' .. name, t.read(dir .. '/a/cells/' .. name))
      copied = copied + 1
    end
  end
  local status, out = run 'runs=b'
  t.equal(status, 0)
  t.match(out, '4 cells, 2 of them finished')
  local a, b = contents(dir .. '/a'), contents(dir .. '/b')
  for name, text in pairs(a) do
    if name:find '^%x+%.safetensors$' then t.ok(b[name] == text, name) end
  end
end)

t.case('sweep: Ctrl-C ends it with 130, SIGTERM with 75, and the same command goes on', function()
  local dir, run, env = place()
  for _, case in ipairs { { 'INT', 130 }, { 'TERM', 75 } } do
    local status, _, err = t.sh(env .. ([[rm -rf b; %s sweep.lua runs=b epochs=4000 seed=1 quality=20 & p=$!
      i=0
      while [ $i -lt 200 ] && ! ls b/cells/*.resume.safetensors >/dev/null 2>&1; do i=$((i+1)); sleep 0.05; done
      sleep 0.1; kill -%s $p; wait $p]]):format(t.quote(t.hz), case[1]))
    t.equal(status, case[2], err)
    t.match(err, 'resumes')
    t.ok(#file.list(dir .. '/b/cells') >= 1)
  end
  local _, _, err = run('runs=b epochs=4000 seed=1 quality=20',
    ('timeout -s KILL %d '):format(os.getenv 'HZ_SANITIZER' and 10 or 1))
  local first = err:match 'epoch (%d+)/4000'
  t.ok(first and tonumber(first) > 1, 'it begins where it was')
end)

t.case('sweep: a cell whose loss is no number is recorded, the others go on, status 3', function()
  local dir, run = place()
  local status, out, err = run 'runs=a optimizer=sgd rate=1e30 seed=1..2 quality=20'
  t.equal(status, 3, err)
  t.match(out, 'failed: jpeg 20, net, seed 1: epoch 1, layer %w+')
  t.match(out, 'failed: jpeg 20, net, seed 2')
  t.match(err, '2 of 2 cells failed')
  status, out, err = run 'runs=a optimizer=sgd rate=1e30 seed=1..2 quality=20'
  t.equal(status, 3)
  t.match(out, '2 of them finished')
  t.ok(not err:find 'epoch 1/', 'they are not trained again')
end)

t.case('sweep: the same seed sees the same weights, order and augmentation at every quality', function()
  local dir, run = place()
  t.equal((run 'runs=a seed=3 quality=raw'), 0)
  t.equal((run 'runs=b seed=3 quality=raw codec=png'), 0)
  t.equal((run 'runs=c seed=3 codec=png quality=1'), 0)      -- lossless: other bytes, the same pixels
  local function curve(runs)
    local path
    for _, name in ipairs(file.list(dir .. '/' .. runs .. '/cells')) do
      path = name:find '^%x+%.safetensors$' and name or path
    end
    return json.decode(safetensors.metadata(dir .. '/' .. runs .. '/cells/' .. path)['hz.cell']).curve
  end
  t.equal(curve 'a', curve 'b')
  t.equal(curve 'a', curve 'c')
end)

t.case('sweep: test encodings beside those of training share the training', function()
  local dir, run = place()
  local status, _, err = run 'runs=a seed=1 quality=20,raw quality_test=20,raw'
  t.equal(status, 0, err)
  local cells, trainings = 0, 0
  for _, name in ipairs(file.list(dir .. '/a/cells')) do
    if name:find 'weights' then trainings = trainings + 1 elseif name:find '%.safetensors$' then cells = cells + 1 end
  end
  t.equal({ cells, trainings }, { 4, 2 })
  t.equal((run 'runs=b seed=1'), 0)                            -- the diagonal alone, trained on its own
  local a, b = contents(dir .. '/a'), contents(dir .. '/b')
  for name, text in pairs(b) do t.ok(a[name] == text, name) end
end)

t.case('sweep: cells tested in another encoding carry the account of the test items, in results and queries', function()
  local dir, run = place()
  t.equal((run 'runs=a seed=1 epochs=1 quality=20,raw quality_test=20,raw'), 0)
  local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
  local jpeg = hz.codec.jpeg { quality = 20 }
  local _, tested = jpeg:recode(test.items)
  local crossed = hz.results({ runs = dir .. '/a' }):where { codec = 'raw', codec_test = 'jpeg' }
  t.equal(crossed.n, 1)
  for _, name in ipairs { 'bytes_payload', 'bytes_tables', 'bits_per_sample', 'bits_per_sample_file', 'psnr' } do
    t.near(crossed[1][name], tested[name], 1e-9, name)
  end
  t.equal({ crossed[1].bits_per_sample_train, crossed[1].psnr_train }, { 8, nil })
  local _, other = jpeg:recode(train.items:slice(1, 1, 60))
  local rows = hz.query("select bits_per_sample, psnr, bits_per_sample_train from cells "
    .. "where codec = 'jpeg' and codec_test = 'raw'", dir .. '/a')
  t.equal({ #rows, rows[1].bits_per_sample, rows[1].psnr }, { 1, 8, nil })
  t.ok(math.abs(rows[1].bits_per_sample_train - other.bits_per_sample) < 0.5, 'of training and validation items')
end)

t.case('sweep: many finished cells come from the index; those changed since are read, and damage is named', function()
  local _, run = place()
  local index, cell = require 'hz.sweep.index', require 'hz.sweep.cell'
  local manifest = require 'hz.sweep.manifest'
  local dir = t.folder()
  local seeds = {}
  for i = 1, 60 do seeds[i] = i end
  local args = 'epochs=0 quality=raw,2,3,4,5,6,7,8,9,' .. table.concat(seeds, ',', 10) .. ' runs=' .. dir .. '/a '
  t.equal((run('runs=' .. dir .. '/w seed=1 quality=raw epochs=1')), 0)
  for _, name in ipairs(file.list(dir .. '/w/cells')) do
    if name:find 'weights' then args = args .. 'weights=' .. dir .. '/w/cells/' .. name end
  end
  local status, first, err = run(args)
  t.equal(status, 0, err)
  local m = manifest.find(dir .. '/a', nil, error)
  t.equal(#m.cells, 60)
  local function again()
    status, first, err = run(args)
    return status, (first:gsub('^[^\n]*\n', ''))
  end
  local _, shown = again()
  t.ok(file.exists(dir .. '/a/index.db'))
  t.equal(select(2, again()), shown)
  -- damage that keeps the size and sets the time back
  local path = cell.path(dir .. '/a', m.cells[7].key)
  local text = t.read(path)
  t.sh(('cp -p %s %s/kept; printf x | dd of=%s bs=1 seek=%d conv=notrunc; touch -r %s/kept %s'):format(path, dir, path,
    #text - 1, dir, path))
  t.equal(#t.read(path), #text)
  t.equal((again()), 3)
  t.match(err, 'cell 7/60 .* unreadable: .*' .. m.cells[7].key)
  local records, notes = index.records(dir .. '/a', { m.cells[6].key, m.cells[7].key, m.cells[8].key })
  t.equal({ #records, #notes }, { 2, 1 })
  t.write(path, text)
  t.equal({ again() }, { 0, shown })
end)

t.case('sweep: weights=FILE epochs=0 scores saved weights at every quality', function()
  local dir, run = place()
  t.equal((run 'runs=a seed=1 quality=raw'), 0)
  local weights
  for _, name in ipairs(file.list(dir .. '/a/cells')) do
    weights = name:find 'weights' and 'a/cells/' .. name or weights
  end
  local status, out, err = run('runs=b epochs=0 quality=5,20,raw weights=' .. weights)
  t.equal(status, 0, err)
  t.match(out, '3 cells')
  local a = contents(dir .. '/a')
  local b = contents(dir .. '/b')
  local function accuracy(list, pattern)
    for name, text in pairs(list) do
      if name:find '^%x+%.safetensors$' and text:find(pattern) then
        return tonumber(text:match 'test_accuracy\\":([%d.]+)')
      end
    end
  end
  t.equal(accuracy(b, '\\"codec\\":\\"raw\\"'), accuracy(a, '\\"codec\\":\\"raw\\"'))
  t.equal((run 'runs=b epochs=0'), 1)
end)

t.case('sweep: a command whose cells are decided by something else now computes anew and says by what', function()
  local dir, run = place()
  t.equal((run 'runs=a seed=1'), 0)
  t.ok(not select(2, run 'runs=a seed=2'):find 'computed anew', 'another command')
  t.write(dir .. '/net.lua', (sweeps.net:gsub('conv{4', 'conv{5')))
  local status, out = run 'runs=a seed=1'
  t.equal(status, 0)
  t.match(out, 'computed anew, because this differs since tiny%-%x+: training%.model%.layers%.1')
  t.match(out, ': 2 cells\n')
end)

t.case('sweep: dry=true counts and predicts, and writes nothing', function()
  local dir, run = place()
  local status, out = run 'runs=a dry=true'
  t.equal(status, 0)
  t.match(out, '4 cells, about %d+:%d%d to go')
  t.ok(not file.exists(dir .. '/a'))
end)

t.case('sweep: what cannot be is said before the first step', function()
  local _, run = place()
  for _, case in ipairs {
    { 'quality=500', 'quality is 500; needs' }, { 'codec=mp9', "'mp9'" }, { 'model=nonet', "'nonet' is unknown; have" },
    { 'train=159', 'train=159 was given; camera has 160' , ok = true },
    { 'train=160', 'train=160 was given' }, { 'protocol=loose', "'loose' is unknown; have strict, paper" },
    { 'train=8', 'batch=16 was given; 8 items train' },
    { 'epochs=0', 'needs weights=FILE' }, { 'weights=nowhere', 'nowhere' },
  } do
    local status, _, err = run('dry=true ' .. case[1])
    t.equal(status, case.ok and 0 or 1, case[1] .. ': ' .. err)
    if not case.ok then t.ok(err:find(case[2], 1, true), case[1] .. ': ' .. err) end
  end
end)

t.case('sweep: the same cells for any number of threads', function()
  local dir, run = place()
  t.equal((run('runs=a seed=1', 'HZ_THREADS=1 ')), 0)
  t.equal((run('runs=b seed=1', 'HZ_THREADS=3 HZ_CACHE=other ')), 0)
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('sweep: cifar_sweep.lua says which data it uses, and takes its keys over its presets', function()
  local dir = t.folder()
  local path = t.sh 'pwd' == 0 and select(2, t.sh 'pwd'):match '[^\n]+' .. '/experiments/cifar_sweep.lua'
  local function run(args)
    return t.sh(('cd %s; HZ_DATA= XDG_DATA_HOME=%s HZ_RUNS= %s %s %s; exit $?'):format(dir, dir, t.quote(t.hz),
      t.quote(path), args))
  end
  local status, out, err = run 'dry=true train=80 test=20 batch=16'
  t.equal(status, 0, err)
  t.match(out, '^data: camera, %d+ training and 1000 test images, from the embedded camera %(cifar10 was not found')
  t.match(out, '10 cells, about')
  t.match(select(2, run 'dry=true train=80 test=20 batch=16 quality=5,raw seed=1..3 data=camera'), '6 cells')
  t.match(select(2, run 'dry=true train=80 test=20 batch=16 quality=raw seed=1 data=camera dtype=bf16'),
    '1 cell, about')
  t.match(select(2, run 'dry=true train=80 test=20 batch=16 quality=raw seed=1..3 data=camera dtype=f32,bf16'),
    '6 cells, about')
  local small = 'dry=true train=80 test=20 batch=16 seed=1 data=camera '
  t.match(select(2, run(small .. 'subsampling=420,444')), '9 cells')      -- beside the preset's four qualities and raw
  t.match(select(2, run(small .. 'subsampling=420,444 quality=5,raw')), '3 cells')
  t.match(select(2, run(small .. 'codec=png level=0,9')), '2 cells')           -- png has no quality
  for _, case in ipairs {
    { 'qualty=5', 2, "did you mean 'quality'" },
    { 'data=cifar11', 1, "'cifar11' is unknown, did you mean 'cifar10'; have camera, cifar10" },
    { 'model=big', 1, "'big' is unknown; have all%-cnns" },
    { 'quality=0', 1, 'quality is 0; needs' }, { 'data=cifar10', 1, 'cifar10 was not found' },
    { 'test=5000', 1, 'test=5000 was given; camera has 1000' }, { 'epochs=-1', 2, '0%.%.100000' },
    { 'subsampling=421', 2, 'needs one of 420, 422, 444' },
    { 'bitrate=8', 2, "'bitrate' is no key; have .* subsampling" },
  } do
    local code, _, message = run('dry=true ' .. case[1])
    t.equal(code, case[2], case[1] .. ': ' .. message)
    t.match(message, case[3], case[1])
  end
  t.ok(not file.exists(dir .. '/runs'))
end)

-- ---- damage ----

local function any(dir, pattern)
  for _, name in ipairs(file.list(dir)) do
    if name:find(pattern) then return dir .. '/' .. name end
  end
end

t.case('sweep: a damaged cell is named and left alone; removed, the same command computes it anew', function()
  local dir, run = place()
  t.equal((run 'runs=a'), 0)
  local before = contents(dir .. '/a')
  local path = any(dir .. '/a/cells', '^%x+%.safetensors$')
  local good = t.read(path)
  local bad = good:sub(1, -20) .. 'x' .. good:sub(-18)
  t.write(path, bad)
  local status, _, err = run 'runs=a'
  t.equal(status, 3)
  t.ok(err:find(path:match '[^/]*$', 1, true) and err:find('checksum', 1, true), err)
  t.equal(t.read(path), bad)
  file.remove(path)
  t.equal((run 'runs=a'), 0)
  t.ok(contents(dir .. '/a')[path:match '[^/]*$'] == before[path:match '[^/]*$'])
end)

-- What a sweep can write again must not block it: a truncated or foreign file is named in one line, and made anew.
t.case('sweep: damaged resume points, trainings and manifests are named and made anew', function()
  local dir, run = place()
  t.equal((run 'runs=a seed=1'), 0)
  local weights = any(dir .. '/a/cells', '%.weights%.safetensors$')
  local good = t.read(weights)
  local resume = (weights:gsub('%.weights%.', '.resume.'))
  local foreign = t.folder() .. '/foreign'
  local other = json.encode { key = 'other' }
  safetensors.write(foreign, { ['net.x'] = require 'hz'.zeros { 3 } }, { ['hz.resume'] = other })
  local manifest = any(dir .. '/a/sweeps', '%.json$')
  local function again(path, bad, word)
    os.execute(('rm -rf %s/b; cp -r %s/a %s/b'):format(dir, dir, dir))
    local function there(p) return (p:gsub('/a/', '/b/')) end
    for _, name in ipairs(file.list(dir .. '/b/cells')) do      -- finished trainings without their cells, or nothing
      if path == resume or not name:find 'weights' then file.remove(dir .. '/b/cells/' .. name) end
    end
    t.write(there(path), bad)
    local status, _, err = run 'runs=b seed=1'
    t.equal(status, 0, err)
    local line = err:match 'hz: ([^\n]*anew)\n' or err
    t.ok(line:find(path:match '[^/]*$', 1, true) and line:find(word, 1, true), line)
    same_cells(dir .. '/a', dir .. '/b')
    local _, _, quiet = run 'runs=b seed=1'
    t.ok(not quiet:find 'anew', quiet)
  end
  again(resume, good:sub(1, #good / 2), 'the file ends')
  again(resume, t.read(foreign), 'is not there; needs')
  again(resume, good, 'it is no resume point')
  again(weights, good:sub(1, #good / 2), 'the file ends')
  again(weights, '', 'the file ends')
  again(weights, t.read(foreign), 'it is no training of a sweep')
  again(manifest, t.read(manifest):sub(1, 100), 'byte 96')
  again(manifest, '{"schema":1,"cells":[]}', 'created is not there')
  again(manifest, '[]', 'no sweep of this version')
end)

t.case('sweep: a full disk ends it with a message, and the same command goes on', function()
  local dir, run, env = place()
  t.equal((run 'runs=a seed=1 quality=20'), 0)
  local status, _, err = t.sh(env
    .. ("trap '' XFSZ; ulimit -f 8; exec %s sweep.lua runs=b seed=1 quality=20"):format(t.quote(t.hz)))
  if status == 0 then t.skip('ulimit -f does not hold here') end
  t.equal(status, 1, err)
  t.match(err, 'write: [^\n]*b/cells/[^\n]*: File too large')
  t.equal((run 'runs=b seed=1 quality=20'), 0)
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('sweep: a folder that cannot be written is named', function()
  local dir, run = place()
  t.write(dir .. '/a', 'a file')
  local status, _, err = run 'runs=a'
  t.equal(status, 1)
  t.match(err, 'mkdir: a')
end)

t.case('sweep: a read-only folder of finished cells is reported; new cells are refused with a message', function()
  local dir, run, env = place()
  t.equal((run 'runs=a seed=1'), 0)
  local mount = ('mount --bind %s/a %s/a && mount -o remount,ro,bind %s/a'):format(dir, dir, dir)
  local inside = ('unshare -m sh -c %s'):format(t.quote(('%s || exit 99; %s report runs=a; '
    .. '%s sweep.lua runs=a seed=1..2; echo status $?'):format(mount, t.hz, t.hz)))
  local status, out, err = t.sh(env .. inside)
  if status ~= 0 then t.skip('a folder cannot be mounted read-only here') end
  t.match(out, 'jpeg 20 ')
  t.match(out, 'status 1')
  t.match(err, 'Read%-only file system')
end)
