-- surface.lua: everything a user can call, called wrongly. Each function of require 'hz', each method of each kind of
-- object and each operator is a subject: a name, the function, for methods what makes an object, and where known a call
-- that is right. Wrong calls are arguments of any kind and count, and right calls with one thing in them exchanged.
-- A call may succeed; an error must be told at the line that called (here), never from within the library, and nothing
-- may crash.
-- folder: scratch, where calls may write; the current folder while they run.
local _, _, count, folder = ...
local c = require 'hz.c'
local exit = require 'hz.exit'
local hz = require 'hz'
local dataset = require 'hz.data.dataset'
local names = require 'hz.base.names'
local l = hz.layers

local M = {}
local mine = debug.getinfo(1, 'S').short_src .. ':'

local function sorted(list)
  local keys, i = names.sorted(list), 0
  return function()
    i = i + 1
    if keys[i] then return keys[i], list[keys[i]] end
  end
end

-- ---- objects: kind -> a new one, as names.objects calls them; calls may change it ----

local function small_net()
  return hz.net 'small' { l.conv { 2, 3, name = 'c' }, l.relu, l.dense { 2 }, input = { 4, 4, 3 } }:init()
end

local function small_set()
  local labels = hz.tensor({ 0, 1, 0, 1, 0, 1 }, 'i32')
  return dataset.new { name = 'six', items = hz.zeros({ 6, 4, 4, 3 }, 'u8'), labels = labels, classes = { 'a', 'b' } }
end

local function study()
  return hz.study { name = 'tiny', about = 'none', items = 'images', embedded = { 'camera', preset = 'p' },
    options = function() return { test = 20, size = 8 } end,
    presets = { { 'p', epochs = 1, quality = { 10 }, model = { 'small' }, seed = { 1 }, train = 80, test = 20,
      batch = 20, protocol = 'strict', optimizer = 'sgd' } } }
end

local function sweep_options()
  local set = hz.data('camera', { split = 'train', train = 40, size = 8 })
  return { name = 'surface', runs = folder .. '/runs', data = { { name = 'camera', train = set, test = set } },
    quality = { 10 }, model = { 'small' }, epochs = 1, batch = 20, train = 20, test = 10, seed = { 1 },
    optimizer = function() return hz.sgd {} end }
end

local runs, swept = 0, nil
local function sweep()
  swept = swept or hz.sweep(sweep_options())
  return swept
end

M.make = {
  x = function() return hz.full({ 2, 3 }, -2) end, bytes = function() return hz.zeros({ 5 }, 'u8') end,
  net = small_net, set = small_set, codec = function() return hz.codec.jpeg { quality = 9 } end,
  account = function() return (select(2, hz.codec.png {}:recode(small_set().items))) end,
  optimizer = function() return hz.adam {} end,
  groups = function() return hz.groups { { match = 'bias$', hz.sgd {} }, hz.muon {} } end,
  layer = function() return l.conv { 2, 3 } end,
  plan = function() return small_net():plan { batch = 2 } end,
  trainer = function()
    return small_net():plan { batch = 3, train = true, data = small_set(), optimizer = hz.sgd {}, total = 4 }
  end,
  scorer = function() return small_net():plan { batch = 3, data = small_set() } end,
  sound = function() return hz.sound.new(hz.rand({ 300, 2 }, -0.5, 0.5, { seed = 1, stream = 1 }), 8000) end,
  study = study, sweep = sweep,
  results = function() sweep(); return hz.results { runs = folder .. '/runs' } end,
  cell = function() sweep(); return hz.results { runs = folder .. '/runs' }[1] end,
  run = function()
    runs = runs + 1
    return hz.run { kind = 'train', out = ('%s/run%d'):format(folder, runs), settings = { model = 'm' } }
  end,
}
local kind_of = { bytes = 'x', trainer = 'plan', scorer = 'plan' }       -- others of the same methods

