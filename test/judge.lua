-- judge.lua: rows of ops.lua against the plain loops in double: what is right, and how far from it a kernel may be.
-- Loaded with the helpers of t.lua, ops.lua and graph.lua, whose rows it judges.
local t, ops, G = ...
local truth = require 'hz.cli.selftest.truth'
local M = {}

function M.each_row(f)
  for _, row in ipairs(ops.rows) do
    if not (os.getenv 'HZ_TEST_ROW') or row.title:find(os.getenv 'HZ_TEST_ROW', 1, true) then f(row) end
  end
end

M.away_from_kinks, M.truth = truth.away_from_kinks, truth.of

-- How far a result made by op `maker` may be from the truth. used: op -> kernel; n: numbers that an activation behind
-- the row's op sees.
local function limit(row, maker, storage, dtype, used, n)
  if storage == 'f64' then return ops.tolerance_f64[1] end
  local forward, planes = maker == 'conv2d' or maker == 'act', ops.tolerance_bf16.planes[1]
  if row.act and not forward and used.conv2d == 'winopairs' then return math.max(ops.behind_planes(n), planes) end
  if storage == 'bf16' and used.conv2d == 'cudnn' then     -- rounds dw, and may round what an activation sees
    return row.act and math.max(ops.behind_planes(n), planes) or ops.tolerance_bf16.once[1]
  end
  if used[maker] == 'winopairs' or forward and used.conv2d == 'winopairs' then return planes end
  if storage == 'bf16' and (row.act or maker == 'act_grad') then return ops.tolerance_bf16.behind[1] end
  if dtype == 'bf16' then return ops.tolerance_bf16.once[1] end
  return (ops.tolerance[maker] or ops.tolerance.other)[1]
end

-- Every result of a bench within its tolerance of the truth; n: rows in use.
function M.close(row, storage, bench, n, wanted, how)
  local used, seen = {}, row.act and wanted['then.y'].tensor:count()
  for _, k in ipairs(bench:kernels()) do used[k.op] = k.kernel end
  for name, r in pairs(bench:results(n)) do
    local d = G.distance(r.tensor, wanted[name].tensor)
    local maker = wanted[name].maker
    local most = limit(row, maker, storage, r.tensor:type(), used, seen)
    if not (d <= most) then
      t.ok(false, ('%s, %s, %s: %s (made by %s) is off by %.3g; at most %.3g'):format(row.title, storage, how, name,
        maker, d, most))
    end
  end
end

-- f(row, storage) for every row, activations stored as f32 and as bf16. Rows of updates have no activations.
function M.each_storage(f)
  for _, storage in ipairs { 'f32', 'bf16' } do
    M.each_row(function(row) if storage == 'f32' or not row.update then f(row, storage) end end)
  end
end

return M
