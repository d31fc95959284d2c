-- blocked_test.lua: values between convolutions that lie as kernels want them: the same bits, scores and parts of a
-- batch as without; who looks at one is told what it needs. Where AMX is, since other levels have no such kernels.
local t = ...
local hz = require 'hz'
local on = assert(loadfile(t.here .. 'levels.lua'))()
local l = hz.layers

local function case(name, f)
  t.case(name, function()
    t.need_cpu_kernels()
    local wanted = {}
    for _, level in ipairs(on.wanted()) do wanted[level] = true end
    if not wanted.amx or not on.at('amx', 'intel', f) then t.skip 'needs AMX' end
  end)
end

local function net_of(height, width)
  local net = hz.net 'n' { input = { height, width, 3 }, l.conv { 32, 3 }, l.relu,
    l.conv { 64, 3, stride = 2 }, l.conv { 64, 1 }, l.relu, l.conv { 96, 3 }, l.relu, l.conv { 96, 5 }, l.relu,
    l.conv { 96, 3 }, l.conv { 64, 3, pad = 'valid' }, l.relu, l.conv { 10, 1 }, l.relu,
    l.meanpool }                         -- without relu the mean would come first where it is fused
  return net:init { seed = 1 }
end

local function blocked(plan)
  local n = 0
  for _, row in ipairs(plan:nodes()) do n = n + (row.blocked and row.kernel ~= 'fused' and 1 or 0) end
  return n
end

local function logits(net, o, x, count)
  local plan = net:plan(o)
  plan.args.count = count
  local y = plan:write(x):run():value('logits'):slice(1, 1, count):to 'f32'
  return y, blocked(plan)
end

case('values lie blocked where both ends want it, with the same bits', function()
  local net, x = net_of(23, 18), hz.randn({ 48, 23, 18, 3 }, 0, 1, { seed = 2 })
  for _, count in ipairs { 48, 33, 1 } do
    local now, n = logits(net, { batch = 48, dtype = 'bf16' }, x, count)
    local alone, none = logits(net, { batch = 48, dtype = 'bf16', fuse = false }, x, count)
    t.equal({ n, none }, { 6, 0 })                       -- of seven: 5x5 taps read none
    t.equal((now - alone):abs():max(), 0)
  end
end)

case('none does in batches that are no multiple of 16, in f32, or in training', function()
  local net = net_of(20, 20)
  for _, o in ipairs { { batch = 40, dtype = 'bf16' }, { batch = 48 }, { batch = 48, dtype = 'bf16', train = true },
    { batch = 48, dtype = 'bf16', keep = true } } do
    t.equal(blocked(net:plan(o)), 0)
  end
end)

case('a set is scored as it is without', function()
  local net, set = net_of(32, 32), hz.data('camera', { split = 'test', test = 75 })
  local function score(fuse)
    local plan = net:plan { data = set, batch = 32, dtype = 'bf16', fuse = fuse }
    local r = plan:evaluate()
    return { r.accuracy, r.loss, blocked(plan) > 0 }
  end
  local now, alone = score(), score(false)
  t.equal({ now[1], now[2] }, { alone[1], alone[2] })
  t.equal({ now[3], alone[3] }, { true, false })
end)

case('who looks at one is told what that needs', function()
  local plan = net_of(20, 20):plan { batch = 16, dtype = 'bf16' }
  t.raises("peek: 'conv2.y' lies as kernels want it, images within each other; needs a plan with keep=true",
    function() plan:value 'conv2.y' end)
  t.match(tostring(plan), 'conv2 +conv2d +%(16,10,10,64%) blocked')
  t.equal(net_of(20, 20):plan { batch = 16, dtype = 'bf16', keep = true }:value('conv2.y'):size(), { 16, 10, 10, 64 })
end)
