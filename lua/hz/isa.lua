-- isa.lua: whether a value is a table of this class, which is its metatable. Anything may be asked about.
return function(x, class) return type(x) == 'table' and getmetatable(x) == class end
