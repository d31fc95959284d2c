-- hz data fetch against a local server with a stand-in set: resuming, digests, interrupts, unsafe archives.
local t = ...
local file = require 'hz.base.file'
local fetch = require 'hz.data.fetch'

-- A running server: url, folder (of its archives), log(), stop(). Skips the case where it cannot run.
local function serve(certificate)
  if not t.tool 'python3' then t.skip 'python3 is not installed' end
  if not require 'hz.ext.curl'.present() then t.skip 'libcurl is not installed' end
  if not require 'hz.ext.archive'.present() then t.skip 'libarchive is not installed' end
  local d = t.folder()
  if t.sh(('python3 %sfixtures/archives.py %s'):format(t.here, d)) ~= 0 then
    t.skip 'python3 cannot make the archives'
  end
  local p = io.popen(('exec python3 %sfixtures/server.py %s %s/log %s 2>%s/err & echo $!; wait'):format(t.here, d, d,
    certificate or '', d))
  local pid, port = p:read '*l', p:read '*l'
  if not port then error('the server did not start: ' .. tostring(t.read(d .. '/err'))) end
  return { certificate = certificate, url = (certificate and 'https://localhost:' or 'http://127.0.0.1:') .. port,
    folder = d, log = function() return t.read(d .. '/log') or '' end,
    stop = function() os.execute('kill ' .. pid); p:close() end }
end

-- Runs f(server, describe, hz): describe(archive, how) writes a description file and gives its path; hz(path, more)
-- runs the fetch.
local function case(name, f, certificate)
  t.case(name, function()
    local server = serve(certificate and certificate())
    local base = t.folder()
    local function describe(archive, how, change)
      local path = server.folder .. '/' .. archive .. '.tar.gz'
      local spec = { bytes = file.size(path), sha256 = fetch.digests(path, { 'sha256' }).sha256 }
      for k, v in pairs(change or {}) do spec[k] = v end
      return t.write(t.folder() .. '/standin.lua',
        ([[return { name = 'standin', about = 'a stand-in', url = '%s/%s/%s.tar.gz', bytes = %d, sha256 = '%s',
          folder = 'standin', files = { { 'a.bin', 300000 }, { 'b.txt' } },
          read = function() error 'not read here' end }]]):format(
          server.url, how or 'range', archive, spec.bytes, spec.sha256))
    end
    local function hz(path, more)
      return t.sh(('%s HZ_DATA=%s %s data fetch %s'):format(more or '', base, t.quote(t.hz), path))
    end
    local function traced(e) return type(e) == 'string' and debug.traceback(e) or e end
    local ok, e = xpcall(f, traced, server, describe, hz, base)
    server.stop()
    if not ok then error(e, 0) end
  end)
end

local function is_complete(base)
  t.equal(file.list(base), { 'standin' }, 'nothing but the set is left')
  t.equal(file.list(base .. '/standin'), { 'a.bin', 'b.txt' }, 'only the expected files')
  t.equal(file.size(base .. '/standin/a.bin'), 300000)
  t.equal(file.read_all(base .. '/standin/b.txt'), 'hello')
end

case('downloads, checks, unpacks; a second time it is there already', function(server, describe, hz, base)
  local path = describe 'good'
  local status, out, err = hz(path)
  t.equal(status, 0, err)
  t.match(out, 'standin%.lua is in ' .. base:gsub('%p', '%%%0') .. '/standin\n$')
  t.match(err, 'sha256 as published; unpacking')
  is_complete(base)
  status, out = hz(path)
  t.equal(status, 0)
  t.match(out, 'was there already')
  t.equal(server.log(), '/range/good.tar.gz -\n', 'one request')
  file.remove(base .. '/standin/b.txt')
  t.match(select(3, hz(path)), 'standin is there but lacks b%.txt')
end)

case('a broken download is kept and carried on', function(server, describe, hz, base)
  local status, _, err = hz(describe('good', 'cut'))
  t.equal(status, 1)
  t.match(err, 'hz: fetch: http.*are kept, the same command carries on')
  local have = file.size(base .. '/good.tar.gz.part')
  t.ok(have > 100000)
  status, _, err = hz(describe 'good')
  t.equal(status, 0, err)
  t.match(server.log(), 'range/good%.tar%.gz bytes=' .. have .. '%-')
  is_complete(base)
end)

case('a server that cannot resume is asked for all of it', function(server, describe, hz, base)
  hz(describe('good', 'cut'))
  local status, _, err = hz(describe('good', 'plain'))
  t.equal(status, 0, err)
  is_complete(base)
  t.ok(select(2, server.log():gsub('\n', '')) >= 3)
end)

case('an interrupt leaves a part that is carried on', function(_, describe, hz, base)
  local path = describe('good', 'slow')
  -- in the foreground timeout signals once, else hz and then its group: a second Ctrl-C while hz is leaving silences it
  local status, _, err = t.sh(('HZ_DATA=%s timeout --foreground --preserve-status -s INT 0.7 %s data fetch '
    .. '%s'):format(base, t.quote(t.hz), path))
  t.match(err, 'interrupted')
  t.equal(status, 130)
  local have = file.size(base .. '/good.tar.gz.part')
  t.ok(have > 0 and have < 300000, have)
  t.equal(file.exists(base .. '/standin'), nil)
  status, _, err = hz(describe 'good')
  t.equal(status, 0, err)
  is_complete(base)
end)

