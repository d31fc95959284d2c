-- plugins.lua: which plugins and codecs there are, as Lua tables. Looks once: along HZ_PLUGIN_PATH, in the user's own
-- folder, beside the library; of codecs that are called the same the first one is used.
local absent = require 'hz.codec.absent'
local c = require 'hz.c'
local declared = require 'hz.codec.declared'
local file = require 'hz.base.file'
local names = require 'hz.base.names'
local scripted = require 'hz.codec.scripted'
local tables = require 'hz.base.table'
local ffi, C = c.ffi, c.C

local M = {}

local function text(p) return p ~= nil and ffi.string(p) or nil end

-- Folders that are searched, in order: those that the user names must be there, others may.
function M.folders()
  local list, home = {}, file.data_home()
  for folder in (os.getenv 'HZ_PLUGIN_PATH' or ''):gmatch '[^:]+' do list[#list + 1] = folder end
  for _, folder in ipairs { home and home .. '/plugins' or false, M.own() } do
    if folder and file.exists(folder) then list[#list + 1] = folder end
  end
  return list
end

-- The folder of hz's own plugins.
function M.own() return (c.library:match '^(.*)/' or '.') .. '/plugins' end

local loaded
local function load()
  if loaded then return end
  loaded = true                    -- a codec in Lua may ask for others while it loads
  for _, folder in ipairs(M.folders()) do
    c.check(C.hz_plugin_load(folder, folder == M.own() and 0 or 1))
    scripted.load(folder)
  end
end
M.load = load

-- Rows of what was loaded { path, name, version, about, kind, codec, library, script = true for one in Lua, hidden =
-- path of the one that is used in its place, hides = paths }, and { path, skipped = reason } of what was not. kind:
-- 'image' or 'audio' of a codec, else 'resizer', 'resampler', 'reader'.
function M.list()
  load()
  local rows, by_path = {}, {}
  for i = 0, C.hz_plugin_count() - 1 do
    local r = C.hz_plugin_at(i)
    local row = { path = text(r.path), skipped = text(r.skipped), name = text(r.name), version = text(r.version),
                  about = text(r.about), kind = text(r.kind), codec = text(r.codec), library = text(r.library),
                  hidden = text(r.hidden), script = r.script ~= 0 or nil }
    rows[#rows + 1], by_path[row.path] = row, row
    local nearer = by_path[row.hidden]
    if nearer then
      nearer.hides = nearer.hides or {}
      table.insert(nearer.hides, row.path)
    end
  end
  return rows
end

-- Lines that plugins noted for whoever reads a list.
function M.notes()
  load()
  local list = {}
  for line in ffi.string(C.hz_plugin_log()):gmatch '[^\n]+' do list[#list + 1] = line end
  return list
end

-- The row of the plugin whose codec is called so; nil for none.
function M.row(name)
  for _, r in ipairs(M.list()) do
    if r.codec == name and not r.hidden then return r end
  end
end

-- ---- declared parameters ----

local types = { [0] = 'int', 'float', 'bool', 'enum' }

local function param(p, values)
  local choices
  if p.type == C.HZ_PARAM_ENUM then
    choices = {}
    for i = 1, p.choices do choices[i] = ffi.string(p.choice[i - 1]) end
  end
  return {
    name = ffi.string(p.name), type = types[p.type], length = p.length > 0 and p.length or nil, choices = choices,
    low = p.bounded ~= 0 and p.low or nil, high = p.bounded ~= 0 and p.high or nil,
    unit = p.unit[0] ~= 0 and ffi.string(p.unit) or nil, help = p.help[0] ~= 0 and ffi.string(p.help) or nil,
    direction = p.direction, standard = declared.value(p, values), fixed = p.fixed ~= 0 or nil,
  }
end

-- The plain names in a codec's name: { 'resize', 'jpeg' } of 'resize:16|jpeg'.
function M.stages(name)
  local list = {}
  for stage in (name .. '|'):gmatch '([^|]*)|' do list[#list + 1] = stage:match '^%s*([^:%s]*)' end
  return list
end

local function describe(api)
  local list, params = C.hz_codec_params(api), {}
  local name = ffi.string(api.name)
  local plain = M.stages(name)
  for i = 0, list.count - 1 do
    local p = param(list.param[i], list.standard)
    p.full = p.name:find('.', 1, true) and p.name or plain[1] .. '.' .. p.name
    params[i + 1] = p
  end
  return { name = name, kind = api.kind == C.HZ_AUDIO and 'audio' or 'image',
           lossless = api.lossless ~= 0, library = ffi.string(C.hz_codec_library(api)), params = params }
end

-- Names of the loaded codecs, sorted.
function M.codecs()
  load()
  local list = {}
  for i = 0, C.hz_codec_count() - 1 do list[#list + 1] = ffi.string(C.hz_codec_at(i).name) end
  table.sort(list)
  return list
end

-- "; mp3 was not built, for want of lame (Debian: ...)" of those names; '' where none is.
function M.unbuilt(list)
  local text, asked = '', {}
  for _, name in ipairs(list) do asked[name] = C.hz_codec_find(name) == nil end
  for _, row in ipairs(absent.rows(M.own())) do
    if asked[row.name] then text = ('%s; %s was %s'):format(text, row.name, absent.reason(row)) end
  end
  return text
end

-- What was meant by the first plain name in it that no codec has.
local function meant(name)
  local codecs = M.codecs()
  for _, stage in ipairs(M.stages(name)) do
    if stage ~= '' and C.hz_codec_find(stage) == nil then return names.meant(stage, codecs) end
  end
  return ''
end

-- { name, kind, lossless, library, params = { rows } }, a row { name, type, length, choices, low, high, unit, help,
-- direction, standard, full, fixed = true where the codec's name says its value }. full: the name with that of the
-- stage, or of the codec that is one, 'jpeg.quality'. Names as in hz/codec.h: 'jpeg', 'jpeg:10', 'resize:16|jpeg'; one
-- that means nothing is an error that says why.
function M.codec(name)
  load()
  local api = C.hz_codec_find(name)
  if api == nil then
    local why = c.message()
    c.fail('%s', why .. meant(name) .. M.unbuilt(M.stages(name)))
  end
  return describe(api)
end

-- The parameter of this name, full or not; of a composed codec by its name in its stage where one stage alone has it:
-- 'quality' is 'jpeg.quality' of 'resize|jpeg'. nil: none, or several.
function M.param(params, name)
  local found, several
  for _, p in ipairs(params) do
    if p.name == name or p.full == name then return p end
    if p.name:match '%.(.*)' == name then found, several = p, found ~= nil end
  end
  return not several and found or nil
end

function M.has(name)
  load()
  return C.hz_codec_find(name) ~= nil
end

local function value_of(p, text)
  if not p or p.type == 'enum' then return text end
  if p.type == 'bool' then return text == 'true' or text ~= 'false' and text end
  return not p.length and tonumber(text) or text
end

-- Parameters given as texts, { quality = '10' }, as the values that their declarations want; what is wrong with them,
-- or unknown, is left to the codec to say.
function M.values(about, given)
  local values = {}
  for key, text in pairs(given) do values[key] = value_of(M.param(about.params, key), text) end
  return values
end

-- ---- text ----

-- What a parameter takes: "1..100", "420 422 444", "true false", "3 of 0..1".
function M.takes(p)
  local one = p.choices and table.concat(p.choices, ' ') or p.type == 'bool' and 'true false'
    or p.low and ('%.15g..%.15g'):format(p.low, p.high) or p.type
  return (p.length and p.length .. ' of ' or '') .. one .. (p.unit and ' ' .. p.unit or '')
end

local directions = { [1] = 'rising: more bits', [0] = '', [-1] = 'rising: fewer bits' }
local function direction(p)
  if p.direction == 0 or p.type ~= 'bool' then return directions[p.direction] end
  return p.direction > 0 and 'true: more bits' or 'true: fewer bits'
end

local function value_text(v)
  if type(v) ~= 'table' then return type(v) == 'number' and ('%.15g'):format(v) or tostring(v) end
  local parts = {}
  for i, x in ipairs(v) do parts[i] = value_text(x) end
  return #parts > 6 and table.concat(parts, ',', 1, 3) .. ',...,' .. parts[#parts] or table.concat(parts, ',')
end
M.value_text = value_text

-- Equal values of a parameter? Vectors are by their numbers.
function M.same(a, b)
  if type(a) ~= 'table' then return a == b end
  for i, x in ipairs(a) do
    if x ~= b[i] then return false end
  end
  return true
end

-- One line a parameter: name, value (the default unless `values` has another), what it takes, direction, help; help
-- that makes it too wide stands on lines of its own.
function M.param_lines(params, values)
  local lines, width = {}, { 0, 0, 0, 0 }
  for i, p in ipairs(params) do
    local v = p.standard
    if values and values[p.name] ~= nil then v = values[p.name] end
    lines[i] = { p.name, value_text(v), M.takes(p), direction(p), p.help or '' }
    for k = 1, 4 do width[k] = math.max(width[k], #lines[i][k]) end
  end
  for i, l in ipairs(lines) do
    local line = (('  %%-%ds = %%-%ds  %%-%ds  %%-%ds'):format(unpack(width))):format(unpack(l))
    local fits = #line + 2 + #l[5] <= tables.width
    lines[i] = fits and (line .. '  ' .. l[5]):gsub('%s+$', '')
      or tables.wrap(line, (' '):rep(6)) .. '\n' .. tables.wrap((' '):rep(6) .. l[5], (' '):rep(6))
  end
  return lines
end

return M
