-- Files: written as a whole or not at all, folders, locks that die with their process.
local t = ...
local ffi = require 'ffi'
local file = require 'hz.base.file'

local function script(text) return t.write(t.folder() .. '/s.lua', text) end

t.case('what was written is read', function()
  local path = t.folder() .. '/a'
  local bytes = ffi.new('uint8_t[3]', { 1, 0, 255 })
  file.write(path, { 'head', { bytes, 3 }, '' })
  t.equal(file.read_all(path), 'head\1\0\255')
  t.equal(file.size(path), 7)
  file.write(path, '')
  t.equal(file.read_all(path), '')
  t.equal(file.list(file.folder_of(path)), { 'a' }, 'no temporary file is left')
end)

t.case('folders', function()
  local d = t.folder()
  file.mkdir(d .. '/a/b//c/')
  file.mkdir(d .. '/a/b/c')
  t.equal(file.exists(d .. '/a/b/c'), 'folder')
  file.write(d .. '/a/x', '1')
  file.write(d .. '/a/B', '1')
  t.equal(file.list(d .. '/a'), { 'B', 'b', 'x' })
  t.raises('is not a folder', file.mkdir, d .. '/a/x')
  os.execute(('ln -s %s %s'):format(d .. '/a', d .. '/link'))
  file.remove(d .. '/link')
  t.equal(file.exists(d .. '/a/x'), 'file', 'a removed link leaves what it points to')
  file.remove(d .. '/a')
  file.remove(d .. '/a')
  t.equal(file.exists(d .. '/a'), nil)
  t.equal({ file.folder_of '/a/b', file.folder_of 'a', file.folder_of '/a', file.folder_of 'a/b/c' },
    { '/a', '.', '/', 'a/b' })
end)

t.case('errors name the path and the reason', function()
  local d = t.folder()
  t.raises(d .. '/none: No such file', file.read_all, d .. '/none')
  t.raises('is a folder', file.read_all, d)
  t.raises(d .. '/none/x: No such file', file.write, d .. '/none/x', '1')
  t.raises(d .. ': Is a directory', file.write, d, '1')
  t.raises('No such file', file.list, d .. '/none')
  t.raises('none: No such file', file.size, d .. '/none')
  file.write(d .. '/f', '12345')
  t.raises('ends 5 bytes early', file.with, d .. '/f', function(read) read(ffi.new 'char[10]', 10) end)
end)

t.case('a write that fails leaves the old file and no other', function()
  local d = t.folder()
  file.write(d .. '/f', 'old')
  local s = script(([[
    local file = require 'hz.base.file'
    local ok, e = pcall(file.write, '%s/f', ('x'):rep(1e6))
    print(ok, e)
  ]]):format(d))
  local _, out = t.sh(("trap '' XFSZ; ulimit -f 64; %s %s"):format(t.quote(t.hz), s))
  t.match(out, 'false.*write: .*/f: File too large')
  t.equal(file.read_all(d .. '/f'), 'old')
  t.equal(file.list(d), { 'f' })
end)

t.case('a full disk leaves the old file', function()
  local d = t.folder()
  if os.execute(('mount -t tmpfs -o size=64k none %s 2>/dev/null'):format(d)) ~= 0 then
    t.skip 'a small file system cannot be mounted here'
  end
  local ok, e = pcall(function()
    file.write(d .. '/f', 'old')
    t.raises('f: No space left on device', file.write, d .. '/f', ('x'):rep(100000))
    t.equal(file.read_all(d .. '/f'), 'old')
    t.equal(file.list(d), { 'f' })
  end)
  os.execute('umount ' .. d)
  if not ok then error(e, 0) end
end)

t.case('a process that has ended is not alive, even where nobody has asked about it yet', function()
  local posix = require 'hz.ext.posix'
  local p = io.popen 'sleep 0 & echo $! $$; exec sleep 30'      -- which never waits for the first
  local pid, parent = p:read '*n', p:read '*n'
  local state
  for _ = 1, 200 do
    local f = io.open(('/proc/%d/stat'):format(pid))
    state = f and f:read '*a':match '.*%) (%u)'
    if f then f:close() end
    if state == 'Z' then break end
    os.execute 'sleep 0.01'
  end
  t.equal(state, 'Z', 'a zombie')
  t.equal(posix.alive(pid), false)
  os.execute('kill ' .. parent)
  p:close()
  t.equal(posix.alive(posix.pid()), true)
end)

t.case('temporary files of dead processes are swept away', function()
  local d = t.folder()
  local posix = require 'hz.ext.posix'
  local _, out = t.sh 'sh -c "echo \\$\\$"'
  local dead = ('.f.%s-%d-1.tmp'):format(posix.host(), tonumber(out))
  local own, foreign = ('.f.%s-%d-1.tmp'):format(posix.host(), posix.pid()), '.f.elsewhere-1-1.tmp'
  for _, name in ipairs { dead, own, foreign, 'f' } do file.write(d .. '/' .. name, '') end
  file.sweep(d)
  local left = { foreign, own, 'f' }
  table.sort(left)
  t.equal(file.list(d), left)
  -- Written hours before the process that has this number now began: by another one.
  os.execute(('touch -d "20 hours ago" %s/%s'):format(d, own))
  t.ok(posix.began(posix.pid()) > os.time() - 20 * 3600)
  file.sweep(d)
  t.equal(file.list(d), { foreign, 'f' })
end)

t.case('a lock keeps others off, names its owner, and dies with its process', function()
  local path = t.folder() .. '/lock'
  local posix = require 'hz.ext.posix'
  local holder = script(([[
    assert(require 'hz.base.file'.lock '%s')
    print(require 'hz.ext.posix'.pid()) io.stdout:flush()
    io.read()
  ]]):format(path))
  local wait = t.folder() .. '/wait'                    -- a pipe that nobody writes to
  local p = io.popen(('mkfifo %s; exec 3<>%s; exec %s %s <&3'):format(wait, wait, t.quote(t.hz), holder))
  local pid = tonumber(p:read '*l')
  local lock, owner = file.lock(path)
  t.equal(lock, nil)
  t.equal(owner.pid, pid)
  t.equal(owner.host, posix.host())
  t.match(owner.text, '^process %d+ on ')
  t.ok(posix.alive(pid))
  os.execute('kill -9 ' .. pid)
  p:close()
  lock = t.ok(file.lock(path), 'the holder was killed')
  lock:release()
  t.equal(file.exists(path), nil)
  t.ok(file.lock(path)):release()
end)

t.case('XDG folders', function()
  local s = script [[ local f = require 'hz.base.file' print(f.data_home(), f.state_home(), f.cache_home()) ]]
  local function run(env)
    return select(2, t.sh('env -u XDG_DATA_HOME -u XDG_STATE_HOME -u XDG_CACHE_HOME -u HZ_CACHE ' .. env .. ' '
      .. t.quote(t.hz) .. ' ' .. s))
  end
  t.equal(run 'HOME=/h', '/h/.local/share/hz\t/h/.local/state/hz\t/h/.cache/hz\n')
  t.equal(run 'HOME=/h XDG_DATA_HOME=/d XDG_STATE_HOME=relative XDG_CACHE_HOME=/c',
    '/d/hz\t/h/.local/state/hz\t/c/hz\n')
  t.equal(run 'HOME=/h HZ_CACHE=/cache XDG_CACHE_HOME=/c', '/h/.local/share/hz\t/h/.local/state/hz\t/cache\n')
end)
