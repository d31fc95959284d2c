-- codec_rates_test.lua: experiments/codec_rates.lua meets the rates that it is asked for, and tables what is exact.
local t = ...
local plugins = require 'hz.codec.plugins'

t.case('codecs at equal bits', function()
  if not plugins.has 'jpeg' or not plugins.has 'png' then t.skip 'jpeg or png is not built' end
  local command = ' experiments/codec_rates.lua data=camera images=20 codec=jpeg,png rate=0.5,1.5'
  local status, out, err = t.sh(t.quote(t.hz) .. command)
  t.equal(status, 0, err)
  for _, rate in ipairs { 0.5, 1.5 } do
    local found = 0
    for bits, file, psnr in out:gmatch '\njpeg +quality=%d+ +(%S+) +(%S+) +(%S+)' do
      if math.abs(bits - rate) < 0.15 * rate then found = found + 1 end
      t.ok(tonumber(file) > tonumber(bits) and tonumber(psnr) > 20)
    end
    t.equal(found, 1, out)
  end
  t.match(out, '\npng +%S+ +%S+ +exact\n')
end)
