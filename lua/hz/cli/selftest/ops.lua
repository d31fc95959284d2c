-- ops.lua: every op and its gradient on a device, in each type of storage, against the plain loops in double over the
-- very numbers that it sees.
local node = require 'hz.cli.selftest.node'
local table_of = require 'hz.cli.selftest.rows'
local truth = require 'hz.cli.selftest.truth'

-- The largest difference as a share of the largest number of the truth, by what a result is stored in. Of bf16 plans
-- results in f32 are sums of rounded numbers.
local limits = { f64 = 1e-9, f32 = 1e-4, bf16 = 1e-2 }
local FEW = 2                      -- rows of each op with --small

local function largest(t) return t:count() > 0 and t:abs():max() or 0 end

-- nil where a number is none.
local function off(got, wanted)
  got, wanted = got:to 'f64', wanted:to 'f64'
  if got:isfinite():min() == 0 then return math.huge end
  local most = largest(wanted)
  return largest(got - wanted) / (most > 0 and most or 1)
end

-- The result that is off the most: its share, and its name.
local function worst(bench, row, storage)
  local most, what = 0, 'y'
  local wanted = truth.of(row, storage)
  for name, r in pairs(bench:results(row.batch)) do
    local share = off(r.tensor, wanted[name].tensor)
    if share > most then most, what = share, name end
  end
  return most, what
end

local function try(run, row, storage)
  local name = ('%s, %s'):format(storage, row.title)
  run:try(name, function()
    local bench = node.bench(row, { device = run.device, dtype = storage, grad = not row.no_grad, exact = true })
    bench:run()
    local share, what = worst(bench, row, storage)
    run:within(name, share, limits[storage], share > 0 and what or nil)
  end)
end

-- The first rows of each op, and all of those that are quick.
local function chosen(run)
  local list, seen = {}, {}
  for _, row in ipairs(table_of.rows) do
    seen[row.op] = (seen[row.op] or 0) + 1
    if not run.small or seen[row.op] <= FEW then list[#list + 1] = row end
  end
  return list
end

return function(run)
  for _, row in ipairs(chosen(run)) do
    truth.away_from_kinks(row)
    for _, storage in ipairs(row.update and { 'f32', 'f64' } or { 'f32', 'bf16', 'f64' }) do try(run, row, storage) end
    collectgarbage()                                   -- plans, whose memory the device wants back
  end
end
