-- command.lua: verbs of the command line from rows, as args.lua has keys of scripts. A command has one row for each
-- verb and a row for each of their options; its usage, its checks and its messages all come from them.
--
--   return command.new('data', {
--     about = 'NAME is one of the list, or a file of your own.',
--     { 'list',  list,  'which sets there are', { json } },
--     { 'fetch', fetch, 'downloads a set', { url }, words = { 'NAME', 1, 1 } },
--   })
--
-- A row: { verb, function(o) -> status, what it does, options, words = , open = }; the verb '' is what the command does
-- without one. Options are rows of args.lua: { name, default, type, text, ... }, with form = how it is written, such as
-- '--svg FILE', 'url=ADDRESS'; without it --name for a bool, --name VALUE for others.
-- words = { what they are, least, most or nil }, and a fourth, function() -> the names there are; else there are none.
-- They may have a text, as usage shows them.
-- open = what other key=value words are called; else there are none.
-- The function gets o = { option = value, words = { ... }, given = { key = text } }.
-- Mistakes end the program with status 2; --help prints the usage of the whole command.
local args = require 'hz.base.args'
local exit = require 'hz.exit'
local names = require 'hz.base.names'
local tables = require 'hz.base.table'

local M = {}

-- ---- forms ----

-- "--svg FILE" -> '--svg', 'FILE'; "url=ADDRESS" -> 'url=', 'ADDRESS'; "--json" -> '--json', nil
local function parts_of(row)
  local form = row.form or '--' .. row[1] .. (row[3] == 'bool' and '' or ' VALUE')
  local key, value = form:match '^([%w_]+=)(.+)$'
  if key then return key, value end
  return form:match '^(%S+) ?(%S*)$'
end

local function form_of(row)
  local name, value = parts_of(row)
  return name:sub(-1) == '=' and name .. value or value ~= '' and name .. ' ' .. value or name
end

local function word_text(words)
  local what, least, most = words[1], words[2], words[3]
  if words.text then return words.text end
  if not most then return least > 0 and what .. ' ...' or '[' .. what .. ' ...]' end
  if least == 0 then return '[' .. what .. ']' end
  return (what .. ' '):rep(least):sub(1, -2) .. (' [' .. what .. ']'):rep(most - least)
end

-- ---- usage ----

local longest_synopsis = 64

