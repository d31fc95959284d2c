-- Recoding in a process of its own: a codec that ruins its process (test/plugins/wild.c) costs the call, or the cells,
-- that use it, and the message says how and at which item; what is decoded has the same bits either way.
local t = ...
local c = require 'hz.c'
local codec = require 'hz.codec.codec'
local dataset = require 'hz.data.dataset'
local encoding = require 'hz.codec.encoding'
local ffi = require 'ffi'
local file = require 'hz.base.file'
local isolate = require 'hz.codec.isolate'
local posix = require 'hz.ext.posix'
local recode = require 'hz.codec.recode'
local tensor = require 'hz.tensor.tensor'

local sanitizer = os.getenv 'HZ_SANITIZER'
local patience = sanitizer and 10 or 1

-- A folder with this plugin of the tests alone.
local function folder_with(name)
  if sanitizer == 'thread' then t.skip 'the thread sanitizer bears no fork' end
  local plugin = c.library:match '^(.*)/' .. '/test/plugins/' .. name .. '.so'
  if not file.exists(plugin) then t.skip('%s is not built (make ctests)', plugin) end
  local folder = t.folder()
  t.sh(('ln -s %s %s/'):format(t.quote(plugin:sub(1, 1) == '/' and plugin or '$PWD/' .. plugin), folder))
  return folder
end

-- The codec is known while f runs only: a name in hz.codec is what examples and completion walk over.
local function case(title, f, name)
  t.case(title, function()
    name = name or 'wild'
    c.check(c.C.hz_plugin_load(folder_with(name), 0))
    local ok, e = pcall(f, codec[name])
    rawset(codec, name, nil)
    if not ok then error(e, 0) end
  end)
end

-- Images whose first samples count them, up to 255.
local function numbered(n)
  local items = tensor.rand({ n, 9, 7, 3 }, 0, 255.99, { seed = 1, stream = 1 }):floor():to 'u8'
  for i = 0, n - 1 do items:pointer()[i * 9 * 7 * 3] = i end
  return items
end

local function bytes_of(x) return ffi.string(x:pointer 'read', x:count() * ({ u8 = 1, f32 = 4, f64 = 8 })[x:type()]) end

-- As if one wrote HZ_ITEM_SECONDS=n before the command.
ffi.cdef 'int setenv(const char *name, const char *value, int overwrite); int unsetenv(const char *name);'
local function within(seconds, f)
  ffi.C.setenv('HZ_ITEM_SECONDS', tostring(seconds), 1)
  local ok, e = pcall(f)
  ffi.C.unsetenv 'HZ_ITEM_SECONDS'
  if not ok then error(e, 0) end
end

local function same(a, b, columns)
  t.ok(bytes_of(a[1]) == bytes_of(b[1]), 'the same samples')
  for _, name in ipairs { 'bits_per_sample', 'bits_per_sample_file', 'tables_once', 'tables_distinct' } do
    t.equal(a[2][name], b[2][name], name)
  end
  for _, name in ipairs(columns) do t.ok(bytes_of(a[2][name](a[2])) == bytes_of(b[2][name](b[2])), name) end
end

case('the same bits, accounts and tables, for any number of threads', function(wild)
  local items = numbered(150)
  for _, one in ipairs { wild { level = 3 }, codec.png {}, codec.jpeg { quality = 20, optimize = true } } do
    local here = { one:recode(items) }
    for _, threads in ipairs { 1, 2, 3, 7 } do
      same(here, { one:recode(items, { isolate = true, threads = threads }) },
        { 'payload', 'tables', 'container', 'squared_error' })
    end
    local single = items:slice(1, 5, 5)
    same({ one:recode(single) }, { one:recode(single, { isolate = true }) }, { 'payload' })
  end
end)

case('sounds: the same bits, silence behind those that are shorter', function(pcm)
  local items, frames = tensor.rand({ 5, 4000 }, -0.9, 0.9, { seed = 2 }), { 4000, 17, 2500, 1, 3999 }
  local one = pcm { delay = 100 }
  local options = { rate = 8000, frames = frames }
  local here = { one:recode(items, options) }
  options.isolate = true
  same(here, { one:recode(items, options) }, { 'payload', 'squared_error' })
end, 'pcm')

local ruin = 'needs a plugin that passes hz plugin check'
local endings = {
  { 'crash', 'wild: signal 11 (SIGSEGV) at image %d of 120; ' .. ruin },
  { 'overflow', 'wild: signal 11 (SIGSEGV) at image %d of 120; ' .. ruin },
  { 'stop', 'wild: signal 6 (SIGABRT) at image %d of 120; ' .. ruin },
  { 'rant', "wild: signal 6 (SIGABRT) at image %d of 120, having printed '?[2Jthe end is near'; " .. ruin },
  { 'leave', 'wild: it ended its process with status 0 at image %d of 120; needs a plugin that never exits' },
  { 'vanish', 'wild: it ended its process with status 0 at image %d of 120; needs a plugin that never exits' },
  { 'die', 'wild: signal 9 (SIGKILL) at image %d of 120; needs more memory, if nobody else ended it' },
  { 'refuse', 'recode: image %d of 120: wild: the first sample is %d; needs another' },
}

