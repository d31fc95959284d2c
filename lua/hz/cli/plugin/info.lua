-- info.lua: hz plugin info NAME: what about.lua says of a codec.
local about = require 'hz.codec.about'
local json = require 'hz.base.json'
local visible = require 'hz.base.visible'.line

return function(name, o)
  if o.json then
    local fields = about.fields(name)
    json.array(fields.params)
    print(visible(json.encode(fields)))
  else
    print(about.text(name))
  end
  return 0
end
