-- calibration_text.lua: a calibration (calibration.lua) in words and tables, and its ledger as a picture.
local bars = require 'hz.base.bars'
local ledger = require 'hz.report.noise.ledger'
local tables = require 'hz.base.table'
local verdicts = require 'hz.report.verdicts'
local visible = require 'hz.base.visible'.line
local wrap = require 'hz.report.words'.wrap

local M = {}

local function number(v, format) return v and (format or '%.2f'):format(v) or '-' end

-- Of the table's first columns.
local function condition(own) return { ('%g'):format(own.at.noise), own.at.texture or '', own.at.detail or '' } end

local function row(own, more)
  local out = condition(own)
  for i, v in ipairs(more) do out[3 + i] = v end
  return out
end

-- ---- a line per cell ----

local cell_columns = { { 'noise' }, { 'texture' }, { 'detail' }, { 'raw %' }, { 'H(Y|S)' },
  { 'lossless' }, { 'knee' }, { 'bits' }, { 'saved' }, { 'at most' }, { 'incr.' } }

local function increment_of(calibration, own)
  for _, p in ipairs(calibration.increment.figure.points) do
    if p.cell == own then return p.y end
  end
end

local function cells_table(calibration)
  local rows, notes = {}, {}
  for i, own in ipairs(calibration.cells) do
    rows[i] = row(own, { number(own.accuracy and 100 * own.accuracy, '%.1f'), number(own.noise), number(own.lossless),
      own.entry and own.entry.group.tested:label_text() or 'none', number(own.ledger and own.ledger.knee),
      number(own.saved), number(own.most), number(increment_of(calibration, own)) })
    if own.reason then
      notes[#notes + 1] = wrap(('noise %s, texture %s, %s detail: %s'):format(rows[i][1], rows[i][2], rows[i][3],
        own.reason))
    end
  end
  local text = tables.text(cell_columns, rows, tables.width)
  return #notes > 0 and text .. '\n' .. table.concat(notes, '\n') or text
end

-- ---- the ledger ----

local ledger_columns = { { 'noise' }, { 'texture' }, { 'detail' }, { 'noise' }, { 'dropped' },
  { 'lossless' }, { 'kept' }, { '= saved' }, { 'H(Z|S) <' } }

