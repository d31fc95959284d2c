-- cell.lua: one training at one point of a sweep's axes, and its file. A cell is named by a hash of everything that was
-- asked for. Equal cells are equal files (but for `run`), in any order, where the same kernels run at the same level;
-- `run` names both, since others add in another order.
--   cells/KEY.safetensors              a finished cell: what is reported, outcomes per item; never edited
--   cells/TRAINING.weights.safetensors a finished training: final weights, curve, outcome bits of the watch split
--   cells/TRAINING.resume.safetensors  an unfinished one: its resume point
--   cells/TRAINING.lock                held while one works on it
-- TRAINING names what decides the training alone: cells that differ in the test set's codec only share it.
local c = require 'hz.c'
local choices = require 'hz.net.choices'
local crypto = require 'hz.ext.crypto'
local file = require 'hz.base.file'
local form = require 'hz.sweep.form'
local json = require 'hz.base.json'
local plans = require 'hz.net.plan'
local posix = require 'hz.ext.posix'
local protocol = require 'hz.sweep.protocol'
local safetensors = require 'hz.tensor.safetensors'
local say = require 'hz.base.say'
local trainer = require 'hz.net.train'

local M = {}

M.SCHEMA = 1

-- ---- names ----

local function digest(value) return crypto.sha256(json.encode(value)):sub(1, 32) end

-- Keys of the whole cell and of its training, from { training = {...}, test = {...} }.
function M.keys(decides)
  local base = { schema = M.SCHEMA, numerics = c.C.hz_numerics() }
  return digest { base, decides.training, decides.test }, digest { base, decides.training }
end

function M.folder(runs) return file.join(runs, 'cells') end
function M.path(runs, key) return file.join(M.folder(runs), key .. '.safetensors') end
function M.weights_path(runs, training) return file.join(M.folder(runs), training .. '.weights.safetensors') end
function M.resume_path(runs, training) return file.join(M.folder(runs), training .. '.resume.safetensors') end
local function lock_path(runs, training) return file.join(M.folder(runs), training .. '.lock') end

-- ---- reading ----

-- A finished cell: the record (all that is reported; `run` holds times and the machine), its outcome tensors, and the
-- texts of the record without `run`, and of that. Damage is an error.
function M.read(runs, key)
  local path = M.path(runs, key)
  local tensors, meta, record = safetensors.read_own(path, 'hz.cell', 'cell of a sweep')
  local own = type(record) == 'table' and record or {}
  if own.schema ~= M.SCHEMA or own.key ~= key then
    c.fail('%s: it holds cell %s of schema %s; needs %s of schema %d', path, tostring(own.key), tostring(own.schema),
      key, M.SCHEMA)
  end
  record.run = json.decode(meta['hz.run'] or 'null', path)
  form.cell(path, record)
  form.outcomes(path, record, tensors)
  return record, tensors, meta['hz.cell'], meta['hz.run']
end

function M.exists(runs, key) return file.exists(M.path(runs, key)) ~= nil end

-- Epochs of a training that are behind its resume point; all of them once it is finished.
function M.epochs_done(runs, job)
  if file.exists(M.weights_path(runs, job.training_key)) then return job.settings.epochs end
  local path = M.resume_path(runs, job.training_key)
  if not file.exists(path) then return 0 end
  local ok, meta = c.try(safetensors.metadata, path)
  local good, state = c.try(json.decode, ok and meta['hz.resume'] or '')
  local epoch = good and type(state) == 'table' and state.epoch
  local known = type(epoch) == 'number' and epoch >= 0
  return known and math.min(epoch, job.settings.epochs) or 0      -- damage is told when the cell is run
end

-- ---- pieces of a record ----

local function curve_of(rows)
  local curve = {}
  for _, name in ipairs { 'loss', 'accuracy', 'watch_loss', 'watch_accuracy' } do
    curve[name] = json.array {}
    for i, row in ipairs(rows) do curve[name][i] = row[name] or json.null end
  end
  return curve
end

-- by: what computed it (choices.lua).
local function machine(by)
  local C, text = c.C, c.ffi.string
  local run = choices.record(by)
  run.version, run.commit, run.threads, run.host = text(C.hz_version()), text(C.hz_commit()), C.hz_cpu_threads(),
    posix.host()
  return run
end

