-- fuse_test.lua: what fusion puts behind a convolution yields the bits of the ops alone, on every level, for f32 and
-- bf16; sums of batch norm, which are added in another order, yield nearly the same. And what was expected to be fused
-- is, and has the text that a plan shows.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local tensor = require 'hz.tensor.tensor'
local C, ffi = c.C, c.ffi
local graphs = assert(loadfile(t.here .. 'graph.lua'))()
local on = assert(loadfile(t.here .. 'levels.lua'))()
local l = hz.layers

local BATCH = 7
-- A step of training: the plan's ops as text, and everything a step yields by name.
local function step(net, o)
  o.batch, o.train, o.seed = BATCH, true, 11
  local plan = net:plan(o)
  local shape = { BATCH }
  for _, n in ipairs(net.input) do shape[#shape + 1] = n end
  local labels = {}
  for i = 1, BATCH do labels[i] = i % 3 end
  plan:write(hz.randn(shape, 0, 1, { seed = 5, stream = 1 }):to(o.dtype), hz.tensor(labels, 'i32'))
  plan:step()
  plan.args.count = BATCH - 2                           -- the last batch of an epoch; the other rows stay as they were
  c.check(C.hz_plan_run(plan.handle, 0, -1, plan.args))
  local ops, out = {}, { logits = plan:value('logits'):to 'f64' }
  for _, row in ipairs(plan:nodes()) do ops[#ops + 1] = row.op end
  for _, p in ipairs(net:tensors()) do
    if p.trainable then out['d ' .. p.name] = plan:gradient(p.name):to 'f64' end
  end
  return table.concat(ops, ' '), out
end

-- Relative L2 difference, the largest of any result; those smaller than 1e-3 count as that (a bias before batch norm
-- has no gradient but rounding).
local function apart(a, b)
  local most = 0
  for name, x in pairs(a) do
    local d = x - b[name]
    most = math.max(most, math.sqrt((d * d):mean()) / math.max(1e-3, math.sqrt((x * x):mean())))
  end
  return most
end

local function compare(level, kernel, net, dtype, wanted, rounding)
  local where = ('%s, %s, %s, %s'):format(net.name, dtype, level, kernel)
  local ops, fused = step(net, { dtype = dtype })
  local alone, unfused = step(net, { dtype = dtype, fuse = false })
  for _, word in ipairs(wanted) do
    t.ok((' ' .. ops .. ' '):find(' ' .. word .. ' ', 1, true), ('%s: no %s among %s'):format(where, word, ops))
  end
  for _, tail in ipairs { 'maxpool', 'dropout', 'moments' } do
    t.ok(not alone:find('+' .. tail, 1, true), where .. ': fused although fuse=false')
  end
  if rounding then
    local _, truth = step(net, { dtype = 'f64' })
    local a, b = apart(truth, fused), apart(truth, unfused)
    t.ok(a <= 3 * b + 1e-5, ('%s: %g and %g from the truth'):format(where, a, b))
  else
    t.equal(apart(fused, unfused), 0, where .. ': other bits than alone')
  end
  local threads = C.hz_cpu_threads()
  c.check(C.hz_cpu_set_threads(threads == 3 and 2 or 3))
  local _, again = step(net, { dtype = dtype })
  c.check(C.hz_cpu_set_threads(threads))
  t.equal(apart(fused, again), 0, where .. ': other bits with other threads')
end

-- Kernels that run tails, by the levels that have them: with one preferred, all that can be fused is. And whatever is
-- chosen without, for the cores of either vendor.
local PAIRED = { 'avx512bf16', 'amx' }
local KERNELS = { f32 = { wino = on.all }, bf16 = { wino = on.all, winopairs = PAIRED, pairs = PAIRED } }
-- headed: what is wanted of kernel pairs, which makes the gradient of pooling itself.
local function compare_all(make, dtype, wanted, rounding, headed)
  for kernel, levels in pairs(KERNELS[dtype]) do
    local list = kernel == 'pairs' and headed or wanted
    on.each(function(level)
      graphs.forced(kernel, function() compare(level, kernel, make(dtype), dtype, list, rounding) end)
    end, levels)
  end
  on.each(function(level) compare(level, 'chosen', make(dtype), dtype, {}, rounding) end)
  if dtype ~= 'bf16' then return end
  on.each_other(function(level) compare(level, 'chosen for other cores', make(dtype), dtype, {}, rounding) end)
end

-- Rows and columns that are no multiple of the window or of a tile, windows cut off and left out, both strides.
-- In bf16 an activation that a kernel applies to its sums is not that of the rounded sums; relu is.
local function image_net(dtype)
  local elu, leaky = l.elu, l.leaky
  if dtype == 'bf16' then elu, leaky = l.relu, l.relu end
  return hz.net 'image' { input = { 55, 43, 16 },
    l.conv{32, 3}, l.relu, l.maxpool{2}, l.dropout{0.3}, l.conv{64, 3, stride=2}, l.dropout{0.2},
    l.conv{24, 3, pad='valid'}, elu, l.maxpool{2, pad='same'}, l.dropout{0.4}, l.conv{16, 3}, leaky, l.dropout{0.5},
    l.flatten, l.dense{5} }
end

-- One channel: the first layer's kernel, whose bands are of whole windows.
local function sound_net()
  return hz.net 'sound' { input = { 33, 26, 1 },
    l.conv{16, 3, pad='valid'}, l.tanh, l.maxpool{4}, l.dropout{0.25}, l.conv{16, 3}, l.relu, l.maxpool{2},
    l.flatten, l.dense{3} }
end

-- axis: with 'rows' where statistics are of the image's rows, of which tasks see parts.
local function norm_net(_, axis)
  local norm = l.norm{ axis = axis }
  return hz.net 'norm' { input = { 19, 13, 1 }, l.conv{16, 3, pad='valid'}, norm, l.relu, l.conv{24, 3}, l.relu,
    norm, l.maxpool{2}, l.conv{32, 3, stride=2}, norm, l.elu, l.meanpool, l.dense{4} }
end
-- Max pooling whose gradient stands alone before those of convolutions, of both strides; windows leave rows and columns
-- out.
local function pooled_net()
  return hz.net 'pooled' { input = { 23, 37, 16 }, l.conv{32, 3}, l.relu, l.maxpool{2}, l.meanpool, l.dense{5} }
end
local function strided_net()
  return hz.net 'strided' { input = { 41, 29, 16 }, l.conv{24, 3}, l.relu, l.conv{32, 3, stride=2, pad='valid'}, l.relu,
    l.maxpool{3}, l.flatten, l.dense{5} }
end

-- GELU's gradient is taken at what norm makes anew.
local function gelu_net()
  local norm = l.norm{ momentum = 0.6, epsilon = 1e-12 }
  return hz.net 'gelu' { input = { 15, 13, 3 }, l.conv{24, 2, pad='valid'}, l.gelu,
    l.conv{32, 3, bias=false}, l.maxpool{2}, norm, l.gelu, l.conv{48, 3, bias=false}, norm, l.gelu,
    l.maxpool{3}, l.flatten, l.dense{4} }
end
local function rows_net(dtype) return norm_net(dtype, 'rows') end

t.case('pooling and dropout behind a convolution yield the same bits', function()
  t.need_cpu_kernels()
  compare_all(image_net, 'f32', { 'conv2d+relu+maxpool+dropout', 'conv2d+dropout', 'conv2d+elu+maxpool',
    'conv2d+leaky+dropout', 'conv2d_dx+dropout_grad', 'conv2d_dx+dropout_grad+elu+maxpool_grad',
    'conv2d_dx+dropout_grad+relu+maxpool_grad' })
  compare_all(image_net, 'bf16', { 'conv2d+relu+maxpool+dropout', 'conv2d+dropout', 'conv2d_dx+dropout_grad',
    'conv2d_dx+dropout_grad+relu+maxpool_grad' })
  compare_all(sound_net, 'f32', { 'conv2d+tanh+maxpool', 'conv2d+relu+maxpool',
    'conv2d_dx+dropout_grad+tanh+maxpool_grad' })
end)

t.case('batch norm takes its moments from the convolution', function()
  t.need_cpu_kernels()
  compare_all(norm_net, 'f32', { 'conv2d+moments', 'conv2d+relu+moments', 'conv2d_dx+relu+sums' }, true)
  compare_all(norm_net, 'bf16', { 'conv2d+relu+moments', 'conv2d_dx+relu+sums' }, true)
  compare_all(rows_net, 'f32', { 'conv2d+moments', 'conv2d+relu+moments', 'conv2d_dx+relu+sums' }, true)
  compare_all(rows_net, 'bf16', { 'conv2d+relu+moments', 'conv2d_dx+relu+sums' }, true)
end)

t.case('the gradient of pooling is made where the gradients of a convolution read it, to the same bits', function()
  t.need_cpu_kernels()
  for _, dtype in ipairs { 'f32', 'bf16' } do
    compare_all(pooled_net, dtype, {}, false, { 'maxpool_grad+conv2d_dw' })
    compare_all(strided_net, dtype, {}, false, { 'maxpool_grad+conv2d_dw', 'maxpool_grad+conv2d_dx+relu' })
  end
end)

t.case('GELU behind batch norm is its epilogue, and its gradient runs behind the convolution', function()
  t.need_cpu_kernels()
  for _, dtype in ipairs { 'f32', 'bf16' } do
    compare_all(gelu_net, dtype, { 'conv2d+maxpool+moments', 'norm+gelu', 'conv2d_dx+norm_act_grad+sums' }, true,
      { 'maxpool_grad+conv2d_dw', 'maxpool_grad+conv2d_dx+gelu' })
  end
end)

-- Nodes that run of a plan whose convolutions run all tails, as text; those of `train` behind the loss.
local function texts(net, train)
  local list = {}
  on.at('portable', on.vendor, function()
    graphs.forced('wino,few', function()
      local plan = net:plan { batch = BATCH, train = train }
      for i, row in ipairs(plan:nodes()) do
        if row.kernel ~= 'fused' and row.kernel ~= 'view' and (not train or i > plan.forward_nodes) then
          list[#list + 1] = row.op
        end
      end
    end)
  end)
  return table.concat(list, ', ')
end

t.case('the text of a node names what was fused', function()
  t.need_cpu_kernels()
  t.equal(texts(norm_net(), false),
    'conv2d+norm+relu, conv2d+relu+norm+maxpool, conv2d+norm+elu, meanpool, dense')
  t.equal(texts(norm_net(), true), 'xent_grad, dense_dw, dense_dx, meanpool_grad+elu, norm_grad, conv2d_dw, '
    .. 'conv2d_dx+maxpool_grad+sums, norm_grad+relu, conv2d_dw, conv2d_dx+relu+sums, norm_grad, conv2d_dw, '
    .. 'norm_update, norm_update, norm_update')
  t.equal(texts(hz.net 'plain' { input = { 8, 8, 3 }, l.relu, l.meanpool, l.dense{4}, l.tanh, l.dense{2} }, false),
    'act relu, meanpool, dense+tanh, dense')
end)

local function frozen(net)
  step(net, { dtype = 'f32' })                              -- running statistics that are not those of the beginning
  for _, dtype in ipairs { 'f32', 'bf16' } do
    on.each(function(level)
      graphs.forced('wino,few', function()
        local out = {}
        for i, fuse in ipairs { true, false } do
          local plan = net:plan { batch = BATCH, dtype = dtype, fuse = fuse }
          plan:write(hz.randn({ BATCH, 19, 13, 1 }, 0, 1, { seed = 5, stream = 1 }):to(dtype)):run()
          out[i] = plan:value('logits'):clone()
          if fuse then
            local ops = tostring(plan)
            t.ok(ops:find('conv2d+relu+norm+maxpool', 1, true) or ops:find('conv2d+relu+norm ', 1, true), ops)
            if dtype == 'f32' then t.ok(ops:find('conv2d+norm+relu', 1, true), ops) end
          end
        end
        t.equal((out[1] - out[2]):abs():max(), 0, dtype .. ', ' .. level)
      end)
    end)
  end
end

t.case('frozen batch norm runs behind the convolution', function()
  t.need_cpu_kernels()
  frozen(norm_net())
  frozen(rows_net())
end)

t.case('no activation costs a convolution its kernel', function()
  local acts = { none = false, relu = l.relu, elu = l.elu, gelu = l.gelu, leaky = l.leaky{0.1}, tanh = l.tanh,
    sigmoid = l.sigmoid }
  for _, dtype in ipairs { 'f32', 'bf16' } do
    for _, stride in ipairs { 1, 2 } do
      on.each(function(level)
        local kernel = {}
        for name, act in pairs(acts) do
          local list = { input = { 40, 38, 32 }, l.conv{32, 3, stride = stride} }
          list[2] = act or nil
          kernel[name] = hz.net 'one'(list):plan{ batch = 8, dtype = dtype }:nodes()[1].kernel
        end
        for name in pairs(acts) do
          t.equal(kernel[name], kernel.none, ('%s, %s, stride %d, %s'):format(name, dtype, stride, level))
        end
      end)
    end
  end
end)

t.case('exact=true keeps to kernels that round no more than what is stored', function()
  t.need_cpu_kernels()
  local function kernels(exact)
    local net = hz.net 'deep' { input = { 40, 38, 64 }, l.conv{64, 3}, l.relu, l.conv{64, 3, stride=2}, l.meanpool }
    local plan, list = net:plan { batch = 8, train = true, dtype = 'bf16', exact = exact }, {}
    for _, row in ipairs(plan:nodes()) do list[#list + 1] = row.kernel end
    return table.concat(list, ' ')
  end
  local granted = on.at('avx512bf16', 'amd', function()
    t.ok(kernels():find 'winopairs', 'what is compared: ' .. kernels())
    t.ok(not kernels(true):find 'winopairs', kernels(true))
    graphs.forced('winopairs', function() t.ok(not kernels(true):find 'winopairs', 'forced: ' .. kernels(true)) end)
  end)
  if not granted then t.skip 'no level here has kernel winopairs' end
end)

t.case('exact is true or false, and stands in keys where it is true', function()
  local net, training = hz.net 'n' { input = { 4 }, l.dense{2} }, require 'hz.net.training'
  t.raises('plan: exact is 1; needs true or false', function() net:plan { exact = 1 } end)
  local o = { epochs = 1, seed = 1, optimizer = hz.sgd() }
  t.equal(training.new('t', o):decides().exact, nil)
  t.equal(training.new('t', o, { exact = true }):decides().exact, true)
end)

-- The last layer of architecture A; and one that reads the data itself, so that no gradient flows further.
t.case('the mean over the image comes before a linear layer of 1x1', function()
  local function last()
    return hz.net 'last' { input = { 9, 7, 20 }, l.conv{16, 3}, l.relu, l.conv{12, 1}, l.meanpool }
  end
  local function only() return hz.net 'only' { input = { 5, 8, 24 }, l.conv{6, 1, bias=false}, l.meanpool } end
  for _, dtype in ipairs { 'f32', 'bf16' } do
    compare_all(last, dtype, { 'meanpool', 'dense', 'dense_dx', 'dense_dw', 'meanpool_grad+relu' }, true)
    compare_all(only, dtype, { 'meanpool', 'dense', 'dense_dw' }, true)
  end
  local net = last()
  local plan, kept = net:plan { batch = 2 }, net:plan { batch = 2, keep = true }
  local x = hz.randn({ 2, 9, 7, 20 }, 0, 1, { seed = 3 })
  plan:write(x):run()
  kept:write(x):run()
  t.ok((plan:peek 'meanpool1' - kept:peek 'meanpool1'):abs():max() < 1e-6)
  t.raises("peek: 'conv2.y' was fused away", function() plan:peek 'conv2' end)
  local training, seen = net:plan { batch = 2, train = true }, 0
  for v = 0, C.hz_graph_values(training.graph) - 1 do       -- also the values that only the rewrite knows
    local ok, e = pcall(tensor.own, C.hz_plan_peek, training.handle, v, -1)
    t.ok(ok or tostring(e):find 'was fused away', e)
    seen = seen + (ok and 1 or 0)
  end
  t.ok(seen > 10)
  t.equal(kept:peek('conv2'):size(4), 12)
end)
