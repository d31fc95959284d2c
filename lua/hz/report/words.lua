-- words.lua: numbers and lines as reports say them. Shares of items are shown in percent or points.
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

local M = {}

-- v in a format, times a factor; '-' where there is none.
function M.number(format, v, factor) return v and format:format(v * (factor or 1)) or '-' end

function M.percent(v) return M.number('%.2f', v, 100) end
function M.signed(v) return M.number('%+.2f', v, 100) end
function M.small(v) return ('%.3g'):format(v) end

-- What was asked for: '1 point', '2.5 points'; and what was found: '0.55 points'.
function M.points(v)
  local text = ('%.4g'):format(100 * v)
  return text .. (text == '1' and ' point' or ' points')
end
function M.found(v) return ('%.2f points'):format(100 * v) end

function M.confidence(alpha) return ('%.4g %%'):format(100 * (1 - alpha)) end

-- Lines of at most the columns of a terminal; numbers stay beside their %. indent: of all but the first.
function M.wrap(text, indent)
  return (tables.wrap(text:gsub(' %%', '\1%%'), indent or '', tables.width):gsub('\1', ' '))
end

-- The same of text from anywhere, its further lines indented.
function M.lines(text) return M.wrap(visible(text), '  ') end

return M
