-- train.lua: the training loop, with resume points that yield the same bits. Randomness is a function of (seed, epoch,
-- item), so a resume point is (epoch, offset), the tensors, the running sums, and what computes them (choices.lua).
local average = require 'hz.net.average'
local c = require 'hz.c'
local choices = require 'hz.net.choices'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local nets = require 'hz.net.net'
local plans = require 'hz.net.plan'
local progress = require 'hz.base.progress'
local safetensors = require 'hz.tensor.safetensors'
local say = require 'hz.base.say'
local stepping = require 'hz.net.stepping'
local say_remarks = require 'hz.base.remarks'
local tensor = require 'hz.tensor.tensor'
local training = require 'hz.net.training'
local watching = require 'hz.net.watching'
local C = c.C

local M = {}

local EVERY = 300                  -- seconds between resume points inside an epoch

local known = training.names 'net train watch test resume key on_epoch on_step'
M.options = known

local function check(o)
  names.fields('train', o, known)
  for _, k in ipairs { 'net', 'train', 'optimizer', 'epochs' } do
    if o[k] == nil then c.fail('train: %s is missing; needs net, train (a set), optimizer and epochs', k) end
  end
  if not nets.is(o.net) then c.fail('train: net is %s; needs a net', type(o.net)) end
  for _, k in ipairs { 'train', 'watch', 'test' } do
    if o[k] and not plans.is_set(o[k]) then
      c.fail('train: %s is %s; needs a set with items and labels', k, type(o[k]))
    end
  end
  need.count('train', 'epochs', o.epochs, 1)
  for _, k in ipairs { 'on_epoch', 'on_step' } do
    if o[k] ~= nil then need.callable('train', k, o[k]) end
  end
  for _, k in ipairs { 'resume', 'key' } do
    if o[k] ~= nil then need.text('train', k, o[k]) end
  end
end
M.check = check

-- ---- outcome bits: one bit per item of the watch split and epoch ----

local function pack_bits(correct)
  local n = correct:count()
  local out = tensor.zeros({ math.ceil(n / 8) }, 'u8')
  local from, to = correct:pointer 'read', out:pointer()
  for i = 0, n - 1 do
    if from[i] ~= 0 then to[math.floor(i / 8)] = bit.bor(to[math.floor(i / 8)], bit.lshift(1, i % 8)) end
  end
  return out
end
M.pack_bits = pack_bits