case('what ruins its process is an error that names how and the lowest item', function(wild)
  local items = numbered(120)
  local before = bytes_of(items)
  for _, row in ipairs(endings) do
    for _, threads in ipairs { 1, 3 } do
      for mark, item in pairs { [100] = 100, [-1] = 0, [0] = 0, [119] = 119 } do
        local ok, e = pcall(wild { how = row[1], mark = mark }.recode, wild { how = row[1], mark = mark }, items,
          { isolate = true, threads = threads })
        t.ok(not ok and e:find(row[2]:format(item, item), 1, true), ('%s %d: %s'):format(row[1], mark, tostring(e)))
      end
    end
  end
  t.ok(bytes_of(items) == before)
  t.ok(bytes_of((wild { level = 8 }:recode(items, { isolate = true }))) == before, 'and the next call is right')
end)

case('an item without end is ended after HZ_ITEM_SECONDS, also one that ignores SIGTERM', function(wild)
  within(0.3, function()
    local one, start = wild { how = 'hang', mark = 77 }, c.C.hz_seconds()
    t.raises('wild: no end after 0.3 s at image 77 of 120; needs a codec that comes to one, or more seconds '
      .. '(HZ_ITEM_SECONDS)', function() one:recode(numbered(120), { isolate = true, threads = 2 }) end)
    t.ok(c.C.hz_seconds() - start < 5 * patience)
  end)
  within(30 * patience, function() wild { how = 'linger', mark = 3 }:recode(numbered(4), { isolate = true }) end)
  for _, text in ipairs { 'soon', '0', '-1', '' } do
    within(text, function()
      t.raises(("HZ_ITEM_SECONDS is '%s'; needs a number of seconds above 0"):format(text),
        function() wild {}:recode(numbered(4), { isolate = true }) end)
    end)
  end
end)

case('what it writes to the originals stays in its process', function(wild)
  local items = numbered(20)
  local before, first = bytes_of(items), wild { level = 8 }:recode(items, { isolate = true })
  wild { how = 'scribble', level = 8 }:recode(items, { isolate = true })
  t.ok(bytes_of(items) == before)
  t.ok(bytes_of(first) == before, 'nor to what was decoded before')
end)

t.case('what is printed by the megabyte reaches neither output nor stderr', function()
  local script = t.folder() .. '/print.lua'
  t.write(script, [[
    local hz = require 'hz'
    io.write 'before, '
    local x = hz.zeros({ 40, 8, 8, 3 }, 'u8')
    local _, account = hz.codec.wild{ how = 'chatter' }:recode(x, { isolate = true })
    print(account.images)
    print(pcall(function() hz.codec.wild{ how = 'leave' }:recode(x, { isolate = true }) end))
  ]])
  local status, out, err = t.sh(('HZ_PLUGIN_PATH=%s %s %s'):format(folder_with 'wild', t.quote(t.hz), script))
  t.equal(status, 0, err)
  t.equal(out:gsub('false.*', ''), 'before, 40\n')
  t.equal(err, '')
end)

case('an instance that ruins its process is met by whoever recodes with it, and one that is refused is refused',
  function(wild)
    for start, message in pairs { crash = 'signal 11 (SIGSEGV) before its first image; ',
        overflow = 'signal 11 (SIGSEGV) before', stop = 'signal 6 (SIGABRT) before',
        leave = 'it ended its process with status 0 before its first image' } do
      local e = encoding.make('wild', { start = start }, 'auto')
      t.match(e.text, '^wild start=')
      t.raises('wild: ' .. message, function() e.codec:recode(numbered(5), { isolate = true }) end)
    end
    t.raises('wild: start is refused; needs another', encoding.make, 'wild', { start = 'refused' }, 'auto')
    local e, one = encoding.make('wild', { level = 3 }, 'auto'), numbered(1)[1]
    t.equal((e.codec:encode(one)), (wild { level = 3 }:encode(one)), 'made when it is needed')
  end)

