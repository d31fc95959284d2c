-- nets.lua: networks by name. The six published CIFAR networks (arXiv 1807.10569) with their exact parameter counts,
-- All-CNN-C as in its paper (arXiv 1412.6806), and a small net for demonstrations; those for sound are in
-- sound_nets.lua. Nets end in logits.
local c = require 'hz.c'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local eager = require 'hz.net.eager'
local file = require 'hz.base.file'
local nets = require 'hz.net.net'
local sound_nets = require 'hz.net.models.sound_nets'
local l = eager.kinds
local conv, relu, dropout, dense, flatten = l.conv, l.relu, l.dropout, l.dense, l.flatten
local meanpool, maxpool, norm, gelu, scale = l.meanpool, l.maxpool, l.norm, l.gelu, l.scale

-- The stride-2 convolutions have no activation in the published code.
local stem = { conv{32, 3}, relu, conv{64, 3}, relu, conv{128, 3, stride=2}, dropout{0.5} }
local block = { conv{128, 3}, relu, conv{128, 3}, relu, conv{128, 3, stride=2}, dropout{0.5} }

local function all_conv(o) return { conv{128, 3}, relu, conv{128, 1}, relu, conv{o.classes, 1}, meanpool } end

-- The published dense heads put a ReLU on the last layer: last_relu=true reproduces it.
local function dense_head(...)
  local widths = { ... }
  return function(o)
    local head = { flatten }
    for _, w in ipairs(widths) do head[#head + 1] = { dense{w}, relu, dropout{0.5} } end
    head[#head + 1] = dense{o.classes}
    if o.last_relu then head[#head + 1] = relu end
    return head
  end
end

local function published(blocks, head)
  return function(o)
    local list = { stem }
    for _ = 1, blocks do list[#list + 1] = block end
    list[#list + 1] = head(o)
    return list
  end
end

-- Convolutions that halve the image until its shorter side is at most 8, twice as wide each time up to 128 channels; so
-- it is as deep as the images are large. Each is normalised: deep ones would not begin to learn within few steps.
local function by_size(o)
  local function step(wide, stride) return { conv{wide, 3, stride=stride, bias=false}, norm{momentum=0.9}, relu } end
  local list, side, wide = { mean=0.5, deviation=0.25, step(16, 1) }, math.min(o.input[1], o.input[2]), 32
  while side > 8 do
    list[#list + 1] = step(wide, 2)
    side, wide = math.ceil(side / 2), math.min(2 * wide, 128)
  end
  list[#list + 1] = { step(wide, 1), conv{o.classes, 1}, meanpool }
  return list
end

-- The network of airbench (arXiv 2404.00498, and its Muon version): 2x2 patches made white, then three groups of
-- convolutions that halve the image, each batch norm without scale and with quick running statistics, a last pool over
-- what is left of it (3x3 pixels of 32x32), and logits divided by the numbers they are made of.
local CHANNEL_MEAN, CHANNEL_DEVIATION = { 0.4914, 0.4822, 0.4465 }, { 0.247, 0.2435, 0.2616 }      -- of CIFAR-10

local function quick_norm() return norm{momentum=0.6, epsilon=1e-12, scale=false} end

local function group(wide)
  local function same() return conv{wide, 3, bias=false, init='dirac'} end
  return { same(), maxpool{2}, quick_norm(), gelu, same(), quick_norm(), gelu }
end

local function airbench(...)
  local groups = { ... }
  return function(o)
    local rows, columns, channels = unpack(o.input)
    local list = { mean=channels == 3 and CHANNEL_MEAN or 0.47, deviation=channels == 3 and CHANNEL_DEVIATION or 0.25,
      conv{8 * channels, 2, pad='valid', init='whiten', name='whiten'}, gelu }
    rows, columns = rows - 1, columns - 1
    local wide
    for _, filters in ipairs(groups) do
      wide = math.max(1, math.floor(filters * o.width + 0.5))
      list[#list + 1] = group(wide)
      rows, columns = math.floor(rows / 2), math.floor(columns / 2)
    end
    list[#list + 1] = { maxpool{{ math.max(1, rows), math.max(1, columns) }}, flatten,
      dense{o.classes, bias=false, init='unit', name='head'}, scale{1 / wide} }
    return list
  end
end

-- name, what it is, parameters at 32x32x3 and 10 classes, layers; input, classes: where others are the default; norm,
-- width: the defaults of these options, which other nets do not have
local rows = {
  { 'all-cnns',           'published A', 701386,  published(1, all_conv) },
  { 'cnns-dense-64',      'published B', 1079562, published(1, dense_head(64, 256)) },
  { 'all-cnnsx2',         'published C', 1144138, published(2, all_conv) },
  { 'cnns-x2-dense-128',  'published D', 1276618, published(2, dense_head(128, 256)) },
  { 'cnns-dense-128',     'published E', 1620298, published(1, dense_head(128, 256)) },
  { 'cnns-dense-128-256', 'published F', 1686090, published(1, dense_head(128, 256, 256)) },
  { 'all-cnn-c',          'Springenberg et al. 2014', 1369738, function(o)
    return { dropout{0.2}, conv{96, 3}, relu, conv{96, 3}, relu, conv{96, 3, stride=2}, relu, dropout{0.5},
      conv{192, 3}, relu, conv{192, 3}, relu, conv{192, 3, stride=2}, relu, dropout{0.5},
      conv{192, 3, pad='valid'}, relu, conv{192, 1}, relu, conv{o.classes, 1}, relu, meanpool }
  end },
  { 'small',              'for demonstrations', 99082, function(o)
    return { mean=0.5, deviation=0.25, conv{16, 3}, relu, conv{32, 3, stride=2}, relu, conv{32, 3, stride=2}, relu,
      conv{64, 3}, relu, maxpool{2}, dense{64}, relu, dense{o.classes} }
  end },
  { 'conv-by-size',       'for images of any size', 99450, by_size },
  { 'airbench',           'for accuracy within minutes', 1973944, airbench(64, 256, 256), width = 1 },
  { 'fast',               'for sweeps within minutes', 498680, airbench(32, 128, 128), width = 1 },
}

for _, row in ipairs(sound_nets) do rows[#rows + 1] = row end

local M = { rows = rows, order = {} }
local by_name = {}
for i, r in ipairs(rows) do M.order[i], by_name[r[1]] = r[1], r end

function M.names() return table.concat(M.order, ', ') end

-- Options that some nets have alone: what their values must be.
local special = {
  norm  = { function(v) return v == 'rows' or v == 'channels' end, "'rows' or 'channels'" },
  width = { function(v) return type(v) == 'number' and v > 0 and v <= 16 end, 'a number above 0, at most 16' },
}

local function check_special(row, name, v)
  if row[1] and row[name] == nil then
    c.fail("model: %s=%s was given for '%s', which has no such option", name, need.shown(v), row[1])
  end
  if row[1] and not special[name][1](v) then need.fail('model', name, v, special[name][2]) end
end

-- row: of a net by name; {} for one of a file.
local function with_defaults(o, row)
  local full = { classes = row.classes or 10, input = row.input or { 32, 32, 3 }, last_relu = false }
  for name in pairs(special) do
    full[name] = row[name]
    if o and type(o) == 'table' and o[name] ~= nil then check_special(row, name, o[name]) end
  end
  for k, v in pairs(names.options('model', o, 'classes input last_relu norm width')) do full[k] = v end
  need.count('model', 'classes', full.classes, 1)
  need.boolean('model', 'last_relu', full.last_relu)
  nets.check_input('model', full.input)
  return full
end

-- A network by name. o: classes (default 10), input (default {32,32,3}; of those for sound 12 and {96,173,1}),
-- last_relu (default false), norm of those for sound ('rows': one set of statistics per mel row, or 'channels'), width
-- of airbench and fast (times as many filters, default 1).
function M.make(name, o)
  local row = by_name[name]
  if not row then
    c.fail("model: '%s' is unknown%s; have %s, or a file NAME.lua that returns a net", tostring(name),
      names.meant(name, M.order), M.names())
  end
  local full = with_defaults(o, row)
  local list = row[4](full)
  list.input = full.input
  return eager.new(name)(list)
end

-- A network by name or from a Lua file that returns a net, or a function of {classes=, input=} that returns one. o as
-- in make.
function M.load(name, o)
  need.text('model', 'the name', name)
  if not name:match '%.lua$' then return M.make(name, o) end
  local chunk, why = file.chunk(name)
  if not chunk then c.fail('model: %s', (why:gsub('^cannot open ', 'cannot open '))) end
  local net = chunk()
  if type(net) == 'function' then net = net(with_defaults(o, {})) end
  if not nets.is(net) then
    c.fail('model: %s returned %s; needs a net, or a function that returns one', name, type(net))
  end
  return net
end

local unknown = names.index('nets', {})

return setmetatable(M, { __index = function(_, name)
  if not by_name[name] then return unknown(by_name, name) end
  return function(o) return M.make(name, o) end
end })
