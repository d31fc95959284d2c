-- complete.lua: what could follow the text before the cursor: names of globals and of hz, fields of tables,
-- methods of objects. Looks without running code of the objects: at tables, their metatables' __index tables,
-- what a metatable's __names says (a table with the names as keys, or a function(v) that returns such tables),
-- and at the lists given here.
local hz = require 'hz'
local layers = require 'hz.net.layer'
local nets = require 'hz.net.models.nets'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'
local within = require 'hz.cli.prompt.within'

local M = {}

-- Values whose fields no table holds: { is = function(v), names = table with the names as keys, or a list of them }
M.kinds = {
  { is = tensor.is, names = tensor.methods },
  { is = function(v) return v == hz end, list = hz.names },
  { is = function(v) return v == rawget(hz, 'codec') end, list = plugins.codecs },
  { is = function(v) return v == nets end, list = function() return nets.order end },
}

local MOST = 20000                 -- names of a table that are looked at: Tab must answer at once

local usual = { l = layers.kinds }  -- what names mean in scripts of hz, where a line has no variable of that name

local keywords = { 'and', 'break', 'do', 'else', 'elseif', 'end', 'false', 'for', 'function', 'if', 'in', 'local',
  'nil', 'not', 'or', 'repeat', 'return', 'then', 'true', 'until', 'while' }

-- The metatable's __index if that is a table, and the tables of its __names.
local function index_of(v)
  local meta = debug.getmetatable(v)
  if type(meta) ~= 'table' then return nil, {} end
  local index, names = rawget(meta, '__index'), rawget(meta, '__names')
  return type(index) == 'table' and index or nil, type(names) == 'function' and { names(v) } or { names }
end

-- Calls visit(name, value) for the names that v answers to.
local function each_name(v, visit)
  for _, kind in ipairs(M.kinds) do
    if kind.is(v) then
      for name, f in pairs(kind.names or {}) do visit(name, f) end
      local list = type(kind.list) == 'function' and kind.list() or kind.list
      for _, name in ipairs(list or {}) do visit(name, rawget(v, name)) end
      if kind.names then return end
    end
  end
  for _ = 1, 10 do                              -- a chain of __index longer than that is a loop
    local seen = 0
    for name, value in next, type(v) == 'table' and v or {} do
      visit(name, value)
      seen = seen + 1
      if seen > MOST then break end
    end
    local index, more = index_of(v)
    for _, list in ipairs(more) do
      for name, value in pairs(list) do visit(name, value) end
    end
    v = index
    if not v then return end
  end
end

local function field(v, name)
  local found
  each_name(v, function(k, value) if found == nil and k == name then found = value end end)
  return found
end

local of_hz = {}
for _, name in ipairs(hz.names) do of_hz[name] = true end

-- The value of a path like 'net.layers[3].weight' in the globals; nil if it has calls or leads nowhere.
local function resolve(path, globals)
  local v = globals
  for name, place in path:gmatch '([%a_][%w_]*)([^%a_]*)' do
    local parent = v
    v = field(parent, name)
    if v == nil and parent == hz and of_hz[name] then v = hz[name] end      -- a module of hz that is not loaded yet
    if v == nil then return nil end
    for i in place:gmatch '%[(%d+)%]' do
      v = type(v) == 'table' and rawget(v, tonumber(i)) or nil
      if v == nil then return nil end
    end
  end
  return v
end

-- Sorted candidates for the last word, and the length of the word typed so far. `more` lists tables whose
-- names count as globals, `before` is what stands before the text in other lines.
function M.complete(text, globals, more, before)
  local function find(way)
    local v = resolve(way, globals)
    for _, other in ipairs(more or {}) do
      if v == nil then v = resolve(way, other) end
    end
    return v == nil and resolve(way, usual) or v
  end
  local special, typed = within.complete((before or '') .. text, find)
  if special then return special, typed end
  local path, mark, word = text:match '([%a_][%w_%.%[%]]*)([%.:])([%w_]*)$'
  local list, seen = {}, {}
  local function offer(name, value)
    if type(name) ~= 'string' or not name:find '^[%a_][%w_]*$' or seen[name] or name:sub(1, #word) ~= word then
      return
    end
    if word == '' and name:sub(1, 1) == '_' then return end
    if mark == ':' and type(value) ~= 'function' then return end
    seen[name] = true
    list[#list + 1] = name
  end
  if path then
    local v = find(path)
    if v ~= nil then each_name(v, offer) end
  else
    word = text:match '[%a_][%w_]*$' or ''
    each_name(globals, offer)
    for _, other in ipairs(more or {}) do each_name(other, offer) end
    if word ~= '' then
      for _, k in ipairs(keywords) do offer(k) end
    end
  end
  table.sort(list)
  return list, #word
end

return M
