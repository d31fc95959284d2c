-- text.lua: a report (report.lua) in words: heading, table, plot in characters, what went wrong, and the verdict.
local adaptive = require 'hz.report.adaptive'
local picture = require 'hz.report.picture'
local plot = require 'hz.base.plot'
local rows_of = require 'hz.sweep.rows'
local table_text = require 'hz.base.table'.text
local thousands = require 'hz.net.net'.thousands
local title = require 'hz.sweep.text'.title
local number = require 'hz.report.words'.number
local verdict_text = require 'hz.report.verdict_text'
local visible = require 'hz.base.visible'.text

local M = {}

-- ---- table ----


local function decibels(v) return v and ('%.2f'):format(v) or 'exact' end

-- Bits and quality are those of the test items. varies: shown only where the groups differ in this field; differs:
-- where some are tested on another encoding than trained on; of: of 'images' or 'sounds' alone.
local columns = {
  { 'data', 'left', function(g) return g.data end, varies = 'data' },
  { 'model', 'left', function(g) return g.model end, varies = 'model' },
  { 'epochs', 'right', function(g) return tostring(g.epochs) end, varies = 'epochs' },
  { 'dtype', 'left', function(g) return g.dtype end, varies = 'dtype' },
  { 'codec', 'left', function(g) return rows_of.called(g, 'trained') end },
  { 'tested on', 'left', function(g) return rows_of.called(g, 'tested') end, differs = true },
  { 'payload', 'right', function(g) return number('%.1f', g.bytes_payload) end },
  { 'tables', 'right', function(g) return number('%.1f', g.bytes_tables) end },
  { 'container', 'right', function(g) return number('%.1f', g.bytes_container) end },
  { 'bits/sample', 'right', function(g) return number('%.3f', g.bits_per_sample) end },
  { 'per file', 'right', function(g) return number('%.3f', g.bits_per_sample_file) end },
  { 'kbit/s', 'right', function(g) return number('%.2f', g.kbit_per_second) end, of = 'sounds' },
  { 'PSNR dB', 'right', function(g) return g.of_files and '-' or decibels(g.psnr) end, of = 'images' },
  { 'SSIM', 'right', function(g) return number('%.4f', g.ssim) end, of = 'images' },
  { 'SNR dB', 'right', function(g) return g.of_files and '-' or decibels(g.snr) end, of = 'sounds' },
  { 'LSD dB', 'right', function(g) return number('%.2f', g.log_spectral_distance) end, of = 'sounds' },
  { 'train bits', 'right', function(g) return number('%.3f', g.bits_per_sample_train) end, differs = true },
  { 'train dB', 'right', function(g)
    return g.bits_per_sample_train and decibels(g[g.kbit_per_second and 'snr_train' or 'psnr_train']) or '-'
  end, differs = true },
  { 'accuracy %', 'right', function(g) return number('%.2f', g.accuracy, 100) end },
  { '+-', 'right', function(g) return number('%.2f', g.spread, 100) end },
  { 'conv.', 'right', function(g)
    return (g.of_files or g.censored > 0) and '-' or number('%.1f', g.convergence_epoch)
  end },
  { 'seconds', 'right', function(g) return number('%.1f', g.seconds) end },
  { 'seeds', 'right', function(g)
    return g.of_files and '-' or g.failed > 0 and ('%d, %d failed'):format(g.seeds, g.failed) or tostring(g.seeds)
  end },
}

local function of_kind(kind, groups)
  local any = false
  for _, g in ipairs(groups) do
    any = any or not g.of_files and (g.kbit_per_second ~= nil) == (kind == 'sounds')
  end
  return any
end

local function shown(col, groups)
  if col.of and not of_kind(col.of, groups) then return false end
  for _, g in ipairs(groups) do
    if col.varies and g[col.varies] ~= groups[1][col.varies] then return true end
    if col.differs and g.trained ~= g.tested then return true end
  end
  return not col.varies and not col.differs
end

