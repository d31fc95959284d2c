-- linalg.lua: linear algebra on f32 and f64 matrices by OpenBLAS. Inputs are never changed; results have the
-- inputs' dtype. LAPACK sees the rows of a contiguous tensor as columns, so it is given transposed problems
-- where that saves copies.
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local apart = require 'hz.ext.apart'
local blas = require 'hz.ext.blas'
local ffi = c.ffi

local M = {}

-- ---- arguments ----

local function text(t) return ('%s %s'):format(t:type(), tensor.shape_text(t)) end

local function floating(who, name, t)
  if not tensor.is(t) then c.fail('%s: %s is %s; needs a tensor', who, name, type(t)) end
  if not blas.letters[t:type()] then
    c.fail("%s: %s is %s; needs f32 or f64, such as %s:to 'f32'", who, name, text(t), name)
  end
  for i = 1, t.ndim do
    if t:size(i) < 1 or t:size(i) >= 2 ^ 31 then
      c.fail('%s: %s is %s; needs extents of 1 .. 2^31-1', who, name, text(t))
    end
  end
  return t
end

-- LAPACK may not return from what is not finite.
local function finite(who, name, t)
  local good = t:isfinite():sum()
  if good < t:count() then
    c.fail('%s: %d entries of %s are not finite; needs finite ones', who, t:count() - good, name)
  end
  return t
end

local function matrix(who, t)
  floating(who, 'a', t)
  if t.ndim ~= 2 then c.fail('%s: a is %s; needs a matrix', who, text(t)) end
  return finite(who, 'a', t), t:size(1), t:size(2)
end

local function square(who, t)
  local _, m, n = matrix(who, t)
  if m ~= n then c.fail('%s: a is %s; needs a square matrix', who, text(t)) end
  return t, n
end

local function common(a, b) return (a:type() == 'f64' or b:type() == 'f64') and 'f64' or 'f32' end

-- ---- calling LAPACK ----

local function int(v) return ffi.new('int[1]', v) end
local function array(dtype, n) return ffi.new(blas.types[dtype] .. '[?]', n) end

-- Calls f(..., work, lwork, more...) twice: for the size of its workspace, then with it.
local function with_work(dtype, call)
  local size = array(dtype, 1)
  call(size, int(-1))
  local n = math.max(1, tonumber(size[0]))
  call(array(dtype, n), int(n))
end

-- LAPACK does not hear signals: what may take longer than a moment has a process of its own, which can be ended.
-- m, n: extents of the problem; results: the tensors and arrays that call() writes.
local LONG = 5e8                                       -- m n min(m,n) of about 0.2 s
local function stoppable(who, m, n, results, call)
  if m * n * math.min(m, n) < LONG then return call() end
  local outputs = {}
  for i, r in ipairs(results) do
    outputs[i] = tensor.is(r) and { r:pointer(), r:count() * ffi.sizeof(blas.types[r:type()]) } or { r, ffi.sizeof(r) }
  end
  return apart(who, outputs, call)
end

-- A negative info is a mistake of ours.
local function info_of(info, name)
  assert(info[0] >= 0, name .. ': LAPACK refused an argument')
  return info[0]
end

-- The columns of t one after the other, as LAPACK wants them; a fresh copy (it overwrites). And back.
local function columns(t, dtype) return t:transpose():to(dtype or t:type()) end
local function rows(t) return t:transpose():clone() end

-- ---- products ----

local SLAB, PORTION = 256, 2e10                        -- extents worth a call; flops of one, about 0.2 s

-- x (m,k) times y (k,n) into out (m,n), in portions, so that signals are heard in between.
local function multiply(dtype, m, n, k, x, y, out)
  local f = blas.gemm('matmul', dtype)
  local function most(extent, other)
    return math.min(extent, math.max(SLAB, math.floor(PORTION / (2 * k * other) / SLAB) * SLAB))
  end
  local columns = most(n, math.min(m, SLAB))
  local rows = most(m, columns)
  for j = 0, n - 1, columns do
    for i = 0, m - 1, rows do
      f(blas.row_major, blas.as_is, blas.as_is, math.min(rows, m - i), math.min(columns, n - j), k, 1, x + i * k, k,
        y + j, n, 0, out + i * n + j, n)
      c.poll()
    end
  end
end

