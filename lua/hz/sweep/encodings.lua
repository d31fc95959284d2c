-- encodings.lua: the encodings that a sweep asks for. Each list of values is an axis, applies to the codecs that
-- declare its parameter, and several are a product. NAME_test lists values of the test encoding alone; without it
-- training's hold. A parameter of a stage of a composed codec is called STAGE.NAME, and NAME where one stage alone has
-- it; one of any other codec NAME, and CODEC.NAME. What a codec's name says is no axis.
local at_bits = require 'hz.codec.at_bits'
local c = require 'hz.c'
local names = require 'hz.base.names'
local encoding = require 'hz.codec.encoding'
local plugins = require 'hz.codec.plugins'
local say = require 'hz.base.say'

local M = {}

-- ---- what the chosen codecs declare ----

local function joined(a, b)
  local list = {}
  for _, part in ipairs { a, b or {} } do
    for _, v in ipairs(part) do list[#list + 1] = v end
  end
  return list
end

-- The names that a codec's free parameters go by: { name, declaration }, those of the codec itself first.
local function names_of(codec)
  local own, other = {}, {}
  local params = plugins.codec(codec).params
  for _, p in ipairs(params) do
    local second = p.name ~= p.full and p.full or p.name:match '%.(.*)'
    if not p.fixed then own[#own + 1] = { p.name, p } end
    if not p.fixed and plugins.param(params, second) == p then other[#other + 1] = { second, p } end
  end
  return joined(own, other)
end

-- Rows { name, params } of each name that one of the codecs has, in order; params: its declarations, one per codec.
local function declared(codecs)
  local list, by, asked = {}, {}, {}
  for _, codec in ipairs(codecs) do
    for _, one in ipairs(codec ~= 'raw' and not asked[codec] and names_of(codec) or {}) do
      local name, p = unpack(one)
      if not by[name] then
        by[name] = { name = name, params = {} }
        list[#list + 1] = by[name]
      end
      table.insert(by[name].params, p)
    end
    asked[codec] = true
  end
  return list, by
end

-- Whether one of these codecs has a parameter of this name.
function M.declares(codecs, name)
  local _, by = declared(codecs)
  return by[name] ~= nil
end

-- Whether a parameter that goes by this name has values by another.
function M.asked(codecs, name, values)
  for _, codec in ipairs(codecs) do
    local params = codec ~= 'raw' and plugins.codec(codec).params or {}
    local p = plugins.param(params, name)
    for other in pairs(p and values or {}) do
      if other ~= name and plugins.param(params, other) == p then return true end
    end
  end
  return false
end

-- What a key means: the name of a parameter, and '' or '_test'; nil if it means none.
local function meaning(by, key)
  if by[key] then return key, '' end
  local name = key:match '^(.+)_test$'
  if name and by[name] then return name, '_test' end
end

-- Whether it is nothing but a second name.
local function is_second(declaration)
  for _, p in ipairs(declaration.params) do
    if p.name == declaration.name then return false end
  end
  return true
end

local function names_text(list)
  local names = {}
  for _, row in ipairs(list) do
    if not is_second(row) then names[#names + 1] = row.name end
  end
  return #names > 0 and table.concat(names, ' ') or 'no parameters'
end

-- ---- as keys of a sweep ----

-- The keys of o that are not `known`, and what o.values has; nil for none.
local function collect(o, known)
  local values = {}
  for k, v in pairs(o) do
    if not known[k] then values[k] = v end
  end
  for k in pairs(values) do o[k] = nil end
  for k, v in pairs(o.values or {}) do values[k] = v end
  return next(values) ~= nil and values or nil
end

-- Whether the key bits is a parameter: one of the codecs has one of that name, and no other has a value that bits could
-- find. Else it asks for equal bits (equal.lua).
function M.owns_bits(codec_list, codec_test)
  local owned = false
  for _, codec in ipairs(joined(codec_list, codec_test)) do
    local owns = codec ~= 'raw' and M.declares({ codec }, 'bits')
    if codec ~= 'raw' and not owns and at_bits.parameter(plugins.codec(codec)) then return false end
    owned = owned or owns
  end
  return owned
end

local BITS = { 'bits', 'bits_test' }

-- Puts the keys bits and bits_test among the values, or beside them, where they belong.
local function settle_bits(o, codecs)
  if not (o.bits or o.bits_test) or not M.owns_bits(codecs) then return end
  o.values = o.values or {}                            -- collect made it
  for _, key in ipairs(BITS) do o.values[key], o[key] = o.values[key] or o[key], nil end
end

-- Moves those keys of o that are not `known` to o.values (lists by parameter; nil without), and checks what is there.
function M.take(o, known)
  local codecs = joined(o.codec, o.codec_test)
  o.values = collect(o, known)
  settle_bits(o, codecs)
  local list, by = declared(o.values and codecs or {})
  for k, v in pairs(o.values or {}) do
    if type(k) ~= 'string' or not meaning(by, k) then
      c.fail("sweep: '%s' is unknown%s; %s has %s; see ? hz.sweep", tostring(k),
        names.meant(k, names.sorted(known, by)), table.concat(codecs, ', '), names_text(list))
    end
    if type(v) ~= 'table' or #v == 0 then
      c.fail('sweep: %s is %s; needs a list', k, type(v) == 'table' and 'empty' or tostring(v))
    end
  end
end

-- ---- as keys of the command line ----

-- The type that fits all declarations, and the limits that are within none of them; what a codec gets it checks again.
local function domain(params)
  local kind, low, high, choices = params[1].type, math.huge, -math.huge, params[1].choices
  local numeric = { int = true, float = true }
  for _, p in ipairs(params) do
    if p.length then
      kind = 'vector'
    elseif p.type ~= kind then
      kind = numeric[p.type] and numeric[kind] and 'float' or 'any'
    end
    low, high = math.min(low, p.low or -math.huge), math.max(high, p.high or math.huge)
    if table.concat(p.choices or {}, ' ') ~= table.concat(choices or {}, ' ') then choices = nil end
  end
  local number = numeric[kind]
  return (number or kind == 'bool') and kind or 'string', number and low > -math.huge and low or nil,
    number and high < math.huge and high or nil, choices
end

local function row_of(declaration, side, items)
  local first = declaration.params[1]
  local kind, low, high, choices = domain(declaration.params)
  local help = (first.help or 'of the codec') .. (first.unit and ', ' .. first.unit or '')
  if side ~= '' then help = ('%s; of the test %s alone'):format(help, items) end
  return { declaration.name .. side, nil, kind, help, list = true, also = { 'raw' }, min = low, max = high,
    choices = choices, silent = is_second(declaration) }
end

local bits_rows = {
  { 'bits', 'equal bits per sample: the value of each codec that meets them is found; raw: untouched' },
  { 'bits_test', 'equal bits per sample of the test codec alone (default: those of training)' },
}

-- Rows for hz.args: a list of values for each parameter of the codecs, and NAME_test for those of the test items'
-- codecs; bits and bits_test, where these ask for equal bits. items: what these are, in the plural.
function M.rows(codecs, codecs_test, items)
  local rows = {}
  for _, part in ipairs { { '', joined(codecs, codecs_test) }, { '_test', codecs_test or codecs } } do
    for _, declaration in ipairs((declared(part[2]))) do rows[#rows + 1] = row_of(declaration, part[1], items) end
  end
  if M.owns_bits(codecs, codecs_test) then return rows end
  for _, row in ipairs(bits_rows) do
    rows[#rows + 1] = { row[1], nil, 'float', row[2], list = true, also = { 'raw' } }
  end
  return rows
end

-- ---- values where none were given ----

local WALKED = 5                   -- values of a parameter that are walked

local function rounded(p, v) return p.type == 'int' and math.floor(v + 0.5) or tonumber(('%.3g'):format(v)) end

-- Some values from one end of a range to the other: evenly, or by factors where the ends are far apart. The default
-- stands for the one that is next to it.
local function within(p)
  local less, more = p.standard / 4, p.standard * 4
  local low, high = p.low or math.min(less, more), p.high or math.max(less, more)
  local by_factors, list, seen, near = low > 0 and high / low > 32, {}, {}, 1
  for i = 0, WALKED - 1 do
    local t = i / (WALKED - 1)
    local v = math.max(low, math.min(high, rounded(p, by_factors and low * (high / low) ^ t or low + (high - low) * t)))
    if not seen[v] then list[#list + 1], seen[v] = v, true end
    if math.abs(v - p.standard) < math.abs(list[near] - p.standard) then near = #list end
  end
  list[near] = p.standard
  return list
end

-- nil for what cannot be walked.
local function some_of(p)
  if p.length then return nil end
  return p.choices or p.type == 'bool' and { false, true } or within(p)
end

-- Puts values of the main parameter of each codec that loses something by it, and of whose parameters none is listed,
-- into `values`, followed by 'raw'; quality: whether that is walked. True if it did. Says what it put there.
function M.walk_main(codecs, values, quality)
  local put = false
  for _, name in ipairs(codecs) do
    local about = name:find '^[%w_]+$' and name ~= 'raw' and plugins.codec(name)
    local main, free = about and not about.lossless and encoding.main(about.params), true
    for _, p in ipairs(about and about.params or {}) do
      free = free and not values[p.name] and not (p.name == 'quality' and quality)
    end
    local list = main and main.direction ~= 0 and free and some_of(main)
    if list then
      list = joined(list, { 'raw' })
      values[main.name], put = list, true
      local texts = {}
      for i, v in ipairs(list) do texts[i] = tostring(v) end
      say(('no values were given: %s=%s (%s takes %s)'):format(main.name, table.concat(texts, ','), name,
        plugins.takes(main)))
    end
  end
  return put
end

-- ---- the product ----

local EQUAL = '= bits'             -- among names of parameters; none is called so

-- All ways to give the names values: each one of its list, or what `base` has. The first name varies slowest.
local function product(names, lists, base)
  local ways = { {} }
  for _, name in ipairs(names) do
    local more = {}
    for _, way in ipairs(ways) do
      for _, v in ipairs(lists[name] or { base[name] }) do
        local one = { [name] = v }
        for k, x in pairs(way) do one[k] = x end
        more[#more + 1] = one
      end
    end
    ways = #more > 0 and more or ways
  end
  return ways
end

-- Walked names in order, and their lists for training and test. quality is an axis whether or not a codec has it.
local function axes(o)
  local names, lists, listed = {}, { [''] = {}, _test = {} }, {}
  local list, by = declared(joined(o.codec, o.codec_test))
  local function put(key, v)
    local name, side = meaning(by, key)
    lists[side][name], listed[name] = v, true
  end
  by.quality = by.quality or { name = 'quality' }
  for _, key in ipairs { 'quality', 'quality_test' } do
    if o[key] then put(key, o[key]) end
  end
  for key, v in pairs(o.values or {}) do put(key, v) end
  lists[''][EQUAL], lists._test[EQUAL] = o.bits, o.bits_test
  if o.bits or o.bits_test then names[1] = EQUAL end
  if listed.quality then names[#names + 1] = 'quality' end
  for _, row in ipairs(list) do
    if listed[row.name] and row.name ~= 'quality' then names[#names + 1] = row.name end
  end
  return names, lists[''], lists._test
end

-- Each encoding for training, tested on all: the pairs of equals first of each.
local function all_pairs(list)
  local out = {}
  for _, train in ipairs(list) do
    out[#out + 1] = { train = train, test = train }
    for _, test in ipairs(list) do
      if test ~= train then out[#out + 1] = { train = train, test = test } end
    end
  end
  return out
end

-- What says of test items what matrix=true says of them already.
local function check_matrix(o)
  local other = o.codec_test and 'codec_test' or o.quality_test and 'quality_test' or o.bits_test and 'bits_test'
  for key in pairs(o.values or {}) do other = other or key:find '_test$' and key end
  if other then c.fail('sweep: matrix=true tests on every encoding, and %s was given; needs one of both', other) end
end

-- The encoding of a codec at what was asked for, bits among it; nil where it cannot have these.
local function met(name, asked, mode, find)
  local wanted, others = asked[EQUAL], {}
  if wanted == nil or wanted == 'raw' or name == 'raw' then
    return encoding.make(name, asked, mode)
  end
  for k, v in pairs(asked) do
    if v == 'raw' then return encoding.raw end
    if k ~= EQUAL then others[k] = v end
  end
  local one = find(name, others, wanted)
  if one and one.parameter then others[one.parameter] = one.value end
  return one and encoding.make(name, others, mode)
end

-- Pairs { train, test } of encodings, each once; with o.matrix all of those for training with each other. Test codec
-- and values follow those of training unless they are given. o: codec (list), codec_test (list or nil), quality,
-- quality_test, bits, bits_test, values (lists by name), isolate; each may be nil. find(name, asked, bits) gives what
-- meets bits, { parameter, value }, nil for nothing (equal.lua).
function M.pairs(o, find)
  if o.matrix then check_matrix(o) end
  local names, train, test = axes(o)
  local list, made = {}, {}
  local function make(name, asked)
    local e = met(name, asked, o.isolate, find)
    if not e then return nil end
    made[e.text] = made[e.text] or e
    return made[e.text]
  end
  local seen = {}
  for _, name in ipairs(o.codec) do
    for _, asked in ipairs(product(names, train, {})) do
      for _, test_name in ipairs(o.codec_test or { name }) do
        for _, test_asked in ipairs(product(names, test, asked)) do
          local pair = { train = make(name, asked), test = make(test_name, test_asked) }
          local key = pair.train and pair.test and pair.train.text .. '\0' .. pair.test.text
          if key and not seen[key] then list[#list + 1] = pair end
          if key then seen[key] = true end
        end
      end
    end
  end
  if not o.matrix then return list end
  for i, pair in ipairs(list) do list[i] = pair.train end
  return all_pairs(list)
end

return M
