-- halves.lua: pictures in a terminal: two rows of pixels are one line of half blocks in 24-bit colours.
local M = {}

-- Lines of text for pixels (height,width,channels) of u8, of at most `widest` columns: wide pictures are thinned out.
function M.lines(t, widest)
  local h, w, ch, p = t:size(1), t:size(2), t:size(3), t:pointer 'read'
  local step, lines = math.max(1, math.ceil(w / widest)), {}
  local function colour(y, x)
    local at = (math.min(y, h - 1) * w + x) * ch
    return p[at], p[at + (ch > 1 and 1 or 0)], p[at + (ch > 1 and 2 or 0)]
  end
  for y = 0, h - 1, 2 * step do
    local parts = {}
    for x = 0, w - 1, step do
      local r, g, b = colour(y, x)
      local r2, g2, b2 = colour(y + step, x)
      parts[#parts + 1] = ('\27[38;2;%d;%d;%dm\27[48;2;%d;%d;%dm\226\150\128'):format(r, g, b, r2, g2, b2)
    end
    lines[#lines + 1] = table.concat(parts) .. '\27[0m'
  end
  return lines
end

return M
