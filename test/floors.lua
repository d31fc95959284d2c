-- floors.lua: the rooms of lua/hz stand one above the other: a file requires only its own room and rooms below it, at
-- its head or later on, and no chain of requires leads back to where it began. Returns check(texts, breach): texts by
-- path; breach(path, line, why) is called for each breach. A module named by an expression (init.lua's rows) escapes
-- it.

-- From the ground up. What has no room of its own (c, exit, interpreted, isa, strict) lies below them all; hz is
-- init.lua, which opens the rooms below it, and the command line is its first user.
local floors = { 'ext', 'base', 'tensor', 'net', 'data', 'codec', 'sweep', 'report', 'hz', 'cli' }
local height = { c = 0, exit = 0, interpreted = 0, isa = 0, strict = 0 }
for i, room in ipairs(floors) do height[room] = i end

local function module_of(path) return (path:match '^lua/(.*)%.lua$':gsub('/', '.'):gsub('^hz%.init$', 'hz')) end
local function floor_of(module) return height[module:match '^hz%.(%w+)' or module] end

-- All requires of a text: calls visit(module, line).
local function each_require(text, visit)
  local n = 0
  for line in (text .. '\n'):gmatch '([^\n]*)\n' do
    n = n + 1
    for module in line:gsub('%-%-.*$', ''):gmatch "%f[%w]require%s*%(?%s*['\"]([^'\"]+)['\"]" do visit(module, n) end
  end
end

-- module -> { path, wants = list of { module, line } }, of the modules in lua/hz.
local function read(texts)
  local graph = {}
  for path, text in pairs(texts) do
    local wants = {}
    each_require(text, function(module, line) wants[#wants + 1] = { module = module, line = line } end)
    graph[module_of(path)] = { path = path, wants = wants }
  end
  return graph
end

local function check_floors(graph, breach)
  for module, node in pairs(graph) do
    local own = floor_of(module)
    if not own then breach(node.path, 1, 'a room without a floor; have ' .. table.concat(floors, ' < ')) end
    for _, want in ipairs(own and node.wants or {}) do
      if graph[want.module] and (floor_of(want.module) or 0) > own then
        breach(node.path, want.line, 'a room knows the rooms below it only: ' .. want.module)
      end
    end
  end
end

-- Depth first; whoever is met again on the way there closes a circle.
local function check_circles(graph, breach)
  local way, at, done = {}, {}, {}
  local function walk(module)
    way[#way + 1], at[module] = module, #way + 1
    for _, want in ipairs(graph[module].wants) do
      if at[want.module] then
        local circle = table.concat(way, ' -> ', at[want.module])
        breach(graph[module].path, want.line, ('a circle: %s -> %s'):format(circle, want.module))
      elseif graph[want.module] and not done[want.module] then
        walk(want.module)
      end
    end
    way[#way], at[module], done[module] = nil, nil, true
  end
  local names = {}
  for module in pairs(graph) do names[#names + 1] = module end
  table.sort(names)
  for _, module in ipairs(names) do
    if not done[module] then walk(module) end
  end
end

return function(texts, breach)
  local graph = read(texts)
  check_floors(graph, breach)
  check_circles(graph, breach)
end
