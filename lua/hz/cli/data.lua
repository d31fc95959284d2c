-- data.lua: hz data list|fetch|verify|doctor. Data go to stdout, progress to stderr.
local dataset = require 'hz.data.dataset'
local exit = require 'hz.exit'
local json = require 'hz.base.json'

local usage = [[
usage: hz data list [--json]              which sets are described, and which are here
       hz data fetch NAME [url=ADDRESS]   downloads, checks and unpacks a set; the same command carries a broken download on
       hz data verify [NAME ...] [--json] compares files and contents with what is recorded of the set (without names: all that are here)
       hz data doctor [NAME ...] [--json] this machine's libraries and folders; with names: verify, duplicates, leaks, classes, blanks
NAME is one of the list, or a description of your own: FILE.lua (see datasets/README.md); options of a set as key=value.
]]

-- ---- arguments ----

-- Splits arguments into names, key=value options and --json.
local function parse(verb, args, allowed)
  local o = { names = {}, given = {} }
  for _, a in ipairs(args) do
    local key, value = a:match '^([%w_]+)=(.*)$'
    if a == '--json' and allowed.json then
      o.json = true
    elseif a:sub(1, 1) == '-' then
      exit.usage("data %s: '%s' is unknown; takes %s", verb, a, allowed.json and '--json and --help' or '--help')
    elseif key and allowed.options then
      o.given[key] = value
    elseif key or not allowed.names then
      exit.usage("data %s: '%s' was given; takes %s (hz data --help)", verb, a, allowed.names and 'names' or 'none')
    else
      o.names[#o.names + 1] = a
    end
  end
  return o
end

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

local function list(args)
  local o, rows = parse('list', args, { json = true }), json.array {}
  for i, name in ipairs(dataset.names()) do
    local spec = dataset.describe(name)
    local where = dataset.where(spec)
    rows[i] = { name = name, state = state_of(spec), about = spec.about, folder = spec.folder and (where or json.null) or json.null,
                url = spec.url or json.null, licence = spec.licence or json.null }
  end
  if o.json then print(json.encode(rows, { pretty = true })); return 0 end
  for _, r in ipairs(rows) do
    print(('%-9s %-9s %s'):format(r.name, r.state, r.about))
    if r.folder ~= json.null then print(('%-19s %s'):format('', r.folder)) end
    if r.state == 'not here' and r.url ~= json.null then print(('%-19s hz data fetch %s'):format('', r.name)) end
  end
  return 0
end

-- ---- fetch ----

local function meter(name)
  local progress = require 'hz.base.progress'
  local line, c = progress.new(), require 'hz.c'
  local started, first, tenth = c.C.hz_seconds(), nil, 0
  local function show(done, total)
    first = first or done
    local function text()
      local speed = (done - first) / math.max(1e-3, c.C.hz_seconds() - started)
      local left = total and speed > 0 and ', ' .. progress.duration((total - done) / speed) .. ' left' or ''
      return ('%s: %.1f%s MB, %.1f MB/s%s'):format(name, done / 1e6, total and (' of %.1f'):format(total / 1e6) or '', speed / 1e6, left)
    end
    line:show(text)
    if not line.live and total and total > 0 and math.floor(10 * done / total) > tenth then      -- a log gets ten lines
      tenth = math.floor(10 * done / total)
      line:line(text())
    end
  end
  return line, show
end

local function fetch(args)
  local o = parse('fetch', args, { names = true, options = true })
  for key in pairs(o.given) do if key ~= 'url' then exit.usage("data fetch: option '%s' is unknown; has url", key) end end
  if #o.names ~= 1 then exit.usage('data fetch: %d names were given; needs one of %s', #o.names, table.concat(dataset.names(), ', ')) end
  local line, show = meter(o.names[1])
  local ok, folder, fresh = pcall(require 'hz.data.fetch'.fetch, o.names[1], { url = o.given.url, show = show, say = function(text)
    line:clear()
    line:line(o.names[1] .. ': ' .. text)
  end })
  line:clear()
  if not ok then error(folder, 0) end
  print((fresh and '%s is in %s' or '%s was there already: %s'):format(o.names[1], folder))
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
      out[i] = { set = r.set or json.null, check = r.check, state = r.ok == nil and 'note' or r.ok and 'ok' or 'bad', text = r.text }
    end
    print(json.encode(out, { pretty = true }))
  else
    for _, r in ipairs(rows) do print(('%-9s %-17s %-4s %s'):format(r.set or '', r.check, marks[r.ok] or 'note', r.text)) end
  end
  return bad > 0 and 1 or 0
end

local function examine(how, specs, o, rows)
  for _, s in ipairs(specs) do
    for _, r in ipairs((require 'hz.data.doctor'[how](s.spec, { path = s.path, given = o.given }))) do
      r.set = s.spec.name
      rows[#rows + 1] = r
    end
  end
  return show_rows(rows, o.json)
end

local function verify(args)
  local o = parse('verify', args, { names = true, options = true, json = true })
  if #o.names == 0 then
    for _, name in ipairs(dataset.names()) do
      local spec = dataset.describe(name)
      if spec.folder and dataset.where(spec) then o.names[#o.names + 1] = name end
    end
    if #o.names == 0 and not o.json then print 'no set with files is here; hz data list shows which there are' end
  end
  return examine('verify', described(o.names), o, {})
end

local function doctor(args)
  local o = parse('doctor', args, { names = true, options = true, json = true })
  if #o.names > 0 then return examine('examine', described(o.names), o, {}) end
  local rows = require 'hz.data.doctor'.machine()
  for _, name in ipairs(dataset.names()) do
    local spec = dataset.describe(name)
    local state = state_of(spec)
    rows[#rows + 1] = { set = name, check = 'state', ok = state ~= 'not here' or nil,
                        text = state == 'not here' and spec.url and ('not here; hz data fetch %s'):format(name) or dataset.where(spec) ~= '' and dataset.where(spec) or state }
  end
  return show_rows(rows, o.json)
end

local verbs = { list = list, fetch = fetch, verify = verify, doctor = doctor }

return function(args)
  local verb = args[1]
  local help = not verb or verb == 'help'
  for _, a in ipairs(args) do help = help or a == '--help' or a == '-h' end
  if help then
    io.write(usage)
    return verb and 0 or 2
  end
  if not verbs[verb] then exit.usage("data: '%s' is unknown; have list, fetch, verify, doctor", verb) end
  return verbs[verb]({ unpack(args, 2) })
end
