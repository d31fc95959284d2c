-- update_test.lua: the optimisers of the core against their formulas written out in Lua, in double.
local t = ...
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local C, ffi = c.C, c.ffi
local DEVICE = require 'hz.net.plan'.default_device()

-- p (parameter), g (gradient), s (state tensors of one element), o (attributes), rate, n (steps done before, counts
-- from 0). Each returns the new p; state is a table that stays.
local formulas = {
  sgd = function(p, g, s, o, rate)
    if o.decoupled == 1 then p = p - rate * o.decay * p else g = g + o.decay * p end
    if o.momentum == 0 then return p - rate * g end
    s[1] = o.momentum * s[1] + g
    return p - rate * (o.nesterov == 1 and g + o.momentum * s[1] or s[1])
  end,
  adam = function(p, g, s, o, rate, n)
    g = g + o.decay * p
    s[1], s[2] = o.beta1 * s[1] + (1 - o.beta1) * g, o.beta2 * s[2] + (1 - o.beta2) * g * g
    local m, v = s[1] / (1 - o.beta1 ^ (n + 1)), s[2] / (1 - o.beta2 ^ (n + 1))
    return p - rate * m / (math.sqrt(v) + o.epsilon)
  end,
  adamw = function(p, g, s, o, rate, n)
    p = p - rate * o.decay * p
    s[1], s[2] = o.beta1 * s[1] + (1 - o.beta1) * g, o.beta2 * s[2] + (1 - o.beta2) * g * g
    local m, v = s[1] / (1 - o.beta1 ^ (n + 1)), s[2] / (1 - o.beta2 ^ (n + 1))
    return p - rate * m / (math.sqrt(v) + o.epsilon)
  end,
  adadelta = function(p, g, s, o, rate)
    g = g + o.decay * p
    s[1] = o.beta1 * s[1] + (1 - o.beta1) * g * g
    local d = math.sqrt(s[2] + o.epsilon) / math.sqrt(s[1] + o.epsilon) * g
    s[2] = o.beta1 * s[2] + (1 - o.beta1) * d * d
    return p - rate * d
  end,
}

-- op, attributes, number of state tensors, rate. The attributes are stored as f32, so the formula gets them rounded. A
-- zero is a value like any other.
local rows = {
  { 'sgd', { momentum = 0, decay = 0 }, 0, 0.1 },
  { 'sgd', { momentum = 0, decay = 0.01 }, 0, 0.1 },
  { 'sgd', { momentum = 0.9, decay = 0 }, 1, 0.01 },
  { 'sgd', { momentum = 0.9, nesterov = 1, decay = 0 }, 1, 0.01 },
  { 'sgd', { momentum = 0.5, nesterov = 1, decay = 0.1 }, 1, 0.05 },
  { 'sgd', { momentum = 0.5, nesterov = 1, decay = 0.1, decoupled = 1 }, 1, 0.05 },
  { 'sgd', { momentum = 0, decay = 0.1, decoupled = 1 }, 0, 0.05 },
  { 'adam', { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0 }, 2, 0.001 },
  { 'adam', { beta1 = 0.8, beta2 = 0.95, epsilon = 1e-3, decay = 0.1 }, 2, 0.1 },
  { 'adam', { beta1 = 0, beta2 = 0.999, epsilon = 1e-8, decay = 0 }, 2, 0.001 },
  { 'adam', { beta1 = 0.9, beta2 = 0, epsilon = 1e-8, decay = 0 }, 2, 0.001 },
  { 'adam', { beta1 = 0.9, beta2 = 0.999, epsilon = 0, decay = 0 }, 2, 0.001 },
  { 'adamw', { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0 }, 2, 0.001 },
  { 'adamw', { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0.1 }, 2, 0.01 },
  { 'adamw', { beta1 = 0, beta2 = 0, epsilon = 0, decay = 0.1 }, 2, 0.01 },
  { 'adadelta', { beta1 = 0.95, epsilon = 1e-7, decay = 0 }, 2, 1 },
  { 'adadelta', { beta1 = 0.9, epsilon = 1e-6, decay = 0.1 }, 2, 0.5 },
  { 'adadelta', { beta1 = 0, epsilon = 1e-7, decay = 0 }, 2, 1 },
}

