-- views.lua: how an item is shown more than once when it is scored, and its logits averaged (test-time augmentation):
--   mirror   as it is, and mirrored left to right: half each
--   shift    as it is: half; moved by a pixel up and left, and down and right, what lies beyond the edge reflected: a
--            quarter each
-- Both: each of three places as it is and mirrored, six views, as airbench (arXiv 2404.00498) has them.
local names = require 'hz.base.names'
local need = require 'hz.base.need'

local M = {}

-- name, views: weight, and what the step (hz_step) says of them. In the order of combination.
local rows = {
  { 'shift',  { { 0.5, 0, 0, 0 }, { 0.25, -1, -1, 0 }, { 0.25, 1, 1, 0 } } },
  { 'mirror', { { 0.5, 0, 0, 0 }, { 0.5, 0, 0, 1 } } },
}
local known = {}
for _, row in ipairs(rows) do known[row[1]] = true end

-- "mirror", "mirror,shift" or a list of names: nil, or what is wrong and what is needed.
function M.check(v, name)
  local list = v
  if type(v) == 'string' then list = M.list(v) end
  local n = type(list) == 'table' and names.length(list)
  if not n or n == 0 then
    return ("%s is %s; needs a list of %s"):format(name, need.shown(v), table.concat(names.sorted(known), ', '))
  end
  for i = 1, n do
    if not known[list[i]] then
      return ('%s: %s is unknown%s; have %s'):format(name, need.shown(list[i]),
        names.meant(list[i], names.sorted(known)), table.concat(names.sorted(known), ', '))
    end
  end
end

-- The names of a checked value, each once, in one order: of equal views equal lists.
function M.list(v)
  if type(v) ~= 'string' then v = table.concat(v, ' ') end
  local set = {}
  for name in v:gmatch '[^%s,]+' do set[name] = true end
  return names.sorted(set)
end

-- Views of a checked value: { weight, down, right, mirror } each; the weights add up to 1.
function M.of(v)
  local set, out = names.set(table.concat(M.list(v), ' ')), { { weight = 1, down = 0, right = 0, mirror = 0 } }
  for _, row in ipairs(rows) do
    local before = out
    out = set[row[1]] and {} or before
    for _, a in ipairs(set[row[1]] and before or {}) do
      for _, b in ipairs(row[2]) do
        out[#out + 1] = { weight = a.weight * b[1], down = a.down + b[2], right = a.right + b[3],
          mirror = a.mirror + b[4] }
      end
    end
  end
  return out
end

return M
