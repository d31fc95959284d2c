-- report.lua: what cell records say, flat (one row per cell, for programs) and summed up (one row per quality and model, for people).
local json = require 'hz.base.json'
local recode = require 'hz.codec.recode'
local protocol = require 'hz.sweep.protocol'

local M = {}

-- ---- one row per cell ----

-- The fields of --json and --csv, in the order of the latter. Bytes and bits are over all items of the cell (training, validation and
-- test images, each as it was encoded); best, last and curve are of the watch split, accuracy is what the protocol says.
M.fields = { 'data', 'split', 'protocol', 'codec', 'quality', 'codec_test', 'quality_test', 'model', 'params', 'seed', 'dtype', 'epochs',
  'accuracy', 'best', 'last', 'convergence_epoch', 'bytes_payload', 'bytes_tables', 'bytes_container', 'bits_per_sample',
  'bits_per_sample_file', 'psnr', 'ssim', 'seconds', 'curve' }

local copied = { 'data', 'split', 'protocol', 'codec', 'quality', 'codec_test', 'quality_test', 'model', 'params', 'seed', 'dtype', 'epochs',
  'accuracy', 'best', 'last' }

local function flat(record)
  local row = { record = record, failed = record.status == 'failed', seconds = record.run.seconds, curve = record.curve.watch_accuracy }
  for _, name in ipairs(copied) do row[name] = record[name] end
  for name, v in pairs(recode.means(record.accounts.all)) do row[name] = v end
  return row
end

local function setting(row) return table.concat({ row.data, row.split, row.protocol, row.model, row.epochs, row.dtype }, '\0') end
local function untouched(row) return row.codec == 'raw' and row.codec_test == 'raw' end

-- Watch accuracy at the end on untouched data, mean over seeds, less the margin; by setting.
local function targets(rows)
  local sum, n = {}, {}
  for _, row in ipairs(rows) do
    if untouched(row) and row.last then
      local s = setting(row)
      sum[s], n[s] = (sum[s] or 0) + row.last, (n[s] or 0) + 1
    end
  end
  for s in pairs(sum) do sum[s] = sum[s] / n[s] - protocol.margin end
  return sum
end

