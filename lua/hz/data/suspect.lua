-- suspect.lua: what makes a result worth less than it looks, found in the sets alone: contents that are not those
-- recorded for a set, and test items that were trained on. Each is a text, or nil where all is well.
local ffi = require 'ffi'
local names = require 'hz.base.names'

local M = {}

-- Where the contents differ from those that the description records.
function M.foreign(spec, set)
  local wanted = spec.digest and spec.digest[set.part]
  if not wanted or wanted == set.digest then return nil end
  return ('%d items that are not those recorded for this set: digest %s; needs %s (an edited or recoded copy?)'):format(
    #set.labels, set.digest, wanted)
end

function M.hash(set, i) return ffi.string(set.hashes:pointer 'read' + 32 * (i - 1), 32) end

-- How many test items are in the training set, too.
function M.leak(train, test)
  local seen, both = {}, 0
  for i = 1, #train.labels do seen[M.hash(train, i)] = true end
  for i = 1, #test.labels do both = both + (seen[M.hash(test, i)] and 1 or 0) end
  if both > 0 then return ('%d of %d test items are in the training set'):format(both, #test.labels) end
end

return names.guard('suspect', M)
