-- questions.lua: what a codec is asked, in order. A row: { name, function(subject) -> remark, a value }; an error is
-- the finding. asks: what a codec promises there, as --json says it. kind: of the only codecs that it concerns; unless:
-- function(subject) -> why it cannot be asked, or false. twice: it is asked again in another process, some time later,
-- and must give the same value. set: environment of its process.
local damage = require 'hz.cli.check.damage'
local memory = require 'hz.cli.check.memory'
local same = require 'hz.cli.check.same'
local sense = require 'hz.cli.check.sense'
local shapes = require 'hz.cli.check.shapes'

local order = { 'symbols', 'runs', 'again', 'threads', 'direction', 'ranges', 'sizes', 'lengths', 'channels', 'rates',
  'delay', 'roundtrip', 'truncated', 'flipped', 'random', 'room', 'inputs', 'leaks', 'account', 'speed' }

local by_name = {}
for _, rows in ipairs { damage, memory, same, sense, shapes } do
  for _, row in ipairs(rows) do by_name[row[1]] = row end
end

local M = { order = order }
M.quiet = 'quiet'                  -- asked by who waits outside, of all that was printed during the others

function M.named(name) return by_name[name] end
function M.asks(name) return name == M.quiet and 'nothing is printed' or by_name[name].asks end

-- The rows of these names, in order; all of them for nil.
function M.some(list)
  local rows, wanted = {}, {}
  for _, name in ipairs(list or order) do wanted[name] = true end
  for _, name in ipairs(order) do
    if wanted[name] then rows[#rows + 1] = by_name[name] end
  end
  return rows
end

return M
