-- order.lua: rows of tensors by what is in them: the hash of each, the order that follows from hashes, rows gathered in
-- an order.
local ffi = require 'ffi'
local crypto = require 'hz.ext.crypto'
local names = require 'hz.base.names'
local tensor = require 'hz.tensor.tensor'

local M = {}

local element_bytes = { u8 = 1, bf16 = 2, i32 = 4, f32 = 4, f64 = 8 }

local function row_bytes(t) return t:count() / math.max(1, #t) * element_bytes[t:type()] end

function M.big_endian(n)
  return string.char(math.floor(n / 2 ^ 24) % 256, math.floor(n / 2 ^ 16) % 256, math.floor(n / 2 ^ 8) % 256, n % 256)
end

-- Indices 1..n sorted by key(i), a string; ties by label, then by index. One string each: sorting needs
-- no Lua comparison.
function M.ranked(n, labels, key)
  local keys, label = {}, labels:pointer 'read'
  for i = 1, n do keys[i] = key(i) .. M.big_endian(label[i - 1]) .. M.big_endian(i) end
  table.sort(keys)
  for r = 1, n do
    local a, b, d, e = keys[r]:byte(-4, -1)
    keys[r] = ((a * 256 + b) * 256 + d) * 256 + e
  end
  return keys
end

-- Rows of t at the given indices, as a new tensor.
function M.gather(t, indices)
  local shape, bytes = t:size(), row_bytes(t)
  shape[1] = #indices
  local source, out = t:contiguous(), tensor.empty(shape, t:type())
  local from, to = ffi.cast('const char *', source:pointer 'read'), ffi.cast('char *', out:pointer())
  for r = 1, #indices do ffi.copy(to + (r - 1) * bytes, from + (indices[r] - 1) * bytes, bytes) end
  return out
end

function M.hash_rows(t)
  local n, bytes = #t, row_bytes(t)
  local out, digest = tensor.empty({ n, 32 }, 'u8'), crypto.new 'sha256'
  local from, to = ffi.cast('const char *', t:pointer 'read'), out:pointer()
  for i = 0, n - 1 do ffi.copy(to + 32 * i, digest:add(from + i * bytes, bytes):raw(), 32) end
  return out
end

function M.bytes_at(rows, i)
  local n = rows:size(2)
  return ffi.string(rows:pointer 'read' + n * (i - 1), n)
end

-- Names (a list of strings of 16) as a column; equal items get the least of theirs, so that none is on both sides of a
-- split.
function M.origins_of(origins, hashes)
  local out, least = tensor.empty({ #hashes, 16 }, 'u8'), {}
  for i = 1, #hashes do
    local hash = M.bytes_at(hashes, i)
    if not least[hash] or origins[i] < least[hash] then least[hash] = origins[i] end
  end
  for i = 1, #hashes do ffi.copy(out:pointer() + 16 * (i - 1), least[M.bytes_at(hashes, i)], 16) end
  return out
end

return names.guard('order', M)
