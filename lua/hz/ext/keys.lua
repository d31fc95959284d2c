-- keys.lua: keys of the terminal at stdin, each as a whole: a character, a sequence of escape codes, or a paste that
-- the terminal has bracketed. Waiting ends when a signal comes. No byte behind an Enter is read before it is asked for,
-- so that what runs in between can read its own input; only what came with a bracketed paste is kept here.
local ffi = require 'ffi'
local c = require 'hz.c'
require 'hz.ext.posix'                   -- declares poll and its struct, read

local C = ffi.C
local POLLIN = 1
local LOOK = 50                    -- ms between looks at signals: one may come just before a wait begins
local TOGETHER = 4                 -- ms within which bytes of one paste follow each other; a typed Tab waits as long
local START, END = '\27[200~', '\27[201~'              -- of a bracketed paste

local M, Keys = {}, {}
Keys.__index = Keys
M.brackets = { on = '\27[?2004h', off = '\27[?2004l' } -- what asks a terminal to bracket pastes

function M.open()
  return setmetatable({ ahead = '', poll = ffi.new 'hz_pollfd', block = ffi.new 'char[4096]' }, Keys)
end

-- Whether a byte is there within so many ms (-1: for ever); nil if a signal is pending.
local function is_ready(k, ms)
  if k.ahead ~= '' then return true end
  k.poll.fd, k.poll.events = 0, POLLIN
  while true do
    local n = C.poll(k.poll, 1, ms < 0 and LOOK or ms)
    if c.interrupted() ~= 0 then return nil end
    if n > 0 or n == 0 and ms >= 0 then return n > 0 end
  end
end

-- Up to `most` bytes; nil at the end of the input, false when a signal is pending, '' when none came in time.
local function bytes(k, most, ms)
  if k.ahead == '' then
    local ready = is_ready(k, ms or -1)
    if ready == nil then return false end
    if not ready then return '' end
    local n = tonumber(C.read(0, k.block, most))
    if n < 1 then return nil end
    return ffi.string(k.block, n)
  end
  local got = k.ahead:sub(1, most)
  k.ahead = k.ahead:sub(most + 1)
  return got
end

-- Adds to `text` until done(text); what bytes() said where it did not come so far.
local function until_done(k, text, done, ms)
  while not done(text) do
    local b = bytes(k, 1, ms)
    if not b then return b end
    if b == '' then return text end
    text = text .. b
  end
  return text
end

-- Bytes that follow the first of a UTF-8 character.
local function tail_bytes(first) return first >= 0xf0 and 3 or first >= 0xe0 and 2 or first >= 0xc0 and 1 or 0 end
local function is_character(s) return #s > tail_bytes(s:byte()) end

local function is_sequence(s)
  local second = s:sub(2, 2)
  if second == '[' then return s:find('^[@-~]', #s) and #s > 2 or #s > 16 end
  if second == 'O' then return #s > 2 end
  return #s > 1 and is_character(s:sub(2))
end

-- What stands between the brackets; as bytes() where it breaks off.
local function paste(k)
  local parts, tail = {}, ''
  while true do
    local b = bytes(k, 4096)
    if not b then return b end
    local all = tail .. b
    local from, to = all:find(END, 1, true)
    if from then
      parts[#parts + 1], k.ahead = all:sub(1, from - 1), all:sub(to + 1) .. k.ahead
      return table.concat(parts)
    end
    tail = all:sub(-#END)                              -- the mark may have come in two pieces
    parts[#parts + 1] = all:sub(1, -#END - 1)
  end
end

-- The next key; nil at the end of the input, false when a signal is pending. A bracketed paste is its text and true.
-- ms: how long the rest of an escape sequence may take, for who takes a lone Escape for a key.
function Keys:next(ms)
  local b = bytes(self, 1)
  if not b then return b end
  if b ~= '\27' then return until_done(self, b, is_character) end
  b = until_done(self, b, is_sequence, ms)
  if b ~= START then return b end
  local text = paste(self)
  return text, text and true
end

-- After a Tab: whether it was typed. One that was pasted has something behind it; but Enter may be typed very soon.
function Keys:is_typed()
  local seen = ''
  while is_ready(self, TOGETHER) do
    local b = bytes(self, 1)
    if not b or b == '' then break end
    seen = seen .. b
    if b ~= '\t' then break end
  end
  local last = seen:find '^\t*[\r\n]?$' and not (seen:find '[\r\n]' and is_ready(self, TOGETHER))
  self.ahead = seen .. self.ahead
  return last
end

return M
