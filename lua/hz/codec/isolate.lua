-- isolate.lua: recoding in a process of its own, so that a codec that crashes, hangs, exits, prints or writes where it
-- should not costs this call alone: which codecs recode so, and how long an item may take there. What is decoded has
-- the same bits either way.
local c = require 'hz.c'
local file = require 'hz.base.file'
local need = require 'hz.base.need'
local plugins = require 'hz.codec.plugins'
local ffi, C = c.ffi, c.C

local M = {}

-- auto: codecs of plugins from elsewhere; always; never.
M.modes = { 'auto', 'always', 'never' }
local known = { auto = true, always = true, never = true }

-- What was asked for, checked; nothing is auto.
function M.mode(who, v)
  if v ~= nil and not known[v] then need.fail(who, 'isolate', v, table.concat(M.modes, ', ')) end
  return v or 'auto'
end

-- Whether a codec, or a stage of a composed one ('resize:16|jpeg'), is of a plugin that does not stand beside the
-- library.
local function is_foreign(name)
  local own = file.real(plugins.own())
  for _, stage in ipairs(plugins.stages(name)) do
    local row = plugins.row(stage)
    if row and file.folder_of(row.path) ~= own then return true end
  end
  return false
end

function M.wanted(mode, codec)
  return mode == 'always' or mode == 'auto' and is_foreign(codec.name)
end

-- Seconds that an item may take: HZ_ITEM_SECONDS, or a minute.
local function seconds()
  local text = os.getenv 'HZ_ITEM_SECONDS'
  local n = text and tonumber(text) or not text and 60
  if not n or not (n > 0) then c.fail("isolate: HZ_ITEM_SECONDS is '%s'; needs a number of seconds above 0", text) end
  return n
end

-- As hz_codec_new.
function M.open(name, text) return C.hz_codec_new_apart(name, text, seconds()) end

-- Places for the decoded items of a set (media.lua), which the other process can write to: zeros.
function M.places(set)
  local t = set.tensor
  local shape = ffi.new('int64_t[6]', t:size())
  return c.own(C.hz_codec_places, C.hz_tensor_free, t.dtype, t.ndim, shape)
end

-- As hz_codec_recode. What is garbage is collected here: a codec in Lua may make the other process collect its own.
function M.recode(handle, items, n, decoded, stride, recoded, tables, threads)
  collectgarbage()
  return C.hz_codec_recode_apart(handle, items, n, decoded, stride, recoded, tables, threads, seconds())
end

return M