-- (m,k) x (k,n) -> (m,n); a vector is a row on the left, a column on the right; two vectors give a number.
function M.matmul(a, b)
  floating('matmul', 'a', a)
  floating('matmul', 'b', b)
  if a.ndim < 1 or a.ndim > 2 or b.ndim < 1 or b.ndim > 2 then
    c.fail('matmul: a is %s, b is %s; needs matrices or vectors', text(a), text(b))
  end
  local dtype = common(a, b)
  local k = a:size(a.ndim)
  if b:size(1) ~= k then
    c.fail('matmul: a is %s, b is %s; the columns of a must be as many as the rows of b', tensor.shape_text(a),
      tensor.shape_text(b))
  end
  local m, n = a.ndim == 2 and a:size(1) or 1, b.ndim == 2 and b:size(2) or 1
  local x, y = a:to(dtype), b:to(dtype)
  local out = tensor.empty({ m, n }, dtype)
  multiply(dtype, m, n, k, x:pointer 'read', y:pointer 'read', out:pointer())
  if a.ndim == 1 and b.ndim == 1 then return out:item() end
  return a.ndim == 1 and out:reshape { n } or b.ndim == 1 and out:reshape { m } or out
end

-- ---- equations ----

local function right_side(who, b, m)
  floating(who, 'b', b)
  if b.ndim < 1 or b.ndim > 2 or b:size(1) ~= m then c.fail('%s: b is %s; needs %d rows like a', who, text(b), m) end
  finite(who, 'b', b)
  return b:reshape { m, b.ndim == 2 and b:size(2) or 1 }
end

-- x with a x = b
function M.solve(a, b)
  local _, n = square('solve', a)
  local side = right_side('solve', b, n)
  local dtype, count = common(a, b), side:size(2)
  local left, x = columns(a, dtype), columns(side, dtype)
  local info = int(0)
  local f = blas.lapack('solve', 'gesv', dtype)
  stoppable('solve', n, n, { x, info }, function()
    f(int(n), int(count), left:pointer(), int(n), ffi.new('int[?]', n), x:pointer(), int(n), info)
  end)
  if info_of(info, 'gesv') > 0 then
    c.fail('solve: a is singular (pivot %d is zero); needs an invertible matrix, or hz.lstsq', info[0])
  end
  x = rows(x)
  return b.ndim == 1 and x:reshape { n } or x
end

-- The shortest x with the least |a x - b|, and the rank of a.
function M.lstsq(a, b)
  local _, m, n = matrix('lstsq', a)
  local side = right_side('lstsq', b, m)
  local dtype, count, longer = common(a, b), side:size(2), math.max(m, n)
  local left = columns(a, dtype)
  local x = tensor.zeros({ count, longer }, dtype)
  x:slice(2, 1, m):copy(side:transpose())
  local least = math.min(m, n)
  local info, rank, s = int(0), int(0), array(dtype, least)
  -- -1: machine precision
  local f, rcond = blas.lapack('lstsq', 'gelsd', dtype), ffi.new(blas.types[dtype] .. '[1]', -1)
  local iwork = ffi.new('int[?]', 3 * least * 32 + 11 * least)      -- 3 n levels + 11 n; at most 32 levels
  stoppable('lstsq', m, n, { x, rank, info }, function()
    with_work(dtype, function(work, lwork)
      f(int(m), int(n), int(count), left:pointer(), int(m), x:pointer(), int(longer), s, rcond, rank, work, lwork,
        iwork, info)
    end)
  end)
  if info_of(info, 'gelsd') > 0 then
    c.fail('lstsq: the singular values of a did not converge; needs a better scaled matrix')
  end
  x = rows(x:slice(2, 1, n))
  return b.ndim == 1 and x:reshape { n } or x, rank[0]
end

-- ---- factorisations ----

-- u (m,k), s (k), vt (k,n) with a = u diag(s) vt, k = min(m,n). LAPACK is given the transpose of a, whose
-- u and v change places.
function M.svd(a)
  local _, m, n = matrix('svd', a)
  local dtype, k = a:type(), math.min(m, n)
  local left, u, s, vt = a:clone(), tensor.empty({ m, k }, dtype), tensor.empty({ k }, dtype),
    tensor.empty({ k, n }, dtype)
  local info, iwork, f = int(0), ffi.new('int[?]', 8 * k), blas.lapack('svd', 'gesdd', dtype)
  stoppable('svd', m, n, { u, s, vt, info }, function()
    with_work(dtype, function(work, lwork)
      f('S', int(n), int(m), left:pointer(), int(n), s:pointer(), vt:pointer(), int(n), u:pointer(), int(k), work,
        lwork, iwork, info, 1)
    end)
  end)
  if info_of(info, 'gesdd') > 0 then
    c.fail('svd: the singular values did not converge; needs a better scaled matrix')
  end
  return u, s, vt
end

local tolerance = { f32 = 1e-5, f64 = 1e-12 }

