-- classify.lua: files of one's own through the net of a finished run (net/run.lua): pictures or sounds, made as those
-- that the net was trained on. All that is needed stands in the run's folder, the data do not. What is done to a file
-- to make it so (another size, another rate, cut) is said.
local c = require 'hz.c'
local clip_files = require 'hz.codec.clip_files'
local contents = require 'hz.data.contents'
local exit = require 'hz.exit'
local features = require 'hz.data.features'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local nets = require 'hz.net.models.nets'
local pictures = require 'hz.codec.pictures'
local posix = require 'hz.ext.posix'
local safetensors = require 'hz.tensor.safetensors'
local say = require 'hz.base.say'
local source = require 'hz.data.source'
local table_text = require 'hz.base.table'.text
local visible = require 'hz.base.visible'.line

local M = {}

local SHOWN = 3                    -- classes of a file that are named
local AT_ONCE = 64                 -- files of a batch

-- ---- the net of a run ----

local input_form = { shape = 'list', classes = 'texts' }

-- The net of a run's folder with its final weights, the names of its classes, and how it hears sounds (nil: it sees).
local function net_of(folder)
  local model, settings = file.join(folder, 'model.safetensors'), file.join(folder, 'settings.json')
  if not file.exists(model) then
    c.fail('predict: %s holds no finished training; needs one with model.safetensors', folder)
  end
  local s = json.decode(file.read_all(settings), settings)
  fields.check(settings, s, { model = 'string', norm = 'string?', hears = 'table?' })
  local text = safetensors.metadata(model)['hz.input'] or 'null'
  local input = fields.check(model, json.decode(text, model), input_form)
  local net = nets.load(s.model, { classes = #input.classes, input = input.shape, norm = s.norm })
  return net:load(model), input, s.hears
end

-- ---- files ----

-- Regular files below a folder, by path; a file is itself.
local function files_below(path, list)
  local s = posix.stat(path)
  if not s then c.fail('predict: %s is not there; needs a file or a folder', path) end
  if s.kind ~= 'folder' then
    list[#list + 1] = path
    return list
  end
  for _, name in ipairs(file.list(path)) do
    c.poll()
    local one = file.join(path, name)
    local own = name:sub(1, 1) ~= '.' and posix.lstat(one)
    if own and (own.kind == 'folder' or own.kind == 'file') then files_below(one, list) end
  end
  return list
end

-- Files of the kind as { path, head }, the others as { path, reason }; what is nobody's is passed over in folders.
local function find(path, kind)
  local good, bad, paths = {}, {}, files_below(path, {})
  for _, one in ipairs(paths) do
    local found = contents.look(one, posix.stat(one).bytes)
    if found.of == kind and not found.reason then
      good[#good + 1] = { path = one, head = found.head, label = 0 }
    elseif #paths == 1 or found.of == kind or found.any then
      bad[#bad + 1] = { path = one, reason = found.reason or (' holds no %s; needs %s'):format(kind:sub(1, -2),
        contents.wanted[kind]) }
    end
  end
  if #good == 0 and #bad == 0 then
    c.fail('predict: %s holds no %s; needs %s', path, kind, contents.wanted[kind])
  end
  return good, bad
end

-- ---- as the net takes them ----

-- Items of pictures in the net's shape.
local function see(files, bad, shape)
  local o = { convert = true, orient = true, size = ('%dx%d'):format(shape[2], shape[1]) }
  local fit, unfit = pictures.fit(files, o)
  local form = { height = shape[1], width = shape[2], channels = shape[3] }
  for _, b in ipairs(unfit) do bad[#bad + 1] = b end
  for _, f in ipairs(fit) do
    if f.head.width ~= shape[2] or f.head.height ~= shape[1] then form.fit = 'crop' end
  end
  if form.fit then
    pictures.agree(fit, o)                             -- something must be here that scales
    say(('predict: pictures become %dx%d, cut in the middle'):format(shape[2], shape[1]))
  end
  if #fit == 0 then return nil, {} end
  local items, read, _, broken = pictures.read(fit, form, o, source.ledger())
  for _, b in ipairs(broken) do bad[#bad + 1] = b end
  return items, read
end

local hears_form = { rate = 'number', channels = 'whole', length = 'whole' }
for _, name in ipairs(features.names) do hears_form[name] = 'number' end

-- Heads of sounds; what cannot be read is bad.
local function heads_of(files, bad, hears)
  local paths, heads, good = {}, {}, {}
  for i, f in ipairs(files) do paths[i] = f.path end
  for i, h in ipairs(#paths > 0 and clip_files.scan(paths) or {}) do
    local many = h.channels and h.channels > hears.channels and hears.channels > 1
    if h.reason or many then
      local reason = h.reason or ('it has %d channels; needs at most %d'):format(h.channels, hears.channels)
      bad[#bad + 1] = { path = paths[i], reason = ': ' .. reason }
    else
      heads[#heads + 1], good[#good + 1] = h, paths[i]
    end
  end
  return heads, good
end

local function told(heads, hears)
  local done = {}
  for _, h in ipairs(heads) do
    if h.rate ~= hears.rate then done[('resampled to %g Hz'):format(hears.rate)] = true end
    if h.channels > hears.channels then done['mixed to mono'] = true end
    if h.frames / h.rate > hears.length / hears.rate + 1e-9 then
      done[('cut to %.4g s'):format(hears.length / hears.rate)] = true
    end
  end
  for _, what in ipairs(names.sorted(done)) do say('predict: sounds are ' .. what) end
end

-- Features of sounds as the net was trained on them.
local function hear(files, bad, hears)
  local heads, paths = heads_of(files, bad, hears)
  if #paths == 0 then return nil, {} end
  told(heads, hears)
  local o = { resample = hears.rate, mono = hears.channels == 1, seconds = hears.length / hears.rate }
  for _, name in ipairs(features.names) do o[name] = o[name] or hears[name] end
  local sounds, numbers, good = clip_files.new('predict', paths, heads, o, hears.channels), {}, {}
  for i, path in ipairs(paths) do
    if sounds.bad[i] then
      bad[#bad + 1] = { path = path, reason = sounds.bad[i]:sub(#('predict: ' .. path) + 1) }
    else
      numbers[#numbers + 1], good[#good + 1] = i, { path = path }
    end
  end
  return #numbers > 0 and sounds:of(numbers) or nil, good
end

-- ---- what they are ----

-- Likeliest classes of a row of logits: { class, probability }.
local function ranking(p, classes)
  local list, sum, most = {}, 0, -math.huge
  for k = 1, #classes do most = math.max(most, p[k - 1]) end
  for k = 1, #classes do sum = sum + math.exp(p[k - 1] - most) end
  for k = 1, #classes do list[k] = { class = classes[k], probability = math.exp(p[k - 1] - most) / sum, at = k } end
  table.sort(list, function(a, b)
    if a.probability ~= b.probability then return a.probability > b.probability end
    return a.at < b.at
  end)
  return { unpack(list, 1, SHOWN) }
end

-- Classes of a file, or of all in a folder, by the run in a folder: rows { path, likeliest = up to three { class,
-- probability } }, and rows { path, reason } of those that could not be read.
function M.files(folder, path)
  need.path('predict', folder)
  need.path('predict', path)
  local net, input, hears = net_of(folder)
  if hears then fields.check(file.join(folder, 'settings.json'), hears, hears_form, 'hears') end
  local files, bad = find(path, hears and 'sounds' or 'images')
  local items, good
  if hears then items, good = hear(files, bad, hears) else items, good = see(files, bad, input.shape) end
  local rows = {}
  for from = 1, #good, AT_ONCE do
    local n = math.min(AT_ONCE, #good - from + 1)
    local y = net(items:slice(1, from, from + n - 1):contiguous()):to 'f64'
    for i = 1, n do
      local likeliest = ranking(y:pointer 'read' + (i - 1) * #input.classes, input.classes)
      rows[#rows + 1] = { path = good[from + i - 1].path, likeliest = likeliest }
    end
  end
  return rows, bad
end

-- Prints each file with its classes, then those that could not be read; where there are such, the script ends with
-- status 3.
function M.say(folder, path)
  local rows, bad = M.files(folder, path)
  local columns, cells, lines = { { 'file', 'left' } }, {}, {}
  for k = 1, rows[1] and #rows[1].likeliest or 0 do
    columns[2 * k], columns[2 * k + 1] = { k == 1 and 'likeliest' or '', 'left' }, { '%', 'right' }
  end
  for i, row in ipairs(rows) do
    cells[i] = { visible(row.path) }
    for _, l in ipairs(row.likeliest) do
      cells[i][#cells[i] + 1], cells[i][#cells[i] + 2] = visible(l.class), ('%.1f'):format(100 * l.probability)
    end
  end
  if #rows > 0 then lines[1] = table_text(columns, cells) end
  for _, b in ipairs(bad) do lines[#lines + 1] = visible(b.path .. b.reason) end
  print(table.concat(lines, '\n'))
  if #bad > 0 then exit.stop(3, ('%d of %d files cannot be read'):format(#bad, #bad + #rows)) end
end

return names.guard('classify', M)
