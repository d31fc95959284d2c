-- curves.lua: two curves of accuracy over bits beside each other: accuracy at equal bits, bits at equal accuracy, with
-- intervals. Pure functions of outcomes (products.lua) and bits. A curve is a list of points { bits, arm }, rising in
-- bits; bits are per sample and above 0, arm is its number in the products.
--
-- Between two neighbours a curve is a line over the logarithm of bits, and nowhere else is it anything: then accuracy
-- at given bits is a sum of outcomes with fixed weights, so that its crossed variance is exact and no other than that
-- of a verdict. A spline (Bjontegaard 2001) or a monotone curve (PCHIP) bends by what was measured: its weights vary
-- with the outcomes, and no such interval is known. Where true curves bend, a line lies below; both curves do alike.
local distribution = require 'hz.report.statistics.distribution'
local products = require 'hz.report.statistics.products'

local M = {}

local log, exp, min, max, abs = math.log, math.exp, math.min, math.max, math.abs

-- ---- weights ----

-- Neighbours that enclose `bits`, and the share of the second; nil where nothing was measured around it.
local function around(curve, bits)
  for i, point in ipairs(curve) do
    if bits == point.bits then return point, point, 0 end
    local next = curve[i + 1]
    if next and bits > point.bits and bits < next.bits then
      return point, next, log(bits / point.bits) / log(next.bits / point.bits)
    end
  end
end

local function add(w, arm, by) w[arm] = (w[arm] or 0) + by end

-- Adds `by` times the curve's accuracy at `bits` to the weights w.
local function add_at(w, curve, bits, by)
  local low, high, share = around(curve, bits)
  add(w, low.arm, by * (1 - share))
  add(w, high.arm, by * share)
end

