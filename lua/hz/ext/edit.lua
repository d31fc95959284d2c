-- edit.lua: the door to libedit: lines with editing, history and completion; plain reading where stdin or stdout is
-- no terminal or libedit is missing. Keys are read in keys.lua and pushed to libedit as a whole, so that completion,
-- search and pastes need no callback from C and libedit never waits: a C function tells it that there are no more keys.
-- A line may have line feeds in it, from a paste or the history.
local ffi = require 'ffi'
local c = require 'hz.c'
local history = require 'hz.ext.history'
local keys = require 'hz.ext.keys'
local open = require 'hz.ext.open'
local search = require 'hz.ext.search'

ffi.cdef [[
typedef struct hz_editline hz_editline;
typedef struct hz_edit_line { const char *buffer, *cursor, *lastchar; } hz_edit_line;
hz_editline *el_init(const char *program, void *in, void *out, void *err);
void el_end(hz_editline *el);
int el_set(hz_editline *el, int what, ...);
const char *el_gets(hz_editline *el, int *count);
const hz_edit_line *el_line(hz_editline *el);
int el_insertstr(hz_editline *el, const char *text);
void el_push(hz_editline *el, const char *text);
void el_resize(hz_editline *el);
typedef struct hz_edit_event { int number; const char *text; } hz_edit_event;
typedef struct hz_edit_history hz_edit_history;
hz_edit_history *history_init(void);
int history(hz_edit_history *h, hz_edit_event *event, int what, ...);
void history_end(hz_edit_history *h);
void hz_prompt_set(const char *text);
char *hz_prompt(void *el);
int hz_no_key(void *el, void *key);
int isatty(int fd);
extern void *stdin, *stdout, *stderr;
]]

local PROMPT, EDITOR, HIST, GETCFN, UNBUFFERED, REFRESH = 0, 2, 10, 13, 15, 20     -- histedit.h: EL_...
local SETSIZE, ENTER, SETUNIQUE = 1, 10, 20                                      -- histedit.h: H_...

local M = {}

local function arg(x)
  return type(x) == 'string' and ffi.cast('const char *', x) or type(x) == 'number' and ffi.new('int', x) or x
end

function M.terminal() return ffi.C.isatty(0) == 1 and ffi.C.isatty(1) == 1 end

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
  if history.add(e.entries, text) then enter(e, text) end
end

-- The line, and how many bytes of it stand before the cursor.
local function line_of(e)
  local l = e.lib.el_line(e.el)
  return ffi.string(l.buffer, l.lastchar - l.buffer), tonumber(l.cursor - l.buffer)
end

-- Lets libedit handle a key as if it was typed.
local function feed(e, key)
  e.lib.el_push(e.el, key)
  e.lib.el_gets(e.el, e.count)
end

local ERASE = '\127'

-- Puts text at the cursor, and a space that is erased again, because libedit draws the line after a key.
local function insert(e, text)
  if e.lib.el_insertstr(e.el, text .. ' ') == 0 then feed(e, ERASE) end
end

local ERASE_LINE = '\21'                               -- Ctrl-U

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

-- Tab: complete(text before the cursor, earlier lines of the command) -> candidates, length of what they replace.
local function complete(e)
  local text, at = line_of(e)
  text = text:sub(1, at)
  if not text:find '%S' then return insert(e, '  ') end
  local choices, typed = e.complete(text, e.before or '')
  if #choices == 0 then return end
  local more = common_start(choices):sub(typed + 1)
  for ch in more:gmatch '[^\128-\191][\128-\191]*' do feed(e, ch) end
  if more ~= '' then return end
  if #choices > 1 then
    show_choices(choices)
    set(e, REFRESH)
  end
end

-- ---- keys ----

-- Pasted text as it enters the line, and whether it ends with Enter.
local function cleaned(text)
  text = text:gsub('\r\n?', '\n'):gsub('[%z\1-\8\11-\31\127]', '')
  return text:gsub('%s*\n%s*$', ''), text:find '\n%s*$' ~= nil
