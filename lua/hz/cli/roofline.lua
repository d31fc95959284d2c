-- roofline.lua: how long a plan's nodes would take on a card at the least: each the longer of its arithmetic at the
-- card's rate and of its bytes at the speed of the card's memory, and a price for each launch. The nodes are those of
-- the plan as its device fuses them; bytes are those of their stored inputs and outputs, each once, and what `rules`
-- says of kernels that read twice or go through memory on the way. Caches are left out: small batches can be faster.
-- All is linear in the batch, so one plan tells of any batch.
local c = require 'hz.c'
local names = require 'hz.base.names'
local ffi, C = c.ffi, c.C

local M = {}

-- ---- cards ----

-- Seconds of one launch inside a recorded graph: assumed, never measured.
M.LAUNCH = 3e-6

-- Shares of the datasheet that one H200 reached in a large product of matrices and a large copy; the cards
-- nobody measured are given the same.
local PRODUCT, COPY = 790 / 989.4, 4.3 / 4.8

-- flops/s by type of the numbers multiplied (bf16, tf32: tensor cores, without sparsity), bytes/s, by datasheet.
-- measured: what one card reached. tf32, f32 and f64 stand as in the datasheet, which no kernel reaches.
local cards = {
  { name = 'a100', text = 'A100 80 GB SXM', rates = { bf16 = 312e12, tf32 = 156e12, f32 = 19.5e12, f64 = 9.7e12 },
    bytes = 2.039e12 },
  { name = 'h100', text = 'H100 SXM', rates = { bf16 = 989.4e12, tf32 = 494.7e12, f32 = 66.9e12, f64 = 33.5e12 },
    bytes = 3.35e12 },
  { name = 'h200', text = 'H200 SXM', rates = { bf16 = 989.4e12, tf32 = 494.7e12, f32 = 66.9e12, f64 = 33.5e12 },
    bytes = 4.8e12, measured = { bf16 = 790e12, bytes = 4.3e12 } },
  { name = 'b200', text = 'B200 SXM', rates = { bf16 = 2250e12, tf32 = 1100e12, f32 = 75e12, f64 = 37e12 },
    bytes = 7.7e12 },
}

M.names = {}
for i, card in ipairs(cards) do M.names[i] = card.name end

local function share(x) return ('datasheet x %.2f'):format(x) end

-- { name, text, rates, bytes, sources = where each figure is from }
function M.card(name)
  for _, card in ipairs(cards) do
    if card.name == name then
      local m, r, by = card.measured or {}, card.rates, {}
      for dtype in pairs(r) do by[dtype] = 'datasheet' end
      by.bf16, by.bytes = m.bf16 and 'measured' or share(PRODUCT), m.bytes and 'measured' or share(COPY)
      return { name = name, text = card.text, sources = by, bytes = m.bytes or card.bytes * COPY,
        rates = { bf16 = m.bf16 or r.bf16 * PRODUCT, tf32 = r.tf32, f32 = r.f32, f64 = r.f64 } }
    end
  end
  c.fail("model: no card '%s'%s; have %s", tostring(name), names.meant(tostring(name), M.names),
    table.concat(M.names, ', '))
end

-- ---- what kernels do beyond reading inputs and writing outputs once ----

-- Each rule returns launches, a list of values whose bytes count once more (false: an absent one), another of those
-- that count half, and which launch for many it has a part in. w: { node, bf16, ins, outs }, ins and outs the values'
-- numbers from 1 on, false where absent.
local rules = {}

-- Parameters are f32: a bf16 plan copies weights to bf16 first, all in one launch, which is 4 + 2 bytes each, and 2 to
-- read the copy. The gradient of the data reads the same copy.
function rules.conv2d(w)
  if w.bf16 then return 1, { w.ins[2] }, {}, 'narrow' end
  return 1, {}
end
function rules.conv2d_dx(w) return 1, {}, { w.bf16 and w.ins[2] } end

-- The op that makes a value, '' where none does.
local function maker(w, id)
  local node = C.hz_graph_value(w.graph, id).node
  return node < 0 and '' or ffi.string(C.hz_op_name(C.hz_graph_node(w.graph, node).op))
end

