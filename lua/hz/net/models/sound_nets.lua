-- sound_nets.lua: rows of nets.lua for sound, over log-mel spectrograms (mels,frames,channels) in decibels. The six
-- published ones (panotti style, IDMT-SMT-Audio-Effects) with their exact parameter counts at 96x173x1 and 12 classes,
-- panotti's own current network, and a small one for demonstrations. The published ones normalise with one set of
-- statistics per mel row (axis 1 of channels-last data); norm='channels' is the usual way.
local eager = require 'hz.net.eager'
local l = eager.kinds
local conv, relu, elu, dropout, dense, flatten = l.conv, l.relu, l.elu, l.dropout, l.dense, l.flatten
local maxpool, meanpool, norm = l.maxpool, l.meanpool, l.norm

local FILTERS = 32

local function dense_head(o, widths)
  local head = { flatten }
  for _, w in ipairs(widths) do head[#head + 1] = { dense{w}, elu, dropout{0.6} } end
  head[#head + 1] = dense{o.classes}
  return head
end

-- blocks of convolution and pooling, each of which takes 2 rows and columns and halves what remains; then dense layers.
local function published(blocks, ...)
  local widths = { ... }
  return function(o)
    local list = { conv{FILTERS, 3, pad='valid'}, norm{axis=o.norm}, relu }
    for _ = 1, blocks do list[#list + 1] = { conv{FILTERS, 3, pad='valid'}, elu, maxpool{2}, dropout{0.5} } end
    list[#list + 1] = dense_head(o, widths)
    return list
  end
end

local function current(o)
  local list = { conv{FILTERS, 3}, maxpool{2}, relu, norm{axis=o.norm} }
  for _ = 1, 3 do list[#list + 1] = { conv{FILTERS, 3}, maxpool{2}, elu, dropout{0.5} } end
  list[#list + 1] = dense_head(o, { 128 })
  return list
end

-- What tells effects apart is short against a clip: pooling keeps it where larger steps of the convolutions lose it.
local function small(o)
  local function step(wide) return { conv{wide, 3, bias=false}, norm{axis=o.norm, momentum=0.9}, relu } end
  return { mean=-40, deviation=25, step(16), maxpool{2}, step(32), maxpool{2}, step(48), maxpool{2}, step(64),
    dropout{0.3}, meanpool, dense{o.classes} }
end

-- name, what it is, parameters at the input and classes below, layers, axis that is normalised over
local rows = {
  { 'cnn_x3_mlp_0',      'published 0', 101412,  published(3), 'rows' },
  { 'cnn_x4_mlp_128',    'published 1', 170436,  published(4, 128), 'rows' },
  { 'cnn_x3_mlp_64_128', 'published 2', 427492,  published(3, 64, 128), 'rows' },
  { 'cnn_x3_mlp_128',    'published 3', 808356,  published(3, 128), 'rows' },
  { 'cnn_x3_mlp_128x2',  'published 4', 824868,  published(3, 128, 128), 'rows' },
  { 'cnn_x2_mlp_128',    'published 5', 3715460, published(2, 128), 'rows' },
  { 'panotti',           'that of panotti now', 275628, current, 'channels' },
  { 'sound-small',       'for demonstrations', 47644, small, 'channels' },
}
for _, row in ipairs(rows) do row.input, row.classes, row.norm = { 96, 173, 1 }, 12, row[5] end

return rows
