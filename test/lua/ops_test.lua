-- ops_test.lua: what hz promises of every row of test/ops.lua.
local t = ...
local c = require 'hz.c'
local C, ffi = c.C, c.ffi
local ops = assert(loadfile(t.here .. 'ops.lua'))()
local G = assert(loadfile(t.here .. 'graph.lua'))()
local judge = assert(loadfile(t.here .. 'judge.lua'))(t, ops, G)
local levels = assert(loadfile(t.here .. 'levels.lua'))()
local each_row, each_storage, away_from_kinks = judge.each_row, judge.each_storage, judge.away_from_kinks
local truth, close = judge.truth, judge.close

-- ---- levels and kernels ----

local function runs(bench, name)
  if not name then return true end
  for _, k in ipairs(bench:kernels()) do if k.kernel == name then return true end end
end

-- ---- the questions ----

t.case('every op has a row', function()
  local seen = {}
  each_row(function(row)
    local b = G.bench(row, { grad = not row.no_grad })
    for _, k in ipairs(b:kernels()) do seen[k.op] = true end
  end)
  for i = 0, C.hz_op_count() - 1 do
    local name = ffi.string(C.hz_op_name(i))
    t.ok(seen[name], ('op %s has no row in test/ops.lua'):format(name))
  end
end)

-- Kernels that some row runs: "op kernel".
local met = {}

t.case('every kernel of every level equals the plain loops', function()
  each_row(away_from_kinks)
  levels.each(function(level)
    each_storage(function(row, storage)
      local function ask(name)
        local b = G.bench(row, { dtype = storage, grad = not row.no_grad })
        if not runs(b, name) then return b end
        for _, k in ipairs(b:kernels()) do met[k.op .. ' ' .. k.kernel] = true end
        b:run()
        close(row, storage, b, row.batch, truth(row, storage), ('%s, %s'):format(level, name or 'chosen kernel'))
        return b
      end
      for _, name in ipairs(ask():other_kernels()) do G.forced(name, function() ask(name) end) end
    end)
  end)
end)

-- Relative L2 error on architecture A's layers: Winograd at most 1.1e-6 forward and for the data gradient,
-- 3e-6 for the weight gradient; other kernels at most 1.1e-7 times the square root of the channels summed over
-- (and as Winograd for the weights).
local function promised(row, kernel, what)
  if kernel:find '^wino' then return what == 'd w2' and 3e-6 or 1.1e-6 end
  if what == 'd w2' then return 3e-6 end
  return 1.1e-7 * math.sqrt(what == 'op.y' and row.inputs[1][4] or row.inputs[2][1])
end

t.case('numerics of architecture A', function()
  local makers = { ['op.y'] = 'conv2d', ['d x1'] = 'conv2d_dx', ['d w2'] = 'conv2d_dw' }
  levels.each(function(level)
    each_row(function(row)
      if not row.published then return end
      local function ask(name)
        local b, used = G.bench(row, { grad = true }), {}
        if not runs(b, name) then return b end
        for _, k in ipairs(b:kernels()) do used[k.op] = k.kernel end
        b:run()
        local got = b:results()
        for what, op in pairs(makers) do
          local d, most = G.distance(got[what].tensor, truth(row, 'f32')[what].tensor), promised(row, used[op], what)
          if used[op] ~= 'ref' then
            t.ok(d <= most,
              ('%s, %s, %s %s: off by %.3g; promised %.3g'):format(row.title, level, op, used[op], d, most))
          end
          if os.getenv 'HZ_TEST_ROW' then
            print(('%-40s %-11s %-10s %-7s %.2e of %.2e'):format(row.title, level, op, used[op], d, most))
          end
        end
        return b
      end
      for _, name in ipairs(ask():other_kernels()) do G.forced(name, function() ask(name) end) end
    end)
  end)
end)

t.case('every kernel is run by some row', function()
  local last
  levels.each(function(level) last = level end)
  if last ~= 'avx512bf16' and last ~= 'amx' then t.skip('this machine or HZ_ISA ends at %s', last) end
  if os.getenv 'HZ_TEST_ROW' then t.skip 'HZ_TEST_ROW picks rows' end
  for op = 0, C.hz_op_count() - 1 do
    local i = 0
    while C.hz_cpu_kernel(op, i) ~= nil do
      local name = ffi.string(C.hz_op_name(op)) .. ' ' .. ffi.string(C.hz_cpu_kernel(op, i))
      t.ok(met[name] or name:find '^flatten', 'no row of test/ops.lua runs ' .. name)
      i = i + 1
    end
  end
end)

-- Puts NaN, then infinity, into what flows in: where the plain loops in double yield no finite number, no kernel does.
local function tainted(row, o)
  local b = G.bench(row, o)
  for _, e in ipairs(b.entries) do
    if e.contents:type():find '^[fb]' then
      local x = e.contents:clone()
      x:pointer()[0], x:pointer()[x:count() - 1] = 0 / 0, math.huge
      e.contents = x
    end
  end
  b:run()
  return b
end

local function not_finite(x)
  if x:type() == 'bf16' then x = x:to 'f32' end
  local list, p = {}, x:pointer 'read'
  for i = 0, x:count() - 1 do list[i] = not (math.abs(tonumber(p[i])) < math.huge) end
  return list
end

