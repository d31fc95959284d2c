-- new.lua: hz plugin new NAME: a folder with a codec that is whole as it stands, made of the skeletons in plugins/:
-- their files, called NAME wherever they name themselves. It is written beside and renamed: it is there whole or not.
local c = require 'hz.c'
local exit = require 'hz.exit'
local file = require 'hz.base.file'
local plugins = require 'hz.codec.plugins'
local posix = require 'hz.ext.posix'
local shell = require 'hz.base.shell'
local visible = require 'hz.base.visible'.line

-- By what was asked for: the skeleton; the folder that has its Makefile and README, and that of its test; the
-- experiment that sweeps it.
local forms = {
  c = { 'skeleton', ext = 'c', made = 'skeleton', test = 'skeleton', sweep = 'cifar_sweep', values = '1,2,4' },
  c_audio = { 'skeleton_audio', ext = 'c', made = 'skeleton', test = 'skeleton_audio', sweep = 'audio_sweep',
    values = '2,4,8' },
  lua = { 'skeleton_lua', ext = 'lua', made = 'skeleton_lua', test = 'skeleton', sweep = 'cifar_sweep',
    values = '1,2,4' },
  lua_audio = { 'skeleton_lua_audio', ext = 'lua', made = 'skeleton_lua', test = 'skeleton_audio',
    sweep = 'audio_sweep', values = '2,4,8' },
}

-- ---- names ----

local LONGEST = 31                 -- as of codecs
-- What `hz.codec.NAME` cannot be in Lua, and what codec=NAME means otherwise.
local taken = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
    while raw help]]):gmatch '%S+' do taken[word] = true end

local function check_name(name)
  if not name:find '^%a[%w_]*$' or #name > LONGEST then
    exit.usage("plugin new: the name is '%s'; needs one of at most %d letters, digits and _, a letter first", name,
      LONGEST)
  end
  if taken[name] then
    exit.usage("plugin new: '%s' is a word of Lua, or means something else behind codec=; needs another name", name)
  end
  if posix.stat(name) or file.exists(name) then
    exit.stop(1, ('plugin new: %s is there already; needs another name, or another folder'):format(name))
  end
end

-- ---- files ----

-- What runs this: `hz` where the shell finds it by that name, else its path.
local function own()
  local path = file.real '/proc/self/exe'
  for folder in (os.getenv 'PATH' or ''):gmatch '[^:]+' do
    if file.exists(folder .. '/hz') then return file.real(folder .. '/hz') == path and 'hz' or path end
  end
  return path
end

-- A file of the skeletons, as one of the new codec.
local function renamed(path, name, form)
  local text = file.read_all(c.root .. '/plugins/' .. path)
  text = text:gsub('%f[%w_]skeleton[%w_]*', name):gsub('cifar_sweep', form.sweep):gsub('bits=1,2,4', 'bits=' ..
    form.values)
  return (text:gsub('(\nHZ *%?=) hz\n', function(before) return before .. ' ' .. own() .. '\n' end))
end

-- Rows { path, contents }.
local function files(name, form)
  return {
    { ('%s.%s'):format(name, form.ext), renamed(('%s/%s.%s'):format(form[1], form[1], form.ext), name, form) },
    { 'Makefile', renamed(form.made .. '/Makefile', name, form) },
    { 'README.md', renamed(form.made .. '/README.md', name, form) },
    { 'test/test.lua', renamed(form.test .. '/test/test.lua', name, form) },
  }
end

local function fill(folder, rows)
  file.mkdir(folder .. '/test')
  for _, row in ipairs(rows) do file.write(folder .. '/' .. row[1], row[2]) end
end

local function take_back(folder, rows)
  for _, row in ipairs(rows) do os.remove(folder .. '/' .. row[1]) end
  os.remove(folder .. '/test')
  os.remove(folder)
end

local function write(name, rows)
  local folder = ('.%s.%d.new'):format(name, posix.pid())
  local ok, why = c.try(function()
    fill(folder, rows)
    file.rename(folder, name)
  end)
  if ok then return end
  take_back(folder, rows)
  exit.stop(1, ('plugin new: %s cannot be made here: %s'):format(name, visible(tostring(why))))
end

return function(o)
  local name = o.words[1]
  check_name(name)
  local form = forms[(o.lua and 'lua' or 'c') .. (o.audio and '_audio' or '')]
  local rows, list, hz = files(name, form), {}, own()
  write(name, rows)
  for i, row in ipairs(rows) do list[i] = row[1] end
  print(('%s/: %s. To try it:'):format(name, table.concat(list, ', ')))
  print(('\n  cd %s\n  make check'):format(name))
  print(('  HZ_PLUGIN_PATH=. %s experiments/%s.lua codec=%s'):format(shell.quoted(hz), form.sweep, name))
  if plugins.has(name) then
    print(("\n%s is the name of a codec that hz has: found by HZ_PLUGIN_PATH, the new one hides it"):format(name))
  end
  return 0
end
