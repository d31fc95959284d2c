-- quality.lua: how far decoded items are from the originals: images, tensors of u8 (height,width[,channels]), or
-- sounds, tensors of f32 (frames[,channels]), or sets of them.
local c = require 'hz.c'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local measure = require 'hz.codec.measure'
local media = require 'hz.codec.media'
local tensor = require 'hz.tensor.tensor'
local C = c.C

local M = {}

local function pair(who, dtype, a, b)
  local function check(i, t)
    if not tensor.is(t) or t:type() ~= dtype then
      c.fail('%s: argument %d is %s; needs a tensor of %s', who, i, tensor.is(t) and t:type() or type(t), dtype)
    end
  end
  check(1, a)
  check(2, b)
  if tensor.shape_text(a) ~= tensor.shape_text(b) then
    c.fail('%s: a is %s, b is %s; the shapes must agree', who, tensor.shape_text(a), tensor.shape_text(b))
  end
  return a:contiguous(), b:contiguous()
end

-- PSNR in dB of the mean squared error over everything; infinite for equal images.
function M.psnr(a, b)
  a, b = pair('psnr', 'u8', a, b)
  return C.hz_psnr(tonumber(C.hz_squared_error(a:pointer 'read', b:pointer 'read', a:count())), a:count())
end

-- SSIM (Wang 2004) of an image, or of a set (images,height,width,channels): its mean, and a tensor with that of each
-- image.
function M.ssim(a, b, threads)
  if threads ~= nil then need.count('ssim', 'threads', threads) end
  a, b = pair('ssim', 'u8', a, b)
  if a.ndim == 2 then a, b = a:reshape { 1, a:size(1), a:size(2), 1 }, b:reshape { 1, a:size(1), a:size(2), 1 } end
  if a.ndim == 3 then a, b = a:reshape { 1, unpack(a:size()) }, b:reshape { 1, unpack(a:size()) } end
  if a.ndim ~= 4 or a:size(1) < 1 then
    c.fail('ssim: the sets are %s; needs (height,width[,channels]) or (images,height,width,channels)',
      tensor.shape_text(a))
  end
  local out = measure.take('ssim', media.set(media.kinds.image, 'ssim', a), b, threads)
  return out:mean(), out
end

-- SNR in dB of b beside the original a, over everything; infinite for equal sounds.
function M.snr(a, b)
  a, b = pair('snr', 'f32', a, b)
  local set = media.set(media.kinds.audio, 'snr', a:reshape { 1, a:count() }, { rate = 1 })
  return C.hz_snr(measure.take('energy', set, b):sum(), measure.take('squared_error', set, b):sum())
end

return names.guard('quality', M)
