-- visible.lua: text from files, folders, plugins and servers, as it may be shown: what a terminal would obey, or what
-- would show other letters than are there, is written out. \u001b is a character (Unicode C0, C1, line separators,
-- marks of direction), \x9b a byte that is no UTF-8. All other text stays as it is.
local utf8 = require 'hz.base.utf8'

local M = {}

-- Bidirectional marks, embeddings, overrides and isolates; line and paragraph separators; the byte order mark.
local written_out = { { 0x80, 0x9f }, { 0x61c, 0x61c }, { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
  { 0xfeff, 0xfeff } }

local function code_of(s, i, n)
  if n == 2 then return (s:byte(i) - 0xc0) * 64 + s:byte(i + 1) - 0x80 end
  return n == 3 and (s:byte(i) - 0xe0) * 4096 + (s:byte(i + 1) - 0x80) * 64 + s:byte(i + 2) - 0x80 or math.huge
end

local function shown(s, i, n)
  local code = code_of(s, i, n)
  for _, range in ipairs(written_out) do
    if code >= range[1] and code <= range[2] then return ('\\u%04x'):format(code) end
  end
  return s:sub(i, i + n - 1)
end

local function wide(s)
  local parts, from = {}, 1
  local i = s:find '[\128-\255]'
  while i do
    local n = utf8.sequence(s, i)
    parts[#parts + 1] = s:sub(from, i - 1)
    parts[#parts + 1] = n and shown(s, i, n) or ('\\x%02x'):format(s:byte(i))
    from = i + (n or 1)
    i = s:find('[\128-\255]', from)
  end
  parts[#parts + 1] = s:sub(from)
  return table.concat(parts)
end

local function escape(s, controls)
  if type(s) ~= 'string' then s = ('%s'):format(tostring(s)) end      -- a __tostring may give anything
  s = s:gsub(controls, function(ch) return ('\\u%04x'):format(ch:byte()) end)
  return s:find '[\128-\255]' and wide(s) or s
end

-- Text of several lines: line feeds and tabs stay.
function M.text(s) return escape(s, '[%z\1-\8\11-\31\127]') end

-- A piece of a line: they are written out, too.
function M.line(s) return escape(s, '[%z\1-\31\127]') end

return M
