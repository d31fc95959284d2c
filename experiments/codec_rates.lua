-- codec_rates.lua: what each codec of images makes of the same images at equal bits: for each rate the value of its
-- main parameter that comes nearest, found by bisection, and what it makes without loss. Bits per sample are those of
-- payload, with tables counted once per set, and of whole files. What coders of bytes make of the samples of all images
-- as one stream stands at the end.
--   hz experiments/codec_rates.lua rate=0.5,1,2 images=1000
--   hz experiments/codec_rates.lua codec=jpeg,webp data=camera
local hz = require 'hz'
local about = require 'hz.codec.about'
local at_bits = require 'hz.codec.at_bits'
local plugins = require 'hz.codec.plugins'
local tables = require 'hz.base.table'
local together = require 'hz.codec.together'

local knob = hz.args({
  about = 'Tables bits per sample and PSNR of the codecs of images at equal bits, and without loss.',
  { 'codec',  nil,           'string', 'codecs, separated by commas (default: all of images)', list = true,
    tells = about.help },
  { 'rate',   { 0.5, 1, 2 }, 'float',  'bits per sample of payload that are met', min = 0.001, max = 24, list = true },
  { 'images', 1000,          'int',    'test images, the first', min = 1 },
  { 'data',   nil,           'string', 'data set: cifar10, camera (default: cifar10 if it is found, else camera)',
    choices = { 'cifar10', 'camera' } },
}, ...)

-- ---- data ----

local name = knob.data or hz.study.found('cifar10', 'camera')
local _, test = hz.data(name, name == 'camera' and { train = 10, test = math.max(10, knob.images) } or {})
local n = math.min(knob.images, #test)
local set = test.items:slice(1, 1, n):clone()
print(('%s: %d test images of %d x %d'):format(name, n, set:size(2), set:size(3)))

-- ---- codecs ----

-- Unless they are asked for, controls are none: no library codes what they leave.
local function names()
  local list = {}
  for _, codec in ipairs(knob.codec or plugins.codecs()) do
    local about = plugins.codec(codec)
    if about.kind == 'image' and (knob.codec or about.library ~= 'none') then list[#list + 1] = codec end
  end
  return list
end

-- What the codec makes of the images: its account.
local function measure(codec, values)
  local one = hz.codec[codec](values)
  local _, account = one:recode(set)
  return account
end

-- The accounts of a codec by value of its main parameter, each computed once.
local function accounts_of(codec, parameter)
  local known = {}
  return function(v)
    known[v] = known[v] or measure(codec, { [parameter.name] = v })
    return known[v]
  end
end

local function row_of(codec, setting, a)
  return { codec, setting, ('%.3f'):format(a.bits_per_sample), ('%.3f'):format(a.bits_per_sample_file),
    a.psnr and ('%.2f'):format(a.psnr) or 'exact' }
end

local function at_rates(rows, codec, parameter)
  local account = accounts_of(codec, parameter)
  local function bits(v) return account(v).bits_per_sample end
  for _, rate in ipairs(knob.rate) do
    local v = at_bits.nearest(bits, parameter, rate)
    rows[#rows + 1] = row_of(codec, ('%s=%.4g'):format(parameter.name, v), account(v))
  end
end

-- ---- the table ----

local rows, exact = {}, {}
for _, codec in ipairs(names()) do
  local about = plugins.codec(codec)
  local main = at_bits.parameter(about)
  if about.lossless then
    exact[#exact + 1] = row_of(codec, '', measure(codec, {}))
  elseif main then
    at_rates(rows, codec, main)
  end
  for _, p in ipairs(about.params) do
    if p.name == 'lossless' and p.type == 'bool' then
      exact[#exact + 1] = row_of(codec, 'lossless=true', measure(codec, { lossless = true }))
    end
  end
end
-- All images as one stream: payload and file are one.
for _, codec in ipairs(names()) do
  if codec == 'xz' or codec == 'zstd' then
    local level = hz.codec[codec]().values.level
    local bits = ('%.3f'):format(8 * together.bytes(codec, { { items = set } }, set:count(), level) / set:count())
    exact[#exact + 1] = { codec, 'all as one', bits, bits, 'exact' }
  end
end
for _, row in ipairs(exact) do rows[#rows + 1] = row end
print(tables.text({ { 'codec', 'left' }, { 'setting', 'left' }, { 'bits' }, { 'in files' }, { 'PSNR in dB' } }, rows))
