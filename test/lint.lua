-- lint.lua: the rules that keep the rooms apart (which file may name which), and the house rules a program can check.
-- Each rule is one row; floors.lua says which room of lua/hz may require which. Prints every breach as
-- file:line: reason, then one closing line; status 1 if there is one.

-- Rules over names: in files that match `where` (and not `except`), what `what` finds (include: "hz/x.h", require:
-- 'hz.x', text: a Lua pattern on the line) must not match `never`, or must match one of `only`.
local rules = {
  { where = '^core/.*%.[ch]$', except = '^core/main%.c$', what = 'include', never = 'lua',
    why = 'the core knows no Lua except in main.c' },
  { where = '^core/hz/', what = 'include', only = { '^hz/', '^std[a-z]+%.h$' },
    why = 'public headers include public headers only' },
  { where = '^core/cpu/', what = 'include', never = 'cuda', why = 'backends do not know each other' },
  { where = '^core/cuda/', what = 'include', never = '^cpu', why = 'backends do not know each other' },
  { where = '^core/c[pu][ud]a?/', what = 'include', never = '^hz/plan%.h$', why = 'a backend knows nothing of plans' },
  { where = '^core/device/', what = 'include', never = 'plan', why = 'a backend knows nothing of plans' },
  { where = '^core/c[pu][ud]a?/', what = 'include', never = '^hz/data%.h$',
    why = 'a backend knows nothing of the loader' },
  { where = '^core/', what = 'include', never = 'plugins/', why = 'the core knows no plugin' },
  { where = '^core/', what = 'include', never = 'sqlite', why = 'the core knows no SQLite' },
  { where = '^core/', what = 'include', never = '^test/', why = 'nothing requires test/' },
  { where = '^plugins/.*%.[ch]$', what = 'include', never = '^hz/[^p]', why = 'plugins include hz/plugin.h only' },
  { where = '^plugins/.*%.[ch]$', what = 'include', never = '^hz/p[^l]', why = 'plugins include hz/plugin.h only' },
  { where = '^plugins/.*%.[ch]$', what = 'include', never = '^hz/pla', why = 'plugins include hz/plugin.h only' },
  { where = '^plugins/', what = 'text', never = '%-lhz', why = 'plugins do not link the core' },
  { where = '^lua/', except = '^lua/hz/c%.lua$', ext = true, what = 'text', never = 'ffi%.load',
    why = 'only c.lua and ext/ open libraries' },
  { where = '^lua/', except = '^lua/hz/c%.lua$', ext = true, what = 'text', never = 'ffi%.cdef',
    why = 'only c.lua and ext/ declare C' },
  { where = '^[^t]', except = '^lua/hz/i[sn][at].*%.lua$', what = 'text', never = '%f[%w.]getmetatable%(',
    why = 'hz.isa asks for metatables, or debug.getmetatable' },
  { where = '^experiments/', what = 'require', never = '^ffi$', why = 'experiments require hz only' },
  { where = '^experiments/', what = 'require', never = '^hz%.c$', why = 'experiments require hz only' },
  { where = '^experiments/', what = 'require', only = { '^hz' }, why = 'experiments require hz only' },
  { where = '^datasets/', what = 'require', only = { '^hz' }, why = 'data sets require hz only' },
  { where = '^datasets/', what = 'require', never = '^hz%.c$', why = 'data sets require hz only' },
  { where = '^lua/', what = 'require', never = '^experiments', why = 'lua/hz knows no experiment' },
  { where = '^[^t]', what = 'require', never = '^test', why = 'nothing requires test/' },
  -- house rules
  { where = '%.[ch][uc]?$', what = 'text', never = '\t', why = 'C is indented with spaces' },
  { where = '%.lua$', what = 'text', never = '\t', why = 'Lua is indented with spaces' },
  { where = '.', except = '^test/lint%.lua$', what = 'text', never = '[^%w.]/work/', why = 'a path of one machine' },
  { where = '.', except = '^test/lint%.lua$', what = 'text', never = '[^%w.]/root/', why = 'a path of one machine' },
  { where = '.', except = '^test/lint%.lua$', what = 'text', never = '[^%w.]/home/%w', why = 'a path of one machine' },
  { where = '.', except = '^test/lint%.lua$', what = 'text', never = '[^%w]TODO[^%w]', why = 'unfinished work' },
  { where = '.', except = '^test/lint%.lua$', what = 'text', never = '[^%w]FIXME[^%w]', why = 'unfinished work' },
  { where = '%.[chl]', except = '%.md$', what = 'text', never = '[ \t]+$', why = 'blanks at the end of the line' },
}

