-- Everything a user can call, called wrongly (test/fuzz/surface.lua): told at the user's line, never a crash. More of
-- it, with other seeds: make fuzz.
-- Interpreted: where compiled code makes NaN a new key of a table, LuaJIT 2.1 looks for the place of the error in a
-- frame that may not be there, which ends the process; what is given all odd values meets that now and then.
local t = ...
jit.off()
local hz = require 'hz'
local names = require 'hz.base.names'

local surface = assert(loadfile(t.here .. 'fuzz/surface.lua'))

-- The subjects, and what reports a failure; finish() raises all of them.
local function open()
  local wrong = {}
  local s = surface(nil, nil, nil, t.folder())
  return s, function(text) wrong[#wrong + 1] = text end, function()
    if #wrong == 0 then return end
    t.ok(false, ('%d calls went wrong:\n      %s'):format(#wrong, table.concat(wrong, '\n      ', 1,
      math.min(40, #wrong))))
  end
end

t.case('nothing, and each value in each place of each function, method and operator', function()
  local s, report, finish = open()
  local list = s.subjects()
  for _, subject in ipairs(list) do s.each(subject, report) end
  finish()
  t.ok(#list > 350, #list .. ' subjects')
end)

t.case('calls that are right are right, and are told with one thing exchanged', function()
  local s, report, finish = open()
  local state = 1
  local function pick(n)                               -- Park and Miller (1988)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
  local known = 0
  for _, subject in ipairs(s.subjects()) do
    if subject.right then
      known = known + 1
      if not subject.name:find '^bytes' and not subject.name:find '^trainer' and not subject.name:find '^scorer'
          and not subject.name:find '^plan:gradient' then
        t.equal(s.right(subject), nil, subject.name)
      end
    end
    s.call(subject, 12, pick, report)
  end
  finish()
  t.ok(known > 80, known .. ' right calls')
end)

t.case('what is public has subjects', function()
  local s, there = open(), {}
  for _, subject in ipairs(s.subjects()) do there[subject.name] = true end
  for _, name in ipairs(hz.names) do
    if type(hz[name]) == 'function' and name ~= 'available' then t.ok(there['hz.' .. name], name) end
  end
  for called, kind in pairs(names.objects) do
    for name in pairs(kind.methods) do t.ok(there[called .. ':' .. name], called .. ':' .. name) end
  end
end)

t.case('a method called by a dot says how it is called, at the line that did', function()
  local n = 0
  for called, kind in pairs(names.objects) do
    for name, f in pairs(kind.methods) do
      for _, args in ipairs { {}, { 1 }, { 'a', 2 }, { {} }, { false, true, 3 } } do
        local ok, e = pcall(function()
          local r = f(unpack(args))
          return r
        end)
        local wanted = ('use %s:%s()'):format(called, name)
        t.ok(not ok and e:find('^test/lua/surface_test.lua:%d+: ') and e:find(wanted, 1, true),
          ('%s.%s: %s'):format(called, name, tostring(e)))
        n = n + 1
      end
    end
  end
  t.ok(n > 500)
end)

t.case('results: misspelt fields are refused with the nearest name', function()
  local s = open()
  s.subjects()                                         -- they have run the sweep
  local results = s.make.results()
  local near = "'qualty' is unknown, did you mean 'quality'"
  t.raises('where: ' .. near, function() local r = results:where { qualty = 10 } return r end)
  t.raises('column: ' .. near, function() local r = results:column 'qualty' return r end)
  t.raises('mean: ' .. near, function() local r = results:mean 'qualty' return r end)
  t.raises('cell: ' .. near, function() local r = results[1].qualty return r end)
  t.equal(#results:where { quality = 10, restart = 0 }:column 'accuracy', 1)
end)
return t
