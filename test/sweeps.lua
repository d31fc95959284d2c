-- sweeps.lua: the smallest sweep that has everything, as a script in a folder of its own, and what its cells
-- say; for tests of sweeps.
local t = ...
local file, json, safetensors = require 'hz.base.file', require 'hz.base.json', require 'hz.tensor.safetensors'
local M = {}

local element_bytes = { u8 = 1, i32 = 4, f32 = 4, f64 = 8 }

M.net = [[
-- A net so small that a cell takes a tenth of a second.
local hz = require 'hz'
local l = hz.layers
return function(o)
  return hz.net 'tiny' { l.conv{4, 3, stride=2}, l.relu, l.dropout{0.2}, l.conv{o.classes, 1}, l.meanpool }
end
]]

local script = [[
local hz = require 'hz'
local knob = hz.args({
  { 'runs', 'runs', 'string', '' }, { 'epochs', 12, 'int', '' }, { 'seed', { 1, 2 }, 'int', '', list = true },
  { 'rate', 0.01, 'float', '' }, { 'quality', { 20, 'raw' }, 'float', '', list = true, also = { 'raw' } },
  { 'quality_test', nil, 'float', '', list = true, also = { 'raw' } }, { 'weights', nil, 'string', '' },
  { 'protocol', 'strict', 'string', '' }, { 'train', 60, 'int', '' }, { 'dry', false, 'bool', '' },
  { 'model', { 'net.lua' }, 'string', '', list = true }, { 'optimizer', 'adam', 'string', '' },
  { 'codec', { 'jpeg' }, 'string', '', list = true },
  { 'parallel', 1, 'int', '', also = { 'auto' } }, { 'tune', false, 'bool', '' },
}, ...)
local train, test = hz.data('camera', { size = 8, train = 160, test = 40 })
local sweep = hz.sweep { name = 'tiny', runs = knob.runs, dry = knob.dry, parallel = knob.parallel, tune = knob.tune,
  data = { { name = 'camera', train = train, test = test } }, quality = knob.quality,
  quality_test = knob.quality_test, codec = knob.codec, model = knob.model, seed = knob.seed, epochs = knob.epochs,
  weights = knob.weights, protocol = knob.protocol, batch = 16, train = knob.train, test = 40,
  optimizer = function() return hz.optimizer(knob.optimizer, { rate = knob.rate, schedule = 'cosine' }) end,
  augment = { shift = 1, flip = true } }
if knob.dry then return end
print(sweep)
sweep:finish()
]]

-- A folder with net and script; returns the folder and a function that runs the script there.
function M.place()
  local dir = t.folder()
  t.write(dir .. '/net.lua', M.net)
  t.write(dir .. '/sweep.lua', script)
  local env = ('cd %s && export HZ_CACHE=%s/cache; '):format(t.quote(dir), t.quote(dir))
  return dir, function(args, before)
    return t.sh(env .. (before or '') .. t.quote(t.hz) .. ' sweep.lua ' .. (args or '') .. '; exit $?')
  end, env
end

-- What a folder of cells says, without times: name -> text of everything else.
function M.contents(runs)
  local out, n = {}, 0
  for _, name in ipairs(file.list(runs .. '/cells')) do
    if name:find '%.safetensors$' then
      local tensors, meta = safetensors.read(runs .. '/cells/' .. name)
      meta['hz.run'] = nil
      local parts, names = { json.encode(meta) }, {}
      for k in pairs(tensors) do names[#names + 1] = k end
      table.sort(names)
      for _, k in ipairs(names) do
        local x = tensors[k]
        parts[#parts + 1] = k .. ' ' .. x:type() .. ' '
          .. require 'ffi'.string(x:pointer 'read', x:count() * element_bytes[x:type()])
      end
      out[name], n = table.concat(parts, '\n'), n + 1
    end
  end
  return out, n
end

function M.same_cells(a, b)
  local x, n = M.contents(a)
  local y, m = M.contents(b)
  t.equal(n, m, 'number of files')
  for name, text in pairs(x) do t.ok(y[name] == text, name .. ' differs') end
  t.ok(n > 0, 'there are cells')
end

return M
