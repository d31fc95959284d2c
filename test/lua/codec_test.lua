-- codec_test.lua: hz.codec at the prompt: streams and pixels equal to cjpeg's and djpeg's, accounts, messages,
-- printing, hz plugin.
local t = ...
local plugins = require 'hz.codec.plugins'
local codec = require 'hz.codec.codec'
local quality = require 'hz.codec.quality'
local tensor = require 'hz.tensor.tensor'

local function need(name)
  if not plugins.has(name) then t.skip('%s: its library is not installed', name) end
  return codec[name]
end

-- Smooth with edges and noise: (height,width,channels) u8.
local function picture(h, w, channels, seed)
  local image = tensor.empty({ h, w, channels }, 'u8')
  local p, state, at = image:pointer(), seed, 0
  for y = 0, h - 1 do
    for x = 0, w - 1 do
      for k = 0, channels - 1 do
        state = (state * 16807) % 2147483647
        p[at] = 60 + (x > y and 70 or 0) + (x * 3 + y * 2 + k * 20) % 80 + state % 24
        at = at + 1
      end
    end
  end
  return image
end

local function bytes_of(image) return require 'ffi'.string(image:pointer 'read', image:count()) end

local function pnm(image)
  return ('P%d\n%d %d\n255\n'):format(image:size(3) == 3 and 6 or 5, image:size(2), image:size(1)) .. bytes_of(image)
end

local variants = {
  { {}, '' },
  { { quality = 10 }, '-quality 10' },
  { { quality = 1 }, '-quality 1' },
  { { quality = 100, subsampling = '444' }, '-quality 100 -sample 1x1' },
  { { quality = 50, subsampling = '422', optimize = true }, '-quality 50 -sample 2x1 -optimize' },
  { { quality = 25, progressive = true }, '-quality 25 -progressive' },
  { { quality = 90, dct = 'ifast' }, '-quality 90 -dct fast' },
  { { quality = 30, restart = 2 }, '-quality 30 -restart 2B' },
  { { quality = 60, arithmetic = true }, '-quality 60 -arithmetic' },
}
local sizes = { { 32, 32 }, { 1, 1 }, { 7, 13 }, { 33, 17 }, { 64, 40 } }

local function djpeg_options(values) return values.dct == 'ifast' and '-dct fast' or '' end

for _, v in ipairs(variants) do
  t.case('jpeg is cjpeg | djpeg: ' .. (v[2] == '' and 'defaults' or v[2]), function()
    local jpeg = need 'jpeg'
    for _, tool in ipairs { 'cjpeg', 'djpeg' } do
      if not t.tool(tool) then t.skip('%s is not installed (libjpeg-turbo-progs)', tool) end
    end
    local d, x = t.folder(), jpeg(v[1])
    for _, size in ipairs(sizes) do
      for _, channels in ipairs { 1, 3 } do
        local image = picture(size[1], size[2], channels, 7)
        t.write(d .. '/in.pnm', pnm(image))
        -- Pillow and hz keep quantisers within 8 bits; cjpeg does so with -baseline.
        -- cjpeg writes -sample into the header of grey images, too, where it means nothing.
        local options = channels == 3 and v[2] or v[2]:gsub('%-sample %S+', '')
        t.equal((t.sh(('cjpeg -baseline %s -outfile %s/a.jpg %s/in.pnm'):format(options, d, d))), 0, 'cjpeg')
        t.equal((t.sh(('djpeg -pnm %s -outfile %s/out.pnm %s/a.jpg'):format(djpeg_options(v[1]), d, d))), 0, 'djpeg')
        local stream = x:encode(image)
        t.ok(stream == t.read(d .. '/a.jpg'), ('stream of (%d,%d,%d)'):format(size[1], size[2], channels))
        t.ok(pnm(x:decode(stream)) == t.read(d .. '/out.pnm'),
          ('pixels of (%d,%d,%d)'):format(size[1], size[2], channels))
      end
    end
  end)
end

-- Tables as cjpeg reads them from a file; at quality 50 it scales them by 1.
t.case('jpeg with quantisers of its own is cjpeg -qtables', function()
  local jpeg = need 'jpeg'
  if not t.tool 'cjpeg' then t.skip 'cjpeg is not installed (libjpeg-turbo-progs)' end
  local d, luma, chroma = t.folder(), {}, {}
  for i = 1, 64 do luma[i], chroma[i] = i % 7 + i, math.min(255, 300 - 3 * i) end
  t.write(d .. '/q.txt', table.concat(luma, ' ') .. '\n' .. table.concat(chroma, ' ') .. '\n')
  local x = jpeg { quality = 30, luma = luma, chroma = chroma }
  for _, channels in ipairs { 1, 3 } do
    local image = picture(33, 17, channels, 7)
    t.write(d .. '/in.pnm', pnm(image))
    t.equal((t.sh(('cjpeg -quality 50 -qtables %s/q.txt %s -outfile %s/a.jpg %s/in.pnm'):format(d,
      channels == 3 and '-qslots 0,1,1' or '', d, d))), 0, 'cjpeg')
    local stream, a = x:encode(image)
    t.ok(stream == t.read(d .. '/a.jpg'), channels .. ' channels')
    t.equal(a.tables, channels == 3 and 570 or 285)
  end
  t.equal({ x.values.luma, x.values.chroma }, { luma, chroma })
  t.ok(tostring(x):find 'jpeg{quality=30, luma=2,4,6,...,65, chroma=255,255,255,...,108}')
end)

