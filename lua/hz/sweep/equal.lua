-- equal.lua: the axis bits= of a sweep: codecs at equal bits per sample of what trains (at_bits.lua). The cells are
-- those of the values that were found, so that sweeps that name these values find them. A codec that cannot go so low
-- or so high is said, and the sweep goes on without; where none can, that is an error.
local at_bits = require 'hz.codec.at_bits'
local c = require 'hz.c'
local encoding = require 'hz.codec.encoding'
local need = require 'hz.base.need'
local plugins = require 'hz.codec.plugins'
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

local M = {}

local KEYS = { 'bits', 'bits_test' }

-- ---- what is asked for ----

-- Whether a sweep asks for bits.
function M.asked(o) return o.bits ~= nil or o.bits_test ~= nil end

local function text_of(list)
  local parts = {}
  for i, v in ipairs(list) do parts[i] = tostring(v) end
  return table.concat(parts, ',')
end

-- Whether a key names the parameter that bits of one of these codecs are met by.
function M.finds(codecs, key)
  for _, name in ipairs(codecs or {}) do
    local about = name ~= 'raw' and plugins.codec(name)
    local p = about and at_bits.parameter(about)
    if p and plugins.param(about.params, key) == p then return true end
  end
  return false
end

-- What is found cannot be given as well.
local function check_other(o, key, list)
  local name = key:gsub('_test$', '')
  if list and (name == 'quality' or M.finds(o.codec, name) or M.finds(o.codec_test, name)) then
    c.fail('sweep: bits=%s and %s=%s were given; needs one of both: bits finds the value of %s',
      text_of(o.bits or o.bits_test), key, text_of(list), name)
  end
end

-- Checks the bits that were asked for.
function M.check(o)
  for _, key in ipairs(KEYS) do
    for i, v in ipairs(o[key] or {}) do
      if v ~= 'raw' and not (type(v) == 'number' and v > 0 and v < math.huge) then
        need.fail('sweep', ('%s[%d]'):format(key, i), v, "bits per sample, a number above 0, or 'raw'")
      end
    end
  end
  if not M.asked(o) then return end
  for _, key in ipairs { 'quality', 'quality_test' } do check_other(o, key, o[key]) end
  for key, list in pairs(o.values or {}) do check_other(o, key, list) end
end

-- ---- what was found ----

local function setting(one)
  return one.parameter and ('%s=%s'):format(one.parameter, tostring(one.value)) or 'as it is'
end

-- Why a codec is left out where it does not have these bits.
local function reason(one)
  local what = one.parameter and setting(one) or one.lossless and 'it loses nothing, and' or 'it always'
  return ('%s takes %.4g%s'):format(what, one.bits, one.parameter and (one.most and ', the most' or ', the fewest')
    or '')
end

-- Lines about what is left out, one of all bits for the same reason.
local function missed_lines(all)
  local lines, by = {}, {}
  for _, row in ipairs(all.missed) do
    local key = row.name .. '\0' .. row.why
    if not by[key] then
      by[key] = { row = row, bits = {} }
      lines[#lines + 1] = by[key]
    end
    table.insert(by[key].bits, ('%.4g'):format(row.wanted))
  end
  for i, line in ipairs(lines) do
    local what = line.row.failed and 'failed' or 'out of reach'
    lines[i] = visible(('%s at bits=%s: %s; %s'):format(line.row.name, table.concat(line.bits, ','), what,
      line.row.why))
  end
  return lines
end

-- A function for encodings.pairs that finds values on what trains; what it finds and misses is added to `all`, lists of
-- { data, name, one } and { name, wanted, why, failed }.
function M.finder(o, data, all)
  local seen = {}
  return function(name, asked, wanted)
    local base = encoding.make(name, asked, o.isolate)
    if (base.codec.kind == 'audio') ~= (data.train.sounds ~= nil) then return {} end      -- axes.lua says so
    local key = ('%s\0%s\0%.17g'):format(base.name, base.values, wanted)
    if seen[key] == nil then
      local ok, one = c.try(at_bits.find, data.train, name, asked, wanted, o.isolate)
      seen[key] = ok and one.reached and one or false
      if seen[key] then
        table.insert(all.found, { data = data.name, name = base.text, one = one })
      else
        table.insert(all.missed, { name = base.text, wanted = wanted, failed = not ok,
          why = ok and reason(one) or tostring(one) })
      end
    end
    return seen[key] or nil
  end
end

-- A table of what was found, and lines about what was not; an error where that is all.
function M.show(all)
  if #all.found + #all.missed == 0 then return end
  local lines = missed_lines(all)
  if #all.found == 0 then c.fail('sweep: no codec has these bits: %s', table.concat(lines, '; ')) end
  local several, rows = false, {}
  for i, row in ipairs(all.found) do
    several = several or row.data ~= all.found[1].data
    local one = row.one
    rows[i] = { row.name, ('%.4g'):format(one.wanted), setting(one), ('%.4f'):format(one.bits),
      ('%+.1f %%'):format(100 * (one.bits / one.wanted - 1)), row.data }
  end
  for i, row in ipairs(rows) do
    if not several then rows[i] = { unpack(row, 1, 5) } end
  end
  print(tables.text({ { 'codec', 'left' }, { 'bits asked' }, { 'found', 'left' }, { 'bits got' }, { 'off' },
    several and { 'data', 'left' } or nil }, rows))
  for _, line in ipairs(lines) do print('left out: ' .. line) end
  io.stdout:flush()
end

return M
