-- draw.lua: what a case of the fuzzer is made of: a sequence of choices that follows from seed and case number alone
-- (Philox), so that one failing case can be named and drawn again without those before it.
local tensor = require 'hz.tensor.tensor'

local M, Draw = {}, {}
Draw.__index = Draw

local MANY = 1024                  -- numbers of a case, taken in turn; from the first again when they are used up

-- stream: the case's own number.
function M.new(seed, stream)
  local numbers = tensor.rand({ MANY }, 0, 1, { seed = seed, stream = stream, dtype = 'f64' })
  return setmetatable({ numbers = numbers, pointer = numbers:pointer(), used = 0 }, Draw)
end

-- In [0,1).
function Draw:unit()
  local u = self.pointer[self.used % MANY]
  self.used = self.used + 1
  return u
end

function Draw:whole(from, to) return from + math.floor(self:unit() * (to - from + 1)) end
function Draw:chance(share) return self:unit() < share end
function Draw:of(list) return list[self:whole(1, #list)] end
function Draw:between(a, b) return a + (b - a) * self:unit() end

-- Extents that fill no vector, that just fill one, and one more; small ones most often.
local channels = { 1, 1, 2, 3, 3, 4, 5, 7, 8, 9, 13, 15, 16, 16, 17, 19, 24, 31, 32, 32, 33, 48, 63, 64, 65 }
function Draw:channels(most)
  local n
  repeat n = self:of(channels) until n <= (most or 65)
  return n
end

return M