-- What stands for any value; made anew for each subject, as calls change tensors.
local plain = { 'layer', 'x', 'bytes', 'net', 'set', 'codec', 'account', 'optimizer', 'plan', 'trainer', 'scorer' }
local function values()
  local loop, freed = {}, hz.ones { 2 }
  loop[1] = loop
  freed:free()
  local list = { false, true, -1, 0, -0.5, 1.5, 3, 0 / 0, 1 / 0, -1 / 0, 2 ^ 53, -2 ^ 60, 1e308, '', '\0', '%s%d%n',
    'f32',
    'camera', '/dev/null/x', folder .. '/x', '/dev/null/' .. ('y'):rep(5000), {}, { 1, 2 }, { x = 1 }, { nil, 2 },
    { 'a', 'b' }, { {}, 1 }, { { 1, 2 }, { 3 } }, { input = 3 }, { rate = -1 }, { 0 / 0 }, { 2 ^ 53, 2 ^ 53 }, loop,
    setmetatable({}, { __index = function() return nil end, __tostring = function() return 7 end }),
    function() end, function() error 'theirs' end, io.stdout, hz, c.ffi.new 'int64_t[1]', 7LL,
    coroutine.create(print), freed, hz.zeros({ 0, 3 }), hz.full({}, 0 / 0), hz.ones({ 1, 1, 1, 1, 1, 1 }, 'f64'),
    hz.zeros({ 2, 4, 4, 3 }, 'u8') }
  for _, name in ipairs(plain) do list[#list + 1] = M.make[name]() end
  return list
end

local right = assert(loadfile(debug.getinfo(1, 'S').source:match '^@(.*/)' .. 'right.lua'))(
  setmetatable({ sweep_options = sweep_options }, { __index = M.make }), folder)

-- ---- what there is ----

local function callable(v)
  local meta = debug.getmetatable(v)
  return type(v) == 'function' or type(v) == 'table' and type(meta) == 'table' and rawget(meta, '__call') ~= nil
end

local function add(list, name, f, self)
  local known = name:gsub('^%l+([:(])',
    function(mark) return (kind_of[name:match '^%l+'] or name:match '^%l+') .. mark end)
  list[#list + 1] = { name = name, f = f, self = self, right = right[known] }
end

local function of_tables(list)
  for _, name in ipairs(hz.names) do
    local v = hz[name]
    if callable(v) and name ~= 'available' then add(list, 'hz.' .. name, v) end
    for key, f in sorted(type(v) == 'table' and v or {}) do
      if callable(f) then add(list, ('hz.%s.%s'):format(name, key), f) end
    end
  end
  add(list, 'hz.net', hz.net 'name')
end

local function of_objects(list)
  for kind, new in sorted(M.make) do
    local known = names.objects[kind_of[kind] or kind]
    for name, f in sorted(known and known.methods or {}) do add(list, kind .. ':' .. name, f, new) end
    add(list, kind .. '[k]', function(self, k) local v = self[k] return v end, new)
    add(list, kind .. '[k] = v', function(self, k, v) self[k] = v end, new)
    add(list, '#' .. kind, function(self) local n = #self return n end, new)
    add(list, 'tostring ' .. kind, function(self) local s = tostring(self) return s end, new)
    if kind ~= 'study' and kind ~= 'cell' then
      add(list, kind .. '()', function(self, ...) local v = self(...) return v end, callable(new()) and new or nil)
    end
  end
end

local function of_operators(list)
  for name, f in sorted { add = function(a, b) local v = a + b return v end,
  sub = function(a, b) local v = a - b return v end,
      mul = function(a, b) local v = b * a return v end, div = function(a, b) local v = b / a return v end,
      pow = function(a, b) local v = a ^ b return v end, unm = function(a) local v = -a return v end,
      concat = function(a, b) local v = a .. b return v end, lt = function(a, b) local v = a < b return v end } do
    add(list, 'operator ' .. name, f, M.make.x)
  end
end

-- All subjects, in an order that stays.
local function subjects()
  local list = {}
  of_tables(list)
  of_objects(list)
  of_operators(list)
  return list
end

-- ---- calling ----

local function shown(v, depth)
  local kind = type(v)
  if kind == 'string' then return ('%q'):format(#v > 40 and v:sub(1, 40) .. '...' or v) end
  if kind == 'number' or kind == 'boolean' or kind == 'nil' then return tostring(v) end
  if kind ~= 'table' or getmetatable(v) or depth > 2 then return kind end
  local parts = {}
  for k, x in pairs(v) do parts[#parts + 1] = (type(k) == 'number' and '' or tostring(k) .. '=') .. shown(x,
    depth + 1) end
  return '{' .. table.concat(parts, ', ') .. '}'
end

local function call_text(name, list, n)
  local parts = {}
  for i = 1, n do parts[i] = shown(list[i], 1) end
  return ('%s(%s)'):format(name, table.concat(parts, ', '))
end

-- Errors that operators of Lua itself raise are its own, at the user's line.
local function is_told(e)
  local text = tostring(e)
  local at = text:find(mine, 1, true)
  return at and not text:find 'lua/hz/[%w_/]*%.lua:%d+: ' and text:sub(at + #mine):match '^%d+: (.*)'
end

-- Calls f; nil where all is well, else what went wrong. Not a tail call: the line here must be the user's.
function M.try(name, f, list, n)
  local ok, e = pcall(function()
    local r = f(unpack(list, 1, n))
    return r
  end)
  if ok or exit.is(e) or tostring(e):find 'theirs$' then return nil end
  if c.is_interrupt(e) then error(e, 0) end
  if is_told(e) then return nil end
  return ('%s: %s'):format(call_text(name, list, n), (tostring(e):gsub('\n.*', '')))
end

-- ---- wrong calls ----

-- Fields that decide how long a call takes, or start processes: no other numbers for them.
local costly = names.set 'epochs parallel'

local function is_plain(v) return type(v) == 'table' and getmetatable(v) == nil end

local function copy(v, seen)
  if not is_plain(v) or seen[v] then return v end
  local out = {}
  seen[v] = true
  for k, x in pairs(v) do out[k] = copy(x, seen) end
  return out
end

local function keys_of(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

-- Exchanges one thing somewhere in a table of arguments. pick(n): a number of 1..n.
local function exchange(args, pool, pick)
  local keys = keys_of(args)
  local key = keys[pick(#keys + 1)]
  if key == nil then key = pick(2) == 1 and #args + 1 or 'unheard_of' end
  if is_plain(args[key]) and pick(3) > 1 then return exchange(args[key], pool, pick) end
  local value = pool[pick(#pool + 1)]                  -- the last one is nil
  if costly[key] and type(value) == 'number' then value = 0 / 0 end
  args[key] = value
end

-- n wrong calls of a subject; each thing that went wrong is told by report(text) once.
local function print_of(v) local s = tostring(v) return s end

local function call(subject, n, pick, report)
  local pool, told = values(), {}
  local function try(name, f, list, most)
    local wrong = M.try(name, f, list, most)
    local at = wrong and wrong:match ': (.*)$'
    if wrong and not told[at] then report(wrong) end
    if wrong then told[at] = true end
  end
  for i = 1, n do
    local list = {}
    if subject.right and i % 2 == 0 then
      list = copy(subject.right(), {})
      for _ = 1, pick(2) do exchange(list, pool, pick) end
    else
      for k = 1, pick(4) - 1 do list[k] = pool[pick(#pool + 3)] end
    end
    local most = 0
    for k in pairs(list) do most = type(k) == 'number' and math.max(most, k) or most end
    local args = { unpack(list, 1, most) }
    if subject.self then
      for k = most, 1, -1 do args[k + 1] = args[k] end
      args[1], most = subject.self(), most + 1
    end
    try(subject.name, subject.f, args, most)
    if subject.self then try(subject.name .. ', printed', print_of, args, 1) end      -- what it left behind
  end
end

-- Nothing, and each value alone, in the object's place, too.
local function each(subject, report)
  local pool = values()
  local function try(...)
    local wrong = M.try(subject.name, subject.f, { ... }, select('#', ...))
    if wrong then report(wrong) end
  end
  try()
  for _, v in ipairs(pool) do try(v) end
  if subject.self then
    try(subject.self())
    for _, v in ipairs(pool) do try(subject.self(), v) end
  end
end

-- ---- running ----

c.ffi.cdef [[ int chdir(const char *path); char *getcwd(char *buffer, size_t bytes); ]]

-- f() in the scratch folder, with nothing said on the way.
local function inside(f)
  local buffer, out, err = c.ffi.new 'char[4096]', print, io.stderr
  local before = c.ffi.string(c.ffi.C.getcwd(buffer, 4096))
  c.ffi.C.chdir(folder)
  rawset(_G, 'print', function() end)
  io.stderr = { write = function() return io.stderr end, flush = function() end, isatty = false }
  local ok, e = pcall(f)
  rawset(_G, 'print', out)
  io.stderr = err
  c.ffi.C.chdir(before)
  if not ok then error(e, 0) end
end

function M.subjects()
  local list
  inside(function() list = subjects() end)
  return list
end

function M.call(...)
  local n, args = select('#', ...), { ... }
  inside(function() call(unpack(args, 1, n)) end)
end
function M.each(subject, report) inside(function() each(subject, report) end) end

-- The call that is right; what is wrong with it.
function M.right(subject)
  local wrong
  inside(function()
    local args = subject.right()
    if subject.self then table.insert(args, 1, subject.self()) end
    local ok, e = pcall(subject.f, unpack(args))
    wrong = not ok and not exit.is(e) and tostring(e) or nil
  end)
  return wrong
end

-- A case of the fuzzer.
local CALLS = 40
local all
function M.case(draw, fail)
  all = all or M.subjects()
  local subject = draw:of(all)
  M.title = subject.name
  count(subject.name:match '%a+')
  local wrong = {}
  M.call(subject, CALLS, function(n) return draw:whole(1, n) end, function(text) wrong[#wrong + 1] = text end)
  for _, text in ipairs(wrong) do fail('%s', text) end
end

return M
