-- bench.lua: hz bench: images per second of a network's training step or inference, on the CPU beside the FMA peak
-- measured in the same run. The multiple of peak counts the multiply-adds of the plain algorithms, so kernels that need
-- fewer can pass 1. A device that is late is asked for many steps before it is waited for.
local bench_codec = require 'hz.cli.bench_codec'
local bench_grow = require 'hz.cli.bench_grow'
local bench_model = require 'hz.cli.bench_model'
local bench_prompt = require 'hz.cli.bench_prompt'
local bench_sound = require 'hz.cli.bench_sound'
local c = require 'hz.c'
local command = require 'hz.base.command'
local devices = require 'hz.net.devices'
local exit = require 'hz.exit'
local json = require 'hz.base.json'
local nets = require 'hz.net.models.nets'
local optim = require 'hz.net.optim'
local roofline = require 'hz.cli.roofline'
local say = require 'hz.base.say'
local stepping = require 'hz.net.stepping'
local tensor = require 'hz.tensor.tensor'
local visible = require 'hz.base.visible'.line
local C = c.C

local LAYER_STEPS = 9          -- steps whose times of nodes are taken
local WINDOWS = 10             -- of steps, within the time that is to be measured

local options = {
  { 'net', { 'all-cnns' }, 'string', 'networks by name or NAME.lua, separated by commas', list = true,
    form = '--net NAMES' },
  { 'batch', { 128 }, 'int', 'items per step', min = 1, max = 65536, list = true, form = '--batch N' },
  { 'dtype', { 'f32' }, 'string', 'storage of activations and their gradients; tf32, of cards: f32 with rounded '
    .. 'factors', choices = { 'f32', 'bf16', 'tf32' }, list = true, form = '--dtype NAME' },
  { 'pass', { 'train', 'infer' }, 'string', 'training step or inference', choices = { 'train', 'infer' }, list = true,
    form = '--pass NAME' },
  { 'device', nil, 'string', 'what computes (default: HZ_DEVICE, or auto)', form = '--device NAME' },
  { 'threads', nil, 'int', 'threads, instead of HZ_THREADS or all this process may use', min = 1, max = 256,
    form = '--threads N' },
  { 'seconds', 3, 'float', 'time to measure each', min = 0.01, max = 3600, form = '--seconds S' },
  { 'data', true, 'bool', 'shuffle, augment and convert the batch as part of the step' },
  { 'tune', false, 'bool', 'kernels by trial, as remembered for this machine; else by predicted cost' },
  { 'layers', false, 'bool', 'one row per node: kernel, ms, GFLOP/s, share of peak' },
  { 'model', nil, 'string', 'the least time that a card needs for each node, by its bytes and flops, beside what '
    .. 'the device takes; on emu the former alone', choices = roofline.names, form = '--model CARD' },
  { 'json', false, 'bool', 'an array, or with codec or prompt an object, for programs' },
  { 'grow', nil, 'string', 'how images/s grow with one of these, as a table and a plot',
    choices = { 'batch', 'channels', 'threads' }, form = '--grow NAME' },
  { 'svg', nil, 'string', 'file for the plot of --grow', form = '--svg FILE' },
}

-- A set of random bytes: speed does not depend on what is in the pictures.
local function random_set(shape, items, classes)
  local full = { items, unpack(shape) }
  local pixels = tensor.rand(full, 0, 256, { seed = 1, stream = 1 }):floor():to 'u8'
  local labels = tensor.zeros({ items }, 'i32')
  local p = labels:pointer()
  for i = 0, items - 1 do p[i] = i % classes end
  return { items = pixels, labels = labels }
end

local function make_plan(net, train, batch, o)
  local options = { batch = batch, dtype = o.dtype, device = o.device, train = train, tune = o.tune }
  if o.data then
    options.data = random_set(net.input, math.max(batch, math.min(4 * batch, 1024)), 10)
    if train then options.augment = { shift = 3, flip = true } end
  else
    options.input = net.input
  end
  if train then
    options.loss = 'xent'
    options.optimizer = optim.sgd { rate = 1e-5, momentum = 0.9, nesterov = true }      -- random: no net may diverge
  end
  return net:plan(options)
end

-- One step of either pass; evaluation runs its plan as evaluate() does, weights packed once.
local function stepper(plan, train)
  if train then return function() plan:step() end end
  return function() plan:forward_again() end
end

local function median(list)
  table.sort(list)
  local n = #list
  return n % 2 == 1 and list[(n + 1) / 2] or (list[n / 2] + list[n / 2 + 1]) / 2
