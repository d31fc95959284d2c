-- results.lua: results at the prompt.
--   r = hz.results()                       the latest sweep (or hz.results 'cifar_sweep-1a2b', or {runs='folder'})
--   r:where{model='small', seed=1}         fewer of its cells        r:mean 'accuracy'   r:column 'psnr'   r[1].curve
--   hz.query 'select quality, avg(accuracy) from cells group by quality'
local c = require 'hz.c'
local manifest = require 'hz.sweep.manifest'
local report = require 'hz.report.report'

local M, Rows = {}, {}
local methods = {}

local function wrap(rows, id) return setmetatable({ rows = rows, id = id, n = #rows }, Rows) end

-- Cells whose fields have the values given; quality='raw' stands for the untouched data, a function is asked.
function methods.where(self, wanted)
  if type(wanted) ~= 'table' then c.fail('where: %s was given; needs a table like {quality=10}', type(wanted)) end
  local list = {}
  for _, row in ipairs(self.rows) do
    local fits = true
    for name, v in pairs(wanted) do
      local own = row[name]
      if name == 'quality' and own == nil then own = row.codec end
      if type(v) == 'function' then fits = fits and v(own) else fits = fits and own == v end
    end
    if fits then list[#list + 1] = row end
  end
  return wrap(list, self.id)
end

-- The values of one field, in the order of the cells (cells without it are left out).
function methods.column(self, name)
  local list = {}
  for _, row in ipairs(self.rows) do list[#list + 1] = row[name] end
  return list
end

function methods.mean(self, name)
  local sum, list = 0, self:column(name)
  for _, v in ipairs(list) do
    if type(v) ~= 'number' then c.fail("mean: '%s' is %s; needs a field that holds numbers", tostring(name), type(v)) end
    sum = sum + v
  end
  return #list > 0 and sum / #list or nil
end

-- One row per quality and model, as the table shows them.
function methods.groups(self) return report.groups(self.rows) end

Rows.__index = function(self, k)
  if type(k) == 'number' then return rawget(self, 'rows')[k] end
  return methods[k]
end
Rows.__tostring = function(self)
  if self.n == 0 then return 'no cells' end
  return ('%s, %d cells\n%s'):format(self.id, self.n, report.table(report.groups(self.rows)))
end

local function say(text) io.stderr:write('hz: ', text, '\n') end

-- The finished cells of a sweep. which: an id or its beginning, nil for the latest, or { id=, runs= }.
function M.results(which)
  local o = type(which) == 'table' and which or { id = which }
  local runs = manifest.runs(o.runs)
  local m = manifest.find(runs, o.id, say)
  return wrap(report.of_manifest(runs, m).rows, m.id)
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
  return require 'hz.base.table'.text(cols, rows)
end

-- Rows of an SQL query over the table `cells` of all sweeps in a runs folder.
function M.query(sql, runs)
  if type(sql) ~= 'string' then c.fail('query: %s was given; needs SQL over the table cells (%s)', type(sql), table.concat(require 'hz.sweep.index'.columns(), ', ')) end
  local rows, names = require 'hz.sweep.index'.query(manifest.runs(runs), sql)
  rows.names = names
  return setmetatable(rows, Found)
end

return M
