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

t.case('coders of bytes, for each file and for all together', function()
  for _, name in ipairs { 'zstd', 'xz' } do
    if not plugins.has(name) then t.skip('%s is not built', name) end
    if not t.tool(name) then t.skip('%s is not installed', name) end
  end
  local command = ' experiments/codec_rates.lua data=camera images=20 codec=zstd,xz'
  local status, out, err = t.sh(t.quote(t.hz) .. command)
  t.equal(status, 0, err)
  local train_test = { require 'hz.data.dataset'('camera', { train = 10, test = 20 }) }
  local items = train_test[2].items:slice(1, 1, 20):clone()
  local d = t.folder()
  t.write(d .. '/raw', require 'ffi'.string(items:pointer 'read', items:count()))
  for name, options in pairs { zstd = '-19', xz = '-6' } do
    local bits, in_files = out:match('\n' .. name .. ' +(%S+) +(%S+) +exact')
    local all, same = out:match('\n' .. name .. ' +all as one +(%S+) +(%S+) +exact')
    t.ok(tonumber(in_files) > tonumber(bits))
    t.equal(all, same)
    t.equal((t.sh(('cd %s && %s -q %s < raw > packed'):format(d, name, options))), 0)
    t.near(tonumber(all), 8 * #t.read(d .. '/packed') / items:count(), 0.01, name)
  end
end)
