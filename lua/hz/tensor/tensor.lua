-- tensor.lua: what tensors can do at the prompt and in scripts. Indices count from 1; shapes are tables.
local c = require 'hz.c'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local pretty = require 'hz.tensor.pretty'
local ffi, C = c.ffi, c.C

local M, methods = {}, {}
M.methods = methods               -- names for completion at the prompt
local Tensor

-- A tensor in Lua is the struct itself, not a pointer to it: an integer index of a pointer would be pointer arithmetic.
local function own(make, ...)
  local t = Tensor()
  C.hz_tensor_move(t, c.new(make, ...))
  return t
end
local function is_tensor(x) return ffi.istype(Tensor, x) end
M.is, M.own = is_tensor, own

local function tensor_for(who, t)
  if not is_tensor(t) then c.fail('%s: %s was given; needs a tensor', who, need.shown(t)) end
  return t
end

-- ---- values that a user writes: those that a dtype cannot hold are refused; conversions round and saturate ----

local F32_MOST, BF16_MOST = 3.4028235677973366e38, 3.3961775292304601e38       -- what is above rounds to infinity
local limits = {
  u8 = { 0, 255, true }, i32 = { -2 ^ 31, 2 ^ 31 - 1, true },
  f32 = { -F32_MOST, F32_MOST }, bf16 = { -BF16_MOST, BF16_MOST },
}

-- Whether a number is one of the dtype's, but for rounding to its digits. NaN and infinities are floats' only.
local function fits(v, dtype)
  local l = limits[dtype]
  if not l then return true end
  if v - v ~= 0 then return not l[3] end
  return v >= l[1] and v <= l[2] and (not l[3] or v % 1 == 0)
end

local function value_for(who, v, dtype, what)
  if type(v) ~= 'number' then c.fail('%s: %s is %s; needs a number', who, what or 'the value', need.shown(v)) end
  if not fits(v, dtype) then
    local l = limits[dtype]
    c.fail('%s: %s is %s; %s needs %s', who, what or 'the value', need.shown(v), dtype,
      l[3] and ('a whole number of %d..%d'):format(l[1], l[2]) or ('at most %.4g, or f64'):format(l[2]))
  end
  return v
end

-- ---- making ----

local dtype_names = { 'f32', 'bf16', 'u8', 'i32', 'f64' }

local function dtype_named(who, name)
  if type(name) == 'string' and C.hz_dtype_named(name) < 0 then
    c.fail("%s: dtype '%s' is unknown%s; have %s", who, name, names.meant(name, dtype_names),
      table.concat(dtype_names, ' '))
  end
  return c.dtype(name == nil and 'f32' or name, who)
end

-- A shape without holes or names, as c.shape gives it.
local function shape_for(who, shape)
  local n, s = c.shape(shape, who)
  local _, wrong = names.length(shape)
  if wrong then c.fail('%s: of the shape %s; needs a list of extents', who, wrong) end
  return n, s
end

local function make(who, how, shape, dtype)
  local n, s = shape_for(who, shape)
  return own(how, dtype_named(who, dtype), n, s)
end

function M.empty(shape, dtype) return make('empty', C.hz_tensor_empty, shape, dtype) end
function M.zeros(shape, dtype) return make('zeros', C.hz_tensor_new, shape, dtype) end
function M.full(shape, value, dtype)
  return make('full', C.hz_tensor_empty, shape, dtype):fill(need.number('full', 'the value', value))
end
function M.ones(shape, dtype) return make('ones', C.hz_tensor_empty, shape, dtype):fill(1) end