case('a kill in the middle, too', function(_, describe, hz, base)
  t.sh(('HZ_DATA=%s timeout -s KILL 0.7 %s data fetch %s; true'):format(base, t.quote(t.hz), describe('good', 'slow')))
  t.ok(file.exists(base .. '/good.tar.gz.part'))
  t.equal((hz(describe 'good')), 0)
  is_complete(base)
end)

case('other bytes than the published are removed, not unpacked', function(_, describe, hz, base)
  local status, _, err = hz(describe('good', 'wrong'))
  t.equal(status, 1)
  t.match(err, 'sha256 of the %d+ bytes is %x+; the published one is %x+; the download was removed')
  t.equal(file.list(base), {})
  t.equal((hz(describe 'good')), 0)
end)

case('a server that sends too much is stopped', function(_, describe, hz, base)
  local status, _, err = hz(describe('good', 'more'))
  t.equal(status, 1)
  t.match(err, 'bytes came; needs')
  t.equal((hz(describe 'good')), 0, 'what is too long is not carried on')
  is_complete(base)
end)

case('a missing file, a missing host, a wrong address', function(server, describe, hz, base)
  local path = describe 'good'
  local status, _, err = hz(path .. ' url=' .. server.url .. '/range/none.gz')
  t.equal(status, 1)
  t.match(err, 'none%.gz: .*404')
  t.equal(file.list(base), {})
  status, _, err = hz(path .. ' url=http://127.0.0.1:1/x.gz')
  t.equal(status, 1)
  t.match(err, 'fetch: http://127%.0%.0%.1:1/x%.gz: [^\n]*connect')
  status, _, err = hz(path .. ' url=file:///etc/passwd')
  t.equal(status, 1)
  t.match(err, "needs an address with https://")
  status, _, err = hz(path .. ' url=' .. server.url .. '/redirect/good.tar.gz')
  t.equal(status, 0, err)
  is_complete(base)
end)

case('archives that would leave their folder or play tricks are refused', function(_, describe, hz, base)
  for _, row in ipairs {
    { 'absolute', "the entry '/tmp/hz%-escaped' leads out of the folder" },
    { 'dots', "the entry 'standin/../../hz%-escaped' leads out" },
    { 'symlink', "'standin/evil' is a symbolic link" }, { 'hardlink', "'standin/evil' is a hard link" },
    { 'device', "'standin/evil' is a special file" },
    { 'bomb', 'a%.bin holds more than 300000 bytes' }, { 'short', 'a%.bin has 299999 bytes; needs 300000' },
    { 'lacking', 'holds no standin/b%.txt' },
    { 'torn', 'unpack: ' }, { 'none', 'unpack: ' },
  } do
    local status, _, err = hz(describe(row[1]))
    t.equal(status, 1, row[1])
    t.match(err, row[2])
    t.equal(file.list(base), { row[1] .. '.tar.gz.part' }, row[1])
    t.equal(file.exists '/tmp/hz-escaped', nil)
    file.remove(base .. '/' .. row[1] .. '.tar.gz.part')
  end
end)

case('one process fetches a set at a time', function(_, describe, hz, base)
  local lock = file.lock(base .. '/.standin.lock')
  local status, _, err = hz(describe 'good')
  t.equal(status, 1)
  t.match(err, 'standin is being fetched by process %d+ on ')
  lock:release()
end)

local function certificate()
  if not t.tool 'openssl' then t.skip 'openssl is not installed' end
  local d = t.folder()
  local status = t.sh(("openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/key -out %s/cert -days 2 "
    .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost "
    .. "&& cat %s/key %s/cert > %s/both"):format(d, d, d, d, d))
  if status ~= 0 then t.skip 'openssl cannot make a certificate' end
  return d .. '/both'
end

case('HTTPS: certificates are checked, and it never falls back to HTTP', function(server, describe, hz, base)
  local status, _, err = hz(describe 'good')
  t.equal(status, 1)
  t.match(err, '[Cc]ertificate')
  t.equal(file.list(base), {})
  t.write(server.folder .. '/down', 'http://127.0.0.1:1/range/')
  local trust = 'CURL_CA_BUNDLE=' .. server.certificate
  status, _, err = hz(describe('good', 'down'), trust)
  t.equal(status, 1)
  t.match(err, '[Pp]rotocol')
  status, _, err = hz(describe 'good', trust)
  t.equal(status, 0, err)
  is_complete(base)
end, certificate)

t.case('sets that cannot be fetched', function()
  t.raises('camera needs no files', fetch.fetch, 'camera', {})
  t.raises("'nope' is unknown; have", fetch.fetch, 'nope', {})
  local status, _, err = t.run { 'data', 'fetch' }
  t.equal(status, 2)
  t.match(err, '0 names were given; needs one of camera, cifar10')
  status, _, err = t.run { 'data', 'fetch', 'cifar10', 'uri=x' }
  t.equal(status, 2)
  t.match(err, "'uri=x' is unknown, did you mean 'url='; takes NAME, url=ADDRESS")
end)
