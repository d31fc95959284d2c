-- errors_test.lua: what a user gets for a mistake: a message "who: what was given; what is needed" at the user's
-- line, never a crash. One row per mistake: code as a user would write it (its last line is the guilty one), and
-- what the message must match.
local t = ...
local hz = require 'hz'

-- Names a user's line may use.
local world = setmetatable({ hz = hz, set = nil },
  { __index = function(_, k) return require 'hz.net.layer'.kinds[k] or _G[k] end })
world.set = { items = hz.rand({ 12, 8, 8, 3 }, 0, 255, { stream = 1 }):to 'u8', labels = hz.zeros({ 12 }, 'i32') }
world.small = function()
  return hz.net 'small' { world.conv{4, 3}, world.relu, world.conv{5, 3, stride=2}, world.meanpool,
    input = { 8, 8, 3 } }
end

local cases = {
  -- layers
  { 'conv{8}', 'conv: kernel is missing; needs a whole number of at least 1, or two of them' },
  { 'conv{8, 3, strde=2}',
    "conv: 'strde' is unknown, did you mean 'stride'; have bias, filters, init, kernel, name, pad, stride" },
  { 'conv{8, 3, pad="full"}', "conv: pad is 'full'; needs 'same' or 'valid'" },
  { 'conv{0, 3}', 'conv: filters is 0; needs a whole number of at least 1' },
  { 'conv{8, 2.5}', 'conv: kernel is 2.5; needs' },
  { 'conv{8, 3, 1, "same", true, 7}', 'conv: 6 values were given; needs at most 5 and names' },
  { 'conv{8, {3, 3, 3}}', 'conv: kernel is .*; needs' },
  { 'dropout{1.5}', 'dropout: rate is 1.5; needs a number with 0 <= rate < 1' },
  { 'dropout{"half"}', "dropout: rate is 'half'; needs a number" },
  { 'dense{}', 'dense: units is missing; needs' },
  { 'norm{axis="depth"}', "norm: axis is 'depth'; needs 'channels' or 'rows'" },
  { 'conv{8, 3, name="a b"}', "conv: name is 'a b'; needs letters" },
  { 'relu{3}', 'relu: 1 values were given; needs at most 0' },
  -- nets
  { 'hz.net "x" {}', "net 'x': no layers; needs at least one" },
  { 'hz.net "x" { 3 }', "net 'x': entry 1 is number; needs a layer or a table of layers" },
  { 'hz.net "x" (7)', 'net: number was given; needs a table of layers' },
  { 'hz.net "x" { conv{4, 3, name="a"}, relu{name="a"} }', "layers 1 and 2 are both named 'a'; needs different names" },
  { 'hz.net "x" { relu }:summary()', "net 'x': the input shape is not known; needs input=" },
  { 'small()[9] = relu', "net 'small': layer 9 cannot be set; needs a layer and a number 1..4" },
  { 'small()[1] = "conv"', "net 'small': layer 1 cannot be set; needs a layer" },
  { 'hz.net "deep" { conv{4,3,pad="valid"}, conv{4,3,pad="valid"}, conv{4,3,pad="valid"}, '
    .. 'conv{4,3,pad="valid"}, input={8,8,3} }:init()',
    "net 'deep', layer 4 'conv4': conv2d: the input is 2x2, the kernel 3x3 without padding; "
    .. "needs an input at least as large" },
  { 'hz.net "deep" { maxpool, maxpool, maxpool, maxpool, input={8,8,3} }:init()',
    "net 'deep', layer 4 'maxpool4': maxpool: the input is 1x1, the kernel 2x2" },
  { 'hz.net "x" { dense{3}, conv{4, 3}, input={8,8,3} }:init()',
    "net 'x', layer 2 'conv1': conv: the input is %(3%); needs an image" },
  { 'hz.net "x" { meanpool, maxpool, input={8,8,3} }:init()',
    "net 'x', layer 2 'maxpool1': maxpool: the input is %(1,3%); needs an image" },
  { 'small():init{input={8,8}}', "net 'small', layer 1 'conv1': conv: the input is %(8,8%); needs an image" },
  { 'small():init{input={8,-8,3}}', 'input%[2%] is %-8; needs a whole number of at least 1' },
  { 'small():init{input="cifar"}', "input is 'cifar'; needs" },
  { 'hz.nets.make "resnet"', "model: 'resnet' is unknown; have all%-cnns" },
  { 'hz.model("small", { clases = 3 })',
    "model: 'clases' is unknown, did you mean 'classes'; have classes, input, last_relu" },
  { 'hz.model "nosuch.lua"', 'model: cannot open nosuch.lua' },
  -- running a net at the prompt
  { 'small()(3)', "net 'small': number was given; needs a tensor" },
  { 'small()(hz.zeros{8})', "net 'small': the input is %(8%); needs %(batch, ...%)" },
  { 'local n = small():init()\nn(hz.zeros{2, 8, 8, 4})',
    "net 'small', layer 1 'conv1': weight is %(4,3,3,3%), this input would need %(4,3,3,4%); "
    .. "needs the input the net was made for" },
  { 'conv{4, 3}(hz.zeros{2, 8})', 'the input is %(8%); needs an image' },
  -- plans
  { 'small():plan{bach=3}', "plan: 'bach' is unknown, did you mean 'batch'; have augment, average, batch" },
  { 'small():plan{batch=0}', 'plan: batch is 0; needs a whole number of at least 1' },
  { 'small():plan{batch=1.5}', 'plan: batch is 1.5; needs' },
  { 'small():plan{batch="many"}', "plan: batch is 'many'; needs" },
  { 'small():plan{dtype="f16"}', "plan: dtype 'f16' is not computed here, did you mean 'bf16'; have f32, bf16, f64" },
  { 'small():plan{optimizer="adam"}', 'plan: optimizer is string; needs one made by hz.sgd' },
  { 'small():plan{data=3}', 'plan: data is number; needs a set' },
  { 'small():plan{data={}}', 'plan: data is table; needs a set with items and labels' },
  { 'small():plan{loss="mse"}', "plan: loss 'mse' is unknown; have xent" },
  { 'small():plan{device="tpu"}', "device: 'tpu' is not known; have cpu" },
  { 'small():plan{data=set, batch=13}', 'batch is 13; the set has 12 items' },
  { 'small():plan{data=set, batch=4, augment={rotate=3}}', "augment: 'rotate' is unknown; have fill, flip, shift" },
  { 'small():plan{data=set, batch=4, augment={shift=8}}',
    'shift is 8, 8 pixels; needs 0 or more and less than the image' },
  { 'small():plan{data=set, batch=4, train=true, smoothing=1}', 'smoothing is 1; needs 0 <= smoothing < 1' },
  { 'hz.net "x" { conv{4, 3} }:plan{data=set, batch=4, train=true}',
    'logits are %(4,8,8,4%); needs %(batch,classes%): end the net in' },
  { 'hz.net "x" { meanpool }:plan{data={items=hz.zeros{4,8,8,3}, labels=hz.zeros({5},"i32")}, batch=2}',
    'labels are i32 %(5%); needs i32 %(4%)' },
  { 'hz.net "x" { meanpool }:plan{data={items=hz.zeros{4,8,8,3}, labels=hz.zeros{4}}, batch=2}',
    'labels are f32 %(4%); needs i32' },
  { 'hz.net "x" { meanpool }:plan{data={items=hz.zeros({4,8,8,3}, "f64"), labels=hz.zeros({4},"i32")}, batch=2}',
    'data is f64 .*; needs u8 or f32' },
  { 'local s = { items = set.items, labels = hz.full({12}, 5, "i32") }\nsmall():plan{data=s, batch=4}',
    'labels run from 5 to 5; the net has 5 outputs and needs labels 0..4' },
  { 'local p = small():plan{data=set, batch=4}\np:step()', 'plan: it is for evaluation; a step needs train=true' },
  { 'local p = small():plan{data=set, batch=4, train=true}\np:evaluate()',
    'plan: evaluation needs data and train=false' },
  { 'local p = small():plan{batch=4}\np:loss()', "plan: it has no loss; needs loss='xent'" },
  { 'local p = small():plan{data=set, batch=4}\np:write(hz.zeros{4,8,8,3})',
    'plan: it reads its own data; write needs a plan without data=' },
  { 'local p = small():plan{batch=4}\np:write(hz.zeros{4,8,8,4})', 'copy: %(4,8,8,4%) was given; needs %(4,8,8,3%)' },
  { 'local p = small():plan{batch=4}\np:peek "conv9"', "plan: no value 'conv9'" },
  { 'local p = small():plan{batch=4}\np:peek "conv1.y"', "peek: 'conv1.y' was fused away; needs a plan with keep" },
  { 'local p = small():plan{batch=4}\np:run("conv1", "conv9")',
    "plan: no layer 'conv9', did you mean 'conv1'; have conv1 relu1 conv2 meanpool1" },
  { 'local p = small():plan{batch=4}\np:gradient "conv1.weight"',
    "plan: no gradient of 'conv1.weight'; needs a trainable parameter of a training plan" },
  { 'local n = small()\nlocal p = n:plan{batch=4}\nn[2] = elu\np:run()',
    "plan: the layers of net 'small' have changed since; needs net:plan again" },
  -- optimisers
  { 'hz.adam{rate=-1}', 'adam: rate is %-1; needs a number above 0' },
  { 'hz.adam{rate="fast"}', "adam: rate is 'fast'; needs a number above 0" },
  { 'hz.adam{momentum=0.9}', "adam: 'momentum' is unknown; have beta1, beta2" },
  { 'hz.sgd{schedule="steps"}', "sgd: schedule: 'steps' is unknown; have constant, cosine" },
  { 'hz.sgd{rate=0/0}', 'sgd: rate is %-?nan; needs' },
  { 'hz.sgd{warmup=-3}', 'sgd: warmup is %-3; needs a whole number' },
  { 'hz.optimizer("lion", {})', "optimizer: 'lion' is unknown; have adadelta, adam, adamw, muon, sgd" },
  { 'small():plan{data=set, batch=4, train=true, optimizer=hz.sgd{momentum=1}}',
    'momentum is 1; needs 0 <= momentum < 1' },
  { 'small():plan{data=set, batch=4, train=true, optimizer=hz.adam{beta1=1}}', 'beta1 is 1; needs 0 <= beta1 < 1' },
  -- training
  { 'hz.train{net=small()}', 'train: .* is missing; needs net, train %(a set%), optimizer and epochs' },
  { 'hz.train{net=small(), train=set, optimizer=hz.sgd{}, epochs=0}',
    'train: epochs is 0; needs a whole number of at least 1' },
  { 'hz.train{net=small(), train=set, optimizer=hz.sgd{}, epochs=1, lr=3}', "train: 'lr' is unknown" },
  { 'hz.train{net=small(), train=set, optimizer=hz.sgd{}, epochs=1, batch=100}', 'batch is 100; the set has 12 items' },
  { 'hz.train{net=3, train=set, optimizer=hz.sgd{}, epochs=1}', 'net is number; needs a net' },
  { 'hz.train{net=small(), train=3, optimizer=hz.sgd{}, epochs=1}', 'train is number; needs a set' },
  { 'small():load "nosuch.safetensors"', 'nosuch.safetensors' },
  { 'small():save "/nosuch/folder/x.safetensors"', '/nosuch/folder' },
  -- tensors
  { 'hz.zeros{-1}', 'extent 1 is %-1; needs 0 or more' },
  { 'hz.zeros{2.5}', 'zeros: extent 1 is 2.5; needs a whole number' },
  { 'hz.zeros{1,2,3,4,5,6,7}', 'zeros: 7 dimensions were given; needs at most 6' },
  { 'hz.zeros{2^40, 2^40}', 'the shape has more elements than memory can address' },
  { 'hz.zeros{2^44}', 'memory: %d+ bytes were asked for; the system has no more' },
  { 'hz.zeros({3}, "f16")', "zeros: dtype 'f16' is unknown, did you mean 'bf16'; have f32 bf16 u8 i32 f64" },
  { 'hz.zeros "three"', 'zeros: a shape is a table of extents; string was given' },
  { 'hz.tensor{{1, 2}, {3}}', 'tensor: row %[2%] has 1 entries; needs 2 like the first' },
  { 'hz.tensor{1, "a"}', "tensor: entry %[2%] is 'a'; needs a number" },
  { 'hz.tensor "a"', "tensor: 'a' was given; needs a number or nested tables" },
  { 'local a, b = hz.zeros{2, 3}, hz.zeros{4}\nreturn a + b',
    'add: a is %(2,3%), b is %(4%); extents must agree or be 1' },
  { 'return hz.zeros{2} + "x"', "add: 'x' was given; needs a tensor" },
  { 'return hz.zeros{2}[3]', 'index: 3 of dimension 1; needs 1..2' },
  { 'return hz.zeros{2}[0]', 'index: 0 of dimension 1; needs 1..2' },
  { 'hz.zeros{2}[1.5] = 1', 'index: 1.5 of dimension 1; needs 1..2' },
  { 'return hz.zeros{2}.colour', "tensor: 'colour' is unknown" },
  { 'hz.zeros{2}.colour = 1', "tensor: 'colour' cannot be set; needs an index" },
  { 'hz.zeros{2, 3}:reshape(4)', 'reshape: the new shape has 4 elements; the tensor has 6' },
  { 'hz.zeros{2, 3}:permute(1, 1)', 'permute: the order does not name each of the 2 dimensions once' },
  { 'hz.zeros{2, 3}:slice(1, 1, 5)', 'slice: .*; needs a range inside' },
  { 'hz.zeros{2, 3}:slice(3, 1, 1)', 'slice: dimension 3 was given; the tensor has 2' },
  { 'hz.zeros{2, 3}:item()', 'item: the tensor has 6 elements; needs exactly one' },
  { 'hz.zeros{2, 3}:get(1)', 'get: 1 indices were given; the tensor has 2 dimensions' },
  { 'hz.zeros{2, 3}:expand{3, 3}', 'expand: extent 1 is 2; needs 3 or 1' },
  { 'hz.zeros{2}:fill "x"', "fill: the value is 'x'; needs a number" },
  { 'hz.zeros{2}:copy(hz.zeros{3})', 'copy: ' },
  { 'hz.zeros{2}:sum(2)', 'sum: dimension 2 was given; the tensor has 1' },
  { 'hz.zeros{0}:max()', 'max: ' },
  { 'hz.rand({2}, 0, 1, {dtype="u8"})', 'uniform: the tensor is u8; needs f32 or f64' },
  { 'local a = hz.zeros{3}\na:free()\nreturn a + hz.zeros{3}', 'add: ' },
}

