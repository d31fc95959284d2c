-- names.lua: names that a user wrote and nothing has. Each is an error at the user's line that says what there is, and
-- what may have been meant: a misspelt name must not become a nil that means something else. For
--   options   names.options('rand', o, 'seed stream dtype')
--   tables    names.guard('layers', kinds): what stands in it is all there is
--   objects   names.index('net', methods, 'input seed'): an __index; methods also say when they were called by a dot
-- What is no string (x[1]) and what begins with __ (which tools ask of anything) is nil as ever.
local c = require 'hz.c'

local M = {}

-- ---- the nearest name ----

local SWAP = 0.9                   -- of neighbours: the likeliest slip

-- Edit distance (insert, delete, change, swap neighbours), to guess what was meant.
local function distance(a, b)
  local d = { [0] = {} }
  for j = 0, #b do d[0][j] = j end
  for i = 1, #a do
    d[i] = { [0] = i }
    for j = 1, #b do
      local change = a:byte(i) == b:byte(j) and 0 or 1
      local least = math.min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        least = math.min(least, d[i - 2][j - 2] + SWAP)
      end
      d[i][j] = least
    end
  end
  return d[#a][#b]
end

local longest = 64                 -- bytes of a name that is compared

-- The name in the list that is close enough to be what was meant, or nil.
function M.nearest(name, list)
  if #name > longest then return nil end
  local best, least
  for _, n in ipairs(list) do
    local d = distance(name:lower(), n:lower())
    if n:sub(1, #name) == name then d = math.min(d, 1) end
    if not least or d < least then best, least = n, d end
  end
  return least and least <= math.max(1, math.floor(#name / 3)) and best or nil
end

-- ", did you mean 'relu'", or '' where nothing is near.
function M.meant(name, list)
  local near = type(name) == 'string' and M.nearest(name, list)
  return near and (", did you mean '%s'"):format(near) or ''
end

-- ---- lists of names ----

-- Names as a sorted list: of a text ('seed stream'), a list, or the string keys of a table. Those that begin with _ are
-- nobody's business.
function M.sorted(...)
  local list, seen = {}, {}
  local function add(name)
    if type(name) == 'string' and not seen[name] and not name:find '^_' then
      list[#list + 1], seen[name] = name, true
    end
  end
  for i = 1, select('#', ...) do
    local from = select(i, ...)
    if type(from) == 'string' then
      for name in from:gmatch '%S+' do add(name) end
    else
      for k, v in pairs(from) do add(type(k) == 'number' and v or k) end
    end
  end
  table.sort(list)
  return list
end

-- "a, b, c", for messages
function M.text(...) return table.concat(M.sorted(...), ', ') end

-- A set of names from a text.
function M.set(text)
  local set = {}
  for name in text:gmatch '%S+' do set[name] = true end
  return set
end

-- ---- errors ----

-- Raises: the name is none of these (as in sorted).
function M.unknown(who, name, ...)
  local list = M.sorted(...)
  c.fail("%s: '%s' is unknown%s; have %s", who, tostring(name), M.meant(name, list), table.concat(list, ', '))
end

-- A table of fields, checked: a name that is not known raises. known: a text, or a table by name.
function M.fields(who, o, known)
  if type(o) ~= 'table' then
    c.fail('%s: %s was given; needs a table with %s', who, type(o), M.text(known))
  end
  local set = type(known) == 'string' and M.set(known) or known
  for name in pairs(o) do
    if set[name] == nil then M.unknown(who, name, known) end
  end
  return o
end

-- The same where nothing need be given: {} for nil.
function M.options(who, o, known) return o == nil and {} or M.fields(who, o, known) end

-- ---- tables and objects ----

local function silent(k) return type(k) ~= 'string' or k:find '^__' ~= nil end

-- An __index of objects: methods, nil for the fields (a text) that an object may lack, else an error.
function M.index(who, methods, fields)
  local lacking = M.set(fields or '')
  return function(self, k)
    local v = methods[k]
    if v ~= nil or lacking[k] or silent(k) then return v end
    M.unknown(who, k, methods, fields or '', type(self) == 'table' and self or '')
  end
end

-- The table with an __index that refuses names it does not have, but those of `lacking` (a text), which may be nil.
-- Keeps the metatable it has.
function M.guard(who, t, lacking)
  local meta = debug.getmetatable(t) or {}
  meta.__index = M.index(who, {}, lacking)
  return setmetatable(t, meta)
end

-- A method that says so where it was called by a dot: x.sum() says "use x:sum()". is(x): whether x is such an object;
-- called: how a user calls one ('x', 'net').
function M.receiver(called, name, is, f)
  return function(self, ...)
    if not is(self) then
      c.fail('%s: %s was given in place of the object; use %s:%s()', name, type(self), called, name)
    end
    return f(self, ...)
  end
end

-- Kinds of objects by what a user calls one: { methods, is }; of those whose module has loaded.
M.objects = {}

-- The same for all methods of a table, which makes them known as a kind's.
function M.receivers(called, methods, is)
  M.objects[called] = { methods = methods, is = is }
  for name, f in pairs(methods) do methods[name] = M.receiver(called, name, is, f) end
end

-- ---- lists ----

-- The length of a list without holes and without names, or nil and what is wrong with it.
function M.length(list)
  local n = #list
  if next(list, n > 0 and n or nil) == nil then          -- most lists: nothing is kept behind the last entry
    for i = 1, n do
      if list[i] == nil then return nil, ('entry %d is nil'):format(i) end
    end
    return n
  end
  local last, count = 0, 0
  for k in pairs(list) do
    if type(k) ~= 'number' or k % 1 ~= 0 or k < 1 then return nil, ("'%s' is no place in it"):format(tostring(k)) end
    last, count = math.max(last, k), count + 1
  end
  if last == count then return count end
  for i = 1, last do
    if list[i] == nil then return nil, ('entry %d is nil'):format(i) end
  end
end

return M
