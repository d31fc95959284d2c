-- dnn_test.lua: convolutions by cuDNN's rows, with sums in the emulation that stand for cuDNN (HZ_CUDNN=whole, split,
-- none): each case of the op table, and small nets step by step against the CPU.
local t = ...
local hz = require 'hz'
local ops = assert(loadfile(t.here .. 'ops.lua'))()
local G = assert(loadfile(t.here .. 'graph.lua'))()
local judge = assert(loadfile(t.here .. 'judge.lua'))(t, ops, G)

local MODES = { 'whole', 'split', 'none' }               -- plans of one piece, of the product alone, no plan at all

local function with(mode, f) t.with('HZ_CUDNN', mode, f) end

t.case('every convolution equals the plain loops', function()
  t.need_emu()
  judge.each_row(judge.away_from_kinks)
  local count = 0
  judge.each_row(function(row)
    if row.op ~= 'conv2d' then return end
    for _, mode in ipairs(MODES) do
      for _, storage in ipairs { 'f32', 'bf16' } do
        with(mode, function()
          local b = G.bench(row, { device = 'emu', dtype = storage, grad = not row.no_grad })
          b:run()
          judge.close(row, storage, b, row.batch, judge.truth(row, storage), 'emu, cudnn, ' .. mode)
          count = count + 1
        end)
      end
    end
  end)
  t.ok(os.getenv 'HZ_TEST_ROW' or count > 60, 'hardly a row was run')
end)

t.case('a plan in f64 has no use for it', function()
  t.need_emu()
  with('whole', function()
    local net = hz.net { input = { 6, 6, 3 }, hz.layers.conv { 4, 3 } }
    for _, row in ipairs { { 'f64', 'plain' }, { 'f32', 'cudnn' }, { 'bf16', 'cudnn' } } do
      local plan = net:plan { batch = 2, dtype = row[1], device = 'emu', loss = false }
      local kernels = {}
      for _, n in ipairs(plan:nodes()) do kernels[#kernels + 1] = n.kernel end
      t.equal(kernels, { row[2] }, row[1])
    end
  end)
end)

-- ---- nets ----

local l = hz.layers

-- Activations that stand behind one convolution and before the next: the gradient of the second makes the sums of the
-- first's bias on the way, where nothing stands between and it is told by a sign.
local function net_of(act)
  local net = hz.net { input = { 9, 8, 3 }, l.conv { 8, 3 }, act, l.conv { 5, 3, stride = 2 }, act,
    l.conv { 6, 3, pad = 'valid', bias = false }, act, l.conv { 4, 1 }, l.flatten, l.dense { 3 } }
  net.seed = 3
  return net
end

local function gradients(net, device, dtype)
  local plan = net:plan { batch = 4, dtype = dtype, device = device, train = true, loss = 'xent' }
  plan:write(hz.randn({ 4, 9, 8, 3 }, 0, 1, { seed = 5, stream = 1 }):to(dtype), hz.tensor({ 0, 1, 2, 1 }, 'i32'))
  plan:step()
  plan:step()
  local out = { loss = plan:loss() }
  for _, name in ipairs { 'conv1.weight', 'conv1.bias', 'conv2.weight', 'conv2.bias', 'conv3.weight', 'conv4.bias' } do
    out[name] = plan:gradient(name):to 'f32'
  end
  return out, plan
end

local function kernels(plan)
  local list = {}
  for _, n in ipairs(plan:nodes()) do
    if n.op:find '^conv2d' then list[#list + 1] = ('%s %s'):format(n.op, n.kernel) end
  end
  return list
end

local function apart(a, b)
  if type(a) == 'number' then return math.abs(a - b) / math.abs(b) end
  return math.sqrt(((a - b) * (a - b)):mean() / (b * b):mean())
end

t.case('nets have the gradients that the CPU finds', function()
  t.need_emu()
  for _, act in ipairs { l.relu, l.leaky, l.elu } do
    for dtype, most in pairs { f32 = 1e-5, bf16 = 0.1 } do
      local wanted = gradients(net_of(act), 'cpu', 'f32')
      for _, mode in ipairs(MODES) do
        with(mode, function()
          local got, plan = gradients(net_of(act), 'emu', dtype)
          for _, k in ipairs(kernels(plan)) do t.ok(k:find ' cudnn$', k) end
          for name, v in pairs(wanted) do
            local off, limit = apart(got[name], v), name:find 'bias' and 3 * most or most      -- sums that cancel
            t.ok(off <= limit, ('%s, %s: %s is off by %.3g; at most %.3g'):format(dtype, mode, name, off, limit))
          end
        end)
      end
    end
  end
end)

t.case('exact=true keeps to kernels that round no more than what is stored', function()
  t.need_emu()
  with('whole', function()
    local net = net_of(l.relu)
    local plan = net:plan { batch = 4, dtype = 'bf16', device = 'emu', train = true, loss = 'xent', exact = true }
    for _, k in ipairs(kernels(plan)) do t.ok(k:find ' plain$' or k:find '^conv2d_dx cudnn$', k) end
    t.ok(table.concat(kernels(plan), ', '):find 'conv2d_dw plain')
  end)
end)
