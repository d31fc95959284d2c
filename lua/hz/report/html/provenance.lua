-- provenance.lua: where the numbers of a report come from: the command, what decided the cells, and what computed them.
local h = require 'hz.report.html.markup'.h
local parts = require 'hz.report.html.parts'
local rows_of = require 'hz.sweep.rows'
local thousands = require 'hz.net.net'.thousands
local words = require 'hz.report.words'

local M = {}

-- Distinct texts over the rows, in one line.
local function all(r, get) return table.concat(rows_of.distinct(r.rows, get), ', ') end

local function of(name) return function(r) return all(r, function(row) return row[name] end) end end
local function ran(name) return function(r) return all(r, function(row) return row.record.run[name] end) end end

-- For each codec the fingerprint of its plugin: version, libraries.
local function plugins(r)
  local function one(codec, name)
    return type(codec) == 'table' and codec.codec and ('%s: %s'):format(name, tostring(codec.codec)) or nil
  end
  return all(r, function(row)
    local d = row.record.decides
    return d and one(d.test.codec, row.tested.name) or nil
  end)
end

local function digests(part)
  return function(r)
    return all(r, function(row)
      local d = row.record.decides
      local own = d and (part == 'test' and d.test or d.training[part])
      return own and own.digest or nil
    end)
  end
end

local function trained(get) return function(r)
  return all(r, function(row)
    local d = row.record.decides
    return d and get(d.training) or nil
  end)
end end

local function optimizer(t)
  local o = t.optimizer
  if type(o) ~= 'table' then return nil end
  return ('%s, rate %s, %s'):format(tostring(o.kind or 'groups'), tostring(o.rate or 'by group'),
    tostring(o.schedule or 'schedules by group'))
end

local function dates(r)
  local first, last
  for _, row in ipairs(r.rows) do
    local at = row.record.run.finished
    if not first or at < first then first = at end
    if not last or at > last then last = at end
  end
  return first and (first == last and first or ('%s to %s'):format(first, last)) or ''
end

local function hours(r)
  local sum = 0
  for _, row in ipairs(r.rows) do sum = sum + (row.seconds or 0) end
  return sum > 0 and ('%.2f hours of training, all cells together'):format(sum / 3600) or ''
end

local function version(r)
  return all(r, function(row) return ('%s (%s)'):format(row.record.run.version, row.record.run.commit) end)
end

local function models(r)
  return all(r, function(row) return ('%s (%s parameters)'):format(row.model, thousands(row.params)) end)
end

-- name, f(r) -> text ('' for what is not known), whether it reads as code
local facts = {
  { 'sweep', function(r) return r.id end, code = true },
  { 'script', function(r) return r.script or '' end },
  { 'command', function(r) return r.command or '' end, code = true },
  { 'started', function(r) return r.created or '' end },
  { 'cells finished', dates },
  { 'time', hours },
  { 'cells', function(r)
    local controls = 0
    for _, g in ipairs(r.controls) do controls = controls + #g.rows end
    return ('%d here, %d of controls, %d not'):format(#r.rows, controls, r.missing)
  end },
  { 'data', of 'data' }, { 'split', of 'split' }, { 'made', of 'made' },
  { 'source of the files', of 'source' },
  { 'digest of training items', digests 'data', code = true },
  { 'digest of watched items', digests 'watch', code = true },
  { 'digest of test items', digests 'test', code = true },
  { 'protocol', of 'protocol' }, { 'models', models },
  { 'optimiser', trained(optimizer) }, { 'batch', trained(function(t) return t.batch end) },
  { 'epochs', of 'epochs' }, { 'storage type', of 'dtype' }, { 'seeds', of 'seed' },
  { 'margin', function(r) return r.margin and words.points(r.margin) or '' end },
  { 'alpha', function(r) return r.alpha and ('%.4g, one-sided'):format(r.alpha) or '' end },
  { 'plugins of codecs', plugins, code = true },
  { 'hz', version }, { 'machine', ran 'host' }, { 'device', ran 'device' },
  { 'vendor', of 'vendor' }, { 'vector level', of 'isa' },
  { 'threads', ran 'threads' }, { 'kernels', of 'kernels', code = true },
}

function M.section(ctx, id)
  local rows = {}
  for _, fact in ipairs(facts) do
    local text = fact[2](ctx.r)
    if text ~= '' then
      rows[#rows + 1] = h('tr', nil, h('th', { scope = 'row', class = 'l' }, fact[1]),
        h('td', { class = 'l' }, fact.code and h('code', nil, text) or text))
    end
  end
  return h('section', { id = id, ['aria-labelledby'] = id .. '-h' },
    h('h2', { id = id .. '-h' }, 'Where this comes from'),
    h('div', { class = 'box', tabindex = '0', role = 'region', ['aria-label'] = 'provenance' },
      h('table', { class = 'wide' }, h('caption', nil, 'What decided the cells, and what computed them'),
        h('tbody', nil, rows))),
    parts.notes { 'Cells that finish are found again by what decides them: the same command trains nothing twice.' })
end

return M
