-- Help on codecs: what hz.codec holds and what its codecs do. Images are u8, (height,width,channels); sets
-- have the count in front.
return {
  subject = 'codec',
  { 'codec', 'hz.codec, hz.codec.NAME', 'the loaded codecs with their parameters; ? NAME shows those of one',
    'print(hz.codec)' },
  { 'codec.NAME', 'hz.codec.NAME{parameter=value, ...}', 'a codec with these values; what is not given has its default',
    'for name, make in pairs(hz.codec) do print(make().text) end' },
  { ':encode', 'c:encode(image)',
    'the stream as a string, and its account: bytes, payload, tables, container, segments',
    'for _, make in pairs(hz.codec) do bytes, a = make():encode(hz.zeros({4,4}, "u8")); print(#bytes, a.payload) end' },
  { ':decode', 'c:decode(bytes)', 'the image in a stream, u8 (height,width,channels)',
    'for _, make in pairs(hz.codec) do c = make(); print(c:decode((c:encode(hz.zeros({4,4}, "u8"))))) end' },
  { ':recode', 'c:recode(set, {threads=n})',
    'the set encoded and decoded on all cores, and its account: bytes, bits per sample, PSNR',
    'for _, make in pairs(hz.codec) do print((select(2, make():recode(hz.zeros({3,8,8,3}, "u8"))))) end' },
}
