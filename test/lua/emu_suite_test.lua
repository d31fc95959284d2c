-- emu_suite_test.lua: the suite of plans, training, checkpoints and sweeps again, on the emulated card. Files of tests
-- that are about the CPU's kernels alone are not among them; card_test.lua has the card's own.
local t = ...

local files = { 'plan', 'train', 'update', 'chain', 'resume', 'score', 'safetensors', 'optim', 'recipes', 'sound_nets',
  'sweep' }

local function need_device()
  if not t.read(t.hz:match '^(.*)/' .. '/libhz_emu.so') then t.skip 'libhz_emu.so was not built; it needs g++' end
  if os.getenv 'HZ_DEVICE' == 'emu' then t.skip 'all of this run is on emu' end
end

for _, name in ipairs(files) do
  t.case(name, function()
    need_device()
    local status, out, err = t.sh(('env -u HZ_TEST_COUNTS HZ_DEVICE=emu %s %srun.lua %s'):format(t.quote(t.hz), t.here,
      t.quote('^' .. name .. ': ')))
    local passed, failed = out:match '(%d+) passed, (%d+) failed, %d+ skipped%s*$'
    t.ok(passed and tonumber(passed) > 0, out .. err)
    t.equal({ status, failed }, { 0, '0' }, out)
  end)
end

t.case('plan_test.c', function()
  need_device()
  local program = t.hz:match '^(.*)/' .. '/test/plan_test'
  if not t.read(program) then t.skip "the library 'check' is not installed (make deps)" end
  local status, out = t.sh('HZ_DEVICE=emu ' .. t.quote(program))
  t.equal(status, 0, out)
end)
