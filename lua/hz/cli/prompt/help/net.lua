-- Help on networks, plans, optimisers and training.
local tiny = "l = hz.layers; net = hz.net 'tiny' { input={8,8,3}, l.conv{4,3}, l.relu, l.meanpool, l.dense{2} }; "
local set = "set = hz.data('camera', {split='train', train=20, size=8}); "
  .. "net = hz.net 'tiny' { hz.layers.conv{4,3}, hz.layers.relu, hz.layers.dense{10} }; "
return {
  subject = 'net',
  { 'layers', 'hz.layers.NAME{...}', 'the kinds of layers; ? NAME shows the fields of one (? conv)',
    'l = hz.layers; print(l.conv{8, 3, stride=2}, l.relu, l.dropout{0.5})' },
  { 'net', "hz.net 'name' { input={height,width,channels}, layer, layer, ... }",
    'a network; net(x) runs it on items as a set has them (u8, or f32), net[i] = layer replaces one. mean= and '
    .. 'deviation= of pixels in 0..1 belong to it', tiny .. 'print(net)' },
  { 'nets', 'hz.nets.NAME{classes=10, input={32,32,3}}', 'the networks that come with hz',
    "print(hz.nets.names()); print(hz.nets['all-cnns']():count())" },
  { 'model', 'hz.model(name, {classes=, input=})', 'a network by name, or from a file NAME.lua that returns one',
    "print(hz.model('small', {classes=10}))" },
  { ':init', 'net:init{seed=1}', 'makes all parameters anew: Glorot uniform weights, zero bias',
    tiny .. 'net:init{seed=2}; print(net.parameters)' },
  { ':summary', 'net:summary()',
    'table of layers: output shape, parameters, multiply-adds, bytes; print(net) shows it too',
    tiny .. 'print(net:summary())' },
  { ':save', 'net:save(path), net:load(path)',
    'parameters and buffers as a safetensors file, written as a whole or not at all',
    tiny .. "net:init(); path = os.tmpname(); net:save(path); net:load(path); os.remove(path)" },
  { ':classify', 'net:classify(x)', 'names of the classes of items, and their probabilities; y = net(x) has logits, '
    .. 'and y:argmax(2) counts classes from 1 where labels count from 0',
    tiny .. 'print(net:classify(hz.rand{8,8,3}))' },
  { ':plan',
    'net:plan{batch=, data=set, train=true, optimizer=, augment={shift=, flip=}, loss=, dtype=, seed=, keep=, tune=, '
    .. 'exact=}',
    'the net made ready to run: shapes checked, memory placed, kernels chosen; print(plan) shows its nodes with their '
    .. 'times in the last run. dtype=bf16 stores activations and their gradients in half the bytes; where kernel '
    .. 'winopairs runs, it rounds inside as well and its results are off by 1.1e-2, not 2e-3: exact=true does without it',
    tiny .. 'print(net:plan{batch=2})' },
  { ':step', 'plan:step()', 'one training step; its loss',
    set .. 'p = net:plan{batch=10, data=set, train=true, optimizer=hz.adam()}; print(p:step())' },
  { ':loss', 'plan:loss()', 'loss of the last step',
    set .. 'p = net:plan{batch=10, data=set, train=true, optimizer=hz.sgd()}; p:step(); print(p:loss())' },
  { ':evaluate', 'plan:evaluate()',
    'scores the set: loss, finite (whether the loss is), accuracy, n, and per item correct, class (from 0), confidence',
    set .. 'print(net:plan{batch=10, data=set}:evaluate().accuracy)' },
  { ':write', 'plan:write(x, labels)', 'fills the input of a plan without data=: items as a set has them, labels '
    .. 'from 0',
    tiny .. 'p = net:plan{batch=2}; p:write(hz.rand{2,8,8,3}):run()' },
  { ':run', "plan:run(), plan:run('conv3', 'conv7')", 'forward pass, or the part from one layer to another',
    tiny .. "p = net:plan{batch=2}; p:run(); print(p:value 'logits')" },
  { ':value', "plan:value(name)", "a view of 'x', 'logits', 'loss', 'probs' or 'LAYER.y', valid until the next run",
    tiny .. "p = net:plan{batch=2}; p:run(); print(p:value 'x')" },
  { ':peek', 'plan:peek(layer)', 'output of a layer in the last run; an error where its memory was used again, '
    .. 'which keep=true in the plan prevents',
    tiny .. "p = net:plan{batch=2, keep=true}; p:run(); print(p:peek 'conv1')" },
  { ':gradient', 'plan:gradient(parameter)', 'gradient after a step of a training plan without an optimizer',
    set .. "p = net:plan{batch=10, data=set, train=true}; p:step(); print(p:gradient 'conv1.weight')" },
  { ':nodes', 'plan:nodes()', 'rows of layer, op, kernel, shape, offset in the arena, flops, and ms of the last run',
    tiny .. 'print(net:plan{batch=2}:nodes()[1])' },
  { 'sgd', "hz.sgd{rate=0.01, momentum=0.9, nesterov=true, decay=0, schedule='cosine', warmup=0}",
    'stochastic gradient descent; schedules: constant cosine linear time', 'print(hz.sgd{rate=0.1})' },
  { 'adam', 'hz.adam{rate=0.001, beta1=, beta2=, epsilon=, decay=, schedule=, warmup=}', 'Kingma, Ba 2014',
    'print(hz.adam())' },
  { 'adamw', 'hz.adamw{rate=0.001, decay=0.01, ...}', 'adam with decoupled decay: Loshchilov, Hutter 2017',
    'print(hz.adamw())' },
  { 'adadelta', 'hz.adadelta{rate=1, beta1=0.95, epsilon=1e-7}', 'Zeiler 2012; beta1 is its rho',
    'print(hz.adadelta())' },
  { 'optimizer', 'hz.optimizer(kind, {...})', 'an optimiser by the name of its kind',
    "print(hz.optimizer('adam', {rate=0.01}))" },
  { 'train', 'hz.train{net=, train=set, optimizer=, epochs=, watch=set, test=set, '
    .. 'batch=128, dtype=, augment=, seed=, resume=path, on_epoch=, on_step=}',
    'trains; returns curve, test evaluation, seconds. The file resume= carries a stopped training on',
    set .. 'r = hz.train{net=net, train=set, test=set, optimizer=hz.adam(), epochs=1, batch=10}; '
    .. 'print(r.test.accuracy)' },
  { 'run', "hz.run{kind='train', settings={model=, data=, seed=, ...}, out=folder, fresh=false}",
    'a folder for one training: run:train{...} keeps settings, log, resume point and parameters there',
    "r = hz.run{kind='train', out=os.tmpname() .. '.d', settings={model='tiny', data='camera', seed=1}}; "
    .. "print(r.folder); hz.file.remove(r.folder)" },
  { 'per_class', 'hz.per_class(evaluation, set)', 'accuracy of each class: rows of class, n, accuracy',
    set .. 'for _, r in ipairs(hz.per_class(net:plan{batch=10, data=set}:evaluate(), set)) do '
    .. 'print(r.class, r.n, r.accuracy) end' },
}
