-- rows.lua: the op case table. One row per case: op, shapes of its inputs, attributes, what follows. `hz selftest` asks
-- of them on any device: equals the plain loops in double? The tests ask more: by every kernel of every vector level?
-- gradient equals finite differences? fused equals unfused? the same bits for any number of threads? do rows beyond
-- count stay as they were?
local M = { rows = {} }

-- Relative L2 error against the plain loops in double, by the op that made the value.
M.tolerance = {
  conv2d = { 1.5e-6,
    'Winograd F(4x4,3x3) in f32 is allowed 1.1e-6 (worst of N(0,1) inputs); a margin for small shapes' },
  conv2d_dx = { 1.5e-6, 'the same algorithm as forward' },
  conv2d_dw = { 3e-6, 'Winograd weight gradient is allowed 3e-6; sums over the whole batch' },
  dense = { 5e-7, 'sums of up to 600 terms in f32: about 1.1e-7 times the square root of their number, over lanes' },
  dense_dx = { 5e-7, 'as dense' },
  dense_dw = { 1e-6, 'as dense, with a longer sum over the batch' },
  norm = { 2e-6, 'two sums over batch and image, then a difference of nearly equal numbers' },
  norm_grad = { 4e-6, 'as norm, with differences of means' },
  adam = { 2e-6, 'a quotient of two moving averages and a root' }, adamw = { 2e-6, 'as adam' },
  adadelta = { 2e-6, 'as adam' },
  muon = { 2e-5, 'polynomials of degree 5 one after the other: what is off grows by their slope, 3.4, with each' },
  average = { 4e-6, 'a sum of two numbers that may cancel, a row may have but one' },
  input = { 1e-6, 'x*scale - mean cancels: a few roundings of f32' },
  other = { 1e-6, 'a few roundings of f32 (6e-8 each), or polynomial approximations good to that' },
}

-- In f64 plans on a card; on the CPU those are the plain loops.
M.tolerance_f64 = { 1e-12, 'sums in another order, and polynomials of polynomials' }

-- In bf16 plans: relative L2 error against the plain loops in double over the same numbers, activations and weights
-- rounded to bf16 beforehand. A result that stays f32 and sees no rounded one is held to the f32 tolerance above.
-- Kernel winopairs multiplies planes of which both factors are rounded. F(4x4,3x3) makes 4.76 of that error: the sum
-- over its points of |A_p|^2 |B_p|^2 |G_p|^2 / 12, rows of the three matrices (wino.h), once per axis and under one
-- root; F(4,2) of stride 2 makes 4.6.
local ROUNDING = 2 ^ -8
local PLANES = 4.76 * math.sqrt(2) * ROUNDING
M.tolerance_bf16 = {
  once = { ROUNDING, 'half a unit of the last place: at most 2^-8 of an element, 1.7e-3 in the mean square' },
  behind = { 2 ^ -6, 'behind an activation: slopes like 1 - y^2 from a rounded y, and sums of those that cancel' },
  planes = { PLANES, 'each rounding at its most, as few numbers in few tiles may be; 1.1e-2 in the mean square' },
}

-- Behind an activation with a kink, of n numbers of which planes were rounded: normal numbers that are off by a share e
-- change sides with the probability e/pi, four standard deviations more may of n, and each that does is wrong by all of
-- its slope, beside the n/2 that relu lets through.
function M.behind_planes(n)
  local share = 2 * PLANES / math.pi
  return math.sqrt(share + 4 * math.sqrt(share / (n / 2)) + 4 / (n / 2))
end