local COUNT, STEPS = 37, 12
local function rounded(x) return tonumber(ffi.new('float', x)) end

-- Parameters after every step as hz computes them; the gradient of step n is row n of `gradients`.
local function by_core(row, dtype, start, gradients)
  local attr = ffi.new 'hz_attr'
  for k, v in pairs(row[2]) do attr.optim[k] = v end
  local g = C.hz_graph_new 'test'
  local p, dp, inputs, state = start:to(dtype), tensor.zeros({ COUNT }, dtype), ffi.new 'int32_t[6]', {}
  inputs[0], inputs[1] = C.hz_graph_bind(g, 'p', p, 0), C.hz_graph_bind(g, 'dp', dp, 0)
  for i = 1, row[3] do
    state[i] = tensor.zeros({ COUNT }, dtype)
    inputs[1 + i] = C.hz_graph_bind(g, 'state' .. i, state[i], 0)
  end
  c.index(C.hz_graph_add(g, row[1], 'update', attr, inputs, 2 + row[3]))
  local handle = c.own_taking(C.hz_plan_new, C.hz_plan_free, g, ffi.new('hz_plan_options', { device = DEVICE }))
  for n = 0, STEPS - 1 do
    dp:copy(gradients[n + 1])
    c.check(C.hz_plan_run(handle, 0, -1, ffi.new('hz_step', { count = 1, step = n, rate = row[4] })))
  end
  return p
end

local function by_formula(row, start, gradients)
  local o, f, out = {}, formulas[row[1]], tensor.zeros({ COUNT }, 'f64')
  for k, v in pairs(row[2]) do o[k] = (k == 'nesterov' or k == 'decoupled') and v or rounded(v) end
  for i = 1, COUNT do
    local p, s = start[i], { 0, 0 }
    for n = 0, STEPS - 1 do p = f(p, gradients[n + 1][i], s, o, rounded(row[4]), n) end
    out[i] = p
  end
  return out
end

for _, row in ipairs(rows) do
  local words = {}
  for k, v in pairs(row[2]) do words[#words + 1] = k .. '=' .. v end
  table.sort(words)
  t.case(('%s %s: %d steps by the formula'):format(row[1], table.concat(words, ' '), STEPS), function()
    local start = tensor.randn({ COUNT }, 0, 1, { seed = 1, stream = 1 })
    local gradients = tensor.randn({ STEPS, COUNT }, 0, 0.5, { seed = 1, stream = 2 })
    local truth = by_formula(row, start, gradients)
    t.near((by_core(row, 'f64', start, gradients) - truth):abs():max(), 0, 1e-12, 'f64')
    t.near((by_core(row, 'f32', start, gradients):to 'f64' - truth):abs():max(), 0, 5e-6, 'f32')
  end)
end

-- ---- schedules, as the plan asks for them ----

t.case('schedules', function()
  local hz = require 'hz'
  local function rates(o, total, ...)
    local opt, out = hz.sgd(o), {}
    for i, step in ipairs { ... } do out[i] = opt:rate_at(step, total) end
    return out
  end
  local function near(got, wanted)
    for i, w in ipairs(wanted) do t.near(got[i], w, 1e-12) end
  end
  near(rates({ rate = 0.1 }, 100, 0, 50, 1000), { 0.1, 0.1, 0.1 })
  near(rates({ rate = 1, schedule = 'linear' }, 100, 0, 25, 100, 200), { 1, 0.75, 0, 0 })
  near(rates({ rate = 2, schedule = 'cosine' }, 100, 0, 25, 50, 100, 500), { 2, 1 + math.cos(math.pi / 4), 1, 0, 0 })
  near(rates({ rate = 0.01, schedule = 'time' }, 100, 0, 1000000), { 0.01, 0.005 })
  near(rates({ rate = 1, warmup = 4 }, 100, 0, 1, 3, 4, 5), { 0.25, 0.5, 1, 1, 1 })
end)
