-- emu_suite_test.lua: the suite of plans, training, checkpoints and sweeps again, on the emulated card. Files of tests
-- that are about the CPU's kernels alone are not among them; card_test.lua has the card's own.
local t = ...

-- The longest first: two run at a time.
local files = { 'sweep', 'train', 'recipes', 'resume', 'optim', 'plan', 'sound_nets', 'safetensors', 'chain', 'score',
  'update' }

local function need_device()
  t.need_emu()
  if os.getenv 'HZ_DEVICE' == 'emu' then t.skip 'all of this run is on emu' end
end

t.case('plans, training, checkpoints and sweeps', function()
  need_device()
  local folder = t.folder()
  local _, out, err = t.sh(("printf '%%s\\n' %s | env -u HZ_TEST_COUNTS HZ_DEVICE=emu xargs -P 2 -I{} sh -c %s"):format(
    table.concat(files, ' '), t.quote(('%s %srun.lua "^{}: " > %s/{} 2>&1'):format(t.quote(t.hz), t.here, folder))))
  t.equal(out .. err, '')
  for _, name in ipairs(files) do
    local text = t.read(folder .. '/' .. name) or 'it did not run'
    local passed, failed = text:match '(%d+) passed, (%d+) failed, %d+ skipped%s*$'
    t.ok(passed and tonumber(passed) > 0 and failed == '0', name .. ': ' .. text)
  end
end)

t.case('plan_test.c', function()
  need_device()
  local program = t.hz:match '^(.*)/' .. '/test/plan_test'
  if not t.read(program) then t.skip "the library 'check' is not installed (make deps)" end
  local status, out = t.sh('HZ_DEVICE=emu ' .. t.quote(program))
  t.equal(status, 0, out)
end)
