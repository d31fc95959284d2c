-- nets.lua: one random net at a time: layers of all kinds in any order that shape inference lets through, random
-- numbers in all tensors. A step's forward pass and every gradient, fused and not, on every vector level, by a
-- preferred kernel, in f32 and in bf16, with fewer rows than the plan has, against the plain loops in double; an
-- evaluation of a set that is no multiple of the batch; some steps of a random optimiser. Threads never change a bit.
local graphs, near, count = ...
local c = require 'hz.c'
local hz = require 'hz'
local tensor = require 'hz.tensor.tensor'
local C, ffi = c.C, c.ffi
local l = hz.layers

local M = {}

local MOST = 4e5                   -- multiply-adds of a net for a batch
local NEAR = 1e-4          -- of a layer's root mean square: no number lies nearer to a kink, no two in a pool's window
local BF16 = 2 ^ -8                -- by how much numbers are moved to see what the storage of a bf16 plan may do

-- Multiples of the noise (near.lua) that a result may be off by; the largest seen in a thousand nets is half of each.
-- In bf16 the numbers are moved as far as storage rounds them.
local FACTOR = { f32 = 15, bf16 = 8 }
-- In bf16 no number keeps away from a kink: some change sides, and a gradient of few numbers may be off by a good part
-- of itself.
local TURNED = 0.6

-- ---- random nets ----

local acts = { 'relu', 'elu', 'gelu', 'leaky', 'tanh', 'sigmoid', 'scale' }

local makers = {
  conv = function(d)
    return l.conv { d:channels(40), d:chance(0.6) and 3 or { d:whole(1, 5), d:whole(1, 5) },
      stride = d:chance(0.7) and 1 or d:whole(1, 3), pad = d:of { 'same', 'same', 'valid' }, bias = d:chance(0.8) }
  end,
  act = function(d)
    local name = d:of(acts)
    if name == 'scale' then return l.scale { d:between(-1.5, 1.5) } end
    return l[name] { alpha = (name == 'elu' or name == 'leaky') and d:chance(0.5) and d:between(0.05, 1.5) or nil }
  end,
  dense = function(d) return l.dense { d:whole(1, 40), bias = d:chance(0.8) } end,
  dropout = function(d) return l.dropout { d:between(0.05, 0.8) } end,
  pool = function(d)
    return l[d:of { 'maxpool', 'maxpool', 'avgpool' }] { d:chance(0.5) and 2 or { d:whole(1, 4), d:whole(1, 4) },
      pad = d:of { 'same', 'valid' }, stride = d:chance(0.3) and d:whole(1, 3) or nil }
  end,
  meanpool = function() return l.meanpool end,
  flatten = function() return l.flatten end,
  norm = function(d)
    return l.norm { axis = d:of { 'channels', 'channels', 'rows' }, epsilon = 10 ^ d:between(-4, -1),
      momentum = d:between(0.1, 0.99) }
  end,
}
local wheel = { 'conv', 'conv', 'conv', 'conv', 'act', 'act', 'act', 'act', 'dropout', 'pool', 'pool', 'norm', 'norm',
  'dense', 'meanpool', 'flatten' }
local ends_images = { meanpool = true, flatten = true, dense = true }

