-- plugin_check_test.lua: hz plugin check: what keeps its word passes, each plugin of bad.c is caught by the question
-- for it, while all others are asked and hz lives on.
local t = ...
if os.getenv 'HZ_SANITIZER' then
  t.case('certificates', function() t.skip 'sanitizers change the symbols, memory and ends of what is asked about' end)
  return
end
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'

local build = t.hz:match '^(.*)/' or '.'
local function bad(name) return ('%s/test/bad/bad_%s.so'):format(build, name) end

local function check(what, options)
  local status, out, err = t.run(('plugin check %s %s'):format(t.quote(what), options or ''))
  return status, out, err
end

-- The certificate as a table, and its rows by question.
local function certificate(what, options)
  local status, out, err = check(what, '--json ' .. (options or ''))
  local ok, one = pcall(json.decode, out)
  t.ok(ok, out .. err)
  local rows = {}
  for _, row in ipairs(one.questions) do rows[row.question] = row end
  t.equal(one.ok, status == 0)
  return one, rows, status
end

local function there(path)
  if not t.read(path) then t.skip('%s is not built (make ctests)', path) end
  return path
end

t.case('the skeleton passes all of it, on one page', function()
  local path = there(build .. '/test/plugins/skeleton.so')
  local status, out = check(path)
  t.equal(status, 0, out)
  t.match(out, '^skeleton 1: .*\nhz%.codec/1, codec skeleton, image, none\n')
  t.match(out, '\npassed 18 of 18 questions\n$')
  local lines = 0
  for line in out:gmatch '[^\n]+' do
    lines = lines + 1
    t.ok(#line <= 80 or line:find '^/', line)
  end
  t.ok(lines <= 28, lines)
end)

t.case('an object for programs tells the same', function()
  local one, rows, status = certificate(there(bad 'sound'))
  t.equal({ status, one.plugin, one.codec, one.version, one.interface, one.library, one.kind, one.passed, one.asked },
    { 0, 'bad_sound', 'bad_sound', '1', 'hz.codec/1', 'none', 'audio', 20, 20 })
  t.match(one.fingerprint, '^bad_sound 1 %(hz%.codec/0%.1, none, file %x+')
  t.match(one.path, '/bad_sound%.so$')
  t.equal({ rows.sizes.asked, rows.delay.ok, rows.delay.finding }, { false, true })
  t.match(rows.sizes.remark, '^not asked: ')
  t.ok(rows.leaks.seconds > 0 and rows.leaks.asks ~= nil)
end)

t.case('plugins/README.md tells all questions', function()
  local one = certificate(there(bad 'none'))
  local lines = {}
  for i, row in ipairs(one.questions) do lines[i] = ('    %-10s %s\n'):format(row.question, row.asks) end
  t.ok(t.read 'plugins/README.md':find('\n\n' .. table.concat(lines) .. '\n', 1, true), table.concat(lines))
end)

for _, name in ipairs { 'jpeg', 'flac' } do
  t.case(name .. ' passes all of it', function()
    if not plugins.has(name) then t.skip('the plugin %s is not built', name) end
    local status, out = check(name)
    t.equal(status, 0, out)
  end)
end

-- Plugin, the question that catches it, and what it says.
local caught = {
  { 'overrun', 'room', 'segmentation fault.*it wrote 1 byte past the %d+ that it was lent to be written; in encode' },
  { 'underrun', 'room', 'it wrote before the memory that it was lent' },
  { 'overdraws', 'room', 'it wrote 1 byte past the 5760 that it was lent to be written; in decode' },
  { 'stale', 'room', 'it wrote memory that was moved or is no longer lent' },
  { 'shared', 'threads', { 'on 8 threads', 'the header is of no item' } },   -- as luck has it
  { 'leaks', 'leaks', '^encode loses 10%.0 MB each time' },
  { 'drips', 'leaks', '^encode loses 2%d%d bytes each time' },
  { 'maps', 'leaks', '^encode loses 65536 bytes each time' },
  { 'leaves', 'leaks', '^decode loses %d+ bytes each time' },
  { 'destroys', 'leaks', '^create and destroy loses 10%d%d bytes each time' },
  { 'inverted', 'roundtrip', 'further from it than a plain mean' },
  { 'turned', 'roundtrip', 'further from it than a plain mean' },
  { 'moved', 'roundtrip', 'came back moved by one column' },
  { 'faint', 'roundtrip', 'another gain or offset' },
  { 'bright', 'roundtrip', 'another gain or offset' },
  { 'boasts', 'room', 'says that it wrote %d+ bytes where there is room for %d+' },
  { 'files', 'leaks', '^encode leaves %d+ open files behind' },
  { 'rounds', 'symbols', 'needs no %-ffast%-math' },
  { 'static_decode', 'threads', 'on 8 threads' },
  { 'leaves_open', 'symbols', '^ends the process with status 0; needs to return; in loading ' },
  { 'waits', 'symbols', '^hangs: nothing for 0.5 s, then killed; in loading ', '--limit 0.5' },
  { 'swapped', 'roundtrip', 'channels 1 and 3 .* exchanged' },
  { 'exits', 'roundtrip', '^ends the process with status 0; needs to return; in encode of %(48,40,1%)' },
  { 'quits', 'roundtrip', '^ends the process with status 3' },
  { 'throws', 'roundtrip', "signal 6.*instance of 'std::runtime_error'; what%(%):  the encoder ran away; in encode" },
  { 'clock', 'runs', 'another process made other streams' },
  { 'pid', 'runs', 'another process made other streams' },
  { 'garbage', 'runs', 'another process made other streams' },
  { 'rand', 'again', 'gave another stream the second time' },
  { 'statics', 'again', 'gave another stream' },
  { 'falls', 'direction', '^bits is declared %+, but takes %d+ bytes at 5 and %d+ at 6' },
  { 'ends', 'ranges', '^bits=8: bad_ends: 8 bits are too many' },
  { 'tiny', 'sizes', 'segmentation fault%); in encode of %(1,1,1%)' },
  { 'grey', 'channels', 'segmentation fault%); in encode of %(16,20,1%)' },
  { 'writes', 'inputs', 'it wrote byte 0 of the 5760 that it was lent to be read; in encode' },
  { 'reads', 'truncated', 'it read %d+ bytes past the 1 that it was lent to be read; in decode of a stream cut to 1' },
  { 'hangs', 'truncated', '^hangs: nothing for 1%.5 s, then killed; in decode of a stream cut', '--limit 1.5' },
  { 'swells', 'random', 'made the process grow by 70%d MB; needs at most 512' },
  { 'tables', 'account', 'it names none as payload %(4320 tables, 16 container%)' },
  { 'wraps', 'account', 'of which 0 are payload' },
  { 'symbols', 'symbols', 'it exports helper besides hz_plugin_main' },
  { 'silent', 'symbols', 'library%(%) is empty' },
  { 'opens', 'symbols', 'segmentation fault%); in loading ' },
  { 'creates', 'symbols', 'segmentation fault%); in create' },
  { 'delay', 'delay', '^at 8000 Hz it comes back 10 frames late' },
  { 'clip', 'lengths', 'the sound has 1 frames' },
  { 'rate', 'rates', 'the rate is 48000' },
}

for _, row in ipairs(caught) do
  local name, question, finding, options = unpack(row)
  t.case(('bad_%s is caught by %s'):format(name, question), function()
    if name == 'rounds' and jit.arch ~= 'x64' then t.skip 'the plugin does it on x86 only' end
    if name == 'throws' and not t.tool 'g++' then t.skip 'g++ is not installed' end
    local one, rows, status = certificate(there(bad(name)), ('--only %s %s'):format(question, options or ''))
    t.equal(status, 1)
    local found = false
    for _, part in ipairs(type(finding) == 'table' and finding or { finding }) do
      found = found or rows[question].finding:find(part) ~= nil
    end
    t.ok(found, rows[question].finding)
    t.equal({ one.ok, rows[question].ok, rows.quiet == nil or rows.quiet.ok }, { false, false, true })
  end)
end

t.case('what is printed is a finding of its own, however much', function()
  local one, rows = certificate(there(bad 'prints'), '--only roundtrip')
  t.equal({ rows.roundtrip.ok, rows.quiet.ok, one.passed, one.asked }, { true, false, 1, 2 })
  t.match(rows.quiet.finding, '^it printed %d+ bytes, first in roundtrip: encoding 1 channels; encoding')
  one, rows = certificate(there(bad 'floods'), '--only roundtrip')
  t.equal({ rows.roundtrip.ok, rows.quiet.ok, one.ok }, { true, false, false })
  t.match(rows.quiet.finding, '^it printed %d%d%d%d%d%d%d+ bytes, first in roundtrip: warning 0 of many')
end)

t.case('a crash, an exit or a loop in one question leaves the others', function()
  local _, rows = certificate(there(bad 'tiny'), '--only sizes,roundtrip,account')
  t.equal({ rows.sizes.ok, rows.roundtrip.ok, rows.account.ok }, { false, true, true })
  local status, out = check(there(bad 'exits'))
  t.equal(status, 1)
  t.match(out, '\n  symbols    ok .*\n  runs       FAIL  ends the process with status 0')
  t.match(out, '\n  speed      FAIL  as runs, in encode of %(128,128,3%)\n  quiet      ok ')
  t.match(out, '\npassed 2 of 18 questions\n$')
end)

t.case('an endless loop is killed, though it ignores SIGTERM, and so is a sleeper', function()
  for _, name in ipairs { 'loops', 'sleeps' } do
    local _, rows = certificate(there(bad(name)), '--limit 0.7 --only roundtrip,account,symbols')
    t.equal(rows.symbols.ok, true)
    t.match(rows.roundtrip.finding, '^hangs: nothing for 0%.7 s, then killed; in encode of %(48,40,1%)')
    t.match(rows.account.finding, '^hangs')
  end
end)

t.case('what is no plugin, or no codec, says why and fails', function()
  local status, out = check(there(build .. '/test/plugins/odd_draft.so'))
  t.equal(status, 1)
  t.match(out, "symbols    FAIL  'odd_draft' offers hz%.codec/0, a draft.*\npassed 0 of 1 questions\n$")
  local one = certificate(there(build .. '/test/plugins/odd_closed.so'))
  t.match(one.questions[1].finding, 'the licence server is down')
  local _, err
  status, _, err = check 'nosuch.so'
  t.equal(status, 1)
  t.match(err, 'nosuch%.so cannot be read: No such file')
  status, _, err = check 'nosuch'
  t.equal(status, 1)
  t.match(err, "no codec 'nosuch' is loaded; have ")
  status, _, err = check(bad 'none', 'bits=9')
  t.equal(status, 1)
  t.match(err, 'bits is 9; needs 1%.%.8')
  status, _, err = check(bad 'none', '--only tone')
  t.equal(status, 2)
  t.match(err, 'needs one of symbols, runs, again, ')
end)

t.case('a codec in Lua is checked by its file, a composed one by its name', function()
  local d = t.folder()
  local _, exe = t.sh('realpath ' .. t.quote(t.hz))
  t.equal((t.sh(('cd %s && %s plugin new mine --lua'):format(d, t.quote(exe:match '[^\n]*')))), 0)
  local one, rows = certificate(d .. '/mine/mine.lua', '--only symbols,threads,roundtrip,truncated,leaks')
  t.equal({ one.ok, one.codec, rows.threads.asked, rows.threads.remark }, { true, 'mine', false,
    'not asked: a codec in Lua runs on one thread' })
  t.write(d .. '/broken.lua', '-- hz.codec/1\nreturn 7\n')
  one = certificate(d .. '/broken.lua')
  t.match(one.questions[1].finding, 'it returns number; needs a table')
  if not plugins.has 'png' then return end
  one, rows = certificate('png|png', '--only symbols,sizes,roundtrip,truncated,room')
  t.equal({ one.ok, one.codec, one.plugin, rows.symbols.asked }, { true, 'png|png', nil, false })
  local status, _, err = check 'png|'
  t.equal(status, 1)
  t.match(err, "codec: 'png|' has no codec at stage 2")
end)

t.case('a file is checked though its name is taken', function()
  local d = t.folder()
  t.sh(('cp %s %s/other.so'):format(t.quote(there(bad 'none')), d))
  local one = certificate(d .. '/other.so', '--only symbols')
  t.equal({ one.codec, one.ok }, { 'bad_none', true })
  t.match(one.path, '/other%.so$')
end)
