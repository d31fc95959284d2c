-- Help on sweeps and their results.
return {
  subject = 'sweep',
  { 'sweep', 'hz.sweep{name=, runs=, dry=, parallel=, ...}',
    'trains every cell of a table of axes, or carries on where it was stopped; parameters of the codecs are axes, too '
    .. "(subsampling={'420', '444'}; in values={...} if the sweep has a key of that name); "
    .. "see experiments/cifar_sweep.lua",
    'print(type(hz.sweep))' },
  { 'study',
    "hz.study{name=, about=, items='images', embedded={'camera', preset=}, presets=, knobs=, real=, codec=, options=}",
    "what a sweep's script needs around hz.sweep: study:settings(...) reads keys and data, study:finish(sweep) prints "
    .. 'what came out; see experiments/README.md. hz.study.rows, .found, .optimizer, .training: parts of it',
    "print(hz.study.optimizer{optimizer='sgd', schedule='cosine'})" },
  { 'results', "hz.results(id)",
    "the finished cells of a sweep (the latest without id): r:where{quality=10, subsampling='444'}, "
    .. "r:mean 'accuracy', r:column 'psnr'",
    'print(type(hz.results))' },
  { 'query', "hz.query('select quality, avg(accuracy) from cells group by quality')",
    'rows of an SQL query over the cells of all sweeps; every parameter of a codec is a column',
    'print(type(hz.query))' },
  { 'quality', 'hz.quality.psnr(a, b), hz.quality.ssim(a, b), hz.quality.snr(a, b)',
    'how far b is from a: of u8 images dB over the mean squared error, structural similarity (Wang 2004); '
    .. 'of f32 sounds dB of the signal over the error',
    'print(hz.quality.ssim(hz.zeros({16,16}, "u8"), hz.ones({16,16}, "u8")))' },
  { 'show', "hz.show(image, 'name.png')",
    'draws an image, or the first of a set, in the terminal and writes it as a PNG', "print(type(hz.show))" },
}
