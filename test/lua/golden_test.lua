-- golden_test.lua: 50 steps of the tiny training against recorded truths.
-- tiny_losses.txt: losses by an independent program in double (golden/tiny.py: order, augmentation, dropout,
-- gradients and all).
-- bits.txt: digests of hz's own losses per vector level and list of kernels: the same run gives the same bits,
-- unless hz_numerics() was raised. Kernels are those chosen for the cores of either vendor, so that any machine
-- finds its own in the file.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local C, ffi = c.C, c.ffi
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()
local levels = assert(loadfile(t.here .. 'levels.lua'))()

local STEPS = 50
local optimizers = {
  sgd = function() return hz.sgd { rate = 0.005, momentum = 0.9, nesterov = true } end,
  adam = function() return hz.adam { rate = 0.003 } end,
}

local function plan_of(name, dtype)
  local a = tiny.training { optimizer = optimizers[name]() }
  return a.net:plan { batch = a.batch, train = true, data = a.train, augment = a.augment, optimizer = a.optimizer,
    seed = a.seed, smoothing = a.smoothing, mean = a.mean, deviation = a.deviation, dtype = dtype }
end

local function losses(plan, steps)
  local out = {}
  for i = 1, steps do out[i] = plan:step() end
  return out
end

local function recorded()
  local rows = { sgd = {}, adam = {} }
  for name, step, loss in assert(t.read(t.here .. 'golden/tiny_losses.txt')):gmatch '(%w+) (%d+) (%S+)' do
    rows[name][tonumber(step)] = tonumber(loss)
  end
  return rows
end

