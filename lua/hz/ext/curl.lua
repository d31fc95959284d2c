-- curl.lua: the one door to libcurl: one download to a file, through the multi interface, which needs no
-- callback from C into Lua: libcurl writes to a C stream itself, and between its steps we ask how far it is.
-- Opened at the first use.
local ffi = require 'ffi'
local c = require 'hz.c'
local posix = require 'hz.ext.posix'

ffi.cdef [[
typedef struct hz_CURL hz_CURL;
typedef struct hz_CURLM hz_CURLM;
typedef struct hz_CURLMsg { int msg; hz_CURL *easy; union { void *p; int result; } data; } hz_CURLMsg;
hz_CURL *curl_easy_init(void);
void curl_easy_cleanup(hz_CURL *easy);
int curl_easy_setopt(hz_CURL *easy, int option, ...);
int curl_easy_getinfo(hz_CURL *easy, int info, ...);
const char *curl_easy_strerror(int code);
hz_CURLM *curl_multi_init(void);
int curl_multi_cleanup(hz_CURLM *multi);
int curl_multi_add_handle(hz_CURLM *multi, hz_CURL *easy);
int curl_multi_remove_handle(hz_CURLM *multi, hz_CURL *easy);
int curl_multi_perform(hz_CURLM *multi, int *running);
int curl_multi_poll(hz_CURLM *multi, void *extra, unsigned n, int timeout_ms, int *ready);
hz_CURLMsg *curl_multi_info_read(hz_CURLM *multi, int *left);
]]

local M = {}

-- Numbers of curl.h: a value's type is its thousands (0 long, 1 pointer, 3 64-bit offset), of info its high digit.
local LONG, POINTER, OFFSET = 0, 10000, 30000
local options = {
  url = POINTER + 2, writedata = POINTER + 1, errorbuffer = POINTER + 10, useragent = POINTER + 18,
  cainfo = POINTER + 65, resume_from = OFFSET + 116, low_speed_limit = LONG + 19, low_speed_time = LONG + 20,
  failonerror = LONG + 45, followlocation = LONG + 52, maxredirs = LONG + 68, connecttimeout = LONG + 78,
  nosignal = LONG + 99,
  protocols = LONG + 181, redir_protocols = LONG + 182,
}
local RESPONSE_CODE, SIZE_DOWNLOAD, CONTENT_LENGTH = 0x200002, 0x600008, 0x60000f
local HTTP, HTTPS, MSG_DONE = 1, 2, 1
local codes = { [6] = 'host', [22] = 'refused', [23] = 'disk', [33] = 'range', [60] = 'certificate', [36] = 'range' }

local library
local function open()
  if library then return library end
  for _, name in ipairs { 'libcurl.so.4', 'libcurl-gnutls.so.4' } do
    local ok, lib = c.try(ffi.load, name)
    if ok then library = lib; return lib end
  end
  c.fail('fetch: libcurl.so.4 was not found; needs the package libcurl4 (make deps)')
end
function M.present() return (c.try(open)) end

local function set(lib, easy, name, value)
  local option = options[name]
  if option < POINTER then
    value = ffi.cast('long', value)
  elseif option >= OFFSET then
    value = ffi.cast('int64_t', value)
  end
  lib.curl_easy_setopt(easy, option, value)
end

local function info(lib, easy, what, kind)
  local out = ffi.new(kind .. '[1]')
  lib.curl_easy_getinfo(easy, what, out)
  return tonumber(out[0])
end

local function prepare(lib, easy, o, stream, message)
  local insecure = o.url:find '^http://' and HTTP + HTTPS or HTTPS  -- what began with HTTPS is never redirected to HTTP
  for name, value in pairs {
    url = o.url, writedata = stream, errorbuffer = message, useragent = o.agent, resume_from = o.from, failonerror = 1,
    followlocation = 1, maxredirs = 8, connecttimeout = 30, nosignal = 1, low_speed_limit = 1, low_speed_time = 60,
    protocols = insecure, redir_protocols = insecure,
  } do set(lib, easy, name, value) end
  if o.authorities then set(lib, easy, 'cainfo', o.authorities) end
end

-- Runs the transfer to its end; wait(done, total) is called between steps, total is nil while it is unknown.
local function transfer(lib, multi, easy, o, wait)
  local running, left = ffi.new 'int[1]', ffi.new 'int[1]'
  repeat
    lib.curl_multi_perform(multi, running)
    local total = info(lib, easy, CONTENT_LENGTH, 'int64_t')
    wait(o.from + info(lib, easy, SIZE_DOWNLOAD, 'int64_t'), total > 0 and o.from + total or nil)
    if running[0] > 0 then lib.curl_multi_poll(multi, nil, 0, 100, nil) end
  until running[0] == 0
  while true do
    local m = lib.curl_multi_info_read(multi, left)
    if m == nil then return -1 end
    if m.msg == MSG_DONE then return m.data.result end
  end
end

-- Downloads o.url to the end of the file o.path, which holds the first o.from bytes already. wait(done, total) may
-- raise: what has come stays in the file. authorities: a file of certificates to trust instead of the system's.
-- Returns true; or nil, the reason, and its kind ('refused' by the server, 'range': it cannot resume, 'disk', 'host',
-- 'certificate' or 'transfer'), and the HTTP status.
function M.download(o, wait)
  local lib = open()
  local stream, reason = posix.append(o.path)
  if not stream then return nil, reason, 'disk' end
  local message = ffi.new 'char[256]'
  local easy, multi = lib.curl_easy_init(), lib.curl_multi_init()
  prepare(lib, easy, o, stream, message)
  lib.curl_multi_add_handle(multi, easy)
  local ok, code = pcall(transfer, lib, multi, easy, o, wait)
  local status = info(lib, easy, RESPONSE_CODE, 'long')
  lib.curl_multi_remove_handle(multi, easy)
  lib.curl_easy_cleanup(easy)
  lib.curl_multi_cleanup(multi)
  local closed, late = posix.fclose(stream)
  if not ok then error(code, 0) end
  if code == 0 and not closed then return nil, late, 'disk' end
  if code == 0 then return true end
  local text = message[0] ~= 0 and ffi.string(message) or ffi.string(lib.curl_easy_strerror(code))
  return nil, text, codes[code] or 'transfer', status
end

return M
