-- Encodings: what they are called, when they are equal, and which of them the keys of a sweep ask for.
local t = ...
local encoding = require 'hz.codec.encoding'
local encodings = require 'hz.sweep.encodings'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'

local function need(...)
  for _, name in ipairs { ... } do
    if not plugins.has(name) then t.skip('%s: its library is not installed', name) end
  end
end

-- ---- one encoding ----

t.case('encoding: a codec with values has a name, a text, values and what decides', function()
  need('jpeg', 'png')
  local jpeg = require 'hz.codec.codec'.jpeg
  for _, case in ipairs {
    { 'jpeg', { quality = 10 }, 'jpeg 10', 'quality', 10 },
    { 'jpeg', { subsampling = '444' }, 'jpeg subsampling=444', 'subsampling', '444' },
    { 'jpeg', { subsampling = 444, quality = '10', optimize = true }, 'jpeg 10 optimize=true subsampling=444',
      'quality', 10, { subsampling = '444', optimize = true } },
    { 'jpeg', { restart = 2, optimize = false }, 'jpeg optimize=false restart=2', 'optimize', false, { restart = 2 } },
    { 'jpeg', {}, 'jpeg' }, { 'jpeg', { nothing = 1 }, 'jpeg' }, { 'png', { quality = 10 }, 'png' },
    { 'png', { level = 0 }, 'png level=0', 'level', 0 },
    { 'jpeg', { quality = 'raw' }, 'raw' }, { 'png', { quality = 'raw' }, 'raw' }, { 'raw', { quality = 3 }, 'raw' },
    { 'jpeg', { quality = 5, subsampling = 'raw' }, 'raw' },
  } do
    local e = encoding.make(case[1], case[2])
    t.equal({ e.text, e.parameter, e.value, e.further }, { case[3], case[4], case[5], case[6] })
    t.equal(e.name, case[3]:match '^%w+')
  end
  local e, codec = encoding.make('jpeg', { quality = 10 }), jpeg { quality = 10 }
  t.equal(e.id, { codec = codec.fingerprint, values = codec.text })
  t.equal(encoding.raw.id, 'raw')
  t.raises('jpeg: quality is 500; needs', encoding.make, 'jpeg', { quality = 500 })
  t.raises("'mp9' is not loaded", encoding.make, 'mp9', {})
end)

t.case('encoding: equal ones leave the same bytes, whatever was named', function()
  need('jpeg', 'png')
  local function make(...) return encoding.make(...) end
  t.ok(make('jpeg', { quality = 75 }) == make('jpeg', { subsampling = '420' }))
  t.ok(make('jpeg', { quality = 75 }) ~= make('jpeg', { quality = 74 }))
  t.ok(make('png', {}) == make('png', { quality = 3 }) and make('png', {}) ~= make('jpeg', {}))
  t.ok(make('jpeg', { quality = 'raw' }) == encoding.raw and make('jpeg', {}) ~= encoding.raw)
end)

t.case('encoding: records tell what it is; those of before say nothing but quality', function()
  need 'jpeg'
  local several = { { quality = 10 }, { subsampling = '444' }, { quality = 10, optimize = false }, {},
    { quality = 'raw' } }
  for _, asked in ipairs(several) do
    local e, labels = encoding.make('jpeg', asked), {}
    e:label(labels, '_test')
    local again = encoding.of(json.decode(json.encode(labels)), '_test', json.decode(json.encode(e.id)))
    t.equal({ again.text, again.parameter, again.value, again.values }, { e.text, e.parameter, e.value, e.values })
    t.ok(again == e)
  end
  local labels = {}
  encoding.make('jpeg', { quality = 10 }):label(labels, '')
  encoding.raw:label(labels, '_test')
  t.equal(labels, { codec = 'jpeg', quality = 10, codec_test = 'raw' })
  local old = encoding.of(labels, '')
  t.equal({ old.text, old.parameter, old.values }, { 'jpeg 10', 'quality' })
  local now = encoding.of(labels, '', { codec = 'c', values = 'quality=10;subsampling=420' })
  t.ok(old == now, 'by text, where values are not known')
end)

