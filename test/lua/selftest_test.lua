-- selftest_test.lua: hz selftest says what is right of a device that computes, and what is wrong with one that fails.
local t = ...
local devices = require 'hz.net.devices'
local json = require 'hz.base.json'

t.case('a device that computes: a line per check with figure and limit, nothing fails', function()
  for _, device in ipairs { 'cpu', 'far' } do
    local status, out, err = t.run { 'selftest', '--small', '--device', device }
    t.equal({ status, err }, { 0, '' }, out)
    local passed, failed, skipped = out:match '\n(%d+) passed, (%d+) failed, (%d+) skipped\n$'
    t.ok(tonumber(passed) > 110 and failed == '0' and tonumber(skipped) <= 3, out)
    t.match(out, 'ok    ops     bf16, conv2d [^\n]* %d[%d.e-]* of 0.01  ')
    t.match(out, 'ok    nets    10 steps in f32 [^\n]* of 0.001  losses 1%.%d')
    t.match(out, 'skip  nets    10 steps in tf32 [^\n]* which cards alone multiply by')
  end
end)

t.case('the emulated card', function()
  if not devices.describe 'emu' then t.skip 'this build has no emulated card' end
  local status, out, err = t.run { 'selftest', '--small', '--device', 'emu' }
  t.equal({ status, err }, { 0, '' }, out)
  t.match(out, 'ok    nets    10 steps in tf32 ')
  t.match(out, ' passed, 0 failed, 0 skipped\n$')
end)

t.case('on a device with memory of its own, what is copied', function()
  local status, out = t.run({ 'selftest', '--small', '--json', '--device', 'far' })
  t.equal(status, 0)
  local all, seen = json.decode(out), {}
  t.equal({ all.device, all.failed, all.small }, { 'far', 0, true })
  t.equal(#all.checks, all.passed + all.skipped)
  for _, check in ipairs(all.checks) do
    seen[check.name] = check
    t.ok(check.status == 'skipped' or not check.figure or check.figure <= check.limit, check.name)
  end
  for _, name in ipairs { 'a step copies nothing', 'a row that was written is copied alone',
    'a set that three plans read is there once',
    'losses that are read late, and the weights, are those of single steps' } do
    t.equal((seen[name] or {}).status, 'passed', name)
  end
end)

t.case('a device that computes nothing, or little, fails, and does so to the end', function()
  for _, device in ipairs { 'null', 'tin' } do
    local status, out = t.sh(('HZ_BACKEND_PATH=%s %s selftest --small --device %s'):format(
      t.quote(t.hz:match '^(.*)/' .. '/test/devices'), t.quote(t.hz), device))
    t.equal(status, 1, out)
    local failed = out:match '\n%d+ passed, (%d+) failed, %d+ skipped\n$'
    t.ok(tonumber(failed) > 80, out)
    t.match(out, 'FAIL  ops     f32, conv2d [^\n]* of 0.0001')
    t.match(out, 'FAIL  nets    10 steps in f32 ')
  end
end)

t.case('an unknown device, and several', function()
  local status, out, err = t.run { 'selftest', '--device', 'gpu' }
  t.equal({ status, out }, { 1, '' })
  t.match(err, "device: 'gpu' is not known; have cpu, null, far")
  status, out, err = t.run { 'selftest', '--device', 'far:0,far:1' }
  t.equal(status, 1)
  t.match(err, "selftest: device is 'far:0,far:1'; needs one")
end)
