-- controls.lua: what shows that a loss would have been found: raw against raw with other seeds, and known damage.
local h = require 'hz.report.html.markup'.h
local parts = require 'hz.report.html.parts'
local verdict_text = require 'hz.report.verdict_text'

local M = {}

local function points(v) return v and ('%+.2f'):format(100 * v) or '-' end

local columns = { { 'control', 'left' }, { 'verdict', 'left' }, { 'known loss' }, { 'diff.' }, { 'lower' }, { 'upper' },
  { 'seeds' } }

local function line(called, found, known)
  return { called, found.verdict, known, points(found.difference), points(found.lower), points(found.upper),
    tostring(found.seeds) }
end

local function lines_of(assay)
  local lines = {}
  if assay.replicate then lines[1] = line('raw once more, other seeds', assay.replicate, '+0.00') end
  for _, one in ipairs(assay.damage or {}) do
    lines[#lines + 1] = line(('%.3g %% of the items exchanged'):format(100 * one.share), one.found,
      points(-math.abs(one.expected)))
  end
  return lines
end

-- The controls of a judged chain (chain.assay; nil: there are none).
function M.section(chain, name)
  local assay = chain.assay
  if not assay then return { h('h3', nil, 'Controls'), h('p', nil, verdict_text.no_assay) } end
  local lines = lines_of(assay)
  return { h('h3', nil, 'Controls'),
    h('p', nil, verdict_text.assay(assay, '')),
    #lines > 0 and parts.table { caption = name .. ': controls', columns = columns, lines = lines } or nil }
end

return M
