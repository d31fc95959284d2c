-- bench_codec.lua: hz bench codec: round trips (encode and decode) per second of bulk recoding and of the library's
-- plain loop, one after the other within the same run, so that both see the same machine.
local c = require 'hz.c'
local json = require 'hz.base.json'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'

-- Smooth shapes with noise, about as hard to code as photographs of this size: (count,32,32,3) u8.
local function pictures(count)
  local set = tensor.empty({ count, 32, 32, 3 }, 'u8')
  local p, state, at = set:pointer(), 1, 0
  for i = 0, count - 1 do
    local ax, ay = i % 7 - 3, i % 5 - 2
    for y = 0, 31 do
      for x = 0, 31 do
        local edge = (x - i % 31) * ax + (y - i % 29) * ay > 0 and 60 or 0
        for k = 0, 2 do
          state = (state * 16807) % 2147483647
          p[at] = 40 + edge + x * 2 + y + k * 9 + state % 12
          at = at + 1
        end
      end
    end
  end
  return set
end

local function median(list)
  table.sort(list)
  local n = #list
  return n % 2 == 1 and list[(n + 1) / 2] or (list[n / 2] + list[n / 2 + 1]) / 2
end

local function measure(codec, set, o)
  local ours, plain, ratios = {}, {}, {}
  codec:race(set, o.threads)                              -- memory is touched, libraries are warm
  for i = 1, o.rounds do
    ours[i], plain[i] = codec:race(set, o.threads)
    ratios[i] = ours[i] / plain[i]
  end
  return { codec = codec.name, parameters = codec.text, library = codec.library, images = o.count,
           threads = o.threads > 0 and o.threads or c.C.hz_cpu_threads(),
           roundtrips_per_second = o.count / median(ours), plain_per_second = o.count / median(plain),
           time_ratio = median(ratios) }
end

local function run(o)
  -- lazy: it loads all plugins
  local make = require 'hz.codec.codec'[o.codec]       -- lazy: it opens all plugins, which other benches do without
  local codec = make(plugins.values(plugins.codec(o.codec), o.given))
  local r = measure(codec, pictures(o.count), o)
  if o.json then
    print(json.encode(r))
  else
    print(tostring(codec):match '^[^\n]*')
    print(('%d images of 32 x 32, %d threads, median of %d rounds'):format(r.images, r.threads, o.rounds))
    print(('recode      %8.0f round trips/s'):format(r.roundtrips_per_second))
    print(('plain loop  %8.0f round trips/s'):format(r.plain_per_second))
    print(('time        %8.3f of the plain loop'):format(r.time_ratio))
  end
  return 0
end

-- A row of hz bench (base/command.lua).
return { 'codec', run, "recodes images of 32 x 32, and compares with the codec library's own loop", {
  { 'codec', 'jpeg', 'string', 'which codec', form = 'codec=NAME' },
  { 'count', 20000, 'int', 'images', min = 1, max = 1e6, form = 'count=N' },
  { 'rounds', 5, 'int', 'times that both run; the median counts', min = 1, max = 1e6, form = 'rounds=N' },
  { 'threads', 0, 'int', 'of both; 0: all that this process may use', min = 0, max = 256, form = 'threads=N' },
  { 'json', false, 'bool', 'an array, or with codec or prompt an object, for programs' },
}, open = 'parameter=value' }
