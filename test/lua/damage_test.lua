-- Damage in the folder of a training, and signals while modules load: what is said helps, and nothing else happens.
local t = ...
local hz = require 'hz'

local root = require 'hz.c'.root
local script = root .. '/experiments/cifar_train.lua'
local keys = ' data=camera train=60 test=20 batch=20 '

-- What may have become of a file.
local damages = {
  half = function(path, text) t.write(path, text:sub(1, math.floor(#text / 2))) end,
  empty = function(path) t.write(path, '') end,
  flipped = function(path, text)
    local at = math.floor(#text / 2)
    t.write(path, text:sub(1, at) .. string.char((text:byte(at + 1) + 1) % 256) .. text:sub(at + 2))
  end,
  gone = function(path) os.remove(path) end,
  null = function(path) t.write(path, 'null') end,
  list = function(path) t.write(path, '[1]') end,
  object = function(path) t.write(path, '{}') end,
  folder = function(path) os.remove(path); hz.file.mkdir(path) end,
  pipe = function(path) os.remove(path); os.execute('mkfifo ' .. t.quote(path)) end,
  ['link to nothing'] = function(path) os.remove(path); os.execute('ln -s /nonexistent/x ' .. t.quote(path)) end,
}

-- Either the damage matters nothing (status 0), or one message says what helps, and that does help.
local function tell(folder, file, what, command)
  local status, _, err = t.run(command)
  if status == 0 then return end
  t.equal(status, 1, what)
  local last = err:match '([^\n]*)\n$' or ''
  t.match(last, folder:match '[^/]*$', what)
  t.ok(not last:find 'lua/hz/', what .. ': ' .. last)
  t.equal(select(2, last:gsub('%.lua:%d+: ', '')), 1, what .. ': ' .. last)
  local fresh = last:find 'fresh=true' and ' fresh=true' or ''
  if fresh == '' then
    t.ok(last:find 'is removed' or last:find 'or nothing' or last:find 'Is a directory', what .. ': ' .. last)
    hz.file.remove(folder .. '/' .. file)
  end
  local again, _, more = t.run(command .. fresh)
  t.equal(again, 0, what .. fresh .. ': ' .. more)
end

local function tell_all(files, make, finish)
  for _, file in ipairs(files) do
    for name, damage in pairs(damages) do
      local folder = t.folder() .. '/run'
      make(folder)
      local path = folder .. '/' .. file
      damage(path, t.read(path) or '')
      tell(folder, file, file .. ': ' .. name, finish(folder))
    end
  end
end

t.case('damage in the folder of a finished training says what helps', function()
  local whole = t.folder() .. '/whole'
  local function command(folder) return t.quote(script) .. keys .. 'epochs=1 out=' .. t.quote(folder) end
  t.equal(t.run(command(whole)), 0)
  tell_all({ 'settings.json', 'result.json', 'model.safetensors', 'log.jsonl', 'lock' },
    function(folder) os.execute(('cp -r %s %s'):format(t.quote(whole), t.quote(folder))) end, command)
end)

t.case('damage in the folder of a stopped training says what helps, or the training begins anew', function()
  local whole = t.folder() .. '/whole'
  local function command(folder) return t.quote(script) .. keys .. 'epochs=3 out=' .. t.quote(folder) end
  local stop = t.folder() .. '/stop.lua'
  t.write(stop, ([[
    local train = require 'hz.net.train'
    local run = train.run_in
    train.run_in = function(o)
      local said = o.on_epoch
      o.on_epoch = function(...) said(...); require 'hz.c'.C.hz_signal_set(2) end
      return run(o)
    end
    arg[0] = %q
    assert(loadfile(%q))(...)]]):format(script, script))
  t.equal(t.run(t.quote(stop) .. keys .. 'epochs=3 out=' .. t.quote(whole)), 130)
  t.ok(hz.file.exists(whole .. '/resume.safetensors'))
  tell_all({ 'settings.json', 'resume.safetensors', 'log.jsonl' },
    function(folder) os.execute(('cp -r %s %s'):format(t.quote(whole), t.quote(folder))) end, command)
end)

t.case('a finished training read back on the same machine says of no change', function()
  local command = t.quote(script) .. keys .. 'epochs=1 out=' .. t.quote(t.folder() .. '/run')
  t.equal(t.run(command), 0)
  local status, _, err = t.run(command)
  t.equal(status, 0)
  t.match(err, '^[^\n]*: finished before; fresh=true trains anew\n$')
end)

-- ---- signals ----

-- What a signal finds at work: each ends by it, and none takes it for a mistake of its own.
local works = { 'hz.codec.png{}', "hz.data('camera', {train=20, test=10})",
  "hz.codec.png{}:recode(hz.zeros({2,8,8,3}, 'u8'))",
  "require 'hz.data.doctor'.examine(require 'hz.data.dataset'.describe 'camera', {given={}})",
  "hz.safetensors.read(FILE)", "hz.results{runs='runs'}", "hz.model 'small'", 'hz.matmul(hz.ones{2,2}, hz.ones{2,2})',
  "hz.run{kind='train', out=FOLDER, settings={}}:train{net=hz.model 'small', train=SET, test=SET, epochs=1, batch=10}" }

t.case('a signal while something loads ends with 130 or 75', function()
  local d = t.folder()
  t.write(d .. '/s.lua', [[
    local work, signal, folder = ...
    SET = hz.data('camera', { split = 'test', test = 20 })
    FOLDER, FILE = folder .. '/run', folder .. '/f'
    hz.safetensors.write(FILE, { a = hz.ones { 3 } })
    hz.file.mkdir(folder .. '/runs/sweeps')
    local f = assert(loadstring(work))
    require 'hz.c'.C.hz_signal_set(tonumber(signal))
    f()]])
  for _, work in ipairs(works) do
    for signal, wanted in pairs { [2] = 130, [15] = 75 } do
      local status, _, err = t.run { d .. '/s.lua', work, signal, d }
      t.equal({ status, err:match '[^\n]*\n$' }, { wanted, 'hz: interrupted\n' }, work .. err)
      hz.file.remove(d .. '/run')
    end
  end
end)

t.case('a module that was interrupted while it loaded is there afterwards', function()
  local d = t.folder()
  t.write(d .. '/s.lua', [[
    local c, ffi, posix = require 'hz.c', require 'ffi', require 'hz.ext.posix'
    ffi.cdef 'int kill(int pid, int signal);'
    local _, stop = pcall(c.interrupt, 2)
    local cdef, n = ffi.cdef, 0
    ffi.cdef = function(...) n = n + 1; ffi.C.kill(posix.pid(), 2); return cdef(...) end
    for _, name in ipairs { 'hz.ext.curl', 'hz.ext.archive', 'hz.ext.blas', 'hz.ext.sqlite', 'hz.ext.edit' } do
      local ok, e = _HZ.guard(stop, tostring, function()
        local module = require(name)
        c.poll()
        return module
      end)
      print(name, ok, ok and type(require(name)) or e, type(require(name)))
    end
    print(n > 0)]])
  local status, out, err = t.run { d .. '/s.lua' }
  t.equal({ status, err }, { 0, '' })
  t.equal(out, ([[
hz.ext.curl false interrupted table
hz.ext.archive false interrupted table
hz.ext.blas false interrupted table
hz.ext.sqlite false interrupted table
hz.ext.edit false interrupted table
true
]]):gsub(' ', '\t'))
end)
return t
