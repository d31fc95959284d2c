-- Recoding: accounts that add up, and a cache that may be damaged, deleted or full.
local t = ...
local dataset, file = require 'hz.data.dataset', require 'hz.base.file'
local recode, tensor = require 'hz.codec.recode', require 'hz.tensor.tensor'
local safetensors = require 'hz.tensor.safetensors'

local function need_jpeg()
  if not require 'hz.codec.plugins'.has 'jpeg' then t.skip('the JPEG plugin is not built') end
  return require 'hz.codec.codec'.jpeg
end

local function set_of(n, seed, h, w, channels)
  local shape = { n, h or 16, w or 16, channels or 3 }
  local items = tensor.rand(shape, 0, 255.99, { seed = seed, stream = 1 }):floor():to 'u8'
  return dataset.new { name = 'noise', items = items, labels = tensor.zeros({ n }, 'i32'), classes = { 'a' } }
end

-- Runs f with the cache in a folder of its own; notes are gathered.
local function with_cache(f)
  local folder, cap, dir, notes = recode.folder, recode.cap, t.folder() .. '/cache', {}
  recode.folder = function() return dir end
  recode.forget()
  local ok, e = pcall(f, dir, notes, function(text) notes[#notes + 1] = text end)
  recode.folder, recode.cap = folder, cap
  recode.forget()
  if not ok then error(e, 0) end
end

local function bytes_of(x) return require 'ffi'.string(x:pointer 'read', x:count()) end
local function only(dir) return dir .. '/' .. file.list(dir)[1] end

t.case('recode: payload, tables and container add up to the encoded bytes of every file', function()
  local jpeg = need_jpeg()
  with_cache(function(_, _, note)
    for _, case in ipairs { { 16, 16, 3 }, { 9, 13, 3 }, { 17, 8, 1 }, { 1, 1, 1 } } do
      for _, values in ipairs { { quality = 10 }, { quality = 90, progressive = true },
          { quality = 50, optimize = true } } do
        local set, ok, codec = set_of(5, 3, unpack(case)), nil, nil
        ok, codec = pcall(jpeg, values)
        if ok then
          local account, sum = recode.group({ set }, codec, note).account, 0
          for i = 1, 5 do sum = sum + #codec:encode(set.items[i]) end
          t.equal(account.payload + account.tables + account.container, sum)
          t.equal(account.samples, set.items:count())
        end
      end
    end
  end)
end)

t.case('recode: parts are encoded as one set; their accounts add up, tables count once for all', function()
  local jpeg = need_jpeg()
  with_cache(function(_, _, note)
    local a, b = set_of(7, 1), set_of(4, 2)
    local codec = jpeg { quality = 30 }
    local g = recode.group({ a, b }, codec, note)
    t.equal({ #g.sets, #g.sets[1].labels, #g.sets[2].labels }, { 2, 7, 4 })
    for _, name in ipairs { 'items', 'samples', 'payload', 'tables', 'container', 'squared_error' } do
      t.equal(g.parts[1][name] + g.parts[2][name], g.account[name], name)
    end
    t.equal(g.account.tables_once, recode.group({ a }, codec, note).account.tables_once)
    t.ok(g.account.tables_once < g.account.tables)
    t.equal(g.sets[1].digest, a.digest)
    for i = 1, 4 do t.equal(bytes_of(g.sets[2].items[i]), bytes_of(codec:decode((codec:encode(b.items[i]))))) end
    local m = recode.means(g.account)
    t.near(m.bits_per_sample, 8 * (g.account.payload + g.account.tables_once) / g.account.samples, 1e-12)
    t.near(m.bytes_payload, g.account.payload / 11, 1e-12)
    t.near(m.psnr, 10 * math.log10(255 ^ 2 / (g.account.squared_error / g.account.samples)), 1e-9)
  end)
end)

t.case('recode: without a codec the data are as they were, 8 bits per sample', function()
  local set = set_of(3, 1)
  local g = recode.group { set }
  t.ok(g.sets[1] == set)
  t.equal(recode.means(g.account), { bytes_payload = 768, bytes_tables = 0, bytes_container = 0, bits_per_sample = 8,
    bits_per_sample_file = 8, ssim = 1 })
end)

t.case('recode: a damaged cache entry is named and made anew', function()
  local jpeg = need_jpeg()
  with_cache(function(dir, notes, note)
    local set, codec = set_of(6, 1), jpeg { quality = 20 }
    local first = recode.group({ set }, codec, note)
    local path = only(dir)
    local good = t.read(path)
    for _, bad in ipairs { good:sub(1, -2) .. string.char((good:byte(-1) + 1) % 256), good:sub(1, 100), '',
        'nonsense that is long enough' } do
      t.write(path, bad)
      recode.forget()
      local again = recode.group({ set }, codec, note)
      t.equal(again.account, first.account)
      t.equal(bytes_of(again.sets[1].items), bytes_of(first.sets[1].items))
      t.ok(notes[#notes]:find(path, 1, true) and notes[#notes]:find 'made anew', notes[#notes])
      t.equal(t.read(path), good)
    end
    t.equal(#notes, 4)
    recode.forget()
    file.remove(dir)
    t.equal(recode.group({ set }, codec, note).account, first.account)
    t.equal(#notes, 4)
  end)
end)

t.case('recode: an entry without its checksum or with other shapes is made anew', function()
  local jpeg = need_jpeg()
  with_cache(function(dir, notes, note)
    local set, codec = set_of(6, 1), jpeg { quality = 20 }
    local first = recode.group({ set }, codec, note)
    local path = only(dir)
    local good, tensors, meta = t.read(path), safetensors.read(path)
    local function changed(name, x, text)
      local all = {}
      for k, v in pairs(tensors) do all[k] = v end
      if name then all[name] = x or nil end
      safetensors.write(path, all, { ['hz.recode'] = text or meta['hz.recode'] })
      return t.read(path)
    end
    for _, bad in ipairs { good:gsub('"hz.sha256":"%x+"', function(x) return '"x":"' .. (' '):rep(#x - 6) .. '"' end),
        changed('items', tensor.zeros({ 2, 16, 16, 3 }, 'u8')), changed('items', tensor.zeros({ 6, 16, 16, 3 }, 'f32')),
        changed('payload', tensor.zeros({ 3 }, 'f64')), changed('payload', tensor.zeros({ 6 }, 'f32')),
        changed('ssim', false),
        changed(nil, nil, (meta['hz.recode']:gsub('"samples":%d+', '"samples":1'))), changed(nil, nil, '[]'),
        changed(nil, nil, (meta['hz.recode']:gsub('"tables_once":%d+', '"tables_once":"a"'))) } do
      if type(bad) == 'string' then
        local n = #notes
        t.write(path, bad)
        recode.forget()
        t.equal(recode.group({ set }, codec, note).account, first.account)
        t.ok(#notes == n + 1 and notes[#notes]:find(path, 1, true) and notes[#notes]:find 'made anew', notes[#notes])
        t.equal(t.read(path), good)
      end
    end
  end)
end)

t.case('recode: what is in memory or on disk is not encoded again, and other values are not taken for it', function()
  local jpeg = need_jpeg()
  with_cache(function(dir, _, note)
    local set = set_of(6, 1)
    local codec, calls = jpeg { quality = 20 }, 0
    local spy = setmetatable({ recode = function(_, ...) calls = calls + 1; return codec:recode(...) end },
      { __index = codec })
    recode.group({ set }, spy, note)
    recode.group({ set }, spy, note)
    recode.forget()
    recode.group({ set }, spy, note)
    t.equal(calls, 1)
    t.ok(recode.group({ set }, jpeg { quality = 21 }, note).account.payload
      ~= recode.group({ set }, spy, note).account.payload)
    recode.group({ set:subset(1, 3) }, spy, note)
    t.equal({ calls, #file.list(dir) }, { 2, 3 })
  end)
end)

t.case('recode: the cache keeps its cap, the oldest go first', function()
  local jpeg = need_jpeg()
  with_cache(function(dir, _, note)
    local set = set_of(6, 1)
    recode.group({ set }, jpeg { quality = 20 }, note)
    local oldest = only(dir)
    t.sh('touch -d 2001-01-01 ' .. t.quote(oldest))
    recode.cap = 2.5 * file.size(oldest)
    recode.group({ set }, jpeg { quality = 30 }, note)
    t.equal(#file.list(dir), 2)
    recode.group({ set }, jpeg { quality = 40 }, note)
    t.equal(#file.list(dir), 2)
    t.ok(not file.exists(oldest))
  end)
end)

t.case('recode: a cache that cannot be written is said once per entry, and the work goes on', function()
  local jpeg = need_jpeg()
  with_cache(function(dir, notes, note)
    t.write(dir, 'in the way')
    t.equal(recode.group({ set_of(3, 1) }, jpeg { quality = 20 }, note).account.items, 3)
    t.equal(#notes, 1)
    t.match(notes[1], 'without the cache')
  end)
end)

t.case('recode: sets that are no images are refused', function()
  local jpeg = need_jpeg()
  local set = dataset.new { name = 'features', items = tensor.zeros({ 3, 4 }, 'f32'),
    labels = tensor.zeros({ 3 }, 'i32'), classes = { 'a' } }
  t.raises('needs images', recode.group, { set }, jpeg { quality = 20 })
end)
