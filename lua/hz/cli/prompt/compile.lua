-- compile.lua: from the text of a command to what runs. A command is an expression, or statements whose last may be one
-- (y = 3; y), or help that is asked for (? name, name?). Pasted lines that are no one chunk are several commands.
local lexer = require 'hz.cli.prompt.lexer'

local M = {}

-- ---- one chunk ----

local NEAR = 400                   -- places before the end where a last expression is looked for

-- Places where a statement may begin: after ';' anything, after a space what cannot go on with the expression before it
-- (a name can't; a bracket or a string would be its call).
local function starts(text)
  local list, bare = {}, lexer.masked(text)
  for gap, at in bare:gmatch '([%s;]+)()' do
    if at <= #bare and (gap:find ';' or bare:find('^[%w_#]', at)) then list[#list + 1] = at end
  end
  return list
end

-- The chunk of statements of which the last is an expression.
local function with_last(text)
  local list = starts(text)
  for i = #list, math.max(1, #list - NEAR), -1 do
    local rest = text:sub(list[i])
    if loadstring('return nil, ' .. rest) then
      local chunk = loadstring(text:sub(1, list[i] - 1) .. ' return nil, ' .. rest, '=prompt')
      if chunk then return chunk end
    end
  end
end

-- Whether more text may mend what is wrong; a string ends with its line.
local function is_open(text, message)
  return message:find "'<eof>'$" and (not message:find 'unfinished string' or text:find '\\$')
end

-- The chunk, and how many of the values it returns come first and are to be dropped: an expression's are returned after
-- a nil, because alone it would be a tail call, whose line errors cannot name. nil and a message; or nil and true where
-- the text is not complete yet.
local function chunk_of(text)
  local chunk, unlike = loadstring('return nil, ' .. text, '=prompt')
  chunk = chunk or with_last(text)
  if chunk then return chunk, 1 end
  local message
  chunk, message = loadstring(text, '=prompt')
  if chunk then return chunk, 0 end
  return nil, (is_open(text, message) or is_open(text, unlike)) and true or message
end

-- ---- commands ----

-- A local of the prompt would be gone with its line: the first one becomes a global. Pasted scripts work.
local function keep_local(text)
  if text:find '^%s*local%s+function%f[%s]' then return (text:gsub('^%s*local%s+', '', 1)) end
  if text:find '^%s*local%s+[%a_][%w_,%s]*=[^=]' then return (text:gsub('^%s*local%s+', '', 1)) end
  return text
end

local function topic_of(text)
  return text:match '^%s*%?%s*([^\n]-)%s*$' or text:match '^%s*([%a_][%w_%.:]*)%s*%?+%s*$'
end

-- One command: { topic = text } or { chunk = function, drop = count, single = whether it is one line }; {} for blank
-- text; nil and what chunk_of says.
local function command(text)
  if not text:find '%S' then return {} end
  local topic = topic_of(text)
  if topic then return { topic = topic } end
  local chunk, drop = chunk_of((keep_local(text:gsub('^%s*=', '', 1))))
  if not chunk then return nil, drop end
  return { chunk = chunk, drop = drop, single = not text:find '\n' }
end

-- Lines that are several commands.
local function split(text)
  local list, open = {}, nil
  for line in text:gmatch '[^\n]+' do
    open = open and open .. '\n' .. line or line
    local one, message = command(open)
    if one then
      list[#list + 1], open = one, nil
    elseif message ~= true then
      return nil, message
    end
  end
  if open then return nil, true end
  return list
end

-- The list of commands in the text; nil and a message; or nil and true where it is not complete yet.
function M.commands(text)
  local one, message = command(text)
  if one then return { one } end
  if message == true or not text:find '\n' then return nil, message end
  local list, other = split(text)
  if list or other == true then return list, other end
  return nil, message
end

-- What to say of text that ends before it is complete.
function M.missing(text) return select(2, loadstring(text, '=prompt')) end

local WIDE = 80
-- Text as an entry of the history: in one line where that is short and means the same.
function M.entry(text)
  text = text:gsub('%s+$', '')
  if not text:find '\n' or text:find '%-%-' or text:find '%[=*%[' or text:find '\\\n' then return text end
  local line = text:gsub('%s*\n%s*', ' ')
  return #line <= WIDE and command(line) and line or text
end

return M
