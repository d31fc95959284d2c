-- bench_model_test.lua: the model of a step's time on a card: what it counts for a plan, by hand and by another
-- reckoning of the same network; and what hz bench --model prints of it.
local t = ...
local hz = require 'hz'
local json = require 'hz.base.json'
local roofline = require 'hz.cli.roofline'
local l = hz.layers

-- Architecture A without dropout, each convolution but the last with ReLU.
local function net_A()
  return hz.net 'A' { input = { 32, 32, 3 }, l.conv{32, 3}, l.relu, l.conv{64, 3}, l.relu, l.conv{128, 3, stride=2},
    l.relu, l.conv{128, 3}, l.relu, l.conv{128, 3}, l.relu, l.conv{128, 3, stride=2}, l.relu, l.conv{128, 3}, l.relu,
    l.conv{128, 1}, l.relu, l.conv{10, 1}, l.meanpool }
end

local function planned(net, o)
  local a = { batch = 8, train = true, loss = 'xent', optimizer = hz.sgd { momentum = 0.9 } }
  for k, v in pairs(o or {}) do a[k] = v end
  net:init { seed = 1, input = net.input or { 32, 32, 3 } }
  return net:plan(a)
end

local function found(rows, layer, op)
  for _, row in ipairs(rows) do
    if row.layer == layer and row.op == op then return row end
  end
  t.ok(false, ('no row %s %s'):format(layer, op))
end

-- ---- the whole network ----

-- channels in and out, taps, stride, side of the image
local layers_of_A = { { 3, 32, 3, 1, 32 }, { 32, 64, 3, 1, 32 }, { 64, 128, 3, 2, 32 }, { 128, 128, 3, 1, 16 },
  { 128, 128, 3, 1, 16 }, { 128, 128, 3, 2, 16 }, { 128, 128, 3, 1, 8 }, { 128, 128, 1, 1, 8 }, { 128, 10, 1, 1, 8 } }

-- The same network reckoned layer by layer in bf16, without a plan: each of forward, gradient of the data (which also
-- reads what ReLU made) and of the weights reads and writes its activations once; 3 channels are padded to 8, 10 to 16.
local function reckoned(card)
  local sum = { flops = 0, bytes = 0, seconds = 0 }
  local function kernel(flops, bytes)
    sum.flops, sum.bytes = sum.flops + flops, sum.bytes + bytes
    sum.seconds = sum.seconds + math.max(flops / card.rates.bf16, bytes / card.bytes)
  end
  for i, a in ipairs(layers_of_A) do
    local from, to, taps, stride, side = unpack(a)
    local out = side / stride
    local flops, x, y = 2 * out * out * to * from * taps * taps, side ^ 2 * math.max(from, 8) * 2,
      out ^ 2 * math.max(to, 16) * 2
    kernel(flops, x + y)
    if i > 1 then kernel(flops, y + 2 * x) end
    kernel(flops, x + y)
  end
  return sum
end

t.case('architecture A: 803 MFLOP, 3.07 MB per image, 880k images/s on an H200, reckoned layer by layer', function()
  local sum = reckoned(roofline.card 'h200')
  t.near(sum.flops / 1e6, 803, 0.5)
  t.near(sum.bytes / 1e6, 3.07, 0.005)
  t.near(1e-3 / sum.seconds, 880, 1)
end)

-- Where the plan differs from the reckoning: the mean over the image comes before the last layer, which then is a
-- product of 128x10 for one pixel, between two nodes that read and write 8x8x128; nothing is padded; the gradient of
-- the bias before the mean is a sum of its own over dy.
t.case('architecture A: the plan counts the same but for what it does otherwise', function()
  local card, batch = roofline.card 'h200', 1e9                    -- so large that weights and updates cost nothing
  local sum = roofline.total(roofline.rows(planned(net_A(), { dtype = 'bf16' })), card, batch)
  local want = reckoned(card)
  local last = 2 * 128 * 10
  t.near(sum.flops / batch, want.flops - 3 * last * 64 + 3 * last, 1)
  local image, pixel = 8 * 8 * 128 * 2, 128 * 2
  local padded = 2 * 32 * 32 * 5 * 2                                -- read forward and for the gradient of the weights
  local last_before = 4 * image + 3 * 8 * 8 * 16 * 2                -- x, then dx and ReLU's source, then x; y each time
  local head = 20 * 3 + 4 + 4 + 40 + 40 + 4 + 40                    -- logits and dlogits, losses: below a thousandth
  local last_now = 3 * image + 5 * pixel + head                     -- meanpool, meanpool_grad+relu; dense and gradients
  t.near(sum.bytes / batch, want.bytes + image - padded - last_before + last_now, 1)
  local limits = roofline.limits(sum, batch)
  t.near(limits.arithmetic / 1e3, 984, 1)
  t.ok(limits.kernel_by_kernel > 870e3 and limits.kernel_by_kernel < 890e3, limits.kernel_by_kernel)
end)

