-- What prints as a table fits 80 columns, and a plan's has the times of its last run.
local t = ...
local hz = require 'hz'
local tables = require 'hz.base.table'
local l = hz.layers

-- The text, whose lines have 80 columns at most.
local function narrow(what, v)
  local text = tostring(v)
  for line in text:gmatch '[^\n]+' do t.ok(select(2, line:gsub('[^\128-\191]', '')) <= 80, what .. ': ' .. line) end
  return text
end

t.case('plans and nets fit 80 columns, whatever their names and sizes', function()
  local set = hz.data('camera', { split = 'train', train = 130, size = 32 })
  for _, name in ipairs(hz.nets.order) do
    local net = hz.model(name, { classes = 10 })
    narrow(name, net)
    local sees = net.input[3] == 3                          -- images; the others hear
    narrow(name, net:plan { batch = 128, data = sees and set or nil, train = true, loss = 'xent',
      optimizer = hz.adamw {} })
    narrow(name, net:plan { batch = 1024, dtype = 'bf16' })
  end
  local long = ('n'):rep(24)
  local net = hz.net(('net-'):rep(15)) { l.conv { 1234, { 11, 7 }, stride = { 3, 2 }, pad = 'valid', bias = false,
    name = long }, l.norm { momentum = 0.123456789, epsilon = 1e-7, name = ('m'):rep(24) }, l.dense { 10 },
    input = { 64, 64, 3 } }
  t.match(narrow('long', net), '\nn+%.%. ')
  narrow('long', net:plan { batch = 200, train = true, loss = 'xent' })
end)

t.case('a plan shows the time of each node in its last run', function()
  t.need_cpu_kernels()
  local net = hz.net 'n' { l.conv { 8, 3 }, l.relu, l.dense { 4 }, input = { 16, 16, 3 } }
  local plan = net:plan { batch = 32 }
  t.match(tostring(plan), '^[^\n]*; times after a run\n')
  plan:run()
  local text, sum = tostring(plan), 0
  for _, node in ipairs(plan:nodes()) do
    sum = sum + node.ms
    local runs = node.kernel ~= 'fused' and node.kernel ~= 'view'
    t.equal(node.ms > 0, runs, node.op)
    if runs then t.ok((text .. '\n'):find((' %.3f\n'):format(node.ms), 1, true), node.op) end
  end
  t.ok(text:find(('%.3f ms in all nodes'):format(sum), 1, true))
end)

t.case('codecs, accounts and tables of Lua fit 80 columns', function()
  for name, make in pairs(hz.codec) do
    narrow(name, make)
    narrow(name, make {})
    local codec = make {}
    local items = codec.kind == 'image' and hz.zeros({ 3, 8, 8, 3 }, 'u8') or hz.zeros { 3, 4000, 1 }
    narrow(name, (select(2, codec:recode(items, { rate = codec.kind == 'audio' and 8000 or nil }))))
  end
  narrow('codec', hz.codec)
  local wide = {}
  for i = 1, 60 do wide[i], wide['key' .. i] = i * 1e6, ('x'):rep(40) end
  narrow('table', require 'hz.tensor.pretty'.value(wide))
end)

t.case('texts on the left are cut for a width, numbers never', function()
  local columns = { { 'a', 'left' }, { 'b' }, { 'c', 'left' } }
  local rows = { { ('\195\164'):rep(20), '123456789', 'short' } }
  t.equal(tables.text(columns, rows), 'a' .. (' '):rep(19) .. '          b  c\n' .. ('\195\164'):rep(20)
    .. '  123456789  short')
  t.equal(tables.text(columns, rows, 26), 'a                 b  c\n' .. ('\195\164'):rep(6) .. '..  123456789  short')
  t.equal(tables.text(columns, rows, 5), 'a               b  c\n' .. ('\195\164'):rep(4) .. '..  123456789  short')
  t.equal(tables.wrap('one two  three', '  ', 9), 'one two\n  three')
end)
return t