-- Extents by the first entries; one more than a tensor has is enough: a table may hold itself.
local function depth_of(list)
  local shape = {}
  while type(list) == 'table' and #shape <= C.HZ_MAXDIM do
    shape[#shape + 1] = #list
    list = list[1]
  end
  return shape
end

local function fill_from(list, shape, dim, dtype, visit, where)
  if type(list) ~= 'table' or #list ~= shape[dim] then
    c.fail('tensor: row %s has %s; needs %d like the first', where,
      type(list) == 'table' and #list .. ' entries' or 'no entries', shape[dim])
  end
  local n, wrong = names.length(list)
  if n ~= #list then c.fail('tensor: of row %s %s; needs %d numbers or rows', where, wrong, shape[dim]) end
  for i = 1, n do
    if dim < #shape then
      fill_from(list[i], shape, dim + 1, dtype, visit, where .. '[' .. i .. ']')
    else
      visit(value_for('tensor', list[i], dtype, ('entry %s[%d]'):format(where, i)))
    end
  end
end

local function product(list)
  local p = 1
  for _, e in ipairs(list) do p = p * e end
  return p
end

-- From a number or from nested tables of numbers.
function M.from(list, dtype)
  if is_tensor(list) then return list:to(dtype or list:type()) end
  if type(list) == 'number' then return make('tensor', C.hz_tensor_empty, {}, dtype):fill(list) end
  if type(list) ~= 'table' then
    c.fail('tensor: %s was given; needs a number or nested tables of numbers', need.shown(list))
  end
  dtype_named('tensor', dtype)
  local shape = depth_of(list)
  if #shape > C.HZ_MAXDIM then
    c.fail('tensor: tables more than %d deep were given; needs fewer', C.HZ_MAXDIM)
  end
  local flat, n = M.empty({ math.max(1, product(shape)) }, 'f64'), 0
  local p = flat:pointer()
  fill_from(list, shape, 1, dtype or 'f32', function(v) p[n] = v; n = n + 1 end, '')
  if n == 0 then return M.empty(shape, dtype) end
  return flat:reshape(shape):to(dtype or 'f32')
end

-- first, first+step, ... up to and including last
function M.range(first, last, step, dtype)
  step = step == nil and 1 or step
  need.finite('range', 'first', first)
  need.finite('range', 'last', last)
  if need.finite('range', 'step', step) == 0 then c.fail('range: step is 0; needs another number') end
  local n = math.max(0, math.floor((last - first) / step + 1e-9) + 1)
  local t = make('range', C.hz_tensor_empty, { n }, dtype)
  local one, kind = ffi.new 'int64_t[1]', t:type()
  for i = 0, n - 1 do
    one[0] = i
    C.hz_tensor_put(t, one, value_for('range', first + i * step, kind))
  end
  return t
end

local streams = 0
local function random(who, fill, shape, a, b, o)
  o = names.options(who, o, 'seed stream dtype')
  local seed = o.seed == nil and 0 or need.seed(who, o.seed)
  local stream = o.stream == nil and streams + 1 or need.whole(who, 'stream', o.stream, 0, 2 ^ 24 - 1)
  local t = make(who, C.hz_tensor_empty, shape, o.dtype)
  if not o.stream then streams = stream end
  c.check(fill(t, a, b, seed, stream))
  return t
end

local function given(who, name, v, default)
  return v == nil and default or need.finite(who, name, v)
end
-- Uniform in [a,b) and normal(mean, deviation); options seed, stream, dtype. Without a stream each call draws from the
-- next one.
function M.rand(shape, a, b, o)
  return random('rand', C.hz_tensor_uniform, shape, given('rand', 'a', a, 0), given('rand', 'b', b, 1), o)
end
function M.randn(shape, mean, deviation, o)
  return random('randn', C.hz_tensor_normal, shape, given('randn', 'mean', mean, 0),
    given('randn', 'deviation', deviation, 1), o)
end

-- ---- asking ----

local function dimension(t, who, dim)
  if type(dim) ~= 'number' or dim % 1 ~= 0 or dim < 1 or dim > t.ndim then
    c.fail('%s: dimension %s was given; the tensor has %d', who, need.shown(dim), t.ndim)
  end
  return dim
end

-- Extents as a table, or one of them.
function methods.size(t, dim)
  if dim ~= nil then return tonumber(t.shape[dimension(t, 'size', dim) - 1]) end
  local s = {}
  for i = 1, t.ndim do s[i] = tonumber(t.shape[i - 1]) end
  return s
end
function methods.type(t) return ffi.string(C.hz_dtype_name(t.dtype)) end
function methods.count(t) return tonumber(C.hz_tensor_count(t)) end
function methods.contiguous(t) return C.hz_tensor_contiguous(t) ~= 0 and t or t:clone() end

local pointers = { f32 = 'float *', f64 = 'double *', u8 = 'uint8_t *', i32 = 'int32_t *', bf16 = 'uint16_t *' }
-- Typed pointer to the first element, for loops over contiguous tensors; lent while the tensor is referenced, and no
-- longer than until the next run on a device with memory of its own: what is written later would not be noticed.
-- t:pointer 'read' promises to write nothing.
function methods.pointer(t, use)
  if use ~= nil and use ~= 'read' then need.fail('pointer', 'the use', use, "'read', or nothing") end
  if C.hz_tensor_host(t, use == 'read' and C.HZ_READ or C.HZ_WRITE) ~= 0 then c.fail('%s', c.message()) end
  return ffi.cast(pointers[t:type()], t.data)
end

function methods.item(t)
  if t:count() ~= 1 then c.fail('item: the tensor has %d elements; needs exactly one', t:count()) end
  return C.hz_tensor_at(t, ffi.new 'int64_t[6]')
end

local function position(t, who, ...)
  local index = ffi.new 'int64_t[6]'
  if select('#', ...) ~= t.ndim then
    c.fail('%s: %d indices were given; the tensor has %d dimensions', who, select('#', ...), t.ndim)
  end
  for i = 1, t.ndim do
    local k = select(i, ...)
    if type(k) ~= 'number' or k % 1 ~= 0 or k < 1 or k > tonumber(t.shape[i - 1]) then
      c.fail('%s: index %d is %s; needs 1..%d', who, i, need.shown(k), tonumber(t.shape[i - 1]))
    end
    index[i - 1] = k - 1
  end
  return index
end
function methods.get(t, ...) return C.hz_tensor_at(t, position(t, 'get', ...)) end
function methods.set(t, value, ...)
  C.hz_tensor_put(t, position(t, 'set', ...), value_for('set', value, t:type()))
  return t
end

function methods.table(t)
  if t.ndim == 0 then return t:item() end
  local out = {}
  for i = 1, t:size(1) do
    local v = t[i]
    out[i] = is_tensor(v) and v:table() or v
  end
  return out
end

-- ---- views ----

function methods.reshape(t, shape, ...)
  if type(shape) == 'number' then shape = { shape, ... } end
  local n, s = shape_for('reshape', shape)
  return own(C.hz_tensor_reshape, t, n, s)
end

function methods.permute(t, order, ...)
  if type(order) == 'number' then order = { order, ... } end
  if type(order) ~= 'table' or names.length(order) ~= t.ndim then
    c.fail('permute: %s was given; needs the %d dimensions in their new order',
      type(order) == 'table' and ('a list of %d'):format(#order) or need.shown(order), t.ndim)
  end
  local o = ffi.new('int32_t[6]')
  for i, d in ipairs(order) do o[i - 1] = dimension(t, 'permute', d) - 1 end
  return own(C.hz_tensor_permute, t, o)
end
function methods.transpose(t) return t:permute(2, 1) end

-- Rows from..to of dimension dim, every step-th; a view.
function methods.slice(t, dim, from, to, step)
  local extent = t:size(dimension(t, 'slice', dim))
  from, to, step = from == nil and 1 or from, to == nil and extent or to, step == nil and 1 or step
  need.whole('slice', 'from', from)
  need.whole('slice', 'to', to)
  return own(C.hz_tensor_slice, t, dim - 1, from - 1, to, need.whole('slice', 'step', step))
end

function methods.expand(t, shape)
  local n, s = shape_for('expand', shape)
  return own(C.hz_tensor_expand, t, n, s)
end

-- ---- changing ----

local whole_kinds = { u8 = true, i32 = true }

-- A sum shows NaN at the cost of one reading; so do infinities of both signs, which are then told apart.
local function has_nan(t)
  if t:count() == 0 then return false end
  local sum = t:sum()
  return sum ~= sum and t:ne(t):max() > 0
end

-- Converts: rounds to whole numbers and saturates; NaN is no whole number.
function methods.copy(t, from)
  from = is_tensor(from) and from or M.from(from, t:type())
  if whole_kinds[t:type()] and not whole_kinds[from:type()] and has_nan(from) then
    c.fail('copy: the tensor given holds NaN; %s needs numbers', t:type())
  end
  c.check(C.hz_tensor_copy(t, from))
  return t
end
function methods.fill(t, value)
  c.check(C.hz_tensor_fill(t, value_for('fill', value, t:type())))
  return t
end
function methods.to(t, dtype)
  dtype_named('to', dtype == nil and false or dtype)
  return M.empty(t:size(), dtype):copy(t)
end
function methods.clone(t) return t:to(t:type()) end
-- Gives the memory back now; the tensor is empty afterwards.
function methods.free(t) C.hz_tensor_clear(t) end

-- ---- arithmetic ----

local rank = { u8 = 1, i32 = 2, bf16 = 3, f32 = 4, f64 = 5 }
local comparison = { eq = true, ne = true, lt = true, le = true, gt = true, ge = true }

local function result_type(name, a, b)
  if comparison[name] then return 'u8' end
  local ta, tb = is_tensor(a) and a:type(), is_tensor(b) and b:type()
  local t = not ta and tb or not tb and ta or rank[ta] > rank[tb] and ta or tb
  if rank[t] > 2 then return t end
  local number = not ta and a or not tb and b or 0
  if name == 'div' or name == 'pow' or number % 1 ~= 0 then return 'f32' end
  return name ~= 'max' and name ~= 'min' and 'i32' or t
end

local function broadcast(name, a, b)
  local shape = {}
  local n = math.max(a.ndim, b.ndim)
  for i = 1, n do
    local ia, ib = i - (n - a.ndim), i - (n - b.ndim)
    local ea, eb = ia > 0 and a:size(ia) or 1, ib > 0 and b:size(ib) or 1
    if ea ~= eb and ea ~= 1 and eb ~= 1 then
      c.fail('%s: a is %s, b is %s; extents must agree or be 1', name, M.shape_text(a), M.shape_text(b))
    end
    shape[i] = ea == 1 and eb or ea
  end
  return shape
end

M.shape_text = pretty.shape        -- '(32,32,3)'

local function operand(x, name)
  if type(x) == 'number' then return M.full({}, x, 'f64') end
  return tensor_for(name, x)
end

local function binary(name)
  return function(a, b)
    local x, y = operand(a, name), operand(b, name)
    local out = M.empty(broadcast(name, x, y), result_type(name, a, b))
    c.check(C.hz_tensor_binary(name, out, x, y))
    return out
  end
end
for _, name in ipairs { 'add', 'sub', 'mul', 'div', 'pow', 'eq', 'ne', 'lt', 'le', 'gt', 'ge' } do
  methods[name] = binary(name)
end

local keeps = names.set 'neg abs relu sign floor round'       -- the dtype, also of whole numbers
for _, name in ipairs { 'neg', 'abs', 'sqrt', 'exp', 'log', 'sin', 'cos', 'tanh', 'relu', 'sign', 'floor', 'round',
                        'isfinite' } do
  methods[name] = function(t)
    tensor_for(name, t)
    local kind = t:type()
    local out = M.empty(t:size(), name == 'isfinite' and 'u8' or (keeps[name] or rank[kind] > 2) and kind or 'f32')
    c.check(C.hz_tensor_unary(name, out, t))
    return out
  end
end

local function reduce(name)
  return function(t, dim)
    local shape = dim and t:size() or {}
    if dim then
      table.remove(shape, dimension(t, name, dim))
    end
    local whole = name == 'argmax' or name == 'argmin'
    local out = M.empty(shape, whole and 'i32' or dim and rank[t:type()] > 2 and t:type() or 'f64')
    c.check(C.hz_tensor_reduce(name, out, t, dim and dim - 1 or -1))
    if whole then C.hz_tensor_binary('add', out, out, M.full({}, 1, 'i32')) end      -- indices count from 1
    return dim and out or out:item()
  end
end
-- Over one dimension, or over all (a number). max and min take a second tensor or number instead to compare with.
for _, name in ipairs { 'sum', 'mean', 'var', 'argmax', 'argmin' } do methods[name] = reduce(name) end
for _, name in ipairs { 'max', 'min' } do
  local over, between = reduce(name), binary(name)
  methods[name] = function(t, other)
    if is_tensor(other) then return between(t, other) end
    return over(t, other)
  end
end

-- ---- metatype ----

local method = names.index('tensor', methods)

local function place(t, k)
  local extent = t.ndim > 0 and tonumber(t.shape[0]) or 0
  if k % 1 ~= 0 or k < 1 or k > extent then
    c.fail('index: %s of dimension 1; needs 1..%d', need.shown(k), extent)
  end
  return k - 1
end

local function index(t, k)
  if type(k) ~= 'number' then return method(t, k) end
  if t.ndim == 0 then c.fail('index: %s of a scalar; use :item()', need.shown(k)) end
  if t.ndim > 1 then return own(C.hz_tensor_select, t, 0, place(t, k)) end
  local one = ffi.new 'int64_t[1]'
  one[0] = place(t, k)
  return C.hz_tensor_at(t, one)
end

local function newindex(t, k, v)
  if type(k) ~= 'number' then c.fail('tensor: %s cannot be set; needs an index', need.shown(k)) end
  local row = own(C.hz_tensor_select, t, 0, place(t, k))
  if type(v) == 'number' then row:fill(v) else row:copy(v) end
end

-- The metatype has the functions themselves: a number may stand first (2 - t).
local operators = { add = methods.add, sub = methods.sub, mul = methods.mul, div = methods.div, pow = methods.pow,
  neg = methods.neg }
names.receivers('x', methods, is_tensor)

Tensor = ffi.metatype('hz_tensor', {
  __index = index, __newindex = newindex,
  __len = function(t) return t.ndim > 0 and tonumber(t.shape[0]) or 0 end,
  __add = operators.add, __sub = operators.sub, __mul = operators.mul, __div = operators.div, __pow = operators.pow,
  __unm = operators.neg, __gc = C.hz_tensor_clear,
  __tostring = pretty.tensor,
})

return M
