-- items.lua: pictures and sounds that codecs are tried with: rows { item = tensor, options = of encode, called = text}.
-- Neighbours are alike, channels are neither the same nor strangers, and another seed is another content.
local tensor = require 'hz.tensor.tensor'

local M = {}

local function random(state) return (state * 16807) % 2147483647 end

-- (height,width,channels) u8: waves, each channel a little off the others, and some noise.
local function picture(h, w, channels, seed)
  local t = tensor.empty({ h, w, channels }, 'u8')
  local p, state, i = t:pointer(), random(seed + 11), 0
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      local base = 126 + 60 * math.sin(x * 0.19 + seed) * math.cos(y * 0.13 + 0.7 * seed)
        + 20 * math.sin(0.05 * (x - y))
      for k = 0, channels - 1 do
        state = random(state)
        p[i] = base + 18 * math.sin(0.11 * x + 2.1 * k + seed) + 10 * k + state % 9
        i = i + 1
      end
    end
  end
  return t
end

-- (frames,channels) f32 of 16 bits: noise that gets less with frequency, another one in each channel, and a tone of so
-- much.
local function sound(frames, channels, seed, tone)
  local t = tensor.empty({ frames, channels }, 'f32')
  local p = t:pointer()
  for k = 0, channels - 1 do
    local state, low = random(seed + 100 * k + 1), 0
    for i = k, frames * channels - 1, channels do
      state = random(state)
      low = 0.8 * low + 0.36 * (state / 2147483647 - 0.5)
      p[i] = math.floor(32768 * (low + tone * math.sin(0.03 * (1 + 0.4 * k) * (i - k) / channels + seed))) / 32768
    end
  end
  return t
end

function M.picture(h, w, channels, seed)
  return { item = picture(h, w, channels, seed), called = ('(%d,%d,%d)'):format(h, w, channels) }
end

function M.sound(frames, channels, rate, seed)
  return { item = sound(frames, channels, seed, 0.25), options = { rate = rate },
    called = ('(%d,%d) at %d Hz'):format(frames, channels, rate) }
end

-- A sound that is like itself at no other time.
function M.noise(frames, channels, rate, seed)
  local row = M.sound(frames, channels, rate, seed)
  row.item = sound(frames, channels, seed, 0)
  return row
end

-- By kind: what an item is called; the usual one, of so many channels at a rate; a small and a large one of like
-- content; a short one, of which many are done in no time.
M.kinds = {
  image = {
    name = 'picture',
    usual = function(channels, _, seed) return M.picture(48, 40, channels, seed) end,
    small = function(channels) return M.picture(32, 32, channels, 3) end,
    large = function(channels) return M.picture(128, 128, channels, 3) end,
    short = function(channels, _, seed) return M.picture(16, 20, channels, seed) end,
  },
  audio = {
    name = 'sound',
    usual = function(channels, rate, seed) return M.sound(4001, channels, rate, seed) end,
    small = function(channels, rate) return M.sound(math.ceil(rate / 8), channels, rate, 3) end,
    large = function(channels, rate) return M.sound(2 * rate, channels, rate, 3) end,
    short = function(channels, rate, seed) return M.sound(800, channels, rate, seed) end,
  },
}

-- Names of many items: '18 pictures'.
function M.count(n, kind) return ('%d %s%s'):format(n, M.kinds[kind].name, n == 1 and '' or 's') end

return M
