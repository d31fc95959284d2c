-- picture.lua: the data of a report's plot (base/plot.lua, base/svg.lua): accuracy over bits per sample.
local rows_of = require 'hz.sweep.rows'
local svg = require 'hz.base.svg'

local M = {}

local function all(r, get) return rows_of.distinct(r.rows, get) end
local function many(r, get) return #all(r, get) > 1 end

-- Which parts a series' name needs in this report: name(g) gives it.
local function naming(r)
  local many_data, many_dtypes = many(r, function(row) return row.data end), many(r, function(row) return row.dtype end)
  local many_codecs = many(r, function(row) return row.tested.parameter and row.tested.name or nil end)
  local matrix = false
  for _, g in ipairs(r.groups) do matrix = matrix or g.trained ~= g.tested end
  return function(g)
    local parts = { many_data and g.data or '', g.model, many_dtypes and g.dtype or '',
      many_codecs and g.tested.name ~= 'raw' and g.tested.name or '', g.tested:further_text(),
      matrix and 'trained on ' .. g.trained.text or '' }
    local words = {}
    for _, part in ipairs(parts) do
      if part ~= '' then words[#words + 1] = part end
    end
    return table.concat(words, ' ')
  end
end

local function point(g)
  return { x = g.bits_per_sample, y = 100 * g.accuracy, spread = g.spread and 100 * g.spread,
    label = g.tested:label_text() }
end

-- A series per model (and data set, type, codec, and values of further parameters; and training encoding, where it
-- differs from that of the test), the untouched data as a level.
function M.of(r)
  local by, name = {}, naming(r)
  local pic = { x = 'bits per sample (payload, and tables once per set)', y = 'accuracy %', series = {}, levels = {} }
  for _, g in ipairs(r.groups) do
    if g.accuracy then
      local own = name(g)
      if not by[own] then
        pic.series[#pic.series + 1] = { name = own, points = {} }
        by[own] = #pic.series
      end
      table.insert(pic.series[by[own]].points, point(g))
      if rows_of.untouched(g) then
        local label = g.source_lossy and ('untouched %s'):format(g.source) or 'untouched'
        pic.levels[#pic.levels + 1] = { y = 100 * g.accuracy, label = label, series = by[own] }
      end
    end
  end
  for _, one in ipairs(pic.series) do table.sort(one.points, function(a, b) return a.x < b.x end) end
  for _, level in ipairs(pic.levels) do
    if #pic.levels > 1 then level.label = level.label .. ', ' .. pic.series[level.series].name end
  end
  local walked = all(r, function(row) return row.tested.parameter end)
  local numbers = #walked > 0 and table.concat(walked, ', ') or 'quality'
  pic.caption = ('numbers: %s; bars: standard deviation over seeds'):format(numbers)
  pic.title = ('%s, %s: accuracy over bits'):format(table.concat(all(r, function(row) return row.data end), ', '),
    table.concat(all(r, function(row) return row.model end), ', '))
  return pic
end

function M.svg(r) return svg.text(M.of(r)) end

return M
