-- isa.lua: whether a value is a table of this class, which is its metatable. The one place that asks for metatables by
-- getmetatable: LuaJIT compiles it wrongly for files of the io library (what stands behind it then is no value, and
-- ends the process), and what a user passes may be one. Elsewhere debug.getmetatable does, which is not compiled.
return function(x, class) return type(x) == 'table' and getmetatable(x) == class end
