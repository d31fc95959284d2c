-- airbench_race.lua: hz's half of airbench_race.py. hz test/peers/airbench_race.lua DTYPE BATCH STEPS wall|processor
-- trains by the recipe of airbench and answers each line "round" with the images per second of STEPS steps, by what
-- passed or by what this process computed; see Child in contestants.py.
local hz = require 'hz'
local c = require 'hz.c'
local dtype, batch, steps = arg[1], tonumber(arg[2]), tonumber(arg[3])

local set = hz.data(hz.available 'cifar10' and 'cifar10' or 'camera', { split = 'train' })
local recipe = hz.recipes.airbench { batch = batch }
local net = hz.nets.airbench():init { seed = 1 }
local plan = net:plan { batch = batch, dtype = dtype, train = true, data = set, optimizer = recipe.optimizer,
  smoothing = recipe.smoothing, augment = recipe.augment, total = 1e6 }

local clock = arg[4] == 'processor' and os.clock or c.C.hz_seconds

local function seconds(f)
  local before = clock()
  f()
  return clock() - before
end

for _ = 1, 2 do plan:step() end
print(hz.json.encode { title = ('hz %s, %s'):format(hz.version, c.ffi.string(c.C.hz_cpu_isa())) })
io.stdout:flush()
for line in io.lines() do
  if line == 'round' then
    local times = {}
    for i = 1, steps do times[i] = seconds(function() plan:step() end) end
    table.sort(times)
    print(hz.json.encode { images_per_second = batch / times[math.ceil(steps / 2)] })
    io.stdout:flush()
  end
end
