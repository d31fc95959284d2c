-- help.lua: one line of help for every public function: `? name` at the prompt shows it, the test suite runs the
-- examples. Rows stand in help/*.lua, one file a subject: { subject = '...', { 'name', 'usage', 'what it does',
-- 'example' }, ... }.
local about = require 'hz.codec.about'
local names = require 'hz.base.names'
local tables = require 'hz.base.table'
local layers = require 'hz.net.layer'
local plugins = require 'hz.codec.plugins'

local M = {}

local subjects = { 'prompt', 'net', 'data', 'sweep', 'tensor', 'linalg', 'codec', 'sound' }

local rows, order            -- rows by name; subjects with their names in order

local function load_rows()
  if rows then return end
  rows, order = {}, {}
  for _, file in ipairs(subjects) do
    local list = require('hz.cli.prompt.help.' .. file)           -- lazy: by name, and when help is asked for
    local keys = {}
    for _, r in ipairs(list) do
      rows[r[1]] = { usage = r[2], text = r[3], example = r[4] }
      keys[#keys + 1] = r[1]
    end
    order[#order + 1] = { subject = list.subject, names = keys }
  end
end

-- Functions that may know a name no row has: f(name) -> text or nil.
M.others = {
  function(name)
    local kind = rawget(layers.kinds, name)
    return kind and tostring(kind) .. '\n' .. tables.wrap('  ' .. kind.help, '  ')
  end,
  function(name)
    return plugins.has(name) and about.text(name) or nil
  end,
}

-- All rows by name: { usage, text, example }.
function M.rows()
  load_rows()
  return rows
end

-- Names of a subject in groups: those that stand alone, then by what is in front of them: { ':', 'x:', 'file.', ... }.
local function groups_of(list)
  local groups, by_name = {}, {}
  for _, key in ipairs(list) do
    local before, name = key:match '^(.-[%.:])([^%.:]*)$'
    local group = by_name[before or '']
    if not group then
      group = { before = before or '' }
      by_name[group.before], groups[#groups + 1] = group, group
    end
    group[#group + 1] = name or key
  end
  return groups
end

local function overview()
  load_rows()
  local lines, indent = {}, (' '):rep(9)
  for _, s in ipairs(order) do
    for i, group in ipairs(groups_of(s.names)) do
      local first = ('%-8s '):format(i == 1 and s.subject or '')
      lines[#lines + 1] = tables.wrap(first .. group.before .. ' ' .. table.concat(group, ' '), indent .. ' ')
    end
  end
  lines[#lines + 1] = '? NAME tells more; Tab completes names'
  return table.concat(lines, '\n')
end

-- Lines of Lua are broken behind a semicolon, else between words: what was copied from here still runs.
local function example_text(code)
  local lines, line = {}, nil
  for statement in (code .. '; '):gmatch '(.-);%s+' do
    if line and #line + #statement + 4 <= tables.width then
      line = line .. '; ' .. statement
    else
      if line then lines[#lines + 1] = line .. ';' end
      line = '  ' .. statement
    end
  end
  lines[#lines + 1] = line
  for i, l in ipairs(lines) do lines[i] = tables.wrap(l, '    ') end
  return table.concat(lines, '\n')
end

local function row_text(r)
  local text = tables.wrap(r.usage, '    ') .. '\n' .. tables.wrap('  ' .. r.text, '  ')
  return r.example and text .. '\n' .. example_text(r.example) or text
end

-- Rows of a name: its own, then those of a method or a field that is called so: 'mean', ':mean', 'x:mean', 'join'.
function M.rows_of(name)
  load_rows()
  local list, last = {}, name:match '[^%.:]*$'
  local exact = rows[name]
  if exact and name:find '[%.:]' then return { exact } end
  for _, s in ipairs(order) do
    for _, key in ipairs(s.names) do
      local called = key:match '[^%.:]*$'
      local fits = called == last and (key == last or key:find ':' and (name == last or name:find ':')
        or key:find '%.' and not name:find ':')
      if fits then table.insert(list, key == last and 1 or #list + 1, rows[key]) end
    end
  end
  return list
end

-- 'net:plan' names a method, 'resize:16' and 'resize|jpeg' codecs.
local function is_codec(name) return name:find '[|=]' ~= nil or name:find ':%d' ~= nil end

local function text_of(name)
  local parts = {}
  for i, r in ipairs(M.rows_of(name)) do parts[i] = row_text(r) end
  local last = name:match '[^%.:]*$'
  for _, other in ipairs(name:find ':' and not is_codec(name) and {} or M.others) do
    parts[#parts + 1] = other(is_codec(name) and name or last)
  end
  return #parts > 0 and table.concat(parts, '\n') or nil
end

local LEAST = 3                    -- letters of a name that is sought within others

local function near(name)
  local list = {}
  for k in pairs(rows) do
    if #name >= LEAST and k:find(name, 1, true) then list[#list + 1] = k end
  end
  table.sort(list)
  return #list > 0 and 'see ' .. table.concat(list, ', ')
    or (names.meant(name, names.sorted(rows)):gsub('^, ', '') .. '; '):gsub('^; ', '') .. '? alone lists what there is'
end

-- Help on a name ('hz.matmul', 'matmul', 'x:sum', ':sum', 'sum', 'l.conv'), or the list of names for ''.
function M.text(name)
  if name == '' or name == 'hz' then return overview() end
  load_rows()
  local short = name:gsub('%(.*$', ''):gsub('^hz%.', '')
  return text_of(short) or tables.wrap(("help: nothing about '%s'; %s"):format(name, near(short)), '  ')
end

return M