local function extents(text)
  local list = {}
  for e in text:gmatch '%d+' do list[#list + 1] = tonumber(e) end
  return list
end

-- op, 'shape | shape', attributes, more: act and alpha of an activation behind it, tolerance, slow
-- (no finite differences), frozen (weights without a gradient).
local function row(op, shapes, attr, more)
  local r = { op = op, attr = attr, inputs = {}, stream = #M.rows + 1 }
  for s in shapes:gmatch '[^|]+' do r.inputs[#r.inputs + 1] = extents(s) end
  for k, v in pairs(more or {}) do r[k] = v end
  r.batch = r.batch or r.inputs[1][1]
  r.title = ('%s %s'):format(op, shapes:gsub('%s', ''))
  for _, k in ipairs { 'kh', 'kw', 'sh', 'sw', 'pad', 'act', 'rate', 'axis', 'frozen', 'smoothing', 'momentum',
      'nesterov', 'decay' } do
    if attr and attr[k] and attr[k] ~= 0 then r.title = ('%s %s=%s'):format(r.title, k, attr[k]) end
  end
  if r.act then r.title = r.title .. ' then ' .. r.act end
  if r.frozen then r.title = r.title .. ' frozen' end
  M.rows[#M.rows + 1] = r
  return r
end

local function weights(x, filters, kh, kw, bias)
  local channels = x:match '(%d+)$'
  return ('%s | %d,%d,%d,%s'):format(x, filters, kh, kw, channels) .. (bias == false and '' or ' | ' .. filters)
end

-- conv('3,8,8,16', 32, {3, 3}, {1, 1}, 'same', 'relu')
local function conv(x, filters, kernel, stride, pad, act, more)
  more = more or {}
  more.act = act
  row('conv2d', weights(x, filters, kernel[1], kernel[2], more.bias),
    { kh = kernel[1], kw = kernel[2], sh = stride[1], sw = stride[2], pad = pad }, more)
end

local function square(n) return { n, n } end

-- ---- convolution ----

for _, kernel in ipairs { 1, 3, 5 } do                   -- every kernel size, stride and padding, odd and even extents
  for _, stride in ipairs { 1, 2 } do
    for _, pad in ipairs { 'same', 'valid' } do
      conv('2,9,7,5', 6, square(kernel), square(stride), pad)
      conv('3,8,8,16', 32, square(kernel), square(stride), pad, 'relu')
    end
  end
end
conv('2,32,32,3', 32, square(3), square(1), 'same', 'relu')                  -- architecture A, cut down
conv('1,16,16,32', 64, square(3), square(1), 'same', 'relu')
conv('2,16,16,64', 128, square(3), square(2), 'same', nil, { slow = true })
conv('5,8,8,128', 128, square(3), square(1), 'same', 'relu', { slow = true })
conv('3,8,8,128', 128, square(1), square(1), 'same', 'relu')
conv('3,8,8,128', 10, square(1), square(1), 'same')
conv('1,1,1,1', 1, square(1), square(1), 'same')                             -- the smallest
conv('1,7,5,6', 10, square(3), square(1), 'same', nil, { bias = false })     -- batch 1, no bias
conv('1,13,11,33', 17, square(3), square(2), 'same', 'elu')
conv('5,6,10,17', 33, square(3), square(1), 'valid', 'tanh')                 -- no multiple of any vector
conv('2,12,9,24', 50, { 3, 1 }, { 1, 1 }, 'same', 'leaky', { alpha = 0.2 })  -- rectangular
conv('2,9,12,7', 19, { 1, 5 }, { 1, 2 }, 'valid', 'sigmoid')
conv('2,11,6,9', 20, { 5, 3 }, { 2, 1 }, 'same', 'gelu')
conv('2,2,2,8', 16, square(5), square(1), 'same', 'leaky')                   -- the kernel is larger than the image
conv('4,13,13,3', 40, square(5), square(4), 'valid')                         -- rows that no window sees
conv('2,14,15,6', 9, { 2, 4 }, { 3, 2 }, 'same', 'elu', { alpha = 0.7 })     -- even kernels
conv('2,20,18,32', 32, square(3), square(1), 'valid', 'relu')                -- as audio nets have it
conv('17,4,4,16', 16, square(3), square(1), 'same', 'relu')                  -- more rows than slots
conv('9,17,19,48', 40, square(3), square(1), 'same', nil, { slow = true })   -- many tiles, the last ones cut
conv('1,30,5,64', 32, square(3), square(1), 'valid', 'elu', { slow = true })
conv('33,4,5,20', 72, square(3), square(1), 'same', 'relu', { slow = true })
conv('2,7,6,130', 100, square(3), square(1), 'same', 'relu', { slow = true })

-- The layers of architecture A: their numerics are promised (lua/ops_test.lua).
for _, r in ipairs { { '2,32,32,3', 32, 3, 1 }, { '1,32,32,32', 64, 3, 1 }, { '1,32,32,64', 128, 3, 2 },
    { '1,16,16,128', 128, 3, 1 }, { '2,16,16,128', 128, 3, 2 }, { '2,8,8,128', 128, 3, 1 },
    { '2,8,8,128', 128, 1, 1 }, { '2,8,8,128', 10, 1, 1 } } do
  conv(r[1], r[2], square(r[3]), square(r[4]), 'same', nil, { slow = true, published = true, bias = false })
end

-- ---- dense, activations, sums ----

local function dense(x, units, act, more)
  more = more or {}
  more.act = act
  row('dense', ('%s | %d,%s'):format(x, units, x:match '(%d+)$') .. (more.bias == false and '' or ' | ' .. units), {},
    more)
end
dense('8,200', 64, 'relu')
dense('1,37', 10, nil, { bias = false })
dense('33,512', 129, 'tanh', { slow = true })
dense('5,3', 1)
dense('2,1', 7, 'gelu')
dense('128,100', 10)
dense('7,64', 256, 'sigmoid')

for _, act in ipairs { 'linear', 'relu', 'elu', 'gelu', 'leaky', 'tanh', 'sigmoid' } do
  row('act', '3,5,7,9', { act = act })
  row('act', '5,77', { act = act, alpha = 0.3 })
end
row('act', '1,1', { act = 'relu' })
row('add', '3,5,7,9 | 3,5,7,9', {}, { act = 'relu' })
row('add', '7,33 | 7,33', {})
row('flatten', '3,5,2,7', {})
row('flatten', '4,9', {}, { act = 'tanh' })

-- ---- dropout ----

row('dropout', '5,4,6,8 | 5', { rate = 0.5, layer = 3 })
row('dropout', '5,77 | 5', { rate = 0.6, layer = 1 })
row('dropout', '9,15,3 | 9', { rate = 0.3, layer = 2 })
row('dropout', '2,5 | 2', { rate = 0 })
row('dropout', '1,1001 | 1', { rate = 0.9, layer = 7 })

-- ---- pooling ----

for _, op in ipairs { 'maxpool', 'avgpool' } do
  row(op, '3,8,8,16', { kh = 2, kw = 2, sh = 2, sw = 2, pad = 'valid' })
  row(op, '2,9,7,33', { kh = 3, kw = 3, sh = 2, sw = 2, pad = 'same' })
  row(op, '2,5,5,3', { kh = 3, kw = 3, sh = 1, sw = 1, pad = 'same' })
  row(op, '1,7,11,5', { kh = 1, kw = 4, sh = 2, sw = 3, pad = 'valid' })
  row(op, '2,13,6,17', { kh = 3, kw = 2, sh = 4, sw = 2, pad = 'valid' })
  row(op, '2,4,4,64', { kh = 2, kw = 2, sh = 2, sw = 2, pad = 'valid' }, { act = 'elu' })
end
row('meanpool', '3,8,8,10', {})
row('meanpool', '2,5,7,128', {})
row('meanpool', '1,1,1,3', {})

-- ---- normalisation ----

row('norm', '4,6,5,32 | 32 | 32 | 32 | 32', {})
row('norm', '4,6,5,7 | 6 | 6 | 6 | 6', { axis = 1, epsilon = 1e-5, momentum = 0.9 })
row('norm', '4,6,5,7 | 5 | 5 | 5 | 5', { axis = 2 }, { act = 'relu' })
row('norm', '50,19 | 19 | 19 | 19 | 19', {}, { act = 'elu' })
row('norm', '3,9,4,1 | 1 | 1 | 1 | 1', {})
row('norm', '4,6,5,33 | 33 | 33 | 33 | 33', { frozen = 1 }, { no_grad = true })
row('norm', '4,6,5,7 | 6 | 6 | 6 | 6', { frozen = 1, axis = 1 }, { no_grad = true, act = 'relu' })

-- ---- loss ----

row('softmax', '7,10', {})
row('softmax', '1,2', {})
row('softmax', '5,137', {})
row('xent', '7,10 | 7', {})
row('xent', '130,33 | 130', { smoothing = 0.1 })
row('xent', '1,2 | 1', { smoothing = 0.005 })
row('xent', '16,1000 | 16', {})

-- ---- input ----

local function input(shape, bytes, batch, attr, more)
  more = more or {}
  more.bytes, more.batch, more.no_grad = bytes, batch, true
  row('input', shape .. ' | ' .. shape:match '^%d+', attr, more)
end
input('40,8,8,3', true, 7, { shuffle = 1, shift_y = 2, shift_x = 3, flip = 1 })
input('40,9,7,1', true, 7, { shift_y = 8, shift_x = 6 })
input('40,8,8,3', false, 7, { shuffle = 1, flip = 1, mean = { 0.5, 0.4, 0.3 }, deviation = { 0.2, 0.3, 0.4 } })
input('40,33', false, 7, { scale = 2, flip = 0 })
input('40,32,32,3', true, 40, { shuffle = 1, shift_y = 3, shift_x = 3, flip = 1, mean = { 0.5, 0.4, 0.3 } })
input('1,5,5,6', true, 1, { shuffle = 1, mean = { 0.1, 0.2, 0.3, 0.4 }, deviation = { 2, 3, 4, 5 } })

-- ---- updates ----

local function update(op, shape, n, attr)
  row(op, shape .. (' | ' .. shape):rep(n - 1), attr, { no_grad = true, batch = 1, update = true })
end
for _, shape in ipairs { '7,9', '33,3,3,17', '1' } do
  update('sgd', shape, 2, {})
  update('sgd', shape, 2, { decay = 0.01 })
  update('sgd', shape, 3, { momentum = 0.9 })
  update('sgd', shape, 3, { momentum = 0.9, nesterov = 1, decay = 0.01 })
  update('adam', shape, 4, {})
  update('adam', shape, 4, { beta1 = 0.8, beta2 = 0.99, epsilon = 1e-5, decay = 0.01 })
  update('adamw', shape, 4, { decay = 0.01 })
  update('adadelta', shape, 4, {})
  update('adadelta', shape, 4, { beta1 = 0.9, epsilon = 1e-6, decay = 0.01 })
end
update('norm_update', '1', 4, {})
update('norm_update', '77', 4, { momentum = 0.9 })
update('norm_update', '5', 4, { momentum = 0 })

-- ---- random sizes: a fixed linear congruential sequence (Numerical Recipes), so that a failing row can be named ----

local state = 2026
local function pick(n)
  state = (state * 1664525 + 1013904223) % 2 ^ 32
  return 1 + math.floor(state / 2 ^ 32 * n)
end
local acts = { nil, 'relu', 'elu', 'gelu', 'leaky', 'tanh', 'sigmoid' }
for _ = 1, 30 do
  local kh, kw, pad = pick(5), pick(5), pick(2) == 1 and 'same' or 'valid'
  local x = ('%d,%d,%d,%d'):format(pick(5), kh + pick(12) - 1, kw + pick(12) - 1, pick(40))
  conv(x, pick(70), { kh, kw }, { pick(3), pick(3) }, pad, acts[pick(7)])
end
for _ = 1, 10 do
  dense(('%d,%d'):format(pick(40), pick(300)), pick(150), acts[pick(7)])
  local kh, kw = pick(4), pick(4)
  row(pick(2) == 1 and 'maxpool' or 'avgpool',
    ('%d,%d,%d,%d'):format(pick(4), kh + pick(9) - 1, kw + pick(9) - 1, pick(50)),
    { kh = kh, kw = kw, sh = pick(3), sw = pick(3), pad = pick(2) == 1 and 'same' or 'valid' })
end

-- ---- later rows: what a row draws goes by its number ----

input('40,8,8,3', true, 7, { shuffle = 1, shift_y = 7, shift_x = 7, flip = 2, fill = 1 })
input('40,6,9,2', false, 7, { shift_y = 3, shift_x = 8, flip = 1, fill = 1 })
row('act', '3,5,7,9', { act = 'scale', alpha = 0.3 })
row('act', '5,77', { act = 'scale', alpha = -1.5 })
dense('128,100', 10, 'scale', { alpha = 1 / 256 })
conv('2,9,12,7', 19, { 3, 3 }, { 2, 2 }, 'same', 'scale', { alpha = 2 })
conv('1,31,31,3', 24, square(2), square(1), 'valid', 'gelu', { frozen = true, slow = true })     -- the bias alone
conv('2,7,6,9', 19, square(3), square(2), 'same', nil, { frozen = true })
dense('33,64', 37, 'tanh', { frozen = true })
for _, shape in ipairs { '7,9', '33,3,3,17', '1,1', '70,6', '2,1,3,1' } do
  update('muon', shape, 2, { epsilon = 1e-7, iterations = 1 })
  update('muon', shape, 3, { epsilon = 1e-7, iterations = 3, momentum = 0.6, nesterov = 1, renormalise = 1 })
  update('muon', shape, 3, { epsilon = 1e-3, iterations = 2, momentum = 0.9, decay = 0.1, renormalise = 1 })
end
for _, shape in ipairs { '7,9', '33,3,3,17', '1' } do
  update('sgd', shape, 3, { momentum = 0.9, decay = 0.01, decoupled = 1 })
  update('average', shape, 2, { back = 0 })
  update('average', shape, 2, { back = 1 })
end
row('norm', '50,19 | 19 | 19 | 19 | 19', {}, { act = 'gelu' })
row('norm', '4,6,5,40 | 40 | 40 | 40 | 40', { epsilon = 1e-12 }, { act = 'gelu' })

return M
