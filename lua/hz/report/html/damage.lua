-- damage.lua: which items and which classes an encoding costs: the table of damage_text.lua, and all classes.
local classes = require 'hz.report.damage.classes'
local damage_text = require 'hz.report.damage.damage_text'
local h = require 'hz.report.html.markup'.h
local parts = require 'hz.report.html.parts'
local tables = require 'hz.report.tables'
local verdicts = require 'hz.report.verdicts'

local M = {}

local function points(v) return ('%+.1f'):format(100 * v) end

-- Differences of all classes: a line each, a column for each encoding.
local function all_classes(chain, found, name)
  local columns, lines = { { 'class', 'left' }, { 'items' } }, {}
  for k, class in ipairs(found.list) do lines[k] = { class.name, ('%d'):format(class.items) } end
  for i, e in ipairs(chain.entries) do
    if found.entries[i] then
      columns[#columns + 1] = { verdicts.called(e) }
      for k, one in ipairs(found.entries[i].all) do
        lines[k][#columns] = points(one.difference) .. (one.harmful and '*' or '')
      end
    end
  end
  return parts.details(('All %d classes'):format(#found.list), parts.table {
    caption = name .. ': differences of all classes in points; * harmful', columns = columns, lines = lines })
end

-- ctx: of page.lua.
function M.section(ctx, chain, name)
  local r = ctx.r
  local one = tables.damage(r, chain, name)
  if not one then return nil end
  one.notes = { damage_text.legend(r, chain) }         -- what is saved has a table of its own
  local found = not ctx.without['tables of all classes'] and classes.of(r, chain)
  return { h('h3', nil, 'Item by item, class by class'), parts.table(one), found and all_classes(chain, found, name) }
end

return M
