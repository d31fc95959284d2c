-- Kernels by trial: what is remembered, what is frozen, and that neither a trial nor a resumed training changes a bit.
local t = ...
local c, file, json = require 'hz.c', require 'hz.base.file', require 'hz.base.json'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)

-- Two kernels at least run these convolutions, on every level.
local script = [[
local hz = require 'hz'
local l = hz.layers
local knob = hz.args({ { 'tune', true, 'bool', '' }, { 'epochs', 3, 'int', '' }, { 'resume', nil, 'string', '' },
  { 'kill', 0, 'int', '' } }, ...)
local train = { items = hz.rand({ 20, 8, 8, 3 }, 0, 255, { seed = 1, stream = 1 }):floor():to 'u8',
  labels = hz.zeros({ 20 }, 'i32') }
for i = 1, 20 do train.labels[i] = i % 4 end
local net = hz.net 'n' { l.conv{16, 3}, l.relu, l.conv{16, 3}, l.relu, l.conv{16, 3, stride=2}, l.relu,
  l.conv{4, 1}, l.meanpool }
net:init { seed = 1, input = { 8, 8, 3 } }
local steps = 0
local result = hz.train { net = net, train = train, test = train, epochs = knob.epochs, batch = 10, seed = 1,
  optimizer = hz.adam { rate = 0.01 }, tune = knob.tune, resume = knob.resume, on_epoch = function()
    steps = steps + 1
    if steps == knob.kill then os.execute('kill -9 ' .. require 'hz.ext.posix'.pid()) end
  end }
for _, r in ipairs(result.plan:nodes()) do io.write(r.op, ' ', r.kernel, '\n') end
for _, row in ipairs(result.curve) do io.write(('%.17g\n'):format(row.loss)) end
print(('%.17g'):format(result.test.loss))
]]

-- A folder with the script; run(args, environment) -> status, out, err; its cache file.
local function place()
  local dir = t.folder()
  t.write(dir .. '/train.lua', script)
  return dir, function(args, before)
    return t.sh(('cd %s && HZ_CACHE=%s/cache %s %s train.lua %s; exit $?'):format(dir, dir, before or '', t.hz,
      args or ''))
  end, dir .. '/cache/kernels.jsonl'
end

