-- adaptive.lua: which cells a sweep of adaptive seeds needs next. Looks are at 5, 10 and 20 seeds (protocol.looks,
-- verdict.adaptive). The first look is at all encodings. Later ones are at the two gates of a chain alone, the first
-- from the top that is not safe and the first from the bottom that is not harmful, as the sequence goes no further
-- before they are decided.
local report = require 'hz.report.report'
local verdicts = require 'hz.report.verdicts'

local M = {}

-- Entries of a chain that are undecided at a gate, and have another look.
local function gates(chain)
  local knee, n, list = chain.knee, #chain.entries, {}
  for _, i in ipairs { (knee.safe or 0) + 1, (knee.harmful or n + 1) - 1 } do
    local e = chain.entries[i]
    local open = e and e.found.verdict == 'undecided' and e.found.next and e ~= list[1]
    if open then list[#list + 1] = e end
  end
  return list
end

-- What a report of adaptive seeds still asks for: list of { group, seeds }, the groups that are to have so many.
function M.wanted(r)
  local list = {}
  for _, chain in ipairs(verdicts.of(r)) do
    for _, e in ipairs(chain.knee and gates(chain) or {}) do
      list[#list + 1] = { group = e.group, seeds = e.found.next }
      list[#list + 1] = { group = chain.reference, seeds = e.found.next }
    end
  end
  return list
end

-- In words, why a sweep of adaptive seeds ended.
function M.ending(r)
  local left = #M.wanted(r)
  if r.stopped then return 'adaptive seeds: the hours are used; the same command goes on' end
  if left > 0 then return 'adaptive seeds: another look is due; the same command goes on' end
  for _, chain in ipairs(verdicts.of(r)) do
    local all = chain.knee and (chain.knee.safe or 0) + 1 == (chain.knee.harmful or #chain.entries + 1)
    if not all then return 'adaptive seeds: the last look is behind, and not all is decided' end
  end
  return 'adaptive seeds: all is decided'
end

-- Cells of a group, whichever their seed: kind of job and encodings.
local function kind_of(job)
  local e = job.point.encoding
  return table.concat({ job.kind, e.train.text, e.test.text }, '\0')
end

-- For sweep.run: takes spare cells back that the next look needs; whether there are any.
function M.more(sweep)
  local by, kinds, any = {}, {}, false
  for _, job in ipairs(sweep.jobs) do by[job.key] = job end
  for _, one in ipairs(M.wanted(report.of_sweep(sweep))) do
    kinds[kind_of(by[one.group.rows[1].record.key])] = one.seeds
  end
  for _, job in ipairs(sweep.jobs) do
    local seeds = not job.labels.control and kinds[kind_of(job)]
    if job.spare and seeds and job.labels.seed <= seeds then job.spare, any = false, true end
  end
  return any
end

return M
