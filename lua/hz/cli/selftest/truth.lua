-- truth.lua: what a row of rows.lua yields by the plain loops in double, on the CPU.
local node = require 'hz.cli.selftest.node'

local M = {}

local kinked = { relu = true, leaky = true, elu = true }

-- An activation with a kink must see no pre-activation near it, or a rounding turns a whole gradient: another
-- stream of numbers then.
function M.away_from_kinks(row)
  local act = row.act or row.op == 'act' and row.attr.act
  if not kinked[act] then return end
  for attempt = 1, 50 do
    local near = false
    for _, rounded in ipairs { false, true } do
      local b = node.bench(row, { device = 'cpu', dtype = 'f64', keep = true, rounded = rounded })
      b:run()
      local x = row.act and node.value(b, b.pre) or node.value(b, b.wrt[1].value)
      near = near or x:abs():min() <= 2e-5 * math.sqrt((x * x):mean())
    end
    if not near then return end
    row.stream = row.stream + 1000
    if attempt == 50 then error(row.title .. ': no numbers without a pre-activation near zero; needs a smaller row') end
  end
end

local truths = { f32 = {}, bf16 = {}, f64 = {} }
-- Results in double of the row at a batch and count, with gradients, over the numbers that a plan of this storage has.
function M.of(row, storage, batch)
  batch = batch or row.batch
  local known = truths[storage]
  known[row] = known[row] or {}
  if not known[row][batch] then
    local b = node.bench(row,
      { device = 'cpu', dtype = 'f64', rounded = storage == 'bf16', batch = batch, grad = not row.no_grad,
        fuse = false })
    b:run()
    known[row][batch] = b:results(batch)
  end
  return known[row][batch]
end

return M
