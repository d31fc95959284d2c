-- json.lua: JSON (RFC 8259), strict both ways. Encoding is deterministic: sorted keys, shortest numbers that read
-- back equal, so that equal values have equal texts and digests. json.null stands for null; json.array{} marks
-- a table that is empty as a list.
local bit = require 'bit'
local ffi = require 'ffi'
local c = require 'hz.c'
local isa = require 'hz.isa'
local names = require 'hz.base.names'
local need = require 'hz.base.need'
local utf8 = require 'hz.base.utf8'
local band, bnot, bor, tobit = bit.band, bit.bnot, bit.bor, bit.tobit
local byte, find, sub = string.byte, string.find, string.sub

local M = {}

M.null = setmetatable({}, { __tostring = function() return 'null' end })
local Array = {}
-- Marks t as a list; only an empty one needs it. Decoded lists are marked.
function M.array(t)
  need.table('json', 'the list', t)
  return setmetatable(t, Array)
end

local deepest = 200

-- ---- encoding ----

local escapes = { ['"'] = '\\"', ['\\'] = '\\\\', ['\b'] = '\\b', ['\f'] = '\\f', ['\n'] = '\\n', ['\r'] = '\\r',
  ['\t'] = '\\t' }
for i = 0, 31 do
  local ch = string.char(i)
  escapes[ch] = escapes[ch] or ('\\u%04x'):format(i)
end

