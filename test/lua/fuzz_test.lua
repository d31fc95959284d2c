-- A minute of the fuzzer with a fixed seed, and a few faults of each kind. More of both: make fuzz, make faults.
local t = ...
local sanitizer = os.getenv 'HZ_SANITIZER'

t.case('random ops and nets equal the plain loops in double, wrong calls are told, damaged sounds refused', function()
  local ops, nets, calls, sounds = 350, 250, 150, 1500
  if sanitizer then ops, nets, calls = 12, 12, 12 end
  local counts = ('ops=%d nets=%d surface=%d sounds=%d'):format(ops, nets, calls, sounds)
  local status, out, err = t.run(('%sfuzz.lua seed=2026 %s'):format(t.here, counts))
  t.equal(status, 0, out .. err)
  t.match(out, 'fuzz ops: ' .. ops .. ' cases')
  t.match(out, 'fuzz nets: ' .. nets .. ' cases')
  t.match(out, 'fuzz surface: ' .. calls .. ' cases')
  t.match(out, 'fuzz sounds: ' .. sounds .. ' cases')
  t.match(out, ', 0 failures')
end)

t.case('kills, full disks, disks in error and failing allocations lose nothing', function()
  if sanitizer then t.skip('the %s sanitizer has an allocator of its own', sanitizer) end
  local library = t.hz:match '^(.*/)' .. 'test/faults.so'
  if not t.read(library) then t.skip('%s is not built', library) end
  local status, out, err = t.run(('%sfaults.lua library=%s calls=2 kills=1 share=2'):format(t.here, library))
  t.equal(status, 0, out .. err)
  t.match(out, 'faults: %d%d+ tried, 0 lost')
end)