-- ---- single nodes ----

t.case('bytes and flops of nodes, by hand', function()
  local net = hz.net 'n' { input = { 8, 6, 16 }, l.conv{32, 3}, l.relu, l.maxpool{2}, l.flatten, l.dense{10} }
  local rows = roofline.rows(planned(net, { fuse = false, loss = 'xent' }))
  local by_op = {}
  for _, row in ipairs(rows) do by_op[row.op] = row end
  local x, y, w = 8 * 6 * 16 * 4, 8 * 6 * 32 * 4, 32 * 9 * 16 * 4
  local conv = by_op.conv2d
  t.equal({ conv.item_bytes, conv.fixed_bytes, conv.item_flops, conv.launches },
    { x + y, w + 32 * 4, 2 * 8 * 6 * 32 * 9 * 16, 1 })
  t.equal({ by_op['act relu'].item_bytes, by_op['act relu'].fixed_bytes }, { 2 * y, 0 })
  local dw = by_op.conv2d_dw                           -- pooling's gradient makes dy: it is read again for the bias
  t.equal({ dw.item_bytes, dw.fixed_bytes, dw.launches }, { x + 2 * y, w + 32 * 4, 3 })
  t.equal(by_op.flatten, nil)
  local n = w / 4 + 32 + 10 * 4 * 3 * 32 + 10                       -- parameters, their gradients, velocities
  t.equal({ by_op.sgd.tensors, by_op.sgd.launches, by_op.sgd.fixed_bytes, by_op.sgd.item_bytes }, { 4, 1, 12 * n, 0 })
end)

t.case('the gradient of a bias: added up by the convolution that makes dy, else read for', function()
  local net = hz.net 'n' { input = { 8, 8, 4 }, l.conv{4, 3}, l.relu, l.conv{4, 3}, l.relu, l.meanpool }
  local rows, x = roofline.rows(planned(net)), 8 * 8 * 4 * 4
  local first, last = found(rows, 'conv1', 'conv2d_dw'), found(rows, 'conv2', 'conv2d_dw')
  t.equal({ first.item_bytes, first.launches, first.many }, { 2 * x, 1, 'widen' })
  t.equal({ last.item_bytes, last.launches, last.many }, { 3 * x, 3 })
end)

t.case('bf16: weights are copied first, and their gradients widened', function()
  local net = hz.net 'n' { input = { 8, 8, 16 }, l.conv{32, 3, bias=false}, l.relu, l.conv{16, 3, bias=false},
    l.meanpool }
  local rows = roofline.rows(planned(net, { dtype = 'bf16' }))
  local x, y, w = 8 * 8 * 16 * 2, 8 * 8 * 32 * 2, 32 * 9 * 16
  local conv = found(rows, 'conv1', 'conv2d+relu')
  t.equal({ conv.item_bytes, conv.fixed_bytes, conv.launches, conv.dtype }, { x + y, w * (4 + 2 + 2), 1, 'bf16' })
  local dw = found(rows, 'conv1', 'conv2d_dw')
  t.equal({ dw.item_bytes, dw.fixed_bytes, dw.launches }, { x + y, w * (2 + 2 + 4), 1 })
  local dx = found(rows, 'conv2', 'conv2d_dx+relu')                  -- dy, what ReLU made, dx
  t.equal({ dx.item_bytes, dx.fixed_bytes }, { x + 2 * y, w * 2 })          -- the copy that the forward pass made
  local sum = roofline.total(rows, roofline.card 'h200', 8)
  local launches = 2                                                 -- the step's numbers, the gate
  for _, row in ipairs(rows) do launches = launches + row.launches end
  t.equal(sum.launches, launches + 2)                                -- all copies, all widenings
end)

t.case('the data set: only the items of the batch are read', function()
  local set = { items = hz.zeros({ 50, 8, 8, 3 }, 'u8'), labels = hz.zeros({ 50 }, 'i32') }
  local net = hz.net 'n' { l.conv{4, 3}, l.meanpool }
  net:init { seed = 1, input = { 8, 8, 3 } }
  local rows = roofline.rows(net:plan { batch = 5, train = true, data = set, optimizer = hz.sgd() })
  t.equal({ rows[1].op, rows[1].item_bytes, rows[1].fixed_bytes }, { 'input', 192 + 4 + 192 * 4 + 4 + 4, 0 })
end)

