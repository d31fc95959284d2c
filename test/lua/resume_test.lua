-- A training that goes on elsewhere: at another vector level, for the cores of another vendor, by other kernels. It
-- computes the bits of one that was never interrupted, or says what changed and records it.
local t = ...
local c, json, safetensors = require 'hz.c', require 'hz.base.json', require 'hz.tensor.safetensors'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
local levels = assert(loadfile(t.here .. 'levels.lua'))()

-- Prints every digit of the losses, then what the training says of itself. In bf16 its convolutions run by other
-- kernels for other cores, from avx512bf16 on.
local script = [[
local hz = require 'hz'
local l = hz.layers
local knob = hz.args({ { 'resume', nil, 'string', '' }, { 'kill', 0, 'int', '' },
  { 'dtype', 'bf16', 'string', '' } }, ...)
local train = { items = hz.rand({ 20, 8, 8, 3 }, 0, 255, { seed = 1, stream = 1 }):floor():to 'u8',
  labels = hz.zeros({ 20 }, 'i32') }
for i = 1, 20 do train.labels[i] = i % 4 end
local net = hz.net 'n' { l.conv{16, 3}, l.relu, l.conv{32, 3}, l.relu, l.dropout{0.2}, l.conv{16, 3, stride=2}, l.relu,
  l.conv{4, 1}, l.meanpool }
net:init { seed = 1, input = { 8, 8, 3 } }
local epochs = 0
local result = hz.train { net = net, train = train, watch = train, epochs = 3, batch = 10, seed = 1, dtype = knob.dtype,
  optimizer = hz.adam { rate = 0.01 }, resume = knob.resume,
  on_epoch = function()
    epochs = epochs + 1
    if epochs == knob.kill then os.execute('kill -9 ' .. require 'hz.ext.posix'.pid()) end
  end }
for _, row in ipairs(result.curve) do io.write(('%.17g %.17g\n'):format(row.loss, row.watch_loss)) end
io.write(result.kernels.isa, ' ', result.kernels.vendor, ' ', require 'hz.net.choices'.digest(result.kernels), '\n')
io.write(table.concat(result.kernels_changed or {}, '\n'), '\n')
]]

-- run(environment, arguments) -> status, out, err; the losses of an `out`.
local function place()
  local dir = t.folder()
  t.write(dir .. '/train.lua', script)
  return dir, function(env, args)
    return t.sh(('cd %s && HZ_ISA= HZ_CPU= HZ_KERNEL= ; export HZ_ISA HZ_CPU HZ_KERNEL; %s %s train.lua %s; exit $?')
      :format(dir, env or '', t.quote(t.hz), args or ''))
  end
end

local function losses(out) return out:match '^(.-)\n%l' end

local function needs(level)
  if not levels.at(level, levels.vendor, function() end) then t.skip('%s is not granted by this machine', level) end
end

t.case('resume: elsewhere with the same level a training keeps its kernels, and its bits', function()
  needs 'avx512bf16'
  local _, run = place()
  local own, other = 'HZ_ISA=avx512bf16 HZ_CPU=intel', 'HZ_ISA=avx512bf16 HZ_CPU=amd'
  local status, whole, err = run(own)
  t.equal(status, 0, err)
  local _, elsewhere = run(other)
  t.ok(elsewhere ~= whole, 'for other cores other kernels are chosen')
  t.equal((run(own, 'resume=r kill=2')), 137)
  local _, resumed, said = run(other, 'resume=r')
  t.equal(resumed, whole)
  t.equal(said, '')
  t.equal((run(own, 'resume=s kill=2')), 137)
  local _, higher, quiet = run('HZ_CPU=amd', 'resume=s')
  t.equal(higher, whole, 'a machine that has more goes on at the level of the beginning')
  t.equal(quiet, '')
end)

t.case('resume: kernels that were preferred stay, unless others are', function()
  t.need_cpu_kernels()
  needs 'avx512bf16'
  local _, run = place()
  local level = 'HZ_ISA=avx512bf16 HZ_CPU=amd '
  local _, whole = run(level .. 'HZ_KERNEL=pairs')
  for _, name in ipairs { 'r', 's' } do
    t.equal((run(level .. 'HZ_KERNEL=pairs', 'resume=' .. name .. ' kill=2')), 137)
  end
  local _, resumed, said = run(level, 'resume=r')
  t.equal(resumed, whole)
  t.equal(said, '')
  local _, out, err = run(level .. 'HZ_KERNEL=gather', 'resume=s')
  t.match(err, '^hz: s: what computes it has changed: conv2d pairs %-> wide gather %(%d+ nodes%), ')
  t.match(out, '\nfrom epoch 1 on: conv2d pairs %-> wide gather')
end)

