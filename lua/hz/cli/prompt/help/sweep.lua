-- Help on sweeps and their results.
return {
  subject = 'sweep',
  { 'sweep', 'hz.sweep{name=, runs=, dry=, parallel=, ...}',
    'trains every cell of a table of axes, or carries on where it was stopped; parameters of the codecs are axes, too '
    .. "(subsampling={'420', '444'}; in values={...} if the sweep has a key of that name); "
    .. "seed='adaptive' looks at 5, 10, 20 seeds; matrix=true tests every net on every encoding; "
    .. "isolate='auto', 'always', 'never': recode in a process of its own; "
    .. "bits={0.2, 0.5, 'raw'} in place of quality: codecs at equal bits per sample; "
    .. "device='cuda:0,cuda:1': several devices take cells each; "
    .. "see experiments/cifar_sweep.lua",
    'print(type(hz.sweep))' },
  { 'study',
    "hz.study{name=, about=, items='images', embedded={'camera', preset=}, presets=, knobs=, real=, codec=, options=}",
    "what a sweep's script needs around hz.sweep: study:settings(...) reads keys and data, study:finish(sweep) prints "
    .. 'what came out; see experiments/README.md. hz.study.rows, .found, .optimizer, .training: parts of it',
    "print(hz.study.optimizer{optimizer='sgd', schedule='cosine'})" },
  { 'study.rows', 'hz.study.rows(items)', 'a maker of rows for hz.args: row(name, default, changes)',
    "print(hz.study.rows 'images'('epochs', 5)[1])" },
  { 'study.found', 'hz.study.found(real, embedded)',
    'the name of the real set where it is found, else of the embedded one',
    "print(hz.study.found('cifar10', 'camera'))" },
  { 'study.optimizer', 'hz.study.optimizer{optimizer=, rate=, schedule=}', 'the optimiser that these keys describe',
    "print(hz.study.optimizer{optimizer='sgd', schedule='cosine'})" },
  { 'study.training', 'hz.study.training(keys)', 'the settings of one training, as hz.train takes them' },
  { 'study.data', "hz.study.data{items='sounds', real={'fsdd'}, embedded={'strings'}}",
    'the data of a script that trains once: rows of its keys, and load(keys, given) -> name, train, test',
    "print(#hz.study.data{items='sounds', embedded={'strings'}})" },
  { 'study.first', 'hz.study.first(train, test, keys)',
    'the first items of both sets: as many as keys.train and keys.test ask for' },
  { 'study.outcome', 'hz.study.outcome{run=, result=, train=, test=, items=, knob=}',
    'prints what came of a script that trains once: accuracy, that of each class, where it is, what files are' },
  { 'classify', 'hz.classify.files(folder, path)',
    'a file, or all of a folder, by the net of a finished run: rows of { path, likeliest }, and of what could not be '
    .. 'read; predict= of experiments',
    'print(type(hz.classify))' },
  { 'classify.files', 'hz.classify.files(folder, path)', 'folder: of the run; path: a file or a folder' },
  { 'classify.say', 'hz.classify.say(folder, path)', 'prints them; ends the script with status 3 if a file is bad' },
  { 'study.new', 'hz.study.new{...}', 'the same as hz.study{...}' },
  { 'study:settings', 'study:settings(...)', 'what hz.sweep takes, by the arguments of the script; loads the data' },
  { 'study:finish', 'study:finish(sweep)', 'prints table and plot, and ends the script: status 3 if a cell failed' },
  { 'sweep:finish', 'sweep:finish()', 'ends the script: status 3 if a cell failed' },
  { 'sweep:plot', 'sweep:plot()', 'the plot as text' },
  { 'sweep:closing', 'sweep:closing()', 'lines about the cells that failed, and where the results are' },
  { 'sweep:wants', 'sweep:wants(job)', 'whether a cell is still to be computed' },
  { 'sweep:over', 'sweep:over()', 'whether the hours are over in which cells may begin' },
  { 'sweep:unfinished', 'sweep:unfinished()', 'how many cells are left' },
  { 'sweep:finish_cell', 'sweep:finish_cell(job, new)', 'takes a finished cell in' },
  { 'sweep:fail_cell', 'sweep:fail_cell(job, message)', 'gives a cell up; the others go on' },
  { 'sweep:of_the_disk', 'sweep:of_the_disk(message)', 'whether a message tells of what would hit the next cell, too' },
  { 'results:where', 'results:where{quality=10, ...}', 'the results whose fields have these values' },
  { 'results:column', "results:column 'psnr'", 'one field of all results, as a list' },
  { 'results:mean', "results:mean 'accuracy'", 'the mean of a field' },
  { 'results:groups', 'results:groups()', 'a row per quality and model, as the table shows them' },
  { 'results', "hz.results(id)",
    "the finished cells of a sweep (the latest without id): r:where{quality=10, subsampling='444'}, "
    .. "r:mean 'accuracy', r:column 'psnr'",
    'print(type(hz.results))' },
  { 'calibrate', 'hz.calibrate{grid={sweep, ...}, conditions={[data]={noise=, texture=, detail=}}, ...}',
    'whether saved bits measure the noise of the camera set: ledgers, fits over the true noise, controls, a rule that '
    .. 'was fixed before; experiments/noise_calibration.lua', 'print(type(hz.calibrate))' },
  { 'query', "hz.query('select quality, avg(accuracy) from cells group by quality')",
    'rows of an SQL query over the cells of all sweeps; every parameter of a codec is a column',
    'print(type(hz.query))' },
  { 'quality', 'hz.quality.psnr(a, b), hz.quality.ssim(a, b), hz.quality.snr(a, b)',
    'how far b is from a: of u8 images dB over the mean squared error, structural similarity (Wang 2004); '
    .. 'of f32 sounds dB of the signal over the error',
    'print(hz.quality.ssim(hz.zeros({16,16}, "u8"), hz.ones({16,16}, "u8")))' },
  { 'quality.psnr', 'hz.quality.psnr(a, b)', 'dB of the mean squared error of u8 images; infinite for equal ones',
    'print(hz.quality.psnr(hz.zeros({8,8}, "u8"), hz.ones({8,8}, "u8")))' },
  { 'quality.ssim', 'hz.quality.ssim(a, b)',
    'structural similarity (Wang 2004), of a set its mean and that of each image',
    'print(hz.quality.ssim(hz.zeros({16,16}, "u8"), hz.ones({16,16}, "u8")))' },
  { 'quality.snr', 'hz.quality.snr(a, b)', 'dB of the sound a over the error of b',
    'print(hz.quality.snr(hz.ones{8}, hz.zeros{8}))' },
  { 'show', "hz.show(image, 'name.png'), hz.show(sound, 'name.svg')",
    'draws an image, or the first 64 of a batch or set as a grid, in the terminal '
    .. 'and writes it as a PNG (in the folder of temporary files unless named); of a sound waveform and spectrogram, '
    .. 'as SVG',

    "set = hz.data('camera', {split='test', test=10}); path = os.tmpname(); hz.show(set, path); os.remove(path)" },
}
