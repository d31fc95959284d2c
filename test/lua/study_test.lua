-- hz.study: a second experiment, as long as its presets and its own rows, does all that cifar_sweep.lua does.
local t = ...
local codec = require 'hz.codec.codec'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local safetensors = require 'hz.tensor.safetensors'
local study = require 'hz.sweep.study'
local tensor = require 'hz.tensor.tensor'

local experiment = [[
-- noise_sweep.lua: what the noise of a camera costs a classifier, by the bits of a lossless codec.
local hz = require 'hz'

local study = hz.study {
  name = 'noise_sweep', about = 'Trains a network on images of a noisy camera.', items = 'pictures', codec = 'png',
  embedded = { 'camera', preset = 'tiny', least = 200 },
  options = function(name, knob)
    if name == 'camera' then return { noise = knob.noise, size = 8, test = 40 } end
  end,
  presets = {
    { 'tiny', protocol = 'strict', level = { 6, 'raw' }, model = { 'net.lua' }, seed = { 1 }, epochs = 3, train = 60,
      test = 1000, batch = 16, optimizer = 'adam', rate = 0.01, schedule = 'cosine', smoothing = 0.1, noise = 2 },
    { 'long', protocol = 'paper', level = { 6, 'raw' }, model = { 'net.lua' }, seed = { 1, 2 }, epochs = 300,
      train = 100, batch = 16, optimizer = 'sgd', rate = 0.01, schedule = 'time', smoothing = 0, noise = 0 },
  },
  knobs = { 'smoothing', 'shift', { 'noise', 1, 'float', 'of the camera', min = 0, max = 10 } },
}

local sweep = hz.sweep(study:settings(...))
study:finish(sweep)
]]

local net = [[
local hz = require 'hz'
local l = hz.layers
return function(o) return hz.net 'n' { l.conv{4, 3, stride=2}, l.relu, l.conv{o.classes, 1}, l.meanpool } end
]]

-- A folder with the experiment; run(args) -> status, out, err.
local function place()
  if not require 'hz.codec.plugins'.has 'png' then t.skip('the PNG plugin is not built') end
  local dir = t.folder()
  t.write(dir .. '/noise_sweep.lua', experiment)
  t.write(dir .. '/net.lua', net)
  return dir, function(args)
    return t.sh(('cd %s && HZ_RUNS= HZ_CACHE=cache %s noise_sweep.lua %s; exit $?'):format(
      t.quote(dir), t.quote(t.hz), args))
  end
end

-- The records of all finished cells.
local function records(dir)
  local list = {}
  for _, name in ipairs(file.list(dir .. '/runs/cells')) do
    if name:find '^%x+%.safetensors$' then
      list[#list + 1] = json.decode(safetensors.metadata(dir .. '/runs/cells/' .. name)['hz.cell'])
    end
  end
  return list
end

t.case('study: an experiment of presets and own rows runs from its first key to its last line', function()
  local dir, run = place()
  local status, out, err = run 'svg=a.svg parallel=1'
  t.equal(status, 0, err)
  t.match(out, '^data: camera, 200 training and 40 test pictures, from the embedded camera\n')
  t.match(out, '\nsweep noise_sweep%-%x+: 2 cells')
  t.match(out, '\npng [^\n]*\nraw ')
  t.match(out, '\n\nstored in runs; once more: hz report noise_sweep%-%x+\n$')
  t.match(t.read(dir .. '/a.svg'), '^<svg')
  local list = records(dir)
  t.equal(#list, 2)
  for _, r in ipairs(list) do
    local d = r.decides.training
    t.equal({ d.epochs, d.batch, d.smoothing, d.augment }, { 3, 16, 0.1, {} })
    t.equal({ d.optimizer.kind, d.optimizer.rate }, { 'adam', 0.01 })
    t.equal(r.items, { train = 60, watch = 100, test = 40 }, 'fitted to what there is')
  end
  status, out = run ''
  t.equal(status, 0)
  t.match(out, '2 cells, 2 of them finished')
end)

t.case('study: keys stand above the preset, and that above the rows', function()
  local dir, run = place()
  t.equal((run 'level=raw epochs=1 smoothing=0 shift=1 noise=0.5 optimizer=sgd parallel=1'), 0)
  local d = records(dir)[1].decides.training
  t.equal({ d.epochs, d.smoothing, d.augment, d.batch }, { 1, 0, { shift = 1 }, 16 })
  local o = d.optimizer
  t.equal({ o.kind, o.rate, o.momentum, o.nesterov }, { 'sgd', 0.01, 0.9, true })
  t.match(select(2, run 'dry=true preset=long parallel=1'), '4 cells, about')
  t.match(select(2, run 'dry=true train=500 parallel=1'), 'data: camera, 625 training')
end)

t.case('study: a folder of files is data, too', function()
  local dir, run = place()
  for c, class in ipairs { 'dark', 'light' } do
    file.mkdir(dir .. '/set/' .. class)
    for i = 1, 30 do
      local image = tensor.rand({ 8, 8, 3 }, 120 * (c - 1), 120 * c, { seed = i, stream = c }):floor():to 'u8'
      t.write(('%s/set/%s/%02d.png'):format(dir, class, i), (codec.png {}:encode(image)))
    end
  end
  local status, out, err = run 'path=set level=raw preset=long protocol=strict epochs=1 seed=1 batch=8 parallel=1'
  t.equal(status, 0, err)
  t.match(out, '^data: folder, 48 training and 12 test pictures, from ')
  t.equal(records(dir)[1].items.train + records(dir)[1].items.watch, 48)
end)

t.case('study: mistakes of the command line are told as everywhere, --help lists own rows among the shared', function()
  local _, run = place()
  local status, out = run '--help'
  t.equal(status, 0)
  t.match(out, '^Trains a network on images of a noisy camera%.\nusage: hz noise_sweep.lua')
  t.match(out, 'preset .*%(default: tiny%) %(tiny|long%)\n  data .*%(default: camera%)')
  t.match(out, 'passes over the training pictures')
  t.match(out, '\n  dtype [^\n]*\n  exact [^\n]*\n  device [^\n]*\n  smoothing [^\n]*\n  shift [^\n]*\n'
    .. '  noise [^\n]*%(float 0..10%)\n  runs ')
  for _, case in ipairs { { 'nois=1', 2, "'nois' is no key, did you mean 'noise'" }, { 'noise=11', 2, 'needs 0%.%.10' },
    { 'preset=quick', 2, 'needs one of tiny, long' }, { 'level=12', 2, 'needs 0%.%.9 or raw' },
    { 'data=sounds', 1, "'sounds' is unknown" },
    { 'train=90 batch=100', 1, 'batch=100 was given; 90 items train' } } do
    local code, _, message = run('dry=true parallel=1 ' .. case[1])
    t.equal(code, case[2], case[1] .. ': ' .. message)
    t.match(message, case[3], case[1])
  end
end)

t.case('study: mistakes of the experiment are its author\'s', function()
  local good = { name = 'a', about = 'b', items = 'images', presets = { { 'p' } },
    embedded = { 'camera', preset = 'p' } }
  local function with(changes)
    local o = {}
    for k, v in pairs(good) do o[k] = v end
    for k, v in pairs(changes) do o[k] = v end
    return o
  end
  t.raises("study: 'preset' is unknown", study, with { preset = {} })
  t.raises('study: presets is missing', study, { name = 'a', about = 'b', items = 'images', embedded = {} })
  t.raises("study: 'noise' is no shared key", study, with { knobs = { 'noise' } })
  t.raises("study: preset 'p' is not among presets", study, with { presets = { { 'other' } } })
end)
