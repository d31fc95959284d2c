-- sweep.lua: hz.sweep: a sweep (sweep/sweep.lua) that shows what it found: printing it gives the table, s:plot(path)
-- the plot. At its end a sweep draws its gallery (gallery.lua).
local adaptive = require 'hz.report.adaptive'
local file = require 'hz.base.file'
local gallery = require 'hz.report.damage.gallery'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local picture = require 'hz.report.picture'
local plan = require 'hz.report.plan'
local report = require 'hz.report.report'
local sweep = require 'hz.sweep.sweep'
local text = require 'hz.report.text'

local Sweep, methods = sweep.Sweep, sweep.methods

-- Writes the plot of accuracy over bits as an SVG file.
local function plot(self, path) file.write(need.path('plot', path), picture.svg(report.of_sweep(self))) end

methods.plot = names.receiver('sweep', 'plot', sweep.is, plot)

function Sweep:__tostring() return text.text(report.of_sweep(self)) end

-- hz.sweep{...}, as sweep.run has it; under `hz plan` it says what the sweep will be, and ends the script. Workers
-- leave the gallery to the process that began.
local function run(o)
  if (rawget(_G, '_HZ') or {}).plan then return plan.show(o) end
  local self = sweep.run(o, { more = adaptive.more, told = plan.told })
  if not os.getenv 'HZ_SWEEP_WORKER' then gallery.keep(report.of_sweep(self)) end
  return self
end

return { run = run }
