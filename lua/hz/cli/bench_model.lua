-- bench_model.lua: hz bench --model CARD: the least time that a card would need for each node of the plan
-- (cli/roofline.lua), by pass and layer, images per second at several batches, and, where the plan was measured, what
-- it took beside what the model says.
local roofline = require 'hz.cli.roofline'
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

local M = {}

local passes = { 'forward', 'backward', 'update' }
local BATCHES = { 128, 512, 1024, 4096 }

-- ---- what the model says ----

-- The part of a record that a sum or a node has in common; all times in ms. measured: ms, or nil.
local function figures(t, launches, measured)
  local ms = t.seconds * 1e3
  return { launches = launches, flops = t.flops, bytes = t.bytes, compute_ms = t.compute * 1e3,
    memory_ms = t.memory * 1e3, ms = ms, measured_ms = measured, ratio = measured and ms > 0 and measured / ms or nil }
end

local function node_of(row, card, batch, is_measured)
  local node = figures(roofline.time(row, card, batch), row.launches, is_measured and row.ms or nil)
  node.layer = row.tensors > 1 and ('%d tensors'):format(row.tensors) or row.layer
  node.op, node.shape, node.pass, node.dtype = row.op, row.shape, row.pass, row.dtype
  node.kernel = is_measured and row.kernel or nil
  return node
end

local function ms_of(rows)
  local sum = 0
  for _, row in ipairs(rows) do sum = sum + row.ms end
  return sum
end

local function total_of(name, rows, card, batch, is_measured)
  local sum = roofline.total(rows, card, batch)
  local total = figures(sum, sum.launches, is_measured and ms_of(rows) or nil)
  total.pass = name
  return total
end

