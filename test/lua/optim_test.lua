-- optim_test.lua: groups of parameters with rates of their own, muon against its formula in double, schedules, frozen
-- parameters, averages of weights; and that a training with all of them yields the same bits for any number of threads,
-- and after any interruption.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local json = require 'hz.base.json'
local C = c.C
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local l = hz.layers

local function most(x) return x:abs():max() end

-- ---- schedules ----

local function rates(o, total, ...)
  local opt, out = hz.sgd(o), {}
  for i, step in ipairs { ... } do out[i] = opt:rate_at(step, total) end
  return out
end

local function near(got, wanted)
  t.equal(#got, #wanted)
  for i, w in ipairs(wanted) do t.near(got[i], w, 1e-12, 'number ' .. i) end
end

t.case('schedules: an end above 0', function()
  near(rates({ rate = 2, schedule = 'linear', final = 0.1 }, 100, 0, 50, 100, 200), { 2, 1.1, 0.2, 0.2 })
  near(rates({ rate = 2, schedule = 'linear', final = 0.5, warmup = 10 }, 110, 0, 4, 9, 10, 60), { 0.2, 1, 2, 2, 1.5 })
  near(rates({ rate = 2, schedule = 'cosine', final = 0.5 }, 100, 0, 50, 100), { 2, 1.5, 1 })
end)

-- As numpy.interp over (0, int(peak*total), total) has them.
t.case('schedules: triangle', function()
  local o = { rate = 10, schedule = 'triangle', start = 0.2, peak = 0.23, final = 0.07 }
  near(rates(o, 200, 0, 23, 46, 123, 200, 300), { 2, 6, 10, 5.35, 0.7, 0.7 })
  near(rates({ rate = 1, schedule = 'triangle' }, 10, 0, 1, 5, 9, 10), { 0, 0.2, 1, 0.2, 0 })
  near(rates({ rate = 1, schedule = 'triangle', peak = 0 }, 10, 0, 5), { 1, 0.5 })
  near(rates({ rate = 1, schedule = 'triangle', peak = 1 }, 10, 0, 5, 10), { 0, 0.5, 1 })
end)

t.case('schedules: what stops early is 0 from there on', function()
  near(rates({ rate = 1, schedule = 'linear', stop = 0.375 }, 200, 0, 25, 74, 75, 76, 199),
    { 1, 2 / 3, 1 / 75, 0, 0, 0 })
  near(rates({ rate = 1, schedule = 'linear', stop = 0.5, final = 0.2 }, 10, 4, 5, 6), { 0.36, 0, 0 })
  near(rates({ rate = 1, stop = 0.5 }, 10, 0, 4, 5, 9), { 1, 1, 0, 0 })
end)

t.case('groups whose rate stays 0 are told from those whose rate is 0 for a moment', function()
  local stops = { rate = 1, momentum = 0.5, schedule = 'linear', stop = 0.5 }
  local o = hz.groups { { match = 'beta$', hz.sgd { schedule = 'triangle' } }, { match = 'bias$', hz.sgd(stops) },
    { match = 'head', hz.adam {} }, hz.sgd(stops) }
  for _, row in ipairs { { 0, 0 }, { 4, 0 }, { 5, 10 }, { 9, 10 } } do
    local _, resting = o:rates(row[1], 10)
    t.equal(resting, row[2], row[1])
  end
  local _, one = hz.sgd(stops):rates(5, 10)
  t.equal(one, 1)
end)

t.case('a group at rest keeps weights and state; the others learn on', function()
  local set = hz.data('camera', { split = 'train', train = 40, test = 10 })
  local l, kind = hz.layers, os.getenv 'HZ_DEVICE' or 'cpu'
  local net = hz.net 'n' { input = { 32, 32, 3 }, l.conv{4, 3, name='a'}, l.relu, l.conv{4, 3, name='b'}, l.relu,
    l.meanpool, l.dense{10} }
  local stops = hz.sgd { rate = 0.1, momentum = 0.9, schedule = 'linear', stop = 0.5 }
  local o = hz.groups { { match = '^a%.', stops }, hz.sgd { rate = 0.1, momentum = 0.9 } }
  local plan = net:init { seed = 1 }:plan { batch = 20, train = true, data = set, optimizer = o, total = 4 }
  local function sums()
    local list = {}
    for _, p in ipairs(net:tensors()) do
      list[p.name] = tostring(p.tensor:sum())
      list[p.name .. '.velocity'] = tostring(o.state[p.name .. '.velocity']:sum())
    end
    return list
  end
  local before = sums()
  for step = 1, 4 do
    plan:step()
    local now = sums()
    local function moves(name, wanted) t.equal(now[name] ~= before[name], wanted, name .. ', step ' .. step) end
    moves('a.weight', step <= 2)
    if kind == 'cpu' or kind == 'far' then moves('a.weight.velocity', step <= 2) end       -- a card replays the step
    moves('b.weight', true)
    moves('b.weight.velocity', true)
    before = now
  end
end)

t.case('schedules: what settles stays at its end from there on', function()
  near(rates({ rate = 1, schedule = 'linear', settle = 0.75, final = 0.1 }, 200, 0, 75, 150, 151, 199),
    { 1, 0.55, 0.1, 0.1, 0.1 })
  near(rates({ rate = 2, schedule = 'cosine', settle = 0.5, warmup = 10 }, 100, 0, 9, 30, 50, 99),
    { 0.2, 2, 1, 0, 0 })
  near(rates({ rate = 1, schedule = 'triangle', settle = 0.5, final = 0.5 }, 20, 0, 5, 10, 19), { 0, 1, 0.5, 0.5 })
end)

t.case('schedules: what goes by the end needs it', function()
  for _, o in ipairs { { schedule = 'triangle' }, { schedule = 'linear' }, { stop = 0.5 } } do
    t.raises('needs total=STEPS', function() hz.sgd(o):check_total() end)
    t.raises('needs total=STEPS', function() hz.groups { hz.sgd(o) }:check_total() end)
    hz.sgd(o):check_total(3)
  end
  hz.groups { hz.sgd() }:check_total()
end)

for _, row in ipairs {
  { { final = 0.1 }, "sgd: final is 0.10000000000000001; schedule 'constant' has no final" },
  { { schedule = 'linear', start = 0.1 }, "schedule 'linear' has no start" },
  { { schedule = 'linear', final = -1 }, 'sgd: final is -1; needs a share of the rate' },
  { { schedule = 'triangle', peak = 2 }, 'sgd: peak is 2; needs a share of the training' },
  { { settle = 0.5 }, "schedule 'constant' has no settle" },
  { { schedule = 'cosine', settle = 1.5 }, 'sgd: settle is 1.5; needs a share of the training' },
  { { stop = 0 }, 'sgd: stop is 0; needs a share of the training' },
  { { schedule = 'triangel' }, "did you mean 'triangle'" },
} do
  t.case('schedules: ' .. row[2], function() t.raises(row[2], hz.sgd, row[1]) end)
end

t.case('records: settings that came later stand there where they differ', function()
  t.equal(json.encode(hz.sgd { rate = 0.1 }:describe()), '{"decay":0,"kind":"sgd","momentum":0,"nesterov":false,'
    .. '"rate":0.1,"schedule":"constant","time_decay":1e-06,"warmup":0}')
  t.equal(json.encode(hz.sgd { decoupled = true, schedule = 'linear', final = 0.5, stop = 0.25 }:describe()),
    '{"decay":0,"decoupled":true,"final":0.5,"kind":"sgd","momentum":0,"nesterov":false,"rate":0.01,'
    .. '"schedule":"linear","stop":0.25,"time_decay":1e-06,"warmup":0}')
  local groups = hz.groups { { match = 'bias$', hz.sgd() }, hz.muon { iterations = 5 } }:describe()
  t.equal({ groups.kind, #groups.groups, groups.groups[1].match, groups.groups[2].match }, { 'groups', 2, { 'bias$' } })
  t.equal({ groups.groups[1].optimizer.kind, groups.groups[2].optimizer.iterations }, { 'sgd', 5 })
end)

-- ---- muon ----

-- One update in double, by hz.matmul: the paper's, whose polynomial is taken of G G^T whichever is larger.
local function muon(p, g, o, rate)
  local rows = p:size(1)
  local m = g:reshape { rows, -1 }
  local x = m / (math.sqrt((m * m):sum()) + o.epsilon)
  for _ = 1, o.iterations do
    local a = hz.matmul(x, x:transpose())
    x = x * 3.4445 + hz.matmul(a * -4.775 + hz.matmul(a, a) * 2.0315, x)
  end
  if o.renormalise then p = p * (math.sqrt(rows) / math.sqrt((p * p):sum())) end
  return p * (1 - rate * o.decay) - x:reshape(p:size()) * rate
end

-- A layer's weights after a few steps, and what the formula makes of the gradients; rate r.
local function muon_steps(layer, input, o, r)
  local net = hz.net 'm' { layer, l.flatten, l.dense { 3 }, input = input }:init { seed = 3 }
  local x, labels = hz.rand({ 6, unpack(input) }, -1, 1, { seed = 2 }), hz.tensor({ 0, 1, 2, 0, 1, 2 }, 'i32')
  o.rate = r
  local plan = net:plan { batch = 6, train = true, loss = 'xent', optimizer = hz.groups {
    { match = '^' .. net.names[1] .. '%.weight$', hz.muon(o) }, hz.sgd { rate = 0.1 } } }
  local w, velocity = net.parameters[net.names[1] .. '.weight'], nil
  local wanted = w:to 'f64'
  for _ = 1, 3 do
    local look = net:plan { batch = 6, train = true, loss = 'xent' }
    look:write(x, labels):step()
    local g = look:gradient(net.names[1] .. '.weight'):to 'f64'
    velocity = velocity and velocity * o.momentum + g or g:clone()
    wanted = muon(wanted, o.nesterov and g + velocity * o.momentum or velocity, o, r)
    plan:write(x, labels):step()
  end
  return w:to 'f64', wanted
end

for _, row in ipairs {
  { 'wide', l.conv { 5, 3 }, { 6, 6, 3 }, {} }, { 'tall', l.conv { 40, 2 }, { 5, 5, 2 }, {} },
  { 'a matrix', l.dense { 9 }, { 30 }, { nesterov = false, momentum = 0.9, iterations = 5 } },
  { 'decay', l.conv { 5, 3 }, { 6, 6, 3 }, { renormalise = false, decay = 0.1 } },
} do
  t.case('muon: three steps by the formula: ' .. row[1], function()
    local o = { momentum = 0.6, nesterov = true, iterations = 3, renormalise = true, epsilon = 1e-7, decay = 0 }
    for k, v in pairs(row[4]) do o[k] = v end
    local got, wanted = muon_steps(row[2], row[3], o, 0.24)
    t.ok(most(got - wanted) < 2e-5 * most(wanted), most(got - wanted))
  end)
end

t.case('muon: parameters that are no matrix need another group', function()
  t.raises("'conv1.bias' is (8); muon needs a matrix or filters: another group for it", function()
    tiny.net():plan { batch = 2, train = true, loss = 'xent', optimizer = hz.muon() }
  end)
  t.raises('muon: iterations is 0', hz.muon, { iterations = 0 })
  t.raises('muon: epsilon is 0', hz.muon, { epsilon = 0 })
end)

-- ---- groups ----

local function small()
  return hz.net 's' { l.conv { 4, 3 }, l.norm, l.relu, l.conv { 6, 3 }, l.meanpool, l.dense { 4 }, input = { 6, 6, 3 } }
    :init { seed = 1 }
end

local function step(net, optimizer, more)
  local o = { batch = 44, train = true, data = tiny.set(44, 1), optimizer = optimizer, seed = 1, total = 10 }
  for k, v in pairs(more or {}) do o[k] = v end
  local plan = net:plan(o)
  plan:step()
  return plan
end

local function copies(net)
  local out = {}
  for name, x in pairs(net:state()) do out[name] = x:clone() end
  return out
end

t.case('groups: one group is the optimiser itself, to the bit', function()
  local a, b = small(), small()
  local o = { rate = 0.1, momentum = 0.9, nesterov = true, decay = 0.01, schedule = 'cosine' }
  step(a, hz.sgd(o))
  local groups = hz.groups { hz.sgd(o) }
  step(b, groups)
  for name, x in pairs(a:state()) do t.equal(most(x - b:state()[name]), 0, name) end
  t.ok(groups.state['conv1.weight.velocity'])
end)

t.case('groups: each parameter goes by the first that matches', function()
  local net = small()
  local look = net:plan { batch = 44, train = true, data = tiny.set(44, 1), seed = 1 }
  look:step()
  local before, gradients = copies(net), {}
  for _, p in ipairs(net:tensors()) do
    if p.trainable then gradients[p.name] = look:gradient(p.name):clone() end
  end
  net:assign(before)
  local groups = hz.groups { { match = '^conv1', hz.sgd { rate = 0.5 } }, { match = { 'bias$', '^norm' },
    hz.sgd { rate = 0.25, momentum = 0.5 } }, hz.sgd { rate = 0.125 } }
  step(net, groups)
  for name, g in pairs(gradients) do
    local rate = name:find '^conv1' and 0.5 or (name:find 'bias$' or name:find '^norm') and 0.25 or 0.125
    t.ok(most(before[name] - net:state()[name] - g * rate) <= 1e-6, name)
    t.equal(groups.state[name .. '.velocity'] ~= nil, rate == 0.25, name)
  end
end)

for _, row in ipairs {
  { 'no list', { 3 }, 'groups: group 1: number was given' },
  { 'empty', {}, 'groups: 0 were given; needs a list of 1..16 groups' },
  { 'no optimiser', { { match = 'x' } }, 'group 1 has nil; needs an optimiser made by hz.sgd' },
  { 'within each other', { { hz.groups { hz.sgd() } } }, 'group 1 has groups; needs an optimiser' },
  { 'two rests', { hz.sgd(), hz.adam() }, 'group 1 of 2 has no match and takes all that is left' },
  { 'misspelt', { { mach = 'x', hz.sgd() } }, "did you mean 'match'" },
  { 'malformed', { { match = '[', hz.sgd() } }, "match is '[': malformed pattern" },
  { 'no text', { { match = { 'a', 3 }, hz.sgd() } }, 'match[2] is 3; needs a pattern of names' },
} do
  t.case('groups: refused: ' .. row[1], function() t.raises(row[3], hz.groups, row[2]) end)
end

for _, row in ipairs {
  { 'no parameter', { { match = '^cnv', hz.sgd() }, hz.sgd() }, nil,
    "group 1: '^cnv' matches no parameter; have conv1.weight conv1.bias norm1.gamma norm1.beta" },
  { 'one of two patterns', { { match = { '^conv', '^cnv' }, hz.sgd() }, hz.sgd() }, nil,
    "'^cnv' matches no parameter" },
  { 'nothing left', { { match = 'bias$', hz.sgd() }, { match = '^conv1.bias', hz.sgd() }, hz.sgd() }, nil,
    "group 2: all that '^conv1.bias' matches is frozen or in a group before it" },
  { 'frozen', { { match = '^conv1', hz.sgd() }, hz.sgd() }, '^conv1', "all that '^conv1' matches is frozen" },
  { 'no rest', { { match = '^conv', hz.sgd() } }, nil,
    'norm1.gamma norm1.beta dense1.weight dense1.bias: in no group; needs a last one without match, or frozen' },
} do
  t.case('groups: a net that they do not fit: ' .. row[1], function()
    t.raises(row[4], step, small(), hz.groups(row[2]), { frozen = row[3] })
  end)
end

-- ---- frozen ----

t.case('frozen: nothing moves, has state, or is computed for it; all is counted', function()
  local net, optimizer = small(), hz.adam { rate = 0.1, decay = 0.1 }
  local before, all = copies(net), { net:count() }
  local plan = step(net, optimizer, { frozen = { '^conv1', 'gamma$' } })
  for name, x in pairs(net:state()) do
    local held = name:find '^conv1' or name:find 'gamma$'
    t.equal(most(x - before[name]) == 0, held ~= nil, name)
    t.equal(optimizer.state[name .. '.m'] == nil, held ~= nil or name:find 'mean$' ~= nil
      or name:find 'variance$' ~= nil, name)
  end
  for _, node in ipairs(plan:nodes()) do
    t.ok(node.layer ~= 'conv1' or not node.op:find '^conv2d_dw' and node.op ~= 'adam', node.op)
  end
  t.equal({ net:count() }, all)
end)

t.case('frozen: of a layer with frozen weights the bias is trained as ever', function()
  local a, b = small(), small()
  step(a, hz.sgd { rate = 0.1 })
  local plan = step(b, hz.sgd { rate = 0.1 }, { frozen = 'weight$' })
  for _, name in ipairs { 'conv1.bias', 'conv2.bias', 'dense1.bias', 'norm1.beta' } do
    t.ok(most(a:state()[name] - b:state()[name]) <= 1e-6, name)
    t.ok(most(b:state()[name]) > 0, name)
  end
  for _, node in ipairs(plan:nodes()) do t.ok(not node.op:find '_dw', node.layer) end
end)

t.case('frozen: a pattern that matches nothing', function()
  t.raises("net 's': frozen: '^c0' matches no parameter; have conv1.weight", step, small(), hz.sgd(),
    { frozen = '^c0' })
  t.raises('plan: frozen is 3; needs a pattern of names', step, small(), hz.sgd(), { frozen = 3 })
end)

-- ---- averages ----

t.case('averages: ema by the formula; what is scored and kept is the average', function()
  local a = tiny.training { average = { kind = 'ema', decay = 0.75, every = 2 } }
  local mean = copies(a.net)
  local done, last = 0, nil
  local function count()
    done, last = done + 1, copies(a.net)
    if done % 2 == 0 then
      for name, x in pairs(last) do mean[name] = mean[name] * 0.75 + x * 0.25 end
    end
  end
  a.on_step, a.on_epoch = count, count
  local result = hz.train(a)
  local apart = 0
  for name, x in pairs(a.net:state()) do
    t.ok(most(x - mean[name]) <= 2e-6 * math.max(1, most(x)), name)
    apart = math.max(apart, most(x - last[name]))
  end
  t.ok(apart > 1e-3, 'the average is not what was trained')
  local again = a.net:plan { data = a.test, batch = 20, mean = a.mean, deviation = a.deviation }:evaluate()
  t.equal({ result.test.accuracy, result.test.loss }, { again.accuracy, again.loss })
  t.near(result.curve[3].watch_loss, again.loss, 1e-6)
end)

t.case('averages: lookahead goes on from the average, and ends in it', function()
  local o = { kind = 'lookahead', every = 2, decay = 0.6, power = 3 }
  local net, other = small(), small()
  local set, total = tiny.set(44, 1), 5
  local with = hz.sgd { rate = 0.1, momentum = 0.5 }
  local plan = net:plan { batch = 44, train = true, data = set, optimizer = with, seed = 1, total = total, average = o }
  local plain = other:plan { batch = 44, train = true, data = set, optimizer = hz.sgd { rate = 0.1, momentum = 0.5 },
    seed = 1, total = total }
  local mean = copies(other)
  for n = 1, total do
    plan:step()
    plain:step()
    local keep = n % 2 == 0 and 0.6 * (n / total) ^ 3 or n == total and 1
    if keep then
      for name, x in pairs(other:state()) do
        mean[name] = mean[name] * keep + x * (1 - keep)
        x:copy(mean[name])
      end
    end
    for name, x in pairs(net:state()) do
      t.ok(most(x - other:state()[name]) <= 1e-5 * math.max(1, most(x)), ('%s, step %d'):format(name, n))
    end
  end
end)

for _, row in ipairs {
  { 'ema', "average is 'ema'; needs {kind='ema' or 'lookahead'" }, { { kind = 'emma' }, "kind is 'emma'; have ema" },
  { { kind = 'ema', every = 0.5 }, 'every is 0.5; needs a whole number' },
  { { kind = 'ema', decay = 2 }, 'decay is 2' },
  { { kind = 'ema', evry = 2 }, "did you mean 'every'" },
} do
  t.case('averages: refused: ' .. row[2], function()
    t.raises(row[2], step, small(), hz.sgd(), { average = row[1] })
  end)
end

t.case('averages: what goes by the end needs it', function()
  t.raises('average: it goes by the end of the training; needs total=STEPS', function()
    small():plan { batch = 2, train = true, loss = 'xent', optimizer = hz.sgd(), average = { kind = 'lookahead' } }
  end)
end)

-- ---- whole trainings ----

local function train(kind, o)
  local a = tiny.training(tiny.recipe(kind, o))
  return tiny.digest(a, hz.train(a))
end

for _, kind in ipairs { 'ema', 'lookahead' } do
  t.case('a training with all of it: the same bits for 1, 2, 3 and 5 threads, ' .. kind, function()
    local before, first = C.hz_cpu_threads(), nil
    for _, n in ipairs { 1, 2, 3, 5 } do
      c.check(C.hz_cpu_set_threads(n))
      local ok, digest = pcall(train, kind)
      C.hz_cpu_set_threads(before)
      t.ok(ok, digest)
      first = first or digest
      t.equal(digest, first, n .. ' threads')
    end
  end)

  t.case('a training with all of it: killed and resumed: the same bits, ' .. kind, function()
    local d = t.folder()
    local script = t.here .. 'tiny.lua'
    local status, whole, err = t.run { script, d .. '/whole', 0, kind }
    t.equal(status, 0, err)
    for _, kills in ipairs { { 4 }, { 3, 5 }, { 1, 4, 1 } } do
      local resume = d .. '/' .. #kills
      for _, at in ipairs(kills) do t.equal((t.run { script, resume, at, kind }), 128 + 9) end
      local _, out = t.run { script, resume, 0, kind }
      t.equal(out, whole, 'killed ' .. #kills .. ' times')
    end
  end)
end

t.case('keys: frozen and average stand there where they are given', function()
  local training = require 'hz.net.training'
  local function key(o)
    o.epochs, o.optimizer, o.seed = 1, hz.sgd(), 1
    return json.encode(training.new('test', o):decides())
  end
  t.ok(not key {}:find 'frozen' and not key {}:find 'average')
  t.match(key { frozen = '^a' }, '"frozen":%["^a"%]')
  t.equal(key { frozen = { '^a' } }, key { frozen = '^a' })
  t.match(key { average = { kind = 'ema' } }, '"average":{"decay":0.999,"every":1,"kind":"ema","power":0}')
end)
