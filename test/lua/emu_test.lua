-- emu_test.lua: what the emulated card must find in kernels, by faults planted into some (test/cuda/planted.cu), and
-- what it must let pass.
local t = ...

local function planted(name, program)
  local path = t.hz:match '^(.*)/' .. '/test/' .. program
  if not t.read(path) then t.skip('%s was not built; it needs a C++ compiler', program) end
  local status, out, err = t.sh(t.quote(path) .. ' ' .. name)
  return status, out:gsub('%s+$', ''), err
end

local DIED = 128 + 6                                     -- by abort

t.case('right kernels pass, in any order of warps and blocks', function()
  for _, program in ipairs { 'planted', 'planted-asan' } do
    for _, name in ipairs { 'sum', 'replayed', 'copies-recorded' } do
      local status, out, err = planted(name, program)
      t.equal({ status, out }, { 0, 'right' }, name .. ': ' .. err)
    end
  end
end)

t.case('a missing barrier, and a block that needs another', function()
  for _, name in ipairs { 'missing-barrier', 'one-barrier', 'early', 'neighbour' } do
    local status, out = planted(name, 'planted')
    t.equal({ status, out }, { 0, 'wrong' }, name)
  end
end)

t.case('barriers that not all reach, launches that no card makes', function()
  for name, message in pairs {
    divided = 'emu: __syncthreads was reached by 40 of 64 threads',
    ['torn-warp'] = 'emu: a shuffle or warp barrier was reached by 16 of 32 threads of a warp',
    flat = 'emu: __syncthreads in a kernel that was launched as one without barriers',
    ['too-wide'] = 'emu: copy_kernel was launched as (4,1,1) blocks of (2048,1,1) threads with 0 bytes',
  } do
    local status, _, err = planted(name, 'planted')
    t.equal(status, DIED, name)
    t.ok(err:find(message, 1, true), err)
  end
end)

t.case("the host's memory is out of a kernel's reach, and the card's out of the host's", function()
  local status, _, err = planted('of-the-host', 'planted')
  t.equal(status, DIED)
  t.match(err, '^emu: argument 1 of copy_kernel is %S+, which is not the device\'s memory')
  t.equal((planted('peeped', 'planted')), 128 + 11)
  t.equal((planted('beyond-page', 'planted')), 128 + 11)
end)

t.case('the address sanitizer sees what reaches beyond its memory', function()
  for name, message in pairs { beyond = 'AddressSanitizer: use-after-poison', ['beyond-shared'] = 'out of bounds' } do
    local status, _, err = planted(name, 'planted-asan')
    t.ok(status ~= 0, name)
    t.ok(err:find(message, 1, true) or err:find('AddressSanitizer: global-buffer-overflow', 1, true), err)
  end
end)

-- The core and LuaJIT are not instrumented; the emulation and all kernels are.
t.case('every op of the selftest under the address and undefined-behaviour sanitizers', function()
  local folder = t.hz:match '^(.*)/' .. '/asan'
  if not t.read(folder .. '/libhz_emu.so') then t.skip 'asan/libhz_emu.so was not built (make ctests)' end
  local _, runtime = t.sh 'gcc -print-file-name=libasan.so'
  local status, out, err = t.sh(('ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD=%s HZ_BACKEND_PATH=%s %s selftest '
    .. '--device emu --small'):format(t.quote(runtime:match '%S+'), t.quote(folder), t.quote(t.hz)))
  t.equal(status, 0, out:sub(-2000) .. err:sub(1, 2000))
  t.match(out, '\n%d+ passed, 0 failed, 0 skipped\n$')
end)

t.case('a card without bf16 refuses such plans', function()
  t.need_emu()
  local status, _, err = t.sh(('HZ_EMU_BF16=0 HZ_DEVICE=emu %s -e %s'):format(t.quote(t.hz),
    t.quote "hz = require 'hz'; hz.net { hz.layers.relu }:plan { input = { 4 }, dtype = 'bf16' }"))
  t.equal(status, 1)
  t.match(err, "emu: 'relu1' is a node over bf16, which this card does not multiply")
  t.match(err, 'needs sm_80 or later, or dtype=f32')
end)

-- The arena fits, the program's own memory may not: both name a way out.
t.case('too little memory is told with what was asked for, what is free, and a way out', function()
  t.need_emu()
  local seen = 0
  for bytes = 20000, 420000, 40000 do
    local status, _, err = t.sh(('HZ_EMU_BYTES=%d HZ_DEVICE=emu %s -e %s'):format(bytes, t.quote(t.hz),
      t.quote "hz = require 'hz'; l = hz.layers; hz.net { l.conv { 8, 3 }, l.relu, l.meanpool, l.dense { 4 } }"
        :gsub("}'$", "}:plan { input = { 16, 16, 3 }, batch = 8, train = true, optimizer = hz.sgd {} }'")))
    if status ~= 0 then
      t.match(err, 'emu: %d+ bytes of memory were asked for; %d+ of %d+ are free; a smaller batch= needs less')
      seen = seen + 1
    end
  end
  t.ok(seen > 1 and seen < 11, seen)
end)
