-- first_day_test.lua: the script of the first day on a card leaves a result or a reason for each step, also where
-- everything fails; its summary tells goals that were met from those that were missed and those nobody measured.
local t = ...
local json = require 'hz.base.json'

local SCRIPT = 'sh core/cuda/first_day.sh'

-- A folder as the script leaves one. race: { batch = { who = images/s } }
local function day(o)
  local dir, lines, records = t.folder(), {}, {}
  for name, step in pairs(o.steps or {}) do
    step.step = name
    lines[#lines + 1] = json.encode(step)
  end
  t.write(dir .. '/steps.jsonl', table.concat(lines, '\n') .. '\n')
  for batch, rates in pairs(o.race or {}) do
    local best
    for who, rate in pairs(rates) do
      records[#records + 1] = { batch = batch, dtype = 'bf16', who = who, images_per_second = rate, best_peer = false }
      if who ~= 'hz' and (not best or rate > best.images_per_second) then best = records[#records] end
    end
    best.best_peer = true
  end
  t.write(dir .. '/race.json', json.encode { records = json.array(records) })
  for name, value in pairs(o.files or {}) do t.write(dir .. '/' .. name, json.encode(value)) end
  return dir
end

local function summary(dir)
  local status, out, err = t.run('test/cuda/summary.lua folder=' .. dir)
  t.equal(status, 0, err)
  return out
end

local function says(out, word, goal)
  for line in out:gmatch '[^\n]+' do
    if line:find(goal, 1, true) then return t.equal(line:match '^(%a[%a ]-)  ', word, line) end
  end
  t.ok(false, 'no goal ' .. goal)
end

local function cells(seconds, n)
  local rows = {}
  for i = 1, n do rows[i] = { seconds = seconds * 10, epochs = 10 } end
  return json.array(rows)
end

local function accuracies(f32, bf16)
  local rows = {}
  for i = 1, #f32 do
    rows[#rows + 1] = { dtype = 'f32', accuracy = f32[i] }
    rows[#rows + 1] = { dtype = 'bf16', accuracy = bf16[i] }
  end
  return rows
end

local function rate_at_1024(rate)
  return { { net = 'all-cnns', dtype = 'bf16', pass = 'train', batch = 1024, images_per_second = rate } }
end

t.case('goals that were met', function()
  local out = summary(day {
    steps = { selftest = { status = 0 }, memcheck = { status = 0 }, racecheck = { status = 0 } },
    race = { [128] = { hz = 300, ['torch eager'] = 100, ['torch graph'] = 280 },
      [512] = { hz = 500, ['torch graph'] = 400 }, [4096] = { hz = 500, ['torch eager'] = 20 },
      [1024] = { hz = 126, ['torch eager'] = 90, ['torch autotune'] = 100 } },
    files = { ['curves.json'] = { worst = 1e-4, losses = { 1, 2 } }, ['bench.json'] = rate_at_1024(440001),
      ['cells.json'] = cells(0.166, 3), ['spread.json'] = accuracies({ 0.8, 0.82, 0.81 }, { 0.81, 0.8, 0.82 }) } })
  for _, goal in ipairs { 'hz selftest passes', 'memcheck', 'racecheck', 'within 1e-3', 'seed spread', 'batch 512',
      'batch 4096', '3x PyTorch eager', '440,000', 'published experiment' } do
    says(out, 'met', goal)
  end
  t.match(out, '1793 s for 54 cells of 200 epochs, extrapolated from 3 of 10 epochs')
  t.match(out, '1%.26x torch autotune')
  says(out, 'not measured', '94 %')
  t.match(out, '11 goals met, 0 missed, 1 not measured')
end)

t.case('goals that were missed, and none by what is not there', function()
  local out = summary(day { steps = { selftest = { status = 1 }, memcheck = { skipped = 'no compute-sanitizer here' },
      racecheck = { status = 9 }, race = { status = 124, limit = 320 } },
    race = { [128] = { hz = 299, ['torch eager'] = 100 }, [512] = { hz = 124, ['torch graph'] = 100 },
      [1024] = { ['torch graph'] = 100 } },
    files = { ['curves.json'] = { worst = 2e-3, losses = { 1 } }, ['bench.json'] = rate_at_1024(439999),
      ['cells.json'] = cells(0.167, 3), ['spread.json'] = accuracies({ 0.8, 0.81 }, { 0.7, 0.71 }) } })
  for _, goal in ipairs { 'racecheck', 'within 1e-3', 'seed spread', 'batch 512', '3x PyTorch eager', '440,000',
      'published experiment' } do
    says(out, 'MISSED', goal)
  end
  for _, goal in ipairs { 'hz selftest', 'memcheck', 'batch 1024: at least 1.25x', 'batch 4096' } do
    says(out, 'not measured', goal)
  end
  t.match(out, 'no compute%-sanitizer here')
  t.match(out, 'selftest ended with status 1')
  t.match(out, 'race was stopped after 320 s')
end)

t.case('two cells are too few to extrapolate; files that were cut off tell nothing', function()
  local dir = day { steps = { cells = { status = 1 } }, files = { ['cells.json'] = cells(0.1, 2) } }
  t.write(dir .. '/curves.json', '{"worst":0.0')
  local out = summary(dir)
  says(out, 'not measured', 'published experiment')
  says(out, 'not measured', 'within 1e-3')
  t.match(out, '0 goals met, 0 missed, 12 not measured')
end)

t.case('a rehearsal runs all that needs no card, and names the rest', function()
  local dir = t.folder() .. '/day'
  local status, out, err = t.sh(('HZ_DEVICE=far %s --rehearse %s'):format(SCRIPT, dir))
  t.equal(status, 0, err)
  local steps = {}
  for line in t.read(dir .. '/steps.jsonl'):gmatch '[^\n]+' do
    local s = json.decode(line)
    steps[s.step] = s
  end
  for _, name in ipairs { 'facts', 'selftest', 'curves', 'model', 'bench', 'cells', 'speedrun', 'spread' } do
    local text = t.read(('%s/%s.txt'):format(dir, name))
    t.equal(steps[name] and steps[name].status, 0, ('%s: %s'):format(name, text or out))
  end
  for _, name in ipairs { 'memcheck', 'racecheck', 'race' } do
    t.equal(steps[name].skipped, 'a rehearsal; needs a card')
  end
  t.match(out, 'a rehearsal, not a measurement: 5 of 12 goals would have been told')
  status, out = t.sh(('%s --rehearse %s'):format(SCRIPT, dir))
  t.equal(status, 2)
  t.match(out, 'holds the results of a day; needs another folder')
end)

t.case('mistakes', function()
  local status, out = t.sh(SCRIPT .. ' --rehearsal')
  t.equal(status, 2)
  t.match(out, "'%-%-rehearsal' is unknown; takes")
end)
