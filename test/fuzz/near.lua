-- near.lua: how far a result may be from the truth, which is the plain loops in double. Nothing is tuned to an op: a
-- tolerance is a multiple of the case's own noise, of two kinds, both measured at numbers moved by about a rounding:
--   moved   how far the truth itself goes (what no algorithm on rounded numbers can avoid: sums that cancel, steep
--           functions); of a sum of products it is the root of twice the sum of their squares, for each unit of moving
--   plain   how far the plain loops in f32 are from the truth (roundings in between; grows as the root of the terms)
-- plus one rounding of the result where it is stored. Distances are L2 norms over a value, so a small error may hide in
-- a large value, but a wrong element is as large as the elements are.
local graphs, tensor = ...

local M = {}

M.ROUNDING = { f32 = 2 ^ -24, bf16 = 2 ^ -8, f64 = 2 ^ -53 }
local MOVE = 1e-6                  -- relative, normal; far below the distance kept from kinks, far above f32's rounding
local SAMPLES = 3

-- Multiples of the noise that a kernel may be off by, by name; the largest seen in a thousand cases is half of each.
M.factor = {
  other = 10,                      -- sums in another order, polynomials instead of libm
  wino = 60,                       -- F(4x4,3x3) in f32: the transforms lose four bits
}
-- Kernel winopairs, F(4x4,3x3) with planes in bf16, in units of the sum of squares: 8.5e-3 in the mean square.
M.planes = 0.03
-- bf16 behind an activation or softmax: the slope is that of a rounded value, and what follows sums over a rounded
-- gradient.
M.behind = 2 ^ -6

function M.norm(t)
  local n, p, sum = t:count(), t:pointer(), 0
  for i = 0, n - 1 do sum = sum + p[i] * p[i] end
  return math.sqrt(sum)
end

-- L2 distance of two tensors of floats; of integers, how many differ.
function M.distance(a, b)
  if a:type() == 'bf16' then a = a:to 'f32' end
  local n, p, q, sum = a:count(), a:pointer(), b:pointer(), 0
  if a:type() == 'u8' or a:type() == 'i32' then
    for i = 0, n - 1 do sum = sum + (p[i] ~= q[i] and 1 or 0) end
    return sum
  end
  for i = 0, n - 1 do sum = sum + (p[i] - q[i]) ^ 2 end
  return math.sqrt(sum)
end

function M.is_whole(t) return t:type() == 'u8' or t:type() == 'i32' end

-- The same numbers, each moved by its own share of `size`; as f32 has them.
function M.moved(t, size, stream)
  if M.is_whole(t) then return t end
  return (t * (tensor.randn(t:size(), 0, size, { seed = 3, stream = stream, dtype = 'f64' }) + 1)):to 'f32'
end

-- Noise of every named result. truth: name -> tensor (f64) at the numbers themselves; run(k, 'f64') and run(k, 'f32')
-- give the results at numbers moved for the k-th time by `size`, by plain loops. Returns name -> { moved (per unit of
-- size), plain }.
function M.noise(truth, run, size)
  local out = {}
  for name in pairs(truth) do out[name] = { moved = 0, plain = 0 } end
  for k = 1, SAMPLES do
    local exact, plain = run(k, 'f64'), run(k, 'f32')
    for name, n in pairs(out) do
      if not M.is_whole(truth[name]) then
        n.moved = n.moved + (M.distance(exact[name], truth[name]) / size) ^ 2 / SAMPLES
        n.plain = n.plain + M.distance(plain[name], exact[name]) ^ 2 / SAMPLES
      end
    end
  end
  for _, n in pairs(out) do n.moved, n.plain = math.sqrt(n.moved), math.sqrt(n.plain) end
  return out
end

-- Noise of a bench of graph.lua, made anew by make(dtype). still(name): an input that is not moved.
function M.noise_of_bench(make, count, truth, still)
  local benches = { f64 = make 'f64', f32 = graphs.forced('ref', function() return make 'f32' end) }
  local begun = {}
  for dtype, b in pairs(benches) do
    begun[dtype] = { entries = {}, bound = {} }
    for i, e in ipairs(b.entries) do begun[dtype].entries[i] = e.contents end
    for i, e in ipairs(b.bound) do begun[dtype].bound[i] = e.original end
  end
  local function run(k, dtype)
    local b = benches[dtype]
    for i, e in ipairs(b.entries) do
      local was = begun[dtype].entries[i]
      e.contents = still(i) and was or M.moved(was, MOVE, 100 * k + i)
    end
    for i, e in ipairs(b.bound) do e.original = M.moved(begun[dtype].bound[i], MOVE, 100 * k + 50 + i) end
    b:run()
    local out = {}
    for name, r in pairs(b:results(count)) do out[name] = r.tensor end
    return out
  end
  return M.noise(truth, run, MOVE)
end

M.MOVE = MOVE
return M
