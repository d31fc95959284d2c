-- walk.lua: the files below some folders, each once by what it is (device and number), however many names and links
-- lead there; hard links count within a scope (a part of a set), so that a test set of them is one. Real folders come
-- first; links are looked at when all of them are known, so that a file belongs where it lies and not where a link
-- shows it. A link that leads upward, or to what was visited, is not followed; one that leads out of the root is, and
-- is told. Signals are heard.
local c = require 'hz.c'
local file = require 'hz.base.file'
local names = require 'hz.base.names'
local posix = require 'hz.ext.posix'

local M = {}

-- A walk below `root` (a folder). What it finds beside files:
--   seen     ids of folders and files that were visited      above    ids of the root and the folders above it
--   hidden   names that begin with a dot                     odd      what -> how many (pipes, devices)
--   loops    links to what lies above, or is visited         dangling links to nothing
--   again    other names of files that were visited (hard links)
--   outside  list of { link, target } that lead out of the root
--   troubles list of { path, reason }
function M.new(root)
  local real = file.real(root)
  local walk = { root = real, seen = {}, visited = {}, above = {}, links = {}, hidden = 0, odd = {}, loops = 0,
    dangling = 0, again = 0, outside = {}, troubles = {} }
  local at = real
  repeat
    local s, last = posix.stat(at), at
    if s then walk.above[s.id] = true end
    at = file.folder_of(at)
  until at == last or last == '/'
  return walk
end

local function trouble(walk, path, reason) walk.troubles[#walk.troubles + 1] = { path = path, reason = reason } end

local function is_below(walk, path)
  return path:sub(1, #walk.root + 1) == walk.root .. '/' or walk.root == '/'
end

-- Names in a folder, sorted, without those that begin with a dot.
function M.names(walk, folder)
  local list, reason = posix.list(folder)
  if not list then
    trouble(walk, folder, reason)
    return {}
  end
  local shown = {}
  for _, name in ipairs(list) do
    if name:sub(1, 1) == '.' then walk.hidden = walk.hidden + 1 else shown[#shown + 1] = name end
  end
  table.sort(shown)
  return shown
end

-- Whether nobody was there yet in this scope.
local function first_visit(walk, id, scope)
  local key = scope .. id
  if walk.visited[key] then return false end
  walk.visited[key], walk.seen[id] = true, true
  return true
end

-- Visits a folder: take(path, stat) is called for each regular file below it. Links wait for M.follow.
function M.enter(walk, folder, id, take, scope)
  if not first_visit(walk, id, '') then return end
  for _, name in ipairs(M.names(walk, folder)) do
    c.poll()
    local path = file.join(folder, name)
    local s, reason = posix.lstat(path)
    if not s then
      trouble(walk, path, reason)
    elseif s.kind == 'link' then
      walk.links[#walk.links + 1] = { path = path, take = take, scope = scope }
    elseif s.kind == 'folder' then
      M.enter(walk, path, s.id, take, scope)
    elseif s.kind ~= 'file' then
      walk.odd[s.what] = (walk.odd[s.what] or 0) + 1
    elseif first_visit(walk, s.id, scope) then
      take(path, s)
    else
      walk.again = walk.again + 1
    end
  end
end

-- Where a link leads: a stat of what is there, which need not have been visited; nil where it leads to nothing, or
-- upward. It is counted.
function M.target(walk, path)
  local s = posix.stat(path)
  if not s then
    walk.dangling = walk.dangling + 1
  elseif walk.above[s.id] then
    walk.loops = walk.loops + 1
  else
    return s
  end
end

local function leave(walk, path)
  local real = posix.realpath(path)
  if real and not is_below(walk, real) then walk.outside[#walk.outside + 1] = { link = path, target = real } end
end

-- Visits what a link leads to, if nobody was there.
function M.through(walk, path, s, take, scope)
  if s.kind ~= 'file' and s.kind ~= 'folder' then
    walk.odd[s.what] = (walk.odd[s.what] or 0) + 1
  elseif walk.seen[s.id] then
    walk.loops = walk.loops + 1
  else
    leave(walk, path)
    if s.kind == 'folder' then return M.enter(walk, path, s.id, take, scope) end
    walk.seen[s.id] = true
    take(path, s)
  end
end

-- Visits what the links met so far lead to, and those met on the way.
function M.follow(walk)
  local i = 0
  while i < #walk.links do
    i = i + 1
    c.poll()
    local link = walk.links[i]
    local s = M.target(walk, link.path)
    if s then M.through(walk, link.path, s, link.take, link.scope) end
  end
end

-- How many regular files lie below a folder that is not read; links are not followed.
function M.count(folder)
  local n = 0
  for _, name in ipairs(posix.list(folder) or {}) do
    c.poll()
    local path = file.join(folder, name)
    local s = posix.lstat(path)
    if s and s.kind == 'folder' then n = n + M.count(path) elseif s and s.kind == 'file' then n = n + 1 end
  end
  return n
end

return names.guard('walk', M)
