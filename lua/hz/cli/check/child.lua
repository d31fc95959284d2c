-- child.lua: one question, in a process of its own: `hz plugin check` started by itself, with HZ_CHECK in the
-- environment. What it has to say goes to descriptor 3, in lines (confine.lua): "at ..." what it is about to do,
-- "guard ..." by guard.c, "head {...}" what is tried, "answer {...}" at the end.
local c = require 'hz.c'
local confine = require 'hz.ext.confine'
local json = require 'hz.base.json'
local questions = require 'hz.cli.check.questions'
local subject = require 'hz.cli.check.subject'
local usage = require 'hz.ext.usage'

local MOST = 2 * 2 ^ 30            -- bytes of address space beyond what hz takes

local M = {}

-- The question that this process is for; nil in one that a user started.
function M.question() return questions.named(os.getenv 'HZ_CHECK' or '') end

-- Said twice: what a plugin does when a codec is made of it may be the end.
local function head(s)
  confine.say('head ' .. json.encode { plugin = s.row.name, version = s.row.version, about = s.row.about,
    codec = s.row.codec, library = s.row.library, path = s.row.path, kind = s.kind, lossless = s.lossless,
    values = s.codec and s.codec.text, fingerprint = s.codec and s.codec.fingerprint })
end

-- { ok, finding, remark, value, unasked }
local function answer(row, word, given)
  local s = subject.new(word, given)
  head(s)
  if row.kind and row.kind ~= s.kind then
    return { ok = true, unasked = row.kind == 'audio' and 'it takes pictures' or 'it takes sounds' }
  end
  s:open()
  head(s)
  local why = row.unless and row.unless(s)
  if why then return { ok = true, unasked = why } end
  local ok, remark, value = c.try(row[2], s)
  if ok and not usage.denormal() then
    ok, remark = false, 'it makes the processor take the smallest numbers for 0, for all of hz; needs no -ffast-math'
  end
  s:at 'destroy'
  s.codec = nil
  collectgarbage()
  collectgarbage()
  return ok and { ok = true, remark = remark, value = value } or { ok = false, finding = tostring(remark) }
end

-- Asks; always ends with status 0, so that any other is the plugin's doing.
function M.run(word, given)
  local row = M.question()
  confine.follow()
  usage.limit(MOST)
  local ok, result = c.try(answer, row, word, given)
  if not ok then
    result = subject.is_stop(result) and { stop = result.stop } or { ok = false, finding = tostring(result) }
  end
  confine.say('at its end')
  confine.say('answer ' .. json.encode(result))
  return 0
end

return M
