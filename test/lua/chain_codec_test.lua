-- Composed codecs and codecs with values in their names, wherever a codec's name is taken: hz.codec, encodings, sweeps
-- with all that is made of them, the command line. What their stages do to items: test/c/chain_test.c.
local t = ...
local codec = require 'hz.codec.codec'
local encoding = require 'hz.codec.encoding'
local encodings = require 'hz.sweep.encodings'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
local tensor = require 'hz.tensor.tensor'

local function need(...)
  for _, name in ipairs { ... } do
    if not plugins.has(name) then t.skip('%s: its library is not installed', name) end
  end
end

local function picture()
  local p = tensor.empty({ 24, 40, 3 }, 'u8')
  local at = p:pointer()
  for i = 0, 24 * 40 * 3 - 1 do at[i] = (i * 7 + math.floor(i / 120) * 5 + i * i % 31) % 256 end
  return p
end

-- ---- hz.codec ----

t.case('chain: hz.codec has composed codecs, and none of them is listed', function()
  local before = {}
  for name in pairs(codec) do before[name] = true end
  local one = codec['resize : 16 | depth'] { ['depth.bits'] = 3 }
  t.equal({ one.name, one.text, one.values.depth, one.values['depth.bits'] },
    { 'resize:16|depth', 'resize.size=16;resize.filter=box;resize.sides=smaller;depth.bits=3', nil, 3 })
  t.equal(codec['resize|depth'] { size = 16, bits = 3 }.text, one.text)
  t.equal(codec['resize|depth'] { size = 16, bits = 3 }.fingerprint, one.fingerprint)
  t.match(tostring(one), '^resize:16|depth{depth%.bits=3}  none | none, image')
  t.equal(codec['depth:3']().values, { bits = 3 })
  t.equal(codec.depth { ['depth.bits'] = 3 }.text, codec['depth:3']().text)
  t.equal(codec['depth:3']().fingerprint, codec.depth().fingerprint)
  for name in pairs(codec) do t.ok(before[name], name) end
  for _, name in ipairs(plugins.codecs()) do t.ok(not name:find '[|:]') end
end)

t.case('chain: what cannot be is said with what is needed', function()
  for _, case in ipairs {
    { 'resize|', "codec: 'resize|' has no codec at stage 2; needs NAME" },
    { '|depth', "codec: '|depth' has no codec at stage 1; needs NAME" },
    { 'resize:16||depth', "codec: 'resize:16||depth' has no codec at stage 2; needs NAME" },
    { 'rezise:16|depth', "codec: 'rezise' of 'rezise:16' is not loaded; have .*, did you mean 'resize'" },
    { 'gray|dept', "codec: 'dept' of 'gray|dept' is not loaded; have .*, did you mean 'depth'" },
    { 'depth:9', "codec: 'depth:9': bits is 9; needs 1..8" },
    { 'resize:nan|depth', "codec: 'resize:nan': size is nan; needs" },
    { 'raw|depth', "codec: stage 1 of 'raw|depth' is raw, which encodes nothing; needs a codec" },
    { ('depth|'):rep(8) .. 'depth', 'has more than 8 stages; needs at most 8' },
    { 'resize|depth', "resize|depth: 'bit' is no parameter, did you mean 'bits'; has resize.size", { bit = 3 } },
    { 'depth|depth', "depth|depth: several stages have 'bits'; needs depth.bits or depth2.bits", { bits = 3 } },
    { 'depth:3|gray', "depth:3|gray: depth.bits is '4'; needs the value that stands in the codec's", { bits = 4 } },
    { 'depth:3|gray', 'depth:3|gray: depth.bits is given twice; needs one value', { bits = 3, ['depth.bits'] = 3 } },
  } do
    local ok, e = pcall(function() return codec[case[1]](case[3]) end)
    t.ok(not ok, case[1])
    t.match(tostring(e), (case[2]:gsub('[|:%[%]]', '%%%0')))
  end
end)

