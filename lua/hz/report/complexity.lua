-- complexity.lua: what a model could hold, beside what its labels say. complexity.of(row) ->
--   parameters             all of them
--   madds                  multiply-adds of an item; nil in records that do not say
--   capacity               bits, memory-equivalent (Friedland and Krell, arXiv 1708.06019; rules of 1810.02328): a unit
--                          outputs at most one bit; a layer holds at most its weights and biases, in bits, and a later
--                          one no more than there are units in the layer before it. Nominal, not a bound. nil where the
--                          record does not say which layers there are
--   label_bits             items that train x log2 classes; nil in records that do not say
local c = require 'hz.c'
local layer = require 'hz.net.layer'
local nets = require 'hz.net.net'

local M = {}

-- ---- layers from their text ----

local function value(text)
  local rows, columns = text:match '^{(%d+),(%d+)}$'
  if rows then return { tonumber(rows), tonumber(columns) } end
  if text == 'true' or text == 'false' then return text == 'true' end
  return tonumber(text) or text
end

-- A layer from what a record calls it: 'conv4: conv{128, 3, stride=2}'. Errors are of the layer itself.
local function parse(text)
  local name, kind, inside = text:match '^([%w_-]+): (%a+){?(.-)}?$'
  if not kind or not rawget(layer.kinds, kind) then c.fail("complexity: '%s' is no layer", text) end
  local given = { name = name }
  for part in (inside .. ','):gsub('{(%d+),(%d+)}', '{%1;%2}'):gmatch '%s*([^,]+),' do
    local key, own = part:match '^([%w_]+)=(.*)$'
    local v = value(((own or part):gsub(';', ',')))
    if key then given[key] = v else given[#given + 1] = v end
  end
  return layer.kinds[kind](given)
end

-- ---- capacity ----

-- rows: of net:rows(): parameters of each layer, and its units, the numbers of one item that leave it.
function M.capacity(rows)
  local bits, units = 0, nil
  for _, row in ipairs(rows) do
    if row.layer:find '^conv' or row.layer:find '^dense' then
      bits = bits + math.min(row.parameters, units or row.parameters)
    end
    units = 1
    for _, extent in ipairs(row.shape) do units = units * extent end
  end
  return bits
end

local known = {}

local function capacity_of(model)
  if type(model) ~= 'table' or type(model.layers) ~= 'table' or type(model.input) ~= 'table' then return nil end
  local key = table.concat(model.layers, '\n') .. '\n' .. table.concat(model.input, ' ')
  if known[key] == nil then
    local ok, bits = c.try(function()
      local layers = {}
      for i, text in ipairs(model.layers) do layers[i] = parse(text) end
      return M.capacity(nets.new(layers):rows { input = { unpack(model.input) } })
    end)
    known[key] = ok and bits or false
  end
  return known[key] or nil
end

-- ---- the whole ----

-- Of a row of a report, as the head of this file says.
function M.of(row)
  local record = row.record
  local d, items, classes = record.decides, record.items, record.classes
  local trains = type(items) == 'table' and tonumber(items.train)
  return { parameters = row.params, madds = tonumber(record.madds),
    capacity = d and capacity_of(d.training.model),
    label_bits = trains and tonumber(classes) and trains * math.log(classes) / math.log(2) or nil }
end

return M
