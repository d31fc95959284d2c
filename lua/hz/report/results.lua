-- results.lua: results at the prompt.
--   r = hz.results()                       the latest sweep (or hz.results 'cifar_sweep-1a2b', or {runs='folder'})
--   r:where{model='small', seed=1}         fewer of its cells        r:mean 'accuracy'   r:column 'psnr'   r[1].curve
--   hz.query 'select quality, avg(accuracy) from cells group by quality'
local c = require 'hz.c'
local index = require 'hz.sweep.index'
local isa = require 'hz.isa'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local manifest = require 'hz.sweep.manifest'
local packed = require 'hz.report.packed'
local rows_of = require 'hz.sweep.rows'
local stats = require 'hz.report.stats'
local table_text = require 'hz.base.table'.text
local text = require 'hz.report.text'

local M, Rows = {}, {}
local methods = {}

-- known: the names that cells of the sweep answer to, whichever of them are among these rows.
local function wrap(rows, id, known)
  return setmetatable({ rows = rows, id = id, n = #rows, known = known }, Rows)
end

-- Names that stand for a value of an encoding: quality and the parameters of the codecs, each also with _test.
local function value_names(rows)
  local set = { quality = true, quality_test = true }
  for _, row in ipairs(rows) do
    for name in pairs(rows_of.values(row)) do set[name] = set[name] or rawget(row, name) == nil end
  end
  return set
end

-- Cells may lack these.
local lacking = 'source_lossy made record failed trained tested further further_test forced forced_test control damage'
for _, list in ipairs { rows_of.fields, rows_of.source_fields, rows_of.sound_fields } do
  lacking = lacking .. ' ' .. table.concat(list, ' ')
end
local Cell = { __index = names.index('cell', {}, lacking) }

-- Every name that some cell answers to.
local function all_names(rows)
  local known = value_names(rows)
  for name in lacking:gmatch '%S+' do known[name] = true end
  for _, row in ipairs(rows) do
    for name in pairs(row) do known[name] = true end
  end
  return known
end

local function check_name(self, who, name)
  need.text(who, 'the field', name)
  if not self.known[name] then names.unknown(who, name, self.known) end
end

-- A field of a row, else a value of its codecs; numbers as numbers.
local function field(row, name)
  local own = rawget(row, name)
  if own ~= nil then return own end
  local v = rows_of.values(row)[name]
  return tonumber(v) or v
end

-- Choices may be written as numbers: subsampling=444 is subsampling='444'.
local function agree(a, b, is_value) return a == b or is_value and a ~= nil and tostring(a) == tostring(b) end

-- Cells whose fields, or parameters of their codecs, have the values given; quality='raw' (or of whichever parameter)
-- stands for the untouched data, a function is asked.
function methods.where(self, wanted)
  if type(wanted) ~= 'table' then c.fail('where: %s was given; needs a table like {quality=10}', type(wanted)) end
  local list, is_value = {}, value_names(self.rows)
  for name in pairs(wanted) do check_name(self, 'where', name) end
  for _, row in ipairs(self.rows) do
    local fits = true
    for name, v in pairs(wanted) do
      local own = field(row, name)
      if own == nil and is_value[name] then own = rawget(row, name:find '_test$' and 'codec_test' or 'codec') end
      if type(v) == 'function' then fits = fits and v(own) else fits = fits and agree(own, v, is_value[name]) end
    end
    if fits then list[#list + 1] = row end
  end
  return wrap(list, self.id, self.known)
end

-- The values of one field, in the order of the cells (cells without it are left out).
function methods.column(self, name)
  check_name(self, 'column', name)
  local list = {}
  for _, row in ipairs(self.rows) do list[#list + 1] = field(row, name) end
  return list
end

function methods.mean(self, name)
  check_name(self, 'mean', name)
  local sum, list = 0, self:column(name)
  for _, v in ipairs(list) do
    if type(v) ~= 'number' then
      c.fail("mean: '%s' is %s; needs a field that holds numbers", tostring(name), type(v))
    end
    sum = sum + v
  end
  return #list > 0 and sum / #list or nil
end

-- One row per quality and model, as the table shows them.
function methods.groups(self) return stats.groups(self.rows) end

names.receivers('results', methods, function(x) return isa(x, Rows) end)
local other = names.index('results', methods)
Rows.__names = methods                                -- for completion at the prompt
Rows.__index = function(self, k)
  if type(k) == 'number' then return rawget(self, 'rows')[k] end
  return other(self, k)
end
Rows.__tostring = function(self)
  if self.n == 0 then return 'no cells' end
  return ('%s, %d cells\n%s'):format(self.id, self.n, text.table(stats.groups(self.rows)))
end

-- The finished cells of a sweep. which: an id or its beginning, or the file of a packed one, nil for the latest, or
-- { id=, runs= }.
function M.results(which)
  local o = type(which) == 'table' and names.options('results', which, 'id runs') or { id = which }
  for _, k in ipairs { 'id', 'runs' } do
    if o[k] ~= nil then need.text('results', k, o[k]) end
  end
  local r = packed.find(manifest.runs(o.runs), o.id)
  for _, row in ipairs(r.rows) do setmetatable(row, Cell) end
  return wrap(r.rows, r.id, all_names(r.rows))
end

local Found = {}
Found.__tostring = function(found)
  local cols, rows = {}, {}
  for i, name in ipairs(found.names) do cols[i] = { name } end
  for i, row in ipairs(found) do
    rows[i] = {}
    for k, name in ipairs(found.names) do
      local v = row[name]
      rows[i][k] = type(v) == 'number' and ('%.6g'):format(v) or v == nil and 'null' or tostring(v)
    end
  end
  return table_text(cols, rows)
end

-- Rows of an SQL query over the table `cells` of all sweeps in a runs folder.
function M.query(sql, runs)
  if type(sql) ~= 'string' then
    c.fail('query: %s was given; needs SQL over the table cells (%s)', type(sql), table.concat(index.columns(), ', '))
  end
  if runs ~= nil then need.text('query', 'the runs folder', runs) end
  local rows, columns = index.query(manifest.runs(runs), sql)
  local Row = { __index = names.index('row', {}, table.concat(columns, ' ')) }
  for _, row in ipairs(rows) do setmetatable(row, Row) end
  rows.names = columns
  return setmetatable(rows, Found)
end

return M
