-- estimate.lua: classical estimates of the noise in images, which know of no class and no codec: standard deviations in
-- grey values, of each channel of each image. They take the scene to be smooth, so detail counts as noise.
local ledger = require 'hz.report.noise.ledger'

local M = {}

-- p: the first sample of a channel; rows, columns; step: samples from one pixel to the next.

-- Immerkaer 1996, Fast noise variance estimation: the mean absolute answer of a mask that is blind to planes.
local function immerkaer(p, rows, columns, step)
  local sum, line = 0, columns * step
  for i = 1, rows - 2 do
    for j = 1, columns - 2 do
      local o = i * line + j * step
      local cross = p[o - line] + p[o + line] + p[o - step] + p[o + step]
      local corners = p[o - line - step] + p[o - line + step] + p[o + line - step] + p[o + line + step]
      sum = sum + math.abs(4 * p[o] - 2 * cross + corners)
    end
  end
  return math.sqrt(math.pi / 2) * sum / (6 * (rows - 2) * (columns - 2))
end

-- Donoho and Johnstone 1994: the median absolute value of the diagonal Haar band, over that of a standard normal.
local function haar(p, rows, columns, step)
  local list, line = {}, columns * step
  for i = 0, rows - 2, 2 do
    for j = 0, columns - 2, 2 do
      local o = i * line + j * step
      list[#list + 1] = math.abs(p[o] - p[o + step] - p[o + line] + p[o + line + step]) / 2
    end
  end
  table.sort(list)
  local n = #list
  return (list[math.floor((n + 1) / 2)] + list[math.floor(n / 2) + 1]) / 2 / 0.6745
end

M.methods = { { name = 'Immerkaer', f = immerkaer }, { name = 'MAD of Haar', f = haar } }

local MOST = 200                   -- images that are enough

-- Of a set of images (u8), over its first ones: the mean of what a method (a row of `methods`) says, as the standard
-- deviation and as the bits per sample of Gaussian noise of that deviation, rounded.
function M.of(set, method)
  local rows, columns, channels = unpack(set:shape())
  local items, count = set.items:contiguous(), math.min(MOST, #set.labels)
  local p, size, sigmas, entropies = items:pointer 'read', rows * columns * channels, 0, 0
  for i = 0, count - 1 do
    for k = 0, channels - 1 do
      local sigma = method.f(p + i * size + k, rows, columns, channels)
      sigmas, entropies = sigmas + sigma, entropies + ledger.entropy(sigma)
    end
  end
  return { sigma = sigmas / (count * channels), bits = entropies / (count * channels) }
end

return M
