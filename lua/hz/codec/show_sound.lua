-- show_sound.lua: waveform and log-mel spectrogram of each channel of a sound, as an SVG file with axes in seconds, Hz
-- and decibels, and in a terminal.
local base64 = require 'hz.ext.crypto'.base64
local c = require 'hz.c'
local codecs = require 'hz.codec.codec'
local colour = require 'hz.codec.palette'
local file = require 'hz.base.file'
local halves = require 'hz.codec.halves'
local sound = require 'hz.codec.sound'
local svg = require 'hz.base.svg'
local tensor = require 'hz.tensor.tensor'

local W, L, R, T = 800, 70, 90, 46             -- of the page: width, margins, px
local WAVE, SPECTRUM, GAP = 90, 220, 24        -- heights of panels, px, and what is between them
local RANGE = 80                               -- dB below the loudest value
local COLUMNS, BANDS = W - L - R, 128          -- of a spectrogram in the file
local MOST = 8                                 -- channels that are shown

-- ---- what is drawn ----

-- Pixels (bands,columns,3) of u8 of each channel, low bands below, and the loudest value in dB.
local function spectra(a, columns, bands)
  local n = 64
  while n < a.rate * 0.03 do n = 2 * n end
  local m = sound.mel(a, { n_fft = n, hop = math.max(1, math.ceil(a.frames / columns)), mels = math.min(bands, n / 4),
    power = 1, top_db = RANGE })
  local high, wide, top, list, p = m:size(1), m:size(2), m:max(), {}, m:pointer 'read'
  for k = 0, math.min(MOST, a.channels) - 1 do
    local t = tensor.empty({ high, wide, 3 }, 'u8')
    local q = t:pointer()
    for y = 0, high - 1 do
      for x = 0, wide - 1 do
        local v = p[((high - 1 - y) * wide + x) * a.channels + k]
        local at = (y * wide + x) * 3
        q[at], q[at + 1], q[at + 2] = colour((v - top) / RANGE + 1)
      end
    end
    list[k + 1] = t
  end
  return list, top
end

-- Lowest and highest sample of a channel (from 0) in each of some columns.
local function envelope(a, channel, columns)
  local p, list = a.samples:contiguous():pointer 'read', {}
  columns = math.min(columns, a.frames)
  for x = 0, columns - 1 do
    local low, high = math.huge, -math.huge
    for i = math.floor(x * a.frames / columns), math.floor((x + 1) * a.frames / columns) - 1 do
      local v = p[i * a.channels + channel]
      low, high = math.min(low, v), math.max(high, v)
    end
    list[x + 1] = { low, high }
  end
  return list
end

-- ---- axes ----

-- Multiples of 1, 2 or 5 times a power of ten from 0 to `to`, at most n of them.
local function steps(to, n)
  local unit, list = 10 ^ math.floor(math.log10(to / n)), {}
  for _, k in ipairs { 1, 2, 5, 10 } do
    if to / (k * unit) <= n then
      for i = 0, math.floor(to / (k * unit) + 1e-9) do list[i + 1] = i * k * unit end
      return list
    end
  end
end

local function mel_of(hz) return hz < 1000 and hz * 3 / 200 or 15 + 27 * math.log(hz / 1000) / math.log(6.4) end

