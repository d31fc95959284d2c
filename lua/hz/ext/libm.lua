-- libm.lua: functions of the C library's mathematics that Lua lacks.
local ffi = require 'ffi'

ffi.cdef [[
double erfc(double x);
double lgamma(double x);
]]

return { erfc = ffi.C.erfc, lgamma = ffi.C.lgamma }
