-- Codecs at equal bits: the value that is nearest, what cannot be reached, the cache, and sweeps that ask for bits.
local t = ...
local at_bits = require 'hz.codec.at_bits'
local c = require 'hz.c'
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local encoding = require 'hz.codec.encoding'
local file = require 'hz.base.file'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'

local function need(...)
  for _, name in ipairs { ... } do
    if not plugins.has(name) then t.skip('%s: its library is not installed', name) end
  end
end

-- ---- the search ----

t.case('nearest: of whole numbers none is nearer, whatever the direction', function()
  local curves = {
    function(v) return 0.05 + v * v / 3000 end, function(v) return math.exp(v / 20) end,
    function(v) return 1 + math.floor(v / 8) end, function(v) return v / 100 end,
  }
  for _, rising in ipairs(curves) do
    for direction = -1, 1, 2 do
      local p = { type = 'int', low = 1, high = 100, direction = direction }
      local function bits(v) return direction > 0 and rising(v) or rising(101 - v) end
      for _, wanted in ipairs { 0.01, 0.06, 0.3, 0.7, 1, 2.5, 5, 40, 1000 } do
        local v, b = at_bits.nearest(bits, p, wanted)
        t.equal(b, bits(v))
        for other = 1, 100 do
          local gap, least = math.abs(b - wanted), math.abs(bits(other) - wanted)
          t.ok(gap <= least or gap <= 0.001 * wanted, ('%d of %g, not %d'):format(v, wanted, other))
        end
      end
    end
  end
end)

t.case('nearest: values that the codec refuses are passed over', function()
  local taken = { [8] = true, [16] = true, [24] = true, [32] = true, [64] = true, [128] = true, [320] = true }
  local p = { type = 'int', low = 5, high = 400, direction = 1 }
  local function takes(v) return taken[v] end
  local function bits(v)
    t.ok(taken[v], v)
    return v / 100
  end
  for wanted, v in pairs { [0.01] = 8, [0.1] = 8, [0.13] = 16, [0.5] = 64, [1] = 128, [2] = 128, [2.3] = 320,
      [9] = 320 } do
    t.equal(at_bits.nearest(bits, p, wanted, takes), v, wanted)
  end
end)

t.case('nearest: numbers with fractions come within a thousandth, in few steps', function()
  for _, range in ipairs { { 0, 100 }, { -1, 10 }, { 6, 510 }, { 0.01, 25 } } do
    local p, asked = { type = 'float', low = range[1], high = range[2], direction = -1 }, 0
    local function bits(v)
      asked = asked + 1
      return 0.2 + 3 * (range[2] - v) / (range[2] - range[1])
    end
    local v, b = at_bits.nearest(bits, p, 1.234)
    t.near(b, 1.234, 0.0013)
    t.equal(v, tonumber(('%.4g'):format(v)))
    t.ok(asked < 20, asked)
    t.equal(at_bits.nearest(bits, p, 0.1), range[2])
    t.equal(at_bits.nearest(bits, p, 9), range[1])
  end
end)

t.case('the parameter: the main one, or another where that may be off or has no direction', function()
  for name, wanted in pairs { jpeg = 'quality', webp = 'quality', mp3 = 'bitrate', opus = 'bitrate', vorbis = 'quality',
      depth = 'bits', ['resize:8|jpeg'] = 'jpeg.quality' } do
    if plugins.has(name) then t.equal(at_bits.parameter(plugins.codec(name)).name, wanted, name) end
  end
  for _, name in ipairs { 'png', 'flac', 'blur:2|png' } do
    if plugins.has(name) then t.equal(at_bits.parameter(plugins.codec(name)), nil, name) end
  end
  t.equal(at_bits.parameter { params = {} }, nil)
  t.equal(at_bits.parameter { params = { { name = 'x', type = 'int', direction = 1 },
    { name = 'y', type = 'bool', direction = 1 },
    { name = 'z', type = 'float', low = 0, high = 1, standard = 0.5, direction = 0 } } }, nil)
end)

-- ---- sets ----

-- f(folder of the cache) with a cache of its own.
local function with_cache(f)
  local home, dir = file.cache_home, t.folder()
  file.cache_home = function() return dir end
  local ok, e = pcall(f, dir .. '/bits')
  file.cache_home = home
  if not ok then error(e, 0) end
end

local function images(n) return (dataset.data('camera', { size = 8, train = n, test = 10 })) end

local function bits_of(set, name, values)
  local _, account = codec[name](values):recode(set.items:contiguous())
  return account.bits_per_sample
end

