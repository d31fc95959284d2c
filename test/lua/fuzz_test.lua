-- A minute of the fuzzer with a fixed seed, and a few faults of each kind. More of both: make fuzz, make faults.
local t = ...
local sanitizer = os.getenv 'HZ_SANITIZER'

t.case('random ops and nets equal the plain loops in double, wrong calls are told', function()
  local ops, nets, calls = 350, 250, 150
  if sanitizer then ops, nets, calls = 12, 12, 12 end
  local status, out, err = t.run(('%sfuzz.lua seed=2026 ops=%d nets=%d surface=%d'):format(t.here, ops, nets, calls))
  t.equal(status, 0, out .. err)
  t.match(out, 'fuzz ops: ' .. ops .. ' cases')
  t.match(out, 'fuzz nets: ' .. nets .. ' cases')
  t.match(out, 'fuzz surface: ' .. calls .. ' cases')
  t.match(out, ', 0 failures')
end)

-- libsndfile 1.2 does not free all of a damaged Ogg Vorbis head.
t.case('damaged sounds are read or refused', function()
  local status, out, err = t.sh(('ASAN_OPTIONS=%s:detect_leaks=0 %s %sfuzz.lua seed=2026 sounds=10000'):format(
    os.getenv 'ASAN_OPTIONS' or '', t.quote(t.hz), t.here))
  t.equal(status, 0, out .. err)
  t.match(out, 'fuzz sounds: 10000 cases')
  t.match(out, ', 0 failures')
end)

t.case('damaged files of data are read or refused', function()
  local status, out, err = t.run(('%sfuzz.lua seed=2026 files=%d'):format(t.here, sanitizer and 300 or 3000))
  t.equal(status, 0, out .. err)
  t.match(out, 'fuzz files: ' .. (sanitizer and 300 or 3000) .. ' cases')
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
