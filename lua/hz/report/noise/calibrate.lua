-- calibrate.lua: hz.calibrate: sweeps over camera conditions become the answer to whether saved bits measure noise
-- (calibration.lua), as text and as a picture.
local calibration = require 'hz.report.noise.calibration'
local coefficients = require 'hz.report.noise.coefficients'
local encoding = require 'hz.codec.encoding'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local progress = require 'hz.base.progress'
local sweeps = require 'hz.sweep.sweep'
local text = require 'hz.report.noise.calibration_text'

local Calibration = {}

Calibration.__tostring = text.text

-- ---- what was given ----

local function check_sweep(who, v)
  if not sweeps.is(v) then need.fail('calibrate', who, v, 'a sweep') end
end

local function check_named(o, key)
  if o[key] == nil then return end
  need.table('calibrate', key, o[key])
  for i, one in ipairs(o[key]) do
    local at = ('%s[%d]'):format(key, i)
    need.table('calibrate', at, one)
    need.text('calibrate', at .. '.name', one.name)
    check_sweep(at .. '.sweep', one.sweep)
  end
end

local function check_conditions(o)
  need.table('calibrate', 'conditions', o.conditions)
  for name, at in pairs(o.conditions) do
    need.text('calibrate', 'the name of a condition', name)
    need.table('calibrate', ("conditions['%s']"):format(name), at)
    need.finite('calibrate', ("conditions['%s'].noise"):format(name), at.noise)
    for key, check in pairs { name = need.text, texture = need.text, detail = need.text, options = need.table } do
      if at[key] ~= nil then check('calibrate', ("conditions['%s'].%s"):format(name, key), at[key]) end
    end
  end
end

local function check(o)
  names.fields('calibrate', o, 'grid conditions classifiers low_bits shuffled draws')
  need.table('calibrate', 'grid', o.grid)
  if #o.grid == 0 then need.fail('calibrate', 'grid', o.grid, 'a list of sweeps, one at least') end
  for i, sweep in ipairs(o.grid) do check_sweep(('grid[%d]'):format(i), sweep) end
  check_conditions(o)
  check_named(o, 'classifiers')
  check_named(o, 'low_bits')
  if o.shuffled ~= nil then check_sweep('shuffled', o.shuffled) end
  if o.draws ~= nil then need.whole('calibrate', 'draws', o.draws, 2, 10000) end
end

-- ---- noise at the knee ----

local function codec_of(e)
  local asked = {}
  for name, v in pairs(e.further or {}) do asked[name] = v end
  if e.parameter then asked[e.parameter] = e.value end
  return encoding.make(e.name, asked).codec
end

-- Adds to each cell what its knee holds of the noise, where it is a JPEG of a camera set.
local function add_kept(cells, draws)
  local shown = progress.new()
  for i, own in ipairs(cells) do
    local tested = own.entry and own.at.options and own.entry.group.tested
    if tested and tested.name == 'jpeg' then
      shown:show(('noise at the knee, cell %d of %d'):format(i, #cells))
      own.kept = own.at.noise == 0 and 0 or coefficients.of(codec_of(tested), own.at.options, { draws = draws })
    end
  end
  shown:clear()
end

-- ---- the whole ----

-- o: grid (sweeps), conditions (by the name of the data: { noise = grey values, texture = 'none' or 'high', detail,
-- options = of the camera set }), classifiers and low_bits (lists of { name, sweep }), shuffled (a sweep), draws (of
-- the noise, of each scene). Printing it gives tables, fits, controls and the rule; its fields are those of
-- calibration.of, and svg, the text of a picture of the ledger.
local function new(o)
  check(o)
  local out = calibration.of(o)
  add_kept(out.cells, o.draws)
  out.svg = text.picture(out)
  return setmetatable(out, Calibration)
end

return { new = new }
