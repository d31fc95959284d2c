-- files.lua: a sweep and a training that are killed, or whose disk is full or in error, at the n-th call that changes a
-- file (fixtures/faults.c), or killed at a random moment. Then the same command is run again, undisturbed: it must end
-- with the results of a run that nothing happened to, and what was finished before must never change.
local t, library = ...
local file, json, safetensors = require 'hz.base.file', require 'hz.base.json', require 'hz.tensor.safetensors'
local sweeps = assert(loadfile(t.here .. 'sweeps.lua'))(t)

local M = {}

-- ---- what is disturbed ----

-- Everything a training says in its folder, without times: name -> text.
local function training_contents(folder)
  local out = {}
  for _, name in ipairs(file.list(folder)) do
    local path = file.join(folder, name)
    if name:find '%.safetensors$' then
      local tensors, parts = safetensors.read(path), {}
      for k, x in pairs(tensors) do parts[#parts + 1] = k .. require 'ffi'.string(x.data, x:count() * 4) end
      table.sort(parts)
      out[name] = table.concat(parts)
    elseif name ~= 'lock' then                           -- it names a process
      out[name] = t.read(path):gsub('"[%a_]*seconds": ?[%d.e+-]+', '')
    end
  end
  return out
end

-- name -> { args of hz that do the whole, args that finish a part of it beforehand, contents(folder) }; results go to
-- the folder b.
M.works = {
  sweep = { whole = 'sweep.lua runs=b seed=1..2 epochs=3', part = 'sweep.lua runs=b seed=1 epochs=3',
            contents = sweeps.contents },
  train = { whole = "'%s' data=camera model=./net.lua train=48 test=24 epochs=3 batch=16 out=b",
            contents = training_contents },
}
M.names = { 'sweep', 'train' }

local function differs(a, b)
  for name, text in pairs(a) do if text ~= b[name] then return name end end
end

local Work = {}
Work.__index = Work

-- In the work's folder: status, stdout, stderr. fault: value of HZ_FAULTS.
function Work:run(args, fault, before)
  local dir = t.quote(self.dir)
  local env = ''
  if fault then
    env = 'LD_PRELOAD=%s HZ_FAULTS=%s HZ_FAULTS_UNDER=%s/ HZ_FAULTS_SEEN=%s/seen '
    env = env:format(t.quote(library), fault, dir, dir)
  end
  local command = 'cd %s && export HZ_CACHE=%s/cache; %s%s%s %s; exit $?'
  return t.sh(command:format(dir, dir, env, before or '', t.quote(t.hz), args))
end

function Work:restore() os.execute(('cd %s && rm -rf b cache && cp -r part/. .'):format(t.quote(self.dir))) end

local function seconds() return require 'hz.c'.C.hz_seconds() end

-- A work with its undisturbed results, the number of its calls and its time.
function M.place(name)
  local self = setmetatable({ name = name, dir = (sweeps.place()) }, Work)
  for k, v in pairs(M.works[name]) do self[k] = v end
  self.whole = self.whole:format(require 'hz'.root .. '/experiments/cifar_train.lua')
  t.write(self.dir .. '/seen', ('\0'):rep(8))
  file.mkdir(self.dir .. '/part')
  if self.part then
    t.equal((self:run(self.part)), 0)
    os.execute(('cd %s && cp -r b cache part/'):format(t.quote(self.dir)))
    self.finished = self.contents(self.dir .. '/b')
  else
    self.finished = {}
  end
  self:restore()
  local began = seconds()
  local status, _, err = self:run(self.whole, 'off:0')
  t.equal(status, 0, err)
  self.seconds, self.wanted = seconds() - began, self.contents(self.dir .. '/b')
  self.calls = tonumber(require 'ffi'.cast('int64_t *', t.read(self.dir .. '/seen'))[0])
  return self
end

-- ---- what must hold ----

local messages = { full = 'No space left on device', short = 'No space left on device', error = 'Input/output error' }

-- nil, or what is wrong with how a disturbed run ended.
local function ended_badly(self, mode, status, err)
  local killed = mode == 'kill' or mode == 'after' or mode == 'time'
  if status == 0 then
    local name = differs(self.wanted, self.contents(self.dir .. '/b'))
    return name and ('status 0, and %s differs'):format(name)
  end
  if killed then return status ~= 137 and ('status %d; needs 137: %s'):format(status, err) end
  if status ~= 1 then return ('status %d; needs 1: %s'):format(status, err) end
  if not err:find(messages[mode], 1, true) then return 'no message of the disk: ' .. err end
  if err:find('stack traceback', 1, true) then return 'a traceback: ' .. err end
end

-- Whether finished things are as they were.
local function lost(self)
  local ok, now = pcall(self.contents, self.dir .. '/b')
  if not ok then return next(self.finished) and tostring(now) end
  return differs(self.finished, now)
end

local function run_again(self)
  local status, _, err = self:run(self.whole)
  if status ~= 0 then return ('run again it ends with status %d: %s'):format(status, err) end
  local now = self.contents(self.dir .. '/b')
  local name = differs(self.wanted, now) or differs(now, self.wanted)
  return name and ('run again, %s differs'):format(name)
end

-- One try; returns nil or what was lost. n: number of the call; of mode 'time' the share of the time, in thousandths.
function Work:try(mode, n)
  self:restore()
  local status, _, err
  if mode == 'time' then
    status, _, err = self:run(self.whole, nil, ('timeout -s KILL %.3f '):format(self.seconds * n / 1000))
  else
    t.write(self.dir .. '/seen', ('\0'):rep(8))
    status, _, err = self:run(self.whole, ('%s:%d'):format(mode, n))
  end
  local bad = ended_badly(self, mode, status, err)
  if bad then return bad end
  local gone = lost(self)
  return gone and ('what was finished is not as it was: %s'):format(gone) or run_again(self)
end

-- ---- what is tried ----

M.modes = { 'kill', 'after', 'full', 'short', 'error', 'time' }

-- Points of a mode to try: numbers of calls, all or `knob.calls` of them, spread evenly from a random one on; random
-- moments.
function M.points(work, mode, knob, draw)
  local list = {}
  if mode == 'time' then
    for i = 1, knob.kills do list[i] = draw:whole(50, 1000) end
    return list
  end
  local step = knob.calls > 0 and math.max(1, work.calls / knob.calls) or 1
  local at = 1 + draw:unit() * (step - 1)
  while at <= work.calls do
    list[#list + 1] = math.floor(at)
    at = at + step
  end
  return list
end

return M
