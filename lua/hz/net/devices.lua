-- devices.lua: what computes plans, by the names that users give:
--   auto             a card where one opens, else the CPU; the same as no name
--   cpu, cuda, ...   one by name; cuda:1 one of several
--   cuda:0,cuda:1    several of one kind: a sweep gives each of its processes one
-- Without device= the environment variable HZ_DEVICE says it. Where neither does, a card is looked for if the machine
-- has one. That it does not open is said once, on stderr.
local c = require 'hz.c'
local need = require 'hz.base.need'
local posix = require 'hz.ext.posix'
local say = require 'hz.base.say'
local C = c.C

local M = {}

local CARD = 'cuda'                -- what auto looks for, and what the driver of such cards shows of them
local SIGNS = { '/dev/nvidiactl', '/dev/nvidia0', '/dev/dxg' }
local NEEDS = "a name: auto, cpu, cuda, cuda:1, ..."

-- ---- names ----

-- Those that this build may know, whether or not they open.
function M.names()
  local list, name = {}, C.hz_backend_name(0)
  while name ~= nil do
    list[#list + 1] = c.ffi.string(name)
    name = C.hz_backend_name(#list)
  end
  return list
end

-- "cuda" of "cuda:1": what decides results, and stands in keys.
function M.kind(name) return name:match '^[^:]*' end

-- nil, or what is wrong with an option: a name, or several. Whether they open only opening them says.
function M.wrong(v, who)
  if type(v) ~= 'string' or v == '' then return ('%s is %s; needs %s'):format(who, need.shown(v), NEEDS) end
  local kind
  for name in (v .. ','):gmatch '([^,]*),' do
    if name == '' or name == 'auto' and v ~= name then
      return ("%s is '%s'; needs names, separated by commas: cuda:0,cuda:1"):format(who, v)
    end
    kind = kind or M.kind(name)
    if M.kind(name) ~= kind then return ("%s is '%s'; needs devices of one kind"):format(who, v) end
  end
end

local function check(v, who)
  local wrong = M.wrong(v, who)
  if wrong then c.fail('%s', wrong) end
end

-- ---- opening ----

-- What the core has by a name; an error says why it does not open.
function M.open(name)
  local b = C.hz_backend_named(name)
  if b == nil then c.fail('%s', c.message()) end
  return b
end

-- "cpu avx512, 2 threads"; nil and the reason where it does not open.
function M.describe(name)
  local b = C.hz_backend_named(name)
  if b == nil then return nil, c.message() end
  return c.ffi.string(b.describe())
end

-- Whether it has memory of its own, and answers later than it is asked.
function M.is_late(name) return M.open(name).memory.is_host == 0 end

-- Waits until it has done all that it was asked for.
function M.wait(name) c.check(M.open(name).memory.synchronise(0), 'device: ') end

-- Bytes of its memory: free, and all; nil where it is the host's.
function M.room(name)
  local b, free, all = M.open(name), c.ffi.new 'size_t[1]', c.ffi.new 'size_t[1]'
  if b.room == nil then return nil end
  c.check(b.room(free, all), 'device: ')
  return tonumber(free[0]), tonumber(all[0])
end

-- ---- choosing ----

local function is_built()
  for _, name in ipairs(M.names()) do
    if name == CARD then return true end
  end
end

-- The card, or nil and why not.
local function card()
  if not is_built() then
    return nil, ("this build has no device '%s', for want of nvcc when it was made"):format(CARD)
  end
  if C.hz_backend_named(CARD) == nil then return nil, c.message() end
  return CARD
end

local function shows_one()
  for _, path in ipairs(SIGNS) do
    if posix.stat(path) then return true end
  end
end

local chosen = {}                  -- by auto, once; [false]: without being asked

local function auto(asked)
  if chosen[asked] then return chosen[asked] end
  local name, why
  if asked or shows_one() then name, why = card() end
  if why and not os.getenv 'HZ_SWEEP_WORKER' then        -- of a sweep's processes the first has said it
    say(('no card computes, but the CPU: %s'):format(why))
  end
  chosen[asked] = name or 'cpu'
  return chosen[asked]
end

-- The devices that an option (nil: HZ_DEVICE) names, in order; at least one. In a process of a sweep the one that it
-- was given, where that is among them.
function M.list(v, who)
  if v == nil then v, who = os.getenv 'HZ_DEVICE' or '', 'HZ_DEVICE' end
  if v == 'auto' or v == '' and who == 'HZ_DEVICE' then return { auto(v == 'auto') } end
  check(v, who or 'device')
  local own, list = os.getenv 'HZ_SWEEP_DEVICE', {}
  for name in v:gmatch '[^,]+' do
    if name == own then return { own } end
    list[#list + 1] = name
  end
  M.open(list[1])
  return list
end

-- The device of a plan: an option that names several is an error; of HZ_DEVICE's the first.
function M.one(v, who)
  local list = M.list(v, who)
  if v ~= nil and #list > 1 then
    c.fail("%s: device is '%s'; needs one, as a plan runs on one device: a sweep takes several", who or 'plan', v)
  end
  return list[1]
end

-- Where nothing is said.
function M.default() return M.one(nil) end

-- ---- memory ----

-- Lua sees little of what a dropped plan holds on a device: the collector runs where less than a quarter is free.
function M.press(name)
  local free, all = M.room(name)
  if free and free < all / 4 then
    collectgarbage()
    collectgarbage()
  end
end

return M
