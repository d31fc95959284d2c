-- Everything a user can call, called wrongly: each function of require 'hz' and each method of each kind of object gets
-- arguments of wrong kinds and counts. It may succeed; an error must be told at the line that called (here), never
-- from within the library, and nothing may crash. HZ_SURFACE_SEED and HZ_SURFACE_CALLS (per function) try others.
local t = ...
local c = require 'hz.c'
local exit = require 'hz.exit'
local hz = require 'hz'
local dataset = require 'hz.data.dataset'
local tensor = require 'hz.tensor.tensor'
local l = hz.layers

local calls = tonumber(os.getenv 'HZ_SURFACE_CALLS') or 60
local seed = tonumber(os.getenv 'HZ_SURFACE_SEED') or 1
local random                       -- the state; every case begins with the seed

-- Park and Miller (1988)
local function pick(n)
  random = random * 16807 % 2147483647
  return random % n + 1
end

-- Pairs in the order of their names, so that a seed makes the same calls.
local function sorted(list)
  local keys, i = {}, 0
  for k in pairs(list) do keys[#keys + 1] = k end
  table.sort(keys)
  return function()
    i = i + 1
    if keys[i] then return keys[i], list[keys[i]] end
  end
end

-- ---- objects and values ----

local function small_net()
  return hz.net 'small' { l.conv{2, 3, name='c'}, l.relu, l.dense{2}, input = { 4, 4, 3 } }:init()
end

local function small_set()
  local labels = hz.tensor({ 0, 1, 0, 1, 0, 1 }, 'i32')
  return dataset.new { name = 'six', items = hz.zeros({ 6, 4, 4, 3 }, 'u8'), labels = labels, classes = { 'a', 'b' } }
end

local function trainer()
  local set = small_set()
  return small_net():plan { batch = 3, train = true, data = set, optimizer = hz.sgd {}, total = 4 }
end

local function account() return (select(2, hz.codec.png {}:recode(small_set().items))) end

-- kind -> a new one; methods may change it
local make = {
  tensor = function() return hz.full({ 2, 3 }, -2) end,     -- no image
  bytes = function() return hz.zeros({ 5 }, 'u8') end,
  net = small_net,
  set = small_set,
  codec = function() return hz.codec.jpeg { quality = 9 } end,
  account = account,
  optimizer = function() return hz.adam {} end,
  plan = function() return small_net():plan { batch = 2 } end,
  trainer = trainer,
  scorer = function() return small_net():plan { batch = 3, data = small_set() } end,
  layer = function() return l.conv{2, 3} end,
}

local folder

local function study()
  return hz.study { name = 'tiny', about = 'none', items = 'images', embedded = { 'camera', preset = 'p' },
    options = function() return { test = 20, size = 8 } end,
    presets = { { 'p', epochs = 1, quality = { 10 }, model = { 'small' }, seed = { 1 }, train = 80, test = 20,
      batch = 20, protocol = 'strict', optimizer = 'sgd' } } }
end

local function sweep()
  local set = hz.data('camera', { split = 'train', train = 40 })
  local o = { name = 'surface', runs = folder .. '/runs', data = { { name = 'camera', train = set, test = set } },
    quality = { 10 }, model = { 'small' }, epochs = 1, batch = 20, train = 20, test = 10,
    optimizer = function() return hz.sgd {} end }
  return hz.sweep(o)
end

local function values()
  local list = { false, true, -1, 0, 1.5, 3, 0 / 0, 1 / 0, 2 ^ 60, '/dev/null/x', folder .. '/x', {}, { 1, 2 },
    { x = 1 }, { nil, 2 }, { 'a', 'b' }, { {}, 1 }, { input = 3 }, { rate = -1 }, function() end, tostring,
    io.stdout, hz, c.ffi.new 'int64_t[1]', coroutine.create(tostring) }
  for _, new in sorted(make) do list[#list + 1] = new() end
  return list
end

-- ---- calling ----

local mine = 'test/lua/surface_test.lua:'

local function shown(list, n)
  local parts = {}
  for i = 1, n do
    local v = list[i]
    local kind = type(v)
    parts[i] = (kind == 'number' or kind == 'string' or kind == 'boolean') and tostring(v) or kind
    if kind == 'table' then
      for k, x in pairs(v) do parts[i] = parts[i] .. (' %s=%s'):format(tostring(k), type(x)) break end
    end
  end
  return table.concat(parts, ', ')
end

local wrong, told                  -- what went wrong, each message once for a function

-- Not a tail call: the line here must be the user's.
local function try(name, f, list, n)
  local ok, e = pcall(function()
    local r = f(unpack(list, 1, n))
    return r
  end)
  if ok or exit.is(e) then return end
  local text = tostring(e)
  if not text:find(mine, 1, true) or text:find 'lua/hz/[%w_/]*%.lua:%d+: ' then
    local at = text:gsub('\n.*', '')
    if not told[name .. at] then wrong[#wrong + 1] = ('%s(%s): %s'):format(name, shown(list, n), at) end
    told[name .. at] = true
  end
end

-- f with none, each value alone, and random tuples. self: what makes the object, if f is a method; f then also gets
-- each value in its place.
local function fuzz(name, f, self)
  local pool = values()
  try(name, f, {}, 0)
  for _, v in ipairs(pool) do try(name, f, { v }, 1) end
  if self then
    for i = 1, #pool do try(name, f, { self(), pool[i] }, 2) end
  end
  for _ = 1, calls do
    local list, n = {}, pick(4)
    for i = 1, n do list[i] = pool[pick(#pool + 3)] end
    if self then list[1] = self() end
    try(name, f, list, n)
  end
end

local function finish()
  if #wrong == 0 then return end
  local some = table.concat(wrong, '\n      ', 1, math.min(40, #wrong))
  t.ok(false, ('%d calls went wrong:\n      %s'):format(#wrong, some))
end

local function case(name, body)
  t.case('surface: ' .. name, function()
    wrong, told, folder, random = {}, {}, t.folder(), seed
    local shout = print
    rawset(_G, 'print', function() end)                -- sweeps and studies say what they do
    local ok, e = pcall(body)
    rawset(_G, 'print', shout)
    if not ok then error(e, 0) end
    finish()
  end)
end

local function callable(v)
  local meta = debug.getmetatable(v)
  return type(v) == 'function' or type(v) == 'table' and type(meta) == 'table' and meta.__call ~= nil
end

-- ---- what there is ----

case('functions of hz', function()
  for _, name in ipairs(hz.names) do
    if callable(hz[name]) and name ~= 'available' then fuzz('hz.' .. name, hz[name]) end
  end
  fuzz('hz.net name', hz.net 'name')
end)

for _, room in ipairs { 'nets', 'quality', 'study', 'json', 'file', 'safetensors', 'codec', 'layers' } do
  case('functions of hz.' .. room, function()
    for name, f in sorted(hz[room]) do
      if callable(f) then fuzz(('hz.%s.%s'):format(room, name), f) end
    end
  end)
end

for kind, new in sorted(make) do
  case('methods of a ' .. kind, function()
    local o = new()
    local meta = debug.getmetatable(o)
    local methods = type(meta) == 'table' and rawget(meta, '__names') or {}
    if hz.is_tensor(o) then methods = tensor.methods end
    if type(methods) == 'function' then methods = select(2, methods(o)) end
    for name, f in sorted(methods) do fuzz(kind .. ':' .. name, f, new) end
    fuzz(kind .. '[k]', function(self, k) local v = self[k] return v end, new)
    fuzz(kind .. '[k] = v', function(self, k, v) self[k] = v end, new)
    fuzz(kind .. '()', function(self, ...) local v = self(...) return v end, callable(o) and new or nil)
  end)
end

local function methods_of(kind, new)
  for name, f in sorted(debug.getmetatable(new()).__names) do fuzz(kind .. ':' .. name, f, new) end
  fuzz(kind .. '[k]', function(self, k) local v = self[k] return v end, new)
end

case('methods of a study, a run, a sweep and its results', function()
  methods_of('study', study)
  local n = 0
  methods_of('run', function()
    n = n + 1
    return hz.run { kind = 'train', out = ('%s/run%d'):format(folder, n), settings = { model = 'm' } }
  end)
  local swept = sweep()
  methods_of('sweep', function() return swept end)
  local results = hz.results { runs = folder .. '/runs' }
  methods_of('results', function() return results end)
  local near = "'qualty' is unknown, did you mean 'quality'"
  t.raises('where: ' .. near, function() local r = results:where { qualty = 10 } return r end)
  t.raises('column: ' .. near, function() local r = results:column 'qualty' return r end)
  t.raises('mean: ' .. near, function() local r = results:mean 'qualty' return r end)
  t.raises('cell: ' .. near, function() local r = results[1].qualty return r end)
  t.equal(#results:where { quality = 10, restart = 0 }:column 'accuracy', 1)
  fuzz('cell[k]', function(self, k) local v = self[k] return v end, function() return results[1] end)
end)

case('operators of tensors', function()
  local new = make.tensor
  fuzz('+', function(a, b) local v = a + b return v end, new)
  fuzz('/', function(a, b) local v = b / a return v end, new)
  fuzz('^', function(a, b) local v = a ^ b return v end, new)
end)

return t