t.case('encoding: quality stands for a codec, else the first parameter that tells of bits, else the first', function()
  local function main(...)
    local list = {}
    for i, p in ipairs { ... } do
      list[i] = { name = p:match '^%w+', direction = p:find '+' and 1 or p:find '-' and -1 or 0 }
    end
    return (encoding.main(list) or {}).name
  end
  t.equal(main('effort', 'bitrate+', 'quality+'), 'quality')
  t.equal(main('effort', 'bitrate+', 'level-'), 'bitrate')
  t.equal(main('effort', 'dct'), 'effort')
  t.equal(main(), nil)
end)

t.case('encoding: what a list walks, in one line', function()
  local function of(codec, value, further, parameter)
    return encoding.of({ codec = codec, quality = value, further = further, parameter = parameter }, '')
  end
  local raw = of 'raw'
  t.equal(encoding.walk { of('jpeg', 10), of('jpeg', 75), raw, of('jpeg', 10) }, '10,75,raw')
  t.equal(encoding.walk { raw, of('jpeg', 10), of 'png' }, 'raw,10,png')
  t.equal(encoding.walk { raw }, 'raw')
  t.equal(encoding.walk({ of('mp3', 8, nil, 'bitrate'), of('mp3', 32, nil, 'bitrate'), raw }, 2), 'bitrate=8, ... raw')
  local two = { of('jpeg', 10, { subsampling = '420' }), of('jpeg', 10, { subsampling = '444' }), raw }
  t.equal(encoding.walk(two), '10,raw subsampling=420,444')
end)

-- ---- what a sweep asks for ----

local function texts(o)
  local list = {}
  for i, pair in ipairs(encodings.pairs(o)) do
    list[i] = pair.train.text .. (pair.train == pair.test and '' or ' / ' .. pair.test.text)
  end
  return list
end

t.case('encodings: lists are a product, and apply to the codecs that declare their parameter', function()
  need('jpeg', 'png')
  for _, case in ipairs {
    { { codec = { 'jpeg' }, quality = { 10, 75, 'raw' } }, { 'jpeg 10', 'jpeg 75', 'raw' } },
    { { codec = { 'jpeg', 'png' }, quality = { 10, 'raw', 10 } }, { 'jpeg 10', 'raw', 'png' } },
    { { codec = { 'png' }, quality = { 'raw' } }, { 'raw' } },
    { { codec = { 'jpeg' }, values = { subsampling = { '420', '444' } } },
      { 'jpeg subsampling=420', 'jpeg subsampling=444' } },
    { { codec = { 'jpeg' }, quality = { 10, 50 }, values = { subsampling = { '420', '444', 'raw' } } },
      { 'jpeg 10 subsampling=420', 'jpeg 10 subsampling=444', 'raw', 'jpeg 50 subsampling=420',
        'jpeg 50 subsampling=444' } },
    { { codec = { 'jpeg', 'png' }, quality = { 10 }, values = { level = { 0, 9 }, optimize = { true } } },
      { 'jpeg 10 optimize=true', 'png level=0', 'png level=9' } },
    { { codec = { 'jpeg' }, quality = { 10, 'raw' }, quality_test = { 10, 'raw' } },
      { 'jpeg 10', 'jpeg 10 / raw', 'raw / jpeg 10', 'raw' } },
    { { codec = { 'jpeg' }, quality = { 10 }, codec_test = { 'jpeg', 'png' }, quality_test = { 10, 'raw' } },
      { 'jpeg 10', 'jpeg 10 / raw', 'jpeg 10 / png' } },
    { { codec = { 'jpeg' }, quality = { 10 }, values = { subsampling_test = { '420', '444' } } },
      { 'jpeg 10', 'jpeg 10 / jpeg 10 subsampling=444' } },
  } do t.equal(texts(case[1]), case[2]) end
end)

