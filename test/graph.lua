-- graph.lua: a row of ops.lua as a running plan; what tests and `hz selftest` share.
return require 'hz.cli.selftest.node'
