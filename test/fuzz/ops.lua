-- ops.lua: one random op at a time, with random shapes and attributes, against the plain loops in double: every kernel
-- of every vector level, activations stored as f32 and as bf16, 1, 2, 3 and 5 threads (the same bits), all rows and
-- fewer (the others stay as they were).
local graphs, near, count = ...          -- count(kind): adds one to a line of the summary
local c = require 'hz.c'
local C, ffi = c.C, c.ffi

local M = {}

-- Multiply-adds of a row, which the plain loops in double see a dozen times; of some more, so that sums over tiles take
-- several slots.
local MOST, LARGE = 4e5, 2.5e7

-- ---- random rows, as test/ops.lua has them ----

local acts = { 'relu', 'elu', 'gelu', 'leaky', 'tanh', 'sigmoid', 'scale' }
local kinked = { relu = true, leaky = true, elu = true }
local function act_of(d) return d:chance(0.5) and d:of(acts) or nil end

-- A zero is a value, too.
local function at_times_zero(d, a, b) return d:chance(0.1) and 0 or d:between(a, b) end
local function alpha_of(d) return d:chance(0.5) and at_times_zero(d, 0.05, 1.5) or nil end

-- A window that fits, or with a small chance one that does not: shape inference has to say so. Returns it and the
-- extents of an image, up to `room` larger.
local function window(d, most, room)
  local square = d:chance(room > 13 and 0.9 or 0.5)
  local kh = square and 3 or d:whole(1, most)
  local kw = square and 3 or d:whole(1, most)
  local sh = d:chance(0.6) and 1 or d:whole(1, 4)
  local sw = d:chance(0.7) and sh or d:whole(1, 4)
  local pad = d:of { 'same', 'valid' }
  local low = d:chance(0.03) and 1 or nil
  return { kh = kh, kw = kw, sh = sh, sw = sw, pad = pad }, d:whole(low or kh, kh + room), d:whole(low or kw, kw + room)
end

local makers = {}

function makers.conv2d(d)
  local large = d:chance(0.08)
  local a, h, w = window(d, 6, large and 36 or 13)
  local n, ci, co = d:whole(1, 6), d:channels(), d:channels()
  if large then n, ci, co = d:whole(6, 24), d:of { 4, 5, 8, 16, 17 }, d:of { 4, 7, 8, 16, 19 } end
  while n * h * w * ci * co * a.kh * a.kw / (a.sh * a.sw) > (large and LARGE or MOST) do
    if n > 1 and d:chance(0.5) then n = n - 1
    elseif d:chance(0.5) then ci = math.ceil(ci * 0.7)
    else co = math.ceil(co * 0.7) end
    if h > a.kh then h = h - 1 end
  end
  local inputs = { { n, h, w, ci }, { co, a.kh, a.kw, d:chance(0.01) and ci + 1 or ci } }
  if d:chance(0.7) then inputs[3] = { co } end
  return { inputs = inputs, attr = a, act = act_of(d), large = large }
end

function makers.dense(d)
  local n, k, units = d:whole(1, 40), d:whole(1, 300), d:chance(0.2) and 1 or d:whole(1, 150)
  local inputs = { { n, k }, { units, k } }
  if d:chance(0.7) then inputs[3] = { units } end
  return { inputs = inputs, attr = {}, act = act_of(d) }
end

-- An activation of two, three or four dimensions.
local function shape_of(d)
  local n = d:whole(1, 6)
  return d:of { { n, d:whole(1, 120) }, { n, d:whole(1, 9), d:whole(1, 17) },
                { n, d:whole(1, 9), d:whole(1, 9), d:channels(40) } }
end

function makers.act(d) return { inputs = { shape_of(d) }, attr = { act = d:of(acts), alpha = alpha_of(d) } } end
function makers.add(d)
  local s = shape_of(d)
  return { inputs = { s, s }, attr = {}, act = act_of(d) }
end
function makers.flatten(d) return { inputs = { shape_of(d) }, attr = {}, act = act_of(d) } end
function makers.softmax(d) return { inputs = { { d:whole(1, 9), d:whole(1, 150) } }, attr = {} } end

function makers.dropout(d)
  local s = shape_of(d)
  return { inputs = { s, { s[1] } }, act = act_of(d),
    attr = { rate = d:chance(0.02) and 1 or d:between(0, 0.95), layer = d:whole(0, 20) } }
end

