-- Help on data sets and files.
return {
  subject = 'data',
  { 'data', "hz.data(name, {split='train' or 'test', ...})",
    'a set (items, labels, classes), or train and test without split; hz data list shows the names',
    "print(hz.data('camera', {split='test', test=10}))" },
  { 'available', 'hz.available(name)', 'whether the files of a set are here', "print(hz.available 'camera')" },
  { ':subset', 'set:subset(first, count)', 'items first .. first+count-1, in the order of content',
    "print(hz.data('camera', {split='test', test=20}):subset(1, 5))" },
  { ':split', 'set:split(count, salt)',
    'two sets: the rest and `count` items held out, drawn by the hash of the original items',
    "print(hz.data('camera', {split='test', test=20}):split(5))" },
  { 'json', 'hz.json.encode(v), hz.json.decode(text)', 'JSON, strict; equal values have equal texts',
    "print(hz.json.encode({a = {1, 2}}))" },
  { 'file', 'hz.file.read_all(path), hz.file.write(path, text), ...',
    'whole files and folders: written completely or not at all', 'print(hz.file.exists(hz.root))' },
  { 'safetensors', 'hz.safetensors.write(path, {name=tensor}, {key=text}), hz.safetensors.read(path)',
    'named tensors in a file, with a checksum; of other '
    .. 'programs F16 and F8 are read as f32, BOOL as u8, I8 I16 U16 as i32',
    "path = os.tmpname(); hz.safetensors.write(path, {t = hz.ones{2}}); "
    .. "print(hz.safetensors.read(path).t); os.remove(path)" },
  { 'is_tensor', 'hz.is_tensor(x)', 'whether x is a tensor', 'print(hz.is_tensor(hz.zeros{1}))' },
  { 'empty', "hz.empty(shape, dtype='f32')", 'a tensor of undefined contents', 'print(hz.empty{2, 3}:size())' },
  { 'visible', 'hz.visible(text)', 'text from data (names of files and classes) as it may be shown in a line: what a '
    .. 'terminal would obey is written out', "print(hz.visible 'a\\27[31mb')" },
  { 'fail', 'hz.fail(format, ...)', 'raises a message at the line of the script, without the library in between',
    "print(pcall(hz.fail, 'rate is %g; needs less', 3))" },
}
