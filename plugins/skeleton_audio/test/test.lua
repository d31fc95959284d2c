-- test.lua: what skeleton_audio promises of sounds: what comes back, and what it costs. `make check` runs it.
local hz = require 'hz'

-- A tone of 440 Hz, half a second at 8000 Hz: (frames,1) f32.
local rate = 8000
local sound = hz.empty { rate / 2, 1 }
local sample = sound:pointer()
for i = 0, rate / 2 - 1 do sample[i] = 0.5 * math.sin(2 * math.pi * 440 * i / rate) end

local codec = hz.codec.skeleton_audio()
local bytes, account = codec:encode(sound, { rate = rate })
local back, back_rate = codec:decode(bytes)

assert(account.payload + account.tables + account.container == #bytes, 'the account adds up')
assert(back:size(1) == sound:size(1) and back_rate == rate, 'the sound is as long as it was')
assert((back - sound):abs():max() <= 0.5 / 127 + 1e-6, 'no sample is off by more than half a level')

-- Fewer bits: fewer bytes.
local fine, coarse = hz.codec.skeleton_audio { bits = 16 }, hz.codec.skeleton_audio { bits = 2 }
local function cost(one) return #one:encode(sound, { rate = rate }) end
assert(cost(coarse) < cost(codec) and cost(codec) < cost(fine), 'more bits, more bytes')

print(('skeleton_audio: %d bytes for %d samples, as promised'):format(#bytes, sound:count()))
