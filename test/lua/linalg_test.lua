-- Linear algebra: every result is checked by the identity that defines it, for both dtypes and odd shapes;
-- mistakes by message.
local t = ...
local la = require 'hz.tensor.linalg'
local tensor = require 'hz.tensor.tensor'

local function need_blas()
  if not pcall(require 'ffi'.load, 'libopenblas.so.0') then t.skip 'libopenblas.so.0 is not installed (make deps)' end
end

local tolerance = { f32 = 2e-4, f64 = 1e-11 }

local function random(shape, dtype, stream)
  return tensor.randn(shape, 0, 1, { seed = 7, stream = stream or 1, dtype = 'f64' }):to(dtype)
end

local function apart(a, b) return (a:to 'f64' - b:to 'f64'):abs():max() end

local function eye(n, dtype)
  local e = tensor.zeros({ n, n }, dtype)
  for i = 1, n do e:set(1, i, i) end
  return e
end

local function diagonal(s)
  local d = tensor.zeros({ s:size(1), s:size(1) }, s:type())
  for i = 1, s:size(1) do d:set(s[i], i, i) end
  return d
end

local checks = {}

function checks.matmul(dtype, m, n)
  local a, b = random({ m, n }, dtype), random({ n, 5 }, dtype, 2)
  local got = la.matmul(a, b)
  t.equal(got:type(), dtype)
  for i = 1, m do
    for j = 1, 5 do
      local sum = 0
      for k = 1, n do sum = sum + a:get(i, k) * b:get(k, j) end
      t.near(got:get(i, j), sum, tolerance[dtype])
    end
  end
end

function checks.svd(dtype, m, n)
  local a = random({ m, n }, dtype)
  local u, s, vt = la.svd(a)
  local k = math.min(m, n)
  t.near(apart(la.matmul(la.matmul(u, diagonal(s)), vt), a), 0, tolerance[dtype], 'u s vt')
  t.near(apart(la.matmul(u:transpose(), u), eye(k, dtype)), 0, tolerance[dtype], 'u orthonormal')
  t.near(apart(la.matmul(vt, vt:transpose()), eye(k, dtype)), 0, tolerance[dtype], 'vt orthonormal')
  for i = 2, k do t.ok(s[i] <= s[i - 1], 's falls') end
end

function checks.qr(dtype, m, n)
  local a = random({ m, n }, dtype)
  local q, r = la.qr(a)
  t.near(apart(la.matmul(q, r), a), 0, tolerance[dtype], 'q r')
  t.near(apart(la.matmul(q:transpose(), q), eye(math.min(m, n), dtype)), 0, tolerance[dtype], 'q orthonormal')
  for i = 1, r:size(1) do
    for j = 1, i - 1 do t.equal(r:get(i, j), 0) end
  end
end

function checks.lstsq(dtype, m, n)
  local a, b = random({ m, n }, dtype), random({ m, 2 }, dtype, 2)
  local x, rank = la.lstsq(a, b)
  t.equal(x:size(), { n, 2 })
  t.equal(rank, math.min(m, n))
  local rest = la.matmul(a, x) - b
  t.near(apart(la.matmul(a:transpose(), rest), tensor.zeros { n, 2 }), 0, 10 * tolerance[dtype],
    'rest is orthogonal to a')
end

function checks.solve(dtype, _, n)
  local a, b = random({ n, n }, dtype) + eye(n, dtype) * 5, random({ n, 3 }, dtype, 2)
  t.near(apart(la.matmul(a, la.solve(a, b)), b), 0, tolerance[dtype])
  t.near(apart(la.solve(a, b:slice(2, 1, 1):reshape { n }), la.solve(a, b):slice(2, 1, 1):reshape { n }), 0,
    tolerance[dtype], 'vector')
  t.near(apart(la.matmul(la.inv(a), a), eye(n, dtype)), 0, tolerance[dtype], 'inv')
end

