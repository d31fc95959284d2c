-- bench_grow.lua: hz bench --grow batch|channels|threads [--svg FILE]: images per second as one thing grows, a series
-- per type and pass. All points are measured in turn, three times over, so that a machine that is busy for a while
-- lowers none alone: the median counts.
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local eager = require 'hz.net.eager'
local file = require 'hz.base.file'
local json = require 'hz.base.json'
local plot = require 'hz.base.plot'
local svg = require 'hz.base.svg'
local tables = require 'hz.base.table'
local C = c.C

local ROUNDS = 3

-- 1, 2, 4, ... up to `most`, which ends the list
local function doubling(from, most)
  local list, v = {}, from
  while v < most do list[#list + 1], v = v, 2 * v end
  list[#list + 1] = most
  return list
end

-- Three 3x3 convolutions of so many channels, the last of stride 2, on 16x16 pixels.
local function net_of(channels)
  return function()
    local l = eager.kinds
    local net = eager.new 'channels' {
      l.conv{channels, 3}, l.relu, l.conv{channels, 3}, l.relu, l.conv{channels, 3, stride=2}, l.relu, l.meanpool,
      l.dense{10},
    }
    net.input = { 16, 16, 3 }
    return net
  end
end

-- What grows: its values, what each changes about a measurement, the words of the picture.
local kinds = {
  batch = { x = 'batch', values = function() return doubling(1, 1024) end, set = function(o, v) o.batch = v end,
            of = function(knob) return knob.net[1] end, low = 0 },
  channels = { x = 'channels', values = function() return doubling(16, 512) end,
               set = function(o, v) o.net = net_of(v) end,
               of = function(knob) return ('3 convolutions on 16x16, batch %d'):format(knob.batch[1]) end,
               log_y = true },
  threads = { x = 'threads', values = function(knob) return doubling(1, knob.threads or C.hz_cpu_threads()) end,
              set = function(_, v) c.check(C.hz_cpu_set_threads(v)) end,
              of = function(knob) return ('%s, batch %d'):format(knob.net[1], knob.batch[1]) end, low = 0 },
}

local function middle(list)
  table.sort(list)
  return list[math.ceil(#list / 2)], (list[#list] - list[1]) / 2
end

-- Series { name, points }, each point with its rates of all rounds.
local function new_series(knob, values)
  local list = {}
  for _, dtype in ipairs(knob.dtype) do
    for _, pass in ipairs(knob.pass) do
      local name = dtype .. ' ' .. (pass == 'train' and 'training' or 'inference')
      local one = { name = name, dtype = dtype, pass = pass, points = {} }
      for i, v in ipairs(values) do one.points[i] = { x = v, rates = {}, multiples = {} } end
      list[#list + 1] = one
    end
  end
  return list
end

local function measure(knob, kind, series, run)
  for round = 1, ROUNDS do
    for _, one in ipairs(series) do
      for _, p in ipairs(one.points) do
        local o = { net = knob.net[1], batch = knob.batch[1], dtype = one.dtype, pass = one.pass,
                    device = knob.device, seconds = knob.seconds / ROUNDS, data = knob.data, tune = knob.tune }
        kind.set(o, p.x)
        local r = run(o)
        p.rates[round], p.multiples[round] = r.images_per_second, r.multiple_of_peak
        p.y, p.spread = middle { unpack(p.rates) }
        p.spread = math.min(p.spread, 0.9 * p.y)           -- a logarithmic axis has no zero
        p.multiple = r.multiple_of_peak and middle { unpack(p.multiples) }
        c.poll()
      end
    end
  end
end

local function picture_of(knob, kind, series, values)
  local what = devices.describe(knob.device):gsub('^cpu ', '')
  local caption = ('%s; hz %s; %s'):format(what, c.ffi.string(C.hz_commit()), os.date '!%Y-%m-%d')
  return { title = ('%s: images/s over %s'):format(kind.of(knob), kind.x), x = kind.x, y = 'images/s', series = series,
           ticks = values, low = kind.low, log_y = kind.log_y, above = true, caption = caption }
end

local function print_table(kind, series)
  local rows = {}
  for _, one in ipairs(series) do
    for _, p in ipairs(one.points) do
      rows[#rows + 1] = { one.name, tostring(p.x), ('%.1f'):format(p.y), ('%.1f'):format(p.spread),
                          p.multiple and ('%.3f'):format(p.multiple) or '' }
    end
  end
  local columns = { { 'series', 'left' }, { kind.x }, { 'images/s' }, { '+-' }, { 'x peak' } }
  print(tables.text(columns, rows))
end

local function print_json(kind, series)
  local list = json.array {}
  for _, one in ipairs(series) do
    for _, p in ipairs(one.points) do
      list[#list + 1] = { dtype = one.dtype, pass = one.pass, [kind.x] = p.x, images_per_second = p.y,
                          spread = p.spread, multiple_of_peak = p.multiple }
    end
  end
  print(json.encode(list, { pretty = true }))
end

-- knob: of hz bench; run: bench.measure. Prints a table and a plot, writes the SVG.
return function(knob, run)
  local kind, threads = kinds[knob.grow], C.hz_cpu_threads()
  local values = kind.values(knob)
  local series = new_series(knob, values)
  measure(knob, kind, series, run)
  c.check(C.hz_cpu_set_threads(threads))
  local picture = picture_of(knob, kind, series, values)
  if knob.json then
    print_json(kind, series)
  else
    print_table(kind, series)
    print(plot.text(picture))
  end
  if knob.svg then
    file.write(knob.svg, svg.text(picture))
    io.stderr:write('hz: plot written to ', knob.svg, '\n')
  end
  return 0
end