t.case('batch norm reads what it measures twice; muon multiplies', function()
  local net = hz.net 'n' { input = { 4, 4, 8 }, l.conv{8, 1, bias=false}, l.norm, l.relu, l.meanpool }
  local o = { fuse = false, optimizer = hz.groups { { match = 'weight$', hz.muon { iterations = 3 } }, hz.sgd() } }
  local rows = roofline.rows(planned(net, o))
  local x = 4 * 4 * 8 * 4
  t.equal(found(rows, 'norm1', 'norm').item_bytes, 3 * x)
  t.equal(found(rows, 'norm1', 'norm_grad').item_bytes, 5 * x)
  local muon = found(rows, 'conv1', 'muon')
  t.equal({ muon.fixed_flops, muon.launches, muon.pass }, { 3 * (4 * 8 * 64 + 2 * 8 ^ 3), 11, 'update' })
  local frozen = roofline.rows(net:plan { batch = 8, fuse = false })
  t.equal(found(frozen, 'norm1', 'norm').item_bytes, 2 * x)
end)

t.case('the end of a network in one launch: what it passes on inside counts once', function()
  t.need_emu()
  local net = hz.net 'n' { input = { 8, 8, 4 }, l.conv{6, 3}, l.relu, l.meanpool, l.dense{5} }
  local rows = roofline.rows(planned(net, { device = 'emu' }))
  local apart = roofline.rows(planned(net))
  local head, flops = found(rows, 'meanpool1', 'head'), 0
  for _, row in ipairs(apart) do
    if row.op == 'dense' or row.op == 'dense_dx' then flops = flops + row.item_flops end
  end
  -- x and its gradient; mean and its gradient, logits, dlogits and probabilities; label, correct
  t.equal({ head.item_bytes, head.launches }, { (2 * 8 * 8 * 6 + 2 * 6 + 3 * 5 + 2) * 4, 1 })
  t.equal({ head.item_flops, head.fixed_bytes }, { flops, 5 * 6 * 4 + 5 * 4 + 4 })        -- weights, bias, loss
  t.equal(#rows, #apart - 5)
end)

t.case('a card by name, what its figures are, and names that are none', function()
  local h200, h100 = roofline.card 'h200', roofline.card 'h100'
  t.equal({ h200.rates.bf16, h200.bytes, h200.sources.bf16, h200.sources.tf32 },
    { 790e12, 4.3e12, 'measured', 'datasheet' })
  t.match(h100.sources.bf16, '^datasheet x 0%.80$')
  t.near(h100.rates.bf16, 790e12, 1e9)
  t.ok(h100.bytes < 3.35e12 and h100.bytes > 2.9e12)
  t.raises("no card 'h300', did you mean 'h100'; have a100, h100, h200, b200", roofline.card, 'h300')
end)

-- ---- the verb ----

local few = 'bench --net small --batch 4 --pass train --seconds 0.01 --model h200'

t.case('hz bench --model: measured beside modelled, node by node; sums agree', function()
  local status, out, err = t.run(few .. ' --dtype bf16 --json')
  t.equal(status, 0, err)
  local r = json.decode(out)[1]
  local m, sum, measured, bytes = r.model, 0, 0, 0
  for _, n in ipairs(m.nodes) do
    t.ok(n.ms >= n.compute_ms and n.ms >= n.memory_ms and n.bytes > 0, n.op)
    t.near(n.ratio, n.measured_ms / n.ms, 1e-9 * n.ratio)
    sum, measured, bytes = sum + n.ms, measured + n.measured_ms, bytes + n.bytes
  end
  local all, shares = m.passes[#m.passes], 0
  t.equal({ #m.passes, all.pass, m.card, m.batch }, { 4, 'all', 'h200', 4 })
  t.near(all.ms, sum, 1e-9)
  t.near(all.measured_ms, measured, 1e-9)
  t.near(all.bytes, bytes, 1)
  for _, layer in ipairs(m.layers) do shares = shares + layer.share end
  t.near(shares, 1, 1e-9)
  t.equal(#m.batches, 5)
  for _, b in ipairs(m.batches) do
    t.ok(b.with_launches < b.kernel_by_kernel and b.kernel_by_kernel <= b.arithmetic and b.kernel_by_kernel <= b.memory)
  end
  t.near(m.batches[1].kernel_by_kernel, 4 / all.ms * 1e3, 1e-3)
end)

t.case('hz bench --model: the tables, and mistakes', function()
  local status, out, err = t.run(few .. ' --dtype f32')
  t.equal(status, 0, err)
  out = out:gsub('\n *', ' ')
  for _, text in ipairs { 'model: H200 SXM, batch 4: f32 66%.9 TFLOP/s %(datasheet%), memory 4%.3 TB/s %(measured%)',
      'pass +layer +op', 'us measured +ratio', 'us forward +us backward', 'limits in images/s', 'kernel by kernel' } do
    t.match(out, text)
  end
  local _
  status, _, err = t.run 'bench --model h300'
  t.equal(status, 2)
  t.match(err, 'one of a100, h100, h200, b200')
  status, _, err = t.run 'bench --model h200 --grow batch'
  t.equal(status, 2)
  t.match(err, '%-%-model was given with %-%-grow')
end)
