-- devices_test.lua: devices by name: what users may say, in HZ_DEVICE and by device=, for plans, trainings and sweeps;
-- several that take cells each; memory that does not suffice; what only cards compute.
local t = ...
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local file = require 'hz.base.file'
local hz = require 'hz'
local json = require 'hz.base.json'
local safetensors = require 'hz.tensor.safetensors'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local ffi = c.ffi
ffi.cdef 'int setenv(const char *, const char *, int); int unsetenv(const char *);'

-- f() with variables of the environment: name -> value, false to have none.
local function within(set, f)
  local before = {}
  for name, v in pairs(set) do
    before[name] = os.getenv(name) or false
    if v then ffi.C.setenv(name, v, 1) else ffi.C.unsetenv(name) end
  end
  local ok, e = pcall(f)
  for name, v in pairs(before) do
    if v then ffi.C.setenv(name, v, 1) else ffi.C.unsetenv(name) end
  end
  if not ok then error(e, 0) end
  return e
end

local function plan_on(device, o)
  local a = { batch = 16, train = true, data = tiny.set(44, 1), seed = 4, device = device,
    optimizer = hz.adam { rate = 0.01 } }
  for k, v in pairs(o or {}) do a[k] = v end
  return tiny.net(3):plan(a)
end

-- ---- names ----

for _, case in ipairs {
  { 'gpu', "device: 'gpu' is not known; have cpu, null, far" },
  { '5', "device: '5' is not known; have cpu, null, far" },
  { '', "device is ''; needs a name: auto, cpu, cuda, cuda:1, ..." }, { 5, 'device is 5; needs a name: auto' },
  { 'far,cpu', "device is 'far,cpu'; needs devices of one kind" }, { 'far:0,', 'needs names, separated by commas' },
  { 'auto,cpu', 'needs names, separated by commas: cuda:0,cuda:1' }, { 'cpu:1', "device: 'cpu:1' is not known" },
  { 'far:0,far:1', "plan: device is 'far:0,far:1'; needs one, as a plan runs on one device: a sweep takes several" },
} do
  t.case(('device=%s: %s'):format(tostring(case[1]), case[2]), function() t.raises(case[2], plan_on, case[1]) end)
end

t.case('HZ_DEVICE: of several the first computes a plan; what is wrong with it is said', function()
  within({ HZ_DEVICE = 'far:1,far' }, function()
    t.equal({ plan_on().device, devices.default() }, { 'far:1', 'far:1' })
  end)
  within({ HZ_DEVICE = '' }, function() t.ok(plan_on().device:find '^c') end)
  within({ HZ_DEVICE = 'far,cpu' }, function()
    t.raises("HZ_DEVICE is 'far,cpu'; needs devices of one kind", plan_on)
  end)
  within({ HZ_DEVICE = 'gpu' }, function() t.raises("device: 'gpu' is not known", plan_on) end)
end)

t.case('HZ_DEVICE=auto: the CPU where no card opens, and one line says why; none without a sign of a card', function()
  local script = t.write(t.folder() .. '/two.lua', [[
    local hz = require 'hz'
    local d = hz.layers.dense
    for i = 1, 2 do print(hz.net 'n' { d{2} }(hz.zeros{ 1, 3 }):sum(), require 'hz.net.devices'.default()) end
    hz.net 'n' { d{2} }:plan { device = 'auto', input = { 3 } }]])
  local status, out, err = t.sh('HZ_DEVICE=auto ' .. t.quote(t.hz) .. ' ' .. script)
  t.equal(status, 0, err)
  if out:find 'cuda' then return t.equal(err, '') end
  t.equal(out, '0\tcpu\n0\tcpu\n')
  t.match(err, '^hz: no card computes, but the CPU: [^\n]+\n$')
  if file.exists '/dev/nvidiactl' or file.exists '/dev/dxg' then return end
  status, out, err = t.sh('env -u HZ_DEVICE ' .. t.quote(t.hz)
    .. ' -e "print(hz.net[[n]] { hz.layers.dense{2} }(hz.zeros{1,3}):sum())"')
  t.equal({ status, out, err }, { 0, '0\n', '' })
end)

