-- edit.lua: the door to libedit: lines with editing, history and completion; plain reading where stdin or stdout
-- is no terminal or libedit is missing. Keys are read here and pushed to libedit one by one, so completion
-- needs no callback from C.
local ffi = require 'ffi'
local c = require 'hz.c'
local open = require 'hz.ext.open'
local posix = require 'hz.ext.posix'
require 'hz.ext.posix'                                  -- declares poll and its struct

ffi.cdef [[
typedef struct hz_editline hz_editline;
typedef struct hz_edit_line { const char *buffer, *cursor, *lastchar; } hz_edit_line;
hz_editline *el_init(const char *program, void *in, void *out, void *err);
void el_end(hz_editline *el);
int el_set(hz_editline *el, int what, ...);
const char *el_gets(hz_editline *el, int *count);
const hz_edit_line *el_line(hz_editline *el);
void el_push(hz_editline *el, const char *text);
void el_resize(hz_editline *el);
typedef struct hz_edit_event { int number; const char *text; } hz_edit_event;
typedef struct hz_edit_history hz_edit_history;
hz_edit_history *history_init(void);
int history(hz_edit_history *h, hz_edit_event *event, int what, ...);
void history_end(hz_edit_history *h);
void hz_prompt_set(const char *text);
char *hz_prompt(void *el);
ssize_t read(int fd, void *to, size_t bytes);
int isatty(int fd);
int mkdir(const char *path, unsigned mode);
extern void *stdin, *stdout, *stderr;
]]

local PROMPT, EDITOR, HIST, UNBUFFERED, REFRESH = 0, 2, 10, 15, 20      -- histedit.h: EL_...
local SETSIZE, ENTER, SETUNIQUE = 1, 10, 20                             -- histedit.h: H_...
local POLLIN = 1
local kept = 2000                                                       -- lines of history

local M = {}

local function arg(x)
  return type(x) == 'string' and ffi.cast('const char *', x) or type(x) == 'number' and ffi.new('int', x) or x
end

function M.terminal() return ffi.C.isatty(0) == 1 and ffi.C.isatty(1) == 1 end

-- ---- history: one line of text per entry, appended as it is entered ----

local function history_path()
  local state = os.getenv 'XDG_STATE_HOME'
  if not state or state == '' then
    local home = os.getenv 'HOME'
    if not home then return nil end
    state = home .. '/.local/state'
  end
  return state .. '/hz/history'
end

local function make_folders(path)
  for at in path:gmatch '()/' do
    if at > 1 then ffi.C.mkdir(path:sub(1, at - 1), tonumber('700', 8)) end
  end
end

