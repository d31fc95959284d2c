-- What LuaJIT compiles wrongly is not compiled (lua/hz/interpreted.lua), and behaves as Lua 5.1 has it.
local t = ...

-- Traces that were compiled while f ran.
local function traces(f)
  local n = 0
  local function count(what) if what == 'stop' then n = n + 1 end end
  jit.flush()
  jit.attach(count, 'trace')
  local ok, e = pcall(f)
  jit.attach(count)
  assert(ok, e)
  return n
end

local function filled(n)
  local out = {}
  for i = 1, n do out['k' .. i] = i end
  return out
end

t.case('a loop over pairs or next is never compiled, a loop in it is', function()
  local map = filled(2000)
  local sum = 0
  local function plain() for _, v in pairs(map) do sum = sum + v end end
  local each = pairs
  local function renamed() for _, v in each(map) do sum = sum + v end end
  local function named() for _, v in next, map do sum = sum + v end end
  local function called()
    local k, v = next(map)
    while k do sum, k, v = sum + v, next(map, k) end
  end
  for name, f in pairs { plain = plain, renamed = renamed, named = named, called = called } do
    sum = 0
    t.equal(traces(function() for _ = 1, 3 do f() end end), 0, name)
    t.equal(sum, 3 * 2000 * 2001 / 2, name)
  end
  sum = 0
  local n = traces(function()
    for _, v in pairs(filled(5)) do
      for i = 1, 1000 do sum = sum + v * i end
    end
  end)
  t.ok(n > 0, 'no loop at all was compiled')
  t.equal(sum, 15 * 500500)
end)

t.case('the metatable of an io file, in a hot loop', function()
  local f = io.stdout
  local wanted = debug.getmetatable(f)
  for _ = 1, 500 do
    if getmetatable(f) ~= wanted then error 'another metatable' end
  end
  t.equal(getmetatable('').__index, string)
  t.equal(getmetatable(setmetatable({}, { __metatable = 7 })), 7)
end)

t.case('next and pairs take what Lua 5.1 takes, and tell the caller\'s line', function()
  t.equal(next({}), nil)
  t.equal(select(2, next({ 5 })), 5)
  local function blamed(name, got, f)
    local text = t.raises(("bad argument #1 to '%s' (table expected, got %s)"):format(name, got), f)
    t.match(text, 'interpreted_test%.lua:%d+: bad')
  end
  blamed('next', 'number', function() next(5) end)
  blamed('next', 'no value', function() next() end)
  blamed('pairs', 'nil', function() pairs(nil) end)
  t.raises('invalid key', next, {}, 'no key')
  local keys = 0
  for _ in pairs(filled(10)) do keys = keys + 1 end
  t.equal(keys, 10)
end)
