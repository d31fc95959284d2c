-- levels.lua: what a test of kernels runs on: the vector levels that this machine has (the one of HZ_ISA alone, where
-- that is set), and the vendors whose cores kernels are chosen for. Both are put back as they were, whatever happens.
local c = require 'hz.c'
local C, ffi = c.C, c.ffi

local M = {}

M.all = { 'portable', 'avx2', 'avx512', 'avx512bf16', 'amx' }
M.vendors = { 'intel', 'amd' }
M.first, M.vendor = ffi.string(C.hz_cpu_isa()), ffi.string(C.hz_cpu_vendor())

-- Runs f(level) there; false, without a call, if this machine does not grant the level.
function M.at(level, vendor, f)
  if C.hz_cpu_set_isa(level) ~= 0 then return false end
  c.check(C.hz_cpu_set_vendor(vendor))
  local ok, e = pcall(f, level)
  C.hz_cpu_set_isa(M.first)
  C.hz_cpu_set_vendor(M.vendor)
  if not ok then error(e, 0) end
  return true
end

-- Levels to be tried here.
function M.wanted() return (os.getenv 'HZ_ISA' or '') ~= '' and { M.first } or M.all end

-- f(level) on those of a list (default: all) that are wanted and granted.
function M.each(f, list)
  for _, level in ipairs(M.wanted()) do
    local listed = not list
    for _, name in ipairs(list or {}) do listed = listed or name == level end
    if listed then M.at(level, M.vendor, f) end
  end
end

-- f(level) with the kernels chosen for the other vendor's cores, on the levels where those may be others.
function M.each_other(f)
  local other = M.vendor == M.vendors[1] and M.vendors[2] or M.vendors[1]
  for _, level in ipairs(M.wanted()) do
    if level == 'avx512bf16' or level == 'amx' then M.at(level, other, f) end
  end
end

return M
