-- memory.lua: the n-th allocation of the core or of a plugin fails (fixtures/faults.c, loaded before this program), for
-- n = 1, 2, 3 ... once or with all that follow, while a plan is made, a step is run, a set is evaluated, recoded,
-- written and read. Each must end with a message that names memory, or with the right result; the next attempt must
-- succeed.
--   hz test/faults/memory.lua AT CASE SHARE
-- AT: file that names the try at work, for whoever is left when this process crashed; CASE: WORK:MODE:N or ''; SHARE: n
-- grows by n/SHARE (inf: every n is tried). Prints a line per loss, then "N tried, N survived, N lost".
local ffi = require 'ffi'
local hz = require 'hz'
local c = require 'hz.c'
require 'hz.strict'
ffi.cdef 'void faults_arm(long n, int forever); long faults_seen(void);'

local here = arg[0]:match '^(.*/)' or './'
local at_path, one, share = ...
share = tonumber(share)

local tiny = assert(loadfile(here .. '../tiny.lua'))()
local set = tiny.set(20, 1)
local scratch = os.tmpname()

local function bytes(t) return ffi.string(t.data, t:count() * tonumber(c.C.hz_dtype_bytes(t.dtype))) end
local function bytes_of(named)
  local list = {}
  for name, t in pairs(named) do list[#list + 1] = name .. bytes(t) end
  table.sort(list)
  return table.concat(list)
end

-- ---- pieces of work: each gives a function whose result must be the same again ----

local function net() return tiny.net(3) end

local works = {}
function works.plan()
  return function()
    local n = net()
    local plan = n:plan { data = set, batch = 8, train = true, optimizer = hz.adam { rate = 0.01 },
      augment = { shift = 1, flip = true } }
    plan:step()
    return bytes_of(n:state())
  end
end
function works.step()
  return function()
    local n = net()
    local plan = n:plan { data = set, batch = 8, train = true, dtype = 'bf16', optimizer = hz.sgd { rate = 0.01 } }
    c.check(c.C.hz_cpu_set_threads(3))                   -- scratch for more workers is made in the step
    plan:step()
    plan:step()
    c.check(c.C.hz_cpu_set_threads(2))
    return bytes_of(n:state())
  end
end
function works.evaluate()
  local n = net()
  return function()
    local e = n:plan { data = set, batch = 8 }:evaluate()
    return tostring(e.loss) .. bytes(e.confidence)
  end
end
function works.forward()
  local x = set.items:slice(1, 1, 5):to 'f32'
  return function() return bytes(net()(x)) end
end
function works.recode()
  local images = tiny.set(12, 3).items
  local codec = hz.codec[hz.codec.jpeg and 'jpeg' or 'png']
  return function()
    local decoded, account = codec(codec.about.name == 'jpeg' and { quality = 30 } or {}):recode(images)
    return bytes(decoded) .. bytes(account:payload())
  end
end
function works.set()
  return function()
    local data = hz.data('camera', { size = 8, train = 20, test = 10 })
    return bytes(data.items) .. bytes(data.labels)
  end
end
function works.file()
  local n = net()
  return function()
    n:save(scratch)
    return bytes_of((hz.safetensors.read(scratch)))
  end
end
function works.tensor()
  local a = hz.randn({ 7, 9 }, 0, 1, { seed = 4, stream = 1 })
  return function()
    local sums = (a:transpose() * 2 + 1):exp():sum(1):reshape { 7, 1 }
    return bytes(sums) .. bytes(hz.matmul(a, a:transpose():contiguous()))
  end
end
local order = { 'tensor', 'set', 'file', 'plan', 'step', 'evaluate', 'forward', 'recode' }

-- ---- tries ----

local at_file = assert(io.open(at_path, 'w'))
local function note(case)
  at_file:seek 'set'
  at_file:write(('%-40s'):format(case))
  at_file:flush()
end

local tried, survived, lost = 0, 0, 0
local function lose(case, format, ...)
  lost = lost + 1
  print(('LOST  %s  %s'):format(case, format:format(...)))
end

-- Returns whether the n-th allocation was reached.
local function try(name, work, wanted, mode, n)
  local case = ('%s:%s:%d'):format(name, mode, n)
  note(case)
  collectgarbage()
  ffi.C.faults_arm(n, mode == 'on' and 1 or 0)
  local ok, e = pcall(work)
  local reached = ffi.C.faults_seen() >= n
  ffi.C.faults_arm(0, 0)
  if not reached then return false end
  tried = tried + 1
  if ok then
    survived = survived + 1
    if e ~= wanted then lose(case, 'it ended well with another result') end
  elseif not tostring(e):find 'memory' then
    lose(case, 'the message is: %s', tostring(e))
  end
  local again, value = pcall(work)
  if not again then lose(case, 'the next attempt failed: %s', tostring(value)) end
  if again and value ~= wanted then lose(case, 'the next attempt has another result') end
  return true
end

local function all_of(name)
  local work = works[name]()
  work()
  local wanted = work()
  for _, mode in ipairs { 'once', 'on' } do                -- once; and all from there on
    if one ~= '' then
      local case, m, n = one:match '^(%a+):(%a+):(%d+)$'
      if case == name and m == mode then try(name, work, wanted, mode, tonumber(n)) end
    else
      local n = 1
      while try(name, work, wanted, mode, n) do n = n + math.max(1, math.floor(n / share)) end
    end
  end
end

for _, name in ipairs(order) do all_of(name) end
os.remove(scratch)
print(('%d tried, %d survived, %d lost'):format(tried, survived, lost))