local function synopsis(name, row)
  local list, forms = { 'hz ' .. name }, {}
  if row[1] ~= '' then list[#list + 1] = row[1] end
  if row.words then list[#list + 1] = word_text(row.words) end
  if row.open then list[#list + 1] = '[' .. row.open .. ' ...]' end
  for i, option in ipairs(row[4] or {}) do forms[i] = ' [' .. form_of(option) .. ']' end
  local text, options = table.concat(list, ' '), table.concat(forms)
  return text .. (#text + #options <= longest_synopsis and options or ' [options]')
end

local most_left = 24                 -- columns of what stands left, for the right to stand beside it

-- Rows of { left, right } as lines, the right sides below each other; where they do not fit there and the left ones are
-- wide, each right side below its own.
local function aligned(rows, opening, indent)
  local wide, right, lines = 0, 0, {}
  for _, r in ipairs(rows) do wide, right = math.max(wide, #r[1]), math.max(right, #r[2]) end
  local fits = #indent + wide + 2 + right <= tables.width
  for i, r in ipairs(rows) do
    local left, at = (i == 1 and opening or indent) .. r[1], #indent + wide + 2
    if fits or wide <= most_left then
      lines[i] = tables.wrap(left .. (' '):rep(at - #left) .. r[2], (' '):rep(at))
    else
      at = #indent + 4
      lines[i] = tables.wrap(left, (' '):rep(at + 2)) .. '\n' .. tables.wrap((' '):rep(at) .. r[2], (' '):rep(at))
    end
  end
  return lines
end

local function option_text(row)
  if row[3] == 'bool' and not row[2] then return row[4] end
  local domain = args.domain(row)
  if #domain > most_left then domain = domain:gsub('|', ', ') end        -- so that it can be wrapped
  local notes = { domain ~= 'string' and domain or nil }
  if row[2] ~= nil then notes[#notes + 1] = 'default ' .. args.default_text(row[2]) end
  return #notes > 0 and ('%s (%s)'):format(row[4], table.concat(notes, '; ')) or row[4]
end

-- Each option once, whichever verbs have it.
local function option_rows(verbs)
  local rows, seen = {}, {}
  for _, verb in ipairs(verbs) do
    for _, option in ipairs(verb[4] or {}) do
      local form = form_of(option)
      if not seen[form] then rows[#rows + 1], seen[form] = { form, option_text(option) }, true end
    end
  end
  return rows
end

function M.usage(name, verbs)
  local lines = {}
  for i, row in ipairs(verbs) do lines[i] = { synopsis(name, row), row[3] } end
  lines = aligned(lines, 'usage: ', '       ')
  for _, line in ipairs(aligned(option_rows(verbs), '  ', '  ')) do lines[#lines + 1] = line end
  lines[#lines + 1] = verbs.about
  return table.concat(lines, '\n')
end

-- ---- parsing ----

local function takes(row)
  local list = {}
  if row.words then list[1] = word_text(row.words) end
  if row.open then list[#list + 1] = row.open end
  for _, option in ipairs(row[4] or {}) do list[#list + 1] = form_of(option) end
  list[#list + 1] = '--help'
  return table.concat(list, ', ')
end

local function unknown(who, row, text)
  local list = {}
  for i, option in ipairs(row[4] or {}) do list[i] = parts_of(option) end
  local meant = names.meant(text:match '^[^=]*=?', list)
  exit.usage("%s: '%s' is unknown%s; takes %s", who, text, meant, takes(row))
end

local function find(row, name)
  for _, option in ipairs(row[4] or {}) do
    if parts_of(option) == name then return option end
  end
end

local function set(who, o, seen, option, text, written)
  if seen[option] then exit.usage("%s: '%s' was given twice; needs one value", who, parts_of(option)) end
  local value, need = args.value(option, text)
  if value == nil then exit.usage('%s: %s was given; needs %s', who, written, need) end
  o[option[1]], seen[option] = value, true
end

-- A bool may say true or false behind it, where no other word could stand.
local function take_dashed(who, row, o, seen, list, i)
  local option, name = find(row, list[i]), list[i]
  if not option then unknown(who, row, name) end
  if option[3] == 'bool' and (row.words or args.truth[list[i + 1]] == nil) then
    set(who, o, seen, option, 'true', name)
    return i
  end
  if not list[i + 1] then exit.usage('%s: nothing follows %s; needs %s', who, name, form_of(option)) end
  set(who, o, seen, option, list[i + 1], name .. ' ' .. list[i + 1])
  return i + 1
end

local function take_keyed(who, row, o, seen, text)
  local key, value = text:match '^([%w_.]+)=(.*)$'
  local option = find(row, key .. '=')
  if option then return set(who, o, seen, option, value, text) end
  if not row.open then unknown(who, row, text) end
  if o.given[key] then exit.usage("%s: '%s' was given twice; needs one value", who, key) end
  o.given[key] = value
end

local numbers = { [0] = 'none', 'one', 'two' }

local function check_words(who, row, words)
  local what, least, most, choices = unpack(row.words or { 'word', 0, 0 })
  if #words >= least and #words <= (most or #words) then return end
  local bound = least == most and '' or #words < least and 'at least ' or 'at most '
  local need = numbers[#words < least and least or most]
  exit.usage('%s: %d %s given; needs %s%s%s', who, #words, what:lower() .. (#words == 1 and ' was' or 's were'), bound,
    need, choices and ' of ' .. table.concat(choices(), ', ') or '')
end

local function parse(who, row, list, from)
  local o, seen, i = { words = {}, given = {} }, {}, from
  for _, option in ipairs(row[4] or {}) do o[option[1]] = args.copy(option[2]) end
  while list[i] do
    local text = list[i]
    if text:sub(1, 1) == '-' then i = take_dashed(who, row, o, seen, list, i)
    elseif text:find '^[%w_.]+=' then take_keyed(who, row, o, seen, text)
    elseif not row.words then unknown(who, row, text)
    else o.words[#o.words + 1] = text end
    i = i + 1
  end
  check_words(who, row, o.words)
  return o
end

-- ---- running ----

local function names_of(verbs)
  local list = {}
  for _, row in ipairs(verbs) do
    if row[1] ~= '' then list[#list + 1] = row[1] end
  end
  return list
end

-- The row that the first argument picks, and where its own arguments begin.
local function pick(name, verbs, first)
  local default
  for _, row in ipairs(verbs) do
    if row[1] == first then return row, 2 end
    if row[1] == '' then default = row end
  end
  if default and (not first or first:find '^%-' or first:find '=' or default.words) then return default, 1 end
  local list = names_of(verbs)
  local given = first and ("'%s' is unknown%s"):format(first, names.meant(first, list)) or 'no verb was given'
  exit.usage('%s: %s; have %s (hz %s --help)', name, given, table.concat(list, ', '), name)
end

-- function(arguments) -> status of a command.
function M.new(name, verbs)
  return function(list)
    for _, text in ipairs(list) do
      if text == '--help' or text == '-h' then exit.stop(0, M.usage(name, verbs)) end
    end
    local row, from = pick(name, verbs, list[1])
    return row[2](parse(row[1] == '' and name or name .. ' ' .. row[1], row, list, from))
  end
end

return M