local function times(result)
  local run = machine(result.kernels)
  run.kernels_changed = result.kernels_changed
  run.seconds, run.epoch_seconds, run.plan = result.seconds, json.array {}, result.plan and result.plan:digest()
  for i, row in ipairs(result.curve) do run.epoch_seconds[i] = row.seconds end
  return run
end

-- ---- training ----

local function interruptible(f, ...)
  local ok, value = pcall(f, ...)
  if not ok and c.is_interrupt(value) then error(value, 0) end
  return ok, value
end

local function train(runs, job, stage, hooks)
  return trainer.by(job.settings:with { optimizer = stage.optimizer }, {
    net = stage.net, train = stage.train, watch = stage.watch, on_step = hooks.on_step, on_epoch = hooks.on_epoch,
    resume = M.resume_path(runs, job.training_key), key = job.training_key, renew = true,
  })
end

-- A training that fails is a result, too: the same command would fail in the same way.
local function failure(e, rows, by)
  local what = { epoch = e.epoch, layer = e.layer, message = e.message:gsub('^[^ ]*:%d+: ', '') }
  return { failure = what, curve = rows, run = machine(by) }
end

local function store_training(runs, job, stage, result)
  local named = stage.net:state()
  named['watch.bits'] = result.bits
  local training = { key = job.training_key, curve = curve_of(result.curve) }
  if result.best then
    training.best_epoch = result.best.epoch
    for _, name in ipairs { 'correct', 'class', 'confidence' } do named['best.' .. name] = result.best[name] end
  end
  safetensors.write(M.weights_path(runs, job.training_key), named,
    { net = job.labels.model, ['hz.training'] = json.encode(training), ['hz.run'] = json.encode(times(result)) })
end

-- What is stored of a training; the net takes the final weights.
local function load_training(path, job, stage)
  local tensors, meta, training = safetensors.read_own(path, 'hz.training', 'training of a sweep')
  training, training.run = form.training(path, training, json.decode(meta['hz.run'] or 'null', path))
  if training.key ~= job.training_key then
    c.fail('%s: it holds training %s; needs %s', path, training.key, job.training_key)
  end
  form.bits(path, training, tensors)
  stage.net:assign(tensors, path)
  training.tensors = tensors
  return training
end

-- The same, or nil where there is none that can be used: it is computed anew.
local function stored_training(path, job, stage)
  if not file.exists(path) then return nil end
  local ok, training = interruptible(load_training, path, job, stage)
  if ok then return training end
  if file.is_unread(training) then error(training, 0) end
  say(tostring(training) .. '; the training is computed anew')
end

-- The finished training of a job: { curve, best_epoch, run, tensors }, or { failure, ... }. The net holds the final
-- weights.
local function trained(runs, job, stage, hooks)
  local path = M.weights_path(runs, job.training_key)
  local before = stored_training(path, job, stage)
  if before then return before end
  local rows, by = {}, choices.now()
  local on_epoch = hooks.on_epoch
  local ok, result = interruptible(train, runs, job, stage, { on_step = hooks.on_step, on_epoch = function(row, run)
    rows, by = run.curve, run.kernels
    if on_epoch then on_epoch(row, run) end
  end })
  if not ok then
    if not plans.is_diverged(result) then error(result, 0) end
    return failure(result, curve_of(rows), by)
  end
  store_training(runs, job, stage, result)
  return load_training(path, job, stage)
end

-- ---- a finished cell ----

local function numbers(list)
  local out = {}
  for i, v in ipairs(list) do out[i] = v end
  return out
end

local function outcome_tensors(training, test)
  local named = { ['test.correct'] = test.correct, ['test.class'] = test.class, ['test.confidence'] = test.confidence }
  for name, t in pairs(training.tensors or {}) do
    if name:find '^watch%.' or name:find '^best%.' then named[name] = t end
  end
  return named
end

local function store(runs, job, record, run, tensors)
  for k, v in pairs(job.labels) do record[k] = v end
  record.schema, record.key, record.training_key, record.decides = M.SCHEMA, job.key, job.training_key, job.decides
  run.finished = os.date '!%Y-%m-%dT%H:%M:%SZ'
  safetensors.write(M.path(runs, job.key), tensors,
    { ['hz.cell'] = json.encode(record), ['hz.run'] = json.encode(run) })
end

