-- ask.lua: what ? NAME and NAME? say: the help on a name of hz, or on what a variable holds: its value in a line, what
-- can be done with it, and the help on what it is another name of.
local help = require 'hz.cli.prompt.help'
local hz = require 'hz'
local names = require 'hz.base.names'
local pretty = require 'hz.tensor.pretty'
local tensor = require 'hz.tensor.tensor'
local within = require 'hz.cli.prompt.within'

local WIDTH = 78

-- The value of 'net', 'net.layers' or 'x:sum' among the variables; nil where there is none.
local function value_of(topic, env)
  local v = env
  for name in topic:gmatch '[^%.:]+' do
    local ok, found = pcall(function() return v[name] end)
    if not ok or found == nil then return nil end
    v = found
  end
  return v ~= env and v or nil
end

-- Tables with the methods of a value as keys.
local function methods_of(v)
  if tensor.is(v) then return { tensor.methods } end
  local meta = debug.getmetatable(v)
  if type(v) == 'string' or type(meta) ~= 'table' then return {} end
  local list, index = {}, rawget(meta, '__index')
  local more = rawget(meta, '__names')
  if type(more) == 'function' then list = { more(v) } else list[1] = more end
  if type(index) == 'table' then list[#list + 1] = index end
  return list
end

local function wrapped(title, list)
  local lines, line = {}, title
  for _, name in ipairs(list) do
    if #line + #name + 1 > WIDTH then
      lines[#lines + 1], line = line, '   '
    end
    line = line .. ' ' .. name
  end
  lines[#lines + 1] = line
  return table.concat(lines, '\n')
end

local function methods_text(v)
  local list = {}
  for _, t in ipairs(methods_of(v)) do
    for name, f in pairs(t) do
      if type(name) == 'string' and not name:find '^_' and type(f) == 'function' then list[#list + 1] = name end
    end
  end
  return #list > 0 and wrapped('  methods:', names.sorted(list)) .. '\n  ? :NAME tells more of one'
end

local kinds = { cdata = 'value of C', userdata = 'object', ['nil'] = 'nothing' }

local function kind_of(v)
  if tensor.is(v) then return 'tensor' end
  if #methods_of(v) > 0 then return 'object' end
  return kinds[type(v)] or type(v)
end

local function describe(topic, v)
  local lines = { ('%s: %s  %s'):format(topic, kind_of(v), pretty.short(v)) }
  lines[2] = methods_text(v) or nil
  local name = within.name_of(v)
  if name then lines[#lines + 1] = help.text(name) end
  return table.concat(lines, '\n')
end

local function is_nothing(text) return text:find '^help: nothing about' ~= nil end

-- Text on a topic ('' lists what there is). A variable of the user's own goes before a name of hz.
return function(topic, env)
  local first = topic:match '^[%a_][%w_]*'
  if first == 'l' and rawget(_G, 'l') == nil then topic = topic:gsub('^l', 'layers') end      -- as scripts call them
  local own = first and rawget(_G, first)
  local v = first and value_of(topic, env)
  if own ~= nil and first ~= 'hz' and v ~= nil and not within.name_of(v) and type(v) ~= 'function' then
    return describe(topic, v)
  end
  local known = v ~= nil and within.name_of(v)
  local text = help.text(known or topic)
  local method = is_nothing(text) and type(v) == 'function' and topic:match '[%.:]([%w_]+)$'
  if method then text = help.text(':' .. method) end
  if v ~= nil and is_nothing(text) then return describe(topic, v) end
  return text
end
