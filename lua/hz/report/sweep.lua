-- sweep.lua: hz.sweep: a sweep (sweep/sweep.lua) that shows what it found: printing it gives the table, s:plot(path)
-- the plot.
local adaptive = require 'hz.report.adaptive'
local file = require 'hz.base.file'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local picture = require 'hz.report.picture'
local report = require 'hz.report.report'
local sweep = require 'hz.sweep.sweep'
local text = require 'hz.report.text'

local Sweep, methods = sweep.Sweep, sweep.methods

-- Writes the plot of accuracy over bits as an SVG file.
local function plot(self, path) file.write(need.path('plot', path), picture.svg(report.of_sweep(self))) end

methods.plot = names.receiver('sweep', 'plot', sweep.is, plot)

function Sweep:__tostring() return text.text(report.of_sweep(self)) end

-- hz.sweep{...}, as sweep.run has it.
return { run = function(o) return sweep.run(o, adaptive.more) end }
