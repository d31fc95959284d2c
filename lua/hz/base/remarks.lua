-- remarks.lua: what is odd about sets (their field remarks: texts, or nil), said on stderr before they are trained on,
-- each line once.
local say = require 'hz.base.say'

return function(sets)
  local said = {}
  for _, set in ipairs(sets) do
    for _, text in ipairs(set.remarks or {}) do
      if not said[text] then say(text) end
      said[text] = true
    end
  end
end