t.case('chain: a set is recoded on any number of threads to the same', function()
  local set = tensor.empty({ 70, 24, 40, 3 }, 'u8')
  for i = 1, 70 do set:slice(1, i, i):copy(picture():add(i)) end
  for _, name in ipairs { 'noise:9|gray', 'resize:5:filter=lanczos|noise|depth:2', 'blur|gray|resize:7' } do
    local one = codec[name]()
    local a, account = one:recode(set, { threads = 1 })
    for _, threads in ipairs { 2, 5 } do
      local b, again = one:recode(set, { threads = threads })
      t.equal(a:eq(b):min(), 1, name)
      t.equal(tostring(again), tostring(account))
    end
    local stream, sums = one:encode(set[70]:contiguous())
    t.equal(one:decode(stream):eq(a[70]):min(), 1)
    t.equal(sums.payload + sums.tables + sums.container, #stream)
  end
end)

-- ---- encodings ----

t.case('chain: the parameter that stands for a name is the one that stands for the codec', function()
  for _, name in ipairs(plugins.codecs()) do
    local main = encoding.main(plugins.codec(name).params)
    if main and not main.length then
      local value = main.type == 'enum' and main.choices[#main.choices] or main.high or main.standard
      local p = plugins.param(plugins.codec(('%s:%s'):format(name, tostring(value))).params, main.name)
      t.equal({ p.fixed, p.standard }, { true, main.type == 'enum' and value or main.high or main.standard })
    end
  end
  t.equal(encoding.main(plugins.codec 'depth:3|noise'.params).name, 'noise.sd')
  t.equal(encoding.main(plugins.codec 'depth:3'.params), nil)
end)

t.case('chain: encodings walk what names leave free, and equal ones are one cell', function()
  need('jpeg', 'webp')
  for _, case in ipairs {
    { 'resize|jpeg', { quality = 10 }, 'resize|jpeg 10', 'quality', 10 },
    { 'resize|jpeg', { ['jpeg.quality'] = 10, size = 8 }, 'resize|jpeg 10 resize.size=8', 'quality', 10,
      { ['resize.size'] = 8 } },
    { 'resize:8|jpeg', { quality = 10, ['resize.size'] = 9 }, 'resize:8|jpeg 10', 'quality', 10 },
    { 'resize:8|jpeg:10', { quality = 10 }, 'resize:8|jpeg:10' },
    { 'jpeg|webp', { quality = 10, ['webp.quality'] = 3 }, 'jpeg|webp webp.quality=3', 'webp.quality', 3 },
    { 'jpeg', { ['jpeg.quality'] = 10 }, 'jpeg 10', 'quality', 10 },
    { 'noise|depth', { sd = 2 }, 'noise|depth noise.sd=2', 'noise.sd', 2 },
    { 'noise|depth', { sd = 'raw' }, 'raw' },
  } do
    local e = encoding.make(case[1], case[2])
    t.equal({ e.text, e.parameter, e.value, e.further }, { case[3], case[4], case[5], case[6] })
    local labels = {}
    e:label(labels, '')
    local again = encoding.of(json.decode(json.encode(labels)), '', json.decode(json.encode(e.id)))
    t.equal({ again.text, again.parameter, again.value }, { e.text, e.parameter, e.value })
  end
  t.equal(encoding.make('resize:8|jpeg:10', {}).id, encoding.make('resize|jpeg', { size = 8, quality = 10 }).id)
  t.equal(encoding.make('jpeg:10', {}).id, encoding.make('jpeg', { quality = 10 }).id)
  t.equal(encoding.make('resize:8|jpeg', {}):all_values()['resize.size'], '8')
  t.raises('jpeg: quality and jpeg.quality are both given; needs one of them', encoding.make, 'jpeg',
    { quality = 10, ['jpeg.quality'] = 10 })
end)

local function texts(o)
  local list = {}
  for i, pair in ipairs(encodings.pairs(o)) do list[i] = pair.test.text end
  return list
end

t.case('chain: axes of a sweep apply by either name', function()
  for _, case in ipairs {
    { { codec = { 'resize|depth' }, values = { ['resize.size'] = { 8, 16 }, bits = { 2, 5 } } },
      { 'resize|depth resize.size=8 depth.bits=2', 'resize|depth resize.size=8 depth.bits=5',
        'resize|depth resize.size=16 depth.bits=2', 'resize|depth resize.size=16 depth.bits=5' } },
    { { codec = { 'depth', 'gray|depth', 'depth:3' }, values = { bits = { 2, 5, 'raw' } } },
      { 'depth bits=2', 'depth bits=5', 'raw', 'gray|depth depth.bits=2', 'gray|depth depth.bits=5', 'depth:3' } },
    { { codec = { 'depth', 'gray|depth' }, values = { ['depth.bits'] = { 2 } } },
      { 'depth bits=2', 'gray|depth depth.bits=2' } },
  } do
    local sorted, want = texts(case[1]), case[2]
    table.sort(sorted)
    table.sort(want)
    t.equal(#sorted, #want)
  end
  t.equal(texts { codec = { 'depth', 'gray|depth' }, values = { ['depth.bits'] = { 2 } } },
    { 'depth bits=2', 'gray|depth depth.bits=2' })
  t.ok(encodings.declares({ 'gray|depth' }, 'bits') and encodings.declares({ 'depth' }, 'depth.bits'))
  t.ok(not encodings.declares({ 'gray|depth:3' }, 'bits') and not encodings.declares({ 'depth|depth' }, 'bits'))
end)

-- ---- a sweep, and what is made of it ----

local script = [[
local hz = require 'hz'
local study = hz.study { name = 'tiny', about = 'Tries.', items = 'images',
  embedded = { 'camera', preset = 'tiny', least = 100 },
  options = function() return { size = 8, train = 160, test = 40 } end,
  presets = { { 'tiny', protocol = 'strict', model = { 'net.lua' }, seed = { 1, 2 }, train = 60, test = 40, epochs = 2,
    batch = 16, optimizer = 'adam', rate = 0.01, schedule = 'cosine' } } }
study:finish(hz.sweep(study:settings(...)))
]]

-- A function that runs hz in a folder with this study.
local function place()
  local dir = t.folder()
  t.write(dir .. '/net.lua', sweeps.net)
  t.write(dir .. '/study.lua', script)
  return function(...)
    local words = { ... }
    for i, word in ipairs(words) do words[i] = t.quote(word) end
    return t.sh(('cd %s; HZ_CACHE=cache HZ_RUNS=runs %s %s; exit $?'):format(t.quote(dir), t.quote(t.hz),
      table.concat(words, ' ')))
  end, dir
end

t.case('chain: a sweep of composed codecs is reported, exported, asked and found again', function()
  need 'png'
  local hz, dir = place()
  local status, out, err = hz('study.lua', 'codec=resize:4|depth,noise|png', 'depth.bits=1,3', 'sd=5,raw', 'parallel=2')
  t.equal(status, 0, err)
  for _, text in ipairs { 'resize:4|depth depth.bits=1', 'resize:4|depth depth.bits=3', 'noise|png noise.sd=5' } do
    t.ok(out:find('\n' .. text .. ' ', 1, true), text)
    t.ok(select(2, hz 'report'):find('\n' .. text .. ' ', 1, true), text)
  end
  t.match(select(2, hz 'runs'), ' 8/8 ')
  t.match(select(2, hz('report', '--csv')), '\ncamera,[^\n]*,resize:4|depth,3,resize:4|depth,3,net,.*'
    .. ',depth%.bits,resize:4|depth depth%.bits=3,resize%.size=4;resize%.filter=box;resize%.sides=smaller;'
    .. 'depth%.bits=3,')
  local cells = json.decode((select(2, hz('report', '--json'))))
  t.equal({ cells[1].codec, cells[1].parameter, cells[1].quality }, { 'resize:4|depth', 'depth.bits', 1 })
  t.equal((hz('report', '--html', 'r.html')), 0)
  t.ok(t.read(dir .. '/r.html'):find('resize:4|depth', 1, true))
  t.ok(t.read(dir .. '/r.html'):find("hz study.lua 'codec=resize:4|depth,noise|png' depth.bits=1,3", 1, true)
    or t.read(dir .. '/r.html'):find('codec=resize:4|depth,noise|png&#39;', 1, true))
  t.equal((hz('report', '--svg', 'r.svg')), 0)
  t.equal((hz('runs', 'pack', (select(2, hz 'runs'):match 'tiny%-%x+'), 'a.hz')), 0)
  t.ok(select(2, hz('report', 'a.hz')):find('\nnoise|png noise.sd=5 ', 1, true))
  t.equal(select(2, hz('-e', [=[
    r = hz.results() print(r.n, r:where{['depth.bits']=3}.n, r:where{codec='noise|png', ['noise.sd']='5'}.n)
    q = hz.query 'select codec, "depth.bits" as b, "resize.size" as s from cells where "depth.bits" = 3'
    print(#q, q[1].codec, q[1].b, q[1].s)]=])), '8\t2\t2\n2\tresize:4|depth\t3\t4\n')
  -- the same streams by another name are the same cells, and as many as are new are computed
  status, out = hz('study.lua', 'codec=resize|depth,noise:5|png', 'resize.size=4', 'depth.bits=1,3,5', 'dry=true')
  t.equal(status, 0)
  t.match(out, ': 8 cells, 6 of them finished')
end)

t.case('chain: sweeps refuse before the first step', function()
  need 'webp'
  local hz = place()
  for _, case in ipairs {
    { 'codec=resize|', "codec: 'resize|' has no codec at stage 2" },
    { 'codec=gray|webp', 'gray|webp: webp: the item has 1 channels; needs 3' },
    { 'codec=flac|opus', 'sweep: flac|opus takes sounds; camera holds images' },
    { 'codec=resize:4|depth', "'resize.size' is no key", 'resize.size=8' },
    { 'codec=noise|noise', "'sd' is no key", 'sd=8' },
    { 'codec=gray|depth', 'bits=9 was given; needs 1..8 or raw', 'bits=9' },
    { 'codec=gray|depth', 'gray|depth: bits and depth.bits are both given; needs one of them', 'bits=2',
      'depth.bits=3' },
    { 'codec=gray|noise', 'sd=129 was given; needs 0..128 or raw', 'sd=129' },
    { 'codec=gray|noise', 'gray|noise: sd and noise.sd are both given; needs one of them', 'sd=2', 'noise.sd=3' },
  } do
    local status, out, err = hz('study.lua', case[1], case[3] or 'train=60', case[4] or 'test=40')
    t.ok(status ~= 0, case[1])
    t.ok(err:find(case[2], 1, true), err)
    t.ok(not out:find 'accuracy')
  end
end)

t.case('chain: the command line says what a composed codec is', function()
  need 'jpeg'
  local hz = place()
  local status, out = hz('plugin', 'info', 'resize:16|jpeg')
  t.equal(status, 0)
  for _, text in ipairs { 'resize:16|jpeg  none | libjpeg', 'resize.size ', 'jpeg.quality ', '\nplugin resize 1: ',
    '\nplugin jpeg 1: ', "an axis of a sweep: 'codec=resize:16|jpeg' jpeg.quality=..." } do
    t.ok(out:find(text, 1, true), text)
  end
  local fields = json.decode((select(2, hz('plugin', 'info', 'resize:16|jpeg', '--json'))))
  t.equal({ fields.name, fields.main, #fields.stages, fields.stages[2].name, fields.params[1].fixed },
    { 'resize:16|jpeg', 'jpeg.quality', 2, 'jpeg', true })
  t.equal((hz('plugin', 'info', 'resize:16|')), 1)
  t.match(select(3, hz('plugin', 'info', 'resize:16|')), "hz: plugin info: codec: 'resize:16|' has no codec at stage 2")
  t.match(select(3, hz('plugin', 'info', 'rezise:16|jpeg')), "'rezise' of 'rezise:16' is not loaded; .*'resize'")
  status, out = hz('study.lua', 'codec=gray|jpeg,help')
  t.equal(status, 0)
  t.match(out, '^gray|jpeg  none | libjpeg')
  t.match(select(2, hz('study.lua', 'codec=gray|jpeg', '--help')), '\n  jpeg%.quality +=')
  t.ok(not select(2, hz('study.lua', 'codec=gray|jpeg', '--help')):find('\n  subsampling ', 1, true))
end)
