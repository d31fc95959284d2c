-- keys.lua: keys of the convolutions of networks, one a line, as plans for a card are found by. Arguments are
-- NET:BATCH:DTYPE; HZ_BACKEND_PATH names the folder of libhz_keys.so (keys.c). Each network is planned for training
-- and for evaluation.
local hz = require 'hz'

for _, word in ipairs(arg) do
  local name, batch, dtype = word:match '^([%w_-]+):(%d+):(%w+)$'
  if not name then error(("keys: '%s' was given; needs NET:BATCH:DTYPE"):format(word), 0) end
  local net = hz.nets[name]()
  for _, train in ipairs { true, false } do
    net:plan{batch=tonumber(batch), dtype=dtype, train=train, loss='xent', device='keys',
      optimizer=train and hz.sgd{} or nil}
  end
end
