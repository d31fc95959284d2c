-- What encodings do to single items and classes, what the claimed one saves, and what a model could hold: on outcomes
-- that are made up, with what they come to counted by hand.
local t = ...
local classes = require 'hz.report.damage.classes'
local complexity = require 'hz.report.complexity'
local damage_text = require 'hz.report.damage.damage_text'
local items = require 'hz.report.damage.items'
local layer = require 'hz.net.layer'
local nets = require 'hz.net.models.nets'
local savings = require 'hz.report.savings'
local tensor = require 'hz.tensor.tensor'
local verdict = require 'hz.report.statistics.verdict'

-- A group of one seed after the other from lists of 0 and 1; class: of each item. Its outcomes go to the report.
local function group(r, name, seeds, class, more)
  local g = { setting = 's', rows = {}, tested = { name = name, label_text = function() return name end }, epochs = 4 }
  for s, right in ipairs(seeds) do
    local key = name .. s
    local row = { seed = s, seconds = 10 * s, curve = {},
      record = { key = key, decides = { test = { digest = 'd' } } } }
    for k, v in pairs(more and more[s] or {}) do row[k] = v end
    local said = {}
    for i, v in ipairs(right) do said[i] = v == 1 and class[i] or (class[i] + 1) % 3 end
    r.outcomes[key] = { correct = tensor.from(right, 'u8'), class = tensor.from(said, 'i32') }
    g.rows[s], r.rows[#r.rows + 1] = row, row
  end
  return g
end

local function report() return { id = 'x', runs = 'nowhere', outcomes = {}, rows = {}, margin = 0.01, alpha = 0.05 } end

-- Three seeds of '110' mean: right by the first two.
local function seeds_of(items_of)
  local list = { {}, {}, {} }
  for i, text in ipairs(items_of) do
    for s = 1, 3 do list[s][i] = tonumber(text:sub(s, s)) end
  end
  return list
end

local six = { 0, 0, 1, 1, 2, 2 }

local function small()
  local r = report()
  local raw = group(r, 'raw', seeds_of { '111', '111', '110', '100', '000', '011' }, six)
  local high = group(r, 'high', seeds_of { '111', '110', '100', '111', '000', '111' }, six)
  local low = group(r, 'low', seeds_of { '000', '001', '111', '111', '010', '000' }, six)
  return r, { setting = 's', reference = raw, entries = { { group = high }, { group = low } } }
end

t.case('items: the seeds vote, and what is kept, lost and gained is counted', function()
  local r, chain = small()
  local found = items.of(r, chain)
  t.equal({ found.items, found.seeds, found.raw }, { 6, 3, 4 })
  t.near(found.flips, (2 + 2 + 2) / (6 * 3), 1e-12)     -- items 3, 4 and 6, two pairs of three each
  local high, low = unpack(found.entries)
  t.equal({ high.right, high.kept, high.lost, high.gained }, { 4, 3, 1, 1 })
  t.equal({ low.right, low.kept, low.lost, low.gained }, { 2, 0, 3, 1 })
  t.equal(found.control, nil)
end)

t.case('items: those with the strongest evidence come first, by number where it is the same', function()
  local r, chain = small()
  local found, order = items.of(r, chain), {}
  for i, one in ipairs(found.entries[2].strongest) do order[i] = { one.item, one.raw, one.here } end
  t.equal(order, { { 1, 3, 0 }, { 2, 3, 1 }, { 6, 2, 0 } })
  t.equal(found.entries[1].strongest[1].item, 3)
  for _, one in ipairs(found.entries[2].strongest) do t.ok(one.chance >= 0 and one.chance <= 1) end
end)

t.case('items: half of an even number of seeds is no majority', function()
  local r = report()
  local raw = group(r, 'raw', { { 1, 1 }, { 1, 0 } }, { 0, 1 })
  local other = group(r, 'low', { { 1, 1 }, { 0, 1 } }, { 0, 1 })
  local found = items.of(r, { setting = 's', reference = raw, entries = { { group = other } } })
  t.equal({ found.raw, found.entries[1].right, found.entries[1].lost, found.entries[1].gained }, { 1, 1, 1, 1 })
end)

t.case('items: nothing is said of one seed, of other items, or without a reference', function()
  local r = report()
  local raw = group(r, 'raw', { { 1, 1 } }, { 0, 1 })
  t.equal(items.of(r, { setting = 's', reference = raw, entries = {} }), nil)
  t.equal(items.of(r, { setting = 's', entries = {} }), nil)
  local two = group(r, 'two', { { 1, 1 }, { 1, 0 } }, { 0, 1 })
  local other = group(r, 'other', { { 1, 1 }, { 1, 0 } }, { 0, 1 })
  for _, row in ipairs(other.rows) do row.record.decides.test.digest = 'e' end
  t.equal(items.of(r, { setting = 's', reference = two, entries = { { group = other } } }).entries, { false })
end)

-- Numbers of 0 to 1, the same every time.
local function draws()
  local state = 12345
  return function()
    state = 16807 * state % (2 ^ 31 - 1)                -- Park and Miller 1988
    return state / (2 ^ 31 - 1)
  end
end

-- Seeds of n items that are right with probabilities of their own, whose log odds are normally distributed: no beta
-- distribution.
local function drawn(n, count)
  local random, p, lists = draws(), {}, {}
  for i = 1, n do
    local normal = math.sqrt(-2 * math.log(random())) * math.cos(2 * math.pi * random())
    p[i] = 1 / (1 + math.exp(-1 - 2.5 * normal))
  end
  for s = 1, count do
    lists[s] = {}
    for i = 1, n do lists[s][i] = random() < p[i] and 1 or 0 end
  end
  return lists
end

t.case('items: raw once more loses what is expected of seeds alone, at this and at all encodings above', function()
  local n, r, class = 20000, report(), {}
  for i = 1, n do class[i] = i % 3 end
  local lists = drawn(n, 15)
  local raw = group(r, 'raw', { unpack(lists, 1, 5) }, class)
  local first = group(r, 'first', { unpack(lists, 6, 10) }, class)
  local second = group(r, 'second', { unpack(lists, 11, 15) }, class)
  local again = group(r, 'again', { unpack(lists, 6, 10) }, class)
  again.control = 'replicate'
  r.controls = { again }
  local found = items.of(r, { setting = 's', reference = raw, entries = { { group = first }, { group = second } } })
  for e, one in ipairs(found.entries) do
    t.near(one.lost, one.expected.lost, 4 * one.expected.lost_sd, 'lost ' .. e)
    t.near(one.gained, one.expected.gained, 4 * one.expected.lost_sd, 'gained ' .. e)
    t.near(one.kept, one.expected.kept, 5 * one.expected.lost_sd, 'kept ' .. e)
  end
  t.equal({ found.control.seeds, found.control.lost, found.control.gained },
    { 5, found.entries[1].lost, found.entries[1].gained })
  t.near(found.control.expected.lost, found.entries[1].expected.lost, 1e-6)
end)

t.case('items: ten encodings of ten thousand items and five seeds take well below a second', function()
  local n, r, class, entries = 10000, report(), {}, {}
  for i = 1, n do class[i] = i % 3 end
  local lists = drawn(n, 5)
  local raw = group(r, 'raw', lists, class)
  for e = 1, 10 do entries[e] = { group = group(r, 'e' .. e, lists, class) } end
  local chain, start = { setting = 's', reference = raw, entries = entries }, os.clock()
  items.of(r, chain)
  classes.of(r, chain)
  t.ok(os.clock() - start < 1, ('%.2f s'):format(os.clock() - start))
end)

-- ---- classes ----

t.case('classes: each is compared by itself, with bounds that hold for all, and the worst is named', function()
  local r = report()
  local class, a, b, random = {}, {}, {}, draws()
  for i = 1, 300 do class[i] = i % 3 end
  for s = 1, 5 do
    a[s], b[s] = {}, {}
    for i = 1, 300 do
      b[s][i] = random() < 0.9 and 1 or 0
      a[s][i] = (class[i] == 1 and random() < 0.5) and 0 or b[s][i]
    end
  end
  local found = classes.of(r, { setting = 's', reference = group(r, 'raw', b, class),
    entries = { { group = group(r, 'low', a, class) } } })
  t.equal({ found.from, found.unknown, #found.list }, { 'outcomes', 0, 3 })
  local one = found.entries[1]
  t.equal({ one.worst.class, one.worst.name, one.worst.items, one.worst.harmful }, { 1, '1', 100, true })
  t.ok(one.worst == one.all[2])
  local function part(lists)
    local out = {}
    for s = 1, 5 do
      local own = {}
      for i = 1, 300 do own[#own + 1] = class[i] == 1 and lists[s][i] or nil end
      out[s] = tensor.from(own, 'u8')
    end
    return out
  end
  local alone = verdict.compare(part(a), part(b), { margin = 0.01, alpha = 0.05 / 3 })
  t.near(one.worst.difference, alone.difference, 1e-12)
  t.near(one.worst.lower, alone.lower, 1e-12)
  t.near(one.worst.upper, alone.upper, 1e-12)
  t.near(one.worst.p_harmful, 3 * alone.p_harmful, 1e-12)
end)

t.case('classes: items that nobody says rightly are of none; names come from the data', function()
  local r, chain = small()
  chain.entries[2] = nil
  local found = classes.of(r, chain)
  t.equal({ found.from, found.unknown, #found.list }, { 'outcomes', 0, 3 })
  for _, o in pairs(r.outcomes) do o.correct:slice(1, 5, 5):fill(0) end
  chain.classes = nil
  found = classes.of(r, chain)
  t.equal({ found.from, found.unknown }, { 'outcomes', 1 })
  t.equal({ found.list[1].name, found.list[1].items, #found.list }, { '0', 2, 2 }, 'one item is no class')
  r, chain = small()
  r.sets = function() return { { labels = tensor.from(six, 'i32'), classes = { 'ant', 'bee', 'cat' } } } end
  found = classes.of(r, chain)
  t.equal({ found.from, found.unknown, found.list[3].name, found.list[3].items }, { 'data', 0, 'cat', 2 })
end)

t.case('classes: bounds stay within what a share can be', function()
  local r, chain = small()
  for _, e in ipairs(classes.of(r, chain).entries) do
    for _, one in ipairs(e.all) do t.ok(one.lower >= -1 and one.upper <= 1) end
  end
end)

-- ---- savings ----

local function saving()
  local r = report()
  local function curves(list)
    local out = {}
    for s, curve in ipairs(list) do out[s] = { curve = curve, last = curve[#curve] } end
    return out
  end
  local some = { { 1, 1 }, { 1, 0 } }
  local raw = group(r, 'raw', some, { 0, 1 }, curves { { 0.5, 0.7, 0.8, 0.8 }, { 0.5, 0.8, 0.8, 0.82 } })
  local low = group(r, 'low', some, { 0, 1 }, curves { { 0.5, 0.6, 0.7, 0.81 }, { 0.4, 0.5, 0.6, 0.79 } })
  for _, row in ipairs(low.rows) do row.seconds = row.seconds + 4 end
  low.tested.parameter, low.tested.value = 'quality', 25
  low.tested.label_text = function() return '25' end
  return r, { setting = 's', model = 'm', reference = raw, entries = { { group = low } }, knee = { safe = 1 },
    bits = { items = 1000, samples = 100, raw = { payload = 8, file = 8, called = 'raw' },
      lossless = { payload = 4, file = 5, called = 'png' }, needed = { payload = 0.5, file = 2, called = 'low' } } }
end

t.case('savings: storage, epochs to a target with censoring, and seconds, seeds paired', function()
  local r, chain = saving()
  local s = savings.of(r, chain)
  t.equal({ s.called, s.entry, s.items }, { 'quality 25', 1, 1000 })
  t.equal({ s.storage.raw.payload, s.storage.lossless.payload, s.storage.claimed.file }, { 100000, 50000, 25000 })
  t.equal({ s.storage.saved.payload, s.storage.saved.file }, { 43750, 37500 })
  t.near(s.epochs.target, 0.80, 1e-12)                 -- (0.80 + 0.82) / 2 less 0.01
  t.equal({ s.epochs.raw.reached, s.epochs.raw.restricted }, { 2, 2.5 })
  t.equal({ s.epochs.claimed.reached, s.epochs.claimed.restricted, s.epochs.claimed.seeds }, { 1, 4, 2 })
  t.near(s.epochs.difference.difference, 1.5, 1e-12)
  t.near(s.seconds.difference.difference, 4, 1e-12)
  t.near(s.seconds.epoch.claimed, 19 / 4, 1e-12)
  local text = table.concat(damage_text.savings(r, chain), '\n')
  t.match(text, '6.25 KB instead of 50 KB %(png%) for 1,000 items at quality 25')
  t.match(text, '4.0 %(1 of 2 not reached in 4%) instead of 2.5')
end)

t.case('savings: nothing is saved where nothing is claimed', function()
  local r, chain = saving()
  chain.knee = {}
  t.equal(savings.of(r, chain), nil)
  t.equal(damage_text.savings(r, chain), {})
end)

-- ---- what a model could hold ----

local function described(name, input, count)
  local net, layers = nets.load(name, { classes = count, input = input }), {}
  net:init { seed = 1, input = input }
  for i, one in ipairs(net.layers) do layers[i] = net.names[i] .. ': ' .. tostring(one) end
  return { params = net:count(), record = { madds = 5, items = { train = 1024 }, classes = count,
    decides = { training = { model = { layers = layers, input = input } } } } }
end

t.case('complexity: architecture A holds 200,906 bits, by the published rules', function()
  local m = complexity.of(described('all-cnns', { 32, 32, 3 }, 10))
  t.equal({ m.parameters, m.capacity, m.madds }, { 701386, 200906, 5 })
  t.near(m.label_bits, 1024 * math.log(10) / math.log(2), 1e-9)
end)

t.case('complexity: every net is read back from what its record says of its layers', function()
  for _, name in ipairs { 'cnns-x2-dense-128', 'all-cnn-c', 'small', 'tiny' } do
    local ok, row = pcall(described, name, { 32, 32, 3 }, 10)
    if ok then t.ok(complexity.of(row).capacity > 0, name) end
  end
  t.equal(complexity.capacity { { layer = 'dense{2}', parameters = 10, shape = { 2 } },
    { layer = 'relu', parameters = 0, shape = { 2 } }, { layer = 'dense{3}', parameters = 9, shape = { 3 } } }, 12)
end)

t.case('complexity: odd records have no capacity, and no mistake', function()
  local function of(model)
    return complexity.of { params = 1, record = { decides = { training = { model = model } } } }
  end
  for _, model in ipairs { {}, { layers = {} }, { layers = { 'x' }, input = { 3 } }, { layers = 3, input = 4 },
    { layers = { 'a: os{1}' }, input = { 8, 8, 3 } }, { layers = { 'a: conv{1e9, 3}' }, input = { 8, 8, 3 } },
    { layers = { 'a: dense{4}' }, input = { 'x' } } } do
    t.equal(of(model).capacity, nil)
  end
  t.equal(of(nil).capacity, nil)
  t.ok(layer.kinds.conv)
end)
