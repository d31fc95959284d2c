-- Help on linear algebra (OpenBLAS), on f32 and f64 matrices.
return {
  subject = 'linalg',
  { 'matmul', 'hz.matmul(a, b)', 'matrix product; also matrix times vector and vector times vector', 'print(hz.matmul(hz.ones{2,3}, hz.ones{3,2}))' },
  { 'solve', 'hz.solve(a, b)', 'x with a x = b, for a square a and one or several right sides', 'print(hz.solve(hz.tensor{{2,0},{0,4}}, hz.tensor{2,2}))' },
  { 'lstsq', 'hz.lstsq(a, b)', 'x with the least |a x - b|; the shortest one if there are several; also the rank of a', 'print(hz.lstsq(hz.tensor{{1},{1}}, hz.tensor{1,3}))' },
  { 'svd', 'hz.svd(a)', 'u, s, vt with a = u diag(s) vt, s falling', 'u, s, vt = hz.svd(hz.tensor{{3,0},{0,2}}); print(s)' },
  { 'eigh', 'hz.eigh(a)', 'w, v of a symmetric a: eigenvalues rising, eigenvectors in the columns of v', 'w, v = hz.eigh(hz.tensor{{2,0},{0,1}}); print(w)' },
  { 'qr', 'hz.qr(a)', 'q, r with a = q r, the columns of q orthonormal, r upper triangular', 'q, r = hz.qr(hz.tensor{{1,2},{3,4}}); print(r)' },
  { 'cholesky', 'hz.cholesky(a)', 'lower triangular l with a = l transpose(l), for a positive definite a', 'print(hz.cholesky(hz.tensor{{4,0},{0,9}}))' },
  { 'inv', 'hz.inv(a)', 'inverse of a square matrix', 'print(hz.inv(hz.tensor{{2,0},{0,4}}))' },
  { 'det', 'hz.det(a)', 'determinant of a square matrix, a number', 'print(hz.det(hz.tensor{{2,1},{0,4}}))' },
}