t.case('a card that is asked for by name and does not open is an error with the reason', function()
  local known = {}
  for _, name in ipairs(devices.names()) do known[name] = true end
  if not known.cuda then t.skip 'this build has no device cuda' end
  if devices.describe 'cuda' then t.skip 'a card opens here' end
  local _, why = devices.describe 'cuda'
  t.raises(why, plan_on, 'cuda')
end)

t.case('a card without a number is number 0; a process has one', function()
  if not devices.describe 'emu' then t.skip 'this build has no emulated card' end
  for _, name in ipairs { 'emu', 'emu:0', 'emu' } do t.ok(plan_on(name):step() < 10) end
  t.raises('emu: number 1 was asked for; this process is at work on number 0', plan_on, 'emu:1')
end)

-- ---- everything that makes plans takes it ----

t.case('net(x), classify, a layer, feed and evaluations go by HZ_DEVICE', function()
  local x = hz.rand({ 5, 6, 6, 3 }, 0, 256, { seed = 1, stream = 1 }):floor():to 'u8'
  local function all()
    local net = tiny.net(3)
    local y = net(x)
    local classes, p = net:classify(x)
    local conv = hz.layers.conv { 4, 3 }
    return { y:sum(), y:max(), json.encode { classes, p }, conv(x:to 'f32'):size(4),
      net:plan { batch = 20, data = tiny.set(44, 1) }:evaluate().loss }
  end
  local near, bytes = within({ HZ_DEVICE = 'cpu' }, all), ffi.new 'int64_t[2]'
  c.C.hz_copied(bytes, bytes + 1)
  local before = bytes[0]
  t.equal(within({ HZ_DEVICE = 'far' }, all), near)
  c.C.hz_copied(bytes, bytes + 1)
  t.ok(bytes[0] > before and bytes[1] > 0, 'nothing went to the device')
end)

t.case('tf32: cards alone, and said so', function()
  for _, device in ipairs { 'cpu', 'far' } do
    t.raises('cpu: dtype is tf32, which cards alone multiply by; needs f32 or bf16 here', plan_on, device,
      { dtype = 'tf32' })
  end
  t.equal(plan_on('null', { dtype = 'tf32' }).options.dtype, 'tf32')
  if devices.describe 'emu' then t.ok(plan_on('emu', { dtype = 'tf32' }):step() < 10) end
  t.equal(tiny.net(3):plan { dtype = 'tf32', device = 'null', batch = 2 }:value 'x':type(), 'f32')
end)

-- ---- memory ----

t.case('a device whose memory does not suffice: asked, used, free, and what to do', function()
  within({ HZ_FAR_BYTES = '200000' }, function()
    local e = t.raises('a smaller batch= needs less', plan_on, 'far',
      { batch = 400, data = tiny.set(400, 1) })
    t.match(e, 'far: %d+ bytes of memory were asked for; %d+ are in use and %d+ free; .*values take %d+%.%d MB')
  end)
  local free, all = devices.room 'far'
  t.ok(free > 0 and free <= all)
  within({ HZ_FAR_BYTES = '1000000000' }, function()
    local before, total = devices.room 'far'
    local plan = plan_on('far', { batch = 40 })
    t.equal(total, 1e9)
    t.ok(before - devices.room 'far' >= plan:bytes())
  end)
  t.equal(devices.room 'cpu', nil)
end)

t.case('plans that nobody has any more make room', function()
  local data = tiny.set(400, 1)
  local one = within({ HZ_FAR_BYTES = '1000000000' }, function()
    collectgarbage() collectgarbage()
    local before = devices.room 'far'
    local plan = plan_on('far', { batch = 400, data = data })
    return before - devices.room 'far' + (plan and 0)
  end)
  collectgarbage() collectgarbage()
  local used = within({ HZ_FAR_BYTES = '1000000000' }, function() return 1e9 - devices.room 'far' end)
  within({ HZ_FAR_BYTES = ('%d'):format(used + 4 * one) }, function()
    for _ = 1, 12 do plan_on('far', { batch = 400, data = data }) end
  end)
end)

-- ---- sweeps ----

