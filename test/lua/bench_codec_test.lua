-- bench_codec_test.lua: hz bench codec prints figures that belong together, and refuses what it does not know.
local t = ...
local plugins = require 'hz.codec.plugins'
local bench = require 'hz.cli.bench'

local function run(args)
  local lines, keep = {}, print
  _G.print = function(s) lines[#lines + 1] = s end
  local ok, e = pcall(bench, { 'codec', unpack(args) })
  _G.print = keep
  return ok and table.concat(lines, '\n'), e
end

t.case('hz bench codec: rates and their ratio', function()
  if not plugins.has 'jpeg' then t.skip 'jpeg: its library is not installed' end
  local out = t.ok(run { 'count=300', 'rounds=1', 'quality=10', '--json' })
  local r = require 'hz.base.json'.decode(out)
  t.equal(r.images, 300)
  t.match(r.parameters, '^quality=10;')
  t.near(r.plain_per_second / r.roundtrips_per_second, r.time_ratio, 1e-9 * r.time_ratio)
  t.match(t.ok(run { 'count=100', 'rounds=2', 'threads=1' }), 'round trips/s')
end)

t.case('hz bench codec: mistakes', function()
  local function message(...) return tostring(select(2, run { ... })) end
  t.match(message 'count=none', 'count=none was given; needs a whole number, 1%.%.')
  t.match(message '--fast', "'%-%-fast' is unknown")
  t.match(message 'codec=tta', "codec: 'tta' is not loaded")
  if plugins.has 'flac' then t.match(message('codec=flac', 'count=10'), 'flac: ') end
end)

t.case('hz bench codec: every codec of images has the plain loop of its library', function()
  for _, name in ipairs { 'avif', 'jpeg', 'jpeg2000', 'jxl', 'png', 'webp', 'xz', 'zstd' } do
    if plugins.has(name) then
      t.match(t.ok(run { 'codec=' .. name, 'count=4', 'rounds=1', 'threads=1' }), 'time +[%d.]+ of the plain loop')
    end
  end
end)