for _, case in ipairs(cases) do
  local code, pattern = case[1], case[2]
  t.case(code:match '[^\n]*$', function()
    local chunk = assert(loadstring(code, '@user.lua'))
    setfenv(chunk, world)
    local line = select(2, code:gsub('\n', '\n')) + 1
    -- no tail call: the frame of the user's line must be there
    local ok, e = pcall(function() local r = chunk() return r end)
    t.ok(not ok, 'no error')
    e = tostring(e)
    t.match(e, pattern)
    t.match(e, '^user%.lua:' .. line .. ': ', 'at the user\'s line')
    t.ok(not e:find '\n', 'one line')
  end)
end

-- ---- the same at the command line: arguments, status, message; a data folder that holds nothing ----

local commands = {
  { 'epoks=3', 2, "'epoks' is no key; have data model epochs" },
  { 'epochs=0', 2, 'epochs=0 was given; needs 1..' },
  { 'epochs=many', 2, 'epochs=many was given; needs a whole number' },
  { 'data=mnist', 2, 'data=mnist was given; needs one of cifar10, camera' },
  { 'optimizer=lion', 2, 'optimizer=lion was given; needs one of sgd' },
  { 'dtype=f16', 2, 'dtype=f16 was given; needs one of f32, bf16' },
  { 'data=cifar10', 1, 'data: cifar10 was not found; looked for .*; fetch it with: hz data fetch cifar10' },
  { 'data=camera model=nosuch', 1, "model: 'nosuch' is unknown; have all%-cnns" },
  { 'data=camera model=nosuch.lua', 1, 'model: cannot open nosuch.lua' },
  { 'data=camera model=%s', 1, 'model: .*broken.lua:1: ', 'return hz.net {' },
  { 'data=camera model=%s', 1, 'broken.lua returned number; needs a net', 'return 3' },
  { 'data=camera train=64 test=64 batch=16 epochs=1 model=%s', 1,
    "net 'deep', layer 6 'maxpool6': maxpool: the input is 1x1, the kernel 2x2",
    "local l = require 'hz'.layers\nlocal m = l.maxpool\n"
    .. "return require 'hz'.net 'deep' { m, m, m, m, m, m, l.conv{10, 1}, l.meanpool }" },
  { 'data=camera train=64 test=64 batch=128', 1, 'batch is 128; the set has 64 items' },
  { 'data=camera train=99999999', 1, 'train is 99999999; needs' },
}

for _, case in ipairs(commands) do
  t.case('cifar_train.lua ' .. case[1] .. (case[4] and ' (' .. case[4]:gsub('%s+', ' ') .. ')' or ''), function()
    local d = t.folder()
    if case[4] then t.write(d .. '/broken.lua', case[4]) end
    local status, out, err = t.sh(('HZ_DATA=%s/none XDG_DATA_HOME=%s HZ_RUNS=%s/runs %s %s %s'):format(d, d, d,
      t.quote(t.hz), t.quote(t.here .. '../experiments/cifar_train.lua'), (case[1]:gsub('%%s', d .. '/broken.lua'))))
    t.equal(status, case[2], err)
    t.match(err, case[3])
    t.match(err, '^hz: ')
    t.ok(not err:find 'stack traceback', 'no traceback')
  end)
end
