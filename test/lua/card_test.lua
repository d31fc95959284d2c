-- card_test.lua: the kernels of a card, on its emulation: every row of test/ops.lua against the plain loops in double,
-- in every type of storage, and the same bits whatever order blocks and warps come in.
local t = ...
local c = require 'hz.c'
local ops = assert(loadfile(t.here .. 'ops.lua'))()
local G = assert(loadfile(t.here .. 'graph.lua'))()
local judge = assert(loadfile(t.here .. 'judge.lua'))(t, ops, G)

local function case(name, f)
  t.case(name, function()
    t.need_emu()
    t.ok(c.C.hz_backend_named 'emu' ~= nil, c.message())
    f()
  end)
end

local function each(f)
  judge.each_row(function(row)
    for _, storage in ipairs(row.update and { 'f32', 'f64' } or { 'f32', 'bf16', 'f64' }) do f(row, storage) end
  end)
end

local function bench(row, storage, fuse)
  return G.bench(row, { device = 'emu', dtype = storage, grad = not row.no_grad, fuse = fuse })
end

case('every kernel equals the plain loops', function()
  judge.each_row(judge.away_from_kinks)
  local count = 0
  local function judged(row, storage, fuse)
    local b = bench(row, storage, fuse)
    b:run()
    judge.close(row, storage, b, row.batch, judge.truth(row, storage), 'emu')
    count = count + 1
  end
  each(function(row, storage)
    for _, fuse in ipairs(row.act and { true, false } or { true }) do judged(row, storage, fuse) end
    if row.op == 'xent' then t.with('HZ_KERNEL', 'plain', function() judged(row, storage) end) end     -- not as a head
  end)
  t.ok(os.getenv 'HZ_TEST_ROW' or count > 200, 'hardly a row was run')
end)

case('the same bits in whatever order threads come', function()
  each(function(row, storage)
    local b, first = bench(row, storage), nil
    for time = 1, 3 do
      b:run()
      local r = b:results()
      first = first or r
      for what, v in pairs(r) do
        t.ok(G.same_bits(v.tensor, first[what].tensor),
          ('%s, %s: %s has other bits in run %d'):format(row.title, storage, what, time))
      end
    end
  end)
end)

-- Sums over as many pixels as a large batch has, of numbers that do not cancel.
case('long sums are as exact as short ones', function()
  local window = { kh = 1, kw = 1, sh = 1, sw = 1, pad = 'same' }
  for i, row in ipairs { { op = 'conv2d', inputs = { { 70, 64, 64, 2 }, { 3, 1, 1, 2 }, { 3 } }, attr = window },
      { op = 'dense', inputs = { { 150001, 3 }, { 2, 3 }, { 2 } } } } do
    row.stream, row.batch, row.title = 900 + i, row.inputs[1][1], row.op .. ' of many rows'
    local function results(o)
      o.grad = true
      local b = G.bench(row, o)
      for _, e in ipairs(b.entries) do e.contents = e.contents * e.contents end
      b:run()
      return b:results()
    end
    local wanted = results { device = 'cpu', dtype = 'f64' }
    for name, r in pairs(results { device = 'emu' }) do
      local d = G.distance(r.tensor, wanted[name].tensor)
      t.ok(d <= 1e-6, ('%s: %s is off by %.3g'):format(row.title, name, d))
    end
  end
end)

case('at rate 0 muon moves the velocity alone', function()
  judge.each_row(function(row)
    if row.op ~= 'muon' or not row.attr.momentum then return end
    local emu, cpu = bench(row, 'f32'), G.bench(row, { device = 'cpu', dtype = 'f64' })
    for _, b in ipairs { emu, cpu } do
      b:run { rate = 0 }
      t.ok(G.same_bits(b.bound[1].tensor, b.bound[1].original), row.title)
    end
    judge.close(row, 'f32', emu, nil, cpu:results(), 'emu')
  end)
end)

-- Rows that are large enough, with what stands for cuBLASLt; and where that has no way to do a product.
case('large products by cuBLASLt, or without', function()
  local optim = { epsilon = 1e-7, iterations = 3, momentum = 0.6, nesterov = 1, renormalise = 1 }
  local rows = {
    { op = 'dense', inputs = { { 130, 150 }, { 140, 150 }, { 140 } }, act = 'gelu' },
    { op = 'dense', inputs = { { 129, 131 }, { 133, 131 } }, act = 'tanh' },
    { op = 'dense', inputs = { { 128, 160 }, { 128, 160 }, { 128 } }, frozen = true },
    { op = 'muon', inputs = { { 140, 3, 3, 16 }, { 140, 3, 3, 16 }, { 140, 3, 3, 16 } }, attr = optim, update = true },
    { op = 'muon', inputs = { { 170, 129 }, { 170, 129 }, { 170, 129 } }, attr = optim, update = true },
  }
  for i, row in ipairs(rows) do
    row.stream, row.batch, row.title = 910 + i, row.update and 1 or row.inputs[1][1], row.op .. ' ' .. i
    row.no_grad = row.update
    for _, storage in ipairs(row.update and { 'f32' } or { 'f32', 'bf16' }) do
      for _, there in ipairs { 'whole', 'none' } do
        t.with('HZ_CUBLASLT', there, function()
          local b = bench(row, storage)
          for _, k in ipairs(b:kernels()) do
            t.ok((k.kernel == 'cublaslt') == (k.op:find '^dense' ~= nil or k.op == 'muon'), k.op .. ' ' .. k.kernel)
          end
          for _ = 1, 2 do
            b:run()
            judge.close(row, storage, b, row.batch, judge.truth(row, storage), 'emu, cuBLASLt ' .. there)
          end
        end)
      end
    end
  end
end)
