-- foreign.lua: the types of safetensors that tensors do not have. Those whose every value one of ours holds are read
-- as that: halves and 8-bit floats as f32, truths as u8, small whole numbers as i32 (U32 as f64). The others (I64, U64,
-- C64, 4 and 6 bits) are left out by the reader: values that are almost right would be worse than none.
local c = require 'hz.c'
local ffi = c.ffi

local M = {}

-- The value of a code of 1 sign bit, e exponent bits and m mantissa bits (IEEE 754, section 3.4). finite: all codes are
-- numbers but the one with all bits set (OCP 8-bit floating point, E4M3).
local function float_of(code, e, m, finite)
  local mantissa, exponent = code % 2 ^ m, math.floor(code / 2 ^ m) % 2 ^ e
  local sign, bias, top = code < 2 ^ (e + m) and 1 or -1, 2 ^ (e - 1) - 1, 2 ^ e - 1
  if exponent == top and finite and mantissa == 2 ^ m - 1 then return 0 / 0 end
  if exponent == top and not finite then return mantissa == 0 and sign / 0 or 0 / 0 end
  if exponent == 0 then return sign * mantissa * 2 ^ (1 - bias - m) end
  return sign * (1 + mantissa / 2 ^ m) * 2 ^ (exponent - bias)
end

-- A way to read floats of so many bits: by a table of all their values, made when it is first needed.
local function floats(e, m, finite)
  local values
  return function(from, to, n)
    if not values then
      values = ffi.new('float[?]', 2 ^ (1 + e + m))
      for code = 0, 2 ^ (1 + e + m) - 1 do values[code] = float_of(code, e, m, finite) end
    end
    for i = 0, n - 1 do to[i] = values[from[i]] end
  end
end

local function same(from, to, n)
  for i = 0, n - 1 do to[i] = from[i] end
end

local function truth(from, to, n)
  for i = 0, n - 1 do to[i] = from[i] ~= 0 and 1 or 0 end
end

-- name -> bytes of a value, the pointer that reads one, our dtype, read(from, to, n)
M.types = {
  F16 = { bytes = 2, pointer = 'const uint16_t *', dtype = 'f32', read = floats(5, 10) },
  F8_E5M2 = { bytes = 1, pointer = 'const uint8_t *', dtype = 'f32', read = floats(5, 2) },
  F8_E4M3 = { bytes = 1, pointer = 'const uint8_t *', dtype = 'f32', read = floats(4, 3, true) },
  BOOL = { bytes = 1, pointer = 'const uint8_t *', dtype = 'u8', read = truth },
  I8 = { bytes = 1, pointer = 'const int8_t *', dtype = 'i32', read = same },
  I16 = { bytes = 2, pointer = 'const int16_t *', dtype = 'i32', read = same },
  U16 = { bytes = 2, pointer = 'const uint16_t *', dtype = 'i32', read = same },
  U32 = { bytes = 4, pointer = 'const uint32_t *', dtype = 'f64', read = same },
}

-- Bytes of a value of those that are left out, where they are whole ones.
M.others = { I64 = 8, U64 = 8, C64 = 8, F8_E8M0 = 1 }

-- Converts n values of such a type from `raw` (bytes as they stand in the file) to the tensor's memory.
function M.convert(kind, raw, to, n) kind.read(ffi.cast(kind.pointer, raw), to, n) end

return M
