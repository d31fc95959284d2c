-- layer.lua: what a user says. One row per kind of layer: its fields, and how it adds itself to a graph.
--   conv{96, 3, stride=2, name='c3'}   relu   dropout{0.5}   dense{10}   maxpool{2}   meanpool   flatten   norm
-- A layer called with a tensor runs at once: conv{8, 3}(image), see eager.lua.
local c = require 'hz.c'
local isa = require 'hz.isa'
local init = require 'hz.net.init'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local tensor = require 'hz.tensor.tensor'
local C = c.C

local M, Kind, Layer = { kinds = {} }, {}, {}
M.Kind, M.Layer = Kind, Layer

-- ---- checking fields ----

local MOST = 2 ^ 31 - 1            -- counts are int in the core

local function whole(v) return type(v) == 'number' and v % 1 == 0 and v >= 1 and v <= MOST end
local function pair_of_whole(v)
  return type(v) == 'table' and names.length(v) == 2 and whole(v[1]) and whole(v[2])
end
local checks = {
  whole   = { whole, 'a whole number of at least 1' },
  size    = { function(v) return whole(v) or pair_of_whole(v) end,
              'a whole number of at least 1, or two of them {rows, columns}' },
  pad     = { function(v) return v == 'same' or v == 'valid' end, "'same' or 'valid'" },
  boolean = { function(v) return type(v) == 'boolean' end, 'true or false' },
  rate    = { function(v) return type(v) == 'number' and v >= 0 and v < 1 end, 'a number with 0 <= rate < 1' },
  number  = { function(v) return type(v) == 'number' and v - v == 0 end, 'a finite number' },
  axis    = { function(v) return v == 'channels' or v == 'rows' end, "'channels' or 'rows'" },
  init    = { function(v) return init.rows[v] ~= nil end, table.concat(names.sorted(init.rows), ', ') },
  name    = { function(v) return type(v) == 'string' and v:match '^[%w_-]+$' and #v <= 24 end,
              'letters, digits, _ or -, at most 24' },
}