-- Tolerances: f32 starts 1e-7 away (weights are rounded alike, sums are not) and 50 steps of a net with kinks carry
-- that on: measured 1e-6. In double only the constants differ (1/255 and the like are kept as f32 there, too):
-- measured 5e-8. Activations in bf16 are 2e-3 away: measured 0.073 at worst, 0.02 in the mean, of losses
-- from 3 to 1.2.
for name in pairs(optimizers) do
  for dtype, tolerance in pairs { f32 = 2e-5, f64 = 2e-7, bf16 = 0.15 } do
    t.case(('%s, %s: the losses of an independent program'):format(name, dtype), function()
      local got, wanted = losses(plan_of(name, dtype), STEPS), recorded()[name]
      t.equal(#wanted, STEPS)
      for i = 1, STEPS do t.near(got[i], wanted[i], tolerance, 'step ' .. i) end
    end)
  end
end

-- ---- bits ----

local crypto = require 'hz.ext.crypto'

-- Two steps of architecture A.
local function large(dtype)
  local set = { items = hz.rand({ 20, 32, 32, 3 }, 0, 256, { seed = 4, stream = 1 }):floor():to 'u8',
    labels = hz.range(0, 19, 1, 'i32') }
  for i = 0, 19 do set.labels:pointer()[i] = i % 10 end
  local net = hz.nets.make('all-cnns'):init { seed = 2 }
  return net:plan { batch = 10, train = true, data = set, augment = { shift = 3, flip = true },
    optimizer = optimizers.sgd(), seed = 3, dtype = dtype }
end

-- What is digested: plans, and how many of their losses.
local function trainings(dtype)
  return { { plan_of('sgd', dtype), STEPS }, { plan_of('adam', dtype), STEPS }, { large(dtype), 4 } }
end

-- Of the losses, all their digits.
local function digest(list)
  local parts = {}
  for _, one in ipairs(list) do
    for _, v in ipairs(losses(one[1], one[2])) do parts[#parts + 1] = ('%.9g'):format(v) end
  end
  return crypto.sha256(table.concat(parts, ' '))
end

-- What computes the plans, node by node, as a digest; and in short, for people: how many nodes run by each
-- kernel of convolutions.
local function kernels(list)
  local lines, count, short = {}, {}, {}
  for _, one in ipairs(list) do
    for _, row in ipairs(one[1]:nodes()) do
      lines[#lines + 1] = row.op .. ' ' .. row.kernel
      if row.op:find '^conv' then count[row.kernel] = (count[row.kernel] or 0) + 1 end
    end
  end
  for name, n in pairs(count) do short[#short + 1] = ('%s %d'):format(name, n) end
  table.sort(short)
  return crypto.sha256(table.concat(lines, '\n')):sub(1, 16), table.concat(short, ', ')
end

-- "GCC: (Debian 12.2.0-14) 12.2.0" as the library carries it: another compiler may contract multiply-adds elsewhere.
local function compiler() return t.read(c.library):match 'GCC: %b() [%d.]+' or 'unknown compiler' end

local DTYPES = { 'f32', 'bf16' }
local path = t.here .. 'golden/bits.txt'
local HEAD = '# level, storage of activations, digest of the kernels by node, hz_numerics(), sha256 of the losses, '
  .. 'compiler; HZ_RECORD=1 hz test/run.lua golden: writes it'

-- "level dtype kernels" -> what was recorded. The vendor is no part of it: which cores the kernels were chosen
-- for decides nothing else.
local function recorded_bits()
  local out = {}
  for line in (t.read(path) or ''):gmatch '[^\n]+' do
    local key, numerics, digest_was, made_by = line:match '^(%w+ %w+ %x+) (%d+) (%x+) (.*)$'
    if key then out[key] = { numerics = tonumber(numerics), digest = digest_was, compiler = made_by } end
  end
  return out
end

-- HZ_RECORD=1 hz test/run.lua golden: writes the file anew, for the levels of this machine and both vendors. What
-- other machines recorded stays, unless it was by another version of the numerics.
local function record()
  local bits, lines = recorded_bits(), {}
  for key, was in pairs(bits) do
    if was.numerics ~= C.hz_numerics() then bits[key] = nil end
  end
  for _, level in ipairs(levels.wanted()) do
    for _, vendor in ipairs(levels.vendors) do
      levels.at(level, vendor, function()
        for _, dtype in ipairs(DTYPES) do
          local list = trainings(dtype)
          bits[('%s %s %s'):format(level, dtype, (kernels(list)))] = { numerics = C.hz_numerics(),
            digest = digest(list), compiler = compiler() }
        end
      end)
    end
  end
  for key, b in pairs(bits) do lines[#lines + 1] = ('%s %d %s %s'):format(key, b.numerics, b.digest, b.compiler) end
  local order = {}
  for i, level in ipairs(levels.all) do order[level] = i end
  table.sort(lines, function(a, b)
    local x, y = order[a:match '^%w+'], order[b:match '^%w+']
    if x ~= y then return x < y end
    return a < b
  end)
  t.write(path, HEAD .. '\n' .. table.concat(lines, '\n') .. '\n')
end
if os.getenv 'HZ_RECORD' then record() end

-- Bits of another compiler tell nothing; kernels that nobody recorded are a gap in the file.
local function recorded_for(level, dtype, list)
  local id, short = kernels(list)
  local was = recorded_bits()[('%s %s %s'):format(level, dtype, id)]
  local other
  for key, b in pairs(recorded_bits()) do
    if not was and key:find('^' .. level .. ' ' .. dtype .. ' ') then other = other or b end
  end
  local made_by = (was or other or {}).compiler
  if made_by and made_by ~= compiler() then
    t.skip('the bits of %s were recorded with %s; this is %s', level, made_by, compiler())
  end
  return was or t.ok(false, ('no bits are recorded for the kernels chosen here, %s (%s); record them: '
    .. 'HZ_RECORD=1 hz test/run.lua golden:'):format(id, short))
end

local done = {}            -- "level dtype kernels" that a case has compared: two vendors often choose alike

local function compare(level, vendor, dtype)
  if os.getenv 'HZ_SANITIZER' then t.skip 'a sanitizer build' end
  if (os.getenv 'HZ_KERNEL' or '') ~= '' then t.skip 'HZ_KERNEL chooses the kernels' end
  local granted = levels.at(level, vendor, function()
    local list = trainings(dtype)
    local was = recorded_for(level, dtype, list)
    if was.numerics ~= C.hz_numerics() then
      t.skip('hz_numerics() was raised from %d to %d; record the bits anew', was.numerics, C.hz_numerics())
    end
    local key = ('%s %s %s'):format(level, dtype, (kernels(list)))
    if done[key] then return end
    done[key] = true
    t.equal(digest(list), was.digest, 'the same run yields other bits: '
      .. 'raise hz_numerics() in core/base.c and record with HZ_RECORD=1 hz test/run.lua golden:')
  end)
  if not granted then t.skip('%s is not granted by this machine', level) end
end

for _, level in ipairs(levels.wanted()) do
  for _, dtype in ipairs(DTYPES) do
    for _, vendor in ipairs(levels.vendors) do
      t.case(('the bits of %s, %s, by the kernels for %s'):format(level, dtype, vendor),
        function() compare(level, vendor, dtype) end)
    end
  end
end
