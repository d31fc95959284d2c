-- Several cells at once: the very same cells as one after the other, whatever ends the processes that compute them.
local t = ...
local file = require 'hz.base.file'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
local place, same_cells = sweeps.place, sweeps.same_cells
local posix = require 'hz.ext.posix'

local patience = os.getenv 'HZ_SANITIZER' and 10 or 1

-- Waits until f() is true, at most `seconds`; returns its value.
local function await(f, seconds)
  local value
  for _ = 1, (seconds or 10) * patience * 50 do
    value = f()
    if value then break end
    os.execute 'sleep 0.02'
  end
  return value
end

-- Numbers of the processes whose parent is `pid`.
local function children(pid)
  local list = {}
  for _, name in ipairs(file.list '/proc') do
    local ok, stat = pcall(file.read_all, '/proc/' .. name .. '/stat')
    if name:find '^%d+$' and ok and tonumber(stat:match '^.*%) %a (%d+)') == pid then
      list[#list + 1] = tonumber(name)
    end
  end
  return list
end

-- Starts the script in the background: { pid, status() (nil while it runs), err() }.
local function launch(env, args)
  local d = t.folder()
  os.execute(('%s ( %s sweep.lua %s >%s/out 2>%s/err & p=$!; echo $p >%s/pid; wait $p; '
    .. 'echo $? >%s/status ) >/dev/null 2>&1 &'):format(env, t.quote(t.hz), args, d, d, d, d))
  return { pid = await(function() return tonumber(t.read(d .. '/pid') or '') end),
           status = function() return tonumber(t.read(d .. '/status') or '') end,
           err = function() return t.read(d .. '/err') end }
end

-- Waits until the sweep in folder `dir` has a resume point; then its workers are at work.
local function at_work(dir, n)
  return await(function()
    local count = 0
    for _, name in ipairs(file.exists(dir) and file.list(dir) or {}) do
      count = count + (name:find '^[^.].*%.resume%.safetensors$' and 1 or 0)
    end
    return count >= n
  end, 20)
end

local function signal(name, pid) os.execute(('kill -%s %d 2>/dev/null'):format(name, pid)) end
local function gone(list)
  for _, pid in ipairs(list) do
    if posix.alive(pid) then return false end
  end
  return true
end

t.case('parallel: the same cells as one after the other, each trained once', function()
  local dir, run = place()
  t.equal((run 'runs=a'), 0)
  for _, how in ipairs { 'parallel=2', 'parallel=3 HZ_THREADS=1', 'parallel=auto' } do
    local runs = how:match '^%w+=(%w+)'
    local status, out, err = run(('runs=%s parallel=%s'):format(runs, runs),
      how:match 'HZ.*' and how:match 'HZ.*' .. ' ')
    t.equal(status, 0, err)
    same_cells(dir .. '/a', dir .. '/' .. runs)
    t.match(out, 'jpeg 20 .*raw ')
    for cell = 1, 4 do
      local _, trained = err:gsub(('cell %d/4[^\n]*epoch 12/12'):format(cell), '')
      t.equal(trained, 1, ('%s, cell %d'):format(how, cell))
    end
    if runs ~= 'auto' then t.match(out, ('%s cells at a time'):format(runs)) end
    t.equal((run(('runs=%s parallel=2'):format(runs))), 0)
  end
end)

t.case('parallel: cells that share a training train it once', function()
  local dir, run = place()
  local args = 'seed=1 quality=20,raw quality_test=20,raw'
  t.equal((run('runs=a ' .. args)), 0)
  local status, _, err = run('runs=b parallel=4 ' .. args)
  t.equal(status, 0, err)
  local _, trained = err:gsub('epoch 12/12', '')
  t.equal(trained, 2)
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('parallel: Ctrl-C on the terminal ends all with 130, and the same command goes on', function()
  local dir, run, env = place()
  t.equal((run 'runs=a epochs=200 seed=1'), 0)
  local s = t.terminal(('sh -c %s'):format(t.quote(env .. 'exec ' .. t.hz
    .. ' sweep.lua runs=b epochs=200 seed=1 parallel=2')))
  s.expect('of 2 cells done, 2 running', 20 * patience)
  t.ok(at_work(dir .. '/b/cells', 1))
  s.send '\3'
  t.match(s.expect('resumes', 20 * patience), 'stopped; the same command resumes')
  t.equal(s.finish(), 130)
  local status, out, err = run 'runs=b epochs=200 seed=1 parallel=2'
  t.equal(status, 0, err)
  t.match(out, '2 cells')
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('parallel: SIGINT to the one process ends it with 130, SIGTERM with 75; no process stays behind', function()
  local dir, _, env = place()
  for _, case in ipairs { { 'INT', 130 }, { 'TERM', 75 } } do
    local p = launch(env, ('runs=%s epochs=4000 seed=1 parallel=2'):format(case[1]))
    t.ok(at_work(dir .. '/' .. case[1] .. '/cells', 2), p.err())
    local workers = children(p.pid)
    t.equal(#workers, 2)
    signal(case[1], p.pid)
    t.ok(await(p.status))
    t.equal(p.status(), case[2], p.err())
    t.match(p.err(), 'resumes')
    t.ok(gone(workers))
  end
end)

t.case('parallel: processes that are killed are replaced, and the cells are the same', function()
  local dir, run, env = place()
  t.equal((run 'runs=a epochs=400'), 0)
  local p = launch(env, 'runs=b epochs=400 parallel=2')
  local killed, seed = 0, os.time()
  math.randomseed(seed)
  for _ = 1, 3 do
    os.execute(('sleep %.2f'):format(0.4 * patience * (0.5 + math.random())))
    local workers = children(p.pid)
    if #workers > 0 then
      signal('KILL', workers[math.random(#workers)])
      killed = killed + 1
    end
  end
  t.ok(await(p.status, 60), 'seed ' .. seed)
  t.equal(p.status(), 0, ('seed %d: %s'):format(seed, p.err()))
  t.ok(killed > 0)
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('parallel: when the one process is killed the others end, and the same command goes on', function()
  local dir, run, env = place()
  t.equal((run 'runs=a epochs=300 seed=1'), 0)
  local p = launch(env, 'runs=b epochs=300 seed=1 parallel=2')
  t.ok(at_work(dir .. '/b/cells', 2), p.err())
  local workers = children(p.pid)
  t.equal(#workers, 2)
  signal('KILL', p.pid)
  t.ok(await(function() return gone(workers) end), 'workers live on')
  local status, _, err = run 'runs=b epochs=300 seed=1 parallel=2'
  t.equal(status, 0, err)
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('parallel: a failed cell is named, the others go on, status 3', function()
  local dir, run = place()
  local status, out, err = run 'runs=a optimizer=sgd rate=1e30 quality=20 parallel=2'
  t.equal(status, 3, err)
  t.match(out, 'failed: jpeg 20, net, seed 1: epoch 1, layer %w+')
  t.match(out, 'failed: jpeg 20, net, seed 2')
  t.match(err, '2 of 2 cells failed')
  t.equal((run 'runs=b'), 0)
  -- as if one training were half done, and its resume point could not be read
  for _, name in ipairs(file.list(dir .. '/b/cells')) do
    if name:find '%.weights%.' then
      file.mkdir(dir .. '/c/cells')
      t.sh(('mkfifo %s/c/cells/%s'):format(dir, (name:gsub('%.weights%.', '.resume.'))))
      break
    end
  end
  status, out, err = run 'runs=c parallel=2'
  t.equal(status, 3, err)
  t.match(err, 'cell %d/4 [^\n]*failed: [^\n]*%.resume%.safetensors: is a pipe')
  t.match(err, '1 of 4 cells failed')
  t.match(out, '1 cell is not finished')
end)

t.case('parallel: a cell that ends every process that computes it is failed', function()
  local dir, run = place()
  local script = t.read(dir .. '/sweep.lua')
  t.write(dir .. '/sweep.lua', [[
    local asked, kill = 0, os.getenv 'HZ_SWEEP_WORKER'
    local function spoil()
      asked = asked + 1
      if kill and asked > 2 then require 'ffi'.C.kill(require 'hz.ext.posix'.pid(), 9) end
    end
  ]] .. script:gsub('optimizer = function%(%)', 'optimizer = function() spoil()'))
  local status, out, err = run 'runs=a seed=1 parallel=2'
  t.equal(status, 3, err)
  t.match(out, 'no cell is finished')
  t.match(err, 'cell 1/2 [^\n]*failed: each of 3 processes that computed it ended %(signal 9%)')
  t.match(err, '2 of 2 cells failed')
end)

t.case('parallel: a script that does something else the second time is told so', function()
  local dir, run = place()
  t.write(dir .. '/sweep.lua',
    "if os.getenv 'HZ_SWEEP_WORKER' then error 'not again' end\n" .. t.read(dir .. '/sweep.lua'))
  local status, _, err = run 'runs=a parallel=2'
  t.equal(status, 1)
  t.match(err, 'not again')
  t.match(err, 'end %(status 1%) before they come to tiny%-%x+')
  status, _, err = run 'runs=a parallel=0'
  t.equal(status, 1)
  t.match(err, 'parallel is 0; needs')
  status, _, err = t.sh(('cd %s; %s - parallel=2 <sweep.lua'):format(dir, t.hz))
  t.equal(status, 1)
  t.match(err, 'parallel is 2; needs a script in a file')
end)

t.case('parallel: two sweeps share a folder and never a cell', function()
  local dir, run, env = place()
  t.equal((run 'runs=a seed=1..3'), 0)
  local p = launch(env, 'runs=b seed=1..3 parallel=2')
  local status, _, err = run 'runs=b seed=1..3 parallel=2'
  t.equal(status, 0, err)
  t.ok(await(p.status, 20))
  t.equal(p.status(), 0, p.err())
  for cell = 1, 6 do
    local _, trained = (err .. p.err()):gsub(('cell %d/6[^\n]*epoch 12/12'):format(cell), '')
    t.equal(trained, 1, 'cell ' .. cell)
  end
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('parallel: a full disk ends it with a message', function()
  local dir, run, env = place()
  t.equal((run 'runs=a seed=1'), 0)
  local status, _, err = t.sh(env
    .. ("trap '' XFSZ; ulimit -f 8; exec %s sweep.lua runs=b seed=1 parallel=2"):format(t.quote(t.hz)))
  if status == 0 then t.skip('ulimit -f does not hold here') end
  t.equal(status, 1, err)
  t.match(err, 'write: [^\n]*b/cells/[^\n]*: File too large')
  t.equal((run 'runs=b seed=1 parallel=2'), 0)
  same_cells(dir .. '/a', dir .. '/b')
end)

t.case('sweep: the time to go is known from the first steps on, by what cells of a kind have taken', function()
  local predict, posix = require 'hz.sweep.predict', require 'hz.ext.posix'
  local function job(kind, epoch)
    return { kind = kind, settings = { epochs = 2 }, cost = { epoch = epoch, finish = 0 }, left = 2 * epoch }
  end
  local jobs = { job('a', 100), job('a', 100), job('b', 50) }
  t.equal(predict.to_go(jobs, 1), nil)
  predict.starts(jobs[1])
  predict.reached(jobs[1], 0.5)
  t.equal(predict.to_go(jobs, 1), nil)
  posix.sleep(0.05)
  predict.reached(jobs[1], 1)
  local seconds, from = require 'hz.c'.C.hz_seconds, jobs[1].from.at
  local least = seconds() - from                         -- of half an epoch of a
  local to_go = predict.to_go(jobs, 1)                   -- one more of a, two of the other, two of b, half as long
  t.ok(least >= 0.05 and to_go >= 8 * least and to_go <= 8 * (seconds() - from), to_go)
  predict.ends(jobs[1])
  local whole = jobs[1].ended - jobs[1].began.at
  t.near(predict.to_go(jobs, 1), 1.5 * whole, 1e-9)
  t.near(predict.to_go(jobs, 2), whole, 1e-9)
  predict.starts(jobs[3])
  predict.reached(jobs[3], 0)
  posix.sleep(0.02)
  predict.reached(jobs[3], 1)                            -- from now on b has a pace of its own
  t.ok(predict.to_go(jobs, 1) > whole + 0.02, 'an epoch of b takes 0.02 s and more')
  local _, run = place()
  local status, out, err = run 'runs=a seed=1 quality=raw epochs=3'
  t.equal(status, 0)
  t.match(out, '^sweep tiny%-%x+: 1 cell\n')
  t.match(err, 'epoch 2/3 .* %%  %d:%d%d left\n')
end)

t.case('parallel: the predicted time is that of jobs taken in order by whoever is free', function()
  local predict, share = require 'hz.sweep.predict', require 'hz.sweep.threads'.share
  local jobs = { { left = 3 }, { left = 1 }, { left = 0 }, { left = 1 }, { left = 2 } }
  t.equal({ predict.span(jobs, 1), predict.span(jobs, 2), predict.span(jobs, 3), predict.span(jobs, 8) },
    { 7, 4, 3, 3 })
  t.equal({ share(8, 3, 1), share(8, 3, 2), share(8, 3, 3), share(2, 4, 1) }, { 3, 3, 2, 1 })
  t.equal(predict.span(jobs, 2, function(job) return job.left > 2 and 10 or 1 end), 30)
  local dir, run = place()
  local status, out = run 'runs=a dry=true parallel=2'
  t.equal(status, 0)
  t.match(out, '4 cells, about %d+:%d%d to go, 2 cells at a time')
  t.ok(not file.exists(dir .. '/a'))
end)
