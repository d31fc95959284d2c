-- Names that nothing has, values that do not fit and methods called by a dot: what is said, and at whose line.
local t = ...
local hz = require 'hz'
local dataset = require 'hz.data.dataset'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local l = hz.layers

-- Not a tail call: the error must name the line here.
local function told(part, f)
  local text = t.raises(part, function() local r = f() return r end)
  t.match(text, '^test/lua/names_test%.lua:%d+: ')
end

local function net() return hz.net 'n' { l.conv{4, 3}, l.relu, l.dense{2}, input = { 4, 4, 3 } } end

local function set(channels)
  return dataset.new { name = 'four', items = hz.ones { 4, 2, 2, channels }, classes = { 'a', 'b' },
    labels = hz.tensor({ 0, 1, 0, 1 }, 'i32') }
end

for _, case in ipairs {
  { "hz: 'rnad' is unknown, did you mean 'rand'; have", function() return hz.rnad end },
  { "layers: 'rellu' is unknown, did you mean 'relu'; have", function() return l.rellu end },
  { "nets: 'smal' is unknown, did you mean 'small'", function() return hz.nets.smal end },
  { "codec: 'jpg' is not loaded", function() return hz.codec.jpg end },
  { "did you mean 'jpeg'", function() return hz.codec.jpg end },
  { "jpeg: 'qualty' is no parameter, did you mean 'quality'", function() return hz.codec.jpeg { qualty = 1 } end },
  { "codec: 'valeus' is unknown, did you mean 'values'", function() return hz.codec.jpeg {}.valeus end },
  { "rand: 'sed' is unknown, did you mean 'seed'", function() return hz.rand({ 2 }, 0, 1, { sed = 1 }) end },
  { "zeros: dtype 'f23' is unknown, did you mean 'f32'", function() return hz.zeros({ 2 }, 'f23') end },
  { "zeros: of the shape 'dtype' is no place in it", function() return hz.zeros { 2, dtype = 'u8' } end },
  { "tensor: 'smu' is unknown, did you mean 'sum'", function() return hz.zeros { 2 }.smu end },
  { "net: 'sumary' is unknown, did you mean 'summary'", function() return net().sumary end },
  { "net 'n': 'inptu' is unknown, did you mean 'input'", function() return hz.net 'n' { l.relu, inptu = { 3 } } end },
  { "net 'n': 'see' is unknown, did you mean 'seed'", function() net().see = 1 end },
  { "init: 'sede' is unknown, did you mean 'seed'", function() return net():init { sede = 1 } end },
  { "plan: 'bacth' is unknown, did you mean 'batch'", function() return net():plan { bacth = 2 } end },
  { "plan: 'vlaue' is unknown, did you mean 'value'", function() return net():plan {}.vlaue end },
  { "plan: no layer 'cnv1', did you mean 'conv1'", function() return net():plan {}:run 'cnv1' end },
  { "conv: 'strde' is unknown, did you mean 'stride'", function() return l.conv{2, 3, strde=2} end },
  { "conv: 'filter' is unknown, did you mean 'filters'", function() return l.conv{2, 3}.filter end },
  { "adam: 'rte' is unknown, did you mean 'rate'", function() return hz.adam { rte = 1 } end },
  { "optimizer: 'rte' is unknown, did you mean 'rate'", function() return hz.adam {}.rte end },
  { "adam: 'momentum' is unknown", function() hz.adam {}.momentum = 1 end },
  { "optimizer: 'adm' is unknown, did you mean 'adam'", function() return hz.optimizer 'adm' end },
  { "augment: 'filp' is unknown, did you mean 'flip'",
    function() return net():plan { data = set(3), augment = { filp = true } } end },
  { "train: 'epoch' is unknown, did you mean 'epochs'", function() return hz.train { epoch = 1 } end },
  { "study: 'preset' is unknown, did you mean 'presets'", function() return hz.study { preset = {} } end },
  { "study: 'optimiser' is unknown, did you mean 'optimizer'", function() return hz.study.optimiser end },
  { "quality: 'pnsr' is unknown, did you mean 'psnr'", function() return hz.quality.pnsr end },
  { "json: 'decod' is unknown, did you mean 'decode'", function() return hz.json.decod end },
  { "data: 'camra' is unknown, did you mean 'camera'", function() return hz.data 'camra' end },
  { "option 'trian' is unknown, did you mean 'train'", function() return hz.data('camera', { trian = 1 }) end },
  { "set: 'itmes' is unknown, did you mean 'items'", function() return set(3).itmes end },
  -- lists with holes
  { "net 'n': entry 2 is nil", function() return hz.net 'n' { l.conv{8, 3}, nil, l.dense{10} } end },
  { "net 'n', table 2: 'x' is no place in it", function() return hz.net 'n' { l.relu, { l.relu, x = 1 } } end },
  { '2 is nil', function() return hz.zeros { 2, nil, 3 } end },
  { 'tensor: ', function() return hz.tensor { 1, nil, 3 } end },
  -- methods called by a dot
  { 'sum: nil was given in place of the object; use x:sum()', function() return hz.zeros { 2 }.sum() end },
  { 'use net:summary()', function() return net().summary() end },
  { 'use net:plan()', function() return net().plan() end },
  { 'use plan:run()', function() return net():plan {}.run() end },
  { 'use set:split()', function() return set(3).split() end },
  { 'use codec:encode()', function() return hz.codec.png {}.encode() end },
  { 'use optimizer:describe()', function() return hz.adam {}.describe() end },
  -- values that do not fit
  { 'tensor: entry [1] is 300; u8 needs a whole number of 0..255', function() return hz.tensor({ 300 }, 'u8') end },
  { 'tensor: entry [1] is 1.5; i32 needs a whole number', function() return hz.tensor({ 1.5 }, 'i32') end },
  { 'tensor: entry [1] is nan; u8 needs', function() return hz.tensor({ 0 / 0 }, 'u8') end },
  { 'f32 needs at most 3.403e+38, or f64', function() return hz.tensor { 1e300 } end },
  { 'fill: the value is 300; u8 needs', function() return hz.zeros({ 2 }, 'u8'):fill(300) end },
  { 'fill: the value is 256; u8 needs', function() return hz.full({ 2 }, 256, 'u8') end },
  { 'fill: the value is -1; u8 needs', function() hz.zeros({ 2 }, 'u8')[1] = -1 end },
  { 'set: the value is 0.5; i32 needs', function() return hz.zeros({ 2 }, 'i32'):set(0.5, 1) end },
  { 'tensor: entry [2] is 256; u8 needs', function() return hz.zeros({ 2 }, 'u8'):copy { 1, 256 } end },
  { 'range: the value is 256; u8 needs', function() return hz.range(0, 300, 1, 'u8') end },
  { 'the tensor given holds NaN; u8 needs numbers', function() return hz.tensor { 0 / 0 }:to 'u8' end },
  { 'range: step is 0', function() return hz.range(0, 3, 0) end },
  { 'slice: from is 1.5; needs a whole number', function() return hz.zeros { 4 }:slice(1, 1.5) end },
  { 'size: dimension 1.5 was given', function() return hz.zeros { 4 }:size(1.5) end },
  { 'dropout: rate is nan', function() return l.dropout{0 / 0} end },
  { 'elu: alpha is inf; needs a finite number', function() return l.elu{1 / 0} end },
  { 'adam: beta1 is -1; needs 0 <= beta1 < 1', function() return hz.adam { beta1 = -1 } end },
  { 'plan: total is nan; needs a whole number', function() return net():plan { total = 0 / 0 } end },
  { "net 'n': deviation[2] is 0; needs a number above 0",
    function() return hz.net 'n' { l.relu, deviation = { 1, 0, 1 } } end },
  -- seeds
  { 'rand: seed is 0.5; needs a whole number of 0..9007199254740991',
    function() return hz.rand({ 2 }, 0, 1, { seed = 0.5 }) end },
  { 'seed is 9007199254740992', function() return hz.rand({ 2 }, 0, 1, { seed = 9007199254740993 }) end },
  { 'seed is -1', function() return net():init { seed = -1 } end },
  { 'seed is 9007199254740992', function() return net():plan { seed = 9007199254740993 } end },
  { 'seed is 9007199254740992', function() return hz.data('camera', { seed = 9007199254740993 }) end },
} do
  t.case('names: ' .. case[1], function() told(case[1], case[2]) end)
