-- stepping.lua: training steps of a plan. On the CPU each waits for its loss. A device with memory of its own is late:
-- there a loop asks for a step as one run, and reads its loss steps later (M.new); once a loss was not finite the
-- device holds back all updates until its gate is opened again, so that counters can go back to that step.
local answers = require 'hz.net.answers'
local c = require 'hz.c'
local devices = require 'hz.net.devices'
local isa = require 'hz.isa'
local look = require 'hz.net.look'
local updates = require 'hz.net.updates'
local ffi, C = c.ffi, c.C

local M = {}

-- ---- losses that are not finite ----

-- A training step whose loss is no number; layer says where it began.
local Diverged = { __tostring = function(e) return e.message end }
function M.is_diverged(e) return isa(e, Diverged) end

local function is_finite(x) return x == x and x ~= math.huge and x ~= -math.huge end

-- A plan like this one that keeps all its memory, at the same step.
local function keeping(self)
  local o = {}
  for k, v in pairs(self.options) do o[k] = v end
  o.keep, o.optimizer = true, nil
  local kept = self.net:plan(o)
  ffi.copy(kept.args, self.args, ffi.sizeof 'hz_step')
  if not o.data then
    kept:value('x'):copy(self:value 'x')
    kept:value('labels'):copy(self:value 'labels')
  end
  return kept
end

-- Where the first number that is not finite stands; only weights and counters matter, so the step can be repeated
-- with all memory kept.
local function diagnose(self)
  for _, p in ipairs(self.net:tensors()) do      -- not the buffers: no training step reads them
    if p.trainable and p.tensor:isfinite():min() == 0 then
      return p.name:match '^(.*)%.', ("'%s' already was not finite"):format(p.name)
    end
  end
  local ok, kept = c.try(keeping, self)          -- a device may have no room for all
  if not ok then return 'loss', ('where it began cannot be told: %s'):format(kept) end
  c.check(C.hz_plan_run(kept.handle, 0, kept.forward_nodes, kept.args))
  local node = C.hz_plan_not_finite(kept.handle, kept.args.count)
  if node < -1 then c.fail('%s: %s', self.net.who, c.message()) end
  if node < 0 then return 'loss', 'the loss alone' end
  local n = C.hz_graph_node(kept.graph, node)
  return ffi.string(n.name), ('its %s was the first'):format(ffi.string(C.hz_op_name(n.op)))
end

-- Updates go on from here.
local function open_gate(self)
  c.check(C.hz_plan_gate(self.handle, self.values.loss, self.forward_nodes), self.net.who .. ': ')
end
M.open_gate = open_gate

local function diverged(self, loss)
  open_gate(self)
  local layer, how = diagnose(self)
  error(setmetatable({ epoch = self.epoch + 1, layer = layer, loss = loss, message = c.where() ..
    ("%s: epoch %d, step %d: the loss is %s; layer '%s' is not finite (%s); needs a lower rate or other data")
    :format(self.net.who, self.epoch + 1, tonumber(self.args.step) + 1, tostring(loss), layer, how) }, Diverged), 0)
end

-- ---- counters ----

-- Without data every step draws dropout's masks anew; with data an item's mask follows from its epoch.
local function begin(self)
  local s, data = self.args, self.options.data
  local total = data and #data.labels or self.batch
  s.offset, s.epoch, s.count = self.offset, data and self.epoch or self.steps, math.min(self.batch, total - self.offset)
  s.version = answers.next_version()
  if self.optimizer then updates.begin_step(self) end
end

-- The step in args is done, or asked for.
local function count(self)
  local data = self.options.data
  self.steps = self.steps + 1
  if self.optimizer then self.optimizer.steps = self.optimizer.steps + 1 end
  if data then
    self.offset = self.offset + tonumber(self.args.count)
    if self.offset >= #data.labels then self.offset, self.epoch = 0, self.epoch + 1 end
  end
end

-- Back to where `n` steps ago the one with these args began.
local function go_back(self, args, n)
  ffi.copy(self.args, args, ffi.sizeof 'hz_step')
  self.steps = self.steps - n
  if self.optimizer then self.optimizer.steps = self.optimizer.steps - n end
  if self.options.data then self.offset, self.epoch = tonumber(args.offset), tonumber(args.epoch) end
end

-- ---- a step at a time ----

local function step(self)
  begin(self)
  answers.run(self, 0, self.forward_nodes)
  answers.ask_score(self, 0)
  answers.run(self, self.forward_nodes, -1)
  local loss = answers.answer(self, 0, answers.LOSS)[0]
  if not is_finite(loss) then diverged(self, loss) end
  look.debug_step(self)
  count(self)
  return loss
end

-- f(self) as a whole: a signal waits for its end.
local function whole(f, self)
  c.defer(true)
  local ok, value = pcall(f, self)
  c.defer(false)
  if not ok then error(value, 0) end
  c.poll()
  return value
end

-- One step; returns its loss. The device itself holds back what follows a loss that is not finite, and the host reads
-- it when all is asked for.
function M.step(self) return whole(step, self) end

-- ---- steps in a loop ----

local Steps = {}
Steps.__index = Steps

-- How many steps are asked for before the first is heard of: enough that a device never waits for the host. Turn 0 is
-- that of who looks at the plan meanwhile.
local DEPTH = math.floor(C.HZ_ASKS / answers.PER_TURN) - 1

-- The steps of a training plan with data. take(loss, hits, count) is called for each in order, when its numbers are
-- known. Before anything looks at weights and counters as one, settle() waits for all.
function M.new(plan, take)
  local late = devices.is_late(plan.device) and look.level < 2
  local self = setmetatable({ plan = plan, take = take, late = late, asked = 0, heard = 0, args = {} }, Steps)
  for i = 1, late and DEPTH or 0 do self.args[i] = ffi.new 'hz_step' end
  return self
end

local function turn_of(n) return n % DEPTH + 1 end

-- Reads the numbers of the step that was asked for the longest ago.
local function hear(self)
  local plan, turn = self.plan, turn_of(self.heard)
  local args = self.args[turn]
  local loss = answers.answer(plan, turn, answers.LOSS)[0]
  if not is_finite(loss) then
    go_back(plan, args, self.asked - self.heard)
    self.asked = self.heard
    diverged(plan, loss)
  end
  self.heard = self.heard + 1
  self.take(loss, answers.hits(plan, turn, args.count), tonumber(args.count))
end

local function ask(self)
  local plan, turn = self.plan, turn_of(self.asked)
  begin(plan)
  answers.run(plan, 0, -1)
  answers.ask_score(plan, turn)
  ffi.copy(self.args[turn], plan.args, ffi.sizeof 'hz_step')
  self.asked = self.asked + 1
  count(plan)
  if self.asked - self.heard == DEPTH then hear(self) end
end

-- The next step. Where one whose loss is not finite is heard of, counters go back to it, and the error is raised.
function Steps:step()
  if self.late then return whole(ask, self) end
  local loss = M.step(self.plan)
  self.take(loss, self.plan:correct(), tonumber(self.plan.args.count))
end

-- Hears of all that was asked for.
function Steps:settle()
  while self.heard < self.asked do hear(self) end
end

return M
