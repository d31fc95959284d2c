-- quality.lua: how far decoded images are from the originals: tensors of u8, (height,width[,channels]) or sets of them.
local c = require 'hz.c'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

local function pair(who, a, b)
  for i, t in ipairs { a, b } do
    if not tensor.is(t) or t:type() ~= 'u8' then c.fail('%s: argument %d is %s; needs a tensor of u8', who, i, tensor.is(t) and t:type() or type(t)) end
  end
  if tensor.shape_text(a) ~= tensor.shape_text(b) then
    c.fail('%s: a is %s, b is %s; the shapes must agree', who, tensor.shape_text(a), tensor.shape_text(b))
  end
  return a:contiguous(), b:contiguous()
end

-- PSNR in dB of the mean squared error over everything; infinite for equal images.
function M.psnr(a, b)
  a, b = pair('psnr', a, b)
  return C.hz_psnr(tonumber(C.hz_squared_error(a:pointer 'read', b:pointer 'read', a:count())), a:count())
end

-- SSIM (Wang 2004) of an image, or of a set (images,height,width,channels): its mean, and a tensor with that of each image.
function M.ssim(a, b, threads)
  a, b = pair('ssim', a, b)
  if a.ndim == 2 then a, b = a:reshape { 1, a:size(1), a:size(2), 1 }, b:reshape { 1, a:size(1), a:size(2), 1 } end
  if a.ndim == 3 then a, b = a:reshape { 1, unpack(a:size()) }, b:reshape { 1, unpack(a:size()) } end
  if a.ndim ~= 4 or a:size(1) < 1 then c.fail('ssim: the sets are %s; needs (height,width[,channels]) or (images,height,width,channels)', tensor.shape_text(a)) end
  local out = tensor.empty({ a:size(1) }, 'f64')
  c.check(C.hz_ssim(a:pointer 'read', b:pointer 'read', a:size(1), a:size(2), a:size(3), a:size(4), out:pointer(), threads or 0))
  return out:mean(), out
end

return M