-- Marks { Hz, place from 0 below to 1 above } of a spectrogram with so many bands.
local function marks(rate, bands)
  local list = {}
  for _, hz in ipairs { 100, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000 } do
    local u = (mel_of(hz) / mel_of(rate / 2) * (bands + 1) - 0.5) / bands
    if u <= 1 and u - (#list > 0 and list[#list][2] or 0) > 0.06 then list[#list + 1] = { hz, u } end
  end
  return list
end

local function hz_text(hz) return hz < 1000 and ('%d'):format(hz) or ('%gk'):format(hz / 1000) end

-- ---- the file ----

local function wave(page, a, channel, y)
  local list, top, back = envelope(a, channel, COLUMNS), {}, {}
  local most = math.max(a:peak(), 1e-9)
  local function Y(v) return y + WAVE / 2 * (1 - v / most) end
  for x, e in ipairs(list) do
    local at = L + (x - 0.5) * COLUMNS / #list
    top[x] = ('%.1f,%.2f'):format(at, Y(e[2]) - 0.3)
    back[#list + 1 - x] = ('%.1f,%.2f'):format(at, Y(e[1]) + 0.3)
  end
  page:add('<polygon points="%s %s" fill="#0072b2"/>', table.concat(top, ' '), table.concat(back, ' '))
  for _, v in ipairs { most, 0, -most } do
    page:text(L - 8, Y(v) + 4, ('%.3g'):format(v), 'text-anchor="end"')
    page:line(L - 4, Y(v), L, Y(v), 'stroke="#333"')
  end
end

local function spectrogram(page, a, pixels, y)
  page:add('<image x="%d" y="%.1f" width="%d" height="%d" preserveAspectRatio="none" image-rendering="pixelated" '
    .. 'href="data:image/png;base64,%s"/>', L, y, COLUMNS, SPECTRUM, base64((codecs.png {}:encode(pixels))))
  for _, m in ipairs(marks(a.rate, pixels:size(1))) do
    local at = y + SPECTRUM * (1 - m[2])
    page:line(L - 4, at, L, at, 'stroke="#333"')
    page:text(L - 8, at + 4, hz_text(m[1]), 'text-anchor="end"')
  end
  page:text(0, 0, 'Hz (mel scale)',
    ('text-anchor="middle" transform="translate(16 %.1f) rotate(-90)"'):format(y + SPECTRUM / 2))
end

local function times(page, a, y)
  for _, s in ipairs(steps(a.seconds, 8)) do
    local x = L + COLUMNS * s / a.seconds
    page:line(x, y, x, y + 5, 'stroke="#333"')
    page:text(x, y + 20, ('%g'):format(s), 'text-anchor="middle"')
  end
  page:text(L + COLUMNS / 2, y + 38, 'seconds', 'text-anchor="middle"')
end

-- What colours mean.
local function scale(page, y, top)
  local x, n = W - R + 16, 40
  for i = 0, n - 1 do
    page:add('<rect x="%d" y="%.1f" width="14" height="%.1f" fill="#%02x%02x%02x"/>', x,
      y + SPECTRUM * (1 - (i + 1) / n), SPECTRUM / n + 0.5, colour((i + 0.5) / n))
  end
  for _, below in ipairs { 0, 20, 40, 60, 80 } do
    page:text(x + 20, y + SPECTRUM * below / RANGE + 4, ('%.0f dB'):format(top - below), '')
  end
end

local function page_of(a)
  local list, top = spectra(a, COLUMNS, BANDS)
  local each = WAVE + SPECTRUM + 2 * GAP
  local page = svg.page(W, T + #list * each + GAP, 'sound')
  local head, from = (tostring(a) .. '  '):match '^(.-)  (.-)%s*$'
  page:text(L, 18, head, 'font-size="13" font-weight="bold"')
  page:text(L, 34, from, 'font-size="11" fill="#555"')
  for k, pixels in ipairs(list) do
    local y = T + (k - 1) * each
    wave(page, a, k - 1, y)
    spectrogram(page, a, pixels, y + WAVE + GAP / 2)
    scale(page, y + WAVE + GAP / 2, top)
  end
  times(page, a, T + #list * each - 1.5 * GAP)
  return page:done()
end

-- ---- the terminal ----

local WIDE, HIGH = 88, 32                      -- pixels of a spectrogram there
local bars = { '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█' }

local function wave_line(a, channel)
  local parts, most = {}, math.max(a:peak(), 1e-9)
  for i, e in ipairs(envelope(a, channel, WIDE)) do
    parts[i] = bars[math.max(1, math.ceil(8 * math.max(-e[1], e[2]) / most))]
  end
  return table.concat(parts)
end

local function labelled(a, pixels)
  local lines, at = halves.lines(pixels, WIDE + 1), {}
  for _, m in ipairs(marks(a.rate, pixels:size(1))) do at[math.floor((1 - m[2]) * #lines) + 1] = hz_text(m[1]) end
  for i, line in ipairs(lines) do lines[i] = ('%4s %s'):format(at[i] or '', line) end
  return table.concat(lines, '\n')
end

local function draw(a)
  local list, top = spectra(a, WIDE, HIGH)
  for k, pixels in ipairs(list) do
    print('     ' .. wave_line(a, k - 1))
    print(labelled(a, pixels))
  end
  print(('  Hz 0 to %.3f s; colours %.0f to %.0f dB'):format(a.seconds, top - RANGE, top))
end

-- Writes an SVG file (default: hz-show.svg in the folder of temporary files), and draws if stdout is a terminal.
-- Returns the file's name.
return function(a, path)
  path = path or (os.getenv 'TMPDIR' or '/tmp') .. '/hz-show.svg'
  if type(path) ~= 'string' or not path:find '%.svg$' then
    c.fail('show: the file name is %s; a sound becomes a .svg', type(path) == 'string' and path or type(path))
  end
  file.write(path, page_of(a))
  if file.terminal(1) and not os.getenv 'NO_COLOR' then draw(a) end
  return path
end
