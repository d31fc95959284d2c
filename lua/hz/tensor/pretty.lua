-- pretty.lua: how values look at the prompt. Tensors as a header line and their edges, tables as sorted, nested, cut
-- lists. short(v) fits in a line; value(v) is the full form. What tensors can do is tensor.lua's, which asks here how
-- they look.
local c = require 'hz.c'
local tables = require 'hz.base.table'

local M = {}

M.edge = 3              -- entries shown at each end of a long dimension
M.stats_limit = 2 ^ 20  -- larger tensors print without min, mean, max: a glance must not take seconds
M.entries = 40          -- of a table
M.depth = 3             -- levels of a table
M.width = tables.width  -- columns
M.longest = 4096        -- bytes of a string
M.visits = 2 ^ 20       -- entries of a table that are looked at
M.sorted = 10000        -- names of a table that are put in order

-- ---- tensors ----

local function is_tensor(v) return c.ffi.istype('hz_tensor', v) end

function M.shape(t) return '(' .. table.concat(t:size(), ',') .. ')' end

local function header(t) return ('%s %s'):format(t:type(), M.shape(t)) end

local function number(v)
  if v ~= v then return 'nan' end
  if v == math.huge or v == -math.huge then return v > 0 and 'inf' or '-inf' end
  if v % 1 == 0 and math.abs(v) < 1e15 then return ('%d'):format(v) end
  return ('%.4g'):format(v)
end

local function stats(t)
  local n = t:count()
  if n < 2 or n > M.stats_limit then return '' end
  local finite = t:isfinite():sum()
  if finite < n then return ('  %d of %d not finite'):format(n - finite, n) end
  return ('  min %s  mean %s  max %s'):format(number(t:min()), number(t:mean()), number(t:max()))
end