local function only(rows, pass)
  local list = {}
  for _, row in ipairs(rows) do
    if row.pass == pass then list[#list + 1] = row end
  end
  return list
end

local function pass_totals(rows, card, batch, is_measured)
  local list = {}
  for _, pass in ipairs(passes) do
    local some = only(rows, pass)
    if #some > 0 then list[#list + 1] = total_of(pass, some, card, batch, is_measured) end
  end
  list[#list + 1] = total_of('all', rows, card, batch, is_measured)
  return list
end

-- One row per layer in the order of the plan: ms of each pass. Updates are no layer's.
local function layer_totals(nodes)
  local list, by_name, all = {}, {}, 0
  for _, n in ipairs(nodes) do
    local name = n.pass == 'update' and 'updates' or n.layer
    local layer = by_name[name]
    if not layer then
      layer = { layer = name, ms = 0 }
      list[#list + 1], by_name[name] = layer, layer
    end
    layer[n.pass .. '_ms'] = (layer[n.pass .. '_ms'] or 0) + n.ms
    layer.ms, all = layer.ms + n.ms, all + n.ms
  end
  for _, layer in ipairs(list) do layer.share = layer.ms / all end
  return list
end

-- Images per second at several batches, that of the plan among them.
local function batches_of(rows, card, batch)
  local list, all = { batch }, {}
  for _, b in ipairs(BATCHES) do
    if b ~= batch then list[#list + 1] = b end
  end
  table.sort(list)
  for i, b in ipairs(list) do
    all[i] = roofline.limits(roofline.total(rows, card, b), b)
    all[i].batch = b
  end
  return all
end

local function tera(rates)
  local list = {}
  for name, rate in pairs(rates) do list[name] = rate / 1e12 end
  return list
end

-- The model's record for a plan on the card of that name. measured: the plan's nodes with their times, nil: it was only
-- planned.
function M.of(plan, name, measured)
  local card, batch = roofline.card(name), plan.batch
  local rows = roofline.rows(plan, measured)
  local nodes = {}
  for i, row in ipairs(rows) do nodes[i] = node_of(row, card, batch, measured ~= nil) end
  return { card = card.name, text = card.text, tflops = tera(card.rates), tbytes = card.bytes / 1e12,
    sources = card.sources, launch_us = roofline.LAUNCH * 1e6, batch = batch, nodes = nodes,
    passes = pass_totals(rows, card, batch, measured ~= nil), layers = layer_totals(nodes),
    batches = batches_of(rows, card, batch) }
end

-- ---- printing ----

local function us(ms) return ms and ('%.2f'):format(ms * 1e3) or '' end
local function rate(x) return x and ('%.0f'):format(x) or '' end

-- Columns that nodes and passes have in common, and their texts.
local function figure_columns(columns, is_measured)
  for _, title in ipairs { 'launches', 'GFLOP', 'MB', 'us compute', 'us memory', 'us', 'share' } do
    columns[#columns + 1] = { title }
  end
  if is_measured then columns[#columns + 1], columns[#columns + 2] = { 'us measured' }, { 'ratio' } end
  return columns
end

local function add_figures(line, n, all_ms)
  for _, text in ipairs { ('%d'):format(n.launches), n.flops > 0 and ('%.2f'):format(n.flops / 1e9) or '',
      ('%.2f'):format(n.bytes / 1e6), us(n.compute_ms), us(n.memory_ms), us(n.ms),
      ('%.1f %%'):format(100 * n.ms / all_ms) } do
    line[#line + 1] = text
  end
  if n.measured_ms then
    line[#line + 1], line[#line + 2] = us(n.measured_ms), n.ratio and ('%.2f'):format(n.ratio) or ''
  end
  return line
end

local function print_head(m)
  local parts, used = {}, {}
  for _, n in ipairs(m.nodes) do
    if n.flops > 0 and not used[n.dtype] then
      used[n.dtype] = true
      parts[#parts + 1] = ('%s %.4g TFLOP/s (%s)'):format(n.dtype, m.tflops[n.dtype], m.sources[n.dtype])
    end
  end
  parts[#parts + 1] = ('memory %.3g TB/s (%s)'):format(m.tbytes, m.sources.bytes)
  parts[#parts + 1] = ('%g us per launch (assumed)'):format(m.launch_us)
  print(tables.wrap(('model: %s, batch %d: %s'):format(m.text, m.batch, table.concat(parts, ', ')), '  '))
end

local function print_nodes(m, all, is_measured)
  local lines = {}
  for i, n in ipairs(m.nodes) do
    lines[i] = add_figures({ n.pass, visible(n.layer), n.op, '(' .. table.concat(n.shape, ',') .. ')' }, n, all.ms)
  end
  local left = { { 'pass', 'left' }, { 'layer', 'left' }, { 'op', 'left' }, { 'output', 'left' } }
  print(tables.text(figure_columns(left, is_measured), lines))
end

local function print_passes(m, all, is_measured)
  local lines = {}
  for i, pass in ipairs(m.passes) do lines[i] = add_figures({ pass.pass }, pass, all.ms) end
  print(tables.text(figure_columns({ { 'pass', 'left' } }, is_measured), lines))
end

local function print_layers(m)
  local lines = {}
  for i, l in ipairs(m.layers) do
    lines[i] = { visible(l.layer), us(l.forward_ms), us(l.backward_ms), us(l.update_ms), us(l.ms),
      ('%.1f %%'):format(100 * l.share) }
  end
  local columns = { { 'layer', 'left' }, { 'us forward' }, { 'us backward' }, { 'us update' }, { 'us' }, { 'share' } }
  print(tables.text(columns, lines))
end

-- The limits in images per second, and what was measured at the plan's own batch.
local function print_batches(m, images_per_second)
  local columns = { { 'batch' }, { 'with launches' }, { 'kernel by kernel' }, { 'arithmetic' }, { 'memory' } }
  local lines = {}
  if images_per_second then columns[6], columns[7] = { 'measured' }, { 'of kernel by kernel' } end
  for i, b in ipairs(m.batches) do
    lines[i] = { ('%d'):format(b.batch), rate(b.with_launches), rate(b.kernel_by_kernel), rate(b.arithmetic),
      rate(b.memory) }
    if images_per_second and b.batch == m.batch then
      lines[i][6] = rate(images_per_second)
      lines[i][7] = ('%.3f'):format(images_per_second / b.kernel_by_kernel)
    end
  end
  print 'limits in images/s'
  print(tables.text(columns, lines))
end

-- A record of hz bench whose `model` is of this module.
function M.show(record)
  local m = record.model
  local all = m.passes[#m.passes]
  local is_measured = all.measured_ms ~= nil
  print_head(m)
  print_nodes(m, all, is_measured)
  print()
  print_passes(m, all, is_measured)
  print()
  print_layers(m)
  print()
  print_batches(m, record.images_per_second)
  io.stdout:flush()
end

return M
