-- selftest.lua: hz selftest [--device NAME]: whether a device computes what the plain loops of the CPU compute, as one
-- asks of a machine on which hz is new. A line per check, with what was measured and what is allowed; status 1 if one
-- fails. Checks are in selftest/: ops.lua, nets.lua, mirrors.lua.
local c = require 'hz.c'
local command = require 'hz.base.command'
local devices = require 'hz.net.devices'
local json = require 'hz.base.json'
local mirrors = require 'hz.cli.selftest.mirrors'
local nets = require 'hz.cli.selftest.nets'
local ops = require 'hz.cli.selftest.ops'
local visible = require 'hz.base.visible'.line

local options = {
  { 'device', nil, 'string', 'what is tried (default: HZ_DEVICE, or auto)', form = '--device NAME' },
  { 'small', false, 'bool', 'few shapes and nets, as for a sanitizer' },
  { 'json', false, 'bool', 'an object for programs' },
}

-- ---- a run ----

local Run = {}
Run.__index = Run

local words = { passed = 'ok  ', failed = 'FAIL', skipped = 'skip' }

-- what: of which part, as 'ops'; name; status: passed, failed or skipped; figure and limit: numbers, or nil; note: a
-- text, or nil.
local function add(self, row)
  row.what = self.what
  self.rows[#self.rows + 1] = row
  self.counts[row.status] = self.counts[row.status] + 1
  if self.quiet then return end
  local figures = row.figure and ('%.2g of %.2g'):format(row.figure, row.limit) or ''
  print(visible(('%s  %-7s %-62s %s'):format(words[row.status], row.what, row.name,
    table.concat({ figures, row.note }, figures ~= '' and '  ' or '')):gsub(' +$', '')))
  io.stdout:flush()
end

-- A figure that may be at most `limit`; a number that is none is not.
function Run:within(name, figure, limit, note)
  if figure - figure ~= 0 then return self:holds(name, false, 'numbers that are not finite') end
  local status = figure <= limit and 'passed' or 'failed'
  add(self, { name = name, figure = figure, limit = limit, note = note, status = status })
end

function Run:holds(name, ok, note)
  add(self, { name = name, note = note, status = ok and 'passed' or 'failed' })
end

function Run:skip(name, why) add(self, { name = name, note = why, status = 'skipped' }) end

-- f(), whose failure is that of the check.
function Run:try(name, f)
  local ok, e = c.try(f)
  if not ok then self:holds(name, false, (tostring(e):gsub('^%S+:%d+: ', ''))) end
end

-- ---- the verb ----

local parts = { { 'ops', ops }, { 'nets', nets }, { 'mirrors', mirrors } }

local function run(o)
  local device = devices.one(o.device, 'selftest')
  local self = setmetatable({ device = device, small = o.small, quiet = o.json, rows = json.array {},
    counts = { passed = 0, failed = 0, skipped = 0 } }, Run)
  local about = devices.describe(device)
  if not o.json then print(visible(about)) end
  for _, part in ipairs(parts) do
    self.what = part[1]
    part[2](self)
  end
  local n = self.counts
  if o.json then
    print(json.encode({ device = device, about = about, small = o.small, passed = n.passed, failed = n.failed,
      skipped = n.skipped, checks = self.rows }, { pretty = true }))
  else
    print(('%d passed, %d failed, %d skipped'):format(n.passed, n.failed, n.skipped))
  end
  return n.failed > 0 and 1 or 0
end

return command.new('selftest', {
  about = 'Errors are the largest difference to the plain loops in double, as a share of the largest number there.',
  { '', run, 'whether a device computes what the plain loops of the CPU compute', options },
})
