-- What surrounds hz: streams that take nothing, a home that is not there, folders with files called like hz's, a heap
-- that is full, and text from data that a terminal would obey.
local t = ...
local hz = require 'hz'
local visible = require 'hz.base.visible'

local verbs = { 'version', 'version --json', '--help', 'data list', 'plugin list', 'runs runs=none',
  "-e 'print(1)'", "-e 'io.write(1)'", "-e 'print(1) os.exit(0)'", "-e 'io.write((\"x\"):rep(1e6))'",
  'plugin info png', 'plugin --help', 'data doctor camera', 'data verify camera', 'data --help', 'runs --help',
  'report --help', 'compare --help', 'bench --help', '--version', 'experiments/cifar_train.lua --help',
  'experiments/cifar_sweep.lua preset=quick data=camera train=80 test=20 batch=20 dry=true' }

t.case('shell: a full stdout ends everything with status 1 and a message', function()
  for _, args in ipairs(verbs) do
    local status, _, err = t.sh(('%s %s >/dev/full; exit $?'):format(t.quote(t.hz), args))
    t.equal(status, 1, args)
    t.match(err, 'hz: stdout: what was to be written is not all there', args)
  end
  local status, _, err = t.sh(("echo 1+1 | %s >/dev/full"):format(t.quote(t.hz)))
  t.equal(status, 1)
  t.match(err, 'stdout')
  t.equal((t.sh(("%s -e 'os.exit(3)' >/dev/full; exit $?"):format(t.quote(t.hz)))), 3, 'nothing was to be written')
  t.equal((t.sh(("%s -e 'print(1) os.exit(3)' >/dev/full; exit $?"):format(t.quote(t.hz)))), 3)
  local s, out = t.sh(("%s -e \"hz.file.write('/dev/stdout', 'abc')\" | cat"):format(t.quote(t.hz)))
  t.equal({ s, out }, { 0, 'abc' })
  local d = t.folder()
  t.sh(("%s -e \"hz.file.write('/dev/stdout', 'abc')\" >%s/out"):format(t.quote(t.hz), d))
  t.equal(t.read(d .. '/out'), 'abc')
end)