local function list_of(d)
  local list = {}
  for i = 1, d:whole(1, 8) do
    local kind = d:of(wheel)
    list[i] = makers[i < 4 and ends_images[kind] and 'conv' or kind](d)
  end
  if d:chance(0.95) then list[#list + 1] = d:chance(0.2) and l.meanpool or nil end
  if d:chance(0.95) then list[#list + 1] = l.dense { d:whole(2, 12) } end
  list.input = { d:whole(3, 16), d:whole(3, 16), d:channels(33) }
  return list
end

local function title_of(net, batch, rows)
  local names = {}
  for i, layer in ipairs(net.layers) do names[i] = tostring(layer) end
  return ('{%s} of %s, %d of %d rows'):format(table.concat(names, ' '), table.concat(net.input, 'x'), rows, batch)
end

-- Every tensor of the net gets numbers of its own: biases and statistics that are all 0 or 1 would hide mistakes.
local function random_state(net, stream)
  local state = {}
  for i, p in ipairs(net:tensors()) do
    local short, s = p.name:match '[^.]*$', { seed = 9, stream = stream + i }
    local shape = p.tensor:size()
    if short == 'variance' then state[p.name] = tensor.rand(shape, 0.5, 1.5, s)
    elseif short == 'gamma' then state[p.name] = tensor.randn(shape, 1, 0.3, s)
    elseif short == 'weight' then state[p.name] = tensor.randn(shape, 0, math.sqrt(2 * shape[1] / p.tensor:count()), s)
    else state[p.name] = tensor.randn(shape, 0, 0.3, s) end
  end
  return state
end

local function labels_of(d, n, classes)
  local t = tensor.zeros({ n }, 'i32')
  for i = 1, n do t[i] = d:whole(0, classes - 1) end
  return t
end

-- ---- a step ----

-- Sets the net's numbers; plans of f64 have a net of their own, whose tensors are f64.
local function take(state, net)
  for _, p in ipairs(net:tensors()) do p.tensor:copy(state[p.name]) end
end

-- Plan of the case for a storage; o: fuse, keep, batch.
local function plan_of(case, dtype, o)
  local net = case.nets[dtype == 'f64' and 'f64' or 'f32']
  return net:plan { batch = o.batch or case.batch, train = true, dtype = dtype, seed = 11, smoothing = case.smoothing,
    fuse = o.fuse, keep = o.keep }
end

-- Runs a plan from a state over x; returns name -> tensor (copies) of everything a step yields.
local function step(case, plan, state, x)
  local net = plan.net
  take(state, net)
  plan:write(x:slice(1, 1, plan.batch), case.labels:slice(1, 1, plan.batch))
  plan.args.count, plan.args.version = case.rows, plan.args.version + 1
  c.check(C.hz_plan_run(plan.handle, 0, -1, plan.args))
  local out = { logits = plan:value('logits'):slice(1, 1, case.rows):clone(), loss = plan:value('loss'):clone() }
  for _, p in ipairs(net:tensors()) do
    if p.trainable then out['d ' .. p.name] = plan:gradient(p.name):clone() else out[p.name] = p.tensor:clone() end
  end
  return out
end

local function as_f64(results)
  local out = {}
  for name, t in pairs(results) do out[name] = t:to 'f64' end
  return out
end

-- ---- kinks ----

-- Smallest gap between the largest number of a window and the one below it, equal ones left out; x, y: f64 (N,H,W,C).
local function gap(x, y, a)
  local s, o, p, least = x:size(), y:size(), x:pointer(), math.huge
  local sh, sw, top, left = math.max(1, a.sh), math.max(1, a.sw), 0, 0
  if a.pad == C.HZ_SAME then
    top = math.floor(math.max(0, (o[2] - 1) * sh + a.kh - s[2]) / 2)
    left = math.floor(math.max(0, (o[3] - 1) * sw + a.kw - s[3]) / 2)
  end
  local function window(n, oy, ox, ch)
    local first, second = -math.huge, -math.huge
    for iy = math.max(0, oy * sh - top), math.min(s[2], oy * sh - top + a.kh) - 1 do
      for ix = math.max(0, ox * sw - left), math.min(s[3], ox * sw - left + a.kw) - 1 do
        local v = p[((n * s[2] + iy) * s[3] + ix) * s[4] + ch]
        if v > first then first, second = v, first elseif v < first and v > second then second = v end
      end
    end
    return first - second
  end
  for i = 0, o[1] * o[2] * o[3] * o[4] - 1 do
    local ch, ox, oy = i % o[4], math.floor(i / o[4]) % o[3], math.floor(i / (o[4] * o[3])) % o[2]
    least = math.min(least, window(math.floor(i / (o[4] * o[3] * o[2])), oy, ox, ch))
  end
  return least
end

local kinked = { [tonumber(C.HZ_RELU)] = true, [tonumber(C.HZ_LEAKY)] = true, [tonumber(C.HZ_ELU)] = true }

-- Whether a number of the forward pass lies where a rounding changes a slope; and whether one could. plan: f64, all
-- kept, just run.
local function near_a_kink(case, plan)
  local any, near_one = false, false
  for i = 0, plan.forward_nodes - 1 do
    local n = C.hz_graph_node(plan.graph, i)
    local op = ffi.string(C.hz_op_name(n.op))
    local pool = op == 'maxpool'
    if pool or (op == 'act' and kinked[tonumber(n.attr.act.act)]) then
      any = true
      local function peek(value) return tensor.own(C.hz_plan_peek, plan.handle, value, case.rows) end
      local x = peek(n['in'][0])
      local least = pool and gap(x, peek(n.out[0]), n.attr.window) or x:abs():min()
      near_one = near_one or least <= NEAR * math.sqrt((x * x):mean())
    end
  end
  return near_one, any
end

-- ---- truth and tolerance ----

-- Where a gradient is nothing but roundings (a bias before batch norm), they are those of what flows into the layer's
-- weights.
local function floor_of(truth, name, dtype)
  local layer = name:match '^d (.*)%.[^.]*$'
  local weight = layer and (truth['d ' .. layer .. '.weight'] or truth['d ' .. layer .. '.gamma'])
  if not weight then return 1e-30 end
  return near.ROUNDING[dtype] * 8 * near.norm(weight) * math.sqrt(truth[name]:count() / weight:count()) + 1e-30
end

-- How far each result of do_it(which, state, x) may be from the truth. which: 'f64' or `dtype`, by plain loops, not
-- fused. In f32 the noise is scaled to one rounding; in bf16 numbers are moved as far as storage rounds them.
local function limits(case, truth, dtype, do_it)
  local size, net = dtype == 'bf16' and BF16 or near.MOVE, case.nets.f32
  local noise = near.noise(truth, function(k, which)
    local state = {}
    for i, p in ipairs(net:tensors()) do state[p.name] = near.moved(case.state[p.name], size, 1000 * k + i) end
    return as_f64(do_it(which == 'f64' and 'f64' or dtype, state, near.moved(case.x, size, 1000 * k)))
  end, size)
  local most = {}
  for name, n in pairs(noise) do
    local moved, whole = n.moved * (dtype == 'bf16' and size or near.ROUNDING.f32), near.norm(truth[name])
    most[name] = FACTOR[dtype] * (moved + n.plain) + 4 * near.ROUNDING[dtype] * whole + floor_of(truth, name, dtype)
    if dtype == 'bf16' and case.kinks then most[name] = most[name] + TURNED * whole end
  end
  return most
end

local function compare(case, got, truth, most, where, fail)
  for name, wanted in pairs(truth) do
    local off = near.distance(got[name]:to 'f64', wanted)
    if not (off <= most[name]) then
      fail('%s, %s: %s is off by %.3g of %.3g; at most %.3g', case.title, where, name, off, near.norm(wanted),
        most[name])
    end
    local kind = where:match '^%w+' .. name:gsub('%d', '')
    if M.ratio then M.ratio(off / most[name], kind, ('%s, %s: %s'):format(case.title, where, name)) end
    count 'values'
  end
end

local function same(a, b)
  for name, t in pairs(a) do
    if not graphs.same_bits(t, b[name]) then return name end
  end
end

-- do_it() with one thread and with more: the same bits. Returns what it yields.
local function with_threads(case, d, where, fail, do_it)
  local out
  for _, n in ipairs { 1, d:of { 2, 3, 5 } } do
    c.check(C.hz_cpu_set_threads(n))
    local r = do_it()
    out = out or r
    local other = same(out, r)
    if other then fail('%s, %s: %s has other bits with %d threads', case.title, where, other, n) end
  end
  return out
end

-- ---- what a net is asked ----

local kernels = { f32 = { 'wino,few', 'gather,outer', 'ref' },
                  bf16 = { 'wino,few', 'winopairs', 'pairs', 'gather,outer' } }

-- Gradients of a step, fused and not, on a level.
local function ask_step(case, d, level, dtype, truth, most, fail)
  local kernel = d:chance(0.6) and d:of(kernels[dtype]) or nil
  local seen
  for _, fuse in ipairs { true, false } do
    local where = ('%s, %s, %s, %s'):format(dtype, level, kernel or 'chosen', fuse and 'fused' or 'alone')
    graphs.forced(kernel, function()
      local plan = plan_of(case, dtype, { fuse = fuse })
      local got = with_threads(case, d, where, fail, function() return step(case, plan, case.state, case.x) end)
      compare(case, got, truth, most, where, fail)
      local other = seen and same(seen, got)
      if other and case.exact and dtype == 'f32' then
        fail('%s, %s: %s has other bits than fused', case.title, where, other)
      end
      if seen then count(other and 'fused to other bits' or 'fused to the same bits') end
      seen = got
    end)
  end
end

local function set_of(case, d)
  local n = case.batch + d:whole(1, case.batch + 2)
  local shape = { n, unpack(case.nets.f32.input) }
  local items = d:chance(0.5) and tensor.rand(shape, 0, 256, { seed = 9, stream = case.stream + 900 }):floor():to 'u8'
    or tensor.randn(shape, 0, 1, { seed = 9, stream = case.stream + 900 })
  return { items = items, labels = labels_of(d, n, case.classes) }
end

-- The whole set, batch by batch: loss, and the largest probability of each item.
local function ask_evaluation(case, d, fail)
  local set = set_of(case, d)
  local function evaluate(dtype, state, fuse)
    local net = case.nets[dtype == 'f64' and 'f64' or 'f32']
    take(state, net)
    local e = net:plan { data = set, batch = case.batch, dtype = dtype, fuse = fuse }:evaluate()
    return { loss = tensor.from({ e.loss }, 'f64'), confidence = e.confidence }
  end
  local truth = as_f64(evaluate('f64', case.state))
  for _, dtype in ipairs { 'f32', 'bf16' } do
    local most = graphs.forced('ref', function()
      return limits(case, truth, dtype, function(which, state) return evaluate(which, state, false) end)
    end)
    local where = dtype .. ', evaluation of ' .. #set.labels
    local got = with_threads(case, d, where, fail, function() return evaluate(dtype, case.state) end)
    compare(case, got, truth, most, where, fail)
  end
  count 'evaluations'
end

-- Matrices and filters by muon, the rest by sgd.
local function with_muon(net, o)
  local list = {}
  for _, p in ipairs(net:tensors()) do
    if p.trainable and p.tensor.ndim > 1 then list[#list + 1] = '^' .. p.name:gsub('%p', '%%%0') .. '$' end
  end
  o.momentum = 0.5
  if #list == 0 then return hz.sgd(o) end
  return hz.groups { { match = list, hz.muon { rate = o.rate, schedule = o.schedule } }, hz.sgd(o) }
end

-- What is frozen, and an average: nothing, or something of both.
local function more_of(d, net)
  local names, o = {}, {}
  for _, p in ipairs(net:tensors()) do
    if p.trainable then names[#names + 1] = p.name end
  end
  if #names > 1 and d:chance(0.4) then o.frozen = '^' .. d:of(names):gsub('%p', '%%%0') .. '$' end
  if d:chance(0.3) then
    o.average = { kind = d:of { 'ema', 'lookahead' }, every = d:whole(1, 3), decay = d:between(0, 1),
      power = d:of { 0, 2 } }
  end
  return o
end

local function optimizer_of(d)
  local kind = d:of { 'sgd', 'sgd', 'adam', 'adamw', 'adadelta', 'muon' }
  local o = { rate = kind == 'adadelta' and 1 or 10 ^ d:between(-4, -2),
    schedule = d:of { 'constant', 'cosine', 'linear', 'time' }, warmup = d:chance(0.3) and d:whole(1, 3) or 0,
    decay = d:chance(0.3) and d:between(0, 0.01) or 0 }
  if kind == 'sgd' and d:chance(0.6) then o.momentum, o.nesterov = d:between(0.1, 0.95), d:chance(0.5) end
  return kind, o
end

-- Steps over a set with a remainder. Where nothing has a kink and steps are sums of gradients, the truth is known, too.
local function ask_training(case, d, fail)
  local set, kind, o = set_of(case, d), optimizer_of(d)
  local more = more_of(d, case.nets.f32)
  if kind == 'muon' then more.frozen = nil end
  local steps, shift, flip = d:whole(2, 4), d:whole(0, 2), d:chance(0.5)
  local function train(dtype, state, fuse)
    local net = case.nets[dtype == 'f64' and 'f64' or 'f32']
    take(state, net)
    local plan = net:plan { data = set, batch = case.batch, train = true, dtype = dtype, fuse = fuse, seed = 3,
      optimizer = kind == 'muon' and with_muon(net, o) or hz.optimizer(kind, o), total = steps, frozen = more.frozen,
      average = more.average, augment = { shift = shift, flip = flip } }
    for _ = 1, steps do plan:step() end
    local out = {}
    for _, p in ipairs(net:tensors()) do out[p.name] = p.tensor:clone() end
    return out
  end
  for _, dtype in ipairs { 'f32', 'bf16' } do
    local where = ('%s, %d steps of %s'):format(dtype, steps, kind)
    local got = with_threads(case, d, where, fail, function() return train(dtype, case.state) end)
    for name, t in pairs(got) do
      if t:isfinite():min() == 0 then fail('%s, %s: %s is not finite', case.title, where, name) end
    end
    if kind == 'sgd' and dtype == 'f32' and not case.kinks then
      local truth = as_f64(train('f64', case.state))
      local most = graphs.forced('ref', function()
        return limits(case, truth, dtype, function(which, state) return train(which, state, false) end)
      end)
      compare(case, got, truth, most, where, fail)
    end
  end
  count('trainings by ' .. kind)
  if more.frozen then count 'trainings with something frozen' end
  if more.average then count('averages by ' .. more.average.kind) end
end

-- ---- a case ----

-- nil where the layers do not fit together.
local function nets_of(d, fail)
  local list = list_of(d)
  local nets, classes = {}, nil
  for _, dtype in ipairs { 'f64', 'f32' } do
    nets[dtype] = hz.net 'random' (list)
    local ok, e = pcall(function()
      local plan = nets[dtype]:plan { batch = 1, loss = 'xent', train = true, dtype = dtype, keep = true }
      classes = plan:value('logits'):size(2)
    end)
    if not ok then
      count 'refused'
      if not tostring(e):find "^[^ ]* ?net 'random'" then
        fail('%s: refused by: %s', tostring(nets[dtype]), tostring(e))
      end
      return nil
    end
  end
  return nets, classes
end

local function case_of(d, fail)
  local nets, classes = nets_of(d, fail)
  if not nets then return end
  local madds = 0
  for _, row in ipairs(nets.f32:rows()) do madds = madds + row.madds end
  -- Of one row batch norm may have a single number, or gradients that are the same everywhere: only roundings come
  -- back.
  local least = 1
  for _, layer in ipairs(nets.f32.layers) do least = layer.kind == 'norm' and 2 or least end
  local batch = math.max(least, math.min(d:whole(1, 9), math.floor(MOST / (madds + 1))))
  if madds > MOST then count 'too large' return end
  local case = { nets = nets, classes = classes, batch = batch, rows = d:chance(0.5) and batch or d:whole(least, batch),
    smoothing = d:chance(0.3) and 0.1 or 0, stream = 2000 * d:whole(1, 4000), labels = labels_of(d, batch, classes) }
  case.exact = true
  for _, layer in ipairs(nets.f32.layers) do
    -- sums of batch norm are added in another order, and a mean over the image may go before a linear 1x1 layer
    if layer.kind == 'norm' or layer.kind == 'meanpool' then case.exact = false end
  end
  case.title = title_of(nets.f32, batch, case.rows)
  return case
end

-- Numbers, drawn anew while one is near a kink; false if they stay so.
local function fill(case)
  local plan = plan_of(case, 'f64', { keep = true, fuse = false, batch = case.rows })
  for _ = 1, 12 do
    case.stream = case.stream + 2000
    case.state = random_state(case.nets.f32, case.stream)
    case.x = tensor.randn({ case.batch, unpack(case.nets.f32.input) }, 0, 1, { seed = 9, stream = case.stream })
    case.truth = as_f64(step(case, plan, case.state, case.x))
    local is_near, any = near_a_kink(case, plan)
    case.kinks = any
    if not is_near then return true end
  end
end

-- One case. fail(format, ...) records a failure and goes on.
function M.case(d, fail)
  local case = case_of(d, fail)
  if not case then return end
  M.title = case.title
  if not fill(case) then count 'near a kink' return end
  count 'nets'
  local levels = M.levels
  for _, dtype in ipairs { 'f32', 'bf16' } do
    local plans = { f64 = plan_of(case, 'f64', { batch = case.rows, fuse = false }) }
    plans[dtype] = graphs.forced('ref', function() return plan_of(case, dtype, { batch = case.rows, fuse = false }) end)
    local most = limits(case, case.truth, dtype, function(which, state, x)
      return step(case, plans[which], state, x)
    end)
    for _, level in ipairs(levels) do
      c.check(C.hz_cpu_set_isa(level))
      ask_step(case, d, level, dtype, case.truth, most, fail)
    end
  end
  c.check(C.hz_cpu_set_isa(d:of(levels)))
  if d:chance(0.3) then ask_evaluation(case, d, fail) end
  if d:chance(0.3) then ask_training(case, d, fail) end
end

return M