-- Bits that both curves enclose: from, to; nil and false where there are none.
function M.overlap(a, b)
  local from, to = max(a[1].bits, b[1].bits), min(a[#a].bits, b[#b].bits)
  return from <= to and from or nil, from <= to and to
end

-- Places of measured points of either curve from `from` to `to`, rising, each once.
local function places(a, b, from, to)
  local list, seen = {}, {}
  for _, curve in ipairs { a, b } do
    for _, point in ipairs(curve) do
      if point.bits >= from and point.bits <= to and not seen[point.bits] then
        list[#list + 1], seen[point.bits] = point.bits, true
      end
    end
  end
  table.sort(list)
  return list
end

-- ---- accuracy at equal bits ----

local function side(p, curve, bits)
  local w = {}
  add_at(w, curve, bits, 1)
  return products.judge(p, w).value
end

-- Accuracy of b minus that of a, both at `bits`: { bits, a, b (accuracies), value, lower, upper, se, df, p }.
function M.difference(p, a, b, bits, alpha)
  local w = {}
  add_at(w, b, bits, 1)
  add_at(w, a, bits, -1)
  local r = products.interval(p, w, alpha)
  r.bits, r.a, r.b = bits, side(p, a, bits), side(p, b, bits)
  return r
end

-- The same at each measured point of either curve that both enclose, rising.
function M.differences(p, a, b, alpha)
  local from, to = M.overlap(a, b)
  local list = {}
  for i, bits in ipairs(from and places(a, b, from, to) or {}) do list[i] = M.difference(p, a, b, bits, alpha) end
  return list
end

-- Adds the mean of a curve over the logarithm of bits between two neighbouring places (trapezia, exact for lines).
local function add_mean(w, curve, list, by)
  local whole = log(list[#list] / list[1])
  for i = 1, #list - 1 do
    local part = by * log(list[i + 1] / list[i]) / whole / 2
    add_at(w, curve, list[i], part)
    add_at(w, curve, list[i + 1], part)
  end
end

-- Mean of the difference over the logarithm of bits, over all that both enclose, one figure for the whole:
-- { from, to, value, lower, upper, ... }; nil where that is no more than a point.
function M.mean(p, a, b, alpha)
  local from, to = M.overlap(a, b)
  if not from or from == to then return nil end
  local w, list = {}, places(a, b, from, to)
  add_mean(w, b, list, 1)
  add_mean(w, a, list, -1)
  local r = products.interval(p, w, alpha)
  r.from, r.to = from, to
  return r
end

-- ---- bits at equal accuracy ----

local STEPS = 48                   -- of a segment: where between them the test turns is then halved down to 1e-12

-- f(bits) -> how far b is above the target, and how far that may be chance (t times its standard error).
local function tested(p, target, b, alpha)
  return function(bits)
    local w = {}
    for arm, by in pairs(target) do w[arm] = -by end
    add_at(w, b, bits, 1)
    local r = products.judge(p, w)
    return r.value, distribution.t_upper(alpha / 2, r.df) * r.se
  end
end

-- Bits between two, of which one is in (f true) and the other is not: where it turns.
local function turn(f, inside, outside)
  while abs(log(inside / outside)) > 1e-12 do
    local middle = exp((log(inside) + log(outside)) / 2)
    if middle == inside or middle == outside then break end
    if f(middle) then inside = middle else outside = middle end
  end
  return inside
end

-- All places of b, rising: its points and STEPS between neighbours.
local function grid(b)
  local list = {}
  for i, point in ipairs(b) do
    list[#list + 1] = point.bits
    for k = 1, b[i + 1] and STEPS - 1 or 0 do
      list[#list + 1] = exp(log(point.bits) + k / STEPS * log(b[i + 1].bits / point.bits))
    end
  end
  return list
end

-- The first of the places (in their order) where f holds, and where it began to; nil where it nowhere does. first:
-- whether that is the first place of all.
local function first_where(f, list)
  for i, bits in ipairs(list) do
    if f(bits) then return i == 1 and bits or turn(f, bits, list[i - 1]), i == 1 end
  end
end

local function reversed(list)
  local out = {}
  for i = #list, 1, -1 do out[#out + 1] = list[i] end
  return out
end

-- The bits at which curve b is as accurate as the target, weights by arm (of a point of another curve: { [arm] = 1 }).
-- Inverts the two-sided test of the difference at each place of b, as Fieller's set (1954) does for a ratio: a place is
-- in the set where the difference may be 0, and the interval is the hull of the set. It covers the true bits with 1 -
-- alpha where the true curve crosses the target within what was measured. Returns
--   bits           the fewest at which b is as accurate; nil where it nowhere is
--   where          nil, 'below' (b is more accurate even at its fewest bits), 'above' (nowhere so accurate)
--   lower, upper   nil where the set has no end there: at b's fewest bits b may still be as good, at its most as bad
--   outside        'below', 'above': the whole set lies where nothing was measured, beyond upper or lower
function M.bits(p, target, b, alpha)
  local at, list = tested(p, target, b, alpha), grid(b)
  local r = {}
  local estimate, at_once = first_where(function(bits) return (at(bits)) >= 0 end, list)
  r.bits, r.where = estimate, not estimate and 'above' or at_once and (at(list[1])) > 0 and 'below' or nil
  if r.where then r.bits = nil end
  local function not_worse(bits) local d, reach = at(bits); return d >= -reach end
  local function not_better(bits) local d, reach = at(bits); return d <= reach end
  local lower, all_low = first_where(not_worse, list)
  local upper, all_high = first_where(not_better, reversed(list))
  r.outside = not lower and 'above' or not upper and 'below' or nil
  r.lower = not lower and b[#b].bits or not all_low and upper and lower or nil
  r.upper = not upper and b[1].bits or not all_high and lower and upper or nil
  return r
end

-- The range of accuracies that a curve has at its points.
function M.range(p, curve)
  local least, most = math.huge, -math.huge
  for _, point in ipairs(curve) do
    least, most = min(least, p.mean[point.arm]), max(most, p.mean[point.arm])
  end
  return least, most
end

return M
