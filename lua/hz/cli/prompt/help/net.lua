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
  { 'nets.names', 'hz.nets.names()', 'their names as one text', 'print(hz.nets.names())' },
  { 'nets.order', 'hz.nets.order', 'their names as a list', 'print(hz.nets.order[1])' },
  { 'nets.rows', 'hz.nets.rows', 'what is known of each: name, what it is, published counts, its layers',
    'print(#hz.nets.rows)' },
  { 'nets.make', 'hz.nets.make(name, {classes=, input=})', 'a network by its name', "print(hz.nets.make('small'))" },
  { 'nets.load', 'hz.nets.load(name, {classes=, input=})', 'the same as hz.model', "print(hz.nets.load('small'))" },
  { 'model', 'hz.model(name, {classes=, input=})', 'a network by name, or from a file NAME.lua that returns one',
    "print(hz.model('small', {classes=10}))" },
  { 'net:init', 'net:init{seed=1}', 'makes all parameters anew: Glorot uniform weights (or as init= of a layer '
    .. 'says), zero bias',
    tiny .. 'net:init{seed=2}; print(net.parameters)' },
  { 'net:whiten', 'net:whiten(set, {mean=, deviation=})',
    "weights of conv{24, 2, init='whiten'} by patches of the first "
    .. '5,000 images as the net sees them: eigenvectors over the root of eigenvalue + 5e-4, by falling eigenvalues, '
    .. 'then their negatives; the bias alone is trained. A training plan with data does it where it was not done',
    "net = hz.net 'w' { hz.layers.conv{24, 2, pad='valid', init='whiten'}, hz.layers.relu, hz.layers.dense{10} }; "
    .. "net:whiten(hz.data('camera', {split='train', train=20, size=8})); print(net.parameters['conv1.weight'])" },
  { 'net:ensure', 'net:ensure{input=, dtype=}', 'makes the parameters that are missing and keeps the others',
    tiny .. 'print(net:ensure():count())' },
  { 'net:tensors', 'net:tensors()',
    'rows of name, tensor, trainable: parameters and buffers in the order of the layers',
    tiny .. 'print(net:init():tensors()[1].name)' },
  { 'net:state', 'net:state()', 'parameters and buffers by name', tiny .. 'print(net:init():state())' },
  { 'net:assign', 'net:assign{name=tensor}',
    'copies tensors over all parameters and buffers; names and shapes must agree',
    tiny .. 'net:init(); net:assign(net:state())' },
  { 'net:count', 'net:count()', 'how many numbers the net owns, and how many of them are trained',
    tiny .. 'print(net:count())' },
  { 'net:rows', 'net:rows()', 'the rows of net:summary(): name, layer, shape, parameters, madds, bytes',
    tiny .. 'print(net:rows()[1])' },
  { 'net:summary', 'net:summary()',
    'table of layers: output shape, parameters, multiply-adds, bytes; print(net) shows it too',
    tiny .. 'print(net:summary())' },
  { 'net:load', 'net:load(path)', 'parameters and buffers from a file of net:save, or of another program: names and '
    .. 'shapes must agree',
    tiny .. "net:init(); path = os.tmpname(); net:save(path); net:load(path); os.remove(path)" },
  { 'net:save', 'net:save(path, {key=text})',
    'parameters and buffers as a safetensors file, written as a whole or not at all',
    tiny .. "net:init(); path = os.tmpname(); net:save(path); net:load(path); os.remove(path)" },
  { 'net:classify', 'net:classify(x)', 'names of the classes of items, and their probabilities; y = net(x) has logits, '
    .. 'and y:argmax(2) counts classes from 1 where labels count from 0',
    tiny .. 'print(net:classify(hz.rand{8,8,3}))' },
  { 'net:plan',
    'net:plan{batch=, data=set, train=true, optimizer=, augment={shift=, flip=, fill=}, loss=, dtype=, seed=, keep=, '
    .. 'tune=, exact=, device=}',
    'the net made ready to run: shapes checked, memory placed, kernels chosen; print(plan) shows its nodes with their '
    .. 'times in the last run. dtype=bf16 stores activations and their gradients in half the bytes; where kernel '
    .. 'winopairs runs, it rounds inside as well and its results are off by 1.1e-2, not 2e-3: exact=true does '
    .. "without it. device='cuda' runs it on a graphics card (default: HZ_DEVICE, or auto: a card where there is one); "
    .. 'dtype=tf32 lets one round factors',
    tiny .. 'print(net:plan{batch=2})' },
  { 'plan:step', 'plan:step()', 'one training step; its loss',
    set .. 'p = net:plan{batch=10, data=set, train=true, optimizer=hz.adam()}; print(p:step())' },
  { 'plan:loss', 'plan:loss()', 'loss of the last step',
    set .. 'p = net:plan{batch=10, data=set, train=true, optimizer=hz.sgd()}; p:step(); print(p:loss())' },
  { 'plan:correct', 'plan:correct()', 'how many items of the last run were classified correctly',
    set .. 'p = net:plan{batch=10, data=set}; p:forward_again(); print(p:correct())' },
  { 'plan:forward_again', 'plan:forward_again()', 'the forward pass of the next batch of the set, without an update',
    set .. 'p = net:plan{batch=10, data=set}; p:forward_again(); print(p:loss())' },
  { 'plan:evaluate', "plan:evaluate{views={'mirror', 'shift'}}",
    'scores the set: loss, finite (whether the loss is), accuracy, n, and per item correct, class (from 0), '
    .. 'confidence. views: logits are averaged over the item and its mirror image, and over it (half) and it moved by '
    .. 'a pixel up and left, and down and right (a quarter each, edges reflected)',
    set .. 'print(net:plan{batch=10, data=set}:evaluate().accuracy)' },
  { 'plan:write', 'plan:write(x, labels)', 'fills the input of a plan without data=: items as a set has them, labels '
    .. 'from 0',
    tiny .. 'p = net:plan{batch=2}; p:write(hz.rand{2,8,8,3}):run()' },
  { 'plan:run', "plan:run(), plan:run('conv3', 'conv7')", 'forward pass, or the part from one layer to another',
    tiny .. "p = net:plan{batch=2}; p:run(); print(p:value 'logits')" },
  { 'plan:value', "plan:value(name)", "a view of 'x', 'logits', 'loss', 'probs' or 'LAYER.y', valid until the next run",
    tiny .. "p = net:plan{batch=2}; p:run(); print(p:value 'x')" },
  { 'plan:peek', 'plan:peek(layer)', 'output of a layer in the last run; an error where its memory was used again or '
    .. 'it lies as kernels want it, which keep=true in the plan prevents',
    tiny .. "p = net:plan{batch=2, keep=true}; p:run(); print(p:peek 'conv1')" },
  { 'plan:gradient', 'plan:gradient(parameter)', 'gradient after a step of a training plan without an optimizer',
    set .. "p = net:plan{batch=10, data=set, train=true}; p:step(); print(p:gradient 'conv1.weight')" },
  { 'plan:nodes', 'plan:nodes()',
    'rows of layer, op, kernel, shape, blocked (it lies as kernels want it), offset in the arena, flops, and ms of the '
      .. 'last run',
    tiny .. 'print(net:plan{batch=2}:nodes()[1])' },
  { 'plan:timed', 'plan:timed(true or false)', 'whether runs time their nodes; they do unless told otherwise',
    tiny .. 'p = net:plan{batch=2}:timed(false)' },
  { 'plan:bytes', 'plan:bytes()', 'bytes of the memory that its values share',
    tiny .. 'print(net:plan{batch=2}:bytes())' },
  { 'plan:digest', 'plan:digest()', 'of nodes, shapes, types and kernels: equal digests compute the same bits',
    tiny .. 'print(net:plan{batch=2}:digest())' },
  { 'sgd', "hz.sgd{rate=0.01, momentum=0.9, nesterov=true, decay=0, decoupled=false, schedule='cosine', warmup=0}",
    "stochastic gradient descent, as PyTorch's. Schedules of all optimisers: constant, cosine, linear, triangle, time; "
    .. 'cosine and linear end at final= (a share of the rate, 0), triangle goes from start= up to the rate at peak= (a '
    .. 'share of the training) and down to final=; settle= (a share of the training) has them at their end earlier, '
    .. 'where the rate stays; stop= (a share of the training) ends a schedule earlier, and the '
    .. 'rate is 0 from there on', 'print(hz.sgd{rate=0.1})' },
  { 'adam', 'hz.adam{rate=0.001, beta1=, beta2=, epsilon=, decay=, schedule=, warmup=}', 'Kingma, Ba 2014',
    'print(hz.adam())' },
  { 'adamw', 'hz.adamw{rate=0.001, decay=0.01, ...}', 'adam with decoupled decay: Loshchilov, Hutter 2017',
    'print(hz.adamw())' },
  { 'adadelta', 'hz.adadelta{rate=1, beta1=0.95, epsilon=1e-7}', 'Zeiler 2012; beta1 is its rho',
    'print(hz.adadelta())' },
  { 'muon', 'hz.muon{rate=0.24, momentum=0.6, nesterov=true, iterations=3, renormalise=true, epsilon=, decay=0}',
    'of filters and matrices (one row per filter): steps of Newton-Schulz make the singular values of the momentum '
    .. 'nearly equal. renormalise: weights are scaled to the norm sqrt(filters) before each step. For other parameters '
    .. 'hz.groups names another optimiser', "print(hz.groups{{match='weight$', hz.muon()}, hz.sgd()})" },
  { 'groups', "hz.groups{{match='%.bias$', hz.sgd{...}}, {match={'^conv', 'weight$'}, hz.muon{...}}, hz.adam{...}}",
    'an optimiser that gives each parameter to the first group of which a pattern matches its name (net:tensors() has '
    .. 'them); the last may have none and takes the rest. Each goes by its own kind, rate, decay and schedule',
    "print(hz.groups{{match='^conv.*weight$', hz.muon()}, hz.sgd{rate=0.1}})" },
  { 'recipes', 'hz.recipes.NAME{...}', 'how nets are trained: settings of hz.train by name',
    'print(hz.recipes.airbench{epochs=4}.batch)' },
  { 'recipes.airbench', "hz.recipes.airbench{optimizer='muon', epochs=8, batch=2000, rate=, views=}",
    'optimizer, average, epochs, batch, smoothing, augment and views of airbench (arXiv 2404.00498), for the nets '
    .. "airbench and fast; optimizer='sgd' is its first version", 'print(hz.recipes.airbench{}.optimizer)' },
  { 'recipes.batch', 'hz.recipes.batch', 'their items per step, by optimizer=', 'print(hz.recipes.batch.muon)' },
  { 'recipes.optimizers', 'hz.recipes.optimizers', "what optimizer= of a recipe may be",
    'print(hz.recipes.optimizers[1])' },
  { 'groups:describe', 'groups:describe()', 'all settings of each group', 'print(hz.groups{hz.adam()}:describe())' },
  { 'groups:rates', 'groups:rates(step, total)', 'the rates of the groups in the step after `step` steps, of `total` '
    .. 'in all', "print(hz.groups{{match='bias$', hz.sgd{rate=1}}, hz.adam()}:rates(5, 100)[1])" },
  { 'groups:check_total', 'groups:check_total(total)', 'an error if a schedule needs the steps of the whole training '
    .. 'and total is nil', 'hz.groups{hz.sgd()}:check_total(10)' },
  { 'groups:update', 'groups:update(net, graph, bind, gradient_of)', 'adds the update of each parameter to a graph: '
    .. 'what a training plan does' },
  { 'optimizer', 'hz.optimizer(kind, {...})', 'an optimiser by the name of its kind',
    "print(hz.optimizer('adam', {rate=0.01}))" },
  { 'optimizer:describe', 'optimizer:describe()', 'all settings by name', 'print(hz.adam{}:describe())' },
  { 'optimizer:rate_at', 'optimizer:rate_at(step, total)', 'the rate of the step after `step` steps, of `total` in all',
    "print(hz.sgd{rate=0.1, schedule='cosine'}:rate_at(50, 100))" },
  { 'optimizer:rates', 'optimizer:rates(step, total)', 'the same as a list, of one: groups have more',
    'print(hz.adam{}:rates(5, 100)[1])' },
  { 'optimizer:check_total', 'optimizer:check_total(total)', 'an error if the schedule needs the steps of the whole '
    .. 'training and total is nil', 'hz.sgd{}:check_total(10)' },
  { 'optimizer:update', 'optimizer:update(net, graph, bind, gradient_of)', 'adds the update of each parameter to a '
    .. 'graph: what a training plan does' },
  { 'train', 'hz.train{net=, train=set, optimizer=, epochs=, watch=set, test=set, '
    .. 'batch=128, dtype=, device=, augment=, views=, seed=, frozen=, average=, resume=path, on_epoch=, on_step=}',
    'trains; returns curve, test evaluation, seconds. The file resume= carries a stopped training on. frozen= has '
    .. "patterns of names of parameters that are not trained. average={kind='ema', decay=0.999, every=1} scores and "
    .. "keeps an average of the weights over the steps, average={kind='lookahead', every=5, decay=0.5} goes on from it "
    .. 'every 5 steps; power=3 lets decay grow from 0 with the third power of the share of the training that is done',
    set .. 'r = hz.train{net=net, train=set, test=set, optimizer=hz.adam(), epochs=1, batch=10}; '
    .. 'print(r.test.accuracy)' },
  { 'run', "hz.run{kind='train', settings={model=, data=, seed=, ...}, out=folder, fresh=false}",
    'a folder for one training: run:train{...} keeps settings, log, resume point and parameters there',
    "r = hz.run{kind='train', out=os.tmpname() .. '.d', settings={model='tiny', data='camera', seed=1}}; "
    .. "print(r.folder); hz.file.remove(r.folder)" },
  { 'run:train', 'run:train{...}', 'hz.train with a status line, log, resume point and the final parameters in the '
    .. "run's folder; a finished training is read back" },
  { 'per_class', 'hz.per_class(evaluation, set)', 'accuracy of each class: rows of class, n, accuracy',
    set .. 'for _, r in ipairs(hz.per_class(net:plan{batch=10, data=set}:evaluate(), set)) do '
    .. 'print(r.class, r.n, r.accuracy) end' },
}
