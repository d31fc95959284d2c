-- What a training still gains at its end, and from which epoch on that counts.
local t = ...
local hz = require 'hz'
local late = require 'hz.report.late'

-- A group of one run; accuracy rises by a point an epoch.
local function group(epochs, optimizer)
  local curve = {}
  for e = 1, epochs do curve[e] = e / 100 end
  return { epochs = epochs, rows = { { seed = 1, curve = curve,
    record = { decides = optimizer and { training = { optimizer = optimizer } } } } } }
end

local function from(epochs, optimizer)
  local gain, at = late.gain(group(epochs, optimizer))
  t.near(gain, (epochs - at) / 100, 1e-12)
  return at
end

t.case('late: gains count from the last quarter on, and not before the rate has fallen', function()
  t.equal(from(12), 10)
  t.equal(from(20), 16)
  t.equal(from(12, hz.sgd():describe()), 10)
  t.equal(from(12, hz.sgd { schedule = 'cosine' }:describe()), 11)       -- (1 + cos(11 pi / 12)) / 2 = 0.017
  t.equal(from(50, hz.sgd { schedule = 'linear' }:describe()), 48)
  t.equal(from(40, hz.sgd { schedule = 'linear', final = 0.1 }:describe()), 31)      -- it never falls so far
  t.equal(from(12, hz.sgd { schedule = 'cosine', settle = 0.75 }:describe()), 10)
  t.equal(from(8, hz.recipes.airbench { epochs = 8, batch = 100 }.optimizer:describe()), 7)
end)

t.case('late: one epoch says nothing, and neither does what cannot be told', function()
  t.equal(late.gain(group(1)), nil)
  t.equal(from(2), 1)
  t.equal(from(12, { schedule = 'unheard of' }), 10)
  t.equal(from(12, { schedule = 'cosine', final = 'x' }), 10)
  t.equal(from(12, { groups = { { optimizer = { schedule = 7 } } } }), 10)
end)
