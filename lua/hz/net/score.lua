-- score.lua: a plan scores its whole set, in the set's own order: plan:evaluate(). Per item: correct (u8), class (i32,
-- from 0), confidence (f32). An item without probabilities is never correct.
local c = require 'hz.c'
local answers = require 'hz.net.answers'
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'
local views = require 'hz.net.views'

local M = {}

local LOSS, CORRECT, PROBS = answers.LOSS, answers.CORRECT, answers.PROBS

local function new_outcomes(self, total)
  return { n = total, loss = 0, hits = 0, classes = self:value 'probs':size(2),
    correct = tensor.empty({ total }, 'u8'), class = tensor.empty({ total }, 'i32'),
    confidence = tensor.empty({ total }, 'f32') }
end

local function finished(out)
  out.loss, out.accuracy = out.loss / out.n, out.hits / out.n
  out.finite = math.abs(out.loss) < math.huge
  out.hits, out.classes = nil, nil
  return out
end

-- ---- each item once ----

-- Adds a batch's answers; offset and count say which items it is.
local function take(self, out, turn, offset, count)
  local p, hit = answers.answer(self, turn, PROBS), answers.answer(self, turn, CORRECT)
  local correct, class, confidence = out.correct:pointer(), out.class:pointer(), out.confidence:pointer()
  local classes, hits = out.classes, 0
  for i = 0, count - 1 do
    local best = 0
    for k = 1, classes - 1 do if p[i * classes + k] > p[i * classes + best] then best = k end end
    correct[offset + i], class[offset + i], confidence[offset + i] = hit[i], best, p[i * classes + best]
    hits = hits + hit[i]
  end
  out.loss, out.hits = out.loss + answers.answer(self, turn, LOSS)[0] * count, out.hits + hits
end

-- A batch is asked for before the answers of the one before it are read.
local function once(self, out)
  local s, turn, before = self.args, 0, nil
  for offset = 0, out.n - 1, self.batch do
    s.offset, s.count = offset, math.min(self.batch, out.n - offset)
    answers.run(self, 0, -1)
    answers.ask_score(self, turn)
    answers.ask(self, turn, PROBS, s.count)
    if before then take(self, out, 1 - turn, before, self.batch) end
    turn, before = 1 - turn, offset
  end
  if before then take(self, out, 1 - turn, before, out.n - before) end
end

-- ---- several views of each item ----

-- Logits of the batch, averaged over the views: f64 (batch,classes).
local function averaged(self, list)
  local s, sum = self.args, nil
  for _, view in ipairs(list) do
    s.mirror, s.down, s.right = view.mirror, view.down, view.right
    answers.run(self, 0, self.forward_nodes)
    local part = self:value 'logits':to 'f64' * view.weight
    sum = sum and sum + part or part
  end
  return sum
end

-- Softmax and cross entropy of a row of k logits: likeliest class, its probability, loss, whether there are
-- probabilities. The formulas are those of the node xent.
local function judge(x, k, label, smoothing)
  local best, sum, all = 0, 0, 0
  for i = 1, k - 1 do if x[i] > x[best] then best = i end end
  for i = 0, k - 1 do
    sum, all = sum + math.exp(x[i] - x[best]), all + (x[i] - x[best])
  end
  local loss = math.log(sum) - (1 - smoothing) * (x[label] - x[best])
  return best, 1 / sum, smoothing > 0 and loss - smoothing / k * all or loss, sum == sum
end

local function several(self, out, list)
  local s, labels = self.args, self.options.data.labels:pointer 'read'
  local correct, class, confidence = out.correct:pointer(), out.class:pointer(), out.confidence:pointer()
  for offset = 0, out.n - 1, self.batch do
    s.offset, s.count = offset, math.min(self.batch, out.n - offset)
    local sum = averaged(self, list)
    local x, k = sum:pointer 'read', out.classes
    for i = 0, tonumber(s.count) - 1 do
      local item = offset + i
      local best, p, loss, whole = judge(x + i * k, k, labels[item], self.options.smoothing or 0)
      local hit = whole and best == labels[item] and 1 or 0
      correct[item], class[item], confidence[item] = hit, best, p
      out.loss, out.hits = out.loss + loss, out.hits + hit
    end
    c.poll()
  end
end

-- The plan's args are as they were afterwards, also on an error.
local function with_views(self, out, list)
  local ok, e = pcall(several, self, out, list)
  self.args.mirror, self.args.down, self.args.right = 0, 0, 0
  if not ok then error(e, 0) end
end

-- ---- asking ----

local function check(self, o)
  names.options('evaluate', o, 'views')
  local wrong = o and o.views ~= nil and views.check(o.views, 'views')
  if wrong then c.fail('evaluate: %s', wrong) end
  if self.train or not self.options.data then c.fail('plan: evaluation needs data and train=false') end
  local items = self.options.data.items
  if o and o.views and items.ndim ~= 4 then
    c.fail('evaluate: views are of images (items,height,width,channels); the set has %s', tensor.shape_text(items))
  end
  return o and o.views and views.of(o.views)
end

-- Scores the whole set. o: views (views.lua), over which each item's logits are averaged. Returns loss, finite (whether
-- the loss is), accuracy, n, and outcomes per item.
function M.evaluate(self, o)
  local list = check(self, o)
  local out = new_outcomes(self, #self.options.data.labels)
  self.args.version, self.args.epoch = answers.next_version(), 0
  if list then with_views(self, out, list) else once(self, out) end
  return finished(out)
end

return M
