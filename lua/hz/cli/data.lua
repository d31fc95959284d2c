-- data.lua: hz data list|fetch|verify|doctor. Data go to stdout, progress to stderr.
local c = require 'hz.c'
local command = require 'hz.base.command'
local dataset = require 'hz.data.dataset'
local health = require 'hz.data.doctor'
local json = require 'hz.base.json'
local progress = require 'hz.base.progress'
local visible = require 'hz.base.visible'.text

local function described(names)
  local specs = {}
  for i, name in ipairs(names) do
    local spec = dataset.describe(name)
    specs[i] = { spec = spec, path = name }
  end
  return specs
end

-- ---- list ----

local function state_of(spec)
  if not spec.folder then return spec.options and spec.options.path and 'by path' or 'embedded' end
  return dataset.where(spec) and 'here' or 'not here'
end

local function list(o)
  local rows = json.array {}
  for i, name in ipairs(dataset.names()) do
    local spec = dataset.describe(name)
    local where = dataset.where(spec)
    rows[i] = { name = name, state = state_of(spec), about = spec.about, folder = spec.folder and where or json.null,
                url = spec.url or json.null, licence = spec.licence or json.null }
  end
  if o.json then print(visible(json.encode(rows, { pretty = true }))); return 0 end
  for _, r in ipairs(rows) do
    print(visible(('%-9s %-9s %s'):format(r.name, r.state, r.about)))
    if r.folder ~= json.null then print(visible(('%-19s %s'):format('', r.folder))) end
    if r.state == 'not here' and r.url ~= json.null then print(('%-19s hz data fetch %s'):format('', r.name)) end
  end
  return 0
end

-- ---- fetch ----

local function meter(name)
  local line = progress.new()
  local started, first, tenth = c.C.hz_seconds(), nil, 0
  local function show(done, total)
    first = first or done
    local function text()
      local speed = (done - first) / math.max(1e-3, c.C.hz_seconds() - started)
      local left = total and speed > 0 and ', ' .. progress.duration((total - done) / speed) .. ' left' or ''
      local of = total and (' of %.1f'):format(total / 1e6) or ''
      return ('%s: %.1f%s MB, %.1f MB/s%s'):format(name, done / 1e6, of, speed / 1e6, left)
    end
    line:show(text)
    if not line.live and total and total > 0 and math.floor(10 * done / total) > tenth then      -- a log gets ten lines
      tenth = math.floor(10 * done / total)
      line:line(text())
    end
  end
  return line, show
end

local function fetch(o)
  local line, show = meter(o.words[1])
  local function note(text)
    line:clear()
    line:line(o.words[1] .. ': ' .. text)
  end
  local fetch_set = require 'hz.data.fetch'.fetch       -- lazy: it opens libcurl
  local ok, folder, fresh = pcall(fetch_set, o.words[1], { url = o.url, show = show, say = note })
  line:clear()
  if not ok then error(folder, 0) end
  print(visible((fresh and '%s is in %s' or '%s was there already: %s'):format(o.words[1], folder)))
  return 0
end

-- ---- verify and doctor ----

local marks = { [true] = 'ok', [false] = 'BAD' }

-- Prints rows (each with its set's name) and gives the status: 1 if one is bad.
local function show_rows(rows, as_json)
  local bad = 0
  for _, r in ipairs(rows) do if r.ok == false then bad = bad + 1 end end
  if as_json then
    local out = json.array {}
    for i, r in ipairs(rows) do
      local state = r.ok == nil and 'note' or r.ok and 'ok' or 'bad'
      out[i] = { set = r.set or json.null, check = r.check, state = state, text = r.text }
    end
    print(visible(json.encode(out, { pretty = true })))
  else
    for _, r in ipairs(rows) do
      print(visible(('%-9s %-17s %-4s %s'):format(r.set or '', r.check, marks[r.ok] or 'note', r.text)))
    end
  end
  return bad > 0 and 1 or 0
end

local function examine(how, specs, o, rows)
  for _, s in ipairs(specs) do
    for _, r in ipairs((health[how](s.spec, { path = s.path, given = o.given }))) do
      r.set = s.spec.name
      rows[#rows + 1] = r
    end
  end
  return show_rows(rows, o.json)
end

local function verify(o)
  if #o.words == 0 then
    for _, name in ipairs(dataset.names()) do
      local spec = dataset.describe(name)
      if spec.folder and dataset.where(spec) then o.words[#o.words + 1] = name end
    end
    if #o.words == 0 and not o.json then print 'no set with files is here; hz data list shows which there are' end
  end
  return examine('verify', described(o.words), o, {})
end

local function doctor(o)
  if #o.words > 0 then return examine('examine', described(o.words), o, {}) end
  local rows = health.machine()
  for _, name in ipairs(dataset.names()) do
    local spec = dataset.describe(name)
    local state, place = state_of(spec), dataset.where(spec)
    local fetch_it = state == 'not here' and spec.url and ('not here; hz data fetch %s'):format(name)
    rows[#rows + 1] = { set = name, check = 'state', ok = state ~= 'not here' or nil,
                        text = fetch_it or place ~= '' and place or state }
  end
  return show_rows(rows, o.json)
end

local array = { 'json', false, 'bool', 'an array for programs' }
local url = { 'url', nil, 'string', 'where to fetch the set from', form = 'url=ADDRESS' }

return command.new('data', {
  about = 'NAME is one of the list, or a description of your own: FILE.lua (see datasets/README.md); options of a set '
    .. 'as key=value',
  { 'list', list, 'which sets are described, and which are here', { array } },
  { 'fetch', fetch, 'downloads, checks and unpacks a set; the same command carries a broken download on', { url },
    words = { 'NAME', 1, 1, dataset.names } },
  { 'verify', verify, 'compares files and contents with what is recorded of the set (no names: all that are here)',
    { array }, words = { 'NAME', 0 }, open = 'key=value' },
  { 'doctor', doctor,
    "this machine's libraries and folders; with names: verify, files, duplicates, leaks, classes, blanks, history",
    { array }, words = { 'NAME', 0 }, open = 'key=value' },
})
