-- blas.lua: the door to OpenBLAS: CBLAS products, and LAPACK by its Fortran names (Debian's build exports
-- no LAPACKE). LAPACK thinks in columns: a contiguous (m,n) tensor is to it the (n,m) matrix transposed.
-- lua/hz/tensor/linalg.lua does that thinking.
local ffi = require 'ffi'
local c = require 'hz.c'
local open_library = require 'hz.ext.open'

-- One text for both precisions: T is the element type, X the letter of the name. Lengths of Fortran's
-- strings come last.
local names = [[
void cblas_Xgemm(int order, int transa, int transb, int m, int n, int k, T alpha, const T *a, int lda,
                 const T *b, int ldb, T beta, T *c, int ldc);
void Xgesv_(const int *n, const int *nrhs, T *a, const int *lda, int *pivots, T *b, const int *ldb, int *info);
void Xgesdd_(const char *job, const int *m, const int *n, T *a, const int *lda, T *s, T *u, const int *ldu,
             T *vt, const int *ldvt, T *work, const int *lwork, int *iwork, int *info, size_t job_length);
void Xsyevd_(const char *job, const char *half, const int *n, T *a, const int *lda, T *w, T *work, const int *lwork,
             int *iwork, const int *liwork, int *info, size_t job_length, size_t half_length);
void Xgelsd_(const int *m, const int *n, const int *nrhs, T *a, const int *lda, T *b, const int *ldb, T *s,
             const T *rcond, int *rank, T *work, const int *lwork, int *iwork, int *info);
void Xgeqrf_(const int *m, const int *n, T *a, const int *lda, T *tau, T *work, const int *lwork, int *info);
void Xorgqr_(const int *m, const int *n, const int *k, T *a, const int *lda, const T *tau, T *work,
             const int *lwork, int *info);
void Xpotrf_(const char *half, const int *n, T *a, const int *lda, int *info, size_t half_length);
void Xgetrf_(const int *m, const int *n, T *a, const int *lda, int *pivots, int *info);
void Xgetri_(const int *n, T *a, const int *lda, const int *pivots, T *work, const int *lwork, int *info);
]]

local M = { row_major = 101, as_is = 111, transposed = 112 }      -- cblas.h
M.letters = { f32 = 's', f64 = 'd' }
M.types = { f32 = 'float', f64 = 'double' }

local lib

local NAME = 'libopenblas.so.0'

function M.present() return lib ~= nil or open_library(NAME) ~= nil end

local function open(who)
  lib = open_library(NAME)
  if not lib then
    c.fail("%s: OpenBLAS is not installed; 'make deps' (package libopenblas0) brings linear algebra", who)
  end
  for dtype, letter in pairs(M.letters) do
    ffi.cdef((names:gsub('%f[%w_]T%f[^%w_]', M.types[dtype]):gsub('X(%l+)', letter .. '%1')))
  end
  ffi.cdef 'void openblas_set_num_threads(int n);'
  lib.openblas_set_num_threads(c.C.hz_cpu_threads())
end

-- The function 'gesv' (LAPACK) for a dtype, or cblas's 'gemm'. `who` asks, for the message when the library is missing.
function M.lapack(who, name, dtype)
  if not lib then open(who) end
  return lib[M.letters[dtype] .. name .. '_']
end

function M.gemm(who, dtype)
  if not lib then open(who) end
  return lib['cblas_' .. M.letters[dtype] .. 'gemm']
end

return M
