-- ops.lua: the op case table, which `hz selftest` has, too; each who loads it gets rows of its own, as they may change.
return assert(loadfile(require 'hz.c'.here .. 'cli/selftest/rows.lua'))()
