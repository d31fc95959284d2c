-- run.lua: one training on disk: a folder with its settings, a log line per epoch, the resume point while it runs and
-- the parameters when it is done.
--   settings.json   what decides the result      log.jsonl      one object per epoch
--   resume.safetensors  only while unfinished    model.safetensors, result.json  only when finished
local c = require 'hz.c'
local choices = require 'hz.net.choices'
local crypto = require 'hz.ext.crypto'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local isa = require 'hz.isa'
local json = require 'hz.base.json'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local safetensors = require 'hz.tensor.safetensors'
local train = require 'hz.net.train'
local training = require 'hz.net.training'
local visible = require 'hz.base.visible'.line
local watching = require 'hz.net.watching'

local M, Run, methods = {}, {}, {}

local function key_of(settings) return crypto.sha256(json.encode(settings)) end

local function folder_for(o, key)
  if o.out then return o.out end
  local s = o.settings
  local function name(path) return (file.name_of(tostring(path)):gsub('%.lua$', '')) end      -- both may be files
  return file.join(os.getenv 'HZ_RUNS' or 'runs',
    ('%s/%s-%s-seed%d-%s'):format(o.kind, name(s.model), name(s.data), s.seed, key:sub(1, 8)))
end

local function path(self, name) return file.join(self.folder, name) end

local function check(o)
  names.fields('run', o, 'kind settings out fresh')
  need.table('run', 'settings', o.settings)
  if o.out ~= nil then return need.path('run', o.out) end
  need.text('run', 'kind', o.kind)
  need.text('run', 'settings.data', o.settings.data)
  need.seed('run', o.settings.seed, 'settings.seed')
end

-- What a JSON file of the folder says; an error says what to do about it.
local function read_json(self, name, form)
  local where = path(self, name)
  local ok, value = pcall(function() return fields.check(where, json.decode(file.read_all(where), where), form) end)
  if not ok then c.again(value, '; fresh=true trains anew') end
  return value
end

-- o: kind ('train'), settings (a table that decides the result), out (folder, may be nil), fresh. The folder is
-- locked while the process lives; a folder that holds a training with other settings is an error.
function M.new(o)
  check(o)
  local self = setmetatable({ settings = o.settings, key = key_of(o.settings) }, Run)
  self.folder = folder_for(o, self.key)
  file.mkdir(self.folder)
  local lock, owner = file.lock(path(self, 'lock'))
  if not lock then
    c.fail('%s: process %s on %s is at work here; needs another out=', self.folder, tostring(owner.pid),
      tostring(owner.host))
  end
  self.lock = lock
  file.sweep(self.folder)                               -- what a process that was killed here left half written
  if o.fresh then
    for _, name in ipairs { 'settings.json', 'log.jsonl', 'resume.safetensors', 'model.safetensors', 'result.json' } do
      file.remove(path(self, name))
    end
  end
  if file.exists(path(self, 'settings.json')) then
    local before = read_json(self, 'settings.json', {})
    if key_of(before) ~= self.key then
      c.fail('%s: it holds a training with other settings; needs another out=, or fresh=true to overwrite it',
        self.folder)
    end
  else
    file.write(path(self, 'settings.json'), json.encode(o.settings, { pretty = true }) .. '\n')
  end
  return self
end

local function write_log(self, curve)
  local lines = {}
  for i, row in ipairs(curve) do lines[i] = json.encode(row) .. '\n' end
  file.write(path(self, 'log.jsonl'), table.concat(lines))
end

-- By the kernels that scored it first, as far as they run here.
local function score_again(who, done, o)
  local settings = training.new('train', o, { tune = false })
  local made, _, changes = choices.plans(done.kernels, function()
    return { o.net:plan(settings:to_score(o.test)) }
  end, true)
  choices.say(who, changes)
  return made[1]:evaluate { views = settings.views }
end

-- A finished training is read back: its parameters into the net, scored again on the test set.
local function read_back(self, o)
  train.check(o)
  local done = read_json(self, 'result.json', { curve = 'list', seconds = 'number', kernels = 'table?' })
  local model = path(self, 'model.safetensors')
  local ok, e = pcall(function()
    local tensors, meta = safetensors.read_own(model, 'settings', 'model of a run')
    if meta.settings ~= self.key then c.fail('%s: it is of a training with other settings', model) end
    o.net:ensure()
    o.net:assign(tensors, model)
  end)
  if not ok then c.again(e, '; fresh=true trains anew') end
  file.remove(path(self, 'resume.safetensors'))         -- a kill may have come before its removal
  local result = { curve = done.curve, seconds = done.seconds, finished_before = true }
  if o.test then result.test = score_again(path(self, 'result.json'), done, o) end
  io.stderr:write(('%s: finished before; fresh=true trains anew\n'):format(visible(self.folder)))
  return result
end

-- hz.train with a status line, the log, the resume point and the final parameters; arguments and result are
-- train.lua's.
function methods:train(o)
  need.table('train', 'what was given', o)
  if file.exists(path(self, 'result.json')) then return read_back(self, o) end
  o.resume, o.key = path(self, 'resume.safetensors'), self.key
  local status = watching.watch(o, function(run) write_log(self, run.curve) end)
  if file.exists(o.resume) then status:line('resuming from ' .. o.resume) end
  local result = train.run_in(o)
  status:clear()
  o.net:save(path(self, 'model.safetensors'), { net = o.net.name, settings = self.key })
  local text = c.ffi.string
  file.write(path(self, 'result.json'), json.encode({ curve = result.curve, seconds = result.seconds,
    steps = result.steps, test_accuracy = result.test and result.test.accuracy,
    test_loss = result.test and result.test.finite and result.test.loss or nil,
    version = text(c.C.hz_version()), commit = text(c.C.hz_commit()),
    device = result.kernels.device, isa = result.kernels.isa, vendor = result.kernels.vendor,
    threads = c.C.hz_cpu_threads(),
    plan = result.plan:digest(),
    kernels = result.kernels, kernels_changed = result.kernels_changed }, { pretty = true }) .. '\n')
  file.remove(o.resume)
  file.sweep(self.folder)              -- a killed process may still have been dying when this one began
  return result
end

names.receivers('run', methods, function(x) return isa(x, Run) end)
Run.__index, Run.__names = names.index('run', methods, 'lock'), methods

return M