-- Whether there are bytes beyond ASCII, and control characters; four at a time, as LuaJIT aligns strings.
local function scan(s)
  local words, high, low, n = ffi.cast('const int32_t *', s), 0, 0, math.floor(#s / 4)
  for i = 0, n - 1 do
    local w = words[i]
    high, low = bor(high, w), bor(low, band(tobit(w - 0x20202020), bnot(w)))
  end
  local rest = sub(s, 4 * n + 1)
  return band(high, 0x80808080) ~= 0 or find(rest, '[\128-\255]') ~= nil,
    band(low, 0x80808080) ~= 0 or find(rest, '[%z\1-\31]') ~= nil
end

-- First byte that is not UTF-8, or nil.
local function stray(s)
  local i = s:find '[\128-\255]'
  while i do
    local n = utf8.sequence(s, i)
    if not n then return i end
    i = s:find('[\128-\255]', i + n)
  end
end

-- File names may hold anything; JSON may not: what is not UTF-8 becomes U+FFFD.
local function mended(s)
  local i = stray(s)
  while i do
    s = s:sub(1, i - 1) .. '\239\191\189' .. s:sub(i + 1)
    i = stray(s)
  end
  return s
end

local function quote(s)
  if find(s, '[%c"\\\128-\255]') then s = mended(s):gsub('[%c"\\]', escapes) end
  return '"' .. s .. '"'
end

local function number(v, path)
  if v ~= v or v == 1 / 0 or v == -1 / 0 then
    c.fail('json: %s is %s; needs a finite number or json.null', path, tostring(v))
  end
  if v % 1 == 0 and math.abs(v) < 2 ^ 53 then return v == 0 and 1 / v < 0 and '-0' or ('%d'):format(v) end
  for digits = 15, 17 do
    local s = ('%.' .. digits .. 'g'):format(v)
    if tonumber(s) == v then return s end
  end
end

-- Sorted keys of an object, or nil and the length of a list.
local function keys_of(t, path)
  local n, keys = 0, {}
  for k in pairs(t) do
    n = n + 1
    if type(k) == 'string' then keys[#keys + 1] = k end
  end
  if #keys == n and not (n == 0 and isa(t, Array)) then
    table.sort(keys)
    return keys
  end
  if #keys > 0 or #t ~= n then
    c.fail('json: %s has keys that are neither 1..n nor all strings; needs one or the other', path)
  end
  return nil, n
end

local write

local function brackets(open, parts, close, pad)
  if #parts == 0 then return open .. close end
  if not pad then return open .. table.concat(parts, ',') .. close end
  local inner = '\n' .. pad .. '  '
  return open .. inner .. table.concat(parts, ',' .. inner) .. '\n' .. pad .. close
end

-- pad: the indentation of this line in pretty text, nil in compact text.
local function write_table(t, path, pad, depth)
  if depth > deepest then
    c.fail('json: %s is more than %d levels deep (or holds itself); needs fewer', path, deepest)
  end
  local keys, n = keys_of(t, path)
  local parts, inner = {}, pad and pad .. '  '
  for i = 1, n or #keys do
    if n then
      parts[i] = write(t[i], path .. '[' .. i .. ']', inner, depth + 1)
    else
      parts[i] = quote(keys[i]) .. (pad and ': ' or ':') .. write(t[keys[i]], path .. '.' .. keys[i], inner, depth + 1)
    end
  end
  return brackets(n and '[' or '{', parts, n and ']' or '}', pad)
end

function write(v, path, pad, depth)
  local kind = type(v)
  if v == M.null then return 'null' end
  if kind == 'string' then return quote(v) end
  if kind == 'number' then return number(v, path) end
  if kind == 'boolean' then return tostring(v) end
  if kind == 'table' then return write_table(v, path, pad, depth) end
  c.fail('json: %s is a %s; needs a string, number, boolean, table or json.null', path, kind)
end

-- Text of a value; options: pretty = true for one entry a line.
function M.encode(v, options)
  options = names.options('json', options, 'pretty')
  return write(v, 'value', options.pretty and '' or nil, 1)
end

-- ---- decoding ----

local function bad(state, at, text)
  c.fail('%s: byte %d: %s', state.who, at - 1, text)
end

-- The next place that is not blank, and the byte there; nil at the end.
local function blank(state, at)
  local b = byte(state.text, at)
  while b == 32 or b == 10 or b == 13 or b == 9 do
    at = at + 1
    b = byte(state.text, at)
  end
  return at, b
end

local function found(state, at)
  if at > #state.text then return 'the text ends' end
  return ("found '%s'"):format((state.text:sub(at, at):gsub('%c', '?')))
end

local unescape = { b = '\b', f = '\f', n = '\n', r = '\r', t = '\t', ['"'] = '"', ['\\'] = '\\', ['/'] = '/' }

local function character(code)
  local function cont(shift) return string.char(0x80 + math.floor(code / 2 ^ shift) % 64) end
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xc0 + math.floor(code / 64)) .. cont(0) end
  if code < 0x10000 then return string.char(0xe0 + math.floor(code / 4096)) .. cont(6) .. cont(0) end
  return string.char(0xf0 + math.floor(code / 262144)) .. cont(12) .. cont(6) .. cont(0)
end

-- The character of the \u escape whose backslash stands at `at`, and where it ends.
local function read_unicode(state, at)
  local hex = state.text:match('^\\u(%x%x%x%x)', at)
  if not hex then bad(state, at, 'the escape \\u is not followed by four hexadecimal digits') end
  local code = tonumber(hex, 16)
  if code < 0xd800 or code > 0xdfff then return character(code), at + 6 end
  local low = code < 0xdc00 and state.text:match('^\\u(%x%x%x%x)', at + 6)
  low = low and tonumber(low, 16)
  if not low or low < 0xdc00 or low > 0xdfff then bad(state, at, 'half of a surrogate pair; needs both') end
  return character(0x10000 + (code - 0xd800) * 1024 + low - 0xdc00), at + 12
end

-- Any string, piece by piece; mistakes are named.
local function read_pieces(state, at)
  local parts, from = {}, at + 1
  while true do
    local stop = state.text:find('[%z\1-\31"\\]', from)
    if not stop then bad(state, at, 'a string does not end') end
    parts[#parts + 1] = state.text:sub(from, stop - 1)
    local ch, letter = state.text:sub(stop, stop), state.text:sub(stop + 1, stop + 1)
    if ch == '"' then return table.concat(parts), stop + 1 end
    if ch ~= '\\' then bad(state, stop, 'a control character in a string; needs an escape') end
    if letter == 'u' then
      parts[#parts + 1], from = read_unicode(state, stop)
    elseif unescape[letter] then
      parts[#parts + 1], from = unescape[letter], stop + 2
    else
      bad(state, stop, 'an unknown escape; have \\" \\\\ \\/ \\b \\f \\n \\r \\t \\u')
    end
  end
end

local letters, buffer, room = ffi.new 'uint8_t[256]', nil, 0
for letter, ch in pairs(unescape) do letters[byte(letter)] = byte(ch) end

-- A string with escapes of one letter, such as JSON within JSON; nil: it has others, or is none.
local function read_escaped(text, at)
  if #text > room then buffer, room = ffi.new('uint8_t[?]', 2 * #text), 2 * #text end
  local p, n, i = ffi.cast('const uint8_t *', text), 0, at
  while true do
    local b = p[i]                                     -- a byte 0 follows the last
    if b == 34 then return ffi.string(buffer, n), i + 2 end
    if b == 92 then
      i = i + 1
      b = letters[p[i]]
      if b == 0 then return nil end
    elseif b < 32 then
      return nil
    end
    buffer[n], n, i = b, n + 1, i + 1
  end
end

local function read_string(state, at)
  local text = state.text
  local stop = find(text, '"', at + 1, true)
  local s = stop and sub(text, at + 1, stop - 1)
  if s and not find(s, '\\', 1, true) and not (state.controls and find(s, '[%z\1-\31]')) then return s, stop + 1 end
  local value, after = read_escaped(text, at)
  if value then return value, after end
  return read_pieces(state, at)
end

local function is_digit(b) return b and b >= 48 and b <= 57 end

-- Behind the digits at i; nil where there is none.
local function digits_end(text, i)
  if not is_digit(byte(text, i)) then return nil end
  while is_digit(byte(text, i + 1)) do i = i + 1 end
  return i + 1
end

local function read_number(state, at)
  local text = state.text
  local first = byte(text, at) == 45 and at + 1 or at
  local stop = digits_end(text, first)
  if stop and byte(text, first) == 48 and stop > first + 1 then stop = nil end
  if stop and byte(text, stop) == 46 then stop = digits_end(text, stop + 1) end
  if stop and bor(byte(text, stop) or 0, 32) == 101 then
    local sign = byte(text, stop + 1)
    stop = digits_end(text, (sign == 43 or sign == 45) and stop + 2 or stop + 1)
  end
  if not stop then bad(state, at, 'not a number as JSON writes them') end
  return tonumber(sub(text, at, stop - 1)), stop
end

local read

local function read_list(state, at, depth)
  local list, n, b = M.array {}, 0, nil
  at, b = blank(state, at + 1)
  if b == 93 then return list, at + 1 end
  while true do
    n = n + 1
    list[n], at = read(state, at, depth + 1)
    at, b = blank(state, at)
    if b == 93 then return list, at + 1 end
    if b ~= 44 then bad(state, at, found(state, at) .. " in a list; needs ',' or ']'") end
    at = at + 1
  end
end

local function read_object(state, at, depth)
  local object, key, b = {}, nil, nil
  at, b = blank(state, at + 1)
  if b == 125 then return object, at + 1 end
  while true do
    at, b = blank(state, at)
    if b ~= 34 then bad(state, at, found(state, at) .. '; needs a key in double quotes') end
    local from = at
    key, at = read_string(state, at)
    if object[key] ~= nil then bad(state, from, ("the key '%s' is there twice"):format(key)) end
    at, b = blank(state, at)
    if b ~= 58 then bad(state, at, found(state, at) .. " after a key; needs ':'") end
    object[key], at = read(state, at + 1, depth + 1)
    at, b = blank(state, at)
    if b == 125 then return object, at + 1 end
    if b ~= 44 then bad(state, at, found(state, at) .. " in an object; needs ',' or '}'") end
    at = at + 1
  end
end

local words = { { 'true', true }, { 'false', false }, { 'null', M.null } }

function read(state, at, depth)
  local b
  at, b = blank(state, at)
  if depth > deepest then bad(state, at, ('more than %d levels deep'):format(deepest)) end
  if b == 34 then return read_string(state, at) end
  if b == 123 then return read_object(state, at, depth) end
  if b == 91 then return read_list(state, at, depth) end
  if b == 45 or is_digit(b) then return read_number(state, at) end
  for _, w in ipairs(words) do
    if state.text:sub(at, at + #w[1] - 1) == w[1] then return w[2], at + #w[1] end
  end
  bad(state, at, found(state, at) .. '; needs a value')
end

-- Value of a text. Errors name the byte, counted from 0, after `who` (default 'json').
function M.decode(text, who)
  need.text('json', 'what is decoded', text)
  if who ~= nil then need.text('json', 'who asks', who) end
  local high, controls = scan(text)
  local state = { text = text, who = who or 'json', controls = controls }
  local odd = high and stray(text)
  if odd then bad(state, odd, 'not UTF-8') end
  local value, at = read(state, 1, 1)
  at = blank(state, at)
  if at <= #text then bad(state, at, found(state, at) .. ' after the value; needs the end') end
  return value
end

return names.guard('json', M)
