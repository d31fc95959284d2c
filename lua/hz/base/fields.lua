-- fields.lua: whether what was read from a file has the fields that its reader relies on, so that a damaged or foreign
-- file is one message that names it, never a mistake in the middle of a report.
local c = require 'hz.c'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local visible = require 'hz.base.visible'

local M = {}

local function is_table(v) return type(v) == 'table' and v ~= json.null end

local function all(v, of_key, of_value)
  if not is_table(v) then return false end
  for k, x in pairs(v) do
    if type(k) ~= of_key or not of_value(x) then return false end
  end
  return true
end

local function is_string(v) return type(v) == 'string' end
local function is_number(v) return type(v) == 'number' and v == v and math.abs(v) < math.huge end
local function is_whole(v) return is_number(v) and v >= 0 and v % 1 == 0 end
local function is_scalar(v) return is_string(v) or is_number(v) or type(v) == 'boolean' end

-- kind -> test, what is needed
local kinds = {
  string = { is_string, 'a string' }, number = { is_number, 'a number' }, table = { is_table, 'a table' },
  whole = { is_whole, 'a whole number of at least 0' }, scalar = { is_scalar, 'a plain value' },
  truth = { function(v) return type(v) == 'boolean' end, 'true or false' },
  key = { function(v) return is_string(v) and v:find '^%x+$' and #v == 32 end, '32 hexadecimal digits' },
  name = { file.is_plain, 'the plain name of a file' },
  list = { function(v) return all(v, 'number', function() return true end) end, 'a list' },
  texts = { function(v) return all(v, 'number', is_string) end, 'a list of strings' },
  numbers = { function(v) return all(v, 'number', is_number) end, 'a list of numbers' },
  gaps = { function(v) return all(v, 'number', function(x) return x == json.null or is_number(x) end) end,
    'a list of numbers and nulls' },
  words = { function(v) return all(v, 'string', is_string) end, 'strings by name' },
  values = { function(v) return all(v, 'string', is_scalar) end, 'plain values by name' },
}

local function text(v)
  if is_string(v) then return ("'%s'"):format(visible.line(#v > 60 and v:sub(1, 60) .. '...' or v)) end
  return is_table(v) and 'a table' or v == json.null and 'null' or v == nil and 'not there' or tostring(v)
end

local check

-- A form as a list in order of name, made once: { name, form = of its own } or { name, test, needs, optional }.
local lists = setmetatable({}, { __mode = 'k' })
local function list_of(form)
  local list = {}
  for name, wanted in pairs(form) do
    local row = { name = name }
    if type(wanted) == 'table' then
      row.form = wanted
    else
      local kind, optional = wanted:match '^(%a+)(%??)$'
      row.test, row.needs, row.optional = kinds[kind][1], kinds[kind][2], optional ~= ''
    end
    list[#list + 1] = row
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  lists[form] = list
  return list
end

function check(who, t, form, at)
  if not is_table(t) then c.fail('%s: %s is %s; needs an object', who, at or 'it', text(t)) end
  for _, row in ipairs(lists[form] or list_of(form)) do
    local v = t[row.name]
    local fits = not row.form and (row.optional and (v == nil or v == false) or row.test(v))
    if not fits then
      local name = at and at .. '.' .. row.name or row.name
      if not row.form then c.fail('%s: %s is %s; needs %s', who, name, text(v), row.needs) end
      check(who, v, row.form, name)
    end
  end
  return t
end

-- Checks t against form: name -> a kind of the table above ('whole'; 'whole?' may be missing, or false), or a form of
-- its own. An error names who and the first field that is otherwise; other fields are nobody's matter. at: where t
-- stands. Returns t.
function M.check(who, t, form, at) return check(who, t, form, at) end

return M