local function read_history(path)
  local lines = {}
  local s = path and posix.stat(path)
  if s and s.kind ~= 'file' then return lines end       -- a pipe would be waited for
  local f = s and io.open(path, 'r')
  if f then
    for line in f:lines() do lines[#lines + 1] = line end
    f:close()
  end
  if #lines > 2 * kept then
    lines = { unpack(lines, #lines - kept + 1) }
    f = io.open(path, 'w')
    if f then
      f:write(table.concat(lines, '\n'), '\n')
      f:close()
    end
  end
  return lines
end

-- ---- plain reading ----

local Plain = {}
Plain.__index = Plain

-- The next line; nil at the end of the input, false when interrupted.
function Plain.read(r, prompt)
  if r.prompts then
    io.stdout:write(prompt)
    io.stdout:flush()
  end
  local line = io.stdin:read '*l'
  if not line and c.interrupted() ~= 0 then return false end
  return line
end
function Plain.remember() end
function Plain.close() end

-- ---- libedit ----

local Edit = {}
Edit.__index = Edit

local function set(e, what, ...)
  local list = {}
  for i = 1, select('#', ...) do list[i] = arg((select(i, ...))) end
  e.lib.el_set(e.el, what, unpack(list, 1, select('#', ...)))
end

local function enter(e, text)
  e.lib.history(e.past, e.event, ENTER, arg(text))
end

function Edit.remember(e, text)
  if text == '' or text == e.last then return end
  e.last = text
  enter(e, text)
  local s = e.path and posix.stat(e.path)
  local f = e.path and (not s or s.kind == 'file') and io.open(e.path, 'a')
  if f then
    f:write(text, '\n')
    f:close()
  end
end

-- Bytes that follow the first of a UTF-8 character.
local function tail_bytes(first) return first >= 0xf0 and 3 or first >= 0xe0 and 2 or first >= 0xc0 and 1 or 0 end

-- The next key's bytes; nil at the end of the input, false when a signal is pending.
local function key(e)
  e.poll.fd, e.poll.events = 0, POLLIN
  while ffi.C.poll(e.poll, 1, -1) < 1 do
    if c.interrupted() ~= 0 then return false end
  end
  if ffi.C.read(0, e.byte, 1) < 1 then return nil end
  local text = string.char(e.byte[0])
  for _ = 1, tail_bytes(e.byte[0]) do
    if ffi.C.read(0, e.byte, 1) < 1 then return nil end
    text = text .. string.char(e.byte[0])
  end
  return text
end

local function line_of(e)
  local l = e.lib.el_line(e.el)
  return ffi.string(l.buffer, l.lastchar - l.buffer), tonumber(l.cursor - l.buffer)
end

-- Lets libedit handle `text` as if it was typed; the finished line if it ended one.
local function feed(e, text)
  e.lib.el_push(e.el, text)
  local _, count = text:gsub('[^\128-\191]', '')
  for _ = 1, count do
    local p = e.lib.el_gets(e.el, e.count)
    if p ~= nil and e.count[0] > 0 then
      local line = ffi.string(p, e.count[0])
      if line:find '[\r\n]$' then return line:sub(1, -2) end
    end
  end
end

local function show_choices(choices)
  local widest = 0
  for _, s in ipairs(choices) do widest = math.max(widest, #s) end
  local columns = math.max(1, math.floor(78 / (widest + 2)))
  local lines = {}
  for i, s in ipairs(choices) do
    lines[#lines + 1] = s .. (i % columns == 0 and '\n' or (' '):rep(widest + 2 - #s))
  end
  io.stdout:write('\n', (table.concat(lines):gsub('%s+$', '')), '\n')
  io.stdout:flush()
end

local function common_start(list)
  local start = list[1]
  for _, s in ipairs(list) do
    while s:sub(1, #start) ~= start do start = start:sub(1, -2) end
  end
  return start
end

-- Tab: complete(text before the cursor) -> candidates, length of what they replace.
local function complete(e)
  local text, at = line_of(e)
  text = text:sub(1, at)
  if not text:find '%S' then return feed(e, '  ') end
  local choices, typed = e.complete(text)
  if #choices == 0 then return end
  local more = common_start(choices):sub(typed + 1)
  if more ~= '' then return feed(e, more) end
  if #choices > 1 then
    show_choices(choices)
    set(e, REFRESH)
  end
end

local TAB, INTERRUPT, END = '\t', '\3', '\4'

local function edit_line(e)
  while true do
    local k = key(e)
    if not k then return k end
    if k == INTERRUPT then return false end
    if k == END and line_of(e) == '' then return nil end
    if k == TAB then
      complete(e)
    elseif k ~= '\0' and (#k == 1 or e.wide) then
      local line = feed(e, k)
      if line then return line end
    end
  end
end

function Edit.read(e, prompt)
  ffi.C.hz_prompt_set(prompt)
  e.lib.el_resize(e.el)
  set(e, UNBUFFERED, 1)
  local line = edit_line(e)
  set(e, UNBUFFERED, 0)
  if not line then io.stdout:write(line == false and '^C\n' or '\n') end
  return line
end

function Edit.close(e)
  e.lib.el_end(e.el)
  e.lib.history_end(e.past)
end

local function open_edit(lib, program, complete_text)
  local e = setmetatable({ lib = lib, complete = complete_text, count = ffi.new 'int[1]', byte = ffi.new 'uint8_t[1]',
    poll = ffi.new 'hz_pollfd', event = ffi.new 'hz_edit_event', path = history_path() }, Edit)
  e.el = lib.el_init(program, ffi.C.stdin, ffi.C.stdout, ffi.C.stderr)
  if e.el == nil then return nil end
  local locale = os.setlocale('', 'ctype') or ''
  -- else libedit cannot read such keys
  e.wide = (locale:lower():find 'utf%-?8' or os.setlocale('C.UTF-8', 'ctype')) ~= nil
  e.past = lib.history_init()
  lib.history(e.past, e.event, SETSIZE, arg(kept))
  lib.history(e.past, e.event, SETUNIQUE, arg(1))
  set(e, PROMPT, ffi.cast('char *(*)(void *)', ffi.C.hz_prompt))
  set(e, EDITOR, 'emacs')
  set(e, HIST, ffi.cast('void *', lib.history), e.past)
  if e.path then make_folders(e.path) end
  for _, line in ipairs(read_history(e.path)) do enter(e, line) end
  return e
end

-- A reader of lines: read(prompt), remember(text), close(). Its `plain` says why there is no editing, if there
-- is a reason to say.
function M.open(program, complete_text)
  if not M.terminal() then return setmetatable({ prompts = false }, Plain) end
  local term = os.getenv 'TERM' or ''
  if term == '' or term == 'dumb' then return setmetatable({ prompts = true }, Plain) end
  local lib = open('libedit.so.2', 'libedit.so.0')
  local e = lib and open_edit(lib, program, complete_text)
  return e
    or setmetatable({ prompts = true, plain = "libedit is not installed; 'make deps' brings line editing" }, Plain)
end

return M
