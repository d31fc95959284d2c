-- axes.lua: a sweep's axes become jobs: one per point, with the fields that decide its result, the key that follows
-- from them, and the means to open it (sets as the codec leaves them, net, optimiser). Everything that can be wrong
-- is found here, before the first step.
local c = require 'hz.c'
local cell = require 'hz.sweep.cell'
local controls = require 'hz.sweep.controls'
local crypto = require 'hz.ext.crypto'
local devices = require 'hz.net.devices'
local encodings = require 'hz.sweep.encodings'
local equal = require 'hz.sweep.equal'
local media = require 'hz.codec.media'
local nets = require 'hz.net.models.nets'
local protocols = require 'hz.sweep.protocol'
local recode = require 'hz.codec.recode'
local safetensors = require 'hz.tensor.safetensors'
local source = require 'hz.data.source'
local tensor = require 'hz.tensor.tensor'
local training = require 'hz.net.training'

local M = {}

-- What measures, and computes without others: of several devices the first, as they are alike.
local function device_of(o) return devices.list(o.device)[1] end

-- ---- models ----

local function new_net(o, model, set, seed)
  local shape = set:shape()
  local net = nets.load(model, { classes = #set.classes, input = shape, norm = o.norm, width = o.width })
  return net:init { seed = seed, input = shape }
end

-- What a model is: layers with their names, numbers, and make(seed), a new net of it.
local function describe_model(o, model, set, dtype)
  local net = new_net(o, model, set, 0)
  local layers, madds = {}, 0
  for i, layer in ipairs(net.layers) do layers[i] = net.names[i] .. ': ' .. tostring(layer) end
  for _, row in ipairs(net:rows()) do madds = madds + row.madds end
  local probe = net:plan { data = set:subset(1, 1), batch = 1, dtype = dtype, device = device_of(o) }
  local classes = probe:value('logits'):size(2)
  if classes ~= #set.classes then
    c.fail('model %s: it ends in %d outputs; %s has %d classes', model, classes, set.name, #set.classes)
  end
  if o.weights then net:load(o.weights) end             -- does it fit?
  return { name = model:match '[^/]*$':gsub('%.lua$', ''), path = model, layers = layers, params = net:count(),
    madds = madds, input = set:shape(), mean = net.mean, deviation = net.deviation,
    make = function(seed) return new_net(o, model, set, seed) end }
end

local element_bytes = { u8 = 1, bf16 = 2, i32 = 4, f32 = 4, f64 = 8 }

-- Of the tensors of a file, whatever else it says.
local function weights_digest(path)
  local digest, names = crypto.new 'sha256', {}
  local tensors = safetensors.read(path)
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local t = tensors[name]:contiguous()
    digest:add(('%s %s\n'):format(name, tensor.shape_text(t)))
    digest:add(t:pointer 'read', element_bytes[t:type()] * t:count())
  end
  return digest:hex()
end

-- ---- jobs ----

-- The deciding fields of a job: what the training sees, and what it is scored on.
local function decides(o, p, settings)
  local model, own = p.model, settings:decides()
  own.model = { layers = model.layers, input = model.input, mean = model.mean, deviation = model.deviation }
  own.weights = o.weights_digest
  if settings.epochs > 0 then
    local watch = p.watch == p.test and p.encoding.test or p.encoding.train
    own.data = { digest = p.train.digest, codec = p.encoding.train.id, made = p.train.made }
    own.watch = { digest = p.watch.digest, codec = watch.id }
    own.protocol = o.protocol
    own.views = settings.keep_best and settings:scored_views() or nil       -- what is watched is an outcome then
  end
  return { training = own, test = { digest = p.test_digest or p.test.digest, codec = p.encoding.test.id,
    protocol = o.protocol, made = p.test.made, views = settings:scored_views() } }
end

-- What is known of the noise of all items: mean bits per sample, H(Y|S).
local function noise_bits(p)
  local sum, n = 0, 0
  for _, set in ipairs(p.watch == p.test and { p.train, p.test } or { p.train, p.watch, p.test }) do
    if not set.entropy then return nil end
    sum, n = sum + set.entropy:sum(), n + #set.labels
  end
  return sum / n
end

local function labels(o, p, settings)
  local own = {
    data = p.data, split = protocols.named(o.protocol).split(p.train, p.watch, p.test), protocol = o.protocol,
    model = p.model.name, params = p.model.params, madds = p.model.madds,
    seed = settings.seed, dtype = settings.dtype, epochs = settings.epochs,
    items = { train = #p.train.labels, watch = #p.watch.labels, test = #p.test.labels }, classes = #p.test.classes,
    source = p.source, made = p.test.made, views = settings:scored_views(), control = p.control, damage = p.damage,
    noise_bits = noise_bits(p), scenes = p.test.scenes,
  }
  p.encoding.train:label(own, '')
  p.encoding.test:label(own, '_test')
  own.forced, own.forced_test = p.encoding.train:forces(p.train), p.encoding.test:forces(p.test)
  return own
end

-- Sets as the codecs leave them; each set is encoded once, and sets that share a codec share their tables.
local function open_sets(o, p)
  local e, test = p.encoding, p.damage and controls.damaged(p.test, p.damage) or p.test
  if o.epochs == 0 then
    local g = recode.group({ test }, e.test.codec, nil, o.isolate)
    return { test = g.sets[1], accounts = { all = g.account, test = g.parts[1] } }
  end
  local with_train, roles = { p.train }, { 'train' }
  if p.watch ~= p.test then with_train[2], roles[2] = p.watch, 'watch' end
  if e.train == e.test then table.insert(with_train, test); table.insert(roles, 'test') end
  local out = { accounts = {} }
  local function take(g, names)
    for i, role in ipairs(names) do
      out[role], out.accounts[role] = g.sets[i], #names == 1 and g.account or g.parts[i]
    end
    out.accounts.all = recode.add(out.accounts.all or recode.no_account(), g.account)
  end
  take(recode.group(with_train, e.train.codec, nil, o.isolate), roles)
  if e.train ~= e.test then take(recode.group({ test }, e.test.codec, nil, o.isolate), { 'test' }) end
  out.watch = out.watch or out.test
  return out
end

local function opener(o, p, seed)
  return function()
    local stage = open_sets(o, p)
    stage.net = p.model.make(seed)
    if o.weights then stage.net:load(o.weights) end
    stage.optimizer = o.optimizer()
    return stage
  end
end

-- Whether the stages of a composed codec of pictures take what the ones before them make, only trying says.
local function try_stages(data, codec)
  if codec.kind == 'image' and codec.name:find '|' then codec:encode(data.test.items[1]:contiguous()) end
end

-- Codecs of pictures are nothing to sounds, nor the other way.
local function check_kinds(data, list)
  local holds = data.test.sounds and 'audio' or 'image'
  for _, e in ipairs(list) do
    for _, codec in pairs { e.train.codec or nil, e.test.codec or nil } do
      if codec.kind ~= holds then
        c.fail('sweep: %s takes %s; %s holds %s', codec.name, media.kinds[codec.kind].items, data.name,
          media.kinds[holds].items)
      end
      try_stages(data, codec)
    end
  end
end

-- The settings of one point: those of the sweep, but one seed and one dtype; kernels are chosen for all jobs at once,
-- or not at all.
local function settings_of(o, p, seed, dtype)
  return training.new('sweep', o,
    { seed = seed, dtype = dtype, device = device_of(o), optimizer = o.optimizer(), keep_best = p.watch == p.test,
      tune = false })
end

-- kind: jobs of one kind make the same plans, and take as long.
local function new_job(o, p, settings)
  local job = { settings = settings, decides = decides(o, p, settings), labels = labels(o, p, settings), point = p,
    open = opener(o, p, settings.seed), kind = table.concat({ p.data, p.model.path, settings.dtype }, '\0') }
  job.key, job.training_key = cell.keys(job.decides)
  return job
end

-- A batch that was not asked for is no larger than the smallest set that trains.
local function default_batch(o, sets)
  local n = training.default.batch
  for _, s in ipairs(sets) do n = math.min(n, #s.train.labels) end
  return n
end

-- The sets of each data, by the protocol: { name, train, watch, test, source = what their files are, if they have }.
local function split_all(o)
  local list, protocol = {}, protocols.named(o.protocol)
  for i, data in ipairs(o.data) do
    local train, watch, test = protocol.sets(data.train, data.test, o)
    list[i] = { name = data.name, train = train, watch = watch, test = test,
      source = source.label(watch == test and { train, test } or { train, watch, test }) }
  end
  return list
end

-- ---- the product ----

-- What is added to a list of jobs; a job that is there already is not again.
local function collector(o, jobs)
  local seen = {}
  return function(point, seed, dtype)
    local job = new_job(o, point, settings_of(o, point, seed, dtype))
    if not seen[job.key] then jobs[#jobs + 1] = job end
    seen[job.key] = true
  end
end

-- A point: the sets and the source of `data`, one model, one encoding, and more fields.
local function point_of(data, model, encoding, more)
  local p = { data = data.name, train = data.train, watch = data.watch, test = data.test, model = model,
    encoding = encoding, source = data.source }
  for k, v in pairs(more or {}) do p[k] = v end
  return p
end

local function dtypes(o) return type(o.dtype) == 'table' and o.dtype or { o.dtype } end

local function add_cells(o, data, model, list, add)
  for _, seed in ipairs(o.epochs > 0 and o.seed or { o.seed[1] }) do
    for _, dtype in ipairs(dtypes(o)) do
      for _, e in ipairs(list) do add(point_of(data, model, e), seed, dtype) end
    end
  end
end

-- Pairs of untouched data; nil without any.
local function untouched(list)
  for _, e in ipairs(list) do
    if not e.train.codec and not e.test.codec then return e end
  end
end

-- Whether controls say anything: where there is a verdict, which two seeds at least and the untouched data allow.
local function wants_controls(o, list)
  return o.controls and o.epochs > 0 and #o.seed > 1 and o.protocol == 'strict' and untouched(list) ~= nil
end

-- Seeds of the controls: as many as the first look of adaptive seeds has.
local function control_seeds(o) return o.adaptive and { unpack(o.seed, 1, protocols.looks[1].seeds) } or o.seed end

-- Shares, each with the digest of the test set that has it.
local function damages_of(data)
  local list = {}
  for _, share in ipairs(controls.damages) do
    local set = controls.damaged(data.test, share)
    if set then list[#list + 1] = { share = share, digest = set.digest } end
  end
  return list
end

local function add_controls(o, data, model, list, add)
  local raw, seeds, damages = untouched(list), control_seeds(o), damages_of(data)
  for _, dtype in ipairs(dtypes(o)) do
    for _, seed in ipairs(controls.fresh(seeds)) do
      add(point_of(data, model, raw, { control = 'replicate' }), seed, dtype)
    end
    for _, seed in ipairs(seeds) do
      for _, d in ipairs(damages) do
        add(point_of(data, model, raw, { control = 'damage', damage = d.share, test_digest = d.digest }), seed, dtype)
      end
    end
  end
end

-- Jobs in order: data, model, seed, dtype, then encodings, so that the first seed already gives a whole curve; the
-- controls of a model behind its others. o: data (list of { name, train, test }), model, seed (lists), norm and width
-- (of models: nets.lua), the encodings as encodings.lua takes them, protocol, controls (true or false), train, test
-- (counts or nil), weights, and the settings of a training: dtype one or a list, device one or several, optimizer()
-- makes one.
-- Also returns what was found and missed of the bits that were asked for (equal.lua).
function M.jobs(o)
  recode.retry()
  local asked, bits = equal.asked(o), { found = {}, missed = {} }
  local jobs, list, all = {}, not asked and encodings.pairs(o) or nil, split_all(o)
  local add = collector(o, jobs)
  o.weights_digest = o.weights and weights_digest(o.weights)
  o.batch = o.batch or default_batch(o, all)
  for _, data in ipairs(all) do
    if asked then list = encodings.pairs(o, equal.finder(o, data, bits)) end
    check_kinds(data, list)
    if o.epochs > 0 and o.batch > #data.train.labels then
      c.fail('batch=%d was given; %d items train', o.batch, #data.train.labels)
    end
    for _, model in ipairs(o.model) do
      local what = describe_model(o, model, data.test, dtypes(o)[1])
      add_cells(o, data, what, list, add)
      if wants_controls(o, list) then add_controls(o, data, what, list, add) end
    end
  end
  return jobs, bits
end

return M