end

-- Handlers of keys: nothing to go on, or the finished line.
local handlers = {}

local function finish(e)
  local line = line_of(e)
  io.stdout:write(keys.brackets.off)                   -- before the line ends: what follows is the command's own
  feed(e, '\n')
  return line
end
handlers['\r'], handlers['\n'] = finish, finish

handlers['\t'] = function(e)
  if e.keys:is_typed() then complete(e) else insert(e, '\t') end
end

-- Ctrl-R. The key that ended the search is handled as any other.
handlers['\18'] = function(e)
  local line = line_of(e)
  feed(e, ERASE_LINE)
  local found, last = search(e.entries, e.keys)
  io.stdout:write '\r\27[K'
  set(e, REFRESH)
  insert(e, found or line)
  if last == '' then return end
  return e:handle(last)
end

-- Ctrl-V: the next key for itself.
handlers['\22'] = function(e)
  local k = e.keys:next(0)
  if not k then return k, true end
  insert(e, k)
end

local IGNORED = { ['\0'] = true, ['\19'] = true, ['\24'] = true }      -- libedit would wait for more keys
local INTERRUPT, END = '\3', '\4'

-- A line, nil (end of the input) or false (interrupted), each with true; nothing where the line goes on.
function Edit.handle(e, k, pasted)
  if pasted then
    local text, enter_too = cleaned(k)
    insert(e, text)
    if not enter_too then return end
    return finish(e), true
  end
  if not k then return k, true end
  if k == INTERRUPT then return false, true end
  if k == END and line_of(e) == '' then return nil, true end
  local handler = handlers[k]
  if handler then
    local line, done = handler(e)
    return line, done or line ~= nil
  end
  if not IGNORED[k] and (e.wide or not k:find '^[\128-\255]') then feed(e, k) end
end

function Edit.read(e, prompt)
  ffi.C.hz_prompt_set(prompt)
  e.lib.el_resize(e.el)
  set(e, UNBUFFERED, 1)
  io.stdout:write(keys.brackets.on)
  io.stdout:flush()
  local line, done
  repeat line, done = e:handle(e.keys:next()) until done
  set(e, UNBUFFERED, 0)
  if not line then io.stdout:write(keys.brackets.off, line == false and '^C\n' or '\n') end
  io.stdout:flush()
  return line
end

function Edit.close(e)
  e.lib.el_end(e.el)
  e.lib.history_end(e.past)
end

local function open_edit(lib, program, complete_text)
  local e = setmetatable({ lib = lib, complete = complete_text, count = ffi.new 'int[1]',
    event = ffi.new 'hz_edit_event', keys = keys.open(), entries = history.open() }, Edit)
  e.el = lib.el_init(program, ffi.C.stdin, ffi.C.stdout, ffi.C.stderr)
  if e.el == nil then return nil end
  local locale = os.setlocale('', 'ctype') or ''
  -- else libedit cannot read such keys
  e.wide = (locale:lower():find 'utf%-?8' or os.setlocale('C.UTF-8', 'ctype')) ~= nil
  e.past = lib.history_init()
  lib.history(e.past, e.event, SETSIZE, arg(history.kept))
  lib.history(e.past, e.event, SETUNIQUE, arg(1))
  set(e, PROMPT, ffi.cast('char *(*)(void *)', ffi.C.hz_prompt))
  set(e, GETCFN, ffi.cast('int (*)(void *, void *)', ffi.C.hz_no_key))
  set(e, EDITOR, 'emacs')
  set(e, HIST, ffi.cast('void *', lib.history), e.past)
  for _, text in ipairs(e.entries) do enter(e, text) end
  return e
end

-- A reader of lines: read(prompt), remember(text), close(); its field `before` is what completion is told of earlier
-- lines. Its `plain` says why there is no editing, if there is a reason to say.
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
