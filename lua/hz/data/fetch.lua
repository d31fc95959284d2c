-- fetch.lua: brings a described data set here: download (resumable), published digest, unpack. The set's folder
-- appears under its own name only when all of it is there; until then everything lies beside it in NAME.part
-- and a hidden folder.
local ffi = require 'ffi'
local archive = require 'hz.ext.archive'
local c = require 'hz.c'
local crypto = require 'hz.ext.crypto'
local curl = require 'hz.ext.curl'
local dataset = require 'hz.data.dataset'
local file = require 'hz.base.file'

local M = {}

local function mega(bytes) return ('%.1f MB'):format(bytes / 1e6) end

-- ---- downloading ----

local function authorities() return os.getenv 'CURL_CA_BUNDLE' or os.getenv 'SSL_CERT_FILE' end

local function check_space(spec, folder, have)
  local needed = (spec.bytes or 0) - have
  for _, f in ipairs(spec.files) do needed = needed + (f[2] or 0) end
  local free = file.free_bytes(folder)
  if free < needed then
    c.fail('fetch: %s has %s free; needs %s for %s', folder, mega(free), mega(needed), spec.name)
  end
end

-- Called between the steps of a transfer: hears interrupts, stops a server that sends too much, shows progress.
local function watcher(spec, show)
  return function(done, total)
    c.poll()
    if spec.bytes and done > spec.bytes then
      c.fail('fetch: %s: %d bytes came; needs %d', spec.name, done, spec.bytes)
    end
    show(done, total or spec.bytes)
  end
end

-- The whole archive in `part`, continuing what is there of it.
local function download(spec, url, part, show)
  local function attempt(from)
    return curl.download({ url = url, path = part, from = from, agent = 'hz/' .. ffi.string(c.C.hz_version()),
      authorities = authorities() }, watcher(spec, show))
  end
  local from = file.exists(part) and file.size(part) or 0
  if spec.bytes and from == spec.bytes then return end
  if spec.bytes and from > spec.bytes then file.remove(part); from = 0 end
  local ok, reason, kind = attempt(from)
  if not ok and kind == 'range' and from > 0 then                   -- the server cannot continue
    file.remove(part)
    ok, reason, kind = attempt(0)
  end
  if ok then return end
  local got = file.exists(part) and file.size(part) or 0
  if got == 0 then file.remove(part) end
  c.fail('fetch: %s: %s%s', url, reason,
    got > 0 and kind ~= 'disk' and ('; %s are kept, the same command carries on'):format(mega(got)) or '')
end

-- Digests of a file as hexadecimal, by name.
function M.digests(path, names)
  local running, out = {}, {}
  for _, name in ipairs(names) do running[name] = crypto.new(name) end
  file.with(path, function(read, bytes)
    local buffer = ffi.new('char[?]', 1048576)
    for at = 0, bytes - 1, 1048576 do
      local n = math.min(1048576, bytes - at)
      read(buffer, n)
      for _, d in pairs(running) do d:add(buffer, n) end
      c.poll()
    end
  end)
  for name, d in pairs(running) do out[name] = d:hex() end
  return out
end

