-- floors.lua, which lint uses: what it must find in made-up rooms.
local t = ...
local check = assert(loadfile(t.here .. 'floors.lua'))()

local function breaches(texts)
  local list = {}
  check(texts, function(path, line, why) list[#list + 1] = ('%s:%d: %s'):format(path, line, why) end)
  table.sort(list)
  return table.concat(list, '\n')
end

t.case('floors: rooms below, and files of one room, may be required', function()
  t.equal(breaches {
    ['lua/hz/net/a.lua'] = "local b = require 'hz.net.b'\nlocal c = require 'hz.c' -- not require 'hz.sweep.d'\n",
    ['lua/hz/net/b.lua'] = "local json = require('hz.base.json')\nlocal ffi = require 'ffi'\n",
    ['lua/hz/base/json.lua'] = "local c = require 'hz.c'\n", ['lua/hz/c.lua'] = '',
    ['lua/hz/sweep/d.lua'] = "local a = require 'hz.net.a'\n",
    ['lua/hz/init.lua'] = "local c = require 'hz.c'\n", ['lua/hz/cli/main.lua'] = "local hz = require 'hz'\n",
  }, '')
end)

t.case('floors: a room above, a room without a floor, and circles are found, lazy requires included', function()
  local lazy = "\nreturn function() require 'hz.sweep.d'.run() end\n"
  t.equal(breaches { ['lua/hz/net/a.lua'] = lazy, ['lua/hz/sweep/d.lua'] = '' },
    'lua/hz/net/a.lua:2: a room knows the rooms below it only: hz.sweep.d')
  t.equal(breaches { ['lua/hz/base/a.lua'] = "local hz = require 'hz'\n", ['lua/hz/init.lua'] = '' },
    'lua/hz/base/a.lua:1: a room knows the rooms below it only: hz')
  t.match(breaches { ['lua/hz/attic/a.lua'] = '' }, '^lua/hz/attic/a.lua:1: a room without a floor; have ext < base')
  t.equal(breaches {
    ['lua/hz/net/a.lua'] = "local b = require 'hz.net.b'\n", ['lua/hz/net/b.lua'] = "local c = require 'hz.net.c'\n",
    ['lua/hz/net/c.lua'] = "\n\nlocal function f() return require 'hz.net.b' end\n",
  }, 'lua/hz/net/c.lua:3: a circle: hz.net.b -> hz.net.c -> hz.net.b')
end)
