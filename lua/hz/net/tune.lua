-- tune.lua: kernels chosen by trial (tune=true of a plan) instead of by predicted cost. Each kernel that runs a node is
-- timed on the node's own memory; the fastest is kept. Two kinds of memory of that:
--   the machine's  $XDG_CACHE_HOME/hz/kernels.jsonl: one object per node, for a machine (CPU, ISA level, threads) and a
--                  build of hz
--   frozen         choices { machine, nodes = { node = kernel } } that a sweep keeps and that decide its cells: other
--                  kernels add in another order. A frozen kernel that does not run here is an error.
local c = require 'hz.c'
local choices = require 'hz.net.choices'
local fields = require 'hz.base.fields'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local posix = require 'hz.ext.posix'
local say = require 'hz.base.say'
local ffi, C = c.ffi, c.C

local M = {}

local REPEATS = 7                  -- runs of each kernel; the median counts

-- ---- names ----

-- Two builds of one commit are alike, unless files were changed since.
local function build()
  local commit = ffi.string(C.hz_commit())
  local changed = commit:find('+', 1, true) or commit == 'unknown'
  return ('%s numerics %d%s'):format(commit, C.hz_numerics(),
    changed and ' built ' .. file.stat(c.library).modified or '')
end

-- ---- the machine's memory ----

-- nil where there is no home to have a cache in: kernels are tried anew each time.
local function path()
  local home = file.cache_home()
  return home and file.join(home, 'kernels.jsonl')
end

local function warn(text, ...) say(text:format(...)) end

local function sound(row)
  for _, name in ipairs { 'machine', 'build', 'node', 'kernel' } do
    if type(row) ~= 'table' or type(row[name]) ~= 'string' then return false end
  end
  return true
end

-- Rows of the file; damaged lines are named once and left out.
local function rows()
  local list, number = {}, 0
  if not path() or not file.exists(path()) then return list end
  local ok, text = c.try(file.read_all, path())
  if not ok then
    warn('%s; going on without it', tostring(text))
    return list
  end
  for line in text:gmatch '[^\n]+' do
    number = number + 1
    local good, row = c.try(json.decode, line, path())
    if good and sound(row) then
      list[#list + 1] = row
    else
      warn('%s: line %d is damaged and ignored', path(), number)
    end
  end
  return list
end

local function remembered()
  local known, here, now = {}, choices.machine(), build()
  for _, row in ipairs(rows()) do
    if row.machine == here and row.build == now then known[row.node] = row.kernel end
  end
  return known
end

-- Adds rows; those of this machine's other builds are dropped. Another process that writes at the same time may win:
-- nothing but time is lost.
local function remember(new)
  if not path() then return end
  local list, lines, nodes = {}, {}, {}
  for _, row in ipairs(new) do nodes[row.node] = true end
  for _, row in ipairs(rows()) do
    local same = row.build == new[1].build and not nodes[row.node]
    if row.machine ~= new[1].machine or same then list[#list + 1] = row end
  end
  for _, row in ipairs(new) do list[#list + 1] = row end
  for i, row in ipairs(list) do lines[i] = json.encode(row) .. '\n' end
  local ok, e = c.try(function()
    file.sweep(file.mkdir(file.cache_home()))
    file.write(path(), table.concat(lines))
  end)
  if not ok then warn('%s; the kernels are tried anew the next time', tostring(e)) end
end

-- ---- choosing ----

-- Times the kernels of a node; returns a row for the machine's memory.
local function try(plan, i, node)
  local trial = ffi.new('hz_trial[?]', C.HZ_TRIALS)
  local n = C.hz_plan_trials(plan.handle, i, REPEATS, trial)
  if n < 0 then c.check(-1, 'tune: ') end
  local row, least = { machine = choices.machine(), build = build(), node = node, ms = {} }, math.huge
  for k = 0, n - 1 do
    local name = ffi.string(trial[k].kernel)
    row.ms[name] = trial[k].ms
    if trial[k].ms < least then row.kernel, least = name, trial[k].ms end
  end
  return row
end

-- Gives node i the kernel that is named for it. What the machine remembers is a cache: a name that means nothing here
-- is no name. Frozen choices decide a result: then it is an error.
local function use(plan, i, node, kernel, frozen)
  local status = C.hz_plan_use(plan.handle, i, kernel)
  if status == C.HZ_EARG and not frozen then
    warn("%s: kernel '%s' does not run here (%s); it is chosen anew", path(), kernel, node:match '^%S+')
    return false
  end
  local who = frozen and ('tune: %skernels were chosen on %s: '):format(frozen.path and frozen.path .. ': ' or '',
    frozen.machine)
  c.check(status, who or 'tune: ')
  return true
end

-- Gives the nodes of a new plan their kernels. how: true (what this machine remembers, else trials) or frozen
-- choices; a node that they do not name keeps the kernel that is predicted to be fastest. plan.tuned = { nodes,
-- changed = nodes that differ from the prediction }.
function M.apply(plan, how)
  local frozen = how ~= true and how or nil
  local known, new, tuned = frozen and how.nodes or remembered(), {}, { nodes = {}, changed = 0 }
  for i = 0, C.hz_graph_nodes(plan.graph) - 1 do
    local node, before = choices.node_text(plan, i), choices.kernel_of(plan, i)
    local several = C.hz_plan_trials(plan.handle, i, 0, ffi.new('hz_trial[?]', C.HZ_TRIALS)) > 1
    local kernel = (several or frozen) and known[node]          -- frozen: one kernel here, is it that one?
    if kernel and not use(plan, i, node, kernel, frozen) then kernel = nil end
    if several and not kernel and not frozen then
      new[#new + 1] = try(plan, i, node)
      kernel = new[#new].kernel
      known[node] = kernel
      use(plan, i, node, kernel)
      c.poll()
    end
    if kernel then
      tuned.nodes[node] = kernel
      tuned.changed = tuned.changed + (choices.kernel_of(plan, i) ~= before and 1 or 0)
    end
  end
  if #new > 0 then remember(new) end
  plan.tuned = tuned
end

-- ---- frozen choices ----

-- Of plans that were tuned: { machine, nodes }.
function M.frozen(plans)
  local out = { machine = choices.machine(), nodes = {} }
  for _, plan in pairs(plans) do
    for node, kernel in pairs(plan.tuned.nodes) do out.nodes[node] = kernel end
  end
  return out
end

local function read(name)
  local ok, frozen = pcall(json.decode, file.read_all(name), name)
  if not ok then c.again(frozen, '; remove the file, and kernels are chosen anew') end
  fields.check(name, frozen, { machine = 'string', nodes = 'words' })
  frozen.path = name
  return frozen
end

-- The choices in a file, made by make() if it is not there yet; of several processes one makes it and all read the
-- same.
function M.once(name, make)
  while not file.exists(name) do
    local lock = file.lock(name .. '.lock')
    if lock then
      local ok, e = pcall(function()
        if not file.exists(name) then file.write(name, json.encode(make(), { pretty = true }) .. '\n') end
      end)
      lock:release()
      if not ok then error(e, 0) end
    else
      posix.sleep(0.3)
    end
    c.poll()
  end
  return read(name)
end

return M
