-- machines.lua: whether cells were computed alike: on one device, at one vector level, for the cores of one vendor, by
-- the same kernels. Equal keys do not promise that, and where it is not so their bits are not comparable. Cells of
-- before they were recorded tell nothing of a field.
local json = require 'hz.base.json'

local M = {}

-- Values of a field of the runs and of what scored them, sorted; `without` is that of runs that lack it.
local function values(rows, name, without)
  local list, seen = {}, {}
  local function add(v)
    if v ~= nil and not seen[v] then list[#list + 1], seen[v] = v, true end
  end
  for _, row in ipairs(rows) do
    local run = row.record.run
    add(run[name] or without)
    if run.scored then add(run.scored[name] or without) end
  end
  table.sort(list)
  return list
end

local other = { data = true, seed = true, epochs = true, kernels = true }      -- what decides no node of a plan

-- What decides the nodes of a cell's plans: those that share it should have run by the same kernels.
local function kind(row)
  local own = {}
  for name, v in pairs(row.record.decides and row.record.decides.training or {}) do
    if not other[name] then own[name] = v end
  end
  return json.encode { row.data, row.split, row.model, row.dtype, own }
end

-- "TRAINING/SCORING", digests of the kernels that ran; nil where they were not recorded.
local function kernels_of(row)
  local run = row.record.run
  return run.scored and ('%s/%s'):format((run.kernels or '-'):sub(1, 8), run.scored.kernels:sub(1, 8))
end

-- Digests of the kernels by which cells of one kind ran, where they are more than one.
local function kernels(rows)
  local by, order, list, digests = {}, {}, {}, {}
  for _, row in ipairs(rows) do digests[kernels_of(row) or ''] = true end
  if next(digests, next(digests)) == nil then return list end      -- of one alone nothing can differ
  for _, row in ipairs(rows) do
    local k, digest = kind(row), kernels_of(row)
    if not by[k] then by[k], order[#order + 1] = { seen = {} }, k end
    if digest and not by[k].seen[digest] then by[k].seen[digest], by[k][#by[k] + 1] = true, digest end
  end
  for _, k in ipairs(order) do
    if #by[k] > 1 then for _, digest in ipairs(by[k]) do list[#list + 1] = digest end end
  end
  return list
end

-- "cells differ in: isa avx2, amx; kernels 1f2e3d4c/5b6a7988, ..."; nil where they do not.
function M.note(rows)
  local parts, moved = {}, 0
  local function part(name, list)
    if #list > 1 then parts[#parts + 1] = name .. ' ' .. table.concat(list, ', ') end
  end
  part('device', values(rows, 'device', 'cpu'))
  part('isa', values(rows, 'isa'))
  part('vendor', values(rows, 'vendor'))
  part('kernels', kernels(rows))
  for _, row in ipairs(rows) do moved = moved + (row.record.run.kernels_changed and 1 or 0) end
  if moved > 0 then
    parts[#parts + 1] = ('what computed them on the way (%d cell%s)'):format(moved, moved == 1 and '' or 's')
  end
  return #parts > 0 and 'cells differ in: ' .. table.concat(parts, '; ') or nil
end

return M
