-- search.lua: Ctrl-R: entries of the history by a part of their text, in the line of the prompt.
local posix = require 'hz.ext.posix'

local ENTER, AGAIN, GIVE_UP, ESCAPE_MS = '[\r\n]', '\18', '\7', 50
local ERASE = { ['\127'] = true, ['\8'] = true }

-- The latest entry before place `at` that holds the text: its place, or nil.
local function find(entries, text, at)
  for i = math.min(at - 1, #entries), 1, -1 do
    if entries[i]:find(text, 1, true) then return i end
  end
end

local function draw(text, entry, missing)
  local line = ("%s '%s': %s"):format(missing and 'nothing has' or 'search', text, entry):gsub('%c+', ' ')
  local columns = posix.columns(1) or 80
  io.stdout:write('\r\27[K', #line < columns and line or line:sub(1, columns - 1):gsub('[\194-\244][\128-\191]*$', ''))
  io.stdout:flush()
end

-- Reads keys until one ends the search: the entry that was found ('' if none) and that key, which is the line editor's
-- to handle; nil or false in place of the key as Keys:next gives them. Given up, the entry is nil.
return function(entries, keys)
  local text, at, missing = '', #entries + 1, false
  while true do
    draw(text, entries[at] or '', missing)
    local k, pasted = keys:next(ESCAPE_MS)
    if not k then return nil, k end
    local sought, from = text, at + 1
    if k == GIVE_UP then return nil, '' end
    if k == AGAIN then
      from = at
    elseif ERASE[k] then
      sought, from = text:gsub('[^\128-\191]?[\128-\191]*$', '', 1), #entries + 1
    elseif pasted or not k:find '%c' then
      sought = text .. k
    else
      return entries[at] or '', k:find(ENTER) and k or k == '\27' and '' or k
    end
    local found = sought ~= '' and find(entries, sought, from)
    missing = sought ~= '' and not found
    at = found or sought == '' and #entries + 1 or at
    text = sought
  end
end
