-- measure.lua: how far decoded items are from their originals, by kind of media. Columns are sums of what the core
-- measures per item (core/measure/measure.c); figures are what a reader wants, made from the columns of an account. A
-- new measure is a row in the core, and a row here if more than its sum is to be seen.
local c = require 'hz.c'
local names = require 'hz.base.names'
local media = require 'hz.codec.media'
local tensor = require 'hz.tensor.tensor'
local ffi, C = c.ffi, c.C

local M = {}

-- kind -> names of its columns, and by name the core's row
local rows = {}
M.columns = {}
for name, kind in pairs(media.kinds) do
  M.columns[name], rows[name] = {}, {}
  local row = C.hz_measure_at(kind.id, 0)
  while row ~= nil do
    local column = ffi.string(row.name)
    table.insert(M.columns[name], column)
    rows[name][column] = row
    row = C.hz_measure_at(kind.id, #M.columns[name])
  end
end

local function finite(v) return v > -math.huge and v < math.huge and v or nil end      -- nil: exact

-- kind -> { name, the words of it in a line of text, value of an account }; the first is what an account prints.
M.figures = {
  image = {
    { 'psnr', 'PSNR %.2f dB', function(a) return finite(C.hz_psnr(a.squared_error, a.samples)) end },
    { 'ssim', 'SSIM %.4f', function(a) return a.ssim / a.items end },
  },
  audio = {
    { 'snr', 'SNR %.2f dB', function(a) return finite(C.hz_snr(a.energy, a.squared_error)) end },
    { 'log_spectral_distance', 'log-spectral distance %.2f dB', function(a)
      return a.log_spectral_distance / a.items
    end },
    { 'kbit_per_second', '%.2f kbit/s', function(a)
      return 8 * (a.payload + a.tables + a.container) / a.seconds / 1000
    end },
  },
}

-- A column over the items of a set (media.set) and their decoded places: a tensor of f64.
function M.take(column, set, decoded, threads)
  local out = tensor.empty({ set.n }, 'f64')
  local row = rows[set.kind.name][column]
  if not row then names.unknown('the account of ' .. set.kind.items, column, M.columns[set.kind.name]) end
  c.check(C.hz_measure_items(row, set.media, set.n, decoded:pointer 'read', set.stride, out:pointer(), threads or 0))
  return out
end

-- What a column has for an item beside itself; nil: that depends on the item.
function M.of_equal(column, kind)
  local each = rows[kind][column].equal
  return each == each and each or nil
end

return M
