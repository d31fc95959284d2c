-- utf8.lua: where characters end in UTF-8 (RFC 3629).
local M = {}

-- Length of the sequence at byte i, or nil where there is none: no overlong forms, no surrogates.
function M.sequence(s, i)
  local a, b, d, e = s:byte(i, i + 3)
  local function tail(x) return x and x >= 0x80 and x <= 0xbf end
  if a < 0x80 then return 1 end
  if a >= 0xc2 and a <= 0xdf then return tail(b) and 2 or nil end
  if not tail(b) or not tail(d) then return nil end
  if a >= 0xe0 and a <= 0xef then
    return not (a == 0xe0 and b < 0xa0 or a == 0xed and b > 0x9f) and 3 or nil
  end
  if not tail(e) or a < 0xf0 or a > 0xf4 then return nil end
  return not (a == 0xf0 and b < 0x90 or a == 0xf4 and b > 0x8f) and 4 or nil
end

return M
