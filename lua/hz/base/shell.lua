-- shell.lua: command lines in words that a shell takes.

local M = {}

-- A word as a shell would have to be given it.
function M.quoted(word)
  if word ~= '' and not word:find '[^%w_%%+,./:=@^-]' then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The command that runs now; nil at the prompt and for a script from stdin.
function M.command()
  local list = (rawget(_G, '_HZ') or {}).command
  if not list then return nil end
  local words = {}
  for i, word in ipairs(list) do words[i] = M.quoted(word) end
  return table.concat(words, ' ')
end

return M
