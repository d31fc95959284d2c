-- version.lua: hz version [--json]: what this build is and what it runs on.
local c = require 'hz.c'
local command = require 'hz.base.command'
local devices = require 'hz.net.devices'

local M = {}

-- "cpu, null, tin (why it does not open)", for programs; for people a line each.
local function in_line()
  local list = {}
  for i, name in ipairs(devices.names()) do
    local text, why = devices.describe(name)
    list[i] = text and name or ('%s (%s)'):format(name, why)
  end
  return table.concat(list, ', ')
end

local function in_lines()
  local list = {}
  for i, name in ipairs(devices.names()) do
    local text, why = devices.describe(name)
    list[i] = text or ('%s does not open: %s'):format(name, (why:gsub('^' .. name .. ': ', '')))
  end
  return table.concat(list, '\n' .. (' '):rep(10))
end

-- Rows of { name, value }. shown: for people. vendor: whose cores HZ_CPU has kernels chosen for; not there without.
function M.facts(shown)
  local C, text = c.C, c.ffi.string
  local pretended = (os.getenv 'HZ_CPU' or '') ~= ''
  local rows = {
    { 'version', text(C.hz_version()) },
    { 'commit', text(C.hz_commit()) },
    { 'numerics', C.hz_numerics() },
    { 'isa', text(C.hz_cpu_isa()) },
    { 'threads', C.hz_cpu_threads() },
    { 'devices', shown and in_lines() or in_line() },
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
    for _, r in ipairs(M.facts(true)) do print(('%-9s %s'):format(r[1], r[2])) end
  end
  return 0
end

local verb = command.new('version', {
  { '', run, 'what this build is and what it runs on', { { 'json', false, 'bool', 'an object for programs' } } },
})

return setmetatable(M, { __call = function(_, args) return verb(args) end })
