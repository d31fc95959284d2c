-- cheapest.lua: which of several codecs needs the fewest bits while it is safe. Each codec is a chain of encodings,
-- from most bits to fewest, that are tested in this order, each only while all before it are safe. Over the codecs
-- Holm's procedure (1979): of m codecs each is tested at alpha / m, and a codec of which every encoding is safe leaves
-- its share to the others. That is the graph of Bretz, Maurer, Brannath and Posch (2009) with one path a codec; with
-- one encoding each it is Holm's alone. So all that is claimed of all codecs holds at once, with probability 1 - alpha,
-- and the codec of the fewest bits may be picked from it. Pure functions of p values.
local M = {}

-- The codec whose next test is the most certain; of equals the first. at: by codec, how many of its tests are behind
-- it.
local function surest(paths, at)
  local best
  for k, path in ipairs(paths) do
    local p = path[at[k] + 1]
    if p and (not best or p < paths[best][at[best] + 1]) then best = k end
  end
  return best
end

-- paths: by codec, p values in the order of their tests. Returns p values adjusted for all of it, alike in form: what
-- is at most alpha may be claimed. Adjusted values rise along a path.
function M.adjusted(paths)
  local at, out, open, largest = {}, {}, 0, 0
  for k, path in ipairs(paths) do
    at[k], out[k] = 0, {}
    open = open + (#path > 0 and 1 or 0)
  end
  while open > 0 do
    local k = surest(paths, at)
    local i = at[k] + 1
    largest = math.max(largest, math.min(1, open * paths[k][i]))
    at[k], out[k][i] = i, largest
    if i == #paths[k] then open = open - 1 end
  end
  return out
end

-- How many from the top may be claimed at alpha.
local function run(adjusted, alpha)
  local n = 0
  while adjusted[n + 1] and adjusted[n + 1] <= alpha do n = n + 1 end
  return n
end

local function reversed(list)
  local out = {}
  for i = #list, 1, -1 do out[#out + 1] = list[i] end
  return out
end

-- codecs: list of codecs, each a list of { bits, safe, harmful (p values: 1 where there is no verdict) }, from most
-- bits to fewest. Returns by codec
--   safe       index of the encoding with the fewest bits that is claimed to be safe; nil: none is
--   p          adjusted p of that
--   harmful    index of the encoding with the most bits that is claimed to be harmful, as all below it; nil: none
-- and best, the codec whose claim needs the fewest bits (of equals the first; nil where none has a claim), with
-- needs_more: by codec, whether it is shown (harmful at as many bits) to need more than the best's.
function M.of(codecs, alpha)
  local down, up, list, best = {}, {}, {}, nil
  for k, codec in ipairs(codecs) do
    down[k], up[k] = {}, {}
    for i, e in ipairs(codec) do down[k][i], up[k][i] = e.safe, e.harmful end
    up[k] = reversed(up[k])
  end
  down, up = M.adjusted(down), M.adjusted(up)
  for k, codec in ipairs(codecs) do
    local safe, harmful = run(down[k], alpha), run(up[k], alpha)
    list[k] = { safe = safe > 0 and safe or nil, p = safe > 0 and down[k][safe] or nil,
      harmful = harmful > 0 and #codec - harmful + 1 or nil }
    local bits = safe > 0 and codec[safe].bits
    if bits and (not best or bits < codecs[best][list[best].safe].bits) then best = k end
  end
  for k, codec in ipairs(codecs) do
    local worst = codec[list[k].harmful]
    list[k].needs_more = best and k ~= best and worst ~= nil and worst.bits >= codecs[best][list[best].safe].bits
  end
  return list, best
end

return M
