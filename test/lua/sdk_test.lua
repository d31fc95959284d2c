-- What writers of plugins go by: hz plugin new, the session in plugins/README.md, an installed hz alone, other
-- compilers, what hides what, one text about a codec wherever it is asked for.
local t = ...
local json = require 'hz.base.json'

local build = t.hz:match '^(.*)/[^/]*$'

-- Runs a command with this hz in front, as the shell finds it; variables are set before it.
-- What make tells the make's below it is not for these.
local function with_hz(folder, variables, command)
  return t.sh(('cd %s && unset MAKEFLAGS MFLAGS MAKELEVEL && PATH=%s:$PATH HZ_RUNS=%s/runs %s sh -c %s'):format(folder,
    t.quote(build), folder, variables, t.quote(command)))
end

local function need_compiler()
  if not t.tool 'cc' or not t.tool 'pkg-config' then t.skip 'cc or pkg-config is not installed' end
end

-- ---- hz plugin new ----

for name, row in pairs { image = { '', 'cifar_sweep' }, sound = { ' --audio', 'audio_sweep' },
    ['image in Lua'] = { ' --lua', 'cifar_sweep' }, ['sound in Lua'] = { ' --lua --audio', 'audio_sweep' } } do
  t.case(('a new codec, %s: builds, keeps its word and is swept'):format(name), function()
    need_compiler()
    local d = t.folder()
    local status, out, err = with_hz(d, '', 'hz plugin new tiny' .. row[1])
    t.equal({ status, err }, { 0, '' })
    t.match(out, '^tiny/: tiny%.%w+, Makefile, README%.md, test/test%.lua%. To try it:\n')
    status, out, err = with_hz(d .. '/tiny', '', 'make check')
    t.equal(status, 0, out .. err)
    t.match(out, '\ntiny: %d+ bytes for %d+ samples, as promised\n$')
    t.ok(not err:find 'warning', err)
    status, out, err = with_hz(d .. '/tiny', 'HZ_PLUGIN_PATH=.', ('hz experiments/%s.lua codec=tiny dry=true seed=1 '
      .. 'data=%s'):format(row[2], row[1]:find 'audio' and 'strings' or 'camera'))
    t.equal(status, 0, err)
    t.match(err, 'hz: no values were given: bits=[%d,]+,raw %(tiny takes ')
    t.match(out, ': [67] cells')
  end)
end

t.case('a new codec: mistakes leave nothing behind', function()
  local d = t.folder()
  for name, row in pairs {
    ['9'] = { 2, "the name is '9'; needs one of at most 31 letters" }, ['a-b'] = { 2, "the name is 'a-b'" },
    [('x'):rep(32)] = { 2, 'needs one of at most 31' }, ['end'] = { 2, "'end' is a word of Lua" },
    raw = { 2, "'raw' is a word of Lua, or means something else" }, ['../a'] = { 2, "the name is '../a'" },
    [''] = { 2, "the name is ''" },
  } do
    local status, _, err = with_hz(d, '', 'hz plugin new ' .. t.quote(name))
    t.equal(status, row[1], name)
    t.ok(err:find(row[2], 1, true), err)
  end
  t.write(d .. '/taken', 'mine')
  local status, _, err = with_hz(d, '', 'hz plugin new taken')
  t.equal(status, 1)
  t.match(err, 'plugin new: taken is there already; needs another name')
  t.equal(t.read(d .. '/taken'), 'mine')
  with_hz(d, '', 'mkdir full && ulimit -f 0 && hz plugin new full/x; ulimit -f 0; hz plugin new cut 2>err')
  local _, list = t.sh('ls -A ' .. d)
  t.equal(list:gsub('runs\n', ''):gsub('err\n', ''), 'full\ntaken\n')
end)

-- ---- the session of the README ----