-- Flat rows of records; convergence is filled in, which needs the cells on untouched data beside the others.
function M.cells(records)
  local rows = {}
  for _, record in ipairs(records) do rows[#rows + 1] = flat(record) end
  local target = targets(rows)
  for _, row in ipairs(rows) do
    if not row.failed then row.convergence_epoch = protocol.named(row.protocol).convergence(row.curve, target[setting(row)]) end
  end
  return rows
end

-- ---- one row per quality and model ----

local function mean_of(rows, name)
  local sum, n = 0, 0
  for _, row in ipairs(rows) do
    if row[name] then sum, n = sum + row[name], n + 1 end
  end
  return n > 0 and sum / n or nil, n
end

-- Standard deviation over seeds (n - 1), nil for one.
local function spread_of(rows, name)
  local mean, n = mean_of(rows, name)
  if n < 2 then return nil end
  local sum = 0
  for _, row in ipairs(rows) do
    if row[name] then sum = sum + (row[name] - mean) ^ 2 end
  end
  return math.sqrt(sum / (n - 1))
end

local averaged = { 'accuracy', 'best', 'last', 'seconds' }
local shared = { 'data', 'split', 'protocol', 'codec', 'quality', 'codec_test', 'quality_test', 'model', 'params', 'dtype', 'epochs',
  'bytes_payload', 'bytes_tables', 'bytes_container', 'bits_per_sample', 'bits_per_sample_file', 'psnr', 'ssim' }

local function sum_up(rows)
  local g = { seeds = #rows, failed = 0, rows = rows }
  for _, name in ipairs(shared) do g[name] = rows[1][name] end
  for _, name in ipairs(averaged) do g[name] = mean_of(rows, name) end
  g.spread = spread_of(rows, 'accuracy')
  local reached
  g.convergence_epoch, reached = mean_of(rows, 'convergence_epoch')
  for _, row in ipairs(rows) do g.failed = g.failed + (row.failed and 1 or 0) end
  g.censored = #rows - g.failed - reached                -- seeds that did not converge within their epochs
  return g
end

local function rank(g) return g.bits_per_sample + (g.codec == 'raw' and 1e6 or 0) end

-- Groups of flat rows that differ in the seed only, by model and rising bits, the untouched data last.
function M.groups(rows)
  local by, list = {}, {}
  for _, row in ipairs(rows) do
    local key = setting(row) .. '\0' .. table.concat({ row.codec, tostring(row.quality), row.codec_test, tostring(row.quality_test) }, '\0')
    if not by[key] then
      by[key] = {}
      list[#list + 1] = by[key]
    end
    table.insert(by[key], row)
  end
  local order = {}
  for i, members in ipairs(list) do
    list[i] = sum_up(members)
    local s = setting(list[i])
    order[s] = order[s] or i
    list[i].at = i
  end
  table.sort(list, function(a, b)
    local sa, sb = order[setting(a)], order[setting(b)]
    if sa ~= sb then return sa < sb end
    if rank(a) ~= rank(b) then return rank(a) < rank(b) end
    return a.at < b.at
  end)
  return list
end

-- ---- text ----

local function number(format, v, factor) return v and format:format(v * (factor or 1)) or '-' end

local function quality_text(name, quality) return name == 'raw' and 'raw' or quality and name .. ' ' .. tostring(quality) or name end

local columns = {
  { 'data', 'left', function(g) return g.data end, varies = 'data' },
  { 'model', 'left', function(g) return g.model end, varies = 'model' },
  { 'epochs', 'right', function(g) return tostring(g.epochs) end, varies = 'epochs' },
  { 'dtype', 'left', function(g) return g.dtype end, varies = 'dtype' },
  { 'codec', 'left', function(g) return quality_text(g.codec, g.quality) end },
  { 'tested on', 'left', function(g) return quality_text(g.codec_test, g.quality_test) end, differs = true },
  { 'payload', 'right', function(g) return number('%.1f', g.bytes_payload) end },
  { 'tables', 'right', function(g) return number('%.1f', g.bytes_tables) end },
  { 'container', 'right', function(g) return number('%.1f', g.bytes_container) end },
  { 'bits/sample', 'right', function(g) return number('%.3f', g.bits_per_sample) end },
  { 'per file', 'right', function(g) return number('%.3f', g.bits_per_sample_file) end },
  { 'PSNR dB', 'right', function(g) return g.psnr and ('%.2f'):format(g.psnr) or 'exact' end },
  { 'SSIM', 'right', function(g) return number('%.4f', g.ssim) end },
  { 'accuracy %', 'right', function(g) return number('%.2f', g.accuracy, 100) end },
  { '+-', 'right', function(g) return number('%.2f', g.spread, 100) end },
  { 'conv.', 'right', function(g) return g.censored > 0 and '-' or number('%.1f', g.convergence_epoch) end },
  { 'seconds', 'right', function(g) return number('%.1f', g.seconds) end },
  { 'seeds', 'right', function(g) return g.failed > 0 and ('%d, %d failed'):format(g.seeds, g.failed) or tostring(g.seeds) end },
}

local function shown(col, groups)
  for _, g in ipairs(groups) do
    if col.varies and g[col.varies] ~= groups[1][col.varies] then return true end
    if col.differs and (g.codec ~= g.codec_test or g.quality ~= g.quality_test) then return true end
  end
  return not col.varies and not col.differs
end

function M.table(groups)
  local use, rows = {}, {}
  for _, col in ipairs(columns) do
    if shown(col, groups) then use[#use + 1] = col end
  end
  for i, g in ipairs(groups) do
    rows[i] = {}
    for k, col in ipairs(use) do rows[i][k] = col[3](g) end
  end
  return require 'hz.base.table'.text(use, rows)
end

-- Values that occur in a field of the rows, in order.
local function values(rows, get)
  local list, seen = {}, {}
  for _, row in ipairs(rows) do
    local v = get(row)
    if v ~= nil and not seen[v] then list[#list + 1] = tostring(v) end
    if v ~= nil then seen[v] = true end
  end
  return table.concat(list, ', ')
end

local function heading(r)
  local rows = r.rows
  local function of(name) return values(rows, function(row) return row[name] end) end
  local function ran(name) return values(rows, function(row) return row.record.run[name] end) end
  local latest = ''
  for _, row in ipairs(rows) do latest = row.record.run.finished > latest and row.record.run.finished or latest end
  return ('%s\ndata %s, %s; protocol %s; %s; epochs %s\nhz %s (%s), %s, %s threads, last cell %s'):format(r.id, of 'data', of 'split', of 'protocol',
    values(rows, function(row) return ('%s (%s parameters)'):format(row.model, require 'hz.net.net'.thousands(row.params)) end), of 'epochs',
    ran 'version', ran 'commit', ran 'isa', ran 'threads',
    latest)
end

-- ---- the picture ----

-- Where images are tested in another encoding than that of training, the bits are those of the test images.
local function bits_of(g)
  if g.codec == g.codec_test and g.quality == g.quality_test then return g.bits_per_sample end
  return recode.means(g.rows[1].record.accounts.test).bits_per_sample
end

-- Accuracy over bits per sample: a series per model (and data set; and training encoding, where it differs from that of the test), the
-- untouched data as a level.
function M.picture(r)
  local by, pic = {}, { x = 'bits per sample (payload, and tables once per set)', y = 'accuracy %', series = {}, levels = {} }
  local function many(name) return values(r.rows, function(row) return row[name] end):find ',' end
  local many_data, many_dtypes, matrix = many 'data', many 'dtype', false
  for _, g in ipairs(r.groups) do matrix = matrix or g.codec ~= g.codec_test or g.quality ~= g.quality_test end
  for _, g in ipairs(r.groups) do
    if g.accuracy then
      local name = (many_data and g.data .. ' ' or '') .. g.model .. (many_dtypes and ' ' .. g.dtype or '') .. (matrix and ' trained on ' .. quality_text(g.codec, g.quality) or '')
      if not by[name] then
        pic.series[#pic.series + 1] = { name = name, points = {} }
        by[name] = #pic.series
      end
      table.insert(pic.series[by[name]].points, { x = bits_of(g), y = 100 * g.accuracy, spread = g.spread and 100 * g.spread,
        label = g.quality_test and tostring(g.quality_test) or g.codec_test })
      if g.codec == 'raw' and g.codec_test == 'raw' then pic.levels[#pic.levels + 1] = { y = 100 * g.accuracy, label = 'untouched', series = by[name] } end
    end
  end
  for _, one in ipairs(pic.series) do table.sort(one.points, function(a, b) return a.x < b.x end) end
  for _, level in ipairs(pic.levels) do
    if #pic.levels > 1 then level.label = 'untouched, ' .. pic.series[level.series].name end
  end
  pic.caption = 'numbers: quality; bars: standard deviation over seeds'
  pic.title = ('%s, %s: accuracy over bits'):format(values(r.rows, function(row) return row.data end), values(r.rows, function(row) return row.model end))
  return pic
end

-- ---- reports ----

-- r = { id, rows, groups, missing (cells not there), notes }
function M.new(id, records, missing, notes)
  local rows = M.cells(records)
  return { id = id, rows = rows, groups = M.groups(rows), missing = missing or 0, notes = notes or {} }
end

function M.of_sweep(sweep)
  local records, missing = {}, 0
  for i = 1, #sweep.jobs do
    if sweep.records[i] then records[#records + 1] = sweep.records[i] else missing = missing + 1 end
  end
  return M.new(sweep.id, records, missing)
end

-- Of a manifest, through the index.
function M.of_manifest(runs, m)
  local keys = {}
  for i, cell in ipairs(m.cells) do keys[i] = cell.key end
  local records, notes = require 'hz.sweep.index'.records(runs, keys)
  return M.new(m.id, records, #keys - #records, notes)
end

function M.text(r)
  local parts = {}
  if #r.rows > 0 then
    parts[1] = heading(r)
    parts[2] = M.table(r.groups)
    parts[3] = require 'hz.base.plot'.text(M.picture(r))
  else
    parts[1] = r.id .. ': no cell is finished'
  end
  for _, row in ipairs(r.rows) do
    if row.failed then
      local f = row.record.failure
      parts[#parts + 1] = ('failed: %s: epoch %d, layer %s: %s'):format(require 'hz.sweep.sweep'.title(row), f.epoch, f.layer, f.message)
    end
  end
  for _, note in ipairs(r.notes) do parts[#parts + 1] = note end
  if r.missing > 0 then parts[#parts + 1] = ('%d cell%s not finished; the same command goes on'):format(r.missing, r.missing == 1 and ' is' or 's are') end
  return table.concat(parts, '\n\n')
end

-- The cells as one JSON array.
function M.json(r)
  local list = json.array {}
  for i, row in ipairs(r.rows) do
    list[i] = {}
    for _, name in ipairs(M.fields) do
      local v = row[name]
      list[i][name] = v == nil and json.null or v
    end
  end
  return json.encode(list, { pretty = true }) .. '\n'
end

-- The cells as CSV; the curve is a list with blanks between.
function M.csv(r)
  local rows = {}
  for i, row in ipairs(r.rows) do
    rows[i] = setmetatable({ curve = table.concat(row.curve, ' ') }, { __index = row })
  end
  return require 'hz.base.table'.csv(M.fields, rows)
end

function M.svg(r) return require 'hz.base.svg'.text(M.picture(r)) end

return M
