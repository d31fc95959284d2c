-- glossary.lua: how to read the report: each term in a sentence or two.
local h = require 'hz.report.html.markup'.h
local protocol = require 'hz.sweep.protocol'
local say = require 'hz.report.words'

local M = {}

-- term, text; %m: margin, %c: confidence of one bound, %k: of the bracket
local terms = {
  { 'difference', 'Accuracy with an encoding minus accuracy on the untouched data (raw), in points (100 times the '
    .. 'share of test items), by final weights. Runs are paired by seed: the same start and the same order of items.' },
  { 'safe', 'With %c confidence the encoding costs less than the margin, %m; so do all encodings above it.' },
  { 'harmful', 'With %c confidence it costs more than the margin; so do all encodings below it.' },
  { 'undecided', 'The data allow both. It is not the same as no loss: more seeds or more test items would decide.' },
  { 'not reached', 'Encodings are tested from most bits downwards, and each only while all above it are safe. Below '
    .. 'the first that is not, nothing is claimed.' },
  { 'knee', 'Where accuracy begins to suffer by more than the margin. It lies in the bracket with %k confidence; what '
    .. 'is claimed is its upper end.' },
  { 'seed sd, item sd', 'Spread of the difference over trainings, and over test items. Both count: another training '
    .. 'and other items would give other numbers.' },
  { 'corr.', 'Correlation of runs with the same seed on raw and on the encoding. The more, the more pairing helps.' },
  { 'churn', 'Share of items whose answer changes between raw and the encoding. Two trainings on raw differ, too: that '
    .. 'is the figure to compare it with.' },
  { 'measurable (*)', 'The two-sided interval excludes zero. A loss may be measurable and yet safe: smaller than the '
    .. 'margin.' },
  { 'saved bits', 'The best lossless coder named minus the payload at the safe end of the knee: what is claimed.' },
  { 'needed bits', 'The payload there: an upper bound, for these codecs, this training and this amount of data.' },
  { 'redundancy', 'Raw minus lossless: structure that could be predicted. No loss is needed to save it.' },
  { 'payload and file', 'Payload is what carries the item, with tables counted once for the set; each file has its own '
    .. 'tables and headers.' },
  { 'assay', 'A test that can fail: raw against raw must not be harmful, and known damage must be found. Without such '
    .. 'controls a verdict of safe rests on the statistics alone.' },
}

function M.section(ctx, id)
  local list = {}
  local words = { ['%m'] = say.points(ctx.r.margin or protocol.margin),
    ['%c'] = ('%.4g %%'):format(100 * (1 - (ctx.r.alpha or 0.05))),
    ['%k'] = ('%.4g %%'):format(100 * (1 - 2 * (ctx.r.alpha or 0.05))) }
  for _, term in ipairs(terms) do
    list[#list + 1] = h('dt', nil, term[1])
    list[#list + 1] = h('dd', nil, (term[2]:gsub('%%[mck]', words)))
  end
  return h('section', { id = id, ['aria-labelledby'] = id .. '-h' },
    h('h2', { id = id .. '-h' }, 'How to read this'), h('dl', { class = 'terms' }, list))
end

return M
