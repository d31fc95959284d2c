-- answers.lua: plans run, and their numbers, which a device may answer late. They are asked for in turns, so that a
-- batch can be asked for before the answers of the one before it are needed.
local c = require 'hz.c'
local ffi, C = c.ffi, c.C

local M = {}

-- Every run of an evaluation, and every training step, has a version of its own: kernels pack their weights anew.
local version = 0
function M.next_version() version = (version + 1) % 2 ^ 32; return version end

-- Nodes from..to-1 of a plan (to = -1: the end), as its args say.
function M.run(self, from, to)
  if from < self.forward_nodes then self.asked = false end
  c.check(C.hz_plan_run(self.handle, from, to, self.args), self.net.who .. ': ')
end

local LOSS, CORRECT, PROBS, PER_TURN = 0, 1, 2, 3
M.LOSS, M.CORRECT, M.PROBS, M.PER_TURN = LOSS, CORRECT, PROBS, PER_TURN
local values = { [LOSS] = 'loss', [CORRECT] = 'correct', [PROBS] = 'probs' }
local pointers = { f32 = 'const float *', f64 = 'const double *', i32 = 'const int32_t *' }

-- rows: of an activation, -1: all.
function M.ask(self, turn, number, rows)
  c.check(C.hz_plan_ask(self.handle, PER_TURN * turn + number, self.values[values[number]], rows),
    self.net.who .. ': ')
end

function M.answer(self, turn, number)
  local p = C.hz_plan_answer(self.handle, PER_TURN * turn + number)
  if p == nil then c.fail('%s: %s', self.net.who, c.message()) end
  local dtype = C.hz_graph_value(self.graph, self.values[values[number]]).dtype
  return ffi.cast(pointers[ffi.string(C.hz_dtype_name(dtype))], p)
end

-- How many of a turn's items were classified correctly; count: its rows.
function M.hits(self, turn, count)
  local p, n = M.answer(self, turn, CORRECT), 0
  for i = 0, tonumber(count) - 1 do n = n + p[i] end
  return n
end

-- Loss and hits of the run before, once.
function M.ask_score(self, turn)
  M.ask(self, turn, LOSS, -1)
  M.ask(self, turn, CORRECT, self.args.count)
  self.asked = turn == 0
end

return M
