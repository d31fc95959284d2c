-- say.lua: a line for whoever watches, on stderr, so that it never mixes with results: say 'the index is made anew'.
return function(text) io.stderr:write('hz: ', text, '\n') end
