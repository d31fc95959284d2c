-- lexer.lua: where strings and comments stand in Lua text, and which brackets are open, also where it is unfinished.
local M = {}

-- The end of the long bracket of this level that begins at `at`, or nil.
local function long_end(text, level, at) return (select(2, text:find(']' .. level .. ']', at, true))) end

-- The end of the quoted string that begins at `at`, or nil.
local function quoted_end(text, at)
  local quote, last = text:sub(at, at), at + 1
  while last <= #text and text:sub(last, last) ~= quote do
    last = last + (text:sub(last, last) == '\\' and 2 or 1)
  end
  return last <= #text and last or nil
end

-- What begins at `at`: its paint and its end (nil if it is unfinished); nothing for plain text.
local function piece(text, at)
  local level = text:match('^%[(=*)%[', at)
  if level then return '"', long_end(text, level, at) end
  if text:find('^["\']', at) then return '"', quoted_end(text, at) end
  if not text:find('^%-%-', at) then return end
  level = text:match('^%[(=*)%[', at + 2)
  if level then return ' ', long_end(text, level, at) end
  return ' ', (text:find('\n', at, true) or #text + 1) - 1
end

-- The text with strings and comments painted over, of the same length: strings with quotes, comments with spaces; and
-- where a quoted string begins that has no end.
function M.masked(text)
  local parts, at, open = {}, 1, nil
  while at <= #text do
    local paint, last = piece(text, at)
    if paint == '"' and not last and text:find('^["\']', at) then open = at end
    last = last or paint and #text or (text:find('[%-%["\']', at + 1) or #text + 1) - 1
    parts[#parts + 1] = paint and paint:rep(last - at + 1) or text:sub(at, last)
    at = last + 1
  end
  return table.concat(parts), open
end

-- Places of the brackets that are open at the end of masked text, the innermost last.
function M.open_brackets(bare)
  local stack = {}
  for at, bracket in bare:gmatch '()([%(%[{%)%]}])' do
    if bracket:find '[%(%[{]' then stack[#stack + 1] = at else stack[#stack] = nil end
  end
  return stack
end

return M