local function stack(rows)
  local out = tensor.empty({ #rows, #rows > 0 and rows[1]:count() or 0 }, 'u8')
  for i, r in ipairs(rows) do out[i] = r end
  return out
end

-- ---- resume points ----

local outcomes = { 'correct', 'class', 'confidence' }     -- per item, as evaluate gives them
local prefixes = { net = 'net.', optimizer = 'optimizer.' }

local function save(path, run)
  local named = {}
  for name, t in pairs(run.net:state()) do named[prefixes.net .. name] = t end
  for name, t in pairs(run.optimizer.state) do named[prefixes.optimizer .. name] = t end
  if #run.bits > 0 then named['watch.bits'] = stack(run.bits) end
  for _, name in ipairs(outcomes) do named['best.' .. name] = run.best and run.best[name] end
  local state = { key = run.key, epoch = run.plan.epoch, offset = run.plan.offset, steps = run.optimizer.steps,
    kernels = run.kernels, kernels_changed = run.kernels_changed, loss_sum = run.loss_sum, correct = run.correct,
    seen = run.seen, seconds = run.seconds, epoch_seconds = run.epoch_seconds, curve = json.array(run.curve),
    best_epoch = run.best and run.best.epoch, best_accuracy = run.best and run.best.accuracy }
  safetensors.write(path, named, { ['hz.resume'] = json.encode(state) })
end

local state_form = { key = 'string', epoch = 'whole', offset = 'whole', steps = 'whole', loss_sum = 'number',
  correct = 'number', seen = 'number', seconds = 'number', epoch_seconds = 'number', curve = 'list',
  best_epoch = 'whole?', best_accuracy = 'number?', kernels_changed = 'texts?', kernels = 'table?' }
local row_form = { epoch = 'whole', loss = 'number', accuracy = 'number', seconds = 'number', watch_loss = 'number?',
  watch_accuracy = 'number?' }

-- A resume point { path, state, tensors }: whole, and of the training with this key on so many items.
local function read_point(path, key, items)
  local tensors, _, state = safetensors.read_own(path, 'hz.resume', 'resume point')
  fields.check(path, state, state_form)
  if state.key ~= key then
    c.fail('%s: it belongs to another training (%s); this one is %s', path, state.key, key)
  end
  for i, row in ipairs(state.curve) do fields.check(path, row, row_form, ('curve[%d]'):format(i)) end
  if state.kernels then
    fields.check(path, state.kernels, { machine = 'string?', device = 'string?', isa = 'string?', vendor = 'string?',
      nodes = 'words?' },
      'kernels')
  end
  if state.offset >= items or state.epoch ~= #state.curve then
    c.fail('%s: it has %d epochs behind it, %d in its curve, and %d items of the next; needs as many, and less than %d',
      path, state.epoch, #state.curve, state.offset, items)
  end
  return { path = path, state = state, tensors = tensors }
end

-- Everything that is copied has the shape of what it is copied to.
local function check_point(point, run)
  local path, tensors, state = point.path, point.tensors, point.state
  for name, t in pairs(run.optimizer.state) do
    safetensors.expect(path, tensors, prefixes.optimizer .. name, t:type(), t:size())
  end
  if state.epoch + math.min(state.offset, 1) > run.epochs then
    c.fail('%s: it is at item %d of epoch %d; needs a place within %d epochs', path, state.offset, state.epoch + 1,
      run.epochs)
  end
  local n = run.watch and #run.watch.options.data.labels
  if n and state.epoch > 0 then
    safetensors.expect(path, tensors, 'watch.bits', 'u8', { state.epoch, math.ceil(n / 8) })
  end
  if state.best_epoch then
    for i, dtype in ipairs { 'u8', 'i32', 'f32' } do
      safetensors.expect(path, tensors, 'best.' .. outcomes[i], dtype, { n })
    end
  end
end

local function restore(point, run)
  local named, state, own = point.tensors, point.state, {}
  check_point(point, run)
  for name, t in pairs(named) do
    local rest = name:match '^net%.(.*)$'
    if rest then own[rest] = t end
  end
  run.net:assign(own, point.path)
  for name, t in pairs(run.optimizer.state) do t:copy(named[prefixes.optimizer .. name]) end
  run.plan.epoch, run.plan.offset, run.optimizer.steps = state.epoch, state.offset, state.steps
  for _, name in ipairs { 'loss_sum', 'correct', 'seen', 'seconds', 'epoch_seconds', 'curve' } do
    run[name] = state[name]
  end
  if state.best_epoch then
    run.best = { epoch = state.best_epoch, accuracy = state.best_accuracy }
    for _, name in ipairs(outcomes) do run.best[name] = named['best.' .. name] end
  end
  for i = 1, #run.curve do
    if named['watch.bits'] then run.bits[i] = named['watch.bits'][i]:clone() end
  end
  run.resumed = state.epoch + state.offset / #run.plan.options.data.labels
end

-- ---- the loop ----

-- Kernels are chosen once: a training that is resumed goes on with those of its resume point (before), at its level, as
-- far as they run here. Else it goes on with what does, and remembers from where on.
local function make_plans(run, settings, o, before)
  if settings.tune == true and before.kernels then settings = settings:with { tune = false } end
  local made, changes
  made, run.kernels, changes = choices.plans(before.kernels, function()
    local list = { plan = o.net:plan(settings:to_train(o.train)) }
    if o.watch then list.watch = o.net:plan(settings:to_score(o.watch)) end
    if o.test then list.test = o.test == o.watch and list.watch or o.net:plan(settings:to_score(o.test)) end
    return list
  end)
  run.plan, run.watch, run.test = made.plan, made.watch, made.test
  run.kernels_changed = before.kernels_changed
  run.changes = changes
  if #changes == 0 then return end
  local from = before.epoch + before.offset / #o.train.labels
  run.kernels_changed = run.kernels_changed or json.array {}
  table.insert(run.kernels_changed, ('from epoch %.4g on: %s'):format(from, table.concat(changes, ', ')))
end

-- A device that is late may hear of a step when others are asked for.
local function steps_of(run)
  return stepping.new(run.plan, function(loss, hits, count)
    run.loss_sum, run.correct, run.seen = run.loss_sum + loss * count, run.correct + hits, run.seen + count
  end)
end

-- point: where it goes on from, may be nil.
local function begin(settings, o, point)
  local run = { net = o.net, optimizer = settings.optimizer, key = o.key or '', bits = {}, curve = {},
    loss_sum = 0, correct = 0, seen = 0, seconds = 0, epoch_seconds = 0,
    scoring = { views = settings.views },
    settings = settings, total_steps = settings:steps(o.train), epochs = settings.epochs }
  local before = C.hz_seconds()
  make_plans(run, settings, o, point and point.state or {})
  run.prepared = C.hz_seconds() - before
  if point then
    restore(point, run)
    choices.say(o.resume, run.changes)
  end
  run.stepper = steps_of(run)
  return run
end

-- The run that goes on from the resume point; nil without one. What cannot be used has changed nothing yet.
local function resumed(settings, o)
  if not o.resume or not file.exists(o.resume) then return nil end
  local ok, run = pcall(function()
    return begin(settings, o, read_point(o.resume, o.key or '', #o.train.labels))
  end)
  if ok then return run end
  if c.is_interrupt(run) or not o.renew or not tostring(run):find(o.resume, 1, true) then error(run, 0) end
  if file.is_unread(run) then c.again(run, '; once it is removed the training begins anew') end
  say(tostring(run) .. '; the training begins anew')
end

-- With the weights that count: averages, where they are apart from those that train.
local function scored(run, plan, how)
  if not average.is_apart(run.settings.average) then return plan:evaluate(how) end
  return average.within(run.net, run.optimizer.state, function() return plan:evaluate(how) end)
end

local function finish_epoch(run, o)
  local row = { epoch = run.plan.epoch, loss = run.loss_sum / run.seen, accuracy = run.correct / run.seen }
  if run.watch then
    local e = scored(run, run.watch, run.settings.keep_best and run.scoring or nil)
    row.watch_loss, row.watch_accuracy = math.abs(e.loss) < math.huge and e.loss or nil, e.accuracy
    if run.settings.keep_best and e.accuracy > (run.best and run.best.accuracy or -1) then
      run.best = { epoch = run.plan.epoch, accuracy = e.accuracy, correct = e.correct, class = e.class,
        confidence = e.confidence }
    end
    run.bits[#run.bits + 1] = pack_bits(e.correct)
  end
  row.seconds = run.epoch_seconds
  run.curve[#run.curve + 1] = row
  run.loss_sum, run.correct, run.seen, run.epoch_seconds = 0, 0, 0, 0
  if o.on_epoch then o.on_epoch(row, run) end
end

-- f(run.stepper), on the clock of the training; an epoch whose first step was asked for has been heard of.
local function timed(run, f)
  local before, seen = C.hz_seconds(), run.seen
  f(run.stepper)
  if run.seen == 0 then run.stepper:settle() end
  local spent = C.hz_seconds() - before
  run.seconds, run.epoch_seconds = run.seconds + spent, run.epoch_seconds + spent
  run.rate = run.stepper.late and run.seen / run.epoch_seconds or (run.seen - seen) / spent
end

-- Sums and weights are those of the counters.
local function settle(run)
  if run.stepper.late then timed(run, run.stepper.settle) end
end

-- Leaves a loop on a signal: the step is finished, the resume point written.
local function stop(run, o, signal)
  if o.resume then save(o.resume, run) end
  C.hz_signal_clear()
  c.interrupt(signal, o.resume and 'stopped; the same command resumes from ' .. o.resume or 'stopped')
end

local function loop(run, o)
  local saved = C.hz_seconds()
  while run.plan.epoch < run.epochs do
    timed(run, run.stepper.step)
    local finished = run.plan.offset == 0
    if finished then
      settle(run)
      finish_epoch(run, o)
    elseif o.on_step then
      o.on_step(run)
    end
    local signal = c.interrupted()
    local due = o.resume and (finished or C.hz_seconds() - saved > EVERY) and run.plan.epoch < run.epochs
    if signal ~= 0 or due then settle(run) end
    if signal ~= 0 then stop(run, o, signal) end
    if due then
      save(o.resume, run)
      saved = C.hz_seconds()
    end
  end
end

local function traced(e) return type(e) == 'string' and os.getenv 'HZ_DEBUG' and debug.traceback(e, 2) or e end

-- Trains o.net by a record of settings (training.lua). Sets: train; watch is scored after every epoch, test once at the
-- end. views: of the test set, and of the watch split where its outcomes are kept. resume: file of the resume point,
-- read when it is there (key must agree) and removed by the caller. on_epoch(row, run), on_step(run), which on a device
-- that is late sees the sums of the steps that were heard of. Returns { curve = rows of epoch, loss, accuracy,
-- watch_loss (nil if not finite), watch_accuracy, seconds; test = evaluation; bits; best = outcomes of the best epoch
-- on the watch split, if they were to be kept; seconds of its steps; prepared: seconds before them, for its plans;
-- kernels (choices.lua) and kernels_changed: nil, or texts that say from which epoch on what computed it was other than
-- when it began }. A signal raises an interrupt after the resume point was written; a loss that is not finite raises an
-- error that names the layer. renew: the resume point is ours to write: one that cannot be used is said, and the
-- training begins anew.
function M.by(settings, o)
  local run = resumed(settings, o) or begin(settings, o)
  c.defer(true)
  local ok, e = xpcall(loop, traced, run, o)
  c.defer(false)
  if not ok then error(e, 0) end
  if average.is_apart(settings.average) then average.take(run.net, run.optimizer.state) end
  local result = { curve = run.curve, bits = #run.bits > 0 and stack(run.bits) or nil, seconds = run.seconds,
    test = run.test and run.test:evaluate(run.scoring) or nil, best = run.best, steps = run.optimizer.steps,
    kernels = run.kernels, kernels_changed = run.kernels_changed, resumed = run.resumed, plan = run.plan,
    prepared = run.prepared }
  return names.guard('result', result, 'bits test best kernels_changed resumed finished_before prepared')
end

-- A batch that was not asked for is no larger than the set.
local function settings_of(o)
  return training.new('train', o, { batch = o.batch or math.min(training.default.batch, #o.train.labels) })
end

-- At the prompt a person waits, who is shown how far it is unless o has a way of its own.
local function watched(settings, o)
  local shown = {}
  for k, v in pairs(o) do shown[k] = v end
  local status = watching.watch(shown)
  local ok, result = pcall(M.by, settings, shown)
  status:clear()
  if not ok then error(result, 0) end
  return result
end

-- The same with the settings among the fields of o.
function M.run(o)
  check(o)
  say_remarks { o.train, o.test or o.train, o.watch or o.train }
  local by = progress.prompt and not o.on_step and not o.on_epoch and watched or M.by
  return by(settings_of(o), o)
end

-- The same with a resume point in a folder of ours (renew).
function M.run_in(o)
  check(o)
  say_remarks { o.train, o.test or o.train, o.watch or o.train }
  o.renew = true
  return M.by(settings_of(o), o)
end

return M
