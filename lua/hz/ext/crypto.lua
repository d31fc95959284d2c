-- crypto.lua: the one door to libcrypto: message digests, base64. Opened at the first use.
local ffi = require 'ffi'
local c = require 'hz.c'

ffi.cdef [[
typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
const EVP_MD *EVP_get_digestbyname(const char *name);
int EVP_DigestInit_ex(EVP_MD_CTX *ctx, const EVP_MD *type, void *engine);
int EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *data, size_t bytes);
int EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned *bytes);
int EVP_EncodeBlock(unsigned char *out, const unsigned char *data, int bytes);
]]

local M = {}

local library
local function open()
  if library then return library end
  for _, name in ipairs { 'libcrypto.so.3', 'libcrypto.so.1.1' } do
    local ok, lib = c.try(ffi.load, name)
    if ok then library = lib; return lib end
  end
  c.fail('digest: libcrypto.so.3 was not found; needs the package libssl3 (make deps)')
end
-- Whether libcrypto is here.
function M.present() return (c.try(open)) end

local Digest = {}
Digest.__index = Digest

-- A running digest, 'sha256' or 'md5'. :add(string) or :add(pointer, bytes); :raw() or :hex() gives the value
-- and starts anew.
function M.new(name)
  local lib = open()
  local kind = lib.EVP_get_digestbyname(name)
  if kind == nil then c.fail("digest: libcrypto has no '%s'; needs sha256 or md5", name) end
  local ctx = ffi.gc(lib.EVP_MD_CTX_new(), lib.EVP_MD_CTX_free)
  lib.EVP_DigestInit_ex(ctx, kind, nil)
  return setmetatable({ lib = lib, ctx = ctx, kind = kind, out = ffi.new 'unsigned char[64]',
    bytes = ffi.new 'unsigned[1]' }, Digest)
end

function Digest:add(data, bytes)
  self.lib.EVP_DigestUpdate(self.ctx, data, bytes or #data)
  return self
end

function Digest:raw()
  self.lib.EVP_DigestFinal_ex(self.ctx, self.out, self.bytes)
  self.lib.EVP_DigestInit_ex(self.ctx, self.kind, nil)
  return ffi.string(self.out, self.bytes[0])
end

function M.hex(raw) return (raw:gsub('.', function(ch) return ('%02x'):format(ch:byte()) end)) end
function Digest:hex() return M.hex(self:raw()) end

-- Digest of a string in hexadecimal.
function M.sha256(text) return M.new 'sha256':add(text):hex() end
function M.md5(text) return M.new 'md5':add(text):hex() end

-- Base64 (RFC 4648, 4) of a string below 1 GB.
function M.base64(data)
  local out = ffi.new('unsigned char[?]', 4 * math.ceil(#data / 3) + 1)
  return ffi.string(out, open().EVP_EncodeBlock(out, data, #data))
end

return M