local longest = 450        -- lines of a source file
local widest = 120         -- columns of a line, in all texts but data that programs write
local data = { bin = true, svg = true, txt = true }
local headed = { c = '^/%*', h = '^/%*', cu = '^/%*', cc = '^/%*', lua = '^%-%-' }  -- a file opens with what it is for

local breaches, files = 0, 0
local function breach(path, line, why)
  breaches = breaches + 1
  print(('%s:%d: %s'):format(path, line, why))
end

local finders = {
  include = function(line) return line:match '^%s*#%s*include%s*[<"]([^>"]+)[>"]' end,
  require = function(line) return line:match "%f[%w]require%s*%(?%s*['\"]([^'\"]+)['\"]" end,
  text = function(line) return line end,
}

local function breaks(rule, found)
  if rule.never then return found:find(rule.never) ~= nil end
  for _, p in ipairs(rule.only) do
    if found:find(p) then return false end
  end
  return true
end

local function applies(rule, path)
  return path:find(rule.where) and not (rule.except and path:find(rule.except))
    and not (rule.ext and path:find '^lua/hz/ext/')
end

-- Code points of UTF-8: all bytes but those that continue one.
local function columns(line) return select(2, line:gsub('[^\128-\191]', '')) end

local function check(path, text)
  local mine, kind = {}, path:match '%.(%w+)$'
  for _, rule in ipairs(rules) do
    if applies(rule, path) then mine[#mine + 1] = rule end
  end
  local n = 0
  for line in (text:gsub('\n$', '') .. '\n'):gmatch '([^\n]*)\n' do
    n = n + 1
    if columns(line) > widest and not data[kind] then
      breach(path, n, ('%d columns; needs at most %d'):format(columns(line), widest))
    end
    if path:find '^lua/' and line:find "^%s+.*%f[%w]require%s*%(?%s*'hz" and not line:find '%-%- lazy' then
      breach(path, n, 'a require inside a function says why it is lazy (-- lazy: ...), or stands at the head')
    end
    for _, rule in ipairs(mine) do
      local found = finders[rule.what](line)
      if found and breaks(rule, found) then
        breach(path, n, rule.why .. (rule.what ~= 'text' and ': ' .. found or ''))
      end
    end
  end
  if headed[kind] then
    if n > longest then breach(path, n, ('%d lines; needs at most %d'):format(n, longest)) end
    if not text:find(headed[kind]) then breach(path, 1, 'opens without saying what it is for') end
  end
end

local rooms = {}                 -- lua/hz: texts by path
local list = assert(io.popen 'git ls-files --cached --others --exclude-standard')
for path in list:lines() do
  local f = io.open(path, 'rb')
  if f then
    local text = f:read '*a'
    f:close()
    if not text:find '%z' then
      files = files + 1
      check(path, text)
      if path:find '^lua/hz/.*%.lua$' then rooms[path] = text end
    end
  end
end
list:close()
assert(loadfile 'test/floors.lua')()(rooms, breach)

print(('lint: %d files, %d rules, %d breaches'):format(files, #rules + 5, breaches))
os.exit(breaches == 0 and files > 0 and 0 or 1)
