-- Help on codecs: what hz.codec holds and what its codecs do. Images are u8, (height,width,channels); sounds have their
-- rate, or are f32 (frames,channels) with rate=; sets have the count in front.
local all = 'for _, make in pairs(hz.codec) do c = make(); '
local images, sounds = all .. "if c.kind == 'image' then ", all .. "if c.kind == 'audio' then "
local account = images .. "_, a = c:recode(hz.zeros({3,16,16,3}, 'u8')); "
return {
  subject = 'codec',
  { 'codec', 'hz.codec, hz.codec.NAME', 'the loaded codecs with their parameters; ? NAME shows those of one',
    'print(hz.codec)' },
  { 'codec.NAME', 'hz.codec.NAME{parameter=value, ...}',
    "a codec with these values; hz.codec['resize:16|jpeg'] encodes what resize makes of items, and undoes it",
    "c = hz.codec['resize:16|depth']{bits=3}; print(c.text, #c:encode(hz.zeros({32,32,3}, 'u8')))" },
  { 'codec:encode', 'c:encode(item, {rate=})',
    'the stream as a string, and its account: bytes, payload, tables, container, segments; rate: of a tensor of sound',
    images .. 'bytes, a = c:encode(hz.zeros({4,4,3}, "u8")); print(#bytes, a.payload) end end' },
  { 'codec:decode', 'c:decode(bytes, {frames=, rate=})',
    'the image, u8 (height,width,channels), or the sound; frames, rate: of its original, where another codec made it',
    sounds .. 'print(c:decode((c:encode(hz.sound.new(hz.zeros{4000}, 8000))))) end end' },
  { 'codec:recode', 'c:recode(set, {rate=, frames={}, threads=n, isolate=true})',
    'the set encoded and decoded on all cores, and its account: bytes, bits per sample, PSNR or SNR; isolate: in a '
    .. 'process of its own, so that a codec that crashes, hangs or exits is an error that names the item (an item may '
    .. 'take a minute, or HZ_ITEM_SECONDS)',
    images .. 'print((select(2, c:recode(hz.zeros({3,8,8,3}, "u8"))))) end end' },
  { 'codec:note', 'c:note{rate=, channels=}',
    'what a codec does to sounds of this rate beyond its values: another rate, another bitrate, a lowpass',
    sounds .. 'print(c.name, c:note{rate=44100}) end end' },
  { 'codec:race', 'codec:race(images, threads)', "seconds of recode, and of the library's plain loop over the images" },
  { 'account:payload', 'account:payload()', 'bytes of the payload of each item, a tensor of f64',
    account .. 'print(a:payload()) end end' },
  { 'account:tables', 'account:tables()', 'bytes of tables of each item, a tensor of f64',
    account .. 'print(a:tables()) end end' },
  { 'account:container', 'account:container()', 'bytes around them of each item, a tensor of f64',
    account .. 'print(a:container()) end end' },
  { 'account:squared_error', 'account:squared_error()', 'sum of squared errors of each item, a tensor of f64',
    account .. 'print(a:squared_error()) end end' },
  { 'account:ssim', 'account:ssim()', 'SSIM of each image, a tensor of f64',
    account .. 'print(a:ssim()) end end' },
  { 'account:energy', 'account:energy()', 'sum of squares of each sound, a tensor of f64',
    sounds .. 'print(select(2, c:recode(hz.zeros{2, 4000}, {rate=8000})):energy()) end end' },
  { 'account:log_spectral_distance', 'account:log_spectral_distance()', 'of each sound in dB, a tensor of f64',
    sounds .. 'print(select(2, c:recode(hz.zeros{2, 4000}, {rate=8000})):log_spectral_distance()) end end' },
}
