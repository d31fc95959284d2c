-- show_sound_test.lua: waveform and spectrogram of a sound: what the file says, and what a terminal gets.
local t = ...
local hz = require 'hz'
local plugins = require 'hz.codec.plugins'

local function sweep(frames, channels, rate)
  local x = hz.zeros { frames, channels }
  local p = x:pointer()
  for i = 0, frames * channels - 1 do p[i] = 0.5 * math.sin(i * i / frames / channels) end
  return hz.sound.new(x, rate)
end

t.case('hz.show of a sound: one SVG with axes', function()
  if not plugins.has 'png' then t.skip 'png: its library is not installed' end
  local folder = t.folder()
  for _, row in ipairs { { 1, 1, 8000 }, { 30, 2, 44100 }, { 8000, 1, 8000 }, { 4000, 3, 96000 } } do
    local a = sweep(row[1], row[2], row[3])
    local path = hz.show(a, folder .. '/x.svg')
    t.equal(path, folder .. '/x.svg')
    local text = t.read(path)
    t.match(text, '^<svg .*</svg>\n$')
    t.equal(select(2, text:gsub('href="data:image/png;base64,iVBORw0KGgo', '')), row[2], 'spectrograms')
    t.equal(select(2, text:gsub('<polygon', '')), row[2], 'waveforms')
    for _, part in ipairs { '>seconds<', '>Hz %(mel scale%)<', ' dB<', ('>sound %d Hz, '):format(row[3]) } do
      t.match(text, part)
    end
    local drawn = text:gsub('base64,[^"]*', '')
    t.ok(not drawn:find '[ ",]%-?nan' and not drawn:find '[ ",]%-?inf', 'numbers only')
  end
end)

t.case('hz.show of a sound: the default name, mistakes, silence', function()
  if not plugins.has 'png' then t.skip 'png: its library is not installed' end
  t.raises("show: the file name is x.png; a sound becomes a .svg", hz.show, sweep(10, 1, 8000), 'x.png')
  t.match(t.read(hz.show(hz.sound.new(hz.zeros { 500 }, 8000), t.folder() .. '/s.svg')), 'peak 0.000')
end)
