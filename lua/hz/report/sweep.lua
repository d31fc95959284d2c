-- sweep.lua: hz.sweep: a sweep (sweep/sweep.lua) that shows what it found: printing it gives the table, s:plot(path)
-- the plot.
local file = require 'hz.base.file'
local picture = require 'hz.report.picture'
local report = require 'hz.report.report'
local sweep = require 'hz.sweep.sweep'
local text = require 'hz.report.text'

local Sweep = sweep.Sweep

-- Writes the plot of accuracy over bits as an SVG file.
function Sweep:plot(path) file.write(path, picture.svg(report.of_sweep(self))) end

function Sweep:__tostring() return text.text(report.of_sweep(self)) end

return { run = sweep.run }
