-- version.lua: hz version [--json]: what this build is and what it runs on.
local c = require 'hz.c'
local command = require 'hz.base.command'

local M = {}

-- "cpu, null, tin (why it does not open)"
local function devices(C, text)
  local list, i, name = {}, 0, C.hz_backend_name(0)
  while name ~= nil do
    list[i + 1] = text(name)
    if C.hz_backend_named(list[i + 1]) == nil then list[i + 1] = ('%s (%s)'):format(list[i + 1], c.message()) end
    i = i + 1
    name = C.hz_backend_name(i)
  end
  return table.concat(list, ', ')
end

-- Rows of { name, value }. vendor: whose cores HZ_CPU has kernels chosen for; not there without.
function M.facts()
  local C, text = c.C, c.ffi.string
  local pretended = (os.getenv 'HZ_CPU' or '') ~= ''
  local rows = {
    { 'version', text(C.hz_version()) },
    { 'commit', text(C.hz_commit()) },
    { 'numerics', C.hz_numerics() },
    { 'isa', text(C.hz_cpu_isa()) },
    { 'threads', C.hz_cpu_threads() },
    { 'devices', devices(C, text) },
    { 'luajit', jit.version },
    { 'root', c.root },
    { 'library', c.library },
  }
  if pretended then table.insert(rows, 5, { 'vendor', text(C.hz_cpu_vendor()) }) end
  return rows
end

local function json(rows)
  local parts = {}
  for i, r in ipairs(rows) do
    local v = type(r[2]) == 'number' and tostring(r[2]) or ('"%s"'):format((r[2]:gsub('[\\"]', '\\%0')))
    parts[i] = ('  "%s": %s'):format(r[1], v)
  end
  return '{\n' .. table.concat(parts, ',\n') .. '\n}'
end

local function run(o)
  if o.json then
    print(json(M.facts()))
  else
    for _, r in ipairs(M.facts()) do print(('%-9s %s'):format(r[1], r[2])) end
  end
  return 0
end

local verb = command.new('version', {
  { '', run, 'what this build is and what it runs on', { { 'json', false, 'bool', 'an object for programs' } } },
})

return setmetatable(M, { __call = function(_, args) return verb(args) end })
