-- sound_nets_test.lua: the networks for sound: exact parameter counts, what is normalised over, inputs that are too
-- small.
local t = ...
local nets = require 'hz.net.models.nets'
local tensor = require 'hz.tensor.tensor'

t.case('sound nets: the published parameter counts at 96x173x1 and 12 classes, 188 of them statistics', function()
  local published = { cnn_x3_mlp_0 = 101412, cnn_x4_mlp_128 = 170436, cnn_x3_mlp_64_128 = 427492,
    cnn_x3_mlp_128 = 808356, cnn_x3_mlp_128x2 = 824868, cnn_x2_mlp_128 = 3715460 }
  for name, count in pairs(published) do
    local all, trained = nets.make(name):count()
    t.equal({ all, all - trained }, { count, 188 }, name)
    t.equal(nets.make(name, { norm = 'channels' }):count(), count - 4 * 94 + 4 * 32, name)
  end
  for _, row in ipairs(nets.rows) do
    if row.norm then t.equal(nets.make(row[1]):count(), row[3], row[1]) end
  end
end)

t.case('sound nets: several channels, other classes, any length that is long enough', function()
  for _, row in ipairs(nets.rows) do
    if row.norm then
      local input = { 64, 50, 2 }
      local net = nets.make(row[1], { classes = 5, input = input }):init { seed = 1 }
      t.equal(net(tensor.rand({ 3, 64, 50, 2 }, -80, 10, { seed = 1, stream = 1 })):size(), { 3, 5 }, row[1])
    end
  end
end)

t.case('sound nets: one that is too deep for its input names the layer and the sizes', function()
  local function count(name, input) return nets.make(name, { input = input }):count() end
  t.raises("net 'cnn_x4_mlp_128', layer 16 'conv5': conv2d: the input is 10x2, the kernel 3x3 without padding; needs",
    count, 'cnn_x4_mlp_128', { 96, 36, 1 })
  t.raises("net 'cnn_x3_mlp_128', layer 10 'maxpool2': maxpool: the input is 44x1, the kernel 2x2 without padding",
    count, 'cnn_x3_mlp_128', { 96, 10, 1 })
  t.raises("net 'panotti', layer 10 'maxpool3': maxpool: the input is 24x1, the kernel 2x2", count, 'panotti',
    { 96, 7, 1 })
end)

t.case('sound nets: norm is theirs alone', function()
  t.raises("model: norm='rows' was given for 'small', which has no such option", nets.make, 'small', { norm = 'rows' })
  t.raises("model: norm is 'row'; needs 'rows' or 'channels'", nets.make, 'panotti', { norm = 'row' })
end)