t.case('a quantiser of 0 is that of the quality', function()
  local jpeg = need 'jpeg'
  local image, zeros, one = picture(32, 32, 3, 7), {}, {}
  for i = 1, 64 do zeros[i], one[i] = 0, i == 64 and 1 or 0 end
  local plain, same, other = jpeg { quality = 10 }, jpeg { quality = 10, luma = zeros },
    jpeg { quality = 10, luma = one }
  t.equal({ same.text, #same.values.luma }, { plain.text, 64 })
  t.ok(same:encode(image) == plain:encode(image))
  local a, b = plain:encode(image), other:encode(image)
  t.ok(a ~= b, 'the last quantiser is another')
  t.equal(tostring(other):match 'jpeg{.-}', 'jpeg{quality=10, luma=0,0,0,...,1}')
  t.raises('luma has 2 numbers; needs 64', jpeg, { luma = { 1, 2 } })
  t.raises('luma is 256; needs 0..255', jpeg, { luma = { 256 } })
end)

t.case('the account of an image adds up', function()
  local x = need 'jpeg' { quality = 10 }
  local bytes, a = x:encode(picture(32, 32, 3, 1))
  t.equal(a.bytes, #bytes)
  t.equal(a.payload + a.tables + a.container, #bytes)
  t.equal(a.tables, 570)
  local at, n = 0, 0
  for _, s in ipairs(a.segments) do
    t.equal(s.offset, at)
    at = at + s.bytes
    n = n + (s.part == 'tables' and 1 or 0)
  end
  t.equal(at, #bytes)
  t.equal(n, 6)
end)

t.case('grey images may have two dimensions', function()
  local x = need 'png' ()
  local image = picture(9, 5, 1, 3)
  t.equal(x:encode(image), x:encode(image:reshape { 9, 5 }))
  t.equal(x:decode(x:encode(image)):size(), { 9, 5, 1 })
end)

t.case('a view is encoded as what it shows', function()
  local x = need 'png' ()
  local image = picture(9, 8, 3, 3)
  local view = image:slice(2, 1, 8, 2)
  t.ok(bytes_of(x:decode(x:encode(view))) == bytes_of(view:clone()))
end)

local function set_of(n)
  local set = tensor.empty({ n, 32, 32, 3 }, 'u8')
  for i = 1, n do set[i] = picture(32, 32, 3, i) end
  return set
end

t.case('a recoded set: means per file, tables once for the set, PSNR', function()
  local x = need 'jpeg' { quality = 40 }
  local set, n = set_of(70), 70
  local decoded, a = x:recode(set, { threads = 2 })
  local payload, error2 = 0, 0
  for i = 1, n do
    local stream, one = x:encode(set[i])
    payload = payload + one.payload
    t.ok(bytes_of(x:decode(stream)) == bytes_of(decoded[i]:clone()), 'image ' .. i)
    local d = set[i]:to 'f64' - decoded[i]:to 'f64'
    error2 = error2 + (d * d):sum()
  end
  t.equal(a.bytes_tables, 570)
  t.equal(a.tables_once, 570)
  t.equal(a.tables_distinct, 6)
  t.near(a.bytes_payload, payload / n, 1e-9)
  t.equal(a:payload():sum(), payload)
  t.near(a.bits_per_sample, 8 * (payload + 570) / (n * 3072), 1e-9)
  t.near(a.bits_per_sample_file, 8 * (payload / n + a.bytes_tables + a.bytes_container) / 3072, 1e-9)
  t.equal(a:squared_error():sum(), error2)
  t.near(a.psnr, 10 * math.log(255 ^ 2 * n * 3072 / error2) / math.log(10), 1e-9)
  t.near(quality.psnr(set, decoded), a.psnr, 1e-9)
  t.match(tostring(a), '^70 images: ')
end)

t.case('a lossless set is exact', function()
  local set = set_of(40)
  local decoded, a = need 'png' ():recode(set)
  t.equal(a.psnr, nil)
  t.equal(decoded:ne(set):sum(), 0)
  local mean, each = quality.ssim(set, decoded)
  t.equal(mean, 1)
  t.equal(each:size(), { 40 })
end)

t.case('mistakes are messages', function()
  t.raises("codec: 'tta' is not loaded; have ", function() return codec.tta end)
  local jpeg = need 'jpeg'
  t.raises('jpeg: quality is 150; needs 1..100', jpeg, { quality = 150 })
  t.raises("jpeg: 'qualty' is no parameter, did you mean 'quality'; has quality", jpeg, { qualty = 5 })
  t.raises('jpeg: the value 5 has no name', jpeg, { 5 })
  t.raises('jpeg: number was given', jpeg, 5)
  t.raises('jpeg: quality is function; needs a number', jpeg, { quality = print })
  t.raises("jpeg: quality is '1;dct=float'; needs", jpeg, { quality = '1;dct=float' })
  local x = jpeg()
  t.raises('jpeg: string was given; needs a tensor', x.encode, x, 'picture')
  t.raises('jpeg: the tensor is f32; needs u8', x.encode, x, tensor.zeros { 4, 4 })
  t.raises('jpeg: the tensor is (4); needs (height,width)', x.encode, x, tensor.zeros({ 4 }, 'u8'))
  t.raises('jpeg: the item has 2 channels; needs 1 or 3', x.encode, x, tensor.zeros({ 4, 4, 2 }, 'u8'))
  t.raises('jpeg: the set is (0,4,4,3)', x.recode, x, tensor.zeros({ 0, 4, 4, 3 }, 'u8'))
  t.raises('jpeg: libjpeg says: Not a JPEG file', x.decode, x, 'this is no stream')
  t.raises('jpeg: the stream has 0 bytes', x.decode, x, '')
  t.raises('jpeg: libjpeg says: Premature end', x.decode, x, x:encode(picture(8, 8, 3, 1)):sub(1, -9))
  t.raises('psnr: a is (2,2), b is (2,3)', quality.psnr, tensor.zeros({ 2, 2 }, 'u8'), tensor.zeros({ 2, 3 }, 'u8'))
end)

t.case('values, text and printing', function()
  local x = need 'jpeg' { quality = 10, optimize = true }
  t.equal(x.values.quality, 10)
  t.equal(x.values.optimize, true)
  t.equal(x.values.subsampling, '420')
  t.match(x.text, '^quality=10;subsampling=420;optimize=true;')
  t.match(x.fingerprint, '^jpeg 1 %(hz%.codec/0%.%d+, libjpeg')
  t.match(tostring(x), '^jpeg{quality=10, optimize=true}  libjpeg')
  t.match(tostring(codec.jpeg), '\n  quality .* 75 .* 1%.%.100')
  t.match(tostring(codec), 'jpeg')
  local help = require 'hz.cli.prompt.help'
  t.equal(help.text('jpeg'):sub(1, #tostring(codec.jpeg)), tostring(codec.jpeg))
  t.equal(help.text 'hz.codec.jpeg', help.text 'jpeg')
end)

-- ---- hz plugin ----

t.case('hz plugin list and info', function()
  need 'png'
  local status, out = t.run 'plugin list'
  t.equal(status, 0)
  t.match(out, '\npng +image +1 +libpng [^\n]*\n  /[^\n]*/png%.so\n')
  status, out = t.run 'plugin info png'
  t.equal(status, 0)
  t.match(out, 'level += 9 +0%.%.9')
  t.match(out, 'plugin png 1: ')
  local d = t.folder()
  t.write(d .. '/broken.so', 'nothing')
  status, out = t.sh(('HZ_PLUGIN_PATH=%s:%s/none %s plugin list'):format(d, d, t.quote(t.hz)))
  t.equal(status, 0)
  t.match(out, 'skipped [^\n]*/broken%.so\n +is no shared object')
  t.match(out, 'skipped [^\n]*/none\n +this folder cannot be read: ')
end)

t.case('hz plugin as JSON', function()
  need 'png'
  local json = require 'hz.base.json'
  local _, out = t.run 'plugin list --json'
  t.ok(#json.decode(out) >= 1)
  _, out = t.run 'plugin info png --json'
  local about = json.decode(out)
  t.equal(about.name, 'png')
  t.equal(about.params[1].name, 'level')
  t.equal(about.params[1].standard, 9)
  t.equal(about.params[1].direction, -1)
end)

t.case('hz plugin: mistakes', function()
  for args, part in pairs {
    ['plugin'] = 'plugin: no verb was given; have list, info',
    ['plugin dance'] = "plugin: 'dance' is unknown; have list",
    ['plugin list all'] = "'all' is unknown; takes --json", ['plugin new 9'] = "the name is '9'",
    ['plugin info'] = 'plugin info: 0 names were given; needs one of ',
  } do
    local status, _, err = t.run(args)
    t.equal(status, 2, args)
    t.ok(err:find(part, 1, true), args .. ': ' .. err)
  end
  local status, _, err = t.run 'plugin info tta'
  t.equal(status, 1)
  t.match(err, "no codec 'tta' is loaded; have ")
  t.equal((t.run 'plugin --help'), 0)
end)
