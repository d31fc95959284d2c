-- cuda_test.lua: libhz_cuda.so where there is no card: what it is made of, and what it says.
local t = ...

local build = t.hz:match '^(.*)/'
local object = build .. '/libhz_cuda.so'

local function need_object()
  if not t.read(object) then t.skip 'libhz_cuda.so was not built; it needs nvcc' end
end

-- A card would open, and none of what is said without one.
local function need_no_card()
  need_object()
  if t.read '/proc/driver/nvidia/version' then t.skip 'a driver is installed here' end
end

local function lines(command)
  local status, out, err = t.sh(command)
  t.equal(status, 0, err)
  return out
end

t.case('it needs libc alone and shows one symbol', function()
  need_object()
  local needed = 0
  for name in lines('readelf -d ' .. t.quote(object)):gmatch 'Shared library: %[([^%]]+)%]' do
    t.ok(name:find '^libc%.so' or name:find '^ld%-linux', name)      -- both are glibc's
    needed = needed + 1
  end
  t.ok(needed > 0)
  local symbols = {}
  for name in lines('nm -D --defined-only ' .. t.quote(object)):gmatch '%S+\n' do symbols[#symbols + 1] = name end
  t.equal(symbols, { 'hz_device_main\n' })
end)

t.case('kernels of every generation keep all they hold in registers', function()
  need_object()
  local compiled, kernels = {}, 0
  local logs = lines(("find %s -name '*.o.log' -exec cat {} +"):format(t.quote(build .. '/cuda')))
  for arch in logs:gmatch "Compiling entry function '[^']+' for 'sm_(%d+)'" do
    compiled[arch] = (compiled[arch] or 0) + 1
  end
  local held = '(%d+) bytes stack frame, (%d+) bytes spill stores, (%d+) bytes spill loads'
  for stack, stores, loads in logs:gmatch(held) do
    t.equal({ stack, stores, loads }, { '0', '0', '0' }, 'a stack frame or spills in ' .. logs)
    kernels = kernels + 1
  end
  t.ok(kernels > 0)
  for _, arch in ipairs { '75', '80', '90', '100', '120' } do
    t.ok(compiled[arch], 'sm_' .. arch)
    t.equal(compiled[arch], compiled['75'], 'kernels for sm_' .. arch)
  end
end)

t.case('without a driver: one line says so', function()
  need_no_card()
  local status, _, err = t.sh(('HZ_DEVICE=cuda %s -e %s'):format(t.quote(t.hz),
    t.quote "hz = require 'hz'; hz.net { hz.layers.relu }:plan { input = { 4 } }"))
  t.equal(status, 1)
  t.match(err, 'cuda: no card can be used: CUDA driver version is insufficient')
  t.equal(select(2, err:gsub('\n', '\n')), 1, err)
  t.match(lines(t.quote(t.hz) .. ' version'), 'cuda does not open: [^\n]*cudaErrorInsufficientDriver')
end)

t.case("with the toolkit's stub of a driver: one line says so", function()
  need_no_card()
  local stub = lines('ls /usr/local/cuda/lib*/stubs/libcuda.so 2>/dev/null || true'):match '[^\n]+'
  if not stub then t.skip "the toolkit's stub is not here" end
  local d = t.folder()
  os.execute(('ln -s %s %s/libcuda.so.1'):format(t.quote(stub), d))
  local out = lines(('LD_LIBRARY_PATH=%s %s version'):format(d, t.quote(t.hz)))
  t.match(out, 'cuda does not open: [^\n]*stub library %(cudaErrorStubLibrary%)')
end)
