-- chain.lua: the section of one codec and model (a chain of verdicts.lua): what it costs, where the knee lies, what is
-- saved, and what all that rests on.
local accuracy = require 'hz.report.html.accuracy'
local bars = require 'hz.report.html.bars'
local chart = require 'hz.report.html.chart'
local controls = require 'hz.report.html.controls'
local curves = require 'hz.report.html.curves'
local damage = require 'hz.report.html.damage'
local damage_text = require 'hz.report.damage.damage_text'
local differences = require 'hz.report.html.differences'
local gallery = require 'hz.report.damage.gallery'
local gallery_html = require 'hz.report.html.gallery'
local h = require 'hz.report.html.markup'.h
local ledger = require 'hz.report.html.ledger'
local parts = require 'hz.report.html.parts'
local savings = require 'hz.report.savings'
local savings_html = require 'hz.report.html.savings'
local tables = require 'hz.report.tables'
local verdict_text = require 'hz.report.verdict_text'
local words = require 'hz.report.words'
local verdicts = require 'hz.report.verdicts'

local M = {}

local function percent(v) return ('%.1f %%'):format(100 * v) end

-- ---- the figures that matter most ----

local function tile_of_bits(b)
  local from = b.lossless or b.raw
  if not b.needed then
    return { b.lossless and 'bits per sample, lossless' or 'bits per sample', ('%.3f'):format(from.payload),
      from.called }
  end
  return { 'bits per sample', ('%.3f'):format(b.needed.payload),
    ('instead of %.3f (%s)'):format(from.payload, from.called) }
end

local function tiles(r, chain)
  local safe, harmful = chain.entries[chain.knee.safe], chain.entries[chain.knee.harmful]
  local rows = { { 'cheapest that is safe', safe and verdicts.called(safe) or 'none shown',
    ('within %s at %.4g %%'):format(words.points(r.margin), 100 * (1 - r.alpha)) } }
  rows[2] = { 'harms', harmful and verdicts.called(harmful) or 'none shown',
    harmful and chain.knee.harmful < #chain.entries and 'and all below' or nil }
  if chain.bits then
    rows[3] = tile_of_bits(chain.bits)
    local b = chain.bits
    if b.needed and b.raw.payload > 0 then
      rows[4] = { 'share of raw', percent(b.needed.payload / b.raw.payload),
        ('%s with whole files'):format(percent(b.needed.file / b.raw.file)) }
    end
  end
  return parts.tiles(rows)
end

-- ---- drawings ----

local function plot_of(ctx, chain)
  local drawing = accuracy.draw(ctx.ids, ctx.r, { chain }, chain.reference)
  return parts.figure('Accuracy over bits', drawing, accuracy.caption(ctx.r, { chain }, chain.reference))
end

-- Nets that were all trained on one encoding have one curve, which stands elsewhere.
local function curves_of(ctx, chain)
  if chain.trained or ctx.without['training curves'] then return nil end
  local drawing, caption = curves.draw(ctx.ids, chain)
  return parts.figure('Training curves', drawing, caption)
end

local function legend()
  local words = {}
  for i, mark in ipairs { 'safe', 'undecided', 'harmful', 'not reached' } do
    words[i] = { chart.verdict(mark), ' ' }
  end
  return h('p', { class = 'note' }, words)
end

local function ledger_of(ctx, chain)
  local l, words = verdict_text.ledger(ctx.r, chain)
  return l and parts.figure('What saved bits are made of', ledger.draw(ctx.ids, l, words)) or nil
end

local function bits_of(ctx, chain, name)
  if not chain.bits then
    return h('p', nil, verdict_text.no_bits)
  end
  return { h('h3', nil, 'Bits'), h('div', { class = 'two uneven' },
    h('figure', nil, bars.draw(ctx.ids, chain.bits), h('figcaption', nil, bars.caption)),
    h('div', nil, parts.table(tables.account(ctx.r, chain, name), 'tight'),
      parts.notes { damage_text.model(chain) }, ledger_of(ctx, chain))) }
end

-- ---- the section ----

local function judged(ctx, chain, name)
  local r = ctx.r
  local knee = verdict_text.bracket(r, chain)
  local forest = differences.draw(ctx.ids, r, chain)
  return {
    tiles(r, chain),
    parts.table(tables.encodings(r, chain, name)),
    h('div', { class = 'two' },
      h('div', nil,
        parts.figure('The knee', differences.knee(ctx.ids, chain, knee),
          knee .. '; from fewest bits (left) to most, bits per sample below'),
        parts.figure('Difference to the untouched data', forest, differences.caption(r))),
      h('div', nil, plot_of(ctx, chain), legend())),
    curves_of(ctx, chain),
    bits_of(ctx, chain, name),
    savings_html.section(r, savings.of(r, chain), name),
    damage.section(ctx, chain, name),
    not ctx.without.galleries and gallery_html.section(gallery.of(r, chain)),
    controls.section(chain, name),
  }
end

local function without_verdict(ctx, chain, name)
  return {
    h('p', nil, h('b', nil, 'No verdict: '), chain.reason, '.'),
    h('p', nil, h('b', nil, 'What would help: '), chain.help, '.'),
    h('div', { class = 'two' }, plot_of(ctx, chain)), curves_of(ctx, chain),
    damage.section(ctx, chain, name),
    not ctx.without.galleries and gallery_html.section(gallery.of(ctx.r, chain)),
  }
end

-- ctx: of page.lua. line: of tables.lines.
function M.section(ctx, line, i)
  local chain = line.chain
  return h('section', { id = parts.anchor(i), ['aria-labelledby'] = parts.anchor(i) .. '-h' },
    h('h2', { id = parts.anchor(i) .. '-h' }, line.name),
    chain.reason and without_verdict(ctx, chain, line.name) or judged(ctx, chain, line.name))
end

return M