t.case('what is not finite stays so, by every kernel', function()
  local seen = 0
  levels.each(function(level)
    each_storage(function(row, storage)
      if row.slow or row.op == 'input' then return end
      local wanted
      G.forced('ref', function() wanted = tainted(row, { dtype = 'f64', rounded = storage == 'bf16' }):results() end)
      local function ask(name)
        local b = tainted(row, { dtype = storage })
        if not runs(b, name) then return b end
        for what, r in pairs(b:results()) do
          local bad, got = not_finite(wanted[what].tensor), not_finite(r.tensor)
          for i = 0, #bad do
            seen = seen + (bad[i] and 1 or 0)
            t.ok(got[i] or not bad[i],
              ('%s, %s, %s, %s: %s[%d] is finite; the plain loops say it is not'):format(row.title, storage, level,
              name or 'chosen', what, i))
          end
        end
        return b
      end
      for _, name in ipairs(ask():other_kernels()) do G.forced(name, function() ask(name) end) end
    end)
  end)
  t.ok(seen > 1000, 'nothing was tainted')
end)

t.case('fused equals unfused', function()
  local fused = 0
  local function ask(level, how)
    each_storage(function(row, storage)
      if not row.act or how and storage == 'f32' then return end
      for _, grad in ipairs { false, true } do
        local a = G.bench(row, { dtype = storage, fuse = true, grad = grad and not row.no_grad })
        local b = G.bench(row, { dtype = storage, fuse = false, grad = grad and not row.no_grad })
        for _, k in ipairs(a:kernels()) do fused = fused + (k.kernel == 'fused' and 1 or 0) end
        for _, k in ipairs(b:kernels()) do
          t.ok(k.kernel ~= 'fused', row.title .. ': fused although no_fuse was asked')
        end
        a:run()
        b:run()
        close(row, storage, a, row.batch, truth(row, storage), level .. ', fused' .. (how or ''))
        close(row, storage, b, row.batch, truth(row, storage), level .. ', unfused' .. (how or ''))
      end
    end)
  end
  levels.each(ask)
  levels.each_other(function(level) ask(level, ', chosen for other cores') end)
  t.ok(fused > 0, 'nothing was fused')
end)

t.case('the same bits for 1, 2, 3 and 5 threads', function()
  local before = C.hz_cpu_threads()
  local ok, e = pcall(levels.each, function(level)
    each_storage(function(row, storage)
      local function ask(name)
        local b, first = G.bench(row, { dtype = storage, grad = not row.no_grad }), nil
        if not runs(b, name) then return b end
        for _, n in ipairs { 1, 2, 3, 5 } do
          c.check(C.hz_cpu_set_threads(n))
          b:run()
          local r = b:results(row.batch)
          first = first or r
          for what, v in pairs(r) do
            t.ok(G.same_bits(v.tensor, first[what].tensor),
              ('%s, %s, %s, %s: %s has other bits with %d threads'):format(row.title, storage, level,
              name or 'chosen', what, n))
          end
        end
        return b
      end
      for _, name in ipairs(ask():other_kernels()) do
        if name ~= 'ref' then G.forced(name, function() ask(name) end) end
      end
    end)
  end)
  C.hz_cpu_set_threads(before)
  if not ok then error(e, 0) end
end)

-- Rows in use give what a plan of that batch gives; the others are not written.
t.case('count < batch leaves other rows alone', function()
  local function ask(level, how)
    each_storage(function(row, storage)
      if row.batch < 2 or how and (storage == 'f32' or row.op ~= 'conv2d') then return end
      -- statistics of one row have no variance, and a gradient that is all rounding
      for _, n in ipairs { row.batch - 1, row.op == 'norm' and 2 or 1 } do
        local b = G.bench(row, { dtype = storage, grad = not row.no_grad })
        b:run { count = n }
        local touched = b:touched(n)
        t.ok(not touched,
          ('%s, %s, %s, %d rows: %s was written beyond them'):format(row.title, storage, level, n, tostring(touched)))
        local which = ('%s%s, %d of %d rows'):format(level, how or '', n, row.batch)
        close(row, storage, b, n, truth(row, storage, n), which)
      end
    end)
  end
  levels.each(ask)
  levels.each_other(function(level) ask(level, ', chosen for other cores') end)
end)

-- ---- gradients against central differences, in double ----

-- sum(y*seed), or the loss.
local function objective(b)
  b:again()
  local y = b.outputs[1].view
  return b.seed and (y * b.seed:to 'f64'):sum() or y[1]
end

local function difference(b, w, element)
  local target = w.tensor or w.view
  local h, x = 1e-6, target:pointer 'read'[element]
  local function put(value) target:pointer()[element] = value end
  put(x + h)
  local above = objective(b)
  put(x - h)
  local below = objective(b)
  put(x)
  return (above - below) / (2 * h)
end

t.case('gradient equals finite differences', function()
  each_row(away_from_kinks)
  each_row(function(row)
    if row.no_grad or row.slow then return end
    local b = G.bench(row, { dtype = 'f64', grad = true, fuse = false })
    b:run()
    local all = b:results()
    for k, w in ipairs(b.wrt) do
      local d = all['d ' .. w.name].tensor
      if not w.tensor then w.view = require 'hz.tensor.tensor'.own(C.hz_plan_peek, b.handle, w.value, -1) end
      local n, p = d:count(), d:pointer()
      for s = 0, math.min(n, 16) - 1 do
        local element = n <= 16 and s or (s * 7919 + k * 104729) % n
        local slope, got = difference(b, w, element), p[element]
        t.ok(math.abs(got - slope) <= 2e-7 * (1 + math.abs(slope) + math.sqrt(n)),
          ('%s: d %s, element %d: gradient %.10g, difference %.10g'):format(row.title, w.name, element, got, slope))
      end
    end
  end)
end)
