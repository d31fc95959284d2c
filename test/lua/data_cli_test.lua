-- hz data list, verify, doctor.
local t = ...
local json = require 'hz.base.json'

-- A small set in one file: train and test given as lists of { byte, label }; digest recorded when asked for.
local function description(train, test, extra)
  local function list(rows)
    local parts = {}
    for i, r in ipairs(rows) do parts[i] = ('{%d,%d}'):format(r[1], r[2]) end
    return '{' .. table.concat(parts, ',') .. '}'
  end
  return t.write(t.folder() .. '/own.lua', ([[
    local dataset, tensor = require 'hz.data.dataset', require 'hz.tensor.tensor'
    local rows = { train = %s, test = %s }
    local function part(name)
      local n = #rows[name]
      local items, labels = tensor.zeros({ n, 2, 2, 1 }, 'u8'), tensor.zeros({ n }, 'i32')
      for i, r in ipairs(rows[name]) do items:pointer()[4 * i - 4], labels:pointer()[i - 1] = r[1], r[2] end
      return dataset.new { name = 'own', part = name, items = items, labels = labels, classes = { 'a', 'b' } }
    end
    return { name = 'own', about = 'x', %s read = function(_, _, want)
      return { train = want.train and part 'train', test = want.test and part 'test' }
    end }
  ]]):format(list(train), list(test), extra or ''))
end

local function rows_of(args)
  local status, out, err = t.run(args)
  local rows = {}
  for _, r in ipairs(json.decode(out ~= '' and out or '[]')) do rows[r.check] = r end
  return rows, status, err
end

t.case('list names the sets, where they are and how to get them', function()
  local status, out = t.sh(('HZ_DATA=/nowhere XDG_DATA_HOME=/nowhere %s data list'):format(t.quote(t.hz)))
  t.equal(status, 0)
  t.match(out, 'camera +embedded')
  t.match(out, 'cifar10 +not here [^\n]*\n +hz data fetch cifar10\n')
  status, out = t.run { 'data', 'list', '--json' }
  t.equal(status, 0)
  t.equal(json.decode(out)[1].name, 'camera')
end)

t.case('verify compares contents with the recorded digest', function()
  local train, test = { { 1, 0 }, { 2, 1 } }, { { 3, 0 }, { 4, 1 } }
  local rows, status = rows_of { 'data', 'verify', description(train, test), '--json' }
  t.equal({ status, rows['train contents'].state }, { 0, 'note' })
  local digest = rows['train contents'].text:match 'digest (%x+)'
  rows, status = rows_of { 'data', 'verify', description(train, test, ("digest = { train = '%s' },"):format(digest)),
    '--json' }
  t.equal({ status, rows['train contents'].state }, { 0, 'ok' })
  train[1][1] = 9
  rows, status = rows_of { 'data', 'verify', description(train, test, ("digest = { train = '%s' },"):format(digest)),
    '--json' }
  t.equal({ status, rows['train contents'].state }, { 1, 'bad' })
  t.match(rows['train contents'].text, 'edited or recoded copy')
end)

t.case('verify names missing and short files', function()
  local d = t.folder()
  os.execute('mkdir ' .. d .. '/own')
  t.write(d .. '/own/a', '123')
  local path = description({ { 1, 0 } }, { { 2, 1 } }, "folder = 'own', files = { { 'a', 4 }, { 'b' } },")
  local _, out = t.sh(('HZ_DATA=%s %s data verify %s'):format(d, t.quote(t.hz), path))
  t.match(out, 'own +a +BAD +has 3 bytes; the published one has 4\n')
  t.match(out, 'own +b +BAD +is missing\n')
end)

t.case('doctor finds duplicates, leaks, empty classes and blank items', function()
  local rows, status = rows_of { 'data', 'doctor',
    description({ { 1, 0 }, { 1, 1 }, { 2, 0 }, { 0, 1 } }, { { 2, 0 }, { 3, 0 } }), '--json' }
  t.equal(status, 1)
  t.equal({ rows['train duplicates'].state, rows['train duplicates'].text },
    { 'bad', '1 items equal another, 1 of them with another label' })
  t.equal({ rows['leak'].state, rows['leak'].text }, { 'bad', '1 of 2 test items are in the training set' })
  t.equal({ rows['test classes'].state, rows['test classes'].text }, { 'bad', "class 'b' has no items" })
  t.equal({ rows['train blanks'].state, rows['test blanks'].state }, { 'note', 'ok' })
  rows, status = rows_of { 'data', 'doctor', description({ { 1, 0 }, { 2, 1 } }, { { 3, 0 }, { 4, 1 } }), '--json' }
  t.equal({ status, rows.leak.state, rows['train duplicates'].state, rows['train classes'].state },
    { 0, 'ok', 'ok', 'ok' })
end)

t.case('doctor looks at the machine, and options reach a set', function()
  local rows, status = rows_of { 'data', 'doctor', '--json' }
  t.ok(status == 0 or status == 1)
  t.equal(rows.libcrypto.state, 'ok')
  rows, status = rows_of { 'data', 'doctor', 'camera', 'train=20', 'test=10', '--json' }
  t.equal(status, 0)
  t.match(rows['train contents'].text, '^20 items')
end)

t.case('mistakes', function()
  for _, row in ipairs {
    { { 'data' }, 2, 'no verb was given; have list' },
    { { 'data', 'frob' }, 2, "'frob' is unknown; have list, fetch, verify, doctor" },
    { { 'data', 'list', 'x' }, 2, "'x' is unknown; takes --json" },
    { { 'data', 'verify', '--x' }, 2, "'--x' is unknown; takes [NAME ...], key=value, --json" },
    { { 'data', 'verify', 'nope' }, 1, "'nope' is unknown; have camera, cifar10" },
    { { 'data', 'doctor', 'camera', 'trian=3' }, 1, "option 'trian' is unknown" },
    { { 'data', 'doctor', '/nowhere/x.lua' }, 1, 'cannot open /nowhere/x.lua' },
  } do
    local status, out, err = t.run(row[1])
    t.equal(status, row[2], table.concat(row[1], ' '))
    t.ok((err .. out):find(row[3], 1, true), err .. out)
  end
  t.match(select(2, t.run { 'data', 'fetch', '--help' }), '^usage: hz data list')
end)
