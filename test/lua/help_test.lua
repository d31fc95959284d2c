-- help_test.lua: every public name has its line of help (the examples are run by repl_test.lua).
local t = ...
local help = require 'hz.cli.prompt.help'
local hz = require 'hz'

t.case('every name of hz has help', function()
  local missing = {}
  for _, name in ipairs(hz.names) do
    if not help.rows()[name] then missing[#missing + 1] = name end
  end
  t.equal(table.concat(missing, ' '), '')
end)

t.case('every kind of layer has help', function()
  for name in pairs(hz.layers) do t.match(help.text(name), '%S\n  %S') end
end)