-- Rows { command, lines that its output has, in order } of the commands in a section of plugins/README.md.
local function session(title)
  local section = t.read 'plugins/README.md':match('\n## ' .. title .. '\n(.-)\n## ')
  local rows = {}
  for line in (section .. '\n'):gmatch '([^\n]*)\n' do
    local command, output = line:match '^    %$ (.*)$', line:match '^    (.*)$'
    if command then rows[#rows + 1] = { command, {} } elseif output then table.insert(rows[#rows][2], output) end
  end
  return rows
end

t.case('plugins/README.md: from nothing to a checked plugin', function()
  need_compiler()
  local d, lines = t.folder(), {}
  local rows = session 'From nothing to a checked plugin'
  t.ok(#rows > 15, #rows)
  for i, row in ipairs(rows) do
    lines[#lines + 1] = ('echo "@@%d@@"; %s || { echo "status $?"; exit 1; }'):format(i, row[1])
  end
  t.write(d .. '/session.sh', table.concat(lines, '\n'))
  local status, out = with_hz(d, '', 'sh session.sh 2>&1')
  t.equal(status, 0, out:sub(-600))
  for i, row in ipairs(rows) do
    local part = out:match(('@@%d@@\n(.-)@@%d@@\n'):format(i, i + 1)) or out:match(('@@%d@@\n(.*)$'):format(i))
    local at = 1
    for _, line in ipairs(row[2]) do
      local _, last = ('\n' .. part):find('\n' .. line .. '\n', at, true)
      if not last then _, last = ('\n' .. part):gsub(' +', ' '):find('\n' .. line:gsub(' +', ' ') .. '\n', 1, true) end
      t.ok(last, ('%s: %q is not in %s'):format(row[1], line, part))
    end
  end
end)

t.case('plugins/README.md: the tutorial keeps its word', function()
  local status, out = t.sh(('HZ_PLUGIN_PATH=plugins/blockdct %s plugin check blockdct'):format(t.quote(t.hz)))
  t.equal(status, 0, out)
  status, out = t.sh(('HZ_PLUGIN_PATH=plugins/blockdct %s experiments/codec_rates.lua data=camera images=20 rate=1 '
    .. 'codec=blockdct'):format(t.quote(t.hz)))
  t.equal(status, 0, out)
  t.match(out, '\nblockdct  step=%d+ +[01]%.%d+ +[01]%.%d+ +[23]%d%.%d+\n')
end)

-- ---- an installed hz alone ----

t.case('an installed hz: a plugin from its header and pkg-config alone, by every compiler', function()
  need_compiler()
  local d = t.folder()
  t.equal((t.sh(('sh .ci/install.sh %s/p %s'):format(d, t.quote(build)))), 0)
  local function installed(command)
    return t.sh(('cd %s && env -i HOME=. PATH=%s/p/bin:/usr/bin:/bin PKG_CONFIG_PATH=%s/p/lib/pkgconfig sh -c %s')
      :format(d, d, d, t.quote(command)))
  end
  local _, folder = installed 'pkg-config --variable=plugindir hz'
  t.equal((t.sh('test -d ' .. folder)), 0)
  local status, out, err = installed('hz plugin new one && cd one && make check && HZ_PLUGIN_PATH=. hz '
    .. 'experiments/cifar_sweep.lua codec=one dry=true data=camera seed=1')
  t.equal(status, 0, out .. err)
  t.match(out, ' %-I/[^ ]+/p/[^ ]*/include ')
  local absent = {}
  for _, row in ipairs { { 'gcc', '-std=c99 -pedantic' }, { 'clang', '-std=c99 -pedantic' }, { 'gcc', '-std=c11' },
      { 'g++', '-x c++' }, { 'clang++', '-x c++ -std=c++20' } } do
    if t.tool(row[1]) then
      for _, name in ipairs { 'one', 'two' } do
        if name == 'two' then installed 'test -d two || hz plugin new two --audio' end
        local line = ('%s %s -O1 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden `pkg-config --cflags hz` '
          .. '-o %s.so %s/%s.c && HZ_PLUGIN_PATH=. hz plugin info %s'):format(row[1], row[2], name, name, name, name)
        status, out, err = installed(line)
        t.equal(status, 0, line .. '\n' .. err)
        t.match(out, '\nplugin ' .. name .. ' 1: ')
      end
    else
      absent[#absent + 1] = row[1]
    end
  end
  if #absent > 0 then t.skip('%s: not installed; the others did', table.concat(absent, ', ')) end
end)

-- ---- list, info, help ----

t.case('a nearer plugin hides others of its codec, and both are listed', function()
  local d = t.folder()
  t.sh(('mkdir -p %s/user/hz/plugins %s/own && cp %s/test/plugins/skeleton.so %s/user/hz/plugins/ && cp '
    .. '%s/test/plugins/skeleton.so %s/own/far.so'):format(d, d, build, d, build, d))
  local function list(path, args)
    local command = 'HZ_PLUGIN_PATH=%s XDG_DATA_HOME=%s/user %s plugin %s'
    return select(2, t.sh(command:format(path, d, t.quote(t.hz), args)))
  end
  local out = list(d .. '/own', 'list')
  local near, far = d .. '/own/far.so', d .. '/user/hz/plugins/skeleton.so'
  t.ok(out:find(('\n  %s\n  hides %s\n'):format(near, far), 1, true), out)
  t.ok(out:find(('\nhidden   %s\n'):format(far), 1, true), out)
  t.ok(list('', 'info skeleton'):find('\n' .. far .. '\n', 1, true))
  local rows = json.decode(list(d .. '/own', 'list --json'))
  local by = {}
  for _, row in ipairs(rows) do by[row.path or row.name] = row end
  t.equal(by[far].hidden, near)
  t.equal(by[near].hides, { far })
  t.equal({ by[near].kind, by[near].version, by[near].codec, by[near].library }, { 'image', '1', 'skeleton', 'none' })
  for line in (out .. '\n'):gmatch '([^\n]*)\n' do t.ok(#line <= 80 or line:find '^%S* *%S*/', line) end
end)

t.case('plugins that were not built are listed with what they lack', function()
  local d = t.folder()
  t.sh(('sh .ci/install.sh %s %s && rm -f %s/lib/hz/plugins/*.so'):format(d, t.quote(build), d))
  t.write(d .. '/lib/hz/plugins/absent.txt', 'mp3 lame libmp3lame-dev\nmp3 libmpg123 libmpg123-dev\nodd other\n')
  local _, out = t.sh(d .. '/bin/hz plugin list')
  t.match(out, '\nabsent   mp3\n         not built, for want of lame, libmpg123 %(Debian: libmp3lame%-dev\n')
  t.match(out, '\nabsent   odd\n +not built, for want of other\n')
  local _, text = t.sh(d .. '/bin/hz plugin list --json')
  local row = json.decode(text)[1]
  t.equal({ row.name, row.needs }, { 'mp3', { 'lame', 'libmpg123' } })
  t.equal(row.packages, { 'libmp3lame-dev', 'libmpg123-dev' })
  local status, _, err = t.sh(d .. '/bin/hz plugin info mp3')
  t.equal(status, 1)
  t.match(err, '; mp3 was not built, for want of lame')
  _, _, err = t.sh(d .. '/bin/hz -e "hz.codec.mp3()"')
  t.match(err, "'mp3' is not loaded; .*; mp3 was not built, for want of lame")
end)

t.case('hz plugin info of a file: nothing hides it, and what is no codec is said', function()
  local so = build .. '/test/plugins/skeleton.so'
  for path, part in pairs { [so] = so,
      ['plugins/blockdct/blockdct.lua'] = 'written in Lua: slower than C, on one thread' } do
    local status, out, err = t.run { 'plugin', 'info', path }
    t.equal({ status, err }, { 0, '' }, path)
    t.ok(out:find('\n' .. part .. '\n', 1, true), out)
  end
  for path, part in pairs { ['none.so'] = 'none.so is no file; needs a plugin', ['/'] = '/ is no file',
      ['Makefile.lua'] = 'is no file', ['test/t.lua'] = 'its first line does not name hz.codec/1',
      [build .. '/test/plugins/odd_draft.so'] = "offers hz.codec/0, a draft" } do
    local status, _, err = t.run { 'plugin', 'info', path }
    t.equal(status, 1, path)
    t.ok(err:find(part, 1, true), err)
  end
end)

t.case('hz plugin info, ? and codec=NAME,help tell the same', function()
  local function told(command)
    local status, out, err = t.sh(('HZ_PLUGIN_PATH=%s/test/plugins %s %s'):format(build, t.quote(t.hz), command))
    t.equal(status, 0, err)
    return out
  end
  local text = told 'plugin info skeleton'
  t.match(text, '^skeleton  none, image\n  bits = 4  1%.%.8 bits .*\nplugin skeleton 1: .*codec=skeleton bits=')
  t.equal(told 'experiments/cifar_sweep.lua codec=skeleton,help', text)
  t.equal(told 'experiments/audio_sweep.lua epochs=1 codec=help,skeleton', text)
  t.equal(told 'experiments/codec_rates.lua codec=skeleton,help', text)
  t.equal(told [[-e "print(require 'hz.cli.prompt.help'.text 'skeleton')"]], text)
  t.match(told 'experiments/audio_sweep.lua codec=help', 'skeleton  none, image')
  local status, _, err = t.run 'experiments/cifar_sweep.lua codec=jpge,help'
  t.equal(status, 2)
  t.match(err, "codec: 'jpge' is not loaded")
end)