local function check_digest(spec, url, part)
  local names = {}
  for _, name in ipairs { 'sha256', 'md5' } do if spec[name] then names[#names + 1] = name end end
  if #names == 0 then c.fail('fetch: %s has no published digest; needs md5 or sha256 in its description', spec.name) end
  local bytes, got = file.size(part), M.digests(part, names)
  for _, name in ipairs(names) do
    if got[name] ~= spec[name] then
      file.remove(part)
      c.fail('fetch: %s: %s of the %d bytes is %s; the published one is %s; the download was removed', url, name, bytes,
        got[name], spec[name])
    end
  end
  return names
end

-- ---- unpacking ----

local most_unsized = 2 ^ 20          -- bytes of a file whose size the description does not say

-- Name -> bytes (or false) of what the archive is to hold.
local function expected_names(spec)
  local names = {}
  for _, f in ipairs(spec.files) do names[spec.folder .. '/' .. f[1]] = f[2] or false end
  return names
end

local function check_safe(path, name, kind)
  if name:sub(1, 1) == '/' or ('/' .. name .. '/'):find('/../', 1, true) then
    c.fail("unpack: %s: the entry '%s' leads out of the folder; nothing was unpacked", path, name)
  end
  if kind ~= 'file' and kind ~= 'folder' then
    c.fail("unpack: %s: the entry '%s' is a %s; nothing was unpacked", path, name, kind)
  end
end

-- Unpacks the expected files of spec from an archive to `folder` (which holds spec.folder afterwards). Links,
-- absolute names and names with .. end it; other names than the expected are passed over. Returns how many were.
function M.unpack(spec, path, folder)
  local wanted, passed = expected_names(spec), 0
  file.mkdir(file.join(folder, spec.folder))
  archive.walk(path, function(name, kind, read)
    c.poll()
    check_safe(path, name, kind)
    local plain = name:gsub('^%./', '')
    local bytes = wanted[plain]
    if kind == 'file' and bytes ~= nil then
      local buffer, got = read(bytes or most_unsized)
      if bytes and got ~= bytes then c.fail('unpack: %s: %s has %d bytes; needs %d', path, plain, got, bytes) end
      file.write(file.join(folder, plain), { { buffer, got } })
      wanted[plain] = nil
    elseif kind == 'file' then
      passed = passed + 1
    end
  end)
  local lacking = next(wanted)
  if lacking then c.fail('unpack: %s: holds no %s', path, lacking) end
  return passed
end

-- ---- all of it ----

local function install(spec, part, base)
  local fresh = file.join(base, '.' .. spec.folder .. '.new')
  file.remove(fresh)
  local ok, result = pcall(M.unpack, spec, part, fresh)
  if ok then ok, result = pcall(file.rename, file.join(fresh, spec.folder), file.join(base, spec.folder)) end
  file.remove(fresh)
  if not ok then error(result, 0) end
end

-- Where a set is fetched to: beside the others of HZ_DATA, else the XDG data folder.
function M.base(spec)
  local first = dataset.places(spec)[1]
  if not first then c.fail('fetch: neither HZ_DATA nor XDG_DATA_HOME nor HOME is set; needs one of them') end
  return file.folder_of(first)
end

-- A folder that is there is left alone, complete or not: it may be the user's own.
local function check_there(spec, folder)
  for _, f in ipairs(spec.files) do
    if not file.exists(file.join(folder, f[1])) then
      c.fail('fetch: %s is there but lacks %s; remove or complete the folder first', folder, f[1])
    end
  end
  return folder
end

-- Fetches the set named or described. options: url (instead of the described one), show(done, total) and say(text)
-- for progress. Returns the folder, and whether it had to be fetched.
function M.fetch(name, options)
  local spec = type(name) == 'table' and name or dataset.describe(name)
  if not spec.folder then c.fail('fetch: %s needs no files', spec.name) end
  local there = dataset.where(spec)
  if there then return check_there(spec, there), false end
  local url = options.url or spec.url
  if not url then
    c.fail('fetch: %s cannot be fetched; its files belong into %s', spec.name, file.join(M.base(spec), spec.folder))
  end
  if not url:find '^https?://' then
    c.fail("fetch: '%s' was given; needs an address with https:// (or http://)", url)
  end
  local base = file.mkdir(M.base(spec))
  local part = file.join(base, (url:match '[^/?#]+$' or spec.name) .. '.part')
  local lock, owner = file.lock(file.join(base, '.' .. spec.name .. '.lock'))
  if not lock then c.fail('fetch: %s is being fetched by %s', spec.name, owner.text) end
  local ok, result = pcall(function()
    file.sweep(base)
    check_space(spec, base, file.exists(part) and file.size(part) or 0)
    download(spec, url, part, options.show or function() end)
    local names = check_digest(spec, url, part)
    if options.say then options.say(('%s as published; unpacking'):format(table.concat(names, ' and '))) end
    install(spec, part, base)
    file.remove(part)
  end)
  lock:release()
  if not ok then error(result, 0) end
  return file.join(base, spec.folder), true
end

return M
