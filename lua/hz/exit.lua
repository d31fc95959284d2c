-- exit.lua: ends a script with a chosen status from anywhere: an error value that lua/hz/cli/main.lua turns into
-- a message and an exit status, and that the prompt shows as a message. 0 done, 1 error, 2 usage, 3 partial sweep,
-- 75 requeue me, 130 interrupted.
local isa = require 'hz.isa'
local M = {}

local Exit = { __tostring = function(e) return e.message or 'exit ' .. e.status end }

-- Raises the end of the script; `message` (may be nil) goes to stderr, or to stdout when the status is 0.
function M.stop(status, message)
  error(setmetatable({ status = status, message = message }, Exit), 0)
end

-- A mistake in how a command or a script was called: status 2.
function M.usage(text, ...)
  if select('#', ...) > 0 then text = text:format(...) end
  M.stop(2, text)
end

function M.is(e) return isa(e, Exit) end

return M
