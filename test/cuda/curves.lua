-- curves.lua: the losses of the same training on a device and on the CPU, step by step: same weights, batches, shifts
-- and dropout. Prints the largest difference relative to the CPU's loss; status 1 where it is above `most`.
--   hz test/cuda/curves.lua device=cuda steps=50 json=curves.json
local hz = require 'hz'

local knob = hz.args({
  about = "Losses of a training on a device beside the CPU's.",
  { 'device', 'cuda',      'string', 'where it trains besides' },
  { 'net',    'all-cnns',  'string', 'network by name, or NAME.lua' },
  { 'dtype',  'f32',       'string', 'of both', choices = { 'f32', 'bf16' } },
  { 'batch',  128,         'int',    'images per step', min = 1, max = 65536 },
  { 'steps',  50,          'int',    'training steps', min = 1, max = 1e6 },
  { 'seed',   1,           'int',    'of weights, order, augmentation and dropout', min = 0 },
  { 'most',   1e-3,        'float',  'largest difference that passes', min = 0 },
  { 'json',   nil,         'string', 'file for both curves' },
}, ...)

local set = hz.data('camera', { train = math.max(1000, 4 * knob.batch), test = 10 })

local function curve(device)
  local net = hz.model(knob.net, { classes = #set.classes, input = { 32, 32, 3 } })
  net:init { seed = knob.seed, input = { 32, 32, 3 } }
  local plan = net:plan { batch = knob.batch, train = true, data = set, dtype = knob.dtype, seed = knob.seed,
    augment = { shift = 3, flip = true }, optimizer = hz.sgd { rate = 0.01, momentum = 0.9, nesterov = true },
    device = device }
  local losses = {}
  for i = 1, knob.steps do losses[i] = plan:step() end
  return losses
end

local there, here, worst, at = curve(knob.device), curve 'cpu', 0, 1
for i = 1, knob.steps do
  local difference = math.abs(there[i] - here[i]) / math.abs(here[i])
  if difference > worst then worst, at = difference, i end           -- a loss that is no number is plan:step's error
end
print(('%s %s, batch %d: %s goes from %.5f to %.5f in %d steps, cpu from %.5f to %.5f'):format(knob.net, knob.dtype,
  knob.batch, knob.device, there[1], there[knob.steps], knob.steps, here[1], here[knob.steps]))
print(('largest difference %.3g of the loss, at step %d; passes up to %g'):format(worst, at, knob.most))
if knob.json then
  hz.file.write(knob.json, hz.json.encode { device = knob.device, net = knob.net, dtype = knob.dtype,
    batch = knob.batch, losses = there, cpu = here, worst = worst, step = at, most = knob.most } .. '\n')
end
if worst > knob.most then hz.fail('curves: the losses differ by %.3g; at most %g passes', worst, knob.most) end