-- Indices of a dimension to show, with 0 where some are left out.
local function shown(extent, edge)
  local list, cut = {}, extent > 2 * edge + 1
  for i = 1, cut and edge or extent do list[i] = i end
  if not cut then return list end
  list[edge + 1] = 0
  for i = extent - edge + 1, extent do list[#list + 1] = i end
  return list
end

-- One format for all numbers that are shown, so that columns line up.
local function format_for(values)
  local largest, smallest, whole = 0, math.huge, true
  for _, v in ipairs(values) do
    local a = math.abs(v)
    if a < math.huge then
      whole = whole and v % 1 == 0
      largest = math.max(largest, a)
      if a > 0 then smallest = math.min(smallest, a) end
    end
  end
  if whole and largest < 1e9 then return '%.0f' end
  if largest >= 1e5 or (largest > 0 and largest < 1e-3) or smallest < largest * 1e-9 then return '%.4e' end
  return largest < 10 and '%.4f' or largest < 1000 and '%.3f' or '%.1f'
end

-- Lines of a matrix given by at(row, column).
local function matrix(rows, columns, at)
  local values, cells, widest = {}, {}, 1
  for _, r in ipairs(rows) do
    for _, k in ipairs(columns) do
      if r > 0 and k > 0 then values[#values + 1] = at(r, k) end
    end
  end
  local format = format_for(values)
  local function cell(v) return v ~= v and 'nan' or math.abs(v) == math.huge and number(v) or format:format(v) end
  for _, v in ipairs(values) do widest = math.max(widest, #cell(v)) end
  local n = 0
  for i, r in ipairs(rows) do
    local line = {}
    for j, k in ipairs(columns) do
      if r == 0 then
        line[j] = j == 1 and '...' or ''
      elseif k == 0 then
        line[j] = '...'
      else
        n = n + 1
        line[j] = ('%' .. widest .. 's'):format(cell(values[n]))
      end
    end
    cells[i] = '  ' .. (r == 0 and '...' or table.concat(line, '  '))
  end
  return table.concat(cells, '\n')
end

local function element(t, index, ...)
  for i = 1, select('#', ...) do index[t.ndim - select('#', ...) + i - 1] = select(i, ...) - 1 end
  return tonumber(c.C.hz_tensor_at(t, index))
end

-- The last two dimensions at a fixed place in the leading ones (`index` holds it, from 0).
local function block(t, index)
  local edge = M.edge
  if t.ndim == 1 then
    return matrix({ 1 }, shown(t:size(1), edge), function(_, k) return element(t, index, k) end)
  end
  return matrix(shown(t:size(t.ndim - 1), edge), shown(t:size(t.ndim), edge),
    function(r, k) return element(t, index, r, k) end)
end

-- First and last place in the leading dimensions, each with its name: (1,1,:,:).
local function places(t)
  local first, last, same = {}, {}, true
  for i = 1, t.ndim - 2 do
    first[i], last[i] = 1, t:size(i)
    same = same and last[i] == 1
  end
  return same and { first } or { first, last }
end

-- Header line and edges.
function M.tensor(t)
  if t:count() == 0 then return header(t) .. '  empty' end
  if t.ndim == 0 then return header(t) .. '  ' .. number(t:item()) end
  local parts = { header(t) .. stats(t) }
  local index = c.ffi.new 'int64_t[6]'
  if t.ndim <= 2 then
    parts[2] = block(t, index)
  else
    for _, place in ipairs(places(t)) do
      for i, p in ipairs(place) do index[i - 1] = p - 1 end
      parts[#parts + 1] = ' [' .. table.concat(place, ',') .. ',:,:]\n' .. block(t, index)
    end
  end
  return table.concat(parts, '\n')
end

-- ---- everything else ----

local function has_tostring(v)
  local meta = debug.getmetatable(v)
  return type(meta) == 'table' and rawget(meta, '__tostring') ~= nil
end

local escapes = { ['\n'] = '\\n', ['\t'] = '\\t', ['\r'] = '\\r', ['"'] = '\\"', ['\\'] = '\\\\' }

local function quoted(s)
  return '"' .. s:gsub('([%c"\\])(%d?)', function(ch, digit)
    return (escapes[ch] or (digit == '' and '\\%d' or '\\%03d'):format(ch:byte())) .. digit
  end) .. '"'
end

-- Text of several lines as it is; with other control characters in it, or in one line, in quotes.
local function text(s)
  local shown = #s <= M.longest and s or s:sub(1, M.longest):gsub('[\192-\255][\128-\191]*$', '')
  shown = shown:find '\n' and not shown:find '[%z\1-\8\11-\31\127]' and shown or quoted(shown)
  return #s <= M.longest and shown or ('%s... (%d bytes)'):format(shown, #s)
end

local function function_text(f)
  local info = debug.getinfo(f, 'S')
  if info.what == 'C' then return 'function (built in)' end
  return ('function (%s:%d)'):format(info.short_src, info.linedefined)
end

-- In one line, as part of something larger.
function M.short(v)
  local kind = type(v)
  if is_tensor(v) then return header(v) end
  if kind == 'string' then return #v <= 60 and quoted(v) or quoted(v:sub(1, 56)) .. '...' end
  if kind == 'number' then return v % 1 ~= 0 and ('%.6g'):format(v) or tostring(v) end
  if kind == 'function' then return function_text(v) end
  if kind == 'table' and not has_tostring(v) then
    return next(v) == nil and '{}' or '{...}'
  end
  return (tostring(v):match '^[^\n]*')
end

local rank = { number = 1, string = 2, boolean = 3 }
local function before(a, b)
  local ra, rb = rank[type(a)] or 4, rank[type(b)] or 4
  if ra ~= rb then return ra < rb end
  if ra <= 2 then return a < b end
  return tostring(a) < tostring(b)
end

-- How many entries are positional, the other keys in order, and whether that is all there is: a glance at a large table
-- must not take seconds.
local function keys_of(v)
  local n, keys, visits = #v, {}, 0
  local all = true
  for k in next, v do
    visits = visits + 1
    all = visits <= M.visits and #keys < M.sorted
    if not all then break end
    if not (type(k) == 'number' and k % 1 == 0 and k >= 1 and k <= n) then keys[#keys + 1] = k end
  end
  table.sort(keys, before)
  return n, keys, all
end

local function key_text(k)
  if type(k) == 'string' and k:match '^[%a_][%w_]*$' then return k end
  return '[' .. M.short(k) .. ']'
end

local list

local function nested(v, depth, open)
  if type(v) == 'table' and not has_tostring(v) and not open[v] and next(v) ~= nil then
    if depth < M.depth then return list(v, depth + 1, open) end
    return '{...}'
  end
  return open[v] and 'itself' or M.short(v)
end

-- Fills lines with the first n parts (the positional ones); the others get a line each.
local function fill(parts, n, room)
  local lines = {}
  for i, part in ipairs(parts) do
    local last = lines[#lines]
    if i > 1 and i <= n and #last + #part + 3 <= room and not (last .. part):find '\n' then
      lines[#lines] = last .. ', ' .. part
    else
      lines[#lines + 1] = part
    end
  end
  return lines
end

-- A table, on one line where it fits.
function list(v, depth, open)
  open[v] = true
  local n, keys, all = keys_of(v)
  local parts = {}
  for i = 1, n + #keys do
    if i > M.entries then
      parts[#parts + 1] = ('... %d%s more'):format(n + #keys - M.entries, all and '' or ' or')
      break
    end
    local k = keys[i - n]
    parts[#parts + 1] = i <= n and nested(v[i], depth, open)
      or key_text(k) .. ' = ' .. nested(rawget(v, k), depth, open)
  end
  open[v] = nil
  local line = '{ ' .. table.concat(parts, ', ') .. ' }'
  if #line + 2 * depth <= M.width and not line:find '\n' then return line end
  local indent = ('  '):rep(depth)
  local lines = fill(parts, math.min(n, M.entries), M.width - #indent)
  return '{\n' .. indent .. table.concat(lines, ',\n' .. indent) .. '\n' .. indent:sub(3) .. '}'
end

-- Full form.
function M.value(v)
  local kind = type(v)
  if is_tensor(v) then return M.tensor(v) end
  if kind == 'string' then return text(v) end
  if kind == 'function' then return function_text(v) end
  if kind == 'table' and not has_tostring(v) then return next(v) == nil and '{}' or list(v, 1, {}) end
  return tostring(v)
end

return M
