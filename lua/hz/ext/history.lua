-- history.lua: commands of earlier sessions: a file with one entry a line, appended as it is entered. Lines of one
-- entry are parted by carriage returns there, which no entry has.
local ffi = require 'ffi'
local posix = require 'hz.ext.posix'                   -- declares mkdir

local KEPT = 2000                  -- entries

local M = { kept = KEPT }

local function default_path()
  local state = os.getenv 'XDG_STATE_HOME'
  if not state or state == '' then
    local home = os.getenv 'HOME'
    if not home or home == '' then return nil end
    state = home .. '/.local/state'
  end
  return state .. '/hz/history'
end

local function make_folders(path)
  for at in path:gmatch '()/' do
    if at > 1 then ffi.C.mkdir(path:sub(1, at - 1), tonumber('700', 8)) end
  end
end

-- A pipe would be waited for.
local function is_plain(path)
  local s = posix.stat(path)
  return not s or s.kind == 'file'
end

local function write(path, mode, entries)
  local f = is_plain(path) and io.open(path, mode)
  if not f then return end
  for _, text in ipairs(entries) do f:write((text:gsub('\n', '\r')), '\n') end
  f:close()
end

local function read(path)
  local entries = {}
  local f = is_plain(path) and io.open(path, 'r')
  if not f then return entries end
  for line in f:lines() do entries[#entries + 1] = line:gsub('\r', '\n') end
  f:close()
  if #entries <= 2 * KEPT then return entries end
  entries = { unpack(entries, #entries - KEPT + 1) }
  write(path, 'w', entries)
  return entries
end

-- The list of entries, latest last. Without a home there is none but this session's.
function M.open()
  local path = default_path()
  if path then make_folders(path) end
  local entries = path and read(path) or {}
  entries.path = path
  return entries
end

-- Adds an entry unless it is the last one again; whether it did.
function M.add(entries, text)
  if text == '' or text == entries[#entries] then return false end
  entries[#entries + 1] = text
  if entries.path then write(entries.path, 'a', { text }) end
  return true
end

return M