local function store_failure(runs, job, stage, training)
  store(runs, job, { status = 'failed', failure = training.failure, curve = training.curve, accounts = stage.accounts },
    training.run, {})
end

-- The test set is scored at the level and for the vendor of the training, if both run here; `scored` says by what.
local function score(job, stage, training)
  local run = training.run
  local made, by = choices.plans({ isa = run.isa, vendor = run.vendor }, function()
    return { stage.net:plan(job.settings:to_score(stage.test)) }
  end)
  run.scored = choices.record(by)
  return made[1]:evaluate { views = job.settings.views }
end

local function store_result(runs, job, stage, training)
  local test = score(job, stage, training)
  if not test.finite then
    training.failure = { epoch = job.settings.epochs, layer = 'loss',
      message = 'the loss on the test set is not finite' }
    return store_failure(runs, job, stage, training)
  end
  local watch = numbers(training.curve.watch_accuracy)
  local best, best_epoch = protocol.largest(watch)
  store(runs, job, {
    status = 'done', curve = training.curve, accounts = stage.accounts,
    test_loss = test.loss, test_accuracy = test.accuracy,
    accuracy = protocol.named(job.labels.protocol).accuracy(watch, test.accuracy),
    best = #watch > 0 and best or nil, best_epoch = #watch > 0 and best_epoch or nil, last = watch[#watch],
  }, training.run, outcome_tensors(training, test))
end

local function nothing_trained()
  return { curve = curve_of {}, run = times { curve = {}, seconds = 0, kernels = choices.now() } }
end

local function work(runs, job, hooks)
  if M.exists(runs, job.key) then return end           -- another process was quicker
  local stage = job.open()
  local training = job.settings.epochs > 0 and trained(runs, job, stage, hooks) or nothing_trained()
  if training.failure then store_failure(runs, job, stage, training) else store_result(runs, job, stage, training) end
  file.remove(M.resume_path(runs, job.training_key))
end

-- Computes a cell that is not there yet. job: key, training_key, decides, labels (reported as they are), settings (a
-- record: training.lua), open() -> { net, optimizer, train, watch, test, accounts }. hooks: on_step(run),
-- on_epoch(row, run). Returns true, or false and the owner (file.lock) if another process is at work on it.
-- Interrupts and errors are raised.
function M.run(runs, job, hooks)
  if M.exists(runs, job.key) then return true end
  local lock, owner = file.lock(lock_path(runs, job.training_key))
  if not lock then return false, owner end
  local ok, e = pcall(work, runs, job, hooks or {})
  lock:release()
  if not ok then error(e, 0) end
  return true
end

-- Removes the resume point of a finished training, which a process leaves that is killed between writing the one and
-- removing the other.
local function tidy(runs, training)
  local path = M.resume_path(runs, training)
  if not file.exists(path) then return end
  local lock = file.lock(lock_path(runs, training))
  if not lock then return end
  local ok, e = pcall(file.remove, path)
  lock:release()
  if not ok then error(e, 0) end
end

-- The same, of a finished cell.
function M.tidy(runs, job) tidy(runs, job.training_key) end

-- Removes what processes that are gone left among the cells: temporary files, old locks, and resume points of trainings
-- that are finished.
function M.sweep(runs)
  local folder, there = M.folder(runs), {}
  file.sweep(folder)
  local names = file.list(folder)
  for _, name in ipairs(names) do there[name] = true end
  for _, name in ipairs(names) do
    local training = name:match '^(%x+)%.resume%.safetensors$'
    if training and there[training .. '.weights.safetensors'] then tidy(runs, training) end
  end
end

-- Removes a cell and, unless `keep` says that another cell needs it, what remains of its training.
function M.remove(runs, key, training, keep)
  file.remove(M.path(runs, key))
  if keep then return end
  for _, path in ipairs { M.weights_path(runs, training), M.resume_path(runs, training) } do file.remove(path) end
end

-- Locks those of a set of trainings that somebody may be at work on. Returns the locks (release them all), and the
-- owner of the first that is taken.
function M.hold(runs, trainings)
  local locks, owner = {}, nil
  for training in pairs(trainings) do
    if not owner and file.exists(lock_path(runs, training)) then
      locks[#locks + 1], owner = file.lock(lock_path(runs, training))
    end
  end
  return locks, owner
end

return M