t.case('encodings: keys of a sweep are its own, or parameters of its codecs', function()
  need('jpeg', 'png')
  local known = { codec = true, quality = true, codec_test = true, values = true }
  local o = { codec = { 'jpeg' }, quality = { 10 }, subsampling = { '420' }, optimize_test = { true },
    values = { dct = { 'float' } } }
  encodings.take(o, known)
  t.equal(o, { codec = { 'jpeg' }, quality = { 10 },
    values = { subsampling = { '420' }, optimize_test = { true }, dct = { 'float' } } })
  o = { codec = { 'jpeg' }, quality = { 10 }, values = {} }
  encodings.take(o, known)
  t.equal(o, { codec = { 'jpeg' }, quality = { 10 } })
  for _, case in ipairs {
    { { bitrate = { 8 } }, "sweep: 'bitrate' is unknown; png has level filter strategy" },
    { { subsampling = { '444' } }, "sweep: 'subsampling' is unknown; png has" },
    { { level = 3 }, 'sweep: level is 3; needs a list' }, { { level = {} }, 'sweep: level is empty; needs a list' },
  } do
    case[1].codec = { 'png' }
    t.raises(case[2], encodings.take, case[1], known)
  end
  encodings.take({ codec = { 'png' }, codec_test = { 'jpeg' }, subsampling = { '444' } }, known)
end)

t.case('encodings: the command line takes what the codecs declare', function()
  need('jpeg', 'png')
  local args, exit = require 'hz.base.args'.parse, require 'hz.exit'
  local spec = { more = function(knob) return encodings.rows(knob.codec, knob.codec_test) end,
    { 'codec', { 'jpeg' }, 'string', '', list = true }, { 'codec_test', nil, 'string', '', list = true } }
  local function values(...) return (select(3, args(spec, ...))) end
  t.equal(values(), {})
  t.equal(values('subsampling=420,444', 'restart=1..3,raw', 'optimize=yes,no'),
    { subsampling = { '420', '444' }, restart = { 1, 2, 3, 'raw' }, optimize = { true, false } })
  t.equal(values('level=0', 'codec=png'), { level = { 0 } })
  t.equal(values('level_test=9', 'codec_test=png', 'quality=10'), { level_test = { 9 }, quality = { 10 } })
  for _, case in ipairs {
    { 'subsampling=421', 'needs one of 420, 422, 444' }, { 'restart=-1', 'needs 0..65535 or raw' },
    { 'optimize=2', 'true or false' }, { 'level=0', "'level' is no key; have codec codec_test quality subsampling" },
    { 'subsamplin=420', "did you mean 'subsampling'" },
  } do
    local ok, e = pcall(args, spec, case[1])
    t.ok(not ok and exit.is(e) and e.status == 2, case[1])
    t.ok(e.message:find(case[2], 1, true), e.message)
  end
end)

-- ---- a whole sweep ----

local script = [[
local hz = require 'hz'
local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
local function sweep(o)
  o.name, o.model, o.epochs, o.batch, o.train = 'tiny', { 'net.lua' }, 2, 16, 60
  o.optimizer = function() return hz.adam {} end
  o.data = { { name = 'camera', train = train, test = test } }
  return hz.sweep(o)
end
]]

-- A folder with a net; returns it and a function that runs a sweep of Lua text there: status, stdout, stderr.
local function place()
  local dir = t.folder()
  t.write(dir .. '/net.lua', [[
    local hz, l = require 'hz', require 'hz'.layers
    return function(o) return hz.net 'n' { l.conv{4, 3, stride=2}, l.relu, l.conv{o.classes, 1}, l.meanpool } end
  ]])
  return dir, function(text, before)
    t.write(dir .. '/sweep.lua', script .. text)
    local command = 'cd %s; export HZ_CACHE=cache HZ_RUNS=; %s %s sweep.lua; exit $?'
    return t.sh(command:format(dir, before or '', t.quote(t.hz)))
  end
end