end

t.case('names: the largest seed is one of its own', function()
  local a = hz.rand({ 4 }, 0, 1, { seed = need.most_seed, stream = 1 })
  local b = hz.rand({ 4 }, 0, 1, { seed = need.most_seed - 1, stream = 1 })
  t.ok(a:ne(b):max() == 1)
end)

t.case('names: seeds of the command line are what was written', function()
  local status, _, err = t.run { t.here .. '../experiments/cifar_train.lua', 'seed=9007199254740993' }
  t.equal(status, 2)
  t.match(err, 'seed=9007199254740993 was given; needs a whole number below 2%^53')
end)

t.case('names: what fits is taken as ever', function()
  t.equal(hz.tensor({ 0, 255 }, 'u8'):table(), { 0, 255 })
  t.equal(hz.tensor({ -2 ^ 31, 2 ^ 31 - 1 }, 'i32'):table(), { -2 ^ 31, 2 ^ 31 - 1 })
  t.equal(hz.tensor { -1, 0.6, 300 }:to 'u8':table(), { 0, 1, 255 })      -- conversions round and saturate
  t.equal(hz.zeros({ 2 }, 'f64'):copy { 0.1, 1e300 }:table(), { 0.1, 1e300 })
end)

t.case('names: numbers per channel are one, or as many as channels', function()
  local function x(given, channels)
    local plan = hz.net 'n' { l.meanpool, l.dense{2}, mean = given }:plan { batch = 2, data = set(channels),
      keep = true }
    plan:evaluate()
    return plan:value 'x'[1][1][1]:table()
  end
  t.equal(x({ 0.5 }, 6), { 0.5, 0.5, 0.5, 0.5, 0.5, 0.5 })
  t.equal(x({ 0, 0.25, 0.5 }, 3), { 1, 0.75, 0.5 })
  told('plan: mean has 6 numbers; needs one for all channels, or at most 4 channels',
    function() return x({ 0, 0.1, 0.2, 0.3, 0.4, 0.5 }, 6) end)
  told('plan: mean has 2 numbers; needs one, or 3 as the items have channels', function() return x({ 0, 0.5 }, 3) end)
end)

t.case('names: what may be missing is nil, and tools may ask', function()
  local n = hz.net 'n' { l.relu }
  t.equal({ n.input, n.mean, n.seed, set(3).entropy, hz.sgd {}.beta1, l.maxpool{2}.stride }, {})
  t.equal({ hz.__name, hz[1], l.__len, n.__pairs, set(3).__tostring }, {})
  t.ok(not pcall(require, 'hz.nothing'))
  t.match(tostring(l.conv{2, 3}), 'conv')
end)

t.case('names: nearest', function()
  t.equal(names.nearest('rellu', { 'relu', 'elu' }), 'relu')
  t.equal(names.nearest('trian', { 'test', 'train' }), 'train')
  t.equal(names.nearest('colour', { 'sum', 'mean' }), nil)
  t.equal(names.nearest(('x'):rep(1e5), { 'relu' }), nil)
  t.equal({ names.length { 1, 2, 3 } }, { 3 })
  t.equal({ names.length { 1, nil, 3 } }, { nil, 'entry 2 is nil' })
  t.equal({ names.length { 1, a = 3 } }, { nil, "'a' is no place in it" })
end)
