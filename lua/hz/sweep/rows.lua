-- rows.lua: what cell records say, flat: one row per cell, the same for the index, reports and results at the prompt.
local encoding = require 'hz.codec.encoding'
local protocol = require 'hz.sweep.protocol'
local recode = require 'hz.codec.recode'
local source = require 'hz.data.source'

local M = {}

-- The fields of --json and --csv, in the order of the latter. quality is the value of the walked parameter that is
-- named `parameter`, encoding the text for people, values all that the codec was given; raw has none of the three
-- values. Bytes, bits, psnr and ssim are over all items of the cell where these have one encoding; where the test items
-- have another, they are of the test items alone, and those that end in _train of the others. best, last and curve are
-- of the watch split, accuracy is what the protocol says. isa, vendor and kernels (a digest) say what computed the
-- training: with others the same cell has other bits.
M.fields = { 'data', 'split', 'protocol', 'codec', 'quality', 'codec_test', 'quality_test', 'model', 'params', 'seed',
  'dtype', 'epochs', 'accuracy', 'best', 'last', 'convergence_epoch', 'bytes_payload', 'bytes_tables',
  'bytes_container', 'bits_per_sample', 'bits_per_sample_file', 'psnr', 'ssim', 'seconds', 'curve',
  'parameter', 'encoding', 'values', 'parameter_test', 'encoding_test', 'values_test', 'isa', 'vendor', 'kernels' }

-- What encodings cost and keep; the last three are of sounds alone.
M.figures = { 'bytes_payload', 'bytes_tables', 'bytes_container', 'bits_per_sample', 'bits_per_sample_file', 'psnr',
  'ssim', 'kbit_per_second', 'snr', 'log_spectral_distance' }
