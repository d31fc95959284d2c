-- within.lua: what fits inside a call: the options of net:plan{, the names of sets in hz.data '..., the values that a
-- field like dtype= takes, and names of files in all other strings. Options come from where they are checked, else
-- from the usage that the help shows.
local dataset = require 'hz.data.dataset'
local devices = require 'hz.net.devices'
local file = require 'hz.base.file'
local help = require 'hz.cli.prompt.help'
local hz = require 'hz'
local layers = require 'hz.net.layer'
local lexer = require 'hz.cli.prompt.lexer'
local names = require 'hz.base.names'
local nets = require 'hz.net.models.nets'
local optim = require 'hz.net.optim'
local plans = require 'hz.net.plan'
local plugins = require 'hz.codec.plugins'
local posix = require 'hz.ext.posix'
local sweep = require 'hz.sweep.sweep'
local train = require 'hz.net.train'
local training = require 'hz.net.training'

local M = {}

-- ---- where the cursor is ----

-- What the bracket at a place opens: { key } for the value of a field, { callee, first = its first string } for the
-- arguments of a call or their table; {} for anything else.
local function opener(text, stack, i)
  local before = text:sub(1, stack[i] - 1)
  local key = before:match '([%a_][%w_]*)%s*=%s*$'
  if key then return { key = key } end
  local callee = before:match '([%a_][%w_%.:%[%]]*)%s*$'
  if callee then return { callee = callee } end
  if i > 1 and text:sub(stack[i], stack[i]) == '{' and text:sub(stack[i - 1], stack[i - 1]) == '(' then
    local outer = opener(text, stack, i - 1)
    outer.first = text:sub(stack[i - 1] + 1, stack[i] - 1):match '^%s*[\'"]([^\'"]*)[\'"]%s*,%s*$'
    return outer
  end
  local name, first = before:match '([%a_][%w_%.:]*)%s*%(?%s*[\'"]([^\'"]*)[\'"]%s*%)?%s*$'       -- hz.net 'name' {
  return { callee = name, first = first }
end

-- ---- options ----

local function field_names(kind)
  local set = { name = true }
  for _, f in ipairs(kind.fields) do set[f[1]] = true end
  return set
end

local function params_of(codec)
  local set = {}
  for _, p in ipairs(plugins.codec(codec).params) do set[p.name] = true end
  return set
end

local function options_of_set(name)
  local ok, spec = pcall(dataset.describe, name or '')
  local set = { split = true }
  for key in pairs(ok and spec.options or {}) do set[key] = true end
  return set
end

-- Options by the name that help has for what is called; f(first argument) -> a table with the names as keys.
local options = {
  [':plan'] = function() return plans.options end,
  train = function() return train.options end,
  sweep = function() return sweep.known end,
  data = options_of_set,
  optimizer = function(kind) return kind and optim.options(kind) end,
}
for _, kind in ipairs(optim.kinds) do
  options[kind] = function() return optim.options(kind) end
end

local fields = { augment = training.augments }         -- of tables that are the value of a field

-- name= within the braces of a usage.
local function of_usage(name)
  local set = {}
  for _, row in ipairs(help.rows_of(name)) do
    for key in (row.usage:match '{(.*)}' or ''):gmatch '([%a_][%w_]*)=' do set[key] = true end
  end
  return set
end

-- The name that help has for a path like 'net:plan', 'hz.layers.conv', or for the value that it leads to.
local function help_name(path, value)
  local method = path:match ':[%w_]+$'
  return method or M.name_of(value) or path:match '[%w_]+$'
end

local function options_at(at, resolve)
  if at.key then return fields[at.key] end
  if not at.callee then return nil end
  local name = help_name(at.callee, resolve(at.callee))
  if not name then return nil end
  if rawget(layers.kinds, name) then return field_names(layers.kinds[name]) end
  if at.callee:find 'codec%.[%w_]+$' and plugins.has(name) then return params_of(name) end
  local f = options[name]
  return f and f(at.first) or of_usage(name)
end

-- The name of hz, or of a kind of layer, that is this very value.
function M.name_of(v)
  if type(v) ~= 'function' and type(v) ~= 'table' then return nil end
  for _, name in ipairs(hz.names) do
    if rawequal(rawget(hz, name), v) then return name end
  end
  for name, kind in pairs(layers.kinds) do
    if rawequal(kind, v) then return name end
  end
end

-- ---- strings ----

local function some(...)
  local list = { ... }
  return function() return list end
end
local function dtypes() return names.sorted(training.dtypes) end
local function schedules() return optim.schedules end
local function kinds() return optim.kinds end
local function known_devices() return { 'auto', unpack(devices.names()) } end
local function models() return nets.order end

local of_fields = { dtype = dtypes, schedule = schedules, optimizer = kinds, split = some('test', 'train'),
  loss = some 'xent', pad = some('same', 'valid'), axis = some('channels', 'rows'), data = dataset.names,
  model = models, codec = plugins.codecs, kind = kinds, device = known_devices }
local of_calls = { data = dataset.names, available = dataset.names, model = models, optimizer = kinds }

local function files(typed)
  local folder, start = typed:match '^(.*/)([^/]*)$'
  folder, start = folder or '', start or typed
  local list = {}
  for _, name in ipairs(posix.list(folder == '' and '.' or folder) or {}) do
    local fits = name:sub(1, #start) == start and (start ~= '' or name:sub(1, 1) ~= '.') and not name:find '[%c"\'\\]'
    if fits then list[#list + 1] = name .. (file.exists(folder .. name) == 'folder' and '/' or '') end
  end
  table.sort(list)
  return list, #start
end

-- Candidates in the string that begins at `quote`, and the length of what they replace.
local function in_string(text, quote, stack, resolve)
  local typed, before = text:sub(quote + 1), text:sub(1, quote - 1)
  local key = before:match '([%a_][%w_]*)%s*==?%s*$'
  local callee = not key and before:match '([%a_][%w_%.:]*)%s*%(?%s*$'
  local at = not key and not callee and stack[1] and opener(text, stack, #stack) or {}
  local find = key and of_fields[key] or at.key and of_fields[at.key]
  if callee then find = of_calls[help_name(callee, resolve(callee)) or ''] end
  if not find then return files(typed) end
  local list = {}
  for _, name in ipairs(find()) do
    if name:sub(1, #typed) == typed then list[#list + 1] = name end
  end
  if #list == 0 then return files(typed) end           -- a set may be a file, too
  table.sort(list)
  return list, #typed
end

-- ---- both ----

-- Candidates at the end of the text where something special fits there, and the length of what they replace; else nil.
-- resolve(path) -> the value of a variable or field, or nil.
function M.complete(text, resolve)
  local bare, quote = lexer.masked(text)
  local stack = lexer.open_brackets(bare)
  if quote then return in_string(text, quote, stack, resolve) end
  local word = bare:match '[%a_][%w_]*$' or ''
  local from = stack[#stack]
  if not from or not bare:sub(from, -#word - 1):find '[{,;]%s*$' or bare:sub(from, from) ~= '{' then return nil end
  local set, given, list = options_at(opener(text, stack, #stack), resolve), {}, {}
  for key in bare:sub(from):gmatch '([%a_][%w_]*)%s*=[^=]' do given[key] = true end
  for name in pairs(set or {}) do
    if name:sub(1, #word) == word and not given[name] then list[#list + 1] = name end
  end
  if #list == 0 then return nil end
  table.sort(list)
  return list, #word
end

return M