t.case('encodings: a sweep over subsampling is tabled, listed, compared and queried by it', function()
  need 'jpeg'
  local dir, run = place()
  local function hz(args)
    return select(2, t.sh(('cd %s; HZ_CACHE=cache HZ_RUNS= %s %s'):format(dir, t.quote(t.hz), args)))
  end
  local status, out, err = run "print(sweep { quality = { 20 } })"
  t.equal(status, 0, err)
  status, out, err = run [[
    local s = sweep { quality = { 20, 'raw' }, subsampling = { '420', '444' } }
    print(s)
    s:plot 'a.svg']]
  t.equal(status, 0, err)
  t.match(out, '3 cells, 1 of them finished')                -- 420 is what jpeg 20 was all along
  t.match(out, '\njpeg 20 subsampling=444 .*\njpeg 20 subsampling=420 .*\nraw ')
  t.match(t.read(dir .. '/a.svg'), 'net subsampling=444')
  t.match(hz 'runs', '20,raw subsampling=420,444')
  t.match(hz 'report', '\njpeg 20 subsampling=444 .*\njpeg 20 subsampling=420 .*\nraw ')
  local cells = json.decode(hz 'report --json')
  t.equal({ cells[2].quality, cells[2].parameter, cells[2].encoding }, { 20, 'quality', 'jpeg 20 subsampling=444' })
  t.match(cells[2].values, '^quality=20;subsampling=444;')
  t.equal(cells[1].encoding, 'jpeg 20 subsampling=420')
  local ids = {}
  for _, m in ipairs(json.decode(hz 'runs --json')) do ids[m.quality] = m.id end
  local compared = hz('compare ' .. ids['20'] .. ' ' .. ids['20,raw subsampling=420,444'])
  t.match(compared, '\nnet +jpeg 20 +[%d.]+ +[%d.]+ .* %+0%.00 ')
  t.match(hz [[-e "r = hz.results() print(r:where{subsampling=444}.n, r:where{subsampling='444', quality=20}.n,
    r:where{subsampling='raw'}.n, r:where{optimize='false'}.n, table.concat(r:column 'subsampling', ' '))"]],
    '^1\t1\t1\t2\t420 444\n')
  t.match(hz [[-e "print(hz.query [=[select subsampling, parameter, encoding, count(*) as n from cells
    where subsampling > 420 and subsampling_test = '444' group by subsampling]=])"]],
    '444 +quality +jpeg 20 subsampling=444 +1\n')
end)

t.case('encodings: values that a codec refuses end a sweep before its first step', function()
  need 'jpeg'
  local _, run = place()
  for _, case in ipairs {
    { 'restart = { 0, 70000 }', 'jpeg: restart is 70000; needs' },
    { "subsampling = { '421' }", "jpeg: subsampling is '421'" },
    { 'bitrate = { 8 }', "'bitrate' is unknown; jpeg has quality subsampling" },
    { 'quality = { 5 }, dct = 3', 'dct is 3; needs a list' },
    { '', 'quality is missing; needs data, quality %(or another parameter' },
  } do
    local status, out, err = run(('sweep { %s }'):format(case[1]))
    t.equal(status, 1, case[1])
    t.match(err, case[2])
    t.ok(not out:find 'cells')
  end
end)

t.case('encodings: any parameter of any plugin is an axis', function()
  if not t.tool 'cc' then t.skip 'cc is not installed' end
  local dir, run = place()
  local root = require 'hz.c'.root
  local function compile(name, source)
    local cc = ('mkdir -p %s/p; cc -O1 -fPIC -shared -I%s/core -o %s/p/%s.so %s/%s')
    t.equal((t.sh(cc:format(dir, root, dir, name, root, source))), 0)
  end
  compile('skeleton', 'plugins/skeleton/skeleton.c')
  compile('odd', 'test/plugins/odd.c -DODD_vector')
  local before = 'HZ_PLUGIN_PATH=p'
  local status, out, err = run("print(sweep { codec = { 'skeleton' }, bits = { 2, 6, 'raw' } })", before)
  t.equal(status, 0, err)
  t.match(out, '3 cells')
  t.match(out, '\nskeleton bits=2 .*\nskeleton bits=6 .*\nraw ')
  -- `weights` is a key of the sweep itself: as a parameter it stands in `values`
  status, out, err = run([[print(sweep { codec = { 'odd_vector' }, on = { true, false },
    values = { weights = { { 1, 2, 3 }, '0:0:5' } } })]], before)
  t.equal(status, 0, err)
  t.match(out, '4 cells')
  for _, on in ipairs { 'true', 'false' } do
    for _, weights in ipairs { '0:0:5', '1:2:3' } do
      t.ok(out:find(('odd_vector on=%s weights=%s'):format(on, weights), 1, true), out)
    end
  end
  -- without the plugins what was found is read as before
  status, out, err = t.sh(('cd %s; HZ_RUNS= %s report'):format(dir, t.quote(t.hz)))
  t.equal(status, 0, err)
  t.match(out, 'odd_vector on=true weights=1:2:3')
end)
