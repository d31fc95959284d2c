-- tensor.lua: what tensors can do at the prompt and in scripts. Indices count from 1; shapes are tables.
local c = require 'hz.c'
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

local function need(t, who)
  if not is_tensor(t) then c.fail('%s: %s was given; needs a tensor', who, type(t)) end
  return t
end

-- ---- making ----

function M.empty(shape, dtype)
  local n, s = c.shape(shape)
  return own(C.hz_tensor_empty, c.dtype(dtype or 'f32'), n, s)
end

function M.zeros(shape, dtype)
  local n, s = c.shape(shape)
  return own(C.hz_tensor_new, c.dtype(dtype or 'f32'), n, s)
end

function M.full(shape, value, dtype) return M.empty(shape, dtype):fill(value) end
function M.ones(shape, dtype) return M.full(shape, 1, dtype) end

local function depth_of(list)
  local shape = {}
  while type(list) == 'table' do
    shape[#shape + 1] = #list
    list = list[1]
  end
  return shape
end

local function fill_from(list, shape, dim, visit, where)
  if type(list) ~= 'table' or #list ~= shape[dim] then
    c.fail('tensor: row %s has %s; needs %d like the first', where,
      type(list) == 'table' and #list .. ' entries' or 'no entries', shape[dim])
  end
  for i, v in ipairs(list) do
    if dim < #shape then
      fill_from(v, shape, dim + 1, visit, where .. '[' .. i .. ']')
    elseif type(v) ~= 'number' then
      c.fail('tensor: entry %s[%d] is %s; needs a number', where, i, type(v))
    else
      visit(v)
    end
  end
end

-- From a number or from nested tables of numbers.
function M.from(list, dtype)
  if is_tensor(list) then return list:to(dtype or list:type()) end
  if type(list) == 'number' then return M.full({}, list, dtype) end
  if type(list) ~= 'table' then
    c.fail('tensor: %s was given; needs a number or nested tables of numbers', type(list))
  end
  local shape = depth_of(list)
  local count, n = 1, 0
  for _, extent in ipairs(shape) do count = count * extent end
  local flat = M.empty({ math.max(1, count) }, 'f64')
  local p = flat:pointer()
  fill_from(list, shape, 1, function(v) p[n] = v; n = n + 1 end, '')
  if n == 0 then return M.empty(shape, dtype) end
  return flat:reshape(shape):to(dtype or 'f32')
end

-- first, first+step, ... up to and including last
function M.range(first, last, step, dtype)
  step = step or 1
  local t = M.empty({ math.max(0, math.floor((last - first) / step + 1e-9) + 1) }, dtype or 'f32')
  local one = ffi.new 'int64_t[1]'
  for i = 0, tonumber(t.shape[0]) - 1 do one[0] = i; C.hz_tensor_put(t, one, first + i * step) end
  return t
end

local streams = 0
local function random(fill, shape, a, b, o)
  o = o or {}
  if not o.stream then streams = streams + 1 end
  local t = M.empty(shape, o.dtype)
  c.check(fill(t, a, b, o.seed or 0, o.stream or streams))
  return t
end
-- Uniform in [a,b) and normal(mean, deviation); options seed, stream, dtype. Without a stream each call draws
-- from the next one.
function M.rand(shape, a, b, o) return random(C.hz_tensor_uniform, shape, a or 0, b or 1, o) end
function M.randn(shape, mean, deviation, o) return random(C.hz_tensor_normal, shape, mean or 0, deviation or 1, o) end

-- ---- asking ----

-- Extents as a table, or one of them.
function methods.size(t, dim)
  if dim then
    if type(dim) ~= 'number' or dim < 1 or dim > t.ndim then
      c.fail('size: dimension %s was given; the tensor has %d', tostring(dim), t.ndim)
    end
    return tonumber(t.shape[dim - 1])
  end
  local s = {}
  for i = 1, t.ndim do s[i] = tonumber(t.shape[i - 1]) end
  return s
end
function methods.type(t) return ffi.string(C.hz_dtype_name(t.dtype)) end
function methods.count(t) return tonumber(C.hz_tensor_count(t)) end
function methods.contiguous(t) return C.hz_tensor_contiguous(t) ~= 0 and t or t:clone() end

local pointers = { f32 = 'float *', f64 = 'double *', u8 = 'uint8_t *', i32 = 'int32_t *', bf16 = 'uint16_t *' }
-- Typed pointer to the first element, for loops over contiguous tensors; lent while the tensor is referenced, and
-- no longer than until the next run on a device with memory of its own: what is written later would not be noticed.
-- t:pointer 'read' promises to write nothing.
function methods.pointer(t, use)
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
      c.fail('%s: index %d is %s; needs 1..%d', who, i, tostring(k), tonumber(t.shape[i - 1]))
    end
    index[i - 1] = k - 1
  end
  return index
end
function methods.get(t, ...) return C.hz_tensor_at(t, position(t, 'get', ...)) end
function methods.set(t, value, ...) C.hz_tensor_put(t, position(t, 'set', ...), value); return t end

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
  local n, s = c.shape(shape, 'reshape')
  return own(C.hz_tensor_reshape, t, n, s)
end

function methods.permute(t, order, ...)
  if type(order) == 'number' then order = { order, ... } end
  if type(order) ~= 'table' or #order ~= t.ndim then
    c.fail('permute: needs the %d dimensions in their new order', t.ndim)
  end
  local o = ffi.new('int32_t[6]')
  for i, d in ipairs(order) do o[i - 1] = d - 1 end
  return own(C.hz_tensor_permute, t, o)
end
function methods.transpose(t) return t:permute(2, 1) end

-- Rows from..to of dimension dim, every step-th; a view.
function methods.slice(t, dim, from, to, step)
  if type(dim) ~= 'number' or dim < 1 or dim > t.ndim then
    c.fail('slice: dimension %s was given; the tensor has %d', tostring(dim), t.ndim)
  end
  return own(C.hz_tensor_slice, t, dim - 1, (from or 1) - 1, to or t:size(dim), step or 1)
end

function methods.expand(t, shape)
  local n, s = c.shape(shape, 'expand')
  return own(C.hz_tensor_expand, t, n, s)
end

-- ---- changing ----

function methods.copy(t, from) c.check(C.hz_tensor_copy(t, is_tensor(from) and from or M.from(from))); return t end
function methods.fill(t, value)
  if type(value) ~= 'number' then c.fail('fill: %s was given; needs a number', type(value)) end
  c.check(C.hz_tensor_fill(t, value)); return t
end
function methods.to(t, dtype) return M.empty(t:size(), dtype):copy(t) end
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
  return need(x, name)
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

for _, name in ipairs { 'neg', 'abs', 'sqrt', 'exp', 'log', 'sin', 'cos', 'tanh', 'relu', 'sign', 'floor', 'round',
    'isfinite' } do
  methods[name] = function(t)
    local keeps = name == 'neg' or name == 'abs' or name == 'relu' or name == 'sign' or name == 'floor'
      or name == 'round'
    local out = M.empty(t:size(), name == 'isfinite' and 'u8' or (keeps or rank[t:type()] > 2) and t:type() or 'f32')
    c.check(C.hz_tensor_unary(name, out, t))
    return out
  end
end

local function reduce(name)
  return function(t, dim)
    local shape = dim and t:size() or {}
    if dim then
      if type(dim) ~= 'number' or not shape[dim] then
        c.fail('%s: dimension %s was given; the tensor has %d', name, tostring(dim), t.ndim)
      end
      table.remove(shape, dim)
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
  methods[name] = function(t, other) if is_tensor(other) then return between(t, other) end; return over(t, other) end
end

-- ---- metatype ----

local function index(t, k)
  if type(k) ~= 'number' then
    local m = methods[k]
    if m == nil and type(k) == 'string' then c.fail("tensor: has no method '%s'; see ? tensor", k) end
    return m
  end
  if t.ndim == 0 then c.fail('index: %s of a scalar; use :item()', tostring(k)) end
  if k % 1 ~= 0 or k < 1 or k > tonumber(t.shape[0]) then
    c.fail('index: %s of dimension 1; needs 1..%d', tostring(k), tonumber(t.shape[0]))
  end
  if t.ndim == 1 then
    local one = ffi.new 'int64_t[1]'
    one[0] = k - 1
    return C.hz_tensor_at(t, one)
  end
  return own(C.hz_tensor_select, t, 0, k - 1)
end

local function newindex(t, k, v)
  if type(k) ~= 'number' then c.fail("tensor: '%s' cannot be set; needs an index", tostring(k)) end
  if t.ndim == 0 or k % 1 ~= 0 or k < 1 or k > tonumber(t.shape[0]) then
    c.fail('index: %s of dimension 1; needs 1..%d', tostring(k), t.ndim == 0 and 0 or tonumber(t.shape[0]))
  end
  local row = own(C.hz_tensor_select, t, 0, k - 1)
  if type(v) == 'number' then row:fill(v) else row:copy(v) end
end

Tensor = ffi.metatype('hz_tensor', {
  __index = index, __newindex = newindex,
  __len = function(t) return t.ndim > 0 and tonumber(t.shape[0]) or 0 end,
  __add = methods.add, __sub = methods.sub, __mul = methods.mul, __div = methods.div, __pow = methods.pow,
  __unm = methods.neg, __gc = C.hz_tensor_clear,
  __tostring = pretty.tensor,
})

return M