-- The cells of a folder, in order of seed and quality.
local function cells(runs)
  local list = {}
  for _, name in ipairs(file.list(runs .. '/cells')) do
    local key = name:match '^(%x+)%.safetensors$'
    if key then list[#list + 1] = require 'hz.sweep.cell'.read(runs, key) end
  end
  table.sort(list, function(a, b)
    return a.seed ~= b.seed and a.seed < b.seed or a.seed == b.seed and tostring(a.quality) < tostring(b.quality)
  end)
  return list
end

t.case('several devices take cells each; keys name the kind, so that one finds what the other made', function()
  local dir, run = sweeps.place()
  local status, out, err = run('runs=many epochs=3 parallel=4', 'HZ_DEVICE=far:0,far:1 ')
  t.equal(status, 0, err)
  t.match(out, '4 cells at a time')
  local list = cells(dir .. '/many')
  t.equal(#list, 4)
  for _, cell in ipairs(list) do
    t.equal(cell.decides.training.device, 'far')
    t.match(cell.run.device, '^far: cpu ')
    t.match(cell.run.scored.device, '^far: cpu ')
  end
  status, out, err = run('runs=many epochs=3', 'HZ_DEVICE=far ')
  t.equal(status, 0, err)
  t.match(out, '4 cells, 4 of them finished')
  t.match(out, '\nhz [^\n]*, far: cpu ')
  status, out, err = run('runs=near epochs=3', 'HZ_DEVICE=cpu ')
  t.equal(status, 0, err)
  for i, cell in ipairs(cells(dir .. '/near')) do
    t.equal(cell.run.device, nil)
    t.equal({ cell.test_loss, cell.curve }, { list[i].test_loss, list[i].curve })
  end
end)

t.case('which process has which device', function()
  local dir = t.folder()
  t.write(dir .. '/net.lua', sweeps.net)
  t.write(dir .. '/sweep.lua', [[
    local hz = require 'hz'
    local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
    local sweep = hz.sweep { name = 'own', data = { { name = 'camera', train = train, test = test } },
      quality = { 'raw' }, device = 'far:0,far:1', model = { 'net.lua' }, seed = { 1, 2 }, epochs = 2, batch = 16,
      optimizer = function()
        local own = os.getenv 'HZ_SWEEP_DEVICE'
        if own then
          io.stderr:write('own ', own, ' ', require 'hz.net.devices'.list 'far:0,far:1'[1], '\n')
          io.open('begun ' .. own, 'w'):close()
          local last = os.time() + 60            -- else who comes first may be done with all before the other is here
          while os.time() < last and not (io.open 'begun far:0' and io.open 'begun far:1') do
            os.execute 'sleep 0.1'
          end
        end
        return hz.adam {}
      end }
    sweep:finish()]])
  local status, out, err = t.sh(('cd %s && HZ_CACHE=%s/cache %s sweep.lua'):format(t.quote(dir), t.quote(dir),
    t.quote(t.hz)))
  t.equal(status, 0, err)
  t.match(out, '2 cells at a time')
  t.ok(err:find 'own far:0 far:0\n' and err:find 'own far:1 far:1\n' and not err:find 'own far:1 far:0', err)
end)

t.case("parallel='auto' shares a device as far as its memory goes", function()
  local dir, run = sweeps.place()
  local function processes(bytes)
    local status, out, err = run('dry=true epochs=3 seed=1..4 parallel=auto',
      ('HZ_THREADS=4 HZ_DEVICE=far HZ_FAR_BYTES=%d '):format(bytes))
    t.equal(status, 0, err)
    return tonumber(out:match '(%d+) cells at a time') or 1
  end
  t.equal({ processes(8e9), processes(1e9) }, { 2, 1 })
  t.ok(not file.exists(dir .. '/runs'))
end)

t.case('a training says where it was computed, and goes on elsewhere with a word of it', function()
  ffi.cdef 'int raise(int);'
  local resume = t.folder() .. '/resume'
  local steps = 0
  c.C.hz_signal_catch()
  pcall(hz.train, tiny.training { device = 'far', resume = resume, on_step = function()
    steps = steps + 1
    if steps == 2 then ffi.C.raise(2) end
  end })
  local _, meta = safetensors.read(resume)
  t.match(json.decode(meta['hz.resume']).kernels.device, '^far: ')
  local result
  t.mute(function() result = hz.train(tiny.training { device = 'cpu', resume = resume }) end)
  t.match(result.kernels_changed[1], 'device far: cpu [^>]* %-> cpu')
  t.equal(result.kernels.device, nil)
end)
