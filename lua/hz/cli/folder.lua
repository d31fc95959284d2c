-- folder.lua: what verbs over sweeps share: the folder of the runs, ids, and data for programs on standard output.
local file = require 'hz.base.file'
local manifest = require 'hz.sweep.manifest'
local protocol = require 'hz.sweep.protocol'
local visible_text = require 'hz.base.visible'.text

local M = {}

M.about = 'ID may be cut short as long as it is unique'
M.packed = M.about .. ', or the file of a packed sweep (hz runs pack)'
M.row = { 'runs', nil, 'string', 'the folder of the sweeps instead of HZ_RUNS or ./runs', form = 'runs=DIR' }

-- What verdicts are asked for, as NAME=VALUE.
M.asked = {}
for i, row in ipairs(protocol.asked) do
  M.asked[i] = setmetatable({ form = row[1] .. '=SHARE' }, { __index = row })
end
table.insert(M.asked, setmetatable({ form = protocol.force[1] .. '=true' }, { __index = protocol.force }))

-- A verb f(o) with o.runs filled in.
function M.at(f)
  return function(o)
    o.runs = manifest.runs(o.runs)
    return f(o)
  end
end

-- Data are for programs: as they are, unless a person reads them at a terminal.
function M.out(text) io.write(file.terminal(1) and visible_text(text) or text) end

return M
