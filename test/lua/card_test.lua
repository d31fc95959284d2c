-- card_test.lua: the kernels of a card, on its emulation: every row of test/ops.lua against the plain loops in double,
-- in every type of storage, by every kernel, and the same bits whatever order blocks and warps come in.
local t = ...
local c = require 'hz.c'
local ops = assert(loadfile(t.here .. 'ops.lua'))()
local G = assert(loadfile(t.here .. 'graph.lua'))()
local judge = assert(loadfile(t.here .. 'judge.lua'))(t, ops, G)

-- Ops of rows that a card has no kernels for.
local lacks = { muon = true }
local KERNELS = { 'plain' }

local function emulated()
  if c.C.hz_backend_named 'emu' == nil then t.skip('no emulated card: %s', c.message()) end
end

local function each(f)
  emulated()
  judge.each_row(function(row)
    if lacks[row.op] then return end
    for _, storage in ipairs(row.update and { 'f32', 'f64' } or { 'f32', 'bf16', 'f64' }) do f(row, storage) end
  end)
end

local function bench(row, storage, fuse)
  return G.bench(row, { device = 'emu', dtype = storage, grad = not row.no_grad, fuse = fuse })
end

t.case('every kernel equals the plain loops', function()
  emulated()
  judge.each_row(judge.away_from_kinks)
  local count = 0
  each(function(row, storage)
    for _, name in ipairs(KERNELS) do
      G.forced(name, function()
        for _, fuse in ipairs { true, false } do
          if fuse or row.act then
            local b = bench(row, storage, fuse)
            b:run()
            judge.close(row, storage, b, row.batch, judge.truth(row, storage), ('emu, %s'):format(name))
            count = count + 1
          end
        end
      end)
    end
  end)
  t.ok(os.getenv 'HZ_TEST_ROW' or count > 200, 'hardly a row was run')
end)

t.case('the same bits in whatever order threads come', function()
  each(function(row, storage)
    for _, name in ipairs(KERNELS) do
      G.forced(name, function()
        local b, first = bench(row, storage), nil
        for time = 1, 3 do
          b:run()
          local r = b:results()
          first = first or r
          for what, v in pairs(r) do
            t.ok(G.same_bits(v.tensor, first[what].tensor),
              ('%s, %s, %s: %s has other bits in run %d'):format(row.title, storage, name, what, time))
          end
        end
      end)
    end
  end)
end)