-- In the order of the row.
local function field_names(kind)
  local list = {}
  for _, f in ipairs(kind.fields) do list[#list + 1] = f[1] end
  list[#list + 1] = 'name'
  return table.concat(list, ' ')
end

local function set_field(layer, kind, name, value)
  local check = name == 'name' and 'name'
  for _, f in ipairs(kind.fields) do
    if f[1] == name then check = f[2] end
  end
  if not check then names.unknown(kind.kind, name, field_names(kind)) end
  local test, what = checks[check][1], checks[check][2]
  if not test(value) then need.fail(kind.kind, name, value, what) end
  layer[name] = value
end

-- kind{...}: positional entries fill the first fields; a kind used bare is kind{}.
local function make(kind, given)
  if given ~= nil and type(given) ~= 'table' then given = { given } end
  local layer = { kind = kind.kind }
  for i = 1, given and #given or 0 do
    if given[i] == nil then
      c.fail('%s: value %d is nil; needs %s', kind.kind, i, kind.fields[i] and kind.fields[i][1] or 'none')
    end
  end
  for k, v in pairs(given or {}) do
    local field = type(k) == 'number' and k <= kind.places and kind.fields[k]
    if type(k) == 'number' and not field then
      c.fail('%s: %d values were given; needs at most %d and names (%s)', kind.kind, #given, kind.places,
        field_names(kind))
    end
    set_field(layer, kind, field and field[1] or k, v)
  end
  for _, f in ipairs(kind.fields) do
    if layer[f[1]] == nil then
      if f[3] == nil then c.fail('%s: %s is missing; needs %s', kind.kind, f[1], checks[f[2]][2]) end
      layer[f[1]] = f[3] ~= M.none and f[3] or nil
    end
  end
  return setmetatable(layer, Layer)
end

M.none = {}                        -- default of a field that may stay away

-- A kind has its own fields; a layer those of its kind, of which some may be missing.
Kind.__index = names.index('layer kind', {})
Layer.__index = function(layer, k)
  local kind = M.kinds[rawget(layer, 'kind')]
  return names.index(kind.kind, {}, field_names(kind) .. ' alone')(layer, k)
end

Kind.__call = function(kind, given)
  if tensor.is(given) then return make(kind)(given) end
  return make(kind, given)
end
Kind.__tostring = function(kind) return ('%s{%s}'):format(kind.kind, field_names(kind):gsub(' ', ', ')) end
function M.is(x) return isa(x, Layer) end
-- A layer from a layer or from a bare kind; nil for anything else.
function M.as_layer(x)
  if isa(x, Kind) then return make(x) end
  return M.is(x) and x or nil
end

Layer.__tostring = function(layer)
  local parts = {}
  for _, f in ipairs(M.kinds[layer.kind].fields) do
    local v = layer[f[1]]
    if v ~= nil and v ~= f[3] then
      local text = type(v) == 'table' and '{' .. table.concat(v, ',') .. '}' or tostring(v)
      parts[#parts + 1] = f[3] == nil and text or f[1] .. '=' .. text
    end
  end
  return #parts == 0 and layer.kind or ('%s{%s}'):format(layer.kind, table.concat(parts, ', '))
end

-- ---- the kinds ----

names.guard('layers', M.kinds)

-- fields: {name, check, default, 'named' where it has no place of its own}; build(b, layer, x) adds nodes with the
-- builder b (net.lua) and returns the output value.
local function kind(name, fields, build, help)
  local places = 0
  for _, f in ipairs(fields) do places = places + (f[4] ~= 'named' and 1 or 0) end
  M.kinds[name] = setmetatable({ kind = name, fields = fields, places = places, build = build, help = help }, Kind)
end

local function pair(v) if type(v) == 'table' then return v[1], v[2] end return v, v end

local function window(layer)
  local a = c.ffi.new 'hz_attr'
  a.window.kh, a.window.kw = pair(layer.kernel)
  a.window.sh, a.window.sw = pair(layer.stride or layer.kernel)
  a.window.pad = layer.pad == 'valid' and C.HZ_VALID or C.HZ_SAME
  return a
end

-- fan: numbers of a patch.
local function check_whiten(b, layer, x, fan)
  if x ~= b.images then b:fail("conv: init='whiten' is of patches of the images; needs to be the first layer") end
  if layer.filters > 2 * fan then
    b:fail("conv: %d filters were asked of init='whiten'; needs at most %d, the %d numbers of a patch twice",
      layer.filters, 2 * fan, fan)
  end
end

kind('conv', { { 'filters', 'whole' }, { 'kernel', 'size' }, { 'stride', 'size', 1 }, { 'pad', 'pad', 'same' },
               { 'bias', 'boolean', true }, { 'init', 'init', 'glorot', 'named' } },
  function(b, layer, x)
    local kh, kw = pair(layer.kernel)
    local channels = b:shape(x)[4]
    if not channels then b:fail('conv: the input is %s; needs an image (height,width,channels)', b:shape_text(x)) end
    if layer.init == 'whiten' then check_whiten(b, layer, x, kh * kw * channels) end
    local w = b:parameter('weight', { layer.filters, kh, kw, channels },
      { init = layer.init, fan_in = kh * kw * channels, fan_out = kh * kw * layer.filters,
        fixed = layer.init == 'whiten' })
    local bias = layer.bias and b:parameter('bias', { layer.filters }, { value = 0 }) or nil
    return b:add('conv2d', window(layer), x, w, bias)
  end, 'convolution: filters, kernel; TensorFlow same padding unless pad=\'valid\'. init=\'kaiming\': as PyTorch, '
    .. '\'dirac\': the first filters pass their channels on, \'unit\': of standard deviation 1, \'whiten\': fixed, '
    .. 'by the images that train (? net:whiten)')

kind('dense', { { 'units', 'whole' }, { 'bias', 'boolean', true }, { 'init', 'init', 'glorot', 'named' } },
  function(b, layer, x)
    if layer.init == 'dirac' or layer.init == 'whiten' then
      b:fail("dense: init is '%s', which is for convolutions; needs glorot, kaiming or unit", layer.init)
    end
    local shape = b:shape(x)
    if #shape ~= 2 then x = b:add('flatten', nil, x); shape = b:shape(x) end
    local w = b:parameter('weight', { layer.units, shape[2] },
      { init = layer.init, fan_in = shape[2], fan_out = layer.units })
    return b:add('dense', nil, x, w, layer.bias and b:parameter('bias', { layer.units }, { value = 0 }) or nil)
  end, 'fully connected: units; images are flattened first; init=\'kaiming\' or \'unit\' as of conv')

-- name, what it is; of those with a number: its name and default
for _, row in ipairs { { 'relu', 'max(x, 0)' }, { 'elu', 'x, or alpha (e^x - 1) below 0', 'alpha', 1 },
    { 'gelu', 'x times the normal distribution function of x' },
    { 'leaky', 'x, or alpha x below 0', 'alpha', 0.01 }, { 'tanh', 'the hyperbolic tangent' },
    { 'sigmoid', '1 / (1 + e^-x)' }, { 'scale', 'factor x', 'factor' } } do
  local name, number = row[1], row[3]
  kind(name, number and { { number, 'number', row[4] } } or {},
    function(b, layer, x)
      local a = c.ffi.new 'hz_attr'
      a.act.act, a.act.alpha = C.hz_act_named(name), number and layer[number] or 0
      return b:add('act', a, x)
    end, (name == 'scale' and '' or 'activation: ') .. row[2])
end

kind('dropout', { { 'rate', 'rate', 0.5 } },
  function(b, layer, x)
    if not b.train or layer.rate == 0 then return x end
    local a = c.ffi.new 'hz_attr'
    a.dropout.rate, a.dropout.layer = layer.rate, b.number
    return b:add('dropout', a, x, b:item(x))
  end, 'sets a share of the elements to zero while training')

for _, name in ipairs { 'maxpool', 'avgpool' } do
  kind(name, { { 'kernel', 'size', 2 }, { 'stride', 'size', M.none }, { 'pad', 'pad', 'valid' } },
    function(b, layer, x) return b:add(name, window(layer), x) end,
    'pooling over a window; stride = window unless given')
end

kind('meanpool', {}, function(b, _, x) return b:add('meanpool', nil, x) end, 'global average over rows and columns')
kind('flatten', {}, function(b, _, x) return b:add('flatten', nil, x) end,
  'all but the batch in one dimension, in H,W,C order')

kind('norm', { { 'axis', 'axis', 'channels' }, { 'momentum', 'rate', 0.99 }, { 'epsilon', 'number', 1e-3 },
               { 'scale', 'boolean', true, 'named' } },
  function(b, layer, x)
    local shape = b:shape(x)
    local axis = layer.axis == 'rows' and 2 or #shape
    local size, a = { shape[axis] }, c.ffi.new 'hz_attr'
    a.norm.axis, a.norm.frozen = axis - 1, b.train and 0 or 1
    a.norm.momentum, a.norm.epsilon = layer.momentum, layer.epsilon
    local gamma = layer.scale and b:parameter('gamma', size, { value = 1 }) or b:constant('gamma', tensor.ones(size,
      b.dtype))
    return b:add('norm', a, x, gamma, b:parameter('beta', size, { value = 0 }), b:buffer('mean', size, 0),
      b:buffer('variance', size, 1))
  end, 'batch normalisation; axis=\'rows\' keeps one set of statistics per image row; scale=false has no gamma')

return M
