-- asked.lua: asks one question in a process of its own, and makes an answer of whatever becomes of that process: an end
-- by a signal, an exit, silence and megabytes of output are findings.
local confine = require 'hz.ext.confine'
local json = require 'hz.base.json'
local visible = require 'hz.base.visible'.line

local M = {}

local signals = { [4] = 'illegal instruction', [6] = 'abort', [7] = 'bus error', [8] = 'arithmetic error',
  [9] = 'killed', [11] = 'segmentation fault', [13] = 'broken pipe', [14] = 'alarm', [15] = 'terminated',
  [24] = 'processor time', [25] = 'file size', [31] = 'bad system call' }

local PRINTED = 120                -- bytes of what it printed that are shown

-- The beginning of what was printed, in one line.
function M.beginning(output)
  local text = output:gsub('%s*\n%s*', '; '):gsub('^; ', ''):gsub('; $', '')
  return visible(#text > PRINTED and text:sub(1, PRINTED) .. '..' or text)
end

-- What became of it.
local function ending(run, heard)
  if run.late then return ('hangs: nothing for %g s, then killed'):format(run.patience) end
  if run.flood then return ('prints more than %d MB, then killed'):format(confine.FLOOD / 2 ^ 20) end
  if not run.signal then return ('ends the process with status %d; needs to return'):format(run.status) end
  local why = heard.guard or #run.output > 0 and M.beginning(run.output)
  local name = signals[run.signal] or 'of the system'
  return ('ends by signal %d (%s)%s'):format(run.signal, name, why and ': ' .. why or '')
end

-- Fills in heard.at, .guard, .head, .answer.
local function listener(heard)
  return function(line)
    local what, text = line:match '^(%l+) (.*)$'
    if what == 'head' or what == 'answer' then
      local ok, value = pcall(json.decode, text)
      heard[what] = ok and value or nil
    elseif what then
      heard[what] = text
    end
  end
end

-- One run of it: { ok, finding, remark, value, unasked, stop, seconds, printed, output, head }; what, during: two
-- parts of the finding of one that did not end well.
local function once(self, row, set)
  for key, value in pairs(row.set or {}) do set[key] = value end
  local heard, command = {}, { 'hz', 'plugin', 'check', self.word }
  for key, text in pairs(self.given) do command[#command + 1] = key .. '=' .. text end
  set.HZ_CHECK = row[1]
  local run = confine.run('/proc/self/exe', command, set, self.patience, listener(heard))
  run.patience = self.patience
  local good = heard.answer and run.status == 0
  local result = good and heard.answer
    or { ok = false, what = ending(run, heard), during = 'in ' .. (heard.at or 'its start') }
  result.finding = result.finding or result.what and result.what .. '; ' .. result.during
  result.seconds, result.head, result.late = run.seconds, heard.head, run.late
  if run.signal ~= 6 then result.printed, result.output = run.printed, run.output end      -- an abort says why
  return result
end

-- What is in memory that nobody has filled differs from run to run.
local function filled(byte) return { MALLOC_PERTURB_ = tostring(byte) } end

-- The first time it hangs it is given long; then it is known to.
local LATE = 2

-- self: { word, given = { key = text }, patience = seconds }. See once.
function M.ask(self, row)
  local result = once(self, row, row.twice and filled(85) or {})
  if result.late then self.patience = math.min(self.patience, LATE) end
  return result
end

-- The same question in another process; its finding where that gave another value.
function M.again(self, row, first)
  local result = once(self, row, filled(170))
  if result.ok and result.value ~= first.value then
    result.ok, result.finding = false, 'another process made other streams of the same items'
  end
  result.seconds = result.seconds + first.seconds
  return result
end

return M
