-- origin_test.lua: what the code of a plugin is, decides its cells: plugins of the tree by their sources, which
-- plugins/sources.txt knows by version, others by their file.
local t = ...
local codec = require 'hz.codec.codec'
local crypto = require 'hz.ext.crypto'
local file = require 'hz.base.file'
local plugins = require 'hz.codec.plugins'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)

-- Rows { name, version, digest } of sources.txt.
local function recorded()
  local rows = {}
  for line in t.read 'plugins/sources.txt':gmatch '[^\n]+' do
    local name, version, digest = line:match '^([%w_]+) (%S+) (%x+)$'
    if name then rows[#rows + 1] = { name, version, digest } else t.match(line, '^#') end
  end
  return rows
end

-- What sha256sum says of all files in a folder, and once more of that (plugins.mk).
local function digest_of(folder)
  local lines = {}
  for _, name in ipairs(file.list(folder)) do
    if name:find '%.[ch]$' then
      lines[#lines + 1] = ('%s  %s\n'):format(crypto.sha256(t.read(folder .. '/' .. name)), name)
    end
  end
  return crypto.sha256(table.concat(lines)):sub(1, 32)
end

t.case('the sources of each plugin are recorded under its version', function()
  local rows, seen = recorded(), {}
  for _, row in ipairs(rows) do
    t.ok(not seen[row[3]], 'once each: ' .. table.concat(row, ' '))
    seen[row[3]] = row[1] .. ' ' .. row[2]
  end
  for _, name in ipairs(file.list 'plugins') do
    local main = file.exists('plugins/' .. name) == 'folder' and t.read(('plugins/%s/%s.c'):format(name, name))
    if main then
      local own = name .. ' ' .. main:match '%.version = "([^"]*)"'
      local digest = digest_of('plugins/' .. name)
      t.equal(seen[digest], own, ("plugins/sources.txt lacks '%s %s' (its head says when the version rises)"):format(
        own, digest))
    end
  end
end)

t.case('plugins of the tree with recorded sources are told by version alone', function()
  for _, name in ipairs { 'jpeg', 'png' } do
    if plugins.has(name) then t.ok(not codec[name] {}.fingerprint:find ', sources %x+%)$') end
  end
end)

-- A folder with the skeleton, changed from one text to another, built as one builds elsewhere.
local function built(from, to)
  if not t.tool 'cc' then t.skip 'no C compiler' end
  local dir, source = t.folder(), t.read 'plugins/skeleton/skeleton.c'
  t.write(dir .. '/skeleton.c', (source:gsub(from, to)))
  local status, _, err = t.sh(('cc -O1 -fPIC -shared -Icore -o %s/mine.so %s/skeleton.c'):format(dir, dir))
  t.equal(status, 0, err)
  return dir
end

local function fingerprint(folder)
  local script = t.write(t.folder() .. '/f.lua', "print(require 'hz'.codec.skeleton{}.fingerprint)")
  local status, out, err = t.sh(('HZ_PLUGIN_PATH=%s %s %s'):format(folder, t.quote(t.hz), script))
  t.equal(status, 0, err)
  return out
end

local FLIP = { 'pixel%[i%] >> %(8', '(pixel[i] ^ 128) >> (8' }

t.case('a plugin built elsewhere is told by its file', function()
  local a = fingerprint(built('Read it', 'Read this'))
  t.match(a, '^skeleton 1 %(hz.codec/0.1, none, file ' .. ('%x'):rep(32) .. '%)')
  t.equal(fingerprint(built('Read it', 'Read that')), a, 'equal files in other folders')
  t.ok(fingerprint(built(unpack(FLIP))) ~= a)
end)

t.case('a plugin of the tree is told by its sources where they are not recorded', function()
  if not t.tool 'cc' or not t.tool 'make' then t.skip 'no C compiler, or no make' end
  local function make(from, to)
    local dir = t.folder()
    t.sh(('mkdir -p %s/core/hz && cp -r plugins Makefile %s && cp core/hz/plugin.h %s/core/hz'):format(dir, dir, dir))
    local path = dir .. '/plugins/skeleton/skeleton.c'
    t.write(path, (t.read(path):gsub(from, to)))
    local status, _, err = t.sh(('cd %s && make BUILD=b SAN= b/test/plugins/skeleton.so'):format(dir))
    t.equal(status, 0, err)
    return fingerprint(dir .. '/b/test/plugins'), digest_of(dir .. '/plugins/skeleton')
  end
  t.equal(make('Read it', 'Read it'), 'skeleton 1 (hz.codec/0.1, none)\n')
  local changed, digest = make('Read it', 'Read this')
  t.equal(changed, ('skeleton 1 (hz.codec/0.1, none, sources %s)\n'):format(digest))
end)

t.case('a rebuilt codec finds no stale cells, and the sweep says why', function()
  local dir, run = sweeps.place()
  local function sweep(more)
    local status, out, err = run('codec=skeleton seed=1 epochs=1 runs=a ' .. more, 'export HZ_PLUGIN_PATH=.; ')
    t.equal(status, 0, err)
    return out
  end
  local function install(...) t.equal((t.sh(('cp %s/mine.so %s'):format(built(...), dir))), 0) end
  install('Read it', 'Read it')
  sweep 'quality=1'
  sweep 'quality=raw,1'
  t.match(sweep 'quality=1', '1 cell, 1 of them finished')
  install(unpack(FLIP))
  local anew = 'computed anew, because this differs since tiny%-%x+: test%.codec%.codec, training%.data%.codec%.codec'
  t.match(sweep 'quality=1', anew)
  local out = sweep 'quality=raw,1'
  t.match(out, anew, 'although the first cell is the same')
  t.match(out, '2 cells, 2 of them finished')
end)