local function lines(text)
  local list = {}
  for line in (text or ''):gmatch '[^\n]+' do list[#list + 1] = line end
  return list
end

-- Rewrites every line of the cache: change(row).
local function edit(path, change)
  local list = lines(t.read(path))
  for i, line in ipairs(list) do
    local row = json.decode(line)
    change(row)
    list[i] = json.encode(row)
  end
  t.write(path, table.concat(list, '\n') .. '\n')
end

-- The kernels that ran ops whose name matches.
local function kernels_of(out, pattern)
  local found = {}
  for op, kernel in out:gmatch '(%S+) (%S+)\n' do
    if op:find(pattern) then found[kernel] = (found[kernel] or 0) + 1 end
  end
  return found
end

t.case('tune: what was tried is remembered for this machine and build, and used the next time', function()
  t.need_cpu_kernels()
  local _, run, cache = place()
  local status, first, err = run()
  t.equal(status, 0, err)
  local rows = lines(t.read(cache))
  t.ok(#rows >= 5)
  for _, line in ipairs(rows) do
    local row = json.decode(line)
    local least = math.huge
    for _, ms in pairs(row.ms) do least = math.min(least, ms) end
    t.equal(row.ms[row.kernel], least)
    t.match(row.machine, 'family .*, %w+, %d+ threads')
  end
  t.equal(select(2, run()), first)
  t.equal(lines(t.read(cache)), rows, 'nothing is tried twice')
  edit(cache, function(row) row.kernel = row.node:find '^conv2d_dw' and 'outer' or row.kernel end)
  local _, out = run()
  t.equal(kernels_of(out, '^conv2d_dw'), { outer = 3 })
  edit(cache, function(row) row.machine = row.machine .. ' elsewhere' end)
  t.equal((run()), 0)
  t.equal(#lines(t.read(cache)), 2 * #rows, 'other machines\' lines stay')
  edit(cache, function(row) row.build = 'another' end)
  t.equal((run()), 0)
  t.equal(#lines(t.read(cache)), 2 * #rows, 'lines of this machine\'s other builds go')
end)

t.case('tune: trials leave weights, state and memory as they were', function()
  t.need_cpu_kernels()
  local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
  local function train(trials)
    local l, set = require 'hz.net.layer'.kinds, tiny.set(44, 1)
    local net = require 'hz'.net 'n' { l.conv{16, 3}, l.norm, l.relu, l.conv{16, 3}, l.dropout{0.3},
      l.conv{16, 3, stride=2}, l.flatten, l.dense{4} }
    net:init { seed = 1, input = { 6, 6, 3 } }
    local plan = net:plan { batch = 16, train = true, data = set, optimizer = require 'hz'.adam {},
      augment = { shift = 1 }, seed = 3, total = 9 }
    collectgarbage()
    local trial, live, n = c.ffi.new('hz_trial[?]', c.C.HZ_TRIALS), tonumber(c.C.hz_live_bytes()), 0
    for i = 0, trials and c.C.hz_graph_nodes(plan.graph) - 1 or -1 do
      local found = c.C.hz_plan_trials(plan.handle, i, 3, trial)
      n = n + (found > 1 and 1 or 0)
      for k = 0, found > 1 and found - 1 or -1 do t.ok(trial[k].ms > 0) end
    end
    t.equal(tonumber(c.C.hz_live_bytes()), live)
    t.ok(n > 0 or not trials)
    local out = {}
    for i = 1, 6 do out[i] = plan:step() end
    for name, x in pairs(net:state()) do out[name] = x:table() end
    return out
  end
  t.equal(train(true), train(false))
end)

t.case('tune: damaged lines are named and ignored; a cache that cannot be written is only slow', function()
  t.need_cpu_kernels()
  local dir, run, cache = place()
  t.equal((run()), 0)
  local rows = lines(t.read(cache))
  t.write(cache, 'no json\n{"machine":1}\n' .. rows[1] .. '\n')
  local status, _, err = run()
  t.equal(status, 0, err)
  t.match(err, 'kernels.jsonl: line 1 is damaged and ignored')
  t.match(err, 'line 2 is damaged')
  t.equal(#lines(t.read(cache)), #rows)
  file.remove(dir .. '/cache')
  t.write(dir .. '/cache', 'a file')
  status, _, err = run()
  t.equal(status, 0, err)
  t.match(err, 'tried anew the next time')
end)

t.case('tune: HZ_KERNEL stands above what is remembered and what is frozen', function()
  t.need_cpu_kernels()
  local dir, run = place()
  t.equal((run('resume=r kill=1')), 137)
  local status, out, err = run('resume=r', 'HZ_KERNEL=ref')
  t.equal(status, 0, err)
  t.equal(kernels_of(out, '^conv2d'), { ref = 8 })
  t.ok(file.exists(dir .. '/r'))
end)

t.case('tune: a training that is resumed goes on with its kernels, whatever was learned since', function()
  t.need_cpu_kernels()
  local _, run, cache = place()
  local function choose(fast)
    return function(row)
      local want = row.node:find '^conv2d_dw' and (fast and 'wino' or 'outer') or (fast and 'wino' or 'gather')
      if row.ms[want] then row.kernel = want end
    end
  end
  t.equal((run()), 0)
  edit(cache, choose(true))
  local _, whole = run()
  t.equal((run 'resume=r kill=2'), 137)
  edit(cache, choose(false))
  local status, resumed, err = run 'resume=r'
  t.equal(status, 0, err)
  t.equal(resumed, whole)
  t.ok(select(2, run()) ~= whole, 'other kernels yield other bits')
end)

t.case('tune: a frozen kernel that does not run here is an error that names both machines', function()
  t.need_cpu_kernels()
  local hz, l = require 'hz', require 'hz.net.layer'.kinds
  local net = hz.net 'n' { l.conv{16, 3} }
  net:init { seed = 1, input = { 8, 8, 16 } }
  local options = { batch = 4, input = { 8, 8, 16 }, loss = false }
  local choices_of = require 'hz.net.choices'
  local choices = { machine = 'a machine of old', nodes = {} }
  options.tune = choices
  local plan = net:plan(options)
  t.equal(plan.tuned, { nodes = {}, changed = 0 })
  local trial = c.ffi.new('hz_trial[?]', c.C.HZ_TRIALS)
  t.ok(c.C.hz_plan_trials(plan.handle, 0, 0, trial) >= 2)
  choices.nodes[choices_of.node_text(plan, 0)] = 'vanished'
  t.raises('kernels were chosen on a machine of old: cpu: kernel \'vanished\' does not run',
    function() net:plan(options) end)
  t.raises('tune is 3; needs true or false',
    function() net:plan { batch = 4, input = { 8, 8, 16 }, loss = false, tune = 3 } end)
  for k = 0, 1 do
    choices.nodes[choices_of.node_text(plan, 0)] = c.ffi.string(trial[k].kernel)
    t.equal(net:plan(options):nodes()[1].kernel, c.ffi.string(trial[k].kernel))
  end
end)

t.case('tune: all cells of a sweep compute by the same kernels, also with another cache, resumed, '
    .. 'or in several processes', function()
  local dir, run = sweeps.place()
  t.write(dir .. '/net.lua', (sweeps.net:gsub('conv{4, 3, stride=2}', 'conv{16, 3}, l.conv{16, 3}')))
  local st, o, e = run 'runs=a tune=true seed=1'; t.equal(st, 0, e)
  local kernels
  for _, name in ipairs(file.list(dir .. '/a/sweeps')) do kernels = name:find '%.kernels$' and name or kernels end
  t.ok(kernels)
  file.mkdir(dir .. '/b/sweeps')
  local choices = json.decode(t.read(dir .. '/a/sweeps/' .. kernels))
  for node, kernel in pairs(choices.nodes) do              -- the frozen file decides, not what is fastest now
    if kernel == 'wino' then choices.nodes[node] = node:find '^conv2d_dw' and 'outer' or 'gather' end
  end
  t.write(dir .. '/b/sweeps/' .. kernels, json.encode(choices))
  t.equal((run 'runs=b tune=true seed=1'), 0)
  file.mkdir(dir .. '/c/sweeps')
  t.write(dir .. '/c/sweeps/' .. kernels, json.encode(choices))
  local status, _, err = run('runs=c tune=true seed=1 parallel=2', 'HZ_CACHE=other ')
  t.equal(status, 0, err)
  sweeps.same_cells(dir .. '/b', dir .. '/c')
  t.equal((run 'runs=a seed=1'), 0)                        -- cells without trials are others
  t.equal(#file.list(dir .. '/a/cells'), 8)
  local id = kernels:match '^(.*)%.kernels$'
  t.ok(id)
  for _, name in ipairs(file.list(dir .. '/b/sweeps')) do id = name:match '^(.*)%.json$' or id end
  t.equal((t.sh(('cd %s; %s runs rm %s runs=b'):format(dir, t.hz, id))), 0)
  t.equal(file.list(dir .. '/b/sweeps'), {})
end)
