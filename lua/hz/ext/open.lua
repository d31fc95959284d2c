-- open.lua: opens a foreign library for one of the doors beside this file. It stays open until the process
-- ends: libraries with threads or with state behind them (OpenBLAS, what libedit stands on) do not bear being
-- closed with the Lua state.
local ffi = require 'ffi'
local c = require 'hz.c'

ffi.cdef 'void *dlopen(const char *name, int flags);'
local NOW = 2            -- dlfcn.h: RTLD_NOW

-- The first of the names that is there, as ffi.load gives it; nil if none is.
return function(...)
  for i = 1, select('#', ...) do
    local name = select(i, ...)
    local ok, lib = c.try(ffi.load, name)
    if ok then
      ffi.C.dlopen(name, NOW)
      return lib
    end
  end
end
