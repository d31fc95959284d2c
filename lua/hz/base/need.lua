-- need.lua: checks of what a user gave: each returns the value, or raises at the user's line what was given under which
-- name and what is needed. who: the function that asks; name: of the argument or option.
local c = require 'hz.c'
local names = require 'hz.base.names'

local M = {}

-- Whole numbers that a double tells apart from their neighbours: above, seeds would be others than those written.
M.most_seed = 2 ^ 53 - 1

-- A value in a message: numbers in full, texts in quotes, else the kind.
function M.shown(v)
  if type(v) == 'number' then return v % 1 == 0 and math.abs(v) < 1e15 and ('%d'):format(v) or ('%.17g'):format(v) end
  if type(v) == 'string' then return "'" .. (#v > 60 and v:sub(1, 57) .. '...' or v) .. "'" end
  if type(v) == 'boolean' then return tostring(v) end
  if c.ffi.istype('hz_tensor', v) then return 'a tensor' end
  return type(v)
end

function M.fail(who, name, v, what) c.fail('%s: %s is %s; needs %s', who, name, M.shown(v), what) end

local function of_type(kind, what)
  return function(who, name, v)
    if type(v) ~= kind then M.fail(who, name, v, what) end
    return v
  end
end

-- Whether v is a list without holes or names.
function M.list(v) return type(v) == 'table' and names.length(v) ~= nil end

M.text = of_type('string', 'a text')
M.table = of_type('table', 'a table')
M.boolean = of_type('boolean', 'true or false')
M.callable = of_type('function', 'a function')

function M.path(who, v)
  if type(v) ~= 'string' or v == '' then M.fail(who, 'the file name', v, 'a text') end
  return v
end

-- Any number, NaN and infinities included.
M.number = of_type('number', 'a number')

function M.finite(who, name, v)
  if type(v) ~= 'number' or v - v ~= 0 then M.fail(who, name, v, 'a finite number') end
  return v
end

local MOST = 2 ^ 31 - 1            -- counts are int in the core; nobody need be told

-- A whole number of least..most (nil: any).
function M.whole(who, name, v, least, most)
  if type(v) == 'number' and v % 1 == 0 and v >= (least or v) and v <= (most or v) then return v end
  local within = least and most and most ~= MOST and (' of %s..%s'):format(M.shown(least), M.shown(most))
    or least and (' of at least %s'):format(M.shown(least)) or ''
  M.fail(who, name, v, 'a whole number' .. within)
end

function M.count(who, name, v, least) return M.whole(who, name, v, least or 0, MOST) end
function M.seed(who, v, name) return M.whole(who, name or 'seed', v, 0, M.most_seed) end

return M
