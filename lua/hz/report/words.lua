-- words.lua: numbers and lines of what comparisons say. Shares of items are shown in percent or points.
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

local M = {}

-- v in a format, times a factor; '-' where there is none.
function M.number(format, v, factor) return v and format:format(v * (factor or 1)) or '-' end

function M.percent(v) return M.number('%.2f', v, 100) end
function M.signed(v) return M.number('%+.2f', v, 100) end

function M.points(v)
  local text = ('%.4g'):format(100 * v)
  return text .. (text == '1' and ' point' or ' points')
end

function M.confidence(alpha) return ('%.4g %%'):format(100 * (1 - alpha)) end

-- Lines of at most the columns of a terminal, all but the first indented; numbers stay beside their %.
function M.wrap(text)
  return (tables.wrap(visible(text):gsub(' %%', '\1%%'), '  ', tables.width):gsub('\1', ' '))
end

return M