-- A line for the files that the data of these groups came from, as if it were a group: what they take, and what is
-- reached with their pixels as they are (raw; nil without).
local function files_of(g, raw)
  local name = ('files (%s)'):format(g.source)
  local line = { of_files = true, data = g.data, model = g.model, epochs = g.epochs, dtype = g.dtype,
    trained = { text = name }, accuracy = raw and raw.accuracy, spread = raw and raw.spread }
  line.tested = line.trained
  for _, figure in ipairs(rows_of.figures) do line[figure] = g['source_' .. figure] end
  return line
end

-- The groups, and behind those of one setting a line for the files.
local function with_files(groups)
  local list, raw = {}, nil
  for i, g in ipairs(groups) do
    list[#list + 1] = g
    raw = rows_of.untouched(g) and g or raw
    local next_one = groups[i + 1]
    if not next_one or rows_of.setting(next_one) ~= rows_of.setting(g) then
      if g.source then list[#list + 1] = files_of(g, raw) end
      raw = nil
    end
  end
  return list
end

-- Groups (stats.lua) as columns, and lines of a text each.
function M.figures(groups)
  local use, rows = {}, {}
  groups = with_files(groups)
  for _, col in ipairs(columns) do
    if shown(col, groups) then use[#use + 1] = col end
  end
  for i, g in ipairs(groups) do
    rows[i] = {}
    for k, col in ipairs(use) do rows[i][k] = col[3](g) end
  end
  return use, rows
end

-- The same as aligned text.
function M.table(groups) return table_text(M.figures(groups)) end

-- ---- heading ----

local function heading(r)
  local function all(get) return table.concat(rows_of.distinct(r.rows, get), ', ') end
  local function of(name) return all(function(row) return row[name] end) end
  local function ran(name) return all(function(row) return row.record.run[name] end) end
  local latest = ''
  for _, row in ipairs(r.rows) do latest = row.record.run.finished > latest and row.record.run.finished or latest end
  local models = all(function(row) return ('%s (%s parameters)'):format(row.model, thousands(row.params)) end)
  return visible(table.concat({ r.id,
    ('data %s, %s%s; protocol %s; %s; epochs %s'):format(of 'data', of 'split',
      of 'made' ~= '' and ', ' .. of 'made' or '', of 'protocol', models, of 'epochs'),
    ('hz %s (%s), %s, %s threads, last cell %s'):format(ran 'version', ran 'commit',
      all(function(row) return row.record.run.device or row.record.run.isa end), ran 'threads', latest),
  }, '\n'))
end

-- ---- what went wrong ----

-- Texts: trainings that failed, notes of the report, cells that are not there.
function M.remarks(r)
  local list = {}
  for _, row in ipairs(r.rows) do
    if row.failed then
      local f = row.record.failure
      list[#list + 1] = ('failed: %s: epoch %d, layer %s: %s'):format(title(row), f.epoch, f.layer, f.message)
    end
  end
  for _, note in ipairs(r.notes) do list[#list + 1] = note end
  if r.adaptive then
    list[#list + 1] = adaptive.ending(r)
  elseif r.missing > 0 then
    local are = r.missing == 1 and ' is' or 's are'
    list[#list + 1] = ('%d cell%s not finished; the same command goes on'):format(r.missing, are)
  end
  return list
end

-- The same, a line each.
function M.remark_lines(r)
  local list = {}
  for _, remark in ipairs(M.remarks(r)) do
    for line in remark:gmatch '[^\n]+' do list[#list + 1] = line end
  end
  return list
end

-- ---- the whole ----

function M.text(r)
  local parts = {}
  if #r.rows > 0 then
    parts = { heading(r), M.table(r.groups), plot.text(picture.of(r)) }
  else
    parts = { visible(r.id) .. ': no cell is finished' }
  end
  for _, line in ipairs(M.remarks(r)) do parts[#parts + 1] = visible(line) end
  parts[#parts + 1] = verdict_text.text(r)
  return table.concat(parts, '\n\n')
end

return M
