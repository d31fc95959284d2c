-- help.lua: one line of help for every public function: `? name` at the prompt shows it, the test suite runs the
-- examples. Rows stand in help/*.lua, one file a subject: { subject = '...', { 'name', 'usage', 'what it does',
-- 'example' }, ... }.
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
    local names = {}
    for _, r in ipairs(list) do
      rows[r[1]] = { usage = r[2], text = r[3], example = r[4] }
      names[#names + 1] = r[1]
    end
    order[#order + 1] = { subject = list.subject, names = names }
  end
end

-- Functions that may know a name no row has: f(name) -> text or nil.
M.others = {
  function(name)
    local kind = rawget(layers.kinds, (name:gsub('^layers%.', '')))
    return kind and ('%s\n  %s'):format(tostring(kind), kind.help)
  end,
  function(name)
    local codec = name:match '^codec%.([%w_]+)$' or name
    return plugins.has(codec) and tostring(require 'hz.codec.codec'[codec]) or nil       -- lazy: it opens all plugins
  end,
}

-- All rows by name: { usage, text, example }.
function M.rows()
  load_rows()
  return rows
end

local function overview()
  load_rows()
  local lines = {}
  for _, s in ipairs(order) do
    local line = ('%-10s'):format(s.subject)
    for _, name in ipairs(s.names) do
      if #line + #name > 94 then
        lines[#lines + 1] = line
        line = (' '):rep(10)
      end
      line = line .. ' ' .. name
    end
    lines[#lines + 1] = line
  end
  lines[#lines + 1] = '? NAME tells more; Tab completes names'
  return table.concat(lines, '\n')
end

local function row_text(r)
  return r.usage .. '\n  ' .. r.text .. (r.example and '\n  ' .. r.example:gsub('\n', '\n  ') or '')
end

-- Help on a name ('hz.matmul', 'matmul', 't:sum' and ':sum' all work), or the list of names for ''.
function M.text(name)
  if name == '' then return overview() end
  load_rows()
  local short = name:gsub('%(.*$', ''):gsub('^hz%.', '')
  local r = rows[short] or rows[short:match ':.*$' or ''] or rows[':' .. short] or rows[short:match '[^%.]*$']
  if r then return row_text(r) end
  for _, other in ipairs(M.others) do
    local text = other(short)
    if text then return text end
  end
  local near = {}
  for k in pairs(rows) do
    if k:find(short, 1, true) or short:find(k, 1, true) then near[#near + 1] = k end
  end
  table.sort(near)
  return ("help: nothing about '%s'; %s"):format(name,
    #near > 0 and 'see ' .. table.concat(near, ', ') or '? alone lists what there is')
end

return M
