-- distribution.lua: the normal, Student's and the binomial distribution, and quantiles, to 1e-10 of a probability.
-- Tails are computed as tails, so that small ones keep their digits. df = math.huge is the normal distribution.
local libm = require 'hz.ext.libm'

local M = {}

local erfc, lgamma = libm.erfc, libm.lgamma
local sqrt, exp, log, abs, huge, pi = math.sqrt, math.exp, math.log, math.abs, math.huge, math.pi

-- P(Z > z).
function M.normal_tail(z) return 0.5 * erfc(z / sqrt(2)) end

-- ---- Student's t ----

local TINY = 1e-300                   -- stands for a zero denominator (Thompson and Barnett 1986)

-- The continued fraction of the incomplete beta function, DLMF 8.17.22.
local function fraction(x, a, b)
  local c, d = 1, 1 - (a + b) * x / (a + 1)
  d = 1 / (abs(d) < TINY and TINY or d)
  local f = d
  local function step(numerator)
    c, d = 1 + numerator / c, 1 + numerator * d
    c, d = abs(c) < TINY and TINY or c, 1 / (abs(d) < TINY and TINY or d)
    f = f * c * d
    return abs(c * d - 1) < 1e-16
  end
  for m = 1, 10000 do
    step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)))
    if step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))) then break end
  end
  return f
end

-- I_x(a, b), the regularised incomplete beta function; y = 1 - x is given, too, where subtraction would lose it.
local function beta(x, y, a, b)
  if x <= 0 then return 0 end
  if y <= 0 then return 1 end
  local front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y))
  if x < (a + 1) / (a + b + 2) then return front * fraction(x, a, b) / a end
  return 1 - front * fraction(y, b, a) / b
end

-- P(T > t) with df degrees of freedom (> 0).
function M.t_tail(t, df)
  if df == huge then return M.normal_tail(t) end
  if abs(t) == huge then return t > 0 and 0 or 1 end
  local square = t * t
  local half = 0.5 * beta(df / (df + square), square / (df + square), df / 2, 0.5)
  return t >= 0 and half or 1 - half
end

local function t_density(t, df)
  if df == huge then return exp(-t * t / 2) / sqrt(2 * pi) end
  return exp(lgamma((df + 1) / 2) - lgamma(df / 2) - (df + 1) / 2 * log(1 + t * t / df)) / sqrt(df * pi)
end

-- t > 0 with P(T > t) = tail < 0.5: Newton's method, kept within a bracket that it narrows.
local function solve(tail, df)
  local low, high = 0, 1
  while M.t_tail(high, df) > tail do low, high = high, 2 * high end
  local t = (low + high) / 2
  for _ = 1, 200 do
    local excess = M.t_tail(t, df) - tail
    if excess > 0 then low = t else high = t end
    local next = t + excess / t_density(t, df)
    if not (next > low and next < high) then next = (low + high) / 2 end
    if abs(next - t) <= 1e-15 * t then return next end
    t = next
  end
  return t
end

local known = {}                      -- df -> tail -> t: a report asks for the same few thousands of times

-- t with P(T > t) = tail, 0 < tail < 1.
function M.t_upper(tail, df)
  if tail == 0.5 then return 0 end
  if tail > 0.5 then return -M.t_upper(1 - tail, df) end
  known[df] = known[df] or {}
  known[df][tail] = known[df][tail] or solve(tail, df)
  return known[df][tail]
end

-- P(X <= k) of n trials that succeed with probability p, 0 < p < 1 (DLMF 8.17.5); between whole k, from -1 to n, what
-- the beta function gives.
function M.binomial_at_most(k, n, p)
  if k <= -1 then return 0 elseif k >= n then return 1 end
  return beta(1 - p, p, n - k, k + 1)
end

-- ---- averages over an estimated variance ----

local STEPS = 400

-- Mean of f(u) where u^2 is chi-squared with df degrees of freedom over df: an estimated standard deviation over the
-- true one. Simpson's rule over the density of u, which is proportional to u^(df-1) exp(-df u^2 / 2).
function M.over_deviation(f, df)
  local low, high = math.max(0, 1 - 9 / sqrt(2 * df)), 1 + 9 / sqrt(2 * df)
  local sum, weight = 0, 0
  for i = 0, STEPS do
    local u = low + (high - low) * i / STEPS
    local w = (i == 0 or i == STEPS) and 1 or i % 2 == 1 and 4 or 2
    w = w * (u > 0 and exp((df - 1) * log(u) - df * (u * u - 1) / 2) or df == 1 and exp(0.5) or 0)
    sum, weight = sum + w * f(u), weight + w
  end
  return sum / weight
end

return M