-- The gradient of bf16 weights leaves the convolution in bf16 and is widened. That of the bias is a sum over dy: the
-- convolution that makes dy adds it up, and it is only copied; else it reads dy once more, in two passes. One launch
-- widens and copies them all.
function rules.conv2d_dw(w)
  local again, many = {}, w.bf16 and 'widen' or nil
  if w.bf16 then again[1] = w.outs[1] end
  if not w.outs[2] then return 1, again, {}, many end
  if maker(w, w.ins[2]) == 'conv2d_dx' then return 1, again, {}, 'widen' end
  again[#again + 1] = w.ins[2]
  return 3, again, {}, many
end
function rules.dense_dw(w) return w.outs[2] and 2 or 1, {} end

-- What the whole batch decides is known only when all of x was read: a second reading, unless the node before has
-- added it up.
function rules.norm(w)
  if w.node.attr.norm.frozen ~= 0 then return 1, {} end
  return 3, { not w.ins[C.HZ_NORM_MOMENTS + 1] and w.ins[1] }
end
function rules.norm_grad(w)
  if w.node.attr.norm.frozen ~= 0 then return 3, { w.ins[1] } end
  local measured = w.ins[C.HZ_NORM_SUMS + 1]
  return 3, { not measured and w.ins[1], not measured and w.ins[2] }
end

function rules.xent() return 2, {} end       -- losses of rows, their mean

-- Newton-Schulz: three products each time, between norm and update.
function rules.muon(w) return 2 + 3 * w.node.attr.optim.iterations, {} end

local function plain() return 1, {} end

-- Updates that one launch does, over all tensors.
local together = { sgd = true, adam = true, adamw = true, adadelta = true, average = true, norm_update = true }

-- Elements of a value from dimension `from` on.
local function elements(v, from)
  local n = 1
  for d = from, v.ndim - 1 do n = n * tonumber(v.shape[d]) end
  return n
end

-- 2(2rrs + rrr) per step of Newton-Schulz for a matrix of r rows, or columns if there are fewer, and s of the others.
local function muon_flops(w)
  local v = C.hz_graph_value(w.graph, w.ins[1])
  local count, rows = elements(v, 0), tonumber(v.shape[0])
  local r = math.min(rows, count / rows)
  return w.node.attr.optim.iterations * (4 * r * count + 2 * r ^ 3)
end

-- ---- nodes ----

local function numbers(list, n)
  local out = {}
  for k = 0, n - 1 do out[k + 1] = list[k] >= 0 and list[k] end
  return out
end

local function dtype_of(w)
  local v = C.hz_graph_value(w.graph, w.ins[1])
  return ffi.string(C.hz_dtype_name(v.dtype))
end

local function work_of(graph, i)
  local node = C.hz_graph_node(graph, i)
  local w = { graph = graph, node = node, op = ffi.string(C.hz_op_name(node.op)),
    ins = numbers(node['in'], node.nin), outs = numbers(node.out, node.nout) }
  w.bf16 = dtype_of(w) == 'bf16'
  return w
end

-- Adds the bytes of values to a row's: those of one item, and those that do not depend on the batch. Of the data set
-- (of_set) only the batch's items are read. share: of their bytes (default 1).
local function add_bytes(row, graph, list, of_set, share)
  for _, id in ipairs(list) do
    local v = id and C.hz_graph_value(graph, id)
    if v and v.unstored == 0 then
      local items = v.kind == C.HZ_ACTIVATION or of_set
      local bytes = elements(v, items and 1 or 0) * tonumber(C.hz_dtype_bytes(v.dtype)) * (share or 1)
      local into = items and 'item_bytes' or 'fixed_bytes'
      row[into] = row[into] + bytes
    end
  end
end

-- seen: those that are left out, and from now on these, too.
local function unique(seen, ...)
  local list = {}
  for _, ids in ipairs { ... } do
    for _, id in ipairs(ids) do
      if id and not seen[id] then list[#list + 1], seen[id] = id, true end
    end
  end
  return list
end

-- What a work costs: launches, bytes per item and besides, flops per item and besides. seen: values that its launch
-- has counted.
local function cost_of(w, flops, batch, seen)
  local launches, again, halved, many = (rules[w.op] or plain)(w)
  local row = { launches = launches, many = many, item_bytes = 0, fixed_bytes = 0, item_flops = flops / batch,
    fixed_flops = 0 }
  if w.op == 'muon' then row.fixed_flops = muon_flops(w) end
  if w.op == 'input' then
    add_bytes(row, w.graph, w.ins, true)
    add_bytes(row, w.graph, w.outs)
  else
    add_bytes(row, w.graph, unique(seen, w.ins, w.outs))
  end
  add_bytes(row, w.graph, again)
  add_bytes(row, w.graph, halved or {}, false, -0.5)
  return row
end

local function pass_of(plan, i, w)
  return w.node.nout == 0 and 'update' or i < plan.forward_nodes and 'forward' or 'backward'
end

-- Joins a row with another that the same launch does.
local function join(row, more)
  row.ms = row.ms + more.ms
  for _, k in ipairs { 'item_bytes', 'fixed_bytes', 'item_flops', 'fixed_flops' } do row[k] = row[k] + more[k] end
end

local function join_update(row, more)
  join(row, more)
  row.tensors = row.tensors + 1
  if not (' ' .. row.op .. ' '):find(' ' .. more.op .. ' ', 1, true) then row.op = row.op .. ' ' .. more.op end
end

-- Rows of a plan, one for each node that runs, but one for all updates that a launch does together, and one for the end
-- of the network where its device makes that at once (kernel 'head', and 'grouped' of those that come with it): layer,
-- op, shape, pass, dtype (of what is multiplied), launches, tensors, bytes and flops, kernel and ms. nodes: those of
-- the plan with times of one's own (look.lua), nil: of its last run.
function M.rows(plan, nodes)
  local rows, updates, head = {}, nil, { seen = {} }
  for i, n in ipairs(nodes or plan:nodes()) do
    local w = work_of(plan.graph, i - 1)
    local is_view = w.outs[1] and C.hz_graph_value(plan.graph, w.outs[1]).view >= 0
    if w.node.dead == 0 and not is_view then
      local of_head = n.kernel == 'head' or n.kernel == 'grouped' and not together[w.op]
      local row = cost_of(w, n.flops, plan.batch, of_head and head.seen or {})
      row.layer, row.op, row.shape, row.kernel, row.ms = n.layer, n.op, n.shape, n.kernel, n.ms
      row.pass, row.dtype, row.tensors = pass_of(plan, i - 1, w), dtype_of(w), 1
      if row.dtype == 'f32' and plan.options.dtype == 'tf32' then row.dtype = 'tf32' end
      if n.kernel == 'head' then row.op, row.launches, head.row = 'head', 1, row end
      if together[w.op] and updates then
        join_update(updates, row)
      elseif of_head and head.row ~= row then
        join(head.row, row)
      else
        rows[#rows + 1] = row
        if together[w.op] then updates = row end
      end
    end
  end
  return rows
end

-- ---- times ----

-- The row's time on a card for a batch: { flops, bytes, compute, memory, seconds }, the last the longer of both.
function M.time(row, card, batch)
  local flops = row.item_flops * batch + row.fixed_flops
  local bytes = row.item_bytes * batch + row.fixed_bytes
  local compute, memory = flops / (card.rates[row.dtype] or card.rates.f32), bytes / card.bytes
  return { flops = flops, bytes = bytes, compute = compute, memory = memory, seconds = math.max(compute, memory) }
end

-- Launches before the nodes of a pass: the step's numbers, and the gate of what follows.
local around = { forward = 1, backward = 1, update = 0 }

local summed = { 'flops', 'bytes', 'compute', 'memory', 'seconds' }

-- Sums over rows: those of M.time, launches (with those around the nodes, and for many of them), and `step`, the
-- seconds with their price.
function M.total(rows, card, batch)
  local sum, begun = { launches = 0 }, {}
  for _, k in ipairs(summed) do sum[k] = 0 end
  for _, row in ipairs(rows) do
    local t = M.time(row, card, batch)
    for _, k in ipairs(summed) do sum[k] = sum[k] + t[k] end
    sum.launches = sum.launches + row.launches + (begun[row.pass] and 0 or around[row.pass])
      + (row.many and not begun[row.many] and 1 or 0)
    begun[row.pass], begun[row.many or row.pass] = true, true
  end
  sum.step = sum.seconds + sum.launches * M.LAUNCH
  return sum
end

-- The limits of images per second that a sum means; none by arithmetic where there is none.
function M.limits(sum, batch)
  return { with_launches = batch / sum.step, kernel_by_kernel = batch / sum.seconds,
    arithmetic = sum.compute > 0 and batch / sum.compute or nil, memory = batch / sum.memory }
end

return M