local of_sounds, sound_fields = { kbit_per_second = true, snr = true, log_spectral_distance = true }, {}
for i = 1, #M.figures do
  local name = M.figures[i]
  M.figures[#M.figures + 1] = name .. '_train'
  if of_sounds[name] then
    sound_fields[#sound_fields + 1], sound_fields[#sound_fields + 2] = name, name .. '_train'
  else
    M.fields[#M.fields + 1] = name .. '_train'
  end
end

-- What the files of a folder are that the data came from ('JPEG 75'), and what they take; nil for other data.
local of_files = { 'bytes_payload', 'bytes_tables', 'bytes_container', 'bits_per_sample', 'bits_per_sample_file' }
local source_fields = { 'source' }
for _, name in ipairs(of_files) do source_fields[#source_fields + 1] = 'source_' .. name end
M.source_fields, M.sound_fields = source_fields, sound_fields

-- M.fields, and where one of the rows is of sounds, or has files, the fields about these.
function M.fields_of(rows)
  local list = { unpack(M.fields) }
  local function add(fields, of)
    local any = false
    for _, row in ipairs(rows) do any = any or row[of] ~= nil end
    for _, name in ipairs(any and fields or {}) do list[#list + 1] = name end
  end
  add(sound_fields, 'kbit_per_second')
  add(source_fields, 'source')
  return list
end

local copied = { 'data', 'split', 'protocol', 'model', 'params', 'seed', 'dtype', 'epochs', 'accuracy', 'best', 'last',
  'made' }

-- What decided the encodings of a record; a net that was not trained saw nothing.
local function decided(record)
  local d = record.decides
  if not d then return nil, nil end
  return d.training.data and d.training.data.codec, d.test.codec
end

-- What a row says of an encoding, for people and in files; side: '' or '_test'.
local function describe(row, e, side)
  e:label(row, side)
  row['parameter' .. side], row['encoding' .. side], row['values' .. side] = e.parameter, e.text, e.values
end

-- Accounts of what was trained on, validation items among them, and of what was tested, from those of a record. Where
-- one encoding made both, their tables count once for all, and each is the whole.
local function split(accounts, alike)
  if alike or not accounts.test then return accounts.all, accounts.all end
  local train = recode.add(accounts.train or recode.no_account(), accounts.watch or recode.no_account())
  train.tables_once = accounts.all.tables_once - accounts.test.tables_once
  return train, accounts.test
end

local function describe_accounts(row, accounts)
  local train, test = split(accounts, row.trained == row.tested)
  for name, v in pairs(recode.means(test)) do row[name] = v end
  if train.items == 0 then return end                  -- a net that was only scored
  for name, v in pairs(recode.means(train)) do row[name .. '_train'] = v end
end

local function describe_source(row, label)
  if not label then return end
  row.source, row.source_lossy = label.text, label.lossy
  for name, v in pairs(source.means(label)) do row['source_' .. name] = v end
end

-- trained, tested: the encodings; labels: what its sweep calls them, where that may differ from what the cell's own
-- file says.
local function flat(record, labels)
  local row = { record = record, failed = record.status == 'failed', seconds = record.run.seconds,
    curve = record.curve.watch_accuracy }
  local before, after = decided(record)
  row.trained, row.tested = encoding.of(labels or record, '', before), encoding.of(labels or record, '_test', after)
  describe(row, row.trained, '')
  describe(row, row.tested, '_test')
  for _, name in ipairs(copied) do row[name] = record[name] end
  for _, name in ipairs { 'isa', 'vendor', 'kernels' } do row[name] = record.run[name] end
  describe_accounts(row, record.accounts)
  describe_source(row, (labels or record).source)
  row.forced, row.forced_test = (labels or record).forced, (labels or record).forced_test
  row.control, row.damage = (labels or record).control, (labels or record).damage
  return row
end

-- What rows must share to be compared at all: everything but encodings and seed.
function M.setting(row)
  return table.concat({ row.data, row.split, row.protocol, row.model, row.epochs, row.dtype, row.made or '' }, '\0')
end

-- What a row's encoding is called: untouched pixels that were a JPEG before are not raw. side: trained, tested.
function M.called(row, side)
  local text = row[side].text
  return row[side] == encoding.raw and row.source_lossy and ('%s (of %s)'):format(text, row.source) or text
end

-- What encodings did to sounds that their values do not say: 'mp3 bitrate=8: 44100 Hz become 8000 Hz', each once.
function M.forced(rows)
  local list, seen = {}, {}
  for _, row in ipairs(rows) do
    for _, side in ipairs { { row.trained, row.forced }, { row.tested, row.forced_test } } do
      local text = side[2] and ('%s: %s'):format(side[1].text, side[2])
      if text and not seen[text] then list[#list + 1], seen[text] = text, true end
    end
  end
  return list
end

-- Whether nothing was encoded, or damaged on purpose.
function M.untouched(row) return row.trained == encoding.raw and row.tested == encoding.raw and not row.control end

-- Watch accuracy at the end on untouched data, mean over seeds, less the margin; by setting.
local function targets(rows)
  local sum, n = {}, {}
  for _, row in ipairs(rows) do
    if M.untouched(row) and row.last then
      local s = M.setting(row)
      sum[s], n[s] = (sum[s] or 0) + row.last, (n[s] or 0) + 1
    end
  end
  for s in pairs(sum) do sum[s] = sum[s] / n[s] - protocol.margin end
  return sum
end

-- Flat rows of records; convergence is filled in, which needs the cells on untouched data beside the others. labels: by
-- key, what their sweep calls the cells; nil: as their files do.
function M.cells(records, labels)
  local rows = {}
  for i, record in ipairs(records) do rows[i] = flat(record, labels and labels[record.key]) end
  local target = targets(rows)
  for _, row in ipairs(rows) do
    if not row.failed then
      row.convergence_epoch = protocol.named(row.protocol).convergence(row.curve, target[M.setting(row)])
    end
  end
  return rows
end

-- Whether what trained was not encoded.
function M.trained_on_raw(row) return row.trained == encoding.raw end

-- ---- asking rows ----

-- All values of a row's codecs as texts: { subsampling = '444', subsampling_test = '444', ... }.
function M.values(row)
  local map = {}
  for side, e in pairs { [''] = row.trained, _test = row.tested } do
    for name, text in pairs(e:all_values()) do map[name .. side] = text end
  end
  return map
end

-- Texts of the values that get(row) has in the rows, each once, in order; nil is no value.
function M.distinct(rows, get)
  local list, seen = {}, {}
  for _, row in ipairs(rows) do
    local v = get(row)
    if v ~= nil and not seen[v] then list[#list + 1] = tostring(v) end
    if v ~= nil then seen[v] = true end
  end
  return list
end

return M