t.case('find: as near as any quality comes; the ends of what can be, and what loses nothing, are said', function()
  need('jpeg', 'png')
  with_cache(function()
    local set, bits = images(60), {}
    for quality = 1, 100 do bits[quality] = bits_of(set, 'jpeg', { quality = quality, subsampling = '444' }) end
    for _, wanted in ipairs { bits[1], bits[37], 1, 2.2, (bits[80] + bits[81]) / 2 } do
      local one = at_bits.find(set, 'jpeg', { subsampling = '444' }, wanted, 'auto')
      t.equal({ one.parameter, one.bits, one.reached }, { 'quality', bits[one.value], true })
      for quality = 1, 100 do
        local gap = math.abs(one.bits - wanted)
        t.ok(gap <= math.abs(bits[quality] - wanted) or gap <= 0.001 * wanted, one.value .. ', not ' .. quality)
      end
    end
    local low, high = at_bits.find(set, 'jpeg', {}, 0.001, 'never'), at_bits.find(set, 'jpeg', {}, 20, 'always')
    t.equal({ low.value, low.reached, low.most }, { 1, false, false })
    t.equal({ high.value, high.reached, high.most }, { 100, false, true })
    local png = at_bits.find(set, 'png', {}, 1, 'auto')
    t.equal({ png.parameter, png.reached, png.lossless }, { nil, false, true })
    t.ok(at_bits.find(set, 'png', {}, png.bits * 1.01, 'auto').reached)
  end)
end)

t.case('find: of a large set some are looked at, and all decide', function()
  need 'jpeg'
  with_cache(function(dir)
    local n = 4100
    local items = tensor.rand({ n, 8, 8, 3 }, 0, 255.99, { seed = 3 }):floor():to 'u8'
    for i = 0, n - 1, 2 do items[i + 1]:fill(i % 256) end                -- flat ones: every third sees them otherwise
    local set = dataset.new { name = 'odd', items = items, labels = tensor.zeros({ n }, 'i32'), classes = { 'a' } }
    for _, wanted in ipairs { 0.5, 1.7 } do
      local one = at_bits.find(set, 'jpeg', {}, wanted, 'auto')
      t.near(one.bits, bits_of(set, 'jpeg', { quality = one.value }), 1e-12)
      for _, v in ipairs { one.value - 1, one.value + 1 } do
        local gap = math.abs(bits_of(set, 'jpeg', { quality = v }) - wanted)
        t.ok(math.abs(one.bits - wanted) <= math.max(gap, 0.005 * wanted), one.value .. ', not ' .. v)
      end
    end
    local kept = file.read_all(dir .. '/' .. file.list(dir)[1])
    local _, some = kept:gsub('"some ', '')
    local _, all = kept:gsub('"all ', '')
    t.ok(all <= 8 and some > all, kept)
  end)
end)