t.case('shell: without a home all goes on that writes nothing there', function()
  local d = t.folder()
  t.write(d .. '/s.lua', [[
    local hz = require 'hz'
    local train = hz.data('camera', { size = 8, train = 20, test = 10 })
    local group = require 'hz.codec.recode'.group({ train }, hz.codec.png {})
    print(#group.sets[1])
    local net = hz.net 'n' { hz.layers.dense{3} }
    net:init { input = { 8, 8, 3 } }
    print(#net:plan { batch = 4, tune = true }:nodes() > 0)
  ]])
  local unset = '-u HOME -u XDG_DATA_HOME -u XDG_CACHE_HOME -u XDG_STATE_HOME -u HZ_CACHE -u HZ_DATA'
  local env = ('cd %s; exec env %s %s '):format(d, unset, t.quote(t.hz))
  local status, out, err = t.sh(env .. 's.lua')
  t.equal({ status, out, err }, { 0, '20\ntrue\n', '' })
  for _, args in ipairs { 'data list', 'data doctor', 'data verify', 'version', 'plugin list', 'runs', '-e 1' } do
    status, _, err = t.sh(env .. args)
    t.ok(not err:find 'HOME' and (status == 0 or args == '-e 1'), args .. ': ' .. err)
  end
  for _, code in ipairs { "hz.data 'cifar10'", "require 'hz.data.fetch'.fetch('cifar10', {})" } do
    status, _, err = t.sh(env .. ("-e \"%s\""):format(code))
    t.equal(status, 1)
    t.match(err, 'neither HZ_DATA nor XDG_DATA_HOME nor HOME is set')
  end
end)

t.case('shell: files of the current folder are never modules or verbs of hz', function()
  local d = t.folder()
  for _, name in ipairs { 'hz/init.lua', 'hz.lua', 'hz/cli/main.lua', 'hz/cli/extra.lua', 'hz/base/json.lua',
      'hz/extra.lua' } do
    t.sh(('mkdir -p %s/%s'):format(d, name:match '^(.*)/' or '.'))
    t.write(d .. '/' .. name, "io.stderr:write 'not hz\\n' os.exit(9)")
  end
  t.write(d .. '/own.lua', 'return 5')
  for _, before in ipairs { '', "LUA_PATH='./?.lua;;' ", "HZ_ROOT=. ", "HZ_ROOT='a;b' ", "HZ_ROOT='?' ",
      'HZ_ROOT=/dev/null ' } do
    for _, args in ipairs { "-e 'print(hz.json.encode(1), require \"own\")'", 'version', 'extra',
        "-e 'require \"hz.extra\"'", "-e 'require \"hz.cli.extra\"'" } do
      local status, out, err = t.sh(('cd %s; %s%s %s; exit $?'):format(d, before, t.quote(t.hz), args))
      t.ok(status ~= 9 and not err:find 'not hz', args)
      if before:find 'HZ_ROOT' then
        t.equal(status, 1)
        t.match(err, "^hz: HZ_ROOT is '[^\n]*', which has no lua/hz/cli/main%.lua; needs hz's folder, or nothing\n$")
      elseif args:find 'own' then
        t.equal({ status, out }, { 0, '1\t5\n' }, err)
      elseif args:find 'require' then
        t.equal(status, 1)
        t.match(err, "module 'hz[%w.]+' is none of hz's")
      end
    end
  end
end)

t.case('shell: the prompt survives a full heap', function()
  if os.getenv 'HZ_SANITIZER' then t.skip 'sanitizers need more room than is left' end
  local lines = "t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e5) .. i end\n1 + 1\nt = nil\n2 + 2\n"
    .. "s = 'x' while true do s = s .. s end\n3 + 3\n"
  local status, out, err = t.sh(('ulimit -v 700000 || exit 99; exec timeout 60 %s'):format(t.quote(t.hz)), lines)
  if status == 99 or err:find 'hz: hz:' then t.skip 'memory cannot be limited here' end
  t.equal({ status, out }, { 1, '2\n4\n6\n' }, err)
  t.match(err, "^not enough memory: Lua's heap is full; needs room: set what is large to nil\nnot enough memory")
end)

-- ---- text that a terminal would obey ----

t.case('shell: what a terminal would obey is written out', function()
  for text, wanted in pairs { ['a\27[31mb'] = 'a\\u001b[31mb', ['\7\8\127'] = '\\u0007\\u0008\\u007f',
      ['\194\155x'] = '\\u009bx',
      ['\155x'] = '\\x9bx', ['\226\128\174gpj'] = '\\u202egpj', ['\226\129\166'] = '\\u2066', ['\216\156'] = '\\u061c',
      ['\195\164\226\130\172\240\159\152\128'] = '\195\164\226\130\172\240\159\152\128',
      ['\237\160\128'] = '\\xed\\xa0\\x80',
      ['\0'] = '\\u0000', [''] = '', ['\226\128\168'] = '\\u2028' } do
    t.equal(visible.line(text), wanted)
    t.equal(visible.text(text), wanted)
  end
  t.equal(visible.line 'a\n\tb\r', 'a\\u000a\\u0009b\\u000d')
  t.equal(visible.text 'a\n\tb\r', 'a\n\tb\\u000d')
  t.equal(hz.visible 'x\27', 'x\\u001b')
end)

local bad = '\27]0;x\7\194\155\226\128\174<b>'

local function is_quiet(text, note)
  t.ok(not text:find '[%z\1-\8\11-\31\127]' and not text:find('\194\155', 1, true)
    and not text:find('\226\128\174', 1, true), note .. ': ' .. ('%q'):format(text))
end

t.case('shell: names of models, sweeps and classes are shown, not sent', function()
  local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
  local dir, run, env = sweeps.place()
  local model = bad .. '.lua'
  t.write(dir .. '/' .. model, sweeps.net)
  local status, out, err = run('seed=1 epochs=2 quality=20,raw model=' .. t.quote(model) .. ',net.lua')
  t.equal(status, 0, err)
  is_quiet(out .. err, 'sweep')
  t.ok(out:find('\\u001b]0;x\\u0007\\u009b\\u202e<b>', 1, true), out)
  for _, args in ipairs { 'runs', 'report', 'report --svg p.svg',
      "-e \"print(hz.results(), hz.query 'select model from cells')\"" } do
    local s, o, e = t.sh(env .. t.quote(t.hz) .. ' ' .. args .. '; exit $?')
    t.equal(s, 0, e)
    is_quiet(o .. e, args)
  end
  local svg = t.read(dir .. '/p.svg')
  is_quiet(svg, 'svg')
  t.ok(svg:find('\\u202e&lt;b&gt;', 1, true) and not svg:find('<b>', 1, true))
  local name = t.quote(bad)
  t.sh(('cd %s; mkdir -p set/%s set/b; printf nonsense > set/b/%s.png'):format(dir, name, name))
  for _, args in ipairs { 'data doctor folder path=set', "-e \"hz.data('folder', {path='set'})\"", name,
      "report '" .. bad .. "'", ("experiments/none.lua '%s'"):format(bad) } do
    local _, o, e = t.sh(env .. t.quote(t.hz) .. ' ' .. args .. '; exit $?')
    is_quiet(o .. e, args)
  end
  t.equal((t.sh(env .. t.quote(t.hz) .. " -e \"hz.file.write('cap.txt', hz.visible '" .. bad .. "')\"; exit $?")), 0)
end)

t.case('shell: at the prompt results and mistakes are shown, not sent', function()
  local _, out, err = t.run({}, ([[
x = 'a\27[31mb'
x
{ [x] = x }
'a\n\27c'
setmetatable({}, { __tostring = function() return x end })
error(x)
hz.data(x)
? %s
]]):format(bad:gsub('\n', '')))
  is_quiet(out .. err, 'prompt')
  t.match(out, '"a\\n\\27c"\n')
end)