t.case('resume: where its level is not granted a training says what changed, and remembers it', function()
  t.need_cpu_kernels()
  needs 'avx2'
  local _, run = place()
  local before, after = 'HZ_ISA=avx2', 'HZ_ISA=portable'
  t.equal((run(before, 'resume=r kill=2 dtype=f32')), 137)
  local status, _, err = run(after, 'resume=r kill=2 dtype=f32')
  t.equal(status, 137)
  t.match(err, 'hz: r: what computes it has changed: isa avx2 %-> portable; the bits may be others')
  local _, out, again = run(before, 'resume=r dtype=f32')
  t.equal(again, '', 'nothing changes any more')
  t.match(out, '\nportable %l+ %x+\nfrom epoch 1 on: isa avx2 %-> portable\n$')
  local _, whole = run(before, 'dtype=f32')
  if os.getenv 'HZ_SANITIZER' then t.skip 'a sanitizer parts products and sums: both levels yield one result' end
  t.ok(losses(out) ~= losses(whole))
end)

t.case('resume: a point that names no kernels, or only nodes and kernels, is gone on from', function()
  local dir, run = place()
  local _, whole = run()
  for _, what in ipairs { 'none', 'nodes' } do
    t.equal((run(nil, 'resume=' .. what .. ' kill=2')), 137)
    local tensors, meta = safetensors.read(dir .. '/' .. what)
    local state = json.decode(meta['hz.resume'])
    t.ok(state.kernels.nodes and state.kernels.isa and state.kernels.vendor)
    state.kernels = what == 'nodes' and { machine = 'a machine of old', nodes = state.kernels.nodes } or nil
    safetensors.write(dir .. '/' .. what, tensors, { ['hz.resume'] = json.encode(state) })
    local status, resumed, err = run(nil, 'resume=' .. what)
    t.equal(status, 0, err)
    t.equal(resumed, whole)
    t.equal(err, '')
  end
end)

-- ---- cells ----

local function only_cell(dir)
  for _, name in ipairs(require 'hz.base.file'.list(dir .. '/runs/cells')) do
    local key = name:match '^(%x+)%.safetensors$'
    if key then return require 'hz.sweep.cell'.read(dir .. '/runs', key).run end
  end
end

t.case('resume: a cell names what computed it, and what changed on the way', function()
  needs 'avx2'
  local dir, run = sweeps.place()
  t.equal((run('quality=raw seed=1', 'HZ_ISA=avx2 HZ_CPU=amd ')), 0)
  local r = only_cell(dir)
  t.equal({ r.isa, r.vendor, r.threads, r.kernels_changed }, { 'avx2', 'amd', c.C.hz_cpu_threads(), nil })
  t.match(r.kernels, '^%x+$')
  t.match(r.plan, '^%x+$')
  t.equal({ r.scored.isa, r.scored.vendor }, { 'avx2', 'amd' })
  t.match(r.scored.kernels, '^%x+$')

  local other, again, env = sweeps.place()
  local status = t.sh(([[%s HZ_ISA=avx2 %s sweep.lua quality=raw seed=1 epochs=400 >out 2>&1 & p=$!
    while kill -0 $p 2>/dev/null && ! ls runs/cells/*.resume.safetensors >/dev/null 2>&1; do sleep 0.02; done
    kill -9 $p 2>/dev/null; wait $p; exit $?]]):format(env, t.quote(t.hz)))
  if status == 0 then t.skip 'the training was quicker than the signal' end
  local _, _, err = again('quality=raw seed=1 epochs=400', 'HZ_ISA=portable ')
  t.match(err, 'resume%.safetensors: what computes it has changed: isa avx2 %-> portable')
  r = only_cell(other)
  t.equal({ r.isa, r.scored.isa, #r.kernels_changed }, { 'portable', 'portable', 1 })
  t.match(r.kernels_changed[1], '^from epoch [%d.]+ on: isa avx2 %-> portable')
end)

t.case('resume: reports and comparisons say where cells were computed otherwise', function()
  needs 'avx2'
  local _, run, env = sweeps.place()
  local function hz(args) return t.sh(env .. t.quote(t.hz) .. ' ' .. args .. '; exit $?') end
  t.equal((run('quality=20,raw seed=1', 'HZ_ISA=avx2 ')), 0)
  local _, alone = hz 'report'
  t.ok(not alone:find 'cells differ', alone)
  t.equal((run('quality=20,50,raw seed=1', 'HZ_ISA=portable ')), 0)
  local said = 'cells differ in: isa avx2, portable\n'
  local list = json.decode((select(2, hz 'runs --json')))
  local a, b = list[1].id, list[2].id
  if list[1].cells ~= 2 then a, b = b, a end               -- both may have begun in one second
  t.match(select(2, hz('report ' .. b)), '\n' .. said)
  local _, cells, notes = hz('report --json ' .. b)
  t.match(notes, '^hz: ' .. said)
  local isas = {}
  for _, cell in ipairs(json.decode(cells)) do isas[cell.isa] = (isas[cell.isa] or 0) + 1 end
  t.equal(isas, { avx2 = 2, portable = 1 })
  local _, text = hz(('compare %s %s'):format(a, b))
  t.match(text, 'differs: isa: avx2 | avx2, portable\n')
  t.match(text, '\n' .. said)
end)
