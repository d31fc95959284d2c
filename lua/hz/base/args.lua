-- args.lua: the knobs of a script, from key=value arguments. One row each: { name, default, type, help, ... }.
--
--   local knob, given = hz.args({
--     about = 'Trains a network on CIFAR-10.',
--     { 'epochs',  10,            'int',    'passes over the training data', min = 1 },
--     { 'quality', { 10, 'raw' }, 'int',    'JPEG quality', list = true, min = 1, max = 100, also = { 'raw' } },
--     { 'data',    'camera',      'string', 'data set', choices = { 'camera', 'cifar10' } },
--   }, ...)
--
-- Types: int, float, string, bool. list: comma lists, for int also ranges (seed=1..5); the value is a table. also:
-- words allowed beside the type's values. check = function(value) -> nil, or what is needed instead. A default may be
-- nil. silent: it is taken, but not shown.
-- tells = function(words) -> text: what key=...,help prints instead of running the script.
-- more = function(knob) -> rows that exist for these knobs, for keys that are not among the spec's own. who = 'sweep
-- DIR', of a verb: what its usage says; its first word begins the messages.
-- `given` says which keys were given, a third value holds those of `more` by name. Mistakes end the script with status
-- 2; --help prints the rows and ends it with 0.
local c = require 'hz.c'
local exit = require 'hz.exit'
local names = require 'hz.base.names'
local need = require 'hz.base.need'

local M = {}

local longest_range = 100000

-- ---- values of one word: value, or nil and what is needed ----

local read = {}

function read.int(text)
  local v = tonumber(text)
  if v and v % 1 == 0 and math.abs(v) < 2 ^ 53 then return v end      -- from there on it could be another than written
  return nil, v and v % 1 == 0 and 'a whole number below 2^53' or 'a whole number'
end

function read.float(text)
  local v = tonumber(text)
  if v and v - v == 0 then return v end                 -- neither NaN nor infinite
  return nil, 'a number'
end

function read.string(text) return text end

M.truth = {
  ['true'] = true, yes = true, on = true, ['1'] = true, ['false'] = false, no = false, off = false, ['0'] = false,
}
function read.bool(text)
  local v = M.truth[text]
  if v ~= nil then return v end
  return nil, 'true or false'
end

local function among(list, v)
  for _, x in ipairs(list or {}) do
    if x == v then return true end
  end
  return false
end

local function limits(row)
  if row.min and row.max then return ('%s..%s'):format(row.min, row.max) end
  return row.min and ('%s or more'):format(row.min) or row.max and ('%s or less'):format(row.max)
end

local function or_also(row, what)
  return row.also and what .. ' or ' .. table.concat(row.also, ', ') or what
end

-- The value of one word, or nil and what the row needs.
local function word(row, text)
  if among(row.also, text) then return text end
  local v, need = read[row[3]](text)
  local within = limits(row)
  if v == nil then return nil, or_also(row, within and row[3] ~= 'string' and need .. ', ' .. within or need) end
  if type(v) == 'number' and (v < (row.min or v) or v > (row.max or v)) then return nil, or_also(row, within) end
  if row.choices and not among(row.choices, v) then return nil, 'one of ' .. table.concat(row.choices, ', ') end
  need = row.check and row.check(v)
  if need then return nil, need end
  return v
end

