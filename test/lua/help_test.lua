-- help_test.lua: every public name has its line of help (the examples are run by repl_test.lua), in 80 columns.
local t = ...
local help = require 'hz.cli.prompt.help'
local hz = require 'hz'
local names = require 'hz.base.names'

local function narrow(topic, text)
  for line in text:gmatch '[^\n]+' do t.ok(#line <= 80, topic .. ': ' .. line) end
  return text
end

-- Whether `? topic` knows it, in the words of a row, a layer or a codec.
local function knows(topic)
  local text = narrow(topic, help.text(topic))
  return not text:find('nothing about', 1, true) and text:find '%S\n  %S' ~= nil
end

t.case('every name of hz has help', function()
  for _, name in ipairs(hz.names) do
    t.ok(help.rows()[name], name)
    t.ok(knows(name) and knows('hz.' .. name), name)
  end
end)

t.case('everything in the tables of hz has help', function()
  local n = 0
  for _, room in ipairs(hz.names) do
    for name in pairs(type(hz[room]) == 'table' and hz[room] or {}) do
      n = n + 1
      t.ok(knows(('hz.%s.%s'):format(room, name)), room .. '.' .. name)
      t.ok(knows(name), name)
    end
  end
  t.ok(n > 60)
end)

t.case('every method of every kind of object has help', function()
  for _, name in ipairs(hz.names) do local _ = hz[name] end
  local n = 0
  for called, kind in pairs(names.objects) do
    for _, name in ipairs(names.sorted(kind.methods)) do
      n = n + 1
      t.ok(help.rows()[called .. ':' .. name], called .. ':' .. name)
      for _, topic in ipairs { called .. ':' .. name, ':' .. name, name } do t.ok(knows(topic), topic) end
    end
  end
  t.ok(n > 100)
end)

t.case('no help is of what is not there', function()
  for key in pairs(help.rows()) do
    local called, method = key:match '^(.*):(.*)$'
    local room, name = key:match '^(.*)%.(.*)$'
    local there = called and names.objects[called] and names.objects[called].methods[method]
      or room and (name == 'NAME' or rawget(hz[room], name)) or key == 'prompt' or key == 'set'
    for _, own in ipairs(hz.names) do there = there or own == key end
    t.ok(there, key)
  end
end)

t.case('layers are found as they are written', function()
  for name in pairs(hz.layers) do
    for _, before in ipairs { '', 'l.', 'layers.', 'hz.layers.' } do t.ok(knows(before .. name), before .. name) end
  end
end)

t.case('a method of several kinds shows all, one of a kind its own', function()
  t.match(help.text 'mean', "results:mean.*t:mean")
  t.match(help.text 'set', '^a set of hz.data.*t:set')
  t.match(help.text 'relu', 't:relu.*relu{name}')
  t.match(help.text 'x:mean', '^t:mean')
  t.match(help.text ':count', 'net:count.*t:count')
  t.match(narrow('', help.text ''), 'tensor .*\n +x: .*argmax')
  t.match(help.text 'matmull', "did you mean 'matmul'")
  t.match(narrow('e', help.text 'ssim'), 'hz.quality.ssim')
  t.match(narrow('conv9', help.text(('conv9 '):rep(40))), 'nothing about')
end)