t.case('an exception of C++ ends its process, and says what it was', function()
  local plugin = c.library:match '^(.*)/' .. '/test/bad/bad_throws.so'
  if not file.exists(plugin) then t.skip('%s is not built (make ctests)', plugin) end
  local dir = t.folder()
  t.sh(('cp %s %s/'):format(t.quote(plugin), dir))
  t.write(dir .. '/throw.lua', [[
    local hz = require 'hz'
    print(pcall(function() hz.codec.bad_throws():recode(hz.zeros({ 3, 8, 8, 3 }, 'u8'), { isolate = true }) end))
  ]])
  local status, out, err = t.sh(('HZ_PLUGIN_PATH=%s %s %s/throw.lua'):format(dir, t.quote(t.hz), dir))
  t.equal(status, 0, err)
  t.match(out, "^false\t[^\n]*bad_throws: signal 6 %(SIGABRT%) at image 0 of 3, having printed '[^\n]+'; needs")
end)

-- ---- which codecs ----

case('auto: codecs of plugins from elsewhere, and composed ones with such a stage', function(wild)
  local function wanted(mode, name) return isolate.wanted(mode, { name = name }) end
  t.equal({ wanted('auto', 'wild'), wanted('auto', 'jpeg'), wanted('auto', 'jpeg:10|wild:3'),
    wanted('auto', 'png|jpeg'), wanted('always', 'jpeg'), wanted('never', 'wild') },
    { true, false, true, false, true, false })
  t.raises('isolate is 1; needs true or false', function() wild {}:recode(numbered(2), { isolate = 1 }) end)
end)

-- ---- sets and their cache ----

local function with_cache(f)
  local folder, dir = recode.folder, t.folder() .. '/cache'
  recode.folder = function() return dir end
  recode.forget()
  local ok, e = pcall(f, dir)
  recode.folder = folder
  recode.forget()
  if not ok then error(e, 0) end
end

case('a set is one entry of the cache, however it was made; what failed is tried once', function(wild)
  with_cache(function(dir)
    local n = 60
    local set = dataset.new { name = 'numbered', items = numbered(n), labels = tensor.zeros({ n }, 'i32'),
      classes = { 'a' } }
    local function group(one, mode) return recode.group({ set }, one, nil, mode) end
    local apart = group(wild { level = 2 })
    local entry = file.read_all(dir .. '/' .. file.list(dir)[1])
    recode.forget()
    t.sh('rm ' .. dir .. '/*')
    local here = group(wild { level = 2 }, 'never')
    t.equal(#file.list(dir), 1)
    t.ok(file.read_all(dir .. '/' .. file.list(dir)[1]) == entry, 'the same entry')
    t.equal(apart.account, here.account)
    within(0.5, function()
      local first = t.raises('no end after 0.5 s at image ', function() group(wild { how = 'hang', mark = 9 }) end)
      local start = c.C.hz_seconds()
      t.equal(t.raises('no end after', function() group(wild { how = 'hang', mark = 9 }) end), first)
      t.ok(c.C.hz_seconds() - start < 0.4, 'not again')
      recode.retry()
      t.raises('no end after', function() group(wild { how = 'hang', mark = 9 }) end)
      t.ok(c.C.hz_seconds() - start > 0.4, 'but when that is asked for')
    end)
  end)
end)

-- ---- sweeps ----

local script = [[
local hz = require 'hz'
local knob = hz.args({ { 'how', { 'well', 'crash', 'leave', 'hang' }, 'string', '', list = true },
  { 'parallel', 1, 'int', '' }, { 'isolate', nil, 'string', '' }, { 'runs', 'runs', 'string', '' },
  { 'seed', { 1, 2 }, 'int', '', list = true }, { 'start', nil, 'string', '', list = true },
  { 'level', { 3, 'raw' }, 'int', '', list = true, also = { 'raw' } } }, ...)
local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
local l = hz.layers
local sweep = hz.sweep { name = 'wild', data = { { name = 'camera', train = train, test = test } }, codec = { 'wild' },
  level = knob.level, how = knob.how, start = knob.start, model = { 'net.lua' }, seed = knob.seed, epochs = 2,
  batch = 16, train = 60,
  parallel = knob.parallel, isolate = knob.isolate, runs = knob.runs,
  optimizer = function() return hz.adam { rate = 0.01 } end }
print(sweep)
print(sweep:closing())
sweep:finish()
]]

local function place()
  local dir = t.folder()
  local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)
  t.write(dir .. '/net.lua', sweeps.net)
  t.write(dir .. '/sweep.lua', script)
  local env = ('cd %s && export HZ_CACHE=%s/cache HZ_PLUGIN_PATH=%s HZ_ITEM_SECONDS=%%s; '):format(t.quote(dir),
    t.quote(dir), folder_with 'wild')
  return dir, function(args) return t.sh(env:format(0.5 * patience) .. t.quote(t.hz) .. ' sweep.lua ' .. args
    .. '; exit $?') end, env, sweeps
end