-- a..b of an int list
local function range(row, text, into)
  local a, b = text:match '^(%-?%d+)%.%.(%-?%d+)$'
  if not a or row[3] ~= 'int' then return false end
  a, b = tonumber(a), tonumber(b)
  if b < a then return nil, ('a rising range such as %d..%d'):format(b, a) end
  if b - a >= longest_range then return nil, ('a range of at most %d values'):format(longest_range) end
  for i = a, b do
    local v, need = word(row, tostring(i))
    if v == nil then return nil, need end
    into[#into + 1] = v
  end
  return true
end

local function words(row, text)
  local list = {}
  for part in (text .. ','):gmatch '([^,]*),' do
    local done, need = range(row, part, list)
    if done == false then
      list[#list + 1], need = word(row, part)
    end
    if need then return nil, need end
  end
  return list
end

-- The value of a row from what was given, or nil and what is needed.
function M.value(row, text)
  if text == '' then return nil, 'a value' end
  if row.list then return words(row, text) end
  if text:find ',' and row[3] ~= 'string' then return nil, 'one value' end
  return word(row, text)
end

-- ---- names ----

local function unknown(who, key, rows)
  local list = {}
  local all = {}
  for i, row in ipairs(rows) do
    all[i] = row[1]
    if not row.silent then list[#list + 1] = row[1] end
  end
  exit.usage("%s: '%s' is no key%s; have %s", who, key, names.meant(key, all), table.concat(list, ' '))
end

-- ---- help ----

function M.default_text(v)
  if v == nil then return '' end
  if type(v) ~= 'table' then return tostring(v) end
  local parts = {}
  for i, x in ipairs(v) do parts[i] = tostring(x) end
  return table.concat(parts, ',')
end

-- What a row takes, in words.
function M.domain(row)
  if row.choices then return table.concat(row.choices, '|') end
  local kind = row[3] .. (row.list and ' list' or '')
  local lim = limits(row)
  return or_also(row, lim and kind .. ' ' .. lim or kind)
end

function M.help(who, spec)
  local lines = { ('usage: hz %s [key=value ...]'):format(who) }
  if spec.about then table.insert(lines, 1, spec.about) end
  local wide, shown = { 0, 0 }, {}
  for _, row in ipairs(spec) do shown[#shown + 1] = not row.silent and row or nil end
  for _, row in ipairs(shown) do
    wide[1], wide[2] = math.max(wide[1], #row[1]), math.max(wide[2], #M.default_text(row[2]))
  end
  local form = ('  %%-%ds = %%-%ds  %%s (%%s)'):format(wide[1], wide[2])
  for _, row in ipairs(shown) do
    lines[#lines + 1] = form:format(row[1], M.default_text(row[2]), row[4] or '', M.domain(row))
  end
  return table.concat(lines, '\n')
end

-- ---- parsing ----

-- field of a row -> its check
local function list_of_words(who, name, v)
  for i, x in ipairs(need.table(who, name, v)) do
    if type(x) ~= 'number' then need.text(who, ('%s[%d]'):format(name, i), x) end
  end
end
local function help_text(who, _, v) return need.text(who, 'the help', v) end
local fields = { min = need.number, max = need.number, choices = list_of_words, also = list_of_words,
  list = need.boolean, silent = need.boolean, check = need.callable, tells = need.callable, [4] = help_text }

-- Mistakes in the rows are the script author's: errors at the place of the call.
local function check_rows(spec)
  if type(spec) ~= 'table' then
    c.fail('args: %s was given; needs a table of rows {name, default, type, help}', type(spec))
  end
  local rows = {}
  for _, k in ipairs { 'about', 'who' } do
    if spec[k] ~= nil then need.text('args', k, spec[k]) end
  end
  if spec.more ~= nil then need.callable('args', 'more', spec.more) end
  for i, row in ipairs(spec) do
    if type(row) ~= 'table' or type(row[1]) ~= 'string' then
      c.fail('args: row %d has no name; needs {name, default, type, help}', i)
    end
    if not read[row[3]] then
      c.fail("args: knob '%s' has type %s; needs int, float, string or bool", row[1], tostring(row[3]))
    end
    if rows[row[1]] then c.fail("args: knob '%s' stands there twice", row[1]) end
    for name, check in pairs(fields) do
      if row[name] ~= nil and row[name] ~= false then check(("args: knob '%s'"):format(row[1]), name, row[name]) end
    end
    rows[row[1]] = row
  end
  return rows
end

function M.copy(v)
  if type(v) ~= 'table' then return v end
  local t = {}
  for k, x in pairs(v) do t[k] = x end
  return t
end

local function script_name()
  local list = rawget(_G, 'arg')
  return list and list[0] and list[0]:match '[^/]+$' or 'hz'
end

-- The spec's rows, and those that exist besides for these knobs.
local function all_rows(spec, knob)
  local rows, known = { about = spec.about }, {}
  for i, row in ipairs(spec) do rows[i], known[row[1]] = row, true end
  for _, row in ipairs(spec.more and spec.more(knob) or {}) do
    if not known[row[1]] then rows[#rows + 1], known[row[1]] = row, true end
  end
  return rows
end

local function read_value(who, row, key, text)
  local value, need = M.value(row, text)
  if value == nil then exit.usage("%s: %s=%s was given; needs %s", who, key, text, need) end
  return value
end

-- Values of the keys that the spec does not have, as texts in `pending`, by the rows that exist for these knobs.
local function parse_more(who, spec, knob, pending)
  local values = {}
  if #pending == 0 then return values end
  local list = all_rows(spec, knob)
  local rows = check_rows(list)
  for _, p in ipairs(pending) do
    if not rows[p.key] then unknown(who, p.key, list) end
    values[p.key] = read_value(who, rows[p.key], p.key, p.text)
  end
  return values
end

-- Ends the script with what a row tells, where its value has the word help.
local function tell(row, text)
  local list = {}
  for part in (text .. ','):gmatch '([^,]*),' do list[#list + 1] = part end
  if among(list, 'help') then exit.stop(0, row.tells(list)) end
end

local function parse(who, spec, ...)
  local rows, knob, given, pending = check_rows(spec), {}, {}, {}
  local synopsis = spec.who or who
  who = synopsis:match '^%S+'
  for _, row in ipairs(spec) do knob[row[1]] = M.copy(row[2]) end
  for i = 1, select('#', ...) do
    local text = ('%s'):format(tostring((select(i, ...))))      -- a __tostring may give anything
    if text == '--help' or text == '-h' then exit.stop(0, M.help(synopsis, all_rows(spec, knob))) end
    local key, given_text = text:match '^([^=]+)=(.*)$'
    if not key then exit.usage("%s: '%s' was given; needs key=value (--help lists the keys)", who, text) end
    if given[key] then exit.usage("%s: '%s' was given twice; needs one value", who, key) end
    given[key] = true
    if rows[key] and rows[key].tells then tell(rows[key], given_text) end
    if rows[key] then
      knob[key] = read_value(who, rows[key], key, given_text)
    elseif spec.more then
      pending[#pending + 1] = { key = key, text = given_text }
    else
      unknown(who, key, spec)
    end
  end
  return knob, given, parse_more(who, spec, knob, pending)
end

-- hz.args: the values by name, which of them were given, and the values of `more`.
function M.parse(spec, ...) return parse(script_name(), spec, ...) end

return M
