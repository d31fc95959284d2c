-- Help on tensors. Indices count from 1, shapes are tables of extents.
local names = require 'hz.base.names'

local rows = {
  subject = 'tensor',
  { 'tensor', 'hz.tensor(list, dtype)',
    'a tensor from a number or nested tables; dtypes f32 bf16 u8 i32 f64; t[i] is a row, t[i][j] an element',
    't = hz.tensor{{1,2},{3,4}}; print(t[2][1])' },
  { 'zeros', 'hz.zeros(shape, dtype)', 'a tensor of zeros', 'print(hz.zeros{2,3})' },
  { 'ones', 'hz.ones(shape, dtype)', 'a tensor of ones', 'print(hz.ones({2,3}, "f64"))' },
  { 'full', 'hz.full(shape, value, dtype)', 'a tensor filled with one value', 'print(hz.full({2}, 7))' },
  { 'range', 'hz.range(first, last, step, dtype)', 'first, first+step, ... up to and including last',
    'print(hz.range(1, 9, 2))' },
  { 'rand', 'hz.rand(shape, a, b, {seed=, stream=})',
    'uniform in [a,b), the same on every machine for one seed and stream',
    'print(hz.rand({3}, 0, 1, {seed=1, stream=1}))' },
  { 'randn', 'hz.randn(shape, mean, deviation, {seed=, stream=})', 'normally distributed', 'print(hz.randn({2,2}))' },
  { 'x:size', 't:size(dim)', 'extents as a table, or one of them', 'print(hz.zeros{2,3}:size(2))' },
  { 'x:type', 't:type()', 'name of the dtype', 'print(hz.zeros{2}:type())' },
  { 'x:count', 't:count()', 'number of elements', 'print(hz.zeros{2,3}:count())' },
  { 'x:item', 't:item()', 'the one element as a number', 'print(hz.full({}, 3):item())' },
  { 'x:get', 't:get(i, j, ...)', 'an element', 'print(hz.range(1, 3):get(2))' },
  { 'x:set', 't:set(value, i, j, ...)', 'sets an element', 't = hz.zeros{2}; t:set(5, 1); print(t)' },
  { 'x:table', 't:table()', 'nested Lua tables', 'print(#hz.zeros{4}:table())' },
  { 'x:reshape', 't:reshape{...}', 'another shape, a view where possible; one extent may be -1',
    'print(hz.range(1, 6):reshape{2,-1})' },
  { 'x:permute', 't:permute(2, 1, ...)', 'dimensions in another order, a view',
    'print(hz.zeros{2,3,4}:permute(3, 1, 2):size(1))' },
  { 'x:transpose', 't:transpose()', 'rows and columns swapped, a view', 'print(hz.zeros{2,3}:transpose())' },
  { 'x:slice', 't:slice(dim, from, to, step)', 'part of one dimension, a view',
    'print(hz.range(1, 9):slice(1, 2, 8, 2))' },
  { 'x:expand', 't:expand{...}', 'repeats dimensions of extent 1, a view', 'print(hz.ones{1,3}:expand{2,3})' },
  { 'x:copy', 't:copy(from)', 'overwrites t, converting and broadcasting',
    't = hz.zeros{2,2}; t:copy(hz.tensor{1,2}); print(t)' },
  { 'x:fill', 't:fill(value)', 'overwrites t with one value', 'print(hz.zeros{2}:fill(3))' },
  { 'x:to', 't:to(dtype)', 'a copy of another dtype', 'print(hz.range(1, 3):to "u8")' },
  { 'x:clone', 't:clone()', 'a contiguous copy', 'print(hz.ones{2}:clone())' },
  { 'x:contiguous', 't:contiguous()', 't itself if its elements stand side by side, else such a copy',
    'print(hz.zeros{2,3}:transpose():contiguous())' },
  { 'x:pointer', "t:pointer(), t:pointer 'read'",
    'the typed pointer to the first element, for loops over a contiguous tensor: p[0] .. p[t:count() - 1]',
    'p = hz.range(1, 3):pointer "read"; print(p[0])' },
  { 'x:free', 't:free()', 'gives the memory back now instead of at a collection', 't = hz.zeros{9}; t:free()' },
}

-- Pairs by name, so that lists of them always look the same.
local function sorted(list)
  local i, keys = 0, names.sorted(list)
  return function()
    i = i + 1
    return keys[i], list[keys[i]]
  end
end

local function add(name, ...) rows[#rows + 1] = { 'x:' .. name, ... } end

for name, what in sorted { sum = 'the sum', mean = 'the mean', var = 'the variance (over n)',
    argmax = 'the index of the largest, from 1', argmin = 'the index of the least, from 1' } do
  add(name, ('t:%s(dim)'):format(name), what .. ' over one dimension, or over all (a number)',
    ('print(hz.tensor{{1,2},{3,5}}:%s(1))'):format(name))
end
for name, what in sorted { max = 'largest', min = 'least' } do
  add(name, ('t:%s(dim), t:%s(other)'):format(name, name), ('the %s over one dimension, or over all (a number); '
    .. 'of two tensors element by element'):format(what), ('print(hz.tensor{{1,2},{3,5}}:%s(1))'):format(name))
end
for name, what in sorted { neg = '-t', abs = 'the absolute value', sqrt = 'the square root', exp = 'e^t',
    log = 'the natural logarithm', sin = 'the sine', cos = 'the cosine', tanh = 'the hyperbolic tangent',
    relu = 'the larger of t and 0', sign = '-1, 0 or 1', floor = 'rounded down', round = 'rounded to the nearest',
    isfinite = '1 where it is a number, 0 for NaN and infinities' } do
  add(name, ('t:%s()'):format(name), what .. ', element by element', ('print(hz.tensor{0.5, 2}:%s())'):format(name))
end
for name, what in sorted { add = 't + other', sub = 't - other', mul = 't * other', div = 't / other',
    pow = 't ^ other' } do
  add(name, ('t:%s(other), %s'):format(name, what), 'element by element; extents of 1 are repeated (broadcasting)',
    ('print(hz.tensor{1,2}:%s(2))'):format(name))
end
for name, what in sorted { eq = '==', ne = '~=', lt = '<', le = '<=', gt = '>', ge = '>=' } do
  add(name, ('t:%s(other)'):format(name), ('1 where t %s other, else 0 (u8), element by element'):format(what),
    ('print(hz.tensor{1,2}:%s(2))'):format(name))
end

return rows