t.case('in a sweep it costs its cells, which are named, tried again, and may then succeed', function()
  local dir, run, _, sweeps = place()
  local status, out, err = run ''
  t.equal(status, 3, err)
  t.match(out, '10 cells')
  t.match(out, '\nwild level=3 how=well ')
  for _, seed in ipairs { 1, 2 } do
    for how, message in pairs { crash = 'signal 11 %(SIGSEGV%) at image 0 of %d+; needs a plugin',
        leave = 'it ended its process with status 0 at image 0 of', hang = 'no end after %S+ s at image 0 of' } do
      t.match(out, ('failed: cell %%d+, wild level=3 how=%s, net, seed %d: [^\n]*wild: %s'):format(how, seed, message))
    end
  end
  t.match(err, '6 of 10 cells failed')
  status, out, err = run 'parallel=2 how=well,crash'
  t.equal(status, 3, err)
  t.match(out, '6 cells, 4 of them finished')
  t.match(out, 'failed: cell %d, wild level=3 how=crash, net, seed 1: [^\n]*SIGSEGV')
  t.match(err, '2 of 6 cells failed')
  for _, mode in ipairs { 'always', 'never', 'auto' } do
    status, out, err = run(('how=well runs=%s isolate=%s'):format(mode, mode))
    t.equal(status, 0, err)
    if mode ~= 'always' then sweeps.same_cells(dir .. '/always', dir .. '/' .. mode) end
    t.sh('rm -r ' .. dir .. '/cache/recoded')
  end
  status, out, err = run 'runs=started how=well start=well,crash seed=1 level=2'
  t.equal(status, 3, err)
  t.match(out, '2 cells')
  t.match(out, 'failed: cell 2, wild level=2 how=well start=crash, net, seed 1: [^\n]*SIGSEGV%) before its first image')
  status, out, err = run 'runs=started start=refused'
  t.equal(status, 1, out)
  t.match(err, 'wild: start is refused; needs another')
  status, out, err = run 'isolate=sometimes'
  t.equal(status, 1, out)
  t.match(err, "sweep: isolate is 'sometimes'; needs auto, always, never")
end)

local function await(f)
  local value
  for _ = 1, 500 * patience do
    value = f()
    if value then break end
    os.execute 'sleep 0.02'
  end
  return value
end

local function children(pid)
  local list = {}
  for _, name in ipairs(file.list '/proc') do
    local ok, stat = pcall(file.read_all, '/proc/' .. name .. '/stat')
    if name:find '^%d+$' and ok and tonumber(stat:match '^.*%) %a (%d+)') == pid then
      list[#list + 1] = tonumber(name)
    end
  end
  return list
end

t.case('a signal ends both at once; a process that is killed leaves none behind', function()
  local _, _, env = place()
  for _, ending in ipairs { { 'INT', 130 }, { 'TERM', 75 }, { 'KILL', 137 } } do
    local d = t.folder()
    os.execute(('%s ( %s sweep.lua how=hang seed=1 >%s/out 2>%s/err & p=$!; echo $p >%s/pid; wait $p; '
      .. 'echo $? >%s/status ) >/dev/null 2>&1 &'):format(env:format(600), t.quote(t.hz), d, d, d, d))
    local pid = await(function() return tonumber(t.read(d .. '/pid') or '') end)
    local child = await(function() return children(pid)[1] end)
    t.ok(child, t.read(d .. '/err'))
    os.execute(('sleep 0.1; kill -%s %d'):format(ending[1], pid))
    t.equal(await(function() return tonumber(t.read(d .. '/status') or '') end), ending[2], t.read(d .. '/err'))
    t.ok(await(function() return not posix.alive(child) end), ending[1])
  end
end)

t.case('a plugin that ruins its process as it is loaded is skipped, and hz lives', function()
  if sanitizer == 'thread' then t.skip 'the thread sanitizer bears no fork' end
  local from, dir = c.library:match '^(.*)/' .. '/test/bad/bad_', t.folder()
  if not file.exists(from .. 'opens.so') then t.skip 'test/bad is not built (make ctests)' end
  for _, name in ipairs { 'opens', 'leaves_open', 'waits', 'none' } do
    file.write(('%s/%s.so'):format(dir, name), file.read_all(from .. name .. '.so'))
  end
  local status, out, err = t.sh(('HZ_PLUGIN_PATH=%s %s plugin list'):format(dir, t.quote(t.hz)))
  t.equal({ status, err }, { 0, '' })
  t.match(out, 'skipped  [^\n]*/opens.so\n +it crashes as it is loaded: signal %d+ %(SIG%u+%)')
  t.match(out, 'skipped  [^\n]*/leaves_open.so\n +it ends its process as it is loaded, with status 0')
  t.match(out, 'skipped  [^\n]*/waits.so\n +it hangs as it is loaded: nothing for %d+ s')
  t.match(out, '\nbad_none +image ')
end)