local function ledger_table(calibration)
  local rows = {}
  for _, own in ipairs(calibration.cells) do
    local terms = own.ledger and own.ledger.terms
    if terms then
      local t = {}
      for k, term in ipairs(terms) do t[k] = number(term.bits) end
      rows[#rows + 1] = row(own, { t[1], t[2], t[3], t[4], number(own.saved), number(own.kept) })
    end
  end
  if #rows == 0 then return nil end
  local lines = { 'ledger, bits per sample, at the knee:', tables.text(ledger_columns, rows, tables.width) }
  for _, text in ipairs(ledger.legend) do lines[#lines + 1] = wrap(text, '  ') end
  lines[#lines + 1] = wrap('H(Z|S) <: noise that the knee still holds, at most: entropy of the quantised coefficients '
    .. 'over draws of the noise, added as if they were independent; an estimate', '  ')
  return table.concat(lines, '\n')
end

-- A bar per cell.
function M.picture(calibration)
  local list, names = {}, {}
  for k, text in ipairs(ledger.legend) do names[k] = text:match '^[^:]*' end
  for _, own in ipairs(calibration.cells) do
    if own.ledger and own.ledger.terms then
      local values, at = {}, condition(own)
      for k, term in ipairs(own.ledger.terms) do values[k] = term.bits end
      list[#list + 1] = { values = values, label = ('%s, %s, %s'):format(at[1], at[2], at[3]) }
    end
  end
  return bars.text { title = 'What saved bits are made of', y = 'bits per sample', names = names, sum = 'saved',
    bars = list }
end

-- ---- fits and the rule ----

local function estimate(e)
  if not e then return '-' end
  return e.lower and ('%.2f (%.2f to %.2f)'):format(e.value, e.lower, e.upper) or ('%.2f'):format(e.value)
end

local function ends(e) return e and e.lower and ('%.1f..%.1f'):format(e.lower, e.upper) or '' end

local fit_columns = { { 'over true noise', 'left' }, { 'intercept' }, { '95 %' }, { 'slope' }, { '95 %' },
  { 'texture' }, { 'error' }, { 'cells' } }

local function fit_row(figure, indent)
  local a, b = figure.intercept, figure.slope
  return { (indent or '') .. figure.name, number(a and a.value), ends(a), number(b and b.value), ends(b),
    number(figure.texture), number(figure.error), tostring(figure.n) }
end

local function fits_table(calibration)
  local rows = {}
  for _, side in ipairs { calibration.increment, calibration.absolute } do
    rows[#rows + 1] = fit_row(side.figure)
    for _, list in ipairs { side.coders, side.baselines } do
      for _, figure in ipairs(list) do rows[#rows + 1] = fit_row(figure, '  ') end
    end
  end
  return tables.text(fit_columns, rows, tables.width)
end

local function extremes(list) return math.min(unpack(list)), math.max(unpack(list)) end

local function seeds_line(seeds)
  if #seeds.slope == 0 then return nil end
  local a, b = extremes(seeds.intercept)
  local low, high = extremes(seeds.slope)
  return wrap(('with one seed left out the increment has intercepts of %.2f to %.2f, slopes of %.2f to %.2f'):format(a,
    b, low, high))
end

local function rule_text(side)
  local lines, passed = {}, 0
  for i, r in ipairs(side.rule) do
    passed = passed + (r[4] and 1 or 0)
    lines[i] = ('  %s  %s %s; needs %s'):format(r[4] and 'pass' or 'FAIL', r[1],
      r[2] and estimate(r[2]) or 'cannot be told', r[3])
  end
  table.insert(lines, 1, ('%s: %s'):format(side.figure.name, passed == #side.rule and 'pass'
    or ('FAIL, %d of %d lines pass'):format(passed, #side.rule)))
  return table.concat(lines, '\n')
end

-- ---- controls ----

local function zero_noise(calibration)
  local parts = {}
  for _, own in ipairs(calibration.cells) do
    if own.at.noise == 0 and own.saved then
      parts[#parts + 1] = ('%.2f (texture %s, %s)'):format(own.saved, own.at.texture, own.at.detail)
    end
  end
  return #parts > 0 and 'zero noise: saved bits that no noise explains: ' .. table.concat(parts, ', ')
    or 'zero noise: nothing is saved by a knee'
end

-- What a list of cells, one with and one without noise, gives.
local function increments(cells)
  local parts, base = {}, nil
  for _, own in ipairs(cells) do base = base or own.at.noise == 0 and own end
  for _, own in ipairs(cells) do
    local name = own.at.name or ('noise %g'):format(own.at.noise)
    if not own.saved then
      parts[#parts + 1] = ('%s: no figure, %s'):format(name, own.reason)
    elseif own == base then
      parts[#parts + 1] = ('%s: saved %.2f at %s'):format(name, own.saved, verdicts.called(own.entry))
    else
      local more = base and base.saved and (', increment %.2f of %.2f'):format(own.saved - base.saved,
        own.noise - base.noise) or ''
      parts[#parts + 1] = ('%s: saved %.2f at %s%s'):format(name, own.saved, verdicts.called(own.entry), more)
    end
  end
  return table.concat(parts, '; ')
end

local function oracle_line(calibration)
  local parts = {}
  for _, one in ipairs(calibration.oracle) do
    local at, found = condition(one.cell), one.found
    parts[#parts + 1] = ('%s, %s, %s: saves %.2f of %.2f, %s'):format(at[1], at[2], at[3], one.saved, one.cell.noise,
      found.verdict)
  end
  return #parts > 0 and 'oracle denoiser (the scene itself, coded without loss; increment of lossless bits): '
    .. table.concat(parts, '; ')
end

local function shuffled_line(cells)
  if not cells then return nil end
  local why
  for _, own in ipairs(cells) do why = own.chain.reason or why end
  if not why then return 'shuffled labels: FAIL, a verdict was given' end
  return (why:find 'near chance' and 'shuffled labels: pass, no verdict: '
    or 'shuffled labels: no verdict, for another reason: ') .. why
end

local function controls(calibration)
  local parts = { zero_noise(calibration), oracle_line(calibration) or nil }
  for _, one in ipairs(calibration.low_bits) do
    parts[#parts + 1] = ('low bits of %s: %s'):format(one.name, increments(one.cells))
  end
  for _, one in ipairs(calibration.classifiers) do
    parts[#parts + 1] = ('%s classifier: %s'):format(one.name, increments(one.cells))
  end
  parts[#parts + 1] = shuffled_line(calibration.shuffled)
  for i, text in ipairs(parts) do parts[i] = wrap(visible(text), '  ') end
  return 'controls:\n' .. table.concat(parts, '\n')
end

-- ---- the whole ----

function M.text(calibration)
  local parts = {
    ('do saved bits measure noise? noise in grey values at mid grey, all else in bits per sample; margin %.4g points, '
      .. '%.4g %% confidence'):format(100 * calibration.margin, 100 * (1 - calibration.alpha)),
    cells_table(calibration), ledger_table(calibration) or '', fits_table(calibration),
  }
  parts[1] = wrap(parts[1])
  if parts[3] == '' then table.remove(parts, 3) end
  parts[#parts + 1] = seeds_line(calibration.seeds)
  parts[#parts + 1] = controls(calibration)
  parts[#parts + 1] = wrap('rule, fixed in advance, for the calibrated increment; the absolute figure is held to it '
    .. 'beside, and fails where detail that the class does not need is large:')
  parts[#parts + 1] = rule_text(calibration.increment)
  parts[#parts + 1] = rule_text(calibration.absolute)
  return table.concat(parts, '\n\n')
end

return M