end

-- Seconds of single steps, for about `seconds` and at least five steps, after two that warm up.
local function sample(step, seconds)
  local times = {}
  step()
  step()
  local start = C.hz_seconds()
  repeat
    local before = C.hz_seconds()
    step()
    local now = C.hz_seconds()
    times[#times + 1] = now - before
  until now - start > seconds and #times >= 5
  return times
end

-- The same of a device that is late: as of many steps, which it is waited for once.
local function sample_late(plan, train, seconds)
  local times, steps, n = {}, train and stepping.new(plan, function() end), 2
  local function window()
    local before = C.hz_seconds()
    for _ = 1, n do
      if train then steps:step() else plan:forward_again() end
    end
    if train then steps:settle() end
    devices.wait(plan.device)
    return C.hz_seconds() - before
  end
  window()                                             -- what is recorded, is recorded in the second step
  local spent = window()
  n = math.max(1, math.min(1000, math.ceil(seconds / WINDOWS / (spent / n))))
  local start = C.hz_seconds()
  repeat times[#times + 1] = window() / n until C.hz_seconds() - start > seconds and #times >= 3
  return times, n
end

local function flops_of(plan)
  local sum = 0
  for _, n in ipairs(plan:nodes()) do sum = sum + n.flops end
  return sum
end

-- The plan's nodes, each with the median of its times over a few steps.
local function node_times(plan, step)
  local times, nodes = {}, nil
  plan:timed 'slowing'
  for i = 1, LAYER_STEPS do
    step()
    nodes = plan:nodes()
    for k, n in ipairs(nodes) do
      times[k] = times[k] or {}
      times[k][i] = n.ms
    end
  end
  plan:timed(false)
  for k, n in ipairs(nodes) do n.ms = median(times[k]) end
  return nodes
end

-- Windows of the FMA peak of which half are slower than this share of the best: the machine was not quiet.
local QUIET = 0.9

local function peak_of(dtype, threads)
  local peak = c.ffi.new 'hz_peak'
  c.check(C.hz_cpu_peak_windows(c.dtype(dtype), threads, 0.3, peak))
  return peak
end

local function warn_of(peaks)
  for _, p in ipairs(peaks) do
    if p.median < QUIET * p.best then
      say(('bench: the FMA peak was %.1f GFLOP/s at best and %.1f in the middle of %d windows; needs a quieter machine')
        :format(p.best, p.median, p.windows))
      return
    end
  end
end

-- The net, and its plan for what is asked of it.
local function prepare(o)
  jit.flush()                                          -- traces hold on to what they were compiled for
  collectgarbage()                                     -- plans of earlier measurements; then the tensors that they held
  collectgarbage()
  C.hz_peak_reset()
  local net = type(o.net) == 'function' and o.net() or nets.load(o.net)
  net:init { seed = 1, input = net.input or { 32, 32, 3 } }
  return net, make_plan(net, o.pass == 'train', o.batch, o)
end

-- The model alone, of a plan that is not run.
local function model(o)
  local net, plan = prepare(o)
  return { net = net.name, dtype = o.dtype, pass = o.pass, batch = o.batch, data = o.data,
    model = bench_model.of(plan, o.model) }
end

-- Seconds of steps, how many they were, and the peak of the CPU before and after in GFLOP/s: nil of other devices.
local function timed(plan, o)
  local train, threads = o.pass == 'train', C.hz_cpu_threads()
  if devices.is_late(plan.device) then
    local times, n = sample_late(plan, train, o.seconds)
    return times, n * #times
  end
  local peaks = { peak_of(o.dtype, threads) }
  local times = sample(stepper(plan, train), o.seconds)
  peaks[2] = peak_of(o.dtype, threads)
  warn_of(peaks)
  return times, #times, math.max(peaks[1].best, peaks[2].best)
end

-- o: net (name, or a function that makes one), batch, dtype, pass, device, threads, seconds, data, layers, tune, model.
-- Returns one record.
local function measure(o)
  local net, plan = prepare(o)
  if o.tune then C.hz_peak_reset() end                 -- trials hold the memory of all kernels at once
  local times, steps, peak = timed(plan, o)
  local record = { net = net.name, dtype = o.dtype, pass = o.pass, batch = o.batch, threads = C.hz_cpu_threads(),
    device = plan.device ~= 'cpu' and devices.describe(plan.device) or nil, data = o.data,
    isa = c.ffi.string(C.hz_cpu_isa()), peak_gflops = peak, peak_bytes = tonumber(C.hz_peak_bytes()), steps = steps,
    tuned = plan.tuned and plan.tuned.changed }
  local best = math.huge
  for _, t in ipairs(times) do best = math.min(best, t) end
  record.seconds = median(times)
  record.images_per_second, record.best_images_per_second = o.batch / record.seconds, o.batch / best
  record.flops_per_image = flops_of(plan) / o.batch
  record.multiple_of_peak = peak and record.flops_per_image * record.images_per_second / peak * 1e-9
  local nodes = (o.layers or o.model) and node_times(plan, stepper(plan, o.pass == 'train'))
  if o.layers then record.layers = nodes end
  if o.model then record.model = bench_model.of(plan, o.model, nodes) end
  return record
end

local function print_layers(record)
  local wide = 18
  for _, n in ipairs(record.layers) do wide = n.ms > 0 and math.max(wide, #n.op) or wide end
  local row, sum = ('%%-11s %%-%ds %%-20s %%-12s %%9s %%9s %%7s'):format(wide), 0
  print(row:format('layer', 'op', 'output', 'kernel', 'ms', 'GFLOP/s', 'of peak'))
  for _, n in ipairs(record.layers) do
    sum = sum + n.ms
    local rate = n.ms > 0 and n.flops > 0 and n.flops / n.ms * 1e-6
    if n.ms > 0 then
      print(row:format(visible(n.layer), n.op, '(' .. table.concat(n.shape, ',') .. ')',
        n.kernel, ('%.3f'):format(n.ms), rate and ('%.1f'):format(rate) or '',
        rate and record.peak_gflops and ('%.2f'):format(rate / record.peak_gflops) or ''))
    end
  end
  print(('%s %9.3f ms in nodes'):format((' '):rep(wide + 46), sum))
end

local head = '%-20s %-5s %-6s %5s %7s %11s %9s %11s %9s'
local function print_record(r)
  print(head:format(visible(r.net), r.dtype, r.pass, r.batch, r.threads, ('%.1f'):format(r.images_per_second),
    r.peak_gflops and ('%.0f'):format(r.peak_gflops) or '',
    r.peak_gflops and ('%.3f'):format(r.multiple_of_peak) or '', ('%.0f MB'):format(r.peak_bytes / 2 ^ 20)))
  io.stdout:flush()
end

local function show(r)
  if r.seconds then print_record(r) end
  if r.tuned then print(('  tuned: %d nodes run by another kernel than predicted'):format(r.tuned)) end
  if r.layers then print_layers(r) end
  if r.model then bench_model.show(r) end
end

-- Calls f(net, batch, dtype, pass) for all that were asked for.
local function each(knob, f)
  for _, net in ipairs(knob.net) do
    for _, batch in ipairs(knob.batch) do
      for _, dtype in ipairs(knob.dtype) do
        for _, pass in ipairs(knob.pass) do f(net, batch, dtype, pass) end
      end
    end
  end
end

local function run(knob)
  if knob.svg and not knob.grow then exit.usage 'bench: --svg was given; needs --grow as well' end
  if knob.model and knob.grow then exit.usage 'bench: --model was given with --grow; needs one of them alone' end
  if knob.threads then c.check(C.hz_cpu_set_threads(knob.threads)) end
  knob.device = devices.one(knob.device, 'bench')
  if knob.grow then return bench_grow(knob, measure) end
  local of = knob.model and devices.kind(knob.device) == 'emu' and model or measure
  local records = {}
  if not knob.json and of == measure then
    if knob.device ~= 'cpu' then print(visible(devices.describe(knob.device))) end
    print(head:format('net', 'dtype', 'pass', 'batch', 'threads', 'images/s', 'GFLOP/s', 'x peak', 'memory'))
  end
  each(knob, function(net, batch, dtype, pass)
    local r = of { net = net, batch = batch, dtype = dtype, pass = pass, device = knob.device,
                   seconds = knob.seconds, data = knob.data, layers = knob.layers, tune = knob.tune,
                   model = knob.model }
    records[#records + 1] = r
    if not knob.json then show(r) end
  end)
  if knob.json then print(json.encode(records, { pretty = true })) end
  return 0
end

return command.new('bench', {
  about = 'Options without a value may say true or false: --data false',
  { '', run, "images per second of a network, beside this machine's FMA peak", options },
  bench_codec,
  bench_prompt,
  bench_sound,
})
