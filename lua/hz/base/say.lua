-- say.lua: a line for whoever watches, on stderr, so that it never mixes with results: say 'the index is made anew'.
local visible = require 'hz.base.visible'

return function(text) io.stderr:write('hz: ', visible.text(text), '\n') end
