-- Codecs written in Lua: what they are given, how they stand beside those in C, and that nothing they do wrong is worse
-- than an error.
local t = ...
local ffi = require 'ffi'
local tensor = require 'hz.tensor.tensor'

-- Runs Lua with the codecs of some folders.
local function run(folders, code)
  return t.sh(('HZ_PLUGIN_PATH=%s %s -e %s'):format(folders, t.quote(t.hz), t.quote(code)))
end

-- What code prints that has the codec odd_lua as `odd`, and images as `one` (2,3,3) and `set` (40,2,3,3).
local function odd(code)
  local d = t.folder()
  t.sh(('cp test/plugins/odd.lua %s/'):format(d))
  local status, out, err = run(d, ([[local odd = hz.codec.odd_lua
    local set = (hz.rand { 40, 2, 3, 3 } * 255):to 'u8'
    local one = set[1]
    %s]]):format(code))
  t.equal(status, 0, err)
  return out, err
end

t.case('a codec in Lua: values by name, sets, chains, a fingerprint by its file', function()
  local out, err = odd [[local codec = odd { level = 3, weights = { 4, 5, 6 }, on = false }
    print(codec.text)
    local bytes, account = codec:encode(one)
    print(#bytes, account.container, account.payload, codec:decode(bytes):ne(one):sum())
    local back, sum = codec:recode(set, { threads = 8 })
    print(back:ne(set):sum(), sum.bytes_payload, sum.bytes_container, sum.psnr)
    print(select(2, hz.codec['odd_lua|png']():recode(set)).bytes_payload > 0)
    print(codec.fingerprint)
    print(odd { encode = 'plain' }:encode(one) == bytes, select(2, odd { encode = 'plain' }:encode(one)).payload)]]
  local lines = {}
  for line in out:gmatch '[^\n]+' do lines[#lines + 1] = line end
  t.equal(lines[1], 'create=well;encode=well;decode=well;weights=4,5,6;on=false;level=3')
  t.equal(lines[2], '21\t3\t18\t0')
  t.equal(lines[3], '0\t18\t3\tnil')
  t.equal(lines[4], 'true')
  t.match(lines[5], '^odd_lua 1 %(hz%.codec/0%.1, LuaJIT [^,]+, file %x+%)$')
  t.equal(lines[6], 'true\t21')
  t.equal(err, '')
end)

t.case('a codec in Lua in a sweep: its cells by its file, and what is slow is said once', function()
  local d = t.folder()
  local function sweep()
    return t.sh(('HZ_CACHE=%s/cache HZ_RUNS=%s/runs HZ_PLUGIN_PATH=plugins/skeleton_lua %s experiments/cifar_sweep.lua '
      .. 'codec=skeleton_lua bits=2,8 data=camera preset=quick seed=1 epochs=1 train=60 test=30'):format(d, d,
      t.quote(t.hz)))
  end
  local status, out, err = sweep()
  t.equal(status, 0, err)
  t.equal(select(2, err:gsub('skeleton_lua is written in Lua: it recodes on one thread, slower than C', '')), 1)
  t.match(out, '\n *skeleton_lua bits=8 ')
  status, out, err = sweep()
  t.equal(status, 0, err)
  t.ok(not err:find 'slower than C', err)
end)

t.case('a codec in Lua: mistakes are errors with their line, alone and in a set', function()
  local out = odd [==[for _, row in ipairs { { 'create', 'fails', 'none' },
      { 'encode', 'fails', 'throws', 'indexes', 'yields', 'calls', 'none', 'number', 'empty', 'text', 'short',
        'unknown', 'pairs', 'negative' },
      { 'decode', 'fails', 'indexes', 'yields', 'none', 'number', 'floats', 'flat', 'another' } } do
      for i = 2, #row do
        local ok, alone = pcall(function()
          local codec = odd { [row[1]] = row[i] }
          codec:decode((codec:encode(one)))
          if row[i] == 'another' then error('decoded to', 0) end
        end)
        local also, all = pcall(function() return (odd { [row[1]] = row[i] }):recode(set) end)
        print(row[1] .. ' ' .. row[i], ok, also, (tostring(alone):gsub('\n', ' ')), (tostring(all):gsub('\n', ' ')))
      end
    end
    print('alive', odd():decode((odd():encode(one))):ne(one):sum())]==]
  local said = {}
  for line in out:gmatch '[^\n]+' do
    local name, ok, also, alone, all = line:match '^([^\t]+)\t(%w+)\t?(%w*)\t?([^\t]*)\t?(.*)$'
    if name ~= 'alive' then t.equal({ ok, also }, { 'false', 'false' }, line) end
    said[name] = { alone, all }
  end
  for name, part in pairs {
    ['create fails'] = 'odd_lua: it rains; needs sun', ['create none'] = 'create returned nil; needs what',
    ['encode fails'] = 'odd_lua: it rains; needs sun', ['encode throws'] = 'odd_lua: table: ',
    ['encode indexes'] = "odd.lua:9: attempt to index field 'none'", ['encode yields'] = 'odd.lua:10: attempt to yield',
    ['encode calls'] = 'odd.lua:12: matmul: ', ['encode none'] = 'odd.lua:17: encode returned nil; needs a string',
    ['encode number'] = 'encode returned 5; needs a string', ['encode empty'] = "encode returned ''; needs a string",
    ['encode text'] = "encode names parts by 'payload'; needs a list", ['encode short'] = 'its account names 17 bytes',
    ['encode unknown'] = "encode's part 1 is {'rest', 18}; needs payload, tables or container",
    ['encode pairs'] = 'its account names 0 bytes', ['encode negative'] = "encode's part 1 is {'payload', -1}",
    ['decode fails'] = 'it rains; needs sun', ['decode indexes'] = 'attempt to index', ['decode yields'] = 'yield',
    ['decode none'] = 'odd.lua:30: decode returned nil; needs a tensor of u8', ['decode number'] = 'returned number',
    ['decode floats'] = 'decode returned a tensor f32 (4,4); needs a tensor of u8',
    ['decode flat'] = 'decode returned a tensor u8 (4)', ['decode another'] = 'decoded to',
  } do
    t.ok(said[name] and said[name][1]:find(part, 1, true), ('%s: %s'):format(name, said[name] and said[name][1]))
    t.ok(said[name][2]:find(part, 1, true), ('%s in a set: %s'):format(name, said[name][2]))
    t.ok(name:find '^create' or said[name][2]:find('recode: image 0 of 40: odd_lua: ', 1, true), said[name][2])
  end
  t.match(out, '\nalive\t0\n$')
end)

t.case('files that are no codec in Lua are skipped, each with its reason', function()
  local d = t.folder()
  local head, good = '-- hz.codec/1\n', "return {name='%s', version='1', about='x', kind='image', encode=print, %s}"
  for name, row in pairs {
    syntax = { head .. 'return {', '/syntax.lua:2: unexpected symbol' },
    raises = { head .. 'error "rain"', '/raises.lua:2: rain' },
    number = { head .. 'return 5', 'number.lua: it returns number; needs a table' },
    nothing = { head, 'nothing.lua: it returns nil; needs a table' },
    kind = { head .. good:format('a', 'decode=print'):gsub("'image'", "'video'"), "kind is 'video'; needs 'image' or" },
    name = { head .. good:format('a b', 'decode=print'), "name is 'a b'; needs at most 31 letters" },
    params = { head .. good:format('a', 'decode=print, params="x"'), "parameter 'x': no 'name:type'" },
    field = { head .. good:format('a', 'decode=print, parms=""'), "'parms' is unknown, did you mean 'params'" },
    lacks = { head .. good:format('a', 'encode=print'), 'decode is nil; needs a function' },
    channels = { head .. good:format('a', 'decode=print, channels={0}'), 'channels[1] is 0; needs a whole number of' },
    rates = { head .. good:format('a', 'decode=print, rates={8000}'), 'a codec of images has rates or timing' },
    script = { 'print "never"', 'is no plugin: its first line does not name hz.codec/1' },
  } do
    t.write(('%s/%s.lua'):format(d, name), row[1])
    local status, out, err = t.sh(('HZ_PLUGIN_PATH=%s %s plugin list'):format(d, t.quote(t.hz)))
    t.equal({ status, err }, { 0, '' }, name)
    local text = out:gsub('\n +', ' ')
    t.ok(text:find(('skipped  %s/%s.lua '):format(d, name), 1, true), text)
    t.ok(text:find(row[2], 1, true), name .. ': ' .. text)
    t.ok(not out:find 'never', out)
    os.remove(('%s/%s.lua'):format(d, name))
  end
end)

t.case('a codec of sounds in Lua comes back in time, and its delay is cut', function()
  local d = t.folder()
  t.write(d .. '/late.lua', [[-- hz.codec/1
    local hz, ffi = require 'hz', require 'ffi'
    return { name = 'late', version = '1', about = 'comes 10 frames late', kind = 'audio', rates = { 8000, 16000 },
      encode = function(_, sound, rate) return ('%d %d '):format(rate, sound:size(2)) ..
        ffi.string(sound:pointer(), 4 * sound:count()) end,
      decode = function(_, bytes)
        local rate, channels, at = bytes:match '^(%d+) (%d+) ()'
        channels = tonumber(channels)
        local frames = (#bytes - at + 1) / 4 / channels
        local sound = hz.zeros { 10 + frames + 5, channels }
        ffi.copy(sound:pointer() + 10 * channels, bytes:sub(at), #bytes - at + 1)
        return sound, tonumber(rate)
      end,
      timing = function(_, rate) return 10, 5 end }]])
  local _, out, err = run(d, [[local s = hz.rand { 100, 2 }
    local c = hz.codec.late()
    local back, rate = c:decode((c:encode(s, { rate = 8000 })))
    print(back:size(1), rate, back:ne(s):sum())
    print((c:recode(hz.rand { 4, 100 }, { rate = 11025 })):size(2))]])
  t.equal(err, '')
  t.match(out, '^100\t8000\t0\n')
  for _, row in ipairs(require 'hz.codec.plugins'.list()) do
    if row.kind == 'resampler' then t.match(out, '\n100\n$') end
  end
end)

t.case('a stage in Lua: what goes forward, and back', function()
  local d = t.folder()
  t.write(d .. '/pad.lua', [[-- hz.codec/1
    local hz, ffi = require 'hz', require 'ffi'
    local function cut(image, h, w) return image:slice(1, 1, h):slice(2, 1, w):contiguous() end
    return { name = 'pad', version = '1', about = 'adds rows and columns', kind = 'image', params = 'by:int=8[1..99]',
      encode = function() error('it is no last stage', 0) end, decode = function() error('nor this', 0) end,
      forward = function(self, image)
        local size = image:size()
        local more = hz.zeros({ size[1] + self.by, size[2] + self.by, size[3] }, 'u8')
        more:slice(1, 1, size[1]):slice(2, 1, size[2]):copy(image)
        if self.by == 99 then return 5 end
        return more
      end,
      back = function(_, image, original) return cut(image, original.height, original.width) end }]])
  t.write(d .. '/half.lua', [[-- hz.codec/1
    return { name = 'half', version = '1', about = 'x', kind = 'image', encode = print, decode = print,
      back = print }]])
  local status, out, err = run(d, [[local set = (hz.rand { 5, 16, 24, 3 } * 255):to 'u8'
    local back, account = hz.codec['pad:4|png']():recode(set)
    print(back:ne(set):sum(), account.bytes_container > 0)
    print(pcall(function() return hz.codec['pad:99|png']():recode(set) end))
    print(pcall(function() return hz.codec.pad():recode(set) end))]])
  t.equal(status, 0, err)
  t.match(out, '^0\ttrue\nfalse\t[^\n]*pad:99: [^\n]*/pad%.lua:6: forward returned number; needs a tensor')
  t.match(out, 'pad: it is no last stage\n$')
  local _, listed = t.sh(('HZ_PLUGIN_PATH=%s %s plugin list'):format(d, t.quote(t.hz)))
  t.match(listed, 'half%.lua\n +half%.lua: it has back and no forward')
end)

t.case('Ctrl-C ends a codec in Lua that does not return, and the prompt goes on', function()
  local d = t.folder()
  t.sh(('cp test/plugins/odd.lua %s/'):format(d))
  local s = t.terminal(('HZ_PLUGIN_PATH=%s HZ_HISTORY= %s'):format(d, t.hz))
  s.expect('> ', 20)
  s.send("one = hz.zeros({4, 4, 3}, 'u8')\r")
  s.expect('> ', 20)
  s.send("hz.codec.odd_lua{encode='loops'}:encode(one)\r")
  os.execute 'sleep 1'
  s.send '\3'
  s.expect('interrupted', 20)
  s.send "print(#hz.codec.odd_lua():encode(one), 6 * 7)\r"
  s.expect('51\t42', 20)
  s.send '\4'
  t.equal(s.finish(), 0)
end)

t.case('many calls of a codec in Lua from compiled code, while memory is collected', function()
  local out = odd [[local codec, n = odd(), 0
    for i = 1, 20000 do
      n = n + #codec:encode(one)
      if i % 100 == 0 then odd { level = i / 100 % 10 } end
    end
    codec = nil
    collectgarbage()
    collectgarbage()
    print(n)]]
  t.equal(out, 20000 * 21 .. '\n')
end)
