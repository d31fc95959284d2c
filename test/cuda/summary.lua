-- summary.lua: what core/cuda/first_day.sh found, held against the goals: a line per goal, met, missed or not measured,
-- with the reason. Extrapolations say so.
--   hz test/cuda/summary.lua folder=first_day-20270101-120000
local hz = require 'hz'

local knob = hz.args({
  about = 'Results of the first day on a card beside the goals.',
  { 'folder', '.', 'string', "first_day.sh's" },
}, ...)

local CELLS, EPOCHS, HALF_HOUR = 54, 200, 1800                    -- of the published experiment; seconds

-- ---- what was found ----

local function text_of(name)
  local ok, text = pcall(hz.file.read_all, hz.file.join(knob.folder, name))
  return ok and text or nil
end

-- A JSON file of the folder; nil where it is missing, or was cut off.
local function json_of(name)
  local text = text_of(name)
  local ok, value = pcall(hz.json.decode, text or '')
  return ok and value or nil
end

local steps = {}                   -- by name
for line in (text_of 'steps.jsonl' or ''):gmatch '[^\n]+' do
  local s = hz.json.decode(line)
  steps[s.step] = s
end

-- Why a step tells nothing.
local function reason(name)
  local s = steps[name]
  if not s then return name .. ' did not run' end
  if s.skipped then return name .. ': ' .. s.skipped end
  if s.status == 124 or s.status == 137 then return ('%s was stopped after %d s'):format(name, s.limit) end
  return ('%s ended with status %d'):format(name, s.status)
end

local function ended_well(name) return steps[name] and steps[name].status == 0 end

local function rate_of(batch, who)
  local race = json_of 'race.json'
  local best
  for _, r in ipairs(race and race.records or {}) do
    if r.batch == batch and r.dtype == 'bf16' and (r.who == who or who == 'best' and r.best_peer) then best = r end
  end
  return best and best.images_per_second, best and best.who
end

local function seconds_of(rows)
  local sum, n, epochs = 0, 0, 0
  for _, r in ipairs(rows or {}) do
    sum, n, epochs = sum + r.seconds / r.epochs, n + 1, r.epochs
  end
  return n > 0 and sum / n, n, epochs
end

local function mean_and_sd(list)
  local sum, squares = 0, 0
  for _, x in ipairs(list) do sum = sum + x end
  for _, x in ipairs(list) do squares = squares + (x - sum / #list) ^ 2 end
  return sum / #list, math.sqrt(squares / math.max(1, #list - 1))
end

-- ---- goals: { what, function() -> met, text } or nil where it was not measured, and the step that tells } ----

local goals = {}
local function goal(what, step, f) goals[#goals + 1] = { what = what, step = step, check = f } end

goal('hz selftest passes', 'selftest', function() return ended_well 'selftest' or nil, 'it passes' end)
for _, tool in ipairs { 'memcheck', 'racecheck' } do
  goal(tool .. ' is clean', tool, function()
    local s = steps[tool]
    if not s or s.skipped or s.status == 124 or s.status == 137 then return nil end
    return s.status == 0, ('status %d'):format(s.status)
  end)
end

goal('losses of 50 steps in fp32 within 1e-3 of the CPU', 'curves', function()
  local c = json_of 'curves.json'
  if c then return c.worst <= 1e-3, ('%.3g over %d steps'):format(c.worst, #c.losses) end
end)

goal('accuracy in bf16 within the seed spread', 'spread', function()
  local by = { f32 = {}, bf16 = {} }
  for _, r in ipairs(json_of 'spread.json' or {}) do table.insert(by[r.dtype], r.accuracy) end
  if #by.f32 < 2 or #by.bf16 < 2 then return nil end
  local a, sd = mean_and_sd(by.f32)
  local b = mean_and_sd(by.bf16)
  return math.abs(a - b) <= 2 * sd, ('f32 %.2f %%, bf16 %.2f %%, sd of seeds %.2f, %d seeds each'):format(100 * a,
    100 * b, 100 * sd, #by.f32)
end)

for _, batch in ipairs { 512, 1024, 4096 } do
  goal(('batch %d: at least 1.25x the best way of PyTorch'):format(batch), 'race', function()
    local ours, best, who = rate_of(batch, 'hz'), rate_of(batch, 'best')
    if ours and best then return ours >= 1.25 * best, ('%.2fx %s (%.0f, %.0f)'):format(ours / best, who, ours, best) end
  end)
end

goal('batch 128: at least 3x PyTorch eager', 'race', function()
  local ours, eager = rate_of(128, 'hz'), rate_of(128, 'torch eager')
  if ours and eager then return ours >= 3 * eager, ('%.2fx (%.0f, %.0f)'):format(ours / eager, ours, eager) end
end)

goal('batch 1024: at least 440,000 images/s on an H200', 'bench', function()
  for _, r in ipairs(json_of 'bench.json' or {}) do
    if r.batch == 1024 and r.dtype == 'bf16' and r.pass == 'train' and r.net == 'all-cnns' then
      return r.images_per_second >= 440e3, ('%.0f images/s'):format(r.images_per_second)
    end
  end
end)

goal('the published experiment within half an hour', 'cells', function()
  local each, n, epochs = seconds_of(json_of 'cells.json')
  if not each or n < 3 then return nil end
  local all = each * CELLS * EPOCHS
  return all <= HALF_HOUR, ('%.0f s for %d cells of %d epochs, extrapolated from %d of %d epochs'):format(all, CELLS,
    EPOCHS, n, epochs)
end)

-- The experiment's own lines: accuracy and seconds of training of each seed.
goal('94 % on CIFAR-10 in at most 1.5 s', 'speedrun', function()
  local list, least, sum = {}, 1, 0
  local pipe = assert(io.popen(("find '%s/runs/speedrun' -name result.json 2>/dev/null"):format(knob.folder)))
  for path in pipe:lines() do
    local r = hz.json.decode(hz.file.read_all(path))
    list[#list + 1], sum, least = r, sum + r.seconds, math.min(least, r.test_accuracy)
  end
  pipe:close()
  if #list == 0 then return nil end
  local mean, all = sum / #list, steps.speedrun.seconds or 0
  return least >= 0.94 and mean <= 1.5, ('%.2f s of training, lowest accuracy %.2f %%, %d seeds; %.1f s besides for '
    .. 'starting, data and plans'):format(mean, 100 * least, #list, all - sum)
end)

-- ---- the table ----

-- What a day found counts; a rehearsal only shows that it would have been found.
local rehearsal = steps.day and steps.day.rehearsal
local count = { met = 0, MISSED = 0, ['not measured'] = 0, tried = 0 }
for _, g in ipairs(goals) do
  local ok, is_met, text = pcall(g.check)
  if not ok then is_met, text = nil, is_met elseif is_met == nil then text = reason(g.step) end
  local word = is_met == nil and 'not measured' or rehearsal and 'tried' or is_met and 'met' or 'MISSED'
  count[word] = count[word] + 1
  print(('%-12s  %s: %s'):format(word, g.what, text))
end
if rehearsal then
  print(('a rehearsal, not a measurement: %d of %d goals would have been told'):format(count.tried, #goals))
else
  print(('%d goals met, %d missed, %d not measured'):format(count.met, count.MISSED, count['not measured']))
end
