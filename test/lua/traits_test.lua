-- What is known of files before they are decoded, and whether it tells the class or the part (lua/hz/data/traits.lua).
local t = ...
local codec = require 'hz.codec.codec'
local files = require 'hz.data.files'
local head = require 'hz.data.head'
local plugins = require 'hz.codec.plugins'
local tensor = require 'hz.tensor.tensor'
local traits = require 'hz.data.traits'

-- A scan of n files, each with what make(i) says: label, part, and fields of the head that differ from a PNG.
local function scan_of(n, make)
  local list = {}
  for i = 1, n do
    local own = make(i)
    local h = { kind = 'PNG', width = 32, height = 32, channels = 3, bits = 8, orientation = 1 }
    for k, v in pairs(own.head or {}) do h[k] = v end
    list[i] = { path = i .. '.png', label = own.label, part = own.part, bytes = own.bytes or 3000, head = h }
  end
  return { items = 'images', files = list, classes = { 'a', 'b', 'c', 'd' }, bad = {}, unread = {}, outside = {} }
end

local function rows_of(scan)
  local rows = {}
  traits.each(scan, function(name, ok, text) rows[name] = { ok = ok, text = text } end)
  return rows
end

-- Numbers that look random, the same ones each time.
local function numbers(seed)
  local state = seed * 7919 % 2147483646 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return state % n
  end
end

t.case('size, bits and subsampling that go with the class are told with examples', function()
  local rows = rows_of(scan_of(80, function(i)
    return { label = i % 4, head = { width = 30 + i % 4, bits = i % 2 == 0 and 16 or 8 } }
  end))
  t.equal({ rows.size.ok, rows.bits.ok, rows.format.ok, rows.colour.ok }, { false, false, true, true })
  t.match(rows.size.text, 'predicts the class of 80 of 80 files, where the commonest class has 20 %(30x32: 20 of 20')
  t.match(rows.bits.text, 'predicts the class of [34]%d of 80 files, where the commonest class has 20 ')
  rows = rows_of(scan_of(80, function(i)
    return { label = i % 2, head = { kind = 'JPEG', quality = 75, subsampling = i % 2 == 0 and '4:2:0' or '4:4:4' } }
  end))
  t.equal({ rows.subsampling.ok, rows.quality.ok, rows.format.ok }, { false, true, true })
  t.match(rows.subsampling.text, "4:2:0: 40 of 40 are 'a', 4:4:4: 40 of 40 are 'b'")
end)

t.case('what tells the part is told, too', function()
  local rows = rows_of(scan_of(100, function(i)
    return { label = i % 4, part = i <= 80 and 'train' or 'test', head = { channels = i <= 80 and 3 or 1 } }
  end))
  t.equal({ rows.colour.ok, rows.size.ok }, { false, true })
  t.match(rows.colour.text, '^predicts the part of 100 of 100 files, where the commonest part has 80 ')
  t.equal(rows.format.text, 'one for all files: PNG')
end)

t.case('bytes of files are a note', function()
  local rows = rows_of(scan_of(40, function(i) return { label = i % 2, bytes = i % 2 == 0 and 100 or 9000 } end))
  t.equal(rows.bytes.ok, nil)
  t.match(rows.bytes.text, 'contents of classes may differ so$')
end)

t.case('chance tells nothing: 100 folders with nine traits, few files and many', function()
  local wrong = 0
  for seed = 1, 100 do
    local draw = numbers(seed)
    local rows = rows_of(scan_of(seed % 2 == 0 and 12 or 60, function()
      return { label = draw(4), part = draw(5) > 0 and 'train' or 'test', bytes = 2 ^ (8 + draw(4)),
        head = { width = 20 + draw(7), height = 20 + draw(2), channels = draw(2) * 2 + 1, orientation = 1 + draw(8) } }
    end))
    for _, r in pairs(rows) do wrong = wrong + (r.ok ~= true and 1 or 0) end
  end
  t.ok(wrong <= 10, wrong .. ' of 900 found in noise')            -- a twentieth of the folders, and its spread
end)

t.case('values of one file each are no evidence', function()
  local rows = rows_of(scan_of(30, function(i) return { label = i % 2, head = { width = 100 + i } } end))
  t.equal(rows.size.ok, true)
end)

t.case('subsampling of JPEG files is read, and files are counted by how they were compressed', function()
  if not plugins.has 'jpeg' then t.skip 'the jpeg plugin is not built' end
  local image = tensor.full({ 32, 32, 3 }, 90, 'u8')
  local found = scan_of(9, function(i) return { label = i % 2 } end)
  for i, o in ipairs { { '4:2:0', 75 }, { '4:4:4', 90 }, { '4:2:2', 60 }, { '4:2:0', 75 } } do
    local j = codec.jpeg { quality = o[2], subsampling = (o[1]:gsub(':', '')) }
    local h = head.read((j:encode(image)))
    t.equal({ h.subsampling, h.quality }, o)
    found.files[i].head = h
  end
  t.equal(head.read((codec.jpeg { quality = 75 }:encode(tensor.full({ 8, 8, 1 }, 9, 'u8')))).subsampling, nil)
  for _, r in ipairs(files.rows(found, {})) do
    if r.check == 'compression' then
      t.equal(r.text, '5 PNG; 2 JPEG of quality 75, 4:2:0; 1 JPEG of quality 60, 4:2:2; 1 JPEG of quality 90, 4:4:4')
    end
  end
end)
