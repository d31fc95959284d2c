-- progress.lua: what a person watching sees, on stderr. A terminal gets one line that is rewritten at most ten times
-- a second; anything else gets whole lines, and only those that are worth keeping.
local c = require 'hz.c'
local file = require 'hz.base.file'
local posix = require 'hz.ext.posix'
local visible = require 'hz.base.visible'

local M, Progress = { prompt = false }, {}             -- prompt: lines are typed by a person, who waits for each
Progress.__index = Progress

function M.new()
  return setmetatable({ live = file.terminal(2), last = -1, width = 0 }, Progress)
end

local function put(self, text, ending)
  local pad = math.max(0, self.width - #text)
  io.stderr:write(self.live and '\r' or '', text, self.live and (' '):rep(pad) or '', ending)
  io.stderr:flush()
  self.width = ending == '' and #text or 0
end

-- A passing state; text may be a function, called only when the line is drawn.
function Progress:show(text)
  local now = c.C.hz_seconds()
  if not self.live or now - self.last < 0.1 then return end
  self.last = now
  text = visible.line(type(text) == 'function' and text() or text)
  local columns = posix.columns(2)      -- a line that wraps could not be rewritten
  if columns and #text >= columns then text = text:sub(1, columns - 1):gsub('[\194-\244][\128-\191]*$', '') end
  put(self, text, '')
end

-- A line that stays.
function Progress:line(text) put(self, visible.text(text), '\n') end

-- Removes the passing state.
function Progress:clear()
  if self.live and self.width > 0 then
    put(self, '', '')
    io.stderr:write '\r'
    self.width = 0
  end
end

-- "1:02:03" or "2:03"
function M.duration(seconds)
  local s = math.floor(math.max(0, seconds) + 0.5)
  if s >= 3600 then return ('%d:%02d:%02d'):format(s / 3600, s / 60 % 60, s % 60) end
  return ('%d:%02d'):format(s / 60, s % 60)
end

return M
