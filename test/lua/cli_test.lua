-- The command line: options, scripts, verbs, exit statuses and messages.
local t = ...

local function script(text)
  return t.write(t.folder() .. '/s.lua', text)
end

t.case('a script gets its arguments', function()
  local path = script [[ print(..., #arg, arg[1], arg[0]:match '[^/]*$', type(hz)) ]]
  local status, out = t.run { path, 'a=1' }
  t.equal(out, 'a=1\t1\ta=1\ts.lua\ttable\n')
  t.equal(status, 0)
end)

t.case('-e runs code, several times, in order', function()
  local status, out = t.run { '-e', 'x = 1', '-e', 'print(x + 1)' }
  t.equal(out, '2\n')
  t.equal(status, 0)
end)

t.case('-l requires a module', function()
  local _, out = t.run { '-l', 'ffi', '-e', 'print(type(ffi.new))' }
  t.equal(out, 'function\n')
end)

t.case('- reads the script from stdin', function()
  local status, out = t.run({ '-', 'k=v' }, 'print(...)')
  t.equal(out, 'k=v\n')
  t.equal(status, 0)
end)

t.case('an error is one line at the user\'s line, status 1', function()
  local path = script 'local x\nlocal y = x.field\n'
  local status, out, err = t.run { path }
  t.equal(status, 1)
  t.equal(out, '')
  t.match(err, '^hz: [^\n]*s%.lua:2: attempt to index[^\n]*\n$')
end)

t.case('HZ_DEBUG=1 adds a traceback', function()
  local path = script 'error "oops"'
  local _, _, err = t.sh('HZ_DEBUG=1 ' .. t.quote(t.hz) .. ' ' .. path)
  t.match(err, 'stack traceback')
end)

t.case('a syntax error is one line', function()
  local status, _, err = t.run { script 'x = = 1' }
  t.equal(status, 1)
  t.match(err, '^hz: [^\n]*s%.lua:1: [^\n]*\n$')
end)

t.case('a missing script', function()
  local status, _, err = t.run { 'nowhere.lua' }
  t.equal(status, 1)
  t.match(err, '^hz: [^\n]*nowhere%.lua[^\n]*No such file[^\n]*\n$')
end)

t.case('an unknown verb names the verbs, status 2', function()
  local status, _, err = t.run { 'frobnicate' }
  t.equal(status, 2)
  t.match(err, "^hz: frobnicate: neither a script nor a verb; have .*version")
end)

t.case('an unknown option names the options, status 2', function()
  local status, _, err = t.run { '--frobnicate' }
  t.equal(status, 2)
  t.match(err, '^hz: %-%-frobnicate: unknown option; have %-e')
end)

t.case('--help lists verbs, status 0', function()
  local status, out = t.run { '--help' }
  t.equal(status, 0)
  t.match(out, '\n  version ')
end)

t.case('version as text and as JSON', function()
  local _, text = t.run { 'version' }
  t.match(text, '^version%s+%d')
  local status, out = t.run { 'version', '--json' }
  t.equal(status, 0)
  t.match(out, '^{\n  "version": "%d[^"]*",\n')
  local bad, _, err = t.run { 'version', '--what' }
  t.equal(bad, 2)
  t.match(err, '%-%-json')
end)

t.case('a script ends with the status it asks for', function()
  t.equal((t.run { script 'os.exit(7)' }), 7)
  t.equal((t.run { script "require 'hz.exit'.stop(3, 'partial')" }), 3)
end)

t.case('an error value that is a table is reported', function()
  local status, _, err = t.run { script 'error({})' }
  t.equal(status, 1)
  t.match(err, '^hz: [^\n]+\n$')
end)

-- ---- signals ----

-- Runs a script in the background, sends the signals when it has said 'ready', and returns its status and stderr.
local function interrupted(text, ...)
  if os.getenv 'HZ_SANITIZER' == 'thread' then
    t.skip 'the thread sanitizer keeps signals back until the next system call'
  end
  local d = t.folder()
  local path = t.write(d .. '/s.lua', "io.stdout:write 'ready'; io.stdout:flush()\n" .. text)
  local kills = {}
  for i, name in ipairs { ... } do kills[i] = ('kill -%s $pid; sleep 0.3; '):format(name) end
  -- A shell without job control starts background commands with SIGINT ignored; hz sets its own handler all the same.
  local _, out = t.sh(('%s %s >%s/out 2>%s/err & pid=$!; for i in $(seq 100); do grep -q ready %s/out && break; '
    .. 'sleep 0.05; done; sleep 0.2; %s (sleep 20; kill -9 $pid) 2>/dev/null & guard=$!; wait $pid; s=$?; '
    .. 'kill $guard; echo $s'):format(t.quote(t.hz), path, d, d, d, table.concat(kills)))
  return tonumber(out), t.read(d .. '/err')
end

local core_loop = 'local x = hz.zeros{16}; while true do x = x + 1 end'

t.case('Ctrl-C ends a loop over the core with status 130', function()
  local status, err = interrupted(core_loop, 'INT')
  t.equal(err, 'hz: interrupted\n')
  t.equal(status, 130)
end)

t.case('SIGTERM ends a loop over the core with status 75', function()
  t.equal((interrupted(core_loop, 'TERM')), 75)
end)

t.case('a second Ctrl-C ends a compiled loop at once', function()
  t.equal((interrupted('while true do end', 'INT', 'INT')), 130)
end)

t.case('an interrupt passes through pcall in a loop over the core', function()
  t.equal((interrupted('while true do pcall(function() ' .. core_loop .. ' end) end', 'INT', 'INT', 'INT')), 130)
end)

-- ---- installation ----

t.case('an installed tree runs, also after it was moved', function()
  local d = t.folder()
  local build = t.hz:match '^(.*)/[^/]*$'
  local status, _, err = t.sh(('sh .ci/install.sh %s/a %s && mv %s/a %s/b'):format(d, t.quote(build), d, d))
  t.equal(err, '')
  t.equal(status, 0)
  local s, out = t.sh(('cd / && %s/b/bin/hz -e "print(hz.root, hz.zeros{2}:sum())"'):format(d))
  t.equal(out, d .. '/b/share/hz\t0\n')
  t.equal(s, 0)
  t.ok(t.read(d .. '/b/include/hz/plugin.h'), 'plugin.h')
end)

t.case("after an installation experiments are found from any folder, unless a file there is called so", function()
  local d = t.folder()
  local build = t.hz:match '^(.*)/[^/]*$'
  local root = d .. '/a/share/hz'
  local _, said = t.sh(('sh .ci/install.sh %s/a %s'):format(d, t.quote(build)))
  t.ok(said:find('experiments: ' .. root .. '/experiments', 1, true), said)
  t.sh(('mkdir -p %s/w/experiments'):format(d))
  local function run(args)
    return t.sh(('cd %s/w && HZ_RUNS= env -u HZ_ROOT %s/a/bin/hz %s; exit $?'):format(d, d, args))
  end
  for _, name in ipairs { 'experiments/cifar_train.lua', 'cifar_train.lua' } do
    local status, out = run(name .. ' data=camera train=40 test=20 batch=20 epochs=1 out=o')
    t.equal(status, 0)
    t.match(out, 'log and parameters: o')
  end
  t.ok(t.read(d .. '/w/o/result.json'))
  local keys = ' data=camera preset=quick train=80 test=20 batch=20 epochs=1 quality=10,20 seed=1 parallel=2'
  t.equal((run('experiments/cifar_sweep.lua' .. keys)), 0)
  for name, why in pairs { ['experiments/none.lua'] = 'No such file or directory', ['/none.lua'] = 'No such file',
      ['o/x/../none.lua'] = 'No such file' } do
    local status, _, err = run(name)
    t.equal(status, 1)
    t.ok(err:find(('cannot open %s: %s'):format(name, why), 1, true), err)
    t.ok(err:find(root .. '/experiments: audio_sweep.lua, ', 1, true), err)
  end
  t.equal((run 'none'), 2)
  t.write(d .. '/w/experiments/cifar_train.lua', 'print "mine"')
  t.equal(select(2, run 'experiments/cifar_train.lua'), 'mine\n')
end)

t.case('without its Lua files hz says what to set', function()
  local d = t.folder()
  local status, _, err = t.sh(('cp %s %s/hz && LD_LIBRARY_PATH=%s HZ_ROOT= %s/hz; echo $?'):format(t.quote(t.hz), d,
    t.quote(t.hz:match '^(.*)/[^/]*$'), d))
  t.equal(status, 0)
  t.match(err, 'set HZ_ROOT')
end)

t.case('version: a line for each device, what it is or why it does not open', function()
  local folder = t.hz:match '^(.*)/' .. '/test/devices'
  local env = ('HZ_BACKEND_PATH=%s '):format(t.quote(folder))
  local _, out = t.sh(env .. t.quote(t.hz) .. ' version')
  t.match(out, '\ndevices +cpu %w+, %d+ threads?\n +null\n +far: cpu [^\n]*\n')
  t.match(out, '\n +refuses does not open: there is no such card; needs one\n')
  t.match(out, '\n +tin: 0 in, 0 out\n')
  local _, json = t.sh(env .. t.quote(t.hz) .. ' version --json')
  t.match(json, '"devices": "cpu, null, far, [^"\n]*refuses %(refuses: there is no such card; needs one%), [^"\n]*tin"')
end)

t.case('version: HZ_CPU is named where it is set, and is intel or amd', function()
  local status, out = t.sh('HZ_CPU=amd ' .. t.quote(t.hz) .. ' version')
  t.equal(status, 0)
  t.match(out, '\nvendor +amd\n')
  t.ok(not select(2, t.sh('HZ_CPU= ' .. t.quote(t.hz) .. ' version')):find 'vendor')
  local failed, _, err = t.sh('HZ_CPU=via ' .. t.quote(t.hz)
    .. [[ -e "hz.nets.make('small'):init{seed=1}:plan{}"; exit $?]])
  t.ok(failed ~= 0)
  t.match(err, "HZ_CPU: 'via' is not known; have intel, amd")
end)