function checks.symmetric(dtype, _, n)
  local r = random({ n, n }, dtype)
  local a = r + r:transpose()
  local w, v = la.eigh(a)
  t.near(apart(la.matmul(a, v), la.matmul(v, diagonal(w))), 0, 5 * tolerance[dtype], 'a v = v w')
  t.near(apart(la.matmul(v:transpose(), v), eye(n, dtype)), 0, tolerance[dtype], 'v orthonormal')
  for i = 2, n do t.ok(w[i] >= w[i - 1], 'w rises') end
  local p = la.matmul(r, r:transpose()) + eye(n, dtype)
  local l = la.cholesky(p)
  t.near(apart(la.matmul(l, l:transpose()), p), 0, 20 * tolerance[dtype], 'l lt')
  for i = 1, n do
    for j = i + 1, n do t.equal(l:get(i, j), 0) end
  end
  local product = 1
  for i = 1, n do product = product * w[i] end
  t.near(la.det(a) / product, 1, 100 * tolerance[dtype], 'det is the product of eigenvalues')
end

local names = { 'matmul', 'svd', 'qr', 'lstsq', 'solve', 'symmetric' }
for _, name in ipairs(names) do
  for _, dtype in ipairs { 'f32', 'f64' } do
    t.case(name .. ' ' .. dtype, function()
      need_blas()
      for _, shape in ipairs { { 1, 1 }, { 3, 3 }, { 7, 4 }, { 4, 7 }, { 33, 20 } } do
        checks[name](dtype, shape[1], shape[2])
      end
    end)
  end
end

t.case('views, vectors and mixed dtypes', function()
  need_blas()
  local a = tensor.from { { 1, 2 }, { 3, 4 } }
  t.equal(la.matmul(a:transpose(), a):table(), { { 10, 14 }, { 14, 20 } })
  t.equal(la.matmul(a, tensor.from { 1, 1 }):table(), { 3, 7 })
  t.equal(la.matmul(tensor.from { 1, 1 }, a):table(), { 4, 6 })
  t.equal(la.matmul(tensor.from { 1, 2 }, tensor.from { 3, 4 }), 11)
  t.equal(la.matmul(a, a:to 'f64'):type(), 'f64')
  t.near(la.det(a), -2, 1e-6)
  t.equal(a:table(), { { 1, 2 }, { 3, 4 } }, 'inputs stay')
end)

t.case('rank-deficient least squares', function()
  need_blas()
  local x, rank = la.lstsq(tensor.from({ { 1, 1 }, { 1, 1 } }, 'f64'), tensor.from({ 2, 2 }, 'f64'))
  t.equal(rank, 1)
  t.near(x[1], 1, 1e-12)
  t.near(x[2], 1, 1e-12)
end)

local z = tensor.zeros
local mistakes = {
  { 'matmul: a is (2,3), b is (2,3); the columns of a must be as many as the rows of b', 'matmul', z { 2, 3 },
    z { 2, 3 } },
  { "matmul: a is i32 (2,2); needs f32 or f64, such as a:to 'f32'", 'matmul', z({ 2, 2 }, 'i32'), z { 2, 2 } },
  { 'matmul: b is number; needs a tensor', 'matmul', z { 2, 2 }, 3 },
  { 'matmul: a is f32 (2,2,2), b is f32 (2,2); needs matrices or vectors', 'matmul', z { 2, 2, 2 }, z { 2, 2 } },
  { 'solve: a is f32 (2,3); needs a square matrix', 'solve', z { 2, 3 }, z { 2 } },
  { 'solve: b is f32 (3); needs 2 rows like a', 'solve', z { 2, 2 }, z { 3 } },
  { 'solve: a is singular (pivot 1 is zero)', 'solve', z { 2, 2 }, z { 2 } },
  { 'inv: a is singular', 'inv', z { 2, 2 } },
  { 'cholesky: the leading 1 x 1 part of a is not positive definite', 'cholesky', z { 2, 2 } },
  { 'eigh: a differs from its transpose by 1', 'eigh', tensor.from { { 0, 1 }, { 0, 0 } } },
  { 'svd: 1 entries of a are not finite', 'svd', tensor.from { { 0, 0 / 0 } } },
  { 'svd: a is f32 (3); needs a matrix', 'svd', z { 3 } },
  { 'qr: a is f32 (0,3); needs extents of 1', 'qr', z { 0, 3 } },
}
for _, row in ipairs(mistakes) do
  t.case(row[1], function()
    need_blas()
    local text = t.raises(row[1], function() local x = la[row[2]](row[3], row[4]); return x end)
    t.match(text, 'linalg_test%.lua:%d+: ')
  end)
end
