-- bench_codec.lua: hz bench codec: round trips (encode and decode) per second of bulk recoding and of the library's plain loop, one after
-- the other within the same run, so that both see the same machine.
local exit = require 'hz.exit'

local usage = [[
usage: hz bench codec [codec=jpeg] [quality=75] [count=20000] [rounds=5] [threads=N] [--json]
Recodes `count` images of 32 x 32 and compares with the library's own loop; other words name=value are parameters of the codec.]]

local knobs = { count = 20000, rounds = 5, threads = 0 }

local function parse(args)
  local o, values = { codec = 'jpeg', json = false }, {}
  for k, v in pairs(knobs) do o[k] = v end
  for _, a in ipairs(args) do
    local key, v = a:match '^([%w_]+)=(.+)$'
    if a == '--json' then o.json = true
    elseif not key then exit.usage("bench codec: '%s' is unknown; takes name=value or --json", a)
    elseif key == 'codec' then o.codec = v
    elseif knobs[key] then
      o[key] = tonumber(v)
      local least = key == 'threads' and 0 or 1
      if not o[key] or o[key] < least or o[key] % 1 ~= 0 or o[key] > 1e6 then exit.usage('bench codec: %s is %s; needs a whole number of %d..1000000', key, v, least) end
    else values[key] = v == 'true' or v ~= 'false' and (tonumber(v) or v) end
  end
  return o, values
end

-- Smooth shapes with noise, about as hard to code as photographs of this size: (count,32,32,3) u8.
local function pictures(count)
  local set = require 'hz.tensor.tensor'.empty({ count, 32, 32, 3 }, 'u8')
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
           threads = o.threads > 0 and o.threads or require 'hz.c'.C.hz_cpu_threads(),
           roundtrips_per_second = o.count / median(ours), plain_per_second = o.count / median(plain), time_ratio = median(ratios) }
end

return function(args)
  if args[1] == '--help' then
    print(usage)
    return 0
  end
  local o, values = parse(args)
  local codec = require 'hz.codec.codec'[o.codec](values)
  local r = measure(codec, pictures(o.count), o)
  if o.json then
    print(require 'hz.base.json'.encode(r))
  else
    print(tostring(codec):match '^[^\n]*')
    print(('%d images of 32 x 32, %d threads, median of %d rounds'):format(r.images, r.threads, o.rounds))
    print(('recode      %8.0f round trips/s'):format(r.roundtrips_per_second))
    print(('plain loop  %8.0f round trips/s'):format(r.plain_per_second))
    print(('time        %8.3f of the plain loop'):format(r.time_ratio))
  end
  return 0
end
