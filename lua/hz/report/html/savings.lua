-- savings.lua: what the claimed encoding saves (report/savings.lua): storage, epochs and time.
local damage_text = require 'hz.report.damage.damage_text'
local h = require 'hz.report.html.markup'.h
local parts = require 'hz.report.html.parts'

local M = {}

local bytes = damage_text.bytes

local function signed(d) return d and ('%+.3g (%.3g to %.3g)'):format(d.difference, d.lower, d.upper) or '-' end

local function storage(lines, s)
  for _, row in ipairs { { 'payload', 'storage, payload' }, { 'file', 'storage, whole files' } } do
    local kind = row[1]
    lines[#lines + 1] = { row[2], bytes(s.raw[kind]), s.lossless and bytes(s.lossless[kind]) or '-',
      bytes(s.claimed[kind]), bytes(s.saved[kind]) }
  end
end

local function epochs(lines, e)
  local function of(one) return ('%.1f (%d of %d seeds)'):format(one.restricted, one.reached, one.seeds) end
  lines[#lines + 1] = { 'epochs to the target', of(e.raw), '-', of(e.claimed), signed(e.difference) }
end

local function seconds(lines, s)
  local function row(called, one)
    lines[#lines + 1] = { called, ('%.1f s'):format(one.raw), '-', ('%.1f s'):format(one.claimed),
      signed(one.difference) }
  end
  row('training', s)
  if s.epoch then row('an epoch', s.epoch) end
end

-- found: savings.of(r, chain), may be nil: nothing is claimed.
function M.section(r, found, name)
  if not found then return nil end
  local lines, notes = {}, {}
  storage(lines, found.storage)
  if found.epochs then
    epochs(lines, found.epochs)
    notes[1] = ('Epochs: until the watched items first reach %.2f %%, of %d at most; a seed that does not counts as '
      .. '%d.'):format(100 * found.epochs.target, found.epochs.horizon, found.epochs.horizon)
  end
  if found.seconds then
    seconds(lines, found.seconds)
    notes[#notes + 1] = 'Time as measured, whatever else the machine did. Differences: here minus raw, with bounds, '
      .. ('one-sided at %.4g %%.'):format(100 * (1 - r.alpha))
  end
  local lossless = found.storage.lossless and 'lossless ' .. found.storage.lossless.called or 'lossless'
  return { h('h3', nil, 'What is saved'), parts.table {
    caption = ('%s: what %s saves, over %d items'):format(name, found.called, found.items),
    columns = { { 'figure', 'left' }, { 'raw' }, { lossless }, { found.called }, { 'saved' } }, lines = lines,
    notes = notes } }
end

return M