-- w (n) rising, v (n,n) with a v = v diag(w): the eigenvectors are the columns of v.
function M.eigh(a)
  local _, n = square('eigh', a)
  local dtype = a:type()
  local apart = (a - a:transpose()):abs():max()
  if apart > tolerance[dtype] * a:abs():max() then
    c.fail('eigh: a differs from its transpose by %.3g; needs a symmetric matrix', apart)
  end
  local v, w, info = a:clone(), tensor.empty({ n }, dtype), int(0)
  local f, isize = blas.lapack('eigh', 'syevd', dtype), int(0)
  f('V', 'U', int(n), v:pointer(), int(n), w:pointer(), array(dtype, 1), int(-1), isize, int(-1), info, 1, 1)
  local iwork = ffi.new('int[?]', isize[0])
  stoppable('eigh', n, n, { v, w, info }, function()
    with_work(dtype, function(work, lwork)
      f('V', 'U', int(n), v:pointer(), int(n), w:pointer(), work, lwork, iwork, lwork[0] < 0 and int(-1) or isize,
        info, 1, 1)
    end)
  end)
  if info_of(info, 'syevd') > 0 then c.fail('eigh: the eigenvalues did not converge; needs a better scaled matrix') end
  return w, rows(v)
end

-- Sets what lies on one side of the diagonal to zero.
local function triangle(t, upper)
  local m, n = t:size(1), t:size(2)
  for i = 1, m do
    if upper and i > 1 then
      t:slice(1, i, i):slice(2, 1, math.min(i - 1, n)):fill(0)
    elseif not upper and i < n then
      t:slice(1, i, i):slice(2, i + 1, n):fill(0)
    end
  end
  return t
end

-- q (m,k) with orthonormal columns and r (k,n) upper triangular, a = q r, k = min(m,n).
function M.qr(a)
  local _, m, n = matrix('qr', a)
  local dtype, k = a:type(), math.min(m, n)
  local q, tau, info = columns(a), array(dtype, k), int(0)
  local f, g = blas.lapack('qr', 'geqrf', dtype), blas.lapack('qr', 'orgqr', dtype)
  stoppable('qr', m, n, { q, tau, info }, function()
    with_work(dtype, function(work, lwork) f(int(m), int(n), q:pointer(), int(m), tau, work, lwork, info) end)
  end)
  info_of(info, 'geqrf')
  local r = triangle(rows(q):slice(1, 1, k):clone(), true)
  stoppable('qr', m, n, { q, info }, function()
    with_work(dtype, function(work, lwork) g(int(m), int(k), int(k), q:pointer(), int(m), tau, work, lwork, info) end)
  end)
  info_of(info, 'orgqr')
  return rows(q:slice(1, 1, k)), r
end

-- Lower triangular l with a = l transpose(l).
function M.cholesky(a)
  local _, n = square('cholesky', a)
  local l, info = a:clone(), int(0)
  local f = blas.lapack('cholesky', 'potrf', a:type())
  stoppable('cholesky', n, n, { l, info }, function() f('U', int(n), l:pointer(), int(n), info, 1) end)
  if info_of(info, 'potrf') > 0 then
    c.fail('cholesky: the leading %d x %d part of a is not positive definite; needs a positive definite matrix',
      info[0], info[0])
  end
  return triangle(l, false)
end

-- LU factors of the transpose, its pivots, and info (> 0: singular).
local function factors(who, a, n)
  local lu, pivots, info = a:clone(), ffi.new('int[?]', n), int(0)
  local f = blas.lapack(who, 'getrf', a:type())
  stoppable(who, n, n, { lu, pivots, info }, function() f(int(n), int(n), lu:pointer(), int(n), pivots, info) end)
  return lu, pivots, info_of(info, 'getrf')
end

function M.inv(a)
  local _, n = square('inv', a)
  local lu, pivots, zero = factors('inv', a, n)
  if zero > 0 then c.fail('inv: a is singular (pivot %d is zero); needs an invertible matrix', zero) end
  local info, f = int(0), blas.lapack('inv', 'getri', a:type())
  stoppable('inv', n, n, { lu, info }, function()
    with_work(a:type(), function(work, lwork) f(int(n), lu:pointer(), int(n), pivots, work, lwork, info) end)
  end)
  if info_of(info, 'getri') > 0 then
    c.fail('inv: a is singular (pivot %d is zero); needs an invertible matrix', info[0])
  end
  return lu
end

-- A number.
function M.det(a)
  local _, n = square('det', a)
  local lu, pivots = factors('det', a, n)
  local p, product = lu:pointer 'read', 1
  for i = 0, n - 1 do
    product = product * p[i * n + i] * (pivots[i] ~= i + 1 and -1 or 1)
  end
  return tonumber(product)
end

return M
