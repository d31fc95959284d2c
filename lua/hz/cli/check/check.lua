-- check.lua: hz plugin check: does a codec keep the promises of the interface? Each question of questions.lua is asked
-- in a process of its own, so that whatever a plugin does is a finding and all others are asked all the same; this
-- process never loads it. The result is a certificate of one page, or an object for programs.
local asked = require 'hz.cli.check.asked'
local c = require 'hz.c'
local child = require 'hz.cli.check.child'
local exit = require 'hz.exit'
local json = require 'hz.base.json'
local posix = require 'hz.ext.posix'
local questions = require 'hz.cli.check.questions'
local tables = require 'hz.base.table'
local visible = require 'hz.base.visible'.line

local APART = 1.2                  -- seconds between two runs that must agree: clocks have moved on

-- ---- asking ----

-- An answer as a row of the certificate.
local function row_of(name, a)
  return { question = name, asks = questions.asks(name), ok = a.ok, asked = not a.unasked, finding = a.finding,
    what = a.what, during = a.during,
    remark = a.unasked and 'not asked: ' .. a.unasked or a.remark, seconds = math.floor(a.seconds * 1000 + 0.5) / 1000 }
end

-- Notes what this answer tells beside itself.
local function take(self, row, a)
  self.head = a.head or self.head
  if a.stop then exit.stop(1, 'plugin check: ' .. a.stop) end
  self.printed = self.printed + (a.printed or 0)
  if (a.printed or 0) > 0 and not self.output then self.output, self.printed_in = a.output, row[1] end
  return a
end

local function wait(seconds)
  local stop = c.C.hz_seconds() + seconds
  while c.C.hz_seconds() < stop do
    posix.sleep(stop - c.C.hz_seconds())
    c.poll()
  end
end

local function ask(self, row)
  local a = take(self, row, asked.ask(self, row))
  if not row.twice or not a.ok or a.unasked then return a end
  wait(APART - a.seconds)
  return take(self, row, asked.again(self, row, a))
end

local function quiet(self)
  if self.printed == 0 then return { ok = true, seconds = 0, remark = 'nothing is printed' } end
  return { ok = false, seconds = 0, finding = ('it printed %d bytes, first in %s: %s'):format(self.printed,
    self.printed_in, asked.beginning(self.output)) }
end

-- Calls title() once it is known what is tried, and show(row) for each row. What cannot even be loaded is asked no
-- more.
local function ask_all(self, title, show)
  local rows, last = {}, nil
  local function answered(name, a)
    rows[#rows + 1] = row_of(name, a)
    show(rows[#rows])
  end
  for i, row in ipairs(questions.some(self.only)) do
    last = ask(self, row)
    if i == 1 then title() end
    answered(row[1], last)
    if not last.ok and not self.head then return rows end
  end
  answered(questions.quiet, quiet(self))
  return rows
end

-- ---- showing ----

local function wrapped(text, indent) return tables.wrap(visible(text), indent) end

local function print_title(self)
  local h = self.head
  if not h then return print(visible(self.word)) end
  if h.plugin then print(wrapped(('%s %s: %s'):format(h.plugin, h.version, h.about), '  ')) end
  print(wrapped(('hz.codec/1, codec %s, %s, %s'):format(h.codec, h.kind, h.library), '  '))
  if h.path then print(visible(h.path)) end
  if h.values and h.values ~= '' then print(wrapped(h.values:gsub(';', '; '), '  ')) end
end

-- A finding that an earlier row has is not shown again: a certificate has one page.
local function print_row(row, seen)
  local mark, text = not row.asked and '--' or row.ok and 'ok' or 'FAIL', row.finding or row.remark or ''
  local before = row.what and seen[row.what]
  if before then text = ('as %s, %s'):format(before, row.during) end
  if row.what then seen[row.what] = before or row.question end
  print(wrapped(('  %-10s %-4s  %s'):format(row.question, mark, text), (' '):rep(19)))
  io.flush()
end

local function sums(rows)
  local passed, all = 0, 0
  for _, row in ipairs(rows) do
    if row.asked then all, passed = all + 1, passed + (row.ok and 1 or 0) end
  end
  return passed, all
end

local function print_json(self, rows, passed, all)
  local h = self.head or {}
  for _, row in ipairs(rows) do row.what, row.during = nil, nil end
  print(visible(json.encode { plugin = h.plugin, version = h.version, about = h.about, codec = h.codec, kind = h.kind,
    interface = h.codec and 'hz.codec/1', library = h.library, path = h.path or self.word, values = h.values,
    fingerprint = h.fingerprint, questions = json.array(rows), passed = passed, asked = all, ok = passed == all }))
end

local function nothing() end

-- word: the name of a codec or the path of a plugin; given: its parameters as texts. Returns the exit status.
return function(word, given, options)
  if child.question() then return child.run(word, given) end
  local self = { word = word, given = given, only = options.only, patience = options.limit, printed = 0 }
  local seen = {}
  local rows = options.json and ask_all(self, nothing, nothing)
    or ask_all(self, function() print_title(self) end, function(row) print_row(row, seen) end)
  local passed, all = sums(rows)
  if options.json then
    print_json(self, rows, passed, all)
  else
    print(('passed %d of %d questions'):format(passed, all))
  end
  return passed == all and 0 or 1
end
