-- files.lua: what the doctor says of the files of a folder of pictures or sounds (scan.lua), as rows { check, ok,
-- text }: broken ones, what is not read, orientation, and whether something about the files alone tells the classes: a
-- net would learn that instead of what is to be seen or heard.
local names = require 'hz.base.names'
local source = require 'hz.data.source'
local traits = require 'hz.data.traits'
local visible = require 'hz.base.visible'.line

local M = {}

local KINDS = 6                    -- of compression that are named

local function row(check, ok, text, ...) return { check = check, ok = ok, text = text:format(...) } end

local function check_broken(bad)
  local rows = {}
  for i, b in ipairs(bad) do rows[i] = row('broken', false, '%s', visible(b.path .. b.reason)) end
  return rows
end

local function check_turned(facts, orient)
  if facts.turned == 0 then return row('turned', true, 'no image asks to be turned (EXIF orientation)') end
  return row('turned', orient or nil, '%d of %d images are stored turned or mirrored (EXIF orientation); %s',
    facts.turned, facts.count, orient and 'turned upright' or 'read as stored, orient=true turns them')
end

-- "40 JPEG of quality 75, 4:2:0; 20 PNG", the most first: files by how they were compressed.
local function compressed(files)
  local counts, list, parts = {}, {}, {}
  for _, f in ipairs(files) do
    local h = f.head
    local what = h.kind == 'JPEG' and ('JPEG of %s%s'):format(
      h.quality and ('quality %s%d'):format(h.exact and '' or '~', h.quality) or 'unknown quality',
      h.subsampling and ', ' .. h.subsampling or '') or h.kind .. (h.lossless and ' without loss' or '')
    counts[what] = (counts[what] or 0) + 1
  end
  for what, n in pairs(counts) do list[#list + 1] = { n, what } end
  table.sort(list, function(a, b) return a[1] > b[1] or a[1] == b[1] and a[2] < b[2] end)
  for i = 1, math.min(KINDS, #list) do parts[i] = ('%d %s'):format(list[i][1], list[i][2]) end
  if #list > KINDS then parts[#parts + 1] = ('%d kinds more'):format(#list - KINDS) end
  return table.concat(parts, '; ')
end

local function check_source(facts, items)
  if not facts.lossy then return row('source', true, '%s', source.long(facts)) end
  return row('source', nil, "%s: 'raw' are the decoded %s of these, what %s took is gone", source.long(facts),
    items == 'images' and 'pixels' or 'samples', items == 'images' and facts.took or 'their codec')
end

-- All rows. options: of the set.
function M.rows(scan, options)
  local facts, rows = source.facts(scan.files), check_broken(scan.bad)
  table.insert(rows, 1, row('files', #scan.bad == 0 and #scan.files > 0 or false, '%d %s of %d classes, %d broken',
    #scan.files, scan.items, #scan.classes, #scan.bad))
  if #scan.unread > 0 then rows[#rows + 1] = row('not read', nil, '%s', table.concat(scan.unread, ', ')) end
  for _, o in ipairs(scan.outside) do rows[#rows + 1] = row('link', nil, '%s leads out to %s', o.link, o.target) end
  rows[#rows + 1] = check_source(facts, scan.items)
  rows[#rows + 1] = row('compression', not facts.lossy or nil, '%s', compressed(scan.files))
  if scan.items == 'images' then rows[#rows + 1] = check_turned(facts, options.orient) end
  traits.each(scan, function(name, ok, text) rows[#rows + 1] = row(name, ok, '%s', text) end)
  return rows
end

return names.guard('files', M)