local function pool(d)
  local a, h, w = window(d, 5, 13)
  return { inputs = { { d:whole(1, 4), h, w, d:channels() } }, attr = a, act = act_of(d) }
end
makers.maxpool, makers.avgpool = pool, pool

function makers.meanpool(d)
  return { inputs = { { d:whole(1, 5), d:whole(1, 9), d:whole(1, 9), d:channels() } }, attr = {}, act = act_of(d) }
end

function makers.norm(d)
  local s = shape_of(d)
  s[1] = s[1] + 1
  local axis = d:chance(0.5) and 0 or d:whole(1, #s - 1)
  local n = s[axis == 0 and #s or axis + 1]
  local frozen = d:chance(0.2)
  return { inputs = { s, { n }, { n }, { n }, { n } }, no_grad = frozen, act = act_of(d),
    attr = { axis = axis, epsilon = 10 ^ d:between(-5, -1), momentum = at_times_zero(d, 0.01, 0.999),
      frozen = frozen and 1 or 0 } }
end

function makers.xent(d)
  local n = d:whole(1, 40)
  return { inputs = { { n, d:whole(2, 150) }, { n } }, attr = { smoothing = d:chance(0.5) and d:between(0, 0.9) or 0 } }
end

function makers.input(d)
  local items = d:whole(1, 40)
  local image, bytes = d:chance(0.7), d:chance(0.6)
  local s = image and { items, d:whole(1, 12), d:whole(1, 12), d:whole(1, 4) } or { items, d:whole(1, 40) }
  local a = { shuffle = d:whole(0, 1), scale = d:chance(0.3) and d:between(0.1, 3) or nil, mean = {}, deviation = {} }
  for i = 1, 4 do a.mean[i], a.deviation[i] = d:between(-1, 1), d:between(0.1, 2) end
  if image then
    a.shift_y, a.shift_x = d:whole(0, s[2] - 1), d:whole(0, s[3] - 1)
    a.flip, a.fill = d:whole(0, 2), d:whole(0, 1)
  end
  return { inputs = { s, { items } }, attr = a, no_grad = true, bytes = bytes, batch = d:whole(1, items) }
end

local function update(states, muon)
  return function(d)
    local s = muon and d:of { { d:whole(1, 90), d:whole(1, 90) }, { d:whole(1, 40), 3, 3, d:channels(20) } }
      or d:of { { d:whole(1, 200) }, { d:whole(1, 12), d:whole(1, 20) }, { d:whole(1, 9), 3, 3, d:channels(20) } }
    local attr = { decay = d:chance(0.5) and d:between(0, 0.1) or 0 }
    local inputs = { s, s }
    for i = 1, states do inputs[2 + i] = s end
    if states == 2 then
      attr.beta1, attr.beta2 = at_times_zero(d, 0.1, 0.99), at_times_zero(d, 0.5, 0.9999)
      attr.epsilon = 10 ^ d:between(-8, -3)
    elseif d:chance(0.7) then
      attr.momentum, attr.nesterov, inputs[3] = d:between(0.05, 0.99), d:whole(0, 1), s
    end
    if muon then attr.epsilon, attr.iterations, attr.renormalise = 1e-7, d:whole(1, 3), d:whole(0, 1) end
    if states == 0 and not muon then attr.decoupled = d:whole(0, 1) end
    return { inputs = inputs, attr = attr, no_grad = true, batch = 1, update = true }
  end
end
function makers.norm_update(d)
  local s = { d:whole(1, 200) }
  return { inputs = { s, s, s, s }, attr = { momentum = at_times_zero(d, 0, 1) }, no_grad = true, batch = 1,
    update = true }
end

makers.sgd, makers.adam, makers.adamw, makers.adadelta = update(0), update(2), update(2), update(2)
makers.muon = update(0, true)
function makers.average(d)
  local s = d:of { { d:whole(1, 200) }, { d:whole(1, 300), d:whole(1, 90) } }
  return { inputs = { s, s }, attr = { back = d:whole(0, 1) }, no_grad = true, batch = 1, update = true }
end

-- How often each is drawn: what has most kernels most often.
local often = { conv2d = 14, dense = 5, norm = 3, maxpool = 3, avgpool = 3, meanpool = 3 }
local wheel = {}
for op in pairs(makers) do
  for _ = 1, often[op] or 1 do wheel[#wheel + 1] = op end
end
table.sort(wheel)

local function title_of(row)
  local shapes, attr = {}, {}
  for i, s in ipairs(row.inputs) do shapes[i] = table.concat(s, ',') end
  for k, v in pairs(row.attr) do
    local text = type(v) == 'number' and ('%.4g'):format(v) or type(v) == 'table' and table.concat(v, ',') or v
    attr[#attr + 1] = k .. '=' .. text
  end
  table.sort(attr)
  return ('%s %s %s%s'):format(row.op, table.concat(shapes, ' | '), table.concat(attr, ' '),
    row.act and (' then %s%s'):format(row.act, row.alpha and (' %.4g'):format(row.alpha) or '') or '')
end

local function row_of(d)
  local op = d:of(wheel)
  local row = makers[op](d)
  row.op, row.stream, row.batch = op, d:whole(1, 1000000), row.batch or row.inputs[1][1]
  if row.act then row.alpha = alpha_of(d) end
  row.title = title_of(row)
  return row
end

-- ---- what a row is asked ----

local levels = {}
do
  local first = ffi.string(C.hz_cpu_isa())
  for _, name in ipairs { 'portable', 'avx2', 'avx512', 'avx512bf16', 'amx' } do
    local asked = os.getenv 'HZ_ISA' or ''
    if (asked == '' or asked == name) and C.hz_cpu_set_isa(name) == 0 then levels[#levels + 1] = name end
  end
  C.hz_cpu_set_isa(first)
end
M.levels = levels

-- Of the pre-activation, on the numbers of both storages: a rounding turns the slope of one that is near a kink.
local function near_a_kink(row)
  local act = row.act or row.op == 'act' and row.attr.act
  if not kinked[act] then return false end
  for _, rounded in ipairs { false, true } do
    local b = graphs.bench(row, { dtype = 'f64', keep = true, rounded = rounded })
    b:run()
    local x = row.act and graphs.value(b, b.pre) or graphs.value(b, b.wrt[1].value)
    if x:abs():min() <= 2e-5 * math.sqrt((x * x):mean()) then return true end
  end
  return false
end

-- Batch norm's gradient takes from dy what its mean and its product with x make of it; of few rows nothing is left but
-- roundings of dy.
local function add_cancelled(row, out)
  local n, size = out.noise['d x1'], 1
  for _, e in ipairs(row.inputs[1]) do size = size * e end
  local scale = 1 / math.sqrt(out.f32['op.batchvariance']:min() + row.attr.epsilon)
  n.plain = n.plain + 2 * near.ROUNDING.f32 * scale * math.sqrt(size)
end

-- The row's results at a number of rows: by storage name -> tensor (f64), and their noise.
local function truths(row, rows)
  local out = { elements = {} }
  local function make(dtype, rounded)
    return graphs.bench(row, { dtype = dtype, rounded = rounded, batch = rows, grad = not row.no_grad, fuse = false })
  end
  for _, storage in ipairs { 'f32', 'bf16' } do
    local b, found = make('f64', storage == 'bf16'), {}
    b:run()
    for name, r in pairs(b:results(rows)) do found[name] = r.tensor end
    out[storage] = found
  end
  out.noise = near.noise_of_bench(make, rows, out.f32, function(i) return row.op == 'maxpool' and i == 1 end)
  if out.f32['d x1'] and row.op == 'norm' then add_cancelled(row, out) end
  return out
end

-- How far a result of a bench may be from the truth, as an L2 norm.
local function limit(row, storage, bench, noise, wanted, dtype)
  local wino, planes = bench.uses.wino, bench.uses.winopairs
  local most = near.factor[wino and 'wino' or 'other'] * (near.ROUNDING.f32 * noise.moved + noise.plain)
  local size = near.norm(wanted)
  most = most + near.ROUNDING[dtype] * size + 1e-30
  if planes then most = most + near.planes * noise.moved end
  if storage == 'bf16' and (row.act or row.op == 'act' or row.op == 'softmax') then
    most = most + near.behind * noise.moved + near.ROUNDING.bf16 * size
    -- elements that are off by 8.5e-3 change sides of a kink: a share of 6e-3 of them, each by all of its slope
    local turned = kinked[row.act] and (0.15 + 2 / math.sqrt(bench.elements)) * size or 0
    if planes then most = most + near.planes * noise.moved + turned end
  end
  return most
end

local function check_values(row, storage, bench, rows, truth, where, fail)
  for name, r in pairs(bench:results(rows)) do
    local wanted = truth[storage][name]
    local off, most = near.distance(r.tensor, wanted), 0
    if not near.is_whole(wanted) then most = limit(row, storage, bench, truth.noise[name], wanted, r.tensor:type()) end
    local what = ('%s, %s, %s: %s'):format(row.title, storage, where, name)
    if not (off <= most) then fail('%s is off by %.3g; at most %.3g', what, off, most) end
    if M.ratio and most > 0 then M.ratio(off / most, storage .. where:gsub('^%w+', '') .. row.op .. name, what) end
    count 'values'
  end
end

local function same(a, b)
  for name, r in pairs(a) do
    if not graphs.same_bits(r.tensor, b[name].tensor) then return name end
  end
end

local function check_threads(row, storage, bench, where, fail)
  local first
  for _, n in ipairs { 1, 2, 3, 5 } do
    c.check(C.hz_cpu_set_threads(n))
    bench:run()
    local r = bench:results(row.batch)
    first = first or r
    local other = same(r, first)
    if other then fail('%s, %s, %s: %s has other bits with %d threads', row.title, storage, where, other, n) end
  end
end

-- Whether an output shares memory with another value, which may have been there before it.
local function shares(bench, name)
  local graph, own, mine = bench.graph, nil, nil
  local function range(v)
    local from, value = tonumber(C.hz_plan_offset(bench.handle, v)), C.hz_graph_value(graph, v)
    local bytes = tonumber(C.hz_dtype_bytes(value.dtype))
    for i = 0, value.ndim - 1 do bytes = bytes * tonumber(value.shape[i]) end
    return from, from + bytes
  end
  for _, out in ipairs(bench.outputs) do if out.name == name then own, mine = out.value, { range(out.value) } end end
  for v = 0, C.hz_graph_values(graph) - 1 do
    local from, to = range(v)
    if v ~= own and from >= 0 and from < mine[2] and to > mine[1] then return true end
  end
end

local function check_rows(row, storage, bench, rows, truth, where, fail)
  bench:run { count = rows }
  local touched = bench:touched(rows)
  where = ('%s, %d of %d rows'):format(where, rows, row.batch)
  if touched and not shares(bench, touched) then
    fail('%s, %s, %s: %s was written beyond them', row.title, storage, where, touched)
  end
  check_values(row, storage, bench, rows, truth, where, fail)
end

local function ask(row, storage, level, kernel, truth, fewer, fail)
  local bench = graphs.bench(row, { dtype = storage, grad = not row.no_grad })
  bench.uses, bench.elements = {}, row.update and 1 or bench.outputs[1].view:count()
  for _, k in ipairs(bench:kernels()) do bench.uses[k.kernel] = true end
  if kernel and not bench.uses[kernel] then return bench end
  local where = ('%s, %s'):format(level, kernel or 'chosen kernel')
  check_threads(row, storage, bench, where, fail)
  check_values(row, storage, bench, row.batch, truth, where, fail)
  if fewer then check_rows(row, storage, bench, fewer.rows, fewer, where, fail) end
  count 'benches'
  return bench
end

-- One case. fail(format, ...) records a failure and goes on.
function M.case(d, fail)
  local row = row_of(d)
  M.title = row.title
  local ok, made = pcall(graphs.bench, row, { dtype = 'f64', keep = true })
  if not ok then
    count 'refused'
    if not tostring(made):find(row.op .. ': ', 1, true) then fail('%s: refused by: %s', row.title, tostring(made)) end
    return
  end
  for attempt = 1, 30 do
    if not near_a_kink(row) then break end
    if attempt == 30 then count 'near a kink' return end
    row.stream = row.stream + 1000000
  end
  count(row.op)
  local all = truths(row, row.batch)
  local fewer = row.batch > 1 and { rows = d:whole(1, row.batch - 1) }
  if fewer then for k, v in pairs(truths(row, fewer.rows)) do fewer[k] = v end end
  for _, level in ipairs(levels) do
    c.check(C.hz_cpu_set_isa(level))
    for _, storage in ipairs { 'f32', 'bf16' } do
      if storage == 'f32' or not row.update then
        local chosen = ask(row, storage, level, nil, all, fewer, fail)
        for _, kernel in ipairs(chosen:other_kernels()) do
          local function again() ask(row, storage, level, kernel, all, fewer, fail) end
          if not (kernel == 'ref' and row.large) then graphs.forced(kernel, again) end
        end
      end
    end
  end
end

return M