t.case('find: sounds, of which tables count once for all', function()
  need 'opus'
  with_cache(function()
    local set = dataset.data('strings', { train = 24, test = 12 })
    local one = at_bits.find(set, 'opus', {}, 1.5, 'auto')
    t.equal(one.parameter, 'bitrate')
    t.near(one.bits, 1.5, 0.1)
    if not plugins.has 'mp3' then return end
    local rates = {}
    for _, wanted in ipairs { 0.05, 1, 3, 60 } do
      local found = at_bits.find(set, 'mp3', {}, wanted, 'auto')
      t.equal(found.parameter, 'bitrate')
      rates[#rates + 1] = found.value
      t.equal(found.reached, wanted >= 1 and wanted < 10, wanted)
    end
    t.equal({ rates[1], rates[4] }, { 8, 320 })
    t.ok(rates[2] < rates[3])
  end)
end)

t.case('the cache: what was weighed is not weighed again; damage is named, and weighed anew', function()
  need 'jpeg'
  with_cache(function(dir)
    local set, made = images(30), encoding.make
    local calls = 0
    local function counted(wanted)
      calls = 0
      encoding.make = function(...)
        calls = calls + 1
        return made(...)
      end
      local ok, one = pcall(at_bits.find, set, 'jpeg', {}, wanted, 'auto')
      encoding.make = made
      if not ok then error(one, 0) end
      return one
    end
    local first = counted(2)
    t.ok(calls > 5, calls)
    t.equal(counted(2), first)
    t.ok(calls <= 2, 'the codec as it is, and what is beside what was found')
    t.equal(#file.list(dir), 1)
    local path = dir .. '/' .. file.list(dir)[1]
    for _, text in ipairs { '', '{', '{"key":"x","bits":{}}', (file.read_all(path):gsub(':%d[%d.]*', ':-1')) } do
      t.write(path, text)
      t.equal(counted(2), first)
      t.ok(calls > 5)
    end
    file.cache_home = function() return nil end
    t.equal(counted(2), first)
  end)
end)

-- ---- sweeps ----

local script = [[
local hz = require 'hz'
local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
function sweep(o)
  local base = { name = 'bits', data = { { name = 'camera', train = train, test = test } }, model = { 'net.lua' },
    seed = { 1 }, epochs = 1, batch = 16, train = 60, optimizer = function() return hz.adam { rate = 0.01 } end }
  for k, v in pairs(o) do base[k] = v end
  return hz.sweep(base)
end
]]

local function place(before)
  local dir = t.folder()
  local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
  t.write(dir .. '/net.lua', sweeps.net)
  return function(code, verb)
    t.write(dir .. '/script.lua', script .. code)
    return t.sh(('cd %s; export HZ_CACHE=%s/cache; %s %s %s script.lua'):format(t.quote(dir), t.quote(dir),
      before or '', t.quote(t.hz), verb or ''))
  end
end

t.case('a sweep at equal bits: a table of what was found, cells that other sweeps find by their values', function()
  need('jpeg', 'webp', 'png')
  local run = place()
  local ask = "codec = { 'jpeg', 'webp', 'png' }, bits = { 0.01, 1, 2, 'raw' }"
  local status, out, err = run(('print(sweep { %s })'):format(ask))
  t.equal(status, 0, err)
  t.match(out, 'codec +bits asked +found +bits got +off\n')
  local values = {}
  for name, wanted, v, bits in out:gmatch '\n(%l+) +(%S+) +quality=(%S+) +(%S+) +[+-]%S+ %%' do
    values[name] = (values[name] and values[name] .. ', ' or '') .. v
    t.near(tonumber(bits), tonumber(wanted), 0.1 * wanted)
  end
  t.match(out, 'left out: jpeg at bits=0.01: out of reach; quality=1 takes %S+, the fewest\n')
  t.match(out, 'left out: webp at bits=0.01: out of reach; quality=0 takes %S+, the fewest\n')
  t.match(out, 'left out: png at bits=0.01,1,2: out of reach; it loses nothing, and takes %S+\n')
  t.match(out, '5 cells\n')
  t.match(out, '\njpeg %d+ .*\nraw ')
  for name, list in pairs(values) do
    local _, again = run(("print(sweep { codec = { '%s' }, quality = { %s } })"):format(name, list))
    t.match(again, '2 cells, 2 of them finished')
  end
  status, out, err = run(('sweep { dry = true, %s }'):format(ask))
  t.equal(status, 0, err)
  t.match(out, 'quality=.*5 cells, 5 of them finished')
  status, out, err = run(('sweep { %s, seed = { 1, 2, 3 } }'):format(ask), 'plan')
  t.equal(status, 0, err)
  t.match(out, 'quality=.*15 cells.*\njpeg, camera, net, f32: 2 encodings.*\nwebp, camera, net, f32: 2 encodings')
end)

t.case('test items have the same bits as what trains, or others', function()
  need('jpeg', 'webp')
  local run = place()
  local function pairs_of(o)
    local status, out, err = run(([[local s = sweep { dry = true, %s }
      for _, job in ipairs(s.jobs) do
        local e = job.point.encoding
        print('pair', e.train.text, e.test.text)
      end]]):format(o))
    t.equal(status, 0, err)
    local list = {}
    for a, b in out:gmatch 'pair\t([^\t\n]+)\t([^\n]+)' do list[#list + 1] = a:match '^%S+' .. ' ' .. b:match '^%S+' end
    return table.concat(list, ', '), out
  end
  t.equal((pairs_of "codec = { 'jpeg' }, codec_test = { 'webp' }, bits = { 1, 2 }"), 'jpeg webp, jpeg webp')
  t.equal((pairs_of "codec = { 'jpeg', 'webp' }, bits = { 1 }, matrix = true"),
    'jpeg jpeg, jpeg webp, webp webp, webp jpeg')
  local list, out = pairs_of "codec = { 'jpeg' }, bits = { 1 }, bits_test = { 1, 2, 'raw' }"
  t.equal(list, 'jpeg jpeg, jpeg jpeg, jpeg raw')
  local trained, tested = out:match 'pair\tjpeg (%d+)\tjpeg (%d+)'
  t.equal(trained, tested)
  list, out = pairs_of "codec = { 'jpeg' }, bits = { 1 }, subsampling = { '420', '444' }"
  t.equal(list, 'jpeg jpeg, jpeg jpeg')
  t.match(out, '\njpeg subsampling=420 +1 +quality=%d+ .*\njpeg subsampling=444 +1 +quality=%d+ ')
  t.ok(out:match 'jpeg (%d+) subsampling=420' ~= out:match 'jpeg (%d+) subsampling=444')
end)

t.case('what cannot be is told before the first step', function()
  need('jpeg', 'png')
  local run = place()
  for _, case in ipairs {
    { 'bits = { 0.5 }, quality = { 10, 20 }', 'sweep: bits=0.5 and quality=10,20 were given; needs one of both' },
    { 'bits = { 0.5 }, quality_test = { 10 }', 'sweep: bits=0.5 and quality_test=10 were given; needs one of both' },
    { "codec = { 'png' }, bits = { 0.5 }", 'sweep: no codec has these bits: png at bits=0.5: out of reach; it loses '
      .. 'nothing, and takes %d' },
    { 'bits = { 1e-6 }', 'no codec has these bits: jpeg at bits=1e%-06: out of reach; quality=1 takes %S+, the few' },
    { 'bits = { -1 }', 'sweep: bits%[1%] is %-1; needs bits per sample, a number above 0' },
    { "bits = { 1, 'much' }", "sweep: bits%[2%] is 'much'; needs bits per sample" },
    { 'bits = {}', 'sweep: bits is empty; needs a list' },
    { 'bits = 3', 'sweep: bits is 3; needs a list' },
    { "bits = { 1 }, codec = { 'nope' }", "'nope'" },
  } do
    local status, out, err = run(('sweep { %s }'):format(case[1]))
    t.equal(status, 1, case[1])
    t.match(err, case[2])
    t.ok(not out:find 'cells')
  end
end)

t.case('bits is a parameter where a codec has one of that name, and no other a value to be found', function()
  need('depth', 'jpeg', 'png')
  local run = place()
  local _, out = run "sweep { dry = true, codec = { 'depth', 'raw' }, bits = { 2, 4 } }"
  t.match(out, '^sweep %S+: 3 cells')
  _, out = run "sweep { dry = true, codec = { 'resize:4|depth', 'blur:2|png' }, bits = { 2, 4 } }"
  t.match(out, '^sweep %S+: 3 cells')
  _, out = run "sweep { dry = true, codec = { 'depth', 'jpeg' }, bits = { 2, 4 } }"
  t.match(out, '\ndepth +2 +bits=%d .*\njpeg +2 +quality=%d.*sweep %S+: 4 cells')
end)

t.case('a codec that crashes is left out, the others are found', function()
  need 'jpeg'
  local folder = c.library:match '^(.*)/' .. '/test/plugins'
  if not file.exists(folder .. '/wild.so') then t.skip 'wild is not built (make ctests)' end
  if os.getenv 'HZ_SANITIZER' == 'thread' then t.skip 'the thread sanitizer bears no fork' end
  local own = t.folder()
  t.sh(('cp %s/wild.so %s/'):format(t.quote(folder), own))
  local run = place('HZ_PLUGIN_PATH=' .. own)
  local status, out, err = run "sweep { dry = true, codec = { 'wild', 'jpeg' }, bits = { 1, 2 }, how = { 'crash' } }"
  t.equal(status, 0, err)
  t.match(out, 'left out: wild how=crash at bits=1,2: failed; [^\n]*wild: signal 11 %(SIGSEGV%) at image 0 of 60;')
  t.match(out, '2 cells')
  status, out, err = run "sweep { dry = true, codec = { 'wild', 'jpeg' }, bits = { 3 } }"
  t.equal(status, 0, err)
  t.match(out, '\nwild +3 +level=3 +3.0')
end)

t.case('an experiment takes bits in place of its qualities', function()
  need('jpeg', 'png')
  local dir = t.folder()
  local hz = ('cd %s; export HZ_CACHE=%s/cache; %s %s/'):format(dir, dir, t.quote(t.hz), t.quote(c.root))
  local status, out, err = t.sh(hz .. 'experiments/cifar_sweep.lua data=camera train=60 test=20 epochs=1 seed=1 '
    .. 'dry=true codec=jpeg,png bits=1,raw')
  t.equal(status, 0, err)
  t.match(out, '\njpeg +1 +quality=%d+.*2 cells')
  status, out, err = t.sh(hz .. 'experiments/cifar_sweep.lua data=camera train=60 test=20 bits=1 quality=5')
  t.ok(status ~= 0)
  t.match(err, 'bits=1 and quality=5 were given; needs one of both: bits finds the value of quality')
  status, out = t.sh(hz .. 'experiments/cifar_sweep.lua --help')
  t.match(out, 'bits +=.*equal bits per sample')
end)
