-- golden_test.lua: 50 steps of the tiny training against recorded truths.
-- tiny_losses.txt: losses by an independent program in double (golden/tiny.py: order, augmentation, dropout, gradients and all).
-- bits.txt: digests of hz's own losses per vector level: the same run gives the same bits, unless hz_numerics() was raised.
local t = ...
local c = require 'hz.c'
local hz = require 'hz'
local C, ffi = c.C, c.ffi
local tiny = assert(loadfile(t.here .. 'tiny.lua'))()

local STEPS = 50
local optimizers = {
  sgd = function() return hz.sgd { rate = 0.005, momentum = 0.9, nesterov = true } end,
  adam = function() return hz.adam { rate = 0.003 } end,
}

local function losses(name, dtype)
  local a, out = tiny.training { optimizer = optimizers[name]() }, {}
  local plan = a.net:plan { batch = a.batch, train = true, data = a.train, augment = a.augment, optimizer = a.optimizer, seed = a.seed,
    smoothing = a.smoothing, mean = a.mean, deviation = a.deviation, dtype = dtype }
  for i = 1, STEPS do out[i] = plan:step() end
  return out
end

local function recorded()
  local rows = { sgd = {}, adam = {} }
  for name, step, loss in assert(t.read(t.here .. 'golden/tiny_losses.txt')):gmatch '(%w+) (%d+) (%S+)' do rows[name][tonumber(step)] = tonumber(loss) end
  return rows
end

-- Tolerances: f32 starts 1e-7 away (weights are rounded alike, sums are not) and 50 steps of a net with kinks carry that on: measured
-- 1e-6. In double only the constants differ (1/255 and the like are kept as f32 there, too): measured 5e-8. Activations in bf16 are
-- 2e-3 away: measured 0.073 at worst, 0.02 in the mean, of losses from 3 to 1.2.
for name in pairs(optimizers) do
  for dtype, tolerance in pairs { f32 = 2e-5, f64 = 2e-7, bf16 = 0.15 } do
    t.case(('%s, %s: the losses of an independent program'):format(name, dtype), function()
      local got, wanted = losses(name, dtype), recorded()[name]
      t.equal(#wanted, STEPS)
      for i = 1, STEPS do t.near(got[i], wanted[i], tolerance, 'step ' .. i) end
    end)
  end
end

-- ---- bits ----

-- Losses of the tiny trainings and of two steps of architecture A, all their digits.
local function digest(dtype)
  local parts = {}
  for _, name in ipairs { 'sgd', 'adam' } do
    for _, v in ipairs(losses(name, dtype)) do parts[#parts + 1] = ('%.9g'):format(v) end
  end
  local set = { items = hz.rand({ 20, 32, 32, 3 }, 0, 256, { seed = 4, stream = 1 }):floor():to 'u8', labels = hz.range(0, 19, 1, 'i32') }
  for i = 0, 19 do set.labels:pointer()[i] = i % 10 end
  local net = hz.nets.make('all-cnns'):init { seed = 2 }
  local plan = net:plan { batch = 10, train = true, data = set, augment = { shift = 3, flip = true }, optimizer = optimizers.sgd(), seed = 3, dtype = dtype }
  for _ = 1, 4 do parts[#parts + 1] = ('%.9g'):format(plan:step()) end
  return require 'hz.ext.crypto'.sha256(table.concat(parts, ' '))
end

-- "GCC: (Debian 12.2.0-14) 12.2.0" as the library carries it: another compiler may contract multiply-adds elsewhere.
local function compiler() return t.read(c.library):match 'GCC: %b() [%d.]+' or 'unknown compiler' end

local path = t.here .. 'golden/bits.txt'
local function recorded_bits()
  local out = {}
  for line in (t.read(path) or ''):gmatch '[^\n]+' do
    local level, dtype, numerics, digest_was, made_by = line:match '^(%w+) (%w+) (%d+) (%x+) (.*)$'
    if level then out[level .. ' ' .. dtype] = { numerics = tonumber(numerics), digest = digest_was, compiler = made_by } end
  end
  return out
end

local dtypes = { 'f32', 'bf16' }
local first_level = ffi.string(C.hz_cpu_isa())
local levels = (os.getenv 'HZ_ISA' or '') ~= '' and { first_level } or { 'portable', 'avx2', 'avx512', 'avx512bf16', 'amx' }

-- HZ_RECORD=1 hz test/run.lua golden: writes the file anew, for the levels of this machine.
local function record()
  local bits = recorded_bits()
  for _, level in ipairs(levels) do
    for _, dtype in ipairs(dtypes) do
      if C.hz_cpu_set_isa(level) == 0 then bits[level .. ' ' .. dtype] = { numerics = C.hz_numerics(), digest = digest(dtype), compiler = compiler() } end
    end
  end
  C.hz_cpu_set_isa(first_level)
  local lines = { '# level, storage of activations, hz_numerics(), sha256 of the losses, compiler; HZ_RECORD=1 hz test/run.lua golden: writes it' }
  for _, level in ipairs { 'portable', 'avx2', 'avx512', 'avx512bf16', 'amx' } do
    for _, dtype in ipairs(dtypes) do
      local b = bits[level .. ' ' .. dtype]
      if b then lines[#lines + 1] = ('%s %s %d %s %s'):format(level, dtype, b.numerics, b.digest, b.compiler) end
    end
  end
  t.write(path, table.concat(lines, '\n') .. '\n')
end
if os.getenv 'HZ_RECORD' then record() end

local function compare(level, dtype)
  local was = recorded_bits()[level .. ' ' .. dtype]
  if not was then t.skip('%s has no recorded bits', level) end
  if os.getenv 'HZ_SANITIZER' then t.skip 'a sanitizer build' end
  if was.compiler ~= compiler() then t.skip('the bits of %s were recorded with %s; this is %s', level, was.compiler, compiler()) end
  if C.hz_cpu_set_isa(level) ~= 0 then t.skip('%s is not granted by this machine', level) end
  local ok, now = pcall(digest, dtype)
  C.hz_cpu_set_isa(first_level)
  t.ok(ok, now)
  if was.numerics ~= C.hz_numerics() then t.skip('hz_numerics() was raised from %d to %d; record the bits anew', was.numerics, C.hz_numerics()) end
  t.equal(now, was.digest, 'the same run yields other bits: raise hz_numerics() in core/base.c and record with HZ_RECORD=1 hz test/run.lua golden:')
end

for _, level in ipairs(levels) do
  for _, dtype in ipairs(dtypes) do
    t.case(('the bits of %s, %s'):format(level, dtype), function() compare(level, dtype) end)
  end
end
